//! Video headers: captured and constructed bytes, truncation, round trips.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::wire::Truncated;

struct Case {
    name: &'static str,
    bytes: &'static [u8],
    frame_type: FrameType,
    codec: VideoCodec,
    packet: VideoPacket,
    cts: i32,
    payload: &'static [u8],
    track_id: u8,
}

const CASES: &[Case] = &[
    Case {
        name: "AVC sequence header",
        bytes: &[0x17, 0, 0, 0, 0, 1, 0x64],
        frame_type: FrameType::Key,
        codec: VideoCodec::Avc,
        packet: VideoPacket::SequenceHeader,
        cts: 0,
        payload: &[1, 0x64],
        track_id: 0,
    },
    Case {
        name: "AVC inter frame with a negative composition time",
        bytes: &[0x27, 1, 0xFF, 0xFF, 0xD8, 9],
        frame_type: FrameType::Inter,
        codec: VideoCodec::Avc,
        packet: VideoPacket::Frames,
        cts: -40,
        payload: &[9],
        track_id: 0,
    },
    Case {
        name: "AVC end of sequence",
        bytes: &[0x17, 2, 0, 0, 0],
        frame_type: FrameType::Key,
        codec: VideoCodec::Avc,
        packet: VideoPacket::EndOfSequence,
        cts: 0,
        payload: &[],
        track_id: 0,
    },
    Case {
        name: "HEVC as codec id 12",
        bytes: &[0x1C, 1, 0, 0, 80, 7, 7],
        frame_type: FrameType::Key,
        codec: VideoCodec::Hevc,
        packet: VideoPacket::Frames,
        cts: 80,
        payload: &[7, 7],
        track_id: 0,
    },
    Case {
        name: "Sorenson H.263 has no packet type",
        bytes: &[0x22, 5, 6],
        frame_type: FrameType::Inter,
        codec: VideoCodec::SorensonH263,
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[5, 6],
        track_id: 0,
    },
    Case {
        name: "legacy seek command",
        bytes: &[0x57, 1],
        frame_type: FrameType::Command,
        codec: VideoCodec::Avc,
        packet: VideoPacket::Command(1),
        cts: 0,
        payload: &[],
        track_id: 0,
    },
    Case {
        name: "codec id 14 is left alone",
        bytes: &[0x1E, 0, 0, 0, 0],
        frame_type: FrameType::Key,
        codec: VideoCodec::Other(14),
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[0, 0, 0, 0],
        track_id: 0,
    },
    Case {
        name: "hvc1 SequenceStart",
        bytes: b"\x90hvc1\x01\x02",
        frame_type: FrameType::Key,
        codec: VideoCodec::Hevc,
        packet: VideoPacket::SequenceHeader,
        cts: 0,
        payload: &[1, 2],
        track_id: 0,
    },
    Case {
        name: "hvc1 CodedFrames",
        bytes: b"\xA1hvc1\xFF\xFF\xFF\x05",
        frame_type: FrameType::Inter,
        codec: VideoCodec::Hevc,
        packet: VideoPacket::Frames,
        cts: -1,
        payload: &[5],
        track_id: 0,
    },
    Case {
        name: "avc1 CodedFramesX has no composition time",
        bytes: b"\x93avc1\x05",
        frame_type: FrameType::Key,
        codec: VideoCodec::Avc,
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[5],
        track_id: 0,
    },
    Case {
        name: "av01 CodedFrames has none either",
        bytes: b"\x91av01\x12\x00",
        frame_type: FrameType::Key,
        codec: VideoCodec::Av1,
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[0x12, 0],
        track_id: 0,
    },
    Case {
        name: "SequenceEnd",
        bytes: b"\x92vvc1",
        frame_type: FrameType::Key,
        codec: VideoCodec::Vvc,
        packet: VideoPacket::EndOfSequence,
        cts: 0,
        payload: &[],
        track_id: 0,
    },
    Case {
        name: "OBS writes metadata with frame type 0",
        bytes: b"\x84hvc1\x02\x00",
        frame_type: FrameType::Other(0),
        codec: VideoCodec::Hevc,
        packet: VideoPacket::Metadata,
        cts: 0,
        payload: &[2, 0],
        track_id: 0,
    },
    Case {
        name: "FFmpeg writes metadata with frame type 5",
        bytes: b"\xD4hvc1\x02\x00",
        frame_type: FrameType::Command,
        codec: VideoCodec::Hevc,
        packet: VideoPacket::Metadata,
        cts: 0,
        payload: &[2, 0],
        track_id: 0,
    },
    Case {
        name: "enhanced seek command has no FourCC",
        bytes: &[0xD0, 0],
        frame_type: FrameType::Command,
        codec: VideoCodec::Other(0),
        packet: VideoPacket::Command(0),
        cts: 0,
        payload: &[],
        track_id: 0,
    },
    Case {
        name: "AV1 descriptor in place of the record",
        bytes: b"\x95av01\x80",
        frame_type: FrameType::Key,
        codec: VideoCodec::Av1,
        packet: VideoPacket::Mpeg2TsSequenceHeader,
        cts: 0,
        payload: &[0x80],
        track_id: 0,
    },
    Case {
        name: "OneTrack: the FourCC is shared, the body goes to the end",
        bytes: b"\x96\x01hvc1\x02\x00\x00\x10\x05\x06",
        frame_type: FrameType::Key,
        codec: VideoCodec::Hevc,
        packet: VideoPacket::Frames,
        cts: 16,
        payload: &[5, 6],
        track_id: 2,
    },
    Case {
        name: "ManyTracks: the first body ends where its size says",
        bytes: b"\x96\x13avc1\x01\x00\x00\x02\xAA\xBB\x02\x00\x00\x01\xCC",
        frame_type: FrameType::Key,
        codec: VideoCodec::Avc,
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[0xAA, 0xBB],
        track_id: 1,
    },
    Case {
        name: "ManyTracksManyCodecs: a FourCC for each track",
        bytes: b"\x96\x20avc1\x00\x00\x00\x01\xAAhvc1\x01\x00\x00\x01\xBB",
        frame_type: FrameType::Key,
        codec: VideoCodec::Avc,
        packet: VideoPacket::SequenceHeader,
        cts: 0,
        payload: &[0xAA],
        track_id: 0,
    },
    Case {
        name: "an unknown ModEx is stepped over",
        bytes: b"\xA7\x01\xEE\xEE\x33avc1\x01",
        frame_type: FrameType::Inter,
        codec: VideoCodec::Avc,
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[1],
        track_id: 0,
    },
    Case {
        name: "an unknown FourCC is not an error",
        bytes: b"\x91xyzw\x01",
        frame_type: FrameType::Key,
        codec: VideoCodec::FourCc(*b"xyzw"),
        packet: VideoPacket::Frames,
        cts: 0,
        payload: &[1],
        track_id: 0,
    },
    Case {
        name: "an unknown packet type is not an error",
        bytes: b"\x9Ehvc1\x01",
        frame_type: FrameType::Key,
        codec: VideoCodec::Hevc,
        packet: VideoPacket::Other(14),
        cts: 0,
        payload: &[1],
        track_id: 0,
    },
];

