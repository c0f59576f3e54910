//! The first bytes of a video body: codec, frame type, packet type, composition time offset.
//!
//! Both forms are read into one [`VideoHeader`] and written from it: the legacy one (Adobe FLV
//! 10.1 §E.4.3, plus the unofficial codec ids 8, 9, 12 and 13) and the Enhanced RTMP v1 and v2
//! one (ExVideoTagHeader). What follows the header is the codec's business.
//!
//! ```text
//! legacy      FFFF CCCC            F frame type, C codec id
//!             [packet type u8][composition time offset i24]      AVC, and ids 12 and 13 only
//! enhanced    1FFF PPPP            P packet type
//!             [ModEx and Multitrack, see enhanced.rs][FourCC]
//!             [composition time offset i24]                      CodedFrames of avc1, hvc1, vvc1
//! ```

use crate::wire::{PutBytes, Reader};

use super::enhanced::{self, FourCc, Multitrack, Preamble};
use super::tag::{TagError, position};

/// Enhanced RTMP number of a packet with several tracks in it.
const PACKET_MULTITRACK: u8 = 6;

/// High nibble of the first byte, three bits of it in the enhanced form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameType {
    /// 1: decoding can start here.
    Key,
    /// 2: depends on earlier frames.
    Inter,
    /// 3: nothing depends on it (H.263).
    Disposable,
    /// 4: a keyframe that a server made; reserved for server use.
    GeneratedKey,
    /// 5: no picture, a command byte or metadata.
    Command,
    /// 0 and 6..15. OBS writes 0 on metadata.
    Other(u8),
}

impl FrameType {
    fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Key,
            2 => Self::Inter,
            3 => Self::Disposable,
            4 => Self::GeneratedKey,
            5 => Self::Command,
            other => Self::Other(other),
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Key => 1,
            Self::Inter => 2,
            Self::Disposable => 3,
            Self::GeneratedKey => 4,
            Self::Command => 5,
            Self::Other(bits) => bits & 0x0F,
        }
    }
}

/// The video codecs that FLV and Enhanced RTMP name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// Codec id 2.
    SorensonH263,
    /// Codec id 3.
    ScreenVideo,
    /// Codec id 4.
    Vp6,
    /// Codec id 5.
    Vp6Alpha,
    /// Codec id 6.
    ScreenVideo2,
    /// Codec id 7, FourCC `avc1`: H.264.
    Avc,
    /// Codec id 8: real H.263, unofficial (FFmpeg).
    H263,
    /// Codec id 9: MPEG-4 part 2, unofficial (FFmpeg).
    Mpeg4,
    /// FourCC `hvc1`, and codec id 12: unofficial, common in Chinese cameras and players.
    Hevc,
    /// FourCC `av01`, and codec id 13: unofficial (SRS, ZLMediaKit).
    Av1,
    /// FourCC `vp08`.
    Vp8,
    /// FourCC `vp09`.
    Vp9,
    /// FourCC `vvc1`: H.266.
    Vvc,
    /// Any other legacy codec id, 14 and 15 included, since implementations disagree on these.
    Other(u8),
    /// Any other FourCC.
    FourCc(FourCc),
}

impl VideoCodec {
    /// The codec that a legacy codec id names.
    pub fn from_legacy_id(id: u8) -> Self {
        match id {
            2 => Self::SorensonH263,
            3 => Self::ScreenVideo,
            4 => Self::Vp6,
            5 => Self::Vp6Alpha,
            6 => Self::ScreenVideo2,
            7 => Self::Avc,
            8 => Self::H263,
            9 => Self::Mpeg4,
            12 => Self::Hevc,
            13 => Self::Av1,
            other => Self::Other(other),
        }
    }

    /// The codec that a FourCC names.
    pub fn from_fourcc(fourcc: FourCc) -> Self {
        match &fourcc {
            b"avc1" => Self::Avc,
            b"hvc1" => Self::Hevc,
            b"av01" => Self::Av1,
            b"vp08" => Self::Vp8,
            b"vp09" => Self::Vp9,
            b"vvc1" => Self::Vvc,
            _ => Self::FourCc(fourcc),
        }
    }

