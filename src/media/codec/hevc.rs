//! HEVC: NAL unit types and the hvcC record; `syntax.rs` reads what is inside the units.
//!
//! ISO/IEC 14496-15 §8.3.3, ITU-T H.265 §7.4.2.
//!
//! ```text
//! hvcC   1 | space:2 tier:1 profile:5 | compatibility u32 | constraints 48 bits | level
//!        | 1111 min_spatial_segmentation:12 | 111111 parallelism:2 | 111111 chroma_format:2
//!        | 11111 luma_depth-8:3 | 11111 chroma_depth-8:3 | average frame rate u16
//!        | constant:2 temporal_layers:3 nested:1 length_size-1:2 | arrays u8
//!        { complete:1 0 type:6 | count u16 { u16 length, NAL unit } * count } * arrays
//! ```

mod syntax;

use crate::wire::{PutBytes, Reader};

use super::CodecError;
use super::avc::read_parameter_sets;
use super::bits::Bits;
use super::nal;

pub use syntax::{Pps, ProfileTierLevel, Sps, slice_pic_order_lsb, slice_start};

/// First type of intra random access point pictures (BLA, IDR, CRA).
pub const NAL_IRAP_FIRST: u8 = 16;
/// Last type of intra random access point pictures, the reserved two included.
pub const NAL_IRAP_LAST: u8 = 23;
/// Instantaneous decoding refresh with leading pictures.
pub const NAL_IDR_W_RADL: u8 = 19;
/// Instantaneous decoding refresh without leading pictures.
pub const NAL_IDR_N_LP: u8 = 20;
/// Clean random access.
pub const NAL_CRA: u8 = 21;
/// Video parameter set.
pub const NAL_VPS: u8 = 32;
/// Sequence parameter set.
pub const NAL_SPS: u8 = 33;
/// Picture parameter set.
pub const NAL_PPS: u8 = 34;
/// Access unit delimiter.
pub const NAL_AUD: u8 = 35;
/// End of sequence.
pub const NAL_END_OF_SEQUENCE: u8 = 36;
/// End of bitstream.
pub const NAL_END_OF_BITSTREAM: u8 = 37;
/// Filler data.
pub const NAL_FILLER: u8 = 38;
/// Supplemental enhancement information before the picture.
pub const NAL_SEI_PREFIX: u8 = 39;
/// Supplemental enhancement information behind the picture.
pub const NAL_SEI_SUFFIX: u8 = 40;

/// The two bytes before the payload: `0 type:6 layer:6 temporal_id+1:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NalHeader {
    /// `nal_unit_type`, 0..=63.
    pub nal_type: u8,
    /// `nuh_layer_id`; 0 is the base layer, the only one that we care for.
    pub layer_id: u8,
    /// `TemporalId`, 0..=6; 0 as well when the field is 0, which is forbidden.
    pub temporal_id: u8,
}

impl NalHeader {
    /// Reads the header of a unit; `None` when it is shorter than that.
    pub fn parse(unit: &[u8]) -> Option<Self> {
        let [first, second] = *unit.first_chunk()?;
        Some(Self {
            nal_type: (first >> 1) & 0x3F,
            layer_id: ((first & 1) << 5) | (second >> 3),
            temporal_id: (second & 0x07).saturating_sub(1),
        })
    }

    /// Whether this is slice data.
    pub fn is_slice(self) -> bool {
        self.nal_type < 32
    }

    /// Whether decoding can start at this picture.
    pub fn is_irap(self) -> bool {
        (NAL_IRAP_FIRST..=NAL_IRAP_LAST).contains(&self.nal_type)
    }

    /// Whether this is a slice of an IDR picture.
    pub fn is_idr(self) -> bool {
        matches!(self.nal_type, NAL_IDR_W_RADL | NAL_IDR_N_LP)
    }
}

/// The type of a NAL unit, or 63 (unspecified) when it is shorter than its header.
pub fn nal_type(unit: &[u8]) -> u8 {
    NalHeader::parse(unit).map_or(63, |header| header.nal_type)
}

/// Whether a frame of length-prefixed units holds a slice at which decoding can start.
pub fn has_irap(frame: &[u8], length_size: u8) -> bool {
    nal::length_prefixed(frame, length_size)
        .any(|unit| NalHeader::parse(unit).is_some_and(NalHeader::is_irap))
}

/// The decoder configuration of ISO/IEC 14496-15, body of an HEVC sequence header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HevcConfig {
    /// Profile, tier and level.
    pub profile: ProfileTierLevel,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample.
    pub bit_depth_chroma: u8,
    /// Number of temporal layers, 0 when unknown.
    pub temporal_layers: u8,
    /// Whether temporal layers may be switched up at any point.
    pub temporal_id_nested: bool,
    /// Bytes of length before each NAL unit of the frames: 1, 2 or 4 (3 is read, since the field
    /// can say it).
    pub length_size: u8,
    /// Video parameter sets, with NAL header.
    pub vps: Vec<Vec<u8>>,
    /// Sequence parameter sets, with NAL header.
    pub sps: Vec<Vec<u8>>,
    /// Picture parameter sets, with NAL header.
    pub pps: Vec<Vec<u8>>,
}

