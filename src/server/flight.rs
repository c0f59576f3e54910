//! The flight recorder: what passes on each connection is kept for a while, and becomes a file
//! when the connection ends in an error.
//!
//! ```text
//! Connection ─ Recorder ─ Lane received, Lane sent     bounded each, and together by Memory
//!                 │ ended in an error
//!                 └────────► bounded channel ─► writer thread ─► DIR/flight-...pcapng
//! ```
//! Off unless `flight` is set: a connection then has no recorder, and nothing is copied. The
//! format of the files is [`crate::rtmp::flight`]'s.

mod lane;
mod memory;
mod writer;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, io, iter};

use crossbeam_channel::{Sender, TrySendError, bounded};

use self::lane::Lane;
use self::memory::Memory;
use self::writer::Writer;
use super::metrics::Metrics;
use crate::rtmp::flight::{Direction, Facts, Piece, encode};
use crate::rtmp::session::ServerSession;

/// Recordings that wait to be written. Their memory counts as that of connections does, so this
/// bounds only how long a slow disk is waited for.
const WAITING_MAX: usize = 256;

/// Where recordings go and how much of them there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlightConfig {
    /// The folder of the files; `None`: nothing is recorded.
    pub folder: Option<String>,
    /// Memory of all recorders together, bytes.
    pub bytes_max: usize,
    /// Files kept in the folder; the oldest go first.
    pub files_max: usize,
    /// Bytes of all of them together.
    pub folder_bytes_max: usize,
}

impl Default for FlightConfig {
    fn default() -> Self {
        Self {
            folder: None,
            // Two lanes of 256 KiB for 128 connections, or 256 publishers.
            bytes_max: 64 << 20,
            files_max: 200,
            folder_bytes_max: 64 << 20,
        }
    }
}

/// What all workers share: the memory, and the way to the writer.
#[derive(Debug)]
pub(super) struct Flights {
    memory: Arc<Memory>,
    sender: Sender<Job>,
}

/// What the writer is told.
#[derive(Debug)]
enum Job {
    Write(Box<Recorder>),
    Stop,
}

/// The thread that writes files.
#[derive(Debug)]
pub(super) struct FlightThread {
    sender: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Flights {
    /// Makes the folder if need be and starts the writer; `None` when nothing is to be recorded.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub(super) fn start(config: &FlightConfig) -> io::Result<Option<(Self, FlightThread)>> {
        let Some(folder) = &config.folder else {
            return Ok(None);
        };
        let writer = Writer::new(Path::new(folder), config)?;
        let (sender, jobs) = bounded(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("flights".to_owned())
            .spawn(move || writer.run(&jobs))?;
        let flights = Self {
            memory: Arc::new(Memory::new(config.bytes_max)),
            sender: sender.clone(),
        };
        Ok(Some((flights, FlightThread { sender, thread })))
    }

    /// A recorder for a new connection.
    pub(super) fn recorder(
        &self,
        peer: SocketAddr,
        listener: io::Result<SocketAddr>,
        now: Instant,
    ) -> Box<Recorder> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        Box::new(Recorder {
            peer,
            listener: listener.unwrap_or(unknown),
            began: SystemTime::now(),
            start: now,
            received: Lane::new(Arc::clone(&self.memory)),
            sent: Lane::new(Arc::clone(&self.memory)),
            pieces: 0,
            stream: None,
            is_served: false,
            end: None,
        })
    }

    /// Takes the recorder of a connection that is closed; it is written if there was an error.
    pub(super) fn finish(&self, recorder: Box<Recorder>, metrics: &Metrics) {
        if recorder.end.is_none() {
            return;
        }
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.sender.try_send(Job::Write(recorder))
        {
            metrics.flights_lost.add(1);
            if let Job::Write(recorder) = job {
                log::debug!("{}: its recording was not written: too many", recorder.peer);
            }
        }
    }
}

impl FlightThread {
    /// Waits until everything is written.
    pub(super) fn stop(self) {
        if self.sender.send(Job::Stop).is_err() || self.thread.join().is_err() {
            log::error!("the thread that writes recordings had stopped");
        }
    }
}

/// The recorder of one connection.
pub(super) struct Recorder {
    peer: SocketAddr,
    listener: SocketAddr,
    began: SystemTime,
    start: Instant,
    received: Lane,
    sent: Lane,
    /// Pieces so far, in both directions: their order.
    pieces: u32,
    /// What was asked for.
    stream: Option<Arc<str>>,
    /// A publish or play was accepted.
    is_served: bool,
    end: Option<(Duration, String)>,
}

impl Recorder {
    /// Keeps what the peer sent to `session`, which has not been given it yet.
    pub(super) fn received(&mut self, now: Instant, bytes: &[u8], session: &ServerSession) {
        let at = self.at(now);
        self.pieces = self.pieces.saturating_add(1);
        let place = || session.chunk_place();
        self.received.push_read(self.pieces, at, bytes, place);
    }

    /// Keeps what the socket took: the first `count` bytes of `slices`.
    pub(super) fn sent<'a>(
        &mut self,
        now: Instant,
        slices: impl IntoIterator<Item = &'a [u8]>,
        count: usize,
    ) {
        let at = self.at(now);
        self.pieces = self.pieces.saturating_add(1);
        let mut left = count;
        for slice in slices {
            let bytes = slice.get(..left).unwrap_or(slice);
            self.sent.push(self.pieces, at, bytes);
            left -= bytes.len();
            if left == 0 {
                return;
            }
        }
    }

    /// A publish or play of this live stream was asked for.
    pub(super) fn requested(&mut self, stream: &Arc<str>) {
        self.stream = Some(Arc::clone(stream));
    }

    /// It was accepted.
    pub(super) fn served(&mut self) {
        self.is_served = true;
    }

    /// Whether the peer has sent something, and nothing came of it.
    pub(super) fn was_for_nothing(&self) -> bool {
        self.received.total() > 0 && !self.is_served
    }

    /// The connection ends in an error: `line` is what the log says. The first one counts.
    pub(super) fn fail(&mut self, now: Instant, line: impl fmt::Display) {
        if self.end.is_none() {
            self.end = Some((now.saturating_duration_since(self.start), line.to_string()));
        }
    }

    /// The file of it.
    fn into_file(mut self) -> (Facts, Vec<u8>) {
        let began = self.began.duration_since(SystemTime::UNIX_EPOCH);
        let (lasted, end) = self.end.take().unwrap_or_default();
        let facts = Facts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            peer: self.peer,
            listener: self.listener,
            began: whole_micros(began.unwrap_or_default()),
            stream: self.stream.as_deref().map(str::to_owned),
            received: self.received.extent(),
            sent: self.sent.extent(),
            resume: self.received.resume(),
            lasted: whole_micros(lasted),
            end,
        };
        let mut received = self.received.pieces().peekable();
        let mut sent = self.sent.pieces().peekable();
        let in_order = iter::from_fn(|| {
            let is_received = match (received.peek(), sent.peek()) {
                (Some((one, ..)), Some((other, ..))) => one <= other,
                (one, _) => one.is_some(),
            };
            let (direction, lane) = match is_received {
                true => (Direction::Received, &mut received),
                false => (Direction::Sent, &mut sent),
            };
            lane.next().map(|(_, at, bytes)| Piece {
                direction,
                at,
                bytes,
            })
        });
        let file = encode(&facts, in_order);
        (facts, file)
    }

    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }
}

/// Without the bytes, which may be secret.
impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("peer", &self.peer)
            .field("received", &self.received.total())
            .field("sent", &self.sent.total())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

fn whole_micros(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
