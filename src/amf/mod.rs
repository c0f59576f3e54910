//! L1: Action Message Format, the values inside RTMP commands and FLV script tags.
//!
//! [`amf0`] reads and writes the whole of AMF0; [`amf3`] reads the subset that RTMP peers
//! put behind the AMF0 marker `0x11`. Both produce [`Value`]. What the values mean is the
//! business of [`crate::rtmp::message`] and [`crate::media::flv`].

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod amf0;
pub mod amf3;
mod budget;
mod value;

pub use value::{Object, Value};

/// Bounds on what one message may make us build. Strings are bounded by the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nested objects and arrays.
    pub depth_max: usize,
    /// Values in one message, nested ones counted.
    pub values_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 16,
            values_max: 4096,
        }
    }
}

/// Why a value could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// The input ended inside a value.
    #[error("AMF value cut short: {0}")]
    Truncated(#[from] crate::wire::Truncated),
    /// A type marker that no specification names, or a reserved one (movieclip, record set).
    #[error("AMF marker {0:#04x} is not readable")]
    Marker(u8),
    /// [`Limits::depth_max`] exceeded.
    #[error("AMF nested deeper than {0}")]
    TooDeep(usize),
    /// [`Limits::values_max`] exceeded.
    #[error("more than {0} AMF values in one message")]
    TooManyValues(usize),
    /// An AMF3 back reference to something that was not sent before.
    #[error("AMF3 reference {0} points nowhere")]
    Reference(u32),
    /// AMF3 back references that copy more text than an honest message would.
    #[error("AMF3 references copy more than {0} bytes")]
    TooMuchCopied(usize),
    /// An AMF3 object whose class wrote it in a form of its own.
    #[error("AMF3 externalizable object is not readable")]
    Externalizable,
    /// A message that must start with a string does not.
    #[error("no name at the start of the message")]
    NoName,
}
