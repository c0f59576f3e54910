//! The "onMetaData" script tag: what a stream is, before its first frame.
//!
//! Written from what the sequence headers say, so that it cannot contradict them. Read leniently,
//! as a hint for display: cameras leave it out, leave it empty, send numbers as text, and
//! promise audio that never comes, so nothing may depend on it.
//! Adobe FLV 10.1, Annex E.5; Enhanced RTMP v2 (codec ids as FourCC numbers).
//!
//! ```text
//! [number]* ["@setDataFrame"] "onMetaData" ECMA array or object
//! ```

use crate::amf::{Limits, Object, Value, amf0};
use crate::media::codec::aac::AacConfig;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::{HevcConfig, is_hevc_record};

use super::{AudioCodec, AudioHeader, TagKind, VideoCodec, VideoHeader};

/// What our own metadata gives as the encoder.
pub const ENCODER: &str = concat!("Millstream ", env!("CARGO_PKG_VERSION"));

/// The common fields of "onMetaData". `None` is not known, and is not written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// `width` in pixels.
    pub width: Option<u32>,
    /// `height` in pixels.
    pub height: Option<u32>,
    /// `framerate` in frames per second.
    pub frame_rate: Option<f64>,
    /// `videocodecid`.
    pub video_codec: Option<VideoCodec>,
    /// Whether `videocodecid` is the FourCC, for codecs that have a legacy number too.
    pub is_video_enhanced: bool,
    /// `videodatarate` in kbit/s.
    pub video_kbps: Option<f64>,
    /// `audiocodecid`.
    pub audio_codec: Option<AudioCodec>,
    /// Whether `audiocodecid` is the FourCC, for codecs that have a legacy number too.
    pub is_audio_enhanced: bool,
    /// `audiosamplerate` in Hz.
    pub audio_sample_rate: Option<u32>,
    /// `audiosamplesize` in bits.
    pub audio_sample_size: Option<u32>,
    /// `audiochannels`; `stereo` is written and read as well.
    pub audio_channels: Option<u32>,
    /// `audiodatarate` in kbit/s.
    pub audio_kbps: Option<f64>,
    /// `duration` in seconds; live streams have none.
    pub duration: Option<f64>,
    /// `encoder`: the program that made the stream.
    pub encoder: Option<String>,
}

impl Metadata {
    /// Metadata with [`ENCODER`] in it and nothing else, to be filled by [`observe`](Self::observe).
    pub fn new() -> Self {
        Self {
            encoder: Some(ENCODER.to_owned()),
            ..Self::default()
        }
    }

    /// Takes in what an audio or video body says about its track: all of it from sequence
    /// headers, codec and format bits from frames. Bodies that are not readable change nothing.
    pub fn observe(&mut self, kind: TagKind, body: &[u8]) {
        match kind {
            TagKind::Video => {
                if let Ok(header) = VideoHeader::parse(body) {
                    self.observe_video(&header, header.payload(body));
                }
            }
            TagKind::Audio => {
                if let Ok(header) = AudioHeader::parse(body) {
                    self.observe_audio(&header, header.payload(body));
                }
            }
            TagKind::Script => {}
        }
    }

    fn observe_video(&mut self, header: &VideoHeader, payload: &[u8]) {
        if header.codec == VideoCodec::Other(0) || header.track_id != 0 {
            return;
        }
        if self.video_codec.is_none() || header.is_sequence_header() {
            self.video_codec = Some(header.codec);
            self.is_video_enhanced = header.enhanced;
        }
        if !header.is_sequence_header() {
            return;
        }
        let picture = match header.codec {
            VideoCodec::Hevc => hevc_picture(payload),
            VideoCodec::Avc if is_hevc_record(payload) => {
                self.video_codec = Some(VideoCodec::Hevc);
                hevc_picture(payload)
            }
            VideoCodec::Avc => AvcConfig::parse(payload)
                .ok()
                .and_then(|config| config.first_sps())
                .map(|sps| (sps.width, sps.height, sps.frame_rate)),
            _ => None,
        };
        if let Some((width, height, frame_rate)) = picture {
            self.width = Some(width);
            self.height = Some(height);
            self.frame_rate = frame_rate.or(self.frame_rate);
        }
    }

