//! Which live streams exist, where each is published and which workers have subscribers for it.
//!
//! Control plane only: one lock, taken when somebody publishes, plays or leaves, never per frame.

mod lost;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::lost::LostPublishers;
use super::config::{PathConfig, Takeover};
use super::mail::{Epoch, StreamName, WorkerId};

/// A publisher's signs of life, written by its worker and read when somebody else wants the name.
/// Relaxed: a few milliseconds more or less do not matter.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Milliseconds since the server started.
    last_media_ms: AtomicU64,
    /// Highest dts on the live stream's timeline.
    last_dts: AtomicI64,
}

impl Pulse {
    pub(super) fn beat(&self, uptime: Duration, dts: i64) {
        self.last_media_ms
            .store(whole_ms(uptime), Ordering::Relaxed);
        self.last_dts.store(dts, Ordering::Relaxed);
    }

    fn silence(&self, uptime: Duration) -> Duration {
        let silent = whole_ms(uptime).saturating_sub(self.last_media_ms.load(Ordering::Relaxed));
        Duration::from_millis(silent)
    }
}

/// A span as the pulse counts it.
pub(super) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where a publisher comes from, to tell a camera that is back from somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) address: IpAddr,
    /// The query of its URL, which holds what it was given to prove itself: tokens, passwords.
    pub(super) query: Box<str>,
}

/// A publisher's right to a name.
#[derive(Debug)]
pub(super) struct Grant {
    /// Newer than every earlier publisher's of this name.
    pub(super) epoch: Epoch,
    /// To be kept beating.
    pub(super) pulse: Arc<Pulse>,
    /// The timeline of the live stream goes on behind this dts.
    pub(super) resume_after: Option<i64>,
    /// Workers with subscribers.
    pub(super) audience: Vec<WorkerId>,
    /// The worker where the name was published before.
    pub(super) previous_home: Option<WorkerId>,
    /// When the live stream began: since the server's start.
    pub(super) began: Duration,
    /// When publishers of this name came after one that was lost, in the last hour, this one too if
    /// it did: milliseconds since the server's start.
    pub(super) reconnects_ms: Vec<u64>,
}

/// The name is taken by a publisher at `address` that sent media `silence` ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) address: IpAddr,
    pub(super) silence: Duration,
}

#[derive(Debug)]
struct Registration {
    epoch: Epoch,
    home: Option<WorkerId>,
    /// Of a publisher that is connected.
    origin: Option<Origin>,
    pulse: Arc<Pulse>,
    audience: Vec<WorkerId>,
    began: Duration,
}

/// The table of live streams.
#[derive(Debug, Default)]
pub(super) struct Registry {
    registrations: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_name: HashMap<StreamName, Registration>,
    last_epoch: u64,
    lost: LostPublishers,
}

impl Registry {
    /// Gives the name to a publisher on `worker`, unless another one has it and may keep it by
    /// what `config` says of taking over.
    pub(super) fn publish(
        &self,
        name: &StreamName,
        worker: WorkerId,
        origin: Origin,
        config: &PathConfig,
        uptime: Duration,
    ) -> Result<Grant, Busy> {
        let mut table = self.lock();
        let mut is_takeover = false;
        if let Some(registration) = table.by_name.get(name)
            && let Some(previous) = &registration.origin
        {
            let silence = registration.pulse.silence(uptime);
            let may_take = match config.takeover {
                Takeover::Always => true,
                Takeover::SameSource => *previous == origin || silence >= config.takeover_silence,
                Takeover::Never => false,
            };
            if !may_take {
                let address = previous.address;
                return Err(Busy { address, silence });
            }
            is_takeover = true;
        }
        if is_takeover {
            table.lost.lose(name, uptime);
        }
        let reconnects_ms = table.lost.find(name, uptime);
        table.last_epoch += 1;
        let epoch = Epoch(table.last_epoch);
        let registration = table.entry(name);
        let previous_home = registration.home.replace(worker);
        if previous_home.is_none() {
            registration.began = uptime;
        }
        let resume_after =
            previous_home.map(|_| registration.pulse.last_dts.load(Ordering::Relaxed));
        registration.epoch = epoch;
        registration.origin = Some(origin);
        registration.pulse = Arc::default();
        registration.pulse.beat(uptime, resume_after.unwrap_or(0));
        Ok(Grant {
            epoch,
            pulse: Arc::clone(&registration.pulse),
            resume_after,
            audience: registration.audience.clone(),
            previous_home,
            began: registration.began,
            reconnects_ms,
        })
    }

    /// The publisher vanished; the name stays where it is until [`Self::end`].
    pub(super) fn vacate(&self, name: &StreamName, epoch: Epoch, uptime: Duration) {
        let mut table = self.lock();
        if let Some(registration) = table.current(name, epoch) {
            registration.origin = None;
            table.lost.lose(name, uptime);
        }
    }

    /// The live stream is over; the answer is the workers with subscribers, unless a newer
    /// publisher has the name.
    pub(super) fn end(&self, name: &StreamName, epoch: Epoch) -> Option<Vec<WorkerId>> {
        let mut table = self.lock();
        let registration = table.current(name, epoch)?;
        registration.home = None;
        registration.origin = None;
        let audience = registration.audience.clone();
        table.forget_if_idle(name);
        Some(audience)
    }

    /// The worker where the name is published.
    pub(super) fn home(&self, name: &StreamName) -> Option<WorkerId> {
        self.lock().by_name.get(name)?.home
    }

    /// `worker` has subscribers for the name; the answer is where it is published.
    pub(super) fn attend(&self, name: &StreamName, worker: WorkerId) -> Option<WorkerId> {
        let mut table = self.lock();
        let registration = table.entry(name);
        if !registration.audience.contains(&worker) {
            registration.audience.push(worker);
        }
        registration.home
    }

