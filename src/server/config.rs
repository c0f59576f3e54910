//! Settings of the server: what it listens on, its limits, its timers, and what holds for which live
//! streams.
//!
//! Plain values: where they come from (a file, the environment, the command line) is not known here.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::flight::FlightConfig;
use super::path_pattern::PathPattern;
use crate::broadcast::LogLimits;
use crate::http::api::ConfigReport;
use crate::http::guard::Reads;
use crate::media::flv::HevcForm;
use crate::net::socket::Liveness;
use crate::rtmp::session;

/// Settings of the server. [`Config::default`] is what `serve` runs on without arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses of the RTMP listeners. Not changed by a reload.
    pub rtmp: Vec<SocketAddr>,
    /// Addresses of the HTTP listeners. Not changed by a reload.
    pub http: Vec<SocketAddr>,
    /// Whether there is no start without HTTP even where nobody named an address for it: where
    /// [`http`](Self::http) is the default.
    pub needs_http: bool,
    /// Worker threads, at least 1. Not changed by a reload.
    pub workers: usize,
    /// Chunk size, protocol limits and protocol timers. The chunk size is not changed by a reload:
    /// frames are prepared for it, and subscribers have been told.
    pub session: session::ServerConfig,
    /// `rtmp://HOST[:PORT]`: where peers that can are asked to go on when the server stops.
    pub drain_to: Option<String>,
    /// Bounds on connections.
    pub limits: ServerLimits,
    /// Timers above the protocol.
    pub timers: ServerTimers,
    /// Who may use the API.
    pub api: ApiConfig,
    /// The settings as their configuration file has them, for who asks; of no effect. Empty if
    /// they come from elsewhere.
    pub report: Arc<ConfigReport>,
    /// When the kernel gives a silent peer up.
    pub liveness: Liveness,
    /// What is recorded of connections that end in an error. Not changed by a reload.
    pub flight: FlightConfig,
    /// The conversations of whoever has a live stream or an address that one of these matches are
    /// told in the log.
    pub trace: Vec<PathPattern>,
    /// What holds for every live stream that no rule of `paths` names.
    pub path: PathConfig,
    /// What holds for live streams by name, see [`Config::for_path`].
    pub paths: Vec<PathRule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rtmp: vec![SocketAddr::from(([0, 0, 0, 0], 1935))],
            http: vec![SocketAddr::from(([0, 0, 0, 0], 8080))],
            needs_http: false,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            session: session::ServerConfig::default(),
            drain_to: None,
            limits: ServerLimits::default(),
            timers: ServerTimers::default(),
            api: ApiConfig::default(),
            report: Arc::default(),
            liveness: Liveness::default(),
            flight: FlightConfig::default(),
            trace: Vec::new(),
            path: PathConfig::default(),
            paths: Vec::new(),
        }
    }
}

impl Config {
    /// What holds for the live stream `name` (`app/key`): the settings of the most specific rule
    /// that matches it, and of no other. Most specific is the pattern without `*`, else the one
    /// with the most characters besides `*`; of equals, the last one.
    ///
    /// Looks at every rule: to be asked once when a live stream or a wait for one begins.
    pub fn for_path(&self, name: &str) -> PathConfig {
        self.paths
            .iter()
            .filter(|rule| rule.pattern.matches(name))
            .max_by_key(|rule| rule.pattern.specificity())
            .map_or(self.path, |rule| rule.config)
    }
}

/// Who may use the API.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ApiConfig {
    /// Who has it may do everything; without one nobody may change anything.
    pub token: Option<String>,
    /// Who may read without it.
    pub reads: Reads,
}

/// Without the token, which is a secret.
impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("has_token", &self.token.is_some())
            .field("reads", &self.reads)
            .finish()
    }
}

/// What holds for the live streams that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRule {
    /// Which live streams.
    pub pattern: PathPattern,
    /// Everything that holds for them.
    pub config: PathConfig,
}

