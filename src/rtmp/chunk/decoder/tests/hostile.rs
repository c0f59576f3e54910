//! Peers that send nonsense, or as much as they can.

use proptest::prelude::*;

use super::*;

const LIMITS: ChunkLimits = ChunkLimits {
    message_size_max: 1000,
    chunk_streams_max: 4,
    partial_bytes_max: 1500,
};

#[track_caller]
fn check_error(name: &str, wire: &[&[u8]], error: ChunkError) {
    let wire = wire.concat();
    for step in [1, 2, 5, 4096] {
        let mut decoder = ChunkDecoder::new(LIMITS);
        let (_, ended) = read(&mut decoder, &wire, step);
        assert_eq!(ended, Some(error), "{name}, {step} bytes at a time");
    }
}

#[test]
fn what_cannot_be_read_ends_the_connection() {
    let empty = |csid| [csid, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0];
    let long = |csid| [csid, 0, 0, 0, 0, 0x03, 0xE8, 8, 1, 0, 0, 0];
    let desync = |fmt, csid| ChunkError::Desync { fmt, csid };
    check_error("fmt 2 first", &[&[0x84, 0, 0, 0]], desync(2, 4));
    check_error("fmt 3 first", &[&[0xC4]], desync(3, 4));
    check_error("fmt 3 first, two bytes", &[&[0xC0, 1]], desync(3, 65));
    check_error(
        "fmt 3 first, after another",
        &[&empty(4), &[0xC5]],
        desync(3, 5),
    );
    check_error(
        "fmt 0 too long",
        &[&[4, 0, 0, 0, 0, 0x03, 0xE9, 8, 1, 0, 0, 0]],
        ChunkError::MessageTooLarge {
            length: 1001,
            max: 1000,
        },
    );
    check_error(
        "fmt 1 too long",
        &[&empty(4), &[0x44, 0, 0, 0, 0xFF, 0xFF, 0xFF, 8]],
        ChunkError::MessageTooLarge {
            length: 0xFF_FFFF,
            max: 1000,
        },
    );
    check_error(
        "too many chunk streams",
        &[
            &empty(2),
            &empty(3),
            &empty(4),
            &empty(5),
            &empty(4),
            &empty(6),
        ],
        ChunkError::TooManyChunkStreams(4),
    );
    let chunk = [0; 128];
    let mut pieces = vec![];
    let starts = [long(4), long(5)];
    for start in &starts {
        pieces.extend([&start[..], &chunk]);
        for _ in 1..6 {
            pieces.extend([
                std::slice::from_ref(&[0xC4, 0xC5][usize::from(start[0] - 4)]),
                &chunk,
            ]);
        }
    }
    check_error(
        "too many partial bytes",
        &pieces,
        ChunkError::TooManyPartialBytes(1500),
    );
}

#[test]
fn headers_without_bodies_cost_little() {
    let limits = ChunkLimits {
        message_size_max: 16 << 20,
        ..ChunkLimits::default()
    };
    let mut decoder = ChunkDecoder::new(limits);
    for csid in 2..34 {
        let header = [csid, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0];
        let wire = [&header[..], FULL].concat();
        assert_eq!(read(&mut decoder, &wire, 4096), (vec![], None));
    }
    assert_eq!(decoder.partial_bytes(), 32 * 128);
    assert!(held(&decoder) <= 32 * (BODY_RESERVE_MAX + 64));
}

#[test]
fn one_message_of_the_largest_size_always_fits() {
    let limits = ChunkLimits {
        message_size_max: 3000,
        partial_bytes_max: 10,
        ..ChunkLimits::default()
    };
    let mut decoder = ChunkDecoder::new(limits);
    decoder.set_chunk_size(u32::MAX);
    let header = [4, 0, 0, 0, 0, 0x0B, 0xB8, 9, 1, 0, 0, 0];
    let wire = [&header[..], &[7; 3000]].concat();
    assert_eq!(read(&mut decoder, &wire, 1).0.len(), 1);
}

#[test]
fn a_long_body_ends_in_an_allocation_of_its_size() {
    let mut decoder = ChunkDecoder::new(ChunkLimits::default());
    decoder.set_chunk_size(4096);
    let body = vec![9; 300_000];
    let mut wire = Vec::new();
    super::super::super::encode_message(
        &mut wire,
        4096,
        ChunkStreamId::VIDEO,
        MessageStreamId(1),
        MessageType::VIDEO,
        0,
        &body,
    );
    let (messages, _) = read(&mut decoder, &wire, 1460);
    let (bytes, start) = messages[0].payload.clone().into_parts();
    assert_eq!(bytes.len() - start, body.len());
    let (bytes, _) = { messages }.remove(0).payload.into_parts();
    assert!(bytes.capacity() <= body.len() + 16, "{}", bytes.capacity());
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<ChunkDecoder>() <= 136);
    assert!(size_of::<Lane>() <= 56);
}

/// Bytes allocated for bodies.
fn held(decoder: &ChunkDecoder) -> usize {
    let bodies = decoder
        .lanes
        .iter()
        .filter_map(|lane| lane.partial.as_ref());
    bodies.map(Payload::allocated).sum()
}

/// Bytes in which chunk headers of few csids are likely.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => any::<u8>(),
        2 => Just(0),
        2 => Just(0xFF),
        2 => prop_oneof![Just(0x04), Just(0x44), Just(0x84), Just(0xC4)],
    ];
    prop::collection::vec(byte, 0..600)
}

proptest! {
    #[test]
    fn noise_reads_the_same_however_it_is_cut(
        wire in noise(),
        first in any::<u8>(),
        step in 1..20_usize,
        chunk_size in 1..40_u32,
    ) {
        let limits = ChunkLimits { message_size_max: 0xFF_FFFF, ..LIMITS };
        let wire = [&[4, 0xFF, 0xFF, 0xFF, 0, 0, first, 9, 1, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF][..], &wire].concat();
        let mut whole = ChunkDecoder::new(limits);
        let mut cut = ChunkDecoder::new(limits);
        whole.set_chunk_size(chunk_size);
        cut.set_chunk_size(chunk_size);
        let obey_not = |decoder: &mut ChunkDecoder, step| {
            let mut messages = Vec::new();
            for piece in wire.chunks(step) {
                let mut rest = piece;
                loop {
                    match decoder.decode(rest) {
                        Err(error) => return (messages, Some(error)),
                        Ok((_, None)) => break,
                        Ok((consumed, Some(message))) => {
                            rest = &rest[consumed..];
                            messages.push(message);
                        }
                    }
                }
            }
            (messages, None)
        };
        let expected = obey_not(&mut whole, wire.len());
        prop_assert_eq!(obey_not(&mut cut, step), expected);
        prop_assert_eq!(cut.restarted_messages(), whole.restarted_messages());
        prop_assert_eq!(cut.partial_bytes(), whole.partial_bytes());
    }

    #[test]
    fn noise_never_holds_more_than_the_limits(wire in noise(), step in 1..50_usize) {
        let mut decoder = ChunkDecoder::new(LIMITS);
        for piece in wire.chunks(step) {
            let mut rest = piece;
            while let Ok((consumed, Some(_))) = decoder.decode(rest) {
                rest = &rest[consumed..];
            }
            let sum: usize = decoder.lanes.iter()
                .filter_map(|lane| lane.partial.as_ref())
                .map(Payload::len)
                .sum();
            prop_assert!(sum <= LIMITS.partial_bytes_max);
            prop_assert!(held(&decoder) <= 4 * (1000 + 64));
        }
    }
}
