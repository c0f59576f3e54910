//! The connection of a simulated camera: the handshake, its own chunks out, the server's replies in.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::oddities::Csids;
use super::wire::{Habits, Outgoing, Wire};
use crate::amf::Limits;
use crate::client::connection::{Target, connect};
use crate::client::{ClientError, Reactor};
use crate::net::socket;
use crate::rtmp::chunk::{ChunkDecoder, ChunkLimits};
use crate::rtmp::handshake::{BLOCK_BYTES, ClientHandshake};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::message::control::Control;
use crate::rtmp::message::user_control::UserControl;
use crate::rtmp::session::SessionError;

/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Sizes of the pieces of a scattered handshake, bytes; the rest follows in one.
const SCATTER: [usize; 5] = [1, 3, 500, 1, 700];

/// Between two of them.
const SCATTER_PAUSE: Duration = Duration::from_millis(30);

/// A command of the server, and the message stream that it came on.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) msid: u32,
    pub(super) command: Command,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link<'a> {
    reactor: &'a mut Reactor,
    socket: TcpStream,
    address: SocketAddr,
    pub(super) wire: Wire,
    csids: Csids,
    decoder: ChunkDecoder,
    /// What the server announced last.
    servers_chunk_size: Option<u32>,
    /// Commands that came and were not looked at yet.
    replies: VecDeque<Reply>,
    answers_pings: bool,
    pings: u64,
    acknowledgements: u64,
    can_read: bool,
    can_write: bool,
    /// `sent <= output.len()`
    output: Vec<u8>,
    sent: usize,
    read_buffer: Vec<u8>,
}

