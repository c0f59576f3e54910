//! Players of live streams over HTTP: ffmpeg, ffprobe and GStreamer get what was pushed, in every
//! codec that a container takes, and are told what it does not take.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use millstream::media::flv::{AudioCodec, audio_frame, audio_sequence_header};
use serde_json::{Value, json};

use super::fmp4_codecs::ogg;
use crate::support::flv::{self, AUDIO, Tag, VIDEO};
use crate::support::http::HttpClient;
use crate::support::media::Sample;
use crate::support::packets::{Kind, packets};
use crate::support::process::Process;
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

/// A checksum of each decoded frame of one kind (`v` or `a`), without its time.
#[track_caller]
fn decoded(file: &Path, kind: &str) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-map", &format!("0:{kind}"), "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", file.display());
    let told = String::from_utf8(output.stdout).unwrap();
    let lines = told.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| Some(line.rsplit_once(',')?.1.trim().to_owned()))
        .collect()
}

fn hashes(file: &Path, kind: Kind) -> Vec<String> {
    let packets = packets(file).into_iter();
    packets
        .filter(|packet| packet.kind == kind)
        .map(|packet| packet.hash)
        .collect()
}

fn start(program: &str, words: &str) -> Process {
    Process::start(program, program, words.split_whitespace())
}

#[test]
fn ffmpeg_and_gstreamer_get_every_frame() {
    let server = Server::start(&["--play-wait", "60", "--workers", "2"]);
    let dir = TempDir::new();
    let mut players = Vec::new();
    let (mut copies, mut pictures, mut sounds) = (Vec::new(), Vec::new(), Vec::new());
    for ending in ["flv", "mp4"] {
        let url = server.http_url(&format!("live/cam.{ending}"));
        let copy = dir.join(&format!("ffmpeg-{ending}.mkv"));
        players.push(start(
            "ffmpeg",
            &format!("-nostdin -v error -i {url} -c copy {}", copy.display()),
        ));
        copies.push(copy);
        let demuxer = match ending {
            "flv" => "flvdemux",
            _ => "qtdemux",
        };
        let (h264, aac) = (
            dir.join(&format!("gst-{ending}.h264")),
            dir.join(&format!("gst-{ending}.aac")),
        );
        players.push(start(
            "gst-launch-1.0",
            &format!(
                "souphttpsrc location={url} ! {demuxer} name=d \
                 d. ! queue ! h264parse ! video/x-h264,stream-format=byte-stream ! filesink location={} \
                 d. ! queue ! aacparse ! audio/mpeg,stream-format=adts ! filesink location={}",
                h264.display(),
                aac.display(),
            ),
        ));
        pictures.push(h264);
        sounds.push(aac);
    }
    server.wait_for_waiting(players.len());
    let sample = Sample::BFrames.path();
    let url = server.url("live/cam");
    Process::millstream("push", ["push", sample.to_str().unwrap(), &url]).succeed();
    for player in players {
        player.succeed();
    }
    for kind in [Kind::Video, Kind::Audio] {
        let sent = hashes(&sample, kind);
        for copy in &copies {
            assert_eq!(hashes(copy, kind), sent, "{kind:?}, {}", copy.display());
        }
    }
    let sent = decoded(&sample, "v");
    for file in pictures {
        assert_eq!(decoded(&file, "v"), sent, "{}", file.display());
    }
    // What comes of the first frames depends on what the decoder is told to leave out.
    let sent = decoded(&sample, "a").len();
    for file in sounds {
        let got = decoded(&file, "a").len();
        assert!(got.abs_diff(sent) <= 1, "{got} {sent}, {}", file.display());
    }
    server.stop();
}

