//! One FLV tag: its 11-byte header and its body.
//!
//! What the first bytes of a body say is read in `video.rs` and `audio.rs`; the file around the
//! tags is read and written in `reader.rs` and `writer.rs`. Adobe FLV 10.1, Annex E.4.1.
//!
//! ```text
//!  0          1        4             7               8           11
//! +----------+--------+-------------+---------------+-----------+------
//! | --F TTTTT| size   | time 23..0  | time 31..24   | stream id | body
//! | u8       | u24    | u24         | u8            | u24, 0    |
//! +----------+--------+-------------+---------------+-----------+------
//!    F: filter (encrypted body), T: tag type
//! ```

use crate::wire::{Reader, Truncated};

use super::{AudioHeader, VideoHeader};

/// Bytes before the body of a tag.
pub const TAG_HEADER_SIZE: usize = 11;

/// What a tag carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Tag type 8.
    Audio,
    /// Tag type 9.
    Video,
    /// Tag type 18: AMF0, mostly "onMetaData" and an ECMA array.
    Script,
}

impl TagKind {
    /// The tag type in the file, which is also the RTMP message type.
    pub fn tag_type(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

/// One FLV tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Audio, video or script data.
    pub kind: TagKind,
    /// Decoding timestamp in milliseconds.
    pub dts: i64,
    /// The body: what an RTMP message of this kind carries.
    pub body: Vec<u8>,
}

impl Tag {
    /// A video tag.
    pub fn video(dts: i64, body: Vec<u8>) -> Self {
        Self {
            kind: TagKind::Video,
            dts,
            body,
        }
    }

    /// An audio tag.
    pub fn audio(dts: i64, body: Vec<u8>) -> Self {
        Self {
            kind: TagKind::Audio,
            dts,
            body,
        }
    }

    /// A script data tag.
    pub fn script(dts: i64, body: Vec<u8>) -> Self {
        Self {
            kind: TagKind::Script,
            dts,
            body,
        }
    }

    /// Whether a decoder can start here: a video keyframe, not its sequence header.
    pub fn is_keyframe(&self) -> bool {
        self.kind == TagKind::Video && is_keyframe(&self.body)
    }

    /// Whether this is a decoder configuration, audio or video.
    pub fn is_sequence_header(&self) -> bool {
        is_sequence_header(self.kind, &self.body)
    }
}

/// Whether a video body is a keyframe with picture data; sequence headers, commands, empty
/// and unreadable bodies are not.
///
/// Reads at most a few bytes. Of a Multitrack body only the first track counts.
pub fn is_keyframe(video_body: &[u8]) -> bool {
    VideoHeader::parse(video_body).is_ok_and(|header| header.is_keyframe())
}

/// Whether a video body is a decoder configuration (avcC, hvcC, av1C and so on).
pub fn is_video_sequence_header(video_body: &[u8]) -> bool {
    VideoHeader::parse(video_body).is_ok_and(|header| header.is_sequence_header())
}

/// Whether an audio body is a decoder configuration (AudioSpecificConfig, Opus header and so on).
pub fn is_audio_sequence_header(audio_body: &[u8]) -> bool {
    AudioHeader::parse(audio_body).is_ok_and(|header| header.is_sequence_header())
}

/// Whether a body of this kind is a decoder configuration. Script data never is.
pub fn is_sequence_header(kind: TagKind, body: &[u8]) -> bool {
    match kind {
        TagKind::Video => is_video_sequence_header(body),
        TagKind::Audio => is_audio_sequence_header(body),
        TagKind::Script => false,
    }
}

/// The 11 bytes before a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    /// 8 audio, 9 video, 18 script data, 15 AMF3 script data; others are to be skipped.
    pub tag_type: u8,
    /// The filter bit: the body is encrypted and means nothing to us.
    pub is_encrypted: bool,
    /// Length of the body in bytes, below 2^24.
    pub size: u32,
    /// Milliseconds. FLV time is signed: past 2^31 ms (24.8 days) it turns negative.
    pub timestamp: i32,
}