impl<'a> Link<'a> {
    /// Step 1.
    pub(super) fn open(
        reactor: &'a mut Reactor,
        target: &Target,
        habits: Habits,
        csids: Csids,
    ) -> Result<Self, ClientError> {
        let (socket, address) = connect(reactor, target)?;
        Ok(Self {
            reactor,
            socket,
            address,
            wire: Wire::new(habits),
            csids,
            decoder: ChunkDecoder::new(ChunkLimits::default()),
            servers_chunk_size: None,
            replies: VecDeque::new(),
            answers_pings: true,
            pings: 0,
            acknowledgements: 0,
            can_read: true,
            can_write: true,
            output: Vec::new(),
            sent: 0,
            read_buffer: vec![0; READ_BUFFER_BYTES],
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads as if the server had announced this already.
    pub(super) fn assume_chunk_size(&mut self, size: u32) {
        self.decoder.set_chunk_size(size);
    }

    pub(super) fn servers_chunk_size(&self) -> Option<u32> {
        self.servers_chunk_size
    }

    /// Acknowledgements of the server so far.
    pub(super) fn acknowledgements(&self) -> u64 {
        self.acknowledgements
    }

    /// Pings of the server so far.
    pub(super) fn pings(&self) -> u64 {
        self.pings
    }

    /// From now on pings stay unanswered.
    pub(super) fn fall_silent(&mut self) {
        self.answers_pings = false;
    }

    /// Step 2. C2 leaves with what is put behind it when the handshake is `scattered`.
    pub(super) fn shake_hands(&mut self, scattered: bool) -> Result<(), ClientError> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        let mut hello = Vec::new();
        let mut handshake = ClientHandshake::start(None, fastrand::u64(..), &mut hello);
        let mut hello = hello.as_slice();
        for size in SCATTER.iter().filter(|_| scattered) {
            let (piece, rest) = hello.split_at((*size).min(hello.len()));
            self.output.extend_from_slice(piece);
            hello = rest;
            let pause = Instant::now() + SCATTER_PAUSE;
            while Instant::now() < pause {
                self.flush()?;
                self.nap(Some(pause))?;
            }
        }
        self.output.extend_from_slice(hello);
        let mut answer = Vec::new();
        loop {
            self.flush()?;
            let input = self.receive(deadline)?;
            let progress = handshake
                .handle_input(&input, &mut answer)
                .map_err(|cause| ClientError::NotRtmp {
                    address: self.address,
                    cause,
                })?;
            if answer.len() == BLOCK_BYTES {
                let mut c2 = std::mem::take(&mut answer);
                if scattered {
                    c2.fill(0xA5);
                }
                self.output.extend_from_slice(&c2);
                if !scattered {
                    self.flush()?;
                }
            }
            if progress.done.is_some() {
                let rest = input.get(progress.consumed..).unwrap_or_default();
                return self.decode(rest);
            }
        }
    }

    /// The next bytes of the handshake.
    fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, ClientError> {
        loop {
            match self.socket.read(&mut self.read_buffer) {
                Ok(0) => return Err(ClientError::NoHandshake(self.address)),
                Ok(count) => {
                    let input = self.read_buffer.get(..count).unwrap_or_default();
                    return Ok(input.to_vec());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_read = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(ClientError::NoHandshake(self.address)),
            }
            if Instant::now() >= deadline {
                return Err(ClientError::NoHandshake(self.address));
            }
            self.nap(Some(deadline))?;
            if self.is_stopped() {
                return Err(ClientError::Stopped);
            }
        }
    }

    /// Appends a message to what is sent next.
    pub(super) fn send(&mut self, message: &Outgoing<'_>) {
        self.wire.put(message, &mut self.output);
    }

    /// Appends what [`Wire`] writes.
    pub(super) fn write(&mut self, put: impl FnOnce(&mut Wire, &mut Vec<u8>)) {
        put(&mut self.wire, &mut self.output);
    }

    /// A protocol control message on its own chunk stream.
    pub(super) fn send_control(&mut self, control: Control) {
        let (message_type, body) = control.encode();
        let csid = match control {
            Control::SetChunkSize(_) => self.csids.chunk_size,
            _ => self.csids.window,
        };
        self.send(&Outgoing {
            csid,
            msid: 0,
            message_type,
            timestamp: 0,
            body: &body,
        });
        if let Control::SetChunkSize(size) = control {
            self.wire.set_chunk_size(size);
        }
    }

    /// A ping reply.
    pub(super) fn send_pong(&mut self, value: u32) {
        self.send(&Outgoing {
            csid: self.csids.user_control,
            msid: 0,
            message_type: MessageType::USER_CONTROL,
            timestamp: 0,
            body: &UserControl::PingResponse(value).encode(),
        });
    }

    /// The next command of the server that is here.
    pub(super) fn poll_reply(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// Waits for a command that `wanted` accepts; others are shown to it and left out.
    pub(super) fn wait_reply<T>(
        &mut self,
        what: &'static str,
        mut wanted: impl FnMut(&Reply) -> Result<Option<T>, ClientError>,
    ) -> Result<T, ClientError> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        loop {
            let outcome = self.turn(Some(deadline));
            while let Some(reply) = self.poll_reply() {
                if let Some(answer) = wanted(&reply)? {
                    return Ok(answer);
                }
            }
            outcome.map_err(|error| match error {
                ClientError::Closed | ClientError::Lost(_) => ClientError::ClosedUnanswered(what),
                other => other,
            })?;
            if self.is_stopped() {
                return Err(ClientError::Stopped);
            }
            if Instant::now() >= deadline {
                return Err(ClientError::Unanswered(what));
            }
        }
    }

    /// Sends what waits, reads what is there, and sleeps up to `until` if there was nothing.
    pub(super) fn turn(&mut self, until: Option<Instant>) -> Result<(), ClientError> {
        self.flush()?;
        if !self.can_read {
            self.nap(until)?;
        }
        while self.can_read {
            match self.socket.read(&mut self.read_buffer) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(count) => {
                    let input = self.read_buffer.get(..count).unwrap_or_default().to_vec();
                    self.decode(&input)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_read = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ClientError::Lost(error)),
            }
        }
        self.flush()
    }

    /// Bytes that the kernel has not taken yet.
    pub(super) fn backlog(&self) -> usize {
        self.output.len() - self.sent
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.reactor.stopper().is_stopped()
    }

    /// Waits until the server closes; how long that took, or `None` when it did not by then.
    pub(super) fn wait_close(&mut self, until: Option<Instant>) -> Option<Duration> {
        let start = Instant::now();
        loop {
            let outcome = self.turn(until);
            self.replies.clear();
            match outcome {
                Ok(()) if self.is_stopped() => return None,
                Ok(()) if until.is_some_and(|until| until <= Instant::now()) => return None,
                Ok(()) => {}
                Err(ClientError::Session(_) | ClientError::System(_)) => return None,
                Err(_) => return Some(start.elapsed()),
            }
        }
    }

    /// Our side is closed.
    pub(super) fn shut(&self) -> bool {
        self.socket.shutdown(Shutdown::Write).is_ok()
    }

    /// The end of this link is a reset instead of a close.
    pub(super) fn reset(&self) -> Result<(), ClientError> {
        socket::reset_on_close(&self.socket).map_err(ClientError::System)
    }

    fn nap(&mut self, until: Option<Instant>) -> Result<(), ClientError> {
        let readiness = self.reactor.sleep(until).map_err(ClientError::System)?;
        self.can_read |= readiness.is_readable;
        self.can_write |= readiness.is_writable;
        Ok(())
    }

    /// Gives the socket what waits, as far as it takes it.
    pub(super) fn flush(&mut self) -> Result<(), ClientError> {
        while self.can_write && self.backlog() > 0 {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            match self.socket.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_write = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What the server said before it closed is read first.
                Err(_) if self.can_read => {
                    self.output.clear();
                    self.sent = 0;
                }
                Err(error) => return Err(ClientError::Lost(error)),
            }
        }
        if self.backlog() == 0 {
            self.output.clear();
            self.sent = 0;
        }
        Ok(())
    }

    fn decode(&mut self, mut input: &[u8]) -> Result<(), ClientError> {
        loop {
            let failed = |error| ClientError::Session(SessionError::Chunk(error));
            let (consumed, message) = self.decoder.decode(input).map_err(failed)?;
            input = input.get(consumed..).unwrap_or_default();
            let Some(message) = message else {
                return Ok(());
            };
            let body = message.payload.as_slice();
            match message.message_type {
                MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => {
                    let is_amf3 = message.message_type == MessageType::COMMAND_AMF3;
                    let command = Command::decode(body, is_amf3, &Limits::default())
                        .map_err(|error| ClientError::Session(SessionError::Command(error)))?;
                    log::debug!("{}: {command:?}", self.address);
                    self.replies.push_back(Reply {
                        msid: message.msid.0,
                        command,
                    });
                }
                MessageType::USER_CONTROL => self.on_user_control(body),
                other => self.on_control(other, body),
            }
        }
    }

    fn on_user_control(&mut self, body: &[u8]) {
        if let Ok(UserControl::PingRequest(value)) = UserControl::decode(body) {
            self.pings += 1;
            if self.answers_pings {
                self.send_pong(value);
            }
        }
    }

    fn on_control(&mut self, message_type: MessageType, body: &[u8]) {
        match Control::decode(message_type, body) {
            Ok(Some(Control::SetChunkSize(size))) => {
                self.decoder.set_chunk_size(size);
                self.servers_chunk_size = Some(size);
            }
            Ok(Some(Control::Acknowledgement(_))) => self.acknowledgements += 1,
            _ => {}
        }
    }
}
