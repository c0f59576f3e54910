//! Parameter sets written by x264 (FFmpeg 5.1.9), damaged ones, and a second opinion.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, decode_nal};
use proptest::prelude::*;

use super::*;
use crate::media::codec::hex;

const SPS_160X90: &str = "6764000bacd9428df93011000003000100000300320f142996";
const PPS_160X90: &str = "68ef8fcb";
/// 1920x1080 labelled as level 3.0, which allows 720x576.
const SPS_LEVEL_TOO_LOW: &str = "6764001eacd940780227e5c04400000fa40003a9823c58b658";
const SPS_INTERLACED: &str = "67640028acd94078044fdffe0006000820000003002000000643e2c5b2c0";
const SPS_BASELINE: &str = "6742c00cd90150878888c044000003000400000300783c50a920";
const SPS_444_10_SCALING: &str = "67f4001f90d9b281405ff13808800000030080000032078c18cb";
const ALL: [&str; 5] = [
    SPS_160X90,
    SPS_LEVEL_TOO_LOW,
    SPS_INTERLACED,
    SPS_BASELINE,
    SPS_444_10_SCALING,
];

/// As FFmpeg 5.1.9 writes it into an MP4 file for the first SPS and PPS.
const AVCC: &str = "0164000bffe10019 6764000bacd9428df93011000003000100000300320f142996
    010004 68ef8fcb fdf8f800";

#[test]
fn sps_table() {
    for (name, unit, profile, level, size, rate, reorder) in [
        ("160x90", SPS_160X90, 100, 11, (160, 90), 25.0, Some(2)),
        (
            "level too low",
            SPS_LEVEL_TOO_LOW,
            100,
            30,
            (1920, 1080),
            30_000.0 / 1001.0,
            Some(2),
        ),
        (
            "interlaced",
            SPS_INTERLACED,
            100,
            40,
            (1920, 1080),
            25.0,
            Some(2),
        ),
        ("baseline", SPS_BASELINE, 66, 12, (322, 242), 15.0, Some(0)),
        (
            "4:4:4 10 bits",
            SPS_444_10_SCALING,
            244,
            31,
            (640, 360),
            50.0,
            Some(2),
        ),
    ] {
        let sps = Sps::parse(&hex(unit)).expect(name);
        assert_eq!((sps.profile, sps.level), (profile, level), "{name}");
        assert_eq!((sps.width, sps.height), size, "{name}");
        assert_eq!(sps.frame_rate, Some(rate), "{name}");
        assert_eq!(sps.reorder_frames_max, reorder, "{name}");
        assert_eq!(sps.frame_mbs_only, name != "interlaced", "{name}");
    }
    let deep = Sps::parse(&hex(SPS_444_10_SCALING)).unwrap();
    assert_eq!((deep.chroma_format, deep.bit_depth_luma), (3, 10));
    let interlaced = Sps::parse(&hex(SPS_INTERLACED)).unwrap();
    assert_eq!(interlaced.sample_aspect_ratio, Some((3, 4)));
    assert_eq!(
        Sps::parse(&hex(SPS_BASELINE)).unwrap().pic_order,
        PicOrder::Decoding
    );
    assert_eq!(
        Sps::parse(&hex(SPS_160X90)).unwrap().pic_order,
        PicOrder::Lsb(6)
    );
}

#[test]
fn a_cut_sps_keeps_its_size_once_that_is_read() {
    for unit in ALL {
        let unit = hex(unit);
        let whole = Sps::parse(&unit).unwrap();
        let mut readable = 0;
        for length in 0..unit.len() {
            if let Ok(sps) = Sps::parse(&unit[..length]) {
                assert_eq!((sps.width, sps.height), (whole.width, whole.height));
                readable += 1;
            } else {
                assert_eq!(readable, 0, "once readable, more bytes cannot hurt");
            }
        }
        assert!(readable > 8);
    }
}

