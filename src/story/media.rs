//! What audio and video of one direction amount to: sequence headers and first frames are told,
//! the rest is counted.

use super::text::{bytes, count};
use crate::media::codec::aac::AacConfig;
use crate::media::codec::av1::Av1Config;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::{HevcConfig, is_hevc_record};
use crate::media::codec::names;
use crate::media::flv::{
    AudioCodec, AudioHeader, AudioPacket, VideoCodec, VideoHeader, VideoPacket, fourcc_text,
};
use crate::rtmp::MediaKind;

/// Sequence headers of one kind that are told; encoders that repeat theirs say nothing new.
const HEADERS_TOLD_MAX: u32 = 4;

/// The media of one direction.
#[derive(Debug, Default)]
pub(super) struct Media {
    pub(super) video: Track,
    pub(super) audio: Track,
    /// Aggregates, whose parts are not told.
    pub(super) aggregates: u64,
    /// Bytes of all bodies.
    pub(super) bytes: u64,
}

/// Audio or video.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Frames, sequence headers not counted.
    pub(super) frames: u64,
    /// Video only.
    pub(super) keyframes: u64,
    pub(super) headers: u32,
    /// The first frame came before any sequence header, and needs one.
    pub(super) lacked_header: bool,
    /// Bodies that cannot be read.
    pub(super) unreadable: u64,
    /// What people call the codec.
    pub(super) codec: Option<String>,
    /// What few players understand, and what to do about it.
    pub(super) caution: Option<Caution>,
    /// A checksum of the header that was told last.
    last_header: u64,
}

/// A codec, or a form of it, that not every player reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caution {
    /// HEVC as codec id 12.
    HevcCodecId12,
    /// `hvc1`, `av01`, `vp09`: needs Enhanced RTMP.
    Enhanced,
    /// Sound other than AAC and MP3.
    Sound,
    /// Nothing names it.
    Unknown,
}

impl Media {
    /// Whether there was any frame.
    pub(super) fn is_empty(&self) -> bool {
        self.video.frames == 0 && self.audio.frames == 0 && self.aggregates == 0
    }

    /// Whether anything of audio or video came, a sequence header say.
    pub(super) fn is_untouched(&self) -> bool {
        self.is_empty() && self.video.headers == 0 && self.audio.headers == 0
    }

    /// Counts an aggregate message.
    pub(super) fn aggregate(&mut self, length: usize) -> Option<String> {
        self.bytes = self.bytes.saturating_add(length as u64);
        self.aggregates += 1;
        (self.aggregates == 1).then(|| "1st aggregate of audio and video".to_owned())
    }

    /// Takes a body; the line to be told, if it is worth one.
    pub(super) fn handle(&mut self, kind: MediaKind, body: &[u8]) -> Option<String> {
        self.bytes = self.bytes.saturating_add(body.len() as u64);
        // An empty body means silence, or nothing.
        if body.is_empty() {
            return None;
        }
        match kind {
            MediaKind::Video => self.video.video(body),
            MediaKind::Audio => self.audio.audio(body),
        }
    }

    /// `250 video frames (10 keyframes) and 430 audio frames, 1.23 MB`
    pub(super) fn summary(&self) -> String {
        let mut parts = Vec::new();
        if self.video.frames > 0 {
            let frames = count(self.video.frames, "video frame");
            let keys = count(self.video.keyframes, "keyframe");
            parts.push(format!("{frames} ({keys})"));
        }
        if self.audio.frames > 0 {
            parts.push(count(self.audio.frames, "audio frame"));
        }
        if self.aggregates > 0 {
            parts.push(count(self.aggregates, "aggregate"));
        }
        if parts.is_empty() {
            parts.push("no frame".to_owned());
        }
        format!("{}, {}", parts.join(" and "), bytes(self.bytes))
    }
}

