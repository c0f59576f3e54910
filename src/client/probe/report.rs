//! What a probe found. In JSON the keys are the names of the fields; they are stable.

use serde::Serialize;

use super::notes::NoteReport;
use super::tally::Tally;

/// What a probe found. What is not known is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeReport {
    /// What was asked for, without a password.
    pub url: String,
    /// Who answered.
    pub server: ServerReport,
    /// The steps of the conversation, in order; a step may have been taken several times.
    pub steps: Vec<StepReport>,
    /// When what came first.
    pub first: FirstReport,
    /// From the first metadata or media to the end, seconds on the clock.
    pub seconds: f64,
    /// Why it ended: `duration`, `stopped`, `unpublished`, `stream stopped`, `server closed`, or
    /// what the connection failed with.
    pub ended: String,
    /// What the stream is.
    #[serde(flatten)]
    pub stream: StreamReport,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerReport {
    /// Address and port.
    pub address: String,
    /// What it calls itself.
    pub software: Option<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// 1 TCP connect, 2 handshake, 3 metadata, 4 audio and video, 5 close.
    pub number: u8,
    /// What happened.
    pub text: String,
    /// How long it took, milliseconds.
    pub ms: f64,
}

/// Milliseconds from the start of the TCP connection, the name's lookup included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct FirstReport {
    /// To the first metadata.
    pub metadata_ms: Option<f64>,
    /// To the first frame, audio or video.
    pub frame_ms: Option<f64>,
    /// To the first keyframe.
    pub keyframe_ms: Option<f64>,
}

/// What the stream is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamReport {
    /// What the latest metadata say.
    pub metadata: Option<MetadataReport>,
    /// Video tracks; more than one only with Multitrack.
    pub video: Vec<VideoReport>,
    /// Audio tracks.
    pub audio: Vec<AudioReport>,
    /// How the first tracks of both kinds lie to each other.
    pub sync: Option<SyncReport>,
    /// Data messages besides metadata.
    pub data_messages: u64,
    /// What is odd.
    pub notes: Vec<NoteReport>,
}

/// What metadata say, right or wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MetadataReport {
    /// How often metadata came.
    pub count: u64,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Frames a second.
    pub frame_rate: Option<f64>,
    /// The codec's name.
    pub video_codec: Option<String>,
    /// The codec's name.
    pub audio_codec: Option<String>,
    /// Hz.
    pub sample_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u32>,
    /// kbit/s.
    pub video_kbps: Option<f64>,
    /// kbit/s.
    pub audio_kbps: Option<f64>,
    /// The program that made the stream.
    pub encoder: Option<String>,
}

/// A video track.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoReport {
    /// Its number; 0 outside Multitrack.
    pub track: u8,
    /// Its name, such as `H.264`.
    pub codec: String,
    /// How the messages name it: `codec id 7`, or a FourCC such as `hvc1`.
    pub tag: String,
    /// Such as `High`.
    pub profile: Option<String>,
    /// Such as `4.1`.
    pub level: Option<String>,
    /// HEVC: `Main` or `High`.
    pub tier: Option<&'static str>,
    /// Pixels, by the parameter sets.
    pub width: Option<u32>,
    /// Pixels, by the parameter sets.
    pub height: Option<u32>,
    /// `monochrome`, `4:2:0`, `4:2:2`, `4:4:4`.
    pub chroma: Option<&'static str>,
    /// Bits of a luma sample.
    pub bit_depth: Option<u8>,
    /// Frames a second, from three sources.
    pub frame_rate: FrameRateReport,
    /// Frames that came.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// From keyframe to keyframe; null with less than two keyframes.
    pub gop: Option<GopReport>,
    /// The last keyframe and what came behind it: with `gop` null, groups are longer than this.
    pub frames_since_keyframe: Option<u64>,
    /// Whether frames are shown in another order than they come.
    pub has_b_frames: bool,
    /// By how many frames output lags behind decoding.
    pub reorder_frames: usize,
    /// How many bits a second.
    pub bitrate: BitrateReport,
    /// Sequence headers.
    pub sequence_headers: HeaderReport,
    /// How its timestamps advance.
    pub timestamps: TimestampReport,
}