#[test]
fn stray_bytes_behind_an_sps_do_not_matter() {
    for tail in [&[0, 0, 0, 0][..], &[0xFF; 9], &[0, 0, 0, 1]] {
        let unit = [&hex(SPS_160X90)[..], tail].concat();
        assert_eq!(Sps::parse(&unit).unwrap().width, 160);
    }
}

#[test]
fn impossible_sps() {
    for (name, unit) in [
        ("empty", ""),
        ("header only", "67"),
        ("id 32", "67 42c01e 04 20ff ffff ffff"),
        ("all zero", "67 0000 0000 0000 0000 0000 0000"),
        // 16x16 pixels and a cropping of 2 * (15 + 15) from the width.
        ("cropped to nothing", "67 42c01e 8d 3f c2 10 84 ff"),
    ] {
        assert!(Sps::parse(&hex(unit)).is_err(), "{name}");
    }
}

#[test]
fn avcc_round_trip_is_what_ffmpeg_writes() {
    let record = hex(AVCC);
    let config = AvcConfig::parse(&record).unwrap();
    assert_eq!(config.sps, [hex(SPS_160X90)]);
    assert_eq!(config.pps, [hex(PPS_160X90)]);
    assert_eq!(config.length_size, 4);
    assert_eq!(config.rfc6381(), "avc1.64000b");
    let built =
        AvcConfig::from_parameter_sets(vec![hex(SPS_160X90)], vec![hex(PPS_160X90)]).unwrap();
    assert_eq!(built, config);
    assert_eq!(built.encode(), record);
    let baseline = AvcConfig {
        profile: 66,
        ..config
    };
    assert_eq!(baseline.encode().len(), record.len() - 4);
}

#[test]
fn broken_avcc() {
    let record = hex(AVCC);
    // The four bytes at the end are optional.
    for length in 0..record.len() - 4 {
        assert!(AvcConfig::parse(&record[..length]).is_err(), "{length}");
    }
    assert!(AvcConfig::parse(&record[..record.len() - 4]).is_ok());
    assert_eq!(
        AvcConfig::parse(&[2, 0x64, 0, 0x0B, 0xFF, 0xE0, 0]),
        Err(CodecError::OutOfRange {
            field: "configurationVersion",
            value: 2
        })
    );
    let none = AvcConfig::parse(&[1, 0x64, 0, 0x0B, 0xFF, 0xE0, 0]).unwrap();
    assert_eq!(none.first_sps(), None);
    let missing = AvcConfig::from_parameter_sets(vec![], vec![vec![0x68]]);
    assert_eq!(missing, Err(CodecError::Missing("SPS")));
    let missing = AvcConfig::from_parameter_sets(vec![hex(SPS_160X90)], vec![]);
    assert_eq!(missing, Err(CodecError::Missing("PPS")));
    let short = AvcConfig::from_parameter_sets(vec![vec![0x67, 1]], vec![vec![0x68]]);
    assert_eq!(short, Err(CodecError::Truncated));
}

#[test]
fn parameter_sets_that_do_not_fit_are_left_out() {
    let config = AvcConfig {
        sps: vec![vec![0x67; 4]; 40],
        pps: vec![vec![0x68; 70_000], vec![0x68]],
        ..AvcConfig::parse(&hex(AVCC)).unwrap()
    };
    let again = AvcConfig::parse(&config.encode()).unwrap();
    assert_eq!((again.sps.len(), again.pps.len()), (31, 1));
}

#[test]
fn a_configuration_from_a_frame() {
    let mut frame = Vec::new();
    for unit in [SPS_160X90, PPS_160X90, "6588"] {
        nal::put_length_prefixed(&mut frame, &hex(unit));
    }
    assert!(has_idr(&frame, 4));
    assert_eq!(
        AvcConfig::from_frame(&frame, 4).unwrap().encode(),
        hex(AVCC)
    );
    assert_eq!(AvcConfig::from_frame(&frame[..30], 4), None);
    assert!(!has_idr(&[0, 0, 0, 2, 0x41, 0x9A], 4));
}

