//! Chunks as odd senders write them, by hand: [`crate::rtmp::chunk::ChunkEncoder`] writes only
//! what everybody reads. RTMP 1.0 §5.3.1, and what devices make of it.

use crate::rtmp::chunk::header::{TIMESTAMP_EXTENDED, put_basic_header};
use crate::rtmp::chunk::{CHUNK_SIZE_DEFAULT, ChunkStreamId};
use crate::rtmp::message::MessageType;
use crate::wire::PutBytes;

/// How many bytes more a message that is given up has announced than the one that replaces it.
const ABANDONED_EXTRA: usize = 100;

/// What a sender does with chunk headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Every message has a `fmt 0` header; otherwise `fmt 1` wherever that can be.
    pub(super) always_full: bool,
    /// `fmt 3` chunks inside a message repeat the extended timestamp, as the specification has it.
    pub(super) repeats_extended: bool,
    /// A message like the one before, at the same distance, starts with `fmt 3`; behind a `fmt 0`
    /// header the distance is its timestamp.
    pub(super) starts_with_fmt3: bool,
    /// The first chunk on csid 2 has `fmt 1`.
    pub(super) has_virgin_fmt1: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            always_full: false,
            repeats_extended: true,
            starts_with_fmt3: false,
            has_virgin_fmt1: false,
        }
    }
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) csid: u32,
    pub(super) msid: u32,
    pub(super) message_type: MessageType,
    /// Milliseconds.
    pub(super) timestamp: u32,
    pub(super) body: &'a [u8],
}

/// Writes messages as chunks and remembers what each chunk stream was told.
#[derive(Debug)]
pub(super) struct Wire {
    habits: Habits,
    chunk_size: usize,
    lanes: Vec<Lane>,
}

/// The last message of a chunk stream.
#[derive(Debug, Clone, Copy)]
struct Lane {
    csid: u32,
    msid: u32,
    message_type: MessageType,
    timestamp: u32,
    /// What a message that starts with `fmt 3` adds to `timestamp`.
    delta: u32,
    /// The extended field of the last header of `fmt` 0 or 1, if it had one.
    extended: Option<u32>,
    length: usize,
}

impl Wire {
    pub(super) fn new(habits: Habits) -> Self {
        Self {
            habits,
            chunk_size: usize::try_from(CHUNK_SIZE_DEFAULT).unwrap_or(usize::MAX),
            lanes: Vec::new(),
        }
    }

