//! The server's end of a connection.
//!
//! ```text
//!              handshake done        connect             accept_connect
//! Handshaking ───────────────► Idle ─────────► Connecting ─────────────► Connected
//!                                                   │ reject_connect
//!                                                   └──────────────────► Refused
//! within Connected, independently:   publish: none ─► asked ─► accepted ─► none ...
//!                                    play:    none ─► asked ─► accepted ─► none ...
//! ```
//! Here: states, the five verbs and the caller's answers. `commands` reads requests and replies
//! to them, `held` keeps what came before its time, `stream_ids` numbers message streams.
//! The commands and replies follow RTMP 1.0 §7.2 and what clients in the field need beyond it.

mod commands;
mod held;
mod stream_ids;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use held::Held;
use stream_ids::StreamIds;

use super::aggregate::Parts;
use super::link::Link;
use super::timers::Timers;
use super::{Note, Refusal, ServerConfig, ServerEvent, SessionError, TimerKind};
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{ChunkPlace, Message, MessageStreamId, NoPlace, Payload};
use crate::rtmp::handshake::{HandshakeKind, ServerHandshake};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::message::data::{self, Data};
use crate::rtmp::message::user_control::UserControl;

/// Room for events that is kept between calls while media flows; more is given back.
const EVENTS_KEPT: usize = 64;

/// The server's end of a connection.
///
/// A client may have one `publish` and one `play` at a time, on message streams of its own
/// choice; an end of either makes room for the next. Requests beyond that are answered with an
/// error status here and never reach the caller, so at most one `connect`, one `publish` and one
/// `play` wait for an answer. Answers to requests that are gone do nothing.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<ServerConfig>,
    link: Link,
    state: State,
    stream_ids: StreamIds,
    publish: Option<Box<Publish>>,
    play: Option<Play>,
    held: Option<Box<Held>>,
    timers: Timers,
    events: VecDeque<ServerEvent>,
    /// One bit for each [`Note`] that was reported.
    noted: u32,
    /// How often rules were broken since the caller asked last; each [`Note`] once at most.
    note_counts: Vec<(Note, u64)>,
    /// A ping was sent and nothing came since.
    pinged: bool,
    /// FCPublish was seen: the client wants onFCPublish.
    fc_publish: bool,
    /// The client knows Enhanced RTMP, and obeys a request to connect anew.
    enhanced: bool,
    can_reconnect: bool,
    /// The caller's clock at its last call.
    now: Instant,
}

#[derive(Debug)]
enum State {
    /// Boxed: 3 KiB that are given back when it is done.
    Handshaking(Box<ServerHandshake>),
    /// Waits for `connect`.
    Idle,
    /// `connect` waits for the caller; commands and media are held until then.
    Connecting { transaction_id: f64 },
    /// `connect` was accepted.
    Connected,
    /// `connect` was refused; what comes is not even read.
    Refused,
}

/// A `publish` that is asked for or accepted.
#[derive(Debug)]
struct Publish {
    msid: MessageStreamId,
    name: String,
    accepted: bool,
}

/// A `play` that is asked for or accepted.
#[derive(Debug)]
struct Play {
    msid: MessageStreamId,
    accepted: bool,
    /// Play.Reset is wanted.
    reset: bool,
    /// receiveAudio, receiveVideo: told to the caller once accepted.
    audio: bool,
    video: bool,
}

impl ServerSession {
    /// A session that waits for C0. `seed` feeds the handshake's filler. A configuration in an
    /// [`Arc`] is shared, a plain one is copied for this session.
    pub fn new(config: impl Into<Arc<ServerConfig>>, seed: u64, now: Instant) -> Self {
        let config = config.into();
        let mut timers = Timers::default();
        timers.start(TimerKind::Handshake, now, config.limits.handshake_timeout);
        Self {
            link: Link::new(config.limits.chunk),
            state: State::Handshaking(Box::new(ServerHandshake::new(seed))),
            stream_ids: StreamIds::default(),
            publish: None,
            play: None,
            held: None,
            timers,
            events: VecDeque::new(),
            noted: 0,
            note_counts: Vec::new(),
            pinged: false,
            fc_publish: false,
            enhanced: false,
            can_reconnect: false,
            now,
            config,
        }
    }

