//! Bodies of odd publishers, and that those of good ones are not touched.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::media::codec::hex;

use TagKind::{Audio, Video};

/// x264 and x265 of FFmpeg 5.1.9, 160x90, and another size of each.
const SPS: &str = "6764000bacd9428df93011000003000100000300320f142996";
const SPS_322X242: &str = "6742c00cd90150878888c044000003000400000300783c50a920";
const PPS: &str = "68ef8fcb";
const AVCC: &str =
    "0164000bffe100196764000bacd9428df93011000003000100000300320f14299601000468ef8fcbfdf8f800";
const HEVC_VPS: &str = "40010c01ffff01600000030090000003000003001e959009";
const HEVC_SPS: &str =
    "42010101600000030090000003000003001ea0142061f26595924932bc05a02000007d20000ea601";
const HEVC_PPS: &str = "4401c172b46240";
const HVCC: &str = "0101600000009000000000001ef000fcfdf8f800000f03
    a000010018 40010c01ffff01600000030090000003000003001e959009
    a100010028 42010101600000030090000003000003001ea0142061f26595924932bc05a02000007d20000ea601
    a200010007 4401c172b46240";

/// NAL units behind four-byte lengths.
fn lengths(units: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for unit in units {
        nal::put_length_prefixed(&mut out, &hex(unit));
    }
    out
}

fn start_codes(units: &[&str]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [vec![0, 0, 0, 1], hex(unit)].concat())
        .collect()
}

fn body(head: &[u8], payload: &[u8]) -> Vec<u8> {
    [head, payload].concat()
}

const HEADER_7: &[u8] = &[0x17, 0, 0, 0, 0];
const KEY_7: &[u8] = &[0x17, 1, 0, 0, 40];
const INTER_7: &[u8] = &[0x27, 1, 0, 0, 40];
const HEADER_12: &[u8] = &[0x1C, 0, 0, 0, 0];
const KEY_12: &[u8] = &[0x1C, 1, 0, 0, 40];
const HEADER_HVC1: &[u8] = b"\x90hvc1";
const KEY_HVC1: &[u8] = b"\x91hvc1\x00\x00\x28";
const INTER_HVC1: &[u8] = b"\xA1hvc1\x00\x00\x28";

struct Subject(Mender);

impl Subject {
    fn new() -> Self {
        Self(Mender::new())
    }

    /// Takes a body that is right.
    #[track_caller]
    fn keeps(&mut self, kind: TagKind, body: &[u8]) {
        let mended = self.0.mend(body, kind);
        assert_eq!(mended, Mended::as_sent(body));
        assert!(matches!(mended.body, Some(Cow::Borrowed(_))));
    }

    /// Takes a body that is put right.
    #[track_caller]
    fn mends(
        &mut self,
        kind: TagKind,
        body: &[u8],
        header: Option<Vec<u8>>,
        expected: Option<Vec<u8>>,
        faults: &[Fault],
    ) {
        let mended = self.0.mend(body, kind);
        assert_eq!(mended.header, header);
        assert_eq!(mended.body.map(Cow::into_owned), expected);
        assert_eq!(mended.faults.iter().collect::<Vec<_>>(), faults);
    }
}

#[test]
fn a_good_publisher_is_not_touched() {
    for (header, record, frame, unit) in [
        (HEADER_7, AVCC, KEY_7, "6588840037"),
        (HEADER_12, HVCC, KEY_12, "2801af0850"),
        (HEADER_HVC1, HVCC, KEY_HVC1, "2801af0850"),
    ] {
        let mut subject = Subject::new();
        subject.keeps(Video, &body(header, &hex(record)));
        subject.keeps(Video, &body(frame, &lengths(&[unit])));
        subject.keeps(Video, &body(frame, &lengths(&["06", unit, unit])));
        // The parameter sets once more, as x264 repeats them.
        let sets = if record == AVCC {
            [SPS, PPS]
        } else {
            [HEVC_SPS, HEVC_PPS]
        };
        subject.keeps(Video, &body(frame, &lengths(&[sets[0], sets[1], unit])));
        subject.keeps(Video, &body(header, &hex(record)));
    }
    let mut subject = Subject::new();
    for (kind, body) in [
        (Video, &b"\x90av01\x81"[..]),
        (Video, b"\x91av01\x12\x00"),
        (Video, b"\x91vp09"),
        (Video, b"\x91xyzw\x00\x00\x00\x00"),
        (Video, b"\x9Eavc1\x00\x00\x00\x00"),
        (Video, b"\x17\x02\x00\x00\x00"),
        (Video, b"\x57\x00"),
        (Video, b"\x96\x10avc1\x00\x00\x00\x00"),
        (Video, b"\x96\x31avc1"),
        // A record that makes no sense, and lengths that lie.
        (Video, b"\x17\x00\x00\x00\x00\x09\x09"),
        (Video, b"\x17\x01\x00\x00\x00\x00\x00\x00\x09\x65"),
        (Audio, b"\xAF\x00\x12\x10"),
        (Audio, b"\xAF\x01\x21"),
        (Audio, b"\x91Opus"),
        (Audio, b"\x72"),
        (Audio, b"\x95\x01mp4a\x01"),
        (TagKind::Script, b""),
    ] {
        subject.keeps(kind, body);
    }
}

