//! The first bytes of an audio body: codec, packet type, format bits.
//!
//! Both forms are read into one [`AudioHeader`] and written from it: the legacy one (Adobe FLV
//! 10.1 §E.4.2) and the Enhanced RTMP v2 one (ExAudioTagHeader), which is sound format 9.
//!
//! ```text
//! legacy      FFFF RR S C          F format, R rate, S 16-bit samples, C stereo
//!             [packet type u8]     AAC only
//! enhanced    1001 PPPP            P packet type
//!             [ModEx and Multitrack, see enhanced.rs][FourCC]
//! ```

use crate::wire::{PutBytes, Reader};

use super::enhanced::{self, FourCc, Multitrack, Preamble};
use super::tag::{TagError, position};

/// Enhanced RTMP number of a packet with several tracks in it; video uses 6.
const PACKET_MULTITRACK: u8 = 5;

/// Sound format that marks the enhanced form.
const FORMAT_ENHANCED: u8 = 9;

/// The audio codecs that FLV and Enhanced RTMP name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// Format 0: PCM in the sender's byte order.
    PcmNative,
    /// Format 1.
    Adpcm,
    /// Format 2, FourCC `.mp3`.
    Mp3,
    /// Format 3: PCM, least significant byte first.
    PcmLe,
    /// Format 4.
    Nellymoser16k,
    /// Format 5.
    Nellymoser8k,
    /// Format 6.
    Nellymoser,
    /// Format 7. Cameras send any rate bits: take 8000 Hz mono unless metadata says otherwise.
    G711Alaw,
    /// Format 8; see [`G711Alaw`](Self::G711Alaw).
    G711Ulaw,
    /// Format 10, FourCC `mp4a`.
    Aac,
    /// Format 11.
    Speex,
    /// FourCC `Opus`, and format 13: unofficial (SRS, ZLMediaKit, lal).
    Opus,
    /// Format 14.
    Mp3At8k,
    /// Format 15.
    DeviceSpecific,
    /// FourCC `fLaC`.
    Flac,
    /// FourCC `ac-3`.
    Ac3,
    /// FourCC `ec-3`.
    Eac3,
    /// Format 12, which nothing names.
    Other(u8),
    /// Any other FourCC.
    FourCc(FourCc),
}

impl AudioCodec {
    /// The codec that a legacy sound format names.
    pub fn from_legacy_format(format: u8) -> Self {
        match format {
            0 => Self::PcmNative,
            1 => Self::Adpcm,
            2 => Self::Mp3,
            3 => Self::PcmLe,
            4 => Self::Nellymoser16k,
            5 => Self::Nellymoser8k,
            6 => Self::Nellymoser,
            7 => Self::G711Alaw,
            8 => Self::G711Ulaw,
            10 => Self::Aac,
            11 => Self::Speex,
            13 => Self::Opus,
            14 => Self::Mp3At8k,
            15 => Self::DeviceSpecific,
            other => Self::Other(other),
        }
    }

    /// The codec that a FourCC names.
    pub fn from_fourcc(fourcc: FourCc) -> Self {
        match &fourcc {
            b".mp3" => Self::Mp3,
            b"mp4a" => Self::Aac,
            b"Opus" => Self::Opus,
            b"fLaC" => Self::Flac,
            b"ac-3" => Self::Ac3,
            b"ec-3" => Self::Eac3,
            _ => Self::FourCc(fourcc),
        }
    }

    /// The sound format of the legacy form, official or not; `None` for codecs that only the
    /// enhanced form can name.
    pub fn legacy_format(self) -> Option<u8> {
        Some(match self {
            Self::PcmNative => 0,
            Self::Adpcm => 1,
            Self::Mp3 => 2,
            Self::PcmLe => 3,
            Self::Nellymoser16k => 4,
            Self::Nellymoser8k => 5,
            Self::Nellymoser => 6,
            Self::G711Alaw => 7,
            Self::G711Ulaw => 8,
            Self::Aac => 10,
            Self::Speex => 11,
            Self::Opus => 13,
            Self::Mp3At8k => 14,
            Self::DeviceSpecific => 15,
            Self::Other(format) => format & 0x0F,
            Self::Flac | Self::Ac3 | Self::Eac3 | Self::FourCc(_) => return None,
        })
    }

