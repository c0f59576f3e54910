//! How a live stream is doing, measured frame by frame in bounded memory: what its tracks are,
//! frame rate, group of pictures, bitrate; and a score of its health with reasons in words.
//!
//! ```text
//! frames ─► Vitals ─► report: facts and figures of the last seconds
//!              └────► health: 100 less the cost of each Reason
//! ```
//! Two clocks go in: dts, by which frames are shown, and the time of their arrival, by which it
//! shows that nothing comes. Both are milliseconds; the second counts from anywhere.

mod facts;
mod health;
mod offer;
mod window;

use std::collections::VecDeque;

use crate::media::flv::{AudioHeader, AudioPacket, TagKind, VideoHeader, VideoPacket};

pub use facts::{AudioFacts, VideoFacts};
pub use health::{Health, Reason};
pub use offer::{LeftOut, Offer, Output};
pub use window::{HISTORY_SECONDS, Seconds};

use window::Events;

/// Frame rate and its jitter are those of so many frames at most: 5 s at 50 frames a second.
const STEPS_MAX: usize = 250;

/// And of no more than this, milliseconds.
const STEPS_MS_MAX: i64 = 5000;

/// A pause in the sound of more than this is a gap, milliseconds: the longest packets of sound
/// that cameras send are 200.
const AUDIO_GAP_MS: i64 = 500;

/// What is measured of a live stream, from its start.
#[derive(Debug)]
pub struct Vitals {
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    bytes: Seconds,
    /// When the last frame of any track came.
    last_ms: u64,
    reconnects: Events,
    jumps: Events,
    jump_largest_ms: i64,
    backward_steps: u64,
    audio_gaps: Events,
}

#[derive(Debug)]
struct VideoTrack {
    facts: VideoFacts,
    /// The sequence header that `facts` are read from.
    record: Vec<u8>,
    bytes: Seconds,
    frames: u64,
    keyframes: u64,
    /// Dts of the last frames: at most [`STEPS_MAX`] within [`STEPS_MS_MAX`].
    steps: VecDeque<i64>,
    /// Dts of the last keyframe, and frames since then with itself.
    gop: Option<(i64, u64)>,
    last_gop: Option<Gop>,
    gop_ms_max: Option<u64>,
    last_dts: i64,
}

#[derive(Debug)]
struct AudioTrack {
    facts: AudioFacts,
    record: Vec<u8>,
    bytes: Seconds,
    frames: u64,
    last_dts: i64,
    /// When the last frame came; `None` at the start and behind a break.
    last_ms: Option<u64>,
}

/// A group of pictures that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gop {
    /// From keyframe to keyframe, milliseconds.
    pub ms: u64,
    /// Its frames.
    pub frames: u64,
}

/// What is so at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The first video track.
    pub video: Option<VideoReport>,
    /// The first audio track.
    pub audio: Option<AudioReport>,
    /// All tracks over the last whole seconds, bits a second.
    pub bitrate: u64,
    /// The same for each whole second, the oldest first; at most [`HISTORY_SECONDS`].
    pub bitrate_history: Vec<u64>,
    /// Since the last frame, milliseconds.
    pub silent_ms: u64,
    /// Timestamps that had to be mended, since the start.
    pub jumps: u64,
    /// The largest of them, milliseconds; negative: back.
    pub jump_largest_ms: i64,
    /// Timestamps that went back and were held, since the start.
    pub backward_steps: u64,
    /// Pauses in the sound, since the start.
    pub audio_gaps: u64,
    /// Publishers in the last hour that came after one that was lost.
    pub reconnects_last_hour: u64,
    /// How it is.
    pub health: Health,
}

/// A video track at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoReport {
    /// What it is.
    pub facts: VideoFacts,
    /// Frames a second, by the distances of the last frames.
    pub frame_rate: Option<f64>,
    /// The last group of pictures that is whole.
    pub gop: Option<Gop>,
    /// The longest one, milliseconds.
    pub gop_ms_max: Option<u64>,
    /// Over the last whole seconds, bits a second.
    pub bitrate: u64,
    /// Since the start.
    pub frames: u64,
    /// Since the start.
    pub keyframes: u64,
}

/// An audio track at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioReport {
    /// What it is.
    pub facts: AudioFacts,
    /// Over the last whole seconds, bits a second.
    pub bitrate: u64,
    /// Since the start.
    pub frames: u64,
}

impl Vitals {
    /// Of a live stream that begins now.
    pub fn new(now_ms: u64) -> Self {
        Self {
            video: None,
            audio: None,
            bytes: Seconds::new(now_ms),
            last_ms: now_ms,
            reconnects: Events::default(),
            jumps: Events::default(),
            jump_largest_ms: 0,
            backward_steps: 0,
            audio_gaps: Events::default(),
        }
    }

    /// A publisher began. `reconnects_ms` is when publishers of this name came after one that had
    /// been lost, this one too if it did: more than this live stream can know by itself.
    pub fn handle_publisher(&mut self, now_ms: u64, reconnects_ms: &[u64]) {
        self.reconnects = Events::default();
        for time_ms in reconnects_ms {
            self.reconnects.add(*time_ms);
        }
        self.last_ms = self.last_ms.max(now_ms);
        // What lies between two publishers is no fault of either.
        if let Some(video) = &mut self.video {
            video.break_off();
        }
        if let Some(audio) = &mut self.audio {
            audio.last_ms = None;
        }
    }

