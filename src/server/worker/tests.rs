//! A worker without its thread: what a panic of ours costs, and whom.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;

use mio::Waker;

use super::testing::{connect, connect_to, worker};
use super::*;
use crate::net::mailbox::Mailbox;
use crate::rtmp::chunk::MessageStreamId;
use crate::server::api::Part as ApiPart;
use crate::server::connection::Part;
use crate::server::publisher::Publisher;
use crate::server::registry::Pulse;

fn is_closed(peer: &mut TcpStream) -> bool {
    peer.set_nonblocking(true).unwrap();
    matches!(peer.read(&mut [0]), Ok(0))
}

#[test]
fn a_panic_closes_the_connection_that_was_served_and_no_other() {
    let (mut worker, post) = worker();
    let mut peers = [(); 3].map(|()| connect(&mut worker, &post));
    let now = Instant::now();
    worker.guarded(Some(1), now, |_| panic!("on purpose"));
    assert_eq!(peers.each_mut().map(is_closed), [false, true, false]);
    assert_eq!(worker.shared.metrics.panics.value(), 1);
}

#[test]
fn a_panic_while_sending_closes_who_was_sent_to() {
    let (mut worker, post) = worker();
    let mut peers = [(); 3].map(|()| connect(&mut worker, &post));
    let now = Instant::now();
    worker.guarded(None, now, |worker| {
        worker.sending_to = Some(2);
        panic!("on purpose")
    });
    assert_eq!(peers.each_mut().map(is_closed), [false, false, true]);
    assert_eq!(worker.sending_to, None);
}

#[test]
fn a_panic_over_the_mail_closes_nobody_and_the_worker_goes_on() {
    let (mut worker, post) = worker();
    let mut first = connect(&mut worker, &post);
    worker.guarded(None, Instant::now(), |_| panic!("on purpose"));
    let mut second = connect(&mut worker, &post);
    assert!(!is_closed(&mut first) && !is_closed(&mut second));
    assert_eq!(worker.connections.len(), 2);
}

/// Two mailboxes that nobody looks into.
fn nobody() -> (Poll, Address, [Receiver<Post>; 1]) {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
    let (post, posts) = Mailbox::unbounded(Arc::clone(&waker));
    let (feed, _) = Mailbox::bounded(1, waker);
    (poll, Address { post, feed }, [posts])
}

#[test]
fn a_worker_that_hangs_does_not_hang_the_api() {
    let (mut worker, post) = worker();
    let (_ours, our_address, _) = nobody();
    let (_theirs, their_address, [their_posts]) = nobody();
    worker.addresses = vec![our_address, their_address];
    let mut asker = connect_to(Port::Http, &mut worker, &post);
    asker
        .write_all(b"GET /api/v1/connections HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let now = Instant::now();
    while worker.gatherings.deadline().is_none() {
        assert!(now.elapsed() < Duration::from_secs(20));
        worker.connections[0].can_read = true;
        worker.queue(0);
        worker.serve_queue(now);
    }
    assert_eq!(worker.patience().unwrap().as_secs(), 0);
    assert!(matches!(
        their_posts.try_recv(),
        Ok(Post::Report {
            asker: WorkerId(0),
            ticket: 1,
            ..
        })
    ));
    worker.run_timers(now + Duration::from_millis(999));
    worker.serve_queue(now);
    asker.set_nonblocking(true).unwrap();
    assert!(asker.read(&mut [0]).is_err());
    worker.run_timers(now + Duration::from_secs(1));
    worker.serve_queue(now);
    asker.set_nonblocking(false).unwrap();
    let mut answer = [0; 2000];
    let count = asker.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("\"role\":\"web\""), "{answer}");
    // What comes late is thrown away.
    worker.on_reported(1, ApiPart::default(), now);
    assert!(worker.gatherings.deadline().is_none());
}

#[test]
fn few_ask_at_the_same_time() {
    let (mut worker, post) = worker();
    let (_ours, our_address, _) = nobody();
    let (_theirs, their_address, _posts) = nobody();
    worker.addresses = vec![our_address, their_address];
    let now = Instant::now();
    let mut answered = 0;
    for key in 0..40 {
        let mut asker = connect_to(Port::Http, &mut worker, &post);
        asker
            .write_all(
                b"GET /api/v1/server HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )
            .unwrap();
        while worker
            .connections
            .get(key)
            .is_some_and(|one| one.bytes_received == 0)
        {
            worker.connections[key].can_read = true;
            worker.queue(key);
            worker.serve_queue(now);
        }
        worker.serve_queue(now);
        asker.set_nonblocking(true).unwrap();
        let mut answer = [0; 100];
        if let Ok(count) = asker.read(&mut answer) {
            assert!(answer[..count].starts_with(b"HTTP/1.1 503 "));
            answered += 1;
        }
    }
    assert_eq!(answered, 40 - 32);
}

/// Newcomers wait in the order in which they came, and publishers go before them.
#[test]
fn publishers_are_served_before_a_crowd_of_newcomers() {
    let (mut worker, post) = worker();
    let mut peers: Vec<_> = (0..100).map(|_| connect(&mut worker, &post)).collect();
    worker.serve_queue(Instant::now());
    let stream = worker.stream_slot(&Arc::from("live/door"));
    let role = Box::new(Publisher::new(
        MessageStreamId(1),
        Arc::from("live/door"),
        Epoch(1),
        Arc::new(Pulse::default()),
        None,
        4096,
    ));
    worker.connections[99].publisher = Some(Part { stream, role });
    for peer in &mut peers {
        peer.write_all(&[3]).unwrap();
    }
    for key in 0..100 {
        worker.connections[key].can_read = true;
        worker.queue(key);
    }
    assert_eq!(worker.publisher_queue, [99]);
    assert!(worker.queue.iter().copied().eq(0..99));
    assert_eq!(worker.patience(), Some(Duration::ZERO));
    // However long it takes, in the end all were.
    while !worker.queue.is_empty() {
        worker.serve_queue(Instant::now());
        assert!(worker.publisher_queue.is_empty());
    }
    let read = worker
        .connections
        .iter()
        .filter(|(_, one)| one.bytes_received == 1);
    assert_eq!(read.count(), 100);
}
