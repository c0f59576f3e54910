//! When a frame is due, and which timestamp it gets: real time, loops, reconnects.

use std::time::{Duration, Instant};

use crate::media::flv::{Tag, TagKind};

/// Length of a frame of which no second one was seen.
const NOMINAL_FRAME_MS: i64 = 40;

/// Puts the timestamps of an input that may start over onto one line that only grows.
#[derive(Debug)]
pub(super) struct LoopClock {
    keeps_start: bool,
    /// Dts of the first frame of the input; `None` before it came.
    first: Option<i64>,
    /// Added to each dts of the input.
    offset: i64,
    /// By track (audio, video): first and last dts of this round, as the input has them, and the
    /// last distance between two frames.
    rounds: [Option<Round>; 2],
}

#[derive(Debug, Clone, Copy)]
struct Round {
    first: i64,
    last: i64,
    step: i64,
}

impl LoopClock {
    /// `keeps_start`: the first frame keeps its timestamp; otherwise it gets 0.
    pub(super) fn new(keeps_start: bool) -> Self {
        Self {
            keeps_start,
            first: None,
            offset: 0,
            rounds: [None; 2],
        }
    }

    /// Says where the input starts: at its earliest frame, which need not be its first one.
    pub(super) fn start_at(&mut self, earliest: i64) {
        self.first = Some(earliest);
        if !self.keeps_start {
            self.offset = -earliest;
        }
    }

    /// The timestamp to be sent with this tag.
    pub(super) fn place(&mut self, tag: &Tag) -> i64 {
        let slot = match tag.kind {
            TagKind::Audio => 0,
            TagKind::Video => 1,
            TagKind::Script => {
                return self
                    .first
                    .map_or(0, |first| tag.dts.max(first) + self.offset);
            }
        };
        if tag.is_sequence_header() {
            // They are often stamped with 0 in files that start elsewhere.
            return self
                .first
                .map_or(0, |first| tag.dts.max(first) + self.offset);
        }
        if self.first.is_none() {
            self.start_at(tag.dts);
        }
        if let Some(round) = self.rounds.get_mut(slot) {
            *round = Some(match *round {
                None => Round {
                    first: tag.dts,
                    last: tag.dts,
                    step: NOMINAL_FRAME_MS,
                },
                Some(round) => Round {
                    step: match tag.dts - round.last {
                        step @ 1..=1000 => step,
                        _ => round.step,
                    },
                    last: round.last.max(tag.dts),
                    ..round
                },
            });
        }
        let placed = tag.dts + self.offset;
        match self.keeps_start {
            true => placed,
            // What lies before the start would be 49 days late on the wire.
            false => placed.max(0),
        }
    }

    /// The input starts over: its next first frame follows on the last one, one frame later.
    pub(super) fn start_over(&mut self) {
        let length = |round: &Round| round.last + round.step - round.first;
        self.offset += self.rounds.iter().flatten().map(length).max().unwrap_or(0);
        self.rounds = [None; 2];
    }
}

/// Ties timestamps to the clock on the wall.
#[derive(Debug)]
pub(super) struct Pacer {
    /// `None`: everything is due at once.
    anchor: Option<Anchor>,
    is_on: bool,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    at: Instant,
    dts: i64,
}

impl Pacer {
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            anchor: None,
            is_on,
        }
    }

    /// When a frame with this timestamp is to be sent; the first one at once.
    pub(super) fn due(&mut self, dts: i64, now: Instant) -> Instant {
        if !self.is_on {
            return now;
        }
        let anchor = self.anchor.get_or_insert(Anchor { at: now, dts });
        let ahead = u64::try_from(dts - anchor.dts).unwrap_or(0);
        anchor.at + Duration::from_millis(ahead)
    }

    /// Time was lost (a reconnect): the next frame is due at once.
    pub(super) fn release(&mut self) {
        self.anchor = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(dts: i64) -> Tag {
        Tag::audio(dts, vec![0xAF, 1, 0])
    }

    fn video(dts: i64) -> Tag {
        Tag::video(dts, vec![0x27, 1, 0, 0, 0, 0])
    }

    #[test]
    fn rounds_follow_each_other_without_a_seam() {
        let mut clock = LoopClock::new(false);
        let round = |clock: &mut LoopClock| {
            [audio(100), video(121), audio(121), video(161), audio(142)]
                .map(|tag| clock.place(&tag))
        };
        assert_eq!(round(&mut clock), [0, 21, 21, 61, 42]);
        clock.start_over();
        assert_eq!(round(&mut clock), [80, 101, 101, 141, 122]);
        clock.start_over();
        assert_eq!(round(&mut clock)[0], 160);
    }

    #[test]
    fn nothing_lies_before_the_start() {
        let mut clock = LoopClock::new(false);
        clock.start_at(90);
        let placed = [video(100), audio(90), audio(80)].map(|tag| clock.place(&tag));
        assert_eq!(placed, [10, 0, 0]);
    }

    #[test]
    fn the_start_can_be_kept() {
        let mut clock = LoopClock::new(true);
        assert_eq!(clock.place(&video(4_294_960_000)), 4_294_960_000);
        assert_eq!(clock.place(&video(4_294_960_040)), 4_294_960_040);
        // An FLV file has such a time as a negative one.
        let mut clock = LoopClock::new(true);
        assert_eq!(clock.place(&video(-7296)), -7296);
    }

    #[test]
    fn headers_stamped_with_0_belong_to_the_start() {
        for (keeps_start, start) in [(true, 5000), (false, 0)] {
            let mut clock = LoopClock::new(keeps_start);
            clock.start_at(5000);
            assert_eq!(clock.place(&Tag::script(0, vec![])), start);
            assert_eq!(clock.place(&Tag::video(0, vec![0x17, 0, 0, 0, 0])), start);
            assert_eq!(clock.place(&video(5000)), start);
            assert_eq!(clock.place(&Tag::audio(5100, vec![0xAF, 0])), start + 100);
        }
    }

    #[test]
    fn frames_are_due_by_their_distance() {
        let start = Instant::now();
        let mut pacer = Pacer::new(true);
        assert_eq!(pacer.due(5000, start), start);
        assert_eq!(pacer.due(5040, start), start + Duration::from_millis(40));
        assert_eq!(pacer.due(4990, start), start);
        pacer.release();
        let later = start + Duration::from_secs(9);
        assert_eq!(pacer.due(5080, later), later);
    }
}
