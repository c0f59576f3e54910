//! Who may connect, and which worker gets it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::config::ServerLimits;
use super::mail::WorkerId;

/// A limit that a new connection would break; `Display` completes "refused: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// [`ServerLimits::connections_max`]
    #[error("the server has its {0} connections (connections_max)")]
    Server(usize),
    /// [`ServerLimits::connections_per_address_max`]
    #[error("its address has its {0} connections (connections_per_address_max)")]
    Address(usize),
}

/// Counts of open connections; locked when one opens or closes.
#[derive(Debug)]
pub(super) struct Admission {
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    limits: ServerLimits,
    /// The sum of `by_worker`, and of `by_address`.
    total: usize,
    by_worker: Vec<usize>,
    by_address: HashMap<IpAddr, usize>,
}

impl Admission {
    /// `workers` is at least 1.
    pub(super) fn new(limits: ServerLimits, workers: usize) -> Self {
        Self {
            open: Mutex::new(Open {
                limits,
                total: 0,
                by_worker: vec![0; workers],
                by_address: HashMap::new(),
            }),
        }
    }

    /// Counts a new connection and places it on the worker with the fewest.
    pub(super) fn admit(&self, address: IpAddr) -> Result<WorkerId, Full> {
        let mut open = self.lock();
        if open.total >= open.limits.connections_max {
            return Err(Full::Server(open.total));
        }
        let of_address_max = open.limits.connections_per_address_max;
        let of_address = open.by_address.entry(address).or_insert(0);
        if *of_address >= of_address_max {
            return Err(Full::Address(*of_address));
        }
        *of_address += 1;
        open.total += 1;
        let least_loaded = open
            .by_worker
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, n)| **n);
        let (index, count) = least_loaded.expect("there is at least one worker");
        *count += 1;
        Ok(WorkerId(index))
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.lock().total
    }

    /// New bounds for the connections to come; nobody is closed.
    pub(super) fn set_limits(&self, limits: ServerLimits) {
        self.lock().limits = limits;
    }

    /// A connection that was admitted is gone.
    pub(super) fn release(&self, address: IpAddr, worker: WorkerId) {
        let mut open = self.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(count) = open.by_worker.get_mut(worker.0) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = open.by_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_address.remove(&address);
            }
        }
    }

    /// A connection that was admitted to worker `from` is served by `to` from now on.
    pub(super) fn relocate(&self, from: WorkerId, to: WorkerId) {
        let mut open = self.lock();
        if let Some(count) = open.by_worker.get_mut(from.0) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = open.by_worker.get_mut(to.0) {
            *count += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn admission() -> Admission {
        let limits = ServerLimits {
            connections_max: 3,
            connections_per_address_max: 2,
            ..ServerLimits::default()
        };
        Admission::new(limits, 2)
    }

    #[test]
    fn connections_go_to_the_least_loaded_worker() {
        let admission = admission();
        assert_eq!(admission.admit(A), Ok(WorkerId(0)));
        assert_eq!(admission.admit(B), Ok(WorkerId(1)));
        admission.release(B, WorkerId(1));
        assert_eq!(admission.admit(B), Ok(WorkerId(1)));
    }

    #[test]
    fn a_connection_counts_where_it_went() {
        let admission = admission();
        assert_eq!(admission.admit(A), Ok(WorkerId(0)));
        admission.relocate(WorkerId(0), WorkerId(1));
        assert_eq!(admission.admit(B), Ok(WorkerId(0)));
        admission.release(A, WorkerId(1));
        assert_eq!(admission.admit(A), Ok(WorkerId(1)));
        assert_eq!(admission.lock().total, 2);
    }

    #[test]
    fn limits_hold_and_are_freed_again() {
        let admission = admission();
        assert!(admission.admit(A).is_ok());
        assert!(admission.admit(A).is_ok());
        assert_eq!(admission.admit(A), Err(Full::Address(2)));
        assert!(admission.admit(B).is_ok());
        assert_eq!(admission.admit(B), Err(Full::Server(3)));
        admission.release(A, WorkerId(0));
        assert!(admission.admit(A).is_ok());
    }
}
