//! Where in its byte stream a decoder stands, so that another one can go on from there without
//! having seen what came before. Recordings keep one for the bytes behind a gap.
//!
//! As text, so that a person can read it where it is stored:
//!
//! ```text
//! size 4096 lane 1 left 17 timestamps unknown staged - / csid msid time delta extended length
//! type received / ...
//! ```
//! with one group of eight numbers for each chunk stream, `-` for what there is none of, and the
//! staged bytes of a header in hexadecimal.

use std::fmt;
use std::str::{FromStr, SplitAsciiWhitespace};

use super::{ChunkDecoder, ChunkLimits, HEADER_BYTES_MAX, Habit, Lane, to_usize};
use crate::rtmp::chunk::{CHUNK_SIZE_MAX, ChunkStreamId, MessageStreamId, Payload};
use crate::rtmp::message::MessageType;

/// Chunk streams that are remembered. Nobody uses more than a handful.
const LANES_MAX: usize = 32;

/// The state of a [`ChunkDecoder`] between two reads, without the bodies of its unfinished
/// messages: of those only the lengths are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkPlace {
    chunk_size: u32,
    current: usize,
    chunk_left: usize,
    habit: Habit,
    staged: Vec<u8>,
    /// At most [`LANES_MAX`].
    lanes: Vec<LanePlace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LanePlace {
    csid: u32,
    msid: u32,
    timestamp: u32,
    delta: u32,
    extended: Option<u32>,
    length: u32,
    message_type: u8,
    /// Bytes of the message under way, if there is one; below `length`.
    received: Option<usize>,
}

/// No decoder can stand at such a place, or not within its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place in a stream of chunks")]
pub struct NoPlace;

impl ChunkPlace {
    /// Bytes that one takes at most.
    pub const BYTES_MAX: usize = size_of::<Self>() + LANES_MAX * size_of::<LanePlace>() + 32;
}

impl ChunkDecoder {
    /// Where it stands; `None` if it has too many chunk streams to be remembered.
    pub fn place(&self) -> Option<ChunkPlace> {
        if self.lanes.len() > LANES_MAX {
            return None;
        }
        let staged = self.staged.get(..usize::from(self.staged_len));
        Some(ChunkPlace {
            chunk_size: self.chunk_size,
            current: self.current,
            chunk_left: self.chunk_left,
            habit: self.habit,
            staged: staged.unwrap_or_default().to_vec(),
            lanes: self.lanes.iter().map(Lane::place).collect(),
        })
    }

    /// A decoder that stands at `place`. What was received of unfinished messages is zeros.
    ///
    /// # Errors
    /// [`NoPlace`]: nobody can stand there, or not within `limits`.
    pub fn at_place(limits: ChunkLimits, place: &ChunkPlace) -> Result<Self, NoPlace> {
        let mut decoder = Self::new(limits);
        let limits = decoder.limits;
        let received = |lane: &LanePlace| lane.received.unwrap_or(0);
        let partial_bytes = place
            .lanes
            .iter()
            .map(received)
            .fold(0, usize::saturating_add);
        let is_lane_fine = |lane: &LanePlace| {
            to_usize(lane.length) <= limits.message_size_max
                && (received(lane) < to_usize(lane.length) || lane.received.is_none())
        };
        let left_max = match place.lanes.get(place.current) {
            Some(lane) => to_usize(lane.length) - received(lane).min(to_usize(lane.length)),
            None => 0,
        };
        let is_fine = place.lanes.len() <= limits.chunk_streams_max.min(LANES_MAX)
            && place.lanes.iter().all(is_lane_fine)
            && partial_bytes <= limits.partial_bytes_max
            && place.chunk_left <= left_max
            && place.staged.len() < HEADER_BYTES_MAX
            && (place.staged.is_empty() || place.chunk_left == 0)
            && (1..=CHUNK_SIZE_MAX).contains(&place.chunk_size);
        if !is_fine {
            return Err(NoPlace);
        }
        decoder.chunk_size = place.chunk_size;
        decoder.current = place.current;
        decoder.chunk_left = place.chunk_left;
        decoder.habit = place.habit;
        decoder.partial_bytes = partial_bytes;
        decoder.lanes = place.lanes.iter().map(LanePlace::lane).collect();
        decoder.stage(&place.staged);
        Ok(decoder)
    }
}

impl Lane {
    fn place(&self) -> LanePlace {
        LanePlace {
            csid: self.csid.0,
            msid: self.msid.0,
            timestamp: self.timestamp,
            delta: self.delta,
            extended: self.extended,
            length: self.length,
            message_type: self.message_type.0,
            received: self.partial.as_ref().map(Payload::len),
        }
    }
}

