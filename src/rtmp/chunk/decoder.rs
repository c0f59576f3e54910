//! Bytes to messages.
//!
//! Tolerant where devices disagree: extended timestamps on `fmt 3` chunks with and without
//! repetition, new headers inside an unfinished message, `fmt 1` on a fresh chunk stream.

use super::{CHUNK_SIZE_DEFAULT, ChunkStreamId, Message, MessageStreamId, Payload, header};
use crate::rtmp::message::MessageType;
use crate::wire::{Reader, Truncated};

/// Bounds on what a peer may make the decoder hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Largest message body in bytes. 4 MiB: a 4K keyframe is below 3 MiB.
    pub message_size_max: usize,
    /// Distinct chunk streams per connection.
    pub chunk_streams_max: usize,
    /// Sum of the bodies that are half received, in bytes.
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
    /// [`ChunkLimits::message_size_max`] exceeded.
    #[error("message of {length} bytes, {max} are allowed")]
    MessageTooLarge {
        /// Bytes announced.
        length: u32,
        /// Bytes allowed.
        max: usize,
    },
    /// [`ChunkLimits::chunk_streams_max`] exceeded.
    #[error("more than {0} chunk streams")]
    TooManyChunkStreams(usize),
    /// [`ChunkLimits::partial_bytes_max`] exceeded.
    #[error("more than {0} bytes of unfinished messages")]
    TooManyPartialBytes(usize),
}

/// Bodies are reserved whole up to this size; larger ones grow as their bytes arrive, so that a
/// header alone costs little.
const RESERVE_MAX: usize = 64 * 1024;

/// Basic header (3), message header (11) and extended timestamp (4).
const HEADER_BYTES_MAX: usize = 18;

/// Timestamps this close to the expected one are believed to be one (milliseconds).
const NEAR_MS: u32 = 10_000;

/// Largest delta that is taken from a `fmt 0` timestamp, as the specification wants it; senders
/// that start a message with `fmt 3` behind a larger one mean "same time" (milliseconds).
const FMT0_DELTA_MAX: u32 = 1000;

/// Assembles messages from chunks that arrive in pieces of any size.
#[derive(Debug)]
pub struct ChunkDecoder {
    limits: ChunkLimits,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    /// The chunk whose bytes come next; `None`: a header comes next.
    open: Option<OpenChunk>,
    /// The begin of a header that the input cut.
    staged: Vec<u8>,
    partial_bytes: usize,
    /// The peer was seen to leave out extended timestamps on `fmt 3` chunks.
    omits_extended: bool,
    restarted: u64,
}

#[derive(Debug, Clone, Copy)]
struct OpenChunk {
    /// Index in `streams`.
    stream: usize,
    /// Body bytes of this chunk that are still to come.
    left: usize,
}

/// What is remembered of a chunk stream.
#[derive(Debug)]
struct ChunkStream {
    csid: ChunkStreamId,
    msid: MessageStreamId,
    message_type: MessageType,
    /// Length of the current message.
    length: u32,
    /// Absolute, of the current message.
    timestamp: u32,
    delta: u32,
    /// The last header with a timestamp was fmt 0, so `delta` was not sent.
    is_absolute: bool,
    /// The extended field of the last header with a timestamp.
    extended: Option<u32>,
    /// The body so far, while a message is unfinished.
    partial: Option<Payload>,
}

/// A whole header at the front of some bytes.
#[derive(Debug)]
struct ParsedHeader {
    /// Bytes that it takes.
    size: usize,
    fmt: u8,
    csid: ChunkStreamId,
    /// fmt 0..2: timestamp or delta, the extended one if there is one.
    time: u32,
    /// fmt 0..3: the extended field, if it was there.
    extended: Option<u32>,
    /// fmt 0 and 1.
    length: u32,
    message_type: MessageType,
    /// fmt 0.
    msid: MessageStreamId,
    /// fmt 3 whose stream has an extended field that was not repeated here.
    is_omitted: bool,
}

