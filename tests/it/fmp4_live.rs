//! Endless MP4, a fragment for each frame: what ffmpeg reads of it is what was put in.

use std::fs;
use std::path::Path;
use std::process::Command;

use millstream::media::annexb::{AnnexBCodec, UnitReader};
use millstream::media::flv::{
    AudioCodec, HevcForm, Reader, Tag, TagKind, audio_frame, audio_sequence_header,
};
use millstream::media::fmp4::{LiveMuxer, Piece, PieceKind, still};

use super::support::media::Sample;
use super::support::packets::{Kind, Packet, Tolerance, assert_same, packets};
use super::support::tempdir::TempDir;

pub(crate) fn flv_tags(path: &Path) -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(&fs::read(path).unwrap());
    std::iter::from_fn(|| reader.poll_tag().unwrap()).collect()
}

/// The pieces of a stream whose sound is expected beside its pictures.
pub(crate) fn mux(tags: &[Tag]) -> Vec<Piece> {
    let mut muxer = LiveMuxer::new();
    let has = |kind| tags.iter().any(|tag| tag.kind == kind);
    muxer.expect(has(TagKind::Video), has(TagKind::Audio));
    let mut pieces = Vec::new();
    for tag in tags {
        muxer.handle(tag.kind, tag.dts, &tag.body, &mut pieces);
    }
    assert_eq!(muxer.poll_note(), None);
    pieces
}

fn write(file: &Path, pieces: &[Piece]) {
    let bytes: Vec<&[u8]> = pieces.iter().map(|piece| &piece.bytes[..]).collect();
    fs::write(file, bytes.concat()).unwrap();
}

fn inits(pieces: &[Piece]) -> usize {
    let is_init = |piece: &&Piece| matches!(piece.kind, PieceKind::Init { .. });
    pieces.iter().filter(is_init).count()
}

