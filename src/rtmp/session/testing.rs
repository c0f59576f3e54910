//! For tests: a peer that writes and reads whole messages, and messages as short text.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::{Duration, Instant};

use super::{ServerConfig, ServerEvent, ServerSession, SessionError};
use crate::amf::{Limits, Object, Value};
use crate::rtmp::chunk::{
    ChunkDecoder, ChunkEncoder, ChunkLimits, ChunkStreamId, Message, MessageStreamId,
};
use crate::rtmp::handshake::BLOCK_BYTES;
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::message::control::Control;
use crate::rtmp::message::user_control::UserControl;

/// Bytes of C0 + C1 + C2, and of S0 + S1 + S2.
pub(super) const HANDSHAKE_BYTES: usize = 1 + 2 * BLOCK_BYTES;

/// An AMF value that can stand in a constant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arg {
    Number(f64),
    Text(&'static str),
    Bool(bool),
    Null,
    Fields(&'static [(&'static str, Self)]),
    List(&'static [Self]),
}

impl Arg {
    pub(super) fn value(self) -> Value {
        match self {
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text.to_owned()),
            Self::Bool(flag) => Value::Boolean(flag),
            Self::Null => Value::Null,
            Self::Fields(fields) => Value::Object(Object {
                properties: fields
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), value.value()))
                    .collect(),
            }),
            Self::List(values) => {
                Value::StrictArray(values.iter().map(|arg| arg.value()).collect())
            }
        }
    }
}

/// The body of a command; `values` are the command object and what follows.
pub(super) fn command_body(name: &str, id: f64, values: &[Arg]) -> Vec<u8> {
    let mut values = values.iter().map(|arg| arg.value());
    let command = Command {
        name: name.to_owned(),
        transaction_id: id,
        object: values.next().unwrap_or(Value::Null),
        arguments: values.collect(),
    };
    command.encode()
}

/// The other end's chunk layer.
#[derive(Debug)]
pub(super) struct Wire {
    encoder: ChunkEncoder,
    decoder: ChunkDecoder,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self {
            encoder: ChunkEncoder::new(),
            decoder: ChunkDecoder::new(ChunkLimits::default()),
        }
    }

    pub(super) fn write(
        &mut self,
        csid: u32,
        msid: u32,
        message_type: MessageType,
        timestamp: u32,
        body: &[u8],
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let (csid, msid) = (ChunkStreamId(csid), MessageStreamId(msid));
        self.encoder
            .encode(&mut out, csid, msid, message_type, timestamp, body);
        if message_type == MessageType::SET_CHUNK_SIZE {
            let size = u32::from_be_bytes(body.try_into().unwrap());
            self.encoder.set_chunk_size(size);
        }
        out
    }

    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        while !bytes.is_empty() {
            let (consumed, message) = self.decoder.decode(bytes).unwrap();
            bytes = &bytes[consumed..];
            let Some(message) = message else { break };
            if message.message_type == MessageType::SET_CHUNK_SIZE {
                let size = message.payload.as_slice().try_into().unwrap();
                self.decoder.set_chunk_size(u32::from_be_bytes(size));
            }
            messages.push(message);
        }
        messages
    }

    pub(super) fn read_text(&mut self, bytes: &[u8]) -> Vec<String> {
        self.read(bytes).iter().map(describe).collect()
    }
}

/// A message in a line: `onStatus(0) m1 [status] NetStream.Play.Start`.
pub(super) fn describe(message: &Message) -> String {
    let body = message.payload.as_slice();
    let (msid, timestamp) = (message.msid.0, message.timestamp);
    match message.message_type {
        MessageType::USER_CONTROL => format!("{:?}", UserControl::decode(body).unwrap()),
        MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => {
            let amf3 = message.message_type == MessageType::COMMAND_AMF3;
            let command = Command::decode(body, amf3, &Limits::default()).unwrap();
            let mut text = format!("{}({}) m{msid}", command.name, command.transaction_id);
            for value in [&command.object].into_iter().chain(&command.arguments) {
                if *value != Value::Null {
                    text.push(' ');
                    text.push_str(&describe_value(value));
                }
            }
            text
        }
        MessageType::DATA_AMF0 => {
            let name = &body[3..3 + usize::from(body[2])];
            format!("data m{msid} {}", String::from_utf8_lossy(name))
        }
        MessageType::AUDIO => format!("audio m{msid} t{timestamp} {body:02X?}"),
        MessageType::VIDEO => format!("video m{msid} t{timestamp} {body:02X?}"),
        message_type => match Control::decode(message_type, body).unwrap() {
            Some(control) => format!("{control:?}"),
            None => format!("type {} m{msid}", message_type.0),
        },
    }
}

