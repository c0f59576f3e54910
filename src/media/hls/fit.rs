//! Lengths of segments and parts that fit a stream.
//!
//! A playlist may not change its target duration (RFC 8216bis §6.2.1 lists what may change), and
//! parts, which are made of whole frames, may not be shorter than 85 % of `PART-TARGET` (§4.4.4.9):
//! with a fixed 330 ms a camera of 15 frames a second, 267 ms to a part, would break that. So both
//! are best set when the stream's groups of pictures and frames have been measured.

use super::Config;

/// The shortest segment, milliseconds: each costs a client a request.
const SEGMENT_MS_MIN: u32 = 900;

/// The longest, milliseconds: players that know no parts begin three segments behind the edge.
const SEGMENT_MS_MAX: u32 = 8000;

/// What a part should be, milliseconds: players stay three parts behind the edge.
const PART_MS: u32 = 330;

/// How far keyframes may come before their time, milliseconds.
const EARLY_MS_MAX: u32 = 100;

impl Config {
    /// For a stream whose groups of pictures (the longest seen) and frames (of sound, in streams
    /// without video) are so long, milliseconds. What is not known is as by default.
    pub fn for_stream(gop_ms: Option<u32>, frame_ms: Option<u32>) -> Self {
        let mut config = Self::default();
        let frame_ms = frame_ms.map(|frame_ms| frame_ms.clamp(1, SEGMENT_MS_MAX / 4));
        if let Some(frame_ms) = frame_ms {
            // As many frames as fit, with room for jitter.
            let part_ms = (PART_MS / frame_ms).max(1) * frame_ms;
            config.part_ms = part_ms + part_ms / 20 + 1;
        }
        if let Some(gop_ms) = gop_ms {
            let gop_ms = gop_ms.clamp(1, SEGMENT_MS_MAX);
            // Whole groups, as few as pass the shortest segment.
            let segment_ms = SEGMENT_MS_MIN.div_ceil(gop_ms) * gop_ms;
            config.segment_ms = segment_ms - (gop_ms / 10).min(EARLY_MS_MAX);
            // Where the next frame would make it round to more than the target.
            let target_ms = config.segment_ms.div_ceil(1000) * 1000;
            let rounded_ms = target_ms + 499;
            config.segment_ms_max = rounded_ms.saturating_sub(frame_ms.unwrap_or(0));
        }
        config
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::flv::TagKind;
    use crate::media::fmp4::{Piece, PieceKind};
    use crate::media::hls::Segmenter;

    /// The attribute or value behind `name` in each line that has it, in thousandths.
    fn numbers(text: &str, name: &str) -> Vec<u32> {
        let values = text.lines().filter_map(|line| line.split_once(name));
        let number = |(_, rest): (&str, &str)| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (whole, part) = rest[..end.unwrap_or(rest.len())].split_once('.')?;
            Some(whole.parse::<u32>().ok()? * 1000 + part.parse::<u32>().ok()?)
        };
        values.filter_map(number).collect()
    }

    fn target(text: &str) -> u32 {
        let mut lines = text.lines();
        let target = lines.find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:"));
        target.unwrap().parse().unwrap()
    }

    /// A stream of so many frames in ten seconds, with keyframes every `gop` frames, for a minute.
    fn check(frames_in_ten: i64, gop: i64) {
        let frame_ms = u32::try_from(10_000 / frames_in_ten).unwrap();
        let gop_ms = u32::try_from(10_000 * gop / frames_in_ten).unwrap();
        let mut segmenter = Segmenter::new(Config::for_stream(Some(gop_ms), Some(frame_ms)));
        let init = PieceKind::Init {
            has_video: true,
            has_audio: false,
        };
        let push = |segmenter: &mut Segmenter, kind| {
            let bytes = vec![0; 100];
            segmenter.push(&Piece { kind, bytes }, 0)
        };
        push(&mut segmenter, init);
        let first = target(&segmenter.playlist("k", ""));
        let place = format!("{frames_in_ten} frames in 10 s, {gop} to a group");
        for index in 0..frames_in_ten * 6 {
            let fragment = PieceKind::Fragment {
                track: TagKind::Video,
                is_keyframe: index % gop == 0,
                // Milliseconds round up and down.
                dts: index * 10_000 / frames_in_ten,
                duration: frame_ms,
            };
            if !push(&mut segmenter, fragment) {
                continue;
            }
            let text = segmenter.playlist("k", "");
            assert_eq!(target(&text), first, "{place}");
            for length in numbers(&text, "#EXTINF:") {
                assert!((length + 500) / 1000 <= first, "{place}: {length}");
            }
            let part_target = numbers(&text, "PART-TARGET=")[0];
            let mut lines = text.lines().peekable();
            while let Some(line) = lines.next() {
                let Some(&length) = numbers(line, "PART:DURATION=").first() else {
                    continue;
                };
                let is_last = lines.peek().is_some_and(|next| next.starts_with("#EXTINF"));
                assert!(length <= part_target, "{place}: {length} > {part_target}");
                let is_full = length * 100 >= part_target * 85;
                assert!(is_full || is_last, "{place}: {length} of {part_target}");
            }
        }
    }

    #[test]
    fn parts_are_full_and_the_target_stays() {
        for frames_in_ten in [
            10, 20, 50, 80, 100, 120, 125, 150, 200, 240, 250, 300, 500, 600,
        ] {
            for seconds in [1, 2, 4, 8] {
                check(frames_in_ten, frames_in_ten * seconds / 10);
            }
            check(frames_in_ten, frames_in_ten * 3);
        }
        // 29.97 and 23.976 frames a second, groups of 30 and 250.
        for gop in [30, 60, 250] {
            check(299, gop);
            check(239, gop);
        }
    }

    #[test]
    fn lengths_follow_the_stream() {
        let default = Config::default();
        for (gop_ms, frame_ms, segment_ms, segment_ms_max, part_ms) in [
            (Some(1000), Some(33), 900, 1466, 347),
            (Some(2000), Some(40), 1900, 2459, 337),
            (Some(2002), None, 1902, 2499, default.part_ms),
            (Some(500), Some(20), 950, 1479, 337),
            (Some(10_000), Some(66), 7900, 8433, 347),
            (
                None,
                Some(200),
                default.segment_ms,
                default.segment_ms_max,
                211,
            ),
            (Some(0), Some(0), 900, 1498, 347),
            (Some(u32::MAX), Some(u32::MAX), 7900, 6499, 2101),
        ] {
            let expected = Config {
                segment_ms,
                segment_ms_max,
                part_ms,
                ..default
            };
            assert_eq!(Config::for_stream(gop_ms, frame_ms), expected);
        }
    }
}
