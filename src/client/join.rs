//! The first moments of a pulled stream: what comes is held until it is known what there is.
//!
//! Sound that belongs before the first picture may come after it, and a container has to say at
//! its start which tracks it has. So frames wait until both tracks have shown themselves or enough
//! time has passed; then the earliest of them is where the output's time starts.

use std::time::{Duration, Instant};

use crate::media::flv::{Metadata, Tag, TagKind};
use crate::rtmp::MediaKind;

/// How long a track that was promised (by metadata, by its sequence header) is waited for.
const PROMISED_WAIT: Duration = Duration::from_secs(1);

/// How long a track that nobody spoke of is waited for.
const UNKNOWN_WAIT: Duration = Duration::from_millis(300);

/// How long sound alone waits for a keyframe where pictures come already: GOPs are mostly shorter.
const KEYFRAME_WAIT: Duration = Duration::from_secs(10);

/// Sound that is this much older than the first keyframe belongs to pictures that never came.
const LEAD_MAX_MS: i64 = 1000;

/// Frames whose timestamps lie further apart do not share a clock.
const SAME_CLOCK_MS: i64 = 10_000;

/// Bytes that are held at most.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Metadata and sequence headers that are held at most; later ones push out the earliest.
const HEADERS_MAX: usize = 32;

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: MediaKind,
    /// As sent: milliseconds, wraps at 2^32.
    pub(super) timestamp: u32,
    /// The FLV tag body.
    pub(super) body: Vec<u8>,
    pub(super) is_keyframe: bool,
}

/// Holds the start of a stream.
#[derive(Debug, Default)]
pub(super) struct Join {
    headers: Vec<Tag>,
    frames: Vec<Frame>,
    bytes: usize,
    /// When the first frame came, held or not.
    since: Option<Instant>,
    metadata: Option<Metadata>,
    has_audio: bool,
    has_keyframe: bool,
    /// Sequence headers, by kind.
    has_audio_header: bool,
    has_video_header: bool,
    /// Pictures came that cannot be decoded without their keyframe.
    has_orphans: bool,
}

/// The start of a stream, ready to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// Metadata, then sequence headers, as they came.
    pub(super) headers: Vec<Tag>,
    /// In the order in which they came.
    pub(super) frames: Vec<Frame>,
    /// How far the earliest of them lies before the first one, milliseconds.
    pub(super) lead_ms: i64,
    /// Whether there is or will be sound.
    pub(super) has_audio: bool,
    /// Whether there is or will be a picture.
    pub(super) has_video: bool,
    /// Pictures come, but no keyframe has.
    pub(super) lacks_keyframe: bool,
}

impl Join {
    /// Takes metadata, other data, or a sequence header.
    pub(super) fn hold_header(&mut self, tag: Tag) {
        match tag.kind {
            TagKind::Script => {
                if let Some(metadata) = Metadata::parse(&tag.body) {
                    self.metadata = Some(metadata);
                }
            }
            TagKind::Audio => self.has_audio_header = true,
            TagKind::Video => self.has_video_header = true,
        }
        if self.headers.len() >= HEADERS_MAX {
            self.headers.remove(0);
        }
        self.headers.push(tag);
    }

    /// Takes a frame. Pictures before the first keyframe are dropped.
    pub(super) fn hold_frame(&mut self, frame: Frame, now: Instant) {
        self.since.get_or_insert(now);
        match frame.kind {
            MediaKind::Audio => self.has_audio = true,
            MediaKind::Video if frame.is_keyframe => self.has_keyframe = true,
            MediaKind::Video if !self.has_keyframe => {
                self.has_orphans = true;
                return;
            }
            MediaKind::Video => {}
        }
        self.bytes += frame.body.len();
        self.frames.push(frame);
    }

