//! The stream of a load test: H.264 and AAC in FLV bodies of realistic sizes, most of them filler
//! data. Servers relay it like any other; decoders show a blue square.

use std::time::Duration;

use super::BenchError;
use super::stamp::{STAMP_BYTES, Stamp};
use crate::media::flv::{AudioCodec, Metadata, VideoCodec};
use crate::rtmp::MediaKind;
use crate::rtmp::message::data::encode_metadata;

/// Sound: AAC with 1024 samples to a frame.
const SAMPLE_RATE: f64 = 44_100.0;
const SAMPLES_PER_FRAME: f64 = 1024.0;
const AUDIO_BPS_MAX: f64 = 128_000.0;

/// A keyframe is this many times as large as the other pictures.
const KEYFRAME_RATIO: f64 = 6.0;

/// Before the stamp. Video: frame type and codec, packet type, composition time offset 0; length
/// and bytes of the picture; length of the filling, NAL type 12 (filler data). Audio: format,
/// packet type.
const VIDEO_HEAD_BYTES: usize = 5 + 4 + PICTURE.len() + 4 + 1;
const AUDIO_HEAD_BYTES: usize = 2;

/// AVC sequence header: Baseline profile, 64 x 64, 30 pictures a second.
const VIDEO_HEADER: &[u8] = &[
    0x17, 0, 0, 0, 0, 0x01, 0x42, 0xc0, 0x0a, 0xff, 0xe1, 0x00, 0x15, 0x67, 0x42, 0xc0, 0x0a, 0xdc,
    0x42, 0x6c, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03, 0xc4, 0x89, 0xe0,
    0x01, 0x00, 0x05, 0x68, 0xce, 0x0f, 0x2c, 0x80,
];

const PICTURE_BYTES: u8 = 32;

/// A blue picture of that kind (an IDR slice), which every frame begins with: x264 made it.
const PICTURE: &[u8; PICTURE_BYTES as usize] = &[
    0x65, 0x88, 0x84, 0x04, 0xbc, 0x46, 0x28, 0x00, 0x09, 0xe1, 0xc7, 0x00, 0x01, 0x13, 0x28, 0xe0,
    0x00, 0x21, 0xf7, 0x27, 0x27, 0x27, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x80,
];

/// AAC sequence header: LC, 44.1 kHz, stereo.
const AUDIO_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];

/// Payloads start at different places of the pattern, so that one frame is not taken for another.
const PATTERN_STARTS: usize = 4093;

/// What the stream of each publisher is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamShape {
    /// Sound and pictures together, bits a second.
    pub bitrate: f64,
    /// Pictures a second.
    pub frame_rate: f64,
    /// Seconds from one keyframe to the next.
    pub gop_seconds: f64,
    /// AAC at 128 kbit/s, or an eighth of a lower bitrate.
    pub has_audio: bool,
}

/// A stream: its sizes and times, and the bytes that fill its frames.
#[derive(Debug)]
pub(super) struct TestStream {
    shape: StreamShape,
    gop_frames: u32,
    /// Body lengths, bytes.
    keyframe_bytes: usize,
    picture_bytes: usize,
    sound_bytes: usize,
    pattern: Vec<u8>,
}

/// What was found in a received body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame of ours, as it was sent.
    Whole(Stamp),
    /// Sequence header, end mark.
    NoFrame,
    /// A frame, but not one that a publisher of ours has sent.
    Corrupt,
}

impl TestStream {
    /// # Errors
    /// [`BenchError::Shape`] when frames would be too small for a stamp or larger than servers
    /// take.
    pub(super) fn new(shape: StreamShape) -> Result<Self, BenchError> {
        let audio_bps = if shape.has_audio {
            AUDIO_BPS_MAX.min(shape.bitrate / 8.0)
        } else {
            0.0
        };
        let gop_frames = (shape.gop_seconds * shape.frame_rate).round().max(1.0);
        let gop_bytes = (shape.bitrate - audio_bps) / 8.0 / shape.frame_rate * gop_frames;
        let picture_bytes = gop_bytes / (gop_frames - 1.0 + KEYFRAME_RATIO);
        let sound_bytes = audio_bps / 8.0 * SAMPLES_PER_FRAME / SAMPLE_RATE;
        let least = |head: usize| (head + STAMP_BYTES) as f64;
        if !(least(VIDEO_HEAD_BYTES)..=680_000.0).contains(&picture_bytes) {
            return Err(BenchError::Shape("pictures", picture_bytes));
        }
        let sound_bytes = sound_bytes.max(least(AUDIO_HEAD_BYTES));
        let keyframe_bytes = whole(picture_bytes * KEYFRAME_RATIO) as usize;
        let mut random = fastrand::Rng::with_seed(1);
        let pattern = (0..keyframe_bytes + PATTERN_STARTS)
            .map(|_| random.u8(1..))
            .collect();
        Ok(Self {
            shape,
            gop_frames: whole(gop_frames),
            keyframe_bytes,
            picture_bytes: whole(picture_bytes) as usize,
            sound_bytes: whole(sound_bytes) as usize,
            pattern,
        })
    }

