//! The server's end of a connection.

use std::time::Instant;

use super::{Refusal, ServerConfig, ServerEvent, SessionError};
use crate::rtmp::chunk::MessageStreamId;

/// The server's end of a connection.
#[derive(Debug)]
pub struct ServerSession {}

impl ServerSession {
    /// A session that waits for C0. `seed` feeds the handshake's filler.
    pub fn new(_config: ServerConfig, _seed: u64, _now: Instant) -> Self {
        todo!()
    }

    /// Takes bytes from the peer, all of them.
    ///
    /// # Errors
    /// [`SessionError`]: send the pending output and close.
    pub fn handle_input(&mut self, _now: Instant, _input: &[u8]) -> Result<(), SessionError> {
        todo!()
    }

    /// To be called when [`Self::poll_timeout`] has passed (earlier is harmless).
    ///
    /// # Errors
    /// [`SessionError::Timeout`].
    pub fn handle_timeout(&mut self, _now: Instant) -> Result<(), SessionError> {
        todo!()
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        todo!()
    }

    /// All bytes that wait to be sent, in order.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        todo!()
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }

    /// Answers `connect`: window, bandwidth and chunk size, then the result.
    pub fn accept_connect(&mut self) {
        todo!()
    }

    /// Answers `connect` with an error; the caller sends the output and closes.
    pub fn reject_connect(&mut self, _refusal: &Refusal) {
        todo!()
    }

    /// Answers `publish` with NetStream.Publish.Start.
    pub fn accept_publish(&mut self, _now: Instant, _msid: MessageStreamId) {
        todo!()
    }

    /// Answers `publish` with an error status; the caller sends the output and closes.
    pub fn reject_publish(&mut self, _msid: MessageStreamId, _refusal: &Refusal) {
        todo!()
    }

    /// Answers `play`: StreamBegin, Play.Reset, Play.Start, sample access, Data.Start. Media may
    /// follow; the caller encodes it (csids 4, 5 and 6 are its own).
    pub fn accept_play(&mut self, _now: Instant, _msid: MessageStreamId) {
        todo!()
    }

    /// Answers `play` with an error status; the caller sends the output and closes.
    pub fn reject_play(&mut self, _msid: MessageStreamId, _refusal: &Refusal) {
        todo!()
    }

    /// Tells a subscriber that its live stream ended: StreamEOF, UnpublishNotify, Play.Stop.
    pub fn end_play(&mut self, _msid: MessageStreamId) {
        todo!()
    }

    /// Ends a publisher from our side (takeover, shutdown) with an error or status code.
    pub fn end_publish(&mut self, _msid: MessageStreamId, _refusal: &Refusal) {
        todo!()
    }
}
