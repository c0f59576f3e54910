//! Whole files: what the writer makes of tags, box by box.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use mp4_atom::{Any, Codec, ReadFrom};

use super::*;
use crate::media::annexb::{AnnexBCodec, UnitReader};
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::nal::put_nal_unit;
use crate::media::flv::{
    AudioHeader, HevcForm, Reader, VideoCodec, VideoHeader, aac_frame, aac_sequence_header,
    avc_frame, avc_sequence_header, hevc_frame, hevc_sequence_header,
};
use crate::wire::PutBytes;

const AVC_AAC: &[u8] = include_bytes!("../../../tests/data/media/avc_aac.flv");
const H265: &[u8] = include_bytes!("../../../tests/data/media/pyramid.h265");

pub(super) fn tags() -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(AVC_AAC);
    std::iter::from_fn(|| reader.poll_tag().unwrap()).collect()
}

fn write(tags: &[Tag]) -> (Vec<u8>, Vec<Note>) {
    let mut writer = Writer::new();
    for tag in tags {
        writer.handle_tag(tag);
    }
    writer.finish();
    let bytes = std::iter::from_fn(|| writer.poll_output())
        .flatten()
        .collect();
    (bytes, std::iter::from_fn(|| writer.poll_note()).collect())
}

pub(super) fn boxes(bytes: &[u8]) -> Vec<Any> {
    let mut rest = bytes;
    std::iter::from_fn(|| {
        (!rest.is_empty()).then(|| Any::read_from(&mut rest).expect("a whole box"))
    })
    .collect()
}