    /// From the next chunk on.
    pub(super) fn set_chunk_size(&mut self, size: u32) {
        self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX).max(1);
    }

    /// A whole message.
    pub(super) fn put(&mut self, message: &Outgoing<'_>, out: &mut Vec<u8>) {
        self.put_header(message, message.body.len(), out);
        let rest = self.put_chunk(message.body, out);
        self.put_rest(message.csid, rest, out);
    }

    /// The first chunk of a message that is given up there: a longer one than `message`, and
    /// longer than a chunk, with the same beginning.
    pub(super) fn put_abandoned(&mut self, message: &Outgoing<'_>, out: &mut Vec<u8>) {
        let length = message.body.len().max(self.chunk_size) + ABANDONED_EXTRA;
        let mut body = message.body.to_vec();
        body.resize(length, 0);
        self.put_header(message, length, out);
        self.put_chunk(&body, out);
    }

    /// Two messages on different chunk streams; the second one lies between the first two chunks
    /// of the first one.
    pub(super) fn put_around(
        &mut self,
        outer: &Outgoing<'_>,
        inner: &Outgoing<'_>,
        out: &mut Vec<u8>,
    ) {
        debug_assert_ne!(outer.csid, inner.csid);
        self.put_header(outer, outer.body.len(), out);
        let rest = self.put_chunk(outer.body, out);
        self.put(inner, out);
        self.put_rest(outer.csid, rest, out);
    }

    /// A chunk that refers to a header which this connection has never seen.
    pub(super) fn put_orphan(csid: u32, out: &mut Vec<u8>) {
        put_basic_header(out, 2, ChunkStreamId(csid));
        out.put_u24(40);
    }

    fn put_header(&mut self, message: &Outgoing<'_>, length: usize, out: &mut Vec<u8>) {
        let known = self.lanes.iter().position(|lane| lane.csid == message.csid);
        let before = known.and_then(|at| self.lanes.get(at)).copied();
        let delta = before.map_or(message.timestamp, |lane| {
            message.timestamp.wrapping_sub(lane.timestamp)
        });
        // Back in time cannot be said with a delta.
        let is_full = self.habits.always_full || delta > u32::MAX / 2;
        let is_like =
            |lane: &Lane| lane.length == length && lane.message_type == message.message_type;
        let (fmt, time) = match before {
            None if self.habits.has_virgin_fmt1 && message.csid == ChunkStreamId::CONTROL.0 => {
                (1, message.timestamp)
            }
            Some(lane) if lane.msid == message.msid && !is_full => {
                let repeats = is_like(&lane) && lane.delta == delta;
                match self.habits.starts_with_fmt3 && repeats {
                    true => (3, delta),
                    false => (1, delta),
                }
            }
            _ => (0, message.timestamp),
        };
        let is_extended = time >= TIMESTAMP_EXTENDED;
        let lane = Lane {
            csid: message.csid,
            msid: message.msid,
            message_type: message.message_type,
            timestamp: message.timestamp,
            delta: time,
            extended: is_extended.then_some(time),
            length,
        };
        match known.and_then(|at| self.lanes.get_mut(at)) {
            Some(known) => *known = lane,
            None => self.lanes.push(lane),
        }
        put_basic_header(out, fmt, ChunkStreamId(message.csid));
        if fmt < 3 {
            out.put_u24(time.min(TIMESTAMP_EXTENDED));
            out.put_u24(u32::try_from(length).unwrap_or(u32::MAX));
            out.put_u8(message.message_type.0);
        }
        if fmt == 0 {
            out.put_u32_le(message.msid);
        }
        if is_extended && (fmt < 3 || self.habits.repeats_extended) {
            out.put_u32(time);
        }
    }

    /// Writes what fits a chunk and returns what is left.
    fn put_chunk<'a>(&self, body: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let (chunk, rest) = body.split_at(self.chunk_size.min(body.len()));
        out.extend_from_slice(chunk);
        rest
    }

    fn put_rest(&self, csid: u32, mut rest: &[u8], out: &mut Vec<u8>) {
        let lane = self.lanes.iter().find(|lane| lane.csid == csid);
        let extended = lane
            .and_then(|lane| lane.extended)
            .filter(|_| self.habits.repeats_extended);
        while !rest.is_empty() {
            put_basic_header(out, 3, ChunkStreamId(csid));
            if let Some(extended) = extended {
                out.put_u32(extended);
            }
            rest = self.put_chunk(rest, out);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn audio(timestamp: u32, body: &[u8]) -> Outgoing<'_> {
        Outgoing {
            csid: 4,
            msid: 1,
            message_type: MessageType::AUDIO,
            timestamp,
            body,
        }
    }

    #[track_caller]
    fn check(habits: Habits, messages: &[Outgoing<'_>], expected: &[u8]) {
        let mut wire = Wire::new(habits);
        wire.set_chunk_size(2);
        let mut out = Vec::new();
        for message in messages {
            wire.put(message, &mut out);
        }
        assert_eq!(out, expected);
    }

    #[test]
    fn a_plain_sender_starts_full_and_goes_on_with_deltas() {
        let expected = [
            [4, 0, 0, 20, 0, 0, 3, 8, 1, 0, 0, 0, 7, 8].as_slice(),
            &[0xC4, 9],
            &[0x44, 0, 0, 20, 0, 0, 1, 8, 7],
        ];
        let messages = [audio(20, &[7, 8, 9]), audio(40, &[7])];
        check(Habits::default(), &messages, &expected.concat());
    }

    #[test]
    fn the_clock_of_a_drone_is_extended_with_and_without_repetition() {
        let start = [
            4, 0xFF, 0xFF, 0xFF, 0, 0, 3, 8, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8,
        ];
        let repeated = [start.as_slice(), &[0xC4, 2, 0, 0, 0, 9]].concat();
        let bare = [start.as_slice(), &[0xC4, 9]].concat();
        for (repeats_extended, expected) in [(true, repeated), (false, bare)] {
            let habits = Habits {
                always_full: true,
                repeats_extended,
                ..Habits::default()
            };
            check(habits, &[audio(0x200_0000, &[7, 8, 9])], &expected);
        }
    }

    #[test]
    fn fmt_3_repeats_the_timestamp_of_fmt_0() {
        let habits = Habits {
            starts_with_fmt3: true,
            ..Habits::default()
        };
        let messages = [20, 40, 60].map(|timestamp| audio(timestamp, &[7]));
        let expected = [4, 0, 0, 20, 0, 0, 1, 8, 1, 0, 0, 0, 7, 0xC4, 7, 0xC4, 7];
        check(habits, &messages, &expected);
    }

    #[test]
    fn fmt_1_opens_csid_2_for_a_librtmp_ping_reply() {
        let habits = Habits {
            has_virgin_fmt1: true,
            ..Habits::default()
        };
        let pong = Outgoing {
            csid: 2,
            msid: 0,
            message_type: MessageType::USER_CONTROL,
            timestamp: 0,
            body: &[0, 7],
        };
        check(habits, &[pong], &[0x42, 0, 0, 0, 0, 0, 2, 4, 0, 7]);
    }

    #[test]
    fn a_message_is_given_up_for_a_shorter_one() {
        let mut wire = Wire::new(Habits::default());
        wire.set_chunk_size(2);
        let mut out = Vec::new();
        wire.put_abandoned(&audio(20, &[7, 8, 9]), &mut out);
        wire.put(&audio(20, &[7, 8, 9]), &mut out);
        let expected = [
            [4, 0, 0, 20, 0, 0, 103, 8, 1, 0, 0, 0, 7, 8].as_slice(),
            &[0x44, 0, 0, 0, 0, 0, 3, 8, 7, 8, 0xC4, 9],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn what_is_given_up_is_longer_than_a_chunk() {
        let mut wire = Wire::new(Habits::default());
        let mut out = Vec::new();
        wire.put_abandoned(&audio(20, &[7]), &mut out);
        assert_eq!(out.len(), 12 + 128);
        assert_eq!(out.get(4..7), Some([0, 0, 228].as_slice()));
    }

    #[test]
    fn a_message_lies_inside_another_one() {
        let mut wire = Wire::new(Habits::default());
        wire.set_chunk_size(2);
        let mut out = Vec::new();
        let outer = Outgoing {
            csid: 64,
            ..audio(0, &[1, 2, 3])
        };
        wire.put_around(&outer, &audio(0, &[9]), &mut out);
        let expected = [
            [0, 0, 0, 0, 0, 0, 0, 3, 8, 1, 0, 0, 0, 1, 2].as_slice(),
            &[4, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 9],
            &[0xC0, 0, 3],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn time_that_goes_back_needs_a_full_header() {
        let messages = [audio(20, &[7]), audio(10, &[7])];
        let expected = [
            [4, 0, 0, 20, 0, 0, 1, 8, 1, 0, 0, 0, 7],
            [4, 0, 0, 10, 0, 0, 1, 8, 1, 0, 0, 0, 7],
        ];
        check(Habits::default(), &messages, &expected.concat());
    }
}
