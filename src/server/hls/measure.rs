//! The start of a live stream's segments: how long they are to be is learnt from what comes first,
//! since a playlist may not change its target duration later (see [`Config::for_stream`]).

use crate::media::flv::TagKind;
use crate::media::fmp4::{Piece, PieceKind};
use crate::media::hls::{Config, Segmenter};

/// Groups of pictures longer than this are cut within anyway, milliseconds.
const GOP_MS_MAX: i64 = 8000;

/// Sound without pictures is measured for this long, milliseconds: its frames are all of one length.
const SOUND_MS: i64 = 1000;

/// Of what comes meanwhile, at most: bytes. What a segment may have.
const HELD_BYTES_MAX: usize = 16 << 20;

/// What came so far, with the wall time of each.
#[derive(Debug, Default)]
pub(super) struct Measure {
    held: Vec<(Piece, i64)>,
    bytes: usize,
    has_video: bool,
    video: Pace,
    sound: Pace,
    /// Dts of the first keyframe.
    keyframe: Option<i64>,
    gop_ms: Option<i64>,
}

/// The frames of a track.
#[derive(Debug, Default)]
struct Pace {
    first: Option<i64>,
    last: i64,
    /// Distances of two frames.
    steps: i64,
}

impl Pace {
    fn note(&mut self, dts: i64) {
        match self.first {
            Some(_) => self.steps += 1,
            None => self.first = Some(dts),
        }
        self.last = dts;
    }

    fn span_ms(&self) -> i64 {
        self.first
            .map_or(0, |first| self.last.saturating_sub(first))
    }

    fn frame_ms(&self) -> Option<u32> {
        u32::try_from(self.span_ms().checked_div(self.steps)?).ok()
    }
}

impl Measure {
    /// Takes the next piece, and the wall time of its frame. The answer is whether enough is known.
    pub(super) fn push(&mut self, piece: Piece, wall_ms: i64) -> bool {
        match piece.kind {
            PieceKind::Init { has_video, .. } => self.has_video = has_video,
            PieceKind::Fragment {
                track: TagKind::Video,
                is_keyframe,
                dts,
                ..
            } => {
                self.video.note(dts);
                if is_keyframe {
                    let first = *self.keyframe.get_or_insert(dts);
                    self.gop_ms = Some(dts.saturating_sub(first)).filter(|ms| *ms > 0);
                }
                if self.video.span_ms() >= GOP_MS_MAX {
                    self.gop_ms = Some(GOP_MS_MAX);
                }
            }
            PieceKind::Fragment { dts, .. } => self.sound.note(dts),
        }
        self.bytes += piece.bytes.len();
        self.held.push((piece, wall_ms));
        let is_known = match self.has_video {
            true => self.gop_ms.is_some(),
            false => self.sound.span_ms() >= SOUND_MS,
        };
        is_known || self.bytes > HELD_BYTES_MAX
    }

    /// Forgets all but what is in force: what comes is another publisher's.
    pub(super) fn break_off(&mut self) {
        let held = std::mem::take(self).held;
        let is_init = |piece: &Piece| matches!(piece.kind, PieceKind::Init { .. });
        if let Some((init, wall_ms)) = held.into_iter().rfind(|(piece, _)| is_init(piece)) {
            self.push(init, wall_ms);
        }
    }

    /// Whether there is something to be seen or heard.
    pub(super) fn has_media(&self) -> bool {
        self.video.first.is_some() || self.sound.first.is_some()
    }

    /// What came, cut as fits it. `now_ms` is the wall time (Unix, milliseconds).
    pub(super) fn segmenter(&mut self, now_ms: i64) -> Segmenter {
        let gop_ms = self.gop_ms.and_then(|ms| u32::try_from(ms).ok());
        let pace = match self.has_video {
            true => &self.video,
            false => &self.sound,
        };
        let config = Config::for_stream(gop_ms, pace.frame_ms());
        let mut segmenter = Segmenter::resuming(config, now_ms);
        for (piece, wall_ms) in self.held.drain(..) {
            segmenter.push(&piece, wall_ms);
        }
        segmenter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(kind: PieceKind, len: usize) -> Piece {
        let bytes = vec![0; len];
        Piece { kind, bytes }
    }

    fn init(has_video: bool) -> Piece {
        let has_audio = !has_video;
        let kind = PieceKind::Init {
            has_video,
            has_audio,
        };
        piece(kind, 10)
    }

    fn frame(track: TagKind, is_keyframe: bool, dts: i64, len: usize) -> Piece {
        let kind = PieceKind::Fragment {
            track,
            is_keyframe,
            dts,
            duration: 40,
        };
        piece(kind, len)
    }

    /// Dts of the frame with which enough was known.
    fn known_at(measure: &mut Measure, frames: impl Iterator<Item = Piece>) -> Option<i64> {
        for frame in frames {
            let PieceKind::Fragment { dts, .. } = frame.kind else {
                continue;
            };
            if measure.push(frame, 0) {
                return Some(dts);
            }
        }
        None
    }

    fn video(gop: i64, len: usize) -> impl Iterator<Item = Piece> {
        (0..400).map(move |n| frame(TagKind::Video, n % gop == 0, n * 40, len))
    }

    #[test]
    fn a_group_of_pictures_is_enough() {
        for (gop, len, at) in [
            (1, 10, 40),
            (50, 10, 2000),
            (199, 10, 7960),
            // Beyond these it does not wait for the end of the group.
            (300, 10, 8000),
            (300, 1 << 20, 16 * 40 - 40),
        ] {
            let mut measure = Measure::default();
            assert!(!measure.push(init(true), 0));
            assert_eq!(known_at(&mut measure, video(gop, len)), Some(at), "{gop}");
        }
    }

    #[test]
    fn sound_is_measured_for_a_second() {
        let mut measure = Measure::default();
        assert!(!measure.has_media());
        measure.push(init(false), 0);
        let sound = (0..100).map(|n| frame(TagKind::Audio, false, n * 20, 10));
        assert_eq!(known_at(&mut measure, sound), Some(1000));
        assert!(measure.has_media());
        assert_eq!(measure.sound.frame_ms(), Some(20));
    }

    #[test]
    fn another_publisher_is_measured_anew() {
        let mut measure = Measure::default();
        measure.push(init(true), 0);
        assert_eq!(known_at(&mut measure, video(100, 10).take(99)), None);
        measure.break_off();
        assert!(!measure.has_media() && measure.has_video);
        assert_eq!(measure.held.len(), 1);
        assert_eq!(known_at(&mut measure, video(25, 10)), Some(1000));
    }
}
