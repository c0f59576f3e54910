//! What a simulated camera films: good tags in, odd message bodies and timestamps out.

use super::oddities::{AudioForm, Clock, MetadataForm, Oddities, VideoForm};
use super::packing::{Units, behind_adts, hevc_body, second_track};
use super::reel::{self, Reel};
use crate::amf::{Limits, Object, Value, amf0};
use crate::client::ClientError;
use crate::client::feed::Introduction;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::media::codec::nal::put_nal_unit;
use crate::media::flv::{
    AudioCodec, HevcForm, Tag, TagKind, VideoCodec, VideoHeader, VideoPacket, audio_frame,
    avc_end_of_sequence, avc_frame, avc_sequence_header, hevc_end_of_sequence,
    hevc_sequence_header,
};
use crate::rtmp::message::data::{
    ON_META_DATA, SET_DATA_FRAME, encode_metadata, encode_set_data_frame, metadata_object,
};

/// Milliseconds of stream time at which a clock jumps.
const JUMP_AT_MS: i64 = 2000;

/// How far single frames are off: four hours.
const OUTLIER_MS: i64 = 4 * 3_600_000;

/// Which frames of each track are: the 18th and every 30th behind it.
const OUTLIERS: (u64, u64) = (17, 30);

/// Frames of sound that come before their sequence header.
const EARLY_FRAMES: u64 = 6;

/// Every so many frames of sound, some without a byte of it.
const EMPTY_EVERY: u64 = 10;

/// Groups of pictures of one size, then as many of the other.
const TURN_GROUPS: u64 = 2;

/// One frame of G.711: 20 ms at 8 kHz.
const TONE_MS: i64 = 20;

/// Which chunk stream a body goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Audio,
    Video,
    Data,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) track: Track,
    pub(super) timestamp: u32,
    pub(super) body: Vec<u8>,
    pub(super) is_keyframe: bool,
}

/// Turns the tags of the feed into what the camera sends.
#[derive(Debug)]
pub(super) struct Studio {
    metadata_form: MetadataForm,
    video_form: VideoForm,
    audio_form: AudioForm,
    clock: Clock,
    metadata: Object,
    /// Body of the feed's own sequence header.
    video_header: Option<Vec<u8>>,
    /// Body.
    audio_header: Option<Vec<u8>>,
    /// Parameter sets and length size of the feed's pictures, if they are H.264.
    avc: Option<AvcConfig>,
    /// Pictures that stand in for those of the feed.
    reel: Option<Reel>,
    /// Keyframes so far.
    groups: u64,
    video_frames: u64,
    audio_frames: u64,
    /// When the next frame of a tone is due.
    tone_due: i64,
}

impl Studio {
    /// `is_test_stream`: its pictures may be replaced by others.
    pub(super) fn new(
        oddities: &Oddities,
        introduction: &Introduction,
        is_test_stream: bool,
    ) -> Result<Self, ClientError> {
        let form = oddities.video;
        let header = introduction.video_header.clone();
        let parsed = header
            .as_deref()
            .and_then(|body| Some((VideoHeader::parse(body).ok()?, body)));
        let codec = parsed.map(|(header, _)| header.codec);
        let avc = parsed
            .filter(|(header, _)| header.codec == VideoCodec::Avc)
            .and_then(|(header, body)| AvcConfig::parse(header.payload(body)).ok());
        let reel = match form {
            _ if form.is_hevc() && codec == Some(VideoCodec::Hevc) => None,
            _ if form.is_hevc() && is_test_stream => Some(reel::hevc()),
            _ if form.is_hevc() => return Err(ClientError::WrongInput("HEVC")),
            _ if form.turns() && is_test_stream => Some(reel::portrait()),
            _ if form.turns() => return Err(ClientError::WrongInput("two picture sizes")),
            _ if form.needs_avc() && avc.is_none() => {
                return Err(ClientError::WrongInput("H.264"));
            }
            _ => None,
        };
        let told = introduction.metadata.as_deref();
        let metadata = told.and_then(|body| metadata_object(body, &Limits::default()));
        let mut studio = Self {
            metadata_form: oddities.metadata,
            video_form: form,
            audio_form: oddities.audio,
            clock: oddities.clock,
            metadata: metadata.unwrap_or_default(),
            video_header: header,
            audio_header: introduction.audio_header.clone(),
            avc,
            reel,
            groups: 0,
            video_frames: 0,
            audio_frames: 0,
            tone_due: TONE_MS,
        };
        studio.amend_metadata();
        Ok(studio)
    }

