//! The bits of HEVC that matter here: SPS, PPS, slice headers.
//!
//! ITU-T H.265 §7.3.2.2, §7.3.2.3, §7.3.6, §E.2.1. As lenient as its H.264 counterpart: damage
//! costs the fields behind it.

use crate::media::codec::CodecError;
use crate::media::codec::bits::Bits;
use crate::media::codec::sps::{frame_rate, read_aspect_ratio, read_cropping, skip_video_signal};
use crate::wire::PutBytes;

use super::NalHeader;

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
    pub(super) fn read(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
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

    pub(super) fn put(&self, out: &mut Vec<u8>) {
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
        let width = bits.ue_max("pic_width_in_luma_samples", 16_888)?;
        let height = bits.ue_max("pic_height_in_luma_samples", 16_888)?;
        (self.width, self.height) = read_cropping(bits, (width, height), chroma_format, 1)?;
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
        skip_video_signal(bits)?;
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
