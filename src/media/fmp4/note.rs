//! What MP4 does not have of a stream, each thing told once.

use std::collections::VecDeque;

use crate::media::flv::{AudioCodec, TagKind, VideoCodec};

/// Something that the output does not have of the stream; `Display` is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// A video codec that is not written into MP4.
    #[error("video of {0:?} is left out of the MP4 file")]
    VideoLeftOut(VideoCodec),
    /// An audio codec that is not written into MP4.
    #[error("audio of {0:?} is left out of the MP4 file")]
    AudioLeftOut(AudioCodec),
    /// A sequence header without sense: what was known before it stays in force.
    #[error("{0:?}: a configuration that cannot be read is left out of the MP4 file")]
    ConfigUnreadable(TagKind),
    /// A track that began after the file.
    #[error("{0:?} that began more than a second after the rest is left out of the MP4 file")]
    TooLate(TagKind),
    /// The decoder configuration changed; the new one is written in front of its pictures.
    #[error("the video's configuration changed: some players stop at that place of the MP4 file")]
    ConfigChanged,
    /// The audio's configuration changed, for which the file has no place.
    #[error("the audio's configuration changed: from there on the MP4 file's sound is wrong")]
    AudioConfigChanged,
    /// Enhanced RTMP carries several tracks of a kind; the file has the first.
    #[error("further {0:?} tracks are left out of the MP4 file")]
    TrackLeftOut(TagKind),
}

/// The notes of one stream.
#[derive(Debug, Default)]
pub(super) struct Notes {
    waiting: VecDeque<Note>,
    /// All that were given, so that none is given twice.
    given: Vec<Note>,
}

/// Notes of one stream at most. There are fewer kinds, but codecs can have any FourCC.
const NOTES_MAX: usize = 32;

impl Notes {
    pub(super) fn add(&mut self, note: Note) {
        if self.given.len() < NOTES_MAX && !self.given.contains(&note) {
            self.given.push(note);
            self.waiting.push_back(note);
        }
    }

    pub(super) fn poll(&mut self) -> Option<Note> {
        self.waiting.pop_front()
    }
}
