//! One audio track: what its sequence header says, and what its frames are like.

use std::time::Duration;

use super::notes::{Notes, Quirk};
use super::report::AudioReport;
use super::track::Track;
use crate::media::codec::aac::{AacConfig, strip_adts};
use crate::media::codec::names;
use crate::media::flv::{AudioCodec, AudioHeader, AudioPacket, fourcc_text};

/// An audio track.
#[derive(Debug, Clone)]
pub(super) struct AudioTrack {
    pub(super) track: Track,
    pub(super) codec: AudioCodec,
    tag: String,
    profile: Option<String>,
    pub(super) sample_rate: Option<u32>,
    pub(super) channels: Option<u32>,
}

impl AudioTrack {
    pub(super) fn new(header: &AudioHeader, notes: &mut Notes) -> Self {
        note_codec(header, notes);
        Self {
            track: Track::new("audio", header.track_id),
            codec: header.codec,
            tag: tag_of(header),
            profile: None,
            sample_rate: header.sample_rate(),
            channels: header.channels().map(u32::from),
        }
    }

    /// Takes what `header` was read from the front of.
    pub(super) fn handle(
        &mut self,
        header: &AudioHeader,
        payload: &[u8],
        arrival: Duration,
        timestamp: u32,
        notes: &mut Notes,
    ) {
        match header.packet {
            AudioPacket::SequenceHeader => self.on_header(header, payload, notes),
            AudioPacket::Frames if payload.is_empty() => notes.add(Quirk::EmptyFrame("audio")),
            AudioPacket::Frames => {
                if self.codec == AudioCodec::Aac {
                    if !self.track.has_header() {
                        notes.add(Quirk::SequenceHeaderMissing("audio"));
                    }
                    if strip_adts(payload).len() < payload.len() {
                        notes.add(Quirk::AdtsInAac);
                    }
                }
                self.track.on_frame(arrival, timestamp, payload.len());
            }
            _ => {}
        }
    }

    fn on_header(&mut self, header: &AudioHeader, payload: &[u8], notes: &mut Notes) {
        if !self.track.on_header(payload, notes) {
            return;
        }
        self.codec = header.codec;
        self.tag = tag_of(header);
        if self.codec != AudioCodec::Aac {
            return;
        }
        let Ok(config) = AacConfig::parse(payload) else {
            return notes.add(Quirk::SequenceHeaderUnreadable("audio"));
        };
        let kind = config.object_type;
        let profile = names::aac_profile(kind, config.sbr_sample_rate.is_some(), config.has_ps);
        self.profile = Some(profile.map_or_else(|| format!("object type {kind}"), str::to_owned));
        self.sample_rate = Some(config.output_sample_rate());
        self.channels = match config.output_channels() {
            0 => None,
            channels => Some(u32::from(channels)),
        };
    }

    /// What shows only at the end.
    pub(super) fn note(&self, notes: &mut Notes) {
        self.track.clock.note("audio", notes);
    }

    pub(super) fn report(&self) -> AudioReport {
        AudioReport {
            track: self.track.id,
            codec: self.codec.to_string(),
            tag: self.tag.clone(),
            profile: self.profile.clone(),
            sample_rate: self.sample_rate,
            channels: self.channels,
            frames: self.track.frames,
            bitrate: self.track.bitrate(),
            sequence_headers: self.track.headers(),
            timestamps: self.track.clock.report(),
        }
    }
}

/// `sound format 10`, or the FourCC.
fn tag_of(header: &AudioHeader) -> String {
    match (
        header.enhanced,
        header.codec.fourcc(),
        header.codec.legacy_format(),
    ) {
        (true, Some(fourcc), _) | (false, Some(fourcc), None) => fourcc_text(fourcc),
        (_, _, Some(format)) => format!("sound format {format}"),
        (_, None, None) => "unnamed".to_owned(),
    }
}

fn note_codec(header: &AudioHeader, notes: &mut Notes) {
    match (header.codec, header.enhanced) {
        (AudioCodec::Opus, false) => notes.add(Quirk::UnofficialCodecId {
            codec: "Opus",
            id: 13,
        }),
        (AudioCodec::Other(id), _) => notes.add(Quirk::UnknownCodecId { track: "audio", id }),
        (AudioCodec::FourCc(fourcc), _) => notes.add(Quirk::UnknownFourCc {
            track: "audio",
            fourcc: fourcc_text(fourcc),
        }),
        _ => {}
    }
}
