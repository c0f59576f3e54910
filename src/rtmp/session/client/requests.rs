//! What the client asks for, in the words that servers expect.
//!
//! | id | publish | play |
//! |---|---|---|
//! | 1 | connect | connect |
//! | 2 | releaseStream | createStream |
//! | 3 | FCPublish | play |
//! | 4 | createStream | deleteStream |
//! | 5 | publish | |
//! | 6 | FCUnpublish | |
//! | 7 | deleteStream | |
//!
//! FMS 3.0 needs releaseStream and FCPublish; other servers never answer them, so nothing waits.

use super::{ClientSession, ClientState};
use crate::amf::{Object, Value};
use crate::rtmp::chunk::{ChunkStreamId, MessageStreamId};
use crate::rtmp::message::command::Command;
use crate::rtmp::message::user_control::UserControl;
use crate::rtmp::session::{ClientRole, TimerKind};

/// `flashVer` of a publisher: servers tell publishers from players by "FMLE/".
const PUBLISHER_VERSION: &str = "FMLE/3.0 (compatible; millstream)";

/// `flashVer` of a player: the Linux Flash Player that most tools claim to be.
const PLAYER_VERSION: &str = "LNX 9,0,124,2";

/// Acknowledgement window that a player asks for.
const WINDOW: u32 = 2_500_000;

/// Buffer length that a player reports, milliseconds.
const BUFFER_MS: u32 = 3000;

/// `start` of `play`, "live only": -2 s, in milliseconds as ffmpeg sends it.
const PLAY_LIVE: f64 = -2000.0;

/// Chunk sizes that we send with; below 128 would only cost, above 24 bits has no meaning.
const CHUNK_SIZES: std::ops::RangeInclusive<u32> = 128..=0xFF_FFFF;

/// Codecs that a player takes in their Enhanced RTMP form. H.264, AAC and MP3 are left out: they
/// are asked for in the form that everybody understands.
const PLAYER_FOUR_CC: &[&str] = &[
    "hvc1", "av01", "vp09", "vp08", "Opus", "fLaC", "ac-3", "ec-3",
];

/// `CapsExMask` of Enhanced RTMP: we obey requests to connect anew. Several tracks in a message
/// are not declared, since few can read a file of such.
const CAPS_EX_RECONNECT: f64 = 1.0;

/// What `connect` declares unless the caller says otherwise.
pub(super) fn four_cc_list(role: ClientRole) -> &'static [&'static str] {
    match role {
        ClientRole::Publish => &[],
        ClientRole::Play => PLAYER_FOUR_CC,
    }
}

/// Transaction ids, see the table above.
pub(super) const CONNECT: f64 = 1.0;
pub(super) const FC_UNPUBLISH: f64 = 6.0;

impl ClientSession {
    pub(super) fn create_stream_id(&self) -> f64 {
        self.by_role(4.0, 2.0)
    }

    /// Of `publish` or `play`.
    pub(super) fn start_id(&self) -> f64 {
        self.by_role(5.0, 3.0)
    }

    pub(super) fn delete_stream_id(&self) -> f64 {
        self.by_role(7.0, 4.0)
    }

