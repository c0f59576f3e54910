//! Byte streams of x264 and x265, whole, in pieces and damaged; fields put together by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::codec::{avc as avc_codec, hevc as hevc_codec, hex, nal};
use crate::media::flv::VideoHeader;

const H264: &[u8] = include_bytes!("../../../tests/data/media/pyramid.h264");
const H265: &[u8] = include_bytes!("../../../tests/data/media/pyramid.h265");
const BOTH: [(AnnexBCodec, &[u8]); 2] = [(AnnexBCodec::Avc, H264), (AnnexBCodec::Hevc, H265)];

/// 322x242 at 15 frames per second, picture order type 2.
const SPS_BASELINE: &str = "6742c00cd90150878888c044000003000400000300783c50a920";
/// 1920x1080, fields allowed, frame numbers of 4 bits, order counts of 6 bits.
const SPS_FIELDS: &str = "67640028acd94078044fdffe0006000820000003002000000643e2c5b2c0";
const PPS: &str = "68fba3cb22c0";

fn units(codec: AnnexBCodec, pieces: &[&[u8]]) -> Result<Vec<AccessUnit>, AnnexBError> {
    let mut reader = UnitReader::new(codec);
    let mut units = Vec::new();
    for piece in pieces {
        reader.handle_input(piece);
        while let Some(unit) = reader.poll_unit()? {
            units.push(unit);
        }
    }
    reader.finish();
    while let Some(unit) = reader.poll_unit()? {
        units.push(unit);
    }
    reader.outcome()?;
    Ok(units)
}

fn tags(codec: AnnexBCodec, stream: &[u8], frame_rate: Option<f64>) -> Vec<Tag> {
    let mut reader = TagReader::new(codec, frame_rate, HevcForm::Enhanced);
    reader.handle_input(stream);
    reader.finish();
    let mut tags = Vec::new();
    while let Some(tag) = reader.poll_tag().unwrap() {
        tags.push(tag);
    }
    reader.outcome().unwrap();
    tags
}

/// `K` for keyframes, then dts/pts; `H` for a sequence header.
fn summary(tags: &[Tag]) -> String {
    let tags = tags.iter().map(|tag| {
        let header = VideoHeader::parse(&tag.body).unwrap();
        if header.is_sequence_header() {
            return "H".to_owned();
        }
        let key = if header.is_keyframe() { "K" } else { "" };
        let pts = tag.dts + i64::from(header.composition_time_offset);
        format!("{key}{}/{pts}", tag.dts)
    });
    tags.collect::<Vec<_>>().join(" ")
}

fn stream(units: &[Vec<u8>]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [&[0, 0, 1], &unit[..]].concat())
        .collect()
}

#[test]
fn tags_have_the_times_that_ffmpeg_gives() {
    // FFmpeg writes the same pairs to MP4, two frames earlier, since there dts may be negative.
    for (codec, bytes) in BOTH {
        assert_eq!(
            summary(&tags(codec, bytes, None)),
            "H K0/80 40/240 80/160 120/120 160/200 K200/280 240/360 280/320",
            "{codec:?}"
        );
    }
    let twice = summary(&tags(AnnexBCodec::Avc, H264, Some(50.0)));
    assert!(twice.starts_with("H K0/40 20/120 40/80 "), "{twice}");
    for useless in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let tags = tags(AnnexBCodec::Avc, H264, Some(useless));
        assert_eq!(tags[2].dts, 40);
    }
}

#[test]
fn any_split_gives_the_same_units() {
    for (codec, bytes) in BOTH {
        let whole = units(codec, &[bytes]).unwrap();
        assert_eq!(whole.len(), 8);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(units(codec, &[head, tail]).unwrap(), whole, "cut at {cut}");
        }
        for size in [1, 2, 3, 5, 100] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(units(codec, &pieces).unwrap(), whole, "pieces of {size}");
        }
    }
}

/// What comes out up to the end or a fault.
fn outcome(unit_size_max: usize, pieces: &[&[u8]]) -> (Vec<AccessUnit>, Option<AnnexBError>) {
    let mut reader = UnitReader::with_unit_size_max(AnnexBCodec::Avc, unit_size_max);
    let mut units = Vec::new();
    for piece in pieces {
        reader.handle_input(piece);
        loop {
            match reader.poll_unit() {
                Ok(Some(unit)) => units.push(unit),
                Ok(None) => break,
                Err(error) => return (units, Some(error)),
            }
        }
    }
    reader.finish();
    while let Ok(Some(unit)) = reader.poll_unit() {
        units.push(unit);
    }
    (units, reader.outcome().err())
}

