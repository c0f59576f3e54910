//! What of an FLV file is picture or sound: no metadata, no sequence headers, no end marks.

use super::flv::{self, Tag};

/// Not what an encoder made, but what a muxer put beside it.
fn is_frame(tag: &Tag) -> bool {
    // AVC's end of sequence: ffmpeg puts one at the end of every file that it writes.
    let is_end_mark = tag.kind == flv::VIDEO && matches!(tag.body[..], [0x17 | 0x27, 2, ..]);
    tag.kind != flv::SCRIPT && !tag.is_sequence_header() && !is_end_mark
}

pub(crate) fn frames(tags: &[Tag]) -> impl Iterator<Item = &Tag> {
    tags.iter().filter(|tag| is_frame(tag))
}

/// The frames of one track.
pub(crate) fn bodies(tags: &[Tag], kind: u8) -> Vec<&[u8]> {
    frames(tags)
        .filter(|tag| tag.kind == kind)
        .map(|tag| tag.body.as_slice())
        .collect()
}

/// Both tracks hold the first frames of `sent`, which may be looped, without a gap and unchanged.
/// Returns how many video frames.
#[track_caller]
pub(crate) fn assert_begins(what: &str, sent: &[Tag], got: &[Tag]) -> usize {
    for kind in [flv::AUDIO, flv::VIDEO] {
        let (sent, got) = (bodies(sent, kind), bodies(got, kind));
        let wrong = sent.iter().cycle().zip(&got).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "{what}: kind {kind}, {} frames", got.len());
    }
    bodies(got, flv::VIDEO).len()
}

/// As [`assert_begins`], and nothing is missing at the end.
#[track_caller]
pub(crate) fn assert_whole(what: &str, sent: &[Tag], got: &[Tag]) {
    assert_begins(what, sent, got);
    for kind in [flv::AUDIO, flv::VIDEO] {
        let (sent, got) = (bodies(sent, kind).len(), bodies(got, kind).len());
        assert_eq!(got, sent, "{what}: frames of kind {kind}");
    }
}

/// Time never steps back within a track, nor leaps by more than `leap_max_ms`.
#[track_caller]
pub(crate) fn assert_grows(what: &str, tags: &[Tag], leap_max_ms: u32) {
    for kind in [flv::AUDIO, flv::VIDEO] {
        let of_kind: Vec<&Tag> = frames(tags).filter(|tag| tag.kind == kind).collect();
        for pair in of_kind.windows(2) {
            let (before, after) = (pair[0].timestamp, pair[1].timestamp);
            let is_right = (before..=before + leap_max_ms).contains(&after);
            assert!(is_right, "{what}: {kind} goes from {before} to {after} ms");
        }
    }
}
