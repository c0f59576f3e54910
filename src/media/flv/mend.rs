//! What publishers do wrong inside audio and video bodies, put right once, on the way in.
//!
//! Cameras and encoders in the field label HEVC as H.264, put start codes where lengths belong,
//! leave empty NAL units, send no sequence header or an empty one, and leave ADTS headers before
//! raw AAC. Players differ in which of these they survive. [`Mender`] makes of each body one that
//! follows ISO/IEC 14496-15 and Adobe FLV 10.1, and says what it did. What is right stays as it
//! is, byte for byte. Which label a player can read is the business of `form.rs`, after this.

mod config;
mod fault;

use std::borrow::Cow;

use crate::media::codec::aac::{AdtsHeader, strip_adts};
use crate::media::codec::avc::{self, AvcConfig};
use crate::media::codec::hevc::{self, HevcConfig, is_hevc_record};
use crate::media::codec::nal;

use config::VideoConfig;

pub use fault::{Fault, Faults};

use super::{
    AudioCodec, AudioHeader, AudioPacket, FrameType, TagError, TagKind, VideoCodec, VideoHeader,
    VideoPacket,
};

/// Bytes of length before each NAL unit, until a sequence header says it: what everybody uses.
const LENGTH_SIZE_DEFAULT: u8 = 4;

/// What became of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended<'a> {
    /// A sequence header that the publisher did not send, to go before the body.
    pub header: Option<Vec<u8>>,
    /// The body, borrowed when nothing was wrong with it; `None` when there is nothing in it.
    pub body: Option<Cow<'a, [u8]>>,
    /// What was wrong.
    pub faults: Faults,
}

impl<'a> Mended<'a> {
    fn as_sent(body: &'a [u8]) -> Self {
        Self {
            header: None,
            body: Some(Cow::Borrowed(body)),
            faults: Faults::default(),
        }
    }

    fn left_out(fault: Fault) -> Self {
        let mut faults = Faults::default();
        faults.add(fault);
        Self {
            header: None,
            body: None,
            faults,
        }
    }
}

/// Puts right the bodies of one publisher, in the order in which they come.
///
/// Costs a walk along the lengths of a frame's NAL units; keeps the parameter sets of the last
/// sequence header. Bodies with several tracks, and codecs other than H.264, HEVC and AAC, are
/// never touched.
#[derive(Debug, Clone, Default)]
pub struct Mender {
    /// What the last video sequence header said, sent or made.
    video: Option<VideoConfig>,
    /// It was one of HEVC under the name of H.264, and so are the frames behind it.
    is_mislabelled: bool,
    has_aac_header: bool,
}

