//! The shapes of the API's JSON, and the OpenAPI document that describes them.
//!
//! Plain data without knowledge of the server: whoever has the facts fills these in. Names of
//! fields are the keys, and stable; a field that is not known is `null`, never left out, so that a
//! page can rely on what is there. Times are milliseconds since 1970 (`_unix_ms`), spans carry
//! their unit, rates are bits a second. The tests hold [`OPENAPI`] against these types and against
//! the running server.

use serde::{Deserialize, Serialize};

/// The description of everything under `/api/v1`: OpenAPI 3.1 as JSON.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Seconds of bitrate that a [`StreamReport`] remembers.
pub const BITRATE_SECONDS: usize = 60;

/// Answer of `GET /api/v1/server`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServerReport {
    /// `millstream`.
    pub software: String,
    /// As `millstream --version` has it.
    pub version: String,
    /// The server's own clock, so that ages can be told whatever the client's clock says.
    pub now_unix_ms: u64,
    /// When it started.
    pub started_unix_ms: u64,
    /// Whether it takes anybody new.
    pub state: ServerState,
    /// Worker threads.
    pub workers: u64,
    /// Where it listens.
    pub listeners: Vec<ListenerReport>,
    /// Live streams with a publisher.
    pub live_streams: u64,
    /// Publishers.
    pub publishers: u64,
    /// Subscribers, by any protocol.
    pub subscribers: u64,
    /// Open connections.
    pub connections: u64,
    /// The most that there may be.
    pub connections_max: u64,
    /// Bytes received since the start.
    pub bytes_received: u64,
    /// Bytes sent since the start.
    pub bytes_sent: u64,
    /// Received over the last seconds, bits a second.
    pub bitrate_in: u64,
    /// Sent over the last seconds, bits a second.
    pub bitrate_out: u64,
    /// Bytes of memory in use, as the system counts them; `null` where it does not say.
    pub resident_bytes: Option<u64>,
}

/// Whether the server takes anybody new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// It does.
    Serving,
    /// It waits for those that are left, and ends.
    Draining,
}

/// An address where the server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListenerReport {
    /// `rtmp` or `http`.
    pub protocol: String,
    /// Address and port.
    pub address: String,
}

/// Answer of `GET /api/v1/streams`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamsReport {
    /// The server's own clock.
    pub now_unix_ms: u64,
    /// All live streams, by name.
    pub streams: Vec<StreamReport>,
}

/// Answer of `GET /api/v1/stream?name=APP/KEY`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamDetailReport {
    /// The server's own clock.
    pub now_unix_ms: u64,
    /// As in the list of all.
    pub stream: StreamReport,
    /// Who receives it, the one with the largest lag first.
    pub subscribers: Vec<SubscriberReport>,
}

/// A live stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamReport {
    /// `APP/KEY`, as it was published. It may hold any character but control characters.
    pub name: String,
    /// Whether pictures come.
    pub state: StreamState,
    /// When it was published first; a publisher that came back in time did not begin it anew.
    pub started_unix_ms: u64,
    /// Who feeds it; `null` while that is awaited.
    pub publisher: Option<PublisherReport>,
    /// Video tracks; more than one only with Multitrack of Enhanced RTMP.
    pub video: Vec<VideoReport>,
    /// Audio tracks.
    pub audio: Vec<AudioReport>,
    /// All tracks together over the last second, bits a second.
    pub bitrate: u64,
    /// The same for each of the last [`BITRATE_SECONDS`] whole seconds, the oldest first; shorter
    /// for a young stream.
    pub bitrate_history: Vec<u64>,
    /// What was wrong with its timestamps since it started.
    pub timestamps: TimestampReport,
    /// Rules that its publisher broke, in order of their first time.
    pub notes: Vec<NoteReport>,
    /// How well it is.
    pub health: HealthReport,
    /// How many receive it, by any protocol.
    pub subscriber_count: u64,
    /// Where the pages are, and in which forms it can be had.
    pub links: LinkReport,
    /// The forms, with what each has to leave out.
    pub outputs: Vec<OutputReport>,
}

/// Whether pictures come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// They do.
    Live,
    /// The publisher is connected, and nothing came for some seconds.
    Silent,
    /// The publisher vanished without a goodbye, and may come back.
    Waiting,
}

/// Who feeds a live stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublisherReport {
    /// Its connection: what `kick` takes.
    pub connection: u64,
    /// Address and port.
    pub address: String,
    /// `rtmp`
    pub protocol: String,
    /// What it calls itself, as it says.
    pub software: Option<String>,
    /// When it connected.
    pub connected_unix_ms: u64,
    /// Bytes received from it.
    pub bytes_received: u64,
    /// How often this live stream got a new publisher in the last hour.
    pub reconnects_last_hour: u64,
}

