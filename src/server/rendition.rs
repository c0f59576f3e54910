//! A live stream in one form: made once on each worker that has subscribers who read that form,
//! and shared by all of them.
//!
//! What a publisher sends is kept as it came (put right where it was wrong). Peers differ in what
//! they can read of it: an old player wants HEVC under codec id 12, another only under `hvc1`, most
//! want one track where there are several. Each such [`Form`] has a log of its own, in which frames
//! that need no change are the publisher's own.

use std::sync::Arc;

use super::framing::{self, Framer};
use crate::broadcast::{Frame, FrameSeq, Headers, Log, LogLimits, Prelude, Track};
use crate::media::flv::{self, Converted, Form};
use crate::rtmp::chunk::Payload;

/// A live stream in one form, and who reads it.
#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) form: Form,
    log: Log,
    framer: Framer,
    /// Connections that read it.
    pub(super) subscribers: Vec<usize>,
    /// No subscriber needs frames before this place: where the slowest stood after the last flush.
    needed_from: FrameSeq,
}

impl Rendition {
    /// `prelude` is what the live stream has for those who come now.
    pub(super) fn new(form: Form, limits: LogLimits, chunk_size: usize, prelude: Prelude) -> Self {
        let mut rendition = Self {
            form,
            log: Log::new(limits),
            framer: Framer::new(chunk_size),
            subscribers: Vec::new(),
            needed_from: FrameSeq(0),
        };
        rendition.take_over(&prelude.headers, prelude.last_sound);
        for frame in prelude.frames {
            rendition.take(&frame);
        }
        rendition
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// What comes next does not follow from what came last.
    pub(super) fn break_off(&mut self) {
        self.log.break_off();
    }

    /// What is in force before the frames that come.
    pub(super) fn take_over(&mut self, headers: &Headers, last_sound: Option<i64>) {
        let headers: Headers = headers
            .iter()
            .filter_map(|frame| self.converted(frame))
            .collect();
        self.log.take_over(headers, last_sound);
    }

    pub(super) fn clear_metadata(&mut self) {
        self.log.clear_metadata();
    }

    /// Takes the live stream's next frame. True if there is something new to send.
    pub(super) fn take(&mut self, frame: &Arc<Frame>) -> bool {
        match self.converted(frame) {
            Some(frame) => self.log.append(frame, Some(self.needed_from)),
            None => {
                self.log.miss(frame.track());
                false
            }
        }
    }

    /// A flush is done; the slowest subscriber stands at `slowest`.
    pub(super) fn flushed(&mut self, slowest: FrameSeq) {
        self.needed_from = slowest;
    }

    /// The frame as this form has it, if it has.
    fn converted(&mut self, frame: &Arc<Frame>) -> Option<Arc<Frame>> {
        let track = frame.track();
        let kind = framing::tag_kind(track);
        match flv::convert(frame.body(), kind, self.form) {
            Converted::Nothing => None,
            Converted::AsItIs => Some(self.passed(frame)),
            Converted::Rewritten { head, payload } => {
                let mut body = Payload::with_capacity(head.len() + payload.len());
                body.extend_from_slice(&head);
                body.extend_from_slice(payload);
                let flags = match track {
                    Track::Data => frame.flags(),
                    Track::Audio | Track::Video => framing::flags(track, body.as_slice()),
                };
                let frame = self.framer.frame(track, frame.dts(), flags, body);
                Some(Arc::new(frame))
            }
        }
    }

    fn passed(&mut self, frame: &Arc<Frame>) -> Arc<Frame> {
        self.framer.pass(frame);
        Arc::clone(frame)
    }
}

#[cfg(test)]
mod tests;