    /// Takes bytes from the peer, all of them.
    ///
    /// # Errors
    /// [`SessionError`]: send the pending output and close.
    pub fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<(), SessionError> {
        self.now = now;
        let mut rest = input;
        if let State::Handshaking(handshake) = &mut self.state {
            let progress = handshake.handle_input(rest, self.link.output_mut())?;
            rest = rest.get(progress.consumed..).unwrap_or_default();
            let Some(kind) = progress.done else {
                return Ok(());
            };
            self.on_handshaken(kind);
        }
        self.pinged = false;
        let ping_after = self.config.limits.ping_after;
        self.timers.start(TimerKind::Ping, now, ping_after);
        while !matches!(self.state, State::Refused) {
            let decoded = self.link.decode(rest);
            for (note, count) in self.link.take_chunk_notes().into_iter().flatten() {
                self.note_times(note, count);
            }
            let (consumed, message) = decoded?;
            rest = rest.get(consumed..).unwrap_or_default();
            let Some(message) = message else { break };
            self.on_message(message)?;
        }
        Ok(())
    }

    /// To be called when [`Self::poll_timeout`] has passed (earlier is harmless).
    ///
    /// # Errors
    /// [`SessionError::Timeout`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        self.now = now;
        while let Some(kind) = self.timers.take_expired(now) {
            if kind != TimerKind::Ping || self.pinged {
                return Err(SessionError::Timeout(kind));
            }
            self.pinged = true;
            self.link.send_user_control(UserControl::PingRequest(0));
            let ping_timeout = self.config.limits.ping_timeout;
            self.timers.start(TimerKind::Ping, now, ping_timeout);
        }
        Ok(())
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.events.pop_front();
        if event.is_none() && (self.publish.is_none() || self.events.capacity() > EVENTS_KEPT) {
            self.events = VecDeque::new();
        }
        event
    }

    /// How often the peer broke rules since this was called last.
    pub fn take_note_counts(&mut self) -> impl Iterator<Item = (Note, u64)> {
        self.note_counts.drain(..)
    }

    /// All bytes that wait to be sent, in order. They are whole chunks on csids 2 and 3, so
    /// media on other csids may go before or after them.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.link.take_output()
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Where in the peer's bytes it stands: what another session needs to go on from here, see
    /// [`Self::skip_to`]. `None` during the handshake, and for peers with very many chunk streams.
    pub fn chunk_place(&self) -> Option<ChunkPlace> {
        match self.state {
            State::Handshaking(_) => None,
            _ => self.link.chunk_place(),
        }
    }

    /// The next input comes from `place` on, and what lies between is not known: for recordings,
    /// which do not keep everything. Whatever happened in between, this session's state is as
    /// before.
    ///
    /// # Errors
    /// [`NoPlace`]: nobody can stand there within the limits. Nothing has changed.
    pub fn skip_to(&mut self, place: &ChunkPlace) -> Result<(), NoPlace> {
        self.link.go_to(self.config.limits.chunk, place)
    }

    /// The settings that it was made with.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Answers `connect`: window, bandwidth and chunk size, then the result.
    pub fn accept_connect(&mut self) {
        let State::Connecting { transaction_id } = self.state else {
            return;
        };
        self.state = State::Connected;
        self.send_connect_result(transaction_id);
        self.await_request();
        self.release_held();
    }

    /// Answers `connect` with an error; the caller sends the output and closes.
    pub fn reject_connect(&mut self, refusal: &Refusal) {
        if let State::Connecting { transaction_id } = self.state {
            self.state = State::Refused;
            self.held = None;
            self.send_connect_error(transaction_id, refusal);
        }
    }

    /// Answers `publish` with NetStream.Publish.Start.
    pub fn accept_publish(&mut self, now: Instant, msid: MessageStreamId) {
        self.now = now;
        match &mut self.publish {
            Some(publish) if publish.msid == msid && !publish.accepted => publish.accepted = true,
            _ => return,
        }
        let first_media = self.config.limits.first_media_timeout;
        self.timers.start(TimerKind::FirstMedia, now, first_media);
        self.send_publish_start(msid);
        self.release_held();
    }

    /// Answers `publish` with an error status; the caller sends the output and closes.
    pub fn reject_publish(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        let accepted = self
            .publish
            .as_ref()
            .is_some_and(|publish| publish.accepted);
        if self.is_publishing(msid) && !accepted {
            self.forget_publish();
            self.send_refusal(msid, refusal);
        }
    }

    /// Answers `play`: StreamBegin, Play.Reset, Play.Start, sample access, Data.Start. Media may
    /// follow; the caller encodes it (csids 4, 5 and 6 are its own).
    pub fn accept_play(&mut self, now: Instant, msid: MessageStreamId) {
        self.now = now;
        let Some(play) = &mut self.play else { return };
        if play.msid != msid || play.accepted {
            return;
        }
        play.accepted = true;
        let (reset, audio, video) = (play.reset, play.audio, play.video);
        self.send_play_start(msid, reset);
        for (kind, wanted) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
            if !wanted {
                self.events
                    .push_back(ServerEvent::Receive(msid, kind, false));
            }
        }
    }

    /// Answers `play` with an error status; the caller sends the output and closes.
    pub fn reject_play(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        let accepted = self.play.as_ref().is_some_and(|play| play.accepted);
        if self.is_playing(msid) && !accepted {
            self.forget_play();
            self.send_refusal(msid, refusal);
        }
    }

    /// Tells a subscriber, accepted or still waiting, that its live stream ended: StreamEOF,
    /// UnpublishNotify, Play.Stop.
    pub fn end_play(&mut self, msid: MessageStreamId) {
        if self.is_playing(msid) {
            self.forget_play();
            self.send_play_end(msid);
        }
    }

    /// Ends a publisher, accepted or still waiting, from our side (takeover, shutdown) with an
    /// error or status code; codes that end in `Success` or `Notify` have the level `status`, all others are errors.
    pub fn end_publish(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        if self.is_publishing(msid) {
            self.forget_publish();
            self.send_refusal(msid, refusal);
        }
    }

    /// Asks the client to connect anew, to `tc_url` if it is to go elsewhere (absolute, or
    /// relative to the one that it came with). It goes on with what it does, and leaves when it
    /// has a new connection. False, and nothing is sent, if it did not declare that it can.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>, description: &str) -> bool {
        let can = self.can_reconnect && matches!(self.state, State::Connected);
        if can {
            self.send_reconnect_request(tc_url, description);
        }
        can
    }

    /// Whether `msid` publishes or asked to.
    fn is_publishing(&self, msid: MessageStreamId) -> bool {
        let publish = self.publish.as_ref();
        publish.is_some_and(|publish| publish.msid == msid)
    }

    /// Whether `msid` plays or asked to.
    fn is_playing(&self, msid: MessageStreamId) -> bool {
        self.play.as_ref().is_some_and(|play| play.msid == msid)
    }

    fn forget_publish(&mut self) {
        self.publish = None;
        self.held = None;
        self.timers.stop(TimerKind::FirstMedia);
        self.timers.stop(TimerKind::MediaIdle);
        self.await_request();
    }

    fn forget_play(&mut self) {
        self.play = None;
        self.await_request();
    }

    /// Starts the clock of a client that owes us a request.
    fn await_request(&mut self) {
        if self.publish.is_none() && self.play.is_none() {
            let request = self.config.limits.request_timeout;
            self.timers.start(TimerKind::Request, self.now, request);
        }
    }

    fn on_handshaken(&mut self, kind: HandshakeKind) {
        self.state = State::Idle;
        self.timers.stop(TimerKind::Handshake);
        self.await_request();
        self.events.push_back(ServerEvent::Handshaken(kind));
    }

    /// Everything that comes off the chunk layer.
    fn on_message(&mut self, message: Message) -> Result<(), SessionError> {
        match message.message_type {
            MessageType::SET_CHUNK_SIZE
            | MessageType::ABORT
            | MessageType::ACKNOWLEDGEMENT
            | MessageType::WINDOW_ACK_SIZE
            | MessageType::SET_PEER_BANDWIDTH => {
                for note in self.link.handle_control(&message)? {
                    self.note(note);
                }
            }
            MessageType::USER_CONTROL => {
                let note = self.link.handle_user_control(message.payload.as_slice());
                self.note(note);
            }
            MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => {
                let amf3 = message.message_type == MessageType::COMMAND_AMF3;
                let limits = &self.config.limits.amf;
                let command = Command::decode(message.payload.as_slice(), amf3, limits)
                    .map_err(SessionError::Command)?;
                match self.state {
                    State::Connecting { .. } => self.hold(message),
                    _ => self.on_command(message.msid, command),
                }
            }
            MessageType::AUDIO
            | MessageType::VIDEO
            | MessageType::DATA_AMF0
            | MessageType::DATA_AMF3
            | MessageType::AGGREGATE => self.on_stream_message(message),
            // Shared objects, and types without a name.
            _ => {}
        }
        Ok(())
    }

    /// What belongs to a publisher. The message stream does not matter: a connection has one
    /// publisher at most, and some encoders send on 0 or keep a number of their own.
    fn on_stream_message(&mut self, message: Message) {
        let connecting = matches!(self.state, State::Connecting { .. });
        match &self.publish {
            Some(publish) if publish.accepted => {
                let elsewhere = message.msid != publish.msid;
                self.note(elsewhere.then_some(Note::OtherMessageStream));
                self.on_published(message);
            }
            Some(_) => self.hold_media(message),
            None if connecting => self.hold_media(message),
            None => self.on_unpublished_message(&message),
        }
    }

    /// An accepted publisher's message.
    fn on_published(&mut self, message: Message) {
        let timestamp = message.timestamp;
        match message.message_type {
            MessageType::AUDIO => self.on_media(MediaKind::Audio, timestamp, message.payload),
            MessageType::VIDEO => self.on_media(MediaKind::Video, timestamp, message.payload),
            MessageType::AGGREGATE => self.on_aggregate(timestamp, message.payload.as_slice()),
            message_type => {
                let amf3 = message_type == MessageType::DATA_AMF3;
                self.on_data(timestamp, message.payload.as_slice(), amf3);
            }
        }
    }

    fn on_media(&mut self, kind: MediaKind, timestamp: u32, payload: Payload) {
        self.timers.stop(TimerKind::FirstMedia);
        let idle = self.config.limits.media_idle_timeout;
        self.timers.start(TimerKind::MediaIdle, self.now, idle);
        // An empty body is legal (audio: "silence") and carries nothing.
        if !payload.is_empty() {
            self.events.push_back(ServerEvent::Media {
                kind,
                timestamp,
                payload,
            });
        }
    }

    fn on_data(&mut self, timestamp: u32, body: &[u8], amf3: bool) {
        let limits = &self.config.limits.amf;
        let rewritten = amf3.then(|| data::to_amf0(body, limits)).flatten();
        let body = rewritten.as_deref().unwrap_or(body);
        let is_odd = data::has_values_in_front(body, limits);
        let event = match Data::decode(body, amf3 && rewritten.is_none(), limits) {
            Data::SetMetadata(metadata) => ServerEvent::Metadata(Payload::from(metadata)),
            Data::ClearMetadata => ServerEvent::ClearMetadata,
            Data::Other([]) => return,
            Data::Other(data) => ServerEvent::Data {
                timestamp,
                payload: Payload::from(data),
            },
        };
        self.events.push_back(event);
        self.note(is_odd.then_some(Note::ValuesInFront));
    }

    fn on_aggregate(&mut self, timestamp: u32, body: &[u8]) {
        for part in Parts::new(timestamp, body) {
            let Ok(part) = part else {
                self.note(Some(Note::Unreadable));
                return;
            };
            let kind = match part.message_type {
                MessageType::AUDIO => MediaKind::Audio,
                MessageType::VIDEO => MediaKind::Video,
                MessageType::DATA_AMF0 | MessageType::DATA_AMF3 => {
                    let amf3 = part.message_type == MessageType::DATA_AMF3;
                    self.on_data(part.timestamp, part.body, amf3);
                    continue;
                }
                _ => continue,
            };
            self.on_media(kind, part.timestamp, Payload::from(part.body));
        }
    }

    fn note(&mut self, note: Option<Note>) {
        if let Some(note) = note {
            self.note_times(note, 1);
        }
    }

    fn note_times(&mut self, note: Note, count: u64) {
        if count == 0 {
            return;
        }
        let bit = 1 << note as u32;
        if self.noted & bit == 0 {
            self.noted |= bit;
            self.events.push_back(ServerEvent::Note(note));
        }
        match self
            .note_counts
            .iter_mut()
            .find(|(known, _)| *known == note)
        {
            Some((_, known)) => *known = known.saturating_add(count),
            None => self.note_counts.push((note, count)),
        }
    }
}