    /// The codec id of the legacy form, official or not; `None` for codecs that only the
    /// enhanced form can name.
    pub fn legacy_id(self) -> Option<u8> {
        Some(match self {
            Self::SorensonH263 => 2,
            Self::ScreenVideo => 3,
            Self::Vp6 => 4,
            Self::Vp6Alpha => 5,
            Self::ScreenVideo2 => 6,
            Self::Avc => 7,
            Self::H263 => 8,
            Self::Mpeg4 => 9,
            Self::Hevc => 12,
            Self::Av1 => 13,
            Self::Other(id) => id & 0x0F,
            Self::Vp8 | Self::Vp9 | Self::Vvc | Self::FourCc(_) => return None,
        })
    }

    /// The FourCC of the enhanced form; `None` for codecs that only the legacy form can name.
    pub fn fourcc(self) -> Option<FourCc> {
        Some(match self {
            Self::Avc => *b"avc1",
            Self::Hevc => *b"hvc1",
            Self::Av1 => *b"av01",
            Self::Vp8 => *b"vp08",
            Self::Vp9 => *b"vp09",
            Self::Vvc => *b"vvc1",
            Self::FourCc(fourcc) => fourcc,
            _ => return None,
        })
    }

    /// Whether a CodedFrames packet carries a composition time offset.
    fn has_composition_time(self) -> bool {
        matches!(self, Self::Avc | Self::Hevc | Self::Vvc)
    }

    /// Whether the legacy form puts a packet type and a composition time offset behind byte 0.
    fn has_legacy_packet_type(self) -> bool {
        matches!(self, Self::Avc | Self::Hevc | Self::Av1)
    }
}

/// What the body behind the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoPacket {
    /// The decoder configuration record; legacy packet type 0, SequenceStart.
    SequenceHeader,
    /// Picture data; legacy packet type 1, CodedFrames, CodedFramesX.
    Frames,
    /// No body; legacy packet type 2, SequenceEnd.
    EndOfSequence,
    /// AMF: a name and an object (`colorInfo`).
    Metadata,
    /// An MPEG-2 TS AV1 video descriptor in place of the configuration record.
    Mpeg2TsSequenceHeader,
    /// Frame type 5: 0 starts and 1 ends a client-side seek. No codec, no body.
    Command(u8),
    /// A packet type that no specification names.
    Other(u8),
}

/// What the first bytes of a video body say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoHeader {
    /// Key, inter, command.
    pub frame_type: FrameType,
    /// The codec; `Other(0)` on an enhanced [`VideoPacket::Command`], which names none.
    pub codec: VideoCodec,
    /// What the body is.
    pub packet: VideoPacket,
    /// pts = dts + this, in milliseconds; within -2^23..2^23.
    pub composition_time_offset: i32,
    /// ModEx TimestampOffsetNano: nanoseconds to add to pts, 0..=999 999 by the specification.
    pub nanosecond_offset: u32,
    /// Where the body starts; `body_offset <= body_end <= length of the whole`.
    pub body_offset: usize,
    /// Where the body of this track ends.
    pub body_end: usize,
    /// Whether this is the Enhanced RTMP form.
    pub enhanced: bool,
    /// Track number; 0 is the default track, and the only one outside Multitrack.
    pub track_id: u8,
    /// How several tracks share the whole, if they do.
    pub multitrack: Option<Multitrack>,
    /// The enhanced packet type as sent, which the other tracks of the whole share.
    pub(super) packet_type: u8,
}

impl VideoHeader {
    /// A header to [`encode`](Self::encode): legacy form for codecs that it officially has,
    /// else the enhanced one; composition time offset 0.
    pub fn new(codec: VideoCodec, frame_type: FrameType, packet: VideoPacket) -> Self {
        let enhanced = match codec {
            VideoCodec::Hevc | VideoCodec::Av1 => true,
            _ => codec.legacy_id().is_none(),
        };
        Self {
            frame_type,
            codec,
            packet,
            composition_time_offset: 0,
            nanosecond_offset: 0,
            body_offset: 0,
            body_end: 0,
            enhanced,
            track_id: 0,
            multitrack: None,
            packet_type: 0,
        }
    }

