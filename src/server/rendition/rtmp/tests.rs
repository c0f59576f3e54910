//! One live stream in several forms.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::broadcast::{FrameSeq, Log, LogLimits};
use crate::media::flv::HevcForm;
use crate::server::rendition::{Output, Rendition};

const HVC1: Form = Form::Legacy(Some(HevcForm::Enhanced));
const CODEC_12: Form = Form::Legacy(Some(HevcForm::CodecId12));

const HEADER: &[u8] = b"\x90hvc1\x01";
const KEYFRAME: &[u8] = b"\x91hvc1\x00\x00\x28\x07";
const INTER: &[u8] = b"\xA3hvc1\x09";
const SOUND: &[u8] = &[0xAF, 1, 7];
/// Several tracks, of which none is track 0.
const OTHER_TRACK: &[u8] = b"\xA6\x03hvc1\x01\x09";

/// What a publisher sent, and its log.
struct Stream {
    framer: Framer,
    log: Log,
}

impl Stream {
    fn new() -> Self {
        Self {
            framer: Framer::new(4096),
            log: Log::new(LogLimits::default()),
        }
    }

    fn push(&mut self, track: Track, dts: i64, body: &[u8]) -> Arc<Frame> {
        let flags = framing::flags(track, body);
        let frame = Arc::new(self.framer.frame(track, dts, flags, body.into()));
        self.log.append(Arc::clone(&frame), None);
        frame
    }
}

fn rendition(form: Form, stream: &Stream) -> Rendition {
    let prelude = stream.log.prelude(stream.log.start_point());
    Rendition::new(Output::Rtmp(form), LogLimits::default(), 4096, prelude)
}

fn bodies(rendition: &Rendition) -> Vec<(i64, Vec<u8>)> {
    let log = rendition.log();
    log.iter_from(log.first())
        .map(|entry| (entry.frame.dts(), entry.frame.body().to_vec()))
        .collect()
}

#[test]
fn frames_that_need_no_change_are_the_publishers_own() {
    let mut stream = Stream::new();
    let mut rendition = rendition(HVC1, &stream);
    for (track, dts, body) in [
        (Track::Video, 0, HEADER),
        (Track::Video, 0, KEYFRAME),
        (Track::Audio, 5, SOUND),
        (Track::Video, 40, INTER),
    ] {
        let frame = stream.push(track, dts, body);
        assert!(rendition.take(&frame));
        let last = rendition.log().iter_from(rendition.log().first()).last();
        assert!(Arc::ptr_eq(&last.unwrap().frame, &frame));
    }
}

#[test]
fn a_form_of_its_own_has_frames_of_its_own_on_the_same_timeline() {
    let mut stream = Stream::new();
    let mut rendition = rendition(CODEC_12, &stream);
    for (dts, body) in [(0, HEADER), (0, KEYFRAME), (40, INTER)] {
        rendition.take(&stream.push(Track::Video, dts, body));
    }
    let expected = [
        (0, vec![0x1C, 0, 0, 0, 0, 1]),
        (0, vec![0x1C, 1, 0, 0, 0x28, 7]),
        (40, vec![0x2C, 1, 0, 0, 0, 9]),
    ];
    assert_eq!(bodies(&rendition), expected);
    let join = rendition.log().join_point().unwrap();
    let header: Vec<_> = join.headers.iter().collect();
    assert_eq!(header[0].body(), [0x1C, 0, 0, 0, 0, 1]);
    let last = rendition.log().iter_from(rendition.log().first()).last();
    let mut wire = Vec::new();
    last.unwrap().frame.push_wire(0, &mut wire);
    // fmt 1 on the video chunk stream, 40 ms after the keyframe, 6 bytes, type 9.
    assert_eq!(wire[0][..8], [0x46, 0, 0, 40, 0, 0, 6, 9]);
}

#[test]
fn one_that_begins_later_has_what_a_new_reader_needs() {
    let mut stream = Stream::new();
    for (track, dts, body) in [
        (Track::Video, 0, HEADER),
        (Track::Video, 0, KEYFRAME),
        (Track::Video, 40, INTER),
        (Track::Video, 80, KEYFRAME),
        (Track::Audio, 85, SOUND),
    ] {
        stream.push(track, dts, body);
    }
    let mut rendition = rendition(CODEC_12, &stream);
    assert_eq!(bodies(&rendition)[0], (80, vec![0x1C, 1, 0, 0, 0x28, 7]));
    assert_eq!(bodies(&rendition)[1], (85, SOUND.to_vec()));
    let join = rendition.log().join_point().unwrap();
    assert_eq!(join.seq, rendition.log().first());
    assert!(join.headers.has(Track::Video));
    rendition.take(&stream.push(Track::Video, 120, INTER));
    assert_eq!(bodies(&rendition).len(), 3);
}

#[test]
fn what_a_form_does_not_have_leaves_a_gap_that_readers_are_told_of() {
    let mut stream = Stream::new();
    let mut rendition = rendition(HVC1, &stream);
    rendition.take(&stream.push(Track::Video, 0, KEYFRAME));
    assert!(!rendition.take(&stream.push(Track::Video, 20, OTHER_TRACK)));
    rendition.take(&stream.push(Track::Video, 40, INTER));
    let entries: Vec<_> = rendition.log().iter_from(FrameSeq(0)).collect();
    assert_eq!(entries.len(), 2);
    assert!(
        entries[1].is_detached,
        "its prepared header follows from the frame left out"
    );
    assert!(!entries[1].frame.flags().is_detached);
}

#[test]
fn after_a_break_it_starts_at_a_keyframe_like_the_live_stream() {
    let mut stream = Stream::new();
    let mut rendition = rendition(CODEC_12, &stream);
    rendition.take(&stream.push(Track::Video, 0, KEYFRAME));
    rendition.break_off();
    assert!(!rendition.take(&stream.push(Track::Video, 40, INTER)));
    assert!(rendition.take(&stream.push(Track::Video, 80, KEYFRAME)));
    assert_eq!(rendition.log().join_point().unwrap().seq, FrameSeq(1));
}
