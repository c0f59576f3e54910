//! The index of MP4 files: real ones, built ones, damaged ones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::flv::{HevcForm, VideoHeader};

const AVC_AAC: &[u8] = include_bytes!("../../../tests/data/media/avc_aac.mp4");
const FRAGMENTED: &[u8] = include_bytes!("../../../tests/data/media/avc_aac_fragmented.mp4");
const HEVC: &[u8] = include_bytes!("../../../tests/data/media/hevc.mp4");

/// The boxes of a file with their offsets.
fn top_level(file: &[u8]) -> Vec<(BoxKind, usize, &[u8])> {
    let mut boxes = Vec::new();
    let mut at = 0;
    while let Some(rest) = file.get(at..).filter(|rest| rest.len() >= 8) {
        let Ok(header) = BoxHeader::parse(rest, rest.len() as u64) else {
            break;
        };
        let end = usize::try_from(header.size).unwrap_or(usize::MAX);
        let body = &rest[..end.min(rest.len())];
        boxes.push((
            header.kind,
            at,
            &body[usize::from(header.header_size).min(body.len())..],
        ));
        at = at.saturating_add(end);
    }
    boxes
}

fn body_of(file: &[u8], kind: BoxKind) -> Vec<u8> {
    let boxes = top_level(file);
    let (_, _, body) = boxes.iter().find(|(found, ..)| *found == kind).unwrap();
    body.to_vec()
}

/// All samples, as a caller with the whole file in memory gets them.
fn samples(movie: &mut Movie, file: &[u8]) -> Vec<Sample> {
    let boxes = top_level(file);
    let mut fragments = boxes.iter().filter(|(kind, ..)| kind == b"moof");
    let mut samples = Vec::new();
    loop {
        while movie.wants_fragment() {
            let Some((_, offset, moof)) = fragments.next() else {
                break;
            };
            if movie.handle_fragment(moof, *offset as u64).is_err() {
                break;
            }
        }
        match movie.poll_sample() {
            Ok(Some(sample)) => {
                if sample.offset + u64::from(sample.size) > file.len() as u64 {
                    movie.stop_track(sample.track);
                } else {
                    samples.push(sample);
                }
            }
            Ok(None) => return samples,
            Err(_) => {}
        }
        assert!(samples.len() < 100_000);
    }
}

fn read(file: &[u8]) -> (Movie, Vec<Sample>) {
    let mut movie = Movie::parse(&body_of(file, *b"moov")).unwrap();
    let samples = samples(&mut movie, file);
    (movie, samples)
}

/// dts, cts, size and K for a keyframe, by kind of track.
fn listing(movie: &Movie, samples: &[Sample], is_video: bool) -> Vec<String> {
    let of_kind = |sample: &&Sample| movie.tracks()[sample.track].is_video() == is_video;
    let line = |sample: &Sample| {
        let key = if sample.is_keyframe { "K" } else { "" };
        format!("{}{:+} {}{key}", sample.dts_ms, sample.cts_ms, sample.size)
    };
    samples.iter().filter(of_kind).map(line).collect()
}

/// What ffprobe 5.1.9 prints of the packets, moved by the 83.417 ms that the first dts is below 0.
#[test]
fn times_are_those_of_ffprobe() {
    let (movie, samples) = read(AVC_AAC);
    assert_eq!(
        listing(&movie, &samples, true),
        [
            "0+83 438K",
            "41+167 28",
            "83+42 13",
            "125+41 12",
            "166+84 26",
            "208+84 432K",
            "250+167 31",
            "292+41 12",
            "333+42 12",
        ]
    );
    let audio = listing(&movie, &samples, false);
    assert_eq!(audio[..3], ["60+0 77K", "83+0 87K", "106+0 52K"]);
    assert_eq!(audio.len(), 14);
    assert!(samples.is_sorted_by_key(|sample| sample.dts_ms));
}

#[test]
fn fragments_hold_the_same_frames() {
    let (movie, plain) = read(AVC_AAC);
    let (fragmented, samples) = read(FRAGMENTED);
    assert!(fragmented.is_fragmented() && !movie.is_fragmented());
    for is_video in [true, false] {
        let bytes = |movie: &Movie, samples: &[Sample], file: &[u8]| -> Vec<_> {
            let of_kind = |sample: &&Sample| movie.tracks()[sample.track].is_video() == is_video;
            let samples = samples.iter().filter(of_kind);
            samples
                .map(|sample| {
                    let start = usize::try_from(sample.offset).unwrap();
                    let end = start + sample.size as usize;
                    (sample.is_keyframe, file[start..end].to_vec())
                })
                .collect()
        };
        assert_eq!(
            bytes(&movie, &plain, AVC_AAC),
            bytes(&fragmented, &samples, FRAGMENTED)
        );
    }
}

