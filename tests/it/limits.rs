//! Peers that speak something else, lie about lengths, or never finish: each is closed with a
//! reason in the log, and whoever behaves does not notice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::support::flv;
use crate::support::frames::bodies;
use crate::support::media::Sample;
use crate::support::onlookers::{Onlookers, assert_stops_well};
use crate::support::raw::{RawPeer, message, string, tag_message};
use crate::support::server::{Server, connections};
use crate::support::wait_for;

/// The largest message that the server takes is 4 MiB; what 50 peers may make it hold is less
/// than that each.
const GROWTH_MAX: u64 = 48 << 20;

/// Connections of [`Onlookers`] to their server.
const ONLOOKERS: usize = 2;

/// Sends `bytes` as the first ones and waits until the server has closed.
#[track_caller]
fn assert_closed(server: &Server, bytes: &[u8], reason: &str) {
    let mut peer = RawPeer::connect(server.port);
    let address = peer.socket.local_addr().unwrap();
    peer.socket.write_all(bytes).unwrap();
    peer.wait_closed();
    // The line is about this peer, not about an earlier one.
    wait_for(&format!("{address} to be closed: {reason}"), || {
        let said = server.process.said();
        let is_it =
            |line: &str| line.contains(&format!("{address}: closed: ")) && line.contains(reason);
        said.lines().any(is_it).then_some(())
    });
}

/// As [`assert_closed`], behind a handshake.
#[track_caller]
fn assert_closed_after_handshake(server: &Server, bytes: &[u8], reason: &str) {
    let all = [&hello(), bytes].concat();
    assert_closed(server, &all, reason);
}

/// C0, C1 and C2, which is not checked.
fn hello() -> Vec<u8> {
    vec![3; 1 + 2 * 1536]
}

fn set_chunk_size(size: u32) -> Vec<u8> {
    message(2, 1, 0, 0, &size.to_be_bytes())
}

fn number(value: f64) -> Vec<u8> {
    [&[0], value.to_be_bytes().as_slice()].concat()
}

fn command(msid: u32, name: &str, transaction_id: f64, rest: &[u8]) -> Vec<u8> {
    let body = [&string(name), number(transaction_id).as_slice(), rest].concat();
    message(3, 20, 0, msid, &body)
}

fn connect() -> Vec<u8> {
    let object = [b"\x03\0\x03app".as_slice(), &string("live"), &[0, 0, 9]];
    command(0, "connect", 1.0, &object.concat())
}

/// Everything that a client sends up to its request, in one go.
fn opening() -> Vec<u8> {
    [
        hello(),
        set_chunk_size(4096),
        connect(),
        command(0, "createStream", 2.0, &[5]),
    ]
    .concat()
}

fn publishing(key: &str) -> Vec<u8> {
    let arguments = [&[5], string(key).as_slice(), &string("live")].concat();
    [opening(), command(1, "publish", 3.0, &arguments)].concat()
}

fn playing(key: &str) -> Vec<u8> {
    let arguments = [&[5], string(key).as_slice()].concat();
    [opening(), command(1, "play", 3.0, &arguments)].concat()
}

fn random_bytes(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(count)
    .collect()
}

