//! Packet lists by ffmpeg's framehash, and the comparison of what was sent with what arrived.

use std::path::Path;
use std::process::Command;

use super::media::GOP_FRAMES;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Video,
}

/// One packet as it stands in a file, undecoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) dts_ms: i64,
    pub(crate) pts_ms: i64,
    pub(crate) size: usize,
    pub(crate) hash: String,
}

/// The packets of a file, in file order, with their times untouched.
#[track_caller]
pub(crate) fn packets(path: &Path) -> Vec<Packet> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-copyts", "-i"])
        .arg(path)
        .args([
            "-map",
            "0",
            "-c",
            "copy",
            "-f",
            "framehash",
            "-hash",
            "md5",
            "-",
        ])
        .output()
        .unwrap_or_else(|e| panic!("ffmpeg does not start ({e}); tests/run installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ffmpeg cannot read {}: {said}",
        path.display()
    );
    parse_framehash(&String::from_utf8(output.stdout).unwrap())
}

fn parse_framehash(text: &str) -> Vec<Packet> {
    // By stream number: media kind and time base.
    let mut kinds = Vec::new();
    let mut bases = Vec::new();
    let mut packets = Vec::new();
    for line in text.lines() {
        if let Some(base) = line.strip_prefix("#tb ") {
            let (_, fraction) = base.split_once(": ").unwrap();
            let (numerator, denominator) = fraction.split_once('/').unwrap();
            let numerator: i64 = numerator.parse().unwrap();
            let denominator: i64 = denominator.parse().unwrap();
            bases.push((numerator, denominator));
        } else if let Some(kind) = line.strip_prefix("#media_type ") {
            kinds.push(match kind.split_once(": ").unwrap().1 {
                "video" => Some(Kind::Video),
                "audio" => Some(Kind::Audio),
                _ => None,
            });
        } else if !line.starts_with('#') {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let stream: usize = fields[0].parse().unwrap();
            let Some(kind) = kinds[stream] else { continue };
            let (numerator, denominator) = bases[stream];
            let milliseconds = |field: &str| {
                let ticks: i64 = field.parse().unwrap();
                // Rounded to the nearest, since MP4 tracks count in their own ticks.
                (ticks * numerator * 1000 * 2 + denominator).div_euclid(2 * denominator)
            };
            packets.push(Packet {
                kind,
                dts_ms: milliseconds(fields[1]),
                pts_ms: milliseconds(fields[2]),
                size: fields[4].parse().unwrap(),
                hash: fields[5].to_owned(),
            });
        }
    }
    packets
}

/// What may differ between what was sent and what arrived.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tolerance {
    /// The receiver may have joined late, at a keyframe.
    pub(crate) late_join: bool,
    /// Packets at the end of a track that may be missing (a program that drops its last one, or
    /// a receiver that was stopped in mid-stream).
    pub(crate) tail_packets: usize,
    /// Milliseconds by which a distance may be off, where the container counts in other ticks.
    pub(crate) rounding_ms: i64,
}

/// How far audio may lie behind the video beside it in the order of sending. What was sent before
/// the first keyframe does not reach a player, whatever its timestamp.
const INTERLEAVE_MS: i64 = 100;

/// Every packet from the first keyframe on arrived unchanged, in order, at an unchanged distance
/// from the others, audio to video included.
#[track_caller]
pub(crate) fn assert_same(what: &str, sent: &[Packet], got: &[Packet], tolerance: Tolerance) {
    let mut shifts = Vec::new();
    // When the first frame that arrived was sent.
    let mut joined_ms = i64::MAX;
    for kind in [Kind::Video, Kind::Audio] {
        let sent: Vec<&Packet> = sent.iter().filter(|p| p.kind == kind).collect();
        let got: Vec<&Packet> = got.iter().filter(|p| p.kind == kind).collect();
        if sent.is_empty() && got.is_empty() {
            continue;
        }
        assert!(!got.is_empty(), "{what}: no {kind:?} arrived");
        let start = find(&sent, &got)
            .unwrap_or_else(|| panic!("{what}: {}", first_difference(kind, &sent, &got)));
        if kind == Kind::Audio && joined_ms < i64::MAX {
            let before = sent[..start]
                .last()
                .map_or(i64::MIN, |packet| packet.dts_ms);
            assert!(
                before <= joined_ms + INTERLEAVE_MS,
                "{what}: audio starts behind {before} ms, video at {joined_ms} ms"
            );
        } else if !tolerance.late_join {
            assert_eq!(
                start, 0,
                "{what}: the first {start} {kind:?} packets are missing"
            );
        }
        joined_ms = joined_ms.min(sent[start].dts_ms);
        if kind == Kind::Video {
            assert_eq!(
                start % GOP_FRAMES,
                0,
                "{what}: starts at frame {start}, no keyframe"
            );
        }
        let missing = sent.len() - start - got.len();
        assert!(
            missing <= tolerance.tail_packets,
            "{what}: the last {missing} of {} {kind:?} packets are missing",
            sent.len()
        );
        for (sent, got) in sent[start..].iter().zip(&got) {
            shifts.push((kind, got.dts_ms, got.dts_ms - sent.dts_ms));
            shifts.push((kind, got.pts_ms, got.pts_ms - sent.pts_ms));
        }
    }
    let (_, _, first) = shifts[0];
    for (kind, time, shift) in shifts {
        assert!(
            (shift - first).abs() <= tolerance.rounding_ms,
            "{what}: {kind:?} at {time} ms is moved by {shift} ms, the first frame by {first} ms"
        );
    }
}

