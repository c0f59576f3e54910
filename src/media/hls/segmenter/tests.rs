//! Where segments and parts are cut, and what is kept of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::media::hls::Reload;

/// Any wall time.
pub(in crate::media::hls) const WALL: i64 = 1_800_000_000_000;

pub(in crate::media::hls) fn init(number: u8, has_video: bool) -> Piece {
    Piece {
        kind: PieceKind::Init {
            has_video,
            has_audio: true,
        },
        bytes: vec![b'I', number],
    }
}

pub(in crate::media::hls) fn frame(
    track: TagKind,
    is_keyframe: bool,
    dts: i64,
    duration: u32,
) -> Piece {
    let mut bytes = dts.to_be_bytes().to_vec();
    bytes.push(u8::from(is_keyframe));
    Piece {
        kind: PieceKind::Fragment {
            track,
            is_keyframe,
            dts,
            duration,
        },
        bytes,
    }
}

/// Video of 25 pictures a second with a keyframe each `gop_ms`, from and to these times.
pub(in crate::media::hls) fn video(
    segmenter: &mut Segmenter,
    times: std::ops::Range<i64>,
    gop_ms: i64,
) {
    for dts in times.step_by(40) {
        let piece = frame(TagKind::Video, dts % gop_ms == 0, dts, 40);
        segmenter.push(&piece, WALL + dts);
    }
}

fn with_video(gop_ms: i64, to: i64) -> Segmenter {
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.push(&init(0, true), WALL);
    video(&mut segmenter, 0..to, gop_ms);
    segmenter
}

fn durations(segmenter: &Segmenter) -> Vec<u32> {
    segmenter
        .finished
        .iter()
        .map(Segment::duration_ms)
        .collect()
}

