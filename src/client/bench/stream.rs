//! The stream of a load test: H.264 and AAC in FLV bodies of realistic sizes. It is well-formed, so
//! servers relay it like any other and decoders show a grey square in silence; nearly all of its
//! bytes are in places that decoders step over.
//!
//! ```text
//! video  17|27 01 000000 | u32 | 06 | 05 42 UUID stamp | 05 FF.. n filling | 80 | u32 | slice
//!        FLV               SEI NAL   user data: 16, 50   user data            end   slice NAL
//! audio  AF 01 | 81 FF n stamp filling | 21 00 00 00 00 1C
//!        FLV     data stream element     two silent channels, end
//! ```
//! ITU-T H.264 §7.3 and §D.1.6 (user data unregistered), ISO/IEC 14496-3 §4.4.2.1.

use std::time::Duration;

use super::BenchError;
use super::stamp::{STAMP_BYTES, Stamp};
use crate::media::flv::{
    AudioCodec, AudioHeader, AudioPacket, Metadata, VideoCodec, VideoHeader, VideoPacket,
};
use crate::rtmp::MediaKind;
use crate::rtmp::message::data::encode_metadata;

/// Sound: AAC with 1024 samples to a frame.
const SAMPLE_RATE: f64 = 44_100.0;
const SAMPLES_PER_FRAME: f64 = 1024.0;
const AUDIO_BPS_MAX: f64 = 128_000.0;

/// A keyframe is this many times as large as the mean of the other pictures, which themselves
/// differ by up to a quarter.
const KEYFRAME_RATIO: f64 = 6.0;
const PICTURE_SPREAD: f64 = 0.25;

/// Of the other pictures: six times as much is below the 4 MiB that servers take as one message.
const PICTURE_BYTES_MAX: f64 = 680_000.0;

/// A number in the slices has 16 bits, and each picture of a group is prepared.
const GOP_FRAMES_MAX: f64 = 36_000.0;

/// AVC sequence header. SPS: Baseline 5.1, 64 x 64, 16 bits of `frame_num`, pictures in order of
/// decoding. PPS: CAVLC.
const VIDEO_HEADER: &[u8] = &[
    0x17, 0, 0, 0, 0, 0x01, 0x42, 0xc0, 0x33, 0xff, 0xe1, 0x00, 0x08, 0x67, 0x42, 0xc0, 0x33, 0x8d,
    0x68, 0x42, 0x64, 0x01, 0x00, 0x04, 0x68, 0xce, 0x38, 0x80,
];

/// AAC sequence header: LC, 44.1 kHz, stereo.
const AUDIO_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];

/// Marks our user data.
const UUID: &[u8; 16] = b"millstream bench";

/// A channel pair of which no scale factor band is coded, and the end of the frame.
const SILENCE: &[u8] = &[0x21, 0, 0, 0, 0, 0x1c];

/// User data unregistered, and the largest number that one byte of its length adds.
const USER_DATA: u8 = 5;
const LENGTH_BYTE_MAX: usize = 255;

/// Bytes of a data stream element.
const DATA_ELEMENT_MAX: usize = 255 + 255;

/// Fillings start at different places of the pattern, so that one frame is not taken for another.
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

/// A stream: its times, and the bytes of its frames.
#[derive(Debug)]
pub(super) struct TestStream {
    shape: StreamShape,
    /// Tells the stamps of this test from those of another one.
    run: u32,
    /// One group of pictures, in order.
    pictures: Vec<Mould>,
    sound: Mould,
    pattern: Vec<u8>,
}

/// A frame without its stamp and its filling.
#[derive(Debug, Default)]
struct Mould {
    /// Up to the stamp.
    before: Vec<u8>,
    /// From the stamp to the filling.
    between: Vec<u8>,
    filling_bytes: usize,
    /// Behind the filling.
    after: Vec<u8>,
}

/// What was found in a received body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame of ours, as it was sent.
    Whole(Stamp),
    /// Sequence header, end mark.
    NoFrame,
    /// A frame of an earlier test that the server still had.
    OtherRun,
    /// A frame, but not one that a publisher of ours has sent.
    Corrupt,
}

