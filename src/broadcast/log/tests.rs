//! The log against a plain model, and its rules for joining and leaving.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::broadcast::{FrameFlags, Separator};
use proptest::prelude::*;

const LIMITS: LogLimits = LogLimits {
    bytes_max: 100_000,
    age_ms_max: 1000,
};

/// Somebody reads and has taken nothing yet.
const READERS: Option<FrameSeq> = Some(FrameSeq(0));

fn frame(track: Track, dts: i64, is_keyframe: bool, is_standing: bool) -> Arc<Frame> {
    let flags = FrameFlags {
        is_keyframe,
        standing: is_standing.then_some(Slot::MAIN),
        is_detached: false,
    };
    let separator = Separator {
        byte: 0xC6,
        stride: 4096,
    };
    Arc::new(Frame::new(
        track,
        dts,
        flags,
        vec![0; 100],
        0,
        &[],
        separator,
    ))
}

fn key(dts: i64) -> Arc<Frame> {
    frame(Track::Video, dts, true, false)
}

fn inter(dts: i64) -> Arc<Frame> {
    frame(Track::Video, dts, false, false)
}

fn sound(dts: i64) -> Arc<Frame> {
    frame(Track::Audio, dts, false, false)
}

fn header(track: Track) -> Arc<Frame> {
    frame(track, 0, false, true)
}

#[test]
fn readers_start_at_the_latest_keyframe_with_the_headers_in_force() {
    let mut log = Log::new(LIMITS);
    log.append(header(Track::Video), READERS);
    log.append(header(Track::Audio), READERS);
    assert!(log.join_point().is_none());
    for dts in [0, 40, 80] {
        log.append(key(dts), READERS);
        log.append(inter(dts + 20), READERS);
    }
    let join = log.join_point().unwrap();
    assert_eq!(log.get(join.seq).unwrap().frame.dts(), 80);
    assert!(join.headers.has(Track::Video) && join.headers.has(Track::Audio));
    assert!(!join.headers.has(Track::Data));
}

#[test]
fn video_before_the_first_keyframe_is_left_out() {
    let mut log = Log::new(LIMITS);
    assert!(!log.append(inter(0), READERS));
    assert!(log.append(sound(5), READERS));
    assert!(log.append(key(10), READERS));
    assert!(log.append(inter(20), READERS));
    assert_eq!(log.end(), FrameSeq(3));
}

#[test]
fn what_follows_on_left_out_video_needs_a_header_of_its_own() {
    let mut log = Log::new(LogLimits::default());
    log.append(header(Track::Video), None);
    assert!(!log.append(inter(0), None));
    log.append(key(40), None);
    log.append(inter(80), None);
    let detached: Vec<bool> = log
        .iter_from(log.first())
        .map(|entry| entry.is_detached)
        .collect();
    assert_eq!(detached[detached.len() - 2..], [true, false]);
}

#[test]
fn a_new_video_header_ends_the_group_of_pictures() {
    let mut log = Log::new(LIMITS);
    log.append(key(0), READERS);
    assert!(log.join_point().is_some());
    log.append(header(Track::Video), READERS);
    assert!(log.join_point().is_none());
    log.append(key(40), READERS);
    assert_eq!(log.join_point().unwrap().seq, FrameSeq(2));
}

#[test]
fn without_readers_only_the_latest_group_is_kept() {
    let mut log = Log::new(LIMITS);
    for dts in 0..10 {
        log.append(key(dts * 10), None);
        log.append(inter(dts * 10 + 5), None);
    }
    assert_eq!(log.end().0 - log.first().0, 2);
}

#[test]
fn what_the_slowest_reader_has_taken_goes_with_the_next_keyframe() {
    let mut log = Log::new(LIMITS);
    for dts in [0, 10, 20] {
        log.append(key(dts), READERS);
        log.append(inter(dts + 5), READERS);
    }
    assert_eq!(log.first(), FrameSeq(0));
    log.append(sound(26), Some(FrameSeq(3)));
    assert_eq!(log.first(), FrameSeq(3));
    log.append(key(30), Some(FrameSeq(6)));
    assert_eq!(log.first(), FrameSeq(6), "the sound was not sent yet");
}