    /// The FourCC of the enhanced form; `None` for codecs that only the legacy form can name.
    pub fn fourcc(self) -> Option<FourCc> {
        Some(match self {
            Self::Mp3 => *b".mp3",
            Self::Aac => *b"mp4a",
            Self::Opus => *b"Opus",
            Self::Flac => *b"fLaC",
            Self::Ac3 => *b"ac-3",
            Self::Eac3 => *b"ec-3",
            Self::FourCc(fourcc) => fourcc,
            _ => return None,
        })
    }
}

/// What the body behind the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioPacket {
    /// The decoder configuration: AudioSpecificConfig, Opus ID header, `fLaC` and STREAMINFO.
    SequenceHeader,
    /// Coded audio.
    Frames,
    /// No body.
    EndOfSequence,
    /// Channel order and count.
    MultichannelConfig,
    /// A packet type that no specification names.
    Other(u8),
}

/// What the first bytes of an audio body say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioHeader {
    /// The codec.
    pub codec: AudioCodec,
    /// What the body is.
    pub packet: AudioPacket,
    /// The low four bits of a legacy byte 0 as sent: rate, sample size, channels. They mean
    /// nothing for AAC, where `F` is the custom, and do not exist in the enhanced form.
    pub format_bits: u8,
    /// ModEx TimestampOffsetNano: nanoseconds to add to pts.
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

impl AudioHeader {
    /// A header to [`encode`](Self::encode): legacy form for codecs that it officially has,
    /// else the enhanced one; format bits `F` (44 kHz, 16 bits, stereo).
    pub fn new(codec: AudioCodec, packet: AudioPacket) -> Self {
        Self {
            codec,
            packet,
            format_bits: 0x0F,
            nanosecond_offset: 0,
            body_offset: 0,
            body_end: 0,
            enhanced: codec == AudioCodec::Opus || codec.legacy_format().is_none(),
            track_id: 0,
            multitrack: None,
            packet_type: 0,
        }
    }

    /// Reads the header at the start of an audio body, of the first track if there are several.
    ///
    /// # Errors
    /// [`TagError`] when the body is empty (which means silence), ends inside the header, or
    /// breaks the Multitrack rules. Unknown codecs and packet types are not errors.
    pub fn parse(body: &[u8]) -> Result<Self, TagError> {
        let mut reader = Reader::new(body);
        let first = reader.u8().map_err(|_| TagError::Empty)?;
        if first >> 4 == FORMAT_ENHANCED {
            let (packet_type, nanoseconds) = enhanced::read_mod_ex(&mut reader, first & 0x0F)?;
            let preamble = enhanced::read_preamble(&mut reader, packet_type, PACKET_MULTITRACK)?;
            return Self::from_preamble(body, reader, nanoseconds, preamble);
        }
        let codec = AudioCodec::from_legacy_format(first >> 4);
        let packet = match codec {
            AudioCodec::Aac => match reader.u8()? {
                0 => AudioPacket::SequenceHeader,
                1 => AudioPacket::Frames,
                other => AudioPacket::Other(other),
            },
            _ => AudioPacket::Frames,
        };
        Ok(Self {
            codec,
            packet,
            format_bits: first & 0x0F,
            nanosecond_offset: 0,
            body_offset: position(body, &reader),
            body_end: body.len(),
            enhanced: false,
            track_id: 0,
            multitrack: None,
            packet_type: 0,
        })
    }

