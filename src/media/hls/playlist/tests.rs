//! Text, names, and who waits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::super::segmenter::tests::{WALL, init, video};
use super::*;
use crate::media::hls::Config;

fn stream(to: i64) -> Segmenter {
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.push(&init(0, true), WALL);
    video(&mut segmenter, 0..to, 1000);
    segmenter
}

#[test]
fn the_whole_text() {
    let mut segmenter = stream(2681);
    segmenter.discontinuity();
    segmenter.push(&init(1, true), WALL + 9000);
    for dts in (0..361).step_by(40) {
        let piece = super::super::segmenter::tests::frame(
            crate::media::flv::TagKind::Video,
            dts == 0,
            dts,
            40,
        );
        segmenter.push(&piece, WALL + 9000 + dts);
    }
    let expected = "\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.990
#EXT-X-PART-INF:PART-TARGET=0.330
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI=\"a%2Fb%20%22/init-0.mp4?t=%221\"
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00.000Z
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/0.0.m4s?t=%221\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/0.1.m4s?t=%221\"
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/0.2.m4s?t=%221\"
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/0.3.m4s?t=%221\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/0.4.m4s?t=%221\"
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/0.5.m4s?t=%221\"
#EXT-X-PART:DURATION=0.080,URI=\"a%2Fb%20%22/0.6.m4s?t=%221\"
#EXTINF:2.000,
a%2Fb%20%22/0.m4s?t=%221
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:02.000Z
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/1.0.m4s?t=%221\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/1.1.m4s?t=%221\"
#EXT-X-PART:DURATION=0.080,URI=\"a%2Fb%20%22/1.2.m4s?t=%221\"
#EXTINF:0.720,
a%2Fb%20%22/1.m4s?t=%221
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"a%2Fb%20%22/init-1.mp4?t=%221\"
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:09.000Z
#EXT-X-PART:DURATION=0.320,URI=\"a%2Fb%20%22/2.0.m4s?t=%221\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"a%2Fb%20%22/2.1.m4s?t=%221\"
";
    assert_eq!(segmenter.playlist("a/b \"", "t=\"1"), expected);
}

#[test]
fn what_left_the_window_is_counted() {
    let mut segmenter = stream(2001);
    segmenter.discontinuity();
    video(&mut segmenter, 0..4001, 1000);
    let head = |segmenter: &Segmenter| {
        let text = segmenter.playlist("k", "");
        let number = |tag: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(tag));
            line.map_or(0, |number| number.parse::<u64>().unwrap())
        };
        let tags = text.matches("#EXT-X-DISCONTINUITY\n").count();
        let sequences = "#EXT-X-DISCONTINUITY-SEQUENCE:";
        (number("#EXT-X-MEDIA-SEQUENCE:"), number(sequences), tags)
    };
    assert_eq!(head(&segmenter), (0, 0, 1));
    // Segments 0 and 1, of 2 s and 40 ms, are of the first publisher.
    video(&mut segmenter, 4040..12_001, 1000);
    assert_eq!(head(&segmenter), (2, 0, 1));
    video(&mut segmenter, 12_040..14_001, 1000);
    assert_eq!(head(&segmenter), (3, 1, 0));
    // Parts are told of the last three target durations only.
    let text = segmenter.playlist("k", "");
    assert!(!text.contains("k/5.0.m4s") && text.contains("k/6.0.m4s"));
    segmenter.finish();
    let text = segmenter.playlist("k", "");
    assert!(text.ends_with("#EXT-X-ENDLIST\n") && !text.contains("EXT-X-PART:"));
}