    /// Whether metadata wait until a second of media has gone.
    pub(super) fn has_late_metadata(&self) -> bool {
        self.metadata_form == MetadataForm::Late
    }

    /// The message that carries metadata, if there is one.
    pub(super) fn metadata(&self) -> Option<Piece> {
        let object = &self.metadata;
        let name = |rest: &[u8]| {
            let mut body = Vec::new();
            amf0::encode_string(SET_DATA_FRAME, &mut body);
            amf0::encode_string(ON_META_DATA, &mut body);
            body.extend_from_slice(rest);
            body
        };
        let body = match self.metadata_form {
            MetadataForm::Missing => return None,
            MetadataForm::Null => name(&[5]),
            MetadataForm::Nothing => name(&[]),
            MetadataForm::Bare => encode_metadata(object),
            MetadataForm::JunkInFront => {
                let mut body = Vec::new();
                amf0::encode_number(0.0, &mut body);
                amf0::encode_number(1.0, &mut body);
                body.extend_from_slice(&encode_set_data_frame(object));
                body
            }
            MetadataForm::Whole
            | MetadataForm::NoVideoCodec
            | MetadataForm::NoTracks
            | MetadataForm::CodecAsText
            | MetadataForm::Late
            | MetadataForm::Wrong => encode_set_data_frame(object),
        };
        Some(Piece {
            track: Track::Data,
            timestamp: 0,
            body,
            is_keyframe: false,
        })
    }

    /// The sequence headers that open the stream.
    pub(super) fn headers(&self, out: &mut Vec<Piece>) {
        if let Some(body) = self.opening_header() {
            self.put_video(0, body, false, out);
        }
        match (self.audio_form, &self.audio_header) {
            (AudioForm::Plain | AudioForm::Adts, Some(header)) => {
                let body = header.clone();
                self.put_audio(0, body, out);
            }
            (AudioForm::EmptyBodies, Some(header)) => {
                let body = header.clone();
                self.put_audio(0, vec![0xAF, 0], out);
                self.put_audio(0, body, out);
            }
            _ => {}
        }
    }

    /// What the camera sends for this tag. `dts`: milliseconds since the start.
    pub(super) fn develop(&mut self, dts: i64, tag: &Tag, out: &mut Vec<Piece>) {
        match tag.kind {
            // Metadata is sent once.
            TagKind::Script => {}
            TagKind::Audio => self.develop_audio(dts, tag, out),
            TagKind::Video => self.develop_video(dts, tag, out),
        }
    }

    /// What ends the stream, if its codec has such a thing.
    pub(super) fn end_of_sequence(&self, dts: i64) -> Option<Piece> {
        let body = match self.video_form {
            VideoForm::HevcId12 | VideoForm::HevcNoHeader => {
                hevc_end_of_sequence(HevcForm::CodecId12)
            }
            VideoForm::HevcEnhanced => hevc_end_of_sequence(HevcForm::Enhanced),
            _ => {
                self.avc.as_ref()?;
                avc_end_of_sequence()
            }
        };
        Some(Piece {
            track: Track::Video,
            timestamp: wire_time(dts),
            body,
            is_keyframe: false,
        })
    }