#[test]
fn zeros_and_bounds_mean_the_same_however_the_stream_is_cut() {
    let start = stream(&[
        hex(SPS_FIELDS),
        hex(PPS),
        slice(0x65, "1 0001000 1 0000 0 1 000000"),
    ]);
    let picture = slice(0x41, "1 00110 1 0001 0 000010");
    let code = [0, 0, 1];
    let long = |size: usize| [&picture[..], &[0xAB; 300][..size - picture.len()]].concat();
    let limit = 200;
    let too_large = Some(AnnexBError::UnitTooLarge { limit });
    for (name, rest, count, error) in [
        (
            "a slice whose header would go on in the zeros behind it",
            [&code[..], &[0x21, 0x65, 0xFF], &[0; 100], &code, &picture].concat(),
            2,
            None,
        ),
        (
            "zeros behind a unit, more than a unit may have",
            [&code[..], &picture, &[0; 500], &code, &picture].concat(),
            3,
            None,
        ),
        (
            "zeros inside a unit, more than it may have",
            [&code[..], &picture, &[0; 500], &picture].concat(),
            0,
            too_large,
        ),
        (
            "a unit as long as it may be, its length counted",
            [&code[..], &long(limit - 4), &[0], &code, &picture].concat(),
            3,
            None,
        ),
        (
            "a picture too large by its length",
            [&code[..], &long(limit), &[0], &code, &picture].concat(),
            1,
            too_large,
        ),
        (
            "a unit too large",
            [&code[..], &long(limit + 1), &code, &picture].concat(),
            1,
            too_large,
        ),
    ] {
        let stream = [&start[..], &rest].concat();
        let whole = outcome(limit, &[&stream]);
        assert_eq!((whole.0.len(), whole.1), (count, error), "{name}");
        for size in 1..stream.len() {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(outcome(limit, &pieces), whole, "{name}: pieces of {size}");
        }
    }
}

#[test]
fn a_unit_comes_out_once_the_next_has_begun() {
    for (codec, bytes) in BOTH {
        let is_second_picture = |unit: &[u8]| match codec {
            AnnexBCodec::Avc => avc_codec::nal_type(unit) == 1,
            AnnexBCodec::Hevc => hevc_codec::nal_type(unit) < 2,
        };
        let units: Vec<Vec<u8>> = nal::start_coded(bytes).map(<[u8]>::to_vec).collect();
        let at = units.iter().position(|unit| is_second_picture(unit));
        let (before, rest) = units.split_at(at.unwrap());
        let mut reader = UnitReader::new(codec);
        reader.handle_input(&stream(before));
        let mut head = [&[0, 0, 1], &rest[0][..]].concat();
        head.resize(3 + SLICE_HEAD_SIZE, 0xAB);
        reader.handle_input(&head[..head.len() - 1]);
        assert_eq!(reader.poll_unit(), Ok(None));
        reader.handle_input(&[0xAB]);
        assert!(reader.poll_unit().unwrap().unwrap().is_keyframe);
        assert_eq!(reader.poll_unit(), Ok(None));
        // The rest of that slice is still to come, and goes with its head.
        reader.handle_input(&[0xAB; 100]);
        assert_eq!(reader.poll_unit(), Ok(None));
        reader.finish();
        let unit = reader.poll_unit().unwrap().unwrap();
        assert_eq!(unit.frame.len(), 4 + SLICE_HEAD_SIZE + 100);
    }
}

#[test]
fn frames_hold_the_slices_untouched_and_the_record_the_sets() {
    for (codec, bytes) in BOTH {
        let units = units(codec, &[bytes]).unwrap();
        let is_slice = |unit: &&[u8]| match codec {
            AnnexBCodec::Avc => matches!(avc_codec::nal_type(unit), 1 | 5),
            AnnexBCodec::Hevc => hevc_codec::nal_type(unit) < 32,
        };
        let sent: Vec<&[u8]> = nal::start_coded(bytes).filter(is_slice).collect();
        let frames = units.iter().map(|unit| &unit.frame[..]);
        let got: Vec<&[u8]> = frames.flat_map(|f| nal::length_prefixed(f, 4)).collect();
        assert_eq!(got, sent, "{codec:?}");
        let records: Vec<_> = units.iter().filter_map(|u| u.config.as_deref()).collect();
        assert_eq!(
            records.len(),
            1,
            "sets are repeated in the stream, the record is not"
        );
        let size = match codec {
            AnnexBCodec::Avc => {
                let config = avc_codec::AvcConfig::parse(records[0]).unwrap();
                config.first_sps().map(|sps| (sps.width, sps.height))
            }
            AnnexBCodec::Hevc => {
                let config = hevc_codec::HevcConfig::parse(records[0]).unwrap();
                config.first_sps().map(|sps| (sps.width, sps.height))
            }
        };
        assert_eq!(size, Some((64, 64)));
    }
}

