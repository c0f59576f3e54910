//! The narrator: from bytes to lines.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use std::{fmt, mem};

use super::course::{Course, Shake, Verb};
use super::media::Media;
use super::text::{bytes, plain};
use super::verdict::{Scene, Verdict};
use super::words::{self, Words};
use crate::amf::Limits;
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{ChunkError, ChunkLimits, Message};
use crate::rtmp::handshake::{HandshakeKind, kind_of_c1};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::overheard::{Heard, Lane};

/// Lines of one conversation, its end not counted. A publisher that behaves needs 30.
const LINES_MAX: u32 = 300;

/// Lines of one kind, commands not counted: acknowledgements and pings go on for hours.
const OF_A_KIND_MAX: u32 = 3;

/// What is read of a command or data message. All that is told stands in front.
const READ_MAX: usize = 16 << 10;

/// Which end of the conversation is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We are the server; the peer publishes or plays.
    Server,
    /// We are the client.
    Client,
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The other end.
    Peer,
    /// Ourselves.
    We,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The peer closed it.
    PeerClosed,
    /// We closed it, for this reason, which may be empty.
    WeClosed(String),
    /// It broke; what the system says.
    Lost(String),
}

impl Ending {
    /// By the line of the server's log about it; `None` if that does not say who closed.
    pub fn of_log_line(line: &str) -> Option<Self> {
        let closed = line.strip_prefix("closed: ");
        let lost = line.strip_prefix("connection lost: ");
        closed
            .map(|why| Self::WeClosed(why.to_owned()))
            .or_else(|| lost.map(|why| Self::Lost(why.to_owned())))
    }
}

/// One line of the story. `Display` puts the time in front: `0.012 s peer: createStream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since the start of the conversation.
    pub at: Duration,
    /// Who says what, in plain words; no control characters, at most some hundred bytes.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s {}", self.at.as_secs_f64(), self.text)
    }
}

/// One of each side.
#[derive(Debug, Default)]
pub(super) struct Both<T> {
    peer: T,
    we: T,
}

impl<T> Both<T> {
    pub(super) fn of(&self, side: Side) -> &T {
        match side {
            Side::Peer => &self.peer,
            Side::We => &self.we,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Peer => &mut self.peer,
            Side::We => &mut self.we,
        }
    }
}

/// Tells one conversation.
///
/// Feed it with [`Self::handle_bytes`] in the order in which bytes passed, drain
/// [`Self::poll_line`], and at the end ask for [`Self::verdict`]. Its memory is bounded by the
/// limits given to [`Self::new`], for each direction, and by [`LINES_MAX`] lines.
#[derive(Debug)]
pub struct Narrator {
    role: Role,
    lanes: Both<Lane>,
    shakes: Both<Shake>,
    media: Both<Media>,
    /// Bytes that passed and were not shown.
    hidden: Both<u64>,
    /// Whether bytes are missing.
    has_gap: Both<bool>,
    course: Course,
    broken: Option<(Side, ChunkError)>,
    ending: Option<Ending>,
    told: u32,
    kinds: HashMap<(Side, &'static str), u32>,
    lines: VecDeque<Line>,
}

impl Narrator {
    /// `limits` are those of the session that is looked at, or larger ones; what is beyond them
    /// ends the story of that direction.
    pub fn new(role: Role, limits: ChunkLimits) -> Self {
        Self {
            role,
            lanes: Both {
                peer: Lane::new(limits),
                we: Lane::new(limits),
            },
            shakes: Both::default(),
            media: Both::default(),
            hidden: Both::default(),
            has_gap: Both::default(),
            course: Course::default(),
            broken: None,
            ending: None,
            told: 0,
            kinds: HashMap::new(),
            lines: VecDeque::new(),
        }
    }

    /// Bytes that `side` sent, `at` this time since the start; never before an earlier time.
    pub fn handle_bytes(&mut self, at: Duration, side: Side, bytes: &[u8]) {
        self.lanes.of_mut(side).add_bytes(bytes.len() as u64);
        let mut rest = bytes;
        while let Some(heard) = self.lanes.of_mut(side).hear(&mut rest) {
            self.on_heard(at, side, heard);
        }
    }

