//! A stream without a fault, and one case for each fault.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::codec::hex;
use crate::media::flv::{
    AudioCodec, HevcForm, VideoCodec, aac_frame, aac_sequence_header, avc_frame,
    avc_sequence_header, hevc_frame, hevc_sequence_header,
};

/// 160x90, High, level 1.1, 25 frames/s; written by x264.
const AVCC: &str = "0164000bffe10019 6764000bacd9428df93011000003000100000300320f142996
    010004 68ef8fcb fdf8f800";
/// 160x90, Main, 30000/1001 frames/s; written by x265.
const HVCC: &str = "01 01600000009000000000001e f000 fc fd f8 f8 0000 0f 03
    a0 0001 0018 40010c01ffff01600000030090000003000003001e959009
    a1 0001 0028 42010101600000030090000003000003001ea0142061f26595924932bc05a02000007d20000ea601
    a2 0001 0007 4401c172b46240";
/// AAC LC, 44100 Hz, stereo.
const ASC: [u8; 2] = [0x12, 0x10];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Metadata,
    Video,
    Audio,
}

#[derive(Debug, Clone)]
struct Message {
    kind: Kind,
    /// Milliseconds.
    arrival: u64,
    timestamp: u32,
    body: Vec<u8>,
}

impl Message {
    fn is_frame_of(&self, kind: Kind) -> bool {
        let is_header = match kind {
            Kind::Metadata => false,
            Kind::Video => self.body.get(1) == Some(&0),
            Kind::Audio => self.body.get(1) == Some(&0),
        };
        self.kind == kind && !is_header
    }
}

/// A frame of H.264: one NAL unit of 101 bytes.
fn picture(is_keyframe: bool) -> Vec<u8> {
    let mut unit = vec![0, 0, 0, 101, if is_keyframe { 0x65 } else { 0x41 }];
    unit.resize(105, 0x55);
    avc_frame(is_keyframe, 0, &unit)
}

fn metadata() -> Metadata {
    Metadata {
        width: Some(160),
        height: Some(90),
        frame_rate: Some(25.0),
        video_codec: Some(VideoCodec::Avc),
        audio_codec: Some(AudioCodec::Aac),
        audio_sample_rate: Some(44_100),
        audio_channels: Some(2),
        ..Metadata::default()
    }
}

/// Seconds of the stream without a fault.
const SECONDS: u32 = 4;

/// 25 pictures a second with a keyframe every second, AAC; it arrives when it is due.
fn fine() -> Vec<Message> {
    let message = |kind, timestamp: u32, body| Message {
        kind,
        arrival: u64::from(timestamp),
        timestamp,
        body,
    };
    let mut all = vec![
        message(Kind::Metadata, 0, metadata().to_body()),
        message(Kind::Video, 0, avc_sequence_header(&hex(AVCC))),
        message(Kind::Audio, 0, aac_sequence_header(&ASC)),
    ];
    let mut frames: Vec<Message> = (0..SECONDS * 25)
        .map(|number| message(Kind::Video, number * 40, picture(number % 25 == 0)))
        .collect();
    // 44100 / 1024 frames of sound a second.
    frames.extend((0..SECONDS * 43).map(|number| {
        message(
            Kind::Audio,
            number * 1024 * 10 / 441,
            aac_frame(&[0x21; 50]),
        )
    }));
    frames.sort_by_key(|frame| frame.timestamp);
    all.extend(frames);
    all
}

fn analyse(messages: &[Message]) -> StreamReport {
    let mut analysis = Analysis::new();
    for message in messages {
        let arrival = Duration::from_millis(message.arrival);
        let body = &message.body;
        match message.kind {
            Kind::Metadata => analysis.handle_metadata(arrival, body),
            Kind::Video => {
                analysis.handle_media(arrival, MediaKind::Video, message.timestamp, body);
            }
            Kind::Audio => {
                analysis.handle_media(arrival, MediaKind::Audio, message.timestamp, body);
            }
        }
    }
    analysis.finish()
}

fn near(number: Option<f64>, expected: f64) -> bool {
    number.is_some_and(|number| (number - expected).abs() < expected.abs() / 100.0)
}

