//! Bytes by the second, and events that are remembered for a while.

use std::collections::VecDeque;

/// Seconds of bitrate that are remembered.
pub const HISTORY_SECONDS: usize = 60;

/// The bitrate of now is that of so many whole seconds.
const RATE_SECONDS: usize = 3;

/// A bitrate of now is compared with the usual one when there are so many seconds of that.
const USUAL_SECONDS_MIN: usize = 10;

/// Events whose time is remembered. Of more in a window the count is this one, which costs as much.
const EVENTS_MAX: usize = 64;

/// Bytes by the second of arrival.
#[derive(Debug)]
pub struct Seconds {
    /// The second that is counted in the last place: of the clock, whole.
    last: u64,
    /// At most [`HISTORY_SECONDS`] and the one that is not over.
    bytes: VecDeque<u64>,
}

impl Seconds {
    /// Counts from now on, milliseconds of a clock that begins anywhere.
    pub fn new(now_ms: u64) -> Self {
        Self {
            last: now_ms / 1000,
            bytes: VecDeque::from([0]),
        }
    }

    /// Counts bytes.
    pub fn add(&mut self, now_ms: u64, count: usize) {
        let behind = self.behind(now_ms);
        if behind > 0 {
            // What is older than the history leaves it, however long nothing came.
            let missing = usize::try_from(behind).unwrap_or(usize::MAX);
            for _ in 0..missing.min(HISTORY_SECONDS + 1) {
                self.bytes.push_back(0);
            }
            while self.bytes.len() > HISTORY_SECONDS + 1 {
                self.bytes.pop_front();
            }
            self.last += behind;
        }
        if let Some(bytes) = self.bytes.back_mut() {
            *bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// Bits of each whole second up to now, the oldest first.
    pub fn history(&self, now_ms: u64) -> Vec<u64> {
        let behind = usize::try_from(self.behind(now_ms)).unwrap_or(usize::MAX);
        let empty = std::iter::repeat_n(0, behind.min(HISTORY_SECONDS + 1));
        let mut bits: VecDeque<u64> = self.bytes.iter().map(|bytes| bytes * 8).collect();
        bits.extend(empty);
        // The second that is not over.
        bits.pop_back();
        let old = bits.len().saturating_sub(HISTORY_SECONDS);
        bits.into_iter().skip(old).collect()
    }

    /// Bits a second of now: over the last whole seconds.
    pub fn bitrate(&self, now_ms: u64) -> u64 {
        let history = self.history(now_ms);
        mean(history.iter().rev().take(RATE_SECONDS))
    }

    /// Goes on from what was counted before, by the same clock.
    pub(super) fn follow(&mut self, mut earlier: Self) {
        let old = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        let first = (self.last + 1).saturating_sub(old);
        for (second, bytes) in (first..).zip(&self.bytes) {
            let count = usize::try_from(*bytes).unwrap_or(usize::MAX);
            earlier.add(second.saturating_mul(1000), count);
        }
        *self = earlier;
    }

    fn behind(&self, now_ms: u64) -> u64 {
        (now_ms / 1000).saturating_sub(self.last)
    }
}

/// The bitrate of now and the usual one before it, if there is enough of both.
pub(super) fn fall(history: &[u64]) -> Option<(u64, u64)> {
    let before = history.len().checked_sub(RATE_SECONDS)?;
    let (usual, now) = history.split_at_checked(before)?;
    (before >= USUAL_SECONDS_MIN).then(|| (mean(now.iter()), mean(usual.iter())))
}

fn mean<'a>(values: impl Iterator<Item = &'a u64>) -> u64 {
    let (sum, count) = values.fold((0_u64, 0), |(sum, count), value| {
        (sum.saturating_add(*value), count + 1)
    });
    sum.checked_div(count).unwrap_or(0)
}

/// Counts, and remembers when the last ones were.
#[derive(Debug, Default)]
pub(super) struct Events {
    count: u64,
    /// At most [`EVENTS_MAX`], the oldest first.
    times_ms: VecDeque<u64>,
}

impl Events {
    pub(super) fn add(&mut self, now_ms: u64) {
        self.count += 1;
        if self.times_ms.len() == EVENTS_MAX {
            self.times_ms.pop_front();
        }
        self.times_ms.push_back(now_ms);
    }