#[test]
fn slice_headers() {
    let sps = Sps::parse(&hex(SPS_160X90)).unwrap();
    // From the same x264 stream: the IDR picture and the P picture after it.
    let idr = SliceHeader::parse(&hex("6588840037ffd678"), &sps).unwrap();
    assert_eq!(
        idr.start,
        SliceStart {
            first_macroblock: 0,
            slice_type: 7,
            pps_id: 0
        }
    );
    assert_eq!(
        (idr.frame_num, idr.idr_pic_id, idr.pic_order_lsb),
        (0, Some(0), Some(0))
    );
    let p = SliceHeader::parse(&hex("419a2318867ffe9e"), &sps).unwrap();
    assert_eq!(p.start.slice_type, 5);
    assert_eq!(
        (p.frame_num, p.idr_pic_id, p.pic_order_lsb),
        (1, None, Some(6))
    );
    assert_eq!(
        SliceHeader::parse(&[0x65], &sps),
        Err(CodecError::Truncated)
    );
    assert_eq!(Pps::parse(&hex(PPS_160X90)), Ok(Pps { id: 0, sps_id: 0 }));
    assert!(Pps::parse(&[0x68]).is_err());
}

#[test]
fn recovery_points_in_sei() {
    for (name, sei, expected) in [
        ("recovery point", "06 06 01 c4 80", true),
        ("behind another message", "06 05 02 aa bb 06 01 c4 80", true),
        ("another message only", "06 05 02 aa bb 80", false),
        ("size in two bytes, cut short", "06 05 ff 05 aa", false),
        ("size beyond the end", "06 05 ff ff ff ff ff ff ff", false),
        ("empty", "06", false),
        ("nothing", "", false),
    ] {
        assert_eq!(has_recovery_point(&hex(sei)), expected, "{name}");
    }
}

fn second_opinion(unit: &[u8]) -> Option<SeqParameterSet> {
    let rbsp = decode_nal(unit).ok()?;
    SeqParameterSet::from_bits(BitReader::new(&*rbsp)).ok()
}

#[test]
fn h264_reader_agrees_where_it_reads() {
    let mut agreed = 0;
    for unit in ALL {
        let unit = hex(unit);
        if let Some(other) = second_opinion(&unit) {
            let sps = Sps::parse(&unit).unwrap();
            assert_eq!(other.pixel_dimensions().unwrap(), (sps.width, sps.height));
            assert_eq!(other.fps(), sps.frame_rate);
            agreed += 1;
        }
    }
    // It refuses the picture that is larger than its level allows. Cameras send that.
    assert_eq!(agreed, 4);
    assert!(second_opinion(&hex(SPS_LEVEL_TOO_LOW)).is_none());
}

proptest! {
    #[test]
    fn h264_reader_agrees_on_damaged_sps(
        index in 0..ALL.len(),
        at in 0_usize..30,
        bit in 0_u8..8,
        second in 0_usize..30,
    ) {
        let mut unit = hex(ALL[index]);
        let length = unit.len();
        unit[1 + at % (length - 1)] ^= 1 << bit;
        unit[1 + second % (length - 1)] ^= 1 << (7 - bit);
        // What we refuse and it accepts are values that no specification gives a meaning.
        if let Some(other) = second_opinion(&unit)
            && let Ok((width, height)) = other.pixel_dimensions()
            && let Ok(sps) = Sps::parse(&unit)
        {
            prop_assert_eq!((width, height), (sps.width, sps.height));
            prop_assert_eq!(other.fps().filter(|&fps| fps > 0.0 && fps <= 1000.0), sps.frame_rate);
        }
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80), length_size in 0_u8..6) {
        if let Ok(config) = AvcConfig::parse(&bytes) {
            prop_assert_eq!(AvcConfig::parse(&config.encode()), Ok(config));
        }
        AvcConfig::from_frame(&bytes, length_size);
        if let Ok(sps) = Sps::parse(&bytes) {
            prop_assert!(sps.width > 0 && sps.height > 0);
            SliceHeader::parse(&bytes, &sps).ok();
        }
        Pps::parse(&bytes).ok();
        has_recovery_point(&bytes);
    }
}
