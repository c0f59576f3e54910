//! Forms: a table of bytes, what has no form, round trips.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

use Form::{Enhanced, Multitrack};
use TagKind::{Audio, Video};

const LEGACY: Form = Form::Legacy(Some(HevcForm::Enhanced));

fn body_in(body: &[u8], kind: TagKind, form: Form) -> Option<Vec<u8>> {
    let converted = convert(body, kind, form).into_body(body);
    converted.map(Cow::into_owned)
}

/// `expected` by form: the first of [`Form::ALL`].
#[track_caller]
fn check(name: &str, kind: TagKind, body: &[u8], expected: [Option<&[u8]>; 4]) {
    for (form, expected) in Form::ALL.into_iter().zip(expected) {
        let converted = body_in(body, kind, form);
        assert_eq!(converted.as_deref(), expected, "{name}, {form:?}");
        let is_same = convert(body, kind, form) == Converted::AsItIs;
        assert_eq!(is_same, expected == Some(body), "{name}, {form:?}: copied");
    }
}

#[test]
fn video_that_has_two_names() {
    let id12: &[u8] = &[0x1C, 0, 0, 0, 0, 1, 2];
    let hvc1: &[u8] = b"\x90hvc1\x01\x02";
    let all_hvc1 = [Some(id12), Some(hvc1), Some(hvc1), Some(hvc1)];
    check("HEVC header by codec id", Video, id12, all_hvc1);
    check("HEVC header by FourCC", Video, hvc1, all_hvc1);

    let id12: &[u8] = &[0x2C, 1, 0xFF, 0xFF, 0xD8, 7];
    let hvc1: &[u8] = b"\xA1hvc1\xFF\xFF\xD8\x07";
    let all_hvc1 = [Some(id12), Some(hvc1), Some(hvc1), Some(hvc1)];
    check("HEVC frame, negative offset", Video, id12, all_hvc1);
    check("HEVC CodedFrames", Video, hvc1, all_hvc1);

    let x: &[u8] = b"\x93hvc1\x07";
    let id12: &[u8] = &[0x1C, 1, 0, 0, 0, 7];
    let as_sent = [Some(id12), Some(x), Some(x), Some(x)];
    check("HEVC CodedFramesX gets an offset of 0", Video, x, as_sent);

    let id12: &[u8] = &[0x1C, 2, 0, 0, 0];
    let hvc1: &[u8] = b"\x92hvc1";
    let all_hvc1 = [Some(id12), Some(hvc1), Some(hvc1), Some(hvc1)];
    check("HEVC end by codec id", Video, id12, all_hvc1);
    check("HEVC end by FourCC", Video, hvc1, all_hvc1);

    for (name, legacy, fourcc) in [
        (
            "H.264 header",
            &[0x17, 0, 0, 0, 0, 1][..],
            &b"\x90avc1\x01"[..],
        ),
        (
            "H.264 frame",
            &[0x27, 1, 0, 0, 40, 9],
            b"\xA1avc1\x00\x00\x28\x09",
        ),
        (
            "H.264 CodedFramesX",
            &[0x17, 1, 0, 0, 0, 9],
            b"\x93avc1\x09",
        ),
        ("H.264 end", &[0x17, 2, 0, 0, 0], b"\x92avc1"),
    ] {
        check(name, Video, legacy, [Some(legacy); 4]);
        let read = [Some(legacy), Some(legacy), Some(fourcc), Some(fourcc)];
        check(name, Video, fourcc, read);
    }

    let id13: &[u8] = &[0x1D, 1, 0, 0, 0, 0x12, 0];
    let av01: &[u8] = b"\x91av01\x12\x00";
    let read = [Some(id13), Some(id13), Some(av01), Some(av01)];
    check("AV1 by codec id", Video, id13, read);
}