impl LanePlace {
    fn lane(&self) -> Lane {
        let body = |received: usize| Payload::from(&*vec![0; received]);
        Lane {
            csid: ChunkStreamId(self.csid),
            msid: MessageStreamId(self.msid),
            timestamp: self.timestamp,
            delta: self.delta,
            extended: self.extended,
            length: self.length,
            message_type: MessageType(self.message_type),
            partial: self.received.map(body),
        }
    }
}

const HABITS: [(Habit, &str); 3] = [
    (Habit::Unknown, "unknown"),
    (Habit::Repeats, "repeated"),
    (Habit::Omits, "omitted"),
];

impl fmt::Display for ChunkPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let habit = HABITS.iter().find(|(habit, _)| *habit == self.habit);
        let habit = habit.map_or("unknown", |(_, word)| word);
        let Self {
            chunk_size,
            current,
            chunk_left,
            ..
        } = self;
        write!(f, "size {chunk_size} lane {current} left {chunk_left}")?;
        write!(f, " timestamps {habit} staged ")?;
        if self.staged.is_empty() {
            f.write_str("-")?;
        }
        for byte in &self.staged {
            write!(f, "{byte:02x}")?;
        }
        for lane in &self.lanes {
            let LanePlace {
                csid,
                msid,
                timestamp,
                delta,
                length,
                message_type,
                ..
            } = lane;
            write!(f, " / {csid} {msid} {timestamp} {delta} ")?;
            write_some(f, lane.extended)?;
            write!(f, " {length} {message_type} ")?;
            write_some(f, lane.received)?;
        }
        Ok(())
    }
}

fn write_some(f: &mut fmt::Formatter<'_>, value: Option<impl fmt::Display>) -> fmt::Result {
    match value {
        Some(value) => write!(f, "{value}"),
        None => f.write_str("-"),
    }
}

impl FromStr for ChunkPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut groups = text.split('/');
        let mut words = groups.next().unwrap_or_default().split_ascii_whitespace();
        let place = Self {
            chunk_size: named(&mut words, "size")?,
            current: named(&mut words, "lane")?,
            chunk_left: named(&mut words, "left")?,
            habit: habit(&named::<String>(&mut words, "timestamps")?)?,
            staged: hexadecimal(&named::<String>(&mut words, "staged")?)?,
            lanes: groups
                .take(LANES_MAX + 1)
                .map(lane)
                .collect::<Result<_, _>>()?,
        };
        match (words.next(), place.lanes.len()) {
            (None, ..=LANES_MAX) => Ok(place),
            _ => Err(NoPlace),
        }
    }
}

fn named<T: FromStr>(words: &mut SplitAsciiWhitespace<'_>, name: &str) -> Result<T, NoPlace> {
    match words.next() {
        Some(word) if word == name => next(words),
        _ => Err(NoPlace),
    }
}

fn next<T: FromStr>(words: &mut SplitAsciiWhitespace<'_>) -> Result<T, NoPlace> {
    let value = words.next().and_then(|word| word.parse().ok());
    value.ok_or(NoPlace)
}

/// The next word; `-` is `None`.
fn next_some<T: FromStr>(words: &mut SplitAsciiWhitespace<'_>) -> Result<Option<T>, NoPlace> {
    match words.next() {
        Some("-") => Ok(None),
        Some(word) => word.parse().map(Some).map_err(|_| NoPlace),
        None => Err(NoPlace),
    }
}

fn habit(word: &str) -> Result<Habit, NoPlace> {
    let known = HABITS.iter().find(|(_, known)| *known == word);
    known.map(|(habit, _)| *habit).ok_or(NoPlace)
}

fn hexadecimal(word: &str) -> Result<Vec<u8>, NoPlace> {
    if word == "-" {
        return Ok(Vec::new());
    }
    if word.len() >= 2 * HEADER_BYTES_MAX || !word.len().is_multiple_of(2) {
        return Err(NoPlace);
    }
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = word.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or(NoPlace)
}

fn lane(text: &str) -> Result<LanePlace, NoPlace> {
    let mut words = text.split_ascii_whitespace();
    let lane = LanePlace {
        csid: next(&mut words)?,
        msid: next(&mut words)?,
        timestamp: next(&mut words)?,
        delta: next(&mut words)?,
        extended: next_some(&mut words)?,
        length: next(&mut words)?,
        message_type: next(&mut words)?,
        received: next_some(&mut words)?,
    };
    match words.next() {
        None => Ok(lane),
        Some(_) => Err(NoPlace),
    }
}

#[cfg(test)]
mod tests;
