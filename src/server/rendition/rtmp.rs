//! A live stream as RTMP players read it, by what they declared.
//!
//! Frames that a form has as they were published are the publisher's own; only the others are made.

use std::sync::Arc;

use crate::broadcast::{Frame, Track};
use crate::media::flv::{self, Converted, Form};
use crate::rtmp::chunk::Payload;
use crate::server::framing::{self, Framer};

/// Writes frames with the labels of one form.
#[derive(Debug)]
pub(super) struct RtmpMaker {
    form: Form,
    framer: Framer,
}

impl RtmpMaker {
    pub(super) fn new(form: Form, chunk_size: usize) -> Self {
        Self {
            form,
            framer: Framer::new(chunk_size),
        }
    }

    /// `None` for what this form does not have: tracks beside the first one, say.
    pub(super) fn make(&mut self, frame: &Arc<Frame>) -> Option<Arc<Frame>> {
        let track = frame.track();
        match flv::convert(frame.body(), framing::tag_kind(track), self.form) {
            Converted::Nothing => None,
            Converted::AsItIs => {
                self.framer.pass(frame);
                Some(Arc::clone(frame))
            }
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
}

#[cfg(test)]
mod tests;
