//! Known messages, written in every way that the specification allows and some that peers
//! have, are read as the same messages.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::rtmp::chunk::{ChunkEncoder, encode_message, header};
use crate::wire::PutBytes;

/// How the writer treats the extended timestamp on fmt 3 chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Value,
    Absolute,
    In31Bits,
    Never,
}

/// A message before it has a chunk stream's history.
#[derive(Debug, Clone)]
struct Plan {
    lane: usize,
    msid: u32,
    message_type: u8,
    step: u32,
    size: usize,
    /// Set Chunk Size to this instead.
    chunk_size: Option<u32>,
}

/// Two csids for each width of the basic header, and one that fits two widths.
const CSIDS: [u32; 6] = [2, 5, 63, 64, 319, 65_599];

/// Fills bodies. At least 0xE0, above any timestamp byte of these tests, so that a body is
/// never taken for a repeated timestamp where the peer omits them.
fn filler(index: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| 0xE0 | ((at * 7 + index * 13) % 32).to_le_bytes()[0])
        .collect()
}

/// A chunk writer that picks any legal form at random.
struct Writer {
    rng: fastrand::Rng,
    repeat: Repeat,
    chunk_size: usize,
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
        if last.map_or(MessageStreamId::CONNECTION, |last| last.msid) == message.msid {
            allowed.push(1);
        }
        if let Some(last) = last
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
fn write(plans: &[Plan], repeat: Repeat, seed: u64) -> (Vec<u8>, Vec<Message>) {
    let mut writer = Writer {
        rng: fastrand::Rng::with_seed(seed),
        repeat,
        chunk_size: 128,
        lanes: CSIDS.iter().map(|_| WriterLane::default()).collect(),
        wire: Vec::new(),
    };
    let mut timestamps = [0_u32; CSIDS.len()];
    for (index, plan) in plans.iter().enumerate() {
        let lane = plan.lane;
        timestamps[lane] = timestamps[lane].wrapping_add(plan.step) & 0x6FFF_FFFF;
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
    while messages.len() < plans.len() {
        let lane = writer.rng.usize(..CSIDS.len());
        let Some(message) = writer.write_chunk(lane) else {
            continue;
        };
        if message.message_type == MessageType::SET_CHUNK_SIZE {
            let size = message.payload.as_slice().try_into().unwrap();
            writer.chunk_size = usize::try_from(u32::from_be_bytes(size)).unwrap();
        }
        messages.push(message);
    }
    (writer.wire, messages)
}

fn plan() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        4 => Just(0_u32),
        4 => Just(40),
        2 => 0..2000_u32,
        2 => 0xFF_FFF0..0x100_0010_u32,
        1 => 0x0100_0000..0x6000_0000_u32,
    ];
    let size = prop_oneof![
        1 => Just(0_usize),
        4 => Just(130),
        2 => 1..600_usize,
        1 => Just(128),
    ];
    let chunk_size = prop_oneof![12 => Just(None), 1 => (1..300_u32).prop_map(Some)];
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

fn repeat() -> impl Strategy<Value = Repeat> {
    prop_oneof![
        Just(Repeat::Value),
        Just(Repeat::Absolute),
        Just(Repeat::In31Bits),
        Just(Repeat::Never),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_messages(
        plans in prop::collection::vec(plan(), 1..30),
        repeat in repeat(),
        seed in any::<u64>(),
        step in 1..200_usize,
    ) {
        let (wire, expected) = write(&plans, repeat, seed);
        for step in [wire.len(), step, 1] {
            let mut decoder = ChunkDecoder::new(ChunkLimits::default());
            let (messages, error) = read(&mut decoder, &wire, step);
            prop_assert_eq!(error, None);
            prop_assert_eq!(&messages, &expected);
            prop_assert_eq!(decoder.partial_bytes(), 0);
            prop_assert_eq!(decoder.restarted_messages(), 0);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        plans in prop::collection::vec(plan(), 1..30),
        timestamps in prop::collection::vec(any::<u32>(), 30),
        is_stateless in any::<bool>(),
    ) {
        let mut encoder = ChunkEncoder::new();
        let mut chunk_size = 128;
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for (index, (plan, any)) in plans.iter().zip(timestamps).enumerate() {
            let csid = ChunkStreamId(CSIDS[plan.lane]);
            let msid = MessageStreamId(plan.msid);
            // Forward by the plan's step most of the time, anywhere else now and then.
            let timestamp = match expected.last() {
                Some(Message { timestamp, .. }) if any % 4 > 0 => timestamp.wrapping_add(plan.step),
                _ => any,
            };
            let (message_type, body) = match plan.chunk_size {
                Some(size) => (MessageType::SET_CHUNK_SIZE, size.to_be_bytes().to_vec()),
                None => (MessageType(plan.message_type), filler(index, plan.size)),
            };
            if is_stateless {
                encode_message(&mut wire, chunk_size, csid, msid, message_type, timestamp, &body);
            } else {
                encoder.encode(&mut wire, csid, msid, message_type, timestamp, &body);
            }
            if let Some(size) = plan.chunk_size {
                chunk_size = size;
                encoder.set_chunk_size(size);
            }
            let payload = Payload::from(body.as_slice());
            expected.push(Message { csid, msid, message_type, timestamp, payload });
        }
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        let (messages, error) = read(&mut decoder, &wire, wire.len());
        prop_assert_eq!(error, None);
        prop_assert_eq!(messages, expected);
    }
}
