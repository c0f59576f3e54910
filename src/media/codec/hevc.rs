//! HEVC: NAL unit types, the hvcC record, and what VPS, SPS, PPS and slice headers say.
//!
//! ISO/IEC 14496-15 §8.3.3 (hvcC), ITU-T H.265 §7.3 (syntax). As lenient as `avc.rs`: damage
//! costs the fields behind it.
//!
//! ```text
//! hvcC   1 | space:2 tier:1 profile:5 | compatibility u32 | constraints 48 bits | level
//!        | 1111 min_spatial_segmentation:12 | 111111 parallelism:2 | 111111 chroma_format:2
//!        | 11111 luma_depth-8:3 | 11111 chroma_depth-8:3 | average frame rate u16
//!        | constant:2 temporal_layers:3 nested:1 length_size-1:2 | arrays u8
//!        { complete:1 0 type:6 | count u16 { u16 length, NAL unit } * count } * arrays
//! ```

use crate::wire::{PutBytes, Reader};

use super::CodecError;
use super::avc::{cropped, frame_rate, read_aspect_ratio, read_parameter_sets};
use super::bits::Bits;
use super::nal;

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

/// `profile_tier_level()` of the whole stream, 12 bytes; the same bytes in SPS and hvcC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileTierLevel {
    /// `general_profile_space`, 0..=3.
    pub space: u8,
    /// `general_tier_flag`.
    pub is_high_tier: bool,
    /// `general_profile_idc`: 1 Main, 2 Main 10, 3 Main Still Picture.
    pub profile: u8,
    /// `general_profile_compatibility_flag`, first flag in the highest bit.
    pub compatibility: u32,
    /// The 48 constraint bits.
    pub constraints: [u8; 6],
    /// `general_level_idc`: thirty times the level.
    pub level: u8,
}

impl ProfileTierLevel {
    fn read(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        let space = bits.small(2)?;
        let is_high_tier = bits.flag()?;
        let profile = bits.small(5)?;
        let compatibility = bits.u(32)?;
        let mut constraints = [0; 6];
        for byte in &mut constraints {
            *byte = bits.u8()?;
        }
        Ok(Self {
            space,
            is_high_tier,
            profile,
            compatibility,
            constraints,
            level: bits.u8()?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        let tier = if self.is_high_tier { 0x20 } else { 0 };
        out.put_u8((self.space << 6) | tier | (self.profile & 0x1F));
        out.put_u32(self.compatibility);
        out.extend_from_slice(&self.constraints);
        out.put_u8(self.level);
    }
}

/// What a sequence parameter set says, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub struct Sps {
    /// Profile, tier and level.
    pub profile: ProfileTierLevel,
    /// `sps_seq_parameter_set_id`, 0..=15.
    pub id: u8,
    /// Number of temporal layers, 1..=7.
    pub temporal_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub temporal_id_nested: bool,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Whether slice headers carry a colour plane.
    pub separate_colour_planes: bool,
    /// Bits per luma sample.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample.
    pub bit_depth_chroma: u8,
    /// Picture width in pixels, conformance window applied.
    pub width: u32,
    /// Picture height in pixels, conformance window applied.
    pub height: u32,
    /// Bits of the picture order count in slice headers, 4..=16.
    pub pic_order_lsb_bits: u32,
    /// `sps_max_num_reorder_pics` of the highest layer: by how many pictures output may lag
    /// behind decoding.
    pub reorder_pics_max: Option<u32>,
    /// Sample aspect ratio, when the VUI gives one.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Pictures per second by the VUI timing; a hint, since encoders write what they like.
    pub frame_rate: Option<f64>,
}

impl Sps {
    /// Reads an SPS NAL unit, header included.
    ///
    /// # Errors
    /// [`CodecError`] when it ends before the picture order count or a field is out of range.
    /// Damage behind that leaves `None` in the fields that come later.
    pub fn parse(unit: &[u8]) -> Result<Self, CodecError> {
        let (_, payload) = unit.split_at_checked(2).ok_or(CodecError::Truncated)?;
        let mut bits = Bits::of_nal(payload);
        bits.skip(4)?; // sps_video_parameter_set_id
        let layers_minus1 = bits.small(3)?;
        if layers_minus1 > 6 {
            return Err(CodecError::OutOfRange {
                field: "sps_max_sub_layers_minus1",
                value: u32::from(layers_minus1),
            });
        }
        let temporal_id_nested = bits.flag()?;
        let profile = ProfileTierLevel::read(&mut bits)?;
        skip_sub_layers(&mut bits, layers_minus1)?;
        let [.., id] = bits.ue_max("sps_seq_parameter_set_id", 15)?.to_be_bytes();
        let mut sps = Self {
            profile,
            id,
            temporal_layers: layers_minus1 + 1,
            temporal_id_nested,
            chroma_format: 1,
            separate_colour_planes: false,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            width: 0,
            height: 0,
            pic_order_lsb_bits: 4,
            reorder_pics_max: None,
            sample_aspect_ratio: None,
            frame_rate: None,
        };
        sps.read_picture(&mut bits)?;
        // What was read before a fault stays.
        sps.read_rest(&mut bits).unwrap_or_default();
        Ok(sps)
    }