    /// Reads the header at the start of a video body, of the first track if there are several.
    ///
    /// # Errors
    /// [`TagError`] when the body is empty, ends inside the header, or breaks the Multitrack
    /// rules. Unknown codecs and packet types are not errors.
    pub fn parse(body: &[u8]) -> Result<Self, TagError> {
        let mut reader = Reader::new(body);
        let first = reader.u8().map_err(|_| TagError::Empty)?;
        if first & 0x80 == 0 {
            Self::parse_legacy(body, reader, first)
        } else {
            Self::parse_enhanced(body, reader, first)
        }
    }

    fn parse_legacy(body: &[u8], mut reader: Reader<'_>, first: u8) -> Result<Self, TagError> {
        let mut header = Self {
            frame_type: FrameType::from_bits(first >> 4),
            codec: VideoCodec::from_legacy_id(first & 0x0F),
            packet: VideoPacket::Frames,
            composition_time_offset: 0,
            nanosecond_offset: 0,
            body_offset: 0,
            body_end: body.len(),
            enhanced: false,
            track_id: 0,
            multitrack: None,
            packet_type: 0,
        };
        if header.frame_type == FrameType::Command {
            header.packet = VideoPacket::Command(reader.u8()?);
            header.body_offset = body.len();
            return Ok(header);
        }
        if header.codec.has_legacy_packet_type() {
            header.packet = match reader.u8()? {
                0 => VideoPacket::SequenceHeader,
                1 => VideoPacket::Frames,
                // Some encoders leave out the composition time here; there is nothing to read.
                2 => VideoPacket::EndOfSequence,
                other => VideoPacket::Other(other),
            };
            let cts = reader.i24();
            match header.packet {
                VideoPacket::Frames => header.composition_time_offset = cts?,
                VideoPacket::SequenceHeader => drop(cts?),
                _ => {}
            }
        }
        header.body_offset = position(body, &reader);
        Ok(header)
    }

    fn parse_enhanced(body: &[u8], mut reader: Reader<'_>, first: u8) -> Result<Self, TagError> {
        let frame_type = FrameType::from_bits((first >> 4) & 0x07);
        let (packet_type, nanosecond_offset) = enhanced::read_mod_ex(&mut reader, first & 0x0F)?;
        if frame_type == FrameType::Command && packet_type != 4 {
            return Ok(Self {
                frame_type,
                codec: VideoCodec::Other(0),
                packet: VideoPacket::Command(reader.u8()?),
                composition_time_offset: 0,
                nanosecond_offset,
                body_offset: body.len(),
                body_end: body.len(),
                enhanced: true,
                track_id: 0,
                multitrack: None,
                packet_type: 0,
            });
        }
        let preamble = enhanced::read_preamble(&mut reader, packet_type, PACKET_MULTITRACK)?;
        Self::from_preamble(body, reader, frame_type, nanosecond_offset, preamble)
    }

    fn from_preamble(
        body: &[u8],
        reader: Reader<'_>,
        frame_type: FrameType,
        nanosecond_offset: u32,
        preamble: Preamble,
    ) -> Result<Self, TagError> {
        let body_end = enhanced::body_end(body, &reader, &preamble)?;
        let codec = VideoCodec::from_fourcc(preamble.fourcc);
        let packet = match preamble.packet_type {
            0 => VideoPacket::SequenceHeader,
            1 | 3 => VideoPacket::Frames,
            2 => VideoPacket::EndOfSequence,
            4 => VideoPacket::Metadata,
            5 => VideoPacket::Mpeg2TsSequenceHeader,
            other => VideoPacket::Other(other),
        };
        // From here on nothing may reach into the next track.
        let start = position(body, &reader);
        let mut reader = Reader::new(body.get(start..body_end).unwrap_or_default());
        let composition_time_offset = if preamble.packet_type == 1 && codec.has_composition_time() {
            reader.i24()?
        } else {
            0
        };
        Ok(Self {
            frame_type,
            codec,
            packet,
            composition_time_offset,
            nanosecond_offset,
            body_offset: body_end.saturating_sub(reader.remaining()),
            body_end,
            enhanced: true,
            track_id: preamble.track_id,
            multitrack: preamble.multitrack,
            packet_type: preamble.packet_type,
        })
    }