fn body(segmenter: &Segmenter, name: PieceName) -> Vec<u8> {
    match segmenter.find(name) {
        Found::Bytes(pieces) => pieces.concat(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn segments_end_at_the_first_keyframe_behind_the_target() {
    for (gop_ms, expected) in [
        (1000, &[2000, 2000, 2000, 2000][..]),
        (400, &[2000, 2000, 2000, 2000]),
        (1960, &[1960, 1960, 1960, 1960]),
        (1200, &[2400, 2400, 2400]),
        (3000, &[3000, 3000, 3000]),
        (9000, &[]),
        // Cut without a keyframe.
        (40_000, &[]),
    ] {
        let segmenter = with_video(gop_ms, 9001);
        let found = durations(&segmenter);
        assert_eq!(found[..expected.len()], *expected, "{gop_ms}");
        let first_frames = segmenter
            .finished
            .iter()
            .map(|segment| segment.parts[0].is_independent);
        assert!(
            first_frames
                .into_iter()
                .all(|is_independent| is_independent)
        );
    }
    assert_eq!(durations(&with_video(40_000, 20_041)), [10_000, 10_000]);
}

#[test]
fn parts_are_full_but_for_the_last() {
    let segmenter = with_video(1000, 8001);
    for segment in &segmenter.finished {
        let parts = segment.parts.iter().map(|part| part.duration_ms);
        assert_eq!(
            parts.collect::<Vec<_>>(),
            [320, 320, 320, 320, 320, 320, 80]
        );
        let independent = segment.parts.iter().map(|part| part.is_independent);
        // A keyframe each second: at 0 and inside 960..1280.
        assert_eq!(
            independent.collect::<Vec<_>>(),
            [true, false, false, true, false, false, false]
        );
    }
    assert_eq!(segmenter.part_target_ms, 330);
}

#[test]
fn sound_alone_is_cut_by_time() {
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.push(&init(0, false), WALL);
    for index in 0..1000 {
        // 1024 samples at 44.1 kHz.
        let dts = index * 1024 * 1000 / 44_100;
        segmenter.push(&frame(TagKind::Audio, false, dts, 23), WALL + dts);
    }
    assert!(segmenter.finished.len() > 8);
    for segment in &segmenter.finished {
        assert!((1950..=2000).contains(&segment.duration_ms()));
        let (last, parts) = segment.parts.split_last().unwrap();
        // At least 85 % of the part target.
        assert!(
            parts
                .iter()
                .all(|part| (281..=330).contains(&part.duration_ms))
        );
        assert!(last.duration_ms <= 330 && last.is_independent);
    }
}

#[test]
fn sound_beside_pictures_cuts_only_when_they_stop() {
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.push(&init(0, true), WALL);
    // Sound that is 200 ms ahead.
    for dts in (0..4001).step_by(20) {
        segmenter.push(&frame(TagKind::Audio, false, dts + 200, 20), WALL);
        if dts % 40 == 0 {
            let piece = frame(TagKind::Video, dts % 1000 == 0, dts, 40);
            segmenter.push(&piece, WALL);
        }
    }
    assert_eq!(durations(&segmenter), [2000, 2000]);
    let mut times = Vec::new();
    for dts in (4220..30_000).step_by(20) {
        if segmenter.push(&frame(TagKind::Audio, false, dts, 20), WALL) {
            times.push(dts);
        }
    }
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 700));
    let last = segmenter.finished.back().unwrap();
    assert!(last.duration_ms() >= 10_000 && last.duration_ms() < 10_700);
}

#[test]
fn the_parts_of_a_segment_are_the_segment() {
    let segmenter = with_video(1000, 9001);
    assert_eq!(segmenter.next_sequence, 5);
    for sequence in 0..4 {
        let whole = body(&segmenter, PieceName::Segment(sequence));
        let parts = segmenter.finished_segment(sequence).unwrap().parts.len();
        let parts = (0..u64::try_from(parts).unwrap())
            .map(|part| body(&segmenter, PieceName::Part(sequence, part)));
        assert_eq!(whole, parts.collect::<Vec<_>>().concat());
        assert_eq!(whole.len(), 9 * 50);
    }
    assert_eq!(body(&segmenter, PieceName::Init(0)), [b'I', 0]);
    // The open segment has three parts: 8000, 8320 and 8640; 8960 is being filled.
    assert_eq!(body(&segmenter, PieceName::Part(4, 2)).len(), 9 * 8);
    assert_eq!(segmenter.find(PieceName::Part(4, 3)), Found::NotYet);
    for name in [
        PieceName::Segment(4),
        PieceName::Part(4, 4),
        PieceName::Part(5, 0),
        PieceName::Part(3, 7),
        PieceName::Part(0, u64::MAX),
        PieceName::Segment(u64::MAX),
        PieceName::Init(1),
    ] {
        assert_eq!(segmenter.find(name), Found::Nothing, "{name}");
    }
}

#[test]
fn a_takeover_and_a_new_configuration_are_discontinuities() {
    let mut segmenter = with_video(1000, 2500);
    // The same configuration again is none.
    assert!(!segmenter.push(&init(0, true), WALL));
    assert!(segmenter.discontinuity());
    assert!(!segmenter.discontinuity());
    assert_eq!(durations(&segmenter), [2000, 520]);
    assert_eq!(segmenter.find(PieceName::Part(2, 0)), Found::NotYet);
    video(&mut segmenter, 0..1000, 1000);
    assert!(segmenter.push(&init(1, true), WALL));
    video(&mut segmenter, 1000..3001, 1000);
    let told: Vec<_> = segmenter
        .finished
        .iter()
        .map(|segment| {
            (
                segment.is_discontinuity,
                segment.discontinuities,
                segment.map.number,
            )
        })
        .collect();
    assert_eq!(
        told,
        [(false, 0, 0), (false, 0, 0), (true, 1, 0), (true, 2, 1)]
    );
    assert_eq!(durations(&segmenter), [2000, 520, 1000, 2000]);
    assert_eq!(body(&segmenter, PieceName::Init(0)), [b'I', 0]);
    assert_eq!(body(&segmenter, PieceName::Init(1)), [b'I', 1]);
    // Before the first frame there is nothing to be discontinuous with.
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.discontinuity();
    segmenter.push(&init(0, true), WALL);
    segmenter.push(&init(1, true), WALL);
    video(&mut segmenter, 0..2001, 1000);
    assert!(!segmenter.finished[0].is_discontinuity);
    assert_eq!(segmenter.finished[0].map.number, 1);
}

#[test]
fn a_hole_or_a_step_back_is_no_duration() {
    for jump in [60_000, -1500] {
        let mut segmenter = with_video(1000, 2500);
        let at = 2480 + jump;
        segmenter.push(&frame(TagKind::Video, false, at, 40), WALL + 77);
        assert_eq!(durations(&segmenter), [2000, 520], "{jump}");
        let open = segmenter.open.as_ref().unwrap();
        assert!(open.segment.is_discontinuity);
        assert_eq!(open.segment.wall_ms, WALL + 77);
    }
    // A small one is.
    let mut segmenter = with_video(1000, 1980);
    segmenter.push(&frame(TagKind::Video, true, 2600, 40), WALL);
    assert_eq!(durations(&segmenter), [2600]);
}

#[test]
fn the_window_is_bounded_by_count_and_bytes() {
    let segmenter = with_video(1000, 60_001);
    assert_eq!(segmenter.finished.len(), 14);
    assert_eq!(segmenter.finished[0].sequence, 30 - 14);
    assert_eq!(segmenter.find(PieceName::Segment(15)), Found::Nothing);
    body(&segmenter, PieceName::Segment(16));

    let config = Config {
        bytes_max: 1000,
        segment_bytes_max: 700,
        ..Config::default()
    };
    let mut segmenter = Segmenter::new(config);
    segmenter.push(&init(0, true), WALL);
    video(&mut segmenter, 0..20_000, 100_000);
    assert!(segmenter.bytes <= 1000);
    assert_eq!(segmenter.finished.len(), 1);
    assert_eq!(segmenter.finished[0].bytes, 702);
    let bytes: usize = segmenter.finished.iter().map(|segment| segment.bytes).sum();
    assert_eq!(bytes, segmenter.bytes);
}

#[test]
fn who_comes_after_goes_on_where_the_one_before_cannot_be() {
    let fill = |wall_ms| {
        let mut segmenter = Segmenter::resuming(Config::default(), wall_ms);
        segmenter.push(&init(0, true), wall_ms);
        video(&mut segmenter, 0..10_000, 1000);
        segmenter
    };
    let before = fill(WALL);
    let text = before.playlist("cam", "");
    let first = u64::try_from(WALL / 500).unwrap();
    assert!(text.contains(&format!(
        "#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY\n"
    )));
    assert!(text.contains(&format!("#EXT-X-MAP:URI=\"cam/init-{first}.mp4\"\n")));
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY").count(), 1);
    body(&before, PieceName::Init(first));
    body(&before, PieceName::Segment(first));
    let after = fill(WALL + 10_000);
    assert!(after.finished[0].sequence > before.next_sequence);
    assert_eq!(after.find(PieceName::Segment(first)), Found::Nothing);
    assert_eq!(after.reload(Some(first + 3), Some(0)), Reload::Ready);
    // A clock that was never set.
    assert_eq!(fill(-5).finished[0].sequence, 0);
}

#[test]
fn the_end() {
    let mut segmenter = with_video(1000, 2500);
    segmenter.finish();
    assert_eq!(durations(&segmenter), [2000, 520]);
    assert!(!segmenter.push(&frame(TagKind::Video, true, 3000, 40), WALL));
    assert_eq!(segmenter.find(PieceName::Part(2, 0)), Found::Nothing);
    assert_eq!(segmenter.reload(Some(9), Some(9)), Reload::Ready);
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.finish();
    assert!(segmenter.has_playlist());
}

#[test]
fn wall_times_follow_from_one_another() {
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.push(&init(0, true), 0);
    for dts in (0..8001).step_by(40) {
        // Arrival jitters, and from 6 s on is another clock.
        let wall = WALL + dts + dts % 7 + if dts >= 6000 { 50_000 } else { 0 };
        let piece = frame(TagKind::Video, dts % 1000 == 0, dts, 40);
        segmenter.push(&piece, wall);
    }
    let walls = segmenter
        .finished
        .iter()
        .map(|segment| segment.wall_ms - WALL);
    assert_eq!(walls.collect::<Vec<_>>(), [0, 2000, 4000, 56_001]);
}

#[test]
fn fragments_without_an_init_are_left_out() {
    let mut segmenter = Segmenter::new(Config::default());
    assert!(!segmenter.push(&frame(TagKind::Video, true, 0, 40), WALL));
    assert!(segmenter.open.is_none());
}

proptest::proptest! {
    #[test]
    fn any_pieces_keep_the_rules(
        steps in proptest::collection::vec((0..20_u8, -1200..1600_i64, 0..2000_u32), 0..300),
        far in proptest::num::i64::ANY,
    ) {
        let mut segmenter = Segmenter::new(Config::default());
        let (mut dts, mut last) = (0_i64, None);
        let mut gone = std::collections::HashSet::new();
        for (kind, step, duration) in steps {
            dts = dts.saturating_add(if step > 400 { step / 20 } else { step / 10 });
            let piece = match kind {
                0 => init(u8::from(step > 0), true),
                1 => init(2, step > 0),
                2..=10 => frame(TagKind::Video, step % 3 == 0, dts, duration),
                11 => frame(TagKind::Video, true, far, duration),
                _ => frame(TagKind::Audio, false, dts + 30, duration),
            };
            if kind == 19 && step > 1500 {
                segmenter.discontinuity();
            }
            segmenter.push(&piece, dts);
            let first = segmenter.finished.front().map(|segment| segment.sequence);
            for (index, segment) in segmenter.finished.iter().enumerate() {
                assert_eq!(segment.sequence, first.unwrap() + u64::try_from(index).unwrap());
                assert!(!segment.parts.is_empty() && !gone.contains(&segment.sequence));
                let seconds = (segment.duration_ms() + 500) / 1000;
                assert!(seconds <= segmenter.target_seconds);
                for part in &segment.parts {
                    assert!(!part.bytes.is_empty() && part.duration_ms > 0);
                    assert!(part.duration_ms <= segmenter.part_target_ms);
                }
            }
            assert!(segmenter.finished.len() <= 14);
            gone.extend(last.iter().filter(|last| Some(**last) < first).copied());
            assert!(last <= first, "{last:?} came back as {first:?}");
            last = first;
            // Whatever the playlist names is there.
            let text = segmenter.playlist("k", "");
            for line in text.lines().filter(|line| !line.contains("PRELOAD")) {
                let Some((_, name)) = line.rsplit_once("k/") else { continue };
                let name = PieceName::parse(name.split('"').next().unwrap()).unwrap();
                body(&segmenter, name);
            }
        }
    }
}