impl ChunkDecoder {
    /// A decoder at the start of a connection, chunk size 128.
    pub fn new(limits: ChunkLimits) -> Self {
        Self {
            limits,
            chunk_size: CHUNK_SIZE_DEFAULT,
            streams: Vec::new(),
            open: None,
            staged: Vec::new(),
            partial_bytes: 0,
            omits_extended: false,
            restarted: 0,
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
        let mut rest = input;
        loop {
            let message = match self.open {
                Some(open) if self.staged.is_empty() => {
                    if rest.is_empty() && open.left > 0 {
                        return Ok((input.len(), None));
                    }
                    self.fill(open, &mut rest)?
                }
                Some(open) => {
                    let staged = std::mem::take(&mut self.staged);
                    let mut payload = staged.as_slice();
                    let message = self.fill(open, &mut payload)?;
                    self.staged = payload.to_vec();
                    message
                }
                None => {
                    let Some(header) = self.next_header(&mut rest)? else {
                        return Ok((input.len(), None));
                    };
                    self.open = Some(self.open_chunk(&header)?);
                    continue;
                }
            };
            if let Some(message) = message {
                return Ok((input.len() - rest.len(), Some(message)));
            }
        }
    }

    /// Chunk size in bytes of what follows, clamped to 1..=0xFF_FFFF.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = chunk_size.clamp(1, 0xFF_FFFF);
    }

    /// Drops the half-received message of a chunk stream; its header state stays.
    pub fn abort(&mut self, csid: ChunkStreamId) {
        let Some(index) = self.find(csid) else {
            return;
        };
        self.drop_partial(index);
        if self.open.is_some_and(|open| open.stream == index) {
            self.open = None;
        }
    }

    /// Messages that were given up because another one began inside them.
    pub fn restarted_messages(&self) -> u64 {
        self.restarted
    }

    /// Takes a header off the front of what was staged and `rest`. `None`: all of `rest` is
    /// staged and more is needed.
    fn next_header(&mut self, rest: &mut &[u8]) -> Result<Option<ParsedHeader>, ChunkError> {
        if self.staged.is_empty() {
            let header = self.parse_header(rest)?;
            match &header {
                Some(header) => *rest = rest.get(header.size..).unwrap_or_default(),
                None => self.staged.extend_from_slice(std::mem::take(rest)),
            }
            return Ok(header);
        }
        let mut joined = std::mem::take(&mut self.staged);
        let staged = joined.len();
        let borrowed = rest.len().min(HEADER_BYTES_MAX);
        joined.extend_from_slice(rest.get(..borrowed).unwrap_or_default());
        let Some(header) = self.parse_header(&joined)? else {
            self.staged = joined;
            *rest = rest.get(borrowed..).unwrap_or_default();
            return Ok(None);
        };
        if header.size < staged {
            // Staged bytes that were looked at as an extended timestamp and are payload.
            joined.truncate(staged);
            self.staged = joined.split_off(header.size);
        } else {
            *rest = rest.get(header.size - staged..).unwrap_or_default();
        }
        Ok(Some(header))
    }

    /// Reads a header at the front of `bytes`; `None` when it is not whole.
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<ParsedHeader>, ChunkError> {
        let mut reader = Reader::new(bytes);
        let Some((fmt, csid)) = read_basic_header(&mut reader) else {
            return Ok(None);
        };
        let known = self.find(csid).and_then(|index| self.streams.get(index));
        match (fmt, known) {
            (0 | 1, _) => {}
            (_, Some(_)) => {}
            (fmt, None) => {
                return Err(ChunkError::Desync { fmt, csid: csid.0 });
            }
        }
        let mut header = ParsedHeader {
            size: 0,
            fmt,
            csid,
            time: 0,
            extended: None,
            length: 0,
            message_type: MessageType(0),
            msid: MessageStreamId::CONNECTION,
            is_omitted: false,
        };
        let is_whole = match (fmt, known) {
            (3, Some(stream)) => self.read_repeated_time(&mut reader, stream, &mut header),
            _ => read_message_header(&mut reader, &mut header).is_ok(),
        };
        header.size = bytes.len() - reader.remaining();
        Ok(is_whole.then_some(header))
    }