#[test]
fn a_stream_without_a_fault_has_no_notes_and_right_numbers() {
    let report = analyse(&fine());
    assert_eq!(report.notes, []);
    let video = &report.video[0];
    assert_eq!((video.frames, video.keyframes), (100, 4));
    assert_eq!((&*video.codec, &*video.tag), ("H.264", "codec id 7"));
    assert_eq!(video.profile.as_deref(), Some("High"));
    assert_eq!(video.level.as_deref(), Some("1.1"));
    assert_eq!((video.width, video.height), (Some(160), Some(90)));
    assert_eq!((video.chroma, video.bit_depth), (Some("4:2:0"), Some(8)));
    assert!(near(video.frame_rate.measured, 25.0));
    assert_eq!(video.frame_rate.metadata, Some(25.0));
    assert_eq!(video.frame_rate.sps, Some(25.0));
    let gop = video.gop.unwrap();
    assert_eq!((gop.count, gop.frames.min, gop.frames.max), (3, 25.0, 25.0));
    assert!(near(Some(gop.seconds.mean), 1.0));
    assert!(!video.has_b_frames);
    // 105 bytes, 25 times a second.
    assert!(near(video.bitrate.mean, 21_000.0), "{:?}", video.bitrate);
    assert!(near(video.bitrate.peak, 21_000.0), "{:?}", video.bitrate);
    assert_eq!(video.sequence_headers.count, 1);
    assert!(video.timestamps.is_fine());
    let audio = &report.audio[0];
    assert_eq!(
        (&*audio.codec, audio.profile.as_deref()),
        ("AAC", Some("LC"))
    );
    assert_eq!((audio.sample_rate, audio.channels), (Some(44_100), Some(2)));
    assert!(near(audio.bitrate.mean, 50.0 * 8.0 * 44_100.0 / 1024.0));
    let sync = report.sync.unwrap();
    assert_eq!(sync.start_ms, 0);
    assert!(sync.mean_ms.abs() < 25.0);
}

#[test]
fn hevc_and_reordering_and_wrap_are_no_faults() {
    let mut stream = fine();
    stream.retain(|message| message.kind == Kind::Video);
    let keyframe = [&[0, 0, 0, 3, 0x26, 1, 0xAF][..], &[0, 0, 0, 3, 0x4E, 1, 9]].concat();
    let inter = [0, 0, 0, 3, 0x02, 1, 0xD0];
    let mut number = 0_u32;
    for message in &mut stream {
        if !message.is_frame_of(Kind::Video) {
            message.body = hevc_sequence_header(&hex(HVCC), HevcForm::Enhanced);
            continue;
        }
        // Decoding order I P b b, in times of 33 ms: the first P is shown behind two b.
        message.timestamp = (number * 100 / 3).wrapping_sub(1000);
        let offset = [33, 100, 0, 0][usize::try_from(number % 4).unwrap()];
        let is_keyframe = number.is_multiple_of(20);
        let units = if is_keyframe { &keyframe[..] } else { &inter };
        message.body = hevc_frame(is_keyframe, offset, units, HevcForm::Enhanced);
        number += 1;
    }
    let report = analyse(&stream);
    let video = &report.video[0];
    assert_eq!((&*video.codec, &*video.tag), ("HEVC", "hvc1"));
    assert_eq!(video.profile.as_deref(), Some("Main"));
    assert_eq!(
        (video.level.as_deref(), video.tier),
        (Some("1.0"), Some("Main"))
    );
    assert!(video.has_b_frames);
    assert_eq!(video.reorder_frames, 1);
    assert!(video.timestamps.is_fine());
    let kinds: Vec<_> = report.notes.iter().map(|note| note.kind).collect();
    assert_eq!(kinds, ["metadata-missing"]);
}

/// A change to the stream without a fault, and the notes that it gets.
type Fault = (
    &'static str,
    fn(&mut Vec<Message>),
    &'static [(&'static str, u64)],
);

fn frames_of(stream: &mut [Message], kind: Kind) -> impl Iterator<Item = &mut Message> {
    stream
        .iter_mut()
        .filter(move |message| message.is_frame_of(kind))
}

fn set_metadata(stream: &mut [Message], change: fn(&mut Metadata)) {
    let mut changed = metadata();
    change(&mut changed);
    stream[0].body = changed.to_body();
}