    pub(super) fn request_connect(&mut self) {
        let text = |text: &str| Value::String(text.to_owned());
        let signed = |text: &str| Value::String(format!("{text}{}", self.authentication));
        let mut fields = vec![("app", signed(&self.config.app))];
        let tc_url = signed(&self.config.tc_url);
        match self.config.role {
            ClientRole::Publish => fields.extend([
                ("type", text("nonprivate")),
                ("flashVer", text(PUBLISHER_VERSION)),
                ("swfUrl", text(&self.config.tc_url)),
                ("tcUrl", tc_url),
            ]),
            ClientRole::Play => fields.extend([
                ("flashVer", text(PLAYER_VERSION)),
                ("tcUrl", tc_url),
                ("fpad", Value::Boolean(false)),
                ("capabilities", Value::Number(15.0)),
                ("audioCodecs", Value::Number(4071.0)),
                ("videoCodecs", Value::Number(252.0)),
                ("videoFunction", Value::Number(1.0)),
                ("objectEncoding", Value::Number(0.0)),
            ]),
        }
        if !self.four_cc_list.is_empty() {
            let codecs = self.four_cc_list.iter().map(|four_cc| text(four_cc));
            fields.push(("fourCcList", Value::StrictArray(codecs.collect())));
        }
        if self.declares_reconnect {
            fields.push(("capsEx", Value::Number(CAPS_EX_RECONNECT)));
        }
        let properties = fields.into_iter();
        let object = Value::Object(Object {
            properties: properties
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        });
        self.send_command(Command {
            name: "connect".to_owned(),
            transaction_id: CONNECT,
            object,
            arguments: Vec::new(),
        });
        self.await_reply(ClientState::Connecting);
    }

    pub(super) fn request_stream(&mut self) {
        match self.config.role {
            ClientRole::Publish => {
                let size = self.config.chunk_size;
                let size = size.clamp(*CHUNK_SIZES.start(), *CHUNK_SIZES.end());
                self.link.announce_chunk_size(size);
                let name = self.stream_name();
                self.call("releaseStream", 2.0, vec![name.clone()]);
                self.call("FCPublish", 3.0, vec![name]);
            }
            ClientRole::Play => self.link.announce_window(WINDOW),
        }
        self.call("createStream", self.create_stream_id(), Vec::new());
        self.await_reply(ClientState::CreatingStream);
    }

    /// `publish` or `play` on the message stream that we were given.
    pub(super) fn request_start(&mut self, msid: MessageStreamId) {
        self.msid = msid;
        let name = self.stream_name();
        let (command, argument) = match self.config.role {
            // YouTube refuses every other type.
            ClientRole::Publish => ("publish", Value::String("live".to_owned())),
            ClientRole::Play => ("play", Value::Number(PLAY_LIVE)),
        };
        let command = Command {
            name: command.to_owned(),
            transaction_id: self.start_id(),
            object: Value::Null,
            arguments: vec![name, argument],
        };
        let csid = ChunkStreamId::STREAM_COMMAND;
        self.link.send_command(csid, msid, &command);
        if self.config.role == ClientRole::Play {
            let buffer = UserControl::SetBufferLength(msid.0, BUFFER_MS);
            self.link.send_user_control(buffer);
        }
        self.await_reply(ClientState::Starting);
    }

    pub(super) fn request_close(&mut self) {
        if self.config.role == ClientRole::Publish {
            let name = self.stream_name();
            self.call("FCUnpublish", FC_UNPUBLISH, vec![name]);
        }
        let msid = Value::Number(f64::from(self.msid.0));
        self.call("deleteStream", self.delete_stream_id(), vec![msid]);
    }

    fn by_role<T>(&self, publish: T, play: T) -> T {
        match self.config.role {
            ClientRole::Publish => publish,
            ClientRole::Play => play,
        }
    }

    fn stream_name(&self) -> Value {
        Value::String(self.config.stream_name.clone())
    }

    fn await_reply(&mut self, state: ClientState) {
        self.state = state;
        let timeout = self.config.limits.request_timeout;
        self.timers.start(TimerKind::Reply, self.now, timeout);
    }

    /// A command of the connection, with a null command object (FMS 3.0 needs one).
    fn call(&mut self, name: &str, transaction_id: f64, arguments: Vec<Value>) {
        self.send_command(Command {
            name: name.to_owned(),
            transaction_id,
            object: Value::Null,
            arguments,
        });
    }

    fn send_command(&mut self, command: Command) {
        let msid = MessageStreamId::CONNECTION;
        self.link
            .send_command(ChunkStreamId::COMMAND, msid, &command);
    }
}