#[test]
fn what_is_not_rtmp_is_named_and_closed() {
    let onlookers = Onlookers::start(&[]);
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3];
    for (bytes, reason) in [
        (
            b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".as_slice(),
            "this is HTTP",
        ),
        (b"POST /open/1 HTTP/1.1\r\n\r\n", "this is HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "this is HTTP"),
        (&tls, "this is TLS"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0C", "PROXY protocol"),
        (&[6; 1537], "RTMPE"),
        (&[8; 1537], "RTMPE"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "0x53"),
        (b"OPTIONS rtsp://example/ RTSP/1.0\r\n", "not RTMP"),
        (&[0; 1537], "0x00"),
        (&[0xEE; 4000], "0xee"),
    ] {
        assert_closed(&onlookers.server, bytes, reason);
    }
    onlookers.finish();
}

#[test]
fn random_garbage() {
    let onlookers = Onlookers::start(&[]);
    let port = onlookers.server.port;
    for seed in 0..40 {
        let mut bytes = random_bytes(seed, 20_000);
        match seed % 4 {
            // Whatever comes first, a handshake, or all of an opening.
            0 => {}
            1 => bytes[0] = 3,
            2 => bytes = [hello(), bytes].concat(),
            _ => bytes = [publishing(&format!("garbage{seed}")), bytes].concat(),
        }
        let mut peer = RawPeer::connect(port);
        // The server may close before it has taken all of it.
        peer.socket.write_all(&bytes).ok();
        peer.socket.shutdown(Shutdown::Write).ok();
        peer.wait_closed();
    }
    onlookers.server.wait_for_connections(ONLOOKERS);
    onlookers.finish();
}

#[test]
fn chunks_that_cannot_be() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    for (bytes, reason) in [
        // fmt 3, 2 and 1 on chunk streams that were never used.
        (&[0xC5; 64][..], "out of step"),
        (&[0x85, 0, 0, 1], "out of step"),
        (&[0xC0, 200], "out of step"),
        // A message of 16 MiB - 1.
        (
            &[6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0, 1, 2, 3],
            "message of 16777215 bytes",
        ),
        // Set Chunk Size of 0.
        (
            &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            "Set Chunk Size of 0",
        ),
        // Set Chunk Size of 2 GiB - 1, which is allowed, and then a message that is not.
        (
            &[
                2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 6, 0, 0, 0, 0xFF, 0xFF,
                0xFF, 9, 1, 0, 0, 0, 1, 2, 3,
            ],
            "message of 16777215 bytes",
        ),
    ] {
        assert_closed_after_handshake(server, bytes, reason);
    }
    // A lane for each message.
    let mut lanes = Vec::new();
    for csid in 64..1000_u32 {
        let [low, high] = u16::try_from(csid - 64).unwrap().to_le_bytes();
        lanes.extend_from_slice(&[1, low, high, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 7]);
    }
    assert_closed_after_handshake(server, &lanes, "chunk streams");
    onlookers.finish();
}

/// The largest chunk size and the longest messages, announced and not sent: memory grows with
/// bytes, not with promises.
#[test]
fn promises_cost_no_memory() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    let before = server.process.resident_bytes();
    let mut peers = Vec::new();
    for _ in 0..50 {
        let mut peer = RawPeer::connect(server.port);
        peer.socket.write_all(&opening()).unwrap();
        peer.socket.write_all(&set_chunk_size(0x7FFF_FFFF)).unwrap();
        for csid in 4..20 {
            let header = [csid, 0, 0, 0, 0x03, 0xFF, 0xFF, 9, 1, 0, 0, 0, 1, 2, 3];
            // With chunks this large nothing can come between; the next header is taken for
            // payload, and the message stays unfinished.
            peer.socket.write_all(&header).unwrap();
        }
        peers.push(peer);
    }
    for peer in &mut peers {
        peer.wait_for(b"NetConnection.Connect.Success");
    }
    let grown = server.process.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes for 50 announcements");
    drop(peers);
    server.wait_for_connections(ONLOOKERS);
    onlookers.finish();
}