impl TestStream {
    /// `run` tells this test from others.
    ///
    /// # Errors
    /// [`BenchError::Shape`] when frames would be too small for a stamp or larger than servers
    /// take, [`BenchError::Gop`] when there would be too many between two keyframes.
    pub(super) fn new(shape: StreamShape, run: u32) -> Result<Self, BenchError> {
        let audio_bps = if shape.has_audio {
            AUDIO_BPS_MAX.min(shape.bitrate / 8.0)
        } else {
            0.0
        };
        let gop_frames = (shape.gop_seconds * shape.frame_rate).round().max(1.0);
        if gop_frames > GOP_FRAMES_MAX {
            return Err(BenchError::Gop(gop_frames, GOP_FRAMES_MAX));
        }
        let picture_bps = shape.bitrate - audio_bps;
        let pictures = moulds_of_a_group(picture_bps / 8.0 / shape.frame_rate, whole(gop_frames))?;
        let sound_bytes = audio_bps / 8.0 * SAMPLES_PER_FRAME / SAMPLE_RATE;
        let sound = Mould::sound(whole(sound_bytes) as usize);
        let filling_bytes_max = pictures.iter().map(|mould| mould.filling_bytes).max();
        let pattern_bytes = filling_bytes_max.unwrap_or(0).max(DATA_ELEMENT_MAX) + PATTERN_STARTS;
        let mut random = fastrand::Rng::with_seed(1);
        Ok(Self {
            shape,
            run,
            pictures,
            sound,
            // No zeros: nothing in a frame looks like a start code.
            pattern: (0..pattern_bytes).map(|_| random.u8(1..)).collect(),
        })
    }

    /// Tells this test from others, in its stamps.
    pub(super) fn run(&self) -> u32 {
        self.run
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
        let mould = self.mould(&stamp);
        body.clear();
        body.extend_from_slice(&mould.before);
        body.extend_from_slice(&stamp.to_bytes());
        body.extend_from_slice(&mould.between);
        body.extend_from_slice(self.filling(&stamp, mould));
        body.extend_from_slice(&mould.after);
    }

    /// Looks at a received body, at every byte of it.
    pub(super) fn check(&self, kind: MediaKind, body: &[u8]) -> Found {
        if Self::is_no_frame(kind, body) {
            return Found::NoFrame;
        }
        let Some(stamp) = Mould::stamp_of(kind, body) else {
            return Found::Corrupt;
        };
        if stamp.run != self.run {
            return Found::OtherRun;
        }
        let mould = self.mould(&stamp);
        let rest = body
            .strip_prefix(&mould.before[..])
            .and_then(|rest| rest.get(STAMP_BYTES..))
            .and_then(|rest| rest.strip_prefix(&mould.between[..]))
            .and_then(|rest| rest.strip_prefix(self.filling(&stamp, mould)));
        if stamp.kind == kind && rest == Some(&mould.after[..]) {
            Found::Whole(stamp)
        } else {
            Found::Corrupt
        }
    }

    /// Whether this is a sequence header, an end mark or empty, and not a picture or sound.
    pub(super) fn is_no_frame(kind: MediaKind, body: &[u8]) -> bool {
        match kind {
            MediaKind::Video => {
                VideoHeader::parse(body).is_ok_and(|header| header.packet != VideoPacket::Frames)
            }
            MediaKind::Audio => {
                AudioHeader::parse(body).is_ok_and(|header| header.packet != AudioPacket::Frames)
            }
        }
    }

    fn mould(&self, stamp: &Stamp) -> &Mould {
        match stamp.kind {
            MediaKind::Audio => &self.sound,
            MediaKind::Video => &self.pictures[stamp.sequence as usize % self.pictures.len()],
        }
    }

    fn filling(&self, stamp: &Stamp, mould: &Mould) -> &[u8] {
        let salt = stamp
            .sequence
            .wrapping_mul(31)
            .wrapping_add(u32::from(stamp.publisher));
        let start = salt as usize % PATTERN_STARTS;
        &self.pattern[start..start + mould.filling_bytes]
    }
}

