#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

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
    let s1: &digest::Block = out[1..].first_chunk().unwrap();
    let (layout, _) = digest::find(s1, digest::Signer::Server).unwrap();
    assert_eq!(layout, DigestLayout::At8);
    let c1: &digest::Block = hello[1..].first_chunk().unwrap();
    let (_, c1_digest) = digest::find(c1, digest::Signer::Client).unwrap();
    let s2: &digest::Block = out[1 + BLOCK_BYTES..].first_chunk().unwrap();
    assert!(digest::is_signed(s2, &c1_digest, digest::Signer::Server));
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
    for (input, expected) in [
        (&b"GET / HTTP/1.1\r\n"[..], Guess::Http),
        (b"P", Guess::Http),
        (b"POST /open/1", Guess::Http),
        (b"OPTIONS rtsp://x RTSP/1.0", Guess::Http),
        (b"PROXY TCP4 192.0.2.1", Guess::ProxyHeader),
        (b"\r\n\r\n\0\r\nQUIT\n", Guess::ProxyHeader),
        (&[0x16, 3, 1], Guess::Tls),
        (&[6], Guess::Rtmpe),
        (&[8], Guess::Rtmpe),
        (&[0], Guess::Unknown(0)),
        (&[0xFF, 3], Guess::Unknown(0xFF)),
    ] {
        let error = HandshakeError::NotRtmp(expected);
        let mut out = Vec::new();
        let server = ServerHandshake::new(0).handle_input(input, &mut out);
        assert_eq!(server, Err(error), "{input:?}");
        assert!(out.is_empty());
        let client = ClientHandshake::start(None, 0, &mut out).handle_input(input, &mut out);
        assert_eq!(client, Err(error), "{input:?}");
    }
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
