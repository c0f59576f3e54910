//! The yardstick: what the kernel charges for taking a stream in and sending it out.
//!
//! One thread, one poll, and nothing that a server needs beyond moving bytes: no limits, no
//! timers, no skipping, no names to be cleaned. It speaks just enough RTMP for our own clients and
//! for `bench`. A publisher's messages are put together with large reads and one copy; each gets a
//! `fmt 0` header, the same for every subscriber, and lies in one piece with what goes out beside
//! it; a subscriber costs one `send` for each flush.
//!
//! `cargo bench --bench bare_loop -- PORT video|now|MILLISECONDS`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a yardstick, not a server"
)]

mod chunks;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chunks::{Chunks, Message, put_message};
use millstream::amf::{Limits, Object, Value};
use millstream::rtmp::message::command::{Command, Level, status_info};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const CHUNK_SIZE: u32 = 65_536;
const HANDSHAKE_BYTES: usize = 1536;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const DATA: u8 = 18;
const COMMAND: u8 = 20;

/// When bytes leave.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flush {
    Now,
    Video,
    Every(Duration),
}

/// How long sound waits for the next picture under [`Flush::Video`].
const AUDIO_WAIT: Duration = Duration::from_millis(40);

struct Connection {
    socket: TcpStream,
    /// Bytes of the handshake that are still to come.
    handshake_left: usize,
    hello: Vec<u8>,
    chunks: Chunks,
    app: String,
    publishes: Option<String>,
    plays: Option<String>,
    /// What the socket did not take.
    unsent: Vec<u8>,
}

#[derive(Default)]
struct Stream {
    /// Metadata and sequence headers.
    headers: Vec<u8>,
    /// Everything since the latest keyframe.
    group: Vec<u8>,
    /// Everything since the last flush.
    pending: Vec<u8>,
    subscribers: Vec<usize>,
    flush_at: Option<Instant>,
}

struct Bare {
    flush: Flush,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    streams: HashMap<String, Stream>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, flush, ..] = &arguments[..] else {
        // `cargo bench` without arguments runs every target: this one has nothing to measure.
        return;
    };
    let Ok(port) = port.parse::<u16>() else {
        return;
    };
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let flush = match flush.as_str() {
        "video" => Flush::Video,
        "now" => Flush::Now,
        ms => Flush::Every(Duration::from_millis(
            ms.trim_end_matches("ms").parse().unwrap(),
        )),
    };
    Bare {
        flush,
        poll: Poll::new().unwrap(),
        connections: Vec::new(),
        streams: HashMap::new(),
    }
    .run(SocketAddr::from(([127, 0, 0, 1], port)));
}

impl Bare {
    fn run(mut self, address: SocketAddr) {
        let mut listener = millstream::net::socket::listen(address).unwrap();
        self.poll
            .registry()
            .register(&mut listener, LISTENER, Interest::READABLE)
            .unwrap();
        println!("listening on {address}");
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let due = self.streams.values().filter_map(|s| s.flush_at).min();
            let patience = due.map(|due| {
                due.saturating_duration_since(Instant::now())
                    .max(Duration::from_millis(1))
            });
            self.poll.poll(&mut events, patience).unwrap();
            for event in &events {
                let Token(token) = event.token();
                if event.token() == LISTENER {
                    self.accept(&listener);
                    continue;
                }
                if event.is_writable() {
                    self.send(token, &[]);
                }
                self.read(token, &mut buffer);
            }
            let now = Instant::now();
            let due: Vec<String> = self
                .streams
                .iter()
                .filter(|(_, stream)| stream.flush_at.is_some_and(|at| at <= now))
                .map(|(name, _)| name.clone())
                .collect();
            for name in due {
                self.flush(&name);
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener) {
        while let Ok((mut socket, _)) = listener.accept() {
            socket.set_nodelay(true).unwrap();
            let token = self.connections.len();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(token), interest)
                .unwrap();
            self.connections.push(Some(Connection {
                socket,
                handshake_left: 1 + 2 * HANDSHAKE_BYTES,
                hello: Vec::new(),
                chunks: Chunks::default(),
                app: String::new(),
                publishes: None,
                plays: None,
                unsent: Vec::new(),
            }));
        }
    }

    fn read(&mut self, token: usize, buffer: &mut [u8]) {
        loop {
            let Some(Some(connection)) = self.connections.get_mut(token) else {
                return;
            };
            let count = match connection.socket.read(buffer) {
                Ok(count @ 1..) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                _ => return self.close(token),
            };
            let mut input = &buffer[..count];
            if connection.handshake_left > 0 {
                let (ours, rest) = input.split_at(input.len().min(connection.handshake_left));
                let before = connection.hello.len();
                connection.handshake_left -= ours.len();
                connection.hello.extend_from_slice(ours);
                input = rest;
                if before <= HANDSHAKE_BYTES && connection.hello.len() > HANDSHAKE_BYTES {
                    // S0, S1 of zeros, S2: the client's own bytes.
                    let mut answer = vec![3];
                    answer.resize(1 + HANDSHAKE_BYTES, 0);
                    answer.extend_from_slice(&connection.hello[1..=HANDSHAKE_BYTES]);
                    self.send(token, &answer);
                }
            }
            self.take_input(token, input);
            if count < buffer.len() {
                return;
            }
        }
    }

