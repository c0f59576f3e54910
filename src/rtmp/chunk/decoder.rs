//! Bytes to messages (RTMP 1.0 §5.3): reads chunk headers, puts interleaved bodies together.
//!
//! Knows no message: Set Chunk Size and Abort reach it through methods that the session calls.
//! Where senders break the rules this reads on if the byte stream stays in step:
//!
//! | What comes | What it is taken for |
//! |---|---|
//! | fmt 1 first on a chunk stream (librtmp's ping reply) | timestamp and message stream start at 0 |
//! | fmt 2 or 3 first on a chunk stream | bytes were lost: [`ChunkError::Desync`] |
//! | fmt 3 at the start of a message, after fmt 1 or 2 | the delta again |
//! | the same, after fmt 0 with timestamp T | delta T up to 1000 ms (the specification), else 0 (rtmpdump, nginx) |
//! | fmt 0 inside a message (encoder gave up) | the partial message is dropped and counted |
//! | fmt 1 or 2 inside a message, same length and type | a continuation; its delta is ignored |
//! | fmt 1 inside a message, otherwise (OBS, rarely) | a new message; the partial one is dropped and counted |
//! | fmt 3 without the extended timestamp | see `extended` |

mod place;

pub use place::{ChunkPlace, NoPlace};

use super::extended::{Expected, Habit, Verdict};
use super::header::{self, Fields, HEADER_BYTES_MAX};
use super::{CHUNK_SIZE_DEFAULT, CHUNK_SIZE_MAX, ChunkStreamId, Message, MessageStreamId, Payload};
use crate::rtmp::message::MessageType;
use crate::wire::Reader;

/// Bytes reserved for a body before any of it has arrived. Covers nearly all frames with one
/// allocation; from there the room doubles as bytes arrive, so a header that promises 16 MiB
/// costs 64 KiB.
const BODY_RESERVE_MAX: usize = 64 << 10;

/// After a fmt 0 with this timestamp or less, a message that starts with fmt 3 repeats it as
/// delta. FMLE does that (26, 52, 78); no frame lasts longer.
const FMT0_DELTA_MAX_MS: u32 = 1000;

/// Bounds on what a peer may make the decoder hold.
///
/// All told that is at most twice `partial_bytes_max` (bodies double as they grow) and 64 KiB
/// for each chunk stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Largest message body in bytes. 4 MiB: a 4K keyframe is below 3 MiB.
    pub message_size_max: usize,
    /// Distinct chunk streams per connection.
    pub chunk_streams_max: usize,
    /// Sum of the bodies that are half received, in bytes; one message of
    /// `message_size_max` is always allowed.
    pub partial_bytes_max: usize,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self {
            message_size_max: 4 << 20,
            chunk_streams_max: 32,
            partial_bytes_max: 8 << 20,
        }
    }
}

/// Why the peer's bytes cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A header that refers to an earlier one on a chunk stream that has none.
    #[error("fmt {fmt} chunk on unknown csid {csid}: the byte stream is out of step")]
    Desync {
        /// The header's format, 2 or 3.
        fmt: u8,
        /// The chunk stream.
        csid: u32,
    },
    /// A message longer than [`ChunkLimits::message_size_max`].
    #[error("message of {length} bytes, {max} are allowed")]
    MessageTooLarge {
        /// Bytes announced.
        length: u32,
        /// Bytes allowed.
        max: usize,
    },
    /// More chunk streams than [`ChunkLimits::chunk_streams_max`].
    #[error("more than {0} chunk streams")]
    TooManyChunkStreams(usize),
    /// More half-received bodies than [`ChunkLimits::partial_bytes_max`].
    #[error("more than {0} bytes of unfinished messages")]
    TooManyPartialBytes(usize),
}

/// How often a peer broke rules of the chunk layer that are read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkOddities {
    /// Messages that were given up in the middle because the peer started a new one.
    pub restarted_messages: u64,
    /// Chunk streams that began with fmt 1 in place of 0.
    pub short_starts: u64,
    /// Chunks of fmt 3 without the extended timestamp that belongs there.
    pub omitted_timestamps: u64,
}

