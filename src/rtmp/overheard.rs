//! One direction of a conversation between others: the handshake is stepped over, the rest is
//! messages. For whoever looks on and takes no part.

use super::chunk::{ChunkDecoder, ChunkError, ChunkLimits, Message};
use super::handshake::{BLOCK_BYTES, Guess, guess};
use super::message::control::Control;

/// What comes next in a direction.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The first block (C0 and C1, or S0 and S1), without its version byte.
    FirstBlock(Box<[u8; BLOCK_BYTES]>),
    /// The second block (C2 or S2).
    SecondBlock,
    /// This is not RTMP; nothing more is read.
    Foreign(Guess),
    /// A message.
    Message(Message),
    /// Nothing more can be read.
    Broken(ChunkError),
}

/// A direction.
#[derive(Debug)]
pub(crate) struct Lane {
    state: State,
    /// All bytes so far.
    bytes: u64,
    limits: ChunkLimits,
}

#[derive(Debug)]
enum State {
    /// The version byte and what has come of the first block: at most 1 + [`BLOCK_BYTES`].
    First(Vec<u8>),
    /// This many bytes of the second block are still to come.
    Second(usize),
    Chunks(Box<ChunkDecoder>),
    Lost,
}

impl Lane {
    /// What is beyond the limits cannot be read.
    pub(crate) fn new(limits: ChunkLimits) -> Self {
        Self {
            state: State::First(Vec::new()),
            bytes: 0,
            limits,
        }
    }

    /// Bytes so far, also those that could not be read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that were not shown.
    pub(crate) fn add_bytes(&mut self, count: u64) {
        self.bytes = self.bytes.saturating_add(count);
    }

    /// From here on nothing can be read.
    pub(crate) fn lose(&mut self) {
        self.state = State::Lost;
    }

    /// Reads from the front of `input`, up to the next thing to be told; `None` when all of it was
    /// read. What comes does not depend on how the bytes are cut.
    pub(crate) fn hear(&mut self, input: &mut &[u8]) -> Option<Heard> {
        match &mut self.state {
            State::First(received) => {
                let missing = (1 + BLOCK_BYTES).saturating_sub(received.len());
                received.extend_from_slice(take(input, missing));
                if let Some(guess) = guess(received) {
                    self.state = State::Lost;
                    *input = &[];
                    return Some(Heard::Foreign(guess));
                }
                let (_, block) = received.split_first()?;
                let block = <[u8; BLOCK_BYTES]>::try_from(block).ok()?;
                self.state = State::Second(BLOCK_BYTES);
                Some(Heard::FirstBlock(Box::new(block)))
            }
            State::Second(left) => {
                *left -= take(input, *left).len();
                if *left > 0 {
                    return None;
                }
                self.state = State::Chunks(Box::new(ChunkDecoder::new(self.limits)));
                Some(Heard::SecondBlock)
            }
            State::Chunks(decoder) => match decoder.decode(input) {
                Ok((consumed, message)) => {
                    take(input, consumed);
                    let message = message?;
                    obey(decoder, &message);
                    Some(Heard::Message(message))
                }
                Err(error) => {
                    self.state = State::Lost;
                    *input = &[];
                    Some(Heard::Broken(error))
                }
            },
            State::Lost => {
                *input = &[];
                None
            }
        }
    }
}

/// Takes up to `count` bytes off the front of `input`.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

/// Set Chunk Size and Abort change how the bytes behind them are read.
fn obey(decoder: &mut ChunkDecoder, message: &Message) {
    match Control::decode(message.message_type, message.payload.as_slice()) {
        Ok(Some(Control::SetChunkSize(size))) => decoder.set_chunk_size(size),
        Ok(Some(Control::Abort(csid))) => decoder.abort(csid),
        _ => {}
    }
}