#[test]
fn a_group_older_than_the_age_limit_stays_joinable() {
    let mut log = Log::new(LIMITS);
    log.append(key(0), READERS);
    for dts in 1..100 {
        log.append(inter(dts * 100), READERS);
    }
    assert_eq!(log.join_point().unwrap().seq, FrameSeq(0));
}

#[test]
fn the_byte_limit_holds_even_inside_a_group() {
    let mut log = Log::new(LIMITS);
    log.append(key(0), READERS);
    for dts in 1..2000 {
        log.append(inter(dts), READERS);
    }
    assert!(log.bytes() <= LIMITS.bytes_max);
    assert!(log.join_point().is_none());
}

#[test]
fn sound_without_video_is_joined_one_second_back() {
    let mut log = Log::new(LIMITS);
    for dts in (0..1000).step_by(100) {
        log.append(sound(dts), READERS);
        assert!(log.join_point().is_none());
    }
    log.append(sound(1000), READERS);
    assert_eq!(log.join_point().unwrap().seq, FrameSeq(0));
    log.append(sound(1500), READERS);
    assert_eq!(
        log.get(log.join_point().unwrap().seq).unwrap().frame.dts(),
        500
    );
}

#[test]
fn after_a_break_readers_wait_for_the_next_keyframe_and_get_their_own_headers() {
    let mut log = Log::new(LIMITS);
    log.append(header(Track::Video), READERS);
    log.append(key(0), READERS);
    log.append(inter(20), READERS);
    assert!(!log.get(FrameSeq(2)).unwrap().is_detached);
    log.break_off();
    assert!(log.join_point().is_none());
    assert!(!log.append(inter(40), READERS));
    assert!(log.append(key(60), READERS));
    assert!(log.get(FrameSeq(3)).unwrap().is_detached);
    let join = log.join_point().unwrap();
    assert_eq!(join.seq, FrameSeq(3));
    assert!(!join.headers.has(Track::Video));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Key,
    Inter,
    Sound,
    Header,
    Break,
}

proptest! {
    /// Whatever is appended: bounds hold, positions are stable, and the join point is there.
    #[test]
    fn the_log_agrees_with_a_plain_list(
        steps in prop::collection::vec((0..5usize, 1..400i64, any::<bool>()), 1..300)
    ) {
        let mut log = Log::new(LIMITS);
        let mut model: Vec<Arc<Frame>> = Vec::new();
        let mut dts = 0;
        for (step, elapsed, has_readers) in steps {
            dts += elapsed;
            let step = [Step::Key, Step::Inter, Step::Sound, Step::Header, Step::Break][step];
            let frame = match step {
                Step::Key => key(dts),
                Step::Inter => inter(dts),
                Step::Sound => sound(dts),
                Step::Header => header(Track::Video),
                Step::Break => {
                    log.break_off();
                    continue;
                }
            };
            if log.append(Arc::clone(&frame), has_readers.then_some(FrameSeq(0))) {
                model.push(frame);
            }
            prop_assert_eq!(log.end().0, model.len() as u64);
            prop_assert!(log.bytes() <= LIMITS.bytes_max || log.end().0 - log.first().0 == 1);
            let kept: usize = log.iter_from(log.first()).map(|entry| entry.frame.allocated()).sum();
            prop_assert_eq!(kept, log.bytes());
            for (entry, expected) in log.iter_from(log.first()).zip(&model[usize::try_from(log.first().0).unwrap()..]) {
                prop_assert!(Arc::ptr_eq(&entry.frame, expected));
            }
            if let Some(join) = log.join_point() {
                prop_assert!(log.first() <= join.seq && join.seq < log.end());
            }
        }
    }
}