/// What a program says of a file, without a complaint.
#[track_caller]
fn told(program: &str, before: &str, file: &Path, after: &str) -> String {
    let output = Command::new(program)
        .args(["-v", "error"])
        .args(before.split_whitespace())
        .arg(file)
        .args(after.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn decode(file: &Path) {
    told("ffmpeg", "-i", file, "-f null -");
}

/// HEVC of a sample as tags, 25 pictures a second.
pub(crate) fn hevc_tags(dir: &TempDir) -> Vec<Tag> {
    let stream = dir.join("stream.h265");
    let arguments = format!("-an -c:v copy -f hevc {}", stream.display());
    told("ffmpeg", "-i", &Sample::HevcMp4.path(), &arguments);
    let mut reader = UnitReader::new(AnnexBCodec::Hevc);
    reader.handle_input(&fs::read(&stream).unwrap());
    reader.finish();
    let units = std::iter::from_fn(|| reader.poll_unit().unwrap());
    let mut tags = Vec::new();
    for (dts, unit) in (0..).step_by(40).zip(units) {
        let form = HevcForm::Enhanced;
        let bodies = [unit.sequence_header(form), Some(unit.body(0, form))];
        tags.extend(bodies.into_iter().flatten().map(|b| Tag::video(dts, b)));
    }
    tags
}

#[test]
fn every_packet_at_its_time() {
    let dir = TempDir::new();
    for sample in [Sample::Plain, Sample::BFrames, Sample::Tiny] {
        let all = flv_tags(&sample.path());
        let only = |kind| {
            let tags = all.iter().filter(|tag| tag.kind == kind);
            tags.cloned().collect::<Vec<_>>()
        };
        let sent = packets(&sample.path());
        let sent_of = |kind| {
            let packets = sent.iter().filter(|packet: &&Packet| packet.kind == kind);
            packets.cloned().collect::<Vec<_>>()
        };
        for (name, tags, sent) in [
            ("both", all.clone(), sent.clone()),
            ("video", only(TagKind::Video), sent_of(Kind::Video)),
            ("audio", only(TagKind::Audio), sent_of(Kind::Audio)),
        ] {
            let file = dir.join("live.mp4");
            let pieces = mux(&tags);
            assert_eq!(inits(&pieces), 1);
            write(&file, &pieces);
            let what = format!("{sample:?}, {name}");
            let got = packets(&file);
            assert_eq!(got.len(), sent.len(), "{what}");
            assert_same(&what, &sent, &got, Tolerance::default());
            decode(&file);
        }
    }
}

#[test]
fn hevc_and_a_still_picture() {
    let dir = TempDir::new();
    let tags = hevc_tags(&dir);
    let file = dir.join("live.mp4");
    write(&file, &mux(&tags));
    let entries = "-show_entries stream=codec_name,codec_tag_string,width,height -of csv=p=0";
    let stream = told("ffprobe", entries, &file, "");
    assert_eq!(stream.trim(), "hevc,hvc1,320,180");
    let sent = packets(&Sample::HevcMp4.path());
    let sent = sent.iter().filter(|packet| packet.kind == Kind::Video);
    // ffmpeg writes parameter sets into each keyframe of the byte stream, so hashes differ.
    assert_eq!(packets(&file).len(), sent.count());
    decode(&file);

    for tags in [tags, flv_tags(&Sample::BFrames.path())] {
        let find = |test: fn(&Tag) -> bool| {
            let mut video = tags.iter().filter(|tag| tag.kind == TagKind::Video);
            &video.find(|tag| test(tag)).unwrap().body
        };
        let picture = still(find(Tag::is_sequence_header), find(Tag::is_keyframe)).unwrap();
        let file = dir.join("still.mp4");
        fs::write(&file, picture).unwrap();
        let entries = "-count_frames -show_entries stream=nb_read_frames,width,height -of csv=p=0";
        let stream = told("ffprobe", entries, &file, "");
        assert_eq!(stream.trim(), "320,180,1");
    }
}

/// Another picture size in mid-stream, as a camera does that changes between profiles.
#[test]
fn a_new_configuration() {
    let dir = TempDir::new();
    let mut tags = flv_tags(&Sample::Plain.path());
    let second = flv_tags(&Sample::Tiny.path());
    let shift = tags.iter().map(|tag| tag.dts).max().unwrap() + 40;
    tags.extend(second.into_iter().map(|mut tag| {
        tag.dts += shift;
        tag
    }));
    let pieces = mux(&tags);
    assert!(inits(&pieces) >= 2);
    let file = dir.join("live.mp4");
    write(&file, &pieces);
    // FFmpeg passes over the second initialisation segment and finds the parameter sets in the
    // pictures; it has no place for the other sound.
    let sizes = told(
        "ffprobe",
        "-select_streams v -show_entries frame=width,height -of csv=p=0",
        &file,
        "",
    );
    // Side data of a frame stand behind its size.
    let sizes: Vec<&str> = sizes.lines().filter(|line| !line.is_empty()).collect();
    let (first, second) = sizes.split_at(100);
    let is_all = |sizes: &[&str], size: &str| sizes.iter().all(|line| line.starts_with(size));
    assert!(is_all(first, "320,180"), "{first:?}");
    assert!(second.len() == 100 && is_all(second, "64,64"), "{second:?}");
    // Those who take it get the rest as a stream of its own.
    let is_init = |piece: &Piece| matches!(piece.kind, PieceKind::Init { .. });
    let last = pieces.iter().rposition(is_init).unwrap();
    write(&file, &pieces[last..]);
    decode(&file);
    let entries = "-show_entries stream=width,height -select_streams v -of csv=p=0";
    assert_eq!(told("ffprobe", entries, &file, "").trim(), "64,64");
}

/// Enhanced RTMP's sound; the pictures of its codecs are `fmp4_codecs.rs`'s business.
#[test]
fn opus_with_pictures() {
    let dir = TempDir::new();
    let ogg = dir.join("sound.ogg");
    let arguments = format!("-t 4 -c:a libopus -f ogg {}", ogg.display());
    let source = Path::new("sine=440:sample_rate=48000");
    told("ffmpeg", "-f lavfi -i", source, &arguments);
    let sound = super::fmp4_codecs::ogg(&fs::read(&ogg).unwrap());
    let mut tags = vec![Tag::audio(
        0,
        audio_sequence_header(AudioCodec::Opus, &sound[0]),
    )];
    let frames = sound[2..].iter().enumerate().map(|(index, packet)| {
        let dts = i64::try_from(index).unwrap() * 20;
        Tag::audio(dts, audio_frame(AudioCodec::Opus, packet))
    });
    tags.extend(frames);
    let video = flv_tags(&Sample::Plain.path());
    tags.extend(video.into_iter().filter(|tag| tag.kind == TagKind::Video));
    tags.sort_by_key(|tag| (tag.dts, !tag.is_sequence_header()));
    let file = dir.join("live.mp4");
    let pieces = mux(&tags);
    assert_eq!(inits(&pieces), 1);
    write(&file, &pieces);
    let names = told(
        "ffprobe",
        "-show_entries stream=codec_name -of csv=p=0",
        &file,
        "",
    );
    assert_eq!(
        names.split_whitespace().collect::<Vec<_>>(),
        ["h264", "opus"]
    );
    let got = packets(&file);
    let sounds = got.iter().filter(|packet| packet.kind == Kind::Audio);
    let times: Vec<i64> = sounds.map(|packet| packet.dts_ms).collect();
    assert_eq!(times.len(), sound.len() - 2);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20));
    decode(&file);
}
