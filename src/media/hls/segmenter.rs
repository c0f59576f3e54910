//! Cuts live MP4 into segments and parts, and keeps the last of them.
//!
//! ```text
//!  kept, not listed       listed                               open
//! ├─────────┬─────────┼─────────┬── ... ──┬─────────┼───────┬───────┬ ─ ─ ─
//! │ segment │ segment │ segment │         │ segment │ part  │ part  │ part
//! └─────────┴─────────┴─────────┴── ... ──┴─────────┴───────┴───────┴ ─ ─ ─
//!                      each segment: 1.. parts        closed          filling
//! ```
//! A segment starts at a keyframe, a part with any frame. Both last from their first frame to the
//! first frame of the next, so that they add up; the clock is the video's, if there is video, and
//! the audio's otherwise. How the playlist tells of it is `playlist.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::playlist::PieceName;
use crate::media::flv::TagKind;
use crate::media::fmp4::{Piece, PieceKind};

/// A keyframe this much before the target is near enough: publishers' clocks jitter, and the next
/// keyframe may be seconds away. Milliseconds.
const EARLY_MS: i64 = 100;

/// A hole in the timeline of more than this is not counted as duration but as a discontinuity, and
/// so is a step back. Milliseconds.
const GAP_MS: i64 = 1000;

/// How far one track may begin before the other: milliseconds.
const SKEW_MS_MAX: i64 = 10_000;

/// How far the wall times of segments may be from those of arrival. A publisher's clock drifts by
/// some seconds a day; a player that joins gets seconds at once. Milliseconds.
const DRIFT_MS_MAX: i64 = 3000;

/// The times and bounds of a [`Segmenter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// A segment ends at the first keyframe after this: milliseconds.
    pub segment_ms: u32,
    /// A segment without a keyframe is cut here all the same: milliseconds.
    pub segment_ms_max: u32,
    /// Longest part, unless single frames last longer: milliseconds.
    pub part_ms: u32,
    /// Finished segments in the playlist.
    pub segments_listed: usize,
    /// Finished segments that are kept behind those, for players whose playlist is old.
    pub segments_lingering: usize,
    /// Bytes of finished segments, at most; the newest one is kept in any case.
    pub bytes_max: usize,
    /// A segment of this size is cut without a keyframe.
    pub segment_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            segment_ms: 2000,
            segment_ms_max: 10_000,
            // 8 frames at 25, 9 at 30 or 19 at 60 a second: nearly full each.
            part_ms: 330,
            segments_listed: 6,
            // For its own time and that of the longest playlist that names it (RFC 8216bis §6.2.2),
            // and one more, since they are not all of one length.
            segments_lingering: 1 + 6 + 1,
            // 14 segments of 2 s at 19 Mbit/s are 66 MB.
            bytes_max: 64 << 20,
            segment_bytes_max: 16 << 20,
        }
    }
}

/// Makes segments of the pieces of a live MP4 stream.
#[derive(Debug)]
pub struct Segmenter {
    pub(super) config: Config,
    /// Oldest first; media sequence numbers without a hole.
    pub(super) finished: VecDeque<Segment>,
    pub(super) open: Option<Open>,
    map: Option<Map>,
    has_video: bool,
    /// Media sequence number of the first segment, and number of the first map.
    first_sequence: u64,
    /// Media sequence number of the next segment to be opened.
    pub(super) next_sequence: u64,
    /// Discontinuities before the next segment to be opened.
    discontinuities: u64,
    is_discontinuity_due: bool,
    bytes: usize,
    /// End of the last frame by its expected length: milliseconds.
    end: i64,
    /// Where the last segment ended.
    segment_end: i64,
    /// Dts of the last frame of each track since the last discontinuity.
    last_video_dts: Option<i64>,
    last_audio_dts: Option<i64>,
    /// Longest segment so far, rounded to seconds as the playlist counts it.
    pub(super) target_seconds: u32,
    /// Longest part so far, or the configured length.
    pub(super) part_target_ms: u32,
    pub(super) has_ended: bool,
}

/// An initialisation segment.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) number: u64,
    bytes: Arc<[u8]>,
}