    fn observe_audio(&mut self, header: &AudioHeader, payload: &[u8]) {
        if header.track_id != 0 {
            return;
        }
        if self.audio_codec.is_none() || header.is_sequence_header() {
            self.audio_codec = Some(header.codec);
            self.is_audio_enhanced = header.enhanced;
        }
        if let Some(rate) = header.sample_rate() {
            self.audio_sample_rate = Some(rate);
            self.audio_channels = header.channels().map(u32::from);
            self.audio_sample_size = Some(16);
        }
        if header.codec == AudioCodec::Aac
            && header.is_sequence_header()
            && let Ok(config) = AacConfig::parse(payload)
        {
            self.audio_sample_rate = Some(config.output_sample_rate());
            self.audio_channels = match config.output_channels() {
                0 => None,
                channels => Some(u32::from(channels)),
            };
            self.audio_sample_size = Some(16);
        }
    }

    /// Reads a script data body. `None` when it is not "onMetaData" or holds no fields at all.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let limits = Limits::default();
        let mut decoder = amf0::Decoder::new(body, &limits);
        let mut is_named = false;
        // Uniview cameras put two numbers before the name.
        while let Ok(Some(value)) = decoder.next() {
            match value {
                Value::String(name) if name == "onMetaData" => is_named = true,
                Value::Object(object) | Value::EcmaArray(object) if is_named => {
                    return Some(Self::from_object(&object));
                }
                _ => {}
            }
        }
        None
    }

    /// Reads the fields of an "onMetaData" object.
    pub fn from_object(object: &Object) -> Self {
        let number = |key| object.get(key).and_then(lenient_number);
        let whole = |key| number(key).and_then(whole_number);
        let codec = |key| object.get(key).and_then(codec_id);
        let video = codec("videocodecid");
        let audio = codec("audiocodecid");
        let stereo = object.get("stereo").and_then(lenient_flag);
        Self {
            width: whole("width"),
            height: whole("height"),
            frame_rate: number("framerate")
                .or_else(|| number("videoframerate"))
                .or_else(|| number("fps"))
                .filter(|&rate| rate > 0.0),
            video_codec: video.map(CodecId::video),
            is_video_enhanced: matches!(video, Some(CodecId::FourCc(_))),
            video_kbps: number("videodatarate").filter(|&rate| rate > 0.0),
            audio_codec: audio.map(CodecId::audio),
            is_audio_enhanced: matches!(audio, Some(CodecId::FourCc(_))),
            audio_sample_rate: whole("audiosamplerate"),
            audio_sample_size: whole("audiosamplesize"),
            audio_channels: whole("audiochannels").or_else(|| Some(if stereo? { 2 } else { 1 })),
            audio_kbps: number("audiodatarate").filter(|&rate| rate > 0.0),
            duration: number("duration").filter(|&seconds| seconds > 0.0),
            encoder: object.string("encoder").map(str::to_owned),
        }
    }

    /// The fields that are known, in the order in which FFmpeg sends them.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        let mut put = |key: &str, value: Option<f64>| {
            if let Some(value) = value {
                object.insert(key, value);
            }
        };
        put("duration", self.duration);
        put("width", self.width.map(f64::from));
        put("height", self.height.map(f64::from));
        put("videodatarate", self.video_kbps);
        put("framerate", self.frame_rate);
        put("videocodecid", self.video_codec_id());
        put("audiodatarate", self.audio_kbps);
        put("audiosamplerate", self.audio_sample_rate.map(f64::from));
        put("audiosamplesize", self.audio_sample_size.map(f64::from));
        put("audiochannels", self.audio_channels.map(f64::from));
        put("audiocodecid", self.audio_codec_id());
        if let Some(channels) = self.audio_channels {
            object.insert("stereo", channels == 2);
        }
        if let Some(encoder) = &self.encoder {
            object.insert("encoder", encoder.as_str());
        }
        object
    }

    /// A script data body: "onMetaData" and an ECMA array. For `@setDataFrame` in a publish,
    /// that name goes before it.
    pub fn to_body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        amf0::encode_string("onMetaData", &mut out);
        amf0::encode_ecma_array(&self.to_object(), &mut out);
        out
    }

    fn video_codec_id(&self) -> Option<f64> {
        let codec = self.video_codec?;
        codec_number(codec.legacy_id(), codec.fourcc(), self.is_video_enhanced)
    }

    fn audio_codec_id(&self) -> Option<f64> {
        let codec = self.audio_codec?;
        codec_number(
            codec.legacy_format(),
            codec.fourcc(),
            self.is_audio_enhanced,
        )
    }
}

fn hevc_picture(record: &[u8]) -> Option<(u32, u32, Option<f64>)> {
    let sps = HevcConfig::parse(record).ok()?.first_sps()?;
    Some((sps.width, sps.height, sps.frame_rate))
}

