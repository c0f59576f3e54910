//! 32-bit millisecond timestamps that wrap, unrolled onto one 64-bit timeline per publisher.
//!
//! Distances between frames stay exact. Only what no player could follow is mended: steps of more
//! than [`STEP_MAX_MS`] and steps backwards within a track. Sequence headers and metadata are no
//! part of it: encoders stamp them with 0 in mid-stream.

use super::MediaKind;

/// Largest step of one track that is believed at once, milliseconds.
pub const STEP_MAX_MS: i64 = 10_000;

/// Frames in a row that must agree on a new time before it is believed; fewer are outliers, as
/// some video recorders send them.
const AGREEING_FRAMES: u32 = 3;

/// Steps between frames beyond this say nothing about the frame rate, milliseconds.
const NOMINAL_STEP_MAX_MS: i64 = 1000;

/// Where a frame lies on the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Decoding timestamp in milliseconds; within a track it never decreases.
    pub dts: i64,
    /// What was done to it.
    pub mend: Option<Mend>,
}

/// What was done to a timestamp that could not be taken as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mend {
    /// Earlier than the frame before it: given that frame's time.
    Backwards,
    /// Far off: put one frame behind the one before it.
    Outlier,
    /// Far off, like the frames before it: the publisher's clock has jumped, and the timeline
    /// goes on from here without a gap.
    NewClock,
}

/// The timeline of one publisher.
#[derive(Debug, Clone)]
pub struct Timeline {
    start: i64,
    audio: Option<Track>,
    video: Option<Track>,
}

#[derive(Debug, Clone, Copy)]
struct Track {
    /// The last timestamp that was believed.
    timestamp: u32,
    /// Its place on the timeline, before any step backwards was mended.
    place: i64,
    /// The last dts that was given out; `place <= dts` after a step backwards.
    dts: i64,
    /// The usual step between frames.
    nominal: i64,
    /// The last timestamp that was not believed, and how many in a row agreed with it.
    doubted: Option<(u32, u32)>,
    /// By how much the other track's clock was moved when it jumped: ours may jump likewise.
    expected_shift: Option<i64>,
}

impl Timeline {
    /// A timeline whose first frame is at `start`.
    pub fn starting_at(start: i64) -> Self {
        Self {
            start,
            audio: None,
            video: None,
        }
    }

    /// Where the first frame is, or will be.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The last dts of a track.
    pub fn last_dts(&self, kind: MediaKind) -> Option<i64> {
        self.track(kind).map(|track| track.dts)
    }

    /// Places the next frame of a track.
    pub fn advance(&mut self, kind: MediaKind, timestamp: u32) -> Stamp {
        let Some(mut track) = self.track(kind) else {
            return self.begin(kind, timestamp);
        };
        let step = step(track.timestamp, timestamp);
        let mut mend = None;
        if step.abs() <= STEP_MAX_MS {
            track.believe(timestamp, track.place + step);
            if (1..=NOMINAL_STEP_MAX_MS).contains(&step) {
                track.nominal = step;
            }
        } else if let Some(place) = track.shifted_place(step) {
            track.believe(timestamp, place);
        } else if track.doubt(timestamp) {
            let shift = track.dts + track.nominal - (track.place + step);
            track.believe(timestamp, track.dts + track.nominal);
            mend = Some(Mend::NewClock);
            if let Some(other) = self.track_mut(other(kind)) {
                other.expected_shift = Some(shift);
            }
        } else {
            // The place of the last believed frame stays the measure for the next one.
            track.dts += track.nominal;
            let stamp = Stamp {
                dts: track.dts,
                mend: Some(Mend::Outlier),
            };
            *self.track_mut(kind) = Some(track);
            return stamp;
        }
        if track.place < track.dts {
            mend = mend.or(Some(Mend::Backwards));
        }
        track.dts = track.dts.max(track.place);
        *self.track_mut(kind) = Some(track);
        Stamp {
            dts: track.dts,
            mend,
        }
    }

    /// The first frame of a track: measured against the other track, if their clocks have
    /// anything to do with each other.
    fn begin(&mut self, kind: MediaKind, timestamp: u32) -> Stamp {
        let place = match self.track(other(kind)) {
            None => self.start,
            Some(other) => {
                let step = step(other.timestamp, timestamp);
                if step.abs() <= STEP_MAX_MS {
                    other.place + step
                } else {
                    other.dts
                }
            }
        };
        *self.track_mut(kind) = Some(Track {
            timestamp,
            place,
            dts: place,
            nominal: match kind {
                MediaKind::Audio => 23,
                MediaKind::Video => 40,
            },
            doubted: None,
            expected_shift: None,
        });
        Stamp {
            dts: place,
            mend: None,
        }
    }

