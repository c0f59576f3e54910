//! What a client tells the person who runs it.

use std::time::Duration;

use super::Witness;
use crate::media::flv::{Metadata, VideoHeader, VideoPacket};
use crate::rtmp::MediaKind;

/// One of the five steps of both processes, done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 1 TCP connect, 2 handshake, 3 metadata, 4 audio and video, 5 close.
    pub number: u8,
    /// What happened.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// Why a server is addressed a second time, over a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detour {
    /// It did not get on with the handshake or the `connect` that it was sent.
    Manner,
    /// It asked for user and password.
    Login,
}

/// How far a client is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stream time sent or received.
    pub time: Duration,
    /// Wall time since the media began.
    pub elapsed: Duration,
    /// Bytes of audio and video.
    pub bytes: u64,
    /// Video frames, sequence headers not counted.
    pub video_frames: u64,
    /// Audio frames, sequence headers not counted.
    pub audio_frames: u64,
    /// Push: bytes that wait here because the connection does not take them yet.
    pub backlog: Option<usize>,
    /// Push: frames left out because the connection was too slow.
    pub dropped: u64,
}

impl Progress {
    /// Counts a frame. Marks without a picture, such as the end of a sequence, are only bytes.
    pub(super) fn count(&mut self, kind: MediaKind, body: &[u8]) {
        self.bytes += body.len() as u64;
        match kind {
            MediaKind::Audio => self.audio_frames += 1,
            MediaKind::Video => {
                let is_picture = VideoHeader::parse(body)
                    .is_ok_and(|header| header.packet == VideoPacket::Frames);
                self.video_frames += u64::from(is_picture);
            }
        }
    }
}

/// Receives what a client tells; all of it is for people.
pub trait Report {
    /// A step is done.
    fn step(&mut self, step: Step);
    /// Something that a person should know, in one line.
    fn notice(&mut self, text: &str);
    /// Called often; a good implementation shows it a few times a second.
    fn progress(&mut self, progress: &Progress);
    /// A step that leads to another connection to the same server.
    fn detour(&mut self, _detour: Detour, step: Step) {
        self.step(step);
    }
    /// Somebody who looks on at the connection that begins now; mostly nobody does.
    fn witness(&mut self) -> Option<Witness> {
        None
    }
}

/// What metadata say, in a line.
pub(super) fn describe(metadata: &Metadata) -> String {
    let mut parts = Vec::new();
    if let (Some(width), Some(height)) = (metadata.width, metadata.height) {
        parts.push(format!("{width}x{height}"));
    }
    if let Some(rate) = metadata.frame_rate {
        parts.push(format!("{rate:.3} frames/s"));
    }
    if let Some(codec) = metadata.video_codec {
        parts.push(format!("{codec:?}"));
    }
    if let Some(codec) = metadata.audio_codec {
        parts.push(format!("{codec:?}"));
    }
    if let Some(rate) = metadata.audio_sample_rate {
        parts.push(format!("{rate} Hz"));
    }
    parts.join(", ")
}
