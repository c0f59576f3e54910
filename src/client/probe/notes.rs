//! What is odd about a stream, in plain words.

use std::fmt;

use serde::Serialize;

/// Something that a player or server may stumble over. `Display` says it to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quirk {
    /// No metadata in all the time.
    MetadataMissing,
    /// The first metadata came behind the first frame.
    MetadataLate,
    /// Metadata without a single field that we know.
    MetadataEmpty,
    /// Metadata describe a picture and do not name its codec.
    MetadataWithoutVideoCodec,
    /// Metadata and bitstream contradict each other.
    MetadataWrong {
        /// The field, as metadata name it.
        field: &'static str,
        /// What metadata say.
        said: String,
        /// What is so.
        found: String,
    },
    /// Metadata name an audio codec and no sound came.
    AudioPromised,
    /// Metadata name a video codec and no picture came.
    VideoPromised,
    /// Frames of a codec that needs a sequence header, before there was one.
    SequenceHeaderMissing(&'static str),
    /// The same sequence header again.
    SequenceHeaderRepeated(&'static str),
    /// Another sequence header in mid-stream.
    SequenceHeaderChanged(&'static str),
    /// A sequence header that cannot be read.
    SequenceHeaderUnreadable(&'static str),
    /// Start codes where lengths belong.
    AnnexB,
    /// NAL units of no bytes.
    EmptyNalUnit,
    /// Lengths of NAL units that do not add up to the frame.
    NalLengths,
    /// Frames without any bytes.
    EmptyFrame(&'static str),
    /// A body that cannot be read.
    Unreadable(&'static str),
    /// HEVC under codec id 12.
    HevcCodecId12,
    /// HEVC under codec id 7.
    HevcAsAvc,
    /// A codec id that nothing names.
    UnknownCodecId {
        /// `video` or `audio`.
        track: &'static str,
        /// The number.
        id: u8,
    },
    /// A FourCC that we have no name for.
    UnknownFourCc {
        /// `video` or `audio`.
        track: &'static str,
        /// Four characters.
        fourcc: String,
    },
    /// Opus under sound format 13, AV1 under codec id 13.
    UnofficialCodecId {
        /// The codec.
        codec: &'static str,
        /// The number.
        id: u8,
    },
    /// ADTS headers in AAC frames.
    AdtsInAac,
    /// Keyframes without an IDR picture.
    KeyframeWithoutIdr,
    /// IDR pictures in frames that are not marked as keyframes.
    IdrNotMarked,
    /// Pictures came, and none of them was a keyframe.
    NoKeyframe,
    /// Pictures are due before they are decoded.
    PtsBeforeDts {
        /// By how much at most, milliseconds.
        ms: i64,
    },
    /// The SPS gives another frame rate than the timestamps.
    SpsFrameRate {
        /// By the SPS.
        said: String,
        /// By the timestamps.
        measured: String,
    },
    /// Timestamps jump ahead, or by more than ten seconds.
    TimestampJump {
        /// `video` or `audio`.
        track: &'static str,
        /// The largest, milliseconds; negative: back.
        ms: i64,
    },
    /// The media pauses, and the timestamps with it.
    Gap {
        /// `video` or `audio`.
        track: &'static str,
        /// The longest, milliseconds.
        ms: i64,
    },
    /// Timestamps step back.
    TimestampBack {
        /// `video` or `audio`.
        track: &'static str,
        /// The largest step, milliseconds.
        ms: i64,
    },
    /// Single frames far off, with normal ones around them.
    TimestampOutlier(&'static str),
    /// Many frames with the same timestamp.
    TimestampStandStill(&'static str),
    /// Timestamps do not run at the speed of time.
    TimestampSpeed {
        /// `video` or `audio`.
        track: &'static str,
        /// Hundredths of a second of stream time to a second.
        hundredths: i64,
    },
    /// Sound and picture are far apart.
    AudioVideoOffset {
        /// Video minus audio, milliseconds.
        ms: i64,
    },
    /// Sound and picture move apart.
    AudioVideoDrift {
        /// Video minus audio, milliseconds gained in a minute.
        ms_per_minute: i64,
    },
    /// The server asked to connect anew, and was obeyed.
    Redirected,
}

impl Quirk {
    /// A stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MetadataMissing => "metadata-missing",
            Self::MetadataLate => "metadata-late",
            Self::MetadataEmpty => "metadata-empty",
            Self::MetadataWithoutVideoCodec => "metadata-without-video-codec",
            Self::MetadataWrong { .. } => "metadata-wrong",
            Self::AudioPromised => "audio-promised",
            Self::VideoPromised => "video-promised",
            Self::SequenceHeaderMissing(_) => "sequence-header-missing",
            Self::SequenceHeaderRepeated(_) => "sequence-header-repeated",
            Self::SequenceHeaderChanged(_) => "sequence-header-changed",
            Self::SequenceHeaderUnreadable(_) => "sequence-header-unreadable",
            Self::AnnexB => "annex-b",
            Self::EmptyNalUnit => "empty-nal-unit",
            Self::NalLengths => "nal-lengths",
            Self::EmptyFrame(_) => "empty-frame",
            Self::Unreadable(_) => "unreadable",
            Self::HevcCodecId12 => "hevc-codec-id-12",
            Self::HevcAsAvc => "hevc-as-avc",
            Self::UnknownCodecId { .. } => "unknown-codec-id",
            Self::UnknownFourCc { .. } => "unknown-fourcc",
            Self::UnofficialCodecId { .. } => "unofficial-codec-id",
            Self::AdtsInAac => "adts-in-aac",
            Self::KeyframeWithoutIdr => "keyframe-without-idr",
            Self::IdrNotMarked => "idr-not-marked",
            Self::NoKeyframe => "no-keyframe",
            Self::PtsBeforeDts { .. } => "pts-before-dts",
            Self::SpsFrameRate { .. } => "sps-frame-rate",
            Self::TimestampJump { .. } => "timestamp-jump",
            Self::Gap { .. } => "gap",
            Self::TimestampBack { .. } => "timestamp-back",
            Self::TimestampOutlier(_) => "timestamp-outlier",
            Self::TimestampStandStill(_) => "timestamp-stand-still",
            Self::TimestampSpeed { .. } => "timestamp-speed",
            Self::AudioVideoOffset { .. } => "audio-video-offset",
            Self::AudioVideoDrift { .. } => "audio-video-drift",
            Self::Redirected => "redirected",
        }
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MetadataMissing => f.write_str("no metadata came"),
            Self::MetadataLate => f.write_str("metadata came behind the first frame"),
            Self::MetadataEmpty => f.write_str("metadata say nothing about the stream"),
            Self::MetadataWithoutVideoCodec => f.write_str(
                "metadata describe a picture and name no video codec (videocodecid): some \
                 servers take the stream for sound alone",
            ),
            Self::MetadataWrong { field, said, found } => {
                write!(f, "metadata are wrong: {field} is {said} there, {found} in the stream")
            }
            Self::AudioPromised => f.write_str(
                "metadata promise audio and none came: some players wait for it",
            ),
            Self::VideoPromised => f.write_str(
                "metadata promise video and none came: some players wait for it",
            ),
            Self::SequenceHeaderMissing(track) => {
                write!(f, "{track} frames without a sequence header before them")
            }
            Self::SequenceHeaderRepeated(track) => {
                write!(f, "the same {track} sequence header is sent again")
            }
            Self::SequenceHeaderChanged(track) => {
                write!(f, "the {track} sequence header changes in mid-stream")
            }
            Self::SequenceHeaderUnreadable(track) => {
                write!(f, "the {track} sequence header cannot be read")
            }
            Self::AnnexB => f.write_str("Annex B inside AVC packets: start codes in place of lengths"),
            Self::EmptyNalUnit => f.write_str("empty NAL units"),
            Self::NalLengths => f.write_str("lengths of NAL units do not add up to the frame"),
            Self::EmptyFrame(track) => write!(f, "empty {track} frames"),
            Self::Unreadable(track) => write!(f, "{track} messages that cannot be read"),
            Self::HevcCodecId12 => f.write_str(
                "HEVC as codec id 12: players that follow the specification know it as hvc1 only",
            ),
            Self::HevcAsAvc => f.write_str("HEVC under the codec id of H.264 (7)"),
            Self::UnknownCodecId { track, id } => write!(f, "unknown {track} codec id {id}"),
            Self::UnknownFourCc { track, fourcc } => write!(f, "unknown {track} codec {fourcc}"),
            Self::UnofficialCodecId { codec, id } => {
                write!(f, "{codec} under codec id {id}, which is not official")
            }
            Self::AdtsInAac => f.write_str("ADTS headers inside AAC packets"),
            Self::KeyframeWithoutIdr => {
                f.write_str("keyframes without a picture to start decoding at (IDR): some players cannot start there")
            }
            Self::IdrNotMarked => f.write_str("IDR pictures that are not marked as keyframes"),
            Self::NoKeyframe => f.write_str("no keyframe came: no player can start"),
            Self::PtsBeforeDts { ms } => {
                write!(f, "pictures are to be shown before they are decoded, by up to {ms} ms")
            }
            Self::SpsFrameRate { said, measured } => write!(
                f,
                "the SPS says {said} frames/s, the timestamps {measured}"
            ),
            Self::TimestampJump { track, ms } => write!(
                f,
                "{track} timestamps jump without a pause in the media, {} at most",
                step(*ms)
            ),
            Self::Gap { track, ms } => {
                write!(f, "{track} pauses, for {} at most", seconds(*ms))
            }
            Self::TimestampBack { track, ms } => {
                write!(f, "{track} timestamps step back, by {ms} ms at most")
            }
            Self::TimestampOutlier(track) => {
                write!(f, "single {track} frames have timestamps that are far off")
            }
            Self::TimestampStandStill(track) => write!(f, "{track} timestamps stand still"),
            Self::TimestampSpeed { track, hundredths } => write!(
                f,
                "{track} timestamps advance {} in each second",
                seconds(hundredths * 10)
            ),
            Self::AudioVideoOffset { ms } => write!(
                f,
                "{} is {} ahead of what comes with it",
                if *ms > 0 { "video" } else { "audio" },
                seconds(ms.abs())
            ),
            Self::AudioVideoDrift { ms_per_minute } => write!(
                f,
                "{} gains {} ms on the other track in a minute",
                if *ms_per_minute > 0 { "video" } else { "audio" },
                ms_per_minute.abs()
            ),
            Self::Redirected => f.write_str("the server sent us elsewhere (ReconnectRequest)"),
        }
    }
}

/// `3.2 s ahead`
fn step(ms: i64) -> String {
    let direction = if ms < 0 { "back" } else { "ahead" };
    format!("{} {direction}", seconds(ms.abs()))
}

/// `3.2 s`; hours and more are said in hours.
fn seconds(ms: i64) -> String {
    let seconds = ms as f64 / 1000.0;
    if seconds >= 7200.0 {
        return format!("{:.1} h", seconds / 3600.0);
    }
    format!("{seconds:.2} s")
}

/// Every quirk once, with how often it was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    seen: Vec<(Quirk, u64)>,
}

/// Different quirks that are kept. A stream whose every frame names another codec stays bounded.
const QUIRKS_MAX: usize = 64;

impl Notes {
    pub(super) fn add(&mut self, quirk: Quirk) {
        self.add_many(quirk, 1);
    }

    pub(super) fn add_many(&mut self, quirk: Quirk, times: u64) {
        if times == 0 {
            return;
        }
        if let Some((_, count)) = self.seen.iter_mut().find(|(known, _)| *known == quirk) {
            *count += times;
        } else if self.seen.len() < QUIRKS_MAX {
            self.seen.push((quirk, times));
        }
    }

    pub(super) fn into_report(self) -> Vec<NoteReport> {
        let note = |(quirk, count): (Quirk, u64)| NoteReport {
            kind: quirk.kind(),
            text: quirk.to_string(),
            count,
        };
        self.seen.into_iter().map(note).collect()
    }
}

/// One quirk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoteReport {
    /// A stable name, such as `annex-b`; the README has the list.
    pub kind: &'static str,
    /// For a person.
    pub text: String,
    /// How often it was seen: frames, messages or steps; 1 for what holds of the whole stream.
    pub count: u64,
}
