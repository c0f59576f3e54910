//! What comes out of the studio for tags that are good.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::client::simulate::packing::HUGE_BYTES;
use crate::media::codec::nal::length_prefixed;

/// A studio that has seen a sequence header with these parameter sets.
fn studio(change: impl Fn(&mut Oddities)) -> Studio {
    let mut oddities = Oddities::default();
    change(&mut oddities);
    // What the portrait reel says of itself will do.
    let avc = reel::portrait().avc().unwrap();
    let introduction = Introduction {
        metadata: Some(encode_metadata(
            &Object::new().with("width", 360.0).with("videocodecid", 7.0),
        )),
        video_header: Some(avc_sequence_header(&avc.encode())),
        audio_header: Some(vec![0xAF, 0, 0x12, 0x10]),
    };
    Studio::new(&oddities, &introduction, true).unwrap()
}

fn keyframe() -> Tag {
    Tag::video(0, avc_frame(true, 0, &[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 6]))
}

fn developed(studio: &mut Studio, dts: i64, tag: &Tag) -> Vec<(u32, Vec<u8>)> {
    let mut pieces = Vec::new();
    studio.develop(dts, tag, &mut pieces);
    let pieces = pieces.into_iter();
    pieces.map(|piece| (piece.timestamp, piece.body)).collect()
}

#[track_caller]
fn check_nalus(form: VideoForm, expected: &[u8]) {
    let mut studio = studio(|o| o.video = form);
    let last = developed(&mut studio, 0, &keyframe()).pop().unwrap();
    assert_eq!(last.1[..5], [0x17, 1, 0, 0, 0]);
    assert_eq!(last.1[5..], *expected, "{form:?}");
}

#[test]
fn nal_units_are_packed_in_odd_ways() {
    check_nalus(VideoForm::StartCodes, &[0, 0, 0, 1, 0x65, 1, 0, 0, 0, 1, 6]);
    check_nalus(
        VideoForm::EmptyUnits,
        &[
            0, 0, 0, 0, 0, 0, 0, 2, 0x65, 1, 0, 0, 0, 0, 0, 0, 0, 1, 6, 0, 0, 0, 0,
        ],
    );
}

#[test]
fn parameter_sets_stand_in_front_of_the_keyframe() {
    let mut studio = studio(|o| o.video = VideoForm::NoHeader);
    let mut opening = Vec::new();
    studio.headers(&mut opening);
    assert!(opening.iter().all(|piece| piece.track == Track::Audio));
    let frames = developed(&mut studio, 0, &keyframe());
    let config = AvcConfig::from_frame(&frames[0].1[5..], 4).unwrap();
    assert_eq!(Some(config.sps), studio.avc.map(|avc| avc.sps));
}

#[test]
fn a_huge_keyframe_is_as_long_as_it_says() {
    let mut studio = studio(|o| o.video = VideoForm::HugeKeyframes);
    let frames = developed(&mut studio, 0, &keyframe());
    assert_eq!(frames[0].1.len(), HUGE_BYTES + 5);
    let units = length_prefixed(&frames[0].1[5..], 4).collect::<Vec<_>>();
    assert_eq!(units.len(), 3);
    assert_eq!(units[2][0], 12);
}

#[test]
fn clocks_go_wrong() {
    for (clock, dts, expected) in [
        (Clock::FromZero, 40, 40),
        (Clock::From(u32::MAX), 41, 40),
        (Clock::Still, 40, 0),
        (Clock::Jumps(1000), 1999, 1999),
        (Clock::Jumps(1000), 2000, 3000),
        (Clock::StartsOver, 2040, 40),
        (Clock::AudioAhead(9), 40, 40),
    ] {
        let mut studio = studio(|o| o.clock = clock);
        let frames = developed(&mut studio, dts, &keyframe());
        assert_eq!(frames[0].0, expected, "{clock:?} at {dts}");
    }
}

#[test]
fn metadata_has_many_forms() {
    for (form, expected) in [
        (MetadataForm::Missing, None),
        (
            MetadataForm::Nothing,
            Some(b"\x02\0\x0D@setDataFrame\x02\0\x0AonMetaData".as_slice()),
        ),
        (
            MetadataForm::Null,
            Some(b"\x02\0\x0D@setDataFrame\x02\0\x0AonMetaData\x05"),
        ),
    ] {
        let piece = studio(|o| o.metadata = form).metadata();
        assert_eq!(piece.as_ref().map(|piece| piece.body.as_slice()), expected);
    }
    let piece = studio(|o| o.metadata = MetadataForm::NoVideoCodec).metadata();
    let object = metadata_object(&piece.unwrap().body, &Limits::default()).unwrap();
    assert!(object.get("width").is_some() && object.get("videocodecid").is_none());
}

#[test]
fn a_tone_of_g711_keeps_up_with_the_picture() {
    let mut studio = studio(|o| o.audio = AudioForm::ALaw);
    let pieces = developed(&mut studio, 40, &keyframe());
    let times: Vec<u32> = pieces.iter().map(|(timestamp, _)| *timestamp).collect();
    assert_eq!(times, [20, 40, 40]);
    assert_eq!((pieces[0].1.len(), pieces[0].1[0] >> 4), (161, 7));
    // The camera's own sound is left out.
    let aac = Tag::audio(40, vec![0xAF, 1, 0x21]);
    assert!(developed(&mut studio, 40, &aac).is_empty());
}

#[test]
fn a_camera_that_needs_other_pictures_says_so() {
    let oddities = Oddities {
        video: VideoForm::HevcId12,
        ..Oddities::default()
    };
    let introduction = Introduction::default();
    assert!(Studio::new(&oddities, &introduction, true).is_ok());
    assert!(Studio::new(&oddities, &introduction, false).is_err());
}
