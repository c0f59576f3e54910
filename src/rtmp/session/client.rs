//! The client's end of a connection: publish or play.
//!
//! ```text
//! Handshaking ─► Connecting ─► CreatingStream ─► Starting ─► Started ─► Closing ─► Closed
//!                connect       [SetChunkSize,    publish                FCUnpublish,
//!                              releaseStream,    play                   deleteStream
//!                              FCPublish,        (or the first
//!                              ]createStream      media)
//! ```
//! Every state can go to Closed: by a refusal, by the end of what we play, by `close`.
//! Here: states, the verbs, media. `replies` reads what the server says. The sequence follows
//! RTMP 1.0 §7.2 and what servers in the field expect beyond it.

mod replies;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use super::aggregate::Parts;
use super::link::Link;
use super::timers::Timers;
use super::{ClientConfig, ClientEvent, ClientRole, SessionError, TimerKind};
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{ChunkStreamId, Message, MessageStreamId, Payload};
use crate::rtmp::handshake::ClientHandshake;
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::message::data::{self, Data};

/// `@setDataFrame` as an AMF0 string.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";

/// How far a client session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientState {
    /// Handshake under way.
    Handshaking,
    /// Waiting for the reply to `connect`.
    Connecting,
    /// Waiting for the reply to `createStream`.
    CreatingStream,
    /// Waiting for the reply to `publish` or `play`.
    Starting,
    /// Media flows.
    Started,
    /// We said goodbye and wait for the server's word.
    Closing,
    /// Nothing more will come.
    Closed,
}

/// The client's end of a connection.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    four_cc_list: &'static [&'static str],
    declares_reconnect: bool,
    /// Goes behind app and tcUrl.
    authentication: String,
    link: Link,
    handshake: Option<Box<ClientHandshake>>,
    state: ClientState,
    /// What `createStream` gave us; 0 before that.
    msid: MessageStreamId,
    timers: Timers,
    events: VecDeque<ClientEvent>,
    /// What the server called itself when it accepted `connect`.
    server_software: Option<String>,
    /// The caller's clock at its last call.
    now: Instant,
}

impl ClientSession {
    /// A session with C0 and C1 ready to be sent. `seed` feeds the handshake's filler.
    pub fn new(config: ClientConfig, seed: u64, now: Instant) -> Self {
        let mut link = Link::new(config.limits.chunk);
        let handshake = ClientHandshake::start(config.digest, seed, link.output_mut());
        let mut timers = Timers::default();
        timers.start(TimerKind::Handshake, now, config.limits.handshake_timeout);
        Self {
            four_cc_list: requests::four_cc_list(config.role),
            declares_reconnect: false,
            authentication: String::new(),
            link,
            handshake: Some(Box::new(handshake)),
            state: ClientState::Handshaking,
            msid: MessageStreamId::CONNECTION,
            timers,
            events: VecDeque::new(),
            server_software: None,
            now,
            config,
        }
    }

