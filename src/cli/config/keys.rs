//! The table of settings. Reading the file, the environment and the command line, checking, and
//! `config show` all go by it: a new setting is one more entry here.

use super::field::{DAY_MS, Field, Given, Span, Whole};
use crate::rtmp::url::RtmpUrl;
use crate::server::{Config, PathConfig};

/// A setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Its section of the file; empty: before all sections. In a section for live streams it goes
    /// by its name alone.
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// What it is, in a sentence.
    pub(super) about: &'static str,
    pub(super) place: Place,
    /// A reload does not change it.
    pub(super) is_fixed: bool,
}

/// Whether a setting may differ from live stream to live stream.
#[derive(Debug)]
pub(super) enum Place {
    Server(Field<Config>),
    Path(Field<PathConfig>),
}

impl Key {
    const fn server(
        section: &'static str,
        name: &'static str,
        field: Field<Config>,
        about: &'static str,
    ) -> Self {
        Self {
            section,
            name,
            about,
            place: Place::Server(field),
            is_fixed: false,
        }
    }

    /// As [`Self::server`], for what a running server keeps.
    const fn fixed(
        section: &'static str,
        name: &'static str,
        field: Field<Config>,
        about: &'static str,
    ) -> Self {
        Self {
            is_fixed: true,
            ..Self::server(section, name, field, about)
        }
    }

    const fn path(
        section: &'static str,
        name: &'static str,
        field: Field<PathConfig>,
        about: &'static str,
    ) -> Self {
        Self {
            section,
            name,
            about,
            place: Place::Path(field),
            is_fixed: false,
        }
    }

    /// `timers.play_wait`
    pub(super) fn full_name(&self) -> String {
        match self.section {
            "" => self.name.to_owned(),
            section => format!("{section}.{}", self.name),
        }
    }

    /// `MILLSTREAM_TIMERS_PLAY_WAIT`
    pub(super) fn environment_name(&self) -> String {
        let name = self.full_name().replace('.', "_");
        format!("MILLSTREAM_{}", name.to_ascii_uppercase())
    }

    /// Sets it for all live streams.
    pub(super) fn set(&self, config: &mut Config, given: &Given) -> Result<(), String> {
        match &self.place {
            Place::Server(field) => field.set(config, given),
            Place::Path(field) => field.set(&mut config.path, given),
        }
    }

    /// The value that holds for all live streams, as TOML.
    pub(super) fn toml(&self, config: &mut Config) -> String {
        match &self.place {
            Place::Server(field) => field.toml(config),
            Place::Path(field) => field.toml(&mut config.path),
        }
    }

    /// Whether its value is a secret that is set, and is not to be shown.
    pub(super) fn is_hidden(&self, config: &mut Config) -> bool {
        match &self.place {
            Place::Server(Field::Secret(lens, _)) => lens(config).is_some(),
            _ => false,
        }
    }

    /// See [`Field::bounds`].
    pub(super) fn bounds(&self) -> Option<(String, String)> {
        match &self.place {
            Place::Server(field) => field.bounds(),
            Place::Path(field) => field.bounds(),
        }
    }
}

/// The sections with keys of their own, in the order of `config show`.
pub(super) const SECTIONS: [&str; 3] = ["", "limits", "timers"];

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// `rtmp://HOST[:PORT]` and no path: that stays each client's own.
fn rtmp_server(text: &str) -> Result<(), String> {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    if authority.contains('/') || RtmpUrl::parse(&format!("{text}/app/key")).is_err() {
        return Err(format!("\"rtmp://HOST[:PORT]\" is expected, not {text:?}"));
    }
    Ok(())
}

/// What a header can carry (RFC 6750 §2.1, and some more), too long to be guessed.
fn api_token(text: &str) -> Result<(), String> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    match (16..=256).contains(&text.len()) && is_visible {
        true => Ok(()),
        false => Err("a token of 16 to 256 visible ASCII characters is expected".to_owned()),
    }
}