    /// A timestamp was wrong by so many milliseconds, and mended; negative: it went back.
    pub fn handle_jump(&mut self, now_ms: u64, distance_ms: i64) {
        self.jumps.add(now_ms);
        if distance_ms.unsigned_abs() > self.jump_largest_ms.unsigned_abs() {
            self.jump_largest_ms = distance_ms;
        }
    }

    /// A timestamp went back a little, and was given the time before it.
    pub fn handle_backward_step(&mut self) {
        self.backward_steps = self.backward_steps.saturating_add(1);
    }

    /// Takes the next message: `body` is that of an RTMP message or an FLV tag, `dts_ms` its time
    /// after mending. Looks at its first bytes, and into sequence headers that are new.
    pub fn handle_frame(&mut self, now_ms: u64, kind: TagKind, dts_ms: i64, body: &[u8]) {
        self.bytes.add(now_ms, body.len());
        match kind {
            TagKind::Video => self.handle_video(now_ms, dts_ms, body),
            TagKind::Audio => self.handle_audio(now_ms, dts_ms, body),
            TagKind::Script => {}
        }
    }

    fn handle_video(&mut self, now_ms: u64, dts_ms: i64, body: &[u8]) {
        let Ok(Some(header)) = VideoHeader::parse_default(body) else {
            return;
        };
        let payload = header.payload(body);
        let video = self.video.get_or_insert_with(|| VideoTrack {
            facts: VideoFacts::of_codec(header.codec),
            record: Vec::new(),
            bytes: Seconds::new(now_ms),
            frames: 0,
            keyframes: 0,
            steps: VecDeque::new(),
            gop: None,
            last_gop: None,
            gop_ms_max: None,
            last_dts: dts_ms,
        });
        video.bytes.add(now_ms, body.len());
        match header.packet {
            VideoPacket::SequenceHeader if video.record != payload => {
                video.facts = VideoFacts::of_record(header.codec, payload);
                video.record = payload.to_vec();
            }
            VideoPacket::Frames if !payload.is_empty() => {
                self.last_ms = now_ms;
                if header.is_keyframe() {
                    video.facts.add_keyframe(payload);
                }
                video.add_frame(dts_ms, header.is_keyframe());
            }
            _ => {}
        }
    }

    fn handle_audio(&mut self, now_ms: u64, dts_ms: i64, body: &[u8]) {
        let Ok(Some(header)) = AudioHeader::parse_default(body) else {
            return;
        };
        let payload = header.payload(body);
        let audio = self.audio.get_or_insert_with(|| AudioTrack {
            facts: AudioFacts::of_header(&header),
            record: Vec::new(),
            bytes: Seconds::new(now_ms),
            frames: 0,
            last_dts: dts_ms,
            last_ms: None,
        });
        audio.bytes.add(now_ms, body.len());
        match header.packet {
            AudioPacket::SequenceHeader if audio.record != payload => {
                audio.facts = AudioFacts::of_record(&header, payload);
                audio.record = payload.to_vec();
            }
            AudioPacket::Frames if !payload.is_empty() => {
                self.last_ms = now_ms;
                let has_gap = dts_ms.saturating_sub(audio.last_dts) > AUDIO_GAP_MS;
                if has_gap && audio.last_ms.is_some() {
                    self.audio_gaps.add(now_ms);
                }
                audio.frames += 1;
                audio.last_dts = dts_ms;
                audio.last_ms = Some(now_ms);
            }
            _ => {}
        }
    }

    /// What is so now.
    pub fn report(&self, now_ms: u64) -> Report {
        let bitrate_history = self.bytes.history(now_ms);
        let video = self.video.as_ref().map(|video| VideoReport {
            facts: video.facts.clone(),
            frame_rate: video.frame_rate(),
            gop: video.last_gop,
            gop_ms_max: video.gop_ms_max,
            bitrate: video.bytes.bitrate(now_ms),
            frames: video.frames,
            keyframes: video.keyframes,
        });
        let audio = self.audio.as_ref().map(|audio| AudioReport {
            facts: audio.facts.clone(),
            bitrate: audio.bytes.bitrate(now_ms),
            frames: audio.frames,
        });
        Report {
            video,
            audio,
            bitrate: self.bytes.bitrate(now_ms),
            silent_ms: now_ms.saturating_sub(self.last_ms),
            jumps: self.jumps.count(),
            jump_largest_ms: self.jump_largest_ms,
            backward_steps: self.backward_steps,
            audio_gaps: self.audio_gaps.count(),
            reconnects_last_hour: self.reconnects(now_ms),
            health: Health::of(self.signs(now_ms, &bitrate_history)),
            bitrate_history,
        }
    }

