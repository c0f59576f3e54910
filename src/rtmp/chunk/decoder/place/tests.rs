//! A decoder that goes on from a place against one that has seen everything.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::rtmp::chunk::{ChunkEncoder, Message};

const LIMITS: ChunkLimits = ChunkLimits {
    message_size_max: 100_000,
    chunk_streams_max: 8,
    partial_bytes_max: 200_000,
};

/// Messages of three chunk streams, one of them with extended timestamps, interleaved by hand.
fn stream() -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    let mut out = Vec::new();
    for round in 0..6_u32 {
        for (csid, time, length) in [(4, round * 20, 300), (6, 0x0100_0000 + round * 40, 700)] {
            let body = vec![u8::try_from(round).unwrap(); length];
            let (csid, msid) = (ChunkStreamId(csid), MessageStreamId(1));
            encoder.encode(&mut out, csid, msid, MessageType::VIDEO, time, &body);
        }
        // A message of 200 bytes in two chunks, with another one between them.
        let header = [7, 0, 0, 9, 0, 0, 200, 18, 1, 0, 0, 0];
        out.extend_from_slice(&header);
        out.extend_from_slice(&[1; 128]);
        let (csid, msid) = (ChunkStreamId(3), MessageStreamId(0));
        encoder.encode(
            &mut out,
            csid,
            msid,
            MessageType::COMMAND_AMF0,
            round,
            &[5; 40],
        );
        out.push(0xC7);
        out.extend_from_slice(&[1; 72]);
    }
    out
}

/// All messages, without their bodies, and the decoder's end.
fn read(decoder: &mut ChunkDecoder, bytes: &[u8]) -> Vec<(u32, u32, u8, u32, usize)> {
    let mut rest = bytes;
    let mut messages = Vec::new();
    while let (consumed, Some(message)) = decoder.decode(rest).unwrap() {
        rest = &rest[consumed..];
        let Message {
            csid,
            msid,
            message_type,
            timestamp,
            payload,
        } = message;
        messages.push((csid.0, msid.0, message_type.0, timestamp, payload.len()));
    }
    messages
}

#[test]
fn whoever_goes_on_from_a_place_reads_the_same() {
    let stream = stream();
    for cut in 0..stream.len() {
        let (before, behind) = stream.split_at(cut);
        let mut decoder = ChunkDecoder::new(LIMITS);
        read(&mut decoder, before);
        let place = decoder.place().unwrap();
        let text = place.to_string();
        assert_eq!(text.parse(), Ok(place.clone()), "{text}");
        let mut other = ChunkDecoder::at_place(LIMITS, &place).unwrap();
        assert_eq!(other.place(), Some(place), "{cut}");
        let expected = read(&mut decoder, behind);
        assert_eq!(read(&mut other, behind), expected, "{cut}");
        assert_eq!(other.place(), decoder.place(), "{cut}");
    }
}

#[test]
fn a_place_as_text() {
    let mut decoder = ChunkDecoder::new(LIMITS);
    // 128 of 200 bytes, and the first bytes of another header.
    let mut bytes = vec![7, 0, 0, 9, 0, 0, 200, 18, 1, 0, 0, 0];
    bytes.extend_from_slice(&[1; 128]);
    bytes.extend_from_slice(&[4, 0, 0xAB]);
    read(&mut decoder, &bytes);
    let text = "size 128 lane 0 left 0 timestamps unknown staged 0400ab / 7 1 9 9 - 200 18 128";
    assert_eq!(decoder.place().unwrap().to_string(), text);
}

#[test]
fn places_where_nobody_can_stand() {
    let good = "size 128 lane 0 left 5 timestamps omitted staged - / 7 1 9 9 - 200 18 128";
    assert!(ChunkDecoder::at_place(LIMITS, &good.parse().unwrap()).is_ok());
    for (from, to) in [
        // Not a place at all.
        ("size", "sise"),
        ("size 128", "size x"),
        ("size 128", "size -1"),
        ("lane 0", "lane"),
        ("omitted", "often"),
        ("staged -", "staged f"),
        ("staged -", "staged fx"),
        (
            "staged -",
            "staged 0000000000000000000000000000000000000000",
        ),
        ("staged -", "staged - more"),
        ("/ 7", "/ 7 7"),
        ("/ 7", "/"),
        (" 18 ", " 300 "),
        // Within no message, or beyond it.
        ("lane 0", "lane 1"),
        ("left 5", "left 73"),
        ("18 128", "18 200"),
        ("18 128", "18 18446744073709551615"),
        ("9 - 200", "9 - 100001"),
        ("size 128", "size 0"),
        ("size 128", "size 16777216"),
        // A header cannot be under way inside of a chunk.
        ("staged -", "staged 04"),
        // More than the decoder may hold.
        (
            "/ 7",
            "/ 1 0 0 0 - 90000 8 89000 / 2 0 0 0 - 90000 8 89000 / 3 0 0 0 - 90000 8 89000 / 7",
        ),
        ("/ 7", &format!("{}/ 7", "/ 1 0 0 0 - 0 8 - ".repeat(8))),
        ("/ 7", &format!("{}/ 7", "/ 1 0 0 0 - 0 8 - ".repeat(32))),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let place = text.parse::<ChunkPlace>();
        let decoder = place.and_then(|place| ChunkDecoder::at_place(LIMITS, &place));
        assert!(decoder.is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_place_breaks_a_decoder(
        current in 0_usize..4,
        left in 0_usize..300,
        staged in prop::collection::vec(any::<u8>(), 0..17),
        lanes in prop::collection::vec(
            (0_u32..6, 0_u32..300, any::<Option<u32>>(), prop::option::of(0_usize..300)),
            0..4,
        ),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let lane = |&(csid, length, extended, received): &(u32, u32, Option<u32>, Option<usize>)| {
            LanePlace {
                csid, msid: 1, timestamp: 0, delta: 0, extended, length, message_type: 9, received,
            }
        };
        let place = ChunkPlace {
            chunk_size: 128,
            current,
            chunk_left: left,
            habit: Habit::Unknown,
            staged: if left == 0 { staged } else { Vec::new() },
            lanes: lanes.iter().map(lane).collect(),
        };
        prop_assert_eq!(place.to_string().parse(), Ok(place.clone()));
        if let Ok(mut decoder) = ChunkDecoder::at_place(LIMITS, &place) {
            let mut rest = &bytes[..];
            while let Ok((consumed, Some(_))) = decoder.decode(rest) {
                rest = &rest[consumed..];
            }
        }
    }
}
