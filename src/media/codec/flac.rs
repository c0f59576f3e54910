//! FLAC: the STREAMINFO block.
//!
//! RFC 9639 §8.2; Enhanced RTMP v2 sends `fLaC` and the block as sequence header.
//!
//! ```text
//! "fLaC" | last:1 type:7 | length u24 | block sizes 2 * u16 | frame sizes 2 * u24
//! | sample rate:20 channels-1:3 bits-1:5 samples:36 | MD5, 16 bytes
//! ```

use crate::wire::Reader;

use super::CodecError;
use super::bits::Bits;

/// Bytes of a STREAMINFO block behind its header.
const STREAMINFO_SIZE: usize = 34;

/// What a STREAMINFO block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlacConfig {
    /// Hz, above 0.
    pub sample_rate: u32,
    /// 1 to 8.
    pub channels: u8,
    /// 4 to 32.
    pub bits_per_sample: u8,
    /// Samples of each channel in the largest frame.
    pub block_samples_max: u16,
    /// The block as it stands.
    streaminfo: [u8; STREAMINFO_SIZE],
}

impl FlacConfig {
    /// Reads `fLaC` and the block, or the block alone, with or without its header.
    ///
    /// # Errors
    /// [`CodecError`] when the first block is another one, the block is cut short, or there is no
    /// sample rate.
    pub fn parse(header: &[u8]) -> Result<Self, CodecError> {
        let blocks = header.strip_prefix(b"fLaC");
        let mut reader = Reader::new(blocks.unwrap_or(header));
        if blocks.is_some() || reader.remaining() != STREAMINFO_SIZE {
            let kind = reader.u8()? & 0x7F;
            let length = reader.u24()?;
            if kind != 0 || length < 34 {
                return Err(CodecError::Missing("STREAMINFO"));
            }
        }
        let streaminfo: [u8; STREAMINFO_SIZE] = reader.array()?;
        let [_, _, m1, m0, ..] = streaminfo;
        let mut bits = Bits::new(streaminfo.get(10..).unwrap_or_default());
        let sample_rate = bits.u(20)?;
        if sample_rate == 0 {
            return Err(CodecError::Missing("sample rate"));
        }
        Ok(Self {
            sample_rate,
            channels: bits.small(3)? + 1,
            bits_per_sample: bits.small(5)? + 1,
            block_samples_max: u16::from_be_bytes([m1, m0]),
            streaminfo,
        })
    }

    /// The content of a `dfLa` box ("Encapsulation of FLAC in ISO Base Media File Format" §3.3.2).
    pub fn to_dfla(&self) -> Vec<u8> {
        // Version and flags; the last block, and its length.
        let mut out = vec![0, 0, 0, 0, 0x80, 0, 0, 34];
        out.extend_from_slice(&self.streaminfo);
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::codec::hex;

    /// FFmpeg 5.1.9: the start of a file, and what its MP4 has of it.
    const HEADER: &str = "664c6143 00000022 12001200 0000fc 000511 0bb802f0 00003840
        e5f051c128e84992c0cba99724092b51";
    const DFLA: &str = "00000000 80000022 12001200 0000fc 000511 0bb802f0 00003840
        e5f051c128e84992c0cba99724092b51";

    #[test]
    fn a_file_of_ffmpeg() {
        let bytes = hex(HEADER);
        for form in [&bytes[..], &bytes[4..], &bytes[8..]] {
            let config = FlacConfig::parse(form).unwrap();
            assert_eq!(config.sample_rate, 48_000);
            assert_eq!((config.channels, config.bits_per_sample), (2, 16));
            assert_eq!(config.block_samples_max, 4608);
            assert_eq!(config.to_dfla(), hex(DFLA));
        }
        for length in 0..bytes.len() {
            assert!(FlacConfig::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_no_streaminfo() {
        let change = |at: usize, to: [u8; 3]| {
            let mut bytes = hex(HEADER);
            bytes[at..at + 3].copy_from_slice(&to);
            FlacConfig::parse(&bytes)
        };
        assert!(change(4, [4, 0, 0]).is_err());
        assert!(change(5, [0, 0, 33]).is_err());
        assert!(change(18, [0, 0, 0x02]).is_err());
    }
}