impl HevcConfig {
    /// Reads an hvcC record. SEI arrays are not kept.
    ///
    /// # Errors
    /// [`CodecError`] when the version is above 1 (drafts wrote 0) or an array is cut short.
    pub fn parse(record: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(record);
        let version = reader.u8()?;
        if version > 1 {
            return Err(CodecError::OutOfRange {
                field: "configurationVersion",
                value: u32::from(version),
            });
        }
        let profile = ProfileTierLevel::read(&mut Bits::new(reader.bytes(12)?))?;
        reader.bytes(3)?; // minimal segmentation, parallelism
        let [chroma, luma_depth, chroma_depth] = reader.array()?;
        reader.u16()?; // average frame rate
        let layers = reader.u8()?;
        let mut config = Self {
            profile,
            chroma_format: chroma & 0x03,
            bit_depth_luma: (luma_depth & 0x07) + 8,
            bit_depth_chroma: (chroma_depth & 0x07) + 8,
            temporal_layers: (layers >> 3) & 0x07,
            temporal_id_nested: layers & 0x04 != 0,
            length_size: (layers & 0x03) + 1,
            vps: Vec::new(),
            sps: Vec::new(),
            pps: Vec::new(),
        };
        for _ in 0..reader.u8()? {
            let nal_type = reader.u8()? & 0x3F;
            let count = reader.u16()?;
            let sets = read_parameter_sets(&mut reader, count)?;
            match nal_type {
                NAL_VPS => config.vps.extend(sets),
                NAL_SPS => config.sps.extend(sets),
                NAL_PPS => config.pps.extend(sets),
                _ => {}
            }
        }
        Ok(config)
    }

    /// A configuration for frames with four-byte lengths, from parameter sets that include their
    /// NAL header. The general fields are taken from the first SPS.
    ///
    /// # Errors
    /// [`CodecError::Missing`] without a VPS, SPS or PPS; as [`Sps::parse`] when the SPS is not readable.
    pub fn from_parameter_sets(
        vps: Vec<Vec<u8>>,
        sps: Vec<Vec<u8>>,
        pps: Vec<Vec<u8>>,
    ) -> Result<Self, CodecError> {
        if vps.is_empty() {
            return Err(CodecError::Missing("VPS"));
        }
        if pps.is_empty() {
            return Err(CodecError::Missing("PPS"));
        }
        let first = Sps::parse(sps.first().ok_or(CodecError::Missing("SPS"))?)?;
        Ok(Self {
            profile: first.profile,
            chroma_format: first.chroma_format,
            bit_depth_luma: first.bit_depth_luma,
            bit_depth_chroma: first.bit_depth_chroma,
            temporal_layers: first.temporal_layers,
            temporal_id_nested: first.temporal_id_nested,
            length_size: 4,
            vps,
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
        let config =
            Self::from_parameter_sets(of_type(NAL_VPS), of_type(NAL_SPS), of_type(NAL_PPS)).ok()?;
        Some(Self {
            length_size,
            ..config
        })
    }

    /// The hvcC record. Parameter sets longer than 65 535 bytes are left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1];
        self.profile.put(&mut out);
        out.put_u16(0xF000); // minimal spatial segmentation: none known
        out.put_u8(0xFC); // parallelism: unknown
        out.put_u8(0xFC | (self.chroma_format & 0x03));
        out.put_u8(0xF8 | (self.bit_depth_luma.saturating_sub(8) & 0x07));
        out.put_u8(0xF8 | (self.bit_depth_chroma.saturating_sub(8) & 0x07));
        out.put_u16(0); // average frame rate: unknown
        out.put_u8(
            ((self.temporal_layers & 0x07) << 3)
                | if self.temporal_id_nested { 0x04 } else { 0 }
                | (self.length_size.saturating_sub(1) & 0x03),
        );
        let arrays = [
            (NAL_VPS, &self.vps),
            (NAL_SPS, &self.sps),
            (NAL_PPS, &self.pps),
        ];
        out.put_u8(3);
        for (nal_type, sets) in arrays {
            put_array(&mut out, nal_type, sets);
        }
        out
    }

    /// What the first SPS says, if it is readable.
    pub fn first_sps(&self) -> Option<Sps> {
        self.sps.first().and_then(|unit| Sps::parse(unit).ok())
    }

    /// The codec as HTML and DASH name it (ISO/IEC 14496-15 §E.3), such as `hvc1.1.6.L93.B0`.
    pub fn rfc6381(&self) -> String {
        let profile = &self.profile;
        let space = match profile.space {
            1 => "A",
            2 => "B",
            3 => "C",
            _ => "",
        };
        let tier = if profile.is_high_tier { 'H' } else { 'L' };
        let mut name = format!(
            "hvc1.{space}{}.{:x}.{tier}{}",
            profile.profile,
            profile.compatibility.reverse_bits(),
            profile.level
        );
        let kept = profile
            .constraints
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        for byte in profile.constraints.iter().take(kept) {
            name.push_str(&format!(".{byte:X}"));
        }
        name
    }
}

/// Whether a record is an hvcC and cannot be an avcC. OBS before 29.1 labels HEVC as AVC, and
/// both records begin with a version of 1.
pub fn is_hevc_record(record: &[u8]) -> bool {
    let is_avc = super::avc::AvcConfig::parse(record).is_ok_and(|config| {
        config
            .sps
            .first()
            .is_some_and(|sps| super::avc::nal_type(sps) == super::avc::NAL_SPS)
    });
    !is_avc && HevcConfig::parse(record).is_ok_and(|config| !config.sps.is_empty())
}

fn put_array(out: &mut Vec<u8>, nal_type: u8, sets: &[Vec<u8>]) {
    let kept: Vec<_> = sets
        .iter()
        .filter_map(|set| Some((u16::try_from(set.len()).ok()?, set)))
        .take(usize::from(u16::MAX))
        .collect();
    // All sets of this type are here and none in the frames.
    out.put_u8(0x80 | nal_type);
    out.put_u16(u16::try_from(kept.len()).unwrap_or(u16::MAX));
    for (length, set) in kept {
        out.put_u16(length);
        out.extend_from_slice(set);
    }
}

#[cfg(test)]
mod tests;