    /// `worker` has no subscribers for the name any more; the answer is where it is published.
    pub(super) fn leave(&self, name: &StreamName, worker: WorkerId) -> Option<WorkerId> {
        let mut table = self.lock();
        let registration = table.by_name.get_mut(name)?;
        registration.audience.retain(|other| *other != worker);
        let home = registration.home;
        table.forget_if_idle(name);
        home
    }

    /// A panic while the lock was held left the table as the last whole statement made it, which
    /// each of the methods above can go on from.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.registrations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn entry(&mut self, name: &StreamName) -> &mut Registration {
        self.by_name
            .entry(Arc::clone(name))
            .or_insert_with(|| Registration {
                epoch: Epoch::default(),
                home: None,
                origin: None,
                pulse: Arc::default(),
                audience: Vec::new(),
                began: Duration::ZERO,
            })
    }

    fn current(&mut self, name: &StreamName, epoch: Epoch) -> Option<&mut Registration> {
        self.by_name
            .get_mut(name)
            .filter(|registration| registration.epoch == epoch)
    }

    fn forget_if_idle(&mut self, name: &StreamName) {
        let is_idle = self.by_name.get(name).is_some_and(|registration| {
            registration.home.is_none() && registration.audience.is_empty()
        });
        if is_idle {
            self.by_name.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SILENCE: Duration = Duration::from_secs(1);
    const HERE: WorkerId = WorkerId(0);
    const THERE: WorkerId = WorkerId(1);

    fn config(takeover: Takeover) -> PathConfig {
        PathConfig {
            takeover,
            takeover_silence: SILENCE,
            ..PathConfig::default()
        }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn name() -> StreamName {
        "live/cam".into()
    }

    fn origin(host: u8, query: &str) -> Origin {
        Origin {
            address: IpAddr::from([192, 0, 2, host]),
            query: query.into(),
        }
    }

    #[test]
    fn who_may_take_the_name_of_a_connected_publisher() {
        use Takeover::{Always, Never, SameSource};
        let (old, same) = (origin(1, "key=a"), origin(1, "key=a"));
        let (elsewhere, otherwise) = (origin(2, "key=a"), origin(1, "key=b"));
        // Policy, newcomer, milliseconds since the old publisher's last media, may take.
        for (takeover, newcomer, silence_ms, may_take) in [
            (SameSource, &same, 0, true),
            (SameSource, &elsewhere, 999, false),
            (SameSource, &elsewhere, 1000, true),
            (SameSource, &otherwise, 999, false),
            (SameSource, &otherwise, 1000, true),
            (Always, &elsewhere, 0, true),
            (Never, &same, 0, false),
            (Never, &same, 60_000, false),
        ] {
            let (registry, config) = (Registry::default(), config(takeover));
            let first = registry
                .publish(&name(), HERE, old.clone(), &config, secs(10))
                .unwrap();
            first.pulse.beat(secs(12), 2000);
            let now = secs(12) + Duration::from_millis(silence_ms);
            let second = registry.publish(&name(), THERE, newcomer.clone(), &config, now);
            let what = format!("{takeover:?}, {newcomer:?}, {silence_ms} ms");
            match second {
                Ok(second) => {
                    assert!(may_take, "{what}");
                    assert_eq!(second.previous_home, Some(HERE));
                    assert_eq!(second.resume_after, Some(2000));
                    assert!(second.epoch > first.epoch);
                    // The old publisher's end is not the live stream's.
                    assert_eq!(registry.end(&name(), first.epoch), None);
                }
                Err(busy) => {
                    assert!(!may_take, "{what}");
                    assert_eq!(busy.silence, Duration::from_millis(silence_ms));
                    assert_eq!(busy.address, old.address);
                }
            }
        }
    }

    #[test]
    fn a_name_whose_publisher_vanished_is_free_at_once_and_its_timeline_goes_on() {
        let (registry, config) = (Registry::default(), config(Takeover::SameSource));
        let first = registry
            .publish(&name(), HERE, origin(1, ""), &config, secs(1))
            .unwrap();
        first.pulse.beat(secs(1), 70);
        registry.vacate(&name(), first.epoch, secs(1));
        let second = registry
            .publish(&name(), HERE, origin(1, ""), &config, secs(1))
            .unwrap();
        assert_eq!(second.resume_after, Some(70));
        assert!(first.reconnects_ms.is_empty());
        assert_eq!(second.reconnects_ms, [1000]);
        assert_eq!(second.began, first.began);
    }

    #[test]
    fn an_ended_stream_starts_anew() {
        let (registry, config) = (Registry::default(), config(Takeover::SameSource));
        let first = registry
            .publish(&name(), HERE, origin(1, ""), &config, secs(1))
            .unwrap();
        assert_eq!(registry.attend(&name(), THERE), Some(HERE));
        assert_eq!(registry.end(&name(), first.epoch), Some(vec![THERE]));
        let second = registry
            .publish(&name(), HERE, origin(1, ""), &config, secs(1))
            .unwrap();
        assert_eq!(second.resume_after, None);
        assert_eq!(second.audience, [THERE]);
    }

    #[test]
    fn nothing_is_kept_of_a_name_that_nobody_uses() {
        let (registry, config) = (Registry::default(), config(Takeover::SameSource));
        assert_eq!(registry.attend(&name(), HERE), None);
        assert_eq!(registry.attend(&name(), HERE), None);
        registry.leave(&name(), HERE);
        let grant = registry
            .publish(&name(), HERE, origin(1, ""), &config, secs(1))
            .unwrap();
        assert!(grant.audience.is_empty());
        registry.end(&name(), grant.epoch);
        assert!(registry.lock().by_name.is_empty());
    }
}
