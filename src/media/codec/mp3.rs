//! MPEG audio, layers I to III: the four bytes before each frame.
//!
//! ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3 §2.4.1.3; MPEG 2.5 is Fraunhofer's extension for
//! low sampling rates.
//!
//! ```text
//! sync:11 version:2 layer:2 no_crc:1 | bitrate:4 rate:2 padding:1 private:1 | mode:2 ...:6
//! ```

use super::CodecError;

/// Sampling rates of MPEG 1; MPEG 2 has half, MPEG 2.5 a quarter of them.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// Kilobits per second by index: MPEG 1 layers I, II, III, MPEG 2 layer I, and layers II and III.
const BITRATES: [[u32; 14]; 5] = [
    [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mp3Header {
    /// Layer, 1 to 3; 3 is what people call MP3.
    pub layer: u8,
    /// Hz.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u8,
    /// Kilobits per second; `None` is "free format".
    pub bitrate_kbps: Option<u32>,
    /// Samples of each channel in a frame.
    pub frame_samples: u16,
}

impl Mp3Header {
    /// Reads the header at the start of a frame.
    ///
    /// # Errors
    /// [`CodecError`] when fewer than four bytes are there, the sync word is not, or a field
    /// holds one of its reserved values.
    pub fn parse(frame: &[u8]) -> Result<Self, CodecError> {
        let &[sync, second, third, fourth] = frame.first_chunk().ok_or(CodecError::Truncated)?;
        let reserved = |field, value: u8| CodecError::OutOfRange {
            field,
            value: u32::from(value),
        };
        if sync != 0xFF || second < 0xE0 {
            return Err(CodecError::Missing("MPEG audio sync word"));
        }
        // 0 MPEG 2.5, 2 MPEG 2, 3 MPEG 1.
        let version = (second >> 3) & 0x03;
        if version == 1 {
            return Err(reserved("ID", version));
        }
        let layer = match (second >> 1) & 0x03 {
            0 => return Err(reserved("layer", 0)),
            code => 4 - code,
        };
        let rate = RATES
            .get(usize::from((third >> 2) & 0x03))
            .ok_or_else(|| reserved("sampling_frequency", 3))?;
        let table = match (version, layer) {
            (3, 1) => 0,
            (3, 2) => 1,
            (3, _) => 2,
            (_, 1) => 3,
            _ => 4,
        };
        let bitrate_kbps = match usize::from(third >> 4) {
            0 => None,
            index => {
                let rates = BITRATES.get(table).and_then(|rates| rates.get(index - 1));
                Some(*rates.ok_or_else(|| reserved("bitrate_index", 15))?)
            }
        };
        Ok(Self {
            layer,
            sample_rate: match version {
                3 => *rate,
                2 => rate / 2,
                _ => rate / 4,
            },
            channels: if fourth >> 6 == 3 { 1 } else { 2 },
            bitrate_kbps,
            frame_samples: match (layer, version) {
                (1, _) => 384,
                (2, _) | (_, 3) => 1152,
                _ => 576,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn frames_of_every_version() {
        for (name, bytes, layer, rate, channels, kbps, samples) in [
            (
                "LAME 44.1 kHz stereo",
                [0xFF, 0xFB, 0x90, 0x64],
                3,
                44_100,
                2,
                Some(128),
                1152,
            ),
            (
                "LAME 48 kHz mono",
                [0xFF, 0xFB, 0x54, 0xC4],
                3,
                48_000,
                1,
                Some(64),
                1152,
            ),
            (
                "MPEG 2, 22.05 kHz mono",
                [0xFF, 0xF3, 0x40, 0xC4],
                3,
                22_050,
                1,
                Some(32),
                576,
            ),
            (
                "MPEG 2.5, 8 kHz mono",
                [0xFF, 0xE3, 0x18, 0xC4],
                3,
                8_000,
                1,
                Some(8),
                576,
            ),
            (
                "layer II",
                [0xFF, 0xFD, 0xA4, 0x00],
                2,
                48_000,
                2,
                Some(192),
                1152,
            ),
            (
                "layer I",
                [0xFF, 0xFF, 0xC8, 0x00],
                1,
                32_000,
                2,
                Some(384),
                384,
            ),
            (
                "free format",
                [0xFF, 0xFB, 0x00, 0x00],
                3,
                44_100,
                2,
                None,
                1152,
            ),
        ] {
            let expected = Mp3Header {
                layer,
                sample_rate: rate,
                channels,
                bitrate_kbps: kbps,
                frame_samples: samples,
            };
            assert_eq!(Mp3Header::parse(&bytes), Ok(expected), "{name}");
            for length in 0..4 {
                assert_eq!(
                    Mp3Header::parse(&bytes[..length]),
                    Err(CodecError::Truncated)
                );
            }
        }
    }

    #[test]
    fn what_is_no_frame() {
        for (name, bytes) in [
            ("no sync", [0x49, 0x44, 0x33, 0x03]),
            ("half a sync", [0xFF, 0x1B, 0x90, 0x64]),
            ("reserved version", [0xFF, 0xEB, 0x90, 0x64]),
            ("reserved layer, which is ADTS", [0xFF, 0xF1, 0x50, 0x80]),
            ("reserved rate", [0xFF, 0xFB, 0x9C, 0x64]),
            ("reserved bitrate", [0xFF, 0xFB, 0xF0, 0x64]),
        ] {
            assert!(Mp3Header::parse(&bytes).is_err(), "{name}");
        }
    }
}
