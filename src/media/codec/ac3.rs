//! AC-3 and E-AC-3: the start of each frame.
//!
//! ETSI TS 102 366 §4.4.1, §4.4.2 (AC-3), §E.1.3.1 (E-AC-3), Annex F (the boxes `dac3` and
//! `dec3`). Neither has a sequence header in Enhanced RTMP.
//!
//! ```text
//! AC-3     0B77 | crc u16 | rate:2 size:6 | bsid:5 mode:3 | channels:3 [mix levels] lfe:1 ...
//! E-AC-3   0B77 | type:2 substream:3 words-1:11 | rate:2 blocks:2 channels:3 lfe:1 | bsid:5 ...
//! ```

use super::CodecError;
use super::bits::Bits;

/// Hz by `fscod`.
const RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Full-bandwidth channels by `acmod`.
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Kilobits per second by half of `frmsizecod`.
const BITRATES: [u16; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];

/// What the first bytes of a frame say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ac3Header {
    /// Whether it is E-AC-3.
    pub is_enhanced: bool,
    /// Hz.
    pub sample_rate: u32,
    /// 1 to 6, the one for low frequencies included.
    pub channels: u8,
    /// Samples of each channel in the frame.
    pub samples: u16,
    /// Kilobits per second.
    pub bitrate_kbps: u16,
    /// `fscod` and `bsid`, `bsmod`, `acmod`, `lfeon`, and half of `frmsizecod`: for the boxes.
    fields: [u8; 6],
}

impl Ac3Header {
    /// Reads the start of a frame, of which 7 bytes are enough.
    ///
    /// # Errors
    /// [`CodecError`] when there are fewer, no sync word, or a field is reserved.
    pub fn parse(frame: &[u8]) -> Result<Self, CodecError> {
        if !frame.starts_with(&[0x0B, 0x77]) {
            return Err(match frame.len() {
                0 | 1 => CodecError::Truncated,
                _ => CodecError::Missing("AC-3 sync word"),
            });
        }
        // In both, the version stands in the same place.
        let bsid = frame.get(5).ok_or(CodecError::Truncated)? >> 3;
        let mut bits = Bits::new(frame.get(2..).unwrap_or_default());
        match bsid {
            0..=10 => Self::parse_plain(&mut bits),
            11..=16 => Self::parse_enhanced(&mut bits),
            _ => Err(CodecError::OutOfRange {
                field: "bsid",
                value: u32::from(bsid),
            }),
        }
    }

    fn parse_plain(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        bits.skip(16)?; // crc1
        let rate_code = bits.small(2)?;
        let sample_rate = rate(rate_code)?;
        let size_code = bits.small(6)? / 2;
        let bitrate =
            *BITRATES
                .get(usize::from(size_code))
                .ok_or_else(|| CodecError::OutOfRange {
                    field: "frmsizecod",
                    value: u32::from(size_code) * 2,
                })?;
        let bsid = bits.small(5)?;
        let mode = bits.small(3)?;
        let acmod = bits.small(3)?;
        if acmod & 1 != 0 && acmod != 1 {
            bits.skip(2)?; // cmixlev
        }
        if acmod & 4 != 0 {
            bits.skip(2)?; // surmixlev
        }
        if acmod == 2 {
            bits.skip(2)?; // dsurmod
        }
        let lfe = bits.small(1)?;
        // Half and quarter rates, by versions 9 and 10.
        let shift = bsid.saturating_sub(8);
        Ok(Self {
            is_enhanced: false,
            sample_rate: sample_rate >> shift,
            channels: channels(acmod, lfe),
            samples: 1536,
            bitrate_kbps: bitrate >> shift,
            fields: [rate_code, bsid, mode, acmod, lfe, size_code],
        })
    }