    /// `count` bytes of `side` passed that are not to be shown, between two messages: media that
    /// the server sends to many, say. They count.
    pub fn handle_hidden(&mut self, at: Duration, side: Side, count: u64) {
        let hidden = self.hidden.of_mut(side);
        let is_first = *hidden == 0 && count > 0;
        *hidden = hidden.saturating_add(count);
        if is_first {
            self.course.grant();
            let text = "media, not told message by message";
            self.tell(at, side, Words::once(text));
        }
    }

    /// From here on bytes of `side` are missing: nothing more of it can be told, and that is told
    /// once.
    pub fn handle_gap(&mut self, at: Duration, side: Side) {
        if mem::replace(self.has_gap.of_mut(side), true) {
            return;
        }
        self.lanes.of_mut(side).lose();
        let who = self.name(side);
        self.tell_last(at, format!("{who}: what it sent from here on was not kept"));
    }

    /// The connection is over. Further calls are ignored.
    pub fn handle_end(&mut self, at: Duration, ending: Ending) {
        if self.ending.is_some() {
            return;
        }
        for side in [Side::Peer, Side::We] {
            let media = self.media.of(side);
            if !media.is_untouched() {
                let text = format!("{}: in all {}", self.name(side), media.summary());
                self.tell_last(at, text);
            }
            let hidden = *self.hidden.of(side);
            if hidden > 0 {
                let text = format!("{}: {} of media", self.name(side), bytes(hidden));
                self.tell_last(at, text);
            }
        }
        let peer = self.name(Side::Peer);
        let text = match &ending {
            Ending::PeerClosed => format!("{peer} closes the connection"),
            Ending::WeClosed(why) if why.is_empty() => "we close the connection".to_owned(),
            Ending::WeClosed(why) => format!("we close the connection: {}", plain(why)),
            Ending::Lost(why) => format!("the connection breaks: {}", plain(why)),
        };
        self.tell_last(at, text);
        self.ending = Some(ending);
    }

    /// The next line, in order.
    pub fn poll_line(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    /// What there is to say about all of it so far.
    pub fn verdict(&self) -> Verdict {
        let (client, server) = self.sides();
        Verdict::of(&Scene {
            role: self.role,
            shakes: &self.shakes,
            lanes: &self.lanes,
            course: &self.course,
            broken: self.broken,
            ending: self.ending.as_ref(),
            media: match self.course.start {
                Some(Verb::Play) => self.media.of(server),
                _ => self.media.of(client),
            },
            hidden: match self.course.start {
                Some(Verb::Play) => *self.hidden.of(server),
                _ => *self.hidden.of(client),
            },
        })
    }

    /// Client and server.
    fn sides(&self) -> (Side, Side) {
        match self.role {
            Role::Server => (Side::Peer, Side::We),
            Role::Client => (Side::We, Side::Peer),
        }
    }

    fn name(&self, side: Side) -> &'static str {
        match (side, self.role) {
            (Side::We, _) => "we",
            (Side::Peer, Role::Server) => "peer",
            (Side::Peer, Role::Client) => "server",
        }
    }

    fn on_heard(&mut self, at: Duration, side: Side, heard: Heard) {
        let (client, _) = self.sides();
        let is_client = side == client;
        match heard {
            Heard::FirstBlock(block) => {
                *self.shakes.of_mut(side) = Shake::First;
                if is_client {
                    let kind = match kind_of_c1(&block) {
                        HandshakeKind::Simple => "simple",
                        HandshakeKind::Digest(_) => "with a digest",
                    };
                    self.tell(at, side, Words::once(format!("C0, C1: handshake, {kind}")));
                } else {
                    self.tell(at, side, Words::once("S0, S1: handshake"));
                }
            }
            Heard::SecondBlock => {
                *self.shakes.of_mut(side) = Shake::Done;
                let text = if is_client { "C2" } else { "S2" };
                self.tell(at, side, Words::once(text));
            }
            Heard::Foreign(guess) => {
                *self.shakes.of_mut(side) = Shake::Foreign(guess);
                self.tell(at, side, Words::once(format!("no RTMP: {guess}")));
            }
            Heard::Message(message) => self.on_message(at, side, &message),
            Heard::Broken(error) => {
                self.broken = self.broken.or(Some((side, error)));
                self.tell(
                    at,
                    side,
                    Words::once(format!("cannot be read any further: {error}")),
                );
            }
        }
    }