#[test]
fn truncation_at_every_byte_keeps_the_whole_units() {
    for (codec, bytes) in BOTH {
        let whole = units(codec, &[bytes]).unwrap();
        for length in 0..bytes.len() {
            match units(codec, &[&bytes[..length]]) {
                Ok(cut) => {
                    let complete = cut.len() - 1;
                    assert_eq!(cut[..complete], whole[..complete], "{length}");
                }
                Err(error) => assert_eq!(error, AnnexBError::NoPicture, "{length}"),
            }
        }
    }
}

#[test]
fn changed_parameter_sets_give_a_new_record() {
    let mut changed = H264.to_vec();
    let level = changed
        .windows(2)
        .position(|pair| pair == [0x67, 0x64])
        .unwrap()
        + 3;
    changed[level] += 1;
    let stream = [H264, &changed, &changed, H264].concat();
    let units = units(AnnexBCodec::Avc, &[&stream]).unwrap();
    let new: Vec<usize> = (0..units.len())
        .filter(|&index| units[index].config.is_some())
        .collect();
    // The repeated set inside the changed file is the old one again.
    assert_eq!(new, [0, 8, 13, 16, 21]);
    assert!(new.iter().all(|&index| units[index].is_keyframe));
}

#[test]
fn pictures_without_their_sets_are_left_out() {
    for (codec, bytes) in BOTH {
        let is_set = |unit: &&[u8]| match codec {
            AnnexBCodec::Avc => matches!(avc_codec::nal_type(unit), 7 | 8),
            AnnexBCodec::Hevc => (32..35).contains(&hevc_codec::nal_type(unit)),
        };
        let bare: Vec<Vec<u8>> = nal::start_coded(bytes)
            .filter(|unit| !is_set(unit))
            .map(<[u8]>::to_vec)
            .collect();
        let bare = stream(&bare);
        assert_eq!(units(codec, &[&bare]), Err(AnnexBError::NoPicture));
        let then_whole = units(codec, &[&bare, bytes]).unwrap();
        assert_eq!(then_whole.len(), 8);
        assert!(then_whole[0].config.is_some());
    }
    for nothing in [&b""[..], b"\x00\x00\x01", b"hello", &[0; 50], &[0xFF; 50]] {
        for codec in [AnnexBCodec::Avc, AnnexBCodec::Hevc] {
            assert_eq!(units(codec, &[nothing]), Err(AnnexBError::NoPicture));
        }
    }
    // The wrong codec is noticed.
    assert!(units(AnnexBCodec::Hevc, &[H264]).is_err());
    assert!(units(AnnexBCodec::Avc, &[H265]).is_err());
}

#[test]
fn units_have_a_bound() {
    let limit = 200;
    for stream in [
        [&[0, 0, 1, 0x65][..], &[0xFF; 300]].concat(),
        // Messages that no slice ever follows.
        [0, 0, 1, 6, 5, 4, 1, 1, 1, 1].repeat(50),
    ] {
        let mut reader = UnitReader::with_unit_size_max(AnnexBCodec::Avc, limit);
        let mut outcome = Ok(None);
        for piece in stream.chunks(10) {
            reader.handle_input(piece);
            outcome = reader.poll_unit();
        }
        assert_eq!(outcome, Err(AnnexBError::UnitTooLarge { limit }));
        assert_eq!(reader.outcome(), Err(AnnexBError::UnitTooLarge { limit }));
    }
    // Bytes before the first start code are not kept.
    let mut reader = UnitReader::with_unit_size_max(AnnexBCodec::Avc, H264.len());
    reader.handle_input(&[0xFF; 10_000]);
    assert_eq!(reader.poll_unit(), Ok(None));
    reader.handle_input(H264);
    assert!(reader.poll_unit().unwrap().is_some());
}

/// A slice header of `SPS_FIELDS` and a few bytes of data: `bits` is everything behind the type.
fn slice(header: u8, bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits
        .bytes()
        .filter(|b| *b != b' ')
        .map(|b| b - b'0')
        .collect();
    let mut unit = vec![header];
    for byte in bits.chunks(8) {
        unit.push((0..8).fold(0, |sum, at| sum * 2 + byte.get(at).copied().unwrap_or(1)));
    }
    unit.extend([0xAB, 0xCD]);
    unit
}