#[test]
fn audio_that_has_two_names() {
    for (name, legacy, fourcc) in [
        (
            "AAC header",
            &[0xAF, 0, 0x12, 0x10][..],
            &b"\x90mp4a\x12\x10"[..],
        ),
        ("AAC frame", &[0xAF, 1, 0x21], b"\x91mp4a\x21"),
        (
            "MP3, 44.1 kHz stereo",
            &[0x2F, 0xFF, 0xFB, 0x90, 0x64],
            b"\x91.mp3\xFF\xFB\x90\x64",
        ),
        (
            "MP3, 22.05 kHz mono",
            &[0x2A, 0xFF, 0xF3, 0x40, 0xC4],
            b"\x91.mp3\xFF\xF3\x40\xC4",
        ),
        (
            "MP3, 8 kHz mono, has a sound format of its own",
            &[0xE2, 0xFF, 0xE3, 0x18, 0xC4],
            b"\x91.mp3\xFF\xE3\x18\xC4",
        ),
        ("MP3 that is none", &[0x2F, 1, 2], b"\x91.mp3\x01\x02"),
    ] {
        check(name, Audio, legacy, [Some(legacy); 4]);
        let read = [Some(legacy), Some(legacy), Some(fourcc), Some(fourcc)];
        check(name, Audio, fourcc, read);
        let there = relabel(legacy, Audio, Label::FourCc).into_body(legacy);
        assert_eq!(there.as_deref(), Some(fourcc), "{name}");
    }
    let end: &[u8] = b"\x92mp4a";
    let read = [None, None, Some(end), Some(end)];
    check("AAC has no end of old", Audio, end, read);
    let channels: &[u8] = b"\x94mp4a\x01\x02\x00\x00\x00\x03";
    let read = [None, None, Some(channels), Some(channels)];
    check("nor a channel order", Audio, channels, read);
}

#[test]
fn what_has_one_name_or_none_that_we_know_stays() {
    for (name, kind, body) in [
        ("VP9", Video, &b"\x91vp09\x01"[..]),
        ("VP8 header", Video, b"\x90vp08\x01"),
        ("AV1", Video, b"\x91av01\x12\x00"),
        ("AV1 descriptor", Video, b"\x95av01\x80"),
        ("VVC", Video, b"\xA1vvc1\x00\x00\x00\x01"),
        ("unknown FourCC", Video, b"\x91xyzw\x01"),
        ("unknown packet type", Video, b"\x9Ehvc1\x01"),
        (
            "unknown packet type, codec id 12",
            Video,
            &[0x1C, 9, 0, 0, 0, 1],
        ),
        ("codec id 14", Video, &[0x1E, 0, 0, 0, 0]),
        ("Sorenson H.263", Video, &[0x22, 5, 6]),
        ("a command", Video, &[0x57, 1]),
        ("a command of Enhanced RTMP", Video, &[0xD0, 1]),
        ("cut short", Video, b"\x91hv"),
        ("empty", Video, b""),
        ("G.711", Audio, &[0x72, 0xD5]),
        ("Opus", Audio, b"\x91Opus\xFC"),
        ("Opus, unofficial", Audio, &[0xDF, 1]),
        ("FLAC header", Audio, b"\x90fLaCfLaC"),
        ("AC-3", Audio, b"\x91ac-3\x0B\x77"),
        ("E-AC-3 end", Audio, b"\x92ec-3"),
        ("unknown FourCC", Audio, b"\x91xxxx\x01"),
        ("unknown packet type", Audio, b"\x9Emp4a\x01"),
        ("AAC packet type 9", Audio, &[0xAF, 9, 1]),
        ("cut short", Audio, &[0xAF]),
        ("empty", Audio, b""),
        ("metadata", TagKind::Script, b"\x02\x00\x0AonMetaData"),
    ] {
        check(name, kind, body, [Some(body); 4]);
    }
}

#[test]
fn colours_of_hevc_can_be_told_under_its_fourcc_only() {
    let body: &[u8] = b"\xD4hvc1\x02\x00\x09colorInfo";
    let read = [None, Some(body), Some(body), Some(body)];
    check("HEVC metadata", Video, body, read);
    let body: &[u8] = b"\x84avc1\x02\x00\x09colorInfo";
    let read = [None, None, Some(body), Some(body)];
    check("H.264 metadata, as OBS writes it", Video, body, read);
}

