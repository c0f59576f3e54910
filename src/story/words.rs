//! One message in one line, media left out.

use super::text::{bytes, count, name, plain, url, words};
use crate::amf::{Limits, Object, Value};
use crate::media::flv::Metadata;
use crate::rtmp::chunk::Message;
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::{Command, StatusInfo};
use crate::rtmp::message::control::{BandwidthLimit, Control};
use crate::rtmp::message::data::Data;
use crate::rtmp::message::user_control::UserControl;
use crate::rtmp::session::ConnectRequest;

/// A line and the kind of it: of a kind that comes again and again only the first few are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

impl Words {
    /// Something that happens once, or a few times.
    pub(super) fn once(text: impl Into<String>) -> Self {
        Self::new(ONCE, text)
    }

    pub(super) fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Told under its kind.
    fn plain(kind: &'static str) -> Self {
        Self::new(kind, kind)
    }
}

/// Commands, which are told as long as there is room for lines at all.
pub(super) const COMMAND: &str = "command";

/// What is bounded by its nature: the blocks of the handshake, the first frames.
pub(super) const ONCE: &str = "once";

/// A protocol control message (types 1, 2, 3, 5 and 6).
pub(super) fn control(message: &Message) -> Words {
    let body = message.payload.as_slice();
    match Control::decode(message.message_type, body) {
        Ok(Some(Control::SetChunkSize(0))) => Words::new(
            "Set Chunk Size",
            "Set Chunk Size 0, with which nothing can be sent",
        ),
        Ok(Some(Control::SetChunkSize(size))) => {
            Words::new("Set Chunk Size", format!("Set Chunk Size {size}"))
        }
        Ok(Some(Control::Abort(csid))) => {
            Words::new("Abort", format!("Abort of chunk stream {}", csid.0))
        }
        Ok(Some(Control::Acknowledgement(count))) => Words::new(
            "Acknowledgement",
            format!("Acknowledgement of {count} bytes"),
        ),
        Ok(Some(Control::WindowAckSize(size))) => Words::new(
            "Window Acknowledgement Size",
            format!("Window Acknowledgement Size {size}"),
        ),
        Ok(Some(Control::SetPeerBandwidth(size, limit))) => {
            let limit = match limit {
                BandwidthLimit::Hard => "hard",
                BandwidthLimit::Soft => "soft",
                BandwidthLimit::Dynamic => "dynamic",
            };
            Words::new(
                "Set Peer Bandwidth",
                format!("Set Peer Bandwidth {size}, {limit}"),
            )
        }
        Ok(None) | Err(_) => Words::plain("protocol control message that is too short"),
    }
}

/// A user control message (type 4).
pub(super) fn user_control(body: &[u8]) -> Words {
    match UserControl::decode(body) {
        Ok(UserControl::StreamBegin(id)) => {
            Words::new("Stream Begin", format!("Stream Begin of stream {id}"))
        }
        Ok(UserControl::StreamEof(id)) => {
            Words::new("Stream EOF", format!("Stream EOF of stream {id}"))
        }
        Ok(UserControl::StreamDry(id)) => {
            Words::new("Stream Dry", format!("Stream Dry of stream {id}"))
        }
        Ok(UserControl::SetBufferLength(id, ms)) => Words::new(
            "Set Buffer Length",
            format!("Set Buffer Length of stream {id}: {ms} ms"),
        ),
        Ok(UserControl::StreamIsRecorded(id)) => Words::new(
            "Stream Is Recorded",
            format!("Stream Is Recorded of stream {id}"),
        ),
        Ok(UserControl::PingRequest(_)) => Words::plain("ping"),
        Ok(UserControl::PingResponse(_)) => Words::plain("answer to a ping"),
        Ok(UserControl::Other(event)) => Words::new(
            "user control event without a name",
            format!("user control event {event}"),
        ),
        Err(_) => Words::plain("user control message that is too short"),
    }
}

/// A message of a type that is neither control, command, data nor media.
pub(super) fn other(message: &Message) -> Words {
    let length = bytes(message.payload.len() as u64);
    match message.message_type {
        MessageType::SHARED_OBJECT_AMF0 | MessageType::SHARED_OBJECT_AMF3 => {
            Words::plain("shared object message")
        }
        MessageType(number) => Words::new(
            "message of a type without a name",
            format!("message of type {number}, which nothing names, {length}"),
        ),
    }
}

/// A data message; whether it is metadata.
pub(super) fn data(body: &[u8], is_amf3: bool, limits: &Limits) -> (Words, bool) {
    match Data::decode(body, is_amf3, limits) {
        Data::SetMetadata(metadata) => {
            let text = Metadata::parse(metadata).map(|metadata| describe_metadata(&metadata));
            let text = match text {
                Some(text) if text.is_empty() => "metadata without a field that says much".into(),
                Some(text) => format!("metadata: {text}"),
                None => "metadata that cannot be read, or none".to_owned(),
            };
            (Words::new("metadata", text), true)
        }
        Data::ClearMetadata => (Words::plain("clears the metadata"), false),
        Data::Other(values) => {
            let first = Command::decode(values, false, limits).ok();
            let text = first.map_or_else(
                || "data message that cannot be read".to_owned(),
                |first| format!("data message {}", name(&first.name)),
            );
            (Words::new("data message", text), false)
        }
    }
}