/// AMF that nests without end, or announces what never comes: as the first command, in a later
/// one, and as metadata.
#[test]
fn amf_bombs() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    let nested_objects = b"\x03\0\x01a".repeat(20_000);
    let nested_arrays = b"\x0A\0\0\0\x01".repeat(20_000);
    let many_values = [b"\x0A\x00\xFF\xFF\xFF".as_slice(), &[5; 60_000]].concat();
    let endless_array = b"\x0A\xFF\xFF\xFF\xFF".to_vec();
    let endless_map = b"\x08\xFF\xFF\xFF\xFF".to_vec();
    let long_string = b"\x0C\xFF\xFF\xFF\xFFabc".to_vec();
    let references = b"\x07\0\0".repeat(1000);
    let amf3_nested = [b"\x11".as_slice(), &b"\x09\x03\x01".repeat(20_000)].concat();
    let amf3_endless = b"\x11\x09\xFF\xFF\xFF\xFF\x01".to_vec();
    let bombs = [
        nested_objects,
        nested_arrays,
        many_values,
        endless_array,
        endless_map,
        long_string,
        references,
        amf3_nested,
        amf3_endless,
        vec![0xFF; 100],
        Vec::new(),
    ];
    let before = server.process.resident_bytes();
    for (index, bomb) in bombs.iter().enumerate() {
        let first = [
            hello(),
            set_chunk_size(4096),
            command(0, "connect", 1.0, bomb),
        ];
        let later = [opening(), command(1, "publish", 3.0, bomb)];
        let amf3 = [&[0], string("createStream").as_slice(), bomb].concat();
        let amf3 = [opening(), message(3, 17, 0, 0, &amf3)];
        let data = [
            &string("@setDataFrame"),
            &string("onMetaData"),
            bomb.as_slice(),
        ]
        .concat();
        let key = format!("bomb{index}");
        let metadata = [publishing(&key), message(5, 18, 0, 1, &data)];
        let metadata_amf3 = [&[0], data.as_slice()].concat();
        let metadata_amf3 = [publishing(&key), message(5, 15, 0, 1, &metadata_amf3)];
        let attacks = [
            first.concat(),
            later.concat(),
            amf3.concat(),
            metadata.concat(),
            metadata_amf3.concat(),
        ];
        for attack in attacks {
            let mut peer = RawPeer::connect(server.port);
            peer.socket.write_all(&attack).ok();
            peer.socket.shutdown(Shutdown::Write).ok();
            peer.wait_closed();
        }
    }
    let grown = server.process.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes grown");
    onlookers.finish();
}

/// Requests whose answers nobody reads: the server stops reading before it has stored many of
/// them, and closes when nothing moves any more.
#[test]
fn replies_that_are_never_read() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    let before = server.process.resident_bytes();
    let flood = command(0, "releaseStream", 4.0, &[5]).repeat(5000);
    let ping = message(2, 4, 0, 0, &[0, 6, 1, 2, 3, 4]).repeat(10_000);
    let mut threads = Vec::new();
    for bytes in [flood, ping] {
        for _ in 0..5 {
            let mut peer = RawPeer::connect(server.port);
            let bytes = bytes.clone();
            threads.push(std::thread::spawn(move || {
                peer.socket.write_all(&opening()).unwrap();
                // Until the server closes: the kernel's buffers are full long before.
                while peer.socket.write_all(&bytes).is_ok() {}
            }));
        }
    }
    server.process.wait_said(10, "closed: took nothing for");
    let grown = server.process.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes grown");
    for thread in threads {
        thread.join().unwrap();
    }
    server.wait_for_connections(ONLOOKERS);
    onlookers.finish();
}

/// Nothing at all, the first byte, half of C1, all but the last byte of C2; and a handshake
/// behind which nothing comes. All are closed in time, and the log says what for.
#[test]
fn connections_that_never_speak() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    let mut peers = Vec::new();
    for count in [0, 1, 700, 1537, 3072] {
        for _ in 0..10 {
            let mut peer = RawPeer::connect(server.port);
            peer.socket.write_all(&hello()[..count]).unwrap();
            peers.push(peer);
        }
    }
    let mut requests = Vec::new();
    for bytes in [hello(), [hello(), connect()].concat(), opening()] {
        for _ in 0..5 {
            let mut peer = RawPeer::connect(server.port);
            peer.socket.write_all(&bytes).unwrap();
            requests.push(peer);
        }
    }
    for peer in &mut peers {
        peer.wait_closed();
    }
    server
        .process
        .wait_said(50, "closed: handshake not finished in time");
    for peer in &mut requests {
        peer.wait_closed();
    }
    server
        .process
        .wait_said(15, "closed: nothing requested in time");
    server.wait_for_connections(ONLOOKERS);
    onlookers.finish();
}

