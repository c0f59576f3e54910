//! Both sides of the handshake against each other, captures, and what is not RTMP.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::digest::Side;
use super::*;

/// Both sides talk in pieces of `step` bytes; what each reports, and what is left for chunks.
#[track_caller]
fn converse(digest: Option<DigestLayout>, step: usize) -> (HandshakeKind, HandshakeKind, Vec<u8>) {
    let mut to_server = Vec::new();
    let mut client = ClientHandshake::start(digest, 1, &mut to_server);
    let mut server = ServerHandshake::new(2);
    let mut to_client = Vec::new();
    let (mut client_done, mut server_done) = (None, None);
    let mut chunks = Vec::new();
    for _ in 0..20_000 {
        let input: Vec<u8> = to_server.drain(..step.min(to_server.len())).collect();
        let progress = server.handle_input(&input, &mut to_client).unwrap();
        if progress.done.is_some() {
            server_done = progress.done;
        }
        chunks.extend_from_slice(&input[progress.consumed..]);
        let input: Vec<u8> = to_client.drain(..step.min(to_client.len())).collect();
        let progress = client.handle_input(&input, &mut to_server).unwrap();
        if progress.done.is_some() {
            client_done = progress.done;
            to_server.extend_from_slice(b"chunks");
        }
        if chunks == b"chunks" {
            break;
        }
    }
    (client_done.unwrap(), server_done.unwrap(), chunks)
}

#[test]
fn both_sides_agree_however_the_bytes_are_cut() {
    for digest in [None, Some(DigestLayout::At8), Some(DigestLayout::At772)] {
        let expected = digest.map_or(HandshakeKind::Simple, HandshakeKind::Digest);
        for step in [1, 7, 1536, 1537, 3073, 10_000] {
            let (client, server, chunks) = converse(digest, step);
            assert_eq!((client, server), (expected, expected), "step {step}");
            assert_eq!(chunks, b"chunks");
        }
    }
}

#[test]
fn ffmpeg_sends_a_digest_at_8() {
    let hello = include_bytes!("../../../tests/data/handshake/ffmpeg-5.1-play-c0c1.bin");
    let mut out = Vec::new();
    let progress = ServerHandshake::new(0)
        .handle_input(hello, &mut out)
        .unwrap();
    assert_eq!(progress.consumed, hello.len());
    assert_eq!(out.len(), 1 + 2 * BLOCK_BYTES);
    let s1: &[u8; BLOCK_BYTES] = out[1..].first_chunk().unwrap();
    let (layout, _) = digest::find(s1, Side::Server).unwrap();
    assert_eq!(layout, DigestLayout::At8);
    let c1: &[u8; BLOCK_BYTES] = hello[1..].first_chunk().unwrap();
    let (_, c1_digest) = digest::find(c1, Side::Client).unwrap();
    let s2: &[u8; BLOCK_BYTES] = out[1 + BLOCK_BYTES..].first_chunk().unwrap();
    assert!(digest::is_signed(s2, Side::Server, &c1_digest));
}

#[test]
fn without_a_digest_the_version_is_zero_and_the_answer_an_echo() {
    let mut hello = vec![3];
    hello.extend((0..1536u32).map(|index| index.to_le_bytes()[0]));
    let mut out = Vec::new();
    ServerHandshake::new(0)
        .handle_input(&hello, &mut out)
        .unwrap();
    assert_eq!(out[5..9], [0; 4]);
    assert_eq!(out[1 + BLOCK_BYTES + 8..], hello[9..]);
}