fn describe_metadata(metadata: &Metadata) -> String {
    let mut parts = Vec::new();
    if let (Some(width), Some(height)) = (metadata.width, metadata.height) {
        parts.push(format!("{width}x{height}"));
    }
    if let Some(rate) = metadata.frame_rate {
        let rate = format!("{rate:.2}");
        let rate = rate.trim_end_matches('0').trim_end_matches('.');
        parts.push(format!("{rate} frames/s"));
    }
    parts.extend(metadata.video_codec.map(|codec| codec.to_string()));
    parts.extend(metadata.audio_codec.map(|codec| codec.to_string()));
    parts.extend(metadata.audio_sample_rate.map(|rate| format!("{rate} Hz")));
    let encoder = metadata.encoder.as_deref();
    parts.extend(encoder.map(|encoder| format!("by {}", plain(encoder))));
    parts.join(", ")
}

/// A command. `call` is the name of the command that it replies to, if it is a reply.
pub(super) fn command(command: &Command, call: Option<&str>) -> String {
    let first = command.string(0).map(name);
    let number = |index| command.number(index).unwrap_or_default();
    match command.name.as_str() {
        "connect" => connect(command),
        "createStream" | "getStreamLength" | "_checkbw" | "onBWDone" | "close" => {
            command.name.clone()
        }
        "publish" => {
            let kind = command
                .string(1)
                .map(|kind| format!(", as {}", plain(kind)));
            format!(
                "publish {}{}",
                first.as_deref().unwrap_or("without a name"),
                kind.unwrap_or_default()
            )
        }
        "play" | "play2" => format!("play {}", first.as_deref().unwrap_or("without a name")),
        "FCPublish" | "FCUnpublish" | "FCSubscribe" | "FCUnsubscribe" | "releaseStream" => {
            [command.name.as_str(), first.as_deref().unwrap_or_default()]
                .join(" ")
                .trim_end()
                .to_owned()
        }
        "deleteStream" | "closeStream" => match command.number(0) {
            Some(id) => format!("{} {id}", command.name),
            None => command.name.clone(),
        },
        "pause" | "pauseRaw" => match command.boolean(0) {
            Some(false) => "resumes".to_owned(),
            _ => "pauses".to_owned(),
        },
        "receiveAudio" | "receiveVideo" => {
            let is_on = command.boolean(0).unwrap_or(true);
            format!("{} {is_on}", command.name)
        }
        "seek" => format!("seek to {} ms", number(0)),
        Command::RESULT | Command::ERROR => reply(command, call),
        Command::ON_STATUS | "onFCPublish" | "onFCUnpublish" | "onFCSubscribe" => {
            match command.info() {
                Some(info) => format!("{} {}", command.name, status(&info)),
                None => format!("{} without a code", command.name),
            }
        }
        other => {
            let arguments = count(command.arguments.len() as u64, "argument");
            format!("command {} with {arguments}", name(other))
        }
    }
}

fn reply(command: &Command, call: Option<&str>) -> String {
    let verb = match command.name.as_str() {
        Command::RESULT => "yes",
        _ => "no",
    };
    let to = match call {
        Some(call) => format!("to {}", plain(call)),
        None => format!("to call {}", command.transaction_id),
    };
    let more = match (command.info(), command.number(0)) {
        (Some(info), _) => format!(": {}", status(&info)),
        (None, Some(id)) if call == Some("createStream") => format!(": stream {id}"),
        _ => String::new(),
    };
    let server = command.object.as_object();
    let server = server.and_then(|object| object.get_ignore_case("fmsVer")?.as_str());
    let server = server.map(|version| format!(", server {}", plain(version)));
    format!("{verb} {to}{more}{}", server.unwrap_or_default())
}

/// `NetStream.Publish.BadName (live/cam is already being published)`
pub(super) fn status(info: &StatusInfo<'_>) -> String {
    let level = match info.level {
        "" | "status" => "",
        "warning" => "warning ",
        _ => "error ",
    };
    let redirect = redirect(info.object).map(|to| format!(", moved to {}", url(to)));
    let redirect = redirect.unwrap_or_default();
    match info.description {
        "" => format!("{level}{}{redirect}", plain(info.code)),
        description => {
            let description = words(description);
            format!("{level}{} ({description}){redirect}", plain(info.code))
        }
    }
}

/// Where a refused `connect` should go instead: `ex: { code: 302, redirect }`.
fn redirect(info: &Object) -> Option<&str> {
    let extra = info.get_ignore_case("ex")?.as_object()?;
    extra.get_ignore_case("redirect")?.as_str()
}

fn connect(command: &Command) -> String {
    let Some(object) = command.object.as_object() else {
        return "connect without an object".to_owned();
    };
    let request = ConnectRequest::new(object.clone());
    let mut parts = vec![format!("connect, app {}", name(&request.app))];
    if request.tc_url.is_empty() {
        parts.push("no tcUrl".to_owned());
    } else {
        parts.push(format!("tcUrl {}", url(&request.tc_url)));
    }
    if !request.flash_version.is_empty() {
        parts.push(format!("flashVer {}", plain(&request.flash_version)));
    }
    if request.object_encoding != 0.0 {
        parts.push(format!("AMF{}", request.object_encoding));
    }
    if request.is_enhanced() {
        parts.push(enhanced(object));
    }
    if !command.arguments.is_empty() {
        let arguments = count(command.arguments.len() as u64, "argument");
        parts.push(format!("and {arguments}"));
    }
    parts.join(", ")
}

/// What it declares of Enhanced RTMP, as it is sent.
fn enhanced(object: &Object) -> String {
    let list = object.get_ignore_case("fourCcList");
    let codes = list.and_then(Value::as_array).unwrap_or_default();
    let codes: Vec<String> = codes
        .iter()
        .filter_map(Value::as_str)
        .take(8)
        .map(plain)
        .collect();
    if codes.is_empty() {
        return "Enhanced RTMP".to_owned();
    }
    format!("Enhanced RTMP ({})", codes.join(" "))
}
