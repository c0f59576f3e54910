//! Every form of a chunk, byte by byte.

use super::*;

#[test]
fn every_form_of_header() {
    let fmt0 = [0, 0, 100, 0, 0, 2, 9, 1, 0, 0, 0];
    for (name, wire, expected) in [
        (
            "fmt 0",
            &[&[0x04][..], &fmt0, b"ab"][..],
            &[(4, 1, 9, 100, &b"ab"[..])][..],
        ),
        (
            "msid is little-endian",
            &[&[0x04, 0, 0, 0, 0, 0, 1, 8, 1, 2, 3, 4], b"a"],
            &[(4, 0x0403_0201, 8, 0, b"a")],
        ),
        (
            "csid 63",
            &[&[0x3F], &fmt0, b"ab"],
            &[(63, 1, 9, 100, b"ab")],
        ),
        (
            "csid in two bytes, least",
            &[&[0x00, 0], &fmt0, b"ab"],
            &[(64, 1, 9, 100, b"ab")],
        ),
        (
            "csid in two bytes, largest",
            &[&[0x00, 255], &fmt0, b"ab"],
            &[(319, 1, 9, 100, b"ab")],
        ),
        (
            "csid in three bytes, least",
            &[&[0x01, 0, 0], &fmt0, b"ab"],
            &[(64, 1, 9, 100, b"ab")],
        ),
        (
            "csid in three bytes",
            &[&[0x01, 2, 1], &fmt0, b"ab"],
            &[(322, 1, 9, 100, b"ab")],
        ),
        (
            "csid in three bytes, largest",
            &[&[0x01, 255, 255], &fmt0, b"ab"],
            &[(65_599, 1, 9, 100, b"ab")],
        ),
        (
            "one csid in both forms",
            &[&[0x00, 5], &fmt0, b"ab", &[0xC1, 5, 0], b"cd"],
            &[(69, 1, 9, 100, b"ab"), (69, 1, 9, 200, b"cd")],
        ),
        (
            "fmt 1",
            &[&[0x04], &fmt0, b"ab", &[0x44, 0, 0, 40, 0, 0, 1, 8], b"c"],
            &[(4, 1, 9, 100, b"ab"), (4, 1, 8, 140, b"c")],
        ),
        (
            "fmt 2",
            &[&[0x04], &fmt0, b"ab", &[0x84, 0, 0, 40], b"cd"],
            &[(4, 1, 9, 100, b"ab"), (4, 1, 9, 140, b"cd")],
        ),
        (
            "fmt 3 after fmt 2 repeats its delta",
            &[
                &[0x04],
                &fmt0,
                b"ab",
                &[0x84, 0, 0, 40],
                b"cd",
                &[0xC4],
                b"ef",
                &[0xC4],
                b"gh",
            ],
            &[
                (4, 1, 9, 100, b"ab"),
                (4, 1, 9, 140, b"cd"),
                (4, 1, 9, 180, b"ef"),
                (4, 1, 9, 220, b"gh"),
            ],
        ),
        (
            "fmt 3 after fmt 0 repeats its timestamp as delta (FMLE)",
            &[
                &[0x04, 0, 0, 26, 0, 0, 1, 8, 1, 0, 0, 0],
                b"a",
                &[0xC4],
                b"b",
                &[0xC4],
                b"c",
            ],
            &[
                (4, 1, 8, 26, b"a"),
                (4, 1, 8, 52, b"b"),
                (4, 1, 8, 78, b"c"),
            ],
        ),
        (
            "fmt 3 after fmt 0 of 1000 ms",
            &[
                &[0x04, 0, 3, 0xE8, 0, 0, 1, 8, 1, 0, 0, 0],
                b"a",
                &[0xC4],
                b"b",
            ],
            &[(4, 1, 8, 1000, b"a"), (4, 1, 8, 2000, b"b")],
        ),
        (
            "fmt 3 after fmt 0 of more than 1000 ms means the same time (rtmpdump)",
            &[
                &[0x04, 0, 3, 0xE9, 0, 0, 1, 8, 1, 0, 0, 0],
                b"a",
                &[0xC4],
                b"b",
                &[0xC4],
                b"c",
            ],
            &[
                (4, 1, 8, 1001, b"a"),
                (4, 1, 8, 1001, b"b"),
                (4, 1, 8, 1001, b"c"),
            ],
        ),
        (
            "fmt 1 first (librtmp's ping reply)",
            &[&[0x42, 0, 0, 7, 0, 0, 6, 4], b"\0\x07\0\0\0\0"],
            &[(2, 0, 4, 7, b"\0\x07\0\0\0\0")],
        ),
        (
            "zero-length messages",
            &[
                &[0x04, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0],
                &[0x84, 0, 0, 5],
                &[0xC4],
            ],
            &[(4, 1, 8, 0, b""), (4, 1, 8, 5, b""), (4, 1, 8, 10, b"")],
        ),
        (
            "a delta goes around 2^32",
            &[
                &[
                    0x04, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xF0,
                ],
                b"a",
                &[0x84, 0, 0, 0x20],
                b"b",
            ],
            &[(4, 1, 8, 0xFFFF_FFF0, b"a"), (4, 1, 8, 0x10, b"b")],
        ),
        (
            "the time field reaches 24 bits",
            &[
                &[0x04, 0xFF, 0xFF, 0xFE, 0, 0, 1, 8, 1, 0, 0, 0],
                b"a",
                &[0x84, 0, 0, 1],
                b"b",
                &[
                    0x04, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8, 1, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF,
                ],
                b"c",
            ],
            &[
                (4, 1, 8, 0xFF_FFFE, b"a"),
                (4, 1, 8, 0xFF_FFFF, b"b"),
                (4, 1, 8, 0xFF_FFFF, b"c"),
            ],
        ),
        (
            "an extended value below 2^24 is taken as it is",
            &[
                &[0x04, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8, 1, 0, 0, 0, 0, 0, 0, 9],
                b"a",
            ],
            &[(4, 1, 8, 9, b"a")],
        ),
        (
            "an extended delta",
            &[
                &[0x04],
                &fmt0,
                b"ab",
                &[0x84, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0],
                b"cd",
            ],
            &[(4, 1, 9, 100, b"ab"), (4, 1, 9, 0x0200_0064, b"cd")],
        ),
    ] {
        check(name, wire, expected, None);
    }
}

