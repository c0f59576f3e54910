//! Settings of the server: what it listens on, its limits and its timers.

use std::net::SocketAddr;
use std::time::Duration;

use crate::broadcast::LogLimits;
use crate::rtmp::session;

/// Settings of the server. [`Config::default`] is what `serve` runs on without arguments.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses of the RTMP listeners.
    pub rtmp: Vec<SocketAddr>,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Chunk size, protocol limits and protocol timers.
    pub session: session::ServerConfig,
    /// Bounds of each live stream's log.
    pub log: LogLimits,
    /// When frames leave for the subscribers.
    pub flush: Flush,
    /// Who may take a name from a publisher that is still connected.
    pub takeover: Takeover,
    /// Bounds on connections.
    pub limits: ServerLimits,
    /// Timers above the protocol.
    pub timers: ServerTimers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rtmp: vec![SocketAddr::from(([0, 0, 0, 0], 1935))],
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            session: session::ServerConfig::default(),
            log: LogLimits::default(),
            flush: Flush::Video {
                audio_wait: Duration::from_millis(40),
            },
            takeover: Takeover::SameSource,
            limits: ServerLimits::default(),
            timers: ServerTimers::default(),
        }
    }
}

/// When frames leave for the subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Video at once; audio waits for the next video, at most this long. A third of the sends of
    /// a camera stream are saved and no picture is ever late.
    Video {
        /// Longest wait of audio, and of everything in a stream without video.
        audio_wait: Duration,
    },
    /// Every message at once.
    Now,
    /// Everything waits this long: for boxes at their limit.
    Every(Duration),
}

/// Who may take a name from a publisher that is still connected. Subscribers stay, and go on with
/// the new publisher's first keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// At once whoever comes from the same IP address with the same query: a camera that lost its
    /// power has left a connection behind that looks alive. Anybody else once the old publisher has
    /// been silent for [`ServerTimers::takeover_silence`].
    SameSource,
    /// Whoever comes last, at once.
    Always,
    /// Nobody: the old publisher has to end, vanish or time out.
    Never,
}

/// Bounds on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections of the whole server.
    pub connections_max: usize,
    /// Connections from one IP address.
    pub connections_per_address_max: usize,
    /// Replies that a peer asked for and does not read, bytes: beyond it we stop reading from it.
    pub reply_bytes_max: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connections_per_address_max: 20_000,
            reply_bytes_max: 256 * 1024,
        }
    }
}

/// Timers above the protocol; those of the protocol are in
/// [`SessionLimits`](session::SessionLimits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimers {
    /// How long a `play` waits for a live stream that is not there.
    pub play_wait: Duration,
    /// How long subscribers are kept when their publisher vanishes without a goodbye.
    pub publisher_grace: Duration,
    /// A publisher that was silent for this long loses its name to a new one, wherever that comes
    /// from.
    pub takeover_silence: Duration,
    /// A connection that takes none of the bytes that wait for it is closed after this.
    pub write_timeout: Duration,
    /// How long subscribers that lag when their live stream ends are sent the rest of it.
    pub drain_timeout: Duration,
    /// From our last byte to the peer's: time to read a goodbye before the socket is closed.
    pub close_timeout: Duration,
}

impl Default for ServerTimers {
    fn default() -> Self {
        Self {
            play_wait: Duration::from_secs(5),
            publisher_grace: Duration::from_secs(10),
            takeover_silence: Duration::from_secs(1),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(1),
        }
    }
}
