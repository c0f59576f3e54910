//! The initialisation segment: `ftyp` and a `moov` without samples (ISO/IEC 14496-12 §8,
//! 14496-14 for `esds`, 14496-15 for `avcC` and `hvcC`, and what the codecs' own documents say of
//! their boxes: see `codec`).

use super::Note;
use super::boxes::{put_box, put_full_box, put_zeros};
use crate::media::codec::aac::AacConfig;
use crate::media::codec::ac3::Ac3Header;
use crate::media::codec::av1::Av1Config;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::flac::FlacConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::media::codec::mp3::Mp3Header;
use crate::media::codec::opus::{self, OpusConfig};
use crate::media::codec::vp9::Vp9Config;
use crate::media::flv::{AudioCodec, TagKind, VideoCodec};
use crate::wire::PutBytes;

/// Units per second of both tracks: FLV's milliseconds.
const TIMESCALE: u32 = 1000;

/// Object types of an `esds` box (ISO/IEC 14496-1 §7.2.6.6): MPEG-4 audio, MPEG-1 audio, and
/// MPEG-2 audio, which is the same at half the rates.
const OBJECT_AAC: u8 = 0x40;
const OBJECT_MPEG_1: u8 = 0x6B;
const OBJECT_MPEG_2: u8 = 0x69;

/// Track ids.
const VIDEO_ID: u32 = 1;
const AUDIO_ID: u32 = 2;

/// The unit matrix, 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// What the `moov` says of a track.
#[derive(Debug)]
pub(super) enum TrackInit {
    Video {
        codec: VideoCodec,
        entry: &'static [u8; 4],
        config_box: &'static [u8; 4],
        config: Vec<u8>,
        /// Bytes of length before each NAL unit of the frames.
        length_size: u8,
        width: u16,
        height: u16,
    },
    Audio {
        codec: AudioCodec,
        entry: &'static [u8; 4],
        /// The box inside the entry, header and all.
        config_box: Vec<u8>,
        /// The sequence header; empty for codecs without one.
        config: Vec<u8>,
        channels: u16,
        sample_rate: u32,
    },
}

impl TrackInit {
    /// What is to be said of a codec that is not written, or of a configuration that cannot be
    /// read, is the error.
    pub(super) fn video(codec: VideoCodec, record: &[u8]) -> Result<Self, Note> {
        let unreadable = |_| Note::ConfigUnreadable(TagKind::Video);
        let (entry, config_box, size, length_size) = match codec {
            VideoCodec::Avc => {
                let config = AvcConfig::parse(record).map_err(unreadable)?;
                let size = config.first_sps().map(|sps| (sps.width, sps.height));
                (b"avc1", b"avcC", size, config.length_size)
            }
            VideoCodec::Hevc => {
                let config = HevcConfig::parse(record).map_err(unreadable)?;
                let size = config.first_sps().map(|sps| (sps.width, sps.height));
                (b"hvc1", b"hvcC", size, config.length_size)
            }
            VideoCodec::Av1 => {
                let config = Av1Config::parse(record).map_err(unreadable)?;
                let header = config.sequence_header;
                let size = header.map(|header| (header.width, header.height));
                (b"av01", b"av1C", size, 0)
            }
            VideoCodec::Vp9 => {
                Vp9Config::parse(record).map_err(unreadable)?;
                (b"vp09", b"vpcC", None, 0)
            }
            _ => return Err(Note::VideoLeftOut(codec)),
        };
        let (width, height) = size.unwrap_or_default();
        Ok(Self::Video {
            codec,
            entry,
            config_box,
            config: record.to_vec(),
            length_size,
            width: u16::try_from(width).unwrap_or(u16::MAX),
            height: u16::try_from(height).unwrap_or(u16::MAX),
        })
    }

    /// Whether the size is to come with a keyframe, since the record does not say it: that of VP9
    /// never, that of AV1 when it is without a sequence header.
    pub(super) fn awaits_size(&self) -> bool {
        matches!(
            self,
            Self::Video {
                codec: VideoCodec::Vp9 | VideoCodec::Av1,
                width: 0,
                ..
            }
        )
    }

    /// Whether this is an audio track of that codec.
    pub(super) fn is_of(&self, other: AudioCodec) -> bool {
        matches!(self, Self::Audio { codec, .. } if *codec == other)
    }

    /// Sets the size that the record does not say.
    pub(super) fn set_size(&mut self, size: (u32, u32)) {
        if let Self::Video { width, height, .. } = self {
            *width = u16::try_from(size.0).unwrap_or(u16::MAX);
            *height = u16::try_from(size.1).unwrap_or(u16::MAX);
        }
    }

