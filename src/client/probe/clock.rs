//! The timestamps of one track: how they advance, and where they do not as they should.

use std::time::Duration;

use super::notes::{Notes, Quirk};
use super::report::{Spread, TimestampReport};
use super::tally::Tally;

/// A larger difference is another timeline, whatever comes with it.
const SAME_TIMELINE_MS: i64 = 10_000;

/// A step that is longer than this and than [`JUMP_FRAMES`] usual ones is a jump or a gap.
const JUMP_MS: i64 = 1000;

/// See [`JUMP_MS`].
const JUMP_FRAMES: i64 = 10;

/// Frames that make a usual step known.
const USUAL_AFTER: u64 = 10;

/// Several frames may share a timestamp (slices, short sound frames); this many in a row do not.
const STAND_STILL_FRAMES: u64 = 8;

/// The start of a stream comes in a burst; the speed is measured behind it.
const BURST: Duration = Duration::from_secs(1);

/// The least time over which the speed is measured.
const SPEED_OVER: Duration = Duration::from_secs(2);

/// Follows the timestamps of one track.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock {
    frames: u64,
    first: u32,
    last: u32,
    first_arrival: Duration,
    last_arrival: Duration,
    /// Stream time since the first frame, jumps left out, milliseconds.
    elapsed_ms: i64,
    steps: Tally,
    /// Since the last frame only: where the timestamps left their line.
    departure: Option<Departure>,
    equal_run: u64,
    /// Arrival and `elapsed_ms` of the first frame behind the burst.
    settled: Option<(Duration, i64)>,
    jumps: u64,
    jump_largest_ms: i64,
    gaps: u64,
    gap_longest_ms: i64,
    /// What gaps were longer than usual steps, all together.
    paused_ms: i64,
    backward_steps: u64,
    backward_largest_ms: i64,
    outliers: u64,
    stand_stills: u64,
}

/// A frame whose timestamp does not fit to the one before it.
#[derive(Debug, Clone, Copy)]
struct Departure {
    /// The one before it.
    from: u32,
    /// What the frame has added to the stream time.
    added_ms: i64,
    /// By more than [`SAME_TIMELINE_MS`]; otherwise a step back.
    is_jump: bool,
}

impl Clock {
    /// Takes the timestamp of the next frame, and when it came. Returns the stream time since the
    /// first one, milliseconds: it never decreases, and steps over jumps.
    pub(super) fn advance(&mut self, arrival: Duration, timestamp: u32) -> i64 {
        self.frames += 1;
        if self.frames == 1 {
            self.first = timestamp;
            self.first_arrival = arrival;
        } else {
            self.elapsed_ms += self.step(arrival, timestamp);
        }
        self.last = timestamp;
        self.last_arrival = arrival;
        if self.settled.is_none() && arrival >= self.first_arrival + BURST {
            self.settled = Some((arrival, self.elapsed_ms));
        }
        self.elapsed_ms
    }

    /// By how much stream time advances.
    fn step(&mut self, arrival: Duration, timestamp: u32) -> i64 {
        let usual = self.usual_ms();
        if let Some(departure) = self.departure.take() {
            let since = distance_ms(departure.from, timestamp);
            if (0..=SAME_TIMELINE_MS).contains(&since) {
                // Only that one frame was elsewhere.
                if departure.is_jump {
                    self.jumps -= 1;
                    self.outliers += 1;
                }
                return (since - departure.added_ms).max(0);
            }
        }
        let delta = distance_ms(self.last, timestamp);
        self.equal_run = if delta == 0 { self.equal_run + 1 } else { 0 };
        if self.equal_run == STAND_STILL_FRAMES {
            self.stand_stills += 1;
        }
        let is_long = delta > JUMP_MS && delta > JUMP_FRAMES * usual && self.frames > USUAL_AFTER;
        let pause = i64::try_from((arrival - self.last_arrival).as_millis()).unwrap_or(i64::MAX);
        if (is_long || delta > SAME_TIMELINE_MS) && pause >= delta / 2 {
            self.gaps += 1;
            self.gap_longest_ms = self.gap_longest_ms.max(delta);
            self.paused_ms += delta - usual;
            delta
        } else if is_long || delta.abs() > SAME_TIMELINE_MS {
            self.jumps += 1;
            if delta.abs() > self.jump_largest_ms.abs() {
                self.jump_largest_ms = delta;
            }
            // A smaller step may as well be the first of many frames at the new place.
            if delta.abs() > SAME_TIMELINE_MS {
                self.depart(usual, true);
            }
            usual
        } else if delta < 0 {
            self.backward_steps += 1;
            self.backward_largest_ms = self.backward_largest_ms.max(-delta);
            self.depart(usual, false);
            usual
        } else {
            self.steps.add(u64::try_from(delta).unwrap_or(0));
            delta
        }
    }

