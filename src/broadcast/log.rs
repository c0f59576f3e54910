//! The log: a ring of shared frames, bounded by bytes and by age.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Frame, Headers, Slot, Track};

/// Position of a frame in one log; grows by one per frame, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameSeq(pub u64);

impl FrameSeq {
    /// The next position.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Bounds of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes of all frames together. 16 MiB = 16 s at 8 Mbit/s.
    pub bytes_max: usize,
    /// How far behind the newest frame a reader may fall, milliseconds of stream time. Frames
    /// from the latest keyframe on are kept beyond it, up to `bytes_max`.
    pub age_ms_max: i64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            bytes_max: 16 << 20,
            age_ms_max: 10_000,
        }
    }
}

/// One place in the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The frame.
    pub frame: Arc<Frame>,
    /// The frame's prepared header does not follow from the frame before it on its track in
    /// *this* log: every reader needs a header of its own.
    pub is_detached: bool,
    /// Of the frame, kept here because eviction asks at each frame for those of the oldest one,
    /// which has left the processor's cache long ago.
    dts: i64,
    allocated: usize,
}

/// Where a new reader starts, with the headers in force there.
#[derive(Debug, Clone)]
pub struct JoinPoint {
    /// The first frame it gets.
    pub seq: FrameSeq,
    /// What it gets before that.
    pub headers: Headers,
}

/// What a second log of the same live stream begins with.
#[derive(Debug, Clone, Default)]
pub struct Prelude {
    /// The headers in force before the frames.
    pub headers: Headers,
    /// Dts of the latest audio, also if that is not among the frames.
    pub last_sound: Option<i64>,
    /// The frames that it is to have.
    pub frames: Vec<Arc<Frame>>,
}

/// How long a stream without any sign of video must have run before it counts as audio only.
/// Publishers with both tracks send the first video within a few hundred milliseconds.
const AUDIO_ONLY_AFTER_MS: i64 = 1000;

/// A ring of shared frames. See the module's picture.
#[derive(Debug)]
pub struct Log {
    limits: LogLimits,
    entries: VecDeque<Entry>,
    /// Position of the front entry.
    first: FrameSeq,
    /// Sum of `allocated()` over `entries`.
    bytes: usize,
    headers: Headers,
    /// The latest keyframe with the headers in force there; `first <= seq < end`.
    keyframe: Option<JoinPoint>,
    /// Prepared headers follow from the frame before them on their track.
    is_chained: bool,
    /// By track: the next frame is detached.
    detach_next: [bool; 3],
    /// Video is left out until a keyframe comes: nobody could decode it.
    awaits_keyframe: bool,
    has_video: bool,
    /// Dts of the last audio frame since the break.
    last_sound: Option<i64>,
    /// Readers do not start before this place: another publisher's frames. `<= end`.
    unbroken_from: FrameSeq,
}

