//! How far a conversation has come: what was asked, and what was answered.

use std::collections::VecDeque;

use super::text::words;
use super::words::status;
use crate::rtmp::authentication::Demand;
use crate::rtmp::handshake::Guess;
use crate::rtmp::message::command::{Command, StatusInfo, is_refusal};

/// Calls whose answers are awaited; those of a client that calls more often find the last ones.
const CALLS_MAX: usize = 16;

/// How far the handshake of one side has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shake {
    /// Less than the first block.
    #[default]
    Begun,
    /// The first block.
    First,
    /// Both blocks.
    Done,
    /// Not RTMP.
    Foreign(Guess),
}

/// Something that the client asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Request {
    #[default]
    NotAsked,
    Asked,
    Granted,
    Refused(Refused),
}

/// A refusal in the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: String,
    /// Code and description, fit to be told.
    pub(super) text: String,
    pub(super) login: Option<Login>,
}

/// What a server that asks for a user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    /// A user name, or proof of the password.
    Wanted,
    /// Neither user nor password is good enough.
    Refused,
    /// Something else.
    Unknown,
}

/// What the client is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Publish,
    Play,
}

/// The requests of one conversation and their answers.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) connect: Request,
    pub(super) create: Request,
    /// The last `publish` or `play`.
    pub(super) start: Option<Verb>,
    pub(super) started: Request,
    pub(super) has_metadata: bool,
    /// The client said goodbye, or the server said that the stream is over.
    pub(super) is_over: bool,
    /// The server ended what it had granted.
    pub(super) ended: Option<Refused>,
    /// `len() <= CALLS_MAX`
    calls: VecDeque<(f64, String)>,
}

impl Course {
    /// A command of the client.
    pub(super) fn on_call(&mut self, command: &Command) {
        match command.name.as_str() {
            "connect" => self.connect = Request::Asked,
            "createStream" => self.create = Request::Asked,
            "publish" => self.ask(Verb::Publish),
            "play" | "play2" => self.ask(Verb::Play),
            "FCUnpublish" | "deleteStream" | "closeStream" if self.started == Request::Granted => {
                self.is_over = true;
            }
            _ => {}
        }
        if command.transaction_id > 0.0 {
            if self.calls.len() >= CALLS_MAX {
                self.calls.pop_front();
            }
            // Longer names than that are not told either.
            let name = command.name.chars().take(64).collect();
            self.calls.push_back((command.transaction_id, name));
        }
    }

    fn ask(&mut self, verb: Verb) {
        self.start = Some(verb);
        self.started = Request::Asked;
        self.is_over = false;
    }

    /// A command of the server; the name of the call that it answers.
    pub(super) fn on_reply(&mut self, command: &Command) -> Option<String> {
        let info = command.info();
        match command.name.as_str() {
            Command::RESULT | Command::ERROR => {
                let is_yes = command.name == Command::RESULT;
                let call = self.answered(command.transaction_id);
                // Nothing else was asked for, so the id does not matter.
                let call = call
                    .or_else(|| (self.connect == Request::Asked).then(|| "connect".to_owned()))?;
                let refused = !is_yes || info.is_some_and(|info| is_refusal(info.level, info.code));
                let answer = if refused {
                    Request::Refused(refusal(info))
                } else {
                    Request::Granted
                };
                match call.as_str() {
                    "connect" => self.connect = answer,
                    "createStream" => self.create = answer,
                    "publish" | "play" | "play2" if self.started == Request::Asked => {
                        self.started = answer;
                    }
                    _ => {}
                }
                return Some(call);
            }
            Command::ON_STATUS => {
                if let Some(info) = info {
                    self.on_status(&info);
                }
            }
            // FMS says this after a refusal, or instead of one.
            "close" => self.is_over = true,
            _ => {}
        }
        None
    }

    fn on_status(&mut self, info: &StatusInfo<'_>) {
        if is_refusal(info.level, info.code) {
            let refused = refusal(Some(*info));
            match (&self.connect, &self.started) {
                (_, Request::Asked) => self.started = Request::Refused(refused),
                (_, Request::Granted) => self.ended = Some(refused),
                (Request::Asked, _) => self.connect = Request::Refused(refused),
                _ => {}
            }
            return;
        }
        match info.code {
            "NetConnection.Connect.Success" => self.connect = Request::Granted,
            "NetStream.Publish.Start"
            | "NetStream.Play.Start"
            | "NetStream.Play.Reset"
            | "NetStream.Play.PublishNotify" => self.grant(),
            "NetStream.Play.UnpublishNotify"
            | "NetStream.Play.Stop"
            | "NetStream.Play.Complete"
            | "NetStream.Unpublish.Success"
            | "NetConnection.Connect.Closed"
            | "NetConnection.Connect.AppShutdown" => self.is_over = true,
            _ => {}
        }
    }

    /// Whoever sends or is sent media was accepted, said or not.
    pub(super) fn grant(&mut self) {
        if self.started == Request::Asked {
            self.started = Request::Granted;
        }
    }

    fn answered(&mut self, id: f64) -> Option<String> {
        let at = self.calls.iter().position(|(asked, _)| *asked == id)?;
        self.calls.remove(at).map(|(_, name)| name)
    }
}

fn refusal(info: Option<StatusInfo<'_>>) -> Refused {
    let Some(info) = info else {
        return Refused {
            code: String::new(),
            text: "without a word".to_owned(),
            login: None,
        };
    };
    let login = Demand::parse(info.description).map(|demand| match demand {
        Demand::Name(_) | Demand::Proof(_) => Login::Wanted,
        Demand::Refused(_) => Login::Refused,
        Demand::Unknown => Login::Unknown,
    });
    let text = status(&info);
    Refused {
        code: words(info.code),
        text: text.strip_prefix("error ").unwrap_or(&text).to_owned(),
        login,
    }
}
