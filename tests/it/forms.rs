//! Bodies in other forms, and bodies that were put right, as ffmpeg decodes them: the same
//! pictures and sounds as of the file that they were made of.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::process::Command;

use millstream::media::codec::avc::AvcConfig;
use millstream::media::codec::hevc::HevcConfig;
use millstream::media::codec::nal;
use millstream::media::flv::{
    Converted, Form, HevcForm, Label, Mender, Reader, Tag, TagKind, VideoCodec, VideoHeader,
    convert, put_file_header, put_tag, relabel,
};
use millstream::media::fmp4;

use super::support::flv;
use super::support::media::Sample;
use super::support::peers::{Player, Playing};
use super::support::process::Process;
use super::support::server::Server;
use super::support::tempdir::TempDir;

fn tags(bytes: &[u8]) -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(bytes);
    std::iter::from_fn(|| reader.poll_tag().unwrap()).collect()
}

fn write(path: &Path, tags: &[Tag]) {
    let mut bytes = Vec::new();
    put_file_header(&mut bytes, true, true);
    for tag in tags {
        put_tag(&mut bytes, tag).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

/// A line for each decoded frame, with its time; what ffmpeg complains of fails the test.
#[track_caller]
fn decoded(path: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-f", "framemd5", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let told = String::from_utf8_lossy(&output.stdout);
    let lines = told.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

fn with_bodies(tags: &[Tag], mut change: impl FnMut(&Tag) -> Option<Vec<u8>>) -> Vec<Tag> {
    let changed = tags.iter().filter_map(|tag| {
        Some(Tag {
            body: change(tag)?,
            ..tag.clone()
        })
    });
    changed.collect()
}

fn mend(tags: &[Tag]) -> (Vec<Tag>, Vec<String>) {
    let mut mender = Mender::new();
    let (mut mended, mut faults) = (Vec::new(), Vec::new());
    for tag in tags {
        let result = mender.mend(&tag.body, tag.kind);
        faults.extend(result.faults.iter().map(|fault| fault.to_string()));
        let bodies = [result.header.map(Cow::Owned), result.body];
        mended.extend(bodies.into_iter().flatten().map(|body| Tag {
            body: body.into_owned(),
            ..tag.clone()
        }));
    }
    faults.sort();
    faults.dedup();
    (mended, faults)
}

#[test]
fn there_and_back_is_the_file_byte_for_byte() {
    let tags = tags(&fs::read(Sample::BFrames.path()).unwrap());
    let enhanced = with_bodies(&tags, |tag| {
        let label = Label::FourCc;
        relabel(&tag.body, tag.kind, label)
            .into_body(&tag.body)
            .map(Cow::into_owned)
    });
    let is_relabelled = |tag: &&Tag| tag.kind != TagKind::Script;
    for tag in enhanced.iter().filter(is_relabelled) {
        assert!(matches!(
            tag.body[1..5],
            [b'a', b'v', b'c', b'1'] | [b'm', b'p', b'4', b'a']
        ));
    }
    for form in [HevcForm::CodecId12, HevcForm::Enhanced].map(|hevc| Form::Legacy(Some(hevc))) {
        for tag in &tags {
            assert_eq!(convert(&tag.body, tag.kind, form), Converted::AsItIs);
        }
        let back = with_bodies(&enhanced, |tag| {
            convert(&tag.body, tag.kind, form)
                .into_body(&tag.body)
                .map(Cow::into_owned)
        });
        assert_eq!(back, tags);
    }
}

/// A camera that sends start codes, empty units and no sequence header.
#[test]
fn a_camera_that_gets_everything_wrong() {
    let dir = TempDir::new();
    let right = Sample::BFrames.path();
    let tags = tags(&fs::read(&right).unwrap());
    assert_eq!(mend(&tags), (tags.clone(), vec![]));
    let header = tags
        .iter()
        .find(|tag| tag.kind == TagKind::Video && tag.is_sequence_header());
    let record = &header.unwrap().body[5..];
    let config = AvcConfig::parse(record).unwrap();
    let mut count = 0;
    let wrong = with_bodies(&tags, |tag| {
        if tag.kind != TagKind::Video {
            return Some(tag.body.clone());
        }
        let header = VideoHeader::parse(&tag.body).unwrap();
        if header.is_sequence_header() {
            return None;
        }
        let mut body = tag.body[..header.body_offset].to_vec();
        let units = nal::length_prefixed(header.payload(&tag.body), 4);
        let sets = config.sps.iter().chain(&config.pps).map(Vec::as_slice);
        let sets = sets.filter(|_| header.is_keyframe());
        count += 1;
        for unit in sets.chain(units) {
            if count % 2 == 0 {
                body.extend([0, 0, 0, 1]);
                body.extend_from_slice(unit);
            } else {
                nal::put_length_prefixed(&mut body, &[]);
                nal::put_length_prefixed(&mut body, unit);
            }
        }
        Some(body)
    });
    let (mended, faults) = mend(&wrong);
    assert_eq!(
        faults,
        [
            "sends Annex B inside AVC or HEVC packets: converted",
            "sends empty NAL units: left out",
            "sends no video sequence header: made from the picture data",
        ]
    );
    let file = dir.join("mended.flv");
    write(&file, &mended);
    assert_eq!(decoded(&file), decoded(&right));
}

/// HEVC under codec id 7, as OBS had it: ffmpeg 5.1 reads no HEVC in FLV, so it is asked about
/// the MP4 file that becomes of it.
#[test]
fn hevc_under_the_name_of_avc() {
    let dir = TempDir::new();
    let right = Sample::HevcMp4.path();
    let stream = dir.join("stream.h265");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&right)
        .args(["-c:v", "copy", "-an", "-f", "hevc"])
        .arg(&stream)
        .status();
    assert!(status.unwrap().success());
    let mut reader =
        millstream::media::annexb::UnitReader::new(millstream::media::annexb::AnnexBCodec::Hevc);
    reader.handle_input(&fs::read(&stream).unwrap());
    reader.finish();
    let mut wrong = Vec::new();
    let units = std::iter::from_fn(|| reader.poll_unit().unwrap());
    for (dts, unit) in (0..).step_by(40).zip(units) {
        let form = HevcForm::CodecId12;
        for mut body in [unit.sequence_header(form), Some(unit.body(0, form))]
            .into_iter()
            .flatten()
        {
            body[0] = (body[0] & 0xF0) | 7;
            wrong.push(Tag::video(dts, body));
        }
    }
    let (mended, faults) = mend(&wrong);
    assert_eq!(faults, ["labels HEVC as H.264: put right"]);
    for form in Form::ALL {
        let mut writer = fmp4::Writer::new();
        for tag in &mended {
            let body = convert(&tag.body, tag.kind, form).into_body(&tag.body);
            let tag = Tag::video(tag.dts, body.unwrap().into_owned());
            let header = VideoHeader::parse(&tag.body).unwrap();
            assert_eq!(header.codec, VideoCodec::Hevc);
            if header.is_sequence_header() {
                HevcConfig::parse(header.payload(&tag.body)).unwrap();
            }
            writer.handle_tag(&tag);
        }
        writer.finish();
        assert_eq!(writer.poll_note(), None);
        let bytes: Vec<u8> = std::iter::from_fn(|| writer.poll_output())
            .flatten()
            .collect();
        let file = dir.join("mended.mp4");
        fs::write(&file, bytes).unwrap();
        let sums = |told: String| -> Vec<String> {
            let pictures = told.lines().filter(|line| line.starts_with("0,"));
            let sums = pictures.filter_map(|line| line.rsplit(',').next());
            sums.map(str::to_owned).collect()
        };
        assert_eq!(sums(decoded(&file)), sums(decoded(&right)), "{form:?}");
    }
}

/// The codec that the label of the video bodies names, the same in all of them.
#[track_caller]
fn video_label(tags: &[flv::Tag]) -> String {
    let label = |tag: &flv::Tag| match tag.body[..] {
        [first, b0, b1, b2, b3, ..] if first & 0x80 != 0 => {
            String::from_utf8_lossy(&[b0, b1, b2, b3]).into_owned()
        }
        [first, ..] => (first & 15).to_string(),
        [] => panic!("an empty body"),
    };
    let video = tags.iter().filter(|tag| tag.kind == flv::VIDEO);
    let mut labels: Vec<String> = video.map(label).collect();
    labels.dedup();
    assert_eq!(labels.len(), 1, "{labels:?}");
    labels.remove(0)
}

/// `pull` declares what it reads, rtmpdump declares nothing, and both play the same stream.
#[test]
fn each_player_gets_the_form_that_it_reads() {
    std::thread::scope(|scope| {
        for (camera, setting, declared, undeclared) in [
            ("reolink", "as-sent", "hvc1", "12"),
            ("reolink", "hvc1", "hvc1", "hvc1"),
            ("obs-hevc", "as-sent", "hvc1", "hvc1"),
            ("obs-hevc", "codec-12", "hvc1", "12"),
            ("obs-hevc-7", "codec-12", "hvc1", "12"),
        ] {
            scope.spawn(move || {
                let server = Server::start_with(
                    &["--play-wait", "60", "--publisher-grace", "0.3"],
                    &[("MILLSTREAM_HEVC", setting)],
                );
                let url = server.url("live/cam");
                let (early, late) = (TempDir::new(), TempDir::new());
                let start = |dir: &TempDir| {
                    [Player::Pull, Player::Rtmpdump].map(|player| player.start(&url, dir.path()))
                };
                let mut playing = Vec::from(start(&early));
                server.wait_for_waiting(2);
                let arguments = ["simulate", &url, "--camera", camera];
                let publisher = Process::millstream(camera, arguments);
                server.process.wait_said(2, ": plays live/cam");
                playing[0].wait_written(20_000);
                playing.extend(start(&late));
                for late in &playing[2..] {
                    late.wait_written(20_000);
                }
                publisher.signal("INT");
                publisher.succeed();
                let mut read = playing.into_iter().map(Playing::finish_flv);
                let [pull, dump, late_pull, late_dump] =
                    std::array::from_fn(|_| read.next().unwrap());
                for (tags, expected) in [
                    (&pull, declared),
                    (&late_pull, declared),
                    (&dump, undeclared),
                    (&late_dump, undeclared),
                ] {
                    assert_eq!(video_label(tags), expected, "{camera}, {setting}");
                    let first = tags.iter().find(|tag| tag.kind == flv::VIDEO).unwrap();
                    assert!(first.is_sequence_header(), "{camera}, {setting}");
                }
                // The coded pictures are the same behind their labels, whoever came when.
                let last = |tags: &[flv::Tag]| {
                    // Not the end of the sequence.
                    let is_picture =
                        |tag: &&flv::Tag| tag.kind == flv::VIDEO && tag.body.len() > 20;
                    let body = &tags.iter().rev().find(is_picture).unwrap().body;
                    body[body.len() - 10..].to_vec()
                };
                for tags in [&dump, &late_pull, &late_dump] {
                    assert_eq!(last(tags), last(&pull), "{camera}, {setting}");
                }
                server.stop();
            });
        }
    });
}
