//! A live stream as FLV over HTTP, plain or in WebSocket messages.
//!
//! Each frame is one tag and its PreviousTagSize. Time is that of the rendition, which began with
//! its first viewer, so that it stays small however long a camera runs; after 24.8 days of
//! uninterrupted viewing it starts again at 0, since FLV has no more bits (Adobe FLV 10.1 §E.4.1).

use std::sync::Arc;

use super::{Wrap, whole};
use crate::broadcast::{Frame, FrameFlags};
use crate::media::flv::{self, Form, HevcForm};
use crate::server::framing;

/// What players of FLV over HTTP read: mpegts.js and ffmpeg know HEVC under its FourCC.
const FORM: Form = Form::Legacy(Some(HevcForm::Enhanced));

/// Writes frames as FLV tags.
#[derive(Debug)]
pub(super) struct FlvMaker {
    wrap: Wrap,
    /// This dts of the live stream is 0 here; known with the first frame.
    base: Option<i64>,
}

impl FlvMaker {
    pub(super) fn new(wrap: Wrap) -> Self {
        Self { wrap, base: None }
    }

    /// `None` for what FLV does not have: tracks beside the first one, and bodies of 16 MiB.
    pub(super) fn make(&mut self, frame: &Arc<Frame>) -> Option<Arc<Frame>> {
        let kind = framing::tag_kind(frame.track());
        let converted = flv::convert(frame.body(), kind, FORM);
        let body = converted.into_body(frame.body())?;
        let base = *self.base.get_or_insert_with(|| frame.dts());
        let dts = (frame.dts() - base).max(0) & i64::from(i32::MAX);
        let (before, after) = flv::tag_frame(kind, dts, body.len()).ok()?;
        let flags = FrameFlags {
            is_detached: false,
            ..frame.flags()
        };
        let parts = [&before[..], &body, &after];
        Some(whole(self.wrap, frame.track(), frame.dts(), flags, &parts))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::broadcast::{LogLimits, Prelude, Track};
    use crate::server::framing::Framer;
    use crate::server::rendition::{Output, Rendition};

    fn wire(frame: &Frame) -> Vec<u8> {
        let mut slices = Vec::new();
        frame.push_wire(0, &mut slices);
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    fn source(framer: &mut Framer, track: Track, dts: i64, body: &[u8]) -> Arc<Frame> {
        let flags = framing::flags(track, body);
        Arc::new(framer.frame(track, dts, flags, body.into()))
    }

    #[test]
    fn frames_are_tags_on_the_time_of_the_rendition() {
        let mut framer = Framer::new(4096);
        let mut maker = FlvMaker::new(Wrap::Plain);
        let key = source(&mut framer, Track::Video, 5_000_000_000, b"\x93avc1\x09");
        // A FourCC that old players do not know.
        let expected = [
            &[9, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0][..],
            &[0x17, 1, 0, 0, 0, 9],
            &[0, 0, 0, 17],
        ];
        assert_eq!(wire(&maker.make(&key).unwrap()), expected.concat());
        let sound = source(&mut framer, Track::Audio, 5_000_000_021, &[0x2F, 7]);
        let expected = [8, 0, 0, 2, 0, 0, 21, 0, 0, 0, 0, 0x2F, 7, 0, 0, 0, 13];
        assert_eq!(wire(&maker.make(&sound).unwrap()), expected);
        let after_25_days = source(&mut framer, Track::Audio, 7_200_000_000, &[0x2F, 7]);
        let tag = wire(&maker.make(&after_25_days).unwrap());
        assert_eq!(tag[7] & 0x80, 0, "no negative time");
    }

    #[test]
    fn a_web_socket_message_has_a_header_by_its_length() {
        for (len, header) in [
            (10, vec![0x82, 25]),
            (200, vec![0x82, 126, 0, 215]),
            (70_000, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x7F]),
        ] {
            let mut framer = Framer::new(4096);
            let mut maker = FlvMaker::new(Wrap::WebSocket);
            let body = vec![0x27; len];
            let frame = source(&mut framer, Track::Video, 0, &body);
            let made = wire(&maker.make(&frame).unwrap());
            assert_eq!(made[..header.len()], header);
            assert_eq!(made.len(), header.len() + 11 + len + 4);
        }
    }

    #[test]
    fn no_frame_depends_on_the_one_before_it() {
        let output = Output::Flv(Wrap::Plain);
        let limits = LogLimits::default();
        let mut rendition = Rendition::new(output, limits, 4096, Prelude::default());
        let mut framer = Framer::new(4096);
        rendition.take(&source(
            &mut framer,
            Track::Video,
            0,
            &[0x17, 1, 0, 0, 0, 9],
        ));
        rendition.break_off();
        rendition.take(&source(
            &mut framer,
            Track::Video,
            40,
            &[0x17, 1, 0, 0, 0, 9],
        ));
        let log = rendition.log();
        assert!(log.iter_from(log.first()).all(|entry| !entry.is_detached));
    }
}
