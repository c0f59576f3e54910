//! One TCP connection with a client session on it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::TcpStream;

use super::login::Login;
use super::manner::{Manner, Reached};
use super::reactor::CONNECTION;
use super::{ClientError, Detour, Reactor, Report, Step, Witness};
use crate::net::socket;
use crate::rtmp::handshake::BLOCK_BYTES;
use crate::rtmp::session::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, ClientState, SessionError, SessionLimits,
    TimerKind,
};
use crate::rtmp::url::RtmpUrl;
use crate::story::Ending;

/// How long one address may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the handshake may take, and each reply after it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long we wait for the server to confirm the end of our publish.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// After our side is shut: how long the server's last bytes are read. Closing over unread bytes
/// makes the kernel reset the connection, which can destroy what is on its way to the server.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

const READ_BUFFER_BYTES: usize = 64 * 1024;

/// FourCCs that a player of ours takes, besides everything that FLV has always had.
const FOUR_CC: &[&str] = &["*"];

/// S0, S1 and S2.
const HANDSHAKE_BYTES: usize = 1 + 2 * BLOCK_BYTES;

/// Push: bytes that may wait unsent in the kernel. What waits beyond that waits with us, where it
/// is seen as backlog and can be dropped; the last of it leaves within the time of a close.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// Where a live stream is, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: RtmpUrl,
    chunk_size: u32,
}

impl Target {
    /// `chunk_size`: the one that a publisher sends with, bytes.
    ///
    /// # Errors
    /// RTMPS, which is not supported yet, and URLs without a stream name.
    pub fn new(url: RtmpUrl, chunk_size: u32) -> Result<Self, ClientError> {
        if url.tls {
            return Err(ClientError::TlsUnsupported(url.to_string()));
        }
        if url.app.is_empty() && url.stream_name.is_empty() {
            return Err(ClientError::NoStream(url.to_string()));
        }
        Ok(Self { url, chunk_size })
    }

    /// What was typed.
    pub(super) fn url(&self) -> &RtmpUrl {
        &self.url
    }

    /// The same stream on the server that this one sends us to.
    pub(super) fn redirected(&self, tc_url: &str) -> Self {
        Self {
            url: self
                .url
                .with_tc_url(tc_url)
                .unwrap_or_else(|_| self.url.clone()),
            chunk_size: self.chunk_size,
        }
    }

    pub(super) fn stream_name(&self) -> &str {
        &self.url.stream_name
    }

    /// The first of the server's addresses that accepts a connection.
    pub(super) fn reachable_address(
        &self,
        reactor: &mut Reactor,
    ) -> Result<SocketAddr, ClientError> {
        connect(reactor, self).map(|(_, address)| address)
    }

    /// What a session is set up with.
    pub(super) fn config(&self, role: ClientRole) -> ClientConfig {
        ClientConfig {
            role,
            app: self.url.app.clone(),
            stream_name: self.url.stream_name.clone(),
            tc_url: self.url.tc_url(),
            digest: None,
            chunk_size: self.chunk_size,
            limits: SessionLimits {
                handshake_timeout: REPLY_TIMEOUT,
                request_timeout: REPLY_TIMEOUT,
                ..SessionLimits::default()
            },
        }
    }
}

/// The URL without its password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// A connection, from its first byte to its last.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    address: SocketAddr,
    session: ClientSession,
    reached: Reached,
    /// Bytes of the server's, as long as they are not more than its handshake.
    received: usize,
    /// When step 2 was done.
    handshaken: Instant,
    /// When `publish` or `play` was accepted.
    accepted: Instant,
    can_read: bool,
    can_write: bool,
    /// `sent <= output.len()`
    output: Vec<u8>,
    sent: usize,
    read_buffer: Vec<u8>,
    witness: Option<Witness>,
}

/// How far a connection is to come before it is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// `connect` is accepted.
    Application,
    /// `publish` or `play` is accepted.
    Stream,
}

