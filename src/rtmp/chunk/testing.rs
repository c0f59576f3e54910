//! For tests: known messages, written in any way that the specification allows and some that
//! peers have.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{ChunkStreamId, Message, MessageStreamId, Payload, header};
use crate::rtmp::message::MessageType;
use crate::wire::PutBytes;

/// How the writer treats the extended timestamp on fmt 3 chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rtmp) enum Repeat {
    Value,
    Absolute,
    In31Bits,
    Never,
}

/// A message before it has a chunk stream's history.
#[derive(Debug, Clone)]
pub(in crate::rtmp) struct Plan {
    /// Index into [`CSIDS`].
    pub(in crate::rtmp) lane: usize,
    pub(in crate::rtmp) msid: u32,
    pub(in crate::rtmp) message_type: u8,
    /// From the message before it on its lane, milliseconds; wraps.
    pub(in crate::rtmp) step: u32,
    pub(in crate::rtmp) size: usize,
    /// Set Chunk Size to this instead.
    pub(in crate::rtmp) chunk_size: Option<u32>,
}

/// Two csids for each width of the basic header, and one that fits two widths.
pub(in crate::rtmp) const CSIDS: [u32; 6] = [2, 5, 63, 64, 319, 65_599];

/// Fills bodies. At least 0xE0, above any timestamp byte of these tests, so that a body is
/// never taken for a repeated timestamp where the peer omits them.
pub(in crate::rtmp) fn filler(index: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| 0xE0 | ((at * 7 + index * 13) % 32).to_le_bytes()[0])
        .collect()
}

/// A chunk writer that picks any legal form at random.
struct Writer {
    rng: fastrand::Rng,
    repeat: Repeat,
    chunk_size: usize,
    /// Messages that may still be given up.
    aborts_left: usize,
    lanes: Vec<WriterLane>,
    wire: Vec<u8>,
}

#[derive(Default)]
struct WriterLane {
    waiting: VecDeque<Message>,
    /// Of the message at the front.
    written: usize,
    last: Option<Last>,
}

/// What a reader knows of a chunk stream.
#[derive(Clone, Copy)]
struct Last {
    msid: MessageStreamId,
    message_type: MessageType,
    length: usize,
    timestamp: u32,
    delta: u32,
    extended: Option<u32>,
}

impl Writer {
    /// Puts an Abort for the message under way on a lane before what waits on the first lane.
    fn give_up(&mut self, lane: usize) {
        let is_under_way = lane > 0 && self.lanes[lane].written > 0;
        let control = &mut self.lanes[0];
        if !is_under_way || control.written > 0 {
            return;
        }
        self.aborts_left -= 1;
        let timestamp = control.last.map_or(0, |last| last.timestamp);
        control.waiting.push_front(Message {
            csid: ChunkStreamId(CSIDS[0]),
            msid: MessageStreamId::CONNECTION,
            message_type: MessageType::ABORT,
            timestamp,
            payload: Payload::from(&CSIDS[lane].to_be_bytes()[..]),
        });
    }

    /// Writes one chunk of a lane; returns the message that it completed.
    fn write_chunk(&mut self, index: usize) -> Option<Message> {
        let lane = &self.lanes[index];
        let message = lane.waiting.front()?.clone();
        let written = lane.written;
        if written == 0 {
            self.write_first_header(index, &message);
        } else {
            self.write_basic(3, message.csid);
            self.write_repeated(index, message.timestamp);
        }
        let body = &message.payload.as_slice()[written..];
        let count = body.len().min(self.chunk_size);
        self.wire.extend_from_slice(&body[..count]);
        let lane = &mut self.lanes[index];
        lane.written += count;
        if lane.written < message.payload.len() {
            return None;
        }
        lane.written = 0;
        lane.waiting.pop_front()
    }

    fn write_first_header(&mut self, index: usize, message: &Message) {
        let length = message.payload.len();
        let last = self.lanes[index].last;
        let delta = message
            .timestamp
            .wrapping_sub(last.map_or(0, |last| last.timestamp));
        let mut allowed = vec![0];
        // Of a peer that omits the field, a value that bodies may hold says nothing.
        let is_short = self.repeat != Repeat::Never || delta < 0xE000_0000;
        if is_short && last.map_or(MessageStreamId::CONNECTION, |last| last.msid) == message.msid {
            allowed.push(1);
        }
        if let Some(last) = last
            && is_short
            && (last.msid, last.message_type, last.length)
                == (message.msid, message.message_type, length)
        {
            allowed.push(2);
            // Without a body a peer that omits the field cannot be told from one that is late.
            let is_clear = self.repeat != Repeat::Never || last.extended.is_none() || length > 0;
            if last.delta == delta && is_clear {
                allowed.extend([3, 3, 3]);
            }
        }
        let fmt = allowed[self.rng.usize(..allowed.len())];
        self.write_basic(fmt, message.csid);
        if fmt == 3 {
            // The value again: what else may stand here is for the tables.
            let last = last.unwrap();
            if let Some(value) = last.extended
                && self.repeat != Repeat::Never
            {
                self.wire.put_u32(value);
            }
            self.lanes[index].last = Some(Last {
                timestamp: message.timestamp,
                ..last
            });
            return;
        }
        let time = if fmt == 0 { message.timestamp } else { delta };
        let extended = (time >= header::TIMESTAMP_EXTENDED).then_some(time);
        self.wire.put_u24(time.min(header::TIMESTAMP_EXTENDED));
        if fmt <= 1 {
            self.wire.put_u24(u32::try_from(length).unwrap());
            self.wire.put_u8(message.message_type.0);
        }
        if fmt == 0 {
            self.wire.put_u32_le(message.msid.0);
        }
        if let Some(time) = extended {
            self.wire.put_u32(time);
        }
        self.lanes[index].last = Some(Last {
            msid: message.msid,
            message_type: message.message_type,
            length,
            timestamp: message.timestamp,
            delta: match fmt {
                0 if message.timestamp <= 1000 => message.timestamp,
                0 => 0,
                _ => delta,
            },
            extended,
        });
    }