    /// Reads the header of track 0, the one for peers that can take only one: that of the
    /// whole, unless there are several tracks in it. `None` when it is not among these.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_default(body: &[u8]) -> Result<Option<Self>, TagError> {
        let mut header = Self::parse(body)?;
        while header.track_id != 0 {
            match header.next_track(body)? {
                Some(next) => header = next,
                None => return Ok(None),
            }
        }
        Ok(Some(header))
    }

    /// The header of the track behind this one in the same whole, or `None` when this was
    /// the last. `body` is what this header was read from.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn next_track(&self, body: &[u8]) -> Result<Option<Self>, TagError> {
        let (Some(multitrack), Some(fourcc)) = (self.multitrack, self.codec.fourcc()) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body.get(self.body_end..).unwrap_or_default());
        if reader.is_empty() || multitrack == Multitrack::OneTrack {
            return Ok(None);
        }
        let preamble = enhanced::read_track(&mut reader, self.packet_type, multitrack, fourcc)?;
        Self::from_preamble(
            body,
            reader,
            self.frame_type,
            self.nanosecond_offset,
            preamble,
        )
        .map(Some)
    }

    /// Whether a decoder can start here. Sequence headers are not keyframes.
    pub fn is_keyframe(&self) -> bool {
        self.packet == VideoPacket::Frames
            && matches!(self.frame_type, FrameType::Key | FrameType::GeneratedKey)
    }

    /// Whether this is a decoder configuration.
    pub fn is_sequence_header(&self) -> bool {
        matches!(
            self.packet,
            VideoPacket::SequenceHeader | VideoPacket::Mpeg2TsSequenceHeader
        )
    }

    /// The body of this track, given what the header was read from.
    pub fn payload<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.body_offset..self.body_end)
            .unwrap_or_default()
    }

    /// Appends the header to `out`; the payload is to follow. The rewrite between legacy and
    /// enhanced form is: parse, set `enhanced`, encode, append the old payload.
    ///
    /// Multitrack fields and the nanosecond offset are not written: what is encoded is a plain
    /// body of track 0. A codec that lacks the form asked for is written in the other one.
    /// Offsets outside 24 bits are clamped. Frames are written as CodedFrames, with an offset
    /// of 0 where there was none (CodedFramesX).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let legacy = self.codec.legacy_id();
        let fourcc = self.codec.fourcc();
        let cts = self.composition_time_offset.clamp(-0x80_0000, 0x7F_FFFF);
        match (legacy, fourcc) {
            // It names no codec.
            _ if self.enhanced && matches!(self.packet, VideoPacket::Command(_)) => {
                self.encode_enhanced(out, [0; 4], cts);
            }
            (Some(_), Some(fourcc)) if self.enhanced => self.encode_enhanced(out, fourcc, cts),
            (None, Some(fourcc)) => self.encode_enhanced(out, fourcc, cts),
            (Some(id), _) => self.encode_legacy(out, id, cts),
            // Every codec has at least one of the two names.
            (None, None) => {}
        }
    }

    fn encode_legacy(&self, out: &mut Vec<u8>, id: u8, cts: i32) {
        out.put_u8((self.frame_type.bits() << 4) | id);
        if let VideoPacket::Command(command) = self.packet {
            out.put_u8(command);
        } else if self.codec.has_legacy_packet_type() {
            out.put_u8(match self.packet {
                VideoPacket::SequenceHeader | VideoPacket::Mpeg2TsSequenceHeader => 0,
                VideoPacket::EndOfSequence => 2,
                VideoPacket::Other(packet_type) => packet_type,
                _ => 1,
            });
            out.put_i24(cts);
        }
    }

    fn encode_enhanced(&self, out: &mut Vec<u8>, fourcc: FourCc, cts: i32) {
        let packet_type = match self.packet {
            VideoPacket::SequenceHeader | VideoPacket::Command(_) => 0,
            VideoPacket::Frames => 1,
            VideoPacket::EndOfSequence => 2,
            VideoPacket::Metadata => 4,
            VideoPacket::Mpeg2TsSequenceHeader => 5,
            VideoPacket::Other(packet_type) => packet_type & 0x0F,
        };
        out.put_u8(0x80 | ((self.frame_type.bits() & 0x07) << 4) | packet_type);
        if let VideoPacket::Command(command) = self.packet {
            out.put_u8(command);
            return;
        }
        out.extend_from_slice(&fourcc);
        if packet_type == 1 && self.codec.has_composition_time() {
            out.put_i24(cts);
        }
    }

    /// The header and `payload` as one body.
    pub fn to_body(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(VIDEO_HEADER_SIZE_MAX + payload.len());
        self.encode(&mut out);
        out.extend_from_slice(payload);
        out
    }
}