#[test]
fn tags_carry_the_records_of_the_file() {
    let (movie, samples) = read(AVC_AAC);
    let headers = movie.sequence_headers(7, HevcForm::Enhanced);
    assert_eq!(headers.len(), 2);
    assert!(
        headers
            .iter()
            .all(|tag| tag.is_sequence_header() && tag.dts == 7)
    );
    assert_eq!(headers[0].body[..7], [0x17, 0, 0, 0, 0, 1, 0xF4]);
    assert_eq!(headers[1].body[..4], [0xAF, 0, 0x12, 0x08]);
    let first = &samples[0];
    let data = &AVC_AAC[usize::try_from(first.offset).unwrap()..][..first.size as usize];
    let tag = movie
        .sample_to_tag(first, data, HevcForm::Enhanced)
        .unwrap();
    assert!(tag.is_keyframe());
    assert_eq!(tag.body[..5], [0x17, 1, 0, 0, 83]);
    assert_eq!(&tag.body[5..], data);
}

#[test]
fn hevc_in_both_forms() {
    let (movie, samples) = read(HEVC);
    assert_eq!(listing(&movie, &samples, true)[0], "0+80 278K");
    for (form, enhanced) in [(HevcForm::Enhanced, true), (HevcForm::CodecId12, false)] {
        let header = &movie.sequence_headers(0, form)[0];
        assert!(header.is_sequence_header());
        let tag = movie.sample_to_tag(&samples[0], &[0; 278], form).unwrap();
        assert_eq!(VideoHeader::parse(&tag.body).unwrap().enhanced, enhanced);
    }
}

fn mp4_box(kind: &BoxKind, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), &kind[..], &body].concat()
}

