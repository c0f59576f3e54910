//! Configuration records, parameter sets and the first bytes of frames, of every codec.

use millstream::media::codec::{aac, ac3, av1, avc, flac, hevc, mp3, nal, opus, vp9};

/// First byte: the codec. What follows is taken for a record and for a frame of it.
pub fn codecs(data: &[u8]) {
    let [codec, input @ ..] = data else {
        return;
    };
    match codec % 9 {
        0 => av1(input),
        1 => vp9(input),
        2 => opus(input),
        3 => flac(input),
        4 => ac3(input),
        5 => mp3(input),
        6 => aac(input),
        7 => avc(input),
        _ => hevc(input),
    }
}

fn av1(input: &[u8]) {
    let total: usize = av1::obus(input).map(|obu| obu.payload.len() + 1).sum();
    assert!(total <= input.len(), "more than there is");
    for header in [
        av1::SequenceHeader::parse(input).ok(),
        av1::SequenceHeader::of_unit(input),
        av1::Av1Config::parse(input)
            .ok()
            .and_then(|config| config.sequence_header),
    ]
    .into_iter()
    .flatten()
    {
        assert!(header.width > 0 && header.height > 0);
        assert!([8, 10, 12].contains(&header.bit_depth));
        assert!(header.rfc6381().starts_with("av01."));
        assert!(header.level_name() != Some(String::new()));
    }
    if let Some(record) = av1::record_of_unit(input) {
        let config = av1::Av1Config::parse(&record).expect("what was made");
        assert_eq!(config.sequence_header, av1::SequenceHeader::of_unit(input));
        let again = av1::record_of_unit(&record[4..]);
        assert_eq!(again.as_ref(), Some(&record), "changed by making it again");
    }
}

fn vp9(input: &[u8]) {
    if let Ok(config) = vp9::Vp9Config::parse(input) {
        assert!(config.rfc6381().starts_with("vp09."));
    }
    if let Ok((width, height)) = vp9::keyframe_size(input) {
        assert!((1..=65_536).contains(&width) && (1..=65_536).contains(&height));
    }
}

fn opus(input: &[u8]) {
    if let Ok(config) = opus::OpusConfig::parse(input) {
        assert!(config.channels > 0);
        let dops = config.to_dops();
        let mapping = match dops[10] {
            0 => 0,
            _ => 2 + usize::from(config.channels),
        };
        assert_eq!(dops.len(), 11 + mapping);
    }
    let of_packet = opus::OpusConfig::of_packet(input);
    assert_eq!(of_packet.to_dops().len(), 11);
    // 63 frames of 60 ms: what the first bytes can say, though no packet may be that long.
    let samples = opus::packet_samples(input);
    assert!(samples.is_none_or(|samples| samples <= 63 * 2880));
}

fn flac(input: &[u8]) {
    if let Ok(config) = flac::FlacConfig::parse(input) {
        assert!((1..=8).contains(&config.channels) && (1..=32).contains(&config.bits_per_sample));
        let boxed = config.to_dfla();
        let (block, content) = (&boxed[4..], &boxed[8..]);
        assert_eq!(flac::FlacConfig::parse(block), Ok(config), "changed");
        // Its content alone may look like the marker of a stream.
        if !content.starts_with(b"fLaC") {
            assert_eq!(flac::FlacConfig::parse(content), Ok(config), "changed");
        }
    }
}

fn ac3(input: &[u8]) {
    if let Ok(header) = ac3::Ac3Header::parse(input) {
        assert!((1..=6).contains(&header.channels));
        assert!(header.sample_rate >= 8000 && header.samples >= 256);
        let boxed = header.to_box();
        assert_eq!(boxed.len(), if header.is_enhanced { 5 } else { 3 });
    }
}

fn mp3(input: &[u8]) {
    if let Ok(header) = mp3::Mp3Header::parse(input) {
        assert!((1..=3).contains(&header.layer) && (1..=2).contains(&header.channels));
        assert!(header.sample_rate >= 8000 && header.frame_samples >= 384);
        assert!(header.bitrate_kbps != Some(0));
    }
}

fn aac(input: &[u8]) {
    let raw = aac::strip_adts(input);
    assert!(input.ends_with(raw), "no part of it");
    let of_adts = aac::AdtsHeader::parse(input).ok().map(|adts| adts.config());
    for config in [aac::AacConfig::parse(input).ok(), of_adts]
        .into_iter()
        .flatten()
    {
        assert!(config.rfc6381().starts_with("mp4a.40."));
        assert!(config.output_sample_rate() > 0 && config.sample_rate > 0);
        let _channels = config.output_channels();
        let Ok(written) = config.encode() else {
            continue;
        };
        let again = aac::AacConfig::parse(&written).expect("what was written");
        assert_eq!(again.encode(), Ok(written), "changed by writing");
        assert_eq!(again.sample_rate, config.sample_rate);
        assert_eq!(again.object_type, config.object_type);
    }
}

fn avc(input: &[u8]) {
    units(input);
    let of_frame = avc::AvcConfig::from_frame(input, 4);
    let _has_idr = avc::has_idr(input, 4);
    for config in [avc::AvcConfig::parse(input).ok(), of_frame]
        .into_iter()
        .flatten()
    {
        assert!(config.rfc6381().starts_with("avc1."));
        let _sps = config.first_sps();
        let written = config.encode();
        let again = avc::AvcConfig::parse(&written).expect("what was written");
        assert_eq!(again.encode(), written, "changed by writing");
    }
}

fn hevc(input: &[u8]) {
    units(input);
    let _has_irap = hevc::has_irap(input, 4);
    let of_frame = hevc::HevcConfig::from_frame(input, 4);
    let parsed = hevc::HevcConfig::parse(input).ok();
    assert!(!hevc::is_hevc_record(input) || parsed.is_some());
    for config in [parsed, of_frame].into_iter().flatten() {
        assert!(config.rfc6381().starts_with("hvc1."));
        let _sps = config.first_sps();
        let written = config.encode();
        let again = hevc::HevcConfig::parse(&written).expect("what was written");
        assert_eq!(again.encode(), written, "changed by writing");
    }
}

/// NAL units, with every size of length and with start codes.
fn units(input: &[u8]) {
    let coded: usize = nal::start_coded(input).map(|unit| unit.len() + 3).sum();
    assert!(coded <= input.len(), "more than there is");
    for size in [1, 2, 4] {
        let walked: usize = nal::length_prefixed(input, size)
            .map(|unit| unit.len() + usize::from(size))
            .sum();
        assert!(walked <= input.len(), "more than there is");
        let with_lengths = nal::with_lengths(input, size, 4);
        if nal::is_length_prefixed(&with_lengths, 4) {
            let again = nal::with_lengths(&with_lengths, 4, 4);
            assert_eq!(again, with_lengths, "one step is not enough");
        }
    }
}