    /// The extended timestamp of a fmt 3 chunk, which some peers repeat and others do not. False
    /// when more bytes are needed to tell.
    fn read_repeated_time(
        &self,
        reader: &mut Reader<'_>,
        stream: &ChunkStream,
        header: &mut ParsedHeader,
    ) -> bool {
        let Some(last) = stream.extended else {
            return true;
        };
        let is_begun = stream.partial.is_some();
        let owed = stream.owed().min(self.chunk_size);
        if self.omits_extended && owed < 4 {
            // Waiting for four bytes could stall the last chunk of a message.
            header.is_omitted = true;
            return true;
        }
        let mut ahead = *reader;
        let Ok(time) = ahead.u32() else {
            return false;
        };
        let same = |value: u32| time == value || time == value & 0x7FFF_FFFF;
        let near = |value: u32| time.wrapping_sub(value).min(value.wrapping_sub(time)) <= NEAR_MS;
        let is_time = if is_begun || self.omits_extended {
            same(last) || same(stream.timestamp)
        } else {
            near(last) || near(stream.timestamp.wrapping_add(stream.delta))
        };
        if is_time {
            *reader = ahead;
            header.extended = Some(time);
        } else {
            header.is_omitted = true;
        }
        true
    }

    /// Applies a header: begins a message or goes on with one.
    fn open_chunk(&mut self, header: &ParsedHeader) -> Result<OpenChunk, ChunkError> {
        self.omits_extended |= header.is_omitted;
        let index = match self.find(header.csid) {
            Some(index) => index,
            None => self.add_stream(header.csid)?,
        };
        if self.begins_anew(index, header) {
            self.drop_partial(index);
            self.restarted += 1;
        }
        let limits = self.limits;
        let chunk_size = self.chunk_size;
        let stream = self.streams.get_mut(index).expect("found or just added");
        if stream.partial.is_none() {
            stream.begin(header, &limits)?;
        }
        let left = usize::try_from(stream.owed().min(chunk_size)).unwrap_or(usize::MAX);
        Ok(OpenChunk {
            stream: index,
            left,
        })
    }

    /// Whether the header gives up an unfinished message. An equal length on fmt 1 and 2 is a
    /// continuation by an encoder that repeats its headers.
    fn begins_anew(&self, index: usize, header: &ParsedHeader) -> bool {
        self.streams.get(index).is_some_and(|stream| {
            stream.partial.is_some()
                && match header.fmt {
                    0 => true,
                    1 => header.length != stream.length,
                    _ => false,
                }
        })
    }

    /// Copies body bytes of the open chunk; gives the message when it is whole.
    fn fill(&mut self, open: OpenChunk, rest: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        let count = open.left.min(rest.len());
        let (bytes, behind) = rest.split_at_checked(count).unwrap_or_default();
        *rest = behind;
        self.partial_bytes += count;
        if self.partial_bytes > self.limits.partial_bytes_max {
            return Err(ChunkError::TooManyPartialBytes(
                self.limits.partial_bytes_max,
            ));
        }
        let left = open.left - count;
        self.open = (left > 0).then_some(OpenChunk { left, ..open });
        let stream = self
            .streams
            .get_mut(open.stream)
            .expect("streams are never removed");
        let Some(payload) = &mut stream.partial else {
            return Ok(None);
        };
        payload.extend_from_slice(bytes);
        if left > 0 || stream.owed() > 0 {
            return Ok(None);
        }
        let Some(payload) = stream.partial.take() else {
            return Ok(None);
        };
        self.partial_bytes -= payload.len();
        Ok(Some(Message {
            csid: stream.csid,
            msid: stream.msid,
            message_type: stream.message_type,
            timestamp: stream.timestamp,
            payload,
        }))
    }

    fn find(&self, csid: ChunkStreamId) -> Option<usize> {
        self.streams.iter().position(|stream| stream.csid == csid)
    }