/// Assembles messages from chunks that arrive in pieces of any size.
///
/// Each payload byte is copied once, from the input to its message; a message is one
/// allocation, a chunk none. An idle decoder owns 56 bytes for each chunk stream in use.
#[derive(Debug)]
pub struct ChunkDecoder {
    limits: ChunkLimits,
    /// One for each csid seen; few, so a linear search is faster than hashing.
    lanes: Vec<Lane>,
    /// Index of the lane whose chunk is being read, or was read last: the likeliest next one.
    current: usize,
    /// Bytes that the current chunk still owes. 0: a header comes next.
    chunk_left: usize,
    chunk_size: u32,
    /// Sum of the lengths of all partial bodies, `<= limits.partial_bytes_max`.
    partial_bytes: usize,
    oddities: ChunkOddities,
    habit: Habit,
    /// The first bytes of a header that has not arrived whole.
    staged: [u8; HEADER_BYTES_MAX - 1],
    /// `staged_len < HEADER_BYTES_MAX`, and 0 while `chunk_left > 0`.
    staged_len: u8,
}

/// What a chunk stream remembers from chunk to chunk.
#[derive(Debug)]
struct Lane {
    csid: ChunkStreamId,
    msid: MessageStreamId,
    /// Of the message under way, or else of the last one.
    timestamp: u32,
    /// What a message that starts with fmt 3 adds to `timestamp`.
    delta: u32,
    /// The last extended value, if the last header of fmt 0, 1 or 2 was extended.
    extended: Option<u32>,
    length: u32,
    message_type: MessageType,
    /// The body of the message under way; shorter than `length`, except inside `step`.
    partial: Option<Payload>,
}

impl ChunkDecoder {
    /// A decoder at the start of a connection, chunk size 128.
    pub fn new(limits: ChunkLimits) -> Self {
        Self {
            limits: ChunkLimits {
                partial_bytes_max: limits.partial_bytes_max.max(limits.message_size_max),
                ..limits
            },
            lanes: Vec::new(),
            current: 0,
            chunk_left: 0,
            chunk_size: CHUNK_SIZE_DEFAULT,
            partial_bytes: 0,
            oddities: ChunkOddities::default(),
            habit: Habit::Unknown,
            staged: [0; HEADER_BYTES_MAX - 1],
            staged_len: 0,
        }
    }

