//! Deadlines of many connections, ordered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Wakes keys at their deadlines.
///
/// Made for deadlines that mostly move later: moving one costs nothing, since an alarm that goes
/// off too early is simply set anew by its owner. Each owner keeps the time of its alarm and calls
/// [`Self::set`] only for an earlier one, so the heap holds few alarms per owner.
#[derive(Debug)]
pub struct Timers<K> {
    alarms: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord> Timers<K> {
    /// No alarms.
    pub fn new() -> Self {
        Self {
            alarms: BinaryHeap::new(),
        }
    }

    /// Adds an alarm.
    pub fn set(&mut self, at: Instant, key: K) {
        self.alarms.push(Reverse((at, key)));
    }

    /// When the next alarm goes off.
    pub fn next(&self) -> Option<Instant> {
        self.alarms.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one alarm that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.alarms.pop().map(|Reverse((_, key))| key)
    }
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn alarms_go_off_in_order_and_not_early() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::new();
        timers.set(at(30), 'c');
        timers.set(at(10), 'a');
        timers.set(at(20), 'b');
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(timers.pop_due(at(20)), Some('a'));
        assert_eq!(timers.pop_due(at(20)), Some('b'));
        assert_eq!(timers.pop_due(at(20)), None);
        assert_eq!(timers.pop_due(at(40)), Some('c'));
        assert_eq!(timers.next(), None);
    }
}
