//! Extended timestamps on fmt 3 chunks, repeated in several ways or not at all.

use super::*;

/// A fmt 0 header on csid 4 with an extended timestamp for a body of 130 bytes.
fn extended(timestamp: u32) -> Vec<u8> {
    let mut header = vec![0x04, 0xFF, 0xFF, 0xFF, 0, 0, 130, 9, 1, 0, 0, 0];
    header.extend(timestamp.to_be_bytes());
    header
}

#[test]
fn extended_timestamps_repeated_or_not() {
    let stamp = |value: u32| value.to_be_bytes();
    let old = 0xC123_4567;
    let body = full_and(b"xy");
    let long = |timestamp| (4, 1, 9, timestamp, body.as_slice());
    let start = &extended(old)[..];
    let delta = &[0x84, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0][..];
    let after_delta = old.wrapping_add(0x0100_0000);
    for (name, wire, expected) in [
        (
            "repeated",
            &[start, FULL, &[0xC4], &stamp(old), b"xy"][..],
            &[long(old)][..],
        ),
        (
            "repeated in 31 bits",
            &[start, FULL, &[0xC4], &stamp(old & 0x7FFF_FFFF), b"xy"],
            &[long(old)],
        ),
        (
            "omitted, two bytes owed and nothing behind",
            &[start, FULL, &[0xC4], b"xy"],
            &[long(old)],
        ),
        (
            "omitted, payload begins like the timestamp",
            &[
                start,
                FULL,
                &[0xC4],
                &[0xC1, 0x23],
                &[0x44, 0, 0, 0, 0, 0, 1, 9],
                b"z",
            ],
            &[
                (4, 1, 9, old, &full_and(&[0xC1, 0x23])),
                (4, 1, 9, old, b"z"),
            ],
        ),
        (
            "the delta is repeated",
            &[
                start,
                FULL,
                &[0xC4],
                &stamp(old),
                b"xy",
                delta,
                FULL,
                &[0xC4],
                &stamp(0x0100_0000),
                b"xy",
            ],
            &[long(old), long(after_delta)],
        ),
        (
            "the time is repeated where the header had a delta",
            &[
                start,
                FULL,
                &[0xC4],
                &stamp(old),
                b"xy",
                delta,
                FULL,
                &[0xC4],
                &stamp(after_delta),
                b"xy",
            ],
            &[long(old), long(after_delta)],
        ),
        (
            "omitted at a message start: same time",
            &[start, FULL, &[0xC4], b"xy", &[0xC4], FULL, &[0xC4], b"xy"],
            &[long(old), long(old)],
        ),
        (
            "repeated at a message start: same time",
            &[
                start,
                FULL,
                &[0xC4],
                &stamp(old),
                b"xy",
                &[0xC4],
                &stamp(old),
                FULL,
                &[0xC4],
                &stamp(old),
                b"xy",
            ],
            &[long(old), long(old)],
        ),
        (
            "the new time at a message start",
            &[
                start,
                FULL,
                &[0xC4],
                &stamp(old),
                b"xy",
                &[0xC4],
                &stamp(old + 40),
                FULL,
                &[0xC4],
                &stamp(old + 40),
                b"xy",
                &[0xC4],
                &stamp(old + 80),
                FULL,
                &[0xC4],
                &stamp(old + 80),
                b"xy",
            ],
            &[long(old), long(old + 40), long(old + 80)],
        ),
        (
            "fmt 1 without an extended delta ends it",
            &[
                start,
                FULL,
                &[0xC4],
                &stamp(old),
                b"xy",
                &[0x84, 0, 0, 40],
                FULL,
                &[0xC4],
                b"xy",
            ],
            &[long(old), long(old + 40)],
        ),
    ] {
        check(name, wire, expected, None);
    }
}

#[test]
fn an_omitting_peer_is_not_kept_waiting_for_bytes_it_does_not_owe() {
    // The message has to come out with its last byte, with none behind it.
    let wire = [&extended(0x0100_0000)[..], FULL, &[0xC4], b"xy"].concat();
    let mut decoder = ChunkDecoder::new(ChunkLimits::default());
    let (messages, _) = read(&mut decoder, &wire, 1);
    assert_eq!(messages.len(), 1);
    // Known to omit now: even bytes that look like a timestamp are not waited for.
    let wire = [&extended(0x0100_0000)[..], FULL, &[0xC4], &[1, 0]].concat();
    let (messages, _) = read(&mut decoder, &wire, 1);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].payload.as_slice(), full_and(&[1, 0]));
}
