//! A publisher: its messages put on the live stream's timeline and made into shared frames.

use std::sync::Arc;
use std::time::Duration;

use super::mail::{Epoch, StreamName};
use super::registry::Pulse;
use crate::broadcast::{Frame, FrameFlags, Headers, Separator, Track};
use crate::media::flv;
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{ChunkStreamId, MessageStreamId, Payload, header};
use crate::rtmp::message::MessageType;
use crate::rtmp::timestamp::{Mend, Timeline};

/// Between the last frame of a publisher that vanished and the first of its successor.
const RESUME_GAP_MS: i64 = 40;

/// The message type and the chunk stream on which a track is relayed.
pub(super) fn lane(track: Track) -> (MessageType, ChunkStreamId) {
    match track {
        Track::Audio => (MessageType::AUDIO, ChunkStreamId::AUDIO),
        Track::Video => (MessageType::VIDEO, ChunkStreamId::VIDEO),
        Track::Data => (MessageType::DATA_AMF0, ChunkStreamId::DATA),
    }
}

/// An accepted `publish`.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) msid: MessageStreamId,
    pub(super) name: StreamName,
    pub(super) epoch: Epoch,
    pulse: Arc<Pulse>,
    timeline: Timeline,
    /// By track: dts of the last frame made.
    last_dts: [Option<i64>; 3],
    chunk_size: usize,
    /// What was done to timestamps and not told yet; kinds that were told, in order of time.
    mend: Option<Mend>,
    told: Vec<Mend>,
}

impl Publisher {
    /// `chunk_size` is the one that subscribers are sent with.
    pub(super) fn new(
        msid: MessageStreamId,
        name: StreamName,
        epoch: Epoch,
        pulse: Arc<Pulse>,
        resume_after: Option<i64>,
        chunk_size: usize,
    ) -> Self {
        let start = resume_after.map_or(0, |dts| dts + RESUME_GAP_MS);
        Self {
            msid,
            name,
            epoch,
            pulse,
            timeline: Timeline::starting_at(start),
            last_dts: [None; 3],
            chunk_size,
            mend: None,
            told: Vec::new(),
        }
    }

    /// Audio or video to a frame; `None` for a sequence header that is in force already.
    pub(super) fn media(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        payload: Payload,
        in_force: &Headers,
        uptime: Duration,
    ) -> Option<Frame> {
        let (track, flags, header) = match kind {
            MediaKind::Audio => (
                Track::Audio,
                FrameFlags {
                    is_sequence_header: flv::is_audio_sequence_header(payload.as_slice()),
                    ..FrameFlags::default()
                },
                &in_force.audio,
            ),
            MediaKind::Video => (
                Track::Video,
                video_flags(payload.as_slice()),
                &in_force.video,
            ),
        };
        if flags.is_sequence_header {
            if is_same(header, &payload) {
                return None;
            }
            // Encoders stamp headers with 0 in mid-stream; they are no part of the timeline.
            let dts = self.last_dts[track.index()].unwrap_or_else(|| self.newest_dts());
            return Some(self.frame(track, dts, flags, payload));
        }
        let stamp = self.timeline.advance(kind, timestamp);
        self.mend = stamp.mend;
        let frame = self.frame(track, stamp.dts, flags, payload);
        self.pulse.beat(uptime, self.newest_dts());
        Some(frame)
    }

    /// Metadata to a frame; `None` when it is in force already (GStreamer repeats it often).
    pub(super) fn metadata(&mut self, payload: Payload, in_force: &Headers) -> Option<Frame> {
        if is_same(&in_force.metadata, &payload) {
            return None;
        }
        let flags = FrameFlags {
            is_sequence_header: true,
            ..FrameFlags::default()
        };
        let dts = self.newest_dts();
        Some(self.frame(Track::Data, dts, flags, payload))
    }

    /// Any other data message to a frame, at the place on the timeline where it came.
    pub(super) fn data(&mut self, payload: Payload) -> Frame {
        let dts = self.newest_dts();
        self.frame(Track::Data, dts, FrameFlags::default(), payload)
    }

    /// What had to be done to the timestamp of the last frame, if anything, and whether it is the
    /// first time that this is done to this publisher.
    pub(super) fn take_mend(&mut self) -> Option<(Mend, bool)> {
        let mend = self.mend.take()?;
        let is_first = !self.told.contains(&mend);
        if is_first {
            self.told.push(mend);
        }
        Some((mend, is_first))
    }

    fn newest_dts(&self) -> i64 {
        let newest = self.last_dts.iter().flatten().max();
        newest.copied().unwrap_or_else(|| self.timeline.start())
    }

    fn frame(&mut self, track: Track, dts: i64, flags: FrameFlags, payload: Payload) -> Frame {
        let (message_type, csid) = lane(track);
        let previous = self.last_dts[track.index()].replace(dts);
        let delta = previous
            .and_then(|previous| u32::try_from(dts - previous).ok())
            .filter(|delta| *delta < header::TIMESTAMP_EXTENDED);
        let prepared = header::fmt1(csid, delta.unwrap_or(0), payload.len(), message_type);
        let (bytes, body_start) = payload.into_parts();
        let separator = Separator {
            byte: header::fmt3(csid),
            stride: self.chunk_size,
        };
        let flags = FrameFlags {
            is_detached: delta.is_none(),
            ..flags
        };
        Frame::new(track, dts, flags, bytes, body_start, &prepared, separator)
    }
}