#[test]
fn table() {
    for case in CASES {
        let header = VideoHeader::parse(case.bytes).expect(case.name);
        assert_eq!(header.frame_type, case.frame_type, "{}", case.name);
        assert_eq!(header.codec, case.codec, "{}", case.name);
        assert_eq!(header.packet, case.packet, "{}", case.name);
        assert_eq!(header.composition_time_offset, case.cts, "{}", case.name);
        assert_eq!(header.payload(case.bytes), case.payload, "{}", case.name);
        assert_eq!(header.track_id, case.track_id, "{}", case.name);
        assert_eq!(header.enhanced, case.bytes[0] & 0x80 != 0, "{}", case.name);
    }
}

#[test]
fn truncation_at_every_byte_is_an_error_or_a_shorter_payload() {
    for case in CASES {
        let whole = VideoHeader::parse(case.bytes).unwrap();
        for length in 0..case.bytes.len() {
            match VideoHeader::parse(&case.bytes[..length]) {
                Ok(header) => assert!(
                    length >= whole.body_offset || header.packet == VideoPacket::EndOfSequence,
                    "{} cut to {length}",
                    case.name
                ),
                Err(TagError::Empty) => assert_eq!(length, 0, "{}", case.name),
                Err(TagError::Truncated(_)) => {}
                Err(other) => panic!("{} cut to {length}: {other}", case.name),
            }
        }
    }
}