#[test]
fn another_parser_reads_it() {
    let mut segmenter = stream(7001);
    segmenter.push(&init(1, true), WALL);
    video(&mut segmenter, 7040..9001, 1000);
    let text = segmenter.playlist("key", "");
    let playlist = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    assert_eq!(playlist.version, Some(9));
    assert_eq!(playlist.target_duration, 2);
    assert_eq!((playlist.media_sequence, playlist.end_list), (0, false));
    let finished: Vec<_> = playlist
        .segments
        .iter()
        .filter(|s| !s.uri.is_empty())
        .collect();
    let uris: Vec<&str> = finished
        .iter()
        .map(|segment| segment.uri.as_str())
        .collect();
    let expected = (0..5).map(|sequence| format!("key/{sequence}.m4s"));
    assert_eq!(uris, expected.collect::<Vec<_>>());
    let map = finished[0].map.as_ref().unwrap();
    assert_eq!(map.uri, "key/init-0.mp4");
    let date = finished[1].program_date_time.unwrap();
    assert_eq!(date.timestamp_millis(), WALL + 2000);
    let sum: f32 = finished.iter().map(|segment| segment.duration).sum();
    assert!((sum - 9.0).abs() < 0.01);
    let breaks: Vec<bool> = finished
        .iter()
        .map(|segment| segment.discontinuity)
        .collect();
    assert_eq!(breaks, [false, false, false, false, true]);
}

#[test]
fn which_requests_wait() {
    use Reload::{Ready, Wait, Wrong};
    // Segments 0 and 1 are finished with 7 parts each; of 2 there are parts 0 and 1.
    let segmenter = stream(4801);
    for (sequence, part, expected) in [
        (None, None, Ready),
        (None, Some(0), Wrong),
        (Some(0), None, Ready),
        (Some(1), None, Ready),
        (Some(2), None, Wait),
        (Some(3), None, Wait),
        (Some(4), None, Wait),
        (Some(5), None, Wrong),
        (Some(u64::MAX), None, Wrong),
        (Some(0), Some(0), Ready),
        (Some(1), Some(6), Ready),
        (Some(1), Some(7), Ready),
        (Some(2), Some(1), Ready),
        (Some(2), Some(2), Wait),
        (Some(2), Some(11), Wait),
        (Some(2), Some(12), Wrong),
        (Some(2), Some(u64::MAX), Wrong),
        (Some(3), Some(0), Wait),
        (Some(5), Some(0), Wrong),
    ] {
        let found = segmenter.reload(sequence, part);
        assert_eq!(found, expected, "{sequence:?}, {part:?}");
    }
    // A part behind the last one of its segment is the first one of the next.
    let segmenter = stream(4041);
    assert_eq!(segmenter.reload(Some(1), Some(6)), Ready);
    assert_eq!(segmenter.reload(Some(1), Some(7)), Wait);
    assert_eq!(segmenter.reload(Some(2), Some(0)), Wait);
    // Too little to play: three part targets are kept from the end.
    for (to, expected) in [(1, Wait), (961, Wait), (1241, Wait), (1281, Ready)] {
        assert_eq!(stream(to).reload(None, None), expected, "{to}");
    }
    assert_eq!(stream(641).reload(Some(0), Some(0)), Wait);
    assert_eq!(stream(641).reload(Some(2), Some(0)), Wait);
    assert_eq!(stream(641).reload(Some(3), Some(0)), Wrong);
    assert_eq!(stream(641).wait_ms_max(), 6000);
}

#[test]
fn names_of_pieces() {
    for name in [
        PieceName::Init(0),
        PieceName::Init(u64::MAX),
        PieceName::Segment(17),
        PieceName::Part(0, 0),
        PieceName::Part(12, 340),
    ] {
        assert_eq!(PieceName::parse(&name.to_string()), Some(name));
    }
    for name in [
        "",
        ".m4s",
        "..m4s",
        "1..m4s",
        ".1.m4s",
        "1.2.3.m4s",
        "01.m4s",
        "+1.m4s",
        "-1.m4s",
        "1.m4s ",
        "1.M4S",
        "1.mp4",
        "init-.mp4",
        "init-1.m4s",
        "init-00.mp4",
        "init--1.mp4",
        "18446744073709551616.m4s",
        "../1.m4s",
        "1/2.m4s",
        "\u{661}.m4s",
    ] {
        assert_eq!(PieceName::parse(name), None, "{name}");
    }
}