/// What a segment has from its start on.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) sequence: u64,
    pub(super) map: Map,
    /// Whether its times or its kind of media do not follow from the segment before it.
    pub(super) is_discontinuity: bool,
    /// Discontinuities up to here, with its own.
    pub(super) discontinuities: u64,
    /// Wall time of its start: Unix time in milliseconds.
    pub(super) wall_ms: i64,
    pub(super) parts: Vec<Part>,
    bytes: usize,
}

/// A part that is complete.
#[derive(Debug)]
pub(super) struct Part {
    bytes: Arc<[u8]>,
    pub(super) duration_ms: u32,
    /// Whether it has a frame to start decoding at.
    pub(super) is_independent: bool,
}

/// The segment that is being filled.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) segment: Segment,
    start: i64,
    part_start: i64,
    /// Whether the start is that of sound and waits for that of the pictures beside it.
    is_start_provisional: bool,
    /// The open part.
    part: Vec<u8>,
    is_part_independent: bool,
}

impl Segment {
    pub(super) fn duration_ms(&self) -> u32 {
        let parts = self.parts.iter();
        parts.fold(0, |sum, part| sum.saturating_add(part.duration_ms))
    }
}

/// What there is under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The pieces that make up the body, in order.
    Bytes(Vec<Arc<[u8]>>),
    /// It is what the playlist hints at, and the answer waits for it.
    NotYet,
    /// It was, or never will be, or is too far in the future.
    Nothing,
}