    /// Goes on from what was counted before.
    pub(super) fn follow(&mut self, mut earlier: Self) {
        let count = self.count.saturating_add(earlier.count);
        for time_ms in &self.times_ms {
            earlier.add(*time_ms);
        }
        *self = Self { count, ..earlier };
    }

    /// All of them.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Those at `from_ms` or later, at most [`EVENTS_MAX`].
    pub(super) fn count_since(&self, from_ms: u64) -> u64 {
        let recent = self.times_ms.iter().filter(|&&time| time >= from_ms);
        u64::try_from(recent.count()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_the_second() {
        let mut seconds = Seconds::new(10_500);
        assert_eq!(seconds.history(10_900), [0; 0]);
        assert_eq!(seconds.bitrate(10_900), 0);
        seconds.add(10_900, 100);
        seconds.add(11_000, 50);
        seconds.add(11_999, 50);
        // The second that is not over does not count.
        assert_eq!(seconds.history(11_999), [800]);
        assert_eq!(seconds.history(12_000), [800, 800]);
        // Silence counts as such.
        assert_eq!(seconds.history(14_000), [800, 800, 0, 0]);
        assert_eq!(seconds.bitrate(14_000), 800 / 3);
        seconds.add(14_000, 25);
        assert_eq!(seconds.history(15_000), [800, 800, 0, 0, 200]);
        // A clock that goes back is taken to stand still.
        seconds.add(9_000, 25);
        assert_eq!(seconds.history(15_000), [800, 800, 0, 0, 400]);
        assert_eq!(seconds.history(0), [800, 800, 0, 0]);
    }

    #[test]
    fn a_minute_is_remembered() {
        let mut seconds = Seconds::new(0);
        for second in 0..200 {
            seconds.add(second * 1000, 1);
        }
        assert_eq!(seconds.history(199_999), vec![8; HISTORY_SECONDS]);
        assert_eq!(seconds.history(u64::MAX), vec![0; HISTORY_SECONDS]);
        seconds.add(u64::MAX, 1);
        assert_eq!(seconds.history(u64::MAX), vec![0; HISTORY_SECONDS]);
        assert_eq!(seconds.bytes.len(), HISTORY_SECONDS + 1);
    }

    #[test]
    fn what_follows_goes_on_from_what_was() {
        let (mut one, mut next) = (Seconds::new(10_000), Seconds::new(13_000));
        one.add(10_000, 100);
        one.add(11_000, 50);
        next.add(13_000, 25);
        next.add(14_000, 5);
        next.follow(one);
        assert_eq!(next.history(15_000), [800, 400, 0, 200, 40]);
        let (mut one, mut next) = (Events::default(), Events::default());
        for time in 0..100 {
            one.add(time);
        }
        next.add(200);
        next.follow(one);
        assert_eq!((next.count(), next.count_since(99)), (101, 2));
    }

    #[test]
    fn a_fall_needs_a_past() {
        assert_eq!(fall(&[]), None);
        assert_eq!(fall(&[8; 12]), None);
        assert_eq!(fall(&[8; 13]), Some((8, 8)));
        let mut history = vec![900; 20];
        history.extend([0, 0, 300]);
        assert_eq!(fall(&history), Some((100, 900)));
    }

    #[test]
    fn events_are_forgotten() {
        let mut events = Events::default();
        for time in 0..1000 {
            events.add(time);
        }
        assert_eq!(events.count(), 1000);
        assert_eq!(events.count_since(990), 10);
        assert_eq!(events.count_since(0), 64);
    }
}
