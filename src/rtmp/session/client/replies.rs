//! What the server says, taken leniently.
//!
//! Servers answer `publish` and `play` with `onStatus` under the request's id or 0, twice, or
//! with `_result`; with nothing but media; and with warnings that mean nothing. They send calls
//! of their own (`onBWDone`, `onFCPublish`, ...) at any time.

use super::requests::{CONNECT, FC_UNPUBLISH};
use super::{ClientSession, ClientState};
use crate::amf::{Object, Value};
use crate::rtmp::chunk::{MessageStreamId, Payload};
use crate::rtmp::message::command::{Command, is_refusal};
use crate::rtmp::session::arguments::stream_id;
use crate::rtmp::session::{ClientEvent, ClientRole, EndReason, Rejection, Stage, TimerKind};
use crate::wire::Reader;

/// The fields of an information object; empty where they are missing.
#[derive(Debug, Default)]
struct Info<'a> {
    level: &'a str,
    code: &'a str,
    description: &'a str,
    object: Option<&'a Object>,
}

impl<'a> Info<'a> {
    /// The last object among the arguments, or the command object where there is none.
    fn of(command: &'a Command) -> Self {
        let mut objects = command.arguments.iter().rev().filter_map(Value::as_object);
        let Some(object) = objects.next().or_else(|| command.object.as_object()) else {
            return Self::default();
        };
        let text = |key| {
            object
                .get_ignore_case(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Self {
            level: text("level"),
            code: text("code"),
            description: text("description"),
            object: Some(object),
        }
    }

    fn is_refusal(&self) -> bool {
        is_refusal(self.level, self.code)
    }
}

impl ClientSession {
    pub(super) fn on_command(&mut self, command: &Command) {
        match command.name.as_str() {
            "_result" => self.on_result(command),
            "_error" => self.on_error(command),
            "onStatus" => self.on_status(&Info::of(command)),
            "onFCUnpublish" => self.on_close_confirmed("onFCUnpublish"),
            // FMS says this after a refusal, or instead of one.
            "close" => self.on_end(EndReason::ServerClosed),
            // onBWDone, onFCPublish, onFCSubscribe and whatever else.
            _ => {}
        }
    }

    fn on_result(&mut self, command: &Command) {
        let id = command.transaction_id;
        let info = Info::of(command);
        match self.state {
            ClientState::Connecting => {
                if info.is_refusal() {
                    self.on_refusal(&info);
                } else if id == CONNECT || info.code == "NetConnection.Connect.Success" {
                    self.server_software = server_software(command, &info);
                    self.on_connected();
                }
            }
            ClientState::CreatingStream => {
                let msid = command.arguments.iter().find_map(stream_id);
                // Some servers reply under an id of their own. Before createStream we sent
                // nothing that is answered with a number above 0.
                let is_ours = id == self.create_stream_id();
                match msid {
                    Some(msid) if is_ours || (msid > 0 && id > self.create_stream_id()) => {
                        self.request_start(MessageStreamId(msid));
                    }
                    None if is_ours => self.on_refusal(&info),
                    _ => {}
                }
            }
            ClientState::Starting if id == self.start_id() => self.on_started(),
            ClientState::Closing if id == FC_UNPUBLISH => {
                self.on_close_confirmed("_result of FCUnpublish");
            }
            ClientState::Closing if id == self.delete_stream_id() => {
                self.on_close_confirmed("_result of deleteStream");
            }
            _ => {}
        }
    }

    fn on_error(&mut self, command: &Command) {
        let id = command.transaction_id;
        let refused = match self.state {
            // Nothing else was asked for, so the id does not matter.
            ClientState::Connecting => true,
            ClientState::CreatingStream => id == self.create_stream_id(),
            ClientState::Starting => id == self.start_id(),
            _ => false,
        };
        // An error for releaseStream or FCPublish means that the server does not know them.
        if refused {
            self.on_refusal(&Info::of(command));
        }
    }

    fn on_status(&mut self, info: &Info<'_>) {
        if info.code == "NetConnection.Connect.ReconnectRequest" {
            let tc_url = info
                .object
                .and_then(|object| object.get_ignore_case("tcUrl"));
            let tc_url = tc_url.and_then(Value::as_str).map(str::to_owned);
            self.events
                .push_back(ClientEvent::ReconnectRequested(tc_url));
            return;
        }
        match self.state {
            ClientState::Handshaking | ClientState::Closed => {}
            // Anything else may have been under way when we said goodbye.
            ClientState::Closing if is_goodbye(info.code) => self.on_close_confirmed(info.code),
            ClientState::Closing => {}
            _ if info.is_refusal() => self.on_refusal(info),
            ClientState::Connecting => match info.code {
                "NetConnection.Connect.Success" => self.on_connected(),
                _ => self.on_other_status(info),
            },
            ClientState::Starting if self.is_start(info.code) => self.on_started(),
            _ => self.on_other_status(info),
        }
    }

    /// Neither a start nor a refusal: an end, or something for the log.
    fn on_other_status(&mut self, info: &Info<'_>) {
        match info.code {
            "NetConnection.Connect.Closed" | "NetConnection.Connect.AppShutdown" => {
                self.on_end(EndReason::ServerClosed);
            }
            "NetStream.Play.UnpublishNotify" if self.has_asked(ClientRole::Play) => {
                self.on_end(EndReason::Unpublished);
            }
            "NetStream.Play.Stop" | "NetStream.Play.Complete"
                if self.has_asked(ClientRole::Play) =>
            {
                self.on_end(EndReason::Stopped);
            }
            "NetStream.Unpublish.Success" if self.has_asked(ClientRole::Publish) => {
                self.on_end(EndReason::Unpublished);
            }
            _ => self.events.push_back(ClientEvent::Status {
                level: info.level.to_owned(),
                code: info.code.to_owned(),
                description: info.description.to_owned(),
            }),
        }
    }

    /// Whether `publish` or `play`, whichever `role` means, was sent.
    fn has_asked(&self, role: ClientRole) -> bool {
        let asked = matches!(self.state, ClientState::Starting | ClientState::Started);
        asked && self.config.role == role
    }

    fn is_start(&self, code: &str) -> bool {
        match self.config.role {
            ClientRole::Publish => code == "NetStream.Publish.Start",
            ClientRole::Play => matches!(
                code,
                "NetStream.Play.Start" | "NetStream.Play.Reset" | "NetStream.Play.PublishNotify"
            ),
        }
    }

    /// A data message that is not metadata.
    pub(super) fn on_other_data(&mut self, timestamp: u32, body: &[u8]) {
        match data_name(body) {
            // NetStream.Data.Start, and permissions for Flash: nothing about the stream.
            Some(b"onStatus" | b"|RtmpSampleAccess") => {}
            Some(b"onPlayStatus") if contains(body, b"NetStream.Play.Complete") => {
                self.on_end(EndReason::Stopped);
            }
            _ => self.events.push_back(ClientEvent::Data {
                timestamp,
                payload: Payload::from(body),
            }),
        }
    }

    fn on_connected(&mut self) {
        self.events.push_back(ClientEvent::Connected);
        self.request_stream();
    }

    pub(super) fn on_started(&mut self) {
        self.state = ClientState::Started;
        self.timers.stop(TimerKind::Reply);
        if self.config.role == ClientRole::Play {
            let first_media = self.config.limits.first_media_timeout;
            self.timers
                .start(TimerKind::FirstMedia, self.now, first_media);
        }
        self.events.push_back(ClientEvent::Started);
    }

    fn on_refusal(&mut self, info: &Info<'_>) {
        let stage = match (self.state, self.config.role) {
            (ClientState::Handshaking | ClientState::Connecting, _) => Stage::Connect,
            (ClientState::CreatingStream, _) => Stage::CreateStream,
            (_, ClientRole::Publish) => Stage::Publish,
            (_, ClientRole::Play) => Stage::Play,
        };
        let mut description = info.description.to_owned();
        // A redirect: ex { code: 302, redirect: tcUrl }.
        let extra = info.object.and_then(|object| object.get_ignore_case("ex"));
        let redirect = extra
            .and_then(Value::as_object)
            .filter(|extra| extra.get_ignore_case("code").and_then(Value::as_number) == Some(302.0))
            .and_then(|extra| extra.get_ignore_case("redirect"));
        if let Some(tc_url) = redirect.and_then(Value::as_str) {
            description.push_str(" (moved to ");
            description.push_str(tc_url);
            description.push(')');
        }
        self.finish(ClientEvent::Rejected(Rejection {
            stage,
            code: info.code.to_owned(),
            description,
        }));
    }

    fn on_end(&mut self, reason: EndReason) {
        match self.state {
            ClientState::Closed => {}
            ClientState::Closing => self.on_close_confirmed("close"),
            _ => self.finish(ClientEvent::Ended(reason)),
        }
    }

    fn on_close_confirmed(&mut self, by: &str) {
        if self.state == ClientState::Closing {
            self.finish(ClientEvent::CloseConfirmed(by.to_owned()));
        }
    }

    /// The last event of this session.
    fn finish(&mut self, event: ClientEvent) {
        self.events.push_back(event);
        self.state = ClientState::Closed;
        self.timers = super::Timers::default();
    }
}

/// The names that a server gives itself in its answer to `connect`: `fmsVer` among the
/// properties; behind that, SRS has `srs_server` and `srs_version` in the information's `data`.
fn server_software(command: &Command, info: &Info<'_>) -> Option<String> {
    const OWN_NAMES: [&str; 3] = ["srs_server", "srs_version", "version"];
    let data = info
        .object
        .and_then(|object| object.get_ignore_case("data"))
        .and_then(Value::as_object);
    let text = |object: Option<&Object>, key: &str| {
        let text = object?.get_ignore_case(key)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let mut names: Vec<String> = text(command.object.as_object(), "fmsVer")
        .into_iter()
        .collect();
    for key in OWN_NAMES {
        names.extend(text(data, key));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whether a status confirms that a publish is over.
fn is_goodbye(code: &str) -> bool {
    ["Unpublish", "DeleteStream", "Connect.Closed", "AppShutdown"]
        .iter()
        .any(|word| code.contains(word))
}

/// The leading AMF0 string of a data message.
fn data_name(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    if reader.u8() != Ok(0x02) {
        return None;
    }
    let length = reader.u16().ok()?;
    reader.bytes(usize::from(length)).ok()
}

/// Whether the text occurs: enough to know a status code where peers differ in its surroundings.
fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}