#[test]
fn bodies_in_several_chunks() {
    let start = [0x04, 0, 0, 9, 0, 0, 130, 9, 1, 0, 0, 0];
    let body = full_and(b"xy");
    let whole = (4, 1, 9, 9, body.as_slice());
    check(
        "fmt 3 between chunks",
        &[&start, FULL, &[0xC4], b"xy"],
        &[whole],
        None,
    );
    check(
        "exactly one chunk has no separator",
        &[
            &[0x04, 0, 0, 9, 0, 0, 128, 9, 1, 0, 0, 0],
            FULL,
            &[0xC4],
            FULL,
        ],
        &[(4, 1, 9, 9, FULL), (4, 1, 9, 18, FULL)],
        None,
    );
    check(
        "another chunk stream in between",
        &[
            &start,
            FULL,
            &[0x05, 0, 0, 3, 0, 0, 130, 8, 2, 0, 0, 0],
            FULL,
            &[0x06, 0, 0, 0, 0, 0, 1, 18, 1, 0, 0, 0],
            b"d",
            &[0xC4],
            b"xy",
            &[0xC5],
            b"zz",
        ],
        &[(6, 1, 18, 0, b"d"), whole, (5, 2, 8, 3, &full_and(b"zz"))],
        None,
    );
    check(
        "Set Chunk Size applies to a message that is half-way",
        &[
            &start,
            FULL,
            &[0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0],
            &[0, 0, 0, 1],
            &[0xC4],
            b"x",
            &[0xC4],
            b"y",
        ],
        &[(2, 0, 1, 0, &[0, 0, 0, 1]), whole],
        None,
    );
    check(
        "chunk sizes are clamped, 2^31 - 1 among them",
        &[
            &[0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0],
            &[0x7F, 0xFF, 0xFF, 0xFF],
            &start,
            &body,
        ],
        &[(2, 0, 1, 0, &[0x7F, 0xFF, 0xFF, 0xFF]), whole],
        None,
    );
}