/// Longest header that [`VideoHeader::encode`] writes: byte 0, FourCC, composition time offset.
pub const VIDEO_HEADER_SIZE_MAX: usize = 8;

/// How HEVC is labelled. AVC and the rest have one form that everybody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HevcForm {
    /// Enhanced RTMP, FourCC `hvc1`.
    #[default]
    Enhanced,
    /// Codec id 12, for peers that know only that.
    CodecId12,
}

fn frame(codec: VideoCodec, is_keyframe: bool, cts: i32) -> VideoHeader {
    let frame_type = if is_keyframe {
        FrameType::Key
    } else {
        FrameType::Inter
    };
    VideoHeader {
        composition_time_offset: cts,
        ..VideoHeader::new(codec, frame_type, VideoPacket::Frames)
    }
}

fn hevc(header: VideoHeader, form: HevcForm, payload: &[u8]) -> Vec<u8> {
    let enhanced = form == HevcForm::Enhanced;
    VideoHeader { enhanced, ..header }.to_body(payload)
}

/// A legacy AVC sequence header: `17 00 00 00 00` and the avcC record.
pub fn avc_sequence_header(avcc: &[u8]) -> Vec<u8> {
    VideoHeader::new(VideoCodec::Avc, FrameType::Key, VideoPacket::SequenceHeader).to_body(avcc)
}

/// A legacy AVC frame. `cts` in milliseconds; `nalus` with the length prefixes that the avcC
/// record announced.
pub fn avc_frame(is_keyframe: bool, cts: i32, nalus: &[u8]) -> Vec<u8> {
    frame(VideoCodec::Avc, is_keyframe, cts).to_body(nalus)
}

/// A legacy AVC end of sequence: `17 02 00 00 00`.
pub fn avc_end_of_sequence() -> Vec<u8> {
    VideoHeader::new(VideoCodec::Avc, FrameType::Key, VideoPacket::EndOfSequence).to_body(&[])
}

/// An HEVC sequence header around an hvcC record.
pub fn hevc_sequence_header(hvcc: &[u8], form: HevcForm) -> Vec<u8> {
    let header = VideoHeader::new(
        VideoCodec::Hevc,
        FrameType::Key,
        VideoPacket::SequenceHeader,
    );
    hevc(header, form, hvcc)
}

/// An HEVC frame. `cts` in milliseconds; `nalus` with the length prefixes that the hvcC record
/// announced.
pub fn hevc_frame(is_keyframe: bool, cts: i32, nalus: &[u8], form: HevcForm) -> Vec<u8> {
    hevc(frame(VideoCodec::Hevc, is_keyframe, cts), form, nalus)
}

/// An HEVC end of sequence.
pub fn hevc_end_of_sequence(form: HevcForm) -> Vec<u8> {
    let header = VideoHeader::new(VideoCodec::Hevc, FrameType::Key, VideoPacket::EndOfSequence);
    hevc(header, form, &[])
}

/// A sequence header of any codec, in the form that [`VideoHeader::new`] picks.
pub fn video_sequence_header(codec: VideoCodec, record: &[u8]) -> Vec<u8> {
    VideoHeader::new(codec, FrameType::Key, VideoPacket::SequenceHeader).to_body(record)
}

/// A frame of any codec, in the form that [`VideoHeader::new`] picks.
pub fn video_frame(codec: VideoCodec, is_keyframe: bool, cts: i32, payload: &[u8]) -> Vec<u8> {
    frame(codec, is_keyframe, cts).to_body(payload)
}

#[cfg(test)]
mod tests;
