//! HLS as a folder of files: what ffmpeg plays of it is what was put in.

use std::fs;
use std::path::Path;
use std::process::Command;

use millstream::media::flv::TagKind;
use millstream::media::fmp4::{LiveMuxer, PieceKind};
use millstream::media::hls::{Config, Found, PieceName, Segmenter};

use super::fmp4_live::{flv_tags, hevc_tags, mux};
use super::support::media::Sample;
use super::support::packets::{Kind, Packet, packets};
use super::support::tempdir::TempDir;

const WALL: i64 = 1_800_000_000_000;

/// Everything that a playlist names, with the playlist as `key.m3u8`.
fn write(dir: &Path, segmenter: &Segmenter) {
    let text = segmenter.playlist("key", "");
    fs::create_dir_all(dir.join("key")).unwrap();
    for line in text.lines() {
        let Some((_, name)) = line.rsplit_once("key/") else {
            continue;
        };
        let name = PieceName::parse(name.trim_end_matches('"')).unwrap();
        let Found::Bytes(pieces) = segmenter.find(name) else {
            panic!("{name} is not there");
        };
        fs::write(dir.join("key").join(name.to_string()), pieces.concat()).unwrap();
    }
    fs::write(dir.join("key.m3u8"), text).unwrap();
}

/// Durations that the playlist tells, in milliseconds.
fn durations(segmenter: &Segmenter) -> Vec<i64> {
    let text = segmenter.playlist("key", "");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:"));
    lines
        .map(|line| line.trim_end_matches(',').replace('.', "").parse().unwrap())
        .collect()
}

#[track_caller]
fn check_decodes(playlist: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(playlist)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn ffmpeg_plays_what_was_put_in() {
    let dir = TempDir::new();
    let avc = flv_tags(&Sample::BFrames.path());
    let sound = avc.iter().filter(|tag| tag.kind == TagKind::Audio);
    let sound: Vec<_> = sound.cloned().collect();
    for (name, tags, kinds) in [
        ("both", avc, &[Kind::Video, Kind::Audio][..]),
        ("sound", sound, &[Kind::Audio]),
        ("hevc", hevc_tags(&dir), &[Kind::Video]),
    ] {
        let mut segmenter = Segmenter::new(Config::default());
        let pieces = mux(&tags);
        for piece in &pieces {
            segmenter.push(piece, WALL);
        }
        segmenter.finish();
        let found = durations(&segmenter);
        assert!((1900..=2000).contains(&found[0]), "{name}: {found:?}");
        assert!((3900..4100).contains(&found.iter().sum::<i64>()), "{name}");

        let folder = dir.join(name);
        write(&folder, &segmenter);
        let whole: Vec<&[u8]> = pieces.iter().map(|piece| &piece.bytes[..]).collect();
        let file = dir.join("whole.mp4");
        fs::write(&file, whole.concat()).unwrap();
        let playlist = folder.join("key.m3u8");
        let (sent, got) = (packets(&file), packets(&playlist));
        for kind in kinds {
            let of = |packets: &[Packet]| {
                let packets = packets.iter().filter(|packet| packet.kind == *kind);
                let hashes = packets.map(|packet| (packet.dts_ms, packet.hash.clone()));
                hashes.collect::<Vec<_>>()
            };
            assert!(!of(&sent).is_empty());
            assert_eq!(of(&sent), of(&got), "{name}, {kind:?}");
        }
        check_decodes(&playlist);
    }
}

/// A takeover by a publisher with another picture size.
#[test]
fn ffmpeg_follows_a_discontinuity() {
    let dir = TempDir::new();
    let mut segmenter = Segmenter::new(Config::default());
    // One muxer for both: FFmpeg passes over the second initialisation segment, and needs the
    // parameter sets that it puts in front of the pictures.
    let mut muxer = LiveMuxer::new();
    let mut sent = Vec::new();
    for sample in [Sample::Plain, Sample::Tiny] {
        segmenter.discontinuity();
        let mut pieces = Vec::new();
        for tag in flv_tags(&sample.path()) {
            muxer.handle(tag.kind, tag.dts, &tag.body, &mut pieces);
        }
        for piece in pieces {
            if let PieceKind::Fragment { .. } = piece.kind {
                sent.extend_from_slice(&piece.bytes);
            }
            segmenter.push(&piece, WALL);
        }
    }
    segmenter.finish();
    write(dir.path(), &segmenter);
    let text = segmenter.playlist("key", "");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert_eq!(text.matches("#EXT-X-MAP").count(), 2);
    let bodies = (0..).map_while(
        |sequence| match segmenter.find(PieceName::Segment(sequence)) {
            Found::Bytes(pieces) => Some(pieces.concat()),
            _ => None,
        },
    );
    assert!(bodies.flatten().eq(sent), "no frame is lost or doubled");
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"])
        .args(["-show_entries", "frame=width,height"])
        .arg(dir.join("key.m3u8"))
        .output()
        .unwrap();
    let sizes = String::from_utf8(output.stdout).unwrap();
    let count = |size| sizes.lines().filter(|line| line.starts_with(size)).count();
    // ffprobe 5.1 loses a frame where the times begin anew.
    let counts = (count("320,180"), count("64,64"));
    assert!(matches!(counts, (100, 99..=100)), "{counts:?}");
}
