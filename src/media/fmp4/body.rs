//! From the bodies of audio and video tags to samples: which track and codec a body is of, and
//! its frame as MP4 wants it. Files and live streams share it.

use std::borrow::Cow;

use super::init::TrackInit;
use super::note::{Note, Notes};
use crate::media::codec::aac::strip_adts;
use crate::media::codec::av1::{Av1Config, SequenceHeader};
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::{HevcConfig, is_hevc_record};
use crate::media::codec::nal::{put_nal_unit, with_lengths};
use crate::media::codec::vp9::{self, Vp9Config};
use crate::media::flv::{
    AudioCodec, AudioHeader, AudioPacket, TagKind, VideoCodec, VideoHeader, VideoPacket,
};

/// Reads the bodies of one stream: of several tracks the first.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    /// Whether the last record that was labelled AVC was one of HEVC: its frames are, too.
    is_avc_hevc: bool,
}

impl Bodies {
    /// The header of track 0 of a video body, with the codec that it really is, and what is
    /// behind it.
    pub(super) fn video<'a>(
        &mut self,
        body: &'a [u8],
        notes: &mut Notes,
    ) -> Option<(VideoHeader, &'a [u8])> {
        let mut header = VideoHeader::parse(body).ok()?;
        while header.track_id != 0 {
            notes.add(Note::TrackLeftOut(TagKind::Video));
            header = header.next_track(body).ok()??;
        }
        let payload = header.payload(body);
        if header.codec == VideoCodec::Avc {
            if header.packet == VideoPacket::SequenceHeader {
                let is_hevc = is_hevc_record(payload);
                if is_hevc || AvcConfig::parse(payload).is_ok() {
                    self.is_avc_hevc = is_hevc;
                }
            }
            if self.is_avc_hevc {
                header.codec = VideoCodec::Hevc;
            }
        }
        Some((header, payload))
    }
}

/// The header of track 0 of an audio body, and what is behind it.
pub(super) fn audio<'a>(body: &'a [u8], notes: &mut Notes) -> Option<(AudioHeader, &'a [u8])> {
    let mut header = AudioHeader::parse(body).ok()?;
    while header.track_id != 0 {
        notes.add(Note::TrackLeftOut(TagKind::Audio));
        header = header.next_track(body).ok()??;
    }
    Some((header, header.payload(body)))
}

/// Sets the picture's size by a video body, if `init` awaits it and the body is a keyframe.
pub(super) fn size_by_keyframe(init: &mut TrackInit, body: &[u8]) {
    if !init.awaits_size() {
        return;
    }
    let Ok(Some(header)) = VideoHeader::parse_default(body) else {
        return;
    };
    if !header.is_keyframe() {
        return;
    }
    let frame = header.payload(body);
    let size = match header.codec {
        VideoCodec::Vp9 => vp9::keyframe_size(frame).ok(),
        VideoCodec::Av1 => SequenceHeader::of_unit(frame).map(|found| (found.width, found.height)),
        _ => None,
    };
    if let Some(size) = size {
        init.set_size(size);
    }
}

/// The audio track that a body speaks of, when a frame is all there is to know it by.
pub(super) fn audio_by_frame(body: &[u8]) -> Option<TrackInit> {
    let header = AudioHeader::parse_default(body).ok()??;
    if header.packet != AudioPacket::Frames {
        return None;
    }
    TrackInit::audio_of_frame(header.codec, header.payload(body))
}

/// Whether a sequence header is of a codec that has none, or is empty where it may be.
pub(super) fn says_nothing(codec: AudioCodec, header: &[u8]) -> bool {
    match codec {
        AudioCodec::Mp3 | AudioCodec::Ac3 | AudioCodec::Eac3 => true,
        AudioCodec::Opus => header.is_empty(),
        _ => false,
    }
}

/// The sample of a video frame; empty if nothing of it can be kept.
///
/// `length_size` is the one that the track has; `changed` a configuration that is not in its
/// sample entry, and goes in front of keyframes.
pub(super) fn video_sample(
    codec: VideoCodec,
    frame: &[u8],
    is_sync: bool,
    length_size: u8,
    changed: Option<&InBand>,
) -> Vec<u8> {
    let frame = match codec {
        VideoCodec::Avc | VideoCodec::Hevc => {
            let length_size_in = changed.map_or(length_size, |config| config.length_size);
            with_lengths(frame, length_size_in, length_size)
        }
        VideoCodec::Av1 => Cow::Borrowed(without_delimiter(frame)),
        _ => Cow::Borrowed(frame),
    };
    match changed {
        Some(config) if is_sync && !frame.is_empty() => {
            [config.parameter_sets.as_slice(), &frame].concat()
        }
        _ => frame.into_owned(),
    }
}

/// The sample of an audio frame.
pub(super) fn audio_sample(codec: AudioCodec, frame: &[u8]) -> &[u8] {
    match codec {
        AudioCodec::Aac => strip_adts(frame),
        _ => frame,
    }
}

/// A temporal unit without the delimiter that a byte stream begins it with: in MP4 the sample
/// does that ("AV1 Codec ISO Media File Format Binding" §2.4).
fn without_delimiter(unit: &[u8]) -> &[u8] {
    unit.strip_prefix(&[0x12, 0]).unwrap_or(unit)
}

/// A decoder configuration as it goes into the samples.
#[derive(Debug)]
pub(super) struct InBand {
    /// To be put before each keyframe, behind lengths as the track has them.
    parameter_sets: Vec<u8>,
    /// Bytes of length before each NAL unit of the frames that come in.
    length_size: u8,
}

impl InBand {
    /// `None` if the record cannot be read. `length_size` is the one that the track has.
    pub(super) fn of(codec: VideoCodec, record: &[u8], length_size: u8) -> Option<Self> {
        let (sets, length_size_in) = match codec {
            VideoCodec::Avc => {
                let config = AvcConfig::parse(record).ok()?;
                ([Vec::new(), config.sps, config.pps], config.length_size)
            }
            VideoCodec::Hevc => {
                let config = HevcConfig::parse(record).ok()?;
                ([config.vps, config.sps, config.pps], config.length_size)
            }
            // Their keyframes bring what they need.
            VideoCodec::Av1 => Av1Config::parse(record).map(|_| Default::default()).ok()?,
            VideoCodec::Vp9 => Vp9Config::parse(record).map(|_| Default::default()).ok()?,
            _ => return None,
        };
        let mut parameter_sets = Vec::new();
        for unit in sets.iter().flatten() {
            put_nal_unit(&mut parameter_sets, unit, length_size);
        }
        Some(Self {
            parameter_sets,
            length_size: length_size_in,
        })
    }
}
