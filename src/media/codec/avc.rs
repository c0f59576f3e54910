//! H.264: NAL unit types and the avcC record; `syntax.rs` reads what is inside the units.
//!
//! ISO/IEC 14496-15 §5.3.3, ITU-T H.264 §7.4.1.
//!
//! ```text
//! avcC   1 | profile | constraints | level | 111111 length_size-1 | 111 sps_count
//!        { u16 length, SPS } * sps_count | pps_count u8 { u16 length, PPS } * pps_count
//!        and for High profiles: 111111 chroma_format | 11111 luma_depth-8 | 11111 chroma_depth-8
//!        | sps_ext_count u8 { u16 length, SPS extension } * sps_ext_count
//! ```

mod syntax;

use crate::wire::{PutBytes, Reader};

use super::CodecError;
use super::nal;

use syntax::has_chroma_fields;

pub use syntax::{PicOrder, Pps, SliceHeader, SliceStart, Sps, has_recovery_point};

/// NAL unit type of a slice of a picture that is not an IDR picture.
pub const NAL_SLICE: u8 = 1;
/// Slice data partition A.
pub const NAL_PARTITION_A: u8 = 2;
/// Slice of an IDR picture.
pub const NAL_IDR: u8 = 5;
/// Supplemental enhancement information.
pub const NAL_SEI: u8 = 6;
/// Sequence parameter set.
pub const NAL_SPS: u8 = 7;
/// Picture parameter set.
pub const NAL_PPS: u8 = 8;
/// Access unit delimiter.
pub const NAL_AUD: u8 = 9;
/// End of sequence.
pub const NAL_END_OF_SEQUENCE: u8 = 10;
/// End of stream.
pub const NAL_END_OF_STREAM: u8 = 11;
/// Filler data.
pub const NAL_FILLER: u8 = 12;

/// The type of a NAL unit: low five bits of its first byte. 0 (unspecified) when empty.
pub fn nal_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1F)
}

/// Whether a frame of length-prefixed units holds a slice of an IDR picture.
pub fn has_idr(frame: &[u8], length_size: u8) -> bool {
    nal::length_prefixed(frame, length_size).any(|unit| nal_type(unit) == NAL_IDR)
}

/// The decoder configuration of ISO/IEC 14496-15, body of an AVC sequence header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvcConfig {
    /// `profile_idc` of the first SPS.
    pub profile: u8,
    /// The constraint flags of the first SPS.
    pub constraints: u8,
    /// `level_idc` of the first SPS.
    pub level: u8,
    /// Bytes of length before each NAL unit of the frames: 1, 2 or 4 (3 is read, since the field
    /// can say it).
    pub length_size: u8,
    /// Sequence parameter sets, with NAL header, at most 31.
    pub sps: Vec<Vec<u8>>,
    /// Picture parameter sets, with NAL header, at most 255.
    pub pps: Vec<Vec<u8>>,
}

impl AvcConfig {
    /// Reads an avcC record. The High profile fields at its end are not kept: they repeat the SPS.
    ///
    /// # Errors
    /// [`CodecError`] when the version is not 1 or a parameter set is cut short.
    pub fn parse(record: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(record);
        match reader.u8()? {
            1 => {}
            version => {
                return Err(CodecError::OutOfRange {
                    field: "configurationVersion",
                    value: u32::from(version),
                });
            }
        }
        let [profile, constraints, level, lengths] = reader.array()?;
        let sps_count = reader.u8()? & 0x1F;
        let sps = read_parameter_sets(&mut reader, sps_count)?;
        let pps_count = reader.u8()?;
        let pps = read_parameter_sets(&mut reader, pps_count)?;
        Ok(Self {
            profile,
            constraints,
            level,
            length_size: (lengths & 0x03) + 1,
            sps,
            pps,
        })
    }

    /// A configuration for frames with four-byte lengths, from parameter sets that include
    /// their NAL header. Profile and level are taken from the first SPS.
    ///
    /// # Errors
    /// [`CodecError::Missing`] without an SPS or PPS, [`CodecError::Truncated`] when the first SPS
    /// is shorter than four bytes.
    pub fn from_parameter_sets(sps: Vec<Vec<u8>>, pps: Vec<Vec<u8>>) -> Result<Self, CodecError> {
        let first = sps.first().ok_or(CodecError::Missing("SPS"))?;
        if pps.is_empty() {
            return Err(CodecError::Missing("PPS"));
        }
        let [_, profile, constraints, level] = *first.first_chunk().ok_or(CodecError::Truncated)?;
        Ok(Self {
            profile,
            constraints,
            level,
            length_size: 4,
            sps,
            pps,
        })
    }

    /// A configuration from the parameter sets inside a frame, for encoders that send no
    /// sequence header. `length_size` is the one of the frame's units.
    pub fn from_frame(frame: &[u8], length_size: u8) -> Option<Self> {
        let of_type = |wanted| {
            nal::length_prefixed(frame, length_size)
                .filter(|unit| nal_type(unit) == wanted)
                .map(<[u8]>::to_vec)
                .collect()
        };
        let config = Self::from_parameter_sets(of_type(NAL_SPS), of_type(NAL_PPS)).ok()?;
        Some(Self {
            length_size,
            ..config
        })
    }

    /// The avcC record. More than 31 SPS or 255 PPS, or one longer than 65 535 bytes, are left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, self.profile, self.constraints, self.level];
        out.put_u8(0xFC | (self.length_size.saturating_sub(1) & 0x03));
        put_parameter_sets(&mut out, &self.sps, 31, 0xE0);
        put_parameter_sets(&mut out, &self.pps, 255, 0);
        if has_chroma_fields(self.profile)
            && let Some(sps) = self.first_sps()
        {
            out.put_u8(0xFC | (sps.chroma_format & 0x03));
            out.put_u8(0xF8 | (sps.bit_depth_luma.saturating_sub(8) & 0x07));
            out.put_u8(0xF8 | (sps.bit_depth_chroma.saturating_sub(8) & 0x07));
            out.put_u8(0);
        }
        out
    }

    /// What the first SPS says, if it is readable.
    pub fn first_sps(&self) -> Option<Sps> {
        self.sps.first().and_then(|unit| Sps::parse(unit).ok())
    }

    /// The codec as HTML and DASH name it (RFC 6381), such as `avc1.64001f`.
    pub fn rfc6381(&self) -> String {
        format!(
            "avc1.{:02x}{:02x}{:02x}",
            self.profile, self.constraints, self.level
        )
    }
}

/// Reads `count` times a u16 length and that many bytes.
pub(super) fn read_parameter_sets(
    reader: &mut Reader<'_>,
    count: impl Into<u16>,
) -> Result<Vec<Vec<u8>>, CodecError> {
    let mut sets = Vec::new();
    for _ in 0..count.into() {
        let length = usize::from(reader.u16()?);
        sets.push(reader.bytes(length)?.to_vec());
    }
    Ok(sets)
}

fn put_parameter_sets(out: &mut Vec<u8>, sets: &[Vec<u8>], max: usize, count_flags: u8) {
    let kept: Vec<_> = sets
        .iter()
        .filter_map(|set| Some((u16::try_from(set.len()).ok()?, set)))
        .take(max)
        .collect();
    out.put_u8(count_flags | u8::try_from(kept.len()).unwrap_or(u8::MAX));
    for (length, set) in kept {
        out.put_u16(length);
        out.extend_from_slice(set);
    }
}

#[cfg(test)]
mod tests;
