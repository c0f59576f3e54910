//! What the sequence parameter sets of H.264 and H.265 have in common.
//!
//! ITU-T H.264 §7.3.2.1.1 and §E.1.1, ITU-T H.265 §7.3.2.2.1 and §E.2.1: fields that are the same
//! bits with the same meaning. The rest is in `avc/syntax.rs` and `hevc/syntax.rs`.

use super::CodecError;
use super::bits::Bits;

/// Reads the cropping of a picture, if there is one, and takes it off its width and height.
///
/// Its unit is a chroma sample; in a picture of fields, a row of each: `fields` is 1 or 2.
pub(super) fn read_cropping(
    bits: &mut Bits<'_>,
    (width, height): (u32, u32),
    chroma_format: u8,
    fields: u32,
) -> Result<(u32, u32), CodecError> {
    if !bits.flag()? {
        return Ok((width, height));
    }
    let (sub_width, sub_height) = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?];
    Ok((
        cropped(width, left, right, sub_width)?,
        cropped(height, top, bottom, sub_height * fields)?,
    ))
}

/// Takes cropping at both ends, in units of `unit` pixels, off a size.
fn cropped(size: u32, first: u32, last: u32, unit: u32) -> Result<u32, CodecError> {
    let crop = first
        .checked_add(last)
        .and_then(|sum| sum.checked_mul(unit))
        .unwrap_or(u32::MAX);
    match size.checked_sub(crop) {
        Some(left) if left > 0 => Ok(left),
        _ => Err(CodecError::OutOfRange {
            field: "frame cropping",
            value: crop,
        }),
    }
}

/// Steps over what a VUI says between aspect ratio and timing: overscan, colours, chroma location.
pub(super) fn skip_video_signal(bits: &mut Bits<'_>) -> Result<(), CodecError> {
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
    Ok(())
}

/// Pictures per second, when both numbers make sense: 0 is no rate, and above 1000 it is
/// a clock rate that somebody put in the wrong field.
pub(super) fn frame_rate(time_scale: u32, units_in_tick: u32, ticks: f64) -> Option<f64> {
    if units_in_tick == 0 {
        return None;
    }
    let rate = f64::from(time_scale) / (f64::from(units_in_tick) * ticks);
    (rate > 0.0 && rate <= 1000.0).then_some(rate)
}

/// Reads an aspect ratio: an index of a table, or 255 and the ratio.
pub(super) fn read_aspect_ratio(bits: &mut Bits<'_>) -> Result<Option<(u16, u16)>, CodecError> {
    Ok(match bits.u8()? {
        1 => Some((1, 1)),
        2 => Some((12, 11)),
        3 => Some((10, 11)),
        4 => Some((16, 11)),
        5 => Some((40, 33)),
        6 => Some((24, 11)),
        7 => Some((20, 11)),
        8 => Some((32, 11)),
        9 => Some((80, 33)),
        10 => Some((18, 11)),
        11 => Some((15, 11)),
        12 => Some((64, 33)),
        13 => Some((160, 99)),
        14 => Some((4, 3)),
        15 => Some((3, 2)),
        16 => Some((2, 1)),
        255 => {
            let [_, _, w1, w0] = bits.u(16)?.to_be_bytes();
            let [_, _, h1, h0] = bits.u(16)?.to_be_bytes();
            Some((u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0])))
        }
        _ => None,
    })
}
