//! `trace`: the conversations of connections that match a pattern, told in the log line by line,
//! with a verdict at their end.
//!
//! A pattern is held against the name of the live stream (`app/key`) and against the peer's
//! address. The name is not known before `publish` or `play`, so with any pattern set every
//! connection is listened to until it has named its first stream: then what was held back is told,
//! with its times, or thrown away. Whoever never names one is told of only by its address (or `*`).
//! Without patterns a connection has no tracer, and nothing is done.
//!
//! The tracer sees what a peer sends, and our replies as they are made. Media that many share are
//! not shown to it: their bytes are counted.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use super::path_pattern::PathPattern;
use crate::rtmp::chunk::ChunkLimits;
use crate::story::{Ending, Narrator, Role, Side};

/// Where it is told.
const TARGET: &str = "millstream::trace";

/// The tracer of one connection.
#[derive(Debug)]
pub(super) struct Tracer {
    peer: SocketAddr,
    start: Instant,
    narrator: Narrator,
    /// A pattern matches; until then lines are held in the narrator, which bounds them.
    is_told: bool,
    /// What the log said about the end.
    why: Option<String>,
    /// Bytes of our replies.
    replied: u64,
    /// Bytes that the socket took.
    taken: u64,
    /// Bytes that the narrator was told of and not shown.
    hidden: u64,
}

impl Tracer {
    /// For a new connection; `None` when nothing is traced.
    pub(super) fn start(
        patterns: &[PathPattern],
        peer: SocketAddr,
        limits: ChunkLimits,
        now: Instant,
    ) -> Option<Box<Self>> {
        if patterns.is_empty() {
            return None;
        }
        let address = peer.ip().to_canonical().to_string();
        Some(Box::new(Self {
            peer,
            start: now,
            narrator: Narrator::new(Role::Server, limits),
            is_told: patterns.iter().any(|pattern| pattern.matches(&address)),
            why: None,
            replied: 0,
            taken: 0,
            hidden: 0,
        }))
    }

    /// The peer has named a live stream. False: nothing is to be told of it.
    pub(super) fn on_name(&mut self, patterns: &[PathPattern], name: &str) -> bool {
        self.is_told |= patterns.iter().any(|pattern| pattern.matches(name));
        self.tell();
        self.is_told
    }

    /// Bytes of the peer.
    pub(super) fn received(&mut self, now: Instant, bytes: &[u8]) {
        let at = now.saturating_duration_since(self.start);
        self.narrator.handle_bytes(at, Side::Peer, bytes);
        self.tell();
    }

    /// Bytes of a reply, when it is made.
    pub(super) fn replied(&mut self, bytes: &[u8]) {
        self.replied = self.replied.saturating_add(bytes.len() as u64);
        let at = self.start.elapsed();
        self.narrator.handle_bytes(at, Side::We, bytes);
        self.tell();
    }

    /// The socket took this many bytes, of replies or of media.
    pub(super) fn took(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count as u64);
        // Replies go out in the order in which they were made, but later: as long as some wait,
        // media seem to be fewer than they are.
        let hidden = self.taken.saturating_sub(self.replied);
        if hidden > self.hidden {
            let at = self.start.elapsed();
            let more = hidden - self.hidden;
            self.narrator.handle_hidden(at, Side::We, more);
            self.hidden = hidden;
            self.tell();
        }
    }

    /// What the log says about the end of it; the first line counts.
    pub(super) fn fail(&mut self, line: impl fmt::Display) {
        if self.why.is_none() {
            self.why = Some(line.to_string());
        }
    }

    /// The connection is gone; `is_ours`: we were about to close it.
    pub(super) fn finish(mut self: Box<Self>, now: Instant, is_ours: bool) {
        let told = self.why.as_deref().and_then(Ending::of_log_line);
        let ending = told.unwrap_or_else(|| match is_ours {
            // A refusal, which was told when it was sent.
            true => Ending::WeClosed(String::new()),
            false => Ending::PeerClosed,
        });
        let at = now.saturating_duration_since(self.start);
        self.narrator.handle_end(at, ending);
        self.tell();
        if self.is_told {
            let verdict = self.narrator.verdict();
            log::info!(target: TARGET, "{}: verdict: {verdict}", self.peer);
        }
    }

    fn tell(&mut self) {
        if !self.is_told {
            return;
        }
        while let Some(line) = self.narrator.poll_line() {
            log::info!(target: TARGET, "{}: {line}", self.peer);
        }
    }
}