    fn add_stream(&mut self, csid: ChunkStreamId) -> Result<usize, ChunkError> {
        if self.streams.len() >= self.limits.chunk_streams_max {
            return Err(ChunkError::TooManyChunkStreams(
                self.limits.chunk_streams_max,
            ));
        }
        self.streams.push(ChunkStream {
            csid,
            msid: MessageStreamId::CONNECTION,
            message_type: MessageType(0),
            length: 0,
            timestamp: 0,
            delta: 0,
            is_absolute: false,
            extended: None,
            partial: None,
        });
        Ok(self.streams.len() - 1)
    }

    fn drop_partial(&mut self, index: usize) {
        if let Some(stream) = self.streams.get_mut(index) {
            let dropped = stream.partial.take().map_or(0, |payload| payload.len());
            self.partial_bytes -= dropped;
        }
    }
}

impl ChunkStream {
    /// Body bytes of the current message, or of the next one if fmt 3 begins it, to come.
    fn owed(&self) -> u32 {
        let have = self.partial.as_ref().map_or(0, Payload::len);
        self.length
            .saturating_sub(u32::try_from(have).unwrap_or(u32::MAX))
    }

    /// A header at a message start.
    fn begin(&mut self, header: &ParsedHeader, limits: &ChunkLimits) -> Result<(), ChunkError> {
        match header.fmt {
            0 => {
                self.timestamp = header.time;
                self.delta = 0;
                self.msid = header.msid;
            }
            1 | 2 => {
                self.delta = header.time;
                self.timestamp = self.timestamp.wrapping_add(header.time);
            }
            _ => self.repeat_time(header.extended),
        }
        if header.fmt <= 2 {
            self.extended = header.extended;
            self.is_absolute = header.fmt == 0;
        }
        if header.fmt <= 1 {
            self.length = header.length;
            self.message_type = header.message_type;
        }
        let size = usize::try_from(self.length).unwrap_or(usize::MAX);
        if size > limits.message_size_max {
            return Err(ChunkError::MessageTooLarge {
                length: self.length,
                max: limits.message_size_max,
            });
        }
        self.partial = Some(Payload::with_capacity(size.min(RESERVE_MAX)));
        Ok(())
    }

    /// fmt 3 at a message start: the last delta again. Behind fmt 0 the specification takes its
    /// timestamp for the delta; see [`FMT0_DELTA_MAX`].
    fn repeat_time(&mut self, extended: Option<u32>) {
        match (self.is_absolute, extended) {
            (true, Some(time)) => self.timestamp = time,
            (true, None) => {
                if self.timestamp <= FMT0_DELTA_MAX {
                    self.delta = self.timestamp;
                }
                self.is_absolute = false;
                self.timestamp = self.timestamp.wrapping_add(self.delta);
            }
            (false, time) => {
                self.delta = time.unwrap_or(self.delta);
                self.timestamp = self.timestamp.wrapping_add(self.delta);
            }
        }
    }
}

/// fmt and csid; `None` when more bytes are needed.
fn read_basic_header(reader: &mut Reader<'_>) -> Option<(u8, ChunkStreamId)> {
    let first = reader.u8().ok()?;
    let csid = match first & 0x3F {
        0 => 64 + u32::from(reader.u8().ok()?),
        1 => {
            let low = u32::from(reader.u8().ok()?);
            64 + low + 256 * u32::from(reader.u8().ok()?)
        }
        csid => u32::from(csid),
    };
    Some((first >> 6, ChunkStreamId(csid)))
}

/// The message header of fmt 0, 1 and 2, with its extended timestamp.
fn read_message_header(
    reader: &mut Reader<'_>,
    header: &mut ParsedHeader,
) -> Result<(), Truncated> {
    header.time = reader.u24()?;
    if header.fmt <= 1 {
        header.length = reader.u24()?;
        header.message_type = MessageType(reader.u8()?);
    }
    if header.fmt == 0 {
        header.msid = MessageStreamId(reader.u32_le()?);
    }
    if header.time == header::TIMESTAMP_EXTENDED {
        header.time = reader.u32()?;
        header.extended = Some(header.time);
    }
    Ok(())
}