    pub(super) fn has_audio(&self) -> bool {
        self.shape.has_audio
    }

    /// Seconds from a publisher's start to this frame.
    pub(super) fn due(&self, kind: MediaKind, sequence: u32) -> f64 {
        let sequence = f64::from(sequence);
        match kind {
            MediaKind::Video => sequence / self.shape.frame_rate,
            MediaKind::Audio => sequence * SAMPLES_PER_FRAME / SAMPLE_RATE,
        }
    }

    /// The same as RTMP has it: milliseconds, modulo 2^32.
    pub(super) fn timestamp(&self, kind: MediaKind, sequence: u32) -> u32 {
        let due = Duration::from_secs_f64(self.due(kind, sequence) + 0.0005);
        u32::try_from(due.as_millis() & 0xFFFF_FFFF).expect("masked to 32 bits")
    }

    /// AMF0 "onMetaData" and its values.
    pub(super) fn metadata(&self) -> Vec<u8> {
        let metadata = Metadata {
            width: Some(64),
            height: Some(64),
            frame_rate: Some(self.shape.frame_rate),
            video_codec: Some(VideoCodec::Avc),
            audio_codec: self.shape.has_audio.then_some(AudioCodec::Aac),
            encoder: Some("Millstream load test".to_owned()),
            ..Metadata::default()
        };
        encode_metadata(&metadata.to_object())
    }

    /// Sequence headers, in the order in which they are sent.
    pub(super) fn headers(&self) -> impl Iterator<Item = (MediaKind, &'static [u8])> {
        let audio = self.has_audio().then_some((MediaKind::Audio, AUDIO_HEADER));
        [(MediaKind::Video, VIDEO_HEADER)].into_iter().chain(audio)
    }

    /// Writes a frame's FLV body into `body`.
    pub(super) fn write(&self, stamp: Stamp, body: &mut Vec<u8>) {
        body.clear();
        match stamp.kind {
            MediaKind::Audio => body.extend_from_slice(&[0xaf, 1]),
            MediaKind::Video => {
                let nal_bytes = 1 + STAMP_BYTES + self.filling(stamp).len();
                let [a, b, c, d] = u32::try_from(nal_bytes).unwrap_or(u32::MAX).to_be_bytes();
                let first = if self.is_keyframe(stamp) { 0x17 } else { 0x27 };
                body.extend_from_slice(&[first, 1, 0, 0, 0, 0, 0, 0, PICTURE_BYTES]);
                body.extend_from_slice(PICTURE);
                body.extend_from_slice(&[a, b, c, d, 12]);
            }
        }
        body.extend_from_slice(&stamp.to_bytes());
        body.extend_from_slice(self.filling(stamp));
    }

    /// Looks at a received body.
    pub(super) fn check(&self, kind: MediaKind, body: &[u8]) -> Found {
        let head_bytes = match (kind, body) {
            (MediaKind::Video, [_, 0 | 2, ..]) | (MediaKind::Audio, [_, 0, ..]) => {
                return Found::NoFrame;
            }
            (MediaKind::Video, _) => VIDEO_HEAD_BYTES,
            (MediaKind::Audio, _) => AUDIO_HEAD_BYTES,
        };
        let marked = body.get(head_bytes..).unwrap_or_default();
        let filling = marked.get(STAMP_BYTES..).unwrap_or_default();
        match Stamp::read(marked).filter(|stamp| stamp.kind == kind) {
            Some(stamp) if filling == self.filling(stamp) => Found::Whole(stamp),
            _ => Found::Corrupt,
        }
    }

    fn is_keyframe(&self, stamp: Stamp) -> bool {
        stamp.kind == MediaKind::Video && stamp.sequence.is_multiple_of(self.gop_frames)
    }

