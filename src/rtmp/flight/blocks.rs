//! The three blocks of pcapng that a recorded conversation is made of
//! (draft-ietf-opsawg-pcapng §4.1 to §4.3), little-endian as we write them:
//!
//! ```text
//! u32 type   u32 length   body, padded to 4   u32 length again
//! section header    0x0A0D0D0A  0x1A2B3C4D  u16 1  u16 0  u64 of ones  options
//! interface         1           u16 101 (raw IP)  u16 0  u32 0  options
//! enhanced packet   6           u32 interface  u32 time high  u32 time low  u32 kept  u32 whole
//!                               data, padded to 4   options
//! option            u16 code  u16 length  value, padded to 4; code 0 ends them
//! ```
//! Times are microseconds since the start of 1970, which is the default. By hand, since these
//! three are all: the crates that write pcapng bring a parser for all of it and their own
//! versions of what stands here already.

use std::time::Duration;

use super::{Direction, FlightError};
use crate::wire::{PutBytes, Reader};

const SECTION: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const LINKTYPE_RAW: u16 = 101;

const OPTION_COMMENT: u16 = 1;
/// In an interface.
const OPTION_NAME: u16 = 2;
/// In a packet: bits 0 and 1 tell the direction.
const OPTION_FLAGS: u16 = 2;
/// In a section header: which program wrote it.
const OPTION_PROGRAM: u16 = 4;

/// Type, and length twice.
const FRAME_BYTES: usize = 12;

/// Appends a section header.
pub(super) fn put_section(out: &mut Vec<u8>, comment: &str, program: &str) {
    put_block(out, SECTION, |out| {
        out.put_u32_le(BYTE_ORDER);
        put_u16(out, 1);
        put_u16(out, 0);
        // The section's length: not said.
        out.put_u64(u64::MAX);
        put_option(out, OPTION_COMMENT, comment.as_bytes());
        put_option(out, OPTION_PROGRAM, program.as_bytes());
        put_option(out, 0, &[]);
    });
}

/// Appends an interface; packets behind it are of this one.
pub(super) fn put_interface(out: &mut Vec<u8>, name: &str) {
    put_block(out, INTERFACE, |out| {
        put_u16(out, LINKTYPE_RAW);
        put_u16(out, 0);
        out.put_u32_le(0);
        put_option(out, OPTION_NAME, name.as_bytes());
        put_option(out, 0, &[]);
    });
}

/// Appends a packet.
pub(super) fn put_packet(
    out: &mut Vec<u8>,
    time: Duration,
    direction: Option<Direction>,
    data: &[u8],
) {
    put_block(out, PACKET, |out| {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        out.put_u32_le(0);
        out.put_u32_le(u32::try_from(micros >> 32).unwrap_or(u32::MAX));
        out.put_u32_le(u32::try_from(micros & 0xFFFF_FFFF).unwrap_or(u32::MAX));
        out.put_u32_le(length);
        out.put_u32_le(length);
        out.extend_from_slice(data);
        pad(out);
        if let Some(direction) = direction {
            let flags: u32 = match direction {
                Direction::Received => 1,
                Direction::Sent => 2,
            };
            put_option(out, OPTION_FLAGS, &flags.to_le_bytes());
            put_option(out, 0, &[]);
        }
    });
}

/// Every block begins at a multiple of 4, so padding counts from the start of the file.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    // The text of the facts is far below this: names of streams are bounded.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    put_u16(out, code);
    put_u16(out, length);
    out.extend_from_slice(value.get(..usize::from(length)).unwrap_or(value));
    pad(out);
}

fn put_block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32_le(kind);
    out.put_u32_le(0);
    body(out);
    let length = u32::try_from(out.len() - start + 4).unwrap_or(u32::MAX);
    out.put_u32_le(length);
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// A block that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// A whole packet.
    Packet { time: Duration, data: &'a [u8] },
    /// Anything else: names, statistics, what later versions add.
    Other,
}

/// Reads a file block by block.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    file: &'a [u8],
    /// `at <= file.len()`
    at: usize,
    comment: &'a str,
}

