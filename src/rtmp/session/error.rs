//! Why a session cannot go on.

use crate::amf::AmfError;
use crate::rtmp::chunk::ChunkError;
use crate::rtmp::handshake::HandshakeError;

/// A fault that ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It is not RTMP.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The chunk layer cannot be read any further.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command's AMF cannot be read.
    #[error("command not readable: {0}")]
    Command(AmfError),
    /// The peer asked for chunks of 0 bytes.
    #[error("Set Chunk Size of 0")]
    ChunkSizeZero,
    /// The peer made us wait too long.
    #[error("{0}")]
    Timeout(TimerKind),
}

/// The timers of a session; `Display` says what the peer failed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimerKind {
    /// [`super::SessionLimits::handshake_timeout`]
    #[error("handshake not finished in time")]
    Handshake,
    /// Server: [`super::SessionLimits::request_timeout`]
    #[error("nothing requested in time")]
    Request,
    /// Client: [`super::SessionLimits::request_timeout`]; the session's state says what for.
    #[error("no answer in time")]
    Reply,
    /// [`super::SessionLimits::ping_timeout`]
    #[error("no sign of life: nothing received, ping not answered")]
    Ping,
    /// [`super::SessionLimits::first_media_timeout`]
    #[error("started, but sends no media")]
    FirstMedia,
    /// [`super::SessionLimits::media_idle_timeout`]
    #[error("stopped sending media")]
    MediaIdle,
}

impl TimerKind {
    /// Number of kinds.
    pub(super) const COUNT: usize = Self::ALL.len();

    /// Every kind, in the order of the discriminants.
    pub(super) const ALL: [Self; 6] = [
        Self::Handshake,
        Self::Request,
        Self::Reply,
        Self::Ping,
        Self::FirstMedia,
        Self::MediaIdle,
    ];
}