#[test]
fn broken_headers() {
    let truncated = |wanted, left| TagError::Truncated(Truncated { wanted, left });
    for (name, bytes, error) in [
        ("empty", &b""[..], TagError::Empty),
        ("AVC with one byte", b"\x17", truncated(1, 0)),
        ("AVC frame without offset", b"\x17\x01\x00", truncated(3, 1)),
        ("command without its byte", b"\x57", truncated(1, 0)),
        ("no FourCC", b"\x90hvc", truncated(4, 3)),
        ("no composition time", b"\x91hvc1\x00\x00", truncated(3, 2)),
        (
            "multitrack type 3",
            b"\x96\x31hvc1",
            TagError::MultitrackType(3),
        ),
        (
            "multitrack in multitrack",
            b"\x96\x06hvc1",
            TagError::NestedPacketType(6),
        ),
        (
            "ModEx in multitrack",
            b"\x96\x07hvc1",
            TagError::NestedPacketType(7),
        ),
        (
            "track size beyond the end",
            b"\x96\x13avc1\x00\x00\x00\x09\x01",
            truncated(9, 1),
        ),
        (
            "composition time reaching into the next track",
            b"\x96\x11avc1\x00\x00\x00\x02\x00\x00\x01\x00\x00\x00",
            truncated(3, 2),
        ),
        (
            "ModEx longer than the body",
            b"\x97\x05\x00",
            truncated(6, 1),
        ),
        (
            "ModEx chain without an end",
            b"\x97\x00\x00\x07\x00\x00\x07",
            truncated(1, 0),
        ),
    ] {
        assert_eq!(VideoHeader::parse(bytes), Err(error), "{name}");
    }
}

#[test]
fn mod_ex_nanoseconds_and_long_form() {
    let body = b"\x97\x02\x01\x02\x03\x01hvc1\x00\x00\x00\x09";
    let header = VideoHeader::parse(body).unwrap();
    assert_eq!(header.nanosecond_offset, 0x01_0203);
    assert_eq!(header.payload(body), [9]);

    // A first size byte of 255 means that the size follows in two bytes.
    let mut body = vec![0x97, 0xFF, 0x01, 0x2B];
    body.extend([0; 300]);
    body.extend(b"\x10avc1\x05");
    let header = VideoHeader::parse(&body).unwrap();
    assert_eq!(header.packet, VideoPacket::SequenceHeader);
    assert_eq!(header.payload(&body), [5]);
}

#[test]
fn every_track_of_a_body_is_found() {
    let body = b"\x96\x21avc1\x00\x00\x00\x04\x00\x00\x08\xAAav01\x01\x00\x00\x01\xBBhvc1\x02\x00\x00\x03\x00\x00\x01";
    let first = VideoHeader::parse(body).unwrap();
    assert_eq!(
        (first.codec, first.payload(body)),
        (VideoCodec::Avc, &[0xAA][..])
    );
    assert_eq!(first.composition_time_offset, 8);
    let second = first.next_track(body).unwrap().unwrap();
    assert_eq!(
        (second.codec, second.payload(body)),
        (VideoCodec::Av1, &[0xBB][..])
    );
    assert_eq!(second.track_id, 1);
    let third = second.next_track(body).unwrap().unwrap();
    assert_eq!(
        (third.codec, third.payload(body)),
        (VideoCodec::Hevc, &[][..])
    );
    assert_eq!(third.composition_time_offset, 1);
    assert_eq!(third.next_track(body), Ok(None));

    let cut = &body[..body.len() - 1];
    let second = VideoHeader::parse(cut)
        .unwrap()
        .next_track(cut)
        .unwrap()
        .unwrap();
    assert!(second.next_track(cut).is_err());
    let plain = b"\x90hvc1\x01";
    assert_eq!(
        VideoHeader::parse(plain).unwrap().next_track(plain),
        Ok(None)
    );
}