/// Every setting, in the order of `config show`: by sections.
pub(super) static KEYS: &[Key] = &[
    Key::fixed(
        "",
        "rtmp",
        Field::Addresses(|config| &mut config.rtmp, 1),
        "Addresses and ports to take RTMP on, each \"ADDRESS:PORT\".",
    ),
    Key::fixed(
        "",
        "http",
        Field::Addresses(|config| &mut config.http, 0),
        "Addresses and ports to take HTTP on, for pages, players and the API; [] for none.",
    ),
    Key::fixed(
        "",
        "workers",
        Field::Count(Whole::Usize(|config| &mut config.workers), 1, 256),
        "Worker threads; the default is one per core.",
    ),
    Key::fixed(
        "",
        "chunk_size",
        Field::Size(
            Whole::U32(|config| &mut config.session.chunk_size),
            128,
            65_536,
        ),
        "Chunk size that we send with.",
    ),
    Key::server(
        "",
        "window_ack_size",
        Field::Size(
            Whole::U32(|config| &mut config.session.window_ack_size),
            10_000,
            GIB,
        ),
        "Window Acknowledgement Size that we announce: how much a peer sends or receives between \
         two acknowledgements.",
    ),
    Key::server(
        "",
        "drain_to",
        Field::Text(|config| &mut config.drain_to, rtmp_server),
        "The server to which peers that understand it (Enhanced RTMP, Reconnect Request) are sent \
         when this one stops, \"rtmp://HOST[:PORT]\"; \"\": none, their streams end.",
    ),
    Key::path(
        "",
        "flush",
        Field::Flush(|path| &mut path.flush),
        "When frames leave for the players: \"video\" (video at once, audio waits for it), \"now\" \
         (each at once) or a time that everything waits, such as \"100ms\" (the least CPU).",
    ),
    Key::path(
        "",
        "audio_wait",
        Field::Time(Span::Duration(|path| &mut path.audio_wait), 1, 10_000),
        "With flush \"video\": longest wait of audio, and of all of a stream without video.",
    ),
    Key::path(
        "",
        "takeover",
        Field::Takeover(|path| &mut path.takeover),
        "Who may take a name whose publisher is still connected: \"same-source\" (at once whoever \
         comes from its address with its query, anybody after timers.takeover_silence), \"always\" \
         or \"never\".",
    ),
    Key::path(
        "",
        "hevc",
        Field::Hevc(|path| &mut path.hevc),
        "The form of HEVC for players that did not say which they read: \"as-sent\", \"hvc1\" \
         (Enhanced RTMP) or \"codec-12\" (as many cameras have it).",
    ),
    Key::fixed(
        "",
        "flight",
        Field::Text(|config| &mut config.flight.folder, |_| Ok(())),
        "Folder for recordings of connections that end in an error, with all their bytes, keys \
         included; \"\" records nothing. millstream replay FILE tells what happened.",
    ),
    Key::server(
        "",
        "trace",
        Field::Patterns(|config| &mut config.trace),
        "Whose conversations the log tells, step by step and with a verdict: patterns for APP/KEY or \
         for the peer's address, such as [\"live/door\", \"192.0.2.*\"]; \"*\" tells all.",
    ),
    Key::server(
        "",
        "api_token",
        Field::Secret(|config| &mut config.api.token, api_token),
        "Who has this token may read everything under /api/v1 and change something there (kick, \
         drain), with the header Authorization: Bearer TOKEN; 16 to 256 visible characters; \"\": \
         nobody may change anything.",
    ),
    Key::server(
        "",
        "api_read",
        Field::Reads(|config| &mut config.api.reads),
        "Who may read under /api/v1 without the token: \"loopback\" (programs and browsers on this \
         machine), \"anybody\" or \"nobody\".",
    ),
    Key::server(
        "limits",
        "connections_max",
        Field::Count(
            Whole::Usize(|config| &mut config.limits.connections_max),
            1,
            1_000_000,
        ),
        "Connections of the whole server.",
    ),
    Key::server(
        "limits",
        "connections_per_address_max",
        Field::Count(
            Whole::Usize(|config| &mut config.limits.connections_per_address_max),
            1,
            1_000_000,
        ),
        "Connections from one IP address.",
    ),
    Key::path(
        "limits",
        "log_bytes_max",
        Field::Size(
            Whole::Usize(|path| &mut path.log.bytes_max),
            65_536,
            2 * GIB,
        ),
        "Frames kept of a live stream, on each worker with players for it.",
    ),
    Key::path(
        "limits",
        "log_age_max",
        Field::Time(
            Span::Milliseconds(|path| &mut path.log.age_ms_max),
            100,
            DAY_MS,
        ),
        "How far a player may lag before it skips to the latest keyframe.",
    ),
    Key::server(
        "limits",
        "message_size_max",
        Field::Size(
            Whole::Usize(|config| &mut config.session.limits.chunk.message_size_max),
            1024,
            0xFF_FFFF,
        ),
        "Largest message, such as a keyframe.",
    ),
    Key::server(
        "limits",
        "partial_bytes_max",
        Field::Size(
            Whole::Usize(|config| &mut config.session.limits.chunk.partial_bytes_max),
            1024,
            GIB,
        ),
        "Half-received messages of one connection, together.",
    ),
    Key::server(
        "limits",
        "chunk_streams_max",
        Field::Count(
            Whole::Usize(|config| &mut config.session.limits.chunk.chunk_streams_max),
            4,
            65_598,
        ),
        "Chunk streams of one connection.",
    ),
    Key::server(
        "limits",
        "message_streams_max",
        Field::Count(
            Whole::Usize(|config| &mut config.session.limits.message_streams_max),
            1,
            1024,
        ),
        "Message streams of one connection.",
    ),
    Key::server(
        "limits",
        "amf_depth_max",
        Field::Count(
            Whole::Usize(|config| &mut config.session.limits.amf.depth_max),
            2,
            64,
        ),
        "Nested values in one command or metadata message.",
    ),
    Key::server(
        "limits",
        "amf_values_max",
        Field::Count(
            Whole::Usize(|config| &mut config.session.limits.amf.values_max),
            64,
            1_000_000,
        ),
        "Values in one command or metadata message.",
    ),
    Key::server(
        "limits",
        "reply_bytes_max",
        Field::Size(
            Whole::Usize(|config| &mut config.limits.reply_bytes_max),
            4096,
            64 * MIB,
        ),
        "Replies that a peer does not read: beyond it we read nothing from it.",
    ),
    Key::server(
        "limits",
        "unsent_bytes_max",
        Field::Size(
            Whole::U32(|config| &mut config.limits.unsent_bytes_max),
            4096,
            64 * MIB,
        ),
        "Unsent bytes in a socket (TCP_NOTSENT_LOWAT); the rest stays in the log, where it can be \
         skipped.",
    ),
    Key::fixed(
        "limits",
        "flight_bytes_max",
        Field::Size(
            Whole::Usize(|config| &mut config.flight.bytes_max),
            MIB,
            16 * GIB,
        ),
        "Memory for recording, all connections together; up to 512 KiB for each.",
    ),
    Key::fixed(
        "limits",
        "flight_files_max",
        Field::Count(
            Whole::Usize(|config| &mut config.flight.files_max),
            1,
            100_000,
        ),
        "Recordings kept; the oldest are removed.",
    ),
    Key::fixed(
        "limits",
        "flight_folder_bytes_max",
        Field::Size(
            Whole::Usize(|config| &mut config.flight.folder_bytes_max),
            MIB,
            1024 * GIB,
        ),
        "Bytes of all recordings that are kept.",
    ),
    Key::server(
        "timers",
        "handshake_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.session.limits.handshake_timeout),
            100,
            DAY_MS,
        ),
        "From the connection to the end of the handshake.",
    ),
    Key::server(
        "timers",
        "request_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.session.limits.request_timeout),
            100,
            DAY_MS,
        ),
        "From the handshake to a publish or play.",
    ),
    Key::server(
        "timers",
        "first_media_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.session.limits.first_media_timeout),
            100,
            DAY_MS,
        ),
        "From the publish to the first audio or video.",
    ),
    Key::server(
        "timers",
        "media_idle_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.session.limits.media_idle_timeout),
            100,
            DAY_MS,
        ),
        "A publisher that sends no audio or video for this long has vanished.",
    ),
    Key::server(
        "timers",
        "ping_after",
        Field::Time(
            Span::Duration(|config| &mut config.session.limits.ping_after),
            100,
            DAY_MS,
        ),
        "Silence after which a peer is sent a ping.",
    ),
    Key::server(
        "timers",
        "ping_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.session.limits.ping_timeout),
            100,
            DAY_MS,
        ),
        "From a ping to any sign of life.",
    ),
    Key::path(
        "timers",
        "play_wait",
        Field::Time(Span::Duration(|path| &mut path.play_wait), 0, DAY_MS),
        "How long a player waits for a stream that nobody publishes yet.",
    ),
    Key::path(
        "timers",
        "publisher_grace",
        Field::Time(Span::Duration(|path| &mut path.publisher_grace), 0, DAY_MS),
        "How long players are kept when their publisher vanishes without a goodbye.",
    ),
    Key::path(
        "timers",
        "takeover_silence",
        Field::Time(Span::Duration(|path| &mut path.takeover_silence), 0, DAY_MS),
        "With takeover \"same-source\": a publisher that was silent for this long loses its name \
         to anybody.",
    ),
    Key::server(
        "timers",
        "write_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.timers.write_timeout),
            100,
            DAY_MS,
        ),
        "A peer that takes none of the bytes that wait for it is closed.",
    ),
    Key::server(
        "timers",
        "drain_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.timers.drain_timeout),
            0,
            DAY_MS,
        ),
        "How long players that lag are sent the rest of a stream that has ended.",
    ),
    Key::server(
        "timers",
        "close_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.timers.close_timeout),
            0,
            60_000,
        ),
        "Time for a peer to read our goodbye.",
    ),
    Key::server(
        "timers",
        "shutdown_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.timers.shutdown_timeout),
            0,
            60_000,
        ),
        "From the order to stop until whoever is still there is left.",
    ),
    Key::server(
        "timers",
        "tcp_user_timeout",
        Field::Time(
            Span::Duration(|config| &mut config.liveness.user_timeout),
            1000,
            DAY_MS,
        ),
        "A peer whose system does not acknowledge what we sent is gone (TCP_USER_TIMEOUT).",
    ),
    Key::server(
        "timers",
        "tcp_keepalive_after",
        Field::Time(
            Span::Duration(|config| &mut config.liveness.keepalive_after),
            1000,
            32_767_000,
        ),
        "Silence before the system's first keepalive probe; whole seconds.",
    ),
    Key::server(
        "timers",
        "tcp_keepalive_interval",
        Field::Time(
            Span::Duration(|config| &mut config.liveness.keepalive_interval),
            1000,
            32_767_000,
        ),
        "Between two keepalive probes; whole seconds.",
    ),
    Key::server(
        "timers",
        "tcp_keepalive_probes",
        Field::Count(
            Whole::U32(|config| &mut config.liveness.keepalive_probes),
            1,
            127,
        ),
        "Keepalive probes without an answer after which a peer is gone.",
    ),
];