impl Log {
    /// An empty log.
    pub fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            entries: VecDeque::new(),
            first: FrameSeq(0),
            bytes: 0,
            headers: Headers::default(),
            keyframe: None,
            is_chained: true,
            detach_next: [true; 3],
            awaits_keyframe: true,
            has_video: false,
            last_sound: None,
            unbroken_from: FrameSeq(0),
        }
    }

    /// An empty log for frames whose wire bytes mean the same to every reader, whatever it has read
    /// before: none of them is ever detached.
    pub fn of_self_contained(limits: LogLimits) -> Self {
        Self {
            is_chained: false,
            ..Self::new(limits)
        }
    }

    /// Appends a frame and evicts what has become too much, too old, or of no use to anybody:
    /// frames before the latest keyframe that lie before `needed_from`, the slowest reader's place
    /// (`None`: nobody reads).
    ///
    /// Video before the first keyframe, and after [`Self::break_off`] before the next one, is
    /// left out; the answer says whether the frame was taken.
    pub fn append(&mut self, frame: Arc<Frame>, needed_from: Option<FrameSeq>) -> bool {
        let flags = frame.flags();
        let track = frame.track();
        if track == Track::Video {
            self.has_video = true;
            if flags.is_keyframe {
                self.awaits_keyframe = false;
            } else if self.awaits_keyframe && flags.standing.is_none() {
                self.miss(track);
                return false;
            }
        }
        if track == Track::Video && flags.standing == Some(Slot::MAIN) {
            // Nobody may start at an older keyframe with this header.
            self.keyframe = None;
        }
        self.headers.put(&frame);
        if flags.is_keyframe && track == Track::Video {
            self.keyframe = Some(JoinPoint {
                seq: self.end(),
                headers: self.headers.clone(),
            });
        }
        if is_sound(&frame) {
            self.last_sound = Some(frame.dts());
        }
        let (dts, allocated) = (frame.dts(), frame.allocated());
        self.bytes += allocated;
        let is_loose = std::mem::take(&mut self.detach_next[track.index()]) || flags.is_detached;
        self.entries.push_back(Entry {
            frame,
            is_detached: self.is_chained && is_loose,
            dts,
            allocated,
        });
        self.evict(needed_from);
        true
    }

    /// What comes next does not follow from what came last (another publisher, lost frames):
    /// the headers are forgotten, the next frame of each track is detached, and video is left
    /// out until its next keyframe.
    pub fn break_off(&mut self) {
        self.detach_next = [true; 3];
        self.awaits_keyframe = true;
        self.keyframe = None;
        self.has_video = false;
        self.headers = Headers::default();
        self.last_sound = None;
        self.unbroken_from = self.end();
    }

    /// A frame of this track is left out here: the next one's prepared header follows from that.
    pub fn miss(&mut self, track: Track) {
        self.detach_next[track.index()] = true;
    }

    /// Takes over from another log of the same live stream what is in force there before the
    /// frames that come: the headers, and the dts of the latest audio.
    pub fn take_over(&mut self, headers: Headers, last_sound: Option<i64>) {
        self.has_video |= headers.has(Track::Video);
        self.headers = headers;
        self.last_sound = last_sound;
    }

    /// What a second log of this live stream begins with: everything from `start` on if its
    /// readers were there then, else what a new reader would get.
    pub fn prelude(&self, start: Option<FrameSeq>) -> Prelude {
        let frames_from = |seq| self.iter_from(seq).map(|entry| Arc::clone(&entry.frame));
        let (headers, frames) = match (start, self.join_point()) {
            (Some(start), _) => {
                let frames = frames_from(start.max(self.first));
                (Headers::default(), frames.collect())
            }
            (None, Some(join)) => (join.headers, frames_from(join.seq).collect()),
            // Pictures that are there belong to a header that is gone.
            (None, None) if self.has_video => (self.headers.clone(), Vec::new()),
            (None, None) => {
                let frames = frames_from(self.unbroken_from());
                let frames = frames.filter(|frame| frame.flags().standing.is_none());
                (self.headers.clone(), frames.collect())
            }
        };
        Prelude {
            headers,
            last_sound: self.last_sound,
            frames,
        }
    }

    /// Forgets the metadata (`@clearDataFrame`).
    pub fn clear_metadata(&mut self) {
        self.headers.remove(Track::Data, Slot::MAIN);
    }

    /// The headers in force at the end of the log.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Where a new reader starts: at the latest keyframe; without video, a second before the end.
    /// `None` while neither is known.
    pub fn join_point(&self) -> Option<JoinPoint> {
        if self.keyframe.is_some() {
            return self.keyframe.clone();
        }
        if self.has_video {
            return None;
        }
        let newest = self.entries.back()?.frame.dts();
        let start = self.unbroken_from();
        let mut sound = self
            .iter_from(start)
            .zip(start.0..)
            .filter(|(entry, _)| is_sound(&entry.frame))
            .map(|(entry, seq)| (newest - entry.frame.dts(), FrameSeq(seq)))
            .peekable();
        let (age_of_oldest, _) = *sound.peek()?;
        if age_of_oldest < AUDIO_ONLY_AFTER_MS {
            return None;
        }
        let (_, seq) = sound.find(|(age, _)| *age <= AUDIO_ONLY_AFTER_MS)?;
        Some(JoinPoint {
            seq,
            headers: self.headers.clone(),
        })
    }

    /// Where a reader starts that is here before the first sound or picture since the last break:
    /// it misses nothing. `None` once one has come.
    pub fn start_point(&self) -> Option<FrameSeq> {
        (self.awaits_keyframe && self.last_sound.is_none()).then(|| self.unbroken_from())
    }

    /// Dts of the latest audio since the last break: the next audio is not earlier.
    pub fn last_sound(&self) -> Option<i64> {
        self.last_sound
    }

    /// Position of the oldest frame since the last break.
    pub fn unbroken_from(&self) -> FrameSeq {
        self.first.max(self.unbroken_from)
    }

    /// Position of the oldest frame.
    pub fn first(&self) -> FrameSeq {
        self.first
    }

    /// Position that the next frame will get.
    pub fn end(&self) -> FrameSeq {
        FrameSeq(self.first.0 + self.entries.len() as u64)
    }

    /// Bytes of all frames together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The frame at `seq`; `None` when it was evicted or is not there yet.
    pub fn get(&self, seq: FrameSeq) -> Option<&Entry> {
        let index = seq.0.checked_sub(self.first.0)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// The frames from `seq` on; nothing when it was evicted.
    pub fn iter_from(&self, seq: FrameSeq) -> impl Iterator<Item = &Entry> {
        let skip = seq.0.checked_sub(self.first.0).map_or(usize::MAX, |skip| {
            usize::try_from(skip).unwrap_or(usize::MAX)
        });
        self.entries.range(skip.min(self.entries.len())..)
    }

    fn evict(&mut self, needed_from: Option<FrameSeq>) {
        let newest = self.entries.back().map_or(0, |entry| entry.dts);
        let keep_from = self.keyframe.as_ref().map(|join| join.seq);
        while self.entries.len() > 1 {
            let Some(oldest) = self.entries.front() else {
                break;
            };
            let is_old = newest - oldest.dts > self.limits.age_ms_max;
            let is_before_keyframe = keep_from.is_some_and(|seq| self.first < seq);
            let is_read = needed_from.is_none_or(|needed| self.first < needed);
            let expendable = match keep_from {
                Some(_) => is_before_keyframe && (is_old || is_read),
                None => is_old,
            };
            if !expendable && self.bytes <= self.limits.bytes_max {
                break;
            }
            self.bytes -= oldest.allocated;
            self.entries.pop_front();
            self.first = self.first.next();
        }
        if self
            .keyframe
            .as_ref()
            .is_some_and(|join| join.seq < self.first)
        {
            self.keyframe = None;
        }
    }
}

fn is_sound(frame: &Frame) -> bool {
    frame.track() == Track::Audio && frame.flags().standing.is_none()
}

#[cfg(test)]
mod tests;