const FAULTS: &[Fault] = &[
    (
        "no metadata",
        |stream| drop(stream.remove(0)),
        &[("metadata-missing", 1)],
    ),
    (
        "metadata behind the first frames",
        |stream| {
            let mut late = stream.remove(0);
            late.arrival = stream[20].arrival;
            stream.insert(20, late);
        },
        &[("metadata-late", 1)],
    ),
    (
        "metadata that are null",
        |stream| stream[0].body = b"\x02\0\x0aonMetaData\x05".to_vec(),
        &[("metadata-empty", 1)],
    ),
    (
        "Dahua: a size and no codec",
        |stream| set_metadata(stream, |told| told.video_codec = None),
        &[("metadata-without-video-codec", 1)],
    ),
    (
        "another size",
        |stream| set_metadata(stream, |told| told.width = Some(1920)),
        &[("metadata-wrong", 1)],
    ),
    (
        "another frame rate",
        |stream| set_metadata(stream, |told| told.frame_rate = Some(30.0)),
        &[("metadata-wrong", 1)],
    ),
    (
        "another codec and another rate of sound",
        |stream| {
            set_metadata(stream, |told| {
                told.video_codec = Some(VideoCodec::Vp6);
                told.audio_sample_rate = Some(8000);
            });
        },
        &[("metadata-wrong", 1), ("metadata-wrong", 1)],
    ),
    (
        "audio promised and never sent",
        |stream| stream.retain(|message| message.kind != Kind::Audio),
        &[("audio-promised", 1)],
    ),
    (
        "video promised and never sent",
        |stream| stream.retain(|message| message.kind != Kind::Video),
        &[("video-promised", 1)],
    ),
    (
        "no sequence headers; parameter sets in no frame either",
        |stream| drop(stream.drain(1..3)),
        &[
            ("sequence-header-missing", 4),
            ("sequence-header-missing", 172),
        ],
    ),
    (
        "the same sequence header twice",
        |stream| stream.insert(50, stream[1].clone()),
        &[("sequence-header-repeated", 1)],
    ),
    (
        "another AudioSpecificConfig",
        |stream| {
            let mut other = stream[2].clone();
            other.body = aac_sequence_header(&[0x12, 0x10, 0x56]);
            stream.insert(50, other);
        },
        &[("sequence-header-changed", 1)],
    ),
    (
        "a sequence header cut short",
        |stream| stream[1].body.truncate(8),
        &[("sequence-header-unreadable", 1)],
    ),
    (
        "Annex B",
        |stream| {
            for frame in frames_of(stream, Kind::Video) {
                frame.body[5..9].copy_from_slice(&[0, 0, 0, 1]);
            }
        },
        &[("annex-b", 100)],
    ),
    (
        "empty NAL units",
        |stream| {
            for frame in frames_of(stream, Kind::Video).take(7) {
                frame.body.extend_from_slice(&[0; 8]);
            }
        },
        &[("empty-nal-unit", 14)],
    ),
    (
        "a length that lies",
        |stream| {
            let frame = frames_of(stream, Kind::Video).nth(5).unwrap();
            frame.body.pop();
        },
        &[("nal-lengths", 1)],
    ),
    (
        "an AVC packet without a NAL unit",
        |stream| {
            let frame = frames_of(stream, Kind::Video).nth(5).unwrap();
            frame.body.truncate(5);
        },
        &[("empty-frame", 1)],
    ),
    (
        "one byte of AAC",
        |stream| {
            let frame = frames_of(stream, Kind::Audio).nth(5).unwrap();
            frame.body.truncate(1);
        },
        &[("unreadable", 1)],
    ),
    (
        "ADTS in AAC",
        |stream| {
            for frame in frames_of(stream, Kind::Audio) {
                let adts = [0xFF, 0xF1, 0x50, 0x80, 0x07, 0x3F, 0xFC];
                frame.body.splice(2..2, adts);
            }
        },
        &[("adts-in-aac", 172)],
    ),
    (
        "HEVC as codec id 12",
        |stream| {
            set_metadata(stream, |told| told.video_codec = Some(VideoCodec::Hevc));
            stream[1].body = hevc_sequence_header(&hex(HVCC), HevcForm::CodecId12);
            for (number, frame) in frames_of(stream, Kind::Video).enumerate() {
                let is_keyframe = number % 25 == 0;
                let unit = [0, 0, 0, 3, if is_keyframe { 0x26 } else { 0x02 }, 1, 0xD0];
                frame.body = hevc_frame(is_keyframe, 0, &unit, HevcForm::CodecId12);
            }
        },
        &[("hevc-codec-id-12", 1), ("sps-frame-rate", 1)],
    ),
    (
        "OBS: HEVC as codec id 7",
        |stream| {
            set_metadata(stream, |told| told.video_codec = Some(VideoCodec::Hevc));
            stream[1].body = avc_sequence_header(&hex(HVCC));
            for (number, frame) in frames_of(stream, Kind::Video).enumerate() {
                let is_keyframe = number % 25 == 0;
                let unit = [0, 0, 0, 3, if is_keyframe { 0x26 } else { 0x02 }, 1, 0xD0];
                frame.body = avc_frame(is_keyframe, 0, &unit);
            }
        },
        &[("hevc-as-avc", 1), ("sps-frame-rate", 1)],
    ),
    (
        "a FourCC that nobody knows",
        |stream| {
            set_metadata(stream, |told| told.video_codec = None);
            stream[0].body = metadata_without_picture();
            stream.remove(1);
            for (number, frame) in frames_of(stream, Kind::Video).enumerate() {
                let first = if number % 25 == 0 { 0x91 } else { 0xA1 };
                frame.body = [&[first][..], b"xyz9", &[1; 20]].concat();
            }
        },
        &[("unknown-fourcc", 1)],
    ),
    (
        "a codec id that nobody knows",
        |stream| {
            stream[0].body = metadata_without_picture();
            stream.remove(1);
            for (number, frame) in frames_of(stream, Kind::Video).enumerate() {
                frame.body = vec![if number % 25 == 0 { 0x1F } else { 0x2F }, 1, 1, 1];
            }
        },
        &[("unknown-codec-id", 1)],
    ),
    (
        "Opus as sound format 13",
        |stream| {
            set_metadata(stream, |told| told.audio_codec = None);
            stream.remove(2);
            for frame in frames_of(stream, Kind::Audio) {
                frame.body = vec![0xDF, 1, 1, 1];
            }
        },
        &[("unofficial-codec-id", 1)],
    ),
    (
        "keyframes that are not",
        |stream| {
            for frame in frames_of(stream, Kind::Video) {
                frame.body[9] = 0x41;
            }
        },
        &[("keyframe-without-idr", 4)],
    ),
    (
        "keyframes that are not called so",
        |stream| {
            for frame in frames_of(stream, Kind::Video) {
                frame.body[0] = 0x27;
            }
        },
        &[("idr-not-marked", 4), ("no-keyframe", 1)],
    ),
    (
        "negative composition times",
        |stream| {
            for frame in frames_of(stream, Kind::Video).skip(3).take(2) {
                frame.body[2..5].copy_from_slice(&[0xFF, 0xFF, 0xD8]);
            }
        },
        &[("pts-before-dts", 2)],
    ),
    (
        "the SPS says twice as much",
        |stream| {
            let frame_rate = Some(12.5);
            let mut told = metadata();
            told.frame_rate = frame_rate;
            stream[0].body = told.to_body();
            for message in stream {
                message.timestamp *= 2;
                message.arrival *= 2;
            }
        },
        &[("sps-frame-rate", 1)],
    ),
    (
        "both tracks jump ahead by an hour",
        |stream| {
            for message in stream.iter_mut().skip(100) {
                message.timestamp += 3_600_000;
            }
        },
        &[("timestamp-jump", 1), ("timestamp-jump", 1)],
    ),
    (
        "video jumps ahead by three seconds, without a pause",
        |stream| {
            for frame in frames_of(stream, Kind::Video).skip(98) {
                frame.timestamp += 3000;
            }
        },
        &[("timestamp-jump", 1)],
    ),
    (
        "the media pauses for three seconds",
        |stream| {
            for message in stream.iter_mut().skip(100) {
                message.timestamp += 3000;
                message.arrival += 3000;
            }
        },
        &[("gap", 1), ("gap", 1)],
    ),
    (
        "one picture steps back by half a second",
        |stream| frames_of(stream, Kind::Video).nth(60).unwrap().timestamp -= 500,
        &[("timestamp-back", 1)],
    ),
    (
        "two frames are hours off",
        |stream| {
            for frame in frames_of(stream, Kind::Video).skip(50).step_by(20).take(2) {
                frame.timestamp += 20_000_000;
            }
        },
        &[("timestamp-outlier", 2)],
    ),
    (
        "sound stands still",
        |stream| {
            for (number, frame) in frames_of(stream, Kind::Audio).enumerate() {
                if (60..80).contains(&number) {
                    frame.timestamp = 60 * 1024 * 10 / 441;
                }
            }
        },
        &[("timestamp-stand-still", 1)],
    ),
    (
        "a clock of half the speed",
        |stream| {
            for message in stream {
                message.arrival *= 2;
            }
        },
        &[("timestamp-speed", 1), ("timestamp-speed", 1)],
    ),
    (
        "sound of three seconds ago",
        |stream| {
            for message in stream {
                if message.kind == Kind::Video {
                    message.timestamp += 3000;
                }
            }
        },
        &[("audio-video-offset", 1)],
    ),
];