/// The pictures of a group, the first one a keyframe, `mean_bytes` each in the mean.
fn moulds_of_a_group(mean_bytes: f64, count: u32) -> Result<Vec<Mould>, BenchError> {
    let mut random = fastrand::Rng::with_seed(2);
    let mut ratio = || 1.0 + PICTURE_SPREAD * (2.0 * random.f64() - 1.0);
    let ratios: Vec<f64> = match count {
        // Two keyframes in a row have to differ.
        1 => vec![1.0; 2],
        _ => std::iter::once(KEYFRAME_RATIO)
            .chain((1..count).map(|_| ratio()))
            .collect(),
    };
    let unit = mean_bytes * ratios.len() as f64 / ratios.iter().sum::<f64>();
    let smallest = ratios.iter().copied().fold(KEYFRAME_RATIO, f64::min) * unit;
    let least = Mould::picture(0, true, 0).len();
    if smallest < least as f64 || unit > PICTURE_BYTES_MAX {
        return Err(BenchError::Shape(unit));
    }
    let mould = |(number, ratio): (u32, &f64)| {
        let is_keyframe = number == 0 || count == 1;
        Mould::picture(number, is_keyframe, whole(ratio * unit) as usize)
    };
    Ok((0..).zip(&ratios).map(mould).collect())
}

impl Mould {
    /// Picture `number` of its group, of `bytes` as far as that is enough.
    fn picture(number: u32, is_keyframe: bool, bytes: usize) -> Self {
        let slice = if is_keyframe {
            idr_slice(number)
        } else {
            skipped_slice(number)
        };
        let mut after = vec![0x80];
        after.extend_from_slice(&length(slice.len()));
        after.extend_from_slice(&slice);
        let mut mould = Self {
            before: vec![if is_keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0],
            after,
            ..Self::default()
        };
        let head = 4 + 3 + UUID.len();
        let left =
            bytes.saturating_sub(mould.before.len() + head + STAMP_BYTES + mould.after.len());
        // A type, a byte of length for each 255, and one for the rest; user data begin with 16 bytes.
        mould.filling_bytes = left.saturating_sub(2) * LENGTH_BYTE_MAX / (LENGTH_BYTE_MAX + 1);
        if mould.filling_bytes < UUID.len() {
            mould.filling_bytes = 0;
        } else {
            mould.between.push(USER_DATA);
            let full = mould.filling_bytes / LENGTH_BYTE_MAX;
            mould.between.resize(1 + full, 0xff);
            mould
                .between
                .push(low_byte(mould.filling_bytes % LENGTH_BYTE_MAX));
        }
        let sei_bytes = head - 4 + STAMP_BYTES + mould.between.len() + mould.filling_bytes + 1;
        mould.before.extend_from_slice(&length(sei_bytes));
        let stamp_bytes = low_byte(UUID.len() + STAMP_BYTES);
        mould.before.extend_from_slice(&[6, USER_DATA, stamp_bytes]);
        mould.before.extend_from_slice(UUID);
        mould
    }

    /// Sound of `bytes`, as far as one data stream element goes.
    fn sound(bytes: usize) -> Self {
        let left = bytes.saturating_sub(2 + 3 + SILENCE.len());
        let data_bytes = left.clamp(STAMP_BYTES, DATA_ELEMENT_MAX);
        let mut before = vec![0xaf, 1, 0x81];
        match data_bytes.checked_sub(LENGTH_BYTE_MAX) {
            None => before.push(low_byte(data_bytes)),
            Some(rest) => before.extend_from_slice(&[0xff, low_byte(rest)]),
        }
        Self {
            before,
            filling_bytes: data_bytes - STAMP_BYTES,
            after: SILENCE.to_vec(),
            ..Self::default()
        }
    }

    /// The stamp, if it stands in its place.
    fn stamp_of(kind: MediaKind, body: &[u8]) -> Option<Stamp> {
        let at = match kind {
            MediaKind::Video => 5 + 4 + 3 + UUID.len(),
            MediaKind::Audio if body.get(3) == Some(&0xff) => 5,
            MediaKind::Audio => 4,
        };
        Stamp::read(body.get(at..)?)
    }