#[test]
fn other_protocols_are_named_from_their_first_bytes() {
    let unknown = |byte| Some(Guess::Unknown(byte));
    for (input, expected) in [
        (&b"GET / HTTP/1.1\r\n"[..], Some(Guess::Http)),
        (b"POST /open/1", Some(Guess::Http)),
        (b"PRI * HTTP/2.0\r\n", Some(Guess::Http)),
        (b"OPTIONS rtsp://x RTSP/1.0", Some(Guess::Http)),
        (b"HTTP/1.1 400 Bad Request", Some(Guess::Http)),
        (b"DESCRIBE rtsp://x RTSP/1.0", unknown(b'D')),
        (b"PROPFIND /", unknown(b'P')),
        (b"get / http", unknown(b'g')),
        (b"PROXY TCP4 192.0.2.1", Some(Guess::ProxyHeader)),
        (b"\r\n\r\n\0\r\nQUIT\n", Some(Guess::ProxyHeader)),
        (b"\r\n\r\n\r\n\r\n", unknown(b'\r')),
        (&[0x16, 3, 1], Some(Guess::Tls)),
        (&[0x15, 3, 3, 0, 2], Some(Guess::Tls)),
        (&[0x16, 4], unknown(0x16)),
        (&[6], Some(Guess::Rtmpe)),
        (&[8], Some(Guess::Rtmpe)),
        (&[9, 0], Some(Guess::Rtmpe)),
        (&[0], unknown(0)),
        (&[2], unknown(2)),
        (&[4], unknown(4)),
        (&[0xFF, 3], unknown(0xFF)),
        // Not yet told apart: POST or PROXY, a hello or noise.
        (b"P", None),
        (b"PRO", None),
        (b"\r", None),
        (&[0x16], None),
        (&[], None),
        (&[3], None),
        (b"\x03GET / HTTP/1.1", None),
    ] {
        let expected = expected.map(HandshakeError::NotRtmp);
        for step in [1, 2, 64] {
            let mut out = Vec::new();
            let mut server = ServerHandshake::new(0);
            let error = input
                .chunks(step)
                .find_map(|piece| server.handle_input(piece, &mut out).err());
            assert_eq!(error, expected, "{input:?} by {step}");
            assert!(out.is_empty());
            let mut client = ClientHandshake::start(None, 0, &mut out);
            let error = input
                .chunks(step)
                .find_map(|piece| client.handle_input(piece, &mut out).err());
            assert_eq!(error, expected, "{input:?} by {step}");
        }
    }
}

#[test]
fn the_server_takes_any_c2_and_not_a_byte_more() {
    let hello = [&[3][..], &[0xA5; BLOCK_BYTES]].concat();
    for c2 in [[0; BLOCK_BYTES], [0xFF; BLOCK_BYTES]] {
        let mut server = ServerHandshake::new(9);
        let mut out = Vec::new();
        // All at once, before the server has said a word, and the first chunks behind it.
        let input = [&hello[..], &c2, b"chunks"].concat();
        let progress = server.handle_input(&input, &mut out).unwrap();
        let done = Some(HandshakeKind::Simple);
        assert_eq!(progress.done, done);
        assert_eq!(&input[progress.consumed..], b"chunks");
        let progress = server.handle_input(b"chunks", &mut out).unwrap();
        assert_eq!((progress.consumed, progress.done), (0, None));
        assert_eq!(out.len(), 1 + 2 * BLOCK_BYTES);
    }
}

#[test]
fn the_client_sends_c2_before_s2_has_come() {
    for digest in [None, Some(DigestLayout::At772)] {
        let (mut hello, mut answer, mut c2) = (Vec::new(), Vec::new(), Vec::new());
        let mut client = ClientHandshake::start(digest, 1, &mut hello);
        ServerHandshake::new(2)
            .handle_input(&hello, &mut answer)
            .unwrap();
        let (first, second) = answer.split_at(1 + BLOCK_BYTES);
        client.handle_input(first, &mut c2).unwrap();
        assert_eq!(c2.len(), BLOCK_BYTES);
        assert_eq!(client.is_answer_valid(), None);
        if digest.is_some() {
            let s1 = first[1..].first_chunk().unwrap();
            let (_, s1_digest) = digest::find(s1, Side::Server).unwrap();
            let c2 = c2.as_slice().try_into().unwrap();
            assert!(digest::is_signed(c2, Side::Client, &s1_digest));
        } else {
            assert_eq!(c2, first[1..], "C2 echoes S1");
        }
        let progress = client.handle_input(second, &mut c2).unwrap();
        assert!(progress.done.is_some());
        assert_eq!(c2.len(), BLOCK_BYTES);
    }
}

#[test]
fn a_wrong_s2_is_reported_and_no_error() {
    for (digest, position, is_valid) in [
        (None, 0, false),
        (None, 4, true), // The server's own time.
        (None, 7, true),
        (None, 8, false),
        (None, 1535, false),
        (Some(DigestLayout::At8), 4, false),
        (Some(DigestLayout::At8), 1535, false),
    ] {
        let (mut hello, mut answer) = (Vec::new(), Vec::new());
        let mut client = ClientHandshake::start(digest, 1, &mut hello);
        ServerHandshake::new(2)
            .handle_input(&hello, &mut answer)
            .unwrap();
        answer[1 + BLOCK_BYTES + position] ^= 1;
        let progress = client.handle_input(&answer, &mut Vec::new()).unwrap();
        let kind = digest.map_or(HandshakeKind::Simple, HandshakeKind::Digest);
        assert_eq!(progress.done, Some(kind));
        assert_eq!(
            client.is_answer_valid(),
            Some(is_valid),
            "{digest:?} {position}"
        );
    }
}