impl Mender {
    /// For a publisher that has sent nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next body. Script data stays as it is.
    pub fn mend<'a>(&mut self, body: &'a [u8], kind: TagKind) -> Mended<'a> {
        match kind {
            TagKind::Video => self.video(body),
            TagKind::Audio => self.audio(body),
            TagKind::Script => Mended::as_sent(body),
        }
    }

    fn video<'a>(&mut self, body: &'a [u8]) -> Mended<'a> {
        let mut header = match VideoHeader::parse(body) {
            Ok(header) => header,
            Err(fault) => return unreadable(body, fault),
        };
        let is_ours = matches!(header.codec, VideoCodec::Avc | VideoCodec::Hevc);
        if !is_ours || header.multitrack.is_some() {
            return Mended::as_sent(body);
        }
        match header.packet {
            VideoPacket::SequenceHeader => self.video_header(header, body),
            VideoPacket::Frames => self.video_frame(header, body),
            VideoPacket::EndOfSequence
                if self.is_mislabelled && header.codec == VideoCodec::Avc =>
            {
                let mut faults = Faults::default();
                put_right(&mut header, VideoCodec::Hevc, &mut faults);
                Mended {
                    header: None,
                    body: Some(Cow::Owned(header.to_body(header.payload(body)))),
                    faults,
                }
            }
            _ => Mended::as_sent(body),
        }
    }

    fn video_header<'a>(&mut self, mut header: VideoHeader, body: &'a [u8]) -> Mended<'a> {
        let payload = header.payload(body);
        if payload.is_empty() {
            return Mended::left_out(Fault::EmptyHeader);
        }
        let mut faults = Faults::default();
        let mut record = Cow::Borrowed(payload);
        if starts_with_start_code(payload) {
            let units = nal::with_lengths(payload, LENGTH_SIZE_DEFAULT, LENGTH_SIZE_DEFAULT);
            let codec = codec_of_frame(header.codec, &units, LENGTH_SIZE_DEFAULT);
            let made = VideoConfig::from_frame(codec, &units, LENGTH_SIZE_DEFAULT);
            if let Some(made) = made {
                faults.add(Fault::AnnexBHeader);
                record = Cow::Owned(made.record);
            }
        }
        let is_hevc = header.codec == VideoCodec::Hevc || is_hevc_record(&record);
        let codec = match is_hevc {
            true => VideoCodec::Hevc,
            false => VideoCodec::Avc,
        };
        let Some(config) = VideoConfig::parse(codec, &record) else {
            // For somebody who can make sense of it; what was known stays in force.
            return Mended::as_sent(body);
        };
        self.video = Some(config);
        self.is_mislabelled = codec != header.codec;
        put_right(&mut header, codec, &mut faults);
        Mended {
            header: None,
            body: Some(match faults.is_empty() {
                true => Cow::Borrowed(body),
                false => Cow::Owned(header.to_body(&record)),
            }),
            faults,
        }
    }

    fn video_frame<'a>(&mut self, mut header: VideoHeader, body: &'a [u8]) -> Mended<'a> {
        let payload = header.payload(body);
        let mut faults = Faults::default();
        let length_size = self
            .video
            .as_ref()
            .map_or(LENGTH_SIZE_DEFAULT, |config| config.length_size);
        let Some(frame) = clean_units(payload, length_size, &mut faults) else {
            return Mended::left_out(Fault::EmptyFrame);
        };
        let codec = match (&self.video, header.codec) {
            _ if self.is_mislabelled => VideoCodec::Hevc,
            (None, codec) => codec_of_frame(codec, &frame, length_size),
            (Some(_), codec) => codec,
        };
        self.is_mislabelled = codec != header.codec;
        put_right(&mut header, codec, &mut faults);
        let header_made = self.header_of_frame(&header, &frame, length_size, &mut faults);
        let is_relabelled = faults.contains(Fault::HevcLabelledAvc);
        let body = match frame {
            _ if is_relabelled => Cow::Owned(header.to_body(&frame)),
            Cow::Borrowed(_) => Cow::Borrowed(body),
            // The first bytes stay, ModEx and all.
            Cow::Owned(frame) => {
                let head = body.get(..header.body_offset).unwrap_or_default();
                Cow::Owned([head, &frame].concat())
            }
        };
        Mended {
            header: header_made,
            body: Some(body),
            faults,
        }
    }

    /// A sequence header made of the parameter sets in a frame, where it takes one.
    fn header_of_frame(
        &mut self,
        header: &VideoHeader,
        frame: &[u8],
        length_size: u8,
        faults: &mut Faults,
    ) -> Option<Vec<u8>> {
        if self.video.is_some() && !header.is_keyframe() {
            return None;
        }
        let sps = first_sps(header.codec, frame, length_size)?;
        let fault = match &self.video {
            Some(config) if !config.is_made && config.sps.iter().any(|known| known == sps) => {
                return None;
            }
            Some(_) => Fault::HeaderOutdated,
            None => Fault::HeaderMissing,
        };
        let made = VideoConfig::from_frame(header.codec, frame, length_size)?;
        if let Some(config) = &self.video {
            let is_same = match config.is_made {
                true => config.record == made.record,
                // Encoders that say the same in other words, such as without the VUI, go on
                // with their own header. Another size is another picture.
                false => config.codec == made.codec && config.size == made.size,
            };
            if is_same || made.size.is_none() {
                return None;
            }
        }
        faults.add(fault);
        let header = VideoHeader {
            enhanced: header.enhanced,
            ..VideoHeader::new(header.codec, FrameType::Key, VideoPacket::SequenceHeader)
        };
        let body = header.to_body(&made.record);
        self.video = Some(made);
        Some(body)
    }

    fn audio<'a>(&mut self, body: &'a [u8]) -> Mended<'a> {
        let header = match AudioHeader::parse(body) {
            Ok(header) => header,
            Err(fault) => return unreadable(body, fault),
        };
        if header.codec != AudioCodec::Aac || header.multitrack.is_some() {
            return Mended::as_sent(body);
        }
        let payload = header.payload(body);
        match header.packet {
            AudioPacket::SequenceHeader if payload.is_empty() => {
                Mended::left_out(Fault::EmptyHeader)
            }
            AudioPacket::SequenceHeader => {
                self.has_aac_header = true;
                Mended::as_sent(body)
            }
            AudioPacket::Frames if payload.is_empty() => Mended::left_out(Fault::EmptyFrame),
            AudioPacket::Frames => self.aac_frame(&header, body),
            _ => Mended::as_sent(body),
        }
    }

    fn aac_frame<'a>(&mut self, header: &AudioHeader, body: &'a [u8]) -> Mended<'a> {
        let payload = header.payload(body);
        let raw = strip_adts(payload);
        if raw.len() == payload.len() {
            return match self.has_aac_header {
                true => Mended::as_sent(body),
                false => Mended::left_out(Fault::AacTooEarly),
            };
        }
        if raw.is_empty() {
            return Mended::left_out(Fault::EmptyFrame);
        }
        let mut faults = Faults::default();
        faults.add(Fault::Adts);
        let mut made = None;
        if !self.has_aac_header
            && let Ok(adts) = AdtsHeader::parse(payload)
            && let Ok(config) = adts.config().encode()
        {
            self.has_aac_header = true;
            faults.add(Fault::AacHeaderMissing);
            let packet = AudioPacket::SequenceHeader;
            let label = AudioHeader {
                enhanced: header.enhanced,
                ..AudioHeader::new(AudioCodec::Aac, packet)
            };
            made = Some(label.to_body(&config));
        }
        let head = body.get(..header.body_offset).unwrap_or_default();
        Mended {
            header: made,
            body: Some(Cow::Owned([head, raw].concat())),
            faults,
        }
    }
}