    fn len(&self) -> usize {
        let fixed = self.before.len() + self.between.len() + self.after.len();
        fixed + STAMP_BYTES + self.filling_bytes
    }
}

/// A NAL unit: slice of a keyframe of 16 grey macroblocks (16 x 16, DC prediction, nothing coded).
/// Its `idr_pic_id` is 1 if `number` is odd.
fn idr_slice(number: u32) -> Vec<u8> {
    let (start, block, end) = if number.is_multiple_of(2) {
        (0x49, 0x39, 0x3c)
    } else {
        (0x22, 0x4e, 0x4f)
    };
    let mut slice = vec![0x65, 0x88, 0x80, 0x00, start];
    slice.resize(slice.len() + 15, block);
    slice.push(end);
    slice
}

/// A NAL unit: slice of a picture like the one before, all 16 macroblocks skipped.
fn skipped_slice(frame_num: u32) -> Vec<u8> {
    // first_mb 1, slice_type 00110, pps 1; frame_num; 000, slice_qp_delta 1; mb_skip_run
    // 000010001; 1, and zeros up to the byte.
    let bits = 0b100_1101 << 33
        | u64::from(frame_num & 0xffff) << 17
        | 0b0001 << 13
        | 0b0_0001_0001 << 4
        | 0b1000;
    let [_, _, _, bits @ ..] = bits.to_be_bytes();
    [&[0x41], &bits[..]].concat()
}