    fn from_preamble(
        body: &[u8],
        reader: Reader<'_>,
        nanosecond_offset: u32,
        preamble: Preamble,
    ) -> Result<Self, TagError> {
        Ok(Self {
            codec: AudioCodec::from_fourcc(preamble.fourcc),
            packet: match preamble.packet_type {
                0 => AudioPacket::SequenceHeader,
                1 => AudioPacket::Frames,
                2 => AudioPacket::EndOfSequence,
                4 => AudioPacket::MultichannelConfig,
                other => AudioPacket::Other(other),
            },
            format_bits: 0,
            nanosecond_offset,
            body_offset: position(body, &reader),
            body_end: enhanced::body_end(body, &reader, &preamble)?,
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
        Self::from_preamble(body, reader, self.nanosecond_offset, preamble).map(Some)
    }

    /// Whether this is a decoder configuration.
    pub fn is_sequence_header(&self) -> bool {
        self.packet == AudioPacket::SequenceHeader
    }

    /// Sampling rate in Hz by the legacy rate bits, corrected for the formats that ignore
    /// them; `None` in the enhanced form and for AAC and Opus, which say it elsewhere.
    pub fn sample_rate(&self) -> Option<u32> {
        if self.enhanced {
            return None;
        }
        match self.codec {
            AudioCodec::Aac | AudioCodec::Opus | AudioCodec::Other(_) => None,
            AudioCodec::G711Alaw
            | AudioCodec::G711Ulaw
            | AudioCodec::Nellymoser8k
            | AudioCodec::Mp3At8k => Some(8_000),
            AudioCodec::Nellymoser16k | AudioCodec::Speex => Some(16_000),
            _ => Some(match self.format_bits >> 2 {
                0 => 5_500,
                1 => 11_025,
                2 => 22_050,
                _ => 44_100,
            }),
        }
    }

    /// Channel count by the legacy stereo bit, corrected for the formats that ignore it; `None`
    /// as in [`sample_rate`](Self::sample_rate).
    pub fn channels(&self) -> Option<u8> {
        self.sample_rate()?;
        Some(match self.codec {
            AudioCodec::G711Alaw
            | AudioCodec::G711Ulaw
            | AudioCodec::Nellymoser8k
            | AudioCodec::Nellymoser16k
            | AudioCodec::Speex => 1,
            _ => 1 + (self.format_bits & 1),
        })
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
    pub fn encode(&self, out: &mut Vec<u8>) {
        match (self.codec.legacy_format(), self.codec.fourcc()) {
            (Some(_), Some(fourcc)) if self.enhanced => self.encode_enhanced(out, fourcc),
            (None, Some(fourcc)) => self.encode_enhanced(out, fourcc),
            (Some(format), _) => {
                out.put_u8((format << 4) | (self.format_bits & 0x0F));
                if self.codec == AudioCodec::Aac {
                    out.put_u8(match self.packet {
                        AudioPacket::SequenceHeader => 0,
                        AudioPacket::Other(packet_type) => packet_type,
                        _ => 1,
                    });
                }
            }
            // Every codec has at least one of the two names.
            (None, None) => {}
        }
    }

    fn encode_enhanced(&self, out: &mut Vec<u8>, fourcc: FourCc) {
        out.put_u8(
            (FORMAT_ENHANCED << 4)
                | match self.packet {
                    AudioPacket::SequenceHeader => 0,
                    AudioPacket::Frames => 1,
                    AudioPacket::EndOfSequence => 2,
                    AudioPacket::MultichannelConfig => 4,
                    AudioPacket::Other(packet_type) => packet_type & 0x0F,
                },
        );
        out.extend_from_slice(&fourcc);
    }

    /// The header and `payload` as one body.
    pub fn to_body(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(AUDIO_HEADER_SIZE_MAX + payload.len());
        self.encode(&mut out);
        out.extend_from_slice(payload);
        out
    }
}

/// Longest header that [`AudioHeader::encode`] writes: byte 0 and FourCC.
pub const AUDIO_HEADER_SIZE_MAX: usize = 5;

/// A legacy AAC sequence header: `AF 00` and the AudioSpecificConfig.
pub fn aac_sequence_header(asc: &[u8]) -> Vec<u8> {
    AudioHeader::new(AudioCodec::Aac, AudioPacket::SequenceHeader).to_body(asc)
}

/// A legacy AAC frame: `AF 01` and one raw access unit, without an ADTS header.
pub fn aac_frame(raw: &[u8]) -> Vec<u8> {
    AudioHeader::new(AudioCodec::Aac, AudioPacket::Frames).to_body(raw)
}

/// A sequence header of any codec, in the form that [`AudioHeader::new`] picks.
pub fn audio_sequence_header(codec: AudioCodec, config: &[u8]) -> Vec<u8> {
    AudioHeader::new(codec, AudioPacket::SequenceHeader).to_body(config)
}

/// A frame of any codec, in the form that [`AudioHeader::new`] picks.
pub fn audio_frame(codec: AudioCodec, payload: &[u8]) -> Vec<u8> {
    AudioHeader::new(codec, AudioPacket::Frames).to_body(payload)
}

#[cfg(test)]
mod tests;
