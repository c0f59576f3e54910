//! A worker without its thread, for tests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{TcpListener, TcpStream};

use mio::Waker;

use super::*;
use crate::net::mailbox::Mailbox;

/// A worker that nothing else runs, and the sender of its posts.
pub(in crate::server) fn worker() -> (Worker, Mailbox<Post>) {
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
pub(in crate::server) fn connect(worker: &mut Worker, post: &Mailbox<Post>) -> TcpStream {
    connect_to(Port::Rtmp, worker, post)
}

pub(super) fn connect_to(port: Port, worker: &mut Worker, post: &Mailbox<Post>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, address) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = mio::net::TcpStream::from_std(socket);
    assert!(post.post(Post::Accepted(socket, address, port)).is_ok());
    worker.take_mail(Instant::now());
    peer
}