    /// Reads from the front of `input` up to the end of the first complete message.
    ///
    /// Returns the bytes consumed and the message; without a message all of `input` was
    /// consumed. Call again with what is left: a Set Chunk Size message must be applied
    /// (with [`Self::set_chunk_size`]) before the bytes behind it are read.
    ///
    /// # Errors
    /// [`ChunkError`]: the connection cannot be read further.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Message>), ChunkError> {
        let mut consumed = 0;
        if self.staged_len > 0 {
            let (joined, message) = self.decode_staged(input)?;
            if message.is_some() || joined == input.len() {
                return Ok((joined, message));
            }
            consumed = joined;
        }
        let rest = input.get(consumed..).unwrap_or_default();
        let (stepped, message) = self.step(rest)?;
        if message.is_some() {
            return Ok((consumed + stepped, message));
        }
        self.stage(rest.get(stepped..).unwrap_or_default());
        Ok((input.len(), None))
    }

    /// Chunk size in bytes of what follows, clamped to 1..=0xFF_FFFF.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = chunk_size.clamp(1, CHUNK_SIZE_MAX);
    }

    /// Drops the half-received message of a chunk stream; its header state stays.
    pub fn abort(&mut self, csid: ChunkStreamId) {
        if let Some(index) = self.find(csid) {
            self.drop_partial(index);
        }
    }

    /// Messages that were given up in the middle because the peer started a new one.
    pub fn restarted_messages(&self) -> u64 {
        self.oddities.restarted_messages
    }

    /// What was odd so far.
    pub fn oddities(&self) -> ChunkOddities {
        self.oddities
    }

    /// Bytes of bodies that are half received.
    pub fn partial_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Goes on where a header was cut: joins the staged bytes with the next few of `input`.
    /// Returns like [`Self::decode`], but may stop early in `input`, with nothing staged.
    fn decode_staged(&mut self, input: &[u8]) -> Result<(usize, Option<Message>), ChunkError> {
        let mut joined = [0; 2 * HEADER_BYTES_MAX];
        let staged = usize::from(self.staged_len);
        let taken = input.len().min(HEADER_BYTES_MAX);
        for (to, from) in joined.iter_mut().zip(
            self.staged
                .iter()
                .take(staged)
                .chain(input.iter().take(taken)),
        ) {
            *to = *from;
        }
        let joined = joined.get(..staged + taken).unwrap_or_default();
        self.staged_len = 0;
        let (stepped, message) = self.step(joined)?;
        if let Some(from_input) = stepped.checked_sub(staged) {
            return Ok((from_input, message));
        }
        // Either the header is still not whole, and all of `input` was joined. Or bytes that were
        // staged as an extended timestamp have turned out to be payload, have ended a message,
        // and some of them are left.
        let kept = if message.is_some() {
            staged
        } else {
            joined.len()
        };
        self.stage(joined.get(stepped..kept).unwrap_or_default());
        Ok((kept - staged, message))
    }

    fn stage(&mut self, bytes: &[u8]) {
        for (to, from) in self.staged.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.staged_len = u8::try_from(bytes.len()).expect("less than one header is staged");
    }

    /// Reads chunks up to the end of a message or of what can be read of `input`: less than a
    /// header is left over then.
    fn step(&mut self, input: &[u8]) -> Result<(usize, Option<Message>), ChunkError> {
        let mut rest = input;
        loop {
            if self.chunk_left == 0 {
                let Some(payload) = self.read_header(rest)? else {
                    return Ok((input.len() - rest.len(), None));
                };
                rest = payload;
            }
            let (payload, behind) = rest.split_at(self.chunk_left.min(rest.len()));
            rest = behind;
            self.chunk_left -= payload.len();
            let lane = self
                .lanes
                .get_mut(self.current)
                .expect("a chunk has a lane");
            // Without a body the message was aborted inside this chunk: the rest is skipped.
            if let Some(body) = &mut lane.partial {
                self.partial_bytes += payload.len();
                if self.partial_bytes > self.limits.partial_bytes_max {
                    let max = self.limits.partial_bytes_max;
                    return Err(ChunkError::TooManyPartialBytes(max));
                }
                let length = to_usize(lane.length);
                body.extend_towards(length, payload);
                if body.len() == length {
                    self.partial_bytes -= length;
                    return Ok((input.len() - rest.len(), lane.take_message()));
                }
            }
            if self.chunk_left > 0 {
                return Ok((input.len(), None));
            }
        }
    }

    /// Reads one chunk header; returns what follows it, or `None` if it is not whole, and then
    /// nothing has changed.
    fn read_header<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, ChunkError> {
        let mut reader = Reader::new(bytes);
        let Ok((fmt, csid)) = header::read_basic_header(&mut reader) else {
            return Ok(None);
        };
        let known = self.find(csid);
        let index = match (fmt, known) {
            (2 | 3, None) => return Err(ChunkError::Desync { fmt, csid: csid.0 }),
            (3, Some(index)) => match self.continue_message(index, &mut reader) {
                true => index,
                false => return Ok(None),
            },
            _ => match header::read_fields(&mut reader, fmt) {
                Ok(fields) => self.apply(csid, known, &fields)?,
                Err(_) => return Ok(None),
            },
        };
        self.current = index;
        self.chunk_left = self.owed(index);
        Ok(Some(reader.rest()))
    }

    /// A header of fmt 0, 1 or 2; returns the index of its lane.
    fn apply(
        &mut self,
        csid: ChunkStreamId,
        known: Option<usize>,
        fields: &Fields,
    ) -> Result<usize, ChunkError> {
        if let Some((length, _)) = fields.length_and_type
            && to_usize(length) > self.limits.message_size_max
        {
            let max = self.limits.message_size_max;
            return Err(ChunkError::MessageTooLarge { length, max });
        }
        let index = match known {
            Some(index) => index,
            None => {
                let index = self.add_lane(csid)?;
                self.oddities.short_starts += u64::from(fields.msid.is_none());
                index
            }
        };
        if self.lane(index).is_continued_by(fields) {
            self.lane_mut(index).extended = fields.extended();
            return Ok(index);
        }
        if self.drop_partial(index) {
            self.oddities.restarted_messages += 1;
        }
        self.lane_mut(index).start(fields);
        Ok(index)
    }

    /// A header of fmt 3. False when it is not whole, and then nothing has changed.
    fn continue_message(&mut self, index: usize, reader: &mut Reader<'_>) -> bool {
        let lane = self.lane(index);
        let is_start = lane.partial.is_none();
        let before = lane.timestamp;
        let next = before.wrapping_add(lane.delta);
        let mut start = next;
        let mut extended = lane.extended;
        if let Some(value) = extended {
            let expected = Expected {
                value,
                timestamp: if is_start { next } else { before },
                is_start,
                owed: self.owed(index),
                habit: self.habit,
            };
            match expected.judge(reader.rest()) {
                Verdict::NeedMore => return false,
                Verdict::Omitted => {
                    self.habit = Habit::Omits;
                    self.oddities.omitted_timestamps += 1;
                }
                Verdict::Repeated(repeated) => {
                    self.habit = Habit::Repeats;
                    start = expected.start_timestamp(before, repeated);
                    extended = reader.u32().ok();
                }
            }
        }
        let lane = self.lane_mut(index);
        lane.extended = extended;
        if is_start {
            lane.timestamp = start;
            lane.start_body();
        }
        true
    }

    /// Payload bytes of a chunk that comes now on this lane.
    fn owed(&self, index: usize) -> usize {
        let lane = self.lane(index);
        let received = lane.partial.as_ref().map_or(0, Payload::len);
        to_usize(self.chunk_size).min(to_usize(lane.length) - received)
    }

    fn find(&self, csid: ChunkStreamId) -> Option<usize> {
        match self.lanes.get(self.current) {
            Some(lane) if lane.csid == csid => Some(self.current),
            _ => self.lanes.iter().position(|lane| lane.csid == csid),
        }
    }

    fn add_lane(&mut self, csid: ChunkStreamId) -> Result<usize, ChunkError> {
        let max = self.limits.chunk_streams_max;
        if self.lanes.len() >= max {
            return Err(ChunkError::TooManyChunkStreams(max));
        }
        self.lanes.push(Lane {
            csid,
            msid: MessageStreamId::CONNECTION,
            timestamp: 0,
            delta: 0,
            extended: None,
            length: 0,
            message_type: MessageType(0),
            partial: None,
        });
        Ok(self.lanes.len() - 1)
    }

    /// Returns whether there was something to drop.
    fn drop_partial(&mut self, index: usize) -> bool {
        let dropped = self.lane_mut(index).partial.take();
        self.partial_bytes -= dropped.as_ref().map_or(0, Payload::len);
        dropped.is_some()
    }

    fn lane(&self, index: usize) -> &Lane {
        self.lanes.get(index).expect("lanes are never removed")
    }

    fn lane_mut(&mut self, index: usize) -> &mut Lane {
        self.lanes.get_mut(index).expect("lanes are never removed")
    }
}