    fn on_message(&mut self, at: Duration, side: Side, message: &Message) {
        let body = message.payload.as_slice();
        let head = body.get(..READ_MAX).unwrap_or(body);
        match message.message_type {
            MessageType::AUDIO => self.on_media(at, side, MediaKind::Audio, body),
            MessageType::VIDEO => self.on_media(at, side, MediaKind::Video, body),
            MessageType::AGGREGATE => {
                self.course.grant();
                if let Some(text) = self.media.of_mut(side).aggregate(body.len()) {
                    self.tell(at, side, Words::once(text));
                }
            }
            MessageType::COMMAND_AMF0 => self.on_command(at, side, head, false),
            MessageType::COMMAND_AMF3 => self.on_command(at, side, head, true),
            MessageType::DATA_AMF0 | MessageType::DATA_AMF3 => {
                let is_amf3 = message.message_type == MessageType::DATA_AMF3;
                let (words, is_metadata) = words::data(head, is_amf3, &Limits::default());
                self.course.has_metadata |= is_metadata;
                self.tell(at, side, words);
            }
            MessageType::USER_CONTROL => self.tell(at, side, words::user_control(head)),
            MessageType::SET_CHUNK_SIZE
            | MessageType::ABORT
            | MessageType::ACKNOWLEDGEMENT
            | MessageType::WINDOW_ACK_SIZE
            | MessageType::SET_PEER_BANDWIDTH => self.tell(at, side, words::control(message)),
            _ => self.tell(at, side, words::other(message)),
        }
    }

    fn on_media(&mut self, at: Duration, side: Side, kind: MediaKind, body: &[u8]) {
        let (client, _) = self.sides();
        // What a publisher sends before it was answered does not answer it.
        if side != client {
            self.course.grant();
        }
        if let Some(text) = self.media.of_mut(side).handle(kind, body) {
            self.tell(at, side, Words::once(text));
        }
    }

    fn on_command(&mut self, at: Duration, side: Side, body: &[u8], is_amf3: bool) {
        let command = match Command::decode(body, is_amf3, &Limits::default()) {
            Ok(command) => command,
            Err(error) => {
                let text = format!("command that cannot be read: {error}");
                return self.tell(at, side, Words::new(words::COMMAND, text));
            }
        };
        let (client, _) = self.sides();
        let call = if side == client {
            self.course.on_call(&command);
            None
        } else {
            self.course.on_reply(&command)
        };
        let text = words::command(&command, call.as_deref());
        self.tell(at, side, Words::new(words::COMMAND, text));
    }

    /// Tells it, unless enough of this kind or enough at all was told.
    fn tell(&mut self, at: Duration, side: Side, words: Words) {
        if words.kind != words::COMMAND && words.kind != words::ONCE {
            let count = self.kinds.entry((side, words.kind)).or_default();
            *count = count.saturating_add(1);
            if *count > OF_A_KIND_MAX {
                return;
            }
        }
        if self.told >= LINES_MAX {
            return;
        }
        self.told += 1;
        let text = format!("{}: {}", self.name(side), words.text);
        self.tell_last(at, text);
        if self.told == LINES_MAX {
            let text = "more is said than is told here".to_owned();
            self.tell_last(at, text);
        }
    }

    /// Tells it in any case.
    fn tell_last(&mut self, at: Duration, text: String) {
        self.lines.push_back(Line { at, text });
    }
}

#[cfg(test)]
mod tests;