impl TagHeader {
    /// Reads the header; any 11 bytes are one. The stream id is not looked at, since it is
    /// always 0 and its value would change nothing.
    pub fn decode(bytes: &[u8; TAG_HEADER_SIZE]) -> Self {
        let [kind, s2, s1, s0, t2, t1, t0, t3, _, _, _] = *bytes;
        Self {
            tag_type: kind & 0x1F,
            is_encrypted: kind & 0x20 != 0,
            size: u32::from_be_bytes([0, s2, s1, s0]),
            timestamp: i32::from_be_bytes([t3, t2, t1, t0]),
        }
    }

    /// The 11 bytes; `size` is cut to its low 24 bits.
    pub fn encode(&self) -> [u8; TAG_HEADER_SIZE] {
        let [t3, t2, t1, t0] = self.timestamp.to_be_bytes();
        let [_, s2, s1, s0] = self.size.to_be_bytes();
        let filter = if self.is_encrypted { 0x20 } else { 0 };
        let kind = (self.tag_type & 0x1F) | filter;
        [kind, s2, s1, s0, t2, t1, t0, t3, 0, 0, 0]
    }
}

/// Why the first bytes of an audio or video body could not be read.
///
/// The message is to be dropped or passed on unread; the connection stays usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// A body of no bytes. In audio this means silence (Enhanced RTMP v2).
    #[error("empty body")]
    Empty,
    /// The body ends inside its header.
    #[error("body header cut short: {0}")]
    Truncated(#[from] Truncated),
    /// A Multitrack type other than 0, 1 and 2.
    #[error("multitrack type {0} is unknown")]
    MultitrackType(u8),
    /// A Multitrack packet whose inner packet type is Multitrack or ModEx.
    #[error("packet type {0} inside multitrack")]
    NestedPacketType(u8),
}

/// How many bytes of `whole` a reader over it has consumed.
pub(super) fn position(whole: &[u8], reader: &Reader<'_>) -> usize {
    whole.len().saturating_sub(reader.remaining())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn header_round_trip_with_signed_extended_time() {
        for (name, bytes, header) in [
            (
                "video at 0",
                [9, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
                TagHeader {
                    tag_type: 9,
                    is_encrypted: false,
                    size: 5,
                    timestamp: 0,
                },
            ),
            (
                "upper eight bits come last",
                [8, 1, 2, 3, 0x34, 0x56, 0x78, 0x12, 0, 0, 0],
                TagHeader {
                    tag_type: 8,
                    is_encrypted: false,
                    size: 0x01_0203,
                    timestamp: 0x1234_5678,
                },
            ),
            (
                "negative time, filter bit",
                [0x32, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0],
                TagHeader {
                    tag_type: 18,
                    is_encrypted: true,
                    size: 0,
                    timestamp: -1,
                },
            ),
        ] {
            assert_eq!(TagHeader::decode(&bytes), header, "{name}");
            assert_eq!(header.encode(), bytes, "{name}");
        }
    }

    #[test]
    fn keyframes_are_not_sequence_headers() {
        let header = Tag::video(0, vec![0x17, 0, 0, 0, 0, 1]);
        assert!(header.is_sequence_header() && !header.is_keyframe());
        let key = Tag::video(0, vec![0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]);
        assert!(key.is_keyframe() && !key.is_sequence_header());
        let inter = Tag::video(0, vec![0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]);
        assert!(!inter.is_keyframe() && !inter.is_sequence_header());
        let aac = Tag::audio(0, vec![0xAF, 0, 0x12, 0x10]);
        assert!(aac.is_sequence_header() && !aac.is_keyframe());
        let script = Tag::script(0, vec![0x17, 0, 0, 0, 0]);
        assert!(!script.is_keyframe() && !script.is_sequence_header());
        assert!(!is_keyframe(&[]) && !is_sequence_header(TagKind::Audio, &[]));
    }
}
