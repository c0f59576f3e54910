//! The deadlines of a session: one slot for each kind of timer.

use std::time::{Duration, Instant};

use super::TimerKind;

/// At most one deadline of each kind; what waits longest ago comes first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: [Option<Instant>; TimerKind::COUNT],
}

impl Timers {
    /// (Re)starts a timer. A deadline beyond what the clock can express never comes.
    pub(super) fn start(&mut self, kind: TimerKind, now: Instant, after: Duration) {
        if let Some(slot) = self.deadlines.get_mut(kind as usize) {
            *slot = now.checked_add(after);
        }
    }

    /// Stops a timer, if it runs.
    pub(super) fn stop(&mut self, kind: TimerKind) {
        if let Some(slot) = self.deadlines.get_mut(kind as usize) {
            *slot = None;
        }
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Stops and returns a timer whose deadline is not after `now`, the earliest first.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<TimerKind> {
        let (deadline, kind) = TimerKind::ALL
            .iter()
            .zip(&self.deadlines)
            .filter_map(|(kind, deadline)| deadline.map(|deadline| (deadline, *kind)))
            .min_by_key(|(deadline, _)| *deadline)?;
        if deadline > now {
            return None;
        }
        self.stop(kind);
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_expire_in_the_order_of_their_deadlines() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.start(TimerKind::Request, start, 3 * second);
        timers.start(TimerKind::Ping, start, second);
        timers.start(TimerKind::MediaIdle, start, 9 * second);
        assert_eq!(timers.next(), Some(start + second));
        assert_eq!(timers.take_expired(start), None);
        let late = start + 4 * second;
        assert_eq!(timers.take_expired(late), Some(TimerKind::Ping));
        assert_eq!(timers.take_expired(late), Some(TimerKind::Request));
        assert_eq!(timers.take_expired(late), None);
        timers.stop(TimerKind::MediaIdle);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn every_kind_has_a_slot_of_its_own() {
        for (index, kind) in TimerKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }

    #[test]
    fn a_deadline_beyond_the_clock_never_comes() {
        let mut timers = Timers::default();
        timers.start(TimerKind::Ping, Instant::now(), Duration::MAX);
        assert_eq!(timers.next(), None);
    }
}
