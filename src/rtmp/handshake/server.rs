//! The server's side of the handshake.

use super::{HandshakeError, Progress};

/// The server's side, from the first byte to the last of the peer's second block.
#[derive(Debug)]
pub struct ServerHandshake {}

impl ServerHandshake {
    /// A handshake whose filler bytes come from `seed`.
    pub fn new(_seed: u64) -> Self {
        todo!()
    }

    /// Reads handshake bytes from the front of `input` and appends answers to `out`.
    ///
    /// Consumes all of `input` until it is done; what is left then is chunks.
    ///
    /// # Errors
    /// [`HandshakeError::NotRtmp`] when the peer speaks something else.
    pub fn handle_input(
        &mut self,
        _input: &[u8],
        _out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeError> {
        todo!()
    }
}
