//! What a track is, by its sequence header or its frames, in the words of people and of browsers.

use crate::media::codec::aac::AacConfig;
use crate::media::codec::av1::Av1Config;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::flac::FlacConfig;
use crate::media::codec::hevc::{HevcConfig, is_hevc_record};
use crate::media::codec::names::{self, named};
use crate::media::codec::opus::{self, OpusConfig};
use crate::media::codec::vp9::{self, Vp9Config};
use crate::media::flv::{AudioCodec, AudioHeader, VideoCodec};

/// What a video track is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFacts {
    /// What it really is, whatever it is called.
    pub codec: VideoCodec,
    /// As browsers want it (RFC 6381).
    pub codec_string: Option<String>,
    /// Such as `High`.
    pub profile: Option<String>,
    /// Such as `4.1`.
    pub level: Option<String>,
    /// Width and height, pixels.
    pub size: Option<(u32, u32)>,
}

impl VideoFacts {
    /// Nothing but the codec is known.
    pub(super) fn of_codec(codec: VideoCodec) -> Self {
        Self {
            codec,
            codec_string: None,
            profile: None,
            level: None,
            size: None,
        }
    }

    pub(super) fn of_record(codec: VideoCodec, record: &[u8]) -> Self {
        // OBS before 29.1 labels HEVC as AVC.
        let codec = match codec {
            VideoCodec::Avc if is_hevc_record(record) => VideoCodec::Hevc,
            codec => codec,
        };
        let facts = Self::of_codec(codec);
        match codec {
            VideoCodec::Avc => facts.with_avc(record),
            VideoCodec::Hevc => facts.with_hevc(record),
            VideoCodec::Av1 => facts.with_av1(record),
            VideoCodec::Vp9 => facts.with_vp9(record),
            _ => facts,
        }
    }

    /// VP9 says its size in keyframes only.
    pub(super) fn add_keyframe(&mut self, frame: &[u8]) {
        if self.codec == VideoCodec::Vp9
            && let Ok(size) = vp9::keyframe_size(frame)
        {
            self.size = Some(size);
        }
    }

    fn with_avc(self, record: &[u8]) -> Self {
        let Ok(config) = AvcConfig::parse(record) else {
            return self;
        };
        let (profile, constraints) = (config.profile, config.constraints);
        let name = names::avc_profile(profile, constraints);
        Self {
            codec_string: Some(config.rfc6381()),
            profile: Some(named(name, profile)),
            level: Some(names::avc_level(profile, constraints, config.level)),
            size: config.first_sps().map(|sps| (sps.width, sps.height)),
            ..self
        }
    }

    fn with_hevc(self, record: &[u8]) -> Self {
        let Ok(config) = HevcConfig::parse(record) else {
            return self;
        };
        let profile = config.profile.profile;
        Self {
            codec_string: Some(config.rfc6381()),
            profile: Some(named(names::hevc_profile(profile), profile)),
            level: Some(names::hevc_level(config.profile.level)),
            size: config.first_sps().map(|sps| (sps.width, sps.height)),
            ..self
        }
    }

    fn with_av1(self, record: &[u8]) -> Self {
        let Ok(config) = Av1Config::parse(record) else {
            return self;
        };
        let header = config.sequence_header;
        Self {
            codec_string: header.map(|header| header.rfc6381()),
            profile: Some(named(names::av1_profile(config.profile), config.profile)),
            level: header.and_then(|header| header.level_name()),
            size: header.map(|header| (header.width, header.height)),
            ..self
        }
    }

    fn with_vp9(self, record: &[u8]) -> Self {
        let Ok(config) = Vp9Config::parse(record) else {
            return self;
        };
        let level = config.level;
        Self {
            codec_string: Some(config.rfc6381()),
            profile: Some(config.profile.to_string()),
            level: (level > 0).then(|| format!("{}.{}", level / 10, level % 10)),
            ..self
        }
    }
}

/// What an audio track is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFacts {
    /// The codec.
    pub codec: AudioCodec,
    /// As browsers want it (RFC 6381).
    pub codec_string: Option<String>,
    /// Such as `LC`.
    pub profile: Option<String>,
    /// Hz.
    pub sample_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u32>,
}

impl AudioFacts {
    /// By the first bytes of a message.
    pub(super) fn of_header(header: &AudioHeader) -> Self {
        let codec_string = match header.codec {
            AudioCodec::Mp3 | AudioCodec::Mp3At8k => Some("mp3"),
            AudioCodec::Opus => Some("opus"),
            AudioCodec::Flac => Some("flac"),
            AudioCodec::Ac3 => Some("ac-3"),
            AudioCodec::Eac3 => Some("ec-3"),
            _ => None,
        };
        Self {
            codec: header.codec,
            codec_string: codec_string.map(str::to_owned),
            profile: None,
            sample_rate: header.sample_rate(),
            channels: header.channels().map(u32::from),
        }
    }

    pub(super) fn of_record(header: &AudioHeader, record: &[u8]) -> Self {
        let facts = Self::of_header(header);
        let known = |count: u8| (count > 0).then(|| u32::from(count));
        match header.codec {
            AudioCodec::Aac => match AacConfig::parse(record) {
                Ok(aac) => {
                    let has_sbr = aac.sbr_sample_rate.is_some();
                    let name = names::aac_profile(aac.object_type, has_sbr, aac.has_ps);
                    Self {
                        codec_string: Some(aac.rfc6381()),
                        profile: Some(named(name, aac.object_type)),
                        sample_rate: Some(aac.output_sample_rate()),
                        channels: known(aac.output_channels()),
                        ..facts
                    }
                }
                Err(_) => facts,
            },
            AudioCodec::Opus => match OpusConfig::parse(record) {
                Ok(opus) => Self {
                    sample_rate: Some(opus::SAMPLE_RATE),
                    channels: known(opus.channels),
                    ..facts
                },
                Err(_) => facts,
            },
            AudioCodec::Flac => match FlacConfig::parse(record) {
                Ok(flac) => Self {
                    sample_rate: Some(flac.sample_rate),
                    channels: known(flac.channels),
                    ..facts
                },
                Err(_) => facts,
            },
            _ => facts,
        }
    }
}
