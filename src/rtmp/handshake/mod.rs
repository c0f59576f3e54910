//! The handshake, both sides, simple and digest (RTMP 1.0 §5.2; the digest form is Adobe's
//! undocumented extension that Flash Player and others verify).

mod client;
mod digest;
mod server;
mod simple;
mod sniff;

pub use client::ClientHandshake;
pub use server::ServerHandshake;
pub use sniff::guess;

/// Bytes of C1, S1, C2 and S2.
pub const BLOCK_BYTES: usize = 1536;

/// C0 and S0: the version of plain RTMP, the only one spoken (RTMP 1.0 §5.2.2).
const VERSION: u8 = 3;

/// Which form of the handshake both sides use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeKind {
    /// Times and an echo of random bytes.
    Simple,
    /// HMAC-SHA256 digests, at the layout that C1 used.
    Digest(DigestLayout),
}

/// Where a digest block lies in C1 and S1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestLayout {
    /// The digest block comes first: its offset bytes are at 8.
    At8,
    /// The key block comes first: the digest's offset bytes are at 772.
    At772,
}

/// Which form C1 has, for whoever only looks on.
pub fn kind_of_c1(c1: &[u8; BLOCK_BYTES]) -> HandshakeKind {
    match digest::find(c1, digest::Side::Client) {
        Some((layout, _)) => HandshakeKind::Digest(layout),
        None => HandshakeKind::Simple,
    }
}

/// What a call of `handle_input` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that belonged to the handshake; the rest is chunks.
    pub consumed: usize,
    /// Set once, when the handshake is complete.
    pub done: Option<HandshakeKind>,
}

/// Why this is no RTMP handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The first byte is not version 3.
    #[error("not RTMP: {0}")]
    NotRtmp(Guess),
}

/// What the first bytes of a connection look like instead of RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Guess {
    /// `GET `, `POST`, `HTTP` and other methods.
    #[error("this is HTTP")]
    Http,
    /// `RTSP/`, a server's answer.
    #[error("this is RTSP")]
    Rtsp,
    /// A TLS record (0x16): RTMPS or HTTPS on a plain port.
    #[error("this is TLS (RTMPS or HTTPS)")]
    Tls,
    /// Versions 6, 8 and 9.
    #[error("this is encrypted RTMP (RTMPE)")]
    Rtmpe,
    /// PROXY protocol, version 1 or 2.
    #[error("this is a PROXY protocol header")]
    ProxyHeader,
    /// Any other text or byte.
    #[error("first byte is {0:#04x}, 0x03 was expected")]
    Unknown(u8),
}

/// Collects C0 + C1 or S0 + S1, in pieces of any size. Allocates as bytes arrive.
#[derive(Debug, Default)]
struct FirstBlock {
    /// `received.len() <= 1 + BLOCK_BYTES`.
    received: Vec<u8>,
}

impl FirstBlock {
    /// Takes what belongs here off the front of `input`; the block without its version byte
    /// once it is whole.
    ///
    /// # Errors
    /// [`HandshakeError::NotRtmp`] as soon as the first bytes show it.
    fn take(&mut self, input: &mut &[u8]) -> Result<Option<[u8; BLOCK_BYTES]>, HandshakeError> {
        let missing = 1 + BLOCK_BYTES - self.received.len();
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.received.extend_from_slice(taken);
        *input = rest;
        if let Some(guess) = guess(&self.received) {
            return Err(HandshakeError::NotRtmp(guess));
        }
        Ok(match self.received.split_first() {
            Some((&VERSION, block)) => block.try_into().ok(),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