    fn develop_audio(&mut self, dts: i64, tag: &Tag, out: &mut Vec<Piece>) {
        if tag.is_sequence_header() {
            let is_new = self.audio_header.as_ref() != Some(&tag.body);
            self.audio_header = Some(tag.body.clone());
            if is_new && matches!(self.audio_form, AudioForm::Plain | AudioForm::Adts) {
                self.put_audio(dts, tag.body.clone(), out);
            }
            return;
        }
        let count = self.audio_frames;
        match self.audio_form {
            AudioForm::Never | AudioForm::ALaw | AudioForm::MuLaw => return,
            AudioForm::Plain => {}
            AudioForm::BeforeHeader if count == EARLY_FRAMES => self.put_audio_header(dts, out),
            AudioForm::BeforeHeader => {}
            AudioForm::EmptyBodies if count.is_multiple_of(EMPTY_EVERY) => {
                for body in [vec![0xAF, 1], vec![0xAF], Vec::new()] {
                    self.put_audio(dts, body, out);
                }
            }
            AudioForm::EmptyBodies => {}
            AudioForm::Adts => {
                self.audio_frames += 1;
                let body = behind_adts(self.audio_header.as_deref(), &tag.body);
                return self.put_audio(dts, body, out);
            }
        }
        self.audio_frames += 1;
        self.put_audio(dts, tag.body.clone(), out);
    }

    fn develop_video(&mut self, dts: i64, tag: &Tag, out: &mut Vec<Piece>) {
        self.put_tone(dts, out);
        let Ok(header) = VideoHeader::parse(&tag.body) else {
            return self.put_video(dts, tag.body.clone(), false, out);
        };
        match header.packet {
            VideoPacket::SequenceHeader => self.learn_header(dts, tag, &header, out),
            VideoPacket::Frames => self.develop_picture(dts, tag, &header, out),
            _ => self.put_video(dts, tag.body.clone(), false, out),
        }
    }

    /// The feed says its sequence header again, which is nothing new, or another one.
    fn learn_header(&mut self, dts: i64, tag: &Tag, header: &VideoHeader, out: &mut Vec<Piece>) {
        if self.video_header.as_ref() == Some(&tag.body) {
            return;
        }
        self.video_header = Some(tag.body.clone());
        if header.codec == VideoCodec::Avc {
            self.avc = AvcConfig::parse(header.payload(&tag.body)).ok();
        }
        if let Some(body) = self.opening_header() {
            self.put_video(dts, body, false, out);
        }
    }

    fn develop_picture(&mut self, dts: i64, tag: &Tag, header: &VideoHeader, out: &mut Vec<Piece>) {
        let is_key = header.is_keyframe();
        let is_first = self.groups == 0;
        self.groups += u64::from(is_key);
        self.video_frames += 1;
        let cts = header.composition_time_offset;
        let payload = header.payload(&tag.body);
        let units = || Units::of(payload, self.avc.as_ref());
        let body = match self.video_form {
            VideoForm::Plain | VideoForm::HeaderEveryKeyframe | VideoForm::SecondTrack => {
                tag.body.clone()
            }
            VideoForm::NoHeader => {
                let sets = self.avc.as_ref().filter(|_| is_key);
                avc_frame(is_key, cts, &units().behind(sets).with_lengths())
            }
            VideoForm::StartCodes => avc_frame(is_key, cts, &units().with_start_codes()),
            VideoForm::EmptyUnits => avc_frame(is_key, cts, &units().among_empty_ones()),
            VideoForm::HugeKeyframes if is_key => avc_frame(true, cts, &units().filled_up()),
            VideoForm::HugeKeyframes => tag.body.clone(),
            VideoForm::TurnsWithHeader | VideoForm::TurnsInBand => {
                return self.develop_turning(dts, tag, is_key, is_first, out);
            }
            VideoForm::HevcId12
            | VideoForm::HevcNoHeader
            | VideoForm::HevcAsAvc
            | VideoForm::HevcEnhanced => {
                let stand_in = self.reel.as_mut().and_then(|reel| reel.next(is_key));
                let (is_key, cts, payload) = match &stand_in {
                    Some((is_key, payload)) => (*is_key, 0, payload.as_slice()),
                    None => (is_key, cts, payload),
                };
                let sets = match self.video_form {
                    VideoForm::HevcNoHeader if is_key => self.hevc_sets(),
                    _ => Vec::new(),
                };
                hevc_body(self.video_form, is_key, cts, &[&sets, payload].concat())
            }
        };
        if is_key && self.video_form == VideoForm::HeaderEveryKeyframe {
            if let Some(header) = self.video_header.clone() {
                self.put_video(dts, header, false, out);
            }
            self.put_audio_header(dts, out);
        }
        if is_key && self.video_form == VideoForm::EmptyUnits {
            // A message of no bytes, and a packet of no NAL units.
            self.put_video(dts, Vec::new(), false, out);
            self.put_video(dts, avc_frame(false, 0, &[]), false, out);
        }
        self.put_video(dts, body, is_key, out);
        if self.video_form == VideoForm::SecondTrack {
            let header = self.avc.as_ref().filter(|_| is_key).map(AvcConfig::encode);
            if let Some(record) = header {
                self.put_video(dts, second_track(true, 0, &record), false, out);
            }
            let coded = [&cts.to_be_bytes()[1..], payload].concat();
            self.put_video(dts, second_track(is_key, 1, &coded), false, out);
        }
    }

