//! VP9: the vpcC record and the header of a keyframe.
//!
//! "VP Codec ISO Media File Format Binding" v1.0, VP9 bitstream specification §6.2 and §7.2.
//!
//! ```text
//! vpcC    1 | flags u24 | profile u8 | level u8 | depth:4 chroma:3 full_range:1
//!         | primaries u8 | transfer u8 | matrix u8 | u16 size, initialisation data (none)
//! frame   marker:2 profile low, high:2 (reserved:1) show_existing:1 is_inter:1 ... sync 498342
//!         [depth:1] colour space:3 ... width-1:16 height-1:16
//! ```
//! FFmpeg and OBS send the whole record; without version and flags it is read as well.

use super::CodecError;
use super::bits::Bits;

/// What a vpcC record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp9Config {
    /// 0 to 3.
    pub profile: u8,
    /// Ten times the level; 0 when it is not known.
    pub level: u8,
    /// 8, 10 or 12.
    pub bit_depth: u8,
    /// 0 and 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_subsampling: u8,
}

impl Vp9Config {
    /// Reads a vpcC record.
    ///
    /// # Errors
    /// [`CodecError`] when it is cut short, or its profile or depth do not exist.
    pub fn parse(record: &[u8]) -> Result<Self, CodecError> {
        let fields = match record.first_chunk::<4>() {
            Some([1, 0, 0, 0]) => record.get(4..).unwrap_or_default(),
            _ => record,
        };
        let &[profile, level, depth] = fields.first_chunk().ok_or(CodecError::Truncated)?;
        let out_of_range = |field, value: u8| CodecError::OutOfRange {
            field,
            value: u32::from(value),
        };
        if profile > 3 {
            return Err(out_of_range("profile", profile));
        }
        let bit_depth = depth >> 4;
        if !matches!(bit_depth, 8 | 10 | 12) {
            return Err(out_of_range("bitDepth", bit_depth));
        }
        Ok(Self {
            profile,
            level,
            bit_depth,
            chroma_subsampling: (depth >> 1) & 0x07,
        })
    }

    /// The codec as HTML names it, such as `vp09.00.10.08`.
    pub fn rfc6381(&self) -> String {
        format!(
            "vp09.{:02}.{:02}.{:02}",
            self.profile, self.level, self.bit_depth
        )
    }
}

/// Width and height by the header of a keyframe.
///
/// # Errors
/// [`CodecError`] when it is no keyframe, or cut short.
pub fn keyframe_size(frame: &[u8]) -> Result<(u32, u32), CodecError> {
    let mut bits = Bits::new(frame);
    if bits.u(2)? != 2 {
        return Err(CodecError::Missing("frame marker"));
    }
    let profile = bits.small(1)? | (bits.small(1)? << 1);
    if profile == 3 {
        bits.skip(1)?; // reserved_zero
    }
    if bits.flag()? || bits.flag()? {
        return Err(CodecError::Missing("keyframe"));
    }
    bits.skip(2)?; // show_frame, error_resilient_mode
    if bits.u(24)? != 0x49_8342 {
        return Err(CodecError::Missing("sync code"));
    }
    if profile >= 2 {
        bits.skip(1)?; // ten_or_twelve_bit
    }
    let is_rgb = bits.u(3)? == 7;
    if !is_rgb {
        bits.skip(1)?; // color_range
    }
    if profile & 1 != 0 {
        bits.skip(if is_rgb { 1 } else { 3 })?; // subsampling, reserved_zero
    }
    Ok((bits.u(16)? + 1, bits.u(16)? + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::codec::hex;

    #[test]
    fn records_of_ffmpeg() {
        for (name, record, profile, chroma, codec) in [
            (
                "4:2:0",
                "01000000 00 0a 82 02 02 02 0000",
                0,
                1,
                "vp09.00.10.08",
            ),
            (
                "4:4:4",
                "01000000 01 0a 86 02 02 02 0000",
                1,
                3,
                "vp09.01.10.08",
            ),
            ("bare", "02 1f a0 02 02 02 0000", 2, 0, "vp09.02.31.10"),
        ] {
            let config = Vp9Config::parse(&hex(record)).unwrap();
            assert_eq!(config.profile, profile, "{name}");
            assert_eq!(config.chroma_subsampling, chroma, "{name}");
            assert_eq!(config.rfc6381(), codec, "{name}");
        }
        for (name, record) in [
            ("nothing", ""),
            ("version and flags alone", "01000000 00 0a"),
            ("profile 4", "01000000 04 0a 82"),
            ("depth of 9", "01000000 00 0a 92"),
        ] {
            assert!(Vp9Config::parse(&hex(record)).is_err(), "{name}");
        }
    }

    #[test]
    fn keyframes_of_ffmpeg() {
        // 160x90, 4:2:0 and 4:4:4.
        let plain = hex("824983420009f005960c");
        assert_eq!(keyframe_size(&plain), Ok((160, 90)));
        let chroma = hex("a249834200013e00b2c1");
        assert_eq!(keyframe_size(&chroma), Ok((160, 90)));
        for length in 0..9 {
            assert!(keyframe_size(&plain[..length.min(8)]).is_err(), "{length}");
        }
        for (name, bytes) in [
            ("no marker", "424983420009f005960c"),
            ("an existing frame", "8a4983420009f005960c"),
            ("an inter frame", "864983420009f005960c"),
            ("no sync", "824983430009f005960c"),
        ] {
            assert!(keyframe_size(&hex(bytes)).is_err(), "{name}");
        }
    }
}