/// Track, dts, composition offset and bytes of every sample, read by another implementation.
pub(super) fn samples(bytes: &[u8]) -> Vec<(u32, i64, i32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut moof = None;
    for part in boxes(bytes) {
        match part {
            Any::Moof(part) => moof = Some(part),
            Any::Mdat(data) => {
                let mut at = 0;
                for traf in moof.take().unwrap().traf {
                    let mut dts = traf.tfdt.unwrap().base_media_decode_time;
                    for entry in traf.trun.iter().flat_map(|trun| &trun.samples) {
                        let size = entry.size.unwrap() as usize;
                        let sample = data.data[at..at + size].to_vec();
                        let track = traf.tfhd.track_id;
                        found.push((
                            track,
                            i64::try_from(dts).unwrap(),
                            i32::try_from(entry.cts.unwrap()).unwrap(),
                            sample,
                        ));
                        at += size;
                        dts += u64::from(entry.duration.unwrap());
                    }
                }
                assert_eq!(at, data.data.len());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_frame_is_there_at_its_time() {
    let tags = tags();
    let (bytes, notes) = write(&tags);
    assert!(notes.is_empty());
    let found = samples(&bytes);
    let mut count = 0;
    for tag in tags.iter().filter(|tag| !tag.is_sequence_header()) {
        let expected = match tag.kind {
            TagKind::Script => continue,
            TagKind::Video => {
                let header = VideoHeader::parse(&tag.body).unwrap();
                if header.packet != VideoPacket::Frames {
                    continue;
                }
                let data = header.payload(&tag.body).to_vec();
                (1, tag.dts, header.composition_time_offset, data)
            }
            TagKind::Audio => {
                let header = AudioHeader::parse(&tag.body).unwrap();
                (2, tag.dts, 0, header.payload(&tag.body).to_vec())
            }
        };
        assert!(found.contains(&expected), "{:?} at {}", tag.kind, tag.dts);
        count += 1;
    }
    assert_eq!(found.len(), count);
}

#[test]
fn the_decoder_configurations_are_in_the_moov_byte_for_byte() {
    let tags = tags();
    let (bytes, _) = write(&tags);
    let Any::Moov(moov) = &boxes(&bytes)[1] else {
        panic!("no moov");
    };
    let codecs: Vec<_> = moov
        .trak
        .iter()
        .map(|trak| &trak.mdia.minf.stbl.stsd.codecs[0])
        .collect();
    let (Codec::Avc1(avc), Codec::Mp4a(aac)) = (codecs[0], codecs[1]) else {
        panic!("other codecs");
    };
    assert!(avc.visual.width > 0 && avc.visual.height > 0);
    assert!(aac.audio.channel_count > 0);
    let record = tags
        .iter()
        .find(|tag| tag.kind == TagKind::Video && tag.is_sequence_header())
        .map(|tag| tag.body[5..].to_vec())
        .unwrap();
    assert!(bytes.windows(record.len()).any(|window| window == record));
}

#[test]
fn a_file_that_is_cut_keeps_its_whole_fragments() {
    let mut writer = Writer::new();
    let mut bytes = Vec::new();
    for tag in tags() {
        writer.handle_tag(&tag);
        // Whatever is out at any time is whole boxes.
        bytes.extend(std::iter::from_fn(|| writer.poll_output()).flatten());
        boxes(&bytes);
    }
}

#[test]
fn a_stream_without_sound_begins_after_a_second() {
    let mut writer = Writer::new();
    let video: Vec<Tag> = tags()
        .into_iter()
        .filter(|tag| tag.kind == TagKind::Video)
        .collect();
    writer.handle_tag(&video[0]);
    for dts in 0..=10 {
        assert!(writer.poll_output().is_none());
        writer.handle_tag(&Tag::video(
            dts * 100,
            avc_frame(dts == 0, 0, &[0, 0, 0, 1, 0x65]),
        ));
    }
    assert!(writer.poll_output().is_some());
    writer.handle_tag(&Tag::audio(1100, aac_sequence_header(&[0x12, 0x10])));
    assert_eq!(writer.poll_note(), Some(Note::TooLate(TagKind::Audio)));
    writer.handle_tag(&Tag::audio(1120, aac_frame(&[1, 2, 3])));
    assert_eq!(writer.poll_note(), None);
}

#[test]
fn sound_alone_makes_a_file_and_other_codecs_are_named() {
    let mut tags = vec![Tag::audio(0, aac_sequence_header(&[0x12, 0x10]))];
    tags.extend((0..100).map(|index| Tag::audio(index * 23, aac_frame(&[9; 20]))));
    let (bytes, _) = write(&tags);
    assert_eq!(samples(&bytes).len(), 100);
    // G.711 A-law, alone and among AAC.
    let left_out = [Note::AudioLeftOut(AudioCodec::G711Alaw)];
    let alaw = Tag::audio(0, vec![0x72, 1]);
    let (bytes, notes) = write(&[tags[0].clone(), alaw.clone(), tags[1].clone()]);
    assert_eq!(samples(&bytes).len(), 1);
    assert_eq!(notes, left_out);
    let (bytes, notes) = write(&[alaw]);
    assert!(bytes.is_empty());
    assert_eq!(notes, left_out);
}

#[test]
fn a_new_configuration_goes_before_its_keyframe() {
    let first = sequence_header(TagKind::Video);
    let mut second = first.clone();
    // Another level, in the record and in its SPS.
    let sps = AvcConfig::parse(&first.body[5..]).unwrap().sps[0].clone();
    let sps_at = first.body.windows(sps.len()).position(|at| at == sps);
    second.body[8] ^= 1;
    second.body[sps_at.unwrap() + 3] ^= 1;
    let keyframe = |dts| Tag::video(dts, avc_frame(true, 0, &[0, 0, 0, 1, 0x65]));
    let all = [
        first.clone(),
        keyframe(0),
        first.clone(),
        keyframe(40),
        second.clone(),
        keyframe(80),
        first.clone(),
        keyframe(120),
        keyframe(160),
    ];
    let (bytes, notes) = write(&all);
    assert_eq!(notes, [Note::ConfigChanged]);
    // The decoder keeps what it was told last: the first configuration has to be told again.
    let expected = [None, None, Some(&second), Some(&first), Some(&first)];
    for (sample, header) in samples(&bytes).iter().zip(expected) {
        let mut data = Vec::new();
        if let Some(header) = header {
            let config = AvcConfig::parse(&header.body[5..]).unwrap();
            for unit in config.sps.iter().chain(&config.pps) {
                put_nal_unit(&mut data, unit, 4);
            }
        }
        data.extend_from_slice(&[0, 0, 0, 1, 0x65]);
        assert_eq!(sample.3, data, "at {}", sample.1);
    }
    assert_eq!(samples(&bytes).len(), expected.len());
}

#[test]
fn frames_behind_lengths_of_another_size_are_rewritten() {
    let first = sequence_header(TagKind::Video);
    let mut second = first.clone();
    // lengthSizeMinusOne of the avcC record behind the five bytes of the tag.
    second.body[9] = 0xFD;
    let frame = |dts, is_keyframe, data| Tag::video(dts, avc_frame(is_keyframe, 0, data));
    let (four, two) = ([0, 0, 0, 2, 0x65, 1], [0, 2, 0x65, 1, 0, 0, 0, 1, 0x65]);
    let mixed = [
        first.clone(),
        frame(0, true, &four),
        second.clone(),
        frame(40, true, &two),
        frame(80, false, &[0, 1, 0x41]),
        // Start codes are mended to what the file has.
        frame(120, false, &[0, 0, 0, 1, 0x41, 7]),
        // A length that lies: what can be told apart is kept.
        frame(160, false, &[0, 1, 0x41, 0, 9, 0x41]),
        first.clone(),
        frame(200, false, &[0, 0, 0, 1, 0x41]),
    ];
    let (bytes, notes) = write(&mixed);
    assert_eq!(notes, [Note::ConfigChanged]);
    let found: Vec<Vec<u8>> = samples(&bytes).into_iter().map(|sample| sample.3).collect();
    assert_eq!(found[0], four);
    assert_eq!(found[1][4] & 0x1F, 7, "an SPS comes first");
    assert!(found[1].ends_with(&[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x65]));
    assert_eq!(found[2], [0, 0, 0, 1, 0x41]);
    assert_eq!(found[3], [0, 0, 0, 2, 0x41, 7]);
    assert_eq!(found[4], [0, 0, 0, 1, 0x41]);
    assert_eq!(found[5], [0, 0, 0, 1, 0x41]);
    assert_eq!(found.len(), 6);
    // The other way: a unit that two bytes cannot count is left out, and so is a frame of it alone.
    let long = [&[0, 1, 0, 0][..], &[0x41; 0x1_0000]].concat();
    let small = [
        second,
        frame(0, true, &[0, 2, 0x65, 1]),
        first,
        frame(40, false, &[&long[..], &[0, 0, 0, 1, 0x41]].concat()),
        frame(80, false, &long),
        frame(120, false, &[0, 0, 0, 1, 0x41]),
    ];
    let found = samples(&write(&small).0);
    let data: Vec<&[u8]> = found.iter().map(|sample| &sample.3[..]).collect();
    assert_eq!(data, [&[0, 2, 0x65, 1][..], &[0, 1, 0x41], &[0, 1, 0x41]]);
}

pub(super) fn sequence_header(kind: TagKind) -> Tag {
    let is_wanted = |tag: &Tag| tag.kind == kind && tag.is_sequence_header();
    tags().into_iter().find(is_wanted).unwrap()
}

#[test]
fn sound_does_not_wait_for_a_video_that_stopped() {
    let mut writer = Writer::new();
    writer.handle_tag(&sequence_header(TagKind::Video));
    writer.handle_tag(&sequence_header(TagKind::Audio));
    writer.handle_tag(&Tag::video(0, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])));
    let mut bytes = Vec::new();
    for index in 1..=1000 {
        let dts = index * 20;
        writer.handle_tag(&Tag::audio(dts, aac_frame(&[7; 10])));
        bytes.extend(std::iter::from_fn(|| writer.poll_output()).flatten());
        let written = samples(&bytes).iter().map(|sample| sample.1).max();
        // The last one is held, since its length is not known.
        assert!(dts - written.unwrap_or(0) <= STALL_MS + 40, "at {dts}");
    }
}

/// The hvcC record of `pyramid.h265`.
pub(super) fn hevc_record() -> Vec<u8> {
    let mut reader = UnitReader::new(AnnexBCodec::Hevc);
    reader.handle_input(H265);
    reader.poll_unit().unwrap().unwrap().config.unwrap()
}

#[test]
fn hevc_that_is_labelled_avc_is_written_as_hevc() {
    // OBS before 29.1: codec id 7 around an hvcC record.
    let record = hevc_record();
    let header = Tag::video(0, avc_sequence_header(&record));
    let keyframe = |dts| Tag::video(dts, avc_frame(true, 0, &[0, 0, 0, 2, 0x26, 1]));
    let (bytes, notes) = write(&[header.clone(), keyframe(0), header.clone(), keyframe(40)]);
    assert_eq!(notes, []);
    assert_eq!(samples(&bytes).len(), 2);
    let Any::Moov(moov) = &boxes(&bytes)[1] else {
        panic!("no moov");
    };
    let Codec::Hvc1(hevc) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else {
        panic!("another codec");
    };
    assert_eq!((hevc.visual.width, hevc.visual.height), (64, 64));
    assert!(bytes.windows(record.len()).any(|window| window == record));
    // The label stays what it is until a record says otherwise, and both labels go together.
    let honest = [
        Tag::video(80, hevc_sequence_header(&record, HevcForm::Enhanced)),
        Tag::video(
            80,
            hevc_frame(true, 0, &[0, 0, 0, 2, 0x26, 1], HevcForm::Enhanced),
        ),
        Tag::video(120, avc_sequence_header(&[9])),
        keyframe(120),
    ];
    let all = [&[header.clone(), keyframe(0)][..], &honest].concat();
    assert_eq!(samples(&write(&all).0).len(), 3);
    let real_avc = sequence_header(TagKind::Video);
    let (bytes, notes) = write(&[header, keyframe(0), real_avc, keyframe(40)]);
    assert_eq!(samples(&bytes).len(), 1);
    assert_eq!(notes, [Note::VideoLeftOut(VideoCodec::Avc)]);
}

#[test]
fn another_codec_is_not_written_into_the_track() {
    let mut all = vec![
        sequence_header(TagKind::Video),
        Tag::video(0, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])),
    ];
    let hevc = hevc_frame(true, 0, &[0, 0, 0, 2, 0x26, 1], HevcForm::CodecId12);
    all.push(Tag::video(40, hevc));
    let (bytes, notes) = write(&all);
    assert_eq!(samples(&bytes).len(), 1);
    assert_eq!(notes, [Note::VideoLeftOut(VideoCodec::Hevc)]);
}

