//! Audio headers: captured and constructed bytes, truncation, round trips.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::wire::Truncated;

#[track_caller]
fn check(name: &str, bytes: &[u8], codec: AudioCodec, packet: AudioPacket, payload: &[u8]) {
    let header = AudioHeader::parse(bytes).expect(name);
    assert_eq!(header.codec, codec, "{name}");
    assert_eq!(header.packet, packet, "{name}");
    assert_eq!(header.payload(bytes), payload, "{name}");
    for length in 0..header.body_offset {
        assert!(AudioHeader::parse(&bytes[..length]).is_err(), "{name}");
    }
}

#[test]
fn table() {
    use AudioPacket::{EndOfSequence, Frames, MultichannelConfig, Other, SequenceHeader};
    check(
        "AAC config",
        &[0xAF, 0, 0x12, 0x10],
        AudioCodec::Aac,
        SequenceHeader,
        &[0x12, 0x10],
    );
    check(
        "AAC raw",
        &[0xAF, 1, 0x21],
        AudioCodec::Aac,
        Frames,
        &[0x21],
    );
    check(
        "AAC config without a body",
        &[0xAF, 0],
        AudioCodec::Aac,
        SequenceHeader,
        &[],
    );
    check(
        "AAC packet type 9",
        &[0xAF, 9],
        AudioCodec::Aac,
        Other(9),
        &[],
    );
    check(
        "A-law",
        &[0x72, 0xD5],
        AudioCodec::G711Alaw,
        Frames,
        &[0xD5],
    );
    check(
        "mu-law",
        &[0x82, 0xFF],
        AudioCodec::G711Ulaw,
        Frames,
        &[0xFF],
    );
    check(
        "MP3",
        &[0x2F, 0xFF, 0xFB],
        AudioCodec::Mp3,
        Frames,
        &[0xFF, 0xFB],
    );
    check("format 13", &[0xDF, 1], AudioCodec::Opus, Frames, &[1]);
    check("format 12", &[0xCF], AudioCodec::Other(12), Frames, &[]);
    check(
        "Opus start",
        b"\x90OpusOpusHead",
        AudioCodec::Opus,
        SequenceHeader,
        b"OpusHead",
    );
    check(
        "Opus frame",
        b"\x91Opus\xFC",
        AudioCodec::Opus,
        Frames,
        &[0xFC],
    );
    check("mp4a end", b"\x92mp4a", AudioCodec::Aac, EndOfSequence, &[]);
    check(
        "channels",
        b"\x94mp4a\x01\x02",
        AudioCodec::Aac,
        MultichannelConfig,
        &[1, 2],
    );
    check(
        "unknown FourCC",
        b"\x91xxxx\x01",
        AudioCodec::FourCc(*b"xxxx"),
        Frames,
        &[1],
    );
    check(
        "unknown packet",
        b"\x9Eac-3\x01",
        AudioCodec::Ac3,
        Other(14),
        &[1],
    );
    check(
        "OneTrack is type 5 here",
        b"\x95\x01Opus\x03\xFC",
        AudioCodec::Opus,
        Frames,
        &[0xFC],
    );
    check(
        "ModEx",
        b"\x97\x02\x00\x00\x05\x01fLaC\x07",
        AudioCodec::Flac,
        Frames,
        &[7],
    );
}

#[test]
fn broken_headers() {
    let truncated = |wanted, left| TagError::Truncated(Truncated { wanted, left });
    for (name, bytes, error) in [
        ("silence", &b""[..], TagError::Empty),
        ("AAC with one byte", b"\xAF", truncated(1, 0)),
        ("no FourCC", b"\x91Opu", truncated(4, 3)),
        (
            "multitrack type 9",
            b"\x95\x91",
            TagError::MultitrackType(9),
        ),
        (
            "multitrack in multitrack",
            b"\x95\x05",
            TagError::NestedPacketType(5),
        ),
        ("track without id", b"\x95\x01Opus", truncated(1, 0)),
        (
            "track size beyond the end",
            b"\x95\x11Opus\x00\x00\x00\x02\x01",
            truncated(2, 1),
        ),
    ] {
        assert_eq!(AudioHeader::parse(bytes), Err(error), "{name}");
    }
}

#[test]
fn tracks_follow_each_other() {
    let body = b"\x95\x11mp4a\x00\x00\x00\x01\xAA\x01\x00\x00\x02\xBB\xCC";
    let first = AudioHeader::parse(body).unwrap();
    assert_eq!((first.track_id, first.payload(body)), (0, &[0xAA][..]));
    let second = first.next_track(body).unwrap().unwrap();
    assert_eq!(
        (second.track_id, second.payload(body)),
        (1, &[0xBB, 0xCC][..])
    );
    assert_eq!(second.next_track(body), Ok(None));
}

#[test]
fn rates_of_formats_that_ignore_the_rate_bits() {
    for (bytes, rate, channels) in [
        ([0x7F, 0], Some(8_000), Some(1)),
        ([0x83, 0], Some(8_000), Some(1)),
        ([0x2F, 0], Some(44_100), Some(2)),
        ([0x2A, 0], Some(22_050), Some(1)),
        ([0x3C, 0], Some(44_100), Some(1)),
        ([0xB2, 0], Some(16_000), Some(1)),
        ([0xAF, 0], None, None),
    ] {
        let header = AudioHeader::parse(&bytes).unwrap();
        assert_eq!(header.sample_rate(), rate, "{bytes:02x?}");
        assert_eq!(header.channels(), channels, "{bytes:02x?}");
    }
}

#[test]
fn constructors_and_rewrites() {
    assert_eq!(aac_sequence_header(&[0x12, 0x10]), [0xAF, 0, 0x12, 0x10]);
    assert_eq!(aac_frame(&[0x21]), [0xAF, 1, 0x21]);
    assert_eq!(audio_sequence_header(AudioCodec::Opus, &[]), b"\x90Opus");
    assert_eq!(audio_frame(AudioCodec::Opus, &[1]), b"\x91Opus\x01");

    let mut header = AudioHeader::parse(&[0xAF, 1, 0x21]).unwrap();
    header.enhanced = true;
    assert_eq!(header.to_body(&[0x21]), b"\x91mp4a\x21");
}

proptest! {
    #[test]
    fn parse_stays_within_the_body(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(mut header) = AudioHeader::parse(&body) {
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
    fn a_legacy_header_is_written_as_it_was_read(first in any::<u8>(), rest in any::<[u8; 4]>()) {
        // Format 9 is the enhanced form.
        let first = if first >> 4 == 9 { first ^ 0x80 } else { first };
        let body = [&[first][..], &rest].concat();
        let header = AudioHeader::parse(&body).unwrap();
        prop_assert_eq!(header.to_body(header.payload(&body)), body);
    }
}