/// The body that comes for a path when this is published from its beginning to its end.
#[track_caller]
fn bodies<const N: usize>(server: &Server, paths: [&str; N], tags: &[Tag]) -> [Vec<u8>; N] {
    let before = server.process.count_said(": waits for ");
    let mut clients = paths.map(|path| {
        let mut client = HttpClient::connect(server.http_port);
        client.send(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        client
    });
    server.wait_for_waiting(before + N);
    let ended = server.process.count_said(": ended live/cam");
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    publisher.send_tags(tags);
    publisher.unpublish("cam");
    server.process.wait_said(ended + 1, ": ended live/cam");
    clients
        .each_mut()
        .map(|client| client.answer().unwrap().body)
}

fn written(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let file = dir.join(name);
    fs::write(&file, bytes).unwrap();
    file
}

/// What ffprobe says of the streams of a file: codec and tag, a line for each.
#[track_caller]
fn probed(file: &Path) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries"])
        .arg("stream=codec_name,codec_tag_string")
        .arg(file)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

#[test]
fn hevc_is_hvc1_in_every_container() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let url = server.url("live/cam");
    let clients = ["live/cam.flv", "live/cam.mp4"].map(|path| {
        let mut client = HttpClient::connect(server.http_port);
        client.send(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        client
    });
    server.wait_for_waiting(2);
    let sample = Sample::HevcMp4.path();
    Process::millstream("push", ["push", sample.to_str().unwrap(), &url]).succeed();
    let [flv, mp4] = clients.map(|mut client| client.answer().unwrap().body);
    let mp4 = written(&dir, "hevc.mp4", &mp4);
    assert_eq!(probed(&mp4), ["hevc,hvc1", "aac,mp4a"]);
    assert_eq!(decoded(&mp4, "v"), decoded(&sample, "v"));
    // ffprobe reads the FourCC of Enhanced RTMP from version 6.1 on; older ones are told of its
    // pictures by an MP4 that is made of them.
    let tags = flv::parse(&flv).unwrap();
    let pictures: Vec<_> = tags.iter().filter(|tag| tag.kind == VIDEO).collect();
    for tag in &pictures {
        assert_eq!((tag.body[0] & 0x80, &tag.body[1..5]), (0x80, &b"hvc1"[..]));
    }
    let mut writer = millstream::media::fmp4::Writer::new();
    for tag in pictures {
        let dts = i64::from(tag.timestamp);
        writer.handle_tag(&millstream::media::flv::Tag::video(dts, tag.body.clone()));
    }
    writer.finish();
    let bytes: Vec<u8> = std::iter::from_fn(|| writer.poll_output())
        .flatten()
        .collect();
    let of_flv = written(&dir, "of-flv.mp4", &bytes);
    assert_eq!(probed(&of_flv), ["hevc,hvc1"]);
    assert_eq!(decoded(&of_flv, "v"), decoded(&sample, "v"));
    server.stop();
}

/// The pictures of a sample with other sound: bodies of sequence header and frames, 20 ms each.
fn with_sound(sounds: &[Vec<u8>]) -> Vec<Tag> {
    let sample = flv::read(&Sample::Plain.path()).unwrap();
    let mut tags: Vec<Tag> = sample.into_iter().filter(|tag| tag.kind == VIDEO).collect();
    for (index, body) in (0..).zip(sounds) {
        tags.push(Tag {
            kind: AUDIO,
            timestamp: 20 * index,
            body: body.clone(),
        });
    }
    tags.sort_by_key(|tag| tag.timestamp);
    tags
}

/// Two seconds of a tone, by an encoder of ffmpeg.
fn tone(dir: &TempDir, name: &str, arguments: &str) -> Vec<u8> {
    let file = dir.join(name);
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"])
        .arg("sine=440:duration=2:sample_rate=48000")
        .args(arguments.split_whitespace())
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read(&file).unwrap()
}

#[test]
fn sound_of_other_codecs_arrives() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let opus = ogg(&tone(&dir, "opus.ogg", "-ac 2 -c:a libopus -f ogg"));
    let flac = ogg(&tone(&dir, "flac.ogg", "-ac 2 -c:a flac -f ogg"));
    let mp3 = tone(
        &dir,
        "mp3.mp3",
        "-ac 1 -c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0 -f mp3",
    );
    let frames = |codec, header: Option<&[u8]>, frames: &[&[u8]]| {
        let header = header.map(|header| audio_sequence_header(codec, header));
        let frames = frames.iter().map(|frame| audio_frame(codec, frame));
        header.into_iter().chain(frames).collect::<Vec<_>>()
    };
    let opus_frames: Vec<&[u8]> = opus[2..].iter().map(Vec::as_slice).collect();
    let flac_frames = flac
        .iter()
        .filter(|packet| packet.starts_with(&[0xFF, 0xF8]));
    let flac_frames: Vec<&[u8]> = flac_frames.map(Vec::as_slice).collect();
    let mp3_frames: Vec<&[u8]> = mp3.chunks_exact(192).collect();
    for (codec, sounds) in [
        (
            "opus",
            frames(AudioCodec::Opus, Some(&opus[0]), &opus_frames),
        ),
        (
            "flac",
            frames(AudioCodec::Flac, Some(&flac[0][9..]), &flac_frames),
        ),
        ("mp3", frames(AudioCodec::Mp3, None, &mp3_frames)),
    ] {
        let tags = with_sound(&sounds);
        let paths = ["live/cam.flv", "live/cam.mp4"];
        let [flv, mp4] = bodies(&server, paths, &tags);
        // FLV has every sound as it was published, or under the label that old players know.
        let got = flv::parse(&flv).unwrap();
        let got = got.iter().filter(|tag| tag.kind == AUDIO).count();
        assert_eq!(got, sounds.len(), "{codec}");
        let mp4 = written(&dir, &format!("{codec}.mp4"), &mp4);
        let told = probed(&mp4);
        assert!(told[1].starts_with(codec), "{told:?}");
        let expected = match codec {
            "mp3" => sounds.len(),
            _ => sounds.len() - 1,
        };
        assert_eq!(hashes(&mp4, Kind::Audio).len(), expected, "{codec}");
        assert_eq!(decoded(&mp4, "v").len(), 100, "{codec}");
    }
    server.stop();
}