    /// Whether the stream can start.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.bytes > HELD_BYTES_MAX
            || self.deadline().is_some_and(|deadline| deadline <= now)
            || self.span_ms() >= i64::try_from(self.patience().as_millis()).unwrap_or(i64::MAX)
    }

    /// When it starts at the latest; `None` while there is nothing to start with.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.frames.is_empty()).then_some(self.since? + self.patience())
    }

    /// What to write, and nothing is held any more.
    pub(super) fn release(self) -> Joined {
        let has_audio = self.has_audio || self.has_audio_header;
        let has_video = self.has_keyframe || self.has_orphans || self.has_video_header;
        let mut headers = self.headers;
        if self.metadata.is_none() {
            let mut built = Metadata::new();
            for header in &headers {
                built.observe(header.kind, &header.body);
            }
            for frame in &self.frames {
                let kind = match frame.kind {
                    MediaKind::Audio => TagKind::Audio,
                    MediaKind::Video => TagKind::Video,
                };
                built.observe(kind, &frame.body);
            }
            headers.push(Tag::script(0, built.to_body()));
        }
        headers.sort_by_key(|header| header.kind != TagKind::Script);
        let mut frames = self.frames;
        let first_picture = frames.iter().find(|frame| frame.kind == MediaKind::Video);
        if let Some(start) = first_picture.map(|frame| frame.timestamp) {
            frames.retain(|frame| {
                let place = distance_ms(start, frame.timestamp);
                !(-SAME_CLOCK_MS..-LEAD_MAX_MS).contains(&place)
            });
        }
        let earliest = frames.first().map_or(0, |first| {
            let places = frames
                .iter()
                .map(|frame| distance_ms(first.timestamp, frame.timestamp));
            places
                .filter(|place| place.abs() <= SAME_CLOCK_MS)
                .min()
                .unwrap_or(0)
        });
        Joined {
            headers,
            frames,
            lead_ms: -earliest,
            has_audio,
            has_video,
            lacks_keyframe: self.has_orphans && !self.has_keyframe,
        }
    }

    /// How long to wait from the first frame on.
    fn patience(&self) -> Duration {
        let promised = |is_promised| match is_promised {
            true => PROMISED_WAIT,
            false => UNKNOWN_WAIT,
        };
        let metadata = self.metadata.as_ref();
        match (self.has_keyframe, self.has_audio) {
            (true, true) => Duration::ZERO,
            (true, false) => promised(
                self.has_audio_header || metadata.is_some_and(|told| told.audio_codec.is_some()),
            ),
            (false, _) if self.has_orphans => KEYFRAME_WAIT,
            (false, _) => promised(
                self.has_video_header
                    || metadata
                        .is_some_and(|told| told.video_codec.is_some() || told.width.is_some()),
            ),
        }
    }

    /// Stream time from the first to the last frame that are held.
    fn span_ms(&self) -> i64 {
        match (self.frames.first(), self.frames.last()) {
            (Some(first), Some(last)) => distance_ms(first.timestamp, last.timestamp),
            _ => i64::MIN,
        }
    }
}

