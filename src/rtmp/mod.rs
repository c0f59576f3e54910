//! L1: the RTMP protocol as pure state machines: no socket, no clock, no thread.
//!
//! ```text
//! bytes ─► handshake ─► chunk::ChunkDecoder ─► Message ─► session ─► events
//! bytes ◄─ handshake ◄─ chunk::ChunkEncoder ◄─ Message ◄─ session ◄─ calls
//! ```
//! Audio and video bodies leave as bytes; what they mean is [`crate::media`]'s business.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod authentication;
pub mod chunk;
pub mod flight;
pub mod handshake;
pub mod message;
pub(crate) mod overheard;
pub mod session;
pub mod timestamp;
pub mod url;

/// The two kinds of media messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Message type 8.
    Audio,
    /// Message type 9.
    Video,
}