/// The number that stands for a codec, by FourCC if it is to be so or can only be so.
pub(super) fn codec_number(
    legacy: Option<u8>,
    fourcc: Option<[u8; 4]>,
    enhanced: bool,
) -> Option<f64> {
    let fourcc = fourcc.map(|fourcc| f64::from(u32::from_be_bytes(fourcc)));
    match legacy {
        Some(id) if !enhanced || fourcc.is_none() => Some(f64::from(id)),
        _ => fourcc,
    }
}

/// A codec id as sent: a small number, or a FourCC as a number or as text (XSplit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodecId {
    Legacy(u8),
    FourCc([u8; 4]),
}

impl CodecId {
    pub(super) fn video(self) -> VideoCodec {
        match self {
            Self::Legacy(id) => VideoCodec::from_legacy_id(id),
            Self::FourCc(fourcc) => VideoCodec::from_fourcc(fourcc),
        }
    }

    pub(super) fn audio(self) -> AudioCodec {
        match self {
            Self::Legacy(format) => AudioCodec::from_legacy_format(format),
            Self::FourCc(fourcc) => AudioCodec::from_fourcc(fourcc),
        }
    }
}

/// Reads a codec id in any of its ways.
pub(super) fn codec_id(value: &Value) -> Option<CodecId> {
    if let Value::String(text) = value
        && let Ok(fourcc) = <[u8; 4]>::try_from(text.trim().as_bytes())
        && fourcc.iter().all(|byte| (b' '..=b'~').contains(byte))
        && text.parse::<u32>().is_err()
    {
        return Some(CodecId::FourCc(fourcc));
    }
    // 0 means "no such track" to those who send it; as a codec nobody uses it.
    let number = whole_number(lenient_number(value)?)?;
    match u8::try_from(number) {
        Ok(id @ ..16) => Some(CodecId::Legacy(id)),
        // Four bits are all that a tag has for it; cut to them it would name another codec.
        Ok(_) => None,
        Err(_) => Some(CodecId::FourCc(number.to_be_bytes())),
    }
}

/// A number, or text that is one.
fn lenient_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => *number,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A flag, or a number or text that stands for one.
fn lenient_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        other => lenient_number(other).map(|number| number != 0.0),
    }
}

