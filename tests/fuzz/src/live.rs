//! Bodies of a live stream to endless MP4, and that to HLS.

use millstream::media::flv::TagKind;
use millstream::media::fmp4::{LiveMuxer, PieceKind, still};
use millstream::media::hls::{Config, Found, PieceName, Reload, Segmenter};

/// A length of this in front of a body stands for "up to the end".
const REST: u8 = 255;

/// Bodies of one publisher: kind, step of time, length, body, and so on.
///
/// Bit 0 of the kind is audio, bit 1 a step back, bit 2 a step of seconds, bit 3 a takeover.
pub fn live(data: &[u8]) {
    let mut muxer = LiveMuxer::new();
    let mut segmenter = Segmenter::new(Config::default());
    let (mut rest, mut dts, mut pieces) = (data, 0_i64, Vec::new());
    let (mut last_video, mut has_init) = (Vec::new(), false);
    while let [kind, step, length, behind @ ..] = rest {
        let length = match *length {
            REST => behind.len(),
            length => usize::from(length).min(behind.len()),
        };
        let (body, behind) = behind.split_at(length);
        rest = behind;
        let step = i64::from(*step) * if kind & 4 == 0 { 1 } else { 50 };
        dts += if kind & 2 == 0 { step } else { -step };
        if kind & 8 != 0 {
            segmenter.discontinuity();
        }
        let track = match kind & 1 {
            0 => TagKind::Video,
            _ => TagKind::Audio,
        };
        muxer.handle(track, dts, body, &mut pieces);
        if track == TagKind::Video {
            check_still(&last_video, body);
            last_video = body.to_vec();
        }
        for piece in pieces.drain(..) {
            check_boxes(&piece.bytes);
            has_init |= matches!(piece.kind, PieceKind::Init { .. });
            assert!(has_init, "a fragment before the first initialisation");
            segmenter.push(&piece, dts);
        }
        check_playlist(&segmenter);
    }
    muxer.finish(&mut pieces);
    for piece in pieces {
        segmenter.push(&piece, dts);
    }
    segmenter.finish();
    check_playlist(&segmenter);
    assert_eq!(segmenter.reload(Some(0), None), Reload::Ready);
}

/// Whole boxes, one behind the other.
fn check_boxes(mut bytes: &[u8]) {
    while let Some(size) = bytes.first_chunk::<4>() {
        let size = usize::try_from(u32::from_be_bytes(*size)).expect("32 bits");
        assert!(size >= 8 && size <= bytes.len());
        bytes = &bytes[size..];
    }
    assert!(bytes.is_empty());
}

fn check_still(sequence_header: &[u8], keyframe: &[u8]) {
    if let Some(file) = still(sequence_header, keyframe) {
        check_boxes(&file);
    }
}

/// What the playlist names is there, and parts make segments.
fn check_playlist(segmenter: &Segmenter) {
    let text = segmenter.playlist("k", "");
    let mut parts = Vec::new();
    for line in text.lines() {
        let Some((tag, name)) = line.rsplit_once("k/") else {
            continue;
        };
        let name = name.split('"').next().expect("split gives one");
        let name = PieceName::parse(name).expect("a name that we wrote");
        match (segmenter.find(name), name) {
            (Found::Bytes(pieces), PieceName::Part(..)) => parts.extend(pieces.concat()),
            (Found::Bytes(pieces), PieceName::Segment(_)) => {
                let parts = std::mem::take(&mut parts);
                assert!(parts.is_empty() || parts == pieces.concat());
            }
            (Found::Bytes(pieces), PieceName::Init(_)) => check_boxes(&pieces.concat()),
            (found, _) => assert!(found == Found::NotYet && tag.contains("PRELOAD-HINT")),
        }
    }
}
