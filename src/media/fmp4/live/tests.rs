//! Bodies in, pieces out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use mp4_atom::Any;

use super::super::tests::{boxes, hevc_record, samples, sequence_header, tags};
use super::*;
use crate::media::flv::{
    HevcForm, Tag, aac_frame, aac_sequence_header, audio_frame, audio_sequence_header, avc_frame,
    avc_sequence_header, hevc_frame, hevc_sequence_header, video_frame, video_sequence_header,
};

/// Two headers of MP3, 48 kHz, 64 kbit/s, mono, and something behind.
const MP3: [u8; 8] = [0xFF, 0xFB, 0x54, 0xC0, 1, 2, 3, 4];

fn mux(muxer: &mut LiveMuxer, tags: &[Tag]) -> Vec<Piece> {
    let mut out = Vec::new();
    for tag in tags {
        muxer.handle(tag.kind, tag.dts, &tag.body, &mut out);
    }
    out
}

/// `I` for an initialisation segment, then with dts `K` for a keyframe, `V` and `A`.
fn order(pieces: &[Piece]) -> String {
    let name = |piece: &Piece| match piece.kind {
        PieceKind::Init { .. } => "I".to_owned(),
        PieceKind::Fragment {
            track,
            is_keyframe,
            dts,
            ..
        } => match (track, is_keyframe) {
            (TagKind::Video, true) => format!("K{dts}"),
            (TagKind::Video, false) => format!("V{dts}"),
            _ => format!("A{dts}"),
        },
    };
    pieces.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn bytes(pieces: &[Piece]) -> Vec<u8> {
    let all = pieces.iter().map(|piece| piece.bytes.as_slice());
    all.collect::<Vec<_>>().concat()
}

fn key(dts: i64) -> Tag {
    Tag::video(dts, avc_frame(true, 0, &[0, 0, 0, 1, 0x65]))
}

fn inter(dts: i64) -> Tag {
    Tag::video(dts, avc_frame(false, 0, &[0, 0, 0, 1, 0x41]))
}

fn sound(dts: i64) -> Tag {
    Tag::audio(dts, aac_frame(&[9; 20]))
}

fn avc() -> Tag {
    sequence_header(TagKind::Video)
}

fn aac() -> Tag {
    Tag::audio(0, aac_sequence_header(&[0x12, 0x10]))
}

/// The same with another level, in the record and in its SPS.
fn other_avc() -> Tag {
    let mut tag = avc();
    let sps = crate::media::codec::avc::AvcConfig::parse(&tag.body[5..]).unwrap();
    let sps = &sps.sps[0];
    let at = tag.body.windows(sps.len()).position(|part| part == sps);
    tag.body[8] ^= 1;
    tag.body[at.unwrap() + 3] ^= 1;
    tag
}

#[test]
fn the_same_samples_as_in_a_file_each_at_once() {
    let mut writer = super::super::Writer::new();
    let mut muxer = LiveMuxer::new();
    let mut pieces = Vec::new();
    for tag in tags() {
        writer.handle_tag(&tag);
        let count = pieces.len();
        muxer.handle(tag.kind, tag.dts, &tag.body, &mut pieces);
        assert!(pieces.len() <= count + 2);
        if muxer.codecs().is_some() && !tag.is_sequence_header() && tag.kind != TagKind::Script {
            let header = VideoPacket::EndOfSequence;
            let end = crate::media::flv::VideoHeader::parse(&tag.body);
            let is_end = end.is_ok_and(|found| found.packet == header);
            assert!(pieces.len() > count || (tag.kind == TagKind::Video && is_end));
        }
    }
    writer.finish();
    let file: Vec<u8> = std::iter::from_fn(|| writer.poll_output())
        .flatten()
        .collect();
    let (mut file, mut live) = (samples(&file), samples(&bytes(&pieces)));
    file.sort();
    live.sort();
    assert_eq!(live, file);
    let inits = pieces
        .iter()
        .filter(|piece| matches!(piece.kind, PieceKind::Init { .. }));
    assert_eq!(inits.count(), 1);
    assert_eq!(muxer.poll_note(), None);
}

#[test]
fn when_it_starts() {
    let mp3 = |dts| Tag::audio(dts, audio_frame(AudioCodec::Mp3, &MP3));
    let aac_header = aac();
    for (name, expected, tags, order_of_all) in [
        (
            "both configurations first",
            None,
            vec![avc(), aac(), key(0), sound(5), inter(40)],
            "I K0 A5 V40",
        ),
        (
            "sound waits for the keyframe, pictures before it are dropped",
            None,
            vec![
                aac(),
                sound(0),
                avc(),
                inter(10),
                sound(23),
                key(40),
                inter(80),
            ],
            "I A0 A23 K40 V80",
        ),
        ("no sound", None, vec![avc(), key(0), inter(40)], "I K0 V40"),
        (
            "sound alone, after a second",
            None,
            vec![aac(), sound(0), sound(500), sound(1000), sound(1023)],
            "I A0 A500 A1000 A1023",
        ),
        (
            "sound alone, and not more expected",
            Some((false, true)),
            vec![aac(), sound(0)],
            "I A0",
        ),
        (
            "a track that nobody expected",
            None,
            vec![avc(), key(0), mp3(1), inter(40)],
            "I K0 I A1 V40",
        ),
        (
            "a track that was expected",
            Some((true, true)),
            vec![avc(), key(0), inter(40), mp3(41)],
            "I K0 V40 A41",
        ),
        (
            "a track that was expected and does not come",
            Some((true, true)),
            vec![avc(), key(0), inter(500), key(1000), inter(1040)],
            "I K0 V500 K1000 V1040",
        ),
        (
            "a video that comes late, from its keyframe on",
            None,
            vec![aac(), sound(0), sound(1000), avc(), inter(1010), key(1020)],
            "I A0 A1000 I K1020",
        ),
        (
            "no keyframe for a second",
            None,
            vec![avc(), inter(0), inter(1000)],
            "I V0 V1000",
        ),
        (
            "nothing that is known",
            None,
            vec![key(0), Tag::audio(0, vec![0x72, 1]), key(2000)],
            "",
        ),
        (
            "the last configuration before a frame",
            None,
            vec![other_avc(), avc(), aac_header, key(0)],
            "I K0",
        ),
        (
            "times below 0",
            None,
            vec![avc(), aac(), sound(-20), key(-10), inter(30)],
            "I A0 K0 V30",
        ),
    ] {
        let mut muxer = LiveMuxer::new();
        if let Some((video, audio)) = expected {
            muxer.expect(video, audio);
        }
        assert_eq!(order(&mux(&mut muxer, &tags)), order_of_all, "{name}");
    }
}

#[test]
fn a_short_stream_comes_out_at_its_end() {
    let mut muxer = LiveMuxer::new();
    assert_eq!(mux(&mut muxer, &[aac(), sound(0), sound(23)]), []);
    let mut out = Vec::new();
    muxer.finish(&mut out);
    assert_eq!(order(&out), "I A0 A23");
    muxer.finish(&mut out);
    assert_eq!(out.len(), 3);
    let mut out = Vec::new();
    LiveMuxer::new().finish(&mut out);
    assert_eq!(out, []);
}

#[test]
fn a_new_configuration_goes_before_its_keyframe() {
    let mut muxer = LiveMuxer::new();
    let all = [
        avc(),
        aac(),
        key(0),
        avc(),
        key(40),
        other_avc(),
        sound(60),
        key(80),
        key(120),
        avc(),
        key(160),
    ];
    let pieces = mux(&mut muxer, &all);
    assert_eq!(order(&pieces), "I K0 K40 I A60 K80 K120 I K160");
    // Those who pass over it find the parameter sets in front of the pictures.
    let plain = [0, 0, 0, 1, 0x65];
    let found = samples(&bytes(&pieces));
    let pictures: Vec<_> = found.iter().filter(|sample| sample.0 == 1).collect();
    for (picture, is_plain) in pictures.iter().zip([true, true, false, false, false]) {
        assert_eq!(picture.3 == plain, is_plain, "at {}", picture.1);
        assert!(picture.3.ends_with(&plain));
        assert_eq!(picture.3[4] & 0x1F == 7, !is_plain, "an SPS comes first");
    }
    for (piece, record) in [(0, avc()), (3, other_avc()), (7, avc())] {
        let record = &record.body[5..];
        let mut parts = pieces[piece].bytes.windows(record.len());
        assert!(parts.any(|part| part == record));
    }
}

#[test]
fn lengths_keep_their_size_through_a_new_configuration() {
    let mut second = avc();
    // lengthSizeMinusOne of the avcC record behind the five bytes of the tag.
    second.body[9] = 0xFD;
    let frame = Tag::video(40, avc_frame(true, 0, &[0, 2, 0x65, 7]));
    let pieces = mux(&mut LiveMuxer::new(), &[avc(), key(0), second, frame]);
    assert_eq!(order(&pieces), "I K0 I K40");
    assert_eq!(pieces[0], pieces[2], "the only difference is not one");
    let found = samples(&bytes(&pieces));
    assert!(found[1].3.ends_with(&[0, 0, 0, 2, 0x65, 7]));
}

#[test]
fn another_codec_or_sound_configuration_is_a_new_start_too() {
    let opus_head = [&b"OpusHead\x01\x02"[..], &[0; 9]].concat();
    let record = hevc_record();
    let all = [
        avc(),
        aac(),
        key(0),
        sound(1),
        Tag::audio(20, aac_sequence_header(&[0x11, 0x88])),
        inter(20),
        sound(24),
        Tag::audio(40, audio_sequence_header(AudioCodec::Opus, &opus_head)),
        Tag::audio(47, audio_frame(AudioCodec::Opus, &[0xFC, 1])),
        sound(50),
        Tag::audio(67, audio_frame(AudioCodec::Mp3, &MP3)),
        Tag::video(80, hevc_sequence_header(&record, HevcForm::Enhanced)),
        inter(90),
        Tag::video(
            120,
            hevc_frame(true, 0, &[0, 0, 0, 2, 0x26, 1], HevcForm::Enhanced),
        ),
    ];
    let mut muxer = LiveMuxer::new();
    let mut names = Vec::new();
    let mut pieces = Vec::new();
    for tag in &all {
        let count = pieces.len();
        muxer.handle(tag.kind, tag.dts, &tag.body, &mut pieces);
        if order(&pieces[count..]).starts_with('I') {
            names.push(muxer.codecs().unwrap().hls.clone());
        }
    }
    assert_eq!(order(&pieces), "I K0 A1 V20 I A24 I A47 I A67 I K120");
    let avc_name = names[0].split(',').next().unwrap();
    let expected = ["mp4a.40.2", "mp4a.40.2", "Opus", "mp4a.40.34"].map(|sound| {
        let name: &str = sound;
        format!("{avc_name},{name}")
    });
    assert_eq!(names[..4], expected);
    assert!(names[4].starts_with("hvc1.1.6."));
    // The AAC frame behind the Opus header, and the H.264 picture behind the HEVC record.
    assert_eq!(
        std::iter::from_fn(|| muxer.poll_note()).collect::<Vec<_>>(),
        [
            Note::AudioLeftOut(AudioCodec::Aac),
            Note::VideoLeftOut(VideoCodec::Avc)
        ]
    );
}

#[test]
fn what_mp4_cannot_take_is_left_out_and_told_once() {
    let alaw = |dts| Tag::audio(dts, vec![0x72, 1]);
    let mut muxer = LiveMuxer::new();
    let pieces = mux(&mut muxer, &[avc(), alaw(0), key(0), alaw(20), inter(40)]);
    assert_eq!(order(&pieces), "I K0 V40");
    assert_eq!(
        muxer.poll_note(),
        Some(Note::AudioLeftOut(AudioCodec::G711Alaw))
    );
    assert_eq!(muxer.poll_note(), None);

    let vp6 = |dts| Tag::video(dts, vec![0x14, 1, 2]);
    let mut muxer = LiveMuxer::new();
    let pieces = mux(&mut muxer, &[aac(), vp6(0), sound(0), sound(1000)]);
    assert_eq!(order(&pieces), "I A0 A1000");
    assert_eq!(muxer.poll_note(), Some(Note::VideoLeftOut(VideoCodec::Vp6)));

    // A record that cannot be read changes nothing.
    let bad = Tag::video(40, avc_sequence_header(&[9]));
    let mut muxer = LiveMuxer::new();
    let pieces = mux(&mut muxer, &[avc(), key(0), bad, key(40)]);
    assert_eq!(order(&pieces), "I K0 K40");
    assert_eq!(
        muxer.poll_note(),
        Some(Note::ConfigUnreadable(TagKind::Video))
    );
}

#[test]
fn a_frame_is_as_long_as_the_one_before_it() {
    let times = [0, 33, 66, 66, 166, 5000, 5040, 5000];
    let mut tags = vec![avc(), key(0)];
    tags.extend(times[1..].iter().map(|dts| inter(*dts)));
    let durations: Vec<u32> = mux(&mut LiveMuxer::new(), &tags)
        .iter()
        .filter_map(|piece| match piece.kind {
            PieceKind::Fragment { duration, .. } => Some(duration),
            PieceKind::Init { .. } => None,
        })
        .collect();
    assert_eq!(durations, [40, 33, 33, 33, 100, 100, 40, 40]);
}

#[test]
fn names_of_codecs() {
    let vp9_record = [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0];
    // A keyframe of 160 x 90.
    let vp9_frame = [0x82, 0x49, 0x83, 0x42, 0x20, 0x09, 0xF0, 0x05, 0x90, 0];
    let av1_record = [0x81, 0x04, 0x4C, 0];
    let flac = {
        let mut info = [0; 34];
        (info[0], info[2]) = (16, 16);
        (info[10], info[11], info[12], info[13]) = (0x0B, 0xB8, 0x02, 0xF0);
        [&b"fLaC\x80\0\0\x22"[..], &info].concat()
    };
    for (name, tags, mime, hls, size) in [
        (
            "HEVC, labelled AVC, alone",
            vec![
                Tag::video(0, avc_sequence_header(&hevc_record())),
                Tag::video(0, avc_frame(true, 0, &[0, 0, 0, 2, 0x26, 1])),
            ],
            "video/mp4; codecs=\"hvc1.1.6.L30.90\"",
            "hvc1.1.6.L30.90",
            (64, 64),
        ),
        (
            "VP9, whose keyframe says its size",
            vec![
                Tag::video(0, video_sequence_header(VideoCodec::Vp9, &vp9_record)),
                Tag::video(0, video_frame(VideoCodec::Vp9, true, 0, &vp9_frame)),
            ],
            "video/mp4; codecs=\"vp09.00.10.08\"",
            "vp09.00.10.08",
            (160, 90),
        ),
        (
            "AV1 without a sequence header, which never comes",
            vec![
                Tag::video(0, video_sequence_header(VideoCodec::Av1, &av1_record)),
                aac(),
                Tag::video(0, video_frame(VideoCodec::Av1, true, 0, &[0x32, 1, 9])),
                sound(1000),
            ],
            "audio/mp4; codecs=\"mp4a.40.2\"",
            "mp4a.40.2",
            (0, 0),
        ),
        (
            "FLAC",
            vec![
                Tag::audio(0, audio_sequence_header(AudioCodec::Flac, &flac)),
                Tag::audio(0, audio_frame(AudioCodec::Flac, &[0xFF, 0xF8, 1])),
                Tag::audio(1000, audio_frame(AudioCodec::Flac, &[0xFF, 0xF8, 1])),
            ],
            "audio/mp4; codecs=\"flac\"",
            "fLaC",
            (0, 0),
        ),
        (
            "MP3",
            vec![
                Tag::audio(0, audio_frame(AudioCodec::Mp3, &MP3)),
                Tag::audio(1000, audio_frame(AudioCodec::Mp3, &MP3)),
            ],
            "audio/mp4; codecs=\"mp3\"",
            "mp4a.40.34",
            (0, 0),
        ),
    ] {
        let mut muxer = LiveMuxer::new();
        let pieces = mux(&mut muxer, &tags);
        assert!(order(&pieces).starts_with("I "), "{name}");
        let codecs = muxer.codecs().unwrap();
        assert_eq!(codecs.mime_type(), mime, "{name}");
        assert_eq!(codecs.hls, hls, "{name}");
        assert_eq!((codecs.width, codecs.height), size, "{name}");
    }
}

#[test]
fn a_still_picture() {
    let file = still(&avc().body, &key(7000).body).unwrap();
    let found = samples(&file);
    assert_eq!(found, [(1, 0, 0, vec![0, 0, 0, 1, 0x65])]);
    for (name, header, frame) in [
        ("no header", key(0).body, key(0).body),
        ("no keyframe", avc().body, inter(0).body),
        ("a header in place of it", avc().body, avc().body),
        ("nothing", vec![], vec![]),
        ("sound", aac().body, sound(0).body),
        ("an empty keyframe", avc().body, avc_frame(true, 0, &[])),
        (
            "another codec",
            avc().body,
            hevc_frame(true, 0, &[0, 0, 0, 1, 0x26], HevcForm::Enhanced),
        ),
        ("H.263", vec![0x12, 1], vec![0x12, 1]),
    ] {
        assert_eq!(still(&header, &frame), None, "{name}");
    }
}

/// Track ids of an initialisation segment.
fn tracks(init: &[u8]) -> Vec<u32> {
    let Any::Moov(moov) = &boxes(init)[1] else {
        panic!("no moov");
    };
    moov.trak.iter().map(|trak| trak.tkhd.track_id).collect()
}

proptest::proptest! {
    #[test]
    fn any_bodies_make_whole_boxes_behind_an_init_that_knows_their_track(
        bodies in proptest::collection::vec(
            (0..12_usize, -100..3000_i64, proptest::collection::vec(0_u8..=255, 0..30)),
            0..40,
        ),
    ) {
        let mut muxer = LiveMuxer::new();
        let mut pieces = Vec::new();
        for (kind, dts, data) in bodies {
            let tag = match kind {
                0 => Tag::video(dts, data),
                1 => Tag::audio(dts, data),
                2 => Tag::video(dts, avc_sequence_header(&data)),
                3 => Tag::video(dts, avc_frame(true, 0, &data)),
                4 => avc(),
                5 => other_avc(),
                6 => Tag::audio(dts, audio_frame(AudioCodec::Opus, &data)),
                7 => Tag::video(dts, hevc_sequence_header(&hevc_record(), HevcForm::Enhanced)),
                8 => Tag::video(dts, hevc_frame(true, 0, &data, HevcForm::Enhanced)),
                9 => aac(),
                10 => sound(dts),
                _ => Tag::audio(dts, aac_sequence_header(&data)),
            };
            muxer.handle(tag.kind, tag.dts, &tag.body, &mut pieces);
        }
        muxer.finish(&mut pieces);
        let mut known = Vec::new();
        for piece in pieces {
            match piece.kind {
                PieceKind::Init { has_video, has_audio } => {
                    known = tracks(&piece.bytes);
                    assert_eq!((known.contains(&1), known.contains(&2)), (has_video, has_audio));
                }
                PieceKind::Fragment { track, dts, duration, .. } => {
                    let found = samples(&piece.bytes);
                    let id = if track == TagKind::Video { 1 } else { 2 };
                    assert_eq!(found.len(), 1);
                    assert_eq!((found[0].0, found[0].1), (id, dts));
                    assert!(known.contains(&id) && duration > 0);
                }
            }
        }
    }
}