fn describe_value(value: &Value) -> String {
    if let Some(fields) = value.as_object() {
        let text = |key| {
            fields
                .get_ignore_case(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        return if fields.get_ignore_case("code").is_some() {
            format!("[{}] {}", text("level"), text("code"))
        } else {
            let keys = fields.properties.iter().map(|(key, _)| key.as_str());
            format!("{{{}}}", keys.collect::<Vec<_>>().join(","))
        };
    }
    match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Boolean(flag) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

/// An event in a line.
pub(super) fn describe_event(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Connect(request) => format!("Connect {:?}", request.app),
        ServerEvent::Publish { msid, name } => format!("Publish m{} {name:?}", msid.0),
        ServerEvent::Play { msid, name } => format!("Play m{} {name:?}", msid.0),
        ServerEvent::Media {
            kind,
            timestamp,
            payload,
        } => format!("{kind:?} t{timestamp} {:02X?}", payload.as_slice()),
        ServerEvent::Metadata(payload) => format!("Metadata {}", payload.len()),
        ServerEvent::Data { timestamp, payload } => format!("Data t{timestamp} {}", payload.len()),
        ServerEvent::Unpublished(msid) => format!("Unpublished m{}", msid.0),
        ServerEvent::PlayStopped(msid) => format!("PlayStopped m{}", msid.0),
        ServerEvent::Paused(msid, paused) => format!("Paused m{} {paused}", msid.0),
        ServerEvent::Receive(msid, kind, wanted) => {
            format!("Receive m{} {kind:?} {wanted}", msid.0)
        }
        other => format!("{other:?}"),
    }
}

/// A server session with a scripted client on the other end and a clock of its own.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) session: ServerSession,
    pub(super) wire: Wire,
    pub(super) now: Instant,
    /// Requests are accepted as soon as they surface.
    pub(super) accepting: bool,
    events: Vec<String>,
}

impl Subject {
    /// Before the handshake.
    pub(super) fn new(config: ServerConfig) -> Self {
        let now = Instant::now();
        Self {
            session: ServerSession::new(config, 1, now),
            wire: Wire::new(),
            now,
            accepting: true,
            events: Vec::new(),
        }
    }

    /// After a simple handshake.
    pub(super) fn handshaken() -> Self {
        let mut subject = Self::new(ServerConfig::default());
        subject.feed(&handshake_bytes()).unwrap();
        let output = subject.session.poll_output().unwrap();
        assert_eq!(output.len(), HANDSHAKE_BYTES);
        assert_eq!(subject.events(), ["Handshaken(Simple)"]);
        subject
    }

    /// After an accepted `connect` and a `createStream`.
    pub(super) fn connected() -> Self {
        let mut subject = Self::handshaken();
        subject.call(
            3,
            0,
            "connect",
            1.0,
            &[Arg::Fields(&[("app", Arg::Text("live"))])],
        );
        subject.call(3, 0, "createStream", 2.0, &[]);
        subject.events();
        subject
    }

    /// After an accepted `publish` on message stream 1.
    pub(super) fn publishing() -> Self {
        let mut subject = Self::connected();
        let cam = [Arg::Null, Arg::Text("cam"), Arg::Text("live")];
        subject.call(4, 1, "publish", 3.0, &cam);
        subject.events();
        subject
    }

    /// After an accepted `play` on message stream 1.
    pub(super) fn playing() -> Self {
        let mut subject = Self::connected();
        subject.call(8, 1, "play", 3.0, &[Arg::Null, Arg::Text("cam")]);
        subject.events();
        subject
    }

    /// Bytes from the client.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let outcome = self.session.handle_input(self.now, bytes);
        while let Some(event) = self.session.poll_event() {
            self.events.push(describe_event(&event));
            if self.accepting {
                self.accept(&event);
            }
        }
        outcome
    }

    fn accept(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::Connect(_) => self.session.accept_connect(),
            ServerEvent::Publish { msid, .. } => self.session.accept_publish(self.now, *msid),
            ServerEvent::Play { msid, .. } => self.session.accept_play(self.now, *msid),
            _ => {}
        }
    }

    /// A command from the client, and what it is told.
    pub(super) fn call(
        &mut self,
        csid: u32,
        msid: u32,
        name: &str,
        id: f64,
        values: &[Arg],
    ) -> Vec<String> {
        let body = command_body(name, id, values);
        self.message(csid, msid, MessageType::COMMAND_AMF0, &body)
    }

    /// A message from the client, and what it is told.
    pub(super) fn message(
        &mut self,
        csid: u32,
        msid: u32,
        message_type: MessageType,
        body: &[u8],
    ) -> Vec<String> {
        let bytes = self.wire.write(csid, msid, message_type, 0, body);
        self.feed(&bytes).unwrap();
        self.replies()
    }

    /// What the client was told since the last call.
    pub(super) fn replies(&mut self) -> Vec<String> {
        let output = self.session.poll_output().unwrap_or_default();
        self.wire.read_text(&output)
    }

    /// What the server learned since the last call.
    pub(super) fn events(&mut self) -> Vec<String> {
        while let Some(event) = self.session.poll_event() {
            self.events.push(describe_event(&event));
        }
        std::mem::take(&mut self.events)
    }

    /// Lets time pass.
    pub(super) fn wait(&mut self, time: Duration) -> Result<(), SessionError> {
        self.now += time;
        self.session.handle_timeout(self.now)
    }
}

/// C0, C1 and C2 of a simple handshake.
pub(super) fn handshake_bytes() -> Vec<u8> {
    let mut bytes = vec![0; HANDSHAKE_BYTES];
    bytes[0] = 3;
    bytes
}
