//! The bits of H.264 that matter here: SPS, PPS, slice headers, recovery points.
//!
//! ITU-T H.264 §7.3.2.1, §7.3.2.2, §7.3.3, §E.1. The SPS reader takes what cameras send: a level
//! too low for the picture, a damaged VUI or stray bytes at the end cost the fields behind the
//! damage and nothing else.

use crate::media::codec::CodecError;
use crate::media::codec::bits::Bits;
use crate::media::codec::sps::{frame_rate, read_aspect_ratio, read_cropping, skip_video_signal};

use super::{NAL_IDR, nal_type};

/// Whether an SPS of this profile carries chroma format and bit depths.
pub(super) fn has_chroma_fields(profile: u8) -> bool {
    matches!(
        profile,
        44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 144 | 244
    )
}

/// How a picture's place in output order is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PicOrder {
    /// Type 0: low bits of the count in each slice header; this many of them, 4..=16.
    Lsb(u32),
    /// Type 1: from frame numbers and a table. Nobody uses it; we take decoding order.
    Table,
    /// Type 2: output order is decoding order.
    Decoding,
}

/// What a sequence parameter set says, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub struct Sps {
    /// `profile_idc`: 66 Baseline, 77 Main, 100 High.
    pub profile: u8,
    /// The six constraint flags and two zero bits.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// `seq_parameter_set_id`, 0..=31.
    pub id: u8,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample.
    pub bit_depth_chroma: u8,
    /// Whether slice headers carry a colour plane.
    pub separate_colour_planes: bool,
    /// Bits of `frame_num` in slice headers, 4..=16.
    pub frame_num_bits: u32,
    /// How output order is coded.
    pub pic_order: PicOrder,
    /// Whether slices may be fields.
    pub frame_mbs_only: bool,
    /// Picture width in pixels, cropping applied.
    pub width: u32,
    /// Picture height in pixels, cropping applied.
    pub height: u32,
    /// Sample aspect ratio, when the VUI gives one.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Frames per second by the VUI timing; a hint, since encoders write what they like.
    pub frame_rate: Option<f64>,
    /// `max_num_reorder_frames`: by how many frames output may lag behind decoding.
    pub reorder_frames_max: Option<u32>,
}

impl Sps {
    /// Reads an SPS NAL unit, header included.
    ///
    /// # Errors
    /// [`CodecError`] when it ends before the cropping rectangle or a field is out of range.
    /// A damaged VUI leaves `None` in the fields that come from it.
    pub fn parse(unit: &[u8]) -> Result<Self, CodecError> {
        let (_, payload) = unit.split_first().ok_or(CodecError::Truncated)?;
        let mut bits = Bits::of_nal(payload);
        let mut sps = Self::read(&mut bits)?;
        // What was read before a fault in the VUI stays.
        sps.read_vui(&mut bits).unwrap_or_default();
        Ok(sps)
    }

    fn read(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        let profile = bits.u8()?;
        let constraints = bits.u8()?;
        let level = bits.u8()?;
        let [.., id] = bits.ue_max("seq_parameter_set_id", 31)?.to_be_bytes();
        let mut sps = Self {
            profile,
            constraints,
            level,
            id,
            chroma_format: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            separate_colour_planes: false,
            frame_num_bits: 4,
            pic_order: PicOrder::Decoding,
            frame_mbs_only: true,
            width: 0,
            height: 0,
            sample_aspect_ratio: None,
            frame_rate: None,
            reorder_frames_max: None,
        };
        if has_chroma_fields(profile) {
            sps.read_chroma(bits)?;
        }
        sps.frame_num_bits = bits.ue_max("log2_max_frame_num_minus4", 12)? + 4;
        sps.pic_order = match bits.ue_max("pic_order_cnt_type", 2)? {
            0 => PicOrder::Lsb(bits.ue_max("log2_max_pic_order_cnt_lsb_minus4", 12)? + 4),
            1 => {
                bits.skip(1)?;
                bits.se()?;
                bits.se()?;
                for _ in 0..bits.ue_max("num_ref_frames_in_pic_order_cnt_cycle", 255)? {
                    bits.se()?;
                }
                PicOrder::Table
            }
            _ => PicOrder::Decoding,
        };
        bits.ue()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        sps.read_size(bits)?;
        Ok(sps)
    }

