//! 32-bit millisecond timestamps that wrap, unrolled onto one 64-bit timeline per publisher.
//!
//! Distances between frames stay exact. Only what no player could follow is mended: far jumps and
//! steps backwards within a track. Audio and video may start seconds apart and are never measured
//! against each other, except where one of them begins or pauses. Sequence headers and metadata
//! are no part of it: encoders stamp them with 0 in mid-stream.
//!
//! ```text
//!                      dts of the track
//!    doubted     │ believed          │                believed         │ doubted
//!  ──────────────┼───────────────────┼─────────────────────────────────┼──────────► place
//!            -1 s│ given the dts     │ as it came                 +10 s│
//! ```
//! Three doubted frames in a row that agree with each other are a new clock (an encoder that
//! restarted, a time server that stepped): the timeline goes on without a gap, and the other
//! track may jump by the same amount at once. Fewer are outliers, as some video recorders send.

use super::MediaKind;

/// Largest step ahead within a track that is believed at once, milliseconds.
pub const STEP_MAX_MS: i64 = 10_000;

/// Farthest that a frame may lie behind the one before it to be taken for disorder and not for a
/// new clock, milliseconds. Encoders that send presentation times stay far below it.
const DISORDER_MAX_MS: i64 = 1000;

/// Frames in a row that must agree on a new time before it is believed.
const AGREEING_FRAMES: u32 = 3;

/// Steps between frames beyond this say nothing about the frame rate, milliseconds.
const NOMINAL_STEP_MAX_MS: i64 = 1000;

/// Farthest start from 0, so that no sum can overflow: 2^60 ms is 36 million years.
const START_MAX_MS: i64 = 1 << 60;

/// Where a frame lies on the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Decoding timestamp in milliseconds; within a track it never decreases.
    pub dts: i64,
    /// What was done to it.
    pub mend: Option<Mend>,
}

/// What was done to a timestamp that could not be taken as it came; `Display` is for the log, in
/// plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Mend {
    /// Earlier than the frame before it: given that frame's time.
    #[error("sends timestamps that go backwards: given the time before them")]
    Backwards,
    /// Far off: put where the next frame was due.
    #[error("sends single timestamps that are far off: put where the next frame was due")]
    Outlier,
    /// Far off, like the frames before it: the publisher's clock has jumped, and the timeline
    /// goes on from here without a gap.
    #[error("sends timestamps of a clock that jumped: the stream goes on without a gap")]
    NewClock,
}

impl Mend {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Backwards, Self::Outlier, Self::NewClock];

    /// Its name in statistics, which does not change.
    pub fn id(self) -> &'static str {
        match self {
            Self::Backwards => "timestamps-backwards",
            Self::Outlier => "timestamp-outlier",
            Self::NewClock => "clock-jump",
        }
    }
}

/// The timeline of one publisher.
#[derive(Debug, Clone)]
pub struct Timeline {
    start: i64,
    audio: Option<Track>,
    video: Option<Track>,
    mended_frames: u64,
}

#[derive(Debug, Clone, Copy)]
struct Track {
    /// The last timestamp that was believed.
    timestamp: u32,
    /// Its place on the timeline before any mend; at most `DISORDER_MAX_MS` behind `dts` then.
    place: i64,
    /// The last dts that was given out.
    dts: i64,
    /// The usual step between frames.
    nominal: i64,
    /// The frames since then that were not believed.
    doubt: Option<Doubt>,
    /// How far our places lie off if our clock is, or has become, that of the other track.
    expected_shift: Option<i64>,
}

/// Frames in a row that agree with each other and not with what came before.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// Of the last one.
    timestamp: u32,
    /// Where the last one lies if the first one was due when it came.
    place: i64,
    /// How many.
    frames: u32,
}

