//! Sample tables: where each sample is and when it is due, found by cursors.
//!
//! ISO/IEC 14496-12 §8.6.1 (stts, ctts), §8.6.2 (stss), §8.7 (stsz, stz2, stsc, stco, co64).
//!
//! ```text
//! stts  (count, delta)*                dts of the samples, by runs
//! ctts  (count, offset)*               pts - dts, by runs
//! stsz  size | size*                   one for all, or one each
//! stsc  (first chunk, samples, description)*   samples per chunk, from that chunk on
//! stco  offset*                        where each chunk starts in the file
//! stss  number*                        samples that can be decoded first; absent: all
//! ```

use super::boxes::{self, BoxKind, Boxes};
use super::{Mp4Error, cut_short};
use crate::wire::Reader;

/// A sample in the time of its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawSample {
    pub(super) offset: u64,
    pub(super) size: u32,
    /// In ticks of the media timescale.
    pub(super) dts: u64,
    /// pts - dts in ticks.
    pub(super) composition_offset: i32,
    pub(super) is_keyframe: bool,
    /// Index of the sample description, from 0.
    pub(super) description: usize,
}

/// Entries of one size behind the fields of a box. Never more of them than there are bytes for.
#[derive(Debug, Clone, Default)]
struct Entries {
    bytes: Vec<u8>,
    entry_size: usize,
}

impl Entries {
    /// Takes the version, the flags and the count, and of the entries what is there.
    fn parse(body: &[u8], kind: &BoxKind, entry_size: usize) -> Result<Self, Mp4Error> {
        let mut reader = Reader::new(body);
        boxes::version_and_flags(&mut reader, kind)?;
        let count = reader.u32().map_err(cut_short(kind))?;
        let declared = u64::from(count).saturating_mul(entry_size as u64);
        let size = usize::try_from(declared).unwrap_or(usize::MAX);
        let bytes = reader.bytes(size).map_err(cut_short(kind))?;
        Ok(Self {
            bytes: bytes.to_vec(),
            entry_size,
        })
    }

    fn get(&self, index: usize) -> Option<Reader<'_>> {
        let start = index.checked_mul(self.entry_size)?;
        let end = start.checked_add(self.entry_size)?;
        self.bytes.get(start..end).map(Reader::new)
    }

    fn u32(&self, index: usize) -> Option<u32> {
        self.get(index)?.u32().ok()
    }

    fn pair(&self, index: usize) -> Option<(u32, u32)> {
        let mut entry = self.get(index)?;
        Some((entry.u32().ok()?, entry.u32().ok()?))
    }
}

/// Sizes of the samples, in one of three forms.
#[derive(Debug, Clone)]
enum Sizes {
    Same {
        size: u32,
        count: u32,
    },
    Each(Entries),
    /// stz2: 4, 8 or 16 bits each.
    Compact {
        bits: u8,
        count: u32,
        bytes: Vec<u8>,
    },
}

impl Sizes {
    fn parse_stsz(body: &[u8]) -> Result<Self, Mp4Error> {
        let mut reader = Reader::new(body);
        boxes::version_and_flags(&mut reader, b"stsz")?;
        let size = reader.u32().map_err(cut_short(b"stsz"))?;
        let count = reader.u32().map_err(cut_short(b"stsz"))?;
        if size != 0 {
            return Ok(Self::Same { size, count });
        }
        // The table starts with its count, as the others do, if the first field is left out.
        let from_size = body.get(4..).unwrap_or_default();
        Entries::parse(from_size, b"stsz", 4).map(Self::Each)
    }

    fn parse_stz2(body: &[u8]) -> Result<Self, Mp4Error> {
        let mut reader = Reader::new(body);
        boxes::version_and_flags(&mut reader, b"stz2")?;
        let bits = reader.u32().map_err(cut_short(b"stz2"))? & 0xFF;
        let count = reader.u32().map_err(cut_short(b"stz2"))?;
        let bits = match bits {
            4 => 4_u8,
            8 => 8,
            16 => 16,
            other => {
                return Err(Mp4Error::OutOfRange {
                    field: "field_size",
                    value: u64::from(other),
                });
            }
        };
        let size = (u64::from(count) * u64::from(bits)).div_ceil(8);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = reader.bytes(size).map_err(cut_short(b"stz2"))?.to_vec();
        Ok(Self::Compact { bits, count, bytes })
    }

    fn get(&self, index: u32) -> Option<u32> {
        let at = usize::try_from(index).ok()?;
        match self {
            Self::Same { size, count } => (index < *count).then_some(*size),
            Self::Each(entries) => entries.u32(at),
            Self::Compact { count, .. } if index >= *count => None,
            Self::Compact {
                bits: 16, bytes, ..
            } => {
                let start = at.checked_mul(2)?;
                let pair = bytes.get(start..)?.first_chunk::<2>()?;
                Some(u32::from(u16::from_be_bytes(*pair)))
            }
            Self::Compact { bits: 8, bytes, .. } => bytes.get(at).map(|&size| u32::from(size)),
            Self::Compact { bytes, .. } => {
                let pair = u32::from(*bytes.get(at / 2)?);
                Some(if at % 2 == 0 { pair >> 4 } else { pair & 0x0F })
            }
        }
    }
}

/// A walk over runs of `(count, value)`.
#[derive(Debug, Clone, Copy, Default)]
struct RunCursor {
    next: usize,
    left: u32,
    value: u32,
}

