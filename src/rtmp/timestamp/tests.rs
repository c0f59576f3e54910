//! The timeline against tables of frames, and properties of regular and arbitrary streams.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::MediaKind::{Audio, Video};
use super::*;

#[track_caller]
fn check(start: i64, steps: &[(MediaKind, u32, i64, Option<Mend>)]) {
    let mut timeline = Timeline::starting_at(start);
    for (index, &(kind, timestamp, dts, mend)) in steps.iter().enumerate() {
        let stamp = timeline.advance(kind, timestamp);
        assert_eq!(stamp, Stamp { dts, mend }, "frame {index}");
    }
}

#[test]
fn the_first_frame_is_the_start_and_distances_are_exact() {
    check(
        1000,
        &[
            (Video, 5_000_000, 1000, None),
            (Audio, 4_999_990, 990, None),
            (Video, 5_000_033, 1033, None),
            (Audio, 5_000_013, 1013, None),
            (Video, 5_000_033, 1033, None),
        ],
    );
}

#[test]
fn both_wraps_are_survived() {
    check(
        0,
        &[
            (Video, 16_777_200, 0, None),
            (Video, 16_777_240, 40, None),
            (Audio, 16_777_220, 20, None),
        ],
    );
    check(
        0,
        &[
            (Video, u32::MAX - 9, 0, None),
            (Audio, u32::MAX - 4, 5, None),
            (Video, 30, 40, None),
            (Audio, 18, 28, None),
        ],
    );
}

#[test]
fn a_step_backwards_is_given_the_time_before_it() {
    check(
        0,
        &[
            (Video, 100, 0, None),
            (Video, 140, 40, None),
            (Video, 120, 40, Some(Mend::Backwards)),
            (Video, 180, 80, None),
        ],
    );
}

#[test]
fn a_lone_outlier_is_restamped() {
    check(
        0,
        &[
            (Video, 0, 0, None),
            (Video, 40, 40, None),
            (Video, 9_000_000, 80, Some(Mend::Outlier)),
            (Video, 120, 120, None),
            (Video, 160, 160, None),
        ],
    );
}

#[test]
fn a_clock_that_jumps_is_followed_by_both_tracks_without_a_gap() {
    check(
        0,
        &[
            (Video, 0, 0, None),
            (Audio, 0, 0, None),
            (Video, 40, 40, None),
            (Audio, 23, 23, None),
            (Video, 7_000_000, 80, Some(Mend::Outlier)),
            (Video, 7_000_040, 120, Some(Mend::Outlier)),
            (Video, 7_000_080, 160, Some(Mend::NewClock)),
            (Audio, 7_000_010, 90, None),
            (Video, 7_000_120, 200, None),
            (Audio, 7_000_033, 113, None),
        ],
    );
}

#[test]
fn tracks_with_unrelated_clocks_start_together() {
    check(
        0,
        &[
            (Video, 4_000_000_000, 0, None),
            (Audio, 0, 0, None),
            (Audio, 23, 23, None),
            (Video, 4_000_000_040, 40, None),
        ],
    );
}

#[test]
fn time_may_stand_still() {
    check(
        7,
        &[
            (Video, 5, 7, None),
            (Video, 5, 7, None),
            (Video, 5, 7, None),
        ],
    );
}

#[test]
fn senders_that_keep_24_or_31_bits_wrap_exactly() {
    for bits in [24, 31] {
        let end = 1_u32 << bits;
        check(
            0,
            &[
                (Video, end - 30, 0, None),
                (Audio, end - 20, 10, None),
                (Video, 10, 40, None),
                (Audio, end - 1, 29, None),
                (Audio, 22, 52, None),
                (Video, 50, 80, None),
            ],
        );
    }
}

#[test]
fn a_track_that_paused_comes_back_in_step_with_the_other() {
    let mut timeline = Timeline::starting_at(0);
    timeline.advance(Audio, 500);
    for frame in 0..750_u32 {
        timeline.advance(Video, 500 + frame * 40);
    }
    let stamp = timeline.advance(Audio, 30_480);
    assert_eq!((stamp.dts, stamp.mend), (29_980, None));
}

#[test]
fn a_clock_set_back_by_seconds_does_not_stop_time() {
    check(
        0,
        &[
            (Video, 20_000, 0, None),
            (Audio, 20_000, 0, None),
            (Video, 20_040, 40, None),
            (Video, 15_080, 40, Some(Mend::Backwards)),
            (Video, 15_120, 80, Some(Mend::Backwards)),
            (Video, 15_160, 120, Some(Mend::NewClock)),
            (Audio, 20_080, 80, None),
            (Audio, 15_160, 120, None),
            (Video, 15_200, 160, None),
            (Audio, 15_183, 143, None),
        ],
    );
}