impl Timeline {
    /// A timeline whose first frame is at `start`, milliseconds. The first frame of the other
    /// track may lie before it, as far as the publisher's tracks start apart.
    pub fn starting_at(start: i64) -> Self {
        Self {
            start: start.clamp(-START_MAX_MS, START_MAX_MS),
            audio: None,
            video: None,
            mended_frames: 0,
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

    /// Frames that were not taken as they came.
    pub fn mended_frames(&self) -> u64 {
        self.mended_frames
    }

    /// Places the next frame of a track.
    pub fn advance(&mut self, kind: MediaKind, timestamp: u32) -> Stamp {
        let beside = self.track(other(kind));
        let Some(mut track) = self.track(kind) else {
            let track = self.begin(kind, timestamp, beside);
            *self.track_mut(kind) = Some(track);
            return Stamp {
                dts: track.dts,
                mend: None,
            };
        };
        let place = track.place + step(track.timestamp, timestamp);
        let mend = if track.follows(place) || track.ends_pause(place, beside) {
            track.believe(timestamp, place)
        } else if let Some(shift) = track.expected_shift.filter(|by| track.follows(place + by)) {
            track.expected_shift = None;
            track.believe(timestamp, place + shift)
        } else {
            let mend = track.doubt(timestamp, place);
            if mend == Mend::NewClock
                && let Some(other) = self.track_mut(other(kind))
            {
                let shift = track.place - place;
                other.expected_shift = Some(other.expected_shift.unwrap_or(0) + shift);
            }
            Some(mend)
        };
        self.mended_frames += u64::from(mend.is_some());
        *self.track_mut(kind) = Some(track);
        Stamp {
            dts: track.dts,
            mend,
        }
    }

    /// The first frame of a track: measured against the other track, if their clocks have
    /// anything to do with each other, else put beside it.
    fn begin(&self, kind: MediaKind, timestamp: u32, other: Option<Track>) -> Track {
        let mut place = self.start;
        let mut expected_shift = None;
        if let Some(other) = other {
            let step = step(other.timestamp, timestamp);
            place = other.place + step;
            if step.abs() > STEP_MAX_MS {
                // Unless this one frame was far off: then the next one will follow this way.
                expected_shift = Some(place - other.dts);
                place = other.dts;
            }
        }
        Track {
            timestamp,
            place,
            dts: place,
            nominal: match kind {
                MediaKind::Audio => 23,
                MediaKind::Video => 40,
            },
            doubt: None,
            expected_shift,
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
    /// Whether a frame at `place` is a plausible next one.
    fn follows(&self, place: i64) -> bool {
        (-DISORDER_MAX_MS..=STEP_MAX_MS).contains(&(place - self.dts))
    }

    /// Whether a frame far ahead is where the other track has arrived in the meantime: this one
    /// paused (a microphone switched off), and taking the pause out would part sound and picture.
    fn ends_pause(&self, place: i64, other: Option<Self>) -> bool {
        place > self.dts && other.is_some_and(|other| (place - other.dts).abs() <= STEP_MAX_MS)
    }

    fn believe(&mut self, timestamp: u32, place: i64) -> Option<Mend> {
        let step = place - self.place;
        if (1..=NOMINAL_STEP_MAX_MS).contains(&step) {
            self.nominal = step;
        }
        self.timestamp = timestamp;
        self.place = place;
        self.doubt = None;
        let is_backwards = place < self.dts;
        self.dts = self.dts.max(place);
        is_backwards.then_some(Mend::Backwards)
    }

    /// A frame that does not follow: put where the next one is due, until enough agree.
    fn doubt(&mut self, timestamp: u32, place: i64) -> Mend {
        let is_slightly_back = (-STEP_MAX_MS..0).contains(&(place - self.dts));
        let doubt = match self.doubt {
            Some(doubt) if step(doubt.timestamp, timestamp).abs() <= STEP_MAX_MS => Doubt {
                timestamp,
                place: doubt.place + step(doubt.timestamp, timestamp),
                frames: doubt.frames + 1,
            },
            _ => Doubt {
                timestamp,
                place: match is_slightly_back {
                    true => self.dts,
                    false => self.dts + self.nominal,
                },
                frames: 1,
            },
        };
        if doubt.frames >= AGREEING_FRAMES {
            self.believe(timestamp, doubt.place);
            return Mend::NewClock;
        }
        // The place of the last believed frame stays the measure for the next one.
        self.doubt = Some(doubt);
        self.dts = self.dts.max(doubt.place);
        match is_slightly_back {
            true => Mend::Backwards,
            false => Mend::Outlier,
        }
    }
}

/// Milliseconds from one timestamp to another, the short way around 2^32.
///
/// Some senders keep 31 bits (SRS, FLV files) or 24 (those that know no extended timestamps):
/// a jump that such a wrap explains to within [`STEP_MAX_MS`] is one.
fn step(from: u32, to: u32) -> i64 {
    let step = i64::from(to.wrapping_sub(from).cast_signed());
    [1_u32 << 24, 1 << 31]
        .into_iter()
        .filter(|range| from < *range && to < *range)
        .flat_map(|range| [step + i64::from(range), step - i64::from(range)])
        .find(|wrapped| wrapped.abs() <= STEP_MAX_MS)
        .unwrap_or(step)
}

fn other(kind: MediaKind) -> MediaKind {
    match kind {
        MediaKind::Audio => MediaKind::Video,
        MediaKind::Video => MediaKind::Audio,
    }
}

#[cfg(test)]
mod tests;
