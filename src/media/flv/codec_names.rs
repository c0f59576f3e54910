//! What people call the codecs.

use std::fmt;

use super::{AudioCodec, FourCc, VideoCodec};

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SorensonH263 => "Sorenson H.263",
            Self::ScreenVideo => "Screen Video",
            Self::Vp6 => "VP6",
            Self::Vp6Alpha => "VP6 with alpha",
            Self::ScreenVideo2 => "Screen Video 2",
            Self::Avc => "H.264",
            Self::H263 => "H.263",
            Self::Mpeg4 => "MPEG-4 part 2",
            Self::Hevc => "HEVC",
            Self::Av1 => "AV1",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Vvc => "VVC",
            Self::Other(id) => return write!(f, "codec id {id}"),
            Self::FourCc(fourcc) => return f.write_str(&fourcc_text(*fourcc)),
        })
    }
}

impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PcmNative | Self::PcmLe => "PCM",
            Self::Adpcm => "ADPCM",
            Self::Mp3 | Self::Mp3At8k => "MP3",
            Self::Nellymoser16k | Self::Nellymoser8k | Self::Nellymoser => "Nellymoser",
            Self::G711Alaw => "G.711 A-law",
            Self::G711Ulaw => "G.711 mu-law",
            Self::Aac => "AAC",
            Self::Speex => "Speex",
            Self::Opus => "Opus",
            Self::Flac => "FLAC",
            Self::Ac3 => "AC-3",
            Self::Eac3 => "E-AC-3",
            Self::DeviceSpecific => "device-specific sound",
            Self::Other(format) => return write!(f, "sound format {format}"),
            Self::FourCc(fourcc) => return f.write_str(&fourcc_text(*fourcc)),
        })
    }
}

/// A FourCC in characters that can be printed.
pub fn fourcc_text(fourcc: FourCc) -> String {
    fourcc.escape_ascii().to_string()
}