impl Connection {
    /// Steps 1 and 2 and the request: returns when the server has accepted `publish` or `play`.
    /// Events behind that are left to be polled. A server that drops or refuses us may be tried
    /// in another `manner`, over a new connection, and one that asks who we are is told.
    ///
    /// # Errors
    /// If no manner helps, what happened first comes first.
    pub(super) fn open(
        reactor: &mut Reactor,
        target: &Target,
        role: ClientRole,
        manner: &mut Manner,
        report: &mut dyn Report,
    ) -> Result<Self, ClientError> {
        manner.begin(&target.url.address());
        let mut login = Login::new(&target.url);
        let mut failures = Failures::default();
        loop {
            let start = Instant::now();
            let (error, reached) =
                match Self::attempt(reactor, target, role, manner, &login, Goal::Stream, report) {
                    Ok(connection) => {
                        manner.prove();
                        return Ok(connection);
                    }
                    Err(failure) => failure,
                };
            if reached == Reached::Application {
                manner.prove();
                return Err(error);
            }
            if matches!(error, ClientError::Stopped) {
                return Err(error);
            }
            let in_manner = match login.has_begun() {
                // A challenge is answered once.
                true => None,
                false => manner.change(role, &error, reached),
            };
            let change = match in_manner {
                Some(change) => {
                    failures.add(error);
                    failures.how = change.how;
                    change
                }
                None => match login.step(error, fastrand::u32(..)) {
                    Ok(change) => change,
                    Err(error) => {
                        failures.add(error);
                        return Err(failures.into_error());
                    }
                },
            };
            let detour = match login.has_begun() {
                true => Detour::Login,
                false => Detour::Manner,
            };
            let step = Step {
                number: 2,
                text: format!("the server {}; trying again {}", change.why, change.how),
                took: start.elapsed(),
            };
            report.detour(detour, step);
        }
    }