#[test]
fn a_new_audio_configuration_is_told_and_a_repeated_one_is_not() {
    let header = aac_sequence_header(&[0x12, 0x10]);
    let mut all = vec![Tag::audio(0, header.clone())];
    all.extend((0..100).map(|index| Tag::audio(index * 23, aac_frame(&[9; 20]))));
    all.push(Tag::audio(2300, header));
    assert_eq!(write(&all).1, []);
    all.push(Tag::audio(2300, aac_sequence_header(&[0x11, 0x88])));
    assert_eq!(write(&all).1, [Note::AudioConfigChanged]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_called_that() {
    let (video, audio) = (
        sequence_header(TagKind::Video),
        sequence_header(TagKind::Audio),
    );
    // Cut short in the record; cut short in the AudioSpecificConfig.
    let bad_video = Tag::video(0, video.body[..9].to_vec());
    let bad_audio = Tag::audio(0, audio.body[..3].to_vec());
    let unreadable = [
        Note::ConfigUnreadable(TagKind::Video),
        Note::ConfigUnreadable(TagKind::Audio),
    ];
    let frames = [
        Tag::video(0, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])),
        Tag::audio(0, aac_frame(&[9; 20])),
    ];
    let bad = [bad_video, bad_audio];
    let good = [video, audio];
    for (name, tags, count) in [
        ("before the good ones", [&bad[..], &good, &frames], 2),
        ("behind the good ones", [&good, &bad, &frames], 2),
        ("behind frames", [&good, &frames, &bad], 2),
        ("alone", [&bad, &frames, &[]], 0),
    ] {
        let (bytes, notes) = write(&tags.concat());
        assert_eq!(notes, unreadable, "{name}");
        assert_eq!(samples(&bytes).len(), count, "{name}");
    }
    // A track that the file lacks is not late by a record that says nothing.
    let (_, notes) = write(&[&good[1..], &[Tag::audio(2000, aac_frame(&[9]))], &bad[..1]].concat());
    assert_eq!(notes, unreadable[..1]);
}