/// Milliseconds from one timestamp to another, the short way around.
fn distance_ms(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn audio(timestamp: u32) -> Frame {
        Frame {
            kind: MediaKind::Audio,
            timestamp,
            body: vec![0xAF, 1, 0],
            is_keyframe: false,
        }
    }

    fn video(timestamp: u32, is_keyframe: bool) -> Frame {
        let first = if is_keyframe { 0x17 } else { 0x27 };
        Frame {
            kind: MediaKind::Video,
            timestamp,
            body: vec![first, 1, 0, 0, 0, 0],
            is_keyframe,
        }
    }

    fn held(frames: &[Frame]) -> (Join, Instant) {
        let (mut join, now) = (Join::default(), Instant::now());
        for frame in frames {
            join.hold_frame(frame.clone(), now);
        }
        (join, now)
    }

    #[test]
    fn both_tracks_are_enough() {
        let (mut join, now) = held(&[video(57, true)]);
        assert!(!join.is_ready(now));
        join.hold_frame(audio(0), now);
        assert!(join.is_ready(now));
        let joined = join.release();
        assert_eq!(joined.lead_ms, 57);
        assert!(joined.has_audio && joined.has_video && !joined.lacks_keyframe);
    }

    #[test]
    fn the_earliest_frame_is_found_across_the_wrap() {
        let (join, _) = held(&[video(10, true), audio(u32::MAX - 9), video(50, false)]);
        assert_eq!(join.release().lead_ms, 20);
    }

    #[test]
    fn clocks_that_have_nothing_to_do_with_each_other_do_not_count() {
        let (join, _) = held(&[video(1_000_000, true), audio(0)]);
        assert_eq!(join.release().lead_ms, 0);
    }

    #[test]
    fn a_missing_track_is_waited_for_as_long_as_it_was_promised() {
        let metadata = Metadata {
            audio_codec: Some(crate::media::flv::AudioCodec::Aac),
            ..Metadata::new()
        };
        for (name, header, wait) in [
            ("nothing known", None, UNKNOWN_WAIT),
            (
                "metadata",
                Some(Tag::script(0, metadata.to_body())),
                PROMISED_WAIT,
            ),
            (
                "sequence header",
                Some(Tag::audio(0, vec![0xAF, 0, 0x12, 0x10])),
                PROMISED_WAIT,
            ),
        ] {
            let (mut join, now) = (Join::default(), Instant::now());
            header
                .into_iter()
                .for_each(|header| join.hold_header(header));
            assert_eq!(join.deadline(), None, "{name}");
            join.hold_frame(video(0, true), now);
            assert_eq!(join.deadline(), Some(now + wait), "{name}");
            let almost = now + wait - Duration::from_millis(1);
            assert!(!join.is_ready(almost), "{name}");
            assert!(join.is_ready(now + wait), "{name}");
        }
    }

    #[test]
    fn stream_time_counts_as_well_as_the_clock() {
        let (mut join, now) = held(&[video(0, true)]);
        join.hold_frame(video(299, false), now);
        assert!(!join.is_ready(now));
        join.hold_frame(video(300, false), now);
        assert!(join.is_ready(now));
    }

    #[test]
    fn sound_waits_for_the_keyframe_and_old_sound_goes() {
        let (mut join, now) = held(&[audio(0), video(10, false), audio(2000)]);
        assert!(!join.is_ready(now + Duration::from_secs(9)));
        assert!(join.is_ready(now + KEYFRAME_WAIT));
        join.hold_frame(video(2500, true), now);
        assert!(join.is_ready(now));
        let joined = join.release();
        assert_eq!(joined.frames, [audio(2000), video(2500, true)]);
        assert_eq!(joined.lead_ms, 0);
        assert!(!joined.lacks_keyframe);
    }

    #[test]
    fn a_stream_without_keyframes_still_has_its_sound() {
        let (join, _) = held(&[video(10, false), audio(20)]);
        let joined = join.release();
        assert!(joined.lacks_keyframe && joined.has_video);
        assert_eq!(joined.frames, [audio(20)]);
    }

    #[test]
    fn metadata_go_first_and_are_made_where_there_are_none() {
        let mut join = Join::default();
        join.hold_header(Tag::video(0, vec![0x17, 0, 0, 0, 0]));
        join.hold_header(Tag::script(0, Metadata::new().to_body()));
        let kinds = join.release().headers.into_iter().map(|tag| tag.kind);
        assert!(kinds.eq([TagKind::Script, TagKind::Video]));

        let (join, _) = held(&[video(0, true), audio(0)]);
        let headers = join.release().headers;
        let metadata = Metadata::parse(&headers[0].body).unwrap();
        assert_eq!(
            metadata.video_codec,
            Some(crate::media::flv::VideoCodec::Avc)
        );
        assert_eq!(
            metadata.audio_codec,
            Some(crate::media::flv::AudioCodec::Aac)
        );
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (mut join, now) = held(&[]);
        for _ in 0..1000 {
            join.hold_header(Tag::script(0, vec![2, 0, 0]));
        }
        assert_eq!(join.headers.len(), HEADERS_MAX);
        let mut big = video(0, true);
        big.body.resize(HELD_BYTES_MAX + 1, 0);
        join.hold_frame(big, now);
        assert!(join.is_ready(now));
    }
}