    /// Whether a server takes a `connect` of this manner; the connection is closed then.
    ///
    /// # Errors
    /// What came instead.
    pub(super) fn try_connect(
        reactor: &mut Reactor,
        target: &Target,
        manner: &Manner,
        report: &mut dyn Report,
    ) -> Result<(), ClientError> {
        let login = Login::new(&target.url);
        let (role, goal) = (ClientRole::Play, Goal::Application);
        match Self::attempt(reactor, target, role, manner, &login, goal, report) {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }

    /// One TCP connection; when it fails, how far it came.
    fn attempt(
        reactor: &mut Reactor,
        target: &Target,
        role: ClientRole,
        manner: &Manner,
        login: &Login<'_>,
        goal: Goal,
        report: &mut dyn Report,
    ) -> Result<Self, (ClientError, Reached)> {
        let nothing = |error| (error, Reached::Nothing);
        let start = Instant::now();
        let (socket, address) = connect(reactor, target).map_err(nothing)?;
        if role == ClientRole::Publish {
            socket::limit_unsent(&socket, UNSENT_BYTES_MAX)
                .map_err(|error| nothing(ClientError::System(error)))?;
        }
        report.step(Step {
            number: 1,
            text: format!("TCP connection to {address}"),
            took: start.elapsed(),
        });
        let now = Instant::now();
        let config = ClientConfig {
            digest: manner.digest(),
            ..target.config(role)
        };
        let mut session = ClientSession::new(config, fastrand::u64(..), now);
        if role == ClientRole::Play {
            session.declare_four_cc(match manner.is_enhanced() {
                true => FOUR_CC,
                false => &[],
            });
        }
        if manner.is_enhanced() {
            session.declare_reconnect();
        }
        session.authenticate(login.query().to_owned());
        let mut connection = Self {
            socket,
            address,
            session,
            reached: Reached::Nothing,
            received: 0,
            handshaken: now,
            accepted: now,
            can_read: true,
            can_write: true,
            output: Vec::new(),
            sent: 0,
            read_buffer: vec![0; READ_BUFFER_BYTES],
            witness: report.witness(),
        };
        match connection.negotiate(reactor, goal, report) {
            Ok(()) => {
                connection.accepted = Instant::now();
                Ok(connection)
            }
            Err(error) => Err((error, connection.reached)),
        }
    }

    fn negotiate(
        &mut self,
        reactor: &mut Reactor,
        goal: Goal,
        report: &mut dyn Report,
    ) -> Result<(), ClientError> {
        let start = Instant::now();
        loop {
            let outcome = self.turn(reactor, None);
            while let Some(event) = self.session.poll_event() {
                match event {
                    ClientEvent::Handshaken(kind) => {
                        self.handshaken = Instant::now();
                        self.reached = self.reached.max(Reached::Handshake);
                        report.step(Step {
                            number: 2,
                            text: format!("handshake ({kind:?})").to_lowercase(),
                            took: start.elapsed(),
                        });
                    }
                    ClientEvent::Connected => {
                        self.reached = Reached::Application;
                        if goal == Goal::Application {
                            return Ok(());
                        }
                    }
                    ClientEvent::Started => return Ok(()),
                    ClientEvent::Rejected(rejection) => {
                        return Err(ClientError::Rejected(rejection));
                    }
                    ClientEvent::Ended(_) => return Err(self.closed()),
                    other => log::debug!("{}: {other:?}", self.address),
                }
            }
            outcome?;
            if reactor.stopper().is_stopped() {
                return Err(ClientError::Stopped);
            }
        }
    }

    /// Sends what waits, reads what is there, and sleeps up to `until` if there was nothing to
    /// do. Events that came before an error can still be polled after it.
    pub(super) fn turn(
        &mut self,
        reactor: &mut Reactor,
        until: Option<Instant>,
    ) -> Result<(), ClientError> {
        self.flush()?;
        if !self.can_read {
            let until = [until, self.session.poll_timeout()]
                .into_iter()
                .flatten()
                .min();
            let readiness = reactor.sleep(until).map_err(ClientError::System)?;
            // Somebody may have stopped us for long (a laptop that slept): what has come meanwhile
            // is read before the peer is found too slow.
            let is_late = until.is_some_and(|until| until <= Instant::now());
            self.can_read |= readiness.is_readable || is_late;
            self.can_write |= readiness.is_writable;
        }
        if self.can_read {
            self.read()?;
        }
        let now = Instant::now();
        if self.is_dry() && self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session
                .handle_timeout(now)
                .map_err(|error| self.session_error(error))?;
        }
        self.flush()
    }

    /// Whether everything that has come so far was read.
    pub(super) fn is_dry(&self) -> bool {
        !self.can_read
    }

    /// How long ago the server accepted the request.
    pub(super) fn lived(&self) -> Duration {
        self.accepted.elapsed()
    }

    /// When step 2 was done and the request was sent.
    pub(super) fn handshaken(&self) -> Instant {
        self.handshaken
    }

    /// The address that accepted the connection.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the server called itself.
    pub(super) fn server_software(&self) -> Option<&str> {
        self.session.server_software()
    }

    /// The next event of the session.
    pub(super) fn poll_event(&mut self) -> Option<ClientEvent> {
        self.session.poll_event()
    }

