//! Names whose publishers were lost, and when others came for them: what a camera does that loses
//! its network again and again outlives each of its live streams.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::super::mail::StreamName;
use super::whole_ms;

/// Names that are remembered. Of more, those are forgotten whose last event is the oldest.
const NAMES_MAX: usize = 1024;

/// Reconnects that are remembered of one name: 40 of them cost a live stream all that they can.
const RECONNECTS_MAX: usize = 64;

const HOUR_MS: u64 = 3_600_000;

/// What is remembered, for an hour.
#[derive(Debug, Default)]
pub(super) struct LostPublishers(HashMap<StreamName, History>);

#[derive(Debug, Default)]
struct History {
    /// Nobody has come since.
    is_lost: bool,
    /// At most [`RECONNECTS_MAX`], the oldest first.
    reconnects_ms: VecDeque<u64>,
    last_ms: u64,
}

impl LostPublishers {
    /// The publisher of this name is gone without a goodbye.
    pub(super) fn lose(&mut self, name: &StreamName, uptime: Duration) {
        let now_ms = whole_ms(uptime);
        if !self.0.contains_key(name) && self.0.len() >= NAMES_MAX {
            self.forget(now_ms);
        }
        let history = self.0.entry(StreamName::clone(name)).or_default();
        history.is_lost = true;
        history.last_ms = now_ms;
    }

    /// A publisher comes; the answer is when one came after another that was lost, this one too if
    /// it does.
    pub(super) fn find(&mut self, name: &StreamName, uptime: Duration) -> Vec<u64> {
        let now_ms = whole_ms(uptime);
        let Some(history) = self.0.get_mut(name) else {
            return Vec::new();
        };
        if std::mem::take(&mut history.is_lost) {
            history.reconnects_ms.push_back(now_ms);
            history.last_ms = now_ms;
        }
        let is_old = |time_ms: &u64| now_ms.saturating_sub(*time_ms) > HOUR_MS;
        while history.reconnects_ms.len() > RECONNECTS_MAX
            || history.reconnects_ms.front().is_some_and(is_old)
        {
            history.reconnects_ms.pop_front();
        }
        history.reconnects_ms.iter().copied().collect()
    }

    fn forget(&mut self, now_ms: u64) {
        self.0
            .retain(|_, history| now_ms.saturating_sub(history.last_ms) <= HOUR_MS);
        if self.0.len() < NAMES_MAX {
            return;
        }
        let oldest = self.0.iter().min_by_key(|(_, history)| history.last_ms);
        if let Some(name) = oldest.map(|(name, _)| StreamName::clone(name)) {
            self.0.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_comes_after_a_loss_comes_again() {
        let mut lost = LostPublishers::default();
        let name: StreamName = "live/cam".into();
        assert!(lost.find(&name, secs(1)).is_empty());
        lost.lose(&name, secs(2));
        assert_eq!(lost.find(&name, secs(60)), [60_000]);
        // After a goodbye nothing was lost.
        assert_eq!(lost.find(&name, secs(70)), [60_000]);
        lost.lose(&name, secs(80));
        assert_eq!(lost.find(&name, secs(3660)), [60_000, 3_660_000]);
        assert_eq!(lost.find(&name, secs(3661)), [3_660_000]);
        for second in 4000..4200 {
            lost.lose(&name, secs(second));
            let found = lost.find(&name, secs(second));
            assert!(found.len() <= RECONNECTS_MAX);
            assert_eq!(found.last(), Some(&(second * 1000)));
        }
    }

    #[test]
    fn names_are_bounded() {
        let mut lost = LostPublishers::default();
        let name = |number: u64| StreamName::from(format!("live/{number}"));
        for number in 0..5000 {
            lost.lose(&name(number), secs(number));
            assert!(lost.0.len() <= NAMES_MAX);
        }
        assert!(lost.find(&name(10), secs(5000)).is_empty());
        assert_eq!(lost.find(&name(4999), secs(5000)), [5_000_000]);
        lost.lose(&name(9999), secs(10_000));
        assert_eq!(lost.0.len(), 1);
    }
}