    /// Makes the record say another size of the lengths before NAL units: 1, 2 or 4 bytes.
    pub(super) fn set_length_size(&mut self, size: u8) {
        let Self::Video {
            codec,
            config,
            length_size,
            ..
        } = self
        else {
            return;
        };
        // `lengthSizeMinusOne` (ISO/IEC 14496-15 §5.3.3.1.2 and §8.3.3.1.2).
        let place = match codec {
            VideoCodec::Avc => 4,
            VideoCodec::Hevc => 21,
            _ => return,
        };
        if let Some(byte) = config.get_mut(place) {
            *byte = (*byte & 0xFC) | (size.saturating_sub(1) & 0x03);
            *length_size = size;
        }
    }

    /// As [`video`](Self::video).
    pub(super) fn audio(codec: AudioCodec, config: &[u8]) -> Result<Self, Note> {
        let unreadable = |_| Note::ConfigUnreadable(TagKind::Audio);
        let (entry, config_box, channels, sample_rate) = match codec {
            AudioCodec::Aac => {
                let aac = AacConfig::parse(config).map_err(unreadable)?;
                let esds = esds(OBJECT_AAC, Some(config));
                (
                    b"mp4a",
                    esds,
                    aac.output_channels(),
                    aac.output_sample_rate(),
                )
            }
            AudioCodec::Opus => {
                let opus = OpusConfig::parse(config).map_err(unreadable)?;
                let dops = boxed(b"dOps", &opus.to_dops());
                (b"Opus", dops, opus.channels, opus::SAMPLE_RATE)
            }
            AudioCodec::Flac => {
                let flac = FlacConfig::parse(config).map_err(unreadable)?;
                let dfla = boxed(b"dfLa", &flac.to_dfla());
                (b"fLaC", dfla, flac.channels, flac.sample_rate)
            }
            _ => return Err(Note::AudioLeftOut(codec)),
        };
        Ok(Self::Audio {
            codec,
            entry,
            config_box,
            config: config.to_vec(),
            channels: u16::from(channels),
            sample_rate,
        })
    }

    /// What a frame says of codecs that have no sequence header, or can do without.
    pub(super) fn audio_of_frame(codec: AudioCodec, frame: &[u8]) -> Option<Self> {
        let (entry, config_box, channels, sample_rate) = match codec {
            AudioCodec::Mp3 | AudioCodec::Mp3At8k => {
                let mp3 = Mp3Header::parse(frame).ok()?;
                let object_type = match mp3.sample_rate {
                    32_000.. => OBJECT_MPEG_1,
                    _ => OBJECT_MPEG_2,
                };
                let esds = esds(object_type, None);
                (b"mp4a", esds, mp3.channels, mp3.sample_rate)
            }
            AudioCodec::Ac3 | AudioCodec::Eac3 => {
                let ac3 = Ac3Header::parse(frame).ok()?;
                let (entry, name) = match ac3.is_enhanced {
                    true => (b"ec-3", b"dec3"),
                    false => (b"ac-3", b"dac3"),
                };
                let content = boxed(name, &ac3.to_box());
                (entry, content, ac3.channels, ac3.sample_rate)
            }
            AudioCodec::Opus => {
                let opus = OpusConfig::of_packet(frame);
                let dops = boxed(b"dOps", &opus.to_dops());
                (b"Opus", dops, opus.channels, opus::SAMPLE_RATE)
            }
            _ => return None,
        };
        Some(Self::Audio {
            codec,
            entry,
            config_box,
            config: Vec::new(),
            channels: u16::from(channels),
            sample_rate,
        })
    }

    /// The track id.
    pub(super) fn id(&self) -> u32 {
        match self {
            Self::Video { .. } => VIDEO_ID,
            Self::Audio { .. } => AUDIO_ID,
        }
    }

    /// The decoder configuration as it came.
    pub(super) fn config(&self) -> &[u8] {
        match self {
            Self::Video { config, .. } | Self::Audio { config, .. } => config,
        }
    }

    /// The codec as `MediaSource` and as an HLS playlist want it (RFC 6381); they differ where the
    /// browsers have a word of their own.
    pub(super) fn codec_names(&self) -> [String; 2] {
        let both = |name: String| [name.clone(), name];
        match self {
            Self::Video { codec, config, .. } => both(video_name(*codec, config)),
            Self::Audio { codec, config, .. } => match codec {
                AudioCodec::Aac => {
                    let aac = AacConfig::parse(config).map(|aac| aac.rfc6381());
                    both(aac.unwrap_or_else(|_| "mp4a.40.2".to_owned()))
                }
                AudioCodec::Mp3 | AudioCodec::Mp3At8k => ["mp3".into(), "mp4a.40.34".into()],
                AudioCodec::Opus => ["opus".into(), "Opus".into()],
                AudioCodec::Flac => ["flac".into(), "fLaC".into()],
                AudioCodec::Ac3 => both("ac-3".to_owned()),
                AudioCodec::Eac3 => both("ec-3".to_owned()),
                // No other codec has a track.
                _ => both(String::new()),
            },
        }
    }

