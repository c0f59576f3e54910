//! The yardstick: what the kernel charges for taking a stream in and sending it out.
//!
//! One thread, one poll, and nothing that a server needs beyond moving bytes: no limits, no
//! timers, no skipping, no names to be cleaned, no timestamps from 2^24 ms (4.6 hours) on. It
//! speaks just enough RTMP for our own clients, `bench` and ffmpeg. What costs is what cannot be
//! left out: reads are large, a body is copied once, to where everybody is sent it from, behind a
//! `fmt 0` header that serves all, and a subscriber is one `send` for each flush.
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
const SET_CHUNK_SIZE: u8 = 1;
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
    /// C0 and C1 until they are answered.
    hello: Vec<u8>,
    chunks: Chunks,
    app: String,
    role: Role,
    /// What the socket did not take: it is sent when there is room, before all else.
    unsent: Vec<u8>,
}

/// What a connection does, and in which stream.
#[derive(Clone, Copy)]
enum Role {
    Neither,
    Publisher(usize),
    Subscriber(usize),
}

/// A stream with pictures: without keyframes it would grow for ever.
#[derive(Default)]
struct Stream {
    /// Metadata and sequence headers.
    headers: Vec<u8>,
    /// Everything from the latest keyframe on, and before it what is not flushed.
    bytes: Vec<u8>,
    /// Where the latest keyframe starts. `<= bytes.len()`
    group: usize,
    /// Where the next flush starts. `<= bytes.len()`
    flushed: usize,
    subscribers: Vec<usize>,
    flush_at: Option<Instant>,
}