/// A video track.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoReport {
    /// Its number; 0 outside Multitrack.
    pub track: u8,
    /// Its name, such as `H.264`.
    pub codec: String,
    /// As browsers want it (RFC 6381), such as `avc1.640028`.
    pub codec_string: Option<String>,
    /// Such as `High`.
    pub profile: Option<String>,
    /// Such as `4.0`.
    pub level: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Frames a second, measured by the timestamps of the last seconds.
    pub frame_rate: Option<f64>,
    /// Frames a second, as the metadata promise.
    pub frame_rate_declared: Option<f64>,
    /// Seconds from keyframe to keyframe: the last group of pictures that is whole.
    pub gop_seconds: Option<f64>,
    /// Its frames.
    pub gop_frames: Option<u64>,
    /// The longest one so far, seconds.
    pub gop_seconds_max: Option<f64>,
    /// Over the last seconds, bits a second.
    pub bitrate: u64,
    /// Frames since the live stream started.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
}

/// An audio track.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioReport {
    /// Its number; 0 outside Multitrack.
    pub track: u8,
    /// Its name, such as `AAC`.
    pub codec: String,
    /// As browsers want it (RFC 6381), such as `mp4a.40.2`.
    pub codec_string: Option<String>,
    /// Such as `LC`.
    pub profile: Option<String>,
    /// Hz.
    pub sample_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u32>,
    /// Over the last seconds, bits a second.
    pub bitrate: u64,
    /// Frames since the live stream started.
    pub frames: u64,
}

/// What was wrong with timestamps, and was put right before anybody saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TimestampReport {
    /// Steps too large to be true.
    pub jumps: u64,
    /// The largest of them, milliseconds; negative: back.
    pub jump_largest_ms: i64,
    /// Steps back.
    pub backward_steps: u64,
    /// Pauses in the sound.
    pub audio_gaps: u64,
}

/// A rule that a peer broke while it was served all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoteReport {
    /// Its name, which does not change: lower-case words with hyphens.
    pub id: String,
    /// For a person.
    pub text: String,
    /// How often.
    pub count: u64,
}

/// How well a live stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// 100: nothing to complain of. 0: nobody can watch it. 100 less the costs of all reasons.
    pub score: u8,
    /// Why it is not 100, the costliest first.
    pub reasons: Vec<HealthReason>,
}

/// Something that takes points off the health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReason {
    /// `silent`, `frame-rate-jitter`, `gop-too-long`, `timestamp-jumps`, `bitrate-collapse`,
    /// `audio-gaps`, `audio-silent`, `reconnects`.
    pub id: String,
    /// For a person, with the numbers: what is so, and what to try.
    pub text: String,
    /// Points, 1..=100.
    pub cost: u8,
}

/// Paths at this server, percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkReport {
    /// The page.
    pub watch: String,
    /// The latest keyframe as MP4.
    pub still: String,
}

/// A form in which a live stream can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputReport {
    /// Which one.
    pub kind: OutputKind,
    /// Its path, percent-encoded. FLV and fMP4 answer a WebSocket there, too.
    pub path: String,
    /// As `MediaSource.isTypeSupported` wants it, such as
    /// `video/mp4; codecs="avc1.640028,mp4a.40.2"`; `null` while the codecs are not known, and
    /// when nothing is left.
    pub mime_type: Option<String>,
    /// What it cannot take.
    pub left_out: Vec<LeftOutReport>,
    /// How many receive it in this form.
    pub subscriber_count: u64,
}

/// The forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// FLV without end.
    Flv,
    /// Fragmented MP4 without end, one fragment for each frame.
    Mp4,
    /// A playlist of fragmented MP4.
    Hls,
}

/// A track that a form cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutReport {
    /// `video` or `audio`.
    pub track: String,
    /// Its codec.
    pub codec: String,
    /// Why, for a person.
    pub reason: String,
}

/// Who receives a live stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriberReport {
    /// Its connection: what `kick` takes.
    pub connection: u64,
    /// Address and port.
    pub address: String,
    /// `rtmp`, `http-flv`, `ws-flv`, `http-mp4`, `ws-mp4` or `hls`.
    pub protocol: String,
    /// What it calls itself, as it says.
    pub software: Option<String>,
    /// When it connected.
    pub connected_unix_ms: u64,
    /// How far it is behind what is published, milliseconds of stream time.
    pub lag_ms: u64,
    /// Bytes that wait for it.
    pub lag_bytes: u64,
    /// Bytes sent to it.
    pub bytes_sent: u64,
    /// How often it was too slow and jumped to a later keyframe.
    pub skips: u64,
    /// Frames that it missed by that.
    pub frames_skipped: u64,
}