fn metadata_without_picture() -> Vec<u8> {
    let told = Metadata {
        audio_codec: Some(AudioCodec::Aac),
        ..Metadata::default()
    };
    told.to_body()
}

#[test]
fn each_fault_gets_its_note_and_no_other() {
    for (name, change, expected) in FAULTS {
        let mut stream = fine();
        change(&mut stream);
        let report = analyse(&stream);
        let mut notes: Vec<_> = report.notes.iter().map(|n| (n.kind, n.count)).collect();
        let mut expected = expected.to_vec();
        notes.sort_unstable();
        expected.sort_unstable();
        assert_eq!(notes, expected, "{name}: {:#?}", report.notes);
    }
}

#[test]
fn tracks_that_move_apart_are_told_once_it_is_certain() {
    let mut analysis = Analysis::new();
    for number in 0..25 * 20_u32 {
        let arrival = Duration::from_millis(u64::from(number) * 40);
        let sound = aac_frame(&[0x21; 50]);
        analysis.handle_media(arrival, MediaKind::Audio, number * 40, &sound);
        // One percent too fast.
        let picture = picture(number % 25 == 0);
        analysis.handle_media(arrival, MediaKind::Video, number * 404 / 10, &picture);
    }
    let report = analysis.finish();
    let drift = report.sync.unwrap().drift_ms_per_minute;
    assert!(near(drift, 600.0), "{drift:?}");
    let note = report.notes.iter().find(|n| n.kind == "audio-video-drift");
    assert_eq!(
        note.unwrap().text,
        "video gains 600 ms on the other track in a minute"
    );
}