fn words(values: &[u32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// A file of one AAC track, by its tables.
#[derive(Clone)]
struct OneTrack {
    timescale: u32,
    entry: Vec<u8>,
    handler: BoxKind,
    edits: Vec<u32>,
    stts: Vec<u32>,
    ctts: Vec<u32>,
    stsc: Vec<u32>,
    stsz: Vec<u32>,
    stco: Vec<u32>,
    stss: Option<Vec<u32>>,
    mvex: Vec<u8>,
}

impl Default for OneTrack {
    /// Four samples of 10, 20, 30 and 40 bytes in two chunks, 25 a second.
    fn default() -> Self {
        Self {
            timescale: 25,
            entry: mp4a(0x40),
            handler: *b"soun",
            edits: Vec::new(),
            stts: vec![1, 4, 1],
            ctts: vec![0],
            stsc: vec![2, 1, 3, 1, 2, 1, 1],
            stsz: vec![0, 4, 10, 20, 30, 40],
            stco: vec![2, 1000, 2000],
            stss: None,
            mvex: Vec::new(),
        }
    }
}

fn mp4a(object_type: u8) -> Vec<u8> {
    let esds = [
        &[
            0,
            0,
            0,
            0,
            3,
            0x80,
            0x80,
            0x80,
            25,
            0,
            1,
            0,
            4,
            17,
            object_type,
        ][..],
        &[
            0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 2, 0x12, 0x10, 6, 1, 2,
        ],
    ];
    mp4_box(b"mp4a", &[&[0; 28], &mp4_box(b"esds", &esds)])
}

impl OneTrack {
    fn moov(&self) -> Vec<u8> {
        let table = |kind: &BoxKind, fields: &[u32]| mp4_box(kind, &[&[0; 4], &words(fields)]);
        let stss = self.stss.as_ref().map(|stss| table(b"stss", stss));
        let stbl = mp4_box(
            b"stbl",
            &[
                &mp4_box(b"stsd", &[&words(&[0, 1]), &self.entry]),
                &table(b"stts", &self.stts),
                &table(b"ctts", &self.ctts),
                &table(b"stsc", &self.stsc),
                &table(b"stsz", &self.stsz),
                &table(b"stco", &self.stco),
                &stss.unwrap_or_default(),
            ],
        );
        let mdia = mp4_box(
            b"mdia",
            &[
                &table(b"mdhd", &[0, 0, self.timescale, 0, 0]),
                &mp4_box(b"hdlr", &[&[0; 8], &self.handler, &[0; 12]]),
                &mp4_box(b"minf", &[&stbl]),
            ],
        );
        let edts = match self.edits.is_empty() {
            true => Vec::new(),
            false => mp4_box(b"edts", &[&table(b"elst", &self.edits)]),
        };
        let tkhd = table(b"tkhd", &[0, 0, 1]);
        [
            table(b"mvhd", &[0, 0, 1000, 0]),
            mp4_box(b"trak", &[&tkhd, &edts, &mdia]),
            self.mvex.clone(),
        ]
        .concat()
    }

    /// (offset, size, dts, cts, is_keyframe) of up to `max` samples.
    fn samples(&self, max: usize) -> Vec<(u64, u32, i64, i32, bool)> {
        let mut movie = Movie::parse(&self.moov()).unwrap();
        assert!(movie.skipped().is_empty(), "{:?}", movie.skipped());
        let next = || movie.poll_sample().unwrap();
        std::iter::from_fn(next)
            .take(max)
            .map(|s| (s.offset, s.size, s.dts_ms, s.cts_ms, s.is_keyframe))
            .collect()
    }

    fn skip(&self) -> Skip {
        let movie = Movie::parse(&self.moov()).unwrap();
        assert!(movie.tracks().is_empty());
        movie.skipped()[0].reason
    }
}

#[test]
fn chunks_and_runs() {
    let track = OneTrack::default();
    assert_eq!(
        track.samples(9),
        [
            (1000, 10, 0, 0, true),
            (1010, 20, 40, 0, true),
            (1030, 30, 80, 0, true),
            (2000, 40, 120, 0, true),
        ]
    );
    let keys = OneTrack {
        stss: Some(vec![2, 1, 3]),
        ..track.clone()
    };
    let is_key: Vec<_> = keys.samples(9).iter().map(|sample| sample.4).collect();
    assert_eq!(is_key, [true, false, true, false]);
    let same_size = OneTrack {
        stsz: vec![7, 4],
        ..track
    };
    let offsets: Vec<_> = same_size.samples(9).iter().map(|sample| sample.0).collect();
    assert_eq!(offsets, [1000, 1007, 1014, 2000]);
}

#[test]
fn rounding_does_not_drift() {
    // A day of 24000/1001 frames a second.
    let count = 24 * 3600 * 24_000 / 1001;
    let track = OneTrack {
        timescale: 24_000,
        stts: vec![1, count, 1001],
        stsz: vec![1, count],
        stsc: vec![1, 1, count, 1],
        stco: vec![1, 0],
        ..OneTrack::default()
    };
    let samples = track.samples(usize::MAX);
    assert_eq!(samples.len(), count as usize);
    for (index, sample) in samples.iter().enumerate() {
        let exact = index as f64 * 1001.0 / 24.0;
        assert!((sample.2 as f64 - exact).abs() <= 0.5, "{index}");
    }
}

#[test]
fn edit_lists_and_negative_offsets() {
    let track = OneTrack::default();
    let times =
        |track: OneTrack| -> Vec<_> { track.samples(9).iter().map(|s| (s.2, s.3)).collect() };
    let minus = |value: u32| value.wrapping_neg();
    for (name, edits, ctts, expected) in [
        (
            "none",
            vec![],
            vec![0],
            [(0, 0), (40, 0), (80, 0), (120, 0)],
        ),
        (
            "an empty edit delays",
            vec![2, 700, minus(1), 0x1_0000, 160, 0, 0x1_0000],
            vec![0],
            [(700, 0), (740, 0), (780, 0), (820, 0)],
        ),
        (
            "an empty edit and a media time",
            vec![2, 700, minus(1), 0x1_0000, 160, 2, 0x1_0000],
            vec![0],
            [(620, 0), (660, 0), (700, 0), (740, 0)],
        ),
        (
            "nothing starts before 0",
            vec![1, 160, 2, 0x1_0000],
            vec![1, 4, 2],
            [(0, 80), (40, 80), (80, 80), (120, 80)],
        ),
        (
            "negative offsets move the dts, not the pts",
            vec![1, 160, 0, 0x1_0000],
            vec![2, 1, 0, 3, minus(1)],
            [(0, 40), (40, 0), (80, 0), (120, 0)],
        ),
        (
            "offsets of an hour are damage",
            vec![],
            vec![2, 1, minus(90_000), 3, 0],
            [(0, -3_600_000), (40, 0), (80, 0), (120, 0)],
        ),
    ] {
        let track = OneTrack {
            edits,
            ctts,
            ..track.clone()
        };
        assert_eq!(times(track), expected, "{name}");
    }
}

#[test]
fn tracks_that_are_left_out_say_why() {
    let with = |change: fn(&mut OneTrack)| {
        let mut track = OneTrack::default();
        change(&mut track);
        track.skip()
    };
    assert_eq!(with(|t| t.entry = mp4a(0x6B)), Skip::ObjectType(0x6B));
    assert_eq!(
        with(|t| t.entry = mp4_box(b"Opus", &[&[0; 28]])),
        Skip::Codec
    );
    assert_eq!(with(|t| t.entry = mp4_box(b"enca", &[])), Skip::Encrypted);
    assert_eq!(with(|t| t.entry = mp4_box(b"mp4a", &[])), Skip::Record);
    assert_eq!(
        with(|t| t.entry = mp4_box(b"avc1", &[&[0; 78]])),
        Skip::Record
    );
    assert_eq!(with(|t| t.entry = Vec::new()), Skip::Record);
    assert_eq!(with(|t| t.handler = *b"tmcd"), Skip::Kind);
    let timescale = Mp4Error::OutOfRange {
        field: "timescale",
        value: 0,
    };
    assert_eq!(with(|t| t.timescale = 0), Skip::Damaged(timescale));
    let cut = |kind: &BoxKind| Skip::Damaged(Mp4Error::CutShort(*kind));
    let huge = u32::MAX;
    assert_eq!(with(|t| t.stts = vec![u32::MAX, 1, 1]), cut(b"stts"));
    assert_eq!(with(|t| t.stsz = vec![0, u32::MAX, 1]), cut(b"stsz"));
    assert_eq!(with(|t| t.stco = vec![u32::MAX]), cut(b"stco"));
    assert_eq!(with(|t| t.stsc = vec![]), cut(b"stsc"));
    let hostile_edits = OneTrack {
        edits: vec![huge, 0, huge, 0],
        ..OneTrack::default()
    };
    assert_eq!(hostile_edits.skip(), cut(b"elst"));
}

#[test]
fn hostile_tables_end_or_go_on_without_harm() {
    let huge = u32::MAX;
    for (name, change, count) in [
        (
            "a chunk of 4 G samples",
            (|t| t.stsc = vec![1, 1, u32::MAX, 1]) as fn(&mut OneTrack),
            4,
        ),
        ("4 G samples of one size", |t| t.stsz = vec![1, u32::MAX], 4),
        ("chunks without samples", |t| t.stsc = vec![1, 1, 0, 1], 0),
        ("no first chunk", |t| t.stsc = vec![1, 2, 1, 1], 0),
        (
            "samples without bytes",
            |t| t.stsz = vec![0, 4, 0, 0, 0, 9],
            1,
        ),
        ("no times", |t| t.stts = vec![0], 4),
        (
            "runs of 4 G",
            |t| t.stts = vec![2, u32::MAX, u32::MAX, u32::MAX, 0],
            4,
        ),
        ("offsets of 2^31", |t| t.ctts = vec![1, 9, 0x8000_0000], 4),
        (
            "keyframes out of order",
            |t| t.stss = Some(vec![3, 9, 1, 2]),
            4,
        ),
        (
            "chunks at the end of 32 bits",
            |t| t.stco = vec![2, u32::MAX, u32::MAX],
            4,
        ),
    ] {
        let mut track = OneTrack::default();
        change(&mut track);
        assert_eq!(track.samples(1000).len(), count, "{name}");
    }
    let large = OneTrack {
        stsz: vec![huge, 2],
        ..OneTrack::default()
    };
    let mut movie = Movie::parse(&large.moov()).unwrap();
    let error = movie.poll_sample().unwrap_err();
    assert_eq!(
        error,
        Mp4Error::SampleSize {
            size: huge,
            offset: 1000
        }
    );
}

/// A moof with one traf of track 1.
fn moof(tfhd: &[u32], tfdt: Option<u32>, truns: &[&[u32]]) -> Vec<u8> {
    let tfdt = tfdt.map(|time| mp4_box(b"tfdt", &[&words(&[0, time])]));
    let truns: Vec<u8> = truns
        .iter()
        .flat_map(|trun| mp4_box(b"trun", &[&words(trun)]))
        .collect();
    mp4_box(
        b"traf",
        &[
            &mp4_box(b"tfhd", &[&words(tfhd)]),
            &tfdt.unwrap_or_default(),
            &truns,
        ],
    )
}

fn fragmented() -> Movie {
    let trex = mp4_box(b"trex", &[&words(&[0, 1, 1, 2, 50, 0x1_0000])]);
    let track = OneTrack {
        stts: vec![0],
        stsc: vec![0],
        stsz: vec![0, 0],
        stco: vec![0],
        mvex: mp4_box(b"mvex", &[&trex]),
        ..OneTrack::default()
    };
    Movie::parse(&track.moov()).unwrap()
}

#[test]
fn fragment_defaults_and_offsets() {
    for (name, moof, expected) in [
        (
            "all from the trex, offset from the moof",
            moof(&[0x2_0000, 1], Some(25), &[&[1, 2, 100]]),
            vec![(5100, 50, 1000, 0, false), (5150, 50, 1080, 0, false)],
        ),
        (
            "the tfhd overrides; the first sample has flags of its own",
            moof(&[0x2_0038, 1, 1, 60, 0x1_0000], Some(0), &[&[5, 2, 100, 0]]),
            vec![(5100, 60, 0, 0, true), (5160, 60, 40, 0, false)],
        ),
        (
            "each sample has all fields; the second run follows the first",
            moof(
                &[0x2_0000, 1],
                Some(0),
                &[
                    &[0x0100_0F01, 1, 8, 1, 10, 0, 2],
                    &[0x0100_0F00, 1, 1, 20, 0, 0],
                ],
            ),
            vec![(5008, 10, 0, 80, true), (5018, 20, 40, 0, true)],
        ),
        (
            "offsets from the file",
            moof(&[1, 1, 0, 9000], None, &[&[0, 1]]),
            vec![(9000, 50, 0, 0, false)],
        ),
        (
            "a track of which we know nothing",
            moof(&[0x2_0000, 7], Some(0), &[&[1, 2, 100]]),
            vec![],
        ),
    ] {
        let mut movie = fragmented();
        assert!(movie.wants_fragment(), "{name}");
        movie.handle_fragment(&moof, 5000).unwrap();
        let found: Vec<_> = std::iter::from_fn(|| movie.poll_sample().unwrap())
            .map(|s| (s.offset, s.size, s.dts_ms, s.cts_ms, s.is_keyframe))
            .collect();
        assert_eq!(found, expected, "{name}");
        assert!(movie.wants_fragment(), "{name}");
    }
}

#[test]
fn fragments_without_times_follow_each_other() {
    let mut movie = fragmented();
    for _ in 0..3 {
        movie
            .handle_fragment(&moof(&[0x2_0000, 1], None, &[&[1, 2, 100]]), 0)
            .unwrap();
    }
    let times = std::iter::from_fn(|| movie.poll_sample().unwrap()).map(|s| s.dts_ms);
    assert_eq!(times.collect::<Vec<_>>(), [0, 80, 160, 240, 320, 400]);
}

#[test]
fn damaged_fragments() {
    let huge = u32::MAX;
    for (name, moof, expected) in [
        (
            "4 G samples with fields",
            moof(&[0x2_0000, 1], None, &[&[0x200, huge, 1]]),
            Err(Mp4Error::CutShort(*b"trun")),
        ),
        (
            "samples of size 0 by default",
            moof(&[0x2_0010, 1, 0], None, &[&[0, huge]]),
            Err(Mp4Error::OutOfRange {
                field: "default_sample_size",
                value: 0,
            }),
        ),
        (
            "no tfhd",
            mp4_box(b"traf", &[]),
            Err(Mp4Error::Missing(*b"tfhd")),
        ),
        (
            "4 G samples of the same size end with the file",
            moof(&[0x2_0000, 1], Some(huge), &[&[0, huge], &[0, huge]]),
            Ok(()),
        ),
        ("nothing", Vec::new(), Ok(())),
    ] {
        let mut movie = fragmented();
        assert_eq!(movie.handle_fragment(&moof, u64::MAX), expected, "{name}");
    }
}

#[test]
fn many_of_everything() {
    let track = OneTrack::default();
    let moov = track.moov();
    let boxes = top_level(&moov);
    let (_, at, body) = boxes[1];
    let trak = &moov[at..at + body.len() + 8];
    let many = [&moov, &trak.repeat(1000)[..]].concat();
    assert_eq!(Movie::parse(&many).unwrap().skipped().len(), 63);
    let entries = OneTrack {
        entry: mp4a(0x40).repeat(1000),
        ..track
    };
    let movie = Movie::parse(&entries.moov()).unwrap();
    // The count in the box says one.
    assert_eq!(movie.tracks()[0].descriptions().len(), 1);
}

#[test]
fn fragments_without_samples_come_to_an_end() {
    let mut movie = fragmented();
    let mut count = 0;
    while movie.wants_fragment() {
        movie.handle_fragment(&[], 0).unwrap();
        count += 1;
    }
    assert_eq!(count, 10_000);
    let mut movie = fragmented();
    movie.stop_track(0);
    assert!(!movie.wants_fragment());
}

#[test]
fn box_headers() {
    let parse = |bytes: &[u8], left| {
        BoxHeader::parse(bytes, left).map(|header| (header.header_size, header.size))
    };
    assert_eq!(parse(b"\0\0\0\x08free", 8), Ok((8, 8)));
    assert_eq!(parse(b"\0\0\0\0mdat", 500), Ok((8, 500)));
    assert_eq!(
        parse(b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0", 500),
        Ok((16, 1 << 32))
    );
    let refused = |bytes: &[u8], size| {
        let kind = *b"mdat";
        let error = Mp4Error::BoxSize {
            kind,
            size,
            left: 500,
        };
        assert_eq!(parse(bytes, 500), Err(error));
    };
    refused(b"\0\0\0\x07mdat", 7);
    refused(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0F", 15);
    refused(b"\0\0\0\x01mdat\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", u64::MAX);
    assert_eq!(
        parse(b"\0\0\0\x08fre", 7),
        Err(Mp4Error::CutShort(*b"    "))
    );
    let long = parse(b"\0\0\0\x01mdat\0\0\0", 11);
    assert_eq!(long, Err(Mp4Error::CutShort(*b"mdat")));
}

/// Reads whatever it is given; it only must end.
fn survive(file: &[u8]) {
    for (kind, _, body) in top_level(file) {
        if kind == *b"moov"
            && let Ok(mut movie) = Movie::parse(body)
        {
            for sample in samples(&mut movie, file) {
                movie.sample_to_tag(&sample, &[], HevcForm::Enhanced);
                movie.sequence_header(&sample, &[0; 9], HevcForm::Enhanced);
            }
        }
    }
}

#[test]
fn cut_anywhere() {
    for file in [AVC_AAC, FRAGMENTED, HEVC] {
        for end in 0..file.len() {
            survive(&file[..end]);
        }
        // The moov with its own size, but nothing behind the cut.
        let moov = body_of(file, *b"moov");
        for end in 0..moov.len() {
            let cut = [&mp4_box(b"moov", &[&moov[..end]])[..], file].concat();
            survive(&cut);
        }
    }
}

proptest! {
    #[test]
    fn any_change(which in 0..3_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut file = [AVC_AAC, FRAGMENTED, HEVC][which].to_vec();
        for (index, value) in changes {
            let at = index.index(file.len());
            file[at] = value;
        }
        survive(&file);
    }

    #[test]
    fn any_word(which in 0..3_usize, index in any::<prop::sample::Index>(), word in prop_oneof![Just(u32::MAX), Just(0), Just(1), Just(0x7FFF_FFFF), any::<u32>()]) {
        let mut file = [AVC_AAC, FRAGMENTED, HEVC][which].to_vec();
        let at = index.index(file.len() - 4);
        file[at..at + 4].copy_from_slice(&word.to_be_bytes());
        survive(&file);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _result = Movie::parse(&bytes);
        let _result = fragmented().handle_fragment(&bytes, 0);
        let _result = fragmented().handle_fragment(&mp4_box(b"traf", &[&bytes]), 0);
        let track = OneTrack {
            entry: mp4_box(b"mp4a", &[&bytes]),
            ..OneTrack::default()
        };
        let _result = Movie::parse(&track.moov());
    }
}