#[test]
fn hevc_under_the_name_of_avc() {
    let mut subject = Subject::new();
    let wrong = &[Fault::HevcLabelledAvc];
    let right = body(HEADER_HVC1, &hex(HVCC));
    subject.mends(Video, &body(HEADER_7, &hex(HVCC)), None, Some(right), wrong);
    let frame = lengths(&["2801af0850"]);
    let right = body(KEY_HVC1, &frame);
    subject.mends(Video, &body(KEY_7, &frame), None, Some(right), wrong);
    let frame = lengths(&["0201d0195f84"]);
    let right = body(INTER_HVC1, &frame);
    subject.mends(Video, &body(INTER_7, &frame), None, Some(right), wrong);
    // Under the right name it is right, even now.
    subject.keeps(Video, &[0x1C, 2, 0, 0, 0]);
    let end = b"\x92hvc1".to_vec();
    subject.mends(Video, &[0x17, 2, 0, 0, 0], None, Some(end), wrong);
    // Another encoder took over.
    subject.keeps(Video, &body(HEADER_7, &hex(AVCC)));
    subject.keeps(Video, &body(KEY_7, &lengths(&["6588840037"])));
}

#[test]
fn hevc_under_the_name_of_avc_without_a_header() {
    let mut subject = Subject::new();
    let frame = lengths(&[HEVC_VPS, HEVC_SPS, HEVC_PPS, "2801af0850"]);
    subject.mends(
        Video,
        &body(KEY_7, &frame),
        Some(body(HEADER_HVC1, &hex(HVCC))),
        Some(body(KEY_HVC1, &frame)),
        &[Fault::HevcLabelledAvc, Fault::HeaderMissing],
    );
    let frame = lengths(&["0201d0195f84"]);
    let right = body(INTER_HVC1, &frame);
    let wrong = &[Fault::HevcLabelledAvc];
    subject.mends(Video, &body(INTER_7, &frame), None, Some(right), wrong);
}

#[test]
fn start_codes_in_place_of_lengths() {
    let mut subject = Subject::new();
    subject.keeps(Video, &body(HEADER_7, &hex(AVCC)));
    let units = &["06", "6588840037"];
    let right = body(KEY_7, &lengths(units));
    let wrong = body(KEY_7, &start_codes(units));
    subject.mends(Video, &wrong, None, Some(right), &[Fault::AnnexB]);
    // The first bytes stay as sent, whatever they are.
    let head = b"\xA7\x02\x00\x00\x05\x03avc1";
    let right = body(head, &lengths(units));
    let wrong = body(head, &start_codes(units));
    subject.mends(Video, &wrong, None, Some(right), &[Fault::AnnexB]);
    // A length of 1, and one of 256 and more, look like start codes.
    subject.keeps(Video, &body(KEY_7, &lengths(&["65", "65"])));
    let long = "65".repeat(300);
    subject.keeps(Video, &body(KEY_7, &lengths(&[&long])));
    // Start codes and nothing behind.
    let nothing = body(KEY_7, &[0, 0, 0, 1]);
    subject.mends(Video, &nothing, None, None, &[Fault::EmptyFrame]);
}

#[test]
fn start_codes_in_a_sequence_header() {
    for (head, units, record) in [
        (HEADER_7, &[SPS, PPS][..], AVCC),
        (HEADER_12, &[HEVC_VPS, HEVC_SPS, HEVC_PPS], HVCC),
    ] {
        let mut subject = Subject::new();
        let wrong = body(head, &start_codes(units));
        let right = Some(body(head, &hex(record)));
        subject.mends(Video, &wrong, None, right, &[Fault::AnnexBHeader]);
    }
    let mut subject = Subject::new();
    let wrong = body(HEADER_7, &start_codes(&[HEVC_VPS, HEVC_SPS, HEVC_PPS]));
    let right = Some(body(HEADER_HVC1, &hex(HVCC)));
    let faults = &[Fault::HevcLabelledAvc, Fault::AnnexBHeader];
    subject.mends(Video, &wrong, None, right, faults);
    // Without a PPS there is nothing to make.
    subject.keeps(Video, &body(HEADER_7, &start_codes(&[SPS])));
}

