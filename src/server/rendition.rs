//! A live stream in one form: made once on each worker that has subscribers who want that form,
//! and shared by all of them.
//!
//! What a publisher sends is kept as it came (put right where it was wrong). Peers differ in what
//! they can read of it: an old RTMP player wants HEVC under codec id 12, another only under `hvc1`, a
//! browser wants FLV behind WebSocket headers, and most others in chunks. Each such [`Output`] has a log of its own.

mod flv;
mod mp4;
mod rtmp;

use std::sync::Arc;

use self::flv::FlvMaker;
use self::mp4::Mp4Maker;
use self::rtmp::RtmpMaker;
use crate::broadcast::{
    Frame, FrameFlags, FrameSeq, Headers, Log, LogLimits, Prelude, Separator, Track,
};
use crate::http::chunked::{CHUNK_END, CHUNK_HEAD_SIZE_MAX, ChunkHead};
use crate::http::websocket::{FRAME_HEAD_SIZE_MAX, FrameHead, Opcode};
use crate::media::flv::Form;

/// What a rendition is made for: how its frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Output {
    /// RTMP, with the labels that the player reads.
    Rtmp(Form),
    /// FLV over HTTP.
    Flv(Wrap),
    /// Fragmented MP4 over HTTP.
    Mp4(Wrap),
}

/// What is around each frame of an output over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wrap {
    /// Nothing: one endless body, for HTTP/1.0.
    Plain,
    /// The length and the line break of a chunk.
    Chunked,
    /// The header of a binary WebSocket message.
    WebSocket,
}

impl Wrap {
    /// Longest [`Self::header`].
    fn header_size_max(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Chunked => CHUNK_HEAD_SIZE_MAX,
            Self::WebSocket => FRAME_HEAD_SIZE_MAX,
        }
    }

    /// What goes before a body of `len` bytes.
    fn header(self, len: usize) -> Vec<u8> {
        match self {
            Self::Plain => Vec::new(),
            Self::Chunked => ChunkHead::new(len).map_or(Vec::new(), |head| head.bytes().to_vec()),
            Self::WebSocket => FrameHead::new(Opcode::Binary, len).bytes().to_vec(),
        }
    }

    /// What goes behind every body.
    fn trailer(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::WebSocket => &[],
            Self::Chunked => CHUNK_END,
        }
    }

    /// Appends a body, which is not empty, with what goes around it.
    pub(super) fn put(self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header(body.len()));
        out.extend_from_slice(body);
        out.extend_from_slice(self.trailer());
    }
}

/// A frame of an output over HTTP, made of parts, which are not all empty: in one piece on the
/// wire, whatever its size.
fn whole(wrap: Wrap, track: Track, dts: i64, flags: FrameFlags, parts: &[&[u8]]) -> Arc<Frame> {
    let len = parts.iter().map(|part| part.len()).sum();
    let body_start = wrap.header_size_max();
    let mut bytes = Vec::with_capacity(body_start + len + wrap.trailer().len());
    bytes.resize(body_start, 0);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(wrap.trailer());
    let never = Separator {
        byte: 0,
        stride: usize::MAX,
    };
    let header = wrap.header(len);
    Arc::new(Frame::new(
        track, dts, flags, bytes, body_start, &header, never,
    ))
}

impl Output {
    /// Whether a frame's wire bytes mean the same to every reader, whatever it has read before. Those
    /// of RTMP tell the distance to the frame before them.
    pub(super) fn is_self_contained(self) -> bool {
        !matches!(self, Self::Rtmp(_))
    }
}

/// Writes a live stream's frames as one output has them.
#[derive(Debug)]
enum Maker {
    Rtmp(RtmpMaker),
    Flv(FlvMaker),
    Mp4(Box<Mp4Maker>),
}

impl Maker {
    /// What the frame becomes in this output: mostly one, nothing where it has no such thing.
    fn make(&mut self, frame: &Arc<Frame>, out: &mut Vec<Arc<Frame>>) {
        match self {
            Self::Rtmp(maker) => out.extend(maker.make(frame)),
            Self::Flv(maker) => out.extend(maker.make(frame)),
            Self::Mp4(maker) => maker.make(frame, out),
        }
    }
}

/// A live stream as one output has it, and who reads it.
#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) output: Output,
    maker: Maker,
    log: Log,
    /// What was made of one frame; empty in between.
    made: Vec<Arc<Frame>>,
    /// Connections that read it.
    pub(super) subscribers: Vec<usize>,
    /// No subscriber needs frames before this place: where the slowest stood after the last flush.
    needed_from: FrameSeq,
}

impl Rendition {
    /// `prelude` is what the live stream has for those who come now; `chunk_size` is that of RTMP.
    pub(super) fn new(
        output: Output,
        limits: LogLimits,
        chunk_size: usize,
        prelude: Prelude,
    ) -> Self {
        let mut rendition = Self {
            output,
            maker: match output {
                Output::Rtmp(form) => Maker::Rtmp(RtmpMaker::new(form, chunk_size)),
                Output::Flv(wrap) => Maker::Flv(FlvMaker::new(wrap)),
                Output::Mp4(wrap) => Maker::Mp4(Box::new(Mp4Maker::new(wrap))),
            },
            log: match output.is_self_contained() {
                true => Log::of_self_contained(limits),
                false => Log::new(limits),
            },
            made: Vec::new(),
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
        for frame in headers.iter() {
            self.maker.make(frame, &mut self.made);
        }
        self.log
            .take_over(self.made.drain(..).collect(), last_sound);
    }

    pub(super) fn clear_metadata(&mut self) {
        self.log.clear_metadata();
    }

    /// Takes the live stream's next frame. True if there is something new to send.
    pub(super) fn take(&mut self, frame: &Arc<Frame>) -> bool {
        self.maker.make(frame, &mut self.made);
        if self.made.is_empty() {
            self.log.miss(frame.track());
        }
        let mut is_taken = false;
        for frame in self.made.drain(..) {
            is_taken |= self.log.append(frame, Some(self.needed_from));
        }
        is_taken
    }

    /// A flush is done; the slowest subscriber stands at `slowest`.
    pub(super) fn flushed(&mut self, slowest: FrameSeq) {
        self.needed_from = slowest;
    }
}