    /// The bytes behind a stamp.
    fn filling(&self, stamp: Stamp) -> &[u8] {
        let (body_bytes, head_bytes) = match stamp.kind {
            MediaKind::Audio => (self.sound_bytes, AUDIO_HEAD_BYTES),
            MediaKind::Video if self.is_keyframe(stamp) => (self.keyframe_bytes, VIDEO_HEAD_BYTES),
            MediaKind::Video => (self.picture_bytes, VIDEO_HEAD_BYTES),
        };
        let salt = stamp
            .sequence
            .wrapping_mul(31)
            .wrapping_add(u32::from(stamp.publisher));
        let start = salt as usize % PATTERN_STARTS;
        let len = body_bytes - head_bytes - STAMP_BYTES;
        &self.pattern[start..start + len]
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of bytes and frames, which the caller keeps positive and small"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::flv;

    const SHAPE: StreamShape = StreamShape {
        bitrate: 2_000_000.0,
        frame_rate: 30.0,
        gop_seconds: 2.0,
        has_audio: true,
    };

    fn stamp(kind: MediaKind, sequence: u32) -> Stamp {
        Stamp {
            kind,
            publisher: 1,
            sequence,
            sent_ns: 5,
        }
    }

    #[test]
    fn the_bitrate_is_kept() {
        for (bitrate, has_audio) in [(2e6, true), (2e6, false), (3e5, true), (2e7, true)] {
            let shape = StreamShape {
                bitrate,
                has_audio,
                ..SHAPE
            };
            let stream = TestStream::new(shape).unwrap();
            let mut bytes = 0;
            let mut body = Vec::new();
            for kind in [MediaKind::Video, MediaKind::Audio] {
                let mut sequence = 0;
                while stream.due(kind, sequence) < 60.0 && (has_audio || kind == MediaKind::Video) {
                    stream.write(stamp(kind, sequence), &mut body);
                    bytes += body.len();
                    sequence += 1;
                }
            }
            let error = bytes as f64 * 8.0 / 60.0 / bitrate - 1.0;
            assert!(error.abs() < 0.02, "{bitrate}: {error}");
        }
    }

    #[test]
    fn frames_are_what_flv_readers_expect() {
        let stream = TestStream::new(SHAPE).unwrap();
        let mut body = Vec::new();
        for (sequence, is_keyframe) in [(0, true), (1, false), (59, false), (60, true)] {
            stream.write(stamp(MediaKind::Video, sequence), &mut body);
            assert_eq!(flv::is_keyframe(&body), is_keyframe);
            assert!(!flv::is_video_sequence_header(&body));
            let mut rest = &body[5..];
            let mut types = Vec::new();
            while let Some((len, behind)) = rest.split_first_chunk() {
                let len = u32::from_be_bytes(*len) as usize;
                types.push(behind[0] & 31);
                rest = &behind[len..];
            }
            assert_eq!(types, [5, 12]);
            assert!(rest.is_empty());
        }
        let headers: Vec<_> = stream.headers().collect();
        assert!(flv::is_video_sequence_header(headers[0].1));
        assert!(flv::is_audio_sequence_header(headers[1].1));
        assert_eq!(stream.check(MediaKind::Video, headers[0].1), Found::NoFrame);
    }

    #[test]
    fn damage_anywhere_is_found() {
        let stream = TestStream::new(SHAPE).unwrap();
        let mut body = Vec::new();
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let stamp = stamp(kind, 7);
            stream.write(stamp, &mut body);
            assert_eq!(stream.check(kind, &body), Found::Whole(stamp));
            for at in VIDEO_HEAD_BYTES..body.len() {
                body[at] ^= 0x10;
                assert_eq!(stream.check(kind, &body), Found::Corrupt, "{at}");
                body[at] ^= 0x10;
            }
            // Bytes missing in the middle, and another frame's filling.
            let mut short = body.clone();
            short.remove(80);
            assert_eq!(stream.check(kind, &short), Found::Corrupt);
            assert_eq!(stream.check(kind, &body[..body.len() - 1]), Found::Corrupt);
            assert_eq!(stream.check(kind, &body[..20]), Found::Corrupt);
        }
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (bitrate, frame_rate) in [(1000.0, 30.0), (1e9, 10.0)] {
            let shape = StreamShape {
                bitrate,
                frame_rate,
                ..SHAPE
            };
            assert!(TestStream::new(shape).is_err());
        }
    }
}