    fn take_input(&mut self, token: usize, mut input: &[u8]) {
        while let Some(Some(connection)) = self.connections.get_mut(token) {
            let Some(message) = connection.chunks.read(&mut input) else {
                return;
            };
            match message.kind {
                COMMAND => self.on_command(token, &message),
                AUDIO | VIDEO | DATA => self.on_media(token, &message),
                _ => {}
            }
        }
    }

    fn on_media(&mut self, token: usize, message: &Message) {
        let Some(Some(Connection {
            publishes: Some(name),
            ..
        })) = self.connections.get(token)
        else {
            return;
        };
        let name = name.clone();
        let flush = self.flush;
        let stream = self.streams.entry(name.clone()).or_default();
        let body = match message.kind {
            // "@setDataFrame" stays with the publisher.
            DATA => &message.body[16.min(message.body.len())..],
            _ => &message.body[..],
        };
        let is_header = message.kind == DATA || body.get(1) == Some(&0);
        let is_keyframe = message.kind == VIDEO && body.first().is_some_and(|b| b >> 4 == 1);
        if is_keyframe && !is_header {
            stream.group.clear();
        }
        let start = stream.pending.len();
        put_message(&mut stream.pending, message.kind, message.timestamp, body);
        let bytes = &stream.pending[start..];
        if is_header {
            stream.headers.extend_from_slice(bytes);
        } else {
            stream.group.extend_from_slice(bytes);
        }
        let wait = match (flush, message.kind) {
            (Flush::Now, _) | (Flush::Video, VIDEO) => Duration::ZERO,
            (Flush::Video, _) => AUDIO_WAIT,
            (Flush::Every(wait), _) => wait,
        };
        if wait.is_zero() {
            self.flush(&name);
        } else {
            let at = Instant::now() + wait;
            stream.flush_at.get_or_insert(at);
        }
    }

    /// One send for each subscriber.
    fn flush(&mut self, name: &str) {
        let Some(stream) = self.streams.get_mut(name) else {
            return;
        };
        stream.flush_at = None;
        let mut pending = std::mem::take(&mut stream.pending);
        let subscribers = std::mem::take(&mut stream.subscribers);
        for &token in &subscribers {
            self.send(token, &pending);
        }
        pending.clear();
        if let Some(stream) = self.streams.get_mut(name) {
            stream.pending = pending;
            stream.subscribers = subscribers;
        }
    }

    fn send(&mut self, token: usize, bytes: &[u8]) {
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return;
        };
        if !connection.unsent.is_empty() {
            connection.unsent.extend_from_slice(bytes);
            while let Ok(count @ 1..) = connection.socket.write(&connection.unsent) {
                connection.unsent.drain(..count);
            }
            return;
        }
        if bytes.is_empty() {
            return;
        }
        match connection.socket.write(bytes) {
            Ok(count) => connection.unsent.extend_from_slice(&bytes[count..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                connection.unsent.extend_from_slice(bytes);
            }
            Err(_) => self.close(token),
        }
    }

    fn on_command(&mut self, token: usize, message: &Message) {
        let Ok(command) = Command::decode(&message.body, false, &Limits::default()) else {
            return;
        };
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return;
        };
        let id = command.transaction_id;
        let mut out = Vec::new();
        let mut reply = |command: &Command| put_message(&mut out, COMMAND, 0, &command.encode());
        match command.name.as_str() {
            "connect" => {
                let app = command.object.as_object().and_then(|o| o.string("app"));
                connection.app = app.unwrap_or_default().to_owned();
                let info = status_info(Level::Status, "NetConnection.Connect.Success", "");
                reply(&Command::result(id, Object::new(), [info.into()]));
                let mut first = Vec::new();
                put_message(&mut first, 1, 0, &CHUNK_SIZE.to_be_bytes());
                first.append(&mut out);
                out = first;
            }
            "createStream" => reply(&Command::result(id, Value::Null, [1.0.into()])),
            "publish" => {
                let name = format!("{}/{}", connection.app, command.string(0).unwrap_or(""));
                connection.publishes = Some(name.clone());
                self.streams.entry(name).or_default();
                let info = status_info(Level::Status, "NetStream.Publish.Start", "");
                reply(&Command::on_status(info));
            }
            "play" => {
                let name = format!("{}/{}", connection.app, command.string(0).unwrap_or(""));
                connection.plays = Some(name.clone());
                let info = status_info(Level::Status, "NetStream.Play.Start", "");
                reply(&Command::on_status(info));
                let stream = self.streams.entry(name.clone()).or_default();
                out.extend_from_slice(&stream.headers);
                out.extend_from_slice(&stream.group);
                // What is pending is part of the group: it is flushed to the others first.
                self.flush(&name);
                self.streams
                    .entry(name)
                    .or_default()
                    .subscribers
                    .push(token);
            }
            "FCUnpublish" => {
                let info = status_info(Level::Status, "NetStream.Unpublish.Success", "");
                reply(&Command::on_status(info));
            }
            _ => {}
        }
        self.send(token, &out);
    }

    fn close(&mut self, token: usize) {
        let Some(mut connection) = self.connections[token].take() else {
            return;
        };
        self.poll
            .registry()
            .deregister(&mut connection.socket)
            .unwrap();
        if let Some(stream) = connection
            .plays
            .and_then(|name| self.streams.get_mut(&name))
        {
            stream.subscribers.retain(|other| *other != token);
        }
        if let Some(name) = connection.publishes {
            self.streams.remove(&name);
        }
    }
}