/// Where `got` lies in `sent` without a gap, by hash.
fn find(sent: &[&Packet], got: &[&Packet]) -> Option<usize> {
    let last = sent.len().checked_sub(got.len())?;
    (0..=last).find(|&start| {
        let pairs = sent[start..].iter().zip(got);
        pairs.clone().all(|(sent, got)| sent.hash == got.hash)
    })
}

fn first_difference(kind: Kind, sent: &[&Packet], got: &[&Packet]) -> String {
    let Some(start) = sent.iter().position(|p| p.hash == got[0].hash) else {
        return format!("the first {kind:?} packet was never sent: {:?}", got[0]);
    };
    let rest = sent[start..].iter().zip(got).enumerate();
    for (index, (sent, got)) in rest {
        if sent.hash != got.hash {
            return format!("{kind:?} {} sent {sent:?}, got {got:?}", start + index);
        }
    }
    format!(
        "{} {kind:?} packets sent, {} arrived",
        sent.len(),
        got.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#format: frame checksums\n#tb 0: 1/1000\n#media_type 0: video\n\
        #tb 1: 1/44100\n#media_type 1: audio\n\
        0,         40,        120,       40,     4109, aa\n\
        1,      44100,      44100,     1024,      280, bb\n";

    #[test]
    fn reads_framehash() {
        let packets = parse_framehash(TEXT);
        assert_eq!(packets.len(), 2);
        assert_eq!((packets[0].dts_ms, packets[0].pts_ms), (40, 120));
        assert_eq!((packets[1].kind, packets[1].dts_ms), (Kind::Audio, 1000));
    }

    /// Three GOPs of video with distinct hashes.
    fn track() -> Vec<Packet> {
        let frames = 0..i64::try_from(3 * GOP_FRAMES).unwrap();
        let frame = |n: i64| Packet {
            kind: Kind::Video,
            dts_ms: n * 40,
            pts_ms: n * 40,
            size: 9,
            hash: n.to_string(),
        };
        frames.map(frame).collect()
    }

    fn is_same(got: &[Packet], tolerance: Tolerance) -> bool {
        std::panic::catch_unwind(|| assert_same("test", &track(), got, tolerance)).is_ok()
    }

    #[test]
    fn finds_every_kind_of_difference() {
        let strict = Tolerance::default();
        let late = Tolerance {
            late_join: true,
            ..strict
        };
        let mut shifted = track();
        shifted.iter_mut().for_each(|p| {
            p.dts_ms += 7;
            p.pts_ms += 7;
        });
        assert!(is_same(&shifted, strict));
        assert!(is_same(&track()[GOP_FRAMES..], late));
        assert!(!is_same(&track()[GOP_FRAMES..], strict));
        assert!(!is_same(&track()[GOP_FRAMES + 1..], late), "no keyframe");
        assert!(!is_same(&track()[..70], strict), "tail lost");
        let mut gap = track();
        gap.remove(30);
        assert!(!is_same(&gap, late));
        let mut late_frame = track();
        late_frame[30].dts_ms += 1;
        assert!(!is_same(&late_frame, strict));
        let mut changed = track();
        changed[30].hash = "x".to_owned();
        assert!(!is_same(&changed, strict));
        assert!(!is_same(&[], strict));
    }
}