    fn put_trak(&self, out: &mut Vec<u8>) {
        let (volume, width, height) = match self {
            Self::Video { width, height, .. } => (0, *width, *height),
            Self::Audio { .. } => (0x100, 0, 0),
        };
        // Flags: enabled, in movie.
        put_full_box(out, b"tkhd", 0, 3, |out| {
            put_zeros(out, 8);
            out.put_u32(self.id());
            put_zeros(out, 4 + 4 + 8 + 2 + 2);
            out.put_u16(volume);
            put_zeros(out, 2);
            put_matrix(out);
            out.put_u32(u32::from(width) << 16);
            out.put_u32(u32::from(height) << 16);
        });
        put_box(out, b"mdia", |out| self.put_mdia(out));
    }

    fn put_mdia(&self, out: &mut Vec<u8>) {
        put_full_box(out, b"mdhd", 0, 0, |out| {
            put_zeros(out, 8);
            out.put_u32(TIMESCALE);
            put_zeros(out, 4);
            // "und": three letters of five bits.
            out.put_u16(0x55C4);
            put_zeros(out, 2);
        });
        let (handler, name) = match self {
            Self::Video { .. } => (b"vide", &b"video\0"[..]),
            Self::Audio { .. } => (b"soun", &b"audio\0"[..]),
        };
        put_full_box(out, b"hdlr", 0, 0, |out| {
            put_zeros(out, 4);
            out.extend_from_slice(handler);
            put_zeros(out, 12);
            out.extend_from_slice(name);
        });
        put_box(out, b"minf", |out| {
            match self {
                Self::Video { .. } => put_full_box(out, b"vmhd", 0, 1, |out| put_zeros(out, 8)),
                Self::Audio { .. } => put_full_box(out, b"smhd", 0, 0, |out| put_zeros(out, 4)),
            }
            put_box(out, b"dinf", |out| {
                put_full_box(out, b"dref", 0, 0, |out| {
                    out.put_u32(1);
                    // Flag: the data are in this file.
                    put_full_box(out, b"url ", 0, 1, |_| {});
                });
            });
            put_box(out, b"stbl", |out| self.put_stbl(out));
        });
    }

    /// A sample description, and tables without samples.
    fn put_stbl(&self, out: &mut Vec<u8>) {
        put_full_box(out, b"stsd", 0, 0, |out| {
            out.put_u32(1);
            self.put_sample_entry(out);
        });
        put_full_box(out, b"stts", 0, 0, |out| out.put_u32(0));
        put_full_box(out, b"stsc", 0, 0, |out| out.put_u32(0));
        put_full_box(out, b"stsz", 0, 0, |out| put_zeros(out, 8));
        put_full_box(out, b"stco", 0, 0, |out| out.put_u32(0));
    }

    fn put_sample_entry(&self, out: &mut Vec<u8>) {
        match self {
            Self::Video {
                entry,
                config_box,
                config,
                width,
                height,
                ..
            } => put_box(out, entry, |out| {
                put_zeros(out, 6);
                out.put_u16(1);
                put_zeros(out, 16);
                out.put_u16(*width);
                out.put_u16(*height);
                // 72 dpi, 16.16.
                out.put_u32(0x48_0000);
                out.put_u32(0x48_0000);
                put_zeros(out, 4);
                out.put_u16(1);
                put_zeros(out, 32);
                out.put_u16(24);
                out.put_u16(u16::MAX);
                put_box(out, config_box, |out| out.extend_from_slice(config));
            }),
            Self::Audio {
                entry,
                config_box,
                channels,
                sample_rate,
                ..
            } => put_box(out, entry, |out| {
                put_zeros(out, 6);
                out.put_u16(1);
                put_zeros(out, 8);
                out.put_u16(*channels);
                out.put_u16(16);
                put_zeros(out, 4);
                // 16.16; rates above do not fit and are in the configuration anyway.
                out.put_u32(u32::from(u16::try_from(*sample_rate).unwrap_or(0)) << 16);
                out.extend_from_slice(config_box);
            }),
        }
    }
}

