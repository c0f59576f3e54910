//! What publishers do wrong that no single body shows: what their metadata promise, which numbers
//! they give their codecs, and clocks that stand still.
//!
//! Nothing is changed here, since nothing needs it: tracks are found in the media, and frames go
//! out when they come. But players behind this server may stumble, and then somebody should be
//! told why.

use crate::amf::{Limits, Object, Value, amf0};

use super::{
    AudioCodec, AudioHeader, Metadata, TagKind, VideoCodec, VideoHeader, is_audio_sequence_header,
    is_video_sequence_header,
};

/// Pictures after which sound that was promised is missed: two seconds at 25 in a second.
const PATIENCE_PICTURES: u32 = 50;

/// Frames of sound after which a picture that was promised is missed: ten seconds of AAC, since
/// relays send sound at once and the picture from the next keyframe on.
const PATIENCE_SOUNDS: u32 = 500;

/// Frames of one track with the same timestamp that are no accident: several NAL units or AAC
/// frames in one tick are common, and bursts of a second have been seen.
const STILL_FRAMES: u32 = 50;

/// Something wrong across bodies; `Display` is for the log, in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Breach {
    /// `onMetaData` with null, or nothing, in place of an object.
    #[error("sends metadata without anything in them: tracks are found in the media")]
    MetadataEmpty,
    /// `videocodecid` or `audiocodecid` is text.
    #[error("names a codec as text in its metadata, where a number belongs: read all the same")]
    CodecAsText,
    /// Metadata speak of sound, and there is none.
    #[error("promises sound in its metadata and sends none so far: players may wait for it")]
    SoundPromised,
    /// Metadata speak of a picture, and there is none.
    #[error("promises a picture in its metadata and sends none so far: players may wait for it")]
    PicturePromised,
    /// Metadata name another codec than the one that comes.
    #[error("names other codecs in its metadata than it sends: the media is believed")]
    MetadataWrong,
    /// HEVC as 12, AV1 as 13, Opus as 13.
    #[error(
        "gives its codec a number that is in no specification: taken for what others mean by it"
    )]
    UnofficialCodecId,
    /// All frames have the same timestamp.
    #[error("sends frames whose timestamps stand still: they go out as they come")]
    ClockStandsStill,
}

impl Breach {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MetadataEmpty,
        Self::CodecAsText,
        Self::SoundPromised,
        Self::PicturePromised,
        Self::MetadataWrong,
        Self::UnofficialCodecId,
        Self::ClockStandsStill,
    ];

    /// Its name in statistics, which does not change.
    pub fn id(self) -> &'static str {
        match self {
            Self::MetadataEmpty => "metadata-empty",
            Self::CodecAsText => "codec-as-text",
            Self::SoundPromised => "sound-promised",
            Self::PicturePromised => "picture-promised",
            Self::MetadataWrong => "metadata-wrong",
            Self::UnofficialCodecId => "unofficial-codec-id",
            Self::ClockStandsStill => "clock-stands-still",
        }
    }
}

/// What one body was found to break, at most this many rules.
pub type Breaches = [Option<Breach>; 4];

/// Watches one publisher.
#[derive(Debug, Clone, Default)]
pub struct Conduct {
    sound: TrackConduct,
    picture: TrackConduct,
    /// What metadata named, until a body shows whether it is true.
    said_audio: Option<AudioCodec>,
    said_video: Option<VideoCodec>,
}

/// One track of it.
#[derive(Debug, Clone, Default)]
struct TrackConduct {
    /// Metadata speak of it, and it is not here yet, nor has it been missed.
    is_awaited: bool,
    /// Of the other track, since then.
    frames_beside: u32,
    timestamp: Option<u32>,
    /// Frames with the same timestamp, since that was told last.
    still_frames: u32,
}

impl Conduct {
    /// Takes metadata: a script data body.
    pub fn metadata(&mut self, body: &[u8]) -> Breaches {
        let Some(object) = metadata_object(body) else {
            return [Some(Breach::MetadataEmpty), None, None, None];
        };
        let metadata = Metadata::from_object(&object);
        self.sound.is_promised(metadata.audio_codec.is_some());
        self.picture.is_promised(metadata.video_codec.is_some());
        let is_known = |codec: &VideoCodec| !matches!(codec, VideoCodec::Other(_));
        self.said_video = metadata.video_codec.filter(is_known);
        let is_known = |codec: &AudioCodec| !matches!(codec, AudioCodec::Other(_));
        self.said_audio = metadata.audio_codec.filter(is_known);
        let is_text = ["videocodecid", "audiocodecid"]
            .iter()
            .any(|key| matches!(object.get(key), Some(Value::String(_))));
        [is_text.then_some(Breach::CodecAsText), None, None, None]
    }