#[test]
fn the_other_tracks_of_a_message_are_told_apart() {
    let mut analysis = Analysis::new();
    for number in 0..10_u32 {
        let first = if number == 0 { 0x96 } else { 0xA6 };
        // Many tracks, CodedFrames of av01, tracks 0 and 3.
        let body = [
            &[first, 0x11][..],
            b"av01",
            &[0, 0, 0, 2, 7, 7],
            &[3, 0, 0, 1, 7],
        ]
        .concat();
        analysis.handle_media(Duration::ZERO, MediaKind::Video, number * 40, &body);
    }
    let report = analysis.finish();
    let tracks: Vec<_> = report
        .video
        .iter()
        .map(|video| {
            (
                video.track,
                video.frames,
                video.bitrate.bytes,
                &*video.codec,
            )
        })
        .collect();
    assert_eq!(tracks, [(0, 10, 20, "AV1"), (3, 10, 10, "AV1")]);
}

#[test]
fn the_first_of_everything_has_its_time() {
    let mut stream = fine();
    for message in &mut stream {
        message.arrival += 7;
    }
    let mut analysis = Analysis::new();
    assert!(!analysis.has_frames());
    analysis.handle_metadata(Duration::from_millis(7), &stream[0].body);
    assert_eq!(analysis.first_arrival(), Some(Duration::from_millis(7)));
    assert!(!analysis.has_frames());
    let ms = Duration::from_millis(9);
    analysis.handle_media(ms, MediaKind::Video, 0, &stream[1].body);
    assert!(!analysis.has_frames());
    let ms = Duration::from_millis(11);
    analysis.handle_media(ms, MediaKind::Video, 0, &picture(false));
    let ms = Duration::from_millis(13);
    analysis.handle_media(ms, MediaKind::Video, 0, &picture(true));
    let first = analysis.first();
    assert_eq!(first.metadata_ms, Some(7.0));
    assert_eq!(first.frame_ms, Some(11.0));
    assert_eq!(first.keyframe_ms, Some(13.0));
}

proptest! {
    #[test]
    fn any_messages_are_told_about(
        messages in proptest::collection::vec(
            (0_u8..3, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..40)),
            0..60,
        ),
    ) {
        let stream: Vec<Message> = messages
            .into_iter()
            .zip(0..)
            .map(|((kind, timestamp, body), arrival)| Message {
                kind: [Kind::Metadata, Kind::Video, Kind::Audio][usize::from(kind)],
                arrival,
                timestamp,
                body,
            })
            .collect();
        let report = analyse(&stream);
        prop_assert!(serde_json::to_string(&report).is_ok());
    }
}