/// Whether there is a sample entry for the codec.
pub(super) fn has_video_entry(codec: VideoCodec) -> bool {
    matches!(
        codec,
        VideoCodec::Avc | VideoCodec::Hevc | VideoCodec::Av1 | VideoCodec::Vp9
    )
}

/// As [`has_video_entry`].
pub(super) fn has_audio_entry(codec: AudioCodec) -> bool {
    matches!(
        codec,
        AudioCodec::Aac
            | AudioCodec::Mp3
            | AudioCodec::Mp3At8k
            | AudioCodec::Opus
            | AudioCodec::Flac
            | AudioCodec::Ac3
            | AudioCodec::Eac3
    )
}

/// The name of a video codec by its configuration record.
fn video_name(codec: VideoCodec, record: &[u8]) -> String {
    let name = match codec {
        VideoCodec::Avc => AvcConfig::parse(record).map(|avc| avc.rfc6381()),
        VideoCodec::Hevc => HevcConfig::parse(record).map(|hevc| hevc.rfc6381()),
        VideoCodec::Vp9 => Vp9Config::parse(record).map(|vp9| vp9.rfc6381()),
        _ => Av1Config::parse(record).map(|av1| match av1.sequence_header {
            Some(header) => header.rfc6381(),
            None => {
                // Tier and depth are bits of the record's third byte as well.
                let third = record.get(2).copied().unwrap_or(0);
                let tier = if third & 0x80 != 0 { 'H' } else { 'M' };
                let depth = match (third & 0x40 != 0, third & 0x20 != 0) {
                    (false, _) => 8,
                    (true, false) => 10,
                    (true, true) => 12,
                };
                format!("av01.{}.{:02}{tier}.{depth:02}", av1.profile, av1.level)
            }
        }),
    };
    // The records were read before; a name that says nothing beats none.
    name.unwrap_or_default()
}

/// `ftyp` and `moov`.
pub(super) fn segment<'a>(tracks: impl Iterator<Item = &'a TrackInit> + Clone) -> Vec<u8> {
    let mut out = Vec::new();
    put_box(&mut out, b"ftyp", |out| {
        out.extend_from_slice(b"iso6");
        out.put_u32(1);
        out.extend_from_slice(b"iso6mp41");
    });
    put_box(&mut out, b"moov", |out| {
        put_full_box(out, b"mvhd", 0, 0, |out| {
            put_zeros(out, 8);
            out.put_u32(TIMESCALE);
            put_zeros(out, 4);
            // Rate and volume 1.
            out.put_u32(0x1_0000);
            out.put_u16(0x100);
            put_zeros(out, 10);
            put_matrix(out);
            put_zeros(out, 24);
            out.put_u32(AUDIO_ID + 1);
        });
        for track in tracks.clone() {
            put_box(out, b"trak", |out| track.put_trak(out));
        }
        put_box(out, b"mvex", |out| {
            for track in tracks {
                put_full_box(out, b"trex", 0, 0, |out| {
                    out.put_u32(track.id());
                    out.put_u32(1);
                    put_zeros(out, 12);
                });
            }
        });
    });
    out
}

fn put_matrix(out: &mut Vec<u8>) {
    for value in MATRIX {
        out.put_u32(value);
    }
}

/// A box with this content.
fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_box(&mut out, name, |out| out.extend_from_slice(content));
    out
}

/// An `esds` box: an ES_Descriptor (ISO/IEC 14496-1 §7.2.6.5) around a decoder configuration, of
/// AAC an AudioSpecificConfig, of MPEG audio nothing.
fn esds(object_type: u8, config: Option<&[u8]>) -> Vec<u8> {
    // Stream type audio (upstream 0, reserved 1), buffer size and bitrates unknown.
    let mut decoder = vec![object_type, 0x15];
    put_zeros(&mut decoder, 3 + 4 + 4);
    if let Some(config) = config {
        decoder.extend_from_slice(&descriptor(0x05, config));
    }
    let mut stream = vec![0, 0, 0];
    stream.extend_from_slice(&descriptor(0x04, &decoder));
    stream.extend_from_slice(&descriptor(0x06, &[2]));
    let mut out = Vec::new();
    put_full_box(&mut out, b"esds", 0, 0, |out| {
        out.extend_from_slice(&descriptor(0x03, &stream));
    });
    out
}

/// Tag, length in four bytes of seven bits, content.
fn descriptor(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut out = vec![tag];
    for shift in [21, 14, 7, 0] {
        let [.., low] = (length >> shift & 0x7F).to_be_bytes();
        out.push(if shift > 0 { low | 0x80 } else { low });
    }
    out.extend_from_slice(content);
    out
}