    fn read_chroma(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        let [.., chroma_format] = bits.ue_max("chroma_format_idc", 3)?.to_be_bytes();
        self.chroma_format = chroma_format;
        if chroma_format == 3 {
            self.separate_colour_planes = bits.flag()?;
        }
        let [.., luma] = bits.ue_max("bit_depth_luma_minus8", 6)?.to_be_bytes();
        let [.., chroma] = bits.ue_max("bit_depth_chroma_minus8", 6)?.to_be_bytes();
        self.bit_depth_luma = luma + 8;
        self.bit_depth_chroma = chroma + 8;
        bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            let lists = if chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(())
    }

    fn read_size(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        // 1024 macroblocks are 16 384 pixels, twice what level 6.2 allows at 16:9.
        let width_mbs = bits.ue_max("pic_width_in_mbs_minus1", 1023)? + 1;
        let height_units = bits.ue_max("pic_height_in_map_units_minus1", 1023)? + 1;
        self.frame_mbs_only = bits.flag()?;
        if !self.frame_mbs_only {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
        }
        bits.skip(1)?; // direct_8x8_inference_flag
        let fields = if self.frame_mbs_only { 1 } else { 2 };
        let size = (width_mbs * 16, height_units * 16 * fields);
        (self.width, self.height) = read_cropping(bits, size, self.chroma_format, fields)?;
        Ok(())
    }

    fn read_vui(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        if !bits.flag()? {
            return Ok(());
        }
        if bits.flag()? {
            self.sample_aspect_ratio = read_aspect_ratio(bits)?;
        }
        skip_video_signal(bits)?;
        if bits.flag()? {
            let units_in_tick = bits.u(32)?;
            let time_scale = bits.u(32)?;
            bits.skip(1)?; // fixed_frame_rate_flag
            // A tick is a field: two of them make a frame.
            self.frame_rate = frame_rate(time_scale, units_in_tick, 2.0);
        }
        let nal_hrd = bits.flag()?;
        if nal_hrd {
            skip_hrd(bits)?;
        }
        let vcl_hrd = bits.flag()?;
        if vcl_hrd {
            skip_hrd(bits)?;
        }
        if nal_hrd || vcl_hrd {
            bits.skip(1)?; // low_delay_hrd_flag
        }
        bits.skip(1)?; // pic_struct_present_flag
        if bits.flag()? {
            bits.skip(1)?; // motion_vectors_over_pic_boundaries_flag
            for _ in 0..4 {
                bits.ue()?; // two sizes, two motion vector lengths
            }
            self.reorder_frames_max = Some(bits.ue_max("max_num_reorder_frames", 16)?);
        }
        Ok(())
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), CodecError> {
    let mut last: i32 = 8;
    let mut next: i32 = 8;
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn skip_hrd(bits: &mut Bits<'_>) -> Result<(), CodecError> {
    let count = bits.ue_max("cpb_cnt_minus1", 31)? + 1;
    bits.skip(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..count {
        bits.ue()?; // bit_rate_value_minus1
        bits.ue()?; // cpb_size_value_minus1
        bits.skip(1)?; // cbr_flag
    }
    bits.skip(20) // three delay lengths, time_offset_length
}

/// The ids in a picture parameter set and the one flag that slice headers depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pps {
    /// `pic_parameter_set_id`, 0..=255.
    pub id: u8,
    /// `seq_parameter_set_id`, 0..=31.
    pub sps_id: u8,
}

impl Pps {
    /// Reads a PPS NAL unit, header included.
    ///
    /// # Errors
    /// [`CodecError`] when it ends too early or an id is out of range.
    pub fn parse(unit: &[u8]) -> Result<Self, CodecError> {
        let (_, payload) = unit.split_first().ok_or(CodecError::Truncated)?;
        let mut bits = Bits::of_nal(payload);
        let [.., id] = bits.ue_max("pic_parameter_set_id", 255)?.to_be_bytes();
        let [.., sps_id] = bits.ue_max("seq_parameter_set_id", 31)?.to_be_bytes();
        Ok(Self { id, sps_id })
    }
}

/// The start of a slice header, as far as it can be read without any parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceStart {
    /// Address of the first macroblock; 0 starts a picture.
    pub first_macroblock: u32,
    /// 0..=9; modulo 5: P, B, I, SP, SI.
    pub slice_type: u32,
    /// The picture parameter set that the slice refers to.
    pub pps_id: u8,
}

/// The part of a slice header that tells pictures apart and orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceHeader {
    /// The part before.
    pub start: SliceStart,
    /// `frame_num`.
    pub frame_num: u32,
    /// For a field: whether it is the bottom one.
    pub bottom_field: Option<bool>,
    /// `idr_pic_id` of an IDR picture.
    pub idr_pic_id: Option<u32>,
    /// `pic_order_cnt_lsb`, with [`PicOrder::Lsb`].
    pub pic_order_lsb: Option<u32>,
}