    fn depart(&mut self, added_ms: i64, is_jump: bool) {
        self.departure = Some(Departure {
            from: self.last,
            added_ms,
            is_jump,
        });
    }

    fn usual_ms(&self) -> i64 {
        let mean = self.steps.sum().checked_div(self.steps.count());
        i64::try_from(mean.unwrap_or(0)).unwrap_or(0)
    }

    /// The timestamp of the first frame, as sent.
    pub(super) fn first(&self) -> Option<u32> {
        (self.frames > 0).then_some(self.first)
    }

    /// Stream time since the first frame, jumps left out, milliseconds.
    pub(super) fn elapsed_ms(&self) -> i64 {
        self.elapsed_ms
    }

    /// From the first frame to the last, by timestamps; by their arrival where timestamps hardly
    /// move. `None` for less than two frames.
    pub(super) fn span(&self) -> Option<Duration> {
        let arrived = self.last_arrival.saturating_sub(self.first_arrival);
        let told = Duration::from_millis(u64::try_from(self.elapsed_ms).unwrap_or(0));
        let is_usable = told * 10 >= arrived;
        let span = if is_usable { told } else { arrived };
        (self.frames > 1 && !span.is_zero()).then_some(span)
    }

    /// Frames in a second, gaps left out.
    pub(super) fn frame_rate(&self) -> Option<f64> {
        let paused = Duration::from_millis(u64::try_from(self.paused_ms).unwrap_or(0));
        let span = self.span()?.saturating_sub(paused);
        (!span.is_zero()).then(|| (self.frames - 1) as f64 / span.as_secs_f64())
    }

    /// Seconds of stream time in a second, behind the burst at the start.
    fn speed(&self) -> Option<f64> {
        let (arrival, elapsed_ms) = self.settled?;
        let over = self.last_arrival.checked_sub(arrival)?;
        if over < SPEED_OVER {
            return None;
        }
        Some((self.elapsed_ms - elapsed_ms) as f64 / 1000.0 / over.as_secs_f64())
    }

    /// Says what was wrong.
    pub(super) fn note(&self, track: &'static str, notes: &mut Notes) {
        let ms = self.jump_largest_ms;
        notes.add_many(Quirk::TimestampJump { track, ms }, self.jumps);
        let ms = self.gap_longest_ms;
        notes.add_many(Quirk::Gap { track, ms }, self.gaps);
        let ms = self.backward_largest_ms;
        notes.add_many(Quirk::TimestampBack { track, ms }, self.backward_steps);
        notes.add_many(Quirk::TimestampOutlier(track), self.outliers);
        notes.add_many(Quirk::TimestampStandStill(track), self.stand_stills);
        let speed = self.speed().filter(|speed| !(0.8..=1.25).contains(speed));
        if let Some(speed) = speed {
            // Between 0 and some thousands: nothing is lost.
            #[allow(clippy::cast_possible_truncation, reason = "saturates")]
            let hundredths = (speed * 100.0).round() as i64;
            notes.add(Quirk::TimestampSpeed { track, hundredths });
        }
    }

    pub(super) fn report(&self) -> TimestampReport {
        TimestampReport {
            first: self.first,
            last: self.last,
            step_ms: Spread::of(&self.steps, 1.0),
            jumps: self.jumps,
            jump_largest_ms: self.jump_largest_ms,
            gaps: self.gaps,
            gap_longest_ms: self.gap_longest_ms,
            backward_steps: self.backward_steps,
            backward_largest_ms: self.backward_largest_ms,
            outliers: self.outliers,
            stand_stills: self.stand_stills,
            speed: self.speed(),
        }
    }
}

/// From one timestamp to another, across their wrap at 2^32.
pub(super) fn distance_ms(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}