/// Enhanced RTMP video, Multitrack: byte 0, track form and packet type, FourCC, then per track
/// its number, a size if there are several, and a body.
fn multitrack(form: u8, packet_type: u8, tracks: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![0x96, (form << 4) | packet_type];
    body.extend_from_slice(b"avc1");
    for (track_id, data) in tracks {
        body.push(*track_id);
        if form > 0 {
            body.put_u24(u32::try_from(data.len()).unwrap());
        }
        body.extend_from_slice(data);
    }
    body
}

#[test]
fn of_several_tracks_the_first_is_written() {
    let frame = |last: u8| [0, 0, 0, 0, 0, 0, 2, 0x65, last];
    let all = [
        sequence_header(TagKind::Video),
        Tag::video(0, multitrack(0, 1, &[(1, &frame(1))])),
        Tag::video(0, avc_frame(true, 0, &frame(2)[3..])),
        Tag::video(40, multitrack(1, 1, &[(2, &frame(3)), (0, &frame(4))])),
    ];
    let (bytes, notes) = write(&all);
    let lasts: Vec<u8> = samples(&bytes)
        .iter()
        .map(|sample| sample.3[sample.3.len() - 1])
        .collect();
    assert_eq!(lasts, [2, 4]);
    assert_eq!(notes, [Note::TrackLeftOut(TagKind::Video)]);
}