#[test]
fn empty_units_and_empty_frames() {
    let mut subject = Subject::new();
    subject.keeps(Video, &body(HEADER_7, &hex(AVCC)));
    let wrong = body(KEY_7, &lengths(&["", "6588840037", "", ""]));
    let right = body(KEY_7, &lengths(&["6588840037"]));
    subject.mends(Video, &wrong, None, Some(right), &[Fault::EmptyNalUnit]);
    for nothing in [&lengths(&[""])[..], &lengths(&["", ""]), &[]] {
        let wrong = body(INTER_7, nothing);
        subject.mends(Video, &wrong, None, None, &[Fault::EmptyFrame]);
    }
    // Where the lengths do not add up, nothing is thrown away.
    subject.keeps(Video, &body(KEY_7, &[0, 0, 0, 0, 0, 0, 0, 9, 0x65]));
    subject.mends(Video, HEADER_7, None, None, &[Fault::EmptyHeader]);
    subject.mends(Video, &[0x17], None, None, &[Fault::CutShort]);
    subject.mends(Video, &[0x17, 1, 0], None, None, &[Fault::CutShort]);
    subject.mends(Video, b"\x91hv", None, None, &[Fault::CutShort]);
    subject.mends(Video, &[], None, None, &[Fault::EmptyFrame]);
    // What was known stays in force: two-byte lengths.
    let mut record = hex(AVCC);
    record[4] = 0xFD;
    subject.keeps(Video, &body(HEADER_7, &record));
    subject.mends(Video, HEADER_7, None, None, &[Fault::EmptyHeader]);
    let wrong = body(KEY_7, &[0, 2, 0x65, 1, 0, 0]);
    let right = body(KEY_7, &[0, 2, 0x65, 1]);
    subject.mends(Video, &wrong, None, Some(right), &[Fault::EmptyNalUnit]);
}

#[test]
fn a_header_is_made_when_none_came() {
    let mut subject = Subject::new();
    // Nothing to make it of yet.
    subject.keeps(Video, &body(INTER_7, &lengths(&["419a2318"])));
    let key = body(KEY_7, &lengths(&[SPS, PPS, "6588840037"]));
    let made = Some(body(HEADER_7, &hex(AVCC)));
    let missing = &[Fault::HeaderMissing];
    subject.mends(Video, &key, made, Some(key.clone()), missing);
    subject.keeps(Video, &key);
    // Another picture.
    let other = body(KEY_7, &lengths(&[SPS_322X242, PPS, "6588840037"]));
    let mended = subject.0.mend(&other, Video);
    assert_eq!(
        mended.faults.iter().collect::<Vec<_>>(),
        [Fault::HeaderOutdated]
    );
    let made = mended.header.unwrap();
    let config = AvcConfig::parse(&made[5..]).unwrap();
    assert_eq!(config.sps, [hex(SPS_322X242)]);
    subject.keeps(Video, &other);
    // The publisher's own is in force from here on.
    subject.keeps(Video, &body(HEADER_7, &hex(AVCC)));
    subject.keeps(Video, &key);

    let mut subject = Subject::new();
    let units = &[HEVC_VPS, HEVC_SPS, HEVC_PPS, "2801af0850"];
    let key = body(KEY_12, &start_codes(units));
    subject.mends(
        Video,
        &key,
        Some(body(HEADER_12, &hex(HVCC))),
        Some(body(KEY_12, &lengths(units))),
        &[Fault::AnnexB, Fault::HeaderMissing],
    );
}

#[test]
fn a_header_is_made_when_the_size_changes_and_only_then() {
    let mut subject = Subject::new();
    subject.keeps(Video, &body(HEADER_7, &hex(AVCC)));
    let other = body(KEY_7, &lengths(&[SPS_322X242, PPS, "6588840037"]));
    let mended = subject.0.mend(&other, Video);
    assert!(mended.header.is_some() && mended.faults.contains(Fault::HeaderOutdated));
    // The same size in other words: level 1.2 in place of 1.1.
    let mut subject = Subject::new();
    subject.keeps(Video, &body(HEADER_7, &hex(AVCC)));
    let reworded = SPS.replace("6764000b", "6764000c");
    subject.keeps(
        Video,
        &body(KEY_7, &lengths(&[&reworded, PPS, "6588840037"])),
    );
    // Only a keyframe can bring it.
    subject.keeps(Video, &body(INTER_7, &lengths(&[SPS_322X242, PPS])));
}