/// Every byte in a packet of its own: slow, and right.
#[test]
fn one_byte_at_a_time() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    let mut player = RawPeer::connect(server.port);
    for byte in playing("slow") {
        player.socket.write_all(&[byte]).unwrap();
    }
    server.process.wait_said(1, "waits for live/slow");
    let tags = flv::read(&Sample::Tiny.path()).unwrap();
    let mut publisher = RawPeer::connect(server.port);
    for byte in publishing("slow") {
        publisher.socket.write_all(&[byte]).unwrap();
    }
    for tag in &tags[..20] {
        for byte in tag_message(tag) {
            publisher.socket.write_all(&[byte]).unwrap();
        }
    }
    player.wait_for(b"NetStream.Play.Start");
    for picture in bodies(&tags[..20], flv::VIDEO) {
        // Shorter than a chunk, so it comes in one piece.
        player.wait_for(picture);
    }
    drop((player, publisher));
    onlookers.finish();
}

/// The connection ends at every boundary of a publisher's and a player's conversation and at
/// places between, by a close and by a reset.
#[test]
fn disconnects_in_every_phase() {
    let onlookers = Onlookers::start(&["--publisher-grace", "0.1"]);
    let server = &onlookers.server;
    let tags = flv::read(&Sample::Tiny.path()).unwrap();
    let media: Vec<u8> = tags[..10].iter().flat_map(tag_message).collect();
    let conversations = [
        [publishing("gone"), media].concat(),
        playing("gone"),
        playing("undisturbed"),
    ];
    for bytes in &conversations {
        // Within the handshake a few places say it all.
        let ends = (0..3073).step_by(512).chain((3073..bytes.len()).step_by(7));
        for (index, end) in ends.enumerate() {
            let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            socket.write_all(&bytes[..end]).unwrap();
            if index % 2 == 0 {
                // Closing over unread bytes makes the kernel reset the connection.
                continue;
            }
            socket.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).ok();
        }
    }
    server.wait_for_connections(ONLOOKERS);
    // The name is free again.
    let mut publisher = RawPeer::connect(server.port);
    publisher.socket.write_all(&publishing("gone")).unwrap();
    publisher.wait_for(b"NetStream.Publish.Start");
    drop(publisher);
    onlookers.finish();
}

/// 200 connections at once, opened and dropped at once, with a byte, a handshake or nothing.
#[test]
fn two_hundred_connections_come_and_go() {
    let onlookers = Onlookers::start(&[]);
    let server = &onlookers.server;
    for round in 0..3 {
        let mut sockets = Vec::new();
        for index in 0..200 {
            let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            let bytes = match (index + round) % 4 {
                0 => Vec::new(),
                1 => vec![3],
                2 => hello(),
                _ => playing("undisturbed"),
            };
            socket.write_all(&bytes).unwrap();
            sockets.push(socket);
        }
        drop(sockets);
    }
    server.wait_for_connections(ONLOOKERS);
    onlookers.finish();
}

/// Whatever they are doing when the order to stop comes: half a handshake, requests, players that
/// do not read. The server leaves in time.
#[test]
fn the_server_stops_whoever_is_there() {
    let server = Server::start(&["--play-wait", "60"]);
    let tags = flv::read(&Sample::Tiny.path()).unwrap();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    for tag in &tags {
        publisher.send_tag(tag);
    }
    let mut peers = Vec::new();
    for bytes in [
        Vec::new(),
        vec![3],
        hello(),
        opening(),
        playing("cam"),
        playing("other"),
        publishing("third"),
    ] {
        for _ in 0..10 {
            let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            socket.write_all(&bytes).unwrap();
            peers.push(socket);
        }
    }
    server.process.wait_said(10, ": plays live/cam");
    server.process.wait_said(10, ": waits for live/other");
    let port = server.port;
    assert_stops_well(server);
    assert_eq!(connections(port), 0);
    publisher.wait_for(b"NetConnection.Connect.AppShutdown");
    drop(peers);
}