    fn parse_enhanced(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        bits.skip(5)?; // strmtyp, substreamid
        let bytes = (bits.u(11)? + 1) * 2;
        let rate_code = bits.small(2)?;
        let (sample_rate, blocks) = match rate_code {
            // Half rates, always of six blocks.
            3 => (rate(bits.small(2)?)? / 2, 6),
            _ => (
                rate(rate_code)?,
                match bits.small(2)? {
                    3 => 6,
                    code => u16::from(code) + 1,
                },
            ),
        };
        let acmod = bits.small(3)?;
        let lfe = bits.small(1)?;
        let bsid = bits.small(5)?;
        let samples = blocks * 256;
        let kbps = bytes * 8 * (sample_rate / 100) / (u32::from(samples) * 10);
        Ok(Self {
            is_enhanced: true,
            sample_rate,
            channels: channels(acmod, lfe),
            samples,
            bitrate_kbps: u16::try_from(kbps).unwrap_or(u16::MAX),
            fields: [rate_code, bsid, 0, acmod, lfe, 0],
        })
    }

    /// The content of a `dac3` box, or of a `dec3` box with one independent substream.
    pub fn to_box(&self) -> Vec<u8> {
        let [rate, bsid, mode, acmod, lfe, size] = self.fields.map(u32::from);
        let head = (rate << 5 | bsid) << 3;
        if self.is_enhanced {
            // data_rate:13 substreams-1:3 | fscod:2 bsid:5 0:1 asvc:1 bsmod:3 acmod:3 lfe:1 0:3 0:4 0:1
            let [_, _, d1, d0] = (u32::from(self.bitrate_kbps & 0x1FFF) << 3).to_be_bytes();
            let fields = rate << 22 | bsid << 17 | mode << 12 | acmod << 9 | lfe << 8;
            let [_, f2, f1, f0] = fields.to_be_bytes();
            return vec![d1, d0, f2, f1, f0];
        }
        // fscod:2 bsid:5 bsmod:3 acmod:3 lfe:1 bit_rate_code:5 reserved:5
        let fields = (head | mode) << 14 | acmod << 11 | lfe << 10 | size << 5;
        let [_, b2, b1, b0] = fields.to_be_bytes();
        vec![b2, b1, b0]
    }
}

fn rate(code: u8) -> Result<u32, CodecError> {
    let rate = RATES.get(usize::from(code));
    rate.copied().ok_or(CodecError::OutOfRange {
        field: "fscod",
        value: 3,
    })
}

fn channels(acmod: u8, lfe: u8) -> u8 {
    CHANNELS
        .get(usize::from(acmod))
        .map_or(0, |count| count + lfe)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::codec::hex;

    /// First bytes of frames of FFmpeg 5.1.9, and what its MP4 says of them.
    #[test]
    fn frames_of_ffmpeg() {
        for (name, bytes, enhanced, channels, kbps, boxed) in [
            ("5.1", "0b77b50b1e40ebf8403e", false, 6, 448, "103de0"),
            ("stereo", "0b77fe95144043e106f4", false, 2, 192, "101140"),
            ("E-AC-3", "0b77017f3487c0002084", true, 2, 192, "0600200400"),
        ] {
            let bytes = hex(bytes);
            let header = Ac3Header::parse(&bytes).unwrap();
            assert_eq!(header.is_enhanced, enhanced, "{name}");
            assert_eq!(header.sample_rate, 48_000, "{name}");
            assert_eq!(header.channels, channels, "{name}");
            assert_eq!(header.samples, 1536, "{name}");
            assert_eq!(header.bitrate_kbps, kbps, "{name}");
            assert_eq!(header.to_box(), hex(boxed), "{name}");
            for length in 0..6 {
                assert!(Ac3Header::parse(&bytes[..length]).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn what_is_no_frame() {
        for (name, bytes) in [
            ("no sync", "0b78b50b1e40ebf8"),
            ("reserved rate", "0b77b50bde40ebf8"),
            ("reserved size", "0b77b50b3e40ebf8"),
            ("version 17", "0b77b50b1e88ebf8"),
            ("reserved half rate", "0b77017ff487c000"),
        ] {
            assert!(Ac3Header::parse(&hex(bytes)).is_err(), "{name}");
        }
    }
}