/// What ends inside its header is of use to nobody; other things we may just not know.
fn unreadable(body: &[u8], fault: TagError) -> Mended<'_> {
    match fault {
        TagError::Empty => Mended::left_out(Fault::EmptyFrame),
        TagError::Truncated(_) => Mended::left_out(Fault::CutShort),
        TagError::MultitrackType(_) | TagError::NestedPacketType(_) => Mended::as_sent(body),
    }
}

/// Gives a header the codec that it really is of, under the name that is right for it.
fn put_right(header: &mut VideoHeader, codec: VideoCodec, faults: &mut Faults) {
    if header.codec != codec {
        header.codec = codec;
        header.enhanced = true;
        faults.add(Fault::HevcLabelledAvc);
    }
}

fn starts_with_start_code(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0, 1]) || bytes.starts_with(&[0, 0, 0, 1])
}

/// A frame with a length before each NAL unit and no unit empty; `None` when nothing is left.
fn clean_units<'a>(frame: &'a [u8], length_size: u8, faults: &mut Faults) -> Option<Cow<'a, [u8]>> {
    let mut cleaned = nal::with_lengths(frame, length_size, length_size);
    if let Cow::Owned(_) = cleaned {
        faults.add(Fault::AnnexB);
    } else if has_empty_units(frame, length_size) {
        faults.add(Fault::EmptyNalUnit);
        let mut kept = Vec::with_capacity(frame.len());
        for unit in nal::length_prefixed(frame, length_size) {
            nal::put_nal_unit(&mut kept, unit, length_size);
        }
        cleaned = Cow::Owned(kept);
    }
    (!cleaned.is_empty()).then_some(cleaned)
}

/// Whether there are empty units in a frame whose lengths add up; with others nothing is safe.
fn has_empty_units(frame: &[u8], length_size: u8) -> bool {
    let kept: usize = nal::length_prefixed(frame, length_size)
        .map(|unit| unit.len() + usize::from(length_size))
        .sum();
    kept < frame.len() && nal::is_length_prefixed(frame, length_size)
}

/// The codec of a frame that is said to be of H.264 or HEVC, by the parameter sets in it. Only
/// HEVC has three kinds of them, and they make no sense as H.264.
fn codec_of_frame(said: VideoCodec, frame: &[u8], length_size: u8) -> VideoCodec {
    let is_hevc = said == VideoCodec::Avc
        && AvcConfig::from_frame(frame, length_size).is_none()
        && HevcConfig::from_frame(frame, length_size).is_some();
    match is_hevc {
        true => VideoCodec::Hevc,
        false => said,
    }
}

fn first_sps(codec: VideoCodec, frame: &[u8], length_size: u8) -> Option<&[u8]> {
    nal::length_prefixed(frame, length_size).find(|unit| match codec {
        VideoCodec::Avc => avc::nal_type(unit) == avc::NAL_SPS,
        _ => hevc::nal_type(unit) == hevc::NAL_SPS,
    })
}

#[cfg(test)]
mod tests;
