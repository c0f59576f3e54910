//! Settings, limits and timeouts of the two sessions.

use std::time::Duration;

use crate::amf;
use crate::rtmp::chunk::ChunkLimits;
use crate::rtmp::handshake::DigestLayout;

/// Bounds that hold for either side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Bounds of the chunk layer.
    pub chunk: ChunkLimits,
    /// Bounds of AMF values.
    pub amf: amf::Limits,
    /// Message streams (`createStream`) per connection.
    pub message_streams_max: usize,
    /// From the first byte to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Server: from the handshake to a `publish` or `play`, and again after the last one ended or
    /// was refused; it stands still while the caller owes the peer an answer. Client: for each
    /// reply that it waits for.
    pub request_timeout: Duration,
    /// Server: nothing received for this long: a ping is sent. A client sends no pings, since
    /// not every server answers them.
    pub ping_after: Duration,
    /// Still nothing received this long after the ping: the peer is gone.
    pub ping_timeout: Duration,
    /// Whoever sends media (the publisher to a server, the server to a `play` client): from the
    /// accepted `publish` or `play` to the first media.
    pub first_media_timeout: Duration,
    /// Whoever sends media: between two media messages.
    pub media_idle_timeout: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            chunk: ChunkLimits::default(),
            amf: amf::Limits::default(),
            message_streams_max: 8,
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            ping_after: Duration::from_secs(15),
            ping_timeout: Duration::from_secs(15),
            first_media_timeout: Duration::from_secs(30),
            media_idle_timeout: Duration::from_secs(20),
        }
    }
}

/// Settings of a server session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// Bounds and timeouts.
    pub limits: SessionLimits,
    /// Chunk size that we send with, 128..=65536, announced before the first long reply. ffmpeg
    /// as a publisher takes it over for its own sending.
    pub chunk_size: u32,
    /// Window Acknowledgement Size that we announce, bytes.
    pub window_ack_size: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: SessionLimits::default(),
            chunk_size: 65_536,
            window_ack_size: 2_500_000,
        }
    }
}

/// What a client session wants of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRole {
    /// Push: send a live stream.
    Publish,
    /// Pull: receive a live stream.
    Play,
}

/// Settings of a client session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Publish or play.
    pub role: ClientRole,
    /// The application, without slashes at its ends.
    pub app: String,
    /// The stream key, with its query.
    pub stream_name: String,
    /// `rtmp://host[:port]/app`, without user and password.
    pub tc_url: String,
    /// `None`: the simple handshake.
    pub digest: Option<DigestLayout>,
    /// Chunk size that we send with (publish).
    pub chunk_size: u32,
    /// Bounds and timeouts.
    pub limits: SessionLimits,
}
