//! What is kept of the sequence headers of H.264 and HEVC, sent or made.

use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::media::flv::VideoCodec;

/// What is kept of a video sequence header.
#[derive(Debug, Clone)]
pub(super) struct VideoConfig {
    pub(super) codec: VideoCodec,
    /// Bytes of length before each NAL unit of the frames.
    pub(super) length_size: u8,
    /// Made by us, so that the parameter sets in the frames are all that counts.
    pub(super) is_made: bool,
    pub(super) record: Vec<u8>,
    pub(super) sps: Vec<Vec<u8>>,
    /// Width and height by the first SPS, if that is readable.
    pub(super) size: Option<(u32, u32)>,
}

impl VideoConfig {
    /// `None` when the record cannot be read.
    pub(super) fn parse(codec: VideoCodec, record: &[u8]) -> Option<Self> {
        match codec {
            VideoCodec::Avc => AvcConfig::parse(record)
                .ok()
                .map(|config| Self::of_avc(config, record.to_vec())),
            _ => HevcConfig::parse(record)
                .ok()
                .map(|config| Self::of_hevc(config, record.to_vec())),
        }
    }

    /// Of the parameter sets in a frame.
    pub(super) fn from_frame(codec: VideoCodec, frame: &[u8], length_size: u8) -> Option<Self> {
        let made = match codec {
            VideoCodec::Avc => {
                let config = AvcConfig::from_frame(frame, length_size)?;
                let record = config.encode();
                Self::of_avc(config, record)
            }
            _ => {
                let config = HevcConfig::from_frame(frame, length_size)?;
                let record = config.encode();
                Self::of_hevc(config, record)
            }
        };
        Some(Self {
            is_made: true,
            ..made
        })
    }

    fn of_avc(config: AvcConfig, record: Vec<u8>) -> Self {
        Self {
            codec: VideoCodec::Avc,
            length_size: config.length_size,
            is_made: false,
            size: config.first_sps().map(|sps| (sps.width, sps.height)),
            record,
            sps: config.sps,
        }
    }

    fn of_hevc(config: HevcConfig, record: Vec<u8>) -> Self {
        Self {
            codec: VideoCodec::Hevc,
            length_size: config.length_size,
            is_made: false,
            size: config.first_sps().map(|sps| (sps.width, sps.height)),
            record,
            sps: config.sps,
        }
    }
}