#[test]
fn of_several_tracks_track_0_is_left() {
    let body: &[u8] = b"\x96\x13avc1\x00\x00\x00\x02\xAA\xBB\x02\x00\x00\x01\xCC";
    let legacy: &[u8] = &[0x17, 1, 0, 0, 0, 0xAA, 0xBB];
    let alone: &[u8] = b"\x91avc1\x00\x00\x00\xAA\xBB";
    let read = [Some(legacy), Some(legacy), Some(alone), Some(body)];
    check("many tracks of H.264", Video, body, read);

    let body: &[u8] =
        b"\x96\x21avc1\x02\x00\x00\x04\x00\x00\x08\xAAhvc1\x00\x00\x00\x04\x00\x00\x10\xBB";
    let id12: &[u8] = &[0x1C, 1, 0, 0, 16, 0xBB];
    let alone: &[u8] = b"\x91hvc1\x00\x00\x10\xBB";
    let read = [Some(id12), Some(alone), Some(alone), Some(body)];
    check("many codecs, track 0 second", Video, body, read);

    let body: &[u8] = b"\xA6\x01hvc1\x00\x00\x00\x10\xBB";
    let id12: &[u8] = &[0x2C, 1, 0, 0, 16, 0xBB];
    let alone: &[u8] = b"\xA1hvc1\x00\x00\x10\xBB";
    let read = [Some(id12), Some(alone), Some(alone), Some(body)];
    check("one track", Video, body, read);

    let body: &[u8] = b"\x96\x01hvc1\x01\x00\x00\x10\xBB";
    check("another track", Video, body, [None, None, None, Some(body)]);
    let body: &[u8] = b"\x96\x13avc1\x01\x00\x00\x02\xAA\xBB\x02\x00\x00\x01\xCC";
    check("other tracks", Video, body, [None, None, None, Some(body)]);
    let body: &[u8] = b"\x96\x31avc1\x00";
    let read = [None, None, None, Some(body)];
    check("a kind of multitrack without a name", Video, body, read);

    let body: &[u8] = b"\x95\x11mp4a\x00\x00\x00\x01\x21\x01\x00\x00\x01\x22";
    let legacy: &[u8] = &[0xAF, 1, 0x21];
    let alone: &[u8] = b"\x91mp4a\x21";
    let read = [Some(legacy), Some(legacy), Some(alone), Some(body)];
    check("many tracks of AAC", Audio, body, read);
    let body: &[u8] = b"\x95\x01Opus\x00\xFC";
    let alone: &[u8] = b"\x91Opus\xFC";
    let read = [Some(alone), Some(alone), Some(alone), Some(body)];
    check("one track of Opus", Audio, body, read);
    let body: &[u8] = b"\x95\x01Opus\x03\xFC";
    check("another track", Audio, body, [None, None, None, Some(body)]);
}

#[test]
fn nanoseconds_are_for_those_who_take_all() {
    let body: &[u8] = b"\xA7\x02\x00\x00\x05\x01hvc1\x00\x00\x10\xBB";
    let id12: &[u8] = &[0x2C, 1, 0, 0, 16, 0xBB];
    let alone: &[u8] = b"\xA1hvc1\x00\x00\x10\xBB";
    let read = [Some(id12), Some(alone), Some(alone), Some(body)];
    check("HEVC", Video, body, read);
    let body: &[u8] = b"\x97\x02\x00\x00\x05\x01Opus\xFC";
    let alone: &[u8] = b"\x91Opus\xFC";
    let read = [Some(alone), Some(alone), Some(alone), Some(body)];
    check("Opus", Audio, body, read);
    let body: &[u8] = b"\x97\x02\x00\x00\x05\x0Exyzw\x01";
    let alone: &[u8] = b"\x9Exyzw\x01";
    let read = [Some(alone), Some(alone), Some(alone), Some(body)];
    check("something unknown", Video, body, read);
    // ModEx in front of a command, which names no codec.
    let body: &[u8] = b"\xD7\x00\x00\x00\x01";
    let alone: &[u8] = b"\xD0\x01";
    let read = [Some(alone), Some(alone), Some(alone), Some(body)];
    check("a command", Video, body, read);
}

#[test]
fn the_form_follows_what_was_declared() {
    let nothing = |_| false;
    assert_eq!(Form::for_peer(nothing, true), Form::Legacy(None));
    let version_1 = |fourcc: FourCc| [*b"hvc1", *b"av01", *b"vp09"].contains(&fourcc);
    assert_eq!(Form::for_peer(version_1, false), LEGACY);
    assert_eq!(Form::for_peer(|_| true, false), Enhanced);
    assert_eq!(Form::for_peer(|_| true, true), Multitrack);
}

#[test]
fn hevc_stays_as_sent_for_whoever_said_nothing() {
    for body in [&[0x2C, 1, 0, 0, 0, 7][..], b"\xA1hvc1\0\0\0\x07"] {
        let converted = convert(body, Video, Form::Legacy(None));
        assert_eq!(converted, Converted::AsItIs);
    }
    let avc1 = body_in(b"\x93avc1\x09", Video, Form::Legacy(None));
    assert_eq!(avc1.unwrap(), [0x17, 1, 0, 0, 0, 9]);
}