/// Answer of `GET /api/v1/connections`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionsReport {
    /// The server's own clock.
    pub now_unix_ms: u64,
    /// All connections, the oldest first.
    pub connections: Vec<ConnectionReport>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// Its number, never used again: what `kick` takes.
    pub id: u64,
    /// Address and port.
    pub address: String,
    /// `rtmp`, `http` or `ws`.
    pub protocol: String,
    /// What it is here for.
    pub role: ConnectionRole,
    /// The live stream that it publishes or receives.
    pub live_stream: Option<String>,
    /// What it calls itself, as it says.
    pub software: Option<String>,
    /// When it connected.
    pub connected_unix_ms: u64,
    /// The worker that serves it.
    pub worker: u64,
    /// Bytes received from it.
    pub bytes_received: u64,
    /// Bytes sent to it.
    pub bytes_sent: u64,
    /// Rules that it broke.
    pub notes: Vec<NoteReport>,
}

/// What a connection is here for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionRole {
    /// It has not said.
    Idle,
    /// It publishes.
    Publisher,
    /// It receives a live stream, or waits for one.
    Subscriber,
    /// It asks for pages, or through this API.
    Web,
}

/// Answer of `GET /api/v1/config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConfigReport {
    /// All settings in force, in the order of `millstream config show`. Secrets show as `***`.
    pub settings: Vec<SettingReport>,
    /// Sections for live streams by name.
    pub paths: Vec<PathReport>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingReport {
    /// Section and name, such as `timers.play_wait`.
    pub key: String,
    /// As a configuration file would have it.
    pub value: String,
    /// The same by default.
    pub default: String,
    /// Where it comes from: `default`, or the place for a person.
    pub source: String,
}

/// Settings of the live streams that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathReport {
    /// Such as `live/*`.
    pub pattern: String,
    /// Those that the section has.
    pub settings: Vec<SettingReport>,
}

/// Body of `POST /api/v1/kick`: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KickRequest {
    /// Closes this connection.
    #[serde(default)]
    pub connection: Option<u64>,
    /// Closes the publisher of this live stream, which ends.
    #[serde(default)]
    pub live_stream: Option<String>,
}

/// What a [`KickRequest`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kick {
    /// This connection.
    Connection(u64),
    /// The publisher of this live stream.
    LiveStream(String),
}

impl KickRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`], also when it names both or none.
    pub fn read(body: &[u8]) -> Result<Kick, BodyError> {
        let request: Self = read_object(body)?;
        match (request.connection, request.live_stream) {
            (Some(connection), None) => Ok(Kick::Connection(connection)),
            (None, Some(live_stream)) => Ok(Kick::LiveStream(live_stream)),
            _ => Err(BodyError::NotOne),
        }
    }
}

/// Answer of `POST /api/v1/kick`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KickReport {
    /// The connection that is being closed.
    pub connection: u64,
}

/// Body of `POST /api/v1/drain`; it may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// After this many seconds those that are left are closed.
    #[serde(default)]
    pub deadline_seconds: Option<u32>,
}

impl DrainRequest {
    /// Reads a body; an empty one asks for nothing special.
    ///
    /// # Errors
    /// [`BodyError`]
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        match body.trim_ascii() {
            [] => Ok(Self::default()),
            body => read_object(body),
        }
    }
}

/// Why the body of a request is refused, with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, or not an object.
    #[error("the body is not a JSON object")]
    NotObject,
    /// A field that is not described, or a value of another type.
    #[error("the body has a field that is not known here, or a value of the wrong type")]
    Field,
    /// Not exactly one of `connection` and `live_stream`.
    #[error("the body has to name a connection or a live_stream, and not both")]
    NotOne,
}

/// Derived readers take an array for an object; the API does not.
fn read_object<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, BodyError> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|_| BodyError::NotObject)?;
    serde_json::from_value(object.into()).map_err(|_| BodyError::Field)
}

/// Answer of `POST /api/v1/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrainReport {
    /// Connections that are left.
    pub connections: u64,
    /// After this many seconds they are closed.
    pub deadline_seconds: u32,
}

/// Answer of everything under `/api` that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorReport {
    /// The status code.
    pub status: u16,
    /// What is wrong, for a person.
    pub error: String,
}