    fn write_repeated(&mut self, index: usize, timestamp: u32) {
        let last = self.lanes[index].last.as_mut().unwrap();
        let Some(value) = last.extended else { return };
        let value = match self.repeat {
            Repeat::Value => value,
            Repeat::Absolute => timestamp,
            Repeat::In31Bits => value & 0x7FFF_FFFF,
            Repeat::Never => return,
        };
        // Readers take the last value that they read for the measure of the next one.
        last.extended = Some(value);
        self.wire.put_u32(value);
    }

    fn write_basic(&mut self, fmt: u8, csid: ChunkStreamId) {
        if (64..=319).contains(&csid.0) && self.rng.bool() {
            // Legal, if longer than need be.
            let [low, high, ..] = (csid.0 - 64).to_le_bytes();
            self.wire.extend([fmt << 6 | 1, low, high]);
        } else {
            header::put_basic_header(&mut self.wire, fmt, csid);
        }
    }
}

/// Writes the messages; returns the bytes and the messages in the order of their last chunks.
/// Some are given up in the middle by an Abort, which is among those returned, and begun anew.
pub(in crate::rtmp) fn write(plans: &[Plan], repeat: Repeat, seed: u64) -> (Vec<u8>, Vec<Message>) {
    let mut writer = Writer {
        rng: fastrand::Rng::with_seed(seed),
        repeat,
        chunk_size: 128,
        aborts_left: 4,
        lanes: CSIDS.iter().map(|_| WriterLane::default()).collect(),
        wire: Vec::new(),
    };
    // Bodies are above these timestamps, see `filler`; it matters where the field is omitted.
    let timestamp_mask = match repeat {
        Repeat::Never => 0x6FFF_FFFF,
        _ => u32::MAX,
    };
    let mut timestamps = [0_u32; CSIDS.len()];
    for (index, plan) in plans.iter().enumerate() {
        let lane = plan.lane;
        timestamps[lane] = timestamps[lane].wrapping_add(plan.step) & timestamp_mask;
        let (message_type, payload) = match plan.chunk_size {
            Some(size) => (
                MessageType::SET_CHUNK_SIZE,
                Payload::from(&size.to_be_bytes()[..]),
            ),
            None => (
                MessageType(plan.message_type),
                Payload::from(filler(index, plan.size).as_slice()),
            ),
        };
        writer.lanes[lane].waiting.push_back(Message {
            csid: ChunkStreamId(CSIDS[lane]),
            msid: MessageStreamId(plan.msid),
            message_type,
            timestamp: timestamps[lane],
            payload,
        });
    }
    let mut messages = Vec::new();
    while writer.lanes.iter().any(|lane| !lane.waiting.is_empty()) {
        let lane = writer.rng.usize(..CSIDS.len());
        if writer.aborts_left > 0 && writer.rng.u8(..) < 5 {
            writer.give_up(lane);
        }
        let Some(message) = writer.write_chunk(lane) else {
            continue;
        };
        let value = || u32::from_be_bytes(message.payload.as_slice().try_into().unwrap());
        match message.message_type {
            MessageType::SET_CHUNK_SIZE => {
                writer.chunk_size = usize::try_from(value()).unwrap();
            }
            MessageType::ABORT => {
                let target = CSIDS.iter().position(|csid| *csid == value()).unwrap();
                // It may have ended before the Abort did.
                writer.lanes[target].written = 0;
            }
            _ => {}
        }
        messages.push(message);
    }
    (writer.wire, messages)
}

pub(in crate::rtmp) fn plan() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        4 => Just(0_u32),
        4 => Just(40),
        2 => 0..2000_u32,
        2 => 0xFF_FFF0..0x100_0010_u32,
        1 => 0x0100_0000..0x6000_0000_u32,
        // Around the end of 32 bits, and backwards.
        1 => 0xFFFF_FF00..=u32::MAX,
    ];
    let size = prop_oneof![
        1 => Just(0_usize),
        4 => Just(130),
        2 => 1..600_usize,
        1 => Just(128),
    ];
    let chunk_size = prop_oneof![
        12 => Just(None),
        1 => (1..300_u32).prop_map(Some),
        1 => (300..100_000_u32).prop_map(Some),
    ];
    // Now and then more than a body is given room for at first.
    let size = prop_oneof![60 => size, 1 => Just(70_000)];
    (0..CSIDS.len(), 0..3_u32, 8..10_u8, step, size, chunk_size).prop_map(
        |(lane, msid, message_type, step, size, chunk_size)| Plan {
            lane,
            msid,
            message_type,
            step,
            size,
            chunk_size,
        },
    )
}

pub(in crate::rtmp) fn repeat() -> impl Strategy<Value = Repeat> {
    prop_oneof![
        Just(Repeat::Value),
        Just(Repeat::Absolute),
        Just(Repeat::In31Bits),
        Just(Repeat::Never),
    ]
}

/// `bytes` in pieces of random sizes, small ones and large ones.
pub(in crate::rtmp) fn pieces(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let size_max = rng.choice([2, 20, 200, 20_000]).unwrap();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rng.usize(1..=size_max).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
