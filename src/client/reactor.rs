//! The poll that a client sleeps in, and the ways to wake it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};

/// The token of the waker; the connection has [`CONNECTION`].
const WAKER: Token = Token(0);

/// The token of the one connection that is watched at a time.
pub(super) const CONNECTION: Token = Token(1);

/// A poll for one connection at a time, for the life of the process: it outlives reconnects.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    stopper: Stopper,
}

/// Ends a client from another thread, a signal handler's say.
#[derive(Debug, Clone)]
pub struct Stopper {
    waker: Arc<Waker>,
    is_stopped: Arc<AtomicBool>,
}

impl Stopper {
    /// The client closes its stream properly and returns.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether [`Self::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// Wakes the client: there is something new for it.
    pub fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the client: {error}");
        }
    }
}

/// What a sleep ended with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
}

impl Reactor {
    /// A poll and its waker.
    ///
    /// # Errors
    /// Of the system calls.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(16),
            stopper: Stopper {
                waker,
                is_stopped: Arc::default(),
            },
        })
    }

    /// To stop or wake it from another thread.
    pub fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    pub(super) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Sleeps between two connections; false when we were stopped meanwhile.
    pub(super) fn rest(&mut self, wait: Duration) -> io::Result<bool> {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.stopper.is_stopped() {
            self.sleep(Some(until))?;
        }
        Ok(!self.stopper.is_stopped())
    }

    /// Sleeps until the connection is ready for something, somebody wakes us, or `until`.
    pub(super) fn sleep(&mut self, until: Option<Instant>) -> io::Result<Readiness> {
        let patience = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            // The poll's clock ticks in milliseconds: rounding up keeps it from spinning.
            if left.is_zero() {
                left
            } else {
                left.max(Duration::from_millis(1))
            }
        });
        let mut readiness = Readiness::default();
        match self.poll.poll(&mut self.events, patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(readiness),
            outcome => outcome?,
        }
        for event in self
            .events
            .iter()
            .filter(|event| event.token() == CONNECTION)
        {
            readiness.is_readable |=
                event.is_readable() || event.is_read_closed() || event.is_error();
            readiness.is_writable |= event.is_writable() || event.is_error();
        }
        Ok(readiness)
    }
}
