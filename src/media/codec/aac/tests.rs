//! AudioSpecificConfig and ADTS: what encoders send, and damage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::codec::hex;

#[track_caller]
fn check(name: &str, config: &str, expected: AacConfig, rfc6381: &str) {
    let bytes = hex(config);
    assert_eq!(AacConfig::parse(&bytes), Ok(expected), "{name}");
    assert_eq!(expected.rfc6381(), rfc6381, "{name}");
    if expected.channel_config != 0 {
        let again = AacConfig::parse(&expected.encode().unwrap());
        assert_eq!(again, Ok(expected), "{name}");
    }
}

#[test]
fn config_table() {
    let lc = AacConfig::new;
    check("LC 44.1 kHz stereo", "1210", lc(2, 44_100, 2), "mp4a.40.2");
    check("LC 48 kHz stereo", "1190", lc(2, 48_000, 2), "mp4a.40.2");
    check(
        "FFmpeg: SBR said to be absent",
        "121056e500",
        lc(2, 44_100, 2),
        "mp4a.40.2",
    );
    check(
        "FFmpeg: 8 kHz mono",
        "158856e500",
        lc(2, 8_000, 1),
        "mp4a.40.2",
    );
    check("FFmpeg: 5.1", "11b056e500", lc(2, 48_000, 6), "mp4a.40.2");
    check("Main", "0a10", lc(1, 44_100, 2), "mp4a.40.1");
    let explicit = lc(2, 44_056, 2);
    check("frequency in 24 bits", "1780560c10", explicit, "mp4a.40.2");
    let sbr = AacConfig {
        sbr_sample_rate: Some(48_000),
        ..lc(2, 24_000, 2)
    };
    check("HE-AAC, hierarchical", "2b118800", sbr, "mp4a.40.5");
    check(
        "HE-AAC, backward compatible",
        "131056e598",
        sbr,
        "mp4a.40.5",
    );
    let ps = AacConfig {
        sbr_sample_rate: Some(44_100),
        has_ps: true,
        ..lc(2, 22_050, 1)
    };
    check("HE-AAC v2, hierarchical", "eb8a0800", ps, "mp4a.40.29");
    check(
        "HE-AAC v2, backward compatible",
        "138856e5a54880",
        ps,
        "mp4a.40.29",
    );
    assert_eq!((ps.output_channels(), ps.output_sample_rate()), (2, 44_100));
    let short = AacConfig {
        frame_samples: 960,
        ..lc(2, 48_000, 2)
    };
    check("960 samples", "1194", short, "mp4a.40.2");
    let listed = AacConfig {
        channels: 2,
        ..lc(2, 48_000, 0)
    };
    // One front pair in a program config element.
    check("channels listed", "1180 04c4000020", listed, "mp4a.40.2");
    let escape = AacConfig::new(42, 48_000, 2);
    check(
        "object type above 31 (xHE-AAC)",
        "f946 40",
        escape,
        "mp4a.40.42",
    );
}

#[test]
fn damaged_configs() {
    for (name, config) in [
        ("empty", ""),
        ("one byte", "12"),
        ("reserved frequency 13", "1690"),
        ("frequency 0", "1780000010"),
        ("frequency of 16 MHz", "17ffffff90"),
        ("24-bit frequency cut short", "178056"),
        ("extension frequency missing", "2b10"),
    ] {
        assert!(AacConfig::parse(&hex(config)).is_err(), "{name}");
    }
    // What comes behind the channels is optional.
    assert_eq!(
        AacConfig::parse(&hex("1210")),
        AacConfig::parse(&hex("121056"))
    );
    assert!(AacConfig::new(2, 48_000, 0).encode().is_err());
    assert!(AacConfig::new(31, 48_000, 2).encode().is_err());
    assert!(AacConfig::new(95, 48_000, 2).encode().is_err());
    assert!(AacConfig::new(2, 1 << 24, 2).encode().is_err());
}

#[test]
fn usual_configs_are_two_bytes() {
    assert_eq!(AacConfig::new(2, 44_100, 2).encode().unwrap(), hex("1210"));
    assert_eq!(AacConfig::new(2, 8_000, 1).encode().unwrap(), hex("1588"));
}

#[test]
fn adts() {
    // The first header that FFmpeg 5.1.9 writes for 44.1 kHz mono.
    let bytes = hex("fff15040213ffc");
    let header = AdtsHeader::parse(&bytes).unwrap();
    assert_eq!(header.config(), AacConfig::new(2, 44_100, 1));
    assert_eq!(
        (header.header_size, header.frame_size, header.blocks),
        (7, 265, 1)
    );
    for length in 0..bytes.len() {
        assert!(AdtsHeader::parse(&bytes[..length]).is_err());
    }
    for (name, bad) in [
        ("no sync", "ffe15040213ffc"),
        ("MP3 layer", "fff35040213ffc"),
        ("frequency 15", "fff17c40213ffc"),
        ("shorter than its header", "fff15040009ffc"),
    ] {
        assert!(AdtsHeader::parse(&hex(bad)).is_err(), "{name}");
    }
}

#[test]
fn adts_is_stripped_only_when_its_length_fits() {
    let framed = hex("fff1504001 3ffc aabb");
    assert_eq!(AdtsHeader::parse(&framed).unwrap().frame_size, 9);
    assert_eq!(strip_adts(&framed), [0xAA, 0xBB]);
    assert_eq!(strip_adts(&framed[..8]), &framed[..8]);
    assert_eq!(strip_adts(&[0x21, 0x10]), [0x21, 0x10]);
    assert_eq!(strip_adts(&[]), [0; 0]);
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(config) = AacConfig::parse(&bytes)
            && let Ok(encoded) = config.encode()
        {
            let again = AacConfig::parse(&encoded).unwrap();
            prop_assert_eq!(again.sample_rate, config.sample_rate);
            prop_assert_eq!(again.channels, config.channels);
            prop_assert_eq!(again.object_type, config.object_type);
        }
        AdtsHeader::parse(&bytes).ok();
        prop_assert!(strip_adts(&bytes).len() <= bytes.len());
    }
}