    fn read_picture(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        let [.., chroma_format] = bits.ue_max("chroma_format_idc", 3)?.to_be_bytes();
        self.chroma_format = chroma_format;
        if chroma_format == 3 {
            self.separate_colour_planes = bits.flag()?;
        }
        self.width = bits.ue_max("pic_width_in_luma_samples", 16_888)?;
        self.height = bits.ue_max("pic_height_in_luma_samples", 16_888)?;
        if bits.flag()? {
            let (sub_width, sub_height) = match chroma_format {
                1 => (2, 2),
                2 => (2, 1),
                _ => (1, 1),
            };
            let [left, right, top, bottom] = [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?];
            self.width = cropped(self.width, left, right, sub_width)?;
            self.height = cropped(self.height, top, bottom, sub_height)?;
        }
        let [.., luma] = bits.ue_max("bit_depth_luma_minus8", 8)?.to_be_bytes();
        let [.., chroma] = bits.ue_max("bit_depth_chroma_minus8", 8)?.to_be_bytes();
        self.bit_depth_luma = luma + 8;
        self.bit_depth_chroma = chroma + 8;
        self.pic_order_lsb_bits = bits.ue_max("log2_max_pic_order_cnt_lsb_minus4", 12)? + 4;
        Ok(())
    }

    fn read_rest(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        let layers = if bits.flag()? {
            self.temporal_layers
        } else {
            1
        };
        for _ in 0..layers {
            bits.ue()?; // sps_max_dec_pic_buffering_minus1
            self.reorder_pics_max = Some(bits.ue_max("sps_max_num_reorder_pics", 16)?);
            bits.ue()?; // sps_max_latency_increase_plus1
        }
        for _ in 0..6 {
            bits.ue()?; // coding block and transform sizes and depths
        }
        if bits.flag()? && bits.flag()? {
            skip_scaling_lists(bits)?;
        }
        bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
        if bits.flag()? {
            bits.skip(8)?; // pcm bit depths
            bits.ue()?;
            bits.ue()?;
            bits.skip(1)?;
        }
        skip_short_term_sets(bits)?;
        if bits.flag()? {
            for _ in 0..bits.ue_max("num_long_term_ref_pics_sps", 32)? {
                bits.skip(self.pic_order_lsb_bits + 1)?;
            }
        }
        bits.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
        if bits.flag()? {
            self.read_vui(bits)?;
        }
        Ok(())
    }