    /// Groups of the feed's pictures and groups of the reel's take turns.
    fn develop_turning(
        &mut self,
        dts: i64,
        tag: &Tag,
        is_key: bool,
        is_first: bool,
        out: &mut Vec<Piece>,
    ) {
        let group = self.groups.saturating_sub(1);
        let is_turned = (group / TURN_GROUPS) % 2 == 1;
        let turns_now = is_key && !is_first && group.is_multiple_of(TURN_GROUPS);
        let own = (is_key, tag.body.clone());
        let (config, (is_key, body)) = match &mut self.reel {
            Some(reel) if is_turned => {
                let stand_in = reel.next(is_key);
                let frame = stand_in.map(|(is_key, nalus)| (is_key, avc_frame(is_key, 0, &nalus)));
                (reel.avc(), frame.unwrap_or(own))
            }
            _ => (self.avc.clone(), own),
        };
        let Some(config) = config else { return };
        if turns_now && self.video_form == VideoForm::TurnsWithHeader {
            self.put_video(dts, avc_sequence_header(&config.encode()), false, out);
        }
        if is_key && self.video_form == VideoForm::TurnsInBand {
            let payload = body.get(5..).unwrap_or_default();
            let nalus = Units::of(payload, Some(&config))
                .behind(Some(&config))
                .with_lengths();
            return self.put_video(dts, avc_frame(true, 0, &nalus), true, out);
        }
        self.put_video(dts, body, is_key, out);
    }

    /// avcC or hvcC of the pictures that are sent.
    fn record(&self) -> Option<&[u8]> {
        match &self.reel {
            Some(reel) if self.video_form.is_hevc() => Some(reel.record()),
            _ => {
                let body = self.video_header.as_deref()?;
                Some(VideoHeader::parse(body).ok()?.payload(body))
            }
        }
    }

    /// VPS, SPS and PPS, each behind its length.
    fn hevc_sets(&self) -> Vec<u8> {
        let config = self
            .record()
            .and_then(|record| HevcConfig::parse(record).ok());
        let mut out = Vec::new();
        if let Some(config) = config {
            for set in config.vps.iter().chain(&config.sps).chain(&config.pps) {
                put_nal_unit(&mut out, set, config.length_size);
            }
        }
        out
    }

    /// The sequence header as this camera says it, if it does.
    fn opening_header(&self) -> Option<Vec<u8>> {
        let record = self.record()?;
        match self.video_form {
            VideoForm::NoHeader | VideoForm::HevcNoHeader => None,
            VideoForm::HevcId12 => Some(hevc_sequence_header(record, HevcForm::CodecId12)),
            VideoForm::HevcEnhanced => Some(hevc_sequence_header(record, HevcForm::Enhanced)),
            VideoForm::HevcAsAvc => Some(avc_sequence_header(record)),
            _ => self.video_header.clone(),
        }
    }

    fn put_video(&self, dts: i64, body: Vec<u8>, is_keyframe: bool, out: &mut Vec<Piece>) {
        let timestamp = self.stamp(Track::Video, dts);
        out.push(Piece {
            track: Track::Video,
            timestamp,
            body,
            is_keyframe,
        });
    }