#[test]
fn two_fields_are_one_unit() {
    // first_mb 0, I or P, PPS 0 | frame_num | field, bottom | idr_pic_id | order count
    let sets = || vec![hex(SPS_FIELDS), hex(PPS)];
    let idr_top = slice(0x65, "1 0001000 1 0000 10 1 000000");
    let p_bottom = slice(0x41, "1 00110 1 0000 11 000001");
    let p_top = slice(0x41, "1 00110 1 0001 10 000010");
    let p_bottom_next = slice(0x41, "1 00110 1 0001 11 000011");
    let frame = slice(0x41, "1 00110 1 0010 0 000100");
    let delimiter = vec![9, 0xF0];
    let fields = [
        sets(),
        vec![idr_top, delimiter.clone(), p_bottom],
        vec![delimiter, p_top, p_bottom_next, frame],
    ]
    .concat();
    let units = units(AnnexBCodec::Avc, &[&stream(&fields)]).unwrap();
    let slices: Vec<usize> = units
        .iter()
        .map(|unit| nal::length_prefixed(&unit.frame, 4).count())
        .collect();
    assert_eq!(slices, [2, 2, 1]);
    assert!(units[0].is_keyframe && !units[1].is_keyframe);
    // Two counts to a frame, no reordering seen: the announced delay and nothing else.
    let offsets: Vec<u32> = units.iter().map(|unit| unit.composition_frames).collect();
    assert_eq!(offsets, [2, 2, 2]);
}

#[test]
fn a_recovery_point_is_a_keyframe() {
    let frame = |sei: &[Vec<u8>], frame_num: &str| {
        let slice = slice(0x41, &format!("1 00110 1 {frame_num} 0 000000"));
        [sei, &[slice]].concat()
    };
    let recovery_point = vec![hex("060601c480")];
    let user_data = vec![hex("060502aabb80")];
    let sets = vec![hex(SPS_FIELDS), hex(PPS)];
    let all = [
        sets,
        frame(&recovery_point, "0000"),
        frame(&user_data, "0001"),
        frame(&[], "0010"),
    ]
    .concat();
    let units = units(AnnexBCodec::Avc, &[&stream(&all)]).unwrap();
    let keys: Vec<bool> = units.iter().map(|unit| unit.is_keyframe).collect();
    assert_eq!(keys, [true, false, false]);
    // SEI stays in front of the slice that it speaks of.
    let kinds: Vec<u8> = nal::length_prefixed(&units[1].frame, 4)
        .map(avc_codec::nal_type)
        .collect();
    assert_eq!(kinds, [6, 1]);
}

#[test]
fn a_stream_without_a_frame_rate_gets_the_default() {
    // Cut before its VUI; slices have frame numbers of 4 bits and nothing behind.
    let sps = hex(SPS_BASELINE)[..10].to_vec();
    assert_eq!(avc_codec::Sps::parse(&sps).unwrap().frame_rate, None);
    let idr = slice(0x65, "1 0001000 1 0000 1");
    let p = slice(0x41, "1 00110 1 0001");
    let bytes = stream(&[sps, hex(PPS), idr.clone(), p.clone()]);
    assert_eq!(
        summary(&tags(AnnexBCodec::Avc, &bytes, None)),
        "H K0/0 40/40"
    );
    let bytes = stream(&[hex(SPS_BASELINE), hex(PPS), idr, p]);
    assert_eq!(
        summary(&tags(AnnexBCodec::Avc, &bytes, None)),
        "H K0/0 67/67"
    );
}

#[test]
fn the_clock_does_not_drift() {
    let mut clock = FrameClock::new(30_000.0 / 1001.0);
    clock.frames = 30_000 * 3600;
    assert_eq!(clock.at(0), 1_001_000 * 3600);
    clock.set_rate(25.0);
    assert_eq!(
        (clock.at(0), clock.at(1)),
        (1_001_000 * 3600, 1_001_000 * 3600 + 40)
    );
}

proptest! {
    #[test]
    fn damaged_streams(
        index in 0_usize..2,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let (codec, bytes) = BOTH[index];
        let mut bytes = bytes.to_vec();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let (head, tail) = bytes.split_at(cut.index(bytes.len()));
        let whole = units(codec, &[&bytes]);
        prop_assert_eq!(&units(codec, &[head, tail]), &whole);
        for unit in whole.unwrap_or_default() {
            prop_assert!(nal::is_length_prefixed(&unit.frame, 4));
            prop_assert!(!unit.frame.is_empty());
            prop_assert!(unit.composition_frames <= 48);
        }
    }

    #[test]
    fn noise_between_start_codes(
        noise in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20),
        index in 0_usize..2,
    ) {
        let (codec, bytes) = BOTH[index];
        units(codec, &[&stream(&noise), bytes, &stream(&noise)]).unwrap();
    }
}
