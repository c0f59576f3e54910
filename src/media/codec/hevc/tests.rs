//! Parameter sets written by x265 (FFmpeg 5.1.9), and damaged ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::codec::hex;

const VPS: &str = "40010c01ffff01600000030090000003000003001e959009";
const SPS_160X90: &str =
    "42010101600000030090000003000003001ea0142061f26595924932bc05a02000007d20000ea601";
const PPS: &str = "4401c172b46240";
const SPS_MAIN10: &str =
    "42010102200000030090000003000003007ba003c08010e4d96566924caf01680800001f480007530040";
/// 4:2:2, High tier, default scaling lists, sample aspect ratio 3.
const SPS_422: &str =
    "4201012408000003009d0800000300007bb00a480f9c93e5959a49395e06d010000003001000000300f080";
/// As FFmpeg 5.1.9 writes it into an MP4 file, parallelism and array completeness aside.
const HVCC: &str = "01 01600000009000000000001e f000 fc fd f8 f8 0000 0f 03
    a0 0001 0018 40010c01ffff01600000030090000003000003001e959009
    a1 0001 0028 42010101600000030090000003000003001ea0142061f26595924932bc05a02000007d20000ea601
    a2 0001 0007 4401c172b46240";

#[test]
fn sps_table() {
    for (name, unit, profile, level, size, depth, chroma, rate, sar) in [
        (
            "Main",
            SPS_160X90,
            1,
            30,
            (160, 90),
            8,
            1,
            30_000.0 / 1001.0,
            None,
        ),
        (
            "Main 10",
            SPS_MAIN10,
            2,
            123,
            (1920, 1080),
            10,
            1,
            60_000.0 / 1001.0,
            None,
        ),
        (
            "4:2:2 with scaling lists",
            SPS_422,
            4,
            123,
            (322, 242),
            8,
            2,
            15.0,
            Some((10, 11)),
        ),
    ] {
        let sps = Sps::parse(&hex(unit)).expect(name);
        assert_eq!(sps.profile.profile, profile, "{name}");
        assert_eq!(sps.profile.level, level, "{name}");
        assert_eq!((sps.width, sps.height), size, "{name}");
        assert_eq!(sps.bit_depth_luma, depth, "{name}");
        assert_eq!(sps.chroma_format, chroma, "{name}");
        assert_eq!(sps.frame_rate, Some(rate), "{name}");
        assert_eq!(
            sps.sample_aspect_ratio.filter(|&r| r != (1, 1)),
            sar,
            "{name}"
        );
        assert_eq!(sps.reorder_pics_max, Some(2), "{name}");
        assert_eq!(sps.pic_order_lsb_bits, 8, "{name}");
    }
}

