//! The codecs of Enhanced RTMP in MP4: what ffmpeg encoded, put into tags and written by us, is
//! decoded by ffmpeg again, and is what it would have been without the detour.

use std::fs;
use std::path::Path;
use std::process::Command;

use millstream::media::codec::av1;
use millstream::media::flv::{
    AudioCodec, Tag, VideoCodec, audio_frame, audio_sequence_header, video_frame,
    video_sequence_header,
};
use millstream::media::fmp4::Writer;

use super::support::tempdir::TempDir;

const PICTURE: &str = "-f lavfi -i testsrc=size=160x90:rate=25:duration=0.4";
const TONE: &str = "-f lavfi -i sine=440:duration=0.4:sample_rate=48000";

#[track_caller]
fn run(program: &str, arguments: &str, file: &Path) -> String {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let place = arguments.iter().position(|argument| *argument == "FILE");
    let (before, after) = arguments.split_at(place.unwrap());
    let output = Command::new(program)
        .args(["-v", "error"])
        .args(before)
        .arg(file)
        .args(&after[1..])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn encode(dir: &TempDir, arguments: &str, name: &str) -> (Vec<u8>, String) {
    let file = dir.join(name);
    run("ffmpeg", &format!("{arguments} FILE"), &file);
    (fs::read(&file).unwrap(), decoded(&file))
}

/// A checksum of each decoded frame, without its time.
fn decoded(file: &Path) -> String {
    let told = run("ffmpeg", "-i FILE -f framemd5 -", file);
    let lines = told.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit(',').next())
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn check(dir: &TempDir, tags: &[Tag], codec: &str, pictures: &str) {
    let mut writer = Writer::new();
    for tag in tags {
        writer.handle_tag(tag);
    }
    writer.finish();
    assert_eq!(writer.poll_note(), None, "{codec}");
    let bytes: Vec<u8> = std::iter::from_fn(|| writer.poll_output())
        .flatten()
        .collect();
    let file = dir.join(&format!("{codec}.mp4"));
    fs::write(&file, bytes).unwrap();
    let told = run(
        "ffprobe",
        "-show_entries stream=codec_name,width,height,sample_rate,channels -of csv=p=0 FILE",
        &file,
    );
    assert_eq!(told.trim().trim_end_matches(','), codec);
    assert_eq!(decoded(&file), pictures, "{codec}");
}

/// The frames of an IVF file: a header of 32 bytes, then length, time and bytes of each.
fn ivf(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = &bytes[32..];
    let mut frames = Vec::new();
    while let Some((size, behind)) = rest.split_first_chunk::<4>() {
        let size = u32::from_le_bytes(*size) as usize;
        frames.push(&behind[8..8 + size]);
        rest = &behind[8 + size..];
    }
    frames
}

/// The packets of an Ogg file with one stream (RFC 3533 §6).
pub(crate) fn ogg(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    while rest.len() > 27 {
        let count = usize::from(rest[26]);
        let (lacing, mut body) = rest[27..].split_at(count);
        for size in lacing {
            let (part, behind) = body.split_at(usize::from(*size));
            packet.extend_from_slice(part);
            body = behind;
            if *size < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = body;
    }
    packets
}

fn video(codec: VideoCodec, record: &[u8], frames: &[&[u8]]) -> Vec<Tag> {
    let mut tags = vec![Tag::video(0, video_sequence_header(codec, record))];
    for (index, frame) in (0..).zip(frames) {
        let body = video_frame(codec, index == 0, 0, frame);
        tags.push(Tag::video(index * 40, body));
    }
    tags
}

fn audio<'a>(
    codec: AudioCodec,
    config: Option<&[u8]>,
    frames: impl Iterator<Item = &'a [u8]>,
) -> Vec<Tag> {
    let header = config.map(|config| Tag::audio(0, audio_sequence_header(codec, config)));
    let frames = (0..)
        .zip(frames)
        .map(|(index, frame): (i64, _)| Tag::audio(index * 20, audio_frame(codec, frame)));
    header.into_iter().chain(frames).collect()
}

#[test]
fn video_codecs() {
    let dir = TempDir::new();
    // With its delimiters, which do not belong into a sample.
    let arguments = format!("{PICTURE} -c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p -f ivf");
    let (bytes, pictures) = encode(&dir, &arguments, "av1.ivf");
    let frames = ivf(&bytes);
    let record = av1::record_of_unit(frames[0]).unwrap();
    let tags = video(VideoCodec::Av1, &record, &frames);
    check(&dir, &tags, "av1,160,90", &pictures);

    let arguments = format!("{PICTURE} -c:v libvpx-vp9 -pix_fmt yuv420p -f ivf");
    let (bytes, pictures) = encode(&dir, &arguments, "vp9.ivf");
    let record = [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0];
    let tags = video(VideoCodec::Vp9, &record, &ivf(&bytes));
    check(&dir, &tags, "vp9,160,90", &pictures);
}

#[test]
fn audio_codecs_with_a_header() {
    let dir = TempDir::new();
    let arguments = format!("{TONE} -ac 2 -c:a libopus -f ogg");
    let (bytes, _) = encode(&dir, &arguments, "opus.ogg");
    let packets = ogg(&bytes);
    let frames = || packets[2..].iter().map(Vec::as_slice);
    let told = "opus,48000,2";
    // The header says to skip the first samples, Ogg cuts the last: compared is what comes of
    // packets alone.
    let tags = audio(AudioCodec::Opus, Some(&packets[0]), frames());
    let count = packets.len() - 2;
    let file = dir.join("opus.mp4");
    let mut writer = Writer::new();
    for tag in &tags {
        writer.handle_tag(tag);
    }
    writer.finish();
    let bytes: Vec<u8> = std::iter::from_fn(|| writer.poll_output())
        .flatten()
        .collect();
    fs::write(&file, bytes).unwrap();
    assert_eq!(decoded(&file).lines().count(), count);
    let sounds = decoded(&file);
    check(&dir, &tags, told, &sounds);

    let arguments = format!("{TONE} -ac 2 -c:a flac -f ogg");
    let (bytes, sounds) = encode(&dir, &arguments, "flac.ogg");
    let packets = ogg(&bytes);
    // 7F "FLAC", version, count of headers, then the header as a file has it.
    let header = &packets[0][9..];
    let frames = packets
        .iter()
        .filter(|packet| packet.starts_with(&[0xFF, 0xF8]));
    let tags = audio(AudioCodec::Flac, Some(header), frames.map(Vec::as_slice));
    check(&dir, &tags, "flac,48000,2", &sounds);
}

#[test]
fn audio_codecs_known_by_their_frames() {
    let dir = TempDir::new();
    for (codec, encoder, told, size) in [
        (
            AudioCodec::Ac3,
            "-ac 6 -c:a ac3 -b:a 448k -f ac3",
            "ac3,48000,6",
            1792,
        ),
        (
            AudioCodec::Eac3,
            "-ac 2 -c:a eac3 -b:a 192k -f eac3",
            "eac3,48000,2",
            768,
        ),
        (
            AudioCodec::Mp3,
            "-ac 1 -c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0 -f mp3",
            "mp3,48000,1",
            192,
        ),
    ] {
        let (bytes, sounds) = encode(&dir, &format!("{TONE} {encoder}"), told);
        let tags = audio(codec, None, bytes.chunks_exact(size));
        check(&dir, &tags, told, &sounds);
        // A sequence header that says nothing does no harm.
        let tags = audio(codec, Some(&[]), bytes.chunks_exact(size));
        check(&dir, &tags, told, &sounds);
    }
}
