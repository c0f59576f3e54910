//! What the threads of a load test share: settings, the phase, and how many there are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

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
    /// What comes counts.
    Measure,
    /// Goodbye.
    Stop,
}

/// What the threads of a test share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) target: Target,
    pub(super) address: SocketAddr,
    pub(super) options: BenchOptions,
    pub(super) stream: TestStream,
    /// Zero of all stamps.
    pub(super) began: Instant,
    pub(super) phase: AtomicU8,
    pub(super) counts: Counts,
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

    /// A session for stream `number`.
    pub(super) fn session(&self, role: ClientRole, number: usize, now: Instant) -> ClientSession {
        let config = ClientConfig {
            stream_name: self.stream_name(number),
            ..self.target.config(role)
        };
        ClientSession::new(config, fastrand::u64(..), now)
    }
}