    /// Goes on from what was measured elsewhere of the same live stream, up to its publisher's
    /// loss: by the same clock.
    pub fn follow(&mut self, earlier: Self) {
        self.bytes.follow(earlier.bytes);
        self.jumps.follow(earlier.jumps);
        if earlier.jump_largest_ms.unsigned_abs() > self.jump_largest_ms.unsigned_abs() {
            self.jump_largest_ms = earlier.jump_largest_ms;
        }
        self.backward_steps = self.backward_steps.saturating_add(earlier.backward_steps);
        self.audio_gaps.follow(earlier.audio_gaps);
        match (&mut self.video, earlier.video) {
            (Some(video), Some(earlier)) => video.follow(earlier),
            (None, Some(mut earlier)) => {
                earlier.break_off();
                self.video = Some(earlier);
            }
            (_, None) => {}
        }
        match (&mut self.audio, earlier.audio) {
            (Some(audio), Some(earlier)) => {
                audio.bytes.follow(earlier.bytes);
                audio.frames = audio.frames.saturating_add(earlier.frames);
            }
            (None, Some(earlier)) => {
                self.audio = Some(AudioTrack {
                    last_ms: None,
                    ..earlier
                });
            }
            (_, None) => {}
        }
    }

    fn reconnects(&self, now_ms: u64) -> u64 {
        let hour = 3_600_000;
        self.reconnects.count_since(now_ms.saturating_sub(hour))
    }

    fn signs(&self, now_ms: u64, history: &[u64]) -> health::Signs {
        let recently = now_ms.saturating_sub(health::RECENT_MS);
        let video = self.video.as_ref();
        health::Signs {
            silent_ms: now_ms.saturating_sub(self.last_ms),
            jitter_percent: video.and_then(VideoTrack::jitter_percent),
            gop_ms: video.and_then(VideoTrack::gop_ms),
            jumps: self.jumps.count_since(recently),
            audio_gaps: self.audio_gaps.count_since(recently),
            audio_silent_ms: self
                .audio
                .as_ref()
                .and_then(|audio| audio.last_ms)
                .map(|last_ms| now_ms.saturating_sub(last_ms)),
            bitrate: window::fall(history),
            reconnects: self.reconnects(now_ms),
        }
    }
}

impl VideoTrack {
    fn add_frame(&mut self, dts_ms: i64, is_keyframe: bool) {
        self.frames += 1;
        self.keyframes += u64::from(is_keyframe);
        self.last_dts = dts_ms;
        self.steps.push_back(dts_ms);
        while let Some(&first) = self.steps.front() {
            let is_old = dts_ms.saturating_sub(first) > STEPS_MS_MAX;
            if !is_old && self.steps.len() <= STEPS_MAX {
                break;
            }
            self.steps.pop_front();
        }
        if !is_keyframe {
            if let Some((_, frames)) = &mut self.gop {
                *frames += 1;
            }
            return;
        }
        if let Some((start, frames)) = self.gop.replace((dts_ms, 1)) {
            let ms = distance(start, dts_ms);
            self.last_gop = Some(Gop { ms, frames });
            self.gop_ms_max = self.gop_ms_max.max(Some(ms));
        }
    }

    /// Goes on from what was measured elsewhere.
    fn follow(&mut self, earlier: Self) {
        self.bytes.follow(earlier.bytes);
        self.frames = self.frames.saturating_add(earlier.frames);
        self.keyframes = self.keyframes.saturating_add(earlier.keyframes);
        self.last_gop = self.last_gop.or(earlier.last_gop);
        self.gop_ms_max = self.gop_ms_max.max(earlier.gop_ms_max);
    }

    /// What comes does not follow from what came.
    fn break_off(&mut self) {
        self.steps.clear();
        self.gop = None;
    }

    fn frame_rate(&self) -> Option<f64> {
        let (first, last) = (*self.steps.front()?, *self.steps.back()?);
        let steps = u32::try_from(self.steps.len()).ok()?.checked_sub(1)?;
        let ms = u32::try_from(last.saturating_sub(first)).ok()?;
        (ms > 0).then(|| f64::from(steps) * 1000.0 / f64::from(ms))
    }

    /// How far the distances of frames are from their mean, on the average: percent of it.
    fn jitter_percent(&self) -> Option<u32> {
        let mean = 1000.0 / self.frame_rate()?;
        // A few frames say little.
        if self.steps.len() < 20 {
            return None;
        }
        let pairs = self.steps.iter().zip(self.steps.iter().skip(1));
        let distances = pairs.map(|(one, next)| distance(*one, *next));
        let off = |ms: u64| (f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) - mean).abs();
        let count = f64::from(u32::try_from(self.steps.len()).ok()?) - 1.0;
        let percent = distances.map(off).sum::<f64>() / count / mean * 100.0;
        (0..=1000).rfind(|&whole| f64::from(whole) <= percent)
    }

    /// The last whole group of pictures, or the one that grows if it is longer already.
    fn gop_ms(&self) -> Option<u64> {
        let open = self.gop.map(|(start, _)| distance(start, self.last_dts));
        let whole = self.last_gop.map(|gop| gop.ms);
        open.max(whole)
    }
}

/// From `start` to `end`; 0 when that is in the past.
fn distance(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
