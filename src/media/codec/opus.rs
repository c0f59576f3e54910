//! Opus: the identification header, and the duration of a packet.
//!
//! RFC 7845 §5.1 (the header, which Enhanced RTMP sends as sequence header), RFC 6716 §3.1 (the
//! first byte of a packet), "Encapsulation of Opus in ISO Base Media File Format" §4.3.2 (dOps).
//!
//! ```text
//! OpusHead   "OpusHead" | version u8 | channels u8 | pre-skip u16 | input rate u32 | gain i16
//!            | mapping family u8 [streams u8 | coupled u8 | channel map]       little-endian
//! dOps       the same from the channels on, big-endian, behind a version of 0
//! packet     configuration:5 stereo:1 frames:2 ...
//! ```

use crate::wire::{PutBytes, Reader};

use super::CodecError;

/// What decoders put out, whatever was put in.
pub const SAMPLE_RATE: u32 = 48_000;

/// What an OpusHead says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpusConfig {
    /// 1 to 255.
    pub channels: u8,
    /// Samples at 48 kHz to throw away at the start.
    pre_skip: u16,
    /// Rate of what was encoded, Hz; 0 unknown. Says nothing about decoding.
    pub input_sample_rate: u32,
    gain: u16,
    mapping_family: u8,
    /// Behind a family above 0: streams, coupled streams, and a byte for each channel.
    mapping: Vec<u8>,
}

impl OpusConfig {
    /// Reads an OpusHead.
    ///
    /// # Errors
    /// [`CodecError`] without the magic, with a major version other than 0, without channels, or
    /// when the channel mapping is cut short.
    pub fn parse(header: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(header);
        if reader.bytes(8)? != b"OpusHead" {
            return Err(CodecError::Missing("OpusHead"));
        }
        let version = reader.u8()?;
        if version > 15 {
            return Err(CodecError::OutOfRange {
                field: "version",
                value: u32::from(version),
            });
        }
        let channels = reader.u8()?;
        if channels == 0 {
            return Err(CodecError::Missing("channels"));
        }
        let pre_skip = u16::from_le_bytes(reader.array()?);
        let input_sample_rate = reader.u32_le()?;
        let gain = u16::from_le_bytes(reader.array()?);
        let mapping_family = reader.u8()?;
        let mapping = match mapping_family {
            0 => &[],
            _ => reader.bytes(2 + usize::from(channels))?,
        };
        Ok(Self {
            channels,
            pre_skip,
            input_sample_rate,
            gain,
            mapping_family,
            mapping: mapping.to_vec(),
        })
    }

    /// For encoders that send no header, or an empty one: up to two channels, nothing to skip.
    pub fn of_packet(packet: &[u8]) -> Self {
        let is_stereo = packet.first().is_some_and(|first| first & 0x04 != 0);
        Self {
            channels: if is_stereo { 2 } else { 1 },
            pre_skip: 0,
            input_sample_rate: SAMPLE_RATE,
            gain: 0,
            mapping_family: 0,
            mapping: Vec::new(),
        }
    }

    /// The content of a `dOps` box.
    pub fn to_dops(&self) -> Vec<u8> {
        let mut out = vec![0, self.channels];
        out.put_u16(self.pre_skip);
        out.put_u32(self.input_sample_rate);
        out.put_u16(self.gain);
        out.put_u8(self.mapping_family);
        out.extend_from_slice(&self.mapping);
        out
    }
}

/// Samples at 48 kHz in a packet; `None` when it is empty or its frame count is missing.
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let first = packet.first()?;
    let frames = match first & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3F),
    };
    let samples = match first >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880].get(usize::from(config % 4))?,
        config @ 12..=15 => [480, 960].get(usize::from(config % 2))?,
        config => [120, 240, 480, 960].get(usize::from(config % 4))?,
    };
    Some(samples * frames)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::codec::hex;

    /// FFmpeg 5.1.9 with libopus: the header in Ogg, and what its MP4 has of it.
    const HEAD: &str = "4f70757348656164 01 02 3801 80bb0000 0000 00";
    const DOPS: &str = "00 02 0138 0000bb80 0000 00";

    #[test]
    fn a_header_of_ffmpeg() {
        let config = OpusConfig::parse(&hex(HEAD)).unwrap();
        assert_eq!((config.channels, config.input_sample_rate), (2, 48_000));
        assert_eq!(config.to_dops(), hex(DOPS));
        let bytes = hex(HEAD);
        for length in 0..bytes.len() {
            assert!(OpusConfig::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn channel_mappings_are_kept() {
        let mut bytes = hex(HEAD);
        bytes[9] = 6;
        bytes[18] = 1;
        bytes.extend([4, 2, 0, 4, 1, 2, 3, 5]);
        let config = OpusConfig::parse(&bytes).unwrap();
        assert_eq!(config.to_dops()[10..], [1, 4, 2, 0, 4, 1, 2, 3, 5]);
        assert!(OpusConfig::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn what_is_no_header() {
        let change = |at: usize, to: u8| {
            let mut bytes = hex(HEAD);
            bytes[at] = to;
            OpusConfig::parse(&bytes)
        };
        assert!(change(0, b'o').is_err());
        assert!(change(8, 0x10).is_err());
        assert!(change(9, 0).is_err());
        assert!(OpusConfig::parse(&[]).is_err());
    }

    #[test]
    fn packets_say_how_long_they_are() {
        for (name, packet, samples) in [
            ("20 ms of CELT, stereo", &[0xFC, 1][..], Some(960)),
            ("20 ms of SILK", &[0x08], Some(960)),
            ("60 ms of SILK", &[0x18], Some(2880)),
            ("10 ms hybrid, two frames", &[0x61], Some(960)),
            ("2.5 ms of CELT, three frames", &[0x83, 3], Some(360)),
            ("a count that is missing", &[0x83], None),
            ("nothing", &[], None),
        ] {
            assert_eq!(packet_samples(packet), samples, "{name}");
        }
        assert_eq!(OpusConfig::of_packet(&[0xFC]).channels, 2);
        assert_eq!(OpusConfig::of_packet(&[0xF8]).channels, 1);
    }
}