impl Segmenter {
    /// Without a segment.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            finished: VecDeque::new(),
            open: None,
            map: None,
            has_video: false,
            first_sequence: 0,
            next_sequence: 0,
            discontinuities: 0,
            is_discontinuity_due: false,
            bytes: 0,
            end: 0,
            segment_end: 0,
            last_video_dts: None,
            last_audio_dts: None,
            target_seconds: config.segment_ms.div_ceil(1000).max(1),
            part_target_ms: config.part_ms,
            has_ended: false,
        }
    }

    /// Without a segment, for a live stream that may have been served before, by a segmenter that
    /// is gone: players that still have its playlist go on with this one, and no file is stored
    /// under the name of an older one. Numbers begin at twice the seconds of `wall_ms` (Unix,
    /// milliseconds), which segments of half a second and more never overtake; the first segment
    /// is a discontinuity.
    pub fn resuming(config: Config, wall_ms: i64) -> Self {
        let sequence = u64::try_from(wall_ms / 500).unwrap_or(0);
        Self {
            first_sequence: sequence,
            next_sequence: sequence,
            is_discontinuity_due: true,
            ..Self::new(config)
        }
    }

    /// Takes the next piece, and the wall time (Unix, milliseconds) at which its frame is to be
    /// thought of, which only the first one of a discontinuity decides. The answer is whether
    /// there is something new for those who wait.
    pub fn push(&mut self, piece: &Piece, wall_ms: i64) -> bool {
        if self.has_ended {
            return false;
        }
        match piece.kind {
            PieceKind::Init { has_video, .. } => self.put_map(&piece.bytes, has_video),
            PieceKind::Fragment {
                track,
                is_keyframe,
                dts,
                duration,
            } => {
                // Behind every fragment there was an initialisation segment, from our muxer.
                let Some(map) = self.map.clone() else {
                    return false;
                };
                let is_independent = is_keyframe || !self.has_video;
                let is_cut = self.cut_before(track, is_keyframe, dts, duration);
                self.note_time(track, dts, duration);
                let is_clock = self.is_clock(track);
                let open = self.open_segment(map, dts, wall_ms, is_clock);
                if is_clock && std::mem::take(&mut open.is_start_provisional) {
                    (open.start, open.part_start) = (dts, dts);
                }
                open.part.extend_from_slice(&piece.bytes);
                open.is_part_independent |= is_independent;
                is_cut
            }
        }
    }

    /// Another publisher takes over, or the same one comes back: what follows starts a segment,
    /// with a discontinuity before it. The answer is as for [`push`](Self::push).
    pub fn discontinuity(&mut self) -> bool {
        (self.last_video_dts, self.last_audio_dts) = (None, None);
        let is_cut = self.close_segment(self.end);
        self.is_discontinuity_due |= self.next_sequence > self.first_sequence;
        is_cut
    }

    /// The end of the stream: closes what is open, and the playlist says so.
    pub fn finish(&mut self) {
        self.close_segment(self.end);
        self.has_ended = true;
    }

    /// The body of a piece by its name.
    pub fn find(&self, name: PieceName) -> Found {
        match name {
            PieceName::Init(number) => {
                let finished = self.finished.iter().map(|segment| &segment.map);
                let open = self.open.iter().map(|open| &open.segment.map);
                let mut maps = finished.chain(open).chain(&self.map);
                match maps.find(|map| map.number == number) {
                    Some(map) => Found::Bytes(vec![Arc::clone(&map.bytes)]),
                    None => Found::Nothing,
                }
            }
            PieceName::Segment(sequence) => match self.finished_segment(sequence) {
                Some(segment) => {
                    let parts = segment.parts.iter();
                    Found::Bytes(parts.map(|part| Arc::clone(&part.bytes)).collect())
                }
                None => Found::Nothing,
            },
            PieceName::Part(sequence, index) => {
                let open = self.open.as_ref().map(|open| &open.segment);
                let open = open.filter(|segment| segment.sequence == sequence);
                let segment = self.finished_segment(sequence).or(open);
                let part = usize::try_from(index)
                    .ok()
                    .and_then(|index| segment?.parts.get(index));
                match part {
                    Some(part) => Found::Bytes(vec![Arc::clone(&part.bytes)]),
                    None if self.hint() == Some((sequence, index)) => Found::NotYet,
                    None => Found::Nothing,
                }
            }
        }
    }

    /// The part that comes next: segment and index. `None` when nothing comes any more.
    pub(super) fn hint(&self) -> Option<(u64, u64)> {
        match &self.open {
            _ if self.has_ended => None,
            Some(open) => Some((open.segment.sequence, count(&open.segment.parts))),
            None => Some((self.next_sequence, 0)),
        }
    }

    pub(super) fn finished_segment(&self, sequence: u64) -> Option<&Segment> {
        let first = self.finished.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.finished.get(index)
    }

    fn put_map(&mut self, bytes: &[u8], has_video: bool) -> bool {
        self.has_video = has_video;
        if self.map.as_ref().is_some_and(|map| *map.bytes == *bytes) {
            return false;
        }
        let number = match &self.map {
            Some(map) => map.number + 1,
            None => self.first_sequence,
        };
        let is_cut = self.close_segment(self.end);
        self.is_discontinuity_due |= self.next_sequence > self.first_sequence;
        self.map = Some(Map {
            number,
            bytes: bytes.into(),
        });
        is_cut
    }

    /// Closes what ends before this frame; the answer is whether something did.
    fn cut_before(&mut self, track: TagKind, is_keyframe: bool, dts: i64, duration: u32) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let last_dts = match track {
            TagKind::Audio => self.last_audio_dts,
            _ => self.last_video_dts,
        };
        let is_back = last_dts.is_some_and(|last| dts < last.saturating_sub(GAP_MS))
            || dts < open.start.saturating_sub(SKEW_MS_MAX);
        if is_back || dts > self.end.saturating_add(GAP_MS) {
            return self.discontinuity();
        }
        let elapsed = dts.saturating_sub(open.start);
        let duration = i64::from(duration);
        let segment_ms = i64::from(self.config.segment_ms);
        let is_long = match self.has_video {
            true => is_keyframe && elapsed.saturating_add(EARLY_MS) >= segment_ms,
            // Sound can be cut anywhere: with this frame it would be too much.
            false => elapsed.saturating_add(duration) > segment_ms,
        };
        let is_too_long = elapsed >= i64::from(self.config.segment_ms_max)
            || open.segment.bytes + open.part.len() >= self.config.segment_bytes_max;
        if is_long || is_too_long {
            return self.close_segment(dts);
        }
        let part_ms = i64::from(self.config.part_ms);
        let part_elapsed = dts.saturating_sub(open.part_start);
        // Sound that is ahead of its pictures is no reason to cut; sound without pictures is.
        let end = match self.is_clock(track) {
            true if part_elapsed.saturating_add(duration) > part_ms => dts,
            false if part_elapsed > 2 * part_ms => open.part_start.saturating_add(part_ms),
            _ => return false,
        };
        end > open.part_start && self.close_part(end)
    }

    fn note_time(&mut self, track: TagKind, dts: i64, duration: u32) {
        let end = dts.saturating_add(i64::from(duration));
        self.end = match &self.open {
            Some(_) => self.end.max(end),
            None => end,
        };
        match track {
            TagKind::Audio => self.last_audio_dts = Some(dts),
            _ => self.last_video_dts = Some(dts),
        }
    }

    /// Whether a track is the one that times are measured by.
    fn is_clock(&self, track: TagKind) -> bool {
        track == TagKind::Video || !self.has_video
    }

    /// The open segment, for a frame at `dts`: a new one if there is none.
    fn open_segment(&mut self, map: Map, dts: i64, wall_ms: i64, is_clock: bool) -> &mut Open {
        let is_discontinuity =
            self.open.is_none() && std::mem::take(&mut self.is_discontinuity_due);
        self.open.get_or_insert_with(|| {
            self.discontinuities += u64::from(is_discontinuity);
            let sequence = self.next_sequence;
            self.next_sequence += 1;
            let follows = self.finished.back().filter(|_| !is_discontinuity);
            // Where tracks overlap the last one may have ended behind this frame.
            let start = follows.map_or(dts, |_| self.segment_end);
            let wall_ms = follows.map_or(wall_ms, |last| wall_after(last, wall_ms));
            Open {
                segment: Segment {
                    sequence,
                    map,
                    is_discontinuity,
                    discontinuities: self.discontinuities,
                    wall_ms,
                    parts: Vec::new(),
                    bytes: 0,
                },
                start,
                part_start: start,
                is_start_provisional: !is_clock && follows.is_none(),
                part: Vec::new(),
                is_part_independent: false,
            }
        })
    }

    /// Ends the open part, which is not empty, at `end`; the answer is whether there was one.
    fn close_part(&mut self, end: i64) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        // Where tracks overlap the next part may start before this one did.
        let duration = end.saturating_sub(open.part_start).max(1);
        open.part_start = open.part_start.saturating_add(duration);
        open.is_start_provisional = false;
        let duration_ms = u32::try_from(duration).unwrap_or(u32::MAX);
        self.part_target_ms = self.part_target_ms.max(duration_ms);
        open.segment.bytes += open.part.len();
        open.segment.parts.push(Part {
            bytes: std::mem::take(&mut open.part).into(),
            duration_ms,
            is_independent: std::mem::take(&mut open.is_part_independent),
        });
        true
    }

    /// Ends the open segment at `end`; the answer is whether there was one.
    fn close_segment(&mut self, end: i64) -> bool {
        self.close_part(end);
        let Some(Open {
            segment,
            part_start,
            ..
        }) = self.open.take()
        else {
            return false;
        };
        self.segment_end = part_start;
        let seconds = segment.duration_ms().saturating_add(500) / 1000;
        self.target_seconds = self.target_seconds.max(seconds);
        self.bytes += segment.bytes;
        self.finished.push_back(segment);
        let kept = self
            .config
            .segments_listed
            .saturating_add(self.config.segments_lingering);
        while self.finished.len() > kept.max(1)
            || (self.bytes > self.config.bytes_max && self.finished.len() > 1)
        {
            let oldest = self.finished.pop_front();
            self.bytes -= oldest.map_or(0, |segment| segment.bytes);
        }
        true
    }
}

/// How many parts these are.
pub(super) fn count(parts: &[Part]) -> u64 {
    u64::try_from(parts.len()).unwrap_or(u64::MAX)
}

/// Wall time of what follows `last`. The times follow from one another, since those of arrival
/// jitter, until they have drifted too far from what the caller says.
fn wall_after(last: &Segment, wall_ms: i64) -> i64 {
    let expected = last.wall_ms.saturating_add(i64::from(last.duration_ms()));
    match wall_ms.saturating_sub(expected).saturating_abs() > DRIFT_MS_MAX {
        true => wall_ms,
        false => expected,
    }
}

#[cfg(test)]
pub(super) mod tests;
