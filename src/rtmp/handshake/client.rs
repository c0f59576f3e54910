//! The client's side of the handshake.
//!
//! ```text
//! start: C0 + C1 go out ──► AwaitS1 ── S0 + S1: C2 goes out at once ──► AwaitS2 ── S2 ──► Done
//!                              └── first byte is not 3: NotRtmp
//! ```
//! C2 does not wait for S2: some servers hold S2 back until they have C2.

use super::digest::{self, Digest, Side};
use super::{
    BLOCK_BYTES, DigestLayout, FirstBlock, HandshakeError, HandshakeKind, Progress, VERSION, simple,
};

/// The client's side, from the first byte to the last of the peer's second block.
///
/// A server that answers a digest with a simple S1 gets a simple C2. What S2 says never fails
/// the handshake; [`Self::is_answer_valid`] tells.
#[derive(Debug)]
pub struct ClientHandshake {
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitS1 {
        /// S0 and what has arrived of S1.
        s1: FirstBlock,
        sent: Box<Sent>,
    },
    AwaitS2 {
        /// What has arrived, less than `BLOCK_BYTES`.
        s2: Vec<u8>,
        kind: HandshakeKind,
        sent: Box<Sent>,
    },
    Done {
        is_answer_valid: bool,
    },
}

/// What S2 is compared with.
#[derive(Debug)]
struct Sent {
    c1: [u8; BLOCK_BYTES],
    digest: Option<Digest>,
    /// Goes on where C1 stopped.
    filler: fastrand::Rng,
}

impl ClientHandshake {
    /// Appends C0 and C1 to `out`: simple (`digest` is `None`) or with a digest.
    pub fn start(digest: Option<DigestLayout>, seed: u64, out: &mut Vec<u8>) -> Self {
        let mut filler = fastrand::Rng::with_seed(seed);
        let mut c1 = simple::first_block(&mut filler);
        let digest = digest.map(|layout| {
            digest::put_version(&mut c1, Side::Client);
            digest::put_digest(&mut c1, layout, Side::Client)
        });
        out.reserve(1 + BLOCK_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&c1);
        Self {
            state: State::AwaitS1 {
                s1: FirstBlock::default(),
                sent: Box::new(Sent { c1, digest, filler }),
            },
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
        let mut done = None;
        // At most two turns: one message of the server completes one state.
        loop {
            let state = std::mem::replace(
                &mut self.state,
                State::Done {
                    is_answer_valid: false,
                },
            );
            let (next, is_complete) = match state {
                State::AwaitS1 { mut s1, mut sent } => match s1.take(&mut rest)? {
                    Some(block) => {
                        let kind = sent.answer(&block, out);
                        let s2 = Vec::new();
                        (State::AwaitS2 { s2, kind, sent }, true)
                    }
                    None => (State::AwaitS1 { s1, sent }, false),
                },
                State::AwaitS2 { mut s2, kind, sent } => {
                    let missing = BLOCK_BYTES - s2.len();
                    let (taken, behind) = rest.split_at(missing.min(rest.len()));
                    s2.extend_from_slice(taken);
                    rest = behind;
                    match s2.as_slice().try_into() {
                        Ok(block) => {
                            done = Some(kind);
                            let is_answer_valid = sent.is_answered_by(block, kind);
                            (State::Done { is_answer_valid }, false)
                        }
                        Err(_) => (State::AwaitS2 { s2, kind, sent }, false),
                    }
                }
                done @ State::Done { .. } => (done, false),
            };
            self.state = next;
            if !is_complete {
                break;
            }
        }
        Ok(Progress {
            consumed: input.len() - rest.len(),
            done,
        })
    }

    /// Whether S2 was what the form of the handshake asks for: our C1 again, or a signature
    /// over its digest. `None` before the handshake is done. For the log only.
    pub fn is_answer_valid(&self) -> Option<bool> {
        match self.state {
            State::Done { is_answer_valid } => Some(is_answer_valid),
            _ => None,
        }
    }
}

impl Sent {
    /// Appends C2 for this S1.
    fn answer(&mut self, s1: &[u8; BLOCK_BYTES], out: &mut Vec<u8>) -> HandshakeKind {
        let found = self.digest.and_then(|_| digest::find(s1, Side::Server));
        let Some((layout, s1_digest)) = found else {
            out.extend_from_slice(s1);
            return HandshakeKind::Simple;
        };
        let mut c2 = [0; BLOCK_BYTES];
        self.filler.fill(&mut c2);
        digest::sign(&mut c2, Side::Client, &s1_digest);
        out.extend_from_slice(&c2);
        HandshakeKind::Digest(layout)
    }

    fn is_answered_by(&self, s2: &[u8; BLOCK_BYTES], kind: HandshakeKind) -> bool {
        match (kind, &self.digest) {
            (HandshakeKind::Digest(_), Some(digest)) => digest::is_signed(s2, Side::Server, digest),
            // Bytes 4..8 are the server's own time.
            _ => s2
                .iter()
                .zip(&self.c1)
                .enumerate()
                .all(|(at, (theirs, ours))| theirs == ours || (4..8).contains(&at)),
        }
    }
}