/// Settings that may differ from live stream to live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathConfig {
    /// When frames leave for the subscribers.
    pub flush: Flush,
    /// [`Flush::Video`]: longest wait of audio for the next video, and of everything in a live
    /// stream without video.
    pub audio_wait: Duration,
    /// Bounds of the log on each worker.
    pub log: LogLimits,
    /// How long a `play` waits for the live stream when it is not there.
    pub play_wait: Duration,
    /// How long subscribers are kept when their publisher vanishes without a goodbye.
    pub publisher_grace: Duration,
    /// Who may take the name of a publisher that is still there.
    pub takeover: Takeover,
    /// A publisher that was silent for this long loses its name to a new one, wherever that comes
    /// from.
    pub takeover_silence: Duration,
    /// The form of HEVC for subscribers that did not say which they read; `None`: as it was sent.
    pub hevc: Option<HevcForm>,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            flush: Flush::Video,
            audio_wait: Duration::from_millis(40),
            log: LogLimits::default(),
            play_wait: Duration::from_secs(5),
            publisher_grace: Duration::from_secs(10),
            takeover: Takeover::SameSource,
            takeover_silence: Duration::from_secs(1),
            hevc: None,
        }
    }
}

/// When frames leave for the subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Video at once; audio waits for the next video, at most [`PathConfig::audio_wait`]. A third
    /// of the sends of a camera stream are saved and no picture is ever late.
    Video,
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
    /// been silent for [`PathConfig::takeover_silence`].
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
    /// Unsent bytes that a subscriber's socket may hold (`TCP_NOTSENT_LOWAT`): what it lags beyond
    /// stays in the log, where it can be skipped. 128 KiB = 0.5 s at 2 Mbit/s.
    pub unsent_bytes_max: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connections_per_address_max: 20_000,
            reply_bytes_max: 256 * 1024,
            unsent_bytes_max: 128 * 1024,
        }
    }
}

/// Timers above the protocol; those of the protocol are in
/// [`SessionLimits`](session::SessionLimits), those of a live stream in [`PathConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimers {
    /// A connection that takes none of the bytes that wait for it is closed after this.
    pub write_timeout: Duration,
    /// How long subscribers that lag when their live stream ends are sent the rest of it.
    pub drain_timeout: Duration,
    /// From our last byte to the peer's: time to read a goodbye before the socket is closed.
    pub close_timeout: Duration,
    /// From the order to stop until whoever is still there is left.
    pub shutdown_timeout: Duration,
}

impl Default for ServerTimers {
    fn default() -> Self {
        Self {
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(1),
            shutdown_timeout: Duration::from_secs(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(patterns: &[&str]) -> Config {
        let rule = |(index, pattern): (usize, &&str)| PathRule {
            pattern: PathPattern::parse(pattern).expect("a pattern"),
            config: PathConfig {
                play_wait: Duration::from_secs(100 + index as u64),
                ..PathConfig::default()
            },
        };
        Config {
            paths: patterns.iter().enumerate().map(rule).collect(),
            ..Config::default()
        }
    }

    #[test]
    fn the_most_specific_rule_counts() {
        // What holds outside of the rules is shown as `None`.
        for (patterns, name, expected) in [
            (&[][..], "live/cam", None),
            (&["live/*"], "other/cam", None),
            (&["live/*"], "live/cam", Some(0)),
            (&["live/cam", "live/*"], "live/cam", Some(0)),
            (&["*", "live/*", "*/cam"], "live/cam", Some(1)),
            (&["live/*", "*/came"], "live/came", Some(1)),
            (&["live/c*m1", "live/cam*"], "live/cam1", Some(1)),
            // Of equals, the last one.
            (&["live/*", "*/cam1", "*/?am1"], "live/cam1", Some(1)),
            (&["*e/cam", "live/*"], "live/cam", Some(1)),
            (&["live/*", "*e/cam"], "live/cam", Some(1)),
            // Exact goes before longer.
            (&["live/cam", "*l*i*v*e*/*c*a*m*"], "live/cam", Some(0)),
        ] {
            let got = config(patterns).for_path(name).play_wait.as_secs();
            let expected = expected.map_or(5, |index| 100 + index);
            assert_eq!(got, expected, "{name} by {patterns:?}");
        }
    }
}