    /// Takes an audio or video body.
    pub fn media(&mut self, kind: TagKind, timestamp: u32, body: &[u8]) -> Breaches {
        let is_wrong = self.contradicts_metadata(kind, body);
        let (track, beside, is_header, promised, patience) = match kind {
            TagKind::Video => (
                &mut self.picture,
                &mut self.sound,
                is_video_sequence_header(body),
                Breach::SoundPromised,
                PATIENCE_PICTURES,
            ),
            TagKind::Audio => (
                &mut self.sound,
                &mut self.picture,
                is_audio_sequence_header(body),
                Breach::PicturePromised,
                PATIENCE_SOUNDS,
            ),
            TagKind::Script => return Breaches::default(),
        };
        track.is_awaited = false;
        // Encoders stamp headers with 0 in mid-stream; they say nothing about the clock.
        let is_still = !is_header && track.stands_still(timestamp);
        [
            (!is_header && beside.is_missed(patience)).then_some(promised),
            is_unofficial(kind, body).then_some(Breach::UnofficialCodecId),
            is_still.then_some(Breach::ClockStandsStill),
            is_wrong.then_some(Breach::MetadataWrong),
        ]
    }

    /// Whether the first body behind metadata is of another codec.
    fn contradicts_metadata(&mut self, kind: TagKind, body: &[u8]) -> bool {
        match kind {
            TagKind::Video => self.said_video.take().is_some_and(|said| {
                VideoHeader::parse_default(body)
                    .ok()
                    .flatten()
                    .is_some_and(|header| header.codec != said)
            }),
            TagKind::Audio => self.said_audio.take().is_some_and(|said| {
                AudioHeader::parse_default(body)
                    .ok()
                    .flatten()
                    .is_some_and(|header| header.codec != said)
            }),
            TagKind::Script => false,
        }
    }
}

impl TrackConduct {
    /// Metadata came, and it is among what they speak of or not.
    fn is_promised(&mut self, is_promised: bool) {
        // Metadata that are repeated start no new wait; a track that was here may pause.
        let is_new = is_promised && self.timestamp.is_none();
        if is_new != self.is_awaited {
            self.is_awaited = is_new;
            self.frames_beside = 0;
        }
    }

    /// A frame of the other track came.
    fn is_missed(&mut self, patience: u32) -> bool {
        self.frames_beside += u32::from(self.is_awaited);
        let is_missed = self.frames_beside >= patience;
        if is_missed {
            self.is_awaited = false;
            self.frames_beside = 0;
        }
        is_missed
    }

    fn stands_still(&mut self, timestamp: u32) -> bool {
        let before = self.timestamp.replace(timestamp);
        match before == Some(timestamp) {
            true => self.still_frames += 1,
            false => self.still_frames = 0,
        }
        let is_still = self.still_frames >= STILL_FRAMES;
        if is_still {
            self.still_frames = 0;
        }
        is_still
    }
}

/// Whether the codec is one that Adobe FLV 10.1 gives no number, under a number all the same.
fn is_unofficial(kind: TagKind, body: &[u8]) -> bool {
    let Some(first) = body.first() else {
        return false;
    };
    match kind {
        // An Enhanced RTMP header has a packet type in these bits.
        TagKind::Video if first & 0x80 == 0 => matches!(
            VideoCodec::from_legacy_id(first & 0x0F),
            VideoCodec::Hevc | VideoCodec::Av1
        ),
        TagKind::Audio => AudioCodec::from_legacy_format(first >> 4) == AudioCodec::Opus,
        _ => false,
    }
}