#[test]
fn new_headers_inside_a_message() {
    let start = [0x04, 0, 0, 9, 0, 0, 130, 9, 1, 0, 0, 0];
    let body = full_and(b"xy");
    let whole = (4, 1, 9, 9, body.as_slice());
    for (name, wire, expected, restarted) in [
        (
            "fmt 1, same length: continuation",
            &[&start[..], FULL, &[0x44, 0, 0, 5, 0, 0, 130, 9], b"xy"][..],
            &[whole][..],
            0,
        ),
        (
            "fmt 2: continuation",
            &[&start, FULL, &[0x84, 0, 0, 5], b"xy"],
            &[whole],
            0,
        ),
        (
            "fmt 1, same length, extended delta: fmt 3 repeats it",
            &[
                &[0x04, 0, 0, 9, 0, 1, 2, 9, 1, 0, 0, 0],
                FULL,
                &[0x44, 0xFF, 0xFF, 0xFF, 0, 1, 2, 9, 9, 9, 9, 9],
                FULL,
                &[0xC4, 9, 9, 9, 9],
                b"xy",
            ],
            &[(4, 1, 9, 9, &[FULL, FULL, b"xy"].concat())],
            0,
        ),
        (
            "fmt 0: new message",
            &[&start, FULL, &start, FULL, &[0xC4], b"xy"],
            &[whole],
            1,
        ),
        (
            "fmt 1, other length: new message (OBS)",
            &[&start, FULL, &[0x44, 0, 0, 5, 0, 0, 1, 9], b"z"],
            &[(4, 1, 9, 14, b"z")],
            1,
        ),
        (
            "fmt 1, other type: new message",
            &[
                &start,
                FULL,
                &[0x44, 0, 0, 5, 0, 0, 130, 8],
                FULL,
                &[0xC4],
                b"xy",
            ],
            &[(4, 1, 8, 14, &body)],
            1,
        ),
    ] {
        check(name, wire, expected, None);
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        read(&mut decoder, &wire.concat(), 4096);
        assert_eq!(decoder.restarted_messages(), restarted, "{name}");
        assert_eq!(decoder.partial_bytes(), 0, "{name}");
    }
}

#[test]
fn abort_drops_the_body_and_keeps_the_header() {
    let mut decoder = ChunkDecoder::new(ChunkLimits::default());
    let start = [0x04, 0, 0, 9, 0, 0, 130, 9, 1, 0, 0, 0];
    read(&mut decoder, &[&start, FULL].concat(), 4096);
    assert_eq!(decoder.partial_bytes(), 128);
    decoder.abort(ChunkStreamId(5));
    assert_eq!(decoder.partial_bytes(), 128);
    decoder.abort(ChunkStreamId(4));
    assert_eq!(decoder.partial_bytes(), 0);
    // fmt 3 now starts a message.
    let (messages, _) = read(
        &mut decoder,
        &[&[0xC4], FULL, &[0xC4], b"xy"].concat(),
        4096,
    );
    assert_eq!(messages[0].timestamp, 18);
    assert_eq!(messages[0].payload.as_slice(), full_and(b"xy"));
    assert_eq!(decoder.restarted_messages(), 0, "the peer said so");
}

#[test]
fn abort_inside_a_chunk_skips_the_rest_of_it() {
    let start = [0x04, 0, 0, 9, 0, 0, 130, 9, 1, 0, 0, 0];
    for received in [0, 1, 100, 127] {
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        read(&mut decoder, &[&start, &FULL[..received]].concat(), 4096);
        decoder.abort(ChunkStreamId(4));
        let rest = [&FULL[received..], &[0x44, 0, 0, 1, 0, 0, 1, 8], b"z"].concat();
        let (messages, error) = read(&mut decoder, &rest, 3);
        assert_eq!(error, None);
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].payload.as_slice(), b"z");
        assert_eq!(decoder.partial_bytes(), 0);
    }
}
