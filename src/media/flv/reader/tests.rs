//! FLV files, whole and in pieces, damaged in the ways that occur.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::flv::{put_file_header, put_tag};

fn file(tags: &[Tag]) -> Vec<u8> {
    let mut out = Vec::new();
    put_file_header(&mut out, true, true);
    for tag in tags {
        put_tag(&mut out, tag).unwrap();
    }
    out
}

fn read(pieces: &[&[u8]]) -> (Vec<Tag>, Result<(), FlvError>) {
    let mut reader = Reader::new();
    let mut tags = Vec::new();
    for piece in pieces {
        reader.handle_input(piece);
        loop {
            match reader.poll_tag() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(reader.poll_tag(), Err(error), "errors stay");
                    return (tags, Err(error));
                }
            }
        }
    }
    (tags, reader.finish())
}

fn sample() -> Vec<Tag> {
    vec![
        Tag::script(0, b"\x02\x00\x0AonMetaData\x05".to_vec()),
        Tag::video(0, vec![0x17, 0, 0, 0, 0, 1]),
        Tag::audio(-5, vec![]),
        Tag::video(i64::from(i32::MAX), vec![0x27; 300]),
    ]
}

#[test]
fn tags_in_order_at_every_split() {
    let bytes = file(&sample());
    assert_eq!(read(&[&bytes]), (sample(), Ok(())));
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(read(&[head, tail]), (sample(), Ok(())), "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single), (sample(), Ok(())));
}

#[test]
fn truncation_at_every_byte_gives_the_whole_tags_before_it() {
    let bytes = file(&sample());
    let mut ends = vec![13];
    for tag in sample() {
        ends.push(ends.last().unwrap() + 11 + tag.body.len() + 4);
    }
    for length in 0..bytes.len() {
        let (tags, result) = read(&[&bytes[..length]]);
        let complete = ends
            .iter()
            .skip(1)
            .filter(|&&end| end - 4 <= length)
            .count();
        assert_eq!(tags, sample()[..complete], "length {length}");
        // Between the end of a body and the next tag nothing is missing that matters.
        let clean = ends
            .iter()
            .any(|&end| length <= end && length + 4 >= end && length > 12);
        assert_eq!(
            result.is_ok(),
            clean || length == 9 || (9..13).contains(&length),
            "length {length}: {result:?}"
        );
    }
}

#[test]
fn what_files_get_wrong() {
    let tags = sample();

    let mut wrong_back_pointers = file(&tags);
    wrong_back_pointers[9..13].fill(0xEE);
    let length = wrong_back_pointers.len();
    wrong_back_pointers[length - 4..].fill(0);
    assert_eq!(read(&[&wrong_back_pointers]), (tags.clone(), Ok(())));

    let mut long_header = file(&tags);
    long_header[8] = 12;
    long_header.splice(9..9, [1, 2, 3]);
    assert_eq!(read(&[&long_header]), (tags.clone(), Ok(())));

    let mut zero_header = file(&tags);
    zero_header[8] = 0;
    assert_eq!(read(&[&zero_header]), (tags.clone(), Ok(())));

    let mut encrypted = file(&tags);
    encrypted[13] |= 0x20;
    assert_eq!(read(&[&encrypted]), (tags[1..].to_vec(), Ok(())));

    let mut unknown_type = file(&tags);
    unknown_type[13] = 10;
    assert_eq!(read(&[&unknown_type]), (tags[1..].to_vec(), Ok(())));

    let mut amf3 = file(&[Tag::script(7, b"\x00\x02\x00\x01a\x05".to_vec())]);
    amf3[13] = 15;
    let expected = Tag::script(7, b"\x02\x00\x01a\x05".to_vec());
    assert_eq!(read(&[&amf3]), (vec![expected], Ok(())));
}

#[test]
fn errors_say_what_was_found() {
    let mp4 = b"\x00\x00\x00\x18ftypisom";
    let (_, result) = read(&[mp4]);
    assert_eq!(
        result.unwrap_err().to_string(),
        r#"not an FLV file: starts with "\x00\x00\x00\x18ftyp" (00 00 00 18 66 74 79 70)"#
    );
    assert_eq!(
        read(&[b"hi"]).1.unwrap_err().to_string(),
        r#"not an FLV file: starts with "hi" (68 69)"#
    );
    assert_eq!(
        read(&[]).1.unwrap_err().to_string(),
        "not an FLV file: starts with nothing"
    );
    let header = b"FLV\x01\x05\xFF\xFF\xFF\xFF";
    assert_eq!(read(&[header]).1, Err(FlvError::HeaderSize(u32::MAX)));

    let mut lost = file(&sample());
    lost.splice(13..13, [0; 4]);
    assert_eq!(
        read(&[&lost]).1,
        Err(FlvError::Desync {
            tag_type: 0,
            offset: 13
        })
    );

    let mut reader = Reader::with_tag_size_max(299);
    reader.handle_input(&file(&[Tag::video(0, vec![0; 300])]));
    assert_eq!(
        reader.poll_tag(),
        Err(FlvError::TagTooLarge {
            size: 300,
            limit: 299
        })
    );
}

proptest! {
    #[test]
    fn any_bytes_any_split_same_result(
        start in any::<bool>(),
        noise in proptest::collection::vec(any::<u8>(), 0..400),
        cut in 0_usize..400,
    ) {
        let mut bytes = if start { file(&sample()[..2]) } else { Vec::new() };
        bytes.extend(noise);
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        prop_assert_eq!(read(&[head, tail]), read(&[&bytes]));
    }

    #[test]
    fn what_is_written_is_read_back(
        bodies in proptest::collection::vec(
            (0_u8..3, any::<i32>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..8),
    ) {
        let tags: Vec<Tag> = bodies.into_iter().map(|(kind, dts, body)| Tag {
            kind: [TagKind::Audio, TagKind::Video, TagKind::Script][usize::from(kind)],
            dts: i64::from(dts),
            body,
        }).collect();
        prop_assert_eq!(read(&[&file(&tags)]), (tags, Ok(())));
    }
}

#[test]
fn a_file_of_ffmpeg() {
    const FILE: &[u8] = include_bytes!("../../../../tests/data/media/avc_aac.flv");
    let (tags, result) = read(&[FILE]);
    assert_eq!(result, Ok(()));
    let kinds: String = tags
        .iter()
        .map(
            |tag| match (tag.kind, tag.is_sequence_header(), tag.is_keyframe()) {
                (TagKind::Script, ..) => 'M',
                (_, true, _) => 'H',
                (TagKind::Video, _, true) => 'K',
                (TagKind::Video, ..) => 'v',
                (TagKind::Audio, ..) => 'a',
            },
        )
        .collect();
    assert_eq!(kinds, "MHHKvavaavaavaaaaav");
    assert_eq!(tags[3].body[..5], [0x17, 1, 0, 0, 80]);
    // FFmpeg's end of sequence has the time of the last video frame, behind later audio.
    assert_eq!(tags[18].body, [0x17, 2, 0, 0, 0]);

    let single: Vec<&[u8]> = FILE.chunks(1).collect();
    assert_eq!(read(&single), (tags, Ok(())));
}