    fn track(&self, kind: MediaKind) -> Option<Track> {
        match kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
        }
    }

    fn track_mut(&mut self, kind: MediaKind) -> &mut Option<Track> {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }
}

impl Track {
    fn believe(&mut self, timestamp: u32, place: i64) {
        self.timestamp = timestamp;
        self.place = place;
        self.doubted = None;
    }

    /// The place after a far step, if it is the jump that the other track has made.
    fn shifted_place(&mut self, step: i64) -> Option<i64> {
        let place = self.place + step + self.expected_shift?;
        if (place - self.dts).abs() > STEP_MAX_MS {
            return None;
        }
        self.expected_shift = None;
        Some(place)
    }

    /// Notes a far step; true when enough frames in a row agree on the new time.
    fn doubt(&mut self, timestamp: u32) -> bool {
        let agreeing = match self.doubted {
            Some((last, count)) if step(last, timestamp).abs() <= STEP_MAX_MS => count + 1,
            _ => 1,
        };
        self.doubted = Some((timestamp, agreeing));
        agreeing >= AGREEING_FRAMES
    }
}

/// Milliseconds from one timestamp to another, the short way around 2^32.
fn step(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

fn other(kind: MediaKind) -> MediaKind {
    match kind {
        MediaKind::Audio => MediaKind::Video,
        MediaKind::Video => MediaKind::Audio,
    }
}

#[cfg(test)]
mod tests {
    use super::MediaKind::{Audio, Video};
    use super::*;

    #[track_caller]
    fn check(start: i64, steps: &[(MediaKind, u32, i64, Option<Mend>)]) {
        let mut timeline = Timeline::starting_at(start);
        for (index, &(kind, timestamp, dts, mend)) in steps.iter().enumerate() {
            let stamp = timeline.advance(kind, timestamp);
            assert_eq!(stamp, Stamp { dts, mend }, "frame {index}");
        }
    }

    #[test]
    fn the_first_frame_is_the_start_and_distances_are_exact() {
        check(
            1000,
            &[
                (Video, 5_000_000, 1000, None),
                (Audio, 4_999_990, 990, None),
                (Video, 5_000_033, 1033, None),
                (Audio, 5_000_013, 1013, None),
                (Video, 5_000_033, 1033, None),
            ],
        );
    }

    #[test]
    fn both_wraps_are_survived() {
        check(
            0,
            &[
                (Video, 16_777_200, 0, None),
                (Video, 16_777_240, 40, None),
                (Audio, 16_777_220, 20, None),
            ],
        );
        check(
            0,
            &[
                (Video, u32::MAX - 9, 0, None),
                (Audio, u32::MAX - 4, 5, None),
                (Video, 30, 40, None),
                (Audio, 18, 28, None),
            ],
        );
    }

    #[test]
    fn a_step_backwards_is_given_the_time_before_it() {
        check(
            0,
            &[
                (Video, 100, 0, None),
                (Video, 140, 40, None),
                (Video, 120, 40, Some(Mend::Backwards)),
                (Video, 180, 80, None),
            ],
        );
    }

    #[test]
    fn a_lone_outlier_is_restamped() {
        check(
            0,
            &[
                (Video, 0, 0, None),
                (Video, 40, 40, None),
                (Video, 9_000_000, 80, Some(Mend::Outlier)),
                (Video, 120, 120, None),
                (Video, 160, 160, None),
            ],
        );
    }

    #[test]
    fn a_clock_that_jumps_is_followed_by_both_tracks_without_a_gap() {
        check(
            0,
            &[
                (Video, 0, 0, None),
                (Audio, 0, 0, None),
                (Video, 40, 40, None),
                (Audio, 23, 23, None),
                (Video, 7_000_000, 80, Some(Mend::Outlier)),
                (Video, 7_000_040, 120, Some(Mend::Outlier)),
                (Video, 7_000_080, 160, Some(Mend::NewClock)),
                (Audio, 7_000_010, 90, None),
                (Video, 7_000_120, 200, None),
                (Audio, 7_000_033, 113, None),
            ],
        );
    }

    #[test]
    fn tracks_with_unrelated_clocks_start_together() {
        check(
            0,
            &[
                (Video, 4_000_000_000, 0, None),
                (Audio, 0, 0, None),
                (Audio, 23, 23, None),
                (Video, 4_000_000_040, 40, None),
            ],
        );
    }

    #[test]
    fn time_may_stand_still() {
        check(
            7,
            &[
                (Video, 5, 7, None),
                (Video, 5, 7, None),
                (Video, 5, 7, None),
            ],
        );
    }
}