#[test]
fn aac_of_odd_publishers() {
    let mut subject = Subject::new();
    // AAC LC, 44.1 kHz, stereo, 9 bytes with the header.
    let adts = hex("fff15080013ffc");
    assert_eq!(AdtsHeader::parse(&adts).unwrap().frame_size, 9);
    let wrong = body(&[0xAF, 1], &[&adts[..], &[0x21, 0x10]].concat());
    let right = vec![0xAF, 1, 0x21, 0x10];
    let made = Some(vec![0xAF, 0, 0x12, 0x10]);
    let faults = &[Fault::Adts, Fault::AacHeaderMissing];
    subject.mends(Audio, &wrong, made, Some(right.clone()), faults);
    subject.mends(Audio, &wrong, None, Some(right), &[Fault::Adts]);
    let wrong = body(b"\x91mp4a", &[&adts[..], &[0x21, 0x10]].concat());
    let right = b"\x91mp4a\x21\x10".to_vec();
    subject.mends(Audio, &wrong, None, Some(right), &[Fault::Adts]);
    subject.mends(Audio, &[0xAF, 0], None, None, &[Fault::EmptyHeader]);
    subject.mends(Audio, &[0xAF, 1], None, None, &[Fault::EmptyFrame]);
    subject.mends(Audio, &[0xAF], None, None, &[Fault::CutShort]);
    subject.mends(Audio, b"\x90Op", None, None, &[Fault::CutShort]);

    let mut subject = Subject::new();
    subject.keeps(Audio, &[0xAF, 0, 0x12, 0x10]);
    let wrong = body(&[0xAF, 1], &[&adts[..], &[0x21, 0x10]].concat());
    let right = vec![0xAF, 1, 0x21, 0x10];
    subject.mends(Audio, &wrong, None, Some(right), &[Fault::Adts]);
}

#[test]
fn every_fault_is_said_in_its_own_words() {
    let mut said: Vec<String> = Fault::ALL.iter().map(Fault::to_string).collect();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), Fault::ALL.len());
    let mut faults = Faults::default();
    assert!(faults.is_empty());
    for fault in Fault::ALL {
        assert!(!faults.contains(fault));
        faults.add(fault);
    }
    assert!(faults.iter().eq(Fault::ALL));
}

/// NAL units with things that can be wrong between them.
fn units() -> impl Strategy<Value = Vec<String>> {
    let unit = prop_oneof![
        Just(String::new()),
        Just(SPS.to_owned()),
        Just(PPS.to_owned()),
        Just(HEVC_VPS.to_owned()),
        Just(HEVC_SPS.to_owned()),
        Just(HEVC_PPS.to_owned()),
        Just("6588840037".to_owned()),
        Just("419a2318".to_owned()),
        "(65|41|02)[1-9a-f]{2}{0,9}".prop_map(|text| text[..text.len() & !1].to_owned()),
    ];
    proptest::collection::vec(unit, 0..6)
}

proptest! {
    #[test]
    fn what_was_mended_is_right(
        has_lengths in any::<bool>(),
        is_key in any::<bool>(),
        codec in 0..3_usize,
        units in proptest::collection::vec(units(), 1..4),
    ) {
        let (mut first, mut second) = (Mender::new(), Mender::new());
        for units in units {
            let units: Vec<&str> = units.iter().map(String::as_str).collect();
            let payload = if has_lengths { lengths(&units) } else { start_codes(&units) };
            let head = match (codec, is_key) {
                (0, true) => KEY_7,
                (0, false) => INTER_7,
                (1, true) => KEY_12,
                (1, false) => INTER_HVC1,
                (_, true) => KEY_HVC1,
                (_, false) => INTER_HVC1,
            };
            let wrong = body(head, &payload);
            let mended = first.mend(&wrong, Video);
            for body in [&mended.header.map(Cow::Owned), &mended.body].into_iter().flatten() {
                let header = VideoHeader::parse(body).unwrap();
                if header.packet == VideoPacket::Frames {
                    prop_assert!(nal::is_length_prefixed(header.payload(body), 4));
                    prop_assert!(!header.payload(body).is_empty());
                }
                let again = second.mend(body, Video);
                prop_assert_eq!(again, Mended::as_sent(body));
            }
        }
    }
}
