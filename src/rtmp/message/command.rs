//! Command messages: types 20 and 17 (RTMP 1.0 §7.2).

use crate::amf::{AmfError, Limits, Object, Value};

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
    /// Reads the body of a type 20 message, or of a type 17 one (`amf3`), whose leading format
    /// byte 0 may be missing.
    ///
    /// # Errors
    /// [`AmfError`]; a value cut short at the very end keeps what was read before it.
    pub fn decode(_body: &[u8], _amf3: bool, _limits: &Limits) -> Result<Self, AmfError> {
        todo!()
    }

    /// The body of a type 20 message.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }
}

/// The information object of `onStatus` and of replies to `connect`: level before code, which
/// Wirecast insists on.
pub fn status_info(_level: Level, _code: &str, _description: &str) -> Object {
    todo!()
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
