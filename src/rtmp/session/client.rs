//! The client's end of a connection: publish or play.

use std::time::Instant;

use super::{ClientConfig, ClientEvent, SessionError};
use crate::rtmp::MediaKind;

/// How far a client session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientState {
    /// Handshake under way.
    Handshaking,
    /// Waiting for the reply to `connect`.
    Connecting,
    /// Waiting for the reply to `createStream`.
    CreatingStream,
    /// Waiting for the reply to `publish` or `play`.
    Starting,
    /// Media flows.
    Started,
    /// We said goodbye and wait for the server's word.
    Closing,
    /// Nothing more will come.
    Closed,
}

/// The client's end of a connection.
#[derive(Debug)]
pub struct ClientSession {}

impl ClientSession {
    /// A session with C0 and C1 ready to be sent. `seed` feeds the handshake's filler.
    pub fn new(_config: ClientConfig, _seed: u64, _now: Instant) -> Self {
        todo!()
    }

    /// Takes bytes from the peer, all of them.
    ///
    /// # Errors
    /// [`SessionError`]: close.
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
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
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

    /// How far it has come.
    pub fn state(&self) -> ClientState {
        todo!()
    }

    /// Publish: sends an FLV tag body. Ignored unless [`ClientState::Started`].
    pub fn send_media(&mut self, _kind: MediaKind, _timestamp: u32, _body: &[u8]) {
        todo!()
    }

    /// Publish: sends `@setDataFrame` and `body` (AMF0 "onMetaData" and a value).
    pub fn send_metadata(&mut self, _body: &[u8]) {
        todo!()
    }

    /// Publish: sends any other data message (AMF0 values).
    pub fn send_data(&mut self, _timestamp: u32, _body: &[u8]) {
        todo!()
    }

    /// Step 5: FCUnpublish and deleteStream (publish) or deleteStream (play). A publisher then
    /// waits for [`ClientEvent::CloseConfirmed`], at most a second of the caller's.
    pub fn close(&mut self, _now: Instant) {
        todo!()
    }
}
