//! The server's side of the handshake.

use super::digest::{self, Block, Signer};
use super::simple::{self, BlockBuffer};
use super::{Guess, HandshakeError, HandshakeKind, Progress, VERSION};
use crate::wire::Reader;

/// Our version in S1 when it carries a digest: 3 or more in the first byte tells ffmpeg to verify.
const S1_VERSION: [u8; 4] = [4, 5, 0, 1];

/// The server's side, from the first byte to the last of C2.
///
/// ```text
/// C0 (1) ─► C1 (1536) ─► send S0, S1, S2 ─► C2 (1536, any content) ─► done
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    seed: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Version,
    First(BlockBuffer),
    Second(BlockBuffer, HandshakeKind),
    Done,
}

impl ServerHandshake {
    /// A handshake whose filler bytes come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            state: State::Version,
        }
    }

    /// Reads handshake bytes from the front of `input` and appends answers to `out`.
    ///
    /// Consumes all of `input` until it is done; what is left then is chunks.
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
                    if let Some(c1) = buffer.take(&mut reader) {
                        let kind = answer(&c1, self.seed, out);
                        self.state = State::Second(BlockBuffer::new(), kind);
                    }
                }
                State::Second(buffer, kind) => {
                    // Publishers of ffmpeg echo S1 even after a digest: nothing is verified.
                    if buffer.take(&mut reader).is_some() {
                        done = Some(*kind);
                        self.state = State::Done;
                    }
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

/// S0, S1 and S2 in one piece: clients wait for all of them.
fn answer(c1: &Block, seed: u64, out: &mut Vec<u8>) -> HandshakeKind {
    out.push(VERSION);
    match digest::find(c1, Signer::Client) {
        Some((layout, c1_digest)) => {
            let mut s1 = simple::first_block(S1_VERSION, seed);
            digest::seal(&mut s1, layout, Signer::Server);
            let mut s2 = simple::filler(seed.wrapping_add(1));
            digest::sign(&mut s2, &c1_digest, Signer::Server);
            out.extend_from_slice(&*s1);
            out.extend_from_slice(&*s2);
            HandshakeKind::Digest(layout)
        }
        None => {
            // Zeros for the version: without a digest, 3 or more there makes ffmpeg's player fail.
            out.extend_from_slice(&*simple::first_block([0; 4], seed));
            out.extend_from_slice(&*simple::echo(c1));
            HandshakeKind::Simple
        }
    }
}