#[test]
fn constructors() {
    assert_eq!(avc_sequence_header(&[1, 2]), [0x17, 0, 0, 0, 0, 1, 2]);
    assert_eq!(avc_frame(true, 40, &[9]), [0x17, 1, 0, 0, 40, 9]);
    assert_eq!(avc_frame(false, -1, &[9]), [0x27, 1, 0xFF, 0xFF, 0xFF, 9]);
    assert_eq!(avc_end_of_sequence(), [0x17, 2, 0, 0, 0]);
    assert_eq!(
        hevc_sequence_header(&[1], HevcForm::Enhanced),
        b"\x90hvc1\x01"
    );
    assert_eq!(
        hevc_sequence_header(&[1], HevcForm::CodecId12),
        [0x1C, 0, 0, 0, 0, 1]
    );
    assert_eq!(
        hevc_frame(false, 2, &[3], HevcForm::Enhanced),
        b"\xA1hvc1\x00\x00\x02\x03"
    );
    assert_eq!(
        hevc_frame(true, 2, &[3], HevcForm::CodecId12),
        [0x1C, 1, 0, 0, 2, 3]
    );
    assert_eq!(hevc_end_of_sequence(HevcForm::Enhanced), b"\x92hvc1");
    assert_eq!(
        video_sequence_header(VideoCodec::Av1, &[0x81]),
        b"\x90av01\x81"
    );
    assert_eq!(video_frame(VideoCodec::Vp9, true, 0, &[1]), b"\x91vp09\x01");
    // Offsets that 24 bits cannot hold are clamped.
    assert_eq!(avc_frame(true, i32::MAX, &[])[2..], [0x7F, 0xFF, 0xFF]);
    assert_eq!(avc_frame(true, i32::MIN, &[])[2..], [0x80, 0, 0]);
}

#[test]
fn rewriting_between_forms_keeps_the_payload() {
    let enhanced = b"\x93avc1\x00\x00\x00\x01\x65";
    let mut header = VideoHeader::parse(enhanced).unwrap();
    header.enhanced = false;
    let legacy = header.to_body(header.payload(enhanced));
    assert_eq!(legacy, [0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]);

    let mut header = VideoHeader::parse(&legacy).unwrap();
    header.enhanced = true;
    let again = header.to_body(header.payload(&legacy));
    assert_eq!(again, b"\x91avc1\x00\x00\x00\x00\x00\x00\x01\x65");
}

proptest! {
    #[test]
    fn parse_stays_within_the_body(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(mut header) = VideoHeader::parse(&body) {
            loop {
                prop_assert!(header.body_offset <= header.body_end);
                prop_assert!(header.body_end <= body.len());
                match header.next_track(&body) {
                    Ok(Some(next)) => header = next,
                    _ => break,
                }
            }
        }
    }

    #[test]
    fn what_is_encoded_is_parsed_back(
        key in any::<bool>(),
        cts in -0x80_0000_i32..0x80_0000,
        enhanced in any::<bool>(),
        payload in proptest::collection::vec(any::<u8>(), 0..16),
    ) {
        for codec in [VideoCodec::Avc, VideoCodec::Hevc] {
            let header = VideoHeader { enhanced, ..frame(codec, key, cts) };
            let body = header.to_body(&payload);
            let parsed = VideoHeader::parse(&body).unwrap();
            prop_assert_eq!(parsed.codec, codec);
            prop_assert_eq!(parsed.is_keyframe(), key);
            prop_assert_eq!(parsed.composition_time_offset, cts);
            prop_assert_eq!(parsed.enhanced, enhanced);
            prop_assert_eq!(parsed.payload(&body), &payload[..]);
        }
    }
}
