//! A recorded conversation led again: a fresh session is fed what the peer sent, at the recorded
//! times, and what it answers is compared with what was answered then.
//!
//! Requests are granted or refused as they were then, as far as the recorded answers tell. Media
//! that was sent, and what depends on the traffic and not on what the peer said (pings,
//! acknowledgements), is not compared.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Flight, Piece};
use crate::amf;
use crate::rtmp::chunk::{ChunkLimits, MESSAGE_BYTES_MAX, Message, MessageStreamId};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::message::control::Control;
use crate::rtmp::message::user_control::UserControl;
use crate::rtmp::overheard::{Heard, Lane};
use crate::rtmp::session::{Note, Refusal, ServerConfig, ServerEvent, ServerSession, SessionError};

/// Differences that are told; behind a few of them the conversations have nothing in common.
const DIFFERENCES_MAX: usize = 8;

/// Timers that may run out in one conversation: a ping every 10 s for a week.
const TIMEOUTS_MAX: usize = 60_000;

/// Recorded answers that are looked at.
const ANSWERS_MAX: usize = 10_000;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The session gave up, and when.
    pub fault: Option<(Duration, SessionError)>,
    /// What the session noted about the peer.
    pub notes: Vec<Note>,
    /// Where it answers otherwise than was answered then; at most a few.
    pub differences: Vec<Difference>,
    /// Bytes that the session was fed: less than was received if not all was kept.
    pub fed: u64,
}

/// One answer that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Since the start of the conversation.
    pub at: Duration,
    /// What was answered then; `None`: nothing.
    pub then: Option<String>,
    /// What is answered now; `None`: nothing.
    pub now: Option<String>,
}

/// Leads the conversation again. `config` gives the limits; chunk size and window are those of
/// the recording. `start` is any moment: times of the session count from there.
pub fn replay(flight: &Flight<'_>, config: &ServerConfig, start: Instant) -> Replay {
    let then = Answers::read(flight.sent());
    let mut config = *config;
    config.chunk_size = then.chunk_size.unwrap_or(config.chunk_size);
    config.window_ack_size = then.window_ack_size.unwrap_or(config.window_ack_size);
    let mut run = Run {
        session: ServerSession::new(Arc::new(config), 0, start),
        start,
        verdicts: then.verdicts,
        is_refused: false,
        lane: listener(),
        now: Vec::new(),
        timeouts: 0,
        skew: Duration::ZERO,
        outcome: Replay {
            fault: None,
            notes: Vec::new(),
            differences: Vec::new(),
            fed: 0,
        },
    };
    let cut = run.feed(flight);
    let Run {
        mut outcome, now, ..
    } = run;
    // What was answered to what is missing cannot be compared.
    let is_known = |answer: &Answer| answer.at <= cut.start || answer.at >= cut.end;
    let mut then = then.list;
    then.retain(is_known);
    outcome.differences = differences(&then, &now);
    outcome
}

/// Something that the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    at: Duration,
    text: String,
    /// It answers no message of the peer: somebody else's deed brought it about.
    is_unasked: bool,
}

/// How a `publish` or `play` was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    code: &'static str,
    description: String,
}

/// The codes that decide about requests.
const CODES: [&str; 9] = [
    "NetConnection.Connect.Success",
    "NetConnection.Connect.Rejected",
    "NetConnection.Connect.InvalidApp",
    "NetStream.Publish.Start",
    "NetStream.Publish.BadName",
    "NetStream.Publish.Denied",
    "NetStream.Play.Start",
    "NetStream.Play.StreamNotFound",
    "NetStream.Play.Failed",
];

/// Codes of messages that the server sends when something happens elsewhere.
const UNASKED: [&str; 5] = [
    "NetStream.Play.UnpublishNotify",
    "NetStream.Play.Stop",
    "NetConnection.Connect.ReconnectRequest",
    "NetConnection.Connect.AppShutdown",
    "NetConnection.Connect.Closed",
];

impl Verdict {
    fn is_about(&self, request: &str) -> bool {
        self.code.starts_with(request)
    }

    fn is_yes(&self) -> bool {
        self.code.ends_with(".Start") || self.code.ends_with(".Success")
    }
}

/// What the recorded server said.
#[derive(Debug, Default)]
struct Answers {
    list: Vec<Answer>,
    verdicts: VecDeque<Verdict>,
    chunk_size: Option<u32>,
    window_ack_size: Option<u32>,
}

impl Answers {
    fn read<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> Self {
        let mut answers = Self::default();
        let mut lane = listener();
        for piece in pieces {
            for message in messages(&mut lane, piece.bytes) {
                answers.take(piece.at, &message);
            }
            if answers.list.len() >= ANSWERS_MAX {
                break;
            }
        }
        answers
    }