#[test]
fn units_have_lengths_of_the_size_that_the_configuration_says() {
    let mut header = sequence_header(TagKind::Video);
    // lengthSizeMinusOne of the avcC record behind the five bytes of the tag.
    header.body[9] = 0xFD;
    let mut changed = header.clone();
    changed.body[8] ^= 1;
    let all = [
        header,
        Tag::video(0, avc_frame(true, 0, &[0, 2, 0x65, 1])),
        Tag::video(
            40,
            avc_frame(true, 0, &[0, 0, 0, 1, 0x65, 2, 0, 0, 1, 0x65, 3]),
        ),
        changed,
        Tag::video(80, avc_frame(true, 0, &[0, 2, 0x65, 4])),
    ];
    let (bytes, _) = write(&all);
    let found = samples(&bytes);
    assert_eq!(found[0].3, [0, 2, 0x65, 1]);
    assert_eq!(found[1].3, [0, 2, 0x65, 2, 0, 2, 0x65, 3], "start codes");
    let last = &found[2].3;
    assert_eq!(last[2] & 0x1F, 7, "an SPS comes first");
    assert!(last.ends_with(&[0, 2, 0x65, 4]));
}

proptest::proptest! {
    #[test]
    fn any_tags_make_whole_boxes(
        bodies in proptest::collection::vec(
            (0..6_usize, proptest::num::i64::ANY, proptest::collection::vec(0_u8..=255, 0..30)),
            0..30,
        ),
    ) {
        let mut writer = Writer::new();
        let mut bytes = Vec::new();
        for (kind, dts, data) in bodies {
            let tag = match kind {
                0 => Tag::video(dts, data),
                1 => Tag::audio(dts, data),
                2 => Tag::video(dts, avc_sequence_header(&data)),
                3 => Tag::video(dts, avc_frame(true, 0, &data)),
                4 => sequence_header(TagKind::Video),
                _ => Tag::audio(dts, aac_sequence_header(&data)),
            };
            writer.handle_tag(&tag);
            bytes.extend(std::iter::from_fn(|| writer.poll_output()).flatten());
        }
        writer.finish();
        bytes.extend(std::iter::from_fn(|| writer.poll_output()).flatten());
        boxes(&bytes);
    }
}
