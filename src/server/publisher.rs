//! A publisher: its messages put on the live stream's timeline and made into shared frames.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::framing::{self, Framer};
use super::mail::{Epoch, StreamName};
use super::notes::Note;
use super::registry::Pulse;
use crate::broadcast::{Frame, FrameFlags, Headers, Slot, Track};
use crate::media::flv::{Breaches, Conduct, Faults, Mender};
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{MessageStreamId, Payload};
use crate::rtmp::timestamp::{Mend, Timeline};

/// Between the last frame of a publisher that vanished and the first of its successor.
const RESUME_GAP_MS: i64 = 40;

/// What became of one message: a header that was missing, and the message itself.
pub(super) type Made = [Option<Frame>; 2];

/// An accepted `publish`.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) msid: MessageStreamId,
    pub(super) name: StreamName,
    pub(super) epoch: Epoch,
    pulse: Arc<Pulse>,
    timeline: Timeline,
    framer: Framer,
    mender: Mender,
    conduct: Conduct,
    /// What was wrong with the time of the last message, and how far that was behind the one
    /// before it of its kind.
    mend: Option<(Mend, i64)>,
    /// By track: the time of the last message, as it came.
    last_timestamp: [Option<u32>; 2],
    faults: Faults,
    breaches: Breaches,
}

impl Publisher {
    /// `chunk_size` is the one that subscribers are sent with.
    pub(super) fn new(
        msid: MessageStreamId,
        name: StreamName,
        epoch: Epoch,
        pulse: Arc<Pulse>,
        resume_after: Option<i64>,
        chunk_size: usize,
    ) -> Self {
        let start = resume_after.map_or(0, |dts| dts + RESUME_GAP_MS);
        Self {
            msid,
            name,
            epoch,
            pulse,
            timeline: Timeline::starting_at(start),
            framer: Framer::new(chunk_size),
            mender: Mender::new(),
            conduct: Conduct::default(),
            mend: None,
            last_timestamp: [None; 2],
            faults: Faults::default(),
            breaches: Breaches::default(),
        }
    }

    /// Audio or video to frames: put right where it is wrong. Nothing comes of a header that is in
    /// force already.
    pub(super) fn media(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        payload: Payload,
        in_force: &Headers,
        uptime: Duration,
    ) -> Made {
        let track = match kind {
            MediaKind::Audio => Track::Audio,
            MediaKind::Video => Track::Video,
        };
        let tag_kind = framing::tag_kind(track);
        self.breaches = self.conduct.media(tag_kind, timestamp, payload.as_slice());
        let mended = self.mender.mend(payload.as_slice(), tag_kind);
        self.faults = mended.faults;
        let header = mended.header.map(|body| Payload::from(&body[..]));
        let body = match mended.body {
            Some(Cow::Borrowed(_)) => Some(payload),
            Some(Cow::Owned(body)) => Some(Payload::from(&body[..])),
            None => None,
        };
        let index = usize::from(kind == MediaKind::Video);
        let step_ms = self.last_timestamp[index].map_or(0, |last| wrapped_step(last, timestamp));
        let mut make = |payload: Payload| {
            let flags = framing::flags(track, payload.as_slice());
            let Some(slot) = flags.standing else {
                let stamp = self.timeline.advance(kind, timestamp);
                self.last_timestamp[index] = Some(timestamp);
                self.mend = stamp.mend.map(|mend| (mend, step_ms));
                return Some(self.framer.frame(track, stamp.dts, flags, payload));
            };
            if is_same(in_force, track, slot, &payload) {
                return None;
            }
            // Encoders stamp headers with 0 in mid-stream; they are no part of the timeline.
            let dts = self.framer.last_dts(track);
            let dts = dts.unwrap_or_else(|| self.newest_dts());
            Some(self.framer.frame(track, dts, flags, payload))
        };
        let made = [header, body].map(|payload| payload.and_then(&mut make));
        self.pulse.beat(uptime, self.newest_dts());
        made
    }

    /// Metadata to a frame; `None` when it is in force already (GStreamer repeats it often).
    pub(super) fn metadata(&mut self, payload: Payload, in_force: &Headers) -> Option<Frame> {
        self.breaches = self.conduct.metadata(payload.as_slice());
        if is_same(in_force, Track::Data, Slot::MAIN, &payload) {
            return None;
        }
        let flags = FrameFlags {
            standing: Some(Slot::MAIN),
            ..FrameFlags::default()
        };
        let dts = self.newest_dts();
        Some(self.framer.frame(Track::Data, dts, flags, payload))
    }

    /// Any other data message to a frame, at the place on the timeline where it came.
    pub(super) fn data(&mut self, payload: Payload) -> Frame {
        let dts = self.newest_dts();
        self.framer
            .frame(Track::Data, dts, FrameFlags::default(), payload)
    }

    /// What was wrong with the time of the last message, and its step in milliseconds.
    pub(super) fn mended(&self) -> Option<(Mend, i64)> {
        self.mend
    }

    /// What was wrong with the last message.
    pub(super) fn take_notes(&mut self) -> impl Iterator<Item = Note> + use<> {
        let clock = self.mend.take().map(|(mend, _)| Note::Clock(mend));
        let media = mem::take(&mut self.faults).iter().map(Note::Media);
        let breaches = mem::take(&mut self.breaches).into_iter().flatten();
        media.chain(clock).chain(breaches.map(Note::Conduct))
    }

    fn newest_dts(&self) -> i64 {
        let newest = self.framer.newest_dts();
        newest.unwrap_or_else(|| self.timeline.start())
    }
}

/// From one timestamp to another on the wire's 32 bits, the shorter way round.
fn wrapped_step(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

fn is_same(in_force: &Headers, track: Track, slot: Slot, payload: &Payload) -> bool {
    in_force
        .get(track, slot)
        .is_some_and(|frame| frame.body() == payload.as_slice())
}

#[cfg(test)]
mod tests;