    fn take(&mut self, at: Duration, message: &Message) {
        match Control::decode(message.message_type, message.payload.as_slice()) {
            Ok(Some(Control::SetChunkSize(size))) => {
                self.chunk_size = self.chunk_size.or(Some(size));
            }
            Ok(Some(Control::WindowAckSize(size))) => {
                self.window_ack_size = self.window_ack_size.or(Some(size));
            }
            _ => {}
        }
        if let Some(status) = Status::read(message) {
            let code = CODES.iter().find(|code| **code == status.code);
            self.verdicts.extend(code.map(|code| Verdict {
                code,
                description: status.description,
            }));
        }
        self.list.extend(describe(at, message));
    }
}

/// Listens to a server; its messages may have any size.
fn listener() -> Lane {
    Lane::new(ChunkLimits {
        message_size_max: MESSAGE_BYTES_MAX,
        ..ChunkLimits::default()
    })
}

/// The messages in more bytes of a server.
fn messages<'a>(
    lane: &'a mut Lane,
    mut bytes: &'a [u8],
) -> impl Iterator<Item = Message> + use<'a> {
    let heard = std::iter::from_fn(move || lane.hear(&mut bytes));
    heard.filter_map(|heard| match heard {
        Heard::Message(message) => Some(message),
        _ => None,
    })
}

/// The information object of a reply or status.
#[derive(Debug)]
struct Status {
    command: String,
    code: String,
    description: String,
}

impl Status {
    fn read(message: &Message) -> Option<Self> {
        if message.message_type != MessageType::COMMAND_AMF0 {
            return None;
        }
        let body = message.payload.as_slice();
        let command = Command::decode(body, false, &amf::Limits::default()).ok()?;
        let info = command.info();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some(Self {
            code: text(info.map(|info| info.code)),
            description: text(info.map(|info| info.description)),
            command: command.name,
        })
    }
}

/// In words; `None` for what is not compared.
fn describe(at: Duration, message: &Message) -> Option<Answer> {
    let body = message.payload.as_slice();
    let mut is_unasked = false;
    let text = match message.message_type {
        MessageType::AUDIO
        | MessageType::VIDEO
        | MessageType::AGGREGATE
        | MessageType::DATA_AMF0
        | MessageType::DATA_AMF3
        | MessageType::ACKNOWLEDGEMENT => return None,
        MessageType::USER_CONTROL => match UserControl::decode(body).ok()? {
            UserControl::PingRequest(_) => return None,
            control => {
                is_unasked = matches!(control, UserControl::StreamEof(_));
                format!("{control:?}")
            }
        },
        kind => match (Control::decode(kind, body), Status::read(message)) {
            (Ok(Some(control)), _) => format!("{control:?}"),
            (_, Some(status)) => {
                is_unasked = UNASKED.contains(&status.code.as_str());
                let Status {
                    command,
                    code,
                    description,
                } = status;
                match code.is_empty() {
                    true => command,
                    false => format!("{command} {code} ({description})"),
                }
            }
            _ => format!("a message of type {}", kind.0),
        },
    };
    Some(Answer {
        at,
        text,
        is_unasked,
    })
}

/// A conversation under way again.
#[derive(Debug)]
struct Run {
    session: ServerSession,
    start: Instant,
    verdicts: VecDeque<Verdict>,
    /// The caller would close now.
    is_refused: bool,
    /// Listens to the session.
    lane: Lane,
    now: Vec<Answer>,
    timeouts: usize,
    /// How much later than the session's clock the recording's is: what was cut out of it.
    skew: Duration,
    outcome: Replay,
}

impl Run {
    /// Returns what was cut out of the recording: from when to when.
    fn feed(&mut self, flight: &Flight<'_>) -> Range<Duration> {
        let nothing = Duration::MAX..Duration::MAX;
        if !self.feed_pieces(flight.received()) {
            return nothing;
        }
        let mut cut = nothing;
        if flight.facts.received.missing > 0 {
            let last = flight
                .received()
                .last()
                .map_or(Duration::ZERO, |piece| piece.at);
            cut = last..Duration::MAX;
            let next = flight.resumed().next();
            let (Some(resume), Some(next)) = (&flight.facts.resume, next) else {
                return cut;
            };
            if self.session.skip_to(&resume.place).is_err() {
                return cut;
            }
            self.skew = next.at.saturating_sub(last);
            cut.end = next.at;
            if !self.feed_pieces(flight.resumed()) {
                return cut;
            }
        }
        self.run_timers(flight.facts.lasted);
        cut
    }

