//! The client's side of the handshake.

use super::digest::{self, DIGEST_BYTES, Signer};
use super::simple::{self, BlockBuffer};
use super::{DigestLayout, Guess, HandshakeError, HandshakeKind, Progress, VERSION};
use crate::wire::Reader;

/// Our version in C1 when it carries a digest.
const C1_VERSION: [u8; 4] = [9, 0, 124, 2];

/// The client's side, from C0 to the last byte of S2.
///
/// ```text
/// send C0, C1 ─► S0 (1) ─► S1 (1536) ─► send C2 at once ─► S2 (1536) ─► done
/// ```
/// C2 goes out before S2 has come: there are servers that hold S2 back until they have C2.
#[derive(Debug)]
pub struct ClientHandshake {
    seed: u64,
    /// The digest of our C1.
    digest: Option<[u8; DIGEST_BYTES]>,
    state: State,
}

#[derive(Debug)]
enum State {
    Version,
    First(BlockBuffer),
    Second(BlockBuffer, HandshakeKind),
    Done,
}

impl ClientHandshake {
    /// Appends C0 and C1 to `out`: simple (`digest` is `None`) or with a digest.
    pub fn start(digest: Option<DigestLayout>, seed: u64, out: &mut Vec<u8>) -> Self {
        out.push(VERSION);
        let version = digest.map_or([0; 4], |_| C1_VERSION);
        let mut c1 = simple::first_block(version, seed);
        let digest = digest.map(|layout| digest::seal(&mut c1, layout, Signer::Client));
        out.extend_from_slice(&*c1);
        Self {
            seed,
            digest,
            state: State::Version,
        }
    }

    /// Reads handshake bytes from the front of `input` and appends answers to `out`.
    ///
    /// Consumes all of `input` until it is done; what is left then is chunks. The kind that is
    /// reported is what the server answered with: [`HandshakeKind::Simple`] too when we sent a
    /// digest and it did not answer in kind.
    ///
    /// # Errors
    /// [`HandshakeError::NotRtmp`] when the peer speaks something else.
    pub fn handle_input(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeError> {
        let mut reader = Reader::new(input);
        let mut done = None;
        while !reader.is_empty() && done.is_none() {
            match &mut self.state {
                State::Version => {
                    Guess::check(input)?;
                    reader = Reader::new(input.get(1..).unwrap_or_default());
                    self.state = State::First(BlockBuffer::new());
                }
                State::First(buffer) => {
                    let Some(s1) = buffer.take(&mut reader) else {
                        break;
                    };
                    let answered = self.digest.and_then(|_| digest::find(&s1, Signer::Server));
                    let kind = match answered {
                        Some((layout, s1_digest)) => {
                            let mut c2 = simple::filler(self.seed.wrapping_add(1));
                            digest::sign(&mut c2, &s1_digest, Signer::Client);
                            out.extend_from_slice(&*c2);
                            HandshakeKind::Digest(layout)
                        }
                        None => {
                            out.extend_from_slice(&*simple::echo(&s1));
                            HandshakeKind::Simple
                        }
                    };
                    self.state = State::Second(BlockBuffer::new(), kind);
                }
                State::Second(buffer, kind) => {
                    let Some(s2) = buffer.take(&mut reader) else {
                        break;
                    };
                    let is_signed = self
                        .digest
                        .is_some_and(|digest| digest::is_signed(&s2, &digest, Signer::Server));
                    done = Some(if is_signed {
                        *kind
                    } else {
                        HandshakeKind::Simple
                    });
                    self.state = State::Done;
                }
                State::Done => break,
            }
        }
        Ok(Progress {
            consumed: input.len() - reader.remaining(),
            done,
        })
    }
}
