//! What a publisher's messages become.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::media::flv::Fault;

const KEYFRAME: &[u8] = &[0x17, 1, 0, 0, 0, 1, 2, 3];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 100, 0, 31];
const MP3: &[u8] = &[0x2F, 7];

/// A publisher and what is in force of what it sent.
struct Subject {
    publisher: Publisher,
    headers: Headers,
}

impl Subject {
    fn new(resume_after: Option<i64>) -> Self {
        let name = "live/cam".into();
        let msid = MessageStreamId(1);
        let publisher = Publisher::new(msid, name, Epoch(1), Arc::default(), resume_after, 4096);
        Self {
            publisher,
            headers: Headers::default(),
        }
    }

    fn all(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) -> Vec<Arc<Frame>> {
        let made =
            self.publisher
                .media(kind, timestamp, body.into(), &self.headers, Duration::ZERO);
        let frames: Vec<_> = made.into_iter().flatten().map(Arc::new).collect();
        let all = self.headers.iter().chain(&frames).cloned();
        self.headers = all.collect();
        frames
    }

    /// The one frame that it becomes, if any.
    fn one(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) -> Option<Arc<Frame>> {
        let mut frames = self.all(kind, timestamp, body);
        assert!(frames.len() < 2);
        frames.pop()
    }

    fn video(&mut self, timestamp: u32, body: &[u8]) -> Option<Arc<Frame>> {
        self.one(MediaKind::Video, timestamp, body)
    }

    fn notes(&mut self) -> Vec<Note> {
        self.publisher.take_notes().collect()
    }
}

fn wire(frame: &Frame) -> Vec<u8> {
    let mut slices = Vec::new();
    frame.push_wire(0, &mut slices);
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn frames_carry_the_delta_to_the_frame_before_them_on_their_track() {
    let mut subject = Subject::new(None);
    let first = subject.video(9_000_000, KEYFRAME).unwrap();
    assert!(first.flags().is_detached && first.flags().is_keyframe);
    assert_eq!(first.dts(), 0);
    let sound = subject.one(MediaKind::Audio, 9_000_010, MP3).unwrap();
    assert!(sound.flags().is_detached);
    let next = subject.video(9_000_040, INTER).unwrap();
    assert!(!next.flags().is_detached && !next.flags().is_keyframe);
    assert_eq!(wire(&next)[..8], [0x46, 0, 0, 40, 0, 0, 6, 9]);
    assert_eq!(wire(&next)[8..], *INTER);
    assert_eq!(subject.notes(), []);
}

#[test]
fn a_header_that_is_in_force_is_left_out_and_takes_no_part_in_time() {
    let mut subject = Subject::new(None);
    let header = subject.video(0, VIDEO_HEADER).unwrap();
    assert_eq!(header.flags().standing, Some(Slot::MAIN));
    assert!(!header.flags().is_keyframe);
    assert!(subject.video(0, VIDEO_HEADER).is_none());
    let key = subject.video(16_779_890, KEYFRAME).unwrap();
    assert_eq!(key.dts(), 0);
    assert!(subject.video(0, &[0x17, 0, 0, 0, 0, 2]).is_some());
    let next = subject.video(16_779_930, INTER).unwrap();
    assert_eq!(next.dts(), 40);
}

#[test]
fn headers_of_several_tracks_stand_beside_each_other() {
    let mut subject = Subject::new(None);
    // Multitrack, OneTrack, sequence header, with the track id behind the FourCC.
    let of_track = |id: u8| [b"\x96\x00avc1", &[id, 1, 2][..]].concat();
    for id in [0, 1, 2] {
        assert!(subject.video(0, &of_track(id)).is_some());
        assert!(subject.video(0, &of_track(id)).is_none());
    }
    assert_eq!(subject.headers.iter().count(), 3);
    // Colours (Enhanced RTMP, Metadata) are no decoder configuration, and stand too.
    assert!(subject.video(0, b"\xD4avc1\x02\x00").is_some());
    assert_eq!(subject.headers.iter().count(), 4);
}

#[test]
fn mended_timestamps_are_noted() {
    let mut subject = Subject::new(None);
    let mut mend_at = |timestamp| {
        subject.video(timestamp, INTER);
        subject.notes()
    };
    let outlier = Note::Clock(Mend::Outlier);
    assert_eq!(mend_at(0), []);
    assert_eq!(mend_at(40), []);
    assert_eq!(mend_at(9_000_000), [outlier]);
    assert_eq!(mend_at(80), []);
    assert_eq!(mend_at(8_000_000), [outlier]);
}

#[test]
fn a_missing_header_goes_before_the_frame_that_it_is_made_of() {
    // SPS, PPS and a slice of a picture of 16x16, each behind its length.
    let sps = [0x67, 0x42, 0xC0, 0x0A, 0xDA, 0x79];
    let pps = [0x68, 0xCE, 0x3C, 0x80];
    let slice = [0x65, 0x88, 0x84];
    let mut key = vec![0x17, 1, 0, 0, 0];
    for unit in [&sps[..], &pps, &slice] {
        key.extend(u32::try_from(unit.len()).unwrap().to_be_bytes());
        key.extend(unit);
    }
    let mut subject = Subject::new(None);
    let frames = subject.all(MediaKind::Video, 700, &key);
    let [header, picture] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert_eq!(header.flags().standing, Some(Slot::MAIN));
    assert_eq!(header.body()[..6], [0x17, 0, 0, 0, 0, 1]);
    assert_eq!((header.dts(), picture.dts()), (0, 0));
    assert_eq!(picture.body(), key);
    assert_eq!(subject.notes(), [Note::Media(Fault::HeaderMissing)]);
    assert_eq!(subject.all(MediaKind::Video, 740, &key).len(), 1);
    assert_eq!(subject.notes(), []);
}

#[test]
fn what_is_of_use_to_nobody_is_left_out_and_counted_each_time() {
    let mut subject = Subject::new(None);
    let early = Note::Media(Fault::AacTooEarly);
    for _ in 0..2 {
        assert!(subject.one(MediaKind::Audio, 0, &[0xAF, 1, 7]).is_none());
        assert_eq!(subject.notes(), [early]);
    }
    let header = subject.one(MediaKind::Audio, 5, &[0xAF, 0, 0x12, 0x10]);
    assert!(header.is_some());
    assert!(subject.one(MediaKind::Audio, 9, &[0xAF, 1, 7]).is_some());
    assert_eq!(subject.notes(), []);
}

#[test]
fn a_successor_goes_on_behind_its_predecessor() {
    let mut subject = Subject::new(Some(5000));
    let frame = subject.video(77, KEYFRAME).unwrap();
    assert_eq!(frame.dts(), 5000 + RESUME_GAP_MS);
}

#[test]
fn repeated_metadata_is_left_out() {
    let mut subject = Subject::new(None);
    let mut metadata = |body: &[u8]| {
        let frame = subject.publisher.metadata(body.into(), &subject.headers);
        let frame = frame.map(Arc::new);
        subject.headers = subject
            .headers
            .iter()
            .cloned()
            .chain(frame.clone())
            .collect();
        frame.is_some()
    };
    assert!(metadata(b"one"));
    assert!(!metadata(b"one"));
    assert!(metadata(b"two"));
}