    fn read_vui(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        if bits.flag()? {
            self.sample_aspect_ratio = read_aspect_ratio(bits)?;
        }
        if bits.flag()? {
            bits.skip(1)?; // overscan_appropriate_flag
        }
        if bits.flag()? {
            bits.skip(4)?; // video_format, video_full_range_flag
            if bits.flag()? {
                bits.skip(24)?; // colour description
            }
        }
        if bits.flag()? {
            bits.ue()?; // chroma_sample_loc_type_top_field
            bits.ue()?; // chroma_sample_loc_type_bottom_field
        }
        bits.skip(3)?; // neutral_chroma_indication, field_seq, frame_field_info_present
        if bits.flag()? {
            for _ in 0..4 {
                bits.ue()?; // default display window
            }
        }
        if bits.flag()? {
            let units_in_tick = bits.u(32)?;
            let time_scale = bits.u(32)?;
            self.frame_rate = frame_rate(time_scale, units_in_tick, 1.0);
        }
        Ok(())
    }
}

/// The profile and level of each lower temporal layer.
fn skip_sub_layers(bits: &mut Bits<'_>, layers_minus1: u8) -> Result<(), CodecError> {
    if layers_minus1 == 0 {
        return Ok(());
    }
    let mut present = [(false, false); 8];
    for (index, layer) in present.iter_mut().enumerate() {
        let flags = (bits.flag()?, bits.flag()?);
        if index < usize::from(layers_minus1) {
            *layer = flags;
        }
    }
    for (has_profile, has_level) in present {
        bits.skip(if has_profile { 88 } else { 0 })?;
        bits.skip(if has_level { 8 } else { 0 })?;
    }
    Ok(())
}

/// `scaling_list_data()`, ITU-T H.265 §7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Result<(), CodecError> {
    for size_id in 0..4_u32 {
        let matrices = if size_id == 3 { 2 } else { 6 };
        for _ in 0..matrices {
            if !bits.flag()? {
                bits.ue()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size_id > 1 {
                bits.se()?; // scaling_list_dc_coef_minus8
            }
            for _ in 0..64_u32.min(1 << (4 + (size_id << 1))) {
                bits.se()?;
            }
        }
    }
    Ok(())
}

/// The `st_ref_pic_set()` list of an SPS, ITU-T H.265 §7.3.7.
fn skip_short_term_sets(bits: &mut Bits<'_>) -> Result<(), CodecError> {
    // Pictures in the set before: a predicted set has a flag for each, and one more.
    let mut pictures = 0_u32;
    for index in 0..bits.ue_max("num_short_term_ref_pic_sets", 64)? {
        if index > 0 && bits.flag()? {
            bits.skip(1)?; // delta_rps_sign
            bits.ue()?; // abs_delta_rps_minus1
            let mut kept = 0;
            for _ in 0..=pictures {
                // used_by_curr_pic_flag, else use_delta_flag.
                if bits.flag()? || bits.flag()? {
                    kept += 1;
                }
            }
            pictures = kept;
        } else {
            let negative = bits.ue_max("num_negative_pics", 16)?;
            let positive = bits.ue_max("num_positive_pics", 16)?;
            pictures = negative + positive;
            for _ in 0..pictures {
                bits.ue()?; // delta_poc_minus1
                bits.skip(1)?; // used_by_curr_pic_flag
            }
        }
    }
    Ok(())
}

/// What a picture parameter set says about slice headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pps {
    /// `pps_pic_parameter_set_id`, 0..=63.
    pub id: u8,
    /// `pps_seq_parameter_set_id`, 0..=15.
    pub sps_id: u8,
    /// `output_flag_present_flag`.
    pub has_output_flag: bool,
    /// `num_extra_slice_header_bits`, 0..=7.
    pub extra_slice_header_bits: u8,
}

impl Pps {
    /// Reads a PPS NAL unit, header included.
    ///
    /// # Errors
    /// [`CodecError`] when it ends too early or an id is out of range.
    pub fn parse(unit: &[u8]) -> Result<Self, CodecError> {
        let (_, payload) = unit.split_at_checked(2).ok_or(CodecError::Truncated)?;
        let mut bits = Bits::of_nal(payload);
        let [.., id] = bits.ue_max("pps_pic_parameter_set_id", 63)?.to_be_bytes();
        let [.., sps_id] = bits.ue_max("pps_seq_parameter_set_id", 15)?.to_be_bytes();
        bits.skip(1)?; // dependent_slice_segments_enabled_flag
        Ok(Self {
            id,
            sps_id,
            has_output_flag: bits.flag()?,
            extra_slice_header_bits: bits.small(3)?,
        })
    }
}

/// Whether a slice segment NAL unit is the first of its picture, and the PPS it refers to.
///
/// # Errors
/// [`CodecError`] when it ends too early or the id is out of range.
pub fn slice_start(unit: &[u8]) -> Result<(bool, u8), CodecError> {
    let header = NalHeader::parse(unit).ok_or(CodecError::Truncated)?;
    let mut bits = Bits::of_nal(unit.get(2..).unwrap_or_default());
    read_slice_start(&mut bits, header)
}

fn read_slice_start(bits: &mut Bits<'_>, header: NalHeader) -> Result<(bool, u8), CodecError> {
    let is_first = bits.flag()?;
    if header.is_irap() {
        bits.skip(1)?; // no_output_of_prior_pics_flag
    }
    let [.., pps_id] = bits.ue_max("slice_pic_parameter_set_id", 63)?.to_be_bytes();
    Ok((is_first, pps_id))
}

/// The low bits of the picture order count, from the first slice segment of a picture; 0 for
/// IDR pictures, which have none.
///
/// # Errors
/// [`CodecError`] when it ends too early or a field is out of range.
pub fn slice_pic_order_lsb(unit: &[u8], sps: &Sps, pps: &Pps) -> Result<u32, CodecError> {
    let header = NalHeader::parse(unit).ok_or(CodecError::Truncated)?;
    let mut bits = Bits::of_nal(unit.get(2..).unwrap_or_default());
    read_slice_start(&mut bits, header)?;
    if header.is_idr() {
        return Ok(0);
    }
    bits.skip(u32::from(pps.extra_slice_header_bits))?;
    bits.ue()?; // slice_type
    bits.skip(u32::from(pps.has_output_flag))?;
    if sps.separate_colour_planes {
        bits.skip(2)?;
    }
    bits.u(sps.pic_order_lsb_bits)
}

#[cfg(test)]
mod tests;
