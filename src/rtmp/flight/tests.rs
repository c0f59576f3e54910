//! Recordings written and read back, damaged ones, and those of other programs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn facts(peer: &str, listener: &str) -> Facts {
    Facts {
        version: "0.1.0".to_owned(),
        peer: peer.parse().unwrap(),
        listener: listener.parse().unwrap(),
        began: Duration::from_micros(1_763_938_859_123_456),
        stream: Some("live/door".to_owned()),
        received: Extent::default(),
        sent: Extent::default(),
        resume: None,
        lasted: Duration::from_micros(12_000_031),
        end: "closed: this is TLS".to_owned(),
    }
}

fn received(micros: u64, bytes: &[u8]) -> Piece<'_> {
    Piece {
        direction: Direction::Received,
        at: Duration::from_micros(micros),
        bytes,
    }
}

fn sent(micros: u64, bytes: &[u8]) -> Piece<'_> {
    Piece {
        direction: Direction::Sent,
        ..received(micros, bytes)
    }
}

/// A small file and its facts.
fn sample() -> (Facts, Vec<u8>) {
    let mut facts = facts("192.0.2.7:40112", "192.0.2.1:1935");
    facts.received = Extent {
        total: 1000,
        missing: 994,
        missing_at: 3,
    };
    facts.sent.total = 2;
    let place = "size 128 lane 0 left 5 timestamps omitted staged - / 7 1 9 9 - 200 18 128";
    facts.resume = Some(Resume {
        kept: 4,
        place: place.parse().unwrap(),
    });
    let pieces = [received(0, b"abc"), sent(10, b"XY"), received(9000, b"xyz")];
    let file = encode(&facts, pieces);
    (facts, file)
}

#[test]
fn what_is_written_is_read() {
    let (facts, file) = sample();
    let flight = Flight::decode(&file).unwrap();
    assert_eq!(flight.facts, facts);
    let pieces = [received(0, b"abc"), sent(10, b"XY"), received(9000, b"xyz")];
    assert_eq!(flight.pieces, pieces);
    assert_eq!(
        flight.resumed().collect::<Vec<_>>(),
        [received(9000, b"yz")]
    );
    // What can be used without knowing more is what comes before the gap.
    assert_eq!(flight.received().collect::<Vec<_>>(), pieces[..1]);
    assert_eq!(flight.sent().collect::<Vec<_>>(), pieces[1..2]);
    assert_eq!(flight.whole().collect::<Vec<_>>(), pieces[..2]);
}

#[test]
fn the_bytes_of_a_packet_are_those_of_the_standards() {
    let mut facts = facts("192.0.2.7:40112", "192.0.2.1:1935");
    facts.received.total = 3;
    let file = encode(&facts, [received(1, b"abc")]);
    #[rustfmt::skip]
    let expected = [
        // Type, length, interface, time, lengths.
        6, 0, 0, 0, 88, 0, 0, 0, 0, 0, 0, 0,
        0x4B, 0x44, 0x06, 0x00, 0x01, 0x83, 0x1A, 0x05, 43, 0, 0, 0, 43, 0, 0, 0,
        // IPv4.
        0x45, 0, 0, 43, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 7, 192, 0, 2, 1,
        // TCP.
        0x9C, 0xB0, 0x07, 0x8F, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0,
        b'a', b'b', b'c', 0,
        // Inbound; end of options; length.
        2, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 88, 0, 0, 0,
    ];
    assert_eq!(file[file.len() - expected.len()..], expected);
}

#[test]
fn bytes_behind_a_gap_stand_behind_it_in_the_sequence() {
    let (_, file) = sample();
    let at = file.windows(3).position(|bytes| bytes == b"xyz").unwrap();
    // Sequence numbers begin with 1, and 997 bytes come before.
    assert_eq!(file[at - 16..at - 12], 998_u32.to_be_bytes());
}

