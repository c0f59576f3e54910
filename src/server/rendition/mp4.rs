//! A live stream as endless fragmented MP4 over HTTP, plain or in WebSocket messages.
//!
//! Each frame is a fragment of its own and leaves at once. The initialisation segment stands in
//! the log as sequence headers do in others: whoever joins gets it first, and a new one goes to all.

use std::sync::Arc;

use super::{Wrap, whole};
use crate::broadcast::{Frame, FrameFlags, Slot, Track};
use crate::media::flv::TagKind;
use crate::media::fmp4::{LiveMuxer, Piece, PieceKind};
use crate::server::framing;

/// Writes frames as fragments.
#[derive(Debug)]
pub(super) struct Mp4Maker {
    wrap: Wrap,
    muxer: LiveMuxer,
    /// This dts of the live stream is 0 here; known with the first frame.
    base: Option<i64>,
    pieces: Vec<Piece>,
}

impl Mp4Maker {
    pub(super) fn new(wrap: Wrap) -> Self {
        Self {
            wrap,
            muxer: LiveMuxer::new(),
            base: None,
            pieces: Vec::new(),
        }
    }

    /// What the frame becomes: nothing where the container does not take it, a segment and
    /// fragments of earlier frames with the one that completes the tracks.
    pub(super) fn make(&mut self, frame: &Arc<Frame>, out: &mut Vec<Arc<Frame>>) {
        let kind = framing::tag_kind(frame.track());
        let Some(body) = framing::mp4_body(frame) else {
            return;
        };
        let base = *self.base.get_or_insert_with(|| frame.dts());
        let dts = (frame.dts() - base).max(0);
        self.muxer.handle(kind, dts, &body, &mut self.pieces);
        for piece in self.pieces.drain(..) {
            let (track, dts, is_keyframe, standing) = match piece.kind {
                PieceKind::Init {
                    has_video: true, ..
                } => (Track::Video, dts, false, Some(Slot::MAIN)),
                PieceKind::Init { .. } => (Track::Audio, dts, false, Some(Slot::MAIN)),
                PieceKind::Fragment {
                    track: TagKind::Video,
                    is_keyframe,
                    dts,
                    ..
                } => (Track::Video, dts, is_keyframe, None),
                PieceKind::Fragment { dts, .. } => (Track::Audio, dts, false, None),
            };
            let flags = FrameFlags {
                is_keyframe,
                standing,
                is_detached: false,
            };
            out.push(whole(self.wrap, track, base + dts, flags, &[&piece.bytes]));
        }
        while let Some(note) = self.muxer.poll_note() {
            log::info!("MP4 over HTTP: {note}");
        }
    }
}