/// The first object behind "onMetaData".
fn metadata_object(body: &[u8]) -> Option<Object> {
    let limits = Limits::default();
    let mut values = amf0::Decoder::new(body, &limits);
    loop {
        if let Some(object) = values.next().ok()??.into_object() {
            return Some(object);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    const PICTURE: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 9];
    const SOUND: &[u8] = &[0xAF, 1, 0x21];

    fn metadata(fields: &[(&str, Value)]) -> Vec<u8> {
        let mut body = Vec::new();
        amf0::encode_string("onMetaData", &mut body);
        let mut object = Object::new();
        for (key, value) in fields {
            object.insert(*key, value.clone());
        }
        amf0::encode_ecma_array(&object, &mut body);
        body
    }

    fn both_tracks() -> Vec<u8> {
        metadata(&[
            ("videocodecid", Value::Number(7.0)),
            ("audiocodecid", Value::Number(10.0)),
        ])
    }

    /// What is found in frames of a kind, 40 ms apart; each with its number.
    fn frames(
        conduct: &mut Conduct,
        kind: TagKind,
        body: &[u8],
        count: u32,
        step: u32,
    ) -> Vec<(u32, Breach)> {
        (0..count)
            .flat_map(|at| {
                let found = conduct.media(kind, 1000 + at * step, body);
                found.into_iter().flatten().map(move |breach| (at, breach))
            })
            .collect()
    }

    #[test]
    fn metadata_without_an_object() {
        let empty = [Some(Breach::MetadataEmpty), None, None, None];
        let mut conduct = Conduct::default();
        assert_eq!(conduct.metadata(b"\x02\x00\x0aonMetaData"), empty);
        assert_eq!(conduct.metadata(b"\x02\x00\x0aonMetaData\x05"), empty);
        assert_eq!(conduct.metadata(b"\x02\x00"), empty);
        assert_eq!(conduct.metadata(&[]), empty);
        assert_eq!(conduct.metadata(&metadata(&[])), Breaches::default());
        assert_eq!(conduct.metadata(&both_tracks()), Breaches::default());
    }

    #[test]
    fn codecs_as_text() {
        let mut conduct = Conduct::default();
        for key in ["videocodecid", "audiocodecid"] {
            let body = metadata(&[(key, Value::String("avc1".to_owned()))]);
            assert_eq!(conduct.metadata(&body)[0], Some(Breach::CodecAsText));
        }
    }

    #[test]
    fn metadata_that_name_other_codecs() {
        let (video, audio) = (TagKind::Video, TagKind::Audio);
        for (codec, kind, body, is_wrong) in [
            (("videocodecid", 7.0), video, PICTURE, false),
            (("videocodecid", 2.0), video, PICTURE, true),
            (("videocodecid", 12.0), video, b"\x91hvc1\0\0\0", false),
            // avc1 as a number, for what comes as codec id 7.
            (("videocodecid", 1_635_148_593.0), video, PICTURE, false),
            (("videocodecid", 11.0), video, PICTURE, false),
            (("videocodecid", 2.0), video, &[], false),
            (("audiocodecid", 10.0), audio, SOUND, false),
            (("audiocodecid", 2.0), audio, SOUND, true),
        ] {
            let mut conduct = Conduct::default();
            conduct.metadata(&metadata(&[(codec.0, Value::Number(codec.1))]));
            let found = conduct.media(kind, 0, body)[3];
            assert_eq!(found.is_some(), is_wrong, "{codec:?} {body:02X?}");
            assert_eq!(conduct.media(kind, 40, body)[3], None, "told once");
        }
    }

    #[test]
    fn a_promise_is_missed_once() {
        for (here, body, at, missed) in [
            (TagKind::Video, PICTURE, 49, Breach::SoundPromised),
            (TagKind::Audio, SOUND, 499, Breach::PicturePromised),
        ] {
            let mut conduct = Conduct::default();
            conduct.metadata(&both_tracks());
            let found = frames(&mut conduct, here, body, 2000, 40);
            assert_eq!(found, [(at, missed)]);
        }
    }

    #[test]
    fn a_promise_that_is_kept_or_was_not_made() {
        let mut conduct = Conduct::default();
        conduct.metadata(&both_tracks());
        for at in 0..200 {
            // Repeated metadata start no new wait.
            conduct.metadata(&both_tracks());
            let found = conduct.media(TagKind::Video, at * 40, PICTURE);
            assert_eq!(found, Breaches::default());
            if at == 30 {
                conduct.media(TagKind::Audio, at * 40, SOUND);
            }
        }
        let mut conduct = Conduct::default();
        conduct.metadata(&metadata(&[("videocodecid", Value::Number(7.0))]));
        assert_eq!(frames(&mut conduct, TagKind::Video, PICTURE, 200, 40), []);
        // 0 is how some say that there is no such track.
        conduct.metadata(&metadata(&[("audiocodecid", Value::Number(0.0))]));
        assert_eq!(frames(&mut conduct, TagKind::Video, PICTURE, 200, 40), []);
    }

    #[test]
    fn numbers_of_no_specification() {
        let mut conduct = Conduct::default();
        let mut check = |kind, body: &[u8], is_found: bool| {
            let found = conduct.media(kind, 0, body)[1];
            assert_eq!(found.is_some(), is_found, "{body:02X?}");
        };
        check(TagKind::Video, &[0x1C, 0, 0, 0, 0], true);
        check(TagKind::Video, &[0x1D, 1], true);
        check(TagKind::Video, PICTURE, false);
        // CodedFrames and others of Enhanced RTMP.
        check(TagKind::Video, b"\x91hvc1", false);
        check(TagKind::Video, b"\xACabcd", false);
        check(TagKind::Video, &[], false);
        check(TagKind::Audio, &[0xDF, 1], true);
        check(TagKind::Audio, SOUND, false);
        check(TagKind::Audio, b"\x90Opus", false);
        check(TagKind::Script, &[0x1C], false);
    }

    #[test]
    fn a_clock_that_stands_still() {
        let mut conduct = Conduct::default();
        let still = Breach::ClockStandsStill;
        let found = frames(&mut conduct, TagKind::Video, PICTURE, 120, 0);
        assert_eq!(found, [(50, still), (100, still)]);
        // Headers are no part of it, and a single step starts the count anew.
        let header = &[0x17, 0, 0, 0, 0, 1];
        assert_eq!(frames(&mut conduct, TagKind::Video, header, 99, 0), []);
        assert_eq!(frames(&mut conduct, TagKind::Video, PICTURE, 20, 40), []);
        assert_eq!(frames(&mut conduct, TagKind::Video, PICTURE, 49, 0), []);
        assert_eq!(frames(&mut conduct, TagKind::Video, PICTURE, 20, 40), []);
    }

    #[test]
    fn each_has_its_own_words_and_name() {
        let mut said: Vec<String> = Breach::ALL.iter().map(Breach::to_string).collect();
        said.extend(Breach::ALL.iter().map(|breach| breach.id().to_owned()));
        said.sort();
        said.dedup();
        assert_eq!(said.len(), 2 * Breach::ALL.len());
    }
}
