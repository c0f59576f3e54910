//! A worker without its thread: what a panic of ours costs, and whom.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use mio::Waker;

use super::*;
use crate::net::mailbox::Mailbox;
use crate::server::mail::Port;

/// A worker that nothing else runs, and the sender of its posts.
fn worker() -> (Worker, Mailbox<Post>) {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
    let stop = StopHandle::new(Arc::clone(&waker));
    let (post, posts) = Mailbox::unbounded(Arc::clone(&waker));
    let (_, feeds) = Mailbox::bounded(1, waker);
    let config = Arc::new(Config::default());
    let shared = Arc::new(Shared::new(&config, None, stop, Vec::new()));
    let worker = Worker::new(WorkerId(0), shared, config, poll, posts, feeds, Vec::new());
    (worker, post)
}

/// A connection that the worker has taken, and the peer's end of it.
fn connect(worker: &mut Worker, post: &Mailbox<Post>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, address) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = mio::net::TcpStream::from_std(socket);
    assert!(
        post.post(Post::Accepted(socket, address, Port::Rtmp))
            .is_ok()
    );
    worker.take_mail(Instant::now());
    peer
}

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