/// An audio track.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioReport {
    /// Its number; 0 outside Multitrack.
    pub track: u8,
    /// Its name, such as `AAC`.
    pub codec: String,
    /// How the messages name it: `sound format 10`, or a FourCC such as `Opus`.
    pub tag: String,
    /// Such as `LC`.
    pub profile: Option<String>,
    /// Hz.
    pub sample_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u32>,
    /// Frames that came.
    pub frames: u64,
    /// How many bits a second.
    pub bitrate: BitrateReport,
    /// Sequence headers.
    pub sequence_headers: HeaderReport,
    /// How its timestamps advance.
    pub timestamps: TimestampReport,
}

/// Frames a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct FrameRateReport {
    /// By the timestamps of the frames.
    pub measured: Option<f64>,
    /// By the metadata.
    pub metadata: Option<f64>,
    /// By the timing information of the SPS.
    pub sps: Option<f64>,
}

/// Whole groups of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GopReport {
    /// How many.
    pub count: u64,
    /// Their lengths in frames.
    pub frames: Spread,
    /// Their lengths in seconds of stream time.
    pub seconds: Spread,
}

/// Lowest, mean and highest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Lowest.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// Highest.
    pub max: f64,
}

impl Spread {
    /// In units of `unit` of those that were counted; `None` of nothing.
    pub(super) fn of(tally: &Tally, unit: f64) -> Option<Self> {
        (tally.count() > 0).then(|| Self {
            min: tally.min() as f64 / unit,
            mean: tally.sum() as f64 / tally.count() as f64 / unit,
            max: tally.max() as f64 / unit,
        })
    }
}

/// Bits a second of stream time; the bytes that RTMP adds are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct BitrateReport {
    /// Over all the time.
    pub mean: Option<f64>,
    /// In the fullest whole second.
    pub peak: Option<f64>,
    /// Bytes of message bodies, sequence headers left out.
    pub bytes: u64,
}

/// Sequence headers of a track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HeaderReport {
    /// All of them.
    pub count: u64,
    /// The same as the one before.
    pub repeated: u64,
    /// Other than the one before.
    pub changed: u64,
}

/// The timestamps of a track's frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TimestampReport {
    /// Of the first frame, as sent, milliseconds.
    pub first: u32,
    /// Of the last frame, as sent, milliseconds.
    pub last: u32,
    /// From frame to frame, faults left out, milliseconds.
    pub step_ms: Option<Spread>,
    /// Steps of more than ten frames and one second without a pause, or of more than ten seconds.
    pub jumps: u64,
    /// The largest; negative: back.
    pub jump_largest_ms: i64,
    /// Such steps with a pause in the media.
    pub gaps: u64,
    /// The longest.
    pub gap_longest_ms: i64,
    /// Steps back of up to ten seconds.
    pub backward_steps: u64,
    /// The largest.
    pub backward_largest_ms: i64,
    /// Single frames that are more than ten seconds off.
    pub outliers: u64,
    /// Runs of nine and more frames with the same timestamp.
    pub stand_stills: u64,
    /// Seconds of stream time in a second on the clock; null when too short to tell.
    pub speed: Option<f64>,
}

impl TimestampReport {
    /// Whether nothing is wrong with them.
    pub fn is_fine(&self) -> bool {
        let faults = [
            self.jumps,
            self.gaps,
            self.backward_steps,
            self.outliers,
            self.stand_stills,
        ];
        faults == [0; 5]
    }
}

/// How sound and picture lie to each other, by their timestamps: video minus audio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SyncReport {
    /// Between the first frames, milliseconds.
    pub start_ms: i64,
    /// Between a picture and the sound that came last before it: mean, milliseconds.
    pub mean_ms: f64,
    /// The same: lowest.
    pub min_ms: i64,
    /// The same: highest.
    pub max_ms: i64,
    /// What that gains in a minute; null when too short to tell.
    pub drift_ms_per_minute: Option<f64>,
}
