//! Counters of the server. Relaxed atomics: each is exact, together they are no snapshot.

use std::sync::atomic::{AtomicU64, Ordering};

use super::notes::NoteCounters;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened since the server started.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections accepted.
    pub connections: Counter,
    /// Connections refused at a limit.
    pub connections_refused: Counter,
    /// Connections closed because the peer broke the protocol or a limit, or timed out.
    pub peer_errors: Counter,
    /// Panics caught while a connection was served: our faults.
    pub panics: Counter,
    /// Recordings of connections that ended in an error and were not written: too many at once.
    pub flights_lost: Counter,
    /// Rules that peers broke without being closed for it.
    pub notes: NoteCounters,
    /// Accepted `publish` requests.
    pub publishes: Counter,
    /// Accepted `play` requests.
    pub plays: Counter,
    /// Messages of publishers taken into a log.
    pub frames: Counter,
    /// Bytes received.
    pub bytes_received: Counter,
    /// Bytes sent.
    pub bytes_sent: Counter,
    /// Subscribers that fell behind the log and jumped forward.
    pub laps: Counter,
    /// Frames that were not passed to another worker in time, and so skipped there.
    pub feed_overflows: Counter,
}