#[test]
fn addresses_of_any_kind() {
    for (peer, listener) in [
        ("192.0.2.7:40112", "192.0.2.1:1935"),
        ("[2001:db8::7]:40112", "[2001:db8::1]:1935"),
        ("[::ffff:192.0.2.7]:40112", "[::ffff:192.0.2.1]:1935"),
        ("[fe80::7%3]:40112", "[fe80::1%3]:1935"),
        ("127.0.0.1:40112", "127.0.0.1:1935"),
        // The listener's address could not be asked for.
        ("[2001:db8::7]:40112", "0.0.0.0:0"),
        ("192.0.2.7:40112", "0.0.0.0:0"),
    ] {
        let mut facts = facts(peer, listener);
        facts.received.total = 2;
        facts.sent.total = 1;
        let pieces = [received(5, b"in"), sent(6, b"o")];
        let file = encode(&facts, pieces);
        let flight = Flight::decode(&file).unwrap();
        assert_eq!(flight.facts, facts);
        assert_eq!(flight.pieces, pieces, "{peer}");
    }
}

#[test]
fn facts_are_lines_whatever_a_peer_names() {
    let mut facts = facts("192.0.2.7:40112", "192.0.2.1:1935");
    facts.stream = Some("live/door\nended 0.000000 well\rpeer x".to_owned());
    facts.end = "closed: \u{1b}[31m\n\0".to_owned();
    let file = encode(&facts, []);
    let read = Flight::decode(&file).unwrap().facts;
    let stream = "live/door ended 0.000000 well peer x";
    assert_eq!(read.stream.as_deref(), Some(stream));
    assert_eq!(read.end, "closed:  [31m  ");
}

#[test]
fn other_files_are_told_from_damaged_ones() {
    let section = |comment: &str| {
        let mut file = Vec::new();
        blocks::put_section(&mut file, comment, "dumpcap");
        file
    };
    let mut big_endian = section("");
    big_endian[8..12].reverse();
    for (file, error) in [
        (Vec::new(), FlightError::Foreign),
        (b"FLV\x01".to_vec(), FlightError::Foreign),
        (b"\n\r\r".to_vec(), FlightError::Foreign),
        // pcap, without the ng.
        (
            vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0],
            FlightError::Foreign,
        ),
        (b"\n\r\r\n".to_vec(), FlightError::Truncated(0)),
        (big_endian, FlightError::OtherCapture),
        (section(""), FlightError::OtherCapture),
        (section("flight of a swallow"), FlightError::OtherCapture),
        (section("millstream flight x\n"), FlightError::OtherCapture),
        (section("millstream flight 2\n"), FlightError::Newer(2)),
    ] {
        assert_eq!(Flight::decode(&file), Err(error), "{file:02x?}");
    }
}

#[test]
fn facts_that_cannot_be() {
    let (_, file) = sample();
    let text = facts::write(&sample().0);
    assert!(
        file.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    );
    for (from, to, what) in [
        (
            "peer 192.0.2.7:40112",
            "peer 192.0.2.7",
            "no address of the peer",
        ),
        (
            "peer 192.0.2.7:40112",
            "peer 192.0.2.1:1935",
            "both ends have one address",
        ),
        ("listener", "listner", "no address of the listener"),
        (
            "began 1763938859.123456",
            "began 1763938859",
            "its start is no time",
        ),
        (
            "began 1763938859.",
            "began 18446744073709551615.",
            "its start is no time",
        ),
        (
            "ended 12.000031",
            "ended 18446744073709551615.999999",
            "its length is no time",
        ),
        ("ended 12.000031", "ended soon", "its length is no time"),
        ("version 0.1.0\n", "", "no version"),
        (
            "received 1000 994@3",
            "received 1000",
            "what was received is not said",
        ),
        (
            "received 1000 994@3",
            "received 1000 1001@0",
            "what was received is not said",
        ),
        (
            "received 1000 994@3",
            "received 1000 994@7",
            "what was received is not said",
        ),
        ("sent 2 0@0", "sent -2 0@0", "what was sent is not said"),
        ("resumes 4", "resumes 2", "where it goes on behind a gap"),
        ("resumes 4", "resumes 7", "where it goes on behind a gap"),
        (
            "resumes 4 size",
            "resumes 4 sise",
            "where it goes on behind a gap",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let error = facts::read(&text.replace(from, to)).unwrap_err();
        assert_eq!(error, FlightError::Damaged { at: 0, what }, "{to}");
    }
}

#[test]
fn a_file_that_ends_too_early_is_noticed() {
    let (_, file) = sample();
    for length in 4..file.len() {
        let error = Flight::decode(&file[..length]).unwrap_err();
        let is_fair = matches!(
            error,
            FlightError::Truncated(_)
                | FlightError::Damaged {
                    what: "packets are missing",
                    ..
                }
        );
        assert!(is_fair, "{length}: {error}");
    }
}

#[test]
fn what_wireshark_adds_is_skipped() {
    let (_, mut file) = sample();
    // Interface statistics.
    file.extend_from_slice(&[5, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0]);
    file.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0]);
    assert!(Flight::decode(&file).is_ok());
}

