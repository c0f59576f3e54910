//! Streams that are well, and streams that are not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::flv::{self, AudioCodec, HevcForm, Tag, VideoCodec};

const FLV: &[u8] = include_bytes!("../../../tests/data/media/avc_aac.flv");

pub(super) fn tags() -> Vec<Tag> {
    let mut reader = flv::Reader::new();
    reader.handle_input(FLV);
    std::iter::from_fn(|| reader.poll_tag().unwrap()).collect()
}

fn video(is_keyframe: bool) -> Vec<u8> {
    flv::avc_frame(is_keyframe, 0, &[0, 0, 0, 1, 0x65])
}

/// Pictures at these times, every tenth a keyframe, each arriving when it is due.
fn pictures(times: impl Iterator<Item = i64>) -> (Vitals, u64) {
    let mut vitals = Vitals::new(0);
    let mut now = 0;
    for (index, dts) in times.enumerate() {
        now = u64::try_from(dts).unwrap();
        vitals.handle_frame(now, TagKind::Video, dts, &video(index % 10 == 0));
    }
    (vitals, now)
}

fn ids(report: &Report) -> Vec<&'static str> {
    report.health.reasons.iter().map(Reason::id).collect()
}

#[test]
fn tracks_are_described() {
    let mut vitals = Vitals::new(0);
    let mut frames = (0, 0);
    for tag in tags() {
        let now = u64::try_from(tag.dts).unwrap();
        vitals.handle_frame(now, tag.kind, tag.dts, &tag.body);
        match tag.kind {
            TagKind::Video if !tag.is_sequence_header() => frames.0 += 1,
            TagKind::Audio if !tag.is_sequence_header() => frames.1 += 1,
            _ => {}
        }
    }
    let report = vitals.report(300);
    let (video, audio) = (report.video.unwrap(), report.audio.unwrap());
    assert_eq!(video.facts.codec, VideoCodec::Avc);
    assert_eq!(video.facts.size, Some((64, 64)));
    assert!(video.facts.codec_string.unwrap().starts_with("avc1."));
    assert!(video.facts.profile.is_some() && video.facts.level.is_some());
    assert_eq!(audio.facts.codec, AudioCodec::Aac);
    assert_eq!(audio.facts.codec_string.as_deref(), Some("mp4a.40.2"));
    assert_eq!(audio.facts.profile.as_deref(), Some("LC"));
    assert_eq!(audio.facts.sample_rate, Some(44_100));
    // The last message of each track may be the end of a sequence.
    assert!(video.frames >= frames.0 - 1 && video.frames <= frames.0);
    assert_eq!(audio.frames, frames.1);
    assert_eq!(report.health.score, 100, "{:?}", report.health);
}

#[test]
fn other_codecs_have_their_names() {
    let mut vitals = Vitals::new(0);
    // Codec id 12 without a record that can be read; G.711 A-law, 8 kHz, mono.
    let hevc = flv::hevc_sequence_header(&[1, 2, 3], HevcForm::CodecId12);
    vitals.handle_frame(0, TagKind::Video, 0, &hevc);
    vitals.handle_frame(0, TagKind::Audio, 0, &[0x72, 1]);
    let report = vitals.report(0);
    let facts = report.video.unwrap().facts;
    assert_eq!((facts.codec, facts.codec_string), (VideoCodec::Hevc, None));
    let facts = report.audio.unwrap().facts;
    assert_eq!(
        (facts.codec, facts.codec_string),
        (AudioCodec::G711Alaw, None)
    );
}

#[test]
fn rates_are_measured() {
    // 30 frames a second in milliseconds: 33, 33, 34.
    let (vitals, now) = pictures((0..300).map(|index| index * 100 / 3));
    let report = vitals.report(now);
    let video = report.video.as_ref().unwrap();
    assert!((video.frame_rate.unwrap() - 30.0).abs() < 0.1, "{video:?}");
    assert_eq!(
        video.gop,
        Some(Gop {
            ms: 333,
            frames: 10
        })
    );
    assert_eq!(video.gop_ms_max, Some(334));
    assert_eq!((video.frames, video.keyframes), (300, 30));
    let bits = u64::try_from(video_bits()).unwrap() * 30;
    assert_eq!(report.bitrate_history.len(), 9);
    assert!(report.bitrate.abs_diff(bits) <= bits / 20, "{report:?}");
    assert_eq!((report.health.score, report.silent_ms), (100, 0));
}

fn video_bits() -> usize {
    video(true).len() * 8
}

#[test]
fn what_is_wrong_is_found() {
    // Two frames at once, then a pause.
    let (vitals, now) = pictures((0..200).map(|index| index / 2 * 80 + index % 2));
    assert_eq!(ids(&vitals.report(now)), ["frame-rate-jitter"]);
    // One keyframe in eight seconds, and none since.
    let (mut vitals, _) = pictures([0, 40].into_iter());
    for dts in (80..9_000).step_by(40) {
        let now = u64::try_from(dts).unwrap();
        vitals.handle_frame(now, TagKind::Video, dts, &video(false));
    }
    assert_eq!(ids(&vitals.report(9_000)), ["gop-too-long"]);
    assert_eq!(vitals.report(9_000).video.unwrap().gop, None);
    assert_eq!(ids(&vitals.report(60_000)), ["silent", "gop-too-long"]);
    assert_eq!(vitals.report(60_000).health.score, 0);
}