#[test]
fn a_cut_sps_keeps_its_size_once_that_is_read() {
    for unit in [SPS_160X90, SPS_MAIN10, SPS_422] {
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
    assert!(Sps::parse(&[]).is_err());
    assert!(Sps::parse(&[0x42, 0x01, 0x0E]).is_err(), "eight layers");
}

#[test]
fn hvcc_round_trip_is_what_ffmpeg_writes() {
    let record = hex(HVCC);
    let config = HevcConfig::parse(&record).unwrap();
    assert_eq!(config.vps, [hex(VPS)]);
    assert_eq!(config.sps, [hex(SPS_160X90)]);
    assert_eq!(config.pps, [hex(PPS)]);
    assert_eq!(config.rfc6381(), "hvc1.1.6.L30.90");
    let built =
        HevcConfig::from_parameter_sets(vec![hex(VPS)], vec![hex(SPS_160X90)], vec![hex(PPS)])
            .unwrap();
    assert_eq!(built, config);
    assert_eq!(HevcConfig::parse(&built.encode()).unwrap(), config);
    assert_eq!(built.encode(), record);

    let high_tier = HevcConfig {
        profile: Sps::parse(&hex(SPS_422)).unwrap().profile,
        ..config
    };
    assert_eq!(high_tier.rfc6381(), "hvc1.4.10.H123.9D.8");
}

#[test]
fn broken_hvcc() {
    let record = hex(HVCC);
    for length in 0..record.len() {
        assert!(HevcConfig::parse(&record[..length]).is_err(), "{length}");
    }
    let mut draft = record;
    draft[0] = 0;
    assert!(HevcConfig::parse(&draft).is_ok());
    draft[0] = 2;
    assert!(HevcConfig::parse(&draft).is_err());
    let set = || vec![hex(SPS_160X90)];
    for (name, vps, sps, pps) in [
        ("VPS", vec![], set(), set()),
        ("SPS", set(), vec![], set()),
        ("PPS", set(), set(), vec![]),
    ] {
        assert_eq!(
            HevcConfig::from_parameter_sets(vps, sps, pps),
            Err(CodecError::Missing(name))
        );
    }
}

#[test]
fn an_hvcc_is_not_an_avcc() {
    assert!(is_hevc_record(&hex(HVCC)));
    assert!(!is_hevc_record(&hex(
        "0142c00cffe10004 6742c00c 010004 68cb83cb"
    )));
    assert!(!is_hevc_record(&[]));
    assert!(!is_hevc_record(&[1; 23]));
}

#[test]
fn a_configuration_from_a_frame() {
    let mut frame = Vec::new();
    for unit in [VPS, SPS_160X90, PPS, "2601af"] {
        nal::put_length_prefixed(&mut frame, &hex(unit));
    }
    assert!(has_irap(&frame, 4));
    assert_eq!(
        HevcConfig::from_frame(&frame, 4).unwrap().encode(),
        hex(HVCC)
    );
    assert!(!has_irap(&[0, 0, 0, 3, 0x02, 0x01, 0xD0], 4));
    assert_eq!(
        HevcConfig::from_frame(&[0, 0, 0, 3, 0x02, 0x01, 0xD0], 4),
        None
    );
}

#[test]
fn nal_headers() {
    let header = NalHeader::parse(&[0x26, 0x01]).unwrap();
    assert!(header.is_idr() && header.is_irap() && header.is_slice());
    assert_eq!(
        (header.nal_type, header.layer_id, header.temporal_id),
        (19, 0, 0)
    );
    let header = NalHeader::parse(&[0x03, 0x0B]).unwrap();
    assert_eq!(
        (header.nal_type, header.layer_id, header.temporal_id),
        (1, 33, 2)
    );
    assert_eq!(NalHeader::parse(&[0x26]), None);
    assert_eq!(nal_type(&[]), 63);
}

#[test]
fn slice_starts() {
    let sps = Sps::parse(&hex(SPS_160X90)).unwrap();
    let pps = Pps::parse(&hex(PPS)).unwrap();
    assert_eq!((pps.id, pps.sps_id, pps.has_output_flag), (0, 0, false));
    // From the same x265 stream: the IDR picture and the P picture after it.
    assert_eq!(slice_start(&hex("2801af0850a8")), Ok((true, 0)));
    assert_eq!(slice_pic_order_lsb(&hex("2801af0850a8"), &sps, &pps), Ok(0));
    assert_eq!(slice_start(&hex("0201d0195f84")), Ok((true, 0)));
    assert_eq!(slice_pic_order_lsb(&hex("0201d0195f84"), &sps, &pps), Ok(3));
    assert_eq!(slice_start(&hex("0201")), Err(CodecError::Truncated));
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100), length_size in 0_u8..6) {
        if let Ok(config) = HevcConfig::parse(&bytes) {
            prop_assert_eq!(HevcConfig::parse(&config.encode()), Ok(config.clone()));
            config.rfc6381();
        }
        HevcConfig::from_frame(&bytes, length_size);
        is_hevc_record(&bytes);
        Pps::parse(&bytes).ok();
        slice_start(&bytes).ok();
        if let Ok(sps) = Sps::parse(&bytes) {
            let pps = Pps { id: 0, sps_id: 0, has_output_flag: true, extra_slice_header_bits: 7 };
            slice_pic_order_lsb(&bytes, &sps, &pps).ok();
        }
    }

    #[test]
    fn damaged_sps(at in 2_usize..40, value in any::<u8>()) {
        for unit in [SPS_160X90, SPS_MAIN10, SPS_422] {
            let mut unit = hex(unit);
            let length = unit.len();
            unit[at % length] = value;
            Sps::parse(&unit).ok();
        }
    }
}
