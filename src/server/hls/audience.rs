//! Who watches a playlist. No connection says so, only requests that come again and again, over one
//! connection or a new one each time, or over several at once.
//!
//! Such an asker is an address and what the player calls itself, seen a short while ago. Of several that
//! share both, behind one router, those are told apart that wait for the next part at the same time,
//! as players of low latency nearly always do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Who has asked for a playlist watches it for this long: players ask once in a target duration, which
/// is a few seconds.
const RECENT: Duration = Duration::from_secs(15);

/// Viewers that are told apart. A thousand times that would be too many for one worker to serve.
const SUBSCRIBERS_MAX: usize = 4096;

/// Where a player is, and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) address: IpAddr,
    pub(super) software: Option<Box<str>>,
}

/// The viewers of one live stream.
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// When each was seen last; `len() <= SUBSCRIBERS_MAX`.
    seen: HashMap<Asker, Instant>,
}

impl Audience {
    /// Somebody asks for the playlist.
    pub(super) fn note(&mut self, asker: Asker, now: Instant) {
        if let Some(at) = self.seen.get_mut(&asker) {
            *at = now;
            return;
        }
        if self.seen.len() >= SUBSCRIBERS_MAX {
            self.seen.retain(|_, at| is_recent(*at, now));
        }
        if self.seen.len() < SUBSCRIBERS_MAX {
            self.seen.insert(asker, now);
        }
    }

    /// How many watch; `waiting` is one for each request that waits for the playlist.
    pub(super) fn count(&self, waiting: impl Iterator<Item = Asker>, now: Instant) -> u64 {
        let mut by_asker: HashMap<Asker, u64> = HashMap::new();
        for asker in waiting {
            *by_asker.entry(asker).or_default() += 1;
        }
        for (asker, _) in self.seen.iter().filter(|(_, at)| is_recent(**at, now)) {
            if !by_asker.contains_key(asker) {
                by_asker.insert(asker.clone(), 1);
            }
        }
        by_asker.values().sum()
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < RECENT
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn asker(last: u8, software: &str) -> Asker {
        Asker {
            address: IpAddr::from([192, 0, 2, last]),
            software: (!software.is_empty()).then(|| software.into()),
        }
    }

    #[test]
    fn who_asks_again_is_one_and_who_waits_beside_another_is_two() {
        let now = Instant::now();
        let mut audience = Audience::default();
        let count = |audience: &Audience, waiting: &[Asker], after: u64| {
            let now = now + Duration::from_secs(after);
            audience.count(waiting.iter().cloned(), now)
        };
        assert_eq!(count(&audience, &[], 0), 0);
        for _ in 0..3 {
            audience.note(asker(1, "Safari"), now);
        }
        assert_eq!(count(&audience, &[], 14), 1);
        assert_eq!(count(&audience, &[], 15), 0);
        audience.note(asker(1, "Firefox"), now);
        audience.note(asker(2, ""), now);
        assert_eq!(count(&audience, &[], 0), 3);
        let three = [asker(1, "Safari"), asker(1, "Safari"), asker(1, "Safari")];
        assert_eq!(count(&audience, &three[..1], 0), 3);
        assert_eq!(count(&audience, &three, 0), 5);
        assert_eq!(count(&audience, &three, 20), 3);
    }

    #[test]
    fn they_are_bounded() {
        let now = Instant::now();
        let mut audience = Audience::default();
        for index in 0..SUBSCRIBERS_MAX + 100 {
            audience.note(asker(1, &index.to_string()), now);
        }
        let later = now + RECENT;
        assert_eq!(audience.count(std::iter::empty(), now), 4096);
        audience.note(asker(2, ""), later);
        assert_eq!(audience.count(std::iter::empty(), later), 1);
        assert_eq!(audience.seen.len(), 1);
    }
}