impl<'a> Blocks<'a> {
    /// Reads the section header.
    ///
    /// # Errors
    /// [`FlightError`].
    pub(super) fn new(file: &'a [u8]) -> Result<Self, FlightError> {
        let mut blocks = Self {
            file,
            at: 0,
            comment: "",
        };
        let is_capture = Reader::new(file).u32_le() == Ok(SECTION);
        if !is_capture {
            return Err(FlightError::Foreign);
        }
        // Ours are little-endian, and so the length is read right.
        let order = file.get(8..FRAME_BYTES);
        if order.is_some_and(|order| order != BYTE_ORDER.to_le_bytes()) {
            return Err(FlightError::OtherCapture);
        }
        let Some((_, body)) = blocks.raw()? else {
            return Err(FlightError::Truncated(0));
        };
        // Byte order, version, length.
        let options = body.get(16..).unwrap_or_default();
        let comment = find_option(options, OPTION_COMMENT).unwrap_or_default();
        blocks.comment = std::str::from_utf8(comment).map_err(|_| FlightError::OtherCapture)?;
        Ok(blocks)
    }

    /// The comment of the section header; may be empty.
    pub(super) fn comment(&self) -> &'a str {
        self.comment
    }

    /// The next block and where it begins.
    ///
    /// # Errors
    /// [`FlightError`]; there is no going on behind it.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Block<'a>)>, FlightError> {
        let at = self.at;
        let Some((kind, body)) = self.raw()? else {
            return Ok(None);
        };
        let damaged = |what| FlightError::Damaged { at, what };
        let block = match kind {
            SECTION => return Err(damaged("a second capture behind the first")),
            INTERFACE if body.get(..2) != Some(&LINKTYPE_RAW.to_le_bytes()) => {
                return Err(damaged("packets of another kind of network"));
            }
            PACKET => packet(body).ok_or_else(|| damaged("a packet that cannot be read"))?,
            _ => Block::Other,
        };
        Ok(Some((at, block)))
    }

    fn raw(&mut self) -> Result<Option<(u32, &'a [u8])>, FlightError> {
        let at = self.at;
        let rest = self.file.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(rest);
        let truncated = FlightError::Truncated(at);
        let kind = reader.u32_le().map_err(|_| truncated)?;
        let stated = reader.u32_le().map_err(|_| truncated)?;
        let damaged = FlightError::Damaged {
            at,
            what: "the length of a block",
        };
        let length = usize::try_from(stated).map_err(|_| damaged)?;
        let body_length = length.checked_sub(FRAME_BYTES).ok_or(damaged)?;
        if length % 4 != 0 {
            return Err(damaged);
        }
        let body = reader.bytes(body_length).map_err(|_| truncated)?;
        if reader.u32_le().map_err(|_| truncated)? != stated {
            return Err(damaged);
        }
        self.at = at + length;
        Ok(Some((kind, body)))
    }
}

fn packet(body: &[u8]) -> Option<Block<'_>> {
    let mut reader = Reader::new(body);
    let _interface = reader.u32_le().ok()?;
    let high = u64::from(reader.u32_le().ok()?);
    let low = u64::from(reader.u32_le().ok()?);
    let kept = usize::try_from(reader.u32_le().ok()?).ok()?;
    let whole = usize::try_from(reader.u32_le().ok()?).ok()?;
    let data = reader.bytes(kept).ok()?;
    let time = Duration::from_micros(high << 32 | low);
    (kept == whole).then_some(Block::Packet { time, data })
}

/// The value of the first option with this code.
fn find_option(options: &[u8], code: u16) -> Option<&[u8]> {
    let mut reader = Reader::new(options);
    loop {
        let found = u16::from_le_bytes(reader.array().ok()?);
        let length = usize::from(u16::from_le_bytes(reader.array().ok()?));
        if found == 0 {
            return None;
        }
        let value = reader.bytes(length).ok()?;
        if found == code {
            return Some(value);
        }
        reader.bytes(length.next_multiple_of(4) - length).ok()?;
    }
}