#[test]
fn what_a_container_does_not_take_is_left_out_and_said() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    // G.711 A-law, 8 kHz: 20 ms are 160 samples.
    let sounds: Vec<Vec<u8>> = (0..100)
        .map(|_| [&[0x72][..], &[0xD5; 160]].concat())
        .collect();
    let tags = with_sound(&sounds);
    let [flv, mp4] = bodies(&server, ["live/cam.flv", "live/cam.mp4"], &tags);
    let flv = written(&dir, "alaw.flv", &flv);
    assert_eq!(probed(&flv).len(), 2);
    assert_eq!(hashes(&flv, Kind::Audio).len(), 100);
    let mp4 = written(&dir, "alaw.mp4", &mp4);
    assert_eq!(probed(&mp4), ["h264,avc1"]);
    assert_eq!(decoded(&mp4, "v").len(), 100);
    // In the log, once, and to whoever asks.
    server.process.wait_said(1, "MP4 over HTTP: ");
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    publisher.send_tags(&tags);
    let outputs = wait_for("its outputs", || {
        let mut client = HttpClient::connect(server.http_port);
        client.send("GET /api/v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let report: Value = serde_json::from_slice(&client.answer()?.body).unwrap();
        let outputs = report["streams"][0]["outputs"].as_array()?.clone();
        outputs[1]["mime_type"].is_string().then_some(outputs)
    });
    for output in outputs {
        let left_out = &output["left_out"];
        if output["kind"] == "flv" {
            assert_eq!(left_out, &json!([]));
        } else {
            assert_eq!(left_out[0]["track"], "audio", "{output}");
            assert!(
                left_out[0]["codec"].as_str().unwrap().contains("711"),
                "{output}"
            );
            assert!(
                !left_out[0]["reason"].as_str().unwrap().is_empty(),
                "{output}"
            );
        }
    }
    server.stop();
}

#[test]
fn sound_alone_is_played_and_has_no_picture() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let sample = flv::read(&Sample::Plain.path()).unwrap();
    let tags: Vec<Tag> = sample.into_iter().filter(|tag| tag.kind == AUDIO).collect();
    let [flv, mp4] = bodies(&server, ["live/cam.flv", "live/cam.mp4"], &tags);
    let sent = hashes(&Sample::Plain.path(), Kind::Audio);
    for (name, bytes) in [("sound.flv", flv), ("sound.mp4", mp4)] {
        let file = written(&dir, name, &bytes);
        assert_eq!(hashes(&file, Kind::Audio), sent, "{name}");
    }
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    let mut client = HttpClient::connect(server.http_port);
    let mut still = || {
        client.send("GET /live/cam/still.mp4 HTTP/1.1\r\nHost: x\r\n\r\n");
        client.answer().unwrap()
    };
    let answer = still();
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (503, Some("1"))
    );
    assert!(
        answer.text().contains("no picture has come yet"),
        "{}",
        answer.text()
    );
    publisher.send_tags(&tags);
    let answer = wait_for("another answer", || {
        Some(still()).filter(|answer| answer.status != 503)
    });
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("it has no pictures"),
        "{}",
        answer.text()
    );
    server.stop();
}
