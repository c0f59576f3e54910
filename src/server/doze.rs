//! Publishers that nobody watches are read together, some times a second.
//!
//! A box with fifty cameras shows few of them at a time. What the others send is only kept until
//! its next keyframe, and nobody sees whether it was read at once; but to wake up for every frame
//! costs more than all that is done with it. So such a publisher dozes: its socket is not watched
//! for input, and all who doze are read every [`READ_EVERY`], in large pieces. Whoever wants the
//! live stream wakes its publisher, and what lies in the socket is read in the same turn.
//!
//! The kernel acknowledges what comes all the same, and the window that it offers grows with what
//! is taken at once.

use std::time::{Duration, Instant};

use mio::{Interest, Token};

use super::connection::{Closing, Connection};
use super::live_stream::{LiveStream, Source};
use super::worker::Worker;

/// How often those who doze are read. At 8 Mbit/s that is 50 KiB, which the first window of a
/// connection holds; what a publisher asks for is answered this much later, at worst, and who comes
/// from elsewhere right behind its goodbye finds the name taken as long.
const READ_EVERY: Duration = Duration::from_millis(50);

/// How long a publisher stays awake: at its start, and when it sends more than it may while it dozes.
const AWAKE: Duration = Duration::from_secs(1);

/// Bytes in one reading that may be all that the window held: the first one of a connection is
/// 64 KiB. A large keyframe does that too, but not in [`FULL_READINGS_MAX`] readings in a row.
const FULL_BYTES: u64 = 48 << 10;

/// After so many full readings in a row it wakes, since it may be held up. 150 ms of what it sends
/// lie with it then, and are made up for.
const FULL_READINGS_MAX: u8 = 3;

/// The connections of a worker that doze.
#[derive(Debug, Default)]
pub(super) struct Dozers {
    /// Each once, in no order.
    keys: Vec<usize>,
    /// `Some` while there are any.
    read_at: Option<Instant>,
}

impl Dozers {
    /// When they are to be read.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.read_at
    }

    fn add(&mut self, key: usize, now: Instant) {
        self.keys.push(key);
        self.read_at.get_or_insert(now + READ_EVERY);
    }

    /// Connection `key` dozes no more, if it did.
    pub(super) fn remove(&mut self, key: usize) {
        self.keys.retain(|other| *other != key);
        if self.keys.is_empty() {
            self.read_at = None;
        }
    }
}

impl Worker {
    /// Reads from all who doze, when it is time.
    pub(super) fn read_dozers(&mut self, now: Instant) {
        if self.dozers.read_at.is_none_or(|at| at > now) {
            return;
        }
        self.dozers.read_at = Some(now + READ_EVERY);
        for index in 0..self.dozers.keys.len() {
            self.read_soon(self.dozers.keys[index]);
        }
    }

    /// Somebody wants the live stream in this slot: its publisher, if it is here, is read in this
    /// turn, and wakes up.
    pub(super) fn rouse_publisher(&mut self, stream: usize) {
        if let Source::Here {
            publisher: Some(key),
            ..
        } = self.streams[stream].source
            && self.connections.get(key).is_some_and(|one| one.is_dozing)
        {
            self.read_soon(key);
        }
    }

    /// After connection `key` was served, and `bytes` read from it: lets it doze, or wakes it.
    pub(super) fn doze_or_wake(&mut self, key: usize, bytes: u64, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.is_dozing && bytes > 0 {
            connection.full_readings = match bytes {
                FULL_BYTES.. => connection.full_readings + 1,
                _ => 0,
            };
            if connection.can_read || connection.full_readings >= FULL_READINGS_MAX {
                connection.full_readings = 0;
                connection.awake_until = Some(now + AWAKE);
            }
        }
        let may_doze = may_doze(connection, now) && {
            let stream = connection.publisher.as_ref().map(|part| part.stream);
            stream.is_some_and(|stream| !is_wanted(&self.streams[stream]))
        };
        if may_doze == connection.is_dozing {
            return;
        }
        let interest = match may_doze {
            true => Interest::WRITABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        let registry = self.poll.registry();
        if let Err(error) = registry.reregister(&mut connection.socket, Token(key), interest) {
            // It stays as it is: awake, or read every now and then.
            log::debug!(
                "{}: cannot be watched in another way: {error}",
                connection.peer
            );
            return;
        }
        connection.is_dozing = may_doze;
        match may_doze {
            true => self.dozers.add(key, now),
            false => self.dozers.remove(key),
        }
    }

    /// A publish was accepted on connection `key`: it stays awake for a while.
    pub(super) fn keep_awake(&mut self, key: usize, now: Instant) {
        self.connections[key].awake_until = Some(now + AWAKE);
    }

    fn read_soon(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.can_read = true;
            self.queue(key);
        }
    }
}

/// Whether nothing about the connection itself keeps it awake. Who is recorded or traced does not
/// doze: the times told would be those of reading.
fn may_doze(connection: &Connection, now: Instant) -> bool {
    !connection.can_read
        && connection.awake_until.is_some_and(|until| until <= now)
        && connection.closing == Closing::No
        && connection.recorder.is_none()
        && connection.tracer.is_none()
}

/// Whether anybody, on this worker or another, is sent the live stream's frames.
fn is_wanted(live: &LiveStream) -> bool {
    live.has_audience() || live.has_fed_workers()
}

#[cfg(test)]
mod tests;
