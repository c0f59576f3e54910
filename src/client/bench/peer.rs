//! A connection of a load test, publisher or subscriber.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::answer::AnswerReader;
use super::tally::{Frames, Received};
use crate::net::socket;
use crate::rtmp::session::ClientSession;

/// Connections from one address to one port: below the 28,000 ports that a kernel gives out.
const PER_ADDRESS_MAX: usize = 20_000;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Role {
    Publisher(Publishing),
    Subscriber(Playing),
}

/// A publisher's place in its stream.
#[derive(Debug)]
pub(super) struct Publishing {
    pub(super) number: u16,
    /// When its frame 0 is due; `None` until the server has accepted it.
    pub(super) start: Option<Instant>,
    pub(super) next_video: u32,
    pub(super) next_audio: u32,
    /// Sent in the measured time.
    pub(super) sent: Frames,
}

/// What a subscriber has received.
#[derive(Debug, Default)]
pub(super) struct Playing {
    /// When `play` was sent.
    pub(super) asked: Option<Instant>,
    /// When it was accepted.
    pub(super) accepted_ns: Option<u64>,
    /// The publisher whose stream it asked for.
    pub(super) publisher: u16,
    pub(super) has_frame: bool,
    /// It played before the measured time began, and is one that reads.
    pub(super) is_counted: bool,
    /// Video, audio.
    pub(super) tracks: [TrackPlaying; 2],
    /// Reads nothing once it plays.
    pub(super) is_slow: bool,
}

impl Playing {
    /// Whether all has come that will come of the measured time: each track is past it.
    pub(super) fn is_complete(&self, has_audio: bool) -> bool {
        let [video, audio] = &self.tracks;
        video.is_past && (audio.is_past || !has_audio)
    }
}

/// One kind of frames of a subscriber.
#[derive(Debug, Default)]
pub(super) struct TrackPlaying {
    pub(super) sequence: Received,
    /// Of the last frame.
    pub(super) timestamp: Option<u32>,
    /// Received of those that were sent in the measured time.
    pub(super) frames: u32,
    /// A frame from after the measured time has come.
    pub(super) is_past: bool,
}

/// What is spoken on a connection.
#[derive(Debug)]
pub(super) enum Link {
    Rtmp(Box<ClientSession>),
    /// What is asked for is in the output from the start.
    Http(Box<AnswerReader>),
}

impl Link {
    /// Why it failed, with what may be behind it.
    pub(super) fn explain(&self, why: &str) -> String {
        match self {
            Self::Rtmp(_) => why.to_owned(),
            Self::Http(reader) => reader.explain(why),
        }
    }

    /// Publishers have one.
    pub(super) fn session(&mut self) -> Option<&mut ClientSession> {
        match self {
            Self::Rtmp(session) => Some(session),
            Self::Http(_) => None,
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) socket: TcpStream,
    pub(super) link: Link,
    pub(super) opened: Instant,
    pub(super) role: Role,
    pub(super) output: Vec<u8>,
    /// `sent <= output.len()`
    pub(super) sent: usize,
}

impl Peer {
    /// Whether the server has accepted what it asked for.
    pub(super) fn is_answered(&self) -> bool {
        match &self.role {
            Role::Publisher(publishing) => publishing.start.is_some(),
            Role::Subscriber(playing) => playing.accepted_ns.is_some(),
        }
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.link.session().and_then(ClientSession::poll_output) {
            if self.output.is_empty() {
                self.output = bytes;
            } else {
                self.output.extend_from_slice(&bytes);
            }
        }
        while self.sent < self.output.len() {
            match self.socket.write(&self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if is_for_later(&error) => {
                    // Half of it at least, so that no byte is moved more often than it was written.
                    if self.sent > self.output.len() / 2 {
                        self.output.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.output.shrink_to(64 * 1024);
        self.sent = 0;
        Ok(())
    }
}

/// A connection on its way. Loopback has many addresses of its own, each with its own ports.
pub(super) fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    if let IpAddr::V4(ip) = address.ip()
        && ip.is_loopback()
    {
        let host = u8::try_from(1 + number / PER_ADDRESS_MAX).unwrap_or(u8::MAX);
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
        if host > 1 {
            socket.bind(&source.into())?;
        }
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        outcome => outcome?,
    }
    let stream = TcpStream::from_std(socket.into());
    socket::prepare(&stream, &socket::Liveness::default())?;
    Ok(stream)
}

/// `EINPROGRESS` of Linux, for which [`io::ErrorKind`] has no stable name.
const IN_PROGRESS: i32 = 115;

/// `EMFILE` of Linux, likewise.
const TOO_MANY_FILES: i32 = 24;

/// Not yet: the socket is full, empty, or still connecting.
pub(super) fn is_for_later(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, NotConnected, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | NotConnected)
}

/// A reason without numbers that differ from one connection to the next, so that it is counted.
pub(super) fn describe(error: &io::Error) -> String {
    if error.raw_os_error() == Some(TOO_MANY_FILES) {
        return "too many open files of this test (ulimit -n)".to_owned();
    }
    match error.kind() {
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => {
            "no local port is free for this test".to_owned()
        }
        kind => kind.to_string(),
    }
}