/// A number from 1 to 2^32 - 1, its fraction dropped.
fn whole_number(number: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to lie within u32"
    )]
    (1.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::media::codec::hex;
    use crate::media::flv::{
        HevcForm, Reader, aac_sequence_header, avc_sequence_header, hevc_sequence_header,
    };

    const AVCC: &str = "0164000bffe10019 6764000bacd9428df93011000003000100000300320f142996
        010004 68ef8fcb fdf8f800";
    const HVCC: &str = "01 01600000009000000000001e f000 fc fd f8 f8 0000 0f 03
        a0 0001 0018 40010c01ffff01600000030090000003000003001e959009
        a1 0001 0028
        42010101600000030090000003000003001ea0142061f26595924932bc05a02000007d20000ea601
        a2 0001 0007 4401c172b46240";

    fn observed(video: &[u8], audio: &[u8]) -> Metadata {
        let mut metadata = Metadata::new();
        metadata.observe(TagKind::Video, video);
        metadata.observe(TagKind::Audio, audio);
        metadata
    }

    #[test]
    fn sequence_headers_say_it_all() {
        let metadata = observed(
            &avc_sequence_header(&hex(AVCC)),
            &aac_sequence_header(&[0x12, 0x10]),
        );
        assert_eq!(
            metadata,
            Metadata {
                width: Some(160),
                height: Some(90),
                frame_rate: Some(25.0),
                video_codec: Some(VideoCodec::Avc),
                audio_codec: Some(AudioCodec::Aac),
                audio_sample_rate: Some(44_100),
                audio_sample_size: Some(16),
                audio_channels: Some(2),
                encoder: Some(ENCODER.to_owned()),
                ..Metadata::default()
            }
        );
        let object = metadata.to_object();
        assert_eq!(object.number("videocodecid"), Some(7.0));
        assert_eq!(object.number("audiocodecid"), Some(10.0));
        assert_eq!(object.boolean("stereo"), Some(true));
        assert_eq!(object.get("duration"), None);
        assert_eq!(Metadata::parse(&metadata.to_body()), Some(metadata));
    }

    #[test]
    fn hevc_is_named_by_the_form_of_its_header() {
        for (form, id) in [
            (HevcForm::Enhanced, 1_752_589_105.0),
            (HevcForm::CodecId12, 12.0),
        ] {
            let metadata = observed(&hevc_sequence_header(&hex(HVCC), form), &[]);
            assert_eq!((metadata.width, metadata.height), (Some(160), Some(90)));
            assert_eq!(metadata.to_object().number("videocodecid"), Some(id));
            assert_eq!(Metadata::parse(&metadata.to_body()), Some(metadata));
        }
        // OBS before 29.1: an hvcC labelled as AVC.
        let metadata = observed(&avc_sequence_header(&hex(HVCC)), &[]);
        assert_eq!(metadata.video_codec, Some(VideoCodec::Hevc));
        assert_eq!(metadata.width, Some(160));
    }

    #[test]
    fn tracks_without_sequence_headers_are_known_by_their_frames() {
        let metadata = observed(&[0x22, 0], &[0x72, 0xD5]);
        assert_eq!(metadata.video_codec, Some(VideoCodec::SorensonH263));
        assert_eq!(metadata.audio_codec, Some(AudioCodec::G711Alaw));
        assert_eq!(metadata.audio_sample_rate, Some(8_000));
        assert_eq!(metadata.audio_channels, Some(1));
        for damage in [&[][..], &[0x17], &[0x17, 0, 0, 0, 0, 1], b"\x90hvc1\x01"] {
            let metadata = observed(damage, &[0xAF, 0, 0x12]);
            assert_eq!((metadata.width, metadata.audio_sample_rate), (None, None));
        }
    }

    #[test]
    fn a_file_of_ffmpeg() {
        let mut reader = Reader::new();
        reader.handle_input(include_bytes!("../../../tests/data/media/avc_aac.flv"));
        let first = reader.poll_tag().unwrap().unwrap();
        let metadata = Metadata::parse(&first.body).unwrap();
        assert_eq!((metadata.width, metadata.height), (Some(64), Some(64)));
        assert_eq!(metadata.frame_rate, Some(25.0));
        assert_eq!(metadata.video_codec, Some(VideoCodec::Avc));
        assert_eq!(metadata.audio_codec, Some(AudioCodec::Aac));
        assert_eq!(metadata.audio_sample_rate, Some(44_100));
        assert_eq!(metadata.audio_channels, Some(1));
        assert_eq!(metadata.encoder.as_deref(), Some("Lavf59.27.100"));
        for length in 0..first.body.len() {
            Metadata::parse(&first.body[..length]);
        }
    }

    #[test]
    fn lenient_values() {
        let object = Object::new()
            .with("width", "1920")
            .with("height", 1080.7)
            .with("framerate", f64::NAN)
            .with("fps", " 30 ")
            .with("videocodecid", "av01")
            .with("audiocodecid", 1_332_770_163.0)
            .with("audiosamplerate", -1.0)
            .with("audiosamplesize", 1e300)
            .with("stereo", "true");
        let metadata = Metadata::from_object(&object);
        assert_eq!((metadata.width, metadata.height), (Some(1920), Some(1080)));
        assert_eq!(metadata.frame_rate, Some(30.0));
        assert_eq!(metadata.video_codec, Some(VideoCodec::Av1));
        assert!(metadata.is_video_enhanced);
        assert_eq!(metadata.audio_codec, Some(AudioCodec::Opus));
        assert_eq!(metadata.audio_sample_rate, None);
        assert_eq!(metadata.audio_sample_size, None);
        assert_eq!(metadata.audio_channels, Some(2));
        let none = Object::new()
            .with("audiocodecid", 0.0)
            .with("videocodecid", "7");
        let metadata = Metadata::from_object(&none);
        assert_eq!(metadata.audio_codec, None);
        assert_eq!(metadata.video_codec, Some(VideoCodec::Avc));
    }

    #[test]
    fn what_comes_before_the_name_is_skipped() {
        let plain = observed(&[0x22, 0], &[]).to_body();
        let mut prefixed = Vec::new();
        amf0::encode_number(0.0, &mut prefixed);
        amf0::encode_number(0.0, &mut prefixed);
        amf0::encode_string("@setDataFrame", &mut prefixed);
        prefixed.extend(&plain);
        assert_eq!(Metadata::parse(&prefixed), Metadata::parse(&plain));
        let mut other = Vec::new();
        amf0::encode_string("onCuePoint", &mut other);
        amf0::encode_ecma_array(&Object::new(), &mut other);
        assert_eq!(Metadata::parse(&other), None);
        assert_eq!(Metadata::parse(b"\x02\x00\x0AonMetaData\x05"), None);
        assert_eq!(Metadata::parse(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(metadata) = Metadata::parse(&bytes) {
                metadata.to_body();
            }
            let named = [b"\x02\x00\x0AonMetaData", &bytes[..]].concat();
            Metadata::parse(&named);
            let mut metadata = Metadata::new();
            metadata.observe(TagKind::Video, &bytes);
            metadata.observe(TagKind::Audio, &bytes);
        }
    }
}
