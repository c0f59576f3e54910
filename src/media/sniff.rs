//! What kind of media a byte stream is, by its first bytes.

use crate::media::annexb::AnnexBCodec;
use crate::media::codec::hevc::NalHeader;
use crate::media::codec::{avc, hevc, nal};

/// How many bytes [`sniff`] should be given when there are as many; it answers on fewer, but
/// parameter sets may stand behind a long SEI message.
pub const SNIFF_SIZE: usize = 16 * 1024;

/// Kinds of input that can be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputFormat {
    /// Flash Video.
    Flv,
    /// MP4, QuickTime.
    Mp4,
    /// A byte stream with start codes.
    AnnexB(AnnexBCodec),
}

/// Tells the format from the first bytes, or `None` when it is none of these or there is too
/// little to tell.
///
/// H.264 and HEVC are told apart by the first NAL unit that can only be one of them: `67`, `27`
/// and `47` begin an H.264 SPS; `40 01`, `42 01` and `44 01` begin VPS, SPS and PPS of HEVC.
pub fn sniff(bytes: &[u8]) -> Option<InputFormat> {
    if bytes.starts_with(b"FLV\x01") {
        return Some(InputFormat::Flv);
    }
    // MP4 comes before Annex B: a box of 256 to 511 bytes begins with 00 00 01.
    if let Some([_, _, _, _, name @ ..]) = bytes.first_chunk::<8>()
        && [
            b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"sidx", b"free", b"skip", b"wide",
        ]
        .contains(&name)
    {
        return Some(InputFormat::Mp4);
    }
    let is_start_coded = bytes
        .iter()
        .position(|&byte| byte != 0)
        .is_some_and(|at| at >= 2 && bytes.get(at) == Some(&1));
    if !is_start_coded {
        return None;
    }
    let mut units = nal::start_coded(bytes);
    let codec = units.clone().find_map(certain_codec);
    codec
        .or_else(|| units.find_map(likely_codec))
        .map(InputFormat::AnnexB)
}

fn certain_codec(unit: &[u8]) -> Option<AnnexBCodec> {
    let first = *unit.first()?;
    match unit {
        [0x40 | 0x42 | 0x44, 0x01, ..] => Some(AnnexBCodec::Hevc),
        [0x27 | 0x47 | 0x67, profile, ..] if *profile >= 44 => {
            debug_assert_eq!(first & 0x1F, avc::NAL_SPS);
            Some(AnnexBCodec::Avc)
        }
        _ => None,
    }
}

/// Delimiters, SEI and slices, for streams without parameter sets near their start.
fn likely_codec(unit: &[u8]) -> Option<AnnexBCodec> {
    match unit {
        [0x09, _] | [0x06, ..] | [0x25 | 0x45 | 0x65, ..] => Some(AnnexBCodec::Avc),
        _ => {
            let header = NalHeader::parse(unit)?;
            let is_plain = header.layer_id == 0 && unit.get(1) == Some(&0x01);
            let is_known =
                header.is_irap() || matches!(header.nal_type, hevc::NAL_AUD | hevc::NAL_SEI_PREFIX);
            (is_plain && is_known).then_some(AnnexBCodec::Hevc)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InputFormat::{AnnexB, Flv, Mp4};

    #[test]
    fn formats() {
        let avc = Some(AnnexB(AnnexBCodec::Avc));
        let hevc = Some(AnnexB(AnnexBCodec::Hevc));
        for (name, bytes, format) in [
            ("FLV", &b"FLV\x01\x05\x00\x00\x00\x09"[..], Some(Flv)),
            ("FLV cut short", b"FL", None),
            ("MP4", b"\x00\x00\x00\x18ftypisom", Some(Mp4)),
            ("QuickTime", b"\x00\x00\x00\x08wide\x00", Some(Mp4)),
            (
                "MP4 whose first box looks like a start code",
                b"\x00\x00\x01\x67free",
                Some(Mp4),
            ),
            ("SPS", b"\x00\x00\x00\x01\x67\x64\x00\x0B", avc),
            ("three bytes", b"\x00\x00\x01\x27\x42\xC0\x0C", avc),
            (
                "delimiter, then SPS",
                b"\x00\x00\x00\x01\x09\xF0\x00\x00\x01\x67\x42",
                avc,
            ),
            ("delimiter only", b"\x00\x00\x00\x01\x09\x10", avc),
            ("IDR slice only", b"\x00\x00\x01\x65\x88\x84", avc),
            ("VPS", b"\x00\x00\x00\x01\x40\x01\x0C", hevc),
            (
                "delimiter, then VPS",
                b"\x00\x00\x01\x46\x01\x50\x00\x00\x01\x40\x01",
                hevc,
            ),
            ("IDR slice", b"\x00\x00\x01\x26\x01\xAF", hevc),
            (
                "leading zeros",
                b"\x00\x00\x00\x00\x00\x01\x42\x01\x01",
                hevc,
            ),
            ("MPEG-2 sequence header", b"\x00\x00\x01\xB3\x16", None),
            ("MPEG-2 transport stream", b"\x47\x40\x00\x10\x00", None),
            ("zeros", &[0; 64], None),
            ("text", b"hello, world", None),
            ("nothing", b"", None),
        ] {
            assert_eq!(sniff(bytes), format, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(0_u8..=255, 0..200)) {
            sniff(&bytes);
            sniff(&[&[0, 0, 1], &bytes[..]].concat());
        }
    }
}
