//! Bodies made into frames: the wire bytes of RTMP prepared once, for everybody who is sent them.

use std::borrow::Cow;

use crate::broadcast::{Frame, FrameFlags, Separator, Slot, Track};
use crate::media::flv::{self, Form, HevcForm, Standing, TagKind};
use crate::rtmp::chunk::{ChunkStreamId, Payload, header};
use crate::rtmp::message::MessageType;

/// The message type and the chunk stream on which a track is relayed.
pub(super) fn lane(track: Track) -> (MessageType, ChunkStreamId) {
    match track {
        Track::Audio => (MessageType::AUDIO, ChunkStreamId::AUDIO),
        Track::Video => (MessageType::VIDEO, ChunkStreamId::VIDEO),
        Track::Data => (MessageType::DATA_AMF0, ChunkStreamId::DATA),
    }
}

/// What FLV calls the bodies of a track.
pub(super) fn tag_kind(track: Track) -> TagKind {
    match track {
        Track::Audio => TagKind::Audio,
        Track::Video => TagKind::Video,
        Track::Data => TagKind::Script,
    }
}

/// What a body of audio or video is to whoever reads the log.
pub(super) fn flags(track: Track, body: &[u8]) -> FrameFlags {
    let standing = flv::standing(tag_kind(track), body).map(|key| {
        let what = match key.what {
            Standing::SequenceHeader => 0,
            Standing::VideoMetadata | Standing::Channels => 1,
        };
        Slot(u16::from_be_bytes([what, key.track_id]))
    });
    FrameFlags {
        is_keyframe: track == Track::Video && standing.is_none() && flv::is_keyframe(body),
        standing,
        is_detached: false,
    }
}

/// What MP4 has of several tracks: the first one, under names that its muxer knows.
const MP4_FORM: Form = Form::Legacy(Some(HevcForm::Enhanced));

/// The body of a frame as a muxer of MP4 reads it; `None` for what it does not have.
pub(super) fn mp4_body(frame: &Frame) -> Option<Cow<'_, [u8]>> {
    let kind = tag_kind(frame.track());
    flv::convert(frame.body(), kind, MP4_FORM).into_body(frame.body())
}

/// Makes frames of the bodies of one live stream: each has the distance to the one before it on
/// its track in the prepared header.
#[derive(Debug)]
pub(super) struct Framer {
    /// By track: dts of the last frame.
    last_dts: [Option<i64>; 3],
    chunk_size: usize,
}

impl Framer {
    /// `chunk_size` is the one that subscribers are sent with.
    pub(super) fn new(chunk_size: usize) -> Self {
        Self {
            last_dts: [None; 3],
            chunk_size,
        }
    }

    /// Dts of the last frame of a track.
    pub(super) fn last_dts(&self, track: Track) -> Option<i64> {
        self.last_dts[track.index()]
    }

    /// The latest dts of all tracks.
    pub(super) fn newest_dts(&self) -> Option<i64> {
        self.last_dts.iter().flatten().max().copied()
    }

    /// Notes a frame that goes its way without being made here.
    pub(super) fn pass(&mut self, frame: &Frame) {
        self.last_dts[frame.track().index()] = Some(frame.dts());
    }

    /// The next frame of a track.
    pub(super) fn frame(
        &mut self,
        track: Track,
        dts: i64,
        flags: FrameFlags,
        payload: Payload,
    ) -> Frame {
        let (message_type, csid) = lane(track);
        let previous = self.last_dts[track.index()].replace(dts);
        let delta = previous
            .and_then(|previous| u32::try_from(dts - previous).ok())
            .filter(|delta| *delta < header::TIMESTAMP_EXTENDED);
        let prepared = header::fmt1(csid, delta.unwrap_or(0), payload.len(), message_type);
        let (bytes, body_start) = payload.into_parts();
        let separator = Separator {
            byte: header::fmt3(csid),
            stride: self.chunk_size,
        };
        let flags = FrameFlags {
            is_detached: flags.is_detached || delta.is_none(),
            ..flags
        };
        Frame::new(track, dts, flags, bytes, body_start, &prepared, separator)
    }
}
