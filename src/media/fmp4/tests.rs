#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use mp4_atom::{Any, Codec, ReadFrom};

use super::*;
use crate::media::flv::{Reader, aac_frame, aac_sequence_header, avc_frame};

const AVC_AAC: &[u8] = include_bytes!("../../../tests/data/media/avc_aac.flv");

fn tags() -> Vec<Tag> {
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

fn boxes(bytes: &[u8]) -> Vec<Any> {
    let mut rest = bytes;
    std::iter::from_fn(|| {
        (!rest.is_empty()).then(|| Any::read_from(&mut rest).expect("a whole box"))
    })
    .collect()
}

/// Track, dts, composition offset and bytes of every sample, read by another implementation.
fn samples(bytes: &[u8]) -> Vec<(u32, i64, i32, Vec<u8>)> {
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
    // G.711 A-law.
    let (bytes, notes) = write(&[tags[0].clone(), Tag::audio(0, vec![0x72, 1])]);
    assert!(!bytes.is_empty());
    assert!(notes.is_empty(), "it pretends to be AAC: {notes:?}");
    let (bytes, notes) = write(&[Tag::audio(0, vec![0x72, 1])]);
    assert!(bytes.is_empty());
    assert_eq!(notes, [Note::AudioLeftOut(AudioCodec::G711Alaw)]);
}

#[test]
fn a_new_configuration_goes_before_its_keyframe() {
    let tags = tags();
    let header = tags
        .iter()
        .find(|tag| tag.kind == TagKind::Video && tag.is_sequence_header())
        .unwrap();
    let mut changed = header.clone();
    // Another level: the record differs, its parameter sets stay readable.
    changed.body[8] ^= 1;
    let mut all = tags.clone();
    all.push(changed);
    all.push(Tag::video(60_000, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])));
    let (bytes, notes) = write(&all);
    assert_eq!(notes, [Note::ConfigChanged]);
    let (.., last) = samples(&bytes)
        .into_iter()
        .max_by_key(|sample| sample.1)
        .unwrap();
    assert!(last.len() > 5 && last.ends_with(&[0, 0, 0, 1, 0x65]));
    assert_eq!(last[4] & 0x1F, 7, "an SPS comes first");
}
