//! Both sides of the handshake against any bytes.

use millstream::rtmp::handshake::{
    BLOCK_BYTES, ClientHandshake, DigestLayout, HandshakeError, HandshakeKind, Progress,
    ServerHandshake,
};

use super::pieces::pieces;

/// First byte: side and digest layout; second: where to cut.
pub fn handshake(data: &[u8]) {
    let [mode, cut, input @ ..] = data else {
        return;
    };
    let seed = u64::from(*mode);
    let whole = run(*mode, seed, std::iter::once(input));
    let split = run(*mode, seed, pieces(input, *cut));
    assert_eq!(whole, split, "depends on how the input is cut");

    // C0 + C1 and C2, or S0 + S1 + S2: nothing makes us send more.
    assert!(whole.output.len() <= 1 + 2 * BLOCK_BYTES);
    if whole.done.is_some() {
        assert_eq!(whole.consumed, 1 + 2 * BLOCK_BYTES);
        assert_eq!(whole.output.len(), 1 + 2 * BLOCK_BYTES);
    } else if whole.error.is_none() {
        assert_eq!(whole.consumed, input.len());
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    output: Vec<u8>,
    consumed: usize,
    done: Option<HandshakeKind>,
    error: Option<HandshakeError>,
}

enum Side {
    Server(ServerHandshake),
    Client(ClientHandshake),
}

impl Side {
    fn handle_input(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeError> {
        match self {
            Self::Server(side) => side.handle_input(input, out),
            Self::Client(side) => side.handle_input(input, out),
        }
    }
}

fn run<'a>(mode: u8, seed: u64, input: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut output = Vec::new();
    let mut side = match mode & 3 {
        0 => Side::Server(ServerHandshake::new(seed)),
        1 => Side::Client(ClientHandshake::start(None, seed, &mut output)),
        2 => Side::Client(ClientHandshake::start(
            Some(DigestLayout::At8),
            seed,
            &mut output,
        )),
        _ => Side::Client(ClientHandshake::start(
            Some(DigestLayout::At772),
            seed,
            &mut output,
        )),
    };
    let mut outcome = Outcome {
        output,
        consumed: 0,
        done: None,
        error: None,
    };
    for piece in input {
        match side.handle_input(piece, &mut outcome.output) {
            Ok(progress) => {
                assert!(progress.consumed <= piece.len());
                outcome.consumed += progress.consumed;
                outcome.done = progress.done;
            }
            Err(error) => {
                // How much was consumed before an error means nothing.
                outcome.consumed = 0;
                outcome.error = Some(error);
            }
        }
        if outcome.done.is_some() || outcome.error.is_some() {
            break;
        }
    }
    outcome
}
