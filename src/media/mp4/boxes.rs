//! Boxes: their headers, in a file and in memory.
//!
//! ISO/IEC 14496-12 §4.2:
//!
//! ```text
//! size u32 | kind [u8; 4] | [size u64, if the first is 1] | body
//! size counts the header; 0 reaches to the end of the file
//! ```

use super::{Mp4Error, cut_short};
use crate::wire::Reader;

/// Name of a box.
pub type BoxKind = [u8; 4];

/// Longest header of a box that we read.
pub const BOX_HEADER_SIZE_MAX: usize = 16;

/// The first bytes of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHeader {
    /// Name.
    pub kind: BoxKind,
    /// Bytes of header; `header_size <= size`.
    pub header_size: u8,
    /// Bytes of the whole, header included. May be more than there are, when the file is cut.
    pub size: u64,
}

impl BoxHeader {
    /// Reads a header at the start of `bytes`, which may be [`BOX_HEADER_SIZE_MAX`] or fewer
    /// when the file has no more. `left` counts the bytes from here to the end of the file;
    /// a box of size 0 gets that size.
    ///
    /// # Errors
    /// [`Mp4Error::CutShort`] when the header is not there whole, [`Mp4Error::BoxSize`] when the
    /// box claims to be shorter than its header, or to end past 2^63.
    pub fn parse(bytes: &[u8], left: u64) -> Result<Self, Mp4Error> {
        let mut reader = Reader::new(bytes);
        let short = reader.u32().map_err(cut_short(b"    "))?;
        let kind = reader.array().map_err(cut_short(b"    "))?;
        let (header_size, size) = match short {
            0 => (8, left),
            1 => (16, reader.u64().map_err(cut_short(&kind))?),
            size => (8, u64::from(size)),
        };
        if size < u64::from(header_size) || size > u64::MAX / 2 {
            return Err(Mp4Error::BoxSize { kind, size, left });
        }
        Ok(Self {
            kind,
            header_size,
            size,
        })
    }

    /// Bytes of the body.
    pub fn body_size(&self) -> u64 {
        self.size.saturating_sub(u64::from(self.header_size))
    }
}

/// A box in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mp4Box<'a> {
    pub(super) kind: BoxKind,
    pub(super) body: &'a [u8],
}

/// The boxes that fill `bytes`, in order. A box that does not fit ends it with an error; fewer
/// than eight bytes at the end are padding (QuickTime ends lists with a zero).
#[derive(Debug, Clone)]
pub(super) struct Boxes<'a> {
    rest: &'a [u8],
}

impl<'a> Boxes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self) -> Result<Mp4Box<'a>, Mp4Error> {
        let left = self.rest.len() as u64;
        let header = BoxHeader::parse(self.rest, left)?;
        let too_large = Mp4Error::BoxSize {
            kind: header.kind,
            size: header.size,
            left,
        };
        let size = usize::try_from(header.size).map_err(|_| too_large)?;
        let (whole, rest) = self.rest.split_at_checked(size).ok_or(too_large)?;
        self.rest = rest;
        let body = whole.get(usize::from(header.header_size)..);
        Ok(Mp4Box {
            kind: header.kind,
            body: body.unwrap_or_default(),
        })
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Mp4Box<'a>, Mp4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < 8 {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}

/// The body of the first box of this kind in `bytes`.
pub(super) fn find<'a>(bytes: &'a [u8], kind: &BoxKind) -> Result<Option<&'a [u8]>, Mp4Error> {
    for found in Boxes::new(bytes) {
        let found = found?;
        if found.kind == *kind {
            return Ok(Some(found.body));
        }
    }
    Ok(None)
}

/// As [`find`], for a box that must be there.
pub(super) fn need<'a>(bytes: &'a [u8], kind: &BoxKind) -> Result<&'a [u8], Mp4Error> {
    find(bytes, kind)?.ok_or(Mp4Error::Missing(*kind))
}

/// Version and flags, the first four bytes of a full box.
pub(super) fn version_and_flags(
    reader: &mut Reader<'_>,
    kind: &BoxKind,
) -> Result<(u8, u32), Mp4Error> {
    let [version, f2, f1, f0] = reader.array().map_err(cut_short(kind))?;
    Ok((version, u32::from_be_bytes([0, f2, f1, f0])))
}
