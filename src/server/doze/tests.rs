//! Who dozes, who reads it and when, and who wakes it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use mio::Events;

use super::*;
use crate::rtmp::chunk::MessageStreamId;
use crate::server::connection::Part;
use crate::server::live_stream::Source;
use crate::server::mail::{Epoch, WorkerId};
use crate::server::publisher::Publisher;
use crate::server::registry::Pulse;
use crate::server::worker::testing;

/// A worker with one connection, which publishes and is awake no longer; its peer, its live
/// stream's slot, and now.
fn publisher() -> (Worker, TcpStream, usize, Instant) {
    let (mut worker, post) = testing::worker();
    let peer = testing::connect(&mut worker, &post);
    let name = Arc::from("live/door");
    let stream = worker.stream_slot(&name);
    let source = Source::Here {
        epoch: Epoch(1),
        publisher: Some(0),
    };
    worker.streams[stream].start(source, &[]);
    let pulse = Arc::new(Pulse::default());
    let msid = MessageStreamId(1);
    let role = Box::new(Publisher::new(msid, name, Epoch(1), pulse, None, 65_536));
    worker.connections[0].publisher = Some(Part { stream, role });
    let now = Instant::now();
    worker.keep_awake(0, now);
    turn(&mut worker, now);
    assert!(!worker.connections[0].is_dozing);
    let later = now + AWAKE;
    worker.queue(0);
    turn(&mut worker, later);
    (worker, peer, stream, later)
}

/// What the worker does at `now`, with all that its sockets say.
fn turn(worker: &mut Worker, now: Instant) {
    let mut events = Events::with_capacity(8);
    worker.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    worker.take_turn(&events, now);
}

/// Sends `count` bytes of a handshake, and waits until the system has them for the other side.
fn send(worker: &Worker, peer: &mut TcpStream, count: usize) {
    peer.write_all(&vec![3; count]).unwrap();
    let mut buffer = vec![0; count];
    let socket = &worker.connections[0].socket;
    let start = Instant::now();
    while socket.peek(&mut buffer).ok() != Some(count) {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

fn received(worker: &Worker) -> u64 {
    worker.connections[0].bytes_received
}

#[test]
fn a_publisher_that_nobody_watches_is_read_every_now_and_then() {
    let (mut worker, mut peer, _, now) = publisher();
    assert!(worker.connections[0].is_dozing);
    send(&worker, &mut peer, 100);
    turn(&mut worker, now + READ_EVERY / 2);
    assert_eq!(received(&worker), 0);
    turn(&mut worker, now + READ_EVERY);
    assert_eq!(received(&worker), 100);
    send(&worker, &mut peer, 100);
    turn(&mut worker, now + READ_EVERY * 3 / 2);
    assert_eq!(received(&worker), 100);
    turn(&mut worker, now + READ_EVERY * 2);
    assert_eq!(received(&worker), 200);
}

#[test]
fn whoever_wants_it_wakes_it_in_the_same_turn() {
    let (mut worker, mut peer, stream, now) = publisher();
    send(&worker, &mut peer, 100);
    worker.attend(stream);
    worker.streams[stream].waiting.push(0);
    turn(&mut worker, now);
    assert_eq!(received(&worker), 100);
    assert!(!worker.connections[0].is_dozing);
    assert_eq!(worker.dozers.deadline(), None);
    send(&worker, &mut peer, 100);
    turn(&mut worker, now);
    assert_eq!(received(&worker), 200);
}

#[test]
fn another_worker_wakes_it_too() {
    let (mut worker, mut peer, stream, now) = publisher();
    send(&worker, &mut peer, 100);
    worker.streams[stream].add_fed_worker(WorkerId(1));
    worker.rouse_publisher(stream);
    turn(&mut worker, now);
    assert_eq!(received(&worker), 100);
    assert!(!worker.connections[0].is_dozing);
    worker.streams[stream].remove_fed_worker(WorkerId(1));
    worker.queue(0);
    turn(&mut worker, now);
    assert!(worker.connections[0].is_dozing);
}

#[test]
fn who_has_gone_is_noticed_and_forgotten() {
    let (mut worker, peer, _, now) = publisher();
    drop(peer);
    let mut time = now;
    while !worker.connections.is_empty() {
        assert!(time < now + Duration::from_secs(20));
        time += READ_EVERY;
        turn(&mut worker, time);
    }
    assert_eq!(worker.dozers.deadline(), None);
}

#[test]
fn who_publishes_no_more_is_awake() {
    let (mut worker, _peer, _, now) = publisher();
    worker.connections[0].publisher = None;
    worker.queue(0);
    turn(&mut worker, now);
    assert!(!worker.connections[0].is_dozing);
}

#[test]
fn who_sends_more_than_its_window_holds_wakes() {
    let (mut worker, mut peer, _, now) = publisher();
    for reading in 1..=FULL_READINGS_MAX {
        assert!(worker.connections[0].is_dozing, "{reading}");
        send(&worker, &mut peer, usize::try_from(FULL_BYTES).unwrap());
        // Not through its session, for which this is nonsense.
        let bytes = worker.connections[0].read(&mut vec![0; 1 << 20]).unwrap();
        worker.doze_or_wake(0, bytes.unwrap() as u64, now);
    }
    assert!(!worker.connections[0].is_dozing);
}