struct Bare {
    flush: Flush,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    streams: Vec<Stream>,
    names: HashMap<String, usize>,
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
        streams: Vec::new(),
        names: HashMap::new(),
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
            let due = self.streams.iter().filter_map(|s| s.flush_at).min();
            let patience = due.map(|due| {
                due.saturating_duration_since(Instant::now())
                    .max(Duration::from_millis(1))
            });
            self.poll.poll(&mut events, patience).unwrap();
            let now = Instant::now();
            for event in &events {
                let Token(token) = event.token();
                if event.token() == LISTENER {
                    self.accept(&listener);
                    continue;
                }
                if event.is_writable() {
                    self.send_unsent(token);
                }
                self.read(token, &mut buffer, now);
            }
            // What came in one turn leaves together.
            for index in 0..self.streams.len() {
                if self.streams[index].flush_at.is_some_and(|at| at <= now) {
                    self.flush(index);
                }
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
                role: Role::Neither,
                unsent: Vec::new(),
            }));
        }
    }

    fn read(&mut self, token: usize, buffer: &mut [u8], now: Instant) {
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
                input = self.shake_hands(token, input);
            }
            self.take_input(token, input, now);
            // A short read has emptied the socket.
            if count < buffer.len() {
                return;
            }
        }
    }

    /// Takes what belongs to the handshake off the input.
    fn shake_hands<'a>(&mut self, token: usize, input: &'a [u8]) -> &'a [u8] {
        let connection = self.connections[token].as_mut().unwrap();
        let (ours, rest) = input.split_at(input.len().min(connection.handshake_left));
        let is_answered = connection.handshake_left <= HANDSHAKE_BYTES;
        connection.handshake_left -= ours.len();
        if is_answered {
            return rest;
        }
        connection.hello.extend_from_slice(ours);
        if connection.handshake_left <= HANDSHAKE_BYTES {
            // S0, S1 of zeros, S2: the client's own bytes.
            let hello = std::mem::take(&mut connection.hello);
            let mut answer = vec![3];
            answer.resize(1 + HANDSHAKE_BYTES, 0);
            answer.extend_from_slice(&hello[1..=HANDSHAKE_BYTES]);
            self.send(token, &answer);
        }
        rest
    }

    fn take_input(&mut self, token: usize, mut input: &[u8], now: Instant) {
        // Its messages are acted on while they lie in it.
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return;
        };
        let mut chunks = std::mem::take(&mut connection.chunks);
        while let Some(message) = chunks.read(&mut input) {
            let role = self.connections[token].as_ref().unwrap().role;
            match (message.kind, role) {
                (COMMAND, _) => self.on_command(token, &message),
                (AUDIO | VIDEO | DATA, Role::Publisher(stream)) => {
                    self.on_media(stream, &message, now);
                }
                _ => {}
            }
        }
        if let Some(connection) = &mut self.connections[token] {
            connection.chunks = chunks;
        }
    }

    fn on_media(&mut self, stream: usize, message: &Message<'_>, now: Instant) {
        let stream = &mut self.streams[stream];
        let body = match message.kind {
            // "@setDataFrame" stays with the publisher.
            DATA => &message.body[16.min(message.body.len())..],
            _ => message.body,
        };
        let is_header = message.kind == DATA || body.get(1) == Some(&0);
        let is_keyframe = message.kind == VIDEO && body.first().is_some_and(|b| b >> 4 == 1);
        if is_header {
            put_message(&mut stream.headers, message.kind, message.timestamp, body);
        } else if is_keyframe {
            // What is flushed and lies before it is of no use to anybody.
            stream.bytes.drain(..stream.flushed);
            stream.flushed = 0;
            stream.group = stream.bytes.len();
        }
        put_message(&mut stream.bytes, message.kind, message.timestamp, body);
        if stream.subscribers.is_empty() {
            stream.flushed = stream.bytes.len();
            return;
        }
        let wait = match (self.flush, message.kind) {
            (Flush::Now, _) | (Flush::Video, VIDEO) => Duration::ZERO,
            (Flush::Video, _) => AUDIO_WAIT,
            (Flush::Every(wait), _) => wait,
        };
        let at = now + wait;
        stream.flush_at = Some(stream.flush_at.map_or(at, |before| before.min(at)));
    }

    /// One send for each subscriber.
    fn flush(&mut self, stream: usize) {
        let stream = &mut self.streams[stream];
        stream.flush_at = None;
        let bytes = &stream.bytes[stream.flushed..];
        for &token in &stream.subscribers {
            if let Some(connection) = &mut self.connections[token] {
                connection.send(bytes);
            }
        }
        stream.flushed = stream.bytes.len();
    }

    fn send(&mut self, token: usize, bytes: &[u8]) {
        if let Some(Some(connection)) = self.connections.get_mut(token) {
            connection.send(bytes);
        }
    }

    fn send_unsent(&mut self, token: usize) {
        if let Some(Some(connection)) = self.connections.get_mut(token) {
            let unsent = std::mem::take(&mut connection.unsent);
            connection.send(&unsent);
        }
    }

    fn on_command(&mut self, token: usize, message: &Message<'_>) {
        let Ok(command) = Command::decode(message.body, false, &Limits::default()) else {
            return;
        };
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return;
        };
        let id = command.transaction_id;
        let name = format!("{}/{}", connection.app, command.string(0).unwrap_or(""));
        let mut out = Vec::new();
        let mut reply = |command: &Command| put_message(&mut out, COMMAND, 0, &command.encode());
        let status = |code| Command::on_status(status_info(Level::Status, code, ""));
        match command.name.as_str() {
            "connect" => {
                let app = command.object.as_object().and_then(|o| o.string("app"));
                connection.app = app.unwrap_or_default().to_owned();
                put_message(&mut out, SET_CHUNK_SIZE, 0, &CHUNK_SIZE.to_be_bytes());
                let info = status_info(Level::Status, "NetConnection.Connect.Success", "");
                let yes = Command::result(id, Object::new(), [info.into()]);
                put_message(&mut out, COMMAND, 0, &yes.encode());
            }
            "createStream" => reply(&Command::result(id, Value::Null, [1.0.into()])),
            "publish" => {
                reply(&status("NetStream.Publish.Start"));
                let index = self.stream(name);
                self.connections[token].as_mut().unwrap().role = Role::Publisher(index);
            }
            "play" => {
                reply(&status("NetStream.Play.Start"));
                let index = self.stream(name);
                // What waits is part of the group: it goes to the others first.
                self.flush(index);
                let stream = &mut self.streams[index];
                out.extend_from_slice(&stream.headers);
                out.extend_from_slice(&stream.bytes[stream.group..]);
                stream.subscribers.push(token);
                self.connections[token].as_mut().unwrap().role = Role::Subscriber(index);
            }
            "FCUnpublish" => reply(&status("NetStream.Unpublish.Success")),
            _ => {}
        }
        self.send(token, &out);
    }

    /// The stream of this name, made if need be.
    fn stream(&mut self, name: String) -> usize {
        let next = self.streams.len();
        let index = *self.names.entry(name).or_insert(next);
        if index == next {
            self.streams.push(Stream::default());
        }
        index
    }

    fn close(&mut self, token: usize) {
        let Some(mut connection) = self.connections[token].take() else {
            return;
        };
        let registry = self.poll.registry();
        registry.deregister(&mut connection.socket).unwrap();
        match connection.role {
            Role::Publisher(stream) => {
                let stream = &mut self.streams[stream];
                let subscribers = std::mem::take(&mut stream.subscribers);
                *stream = Stream {
                    subscribers,
                    ..Stream::default()
                };
            }
            Role::Subscriber(stream) => {
                let subscribers = &mut self.streams[stream].subscribers;
                subscribers.retain(|other| *other != token);
            }
            Role::Neither => {}
        }
    }
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return;
        }
        if bytes.is_empty() {
            return;
        }
        // Who is gone is noticed by reading.
        let sent = self.socket.write(bytes).unwrap_or_default();
        if sent < bytes.len() {
            self.unsent = bytes[sent..].to_vec();
        }
    }
}