    /// To send media.
    pub(super) fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    /// Bytes that the kernel has not taken yet, after [`Self::flush`].
    pub(super) fn backlog(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Step 5: says goodbye, waits for the server's word, closes.
    pub(super) fn close(mut self, reactor: &mut Reactor, report: &mut dyn Report) {
        let start = Instant::now();
        self.session.close(start);
        let confirmation = self.confirmation(reactor, start + CONFIRM_TIMEOUT);
        if self.socket.shutdown(Shutdown::Write).is_ok() {
            self.drain(reactor, Instant::now() + DRAIN_TIMEOUT);
        }
        report.step(Step {
            number: 5,
            text: format!("closed, {confirmation}"),
            took: start.elapsed(),
        });
    }

    fn confirmation(&mut self, reactor: &mut Reactor, deadline: Instant) -> String {
        loop {
            let outcome = self.turn(reactor, Some(deadline));
            while let Some(event) = self.session.poll_event() {
                if let ClientEvent::CloseConfirmed(by) = event {
                    return format!("confirmed by the server with {by}");
                }
            }
            if let Err(error) = outcome {
                return format!("not confirmed: {error}");
            }
            if self.session.state() == ClientState::Closed && self.backlog() == 0 {
                return "goodbye sent".to_owned();
            }
            if Instant::now() >= deadline {
                return format!("not confirmed within {} s", CONFIRM_TIMEOUT.as_secs());
            }
        }
    }

    /// Reads and throws away until the server has closed its side too.
    fn drain(&mut self, reactor: &mut Reactor, deadline: Instant) {
        while Instant::now() < deadline {
            match self.socket.read(&mut self.read_buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if reactor.sleep(Some(deadline)).is_err() {
                        return;
                    }
                }
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Gives the socket what the session has to send, as far as it takes it.
    pub(super) fn flush(&mut self) -> Result<(), ClientError> {
        while let Some(bytes) = self.session.poll_output() {
            if self.backlog() == 0 {
                self.output = bytes;
                self.sent = 0;
            } else {
                self.output.extend_from_slice(&bytes);
            }
        }
        while self.can_write && self.backlog() > 0 {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            match self.socket.write(rest) {
                Ok(count) => {
                    if let Some(witness) = &self.witness {
                        witness.sent(rest.get(..count).unwrap_or(rest));
                    }
                    self.sent += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_write = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(error)),
            }
        }
        // Half of it at least, so that no byte is moved more often than it was written.
        if self.sent > READ_BUFFER_BYTES.max(self.output.len() / 2) {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), ClientError> {
        match self.socket.read(&mut self.read_buffer) {
            Ok(0) => {
                if let Some(witness) = &self.witness {
                    witness.ended(Ending::PeerClosed);
                }
                Err(self.closed())
            }
            Ok(count) => {
                if self.received <= HANDSHAKE_BYTES {
                    self.received += count;
                }
                if self.received > HANDSHAKE_BYTES {
                    self.reached = self.reached.max(Reached::Words);
                }
                let input = self.read_buffer.get(..count).unwrap_or_default();
                if let Some(witness) = &self.witness {
                    witness.received(input);
                }
                self.session
                    .handle_input(Instant::now(), input)
                    .map_err(|error| self.session_error(error))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.can_read = false;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// What we wait for at present.
    fn awaited(&self) -> &'static str {
        match self.session.state() {
            ClientState::Handshaking => "the handshake",
            ClientState::Connecting => "connect",
            ClientState::CreatingStream => "createStream",
            ClientState::Starting | ClientState::Started => "publish or play",
            ClientState::Closing | ClientState::Closed => "our goodbye",
        }
    }

    fn closed(&self) -> ClientError {
        match self.session.state() {
            ClientState::Handshaking => ClientError::ClosedInHandshake(self.address),
            ClientState::Connecting | ClientState::CreatingStream | ClientState::Starting => {
                ClientError::ClosedUnanswered(self.awaited())
            }
            ClientState::Started | ClientState::Closing | ClientState::Closed => {
                ClientError::Closed
            }
        }
    }

    fn lost(&self, error: io::Error) -> ClientError {
        if let Some(witness) = &self.witness {
            witness.ended(Ending::Lost(error.to_string()));
        }
        match self.session.state() {
            ClientState::Started | ClientState::Closing | ClientState::Closed => {
                ClientError::Lost(error)
            }
            _ => self.closed(),
        }
    }

    fn session_error(&self, error: SessionError) -> ClientError {
        match error {
            SessionError::Handshake(cause) => ClientError::NotRtmp {
                address: self.address,
                cause,
            },
            SessionError::Timeout(TimerKind::Handshake) => ClientError::NoHandshake(self.address),
            SessionError::Timeout(TimerKind::Reply) => ClientError::Unanswered(self.awaited()),
            SessionError::Timeout(TimerKind::Ping) => {
                ClientError::Lost(io::Error::from(io::ErrorKind::TimedOut))
            }
            SessionError::Timeout(TimerKind::FirstMedia) => {
                ClientError::NoMedia(SessionLimits::default().first_media_timeout.as_secs())
            }
            SessionError::Timeout(TimerKind::MediaIdle) => {
                ClientError::NoMedia(SessionLimits::default().media_idle_timeout.as_secs())
            }
            other => ClientError::Session(other),
        }
    }
}

/// What happened when a server was addressed in one manner after the other.
#[derive(Debug, Default)]
struct Failures {
    first: Option<ClientError>,
    /// What was different, and what came of it.
    others: Vec<(&'static str, ClientError)>,
    /// What is different in the present try.
    how: &'static str,
}

impl Failures {
    fn add(&mut self, error: ClientError) {
        if self.first.is_none() {
            self.first = Some(error);
        } else {
            self.others.push((self.how, error));
        }
    }

    fn into_error(self) -> ClientError {
        let first = self.first.expect("asked for after a failure");
        if self.others.is_empty() {
            return first;
        }
        ClientError::Tried {
            first: Box::new(first),
            others: self.others,
        }
    }
}

/// Step 1: tries the addresses of the host one after the other. The socket is registered.
pub(super) fn connect(
    reactor: &mut Reactor,
    target: &Target,
) -> Result<(TcpStream, SocketAddr), ClientError> {
    let mut last = no_such_host(target, io::Error::from(io::ErrorKind::NotFound));
    for address in resolve(target)? {
        match connect_to(reactor, address) {
            Ok(socket) => return Ok((socket, address)),
            Err(error @ (ClientError::Stopped | ClientError::System(_))) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The addresses of the host; at least one.
pub(super) fn resolve(target: &Target) -> Result<Vec<SocketAddr>, ClientError> {
    let addresses = (target.url.host.as_str(), target.url.port).to_socket_addrs();
    let addresses: Vec<_> = addresses
        .map_err(|cause| no_such_host(target, cause))?
        .collect();
    if addresses.is_empty() {
        let cause = io::Error::from(io::ErrorKind::NotFound);
        return Err(no_such_host(target, cause));
    }
    Ok(addresses)
}

fn no_such_host(target: &Target, cause: io::Error) -> ClientError {
    ClientError::NoSuchHost {
        host: target.url.host.clone(),
        cause,
    }
}

/// A connection to one address. The socket is registered.
pub(super) fn connect_to(
    reactor: &mut Reactor,
    address: SocketAddr,
) -> Result<TcpStream, ClientError> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::ConnectionRefused => ClientError::Refused(address),
        io::ErrorKind::TimedOut => ClientError::ConnectTimeout(address),
        _ => ClientError::Connect { address, cause },
    };
    let mut socket = TcpStream::connect(address).map_err(failed)?;
    reactor
        .registry()
        .register(
            &mut socket,
            CONNECTION,
            Interest::READABLE | Interest::WRITABLE,
        )
        .map_err(ClientError::System)?;
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        let readiness = reactor.sleep(Some(deadline)).map_err(ClientError::System)?;
        if reactor.stopper().is_stopped() {
            return Err(ClientError::Stopped);
        }
        if let Some(error) = socket.take_error().map_err(failed)? {
            return Err(failed(error));
        }
        if readiness.is_writable && socket.peer_addr().is_ok() {
            socket::prepare(&socket, &socket::Liveness::default()).map_err(failed)?;
            return Ok(socket);
        }
        if Instant::now() >= deadline {
            return Err(ClientError::ConnectTimeout(address));
        }
    }
}