#[test]
fn mp3_says_of_itself_what_its_frames_say() {
    // Layer III of MPEG 2.5, 2 and 1: 11 025, 22 050 and 44 100 Hz, stereo.
    for (version, rate) in [(0xE3, 0x4), (0xF3, 0x8), (0xFB, 0xC)] {
        let fourcc = [b"\x91.mp3\xFF".as_slice(), &[version, 0x10, 0, 0]].concat();
        let converted = relabel(&fourcc, Audio, Label::Legacy).into_body(&fourcc);
        assert_eq!(converted.unwrap()[0], 0x23 | rate);
    }
}

/// Bodies of codecs that have two names, in one of them.
fn two_named() -> impl Strategy<Value = (TagKind, Vec<u8>)> {
    let payload = proptest::collection::vec(any::<u8>(), 0..24);
    (
        0..4_usize,
        any::<bool>(),
        any::<bool>(),
        -0x80_0000_i32..0x80_0000,
        0..3_u8,
        payload,
    )
        .prop_map(|(codec, enhanced, is_key, cts, packet, payload)| {
            let (video, audio) = match codec {
                0 => (Some(VideoCodec::Avc), AudioCodec::Aac),
                1 => (Some(VideoCodec::Hevc), AudioCodec::Aac),
                2 => (None, AudioCodec::Aac),
                _ => (None, AudioCodec::Mp3),
            };
            let Some(video) = video else {
                let packet = match (packet, audio) {
                    (0, AudioCodec::Aac) => AudioPacket::SequenceHeader,
                    _ => AudioPacket::Frames,
                };
                let header = AudioHeader {
                    enhanced,
                    ..AudioHeader::new(audio, packet)
                };
                return (Audio, header.to_body(&payload));
            };
            let packet = match packet {
                0 => VideoPacket::SequenceHeader,
                1 => VideoPacket::Frames,
                _ => VideoPacket::EndOfSequence,
            };
            let frame_type = match is_key {
                true => super::super::FrameType::Key,
                false => super::super::FrameType::Inter,
            };
            let header = VideoHeader {
                enhanced,
                composition_time_offset: if packet == VideoPacket::Frames {
                    cts
                } else {
                    0
                },
                ..VideoHeader::new(video, frame_type, packet)
            };
            let payload = match packet {
                VideoPacket::EndOfSequence => Vec::new(),
                _ => payload,
            };
            (Video, header.to_body(&payload))
        })
}

/// What a body says, whatever form it has.
fn meaning(kind: TagKind, body: &[u8]) -> (String, Vec<u8>) {
    match kind {
        Video => {
            let header = VideoHeader::parse(body).unwrap();
            let said = (
                header.codec,
                header.packet,
                header.frame_type,
                header.composition_time_offset,
            );
            (format!("{said:?}"), header.payload(body).to_vec())
        }
        _ => {
            let header = AudioHeader::parse(body).unwrap();
            let codec = match header.codec {
                AudioCodec::Mp3At8k => AudioCodec::Mp3,
                codec => codec,
            };
            let said = (codec, header.packet);
            (format!("{said:?}"), header.payload(body).to_vec())
        }
    }
}

proptest! {
    #[test]
    fn there_and_back_is_the_same((kind, body) in two_named()) {
        for (there, back) in [(Label::Legacy, Label::FourCc), (Label::FourCc, Label::Legacy)] {
            let first = relabel(&body, kind, there).into_body(&body).unwrap();
            prop_assert_eq!(meaning(kind, &first), meaning(kind, &body));
            let second = relabel(&first, kind, back).into_body(&first).unwrap();
            prop_assert_eq!(meaning(kind, &second), meaning(kind, &body));
            let third = relabel(&second, kind, there).into_body(&second).unwrap();
            let is_mp3 = kind == Audio && meaning(kind, &body).0.contains("Mp3");
            if is_mp3 && there == Label::Legacy {
                // The bits beside the codec are the publisher's at first, then those of the frame.
                prop_assert_eq!(meaning(kind, &third), meaning(kind, &first));
                prop_assert_eq!(&third[1..], &first[1..]);
            } else {
                prop_assert_eq!(&third, &first);
            }
        }
    }

    #[test]
    fn a_form_is_reached_in_one_step(
        video in any::<bool>(),
        body in proptest::collection::vec(any::<u8>(), 0..48),
    ) {
        let kind = if video { Video } else { Audio };
        for form in Form::ALL {
            let Some(once) = body_in(&body, kind, form) else { continue };
            prop_assert_eq!(body_in(&once, kind, form), Some(once));
        }
    }
}