    /// Sets the FourCCs of Enhanced RTMP that `connect` declares, before the handshake is done.
    /// None is right for a publisher of H.264 and AAC, and for very old servers, some of which
    /// drop who sends fields that they do not know.
    pub fn declare_four_cc(&mut self, list: &'static [&'static str]) {
        self.four_cc_list = list;
    }

    /// Lets `connect` declare that [`ClientEvent::ReconnectRequested`] is obeyed, before the
    /// handshake is done. The same servers as above drop who says so.
    pub fn declare_reconnect(&mut self) {
        self.declares_reconnect = true;
    }

    /// Sets the query with which `connect` answers a server that wants to know who we are
    /// ([`crate::rtmp::authentication`]), before the handshake is done. Empty: none.
    pub fn authenticate(&mut self, query: String) {
        self.authentication = query;
    }

    /// Takes bytes from the peer, all of them.
    ///
    /// # Errors
    /// [`SessionError`]: close.
    pub fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<(), SessionError> {
        self.now = now;
        let mut rest = input;
        if let Some(handshake) = &mut self.handshake {
            let progress = handshake.handle_input(rest, self.link.output_mut())?;
            rest = rest.get(progress.consumed..).unwrap_or_default();
            let Some(kind) = progress.done else {
                return Ok(());
            };
            self.handshake = None;
            self.timers.stop(TimerKind::Handshake);
            self.events.push_back(ClientEvent::Handshaken(kind));
            if self.state == ClientState::Handshaking {
                self.request_connect();
            }
        }
        while self.state != ClientState::Closed {
            let (consumed, message) = self.link.decode(rest)?;
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
        match self.timers.take_expired(now) {
            Some(kind) => Err(SessionError::Timeout(kind)),
            None => Ok(()),
        }
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// All bytes that wait to be sent, in order.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.link.take_output()
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How far it has come.
    pub fn state(&self) -> ClientState {
        self.state
    }

    /// What the server called itself when it accepted `connect`: `fmsVer`, and behind it the name
    /// and version that some put elsewhere. Most call themselves Adobe's, for the sake of clients.
    pub fn server_software(&self) -> Option<&str> {
        self.server_software.as_deref()
    }

    /// Publish: sends an FLV tag body. Ignored unless [`ClientState::Started`], and when empty.
    pub fn send_media(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) {
        let (csid, message_type) = match kind {
            MediaKind::Audio => (ChunkStreamId::AUDIO, MessageType::AUDIO),
            MediaKind::Video => (ChunkStreamId::VIDEO, MessageType::VIDEO),
        };
        self.send(csid, message_type, timestamp, body);
    }

    /// Publish: sends `@setDataFrame` and `body` (AMF0 "onMetaData" and a value).
    pub fn send_metadata(&mut self, body: &[u8]) {
        let body = [SET_DATA_FRAME, body].concat();
        self.send(ChunkStreamId::DATA, MessageType::DATA_AMF0, 0, &body);
    }

    /// Publish: sends any other data message (AMF0 values).
    pub fn send_data(&mut self, timestamp: u32, body: &[u8]) {
        let csid = ChunkStreamId::DATA;
        self.send(csid, MessageType::DATA_AMF0, timestamp, body);
    }

    /// Step 5: FCUnpublish and deleteStream (publish) or deleteStream (play). A publisher then
    /// waits for [`ClientEvent::CloseConfirmed`], at most a second of the caller's. Who has no
    /// message stream yet, and who plays, is [`ClientState::Closed`] at once.
    pub fn close(&mut self, now: Instant) {
        self.now = now;
        let has_stream = matches!(self.state, ClientState::Starting | ClientState::Started);
        if has_stream {
            self.request_close();
        }
        self.timers = Timers::default();
        self.state = match self.config.role {
            ClientRole::Publish if has_stream => ClientState::Closing,
            _ if self.state == ClientState::Closing => ClientState::Closing,
            _ => ClientState::Closed,
        };
    }

    fn send(
        &mut self,
        csid: ChunkStreamId,
        message_type: MessageType,
        timestamp: u32,
        body: &[u8],
    ) {
        let publishing =
            self.config.role == ClientRole::Publish && self.state == ClientState::Started;
        if publishing && !body.is_empty() {
            self.link
                .send(csid, self.msid, message_type, timestamp, body);
        }
    }

    /// Everything that comes off the chunk layer, on whichever csid and msid.
    fn on_message(&mut self, message: Message) -> Result<(), SessionError> {
        let timestamp = message.timestamp;
        let body = message.payload.as_slice();
        match message.message_type {
            MessageType::SET_CHUNK_SIZE
            | MessageType::ABORT
            | MessageType::ACKNOWLEDGEMENT
            | MessageType::WINDOW_ACK_SIZE
            | MessageType::SET_PEER_BANDWIDTH => {
                // Servers break small rules too; nobody needs to know.
                self.link.handle_control(&message)?;
            }
            MessageType::USER_CONTROL => {
                // StreamEOF among the rest: a pause or a restart, not the end.
                self.link.handle_user_control(body);
            }
            MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => {
                let amf3 = message.message_type == MessageType::COMMAND_AMF3;
                let command = Command::decode(body, amf3, &self.config.limits.amf)
                    .map_err(SessionError::Command)?;
                self.on_command(&command);
            }
            MessageType::AUDIO => self.on_media(MediaKind::Audio, timestamp, message.payload),
            MessageType::VIDEO => self.on_media(MediaKind::Video, timestamp, message.payload),
            MessageType::DATA_AMF0 => self.on_data(timestamp, body, false),
            MessageType::DATA_AMF3 => self.on_data(timestamp, body, true),
            MessageType::AGGREGATE => self.on_aggregate(timestamp, body),
            _ => {}
        }
        Ok(())
    }

    fn on_media(&mut self, kind: MediaKind, timestamp: u32, payload: Payload) {
        if self.config.role != ClientRole::Play {
            return;
        }
        match self.state {
            // Some servers just send.
            ClientState::Starting => self.on_started(),
            ClientState::Started => {}
            _ => return,
        }
        self.timers.stop(TimerKind::FirstMedia);
        let idle = self.config.limits.media_idle_timeout;
        self.timers.start(TimerKind::MediaIdle, self.now, idle);
        if !payload.is_empty() {
            self.events.push_back(ClientEvent::Media {
                kind,
                timestamp,
                payload,
            });
        }
    }

    fn on_data(&mut self, timestamp: u32, body: &[u8], amf3: bool) {
        let playing = matches!(self.state, ClientState::Starting | ClientState::Started);
        if self.config.role != ClientRole::Play || !playing {
            return;
        }
        let limits = &self.config.limits.amf;
        let rewritten = amf3.then(|| data::to_amf0(body, limits)).flatten();
        let body = rewritten.as_deref().unwrap_or(body);
        match Data::decode(body, amf3 && rewritten.is_none(), limits) {
            Data::SetMetadata(metadata) => {
                if self.state == ClientState::Starting {
                    self.on_started();
                }
                let metadata = Payload::from(metadata);
                self.events.push_back(ClientEvent::Metadata(metadata));
            }
            Data::ClearMetadata | Data::Other([]) => {}
            Data::Other(data) => self.on_other_data(timestamp, data),
        }
    }

    fn on_aggregate(&mut self, timestamp: u32, body: &[u8]) {
        // What cannot be read ends the aggregate.
        for part in Parts::new(timestamp, body).map_while(Result::ok) {
            match part.message_type {
                MessageType::AUDIO => {
                    let payload = Payload::from(part.body);
                    self.on_media(MediaKind::Audio, part.timestamp, payload);
                }
                MessageType::VIDEO => {
                    let payload = Payload::from(part.body);
                    self.on_media(MediaKind::Video, part.timestamp, payload);
                }
                MessageType::DATA_AMF0 => self.on_data(part.timestamp, part.body, false),
                MessageType::DATA_AMF3 => self.on_data(part.timestamp, part.body, true),
                _ => {}
            }
        }
    }
}