#[test]
fn packets_that_cannot_be() {
    let (_, file) = sample();
    let at = file.windows(3).position(|bytes| bytes == b"abc").unwrap();
    let packet = at - 40;
    for (place, byte, what) in [
        (packet, 0x55, "a packet that is not IP"),
        (packet, 0x46, "a packet that is not plain TCP"),
        (packet + 2, 0xFF, "a packet that ends too early"),
        (packet + 3, 10, "a packet that ends too early"),
        (packet + 9, 17, "a packet that is not plain TCP"),
        (packet + 12, 10, "a packet of another conversation"),
        (packet + 20, 1, "a packet of another conversation"),
        (packet + 32, 0x60, "a packet with TCP options"),
        (packet - 4, 42, "a packet that cannot be read"),
        (packet - 8, 0xFF, "a packet that cannot be read"),
        (packet - 14, 0xFF, "a packet long after the end"),
        (packet - 24, 8, "the length of a block"),
        (packet - 24, 84, "the length of a block"),
        (packet - 24, 87, "the length of a block"),
    ] {
        let mut file = file.clone();
        file[place] = byte;
        match Flight::decode(&file) {
            Err(FlightError::Damaged { what: said, .. }) => assert_eq!(said, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_long_piece_becomes_packets_that_ip_can_carry() {
    let mut facts = facts("192.0.2.7:40112", "192.0.2.1:1935");
    let bytes = vec![7; 65_536];
    facts.received.total = 65_536;
    let file = encode(&facts, [received(3, &bytes)]);
    let flight = Flight::decode(&file).unwrap();
    let lengths: Vec<_> = flight
        .pieces
        .iter()
        .map(|piece| piece.bytes.len())
        .collect();
    assert_eq!(lengths, [32_768, 32_768]);
}

proptest! {
    #[test]
    fn any_pieces_are_read_back(
        parts in prop::collection::vec(
            (any::<bool>(), 0_u64..1_000_000, prop::collection::vec(any::<u8>(), 1..50)),
            0..20,
        ),
        gap in any::<u64>(),
    ) {
        let mut facts = facts("192.0.2.7:40112", "[2001:db8::1]:1935");
        let mut at = 0;
        let mut pieces = Vec::new();
        for (is_ours, wait, bytes) in &parts {
            at += wait;
            let extent = if *is_ours { &mut facts.sent } else { &mut facts.received };
            extent.total += bytes.len() as u64;
            pieces.push(if *is_ours { sent(at, bytes) } else { received(at, bytes) });
        }
        facts.received.missing_at = facts.received.total / 2;
        facts.received.missing = gap.saturating_sub(facts.received.total);
        facts.received.total += facts.received.missing;
        let file = encode(&facts, pieces.clone());
        let flight = Flight::decode(&file).unwrap();
        prop_assert_eq!(flight.facts, facts);
        prop_assert_eq!(flight.pieces, pieces);
    }

    #[test]
    fn damage_is_an_error_or_harmless(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (_, mut file) = sample();
        let place = place.index(file.len());
        file[place] = byte;
        if let Ok(flight) = Flight::decode(&file) {
            prop_assert!(flight.pieces.len() <= 3);
        }
    }
}