fn is_same(in_force: &Option<Arc<Frame>>, payload: &Payload) -> bool {
    in_force
        .as_ref()
        .is_some_and(|frame| frame.body() == payload.as_slice())
}

fn video_flags(body: &[u8]) -> FrameFlags {
    let is_sequence_header = flv::is_video_sequence_header(body);
    FrameFlags {
        is_keyframe: !is_sequence_header && flv::is_keyframe(body),
        is_sequence_header,
        is_detached: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYFRAME: &[u8] = &[0x17, 1, 0, 0, 0, 1, 2, 3];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
    const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 100, 0, 31];
    const SOUND: &[u8] = &[0xAF, 1, 7];

    fn publisher(resume_after: Option<i64>) -> Publisher {
        Publisher::new(
            MessageStreamId(1),
            "live/cam".into(),
            Epoch(1),
            Arc::default(),
            resume_after,
            4096,
        )
    }

    fn wire(frame: &Frame) -> Vec<u8> {
        let mut slices = Vec::new();
        frame.push_wire(0, &mut slices);
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn frames_carry_the_delta_to_the_frame_before_them_on_their_track() {
        let mut publisher = publisher(None);
        let mut media = |kind, timestamp, body: &[u8]| {
            let headers = Headers::default();
            let frame = publisher.media(kind, timestamp, body.into(), &headers, Duration::ZERO);
            frame.expect("nothing is repeated here")
        };
        let first = media(MediaKind::Video, 9_000_000, KEYFRAME);
        assert!(first.flags().is_detached && first.flags().is_keyframe);
        assert_eq!(first.dts(), 0);
        let sound = media(MediaKind::Audio, 9_000_010, SOUND);
        assert!(sound.flags().is_detached);
        let next = media(MediaKind::Video, 9_000_040, INTER);
        assert!(!next.flags().is_detached && !next.flags().is_keyframe);
        assert_eq!(wire(&next)[..8], [0x46, 0, 0, 40, 0, 0, 6, 9]);
        assert_eq!(wire(&next)[8..], *INTER);
    }

    #[test]
    fn a_header_that_is_in_force_is_left_out_and_takes_no_part_in_time() {
        let mut publisher = publisher(None);
        let mut headers = Headers::default();
        let mut media = |headers: &Headers, timestamp, body: &[u8]| {
            publisher.media(
                MediaKind::Video,
                timestamp,
                body.into(),
                headers,
                Duration::ZERO,
            )
        };
        let header = media(&headers, 0, VIDEO_HEADER).expect("new");
        assert!(header.flags().is_sequence_header && !header.flags().is_keyframe);
        headers.video = Some(Arc::new(header));
        assert!(media(&headers, 0, VIDEO_HEADER).is_none());
        let key = media(&headers, 16_779_890, KEYFRAME).expect("a picture");
        assert_eq!(key.dts(), 0);
        assert!(media(&headers, 0, &[0x17, 0, 0, 0, 0, 2]).is_some());
        let next = media(&headers, 16_779_930, INTER).expect("a picture");
        assert_eq!(next.dts(), 40);
    }

    #[test]
    fn mended_timestamps_are_told_once_for_each_kind() {
        let mut publisher = publisher(None);
        let mut mend_at = |timestamp| {
            let headers = Headers::default();
            publisher.media(
                MediaKind::Video,
                timestamp,
                INTER.into(),
                &headers,
                Duration::ZERO,
            );
            publisher.take_mend()
        };
        assert_eq!(mend_at(0), None);
        assert_eq!(mend_at(40), None);
        assert_eq!(mend_at(9_000_000), Some((Mend::Outlier, true)));
        assert_eq!(mend_at(80), None);
        assert_eq!(mend_at(8_000_000), Some((Mend::Outlier, false)));
    }

    #[test]
    fn a_successor_goes_on_behind_its_predecessor() {
        let mut publisher = publisher(Some(5000));
        let headers = Headers::default();
        let frame = publisher
            .media(
                MediaKind::Video,
                77,
                KEYFRAME.into(),
                &headers,
                Duration::ZERO,
            )
            .expect("a picture");
        assert_eq!(frame.dts(), 5000 + RESUME_GAP_MS);
    }

    #[test]
    fn repeated_metadata_is_left_out() {
        let mut publisher = publisher(None);
        let mut headers = Headers::default();
        let frame = publisher
            .metadata(b"one"[..].into(), &headers)
            .expect("new");
        headers.metadata = Some(Arc::new(frame));
        assert!(publisher.metadata(b"one"[..].into(), &headers).is_none());
        assert!(publisher.metadata(b"two"[..].into(), &headers).is_some());
    }
}
