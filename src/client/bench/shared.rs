//! What the threads of a load test share: settings, the phase, and how many there are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::answer::AnswerReader;
use super::peer::Link;
use super::source::HttpSource;
use super::stream::TestStream;
use super::{BenchOptions, Target};
use crate::rtmp::session::{ClientConfig, ClientRole, ClientSession};

/// How far a test has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Publishers connect.
    Publish,
    /// Subscribers connect, and some time after that.
    Join,
    /// What is sent within [`Window`] counts.
    Measure,
    /// Goodbye.
    Stop,
}

/// What the threads of a test share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Where is published, and played unless `http` says where else.
    pub(super) target: Target,
    /// Of `target`; `None` if nobody needs it.
    pub(super) rtmp: Option<SocketAddr>,
    pub(super) http: Option<(HttpSource, SocketAddr)>,
    pub(super) options: BenchOptions,
    pub(super) stream: TestStream,
    /// Zero of all stamps.
    pub(super) began: Instant,
    pub(super) phase: AtomicU8,
    pub(super) counts: Counts,
    pub(super) window: Window,
}

/// How many, at present.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) publishing: AtomicU64,
    pub(super) playing: AtomicU64,
    pub(super) failed_publishers: AtomicU64,
    pub(super) failed_subscribers: AtomicU64,
    /// Bytes that subscribers received.
    pub(super) received: AtomicU64,
    /// Bytes of the frames that publishers sent.
    pub(super) published: AtomicU64,
    /// Threads that know which of their subscribers are counted.
    pub(super) ready: AtomicUsize,
    /// Subscribers that are counted and still connected.
    pub(super) counted: AtomicU64,
    /// Those of them that have received frames from after the measured time.
    pub(super) complete: AtomicU64,
}

/// The measured time, in nanoseconds since the test began. A frame belongs to it if it was sent in
/// it, whenever it arrives: what a server still owes at the end is not forgotten.
#[derive(Debug)]
pub(super) struct Window {
    from_ns: AtomicU64,
    until_ns: AtomicU64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            from_ns: AtomicU64::new(u64::MAX),
            until_ns: AtomicU64::new(u64::MAX),
        }
    }

    /// Both are to be called with a time a little ahead: nobody has looked at the window then for a
    /// frame that is sent after it.
    pub(super) fn open(&self, from_ns: u64) {
        self.from_ns.store(from_ns, Ordering::Release);
    }

    pub(super) fn close(&self, until_ns: u64) {
        self.until_ns.store(until_ns, Ordering::Release);
    }

    pub(super) fn contains(&self, ns: u64) -> bool {
        ns >= self.from_ns.load(Ordering::Acquire) && !self.is_before(ns)
    }

    /// Whether the measured time is over at that time.
    pub(super) fn is_before(&self, ns: u64) -> bool {
        ns >= self.until_ns.load(Ordering::Acquire)
    }
}

impl Shared {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Publish,
            1 => Phase::Join,
            2 => Phase::Measure,
            _ => Phase::Stop,
        }
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Nanoseconds since the test began.
    pub(super) fn elapsed_ns(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.began);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The key of a stream: as the URL has it, numbered when there are several.
    fn stream_name(&self, number: usize) -> String {
        let name = self.target.stream_name();
        if self.options.publishers <= 1 {
            return name.to_owned();
        }
        match name.split_once('?') {
            Some((name, query)) => format!("{name}-{number}?{query}"),
            None => format!("{name}-{number}"),
        }
    }

    /// Where somebody in this role connects.
    pub(super) fn address(&self, role: ClientRole) -> Option<SocketAddr> {
        match (&self.http, role) {
            (Some((_, address)), ClientRole::Play) => Some(*address),
            _ => self.rtmp,
        }
    }

    /// What speaks on a connection for stream `number`, and what it says at once.
    pub(super) fn link(&self, role: ClientRole, number: usize, now: Instant) -> (Link, Vec<u8>) {
        if let (Some((source, _)), ClientRole::Play) = (&self.http, role) {
            let reader = AnswerReader::new(source.container());
            let request = source.request(&self.stream_name(number));
            return (Link::Http(Box::new(reader)), request);
        }
        let session = self.session(role, number, now);
        (Link::Rtmp(Box::new(session)), Vec::new())
    }

    fn session(&self, role: ClientRole, number: usize, now: Instant) -> ClientSession {
        let config = ClientConfig {
            stream_name: self.stream_name(number),
            ..self.target.config(role)
        };
        ClientSession::new(config, fastrand::u64(..), now)
    }
}