#[test]
fn disorder_of_presentation_times_moves_no_clock() {
    let mut timeline = Timeline::starting_at(0);
    let order = [0, 160, 80, 40, 120, 320, 240, 200, 280, 480, 400, 360, 440];
    for timestamp in order {
        timeline.advance(Video, timestamp);
    }
    assert_eq!(timeline.advance(Video, 640).dts, 640);
    assert_eq!(timeline.mended_frames(), 9);
}

#[test]
fn jumps_while_the_other_track_is_silent_add_up() {
    let mut timeline = Timeline::starting_at(0);
    timeline.advance(Audio, 0);
    for base in [0_u32, 1_000_000, 500_000] {
        for frame in 0..4 {
            timeline.advance(Video, base + frame * 40);
        }
    }
    // 12 frames of 40 ms; the last one lies at 440.
    assert_eq!(timeline.last_dts(Video), Some(440));
    let stamp = timeline.advance(Audio, 500_130);
    assert_eq!((stamp.dts, stamp.mend), (450, None));
}

#[test]
fn a_first_frame_that_is_an_outlier_parts_the_tracks_for_one_frame_only() {
    check(
        0,
        &[
            (Video, 1000, 0, None),
            (Audio, 90_000_000, 0, None),
            (Video, 1040, 40, None),
            (Audio, 1046, 46, None),
            (Audio, 1069, 69, None),
        ],
    );
}

#[test]
fn outliers_that_do_not_agree_are_never_followed() {
    let mut timeline = Timeline::starting_at(0);
    timeline.advance(Video, 0);
    for frame in 1..20_u32 {
        let stamp = timeline.advance(Video, frame * 100_000_000);
        assert_eq!(stamp.mend, Some(Mend::Outlier));
        assert_eq!(stamp.dts, i64::from(frame) * 40);
    }
}

proptest! {
    #[test]
    fn distances_of_a_regular_stream_are_exact(
        start in -1_000_000_000..1_000_000_000_i64,
        first in any::<u32>(),
            is_low in any::<bool>(),
        apart in -STEP_MAX_MS / 2..STEP_MAX_MS / 2,
        bits in prop_oneof![Just(24), Just(31), Just(32)],
        steps in prop::collection::vec((any::<bool>(), 0..5000_i64), 1..200),
    ) {
        let mut timeline = Timeline::starting_at(start);
        let first = if is_low { first % 5000 } else { first };
        let mut elapsed = [0, apart];
        let wire = |elapsed: i64| {
            let all = (i64::from(first) + elapsed) & ((1 << bits) - 1);
            u32::try_from(all).unwrap()
        };
        prop_assert_eq!(timeline.advance(Video, wire(0)).dts, start);
        prop_assert_eq!(timeline.advance(Audio, wire(apart)).dts, start + apart);
        for (is_audio, step) in steps {
            let kind = if is_audio { Audio } else { Video };
            let place = &mut elapsed[usize::from(is_audio)];
            *place += step;
            let stamp = timeline.advance(kind, wire(*place));
            prop_assert_eq!(stamp, Stamp { dts: start + *place, mend: None });
        }
    }

    #[test]
    fn whatever_comes_no_track_goes_back_or_leaps(
        start in any::<i64>(),
        frames in prop::collection::vec((any::<bool>(), any::<u32>(), 0..4_u8), 1..200),
    ) {
        let mut timeline = Timeline::starting_at(start);
        let mut last = 0_u32;
        for (is_audio, any, how) in frames {
            let kind = if is_audio { Audio } else { Video };
            last = match how {
                0 => any,
                1 => last.wrapping_sub(any % 20_000),
                _ => last.wrapping_add(any % 100),
            };
            let before = timeline.last_dts(kind);
            let beside = timeline.last_dts(other(kind));
            let stamp = timeline.advance(kind, last);
            prop_assert_eq!(timeline.last_dts(kind), Some(stamp.dts));
            if let Some(before) = before {
                let bound = beside.unwrap_or(before).max(before) + 3 * STEP_MAX_MS;
                prop_assert!((before..=bound).contains(&stamp.dts), "{before} {stamp:?}");
            }
        }
    }
}