impl SliceStart {
    /// Reads the start of a slice NAL unit, header included.
    ///
    /// # Errors
    /// [`CodecError`] when it ends too early or a field is out of range.
    pub fn parse(unit: &[u8]) -> Result<Self, CodecError> {
        let (_, payload) = unit.split_first().ok_or(CodecError::Truncated)?;
        Self::read(&mut Bits::of_nal(payload))
    }

    fn read(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        let first_macroblock = bits.ue()?;
        let slice_type = bits.ue_max("slice_type", 9)?;
        let [.., pps_id] = bits.ue_max("pic_parameter_set_id", 255)?.to_be_bytes();
        Ok(Self {
            first_macroblock,
            slice_type,
            pps_id,
        })
    }
}

impl SliceHeader {
    /// Reads a slice NAL unit, header included, given the SPS that it refers to.
    ///
    /// # Errors
    /// [`CodecError`] when it ends too early or a field is out of range.
    pub fn parse(unit: &[u8], sps: &Sps) -> Result<Self, CodecError> {
        let (_, payload) = unit.split_first().ok_or(CodecError::Truncated)?;
        let mut bits = Bits::of_nal(payload);
        let start = SliceStart::read(&mut bits)?;
        if sps.separate_colour_planes {
            bits.skip(2)?;
        }
        let frame_num = bits.u(sps.frame_num_bits)?;
        let mut bottom_field = None;
        if !sps.frame_mbs_only && bits.flag()? {
            bottom_field = Some(bits.flag()?);
        }
        let idr_pic_id = match nal_type(unit) {
            NAL_IDR => Some(bits.ue_max("idr_pic_id", 65_535)?),
            _ => None,
        };
        let pic_order_lsb = match sps.pic_order {
            PicOrder::Lsb(width) => Some(bits.u(width)?),
            _ => None,
        };
        Ok(Self {
            start,
            frame_num,
            bottom_field,
            idr_pic_id,
            pic_order_lsb,
        })
    }
}

/// Whether an SEI NAL unit holds a recovery point: decoding may start here although the
/// picture is not an IDR picture (open GOPs, intra refresh). ITU-T H.264 §D.1.8.
pub fn has_recovery_point(sei: &[u8]) -> bool {
    let mut bits = Bits::of_nal(sei.get(1..).unwrap_or_default());
    while bits.remaining() > 16 {
        let (Ok(kind), Ok(size)) = (read_sei_number(&mut bits), read_sei_number(&mut bits)) else {
            return false;
        };
        if kind == 6 {
            return true;
        }
        if bits.skip(size.saturating_mul(8)).is_err() {
            return false;
        }
    }
    false
}

/// A number in SEI: bytes of 255 and one below that, summed up.
fn read_sei_number(bits: &mut Bits<'_>) -> Result<u32, CodecError> {
    let mut sum = 0_u32;
    loop {
        let byte = bits.u8()?;
        sum = sum.saturating_add(u32::from(byte));
        if byte != 255 {
            return Ok(sum);
        }
    }
}
