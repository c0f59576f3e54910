//! The order to stop, and the one to take nobody new.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mio::Waker;

/// Stops a server from another thread.
#[derive(Debug, Clone)]
pub struct StopHandle {
    /// Of the listening thread.
    waker: Arc<Waker>,
    is_stopping: Arc<AtomicBool>,
    drain_until: Arc<OnceLock<Instant>>,
}

impl StopHandle {
    /// Orders whoever is woken by this.
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self {
            waker,
            is_stopping: Arc::default(),
            drain_until: Arc::default(),
        }
    }

    /// Tells the server to say goodbye to everybody; [`Server::wait`](super::Server::wait) returns
    /// when it has.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake();
    }

    /// Tells the server to take nobody new, and to stop when everybody has left, after `deadline`
    /// at the latest. False if it does so already.
    pub fn drain(&self, deadline: Duration) -> bool {
        // A deadline beyond what the clock can tell is none that anybody will see.
        let until = Instant::now();
        let until = until.checked_add(deadline).unwrap_or(until);
        let is_first = self.drain_until.set(until).is_ok() && !self.is_stopping();
        self.wake();
        is_first
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Until when those that are left may stay, if nobody new is taken.
    pub(super) fn drain_until(&self) -> Option<Instant> {
        self.drain_until.get().copied()
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the listener: {error}");
        }
    }
}