impl RunCursor {
    /// The value of the next sample; `None` behind the last run.
    fn step(&mut self, runs: &Entries) -> Option<u32> {
        while self.left == 0 {
            (self.left, self.value) = runs.pair(self.next)?;
            self.next += 1;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// Place in a [`SampleTable`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    /// Index of the next sample.
    sample: u32,
    /// Chunks entered so far: the number of the current one, from 1.
    chunk: u32,
    left_in_chunk: u32,
    description: usize,
    /// Entries of stsc that have begun.
    stsc: usize,
    /// Where the next sample of the chunk starts.
    offset: u64,
    dts: u64,
    last_delta: u32,
    deltas: RunCursor,
    offsets: RunCursor,
    /// Entries of stss that are behind us.
    stss: usize,
}

/// The tables of one track.
#[derive(Debug, Clone)]
pub(super) struct SampleTable {
    stts: Entries,
    ctts: Entries,
    stsc: Entries,
    sizes: Sizes,
    chunks: Entries,
    stss: Option<Entries>,
}

impl SampleTable {
    /// Reads the tables of an stbl body.
    pub(super) fn parse(stbl: &[u8]) -> Result<Self, Mp4Error> {
        let mut stts = None;
        let mut ctts = Entries::default();
        let mut stsc = None;
        let mut sizes = None;
        let mut chunks = None;
        let mut stss = None;
        for found in Boxes::new(stbl) {
            let found = found?;
            let body = found.body;
            match &found.kind {
                b"stts" => stts = Some(Entries::parse(body, b"stts", 8)?),
                b"ctts" => ctts = Entries::parse(body, b"ctts", 8)?,
                b"stsc" => stsc = Some(Entries::parse(body, b"stsc", 12)?),
                b"stsz" => sizes = Some(Sizes::parse_stsz(body)?),
                b"stz2" => sizes = Some(Sizes::parse_stz2(body)?),
                b"stco" => chunks = Some(Entries::parse(body, b"stco", 4)?),
                b"co64" => chunks = Some(Entries::parse(body, b"co64", 8)?),
                b"stss" => stss = Some(Entries::parse(body, b"stss", 4)?),
                _ => {}
            }
        }
        Ok(Self {
            stts: stts.ok_or(Mp4Error::Missing(*b"stts"))?,
            ctts,
            stsc: stsc.ok_or(Mp4Error::Missing(*b"stsc"))?,
            sizes: sizes.ok_or(Mp4Error::Missing(*b"stsz"))?,
            chunks: chunks.ok_or(Mp4Error::Missing(*b"stco"))?,
            stss,
        })
    }

    /// The next sample, or `None` when one of the tables is over. Samples of no bytes are passed
    /// over; each has an entry of its own, so their number is bounded.
    pub(super) fn step(&self, cursor: &mut Cursor) -> Option<RawSample> {
        loop {
            let sample = self.step_any(cursor)?;
            if sample.size > 0 {
                return Some(sample);
            }
        }
    }

    fn step_any(&self, cursor: &mut Cursor) -> Option<RawSample> {
        let size = self.sizes.get(cursor.sample)?;
        while cursor.left_in_chunk == 0 {
            self.enter_chunk(cursor)?;
        }
        let sample = RawSample {
            offset: cursor.offset,
            size,
            dts: cursor.dts,
            // Read as signed in version 0 too: QuickTime writes negative offsets there.
            composition_offset: cursor.offsets.step(&self.ctts).map_or(0, u32::cast_signed),
            is_keyframe: self.is_keyframe(cursor),
            description: cursor.description,
        };
        cursor.left_in_chunk -= 1;
        cursor.offset = cursor.offset.saturating_add(u64::from(size));
        // A table that is too short goes on as it ended.
        if let Some(delta) = cursor.deltas.step(&self.stts) {
            cursor.last_delta = delta;
        }
        cursor.dts = cursor.dts.saturating_add(u64::from(cursor.last_delta));
        cursor.sample = cursor.sample.checked_add(1)?;
        Some(sample)
    }

    fn enter_chunk(&self, cursor: &mut Cursor) -> Option<()> {
        let mut chunk = self.chunks.get(usize::try_from(cursor.chunk).ok()?)?;
        cursor.offset = match self.chunks.entry_size {
            8 => chunk.u64().ok()?,
            _ => u64::from(chunk.u32().ok()?),
        };
        cursor.chunk = cursor.chunk.checked_add(1)?;
        while let Some((first_chunk, _)) = self.stsc.pair(cursor.stsc)
            && (first_chunk <= cursor.chunk)
        {
            cursor.stsc += 1;
        }
        let mut run = self.stsc.get(cursor.stsc.checked_sub(1)?)?;
        run.u32().ok()?;
        cursor.left_in_chunk = run.u32().ok()?;
        let description = run.u32().ok()?;
        cursor.description = usize::try_from(description.saturating_sub(1)).ok()?;
        Some(())
    }

    fn is_keyframe(&self, cursor: &mut Cursor) -> bool {
        let Some(stss) = &self.stss else {
            return true;
        };
        let number = cursor.sample.saturating_add(1);
        while stss.u32(cursor.stss).is_some_and(|key| key < number) {
            cursor.stss += 1;
        }
        stss.u32(cursor.stss) == Some(number)
    }

    /// The least composition offset, 0 if all are positive. Offsets below `floor` are taken
    /// for damage.
    pub(super) fn least_composition_offset(&self, floor: i32) -> i32 {
        let offsets = (0..).map_while(|index| self.ctts.pair(index));
        offsets
            .map(|(_, offset)| offset.cast_signed())
            .filter(|&offset| offset >= floor)
            .fold(0, i32::min)
    }
}