    /// False when the conversation is over.
    fn feed_pieces<'a>(&mut self, pieces: impl Iterator<Item = Piece<'a>>) -> bool {
        for piece in pieces {
            if !self.run_timers(piece.at) {
                return false;
            }
            let now = self.moment(piece.at);
            let result = self.session.handle_input(now, piece.bytes);
            self.outcome.fed += piece.bytes.len() as u64;
            if !self.follow(piece.at, result) || self.is_refused {
                return false;
            }
        }
        true
    }

    /// A time of the recording by the session's clock.
    fn moment(&self, at: Duration) -> Instant {
        self.start + at.saturating_sub(self.skew)
    }

    /// Lets time pass; false when the session has given up.
    fn run_timers(&mut self, until: Duration) -> bool {
        while let Some(due) = self.session.poll_timeout() {
            let at = due.saturating_duration_since(self.start) + self.skew;
            self.timeouts += 1;
            if at > until || self.timeouts > TIMEOUTS_MAX {
                break;
            }
            let result = self.session.handle_timeout(due);
            if !self.follow(at, result) {
                return false;
            }
        }
        true
    }

    /// Takes events and output; false when the session has given up.
    fn follow(&mut self, at: Duration, result: Result<(), SessionError>) -> bool {
        while let Some(event) = self.session.poll_event() {
            match event {
                ServerEvent::Connect(_) => self.answer_connect(),
                ServerEvent::Publish { msid, .. } => self.answer_publish(at, msid),
                ServerEvent::Play { msid, .. } => self.answer_play(at, msid),
                ServerEvent::Note(note) => self.outcome.notes.push(note),
                _ => {}
            }
        }
        while let Some(bytes) = self.session.poll_output() {
            for message in messages(&mut self.lane, &bytes) {
                if self.now.len() < ANSWERS_MAX {
                    self.now.extend(describe(at, &message));
                }
            }
        }
        self.outcome.fault = result.err().map(|error| (at, error));
        self.outcome.fault.is_none()
    }

    /// The next recorded verdict about this kind of request; those before it are about others.
    fn verdict(&mut self, request: &str) -> Option<Verdict> {
        let index = self
            .verdicts
            .iter()
            .position(|verdict| verdict.is_about(request))?;
        self.verdicts.drain(..=index).next_back()
    }

    fn answer_connect(&mut self) {
        match self.verdict("NetConnection.Connect.") {
            Some(verdict) if !verdict.is_yes() => {
                self.session.reject_connect(&verdict.into());
                self.is_refused = true;
            }
            _ => self.session.accept_connect(),
        }
    }

    fn answer_publish(&mut self, at: Duration, msid: MessageStreamId) {
        match self.verdict("NetStream.Publish.") {
            Some(verdict) if verdict.is_yes() => {
                self.session.accept_publish(self.moment(at), msid);
            }
            Some(verdict) => {
                self.session.reject_publish(msid, &verdict.into());
                self.is_refused = true;
            }
            None => {}
        }
    }

    fn answer_play(&mut self, at: Duration, msid: MessageStreamId) {
        match self.verdict("NetStream.Play.") {
            Some(verdict) if verdict.is_yes() => {
                self.session.accept_play(self.moment(at), msid);
            }
            Some(verdict) => {
                self.session.reject_play(msid, &verdict.into());
                self.is_refused = true;
            }
            None => {}
        }
    }
}

impl From<Verdict> for Refusal {
    fn from(verdict: Verdict) -> Self {
        Self {
            code: verdict.code,
            description: verdict.description,
        }
    }
}

/// Goes through both lists side by side. What is missing at the end of either is no difference:
/// the connection may have ended before it was sent.
fn differences(then: &[Answer], now: &[Answer]) -> Vec<Difference> {
    let mut found = Vec::new();
    let (mut then, mut now) = (then, now);
    while let ([old, then_rest @ ..], [new, now_rest @ ..]) = (then, now) {
        if found.len() >= DIFFERENCES_MAX {
            break;
        }
        if old.text == new.text {
            (then, now) = (then_rest, now_rest);
            continue;
        }
        let is_later = |list: &[Answer], text: &str| list.iter().any(|answer| answer.text == text);
        let mut difference = Difference {
            at: new.at,
            then: Some(old.text.clone()),
            now: Some(new.text.clone()),
        };
        if old.is_unasked || is_later(then_rest, &new.text) {
            (then, difference.at, difference.now) = (then_rest, old.at, None);
        } else if is_later(now_rest, &old.text) {
            (now, difference.then) = (now_rest, None);
        } else {
            (then, now) = (then_rest, now_rest);
        }
        if !old.is_unasked {
            found.push(difference);
        }
    }
    found
}

#[cfg(test)]
mod tests;
