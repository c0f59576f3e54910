//! Command messages: types 20 and 17 (RTMP 1.0 §7.1.1, §7.2).
//!
//! ```text
//! [00]  string name  number transaction id  object or null  value*
//!  └ type 17 only: format byte; everything behind it is AMF0 that may switch to AMF3
//! ```
//! What a command asks for is the session's business; this file knows only its form and the
//! replies that all commands share.

use std::fmt;

use crate::amf::{AmfError, Limits, Object, Value, amf0};
use crate::wire::Truncated;

/// A remote procedure call or its reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// `connect`, `_result`, `onStatus`, ...
    pub name: String,
    /// Matches a reply to its call; 0 wants no reply (missing is read as 0).
    pub transaction_id: f64,
    /// The command object; null in most commands, and when it is missing.
    pub object: Value,
    /// What follows the command object.
    pub arguments: Vec<Value>,
}

impl Command {
    /// The name of a reply that says yes.
    pub const RESULT: &'static str = "_result";
    /// The name of a reply that says no.
    pub const ERROR: &'static str = "_error";
    /// The name of a report on a message stream.
    pub const ON_STATUS: &'static str = "onStatus";

    /// A command with a null object and no arguments; see [`Self::with_object`] and
    /// [`Self::with_argument`].
    pub fn new(name: impl Into<String>, transaction_id: f64) -> Self {
        Self {
            name: name.into(),
            transaction_id,
            object: Value::Null,
            arguments: Vec::new(),
        }
    }

    /// `_result`: the call of this id succeeded.
    pub fn result(
        transaction_id: f64,
        object: impl Into<Value>,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Self {
        Self {
            name: Self::RESULT.to_owned(),
            transaction_id,
            object: object.into(),
            arguments: arguments.into_iter().collect(),
        }
    }

    /// `_error`: the call of this id failed; `info` says why ([`status_info`]).
    pub fn error(transaction_id: f64, info: Object) -> Self {
        Self::new(Self::ERROR, transaction_id).with_argument(info)
    }

    /// `onStatus` with id 0, as most servers send it.
    pub fn on_status(info: Object) -> Self {
        Self::new(Self::ON_STATUS, 0.0).with_argument(info)
    }

    /// Replaces the command object.
    #[must_use]
    pub fn with_object(mut self, object: impl Into<Value>) -> Self {
        self.object = object.into();
        self
    }

    /// Appends an argument.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<Value>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Reads the body of a type 20 message, or of a type 17 one (`amf3`), whose leading format
    /// byte 0 may be missing.
    ///
    /// Lenient where peers are sloppy: a missing transaction id is 0, whatever stands in its
    /// place is then taken as the command object, and that may be missing too.
    ///
    /// # Errors
    /// [`AmfError`], [`AmfError::NoName`] among them. A value cut short at the very end is left
    /// out and keeps what was read before it, except when it is the name.
    pub fn decode(body: &[u8], amf3: bool, limits: &Limits) -> Result<Self, AmfError> {
        let mut values = amf0::Decoder::new(skip_format_byte(body, amf3), limits);
        let name = match values.next()? {
            Some(Value::String(name)) => name,
            Some(_) => return Err(AmfError::NoName),
            None => return Err(Truncated { wanted: 1, left: 0 }.into()),
        };
        let mut command = Self::new(name, 0.0);
        let mut next = whole(values.next())?;
        if let Some(Value::Number(id)) = next {
            command.transaction_id = id;
            next = whole(values.next())?;
        }
        if let Some(object) = next {
            command.object = object;
        }
        while let Some(argument) = whole(values.next())? {
            command.arguments.push(argument);
        }
        Ok(command)
    }

    /// The body of a type 20 message.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        amf0::encode_string(&self.name, &mut body);
        amf0::encode_number(self.transaction_id, &mut body);
        amf0::encode(&self.object, &mut body);
        for argument in &self.arguments {
            amf0::encode(argument, &mut body);
        }
        body
    }

    /// The argument at `index`, counted from 0 behind the command object.
    pub fn argument(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index)
    }

    /// The string at `index`.
    pub fn string(&self, index: usize) -> Option<&str> {
        self.argument(index)?.as_str()
    }

    /// The number at `index`.
    pub fn number(&self, index: usize) -> Option<f64> {
        self.argument(index)?.as_number()
    }

    /// The boolean at `index`.
    pub fn boolean(&self, index: usize) -> Option<bool> {
        self.argument(index)?.as_bool()
    }

    /// The information object of `onStatus`, `_result` or `_error`: the first argument that is
    /// an object and has a `code`, or else the command object if it has one.
    pub fn info(&self) -> Option<StatusInfo<'_>> {
        self.arguments
            .iter()
            .chain([&self.object])
            .filter_map(Value::as_object)
            .find_map(StatusInfo::of)
    }
}

/// Skips the format byte of a type 15 or 17 body. Only when it is 0: no value that may come
/// first has the marker 0 (a number), so a peer that leaves the byte out is recognised.
pub(super) fn skip_format_byte(body: &[u8], amf3: bool) -> &[u8] {
    match body {
        [0, rest @ ..] if amf3 => rest,
        _ => body,
    }
}

/// Takes a value cut short for the end of the message.
fn whole(value: Result<Option<Value>, AmfError>) -> Result<Option<Value>, AmfError> {
    match value {
        Err(AmfError::Truncated(_)) => Ok(None),
        other => other,
    }
}

/// The information object of `onStatus` and of replies to `connect`: level before code, which
/// Wirecast insists on.
pub fn status_info(level: Level, code: &str, description: &str) -> Object {
    Object::new()
        .with("level", level.as_str())
        .with("code", code)
        .with("description", description)
}

/// Codes that refuse even where the level is missing.
const REFUSALS: [&str; 11] = [
    "NetConnection.Connect.Rejected",
    "NetConnection.Connect.Failed",
    "NetConnection.Connect.InvalidApp",
    "NetStream.Publish.BadName",
    "NetStream.Publish.BadAuth",
    "NetStream.Publish.Denied",
    "NetStream.Publish.Rejected",
    "NetStream.Publish.Failed",
    "NetStream.Play.StreamNotFound",
    "NetStream.Play.Failed",
    "NetStream.Failed",
];

/// Whether an information object with this level and code refuses what was asked for. Some servers
/// forget the level, so known codes count as well; a warning never refuses.
pub fn is_refusal(level: &str, code: &str) -> bool {
    level == Level::Error.as_str() || (level != Level::Warning.as_str() && REFUSALS.contains(&code))
}

/// An information object, read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatusInfo<'a> {
    /// `status`, `warning`, `error`; empty when missing.
    pub level: &'a str,
    /// `NetStream.Publish.Start`, ...
    pub code: &'a str,
    /// For a person; empty when missing.
    pub description: &'a str,
    /// All of it.
    pub object: &'a Object,
}

impl<'a> StatusInfo<'a> {
    /// `None` when there is no `code`.
    pub fn of(object: &'a Object) -> Option<Self> {
        Some(Self {
            level: object.string("level").unwrap_or_default(),
            code: object.string("code")?,
            description: object.string("description").unwrap_or_default(),
            object,
        })
    }

    /// Whether the level is `error`. A warning is not one.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error.as_str()
    }
}

/// The `level` field of an information object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `status`
    Status,
    /// `error`
    Error,
    /// `warning`
    Warning,
}

impl Level {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