impl Track {
    fn video(&mut self, body: &[u8]) -> Option<String> {
        let Ok(Some(header)) = VideoHeader::parse_default(body) else {
            return self.unreadable("video");
        };
        let payload = header.payload(body);
        match header.packet {
            VideoPacket::SequenceHeader | VideoPacket::Mpeg2TsSequenceHeader => {
                self.caution = self.caution.or_else(|| video_caution(&header));
                self.codec = Some(header.codec.to_string());
                self.header("video", payload, || video_header(&header, payload))
            }
            VideoPacket::Frames => {
                self.caution = self.caution.or_else(|| video_caution(&header));
                let codec = header.codec;
                self.codec.get_or_insert_with(|| codec.to_string());
                self.frames += 1;
                let is_keyframe = header.is_keyframe();
                self.keyframes += u64::from(is_keyframe);
                let needs_header = matches!(
                    header.codec,
                    VideoCodec::Avc | VideoCodec::Hevc | VideoCodec::Av1 | VideoCodec::Vvc
                );
                match (self.frames, is_keyframe) {
                    (1, _) => {
                        self.lacked_header = needs_header && self.headers == 0;
                        let kind = if is_keyframe {
                            "a keyframe"
                        } else {
                            "no keyframe"
                        };
                        Some(format!(
                            "1st video frame: {codec}, {kind}{}",
                            self.header_remark()
                        ))
                    }
                    (frames, true) if self.keyframes == 1 => {
                        Some(format!("1st keyframe, as video frame {frames}"))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn audio(&mut self, body: &[u8]) -> Option<String> {
        let Ok(Some(header)) = AudioHeader::parse_default(body) else {
            return self.unreadable("audio");
        };
        let payload = header.payload(body);
        match header.packet {
            AudioPacket::SequenceHeader => {
                self.caution = self.caution.or_else(|| audio_caution(&header));
                self.codec = Some(header.codec.to_string());
                self.header("audio", payload, || audio_header(&header, payload))
            }
            AudioPacket::Frames => {
                self.caution = self.caution.or_else(|| audio_caution(&header));
                self.codec.get_or_insert_with(|| header.codec.to_string());
                self.frames += 1;
                if self.frames > 1 {
                    return None;
                }
                self.lacked_header = header.codec == AudioCodec::Aac && self.headers == 0;
                let format = match (header.sample_rate(), header.channels()) {
                    (Some(rate), Some(channels)) => format!(", {rate} Hz, {}", sides(channels)),
                    _ => String::new(),
                };
                Some(format!(
                    "1st audio frame: {}{format}{}",
                    header.codec,
                    self.header_remark()
                ))
            }
            _ => None,
        }
    }

    fn header_remark(&self) -> &'static str {
        if self.lacked_header {
            ", before any sequence header"
        } else {
            ""
        }
    }

    fn unreadable(&mut self, kind: &str) -> Option<String> {
        self.unreadable += 1;
        (self.unreadable == 1).then(|| format!("{kind} message that cannot be read"))
    }

    /// Told when it is the first one or says something new.
    fn header(
        &mut self,
        kind: &str,
        payload: &[u8],
        describe: impl FnOnce() -> String,
    ) -> Option<String> {
        self.headers = self.headers.saturating_add(1);
        let checksum = checksum(payload);
        let is_new = self.headers == 1 || checksum != self.last_header;
        self.last_header = checksum;
        if !is_new || self.headers > HEADERS_TOLD_MAX {
            return None;
        }
        Some(match self.headers {
            1 => format!("1st {kind}: {}", describe()),
            _ => format!("new {kind} sequence header: {}", describe()),
        })
    }
}

/// FNV-1a: tells one sequence header from the next, and no more than that depends on it.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn video_caution(header: &VideoHeader) -> Option<Caution> {
    match (header.codec, header.enhanced) {
        (VideoCodec::Hevc, false) => Some(Caution::HevcCodecId12),
        (VideoCodec::Other(_) | VideoCodec::FourCc(_), _) => Some(Caution::Unknown),
        (_, true) => Some(Caution::Enhanced),
        _ => None,
    }
}

fn audio_caution(header: &AudioHeader) -> Option<Caution> {
    match header.codec {
        AudioCodec::Aac | AudioCodec::Mp3 | AudioCodec::Mp3At8k if !header.enhanced => None,
        AudioCodec::Other(_) | AudioCodec::FourCc(_) => Some(Caution::Unknown),
        _ => Some(Caution::Sound),
    }
}

fn video_header(header: &VideoHeader, record: &[u8]) -> String {
    let mut text = format!("{} sequence header", header.codec);
    text.push_str(&video_tag(header));
    if record.is_empty() {
        text.push_str(", empty");
        return text;
    }
    let facts = match header.codec {
        VideoCodec::Avc if is_hevc_record(record) => {
            text.push_str(", which is one of HEVC");
            hevc_facts(record)
        }
        VideoCodec::Avc => avc_facts(record),
        VideoCodec::Hevc => hevc_facts(record),
        VideoCodec::Av1 => av1_facts(record),
        _ => return text,
    };
    text.push_str(&facts.unwrap_or_else(|| ", which cannot be read".to_owned()));
    text
}

/// How the codec is named, where there is more than one way.
fn video_tag(header: &VideoHeader) -> String {
    match (header.enhanced, header.codec.fourcc()) {
        (true, Some(fourcc)) => format!(" ({})", fourcc_text(fourcc)),
        _ => match header.codec {
            VideoCodec::Hevc => " (codec id 12)".to_owned(),
            VideoCodec::Av1 => " (codec id 13)".to_owned(),
            _ => String::new(),
        },
    }
}

fn avc_facts(record: &[u8]) -> Option<String> {
    let config = AvcConfig::parse(record).ok()?;
    let profile = names::avc_profile(config.profile, config.constraints);
    let level = names::avc_level(config.profile, config.constraints, config.level);
    let size = config.first_sps().map(|sps| (sps.width, sps.height));
    Some(facts(profile, config.profile, &level, size))
}

fn hevc_facts(record: &[u8]) -> Option<String> {
    let config = HevcConfig::parse(record).ok()?;
    let profile = names::hevc_profile(config.profile.profile);
    let level = names::hevc_level(config.profile.level);
    let size = config.first_sps().map(|sps| (sps.width, sps.height));
    Some(facts(profile, config.profile.profile, &level, size))
}

fn av1_facts(record: &[u8]) -> Option<String> {
    let config = Av1Config::parse(record).ok()?;
    let profile = names::av1_profile(config.profile);
    Some(match profile {
        Some(profile) => format!(", {profile}"),
        None => format!(", profile {}", config.profile),
    })
}

/// `, High 4.0, 1920x1080`
fn facts(
    profile: Option<&'static str>,
    number: u8,
    level: &str,
    size: Option<(u32, u32)>,
) -> String {
    let profile = names::named(profile, number);
    let size = size.map(|(width, height)| format!(", {width}x{height}"));
    format!(", {profile} {level}{}", size.unwrap_or_default())
}

fn audio_header(header: &AudioHeader, config: &[u8]) -> String {
    let mut text = format!("{} sequence header", header.codec);
    if let (true, Some(fourcc)) = (header.enhanced, header.codec.fourcc()) {
        text.push_str(&format!(" ({})", fourcc_text(fourcc)));
    }
    if header.codec != AudioCodec::Aac {
        return text;
    }
    let Ok(config) = AacConfig::parse(config) else {
        return text + ", which cannot be read";
    };
    let kind = names::aac_profile(
        config.object_type,
        config.sbr_sample_rate.is_some(),
        config.has_ps,
    );
    if let Some(kind) = kind {
        text.push_str(&format!(", {kind}"));
    }
    let rate = config.output_sample_rate();
    text.push_str(&format!(", {rate} Hz, {}", sides(config.output_channels())));
    text
}

fn sides(channels: u8) -> String {
    match channels {
        0 => "any channels".to_owned(),
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        more => format!("{more} channels"),
    }
}
