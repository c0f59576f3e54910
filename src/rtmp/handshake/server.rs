//! The server's side of the handshake.
//!
//! ```text
//! AwaitC1 ── C0 + C1: S0 + S1 + S2 go out at once ──► AwaitC2 ── 1536 bytes, any ──► Done
//!    └── first byte is not 3: NotRtmp
//! ```

use super::digest::{self, Side};
use super::{BLOCK_BYTES, FirstBlock, HandshakeError, HandshakeKind, Progress, VERSION, simple};

/// The server's side, from the first byte to the last of the peer's second block.
///
/// Answers in the form that C1 has: with a digest at the same layout, or simple. What C2 says
/// is not looked at: ffmpeg as a publisher echoes where a signature belongs.
#[derive(Debug)]
pub struct ServerHandshake {
    seed: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// C0 and what has arrived of C1.
    AwaitC1(FirstBlock),
    /// `left` bytes of C2 have not arrived.
    AwaitC2 { left: usize, kind: HandshakeKind },
    /// Nothing more is read.
    Done,
}

impl ServerHandshake {
    /// A handshake whose filler bytes come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            state: State::AwaitC1(FirstBlock::default()),
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
        let mut rest = input;
        if let State::AwaitC1(received) = &mut self.state {
            let Some(c1) = received.take(&mut rest)? else {
                return Ok(Progress {
                    consumed: input.len(),
                    done: None,
                });
            };
            let kind = self.answer(&c1, out);
            self.state = State::AwaitC2 {
                left: BLOCK_BYTES,
                kind,
            };
        }
        let mut done = None;
        if let State::AwaitC2 { left, kind } = &mut self.state {
            let taken = rest.len().min(*left);
            (_, rest) = rest.split_at(taken);
            *left -= taken;
            if *left == 0 {
                done = Some(*kind);
                self.state = State::Done;
            }
        }
        Ok(Progress {
            consumed: input.len() - rest.len(),
            done,
        })
    }

    /// Appends S0, S1 and S2 for this C1.
    fn answer(&self, c1: &[u8; BLOCK_BYTES], out: &mut Vec<u8>) -> HandshakeKind {
        let mut filler = fastrand::Rng::with_seed(self.seed);
        let mut s1 = simple::first_block(&mut filler);
        let mut s2 = *c1;
        let kind = match digest::find(c1, Side::Client) {
            Some((layout, c1_digest)) => {
                digest::put_version(&mut s1, Side::Server);
                digest::put_digest(&mut s1, layout, Side::Server);
                filler.fill(&mut s2);
                digest::sign(&mut s2, Side::Server, &c1_digest);
                HandshakeKind::Digest(layout)
            }
            None => HandshakeKind::Simple,
        };
        out.reserve(1 + 2 * BLOCK_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&s1);
        out.extend_from_slice(&s2);
        kind
    }
}
