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

use super::{AudioHeader, AudioPacket, VideoHeader, VideoPacket};

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
/// Reads at most a few bytes. Where there are several tracks, track 0 counts and no other: it is
/// the one that all players take, and the others have keyframes of their own, at other times.
pub fn is_keyframe(video_body: &[u8]) -> bool {
    default_video(video_body).is_some_and(|header| header.is_keyframe())
}

/// Whether a video body is the decoder configuration (avcC, hvcC, av1C and so on) of track 0.
pub fn is_video_sequence_header(video_body: &[u8]) -> bool {
    default_video(video_body).is_some_and(|header| header.is_sequence_header())
}

/// Whether an audio body is the decoder configuration (AudioSpecificConfig, Opus header and so
/// on) of track 0.
pub fn is_audio_sequence_header(audio_body: &[u8]) -> bool {
    let header = AudioHeader::parse_default(audio_body).ok().flatten();
    header.is_some_and(|header| header.is_sequence_header())
}

fn default_video(body: &[u8]) -> Option<VideoHeader> {
    VideoHeader::parse_default(body).ok().flatten()
}

/// Whether a body of this kind is a decoder configuration. Script data never is.
pub fn is_sequence_header(kind: TagKind, body: &[u8]) -> bool {
    match kind {
        TagKind::Video => is_video_sequence_header(body),
        TagKind::Audio => is_audio_sequence_header(body),
        TagKind::Script => false,
    }
}

/// What a body says that stays true until it is said anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// A decoder configuration.
    SequenceHeader,
    /// Video: colours and brightness (Enhanced RTMP, Metadata).
    VideoMetadata,
    /// Audio: the order of channels (Enhanced RTMP, MultichannelConfig).
    Channels,
}

/// Names what whoever joins must be told before any frame: the last body for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StandingKey {
    /// Audio or video.
    pub kind: TagKind,
    /// What is said.
    pub what: Standing,
    /// Of which track; of a body with several, the first in it.
    pub track_id: u8,
}

/// The key under which a body has to be kept for those who join later, if it has to.
///
/// Of most publishers this is the sequence header of track 0 and nothing else:
/// [`is_sequence_header`]. Headers of further tracks, colours and channel orders stand beside it.
pub fn standing(kind: TagKind, body: &[u8]) -> Option<StandingKey> {
    let (what, track_id) = match kind {
        TagKind::Video => {
            let header = VideoHeader::parse(body).ok()?;
            let what = match header.packet {
                VideoPacket::SequenceHeader | VideoPacket::Mpeg2TsSequenceHeader => {
                    Standing::SequenceHeader
                }
                VideoPacket::Metadata => Standing::VideoMetadata,
                _ => return None,
            };
            (what, header.track_id)
        }
        TagKind::Audio => {
            let header = AudioHeader::parse(body).ok()?;
            let what = match header.packet {
                AudioPacket::SequenceHeader => Standing::SequenceHeader,
                AudioPacket::MultichannelConfig => Standing::Channels,
                _ => return None,
            };
            (what, header.track_id)
        }
        TagKind::Script => return None,
    };
    Some(StandingKey {
        kind,
        what,
        track_id,
    })
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

    /// Body, keyframe, sequence header of track 0, what stands.
    #[test]
    fn every_packet_of_enhanced_rtmp() {
        use Standing::{Channels, SequenceHeader, VideoMetadata};
        use TagKind::{Audio, Video};
        for (name, kind, body, key, header, stands) in [
            (
                "SequenceStart",
                Video,
                &b"\x90av01\x81"[..],
                false,
                true,
                Some((SequenceHeader, 0)),
            ),
            ("CodedFrames", Video, b"\x91av01\x12", true, false, None),
            ("of a server", Video, b"\xC1av01\x12", true, false, None),
            ("inter", Video, b"\xA1vp09\x12", false, false, None),
            ("CodedFramesX", Video, b"\x93hvc1\x12", true, false, None),
            ("SequenceEnd", Video, b"\x92hvc1", false, false, None),
            (
                "Metadata",
                Video,
                b"\x94hvc1\x02",
                false,
                false,
                Some((VideoMetadata, 0)),
            ),
            (
                "as FFmpeg has it",
                Video,
                b"\xD4hvc1\x02",
                false,
                false,
                Some((VideoMetadata, 0)),
            ),
            (
                "MPEG2TS",
                Video,
                b"\x95av01\x80",
                false,
                true,
                Some((SequenceHeader, 0)),
            ),
            ("a command", Video, b"\xD0\x01", false, false, None),
            ("without a name", Video, b"\x9Ehvc1\x01", false, false, None),
            (
                "nanoseconds",
                Video,
                b"\x97\x02\x00\x00\x05\x01vp08\x01",
                true,
                false,
                None,
            ),
            ("track 0", Video, b"\x96\x01av01\x00\x12", true, false, None),
            (
                "track 1",
                Video,
                b"\x96\x01av01\x01\x12",
                false,
                false,
                None,
            ),
            (
                "track 0 behind another",
                Video,
                b"\x96\x11av01\x01\x00\x00\x00\x00\x00\x00\x01\x12",
                true,
                false,
                None,
            ),
            (
                "header of track 0",
                Video,
                b"\x96\x10av01\x00\x00\x00\x00\x01\x00\x00\x00",
                false,
                true,
                Some((SequenceHeader, 0)),
            ),
            (
                "header of track 1",
                Video,
                b"\x96\x00av01\x01",
                false,
                false,
                Some((SequenceHeader, 1)),
            ),
            (
                "SequenceStart",
                Audio,
                b"\x90Opus",
                false,
                true,
                Some((SequenceHeader, 0)),
            ),
            ("CodedFrames", Audio, b"\x91Opus\xFC", false, false, None),
            ("SequenceEnd", Audio, b"\x92Opus", false, false, None),
            (
                "channels",
                Audio,
                b"\x94ec-3\x01",
                false,
                false,
                Some((Channels, 0)),
            ),
            (
                "of track 3",
                Audio,
                b"\x95\x04ec-3\x03",
                false,
                false,
                Some((Channels, 3)),
            ),
            (
                "header of track 3",
                Audio,
                b"\x95\x00Opus\x03",
                false,
                false,
                Some((SequenceHeader, 3)),
            ),
            (
                "header of track 0",
                Audio,
                b"\x95\x00Opus\x00",
                false,
                true,
                Some((SequenceHeader, 0)),
            ),
            ("cut short", Audio, b"\x95\x00Op", false, false, None),
        ] {
            assert_eq!(kind == Video && is_keyframe(body), key, "{name}");
            assert_eq!(is_sequence_header(kind, body), header, "{name}");
            let found = standing(kind, body).map(|found| (found.what, found.track_id));
            assert_eq!(found, stands, "{name}");
        }
        assert_eq!(standing(TagKind::Script, b"\x90Opus"), None);
    }
}