#[test]
fn sound_that_stops_is_told_from_sound_that_pauses() {
    let aac = flv::aac_frame(&[9; 20]);
    let mut vitals = Vitals::new(0);
    for index in 0..600 {
        let (dts, now) = (index * 20, u64::try_from(index * 20).unwrap());
        vitals.handle_frame(now, TagKind::Video, dts, &video(index % 50 == 0));
        // A pause of one second, and the end of it at eight.
        if !(100..150).contains(&index) && index < 400 {
            vitals.handle_frame(now, TagKind::Audio, dts, &aac);
        }
    }
    let report = vitals.report(12_000);
    assert_eq!(ids(&report), ["audio-silent", "audio-gaps"]);
    assert_eq!(report.audio_gaps, 1);
}

#[test]
fn faults_are_forgotten() {
    let (mut vitals, _) = pictures([0].into_iter());
    vitals.handle_publisher(0, &[]);
    assert_eq!(vitals.report(0).reconnects_last_hour, 0);
    vitals.handle_jump(1_000, -70_000);
    vitals.handle_jump(1_000, 3_000);
    vitals.handle_backward_step();
    vitals.handle_publisher(2_000, &[2_000]);
    let report = vitals.report(2_000);
    assert_eq!(ids(&report), ["timestamp-jumps", "reconnects"]);
    assert_eq!((report.jumps, report.jump_largest_ms), (2, -70_000));
    assert_eq!(report.backward_steps, 1);
    assert_eq!((report.health.score, report.reconnects_last_hour), (85, 1));
    let keep = |vitals: &mut Vitals, now| vitals.handle_frame(now, TagKind::Video, 0, &video(true));
    keep(&mut vitals, 400_000);
    assert_eq!(ids(&vitals.report(400_000)), ["reconnects"]);
    keep(&mut vitals, 4_000_000);
    let report = vitals.report(4_000_000);
    assert_eq!((ids(&report), report.jumps), (vec![], 2));
}

#[test]
fn what_lies_between_two_publishers_is_no_gap() {
    let (mut vitals, _) = pictures((0..50).map(|index| index * 40));
    let aac = flv::aac_frame(&[9; 20]);
    vitals.handle_publisher(0, &[]);
    vitals.handle_frame(2_000, TagKind::Audio, 2_000, &aac);
    vitals.handle_publisher(9_000, &[9_000]);
    vitals.handle_frame(9_000, TagKind::Audio, 9_000, &aac);
    vitals.handle_frame(9_000, TagKind::Video, 9_000, &video(true));
    let report = vitals.report(9_000);
    assert_eq!(report.audio_gaps, 0);
    let video = report.video.unwrap();
    assert_eq!(
        (video.gop, video.frame_rate),
        (
            Some(Gop {
                ms: 400,
                frames: 10
            }),
            None
        )
    );
}

#[test]
fn measurements_go_on_elsewhere() {
    let aac = flv::aac_frame(&[9; 20]);
    let (mut one, _) = pictures((0..50).map(|index| index * 40));
    one.handle_frame(1_900, TagKind::Audio, 1_900, &aac);
    one.handle_jump(1_900, 70_000);
    one.handle_backward_step();
    // Another one takes over before anything has come, and one after something has.
    let mut empty = Vitals::new(2_500);
    empty.handle_publisher(2_500, &[2_500]);
    empty.follow(one);
    let mut next = Vitals::new(5_000);
    next.handle_publisher(5_000, &[2_500, 5_000]);
    next.handle_frame(5_000, TagKind::Video, 2_000, &video(true));
    next.handle_frame(5_000, TagKind::Audio, 2_000, &aac);
    next.follow(empty);
    let report = next.report(6_000);
    assert_eq!((report.jumps, report.jump_largest_ms), (1, 70_000));
    assert_eq!((report.backward_steps, report.audio_gaps), (1, 0));
    assert_eq!(report.reconnects_last_hour, 2);
    assert_eq!(report.bitrate_history.len(), 6);
    let video = report.video.unwrap();
    assert_eq!((video.frames, video.keyframes), (51, 6));
    assert_eq!(video.gop_ms_max, Some(400));
    assert_eq!(report.audio.unwrap().frames, 2);
}

proptest! {
    #[test]
    fn nothing_panics_and_the_score_is_one(
        frames in proptest::collection::vec(
            (0_u8..5, any::<u64>(), any::<i64>(), proptest::collection::vec(0_u8..=255, 0..30)),
            0..60,
        ),
        now in any::<u64>(),
    ) {
        let mut vitals = Vitals::new(now);
        for (kind, now, dts, body) in frames {
            match kind {
                0 => vitals.handle_frame(now, TagKind::Video, dts, &body),
                1 => vitals.handle_frame(now, TagKind::Audio, dts, &body),
                2 => vitals.handle_frame(now, TagKind::Video, dts, &video(dts % 2 == 0)),
                3 => vitals.handle_jump(now, dts),
                _ => vitals.handle_publisher(now, &[now]),
            }
        }
        let report = vitals.report(now);
        prop_assert!(report.health.score <= 100);
        prop_assert!(report.bitrate_history.len() <= HISTORY_SECONDS);
        prop_assert_eq!(report.health.score == 100, report.health.reasons.is_empty());
    }
}