#[test]
fn one_wrong_bit_makes_a_digest_a_simple_handshake() {
    let hello = include_bytes!("../../../tests/data/handshake/ffmpeg-5.1-play-c0c1.bin");
    for position in [1, 5, 9, 100, 500, 1000, 1536] {
        let mut hello = *hello;
        hello[position] ^= 0x10;
        let mut out = Vec::new();
        ServerHandshake::new(0)
            .handle_input(&hello, &mut out)
            .unwrap();
        assert_eq!(out[5..9], [0; 4], "S1 must not claim a digest");
        assert_eq!(out[1 + BLOCK_BYTES..], hello[1..], "S2 echoes C1");
    }
}

#[test]
fn digests_lie_inside_their_block_wherever_the_offset_bytes_put_them() {
    for layout in [DigestLayout::At8, DigestLayout::At772] {
        for (value, extra) in [(0, 0), (0xFF, 0xFF), (182, 181), (182, 182), (1, 0)] {
            let mut block = [value; BLOCK_BYTES];
            block[11] = extra;
            block[775] = extra;
            digest::put_version(&mut block, Side::Client);
            digest::put_digest(&mut block, layout, Side::Client);
            let (found, _) = digest::find(&block, Side::Client).unwrap();
            assert_eq!(found, layout);
            assert_eq!(digest::find(&block, Side::Server), None);
            // Without a version it is filler that happens to look like one.
            block[4..8].fill(0);
            digest::put_digest(&mut block, layout, Side::Client);
            assert_eq!(digest::find(&block, Side::Client), None);
        }
    }
}

#[test]
fn seeds_differ_and_repeat() {
    let hello = |seed| {
        let mut out = Vec::new();
        ClientHandshake::start(None, seed, &mut out);
        out
    };
    assert_eq!(hello(1), hello(1));
    assert_ne!(hello(1), hello(2));
}

#[test]
fn a_finished_handshake_holds_no_buffer() {
    assert!(size_of::<ServerHandshake>() <= 48);
    assert!(size_of::<ClientHandshake>() <= 64);
}

#[test]
fn a_server_that_does_not_know_digests_is_accepted() {
    let mut out = Vec::new();
    let mut client = ClientHandshake::start(Some(DigestLayout::At8), 5, &mut out);
    let mut answer = vec![3];
    answer.extend_from_slice(&[0; BLOCK_BYTES]);
    let c1 = out[1..].to_vec();
    answer.extend_from_slice(&c1);
    let progress = client.handle_input(&answer, &mut out).unwrap();
    assert_eq!(progress.done, Some(HandshakeKind::Simple));
}

/// Total consumed and the kind that was reported, if any; and what was answered.
type Outcome = (
    Result<(usize, Option<HandshakeKind>), HandshakeError>,
    Vec<u8>,
);

/// Feeds `input` in pieces.
fn feed(
    input: &[u8],
    step: usize,
    mut handle: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Progress, HandshakeError>,
) -> Outcome {
    let (mut consumed, mut done, mut out) = (0, None, Vec::new());
    for piece in input.chunks(step) {
        match handle(piece, &mut out) {
            Err(error) => return (Err(error), out),
            Ok(progress) => {
                consumed += progress.consumed;
                assert!(done.is_none() || progress.done.is_none(), "reported once");
                assert!(
                    done.is_none() || progress.consumed == 0,
                    "the rest is chunks"
                );
                done = done.or(progress.done);
            }
        }
    }
    (Ok((consumed, done)), out)
}

proptest! {
    #[test]
    fn any_bytes_end_the_same_however_they_are_cut(
        is_rtmp in prop::bool::weighted(0.9),
        seed in any::<u64>(),
        length in 0..4000_usize,
        step in 1..2000_usize,
    ) {
        let mut input = vec![0; length];
        fastrand::Rng::with_seed(seed).fill(&mut input);
        if is_rtmp && let Some(version) = input.first_mut() {
            *version = VERSION;
        }
        let server = |step| {
            let mut server = ServerHandshake::new(1);
            feed(&input, step, |piece, out| server.handle_input(piece, out))
        };
        prop_assert_eq!(server(step), server(4000));
        let client = |step| {
            let mut client = ClientHandshake::start(Some(DigestLayout::At8), 1, &mut Vec::new());
            feed(&input, step, |piece, out| client.handle_input(piece, out))
        };
        prop_assert_eq!(client(step), client(4000));
    }
}