impl Lane {
    /// Whether a header of fmt 0, 1 or 2 goes on with the message under way.
    fn is_continued_by(&self, fields: &Fields) -> bool {
        self.partial.is_some()
            && fields.msid.is_none()
            && fields
                .length_and_type
                .is_none_or(|stated| stated == (self.length, self.message_type))
    }

    fn start(&mut self, fields: &Fields) {
        match fields.msid {
            Some(msid) => {
                self.msid = msid;
                self.timestamp = fields.time;
                self.delta = match fields.time {
                    short @ ..=FMT0_DELTA_MAX_MS => short,
                    _ => 0,
                };
            }
            None => {
                self.delta = fields.time;
                self.timestamp = self.timestamp.wrapping_add(fields.time);
            }
        }
        if let Some((length, message_type)) = fields.length_and_type {
            self.length = length;
            self.message_type = message_type;
        }
        self.extended = fields.extended();
        self.start_body();
    }

    fn start_body(&mut self) {
        let reserve = to_usize(self.length).min(BODY_RESERVE_MAX);
        self.partial = Some(Payload::with_capacity(reserve));
    }

    fn take_message(&mut self) -> Option<Message> {
        Some(Message {
            csid: self.csid,
            msid: self.msid,
            message_type: self.message_type,
            timestamp: self.timestamp,
            payload: self.partial.take()?,
        })
    }
}

/// Lossless wherever this runs: no target of ours has pointers below 32 bits.
fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