/// The length before a NAL unit.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// Of a number below 256.
fn low_byte(number: usize) -> u8 {
    u8::try_from(number).expect("the caller has divided it")
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
    use crate::media::codec::aac::AacConfig;
    use crate::media::codec::avc::AvcConfig;
    use crate::media::codec::nal;
    use crate::media::flv;

    const SHAPE: StreamShape = StreamShape {
        bitrate: 2_000_000.0,
        frame_rate: 30.0,
        gop_seconds: 2.0,
        has_audio: true,
    };

    const RUN: u32 = 0x0102_0304;

    fn stamp(kind: MediaKind, sequence: u32) -> Stamp {
        Stamp {
            run: RUN,
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
            let stream = TestStream::new(shape, RUN).unwrap();
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
        let stream = TestStream::new(SHAPE, RUN).unwrap();
        let mut body = Vec::new();
        for (sequence, is_keyframe) in [(0, true), (1, false), (59, false), (60, true)] {
            stream.write(stamp(MediaKind::Video, sequence), &mut body);
            assert_eq!(flv::is_keyframe(&body), is_keyframe);
            assert!(!flv::is_video_sequence_header(&body));
            let mut rest = &body[5..];
            let mut types = Vec::new();
            assert_eq!(body[1..5], [1, 0, 0, 0]);
            while let Some((len, behind)) = rest.split_first_chunk() {
                let len = u32::from_be_bytes(*len) as usize;
                types.push(behind[0] & 31);
                rest = &behind[len..];
            }
            assert_eq!(types, [6, if is_keyframe { 5 } else { 1 }]);
            assert!(rest.is_empty());
        }
        let headers: Vec<_> = stream.headers().collect();
        assert!(flv::is_video_sequence_header(headers[0].1));
        assert!(flv::is_audio_sequence_header(headers[1].1));
        assert_eq!(stream.check(MediaKind::Video, headers[0].1), Found::NoFrame);
    }

    #[test]
    fn nothing_in_a_picture_looks_like_a_start_code() {
        let stream = TestStream::new(SHAPE, RUN).unwrap();
        let mut body = Vec::new();
        for sequence in [0, 1, 30, 59] {
            stream.write(stamp(MediaKind::Video, sequence), &mut body);
            for unit in nal::length_prefixed(&body[5..], 4) {
                let is_code = |bytes: &[u8]| matches!(bytes, [0, 0, 0..=3]);
                assert!(!unit.windows(3).any(is_code), "{sequence}: {unit:02x?}");
            }
        }
        // The numbers of slices may, in streams with thousands of pictures to a keyframe.
        for number in 1..=u16::MAX {
            let slice = skipped_slice(u32::from(number));
            let is_code = |bytes: &[u8]| matches!(bytes, [0, 0, 0..=3]);
            assert!(!slice.windows(3).any(is_code), "{number}: {slice:02x?}");
        }
    }

    #[test]
    fn parameter_sets_and_slices_are_what_they_should_be() {
        let config = AvcConfig::parse(&VIDEO_HEADER[5..]).unwrap();
        let sps = config.first_sps().unwrap();
        assert_eq!((config.profile, sps.width, sps.height), (66, 64, 64));
        assert_eq!(config.encode(), VIDEO_HEADER[5..]);
        let asc = AacConfig::new(2, 44_100, 2).encode().unwrap();
        assert_eq!(AUDIO_HEADER, [&[0xaf, 0], &asc[..]].concat());
        let bits = |unit: &[u8]| {
            unit.iter()
                .map(|byte| format!("{byte:08b}"))
                .collect::<String>()
        };
        assert!(bits(&idr_slice(0)[1..]).starts_with("1000100010000000000000000100100100111"));
        assert!(bits(&idr_slice(1)[1..]).starts_with("100010001000000000000000001000100100111"));
        assert_eq!(
            bits(&skipped_slice(3)[1..]),
            "1001101000000000000001100010000100011000"
        );
    }

    #[test]
    fn damage_anywhere_is_found() {
        let stream = TestStream::new(SHAPE, RUN).unwrap();
        let mut body = Vec::new();
        for (kind, sequence) in [
            (MediaKind::Audio, 7),
            (MediaKind::Video, 7),
            (MediaKind::Video, 60),
        ] {
            let stamp = stamp(kind, sequence);
            stream.write(stamp, &mut body);
            assert_eq!(stream.check(kind, &body), Found::Whole(stamp));
            for at in 0..body.len() {
                body[at] ^= 0x10;
                let found = stream.check(kind, &body);
                // A packet type that is no frame's is as if no frame had come.
                assert!(
                    found == Found::Corrupt || at < 2 && found == Found::NoFrame,
                    "{kind:?} {at}"
                );
                body[at] ^= 0x10;
            }
            // Bytes missing in the middle and at the end, one too many, another kind.
            let mut short = body.clone();
            short.remove(80);
            assert_eq!(stream.check(kind, &short), Found::Corrupt);
            assert_eq!(stream.check(kind, &body[..body.len() - 1]), Found::Corrupt);
            assert_eq!(stream.check(kind, &body[..20]), Found::Corrupt);
            assert_eq!(stream.check(kind, &[]), Found::Corrupt);
            let long = [&body[..], &[0]].concat();
            assert_eq!(stream.check(kind, &long), Found::Corrupt);
        }
        let later = TestStream::new(SHAPE, RUN + 1).unwrap();
        assert_eq!(later.check(MediaKind::Video, &body), Found::OtherRun);
    }

    #[test]
    fn every_picture_may_be_a_keyframe() {
        let shape = StreamShape {
            gop_seconds: 0.0,
            ..SHAPE
        };
        let stream = TestStream::new(shape, RUN).unwrap();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        stream.write(stamp(MediaKind::Video, 0), &mut one);
        stream.write(stamp(MediaKind::Video, 1), &mut two);
        assert!(flv::is_keyframe(&one) && flv::is_keyframe(&two));
        assert_ne!(one[one.len() - 21..], two[two.len() - 21..]);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (bitrate, frame_rate) in [(1000.0, 30.0), (1e9, 10.0)] {
            let shape = StreamShape {
                bitrate,
                frame_rate,
                ..SHAPE
            };
            assert!(TestStream::new(shape, RUN).is_err());
        }
        let endless = StreamShape {
            gop_seconds: 86_400.0,
            ..SHAPE
        };
        assert!(TestStream::new(endless, RUN).is_err());
    }
}