    fn put_audio(&self, dts: i64, body: Vec<u8>, out: &mut Vec<Piece>) {
        let timestamp = self.stamp(Track::Audio, dts);
        out.push(Piece {
            track: Track::Audio,
            timestamp,
            body,
            is_keyframe: false,
        });
    }

    fn put_audio_header(&self, dts: i64, out: &mut Vec<Piece>) {
        let is_early = self.audio_form == AudioForm::BeforeHeader;
        if is_early && self.audio_frames < EARLY_FRAMES {
            return;
        }
        if let Some(header) = self.audio_header.clone() {
            self.put_audio(dts, header, out);
        }
    }

    /// G.711 up to the picture that comes now.
    fn put_tone(&mut self, dts: i64, out: &mut Vec<Piece>) {
        let (codec, period) = match self.audio_form {
            AudioForm::ALaw => (AudioCodec::G711Alaw, reel::TONE_A_LAW),
            AudioForm::MuLaw => (AudioCodec::G711Ulaw, reel::TONE_MU_LAW),
            _ => return,
        };
        while self.tone_due <= dts {
            let body = audio_frame(codec, &period.repeat(10));
            self.put_audio(self.tone_due, body, out);
            self.audio_frames += 1;
            self.tone_due += TONE_MS;
        }
    }

    /// The time that the camera says.
    fn stamp(&self, track: Track, dts: i64) -> u32 {
        let count = match track {
            Track::Audio => self.audio_frames,
            _ => self.video_frames,
        };
        let (first, every) = OUTLIERS;
        wire_time(match self.clock {
            Clock::FromZero => dts,
            Clock::From(start) => i64::from(start) + dts,
            Clock::Still => 0,
            Clock::Outliers if count % every == first => dts + OUTLIER_MS,
            Clock::Outliers => dts,
            Clock::Jumps(by) if dts >= JUMP_AT_MS => dts + by,
            Clock::StartsOver if dts >= JUMP_AT_MS => dts - JUMP_AT_MS,
            Clock::Jumps(_) | Clock::StartsOver => dts,
            Clock::AudioAhead(by) if track == Track::Audio => dts + by,
            Clock::AudioAhead(_) => dts,
        })
    }

    /// Makes metadata say what this camera says of its tracks.
    fn amend_metadata(&mut self) {
        let object = &mut self.metadata;
        if let Some((width, height)) = self.reel.as_ref().and_then(Reel::size)
            && self.video_form.is_hevc()
        {
            object.insert("width", width);
            object.insert("height", height);
        }
        match self.video_form {
            VideoForm::HevcId12 | VideoForm::HevcNoHeader => object.insert("videocodecid", 12.0),
            VideoForm::HevcEnhanced => {
                object.insert("videocodecid", f64::from(u32::from_be_bytes(*b"hvc1")));
            }
            _ => {}
        }
        let format = match self.audio_form {
            AudioForm::ALaw => Some(7.0),
            AudioForm::MuLaw => Some(8.0),
            _ => None,
        };
        if let Some(format) = format {
            object.insert("audiocodecid", format);
            object.insert("audiosamplerate", 8000.0);
            object.insert("stereo", false);
        }
        match self.metadata_form {
            MetadataForm::NoVideoCodec => {
                object.remove("videocodecid");
            }
            MetadataForm::CodecAsText => object.insert("videocodecid", "avc1"),
            MetadataForm::Wrong => {
                object.insert("width", 64.0);
                object.insert("height", 48.0);
                object.insert("framerate", 100.0);
                object.insert("videocodecid", 2.0);
                object.insert("audiocodecid", 2.0);
                object.insert("audiosamplerate", 8000.0);
            }
            MetadataForm::NoTracks => {
                *object = Object::new().with("encoder", Value::from("FlightHub"));
            }
            _ => {}
        }
    }
}

/// The low 32 bits: RTMP time wraps.
fn wire_time(dts: i64) -> u32 {
    u32::try_from(dts & i64::from(u32::MAX)).expect("masked to 32 bits")
}

#[cfg(test)]
mod tests;
