//! The client's side of the handshake.

use super::{DigestLayout, HandshakeError, Progress};

/// The client's side, from the first byte to the last of the peer's second block.
#[derive(Debug)]
pub struct ClientHandshake {}

impl ClientHandshake {
    /// Appends C0 and C1 to `out`: simple (`digest` is `None`) or with a digest.
    pub fn start(_digest: Option<DigestLayout>, _seed: u64, _out: &mut Vec<u8>) -> Self {
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
