//! One video track: what its parameter sets say, and what its frames are like.

use std::time::Duration;

use super::notes::{Notes, Quirk};
use super::report::{FrameRateReport, GopReport, Spread, VideoReport};
use super::tally::{Gops, Reordering};
use super::track::Track;
use crate::media::codec::avc::{self, AvcConfig};
use crate::media::codec::hevc::{self, HevcConfig, is_hevc_record};
use crate::media::codec::{nal, names};
use crate::media::flv::{VideoCodec, VideoHeader, VideoPacket, fourcc_text};

/// Frames without a sequence header are taken to have lengths of this size.
const LENGTH_SIZE: u8 = 4;

/// A video track.
#[derive(Debug, Clone)]
pub(super) struct VideoTrack {
    pub(super) track: Track,
    /// What it is, whatever it is called.
    pub(super) codec: VideoCodec,
    tag: String,
    pub(super) facts: Facts,
    length_size: u8,
    pub(super) keyframes: u64,
    gops: Gops,
    reordering: Reordering,
    pts_before_dts_ms: i64,
    pts_before_dts: u64,
}

/// What parameter sets say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Facts {
    profile: Option<String>,
    level: Option<String>,
    tier: Option<&'static str>,
    pub(super) size: Option<(u32, u32)>,
    chroma: Option<&'static str>,
    bit_depth: Option<u8>,
    frame_rate: Option<f64>,
}

impl VideoTrack {
    pub(super) fn new(header: &VideoHeader, notes: &mut Notes) -> Self {
        note_codec(header, notes);
        Self {
            track: Track::new("video", header.track_id),
            codec: header.codec,
            tag: tag_of(header),
            facts: Facts::default(),
            length_size: LENGTH_SIZE,
            keyframes: 0,
            gops: Gops::default(),
            reordering: Reordering::default(),
            pts_before_dts_ms: 0,
            pts_before_dts: 0,
        }
    }

    /// Takes what `header` was read from the front of.
    pub(super) fn handle(
        &mut self,
        header: &VideoHeader,
        payload: &[u8],
        arrival: Duration,
        timestamp: u32,
        notes: &mut Notes,
    ) {
        match header.packet {
            VideoPacket::SequenceHeader | VideoPacket::Mpeg2TsSequenceHeader => {
                self.on_header(header, payload, notes);
            }
            VideoPacket::Frames if payload.is_empty() => notes.add(Quirk::EmptyFrame("video")),
            VideoPacket::Frames => self.on_frame(header, payload, arrival, timestamp, notes),
            _ => {}
        }
    }

    fn on_header(&mut self, header: &VideoHeader, payload: &[u8], notes: &mut Notes) {
        if !self.track.on_header(payload, notes) {
            return;
        }
        self.codec = header.codec;
        self.tag = tag_of(header);
        if self.codec == VideoCodec::Avc && is_hevc_record(payload) {
            self.codec = VideoCodec::Hevc;
            notes.add(Quirk::HevcAsAvc);
        }
        let read = match self.codec {
            VideoCodec::Avc => AvcConfig::parse(payload)
                .ok()
                .map(|config| (of_avc(&config), config.length_size)),
            VideoCodec::Hevc => HevcConfig::parse(payload)
                .ok()
                .map(|config| (of_hevc(&config), config.length_size)),
            _ => return,
        };
        match read {
            Some((facts, length_size)) => {
                self.facts = facts;
                self.length_size = length_size;
            }
            None => notes.add(Quirk::SequenceHeaderUnreadable("video")),
        }
    }

    fn on_frame(
        &mut self,
        header: &VideoHeader,
        payload: &[u8],
        arrival: Duration,
        timestamp: u32,
        notes: &mut Notes,
    ) {
        let is_keyframe = header.is_keyframe();
        if matches!(self.codec, VideoCodec::Avc | VideoCodec::Hevc) {
            self.look_inside(payload, is_keyframe, notes);
        }
        let time_ms = self.track.on_frame(arrival, timestamp, payload.len());
        self.keyframes += u64::from(is_keyframe);
        self.gops.add(time_ms, is_keyframe);
        let offset = i64::from(header.composition_time_offset);
        self.reordering.add(time_ms + offset);
        if offset < 0 {
            self.pts_before_dts += 1;
            self.pts_before_dts_ms = self.pts_before_dts_ms.max(-offset);
        }
    }

    /// NAL units.
    fn look_inside(&mut self, frame: &[u8], is_keyframe: bool, notes: &mut Notes) {
        let starts = frame.starts_with(&[0, 0, 1]) || frame.starts_with(&[0, 0, 0, 1]);
        let is_annex_b = starts && !nal::is_length_prefixed(frame, self.length_size);
        let mended;
        let frame = if is_annex_b {
            notes.add(Quirk::AnnexB);
            mended = nal::with_lengths(frame, self.length_size, self.length_size);
            &*mended
        } else {
            if !nal::is_length_prefixed(frame, self.length_size) {
                notes.add(Quirk::NalLengths);
            }
            notes.add_many(Quirk::EmptyNalUnit, empty_units(frame, self.length_size));
            frame
        };
        if is_keyframe && !self.track.has_header() {
            notes.add(Quirk::SequenceHeaderMissing("video"));
            self.read_in_band(frame);
        }
        let is_start = match self.codec {
            VideoCodec::Avc => avc::has_idr(frame, self.length_size),
            _ => hevc::has_irap(frame, self.length_size),
        };
        match (is_keyframe, is_start) {
            (true, false) => notes.add(Quirk::KeyframeWithoutIdr),
            (false, true) => notes.add(Quirk::IdrNotMarked),
            _ => {}
        }
    }

    /// Parameter sets in the frame, in place of those that should have come before it.
    fn read_in_band(&mut self, frame: &[u8]) {
        let facts = match self.codec {
            VideoCodec::Avc => AvcConfig::from_frame(frame, self.length_size).map(|c| of_avc(&c)),
            _ => HevcConfig::from_frame(frame, self.length_size).map(|c| of_hevc(&c)),
        };
        if let Some(facts) = facts {
            self.facts = facts;
        }
    }

    /// What shows only at the end.
    pub(super) fn note(&self, notes: &mut Notes) {
        self.track.clock.note("video", notes);
        let ms = self.pts_before_dts_ms;
        notes.add_many(Quirk::PtsBeforeDts { ms }, self.pts_before_dts);
        if self.track.frames > 0 && self.keyframes == 0 {
            notes.add(Quirk::NoKeyframe);
        }
        if let (Some(said), Some(measured)) = (self.facts.frame_rate, self.frame_rate_measured())
            && differs(said, measured)
        {
            notes.add(Quirk::SpsFrameRate {
                said: format!("{said:.2}"),
                measured: format!("{measured:.2}"),
            });
        }
    }

    /// Frames a second, once there are enough to tell.
    pub(super) fn frame_rate_measured(&self) -> Option<f64> {
        self.track.clock.frame_rate()
    }

    pub(super) fn report(&self, metadata_frame_rate: Option<f64>) -> VideoReport {
        let facts = self.facts.clone();
        VideoReport {
            track: self.track.id,
            codec: self.codec.to_string(),
            tag: self.tag.clone(),
            profile: facts.profile,
            level: facts.level,
            tier: facts.tier,
            width: facts.size.map(|(width, _)| width),
            height: facts.size.map(|(_, height)| height),
            chroma: facts.chroma,
            bit_depth: facts.bit_depth,
            frame_rate: FrameRateReport {
                measured: self.frame_rate_measured(),
                metadata: metadata_frame_rate,
                sps: facts.frame_rate,
            },
            frames: self.track.frames,
            keyframes: self.keyframes,
            gop: self.gop(),
            frames_since_keyframe: self.gops.open_frames(),
            has_b_frames: self.reordering.depth() > 0,
            reorder_frames: self.reordering.depth(),
            bitrate: self.track.bitrate(),
            sequence_headers: self.track.headers(),
            timestamps: self.track.clock.report(),
        }
    }

    fn gop(&self) -> Option<GopReport> {
        Some(GopReport {
            count: self.gops.frames().count(),
            frames: Spread::of(self.gops.frames(), 1.0)?,
            seconds: Spread::of(self.gops.ms(), 1000.0)?,
        })
    }
}

/// By more than encoders round: a twentieth, and half a frame a second.
pub(super) fn differs(said: f64, measured: f64) -> bool {
    let difference = (said - measured).abs();
    difference > measured / 20.0 && difference > 0.5
}

/// NAL units without a byte, which [`nal::length_prefixed`] steps over.
fn empty_units(frame: &[u8], length_size: u8) -> u64 {
    let filled: usize = nal::length_prefixed(frame, length_size)
        .map(|unit| unit.len() + usize::from(length_size))
        .sum();
    if !nal::is_length_prefixed(frame, length_size) || length_size == 0 {
        return 0;
    }
    let empty = frame.len().saturating_sub(filled) / usize::from(length_size);
    empty as u64
}

fn of_avc(config: &AvcConfig) -> Facts {
    let (profile, constraints) = (config.profile, config.constraints);
    let sps = config.first_sps();
    Facts {
        profile: Some(names::named(
            names::avc_profile(profile, constraints),
            profile,
        )),
        level: Some(names::avc_level(profile, constraints, config.level)),
        tier: None,
        size: sps.as_ref().map(|sps| (sps.width, sps.height)),
        chroma: sps.as_ref().map(|sps| names::chroma(sps.chroma_format)),
        bit_depth: sps.as_ref().map(|sps| sps.bit_depth_luma),
        frame_rate: sps.and_then(|sps| sps.frame_rate),
    }
}

fn of_hevc(config: &HevcConfig) -> Facts {
    let general = config.profile;
    let sps = config.first_sps();
    Facts {
        profile: Some(names::named(
            names::hevc_profile(general.profile),
            general.profile,
        )),
        level: Some(names::hevc_level(general.level)),
        tier: Some(if general.is_high_tier { "High" } else { "Main" }),
        size: sps.as_ref().map(|sps| (sps.width, sps.height)),
        chroma: Some(names::chroma(config.chroma_format)),
        bit_depth: Some(config.bit_depth_luma),
        frame_rate: sps.and_then(|sps| sps.frame_rate),
    }
}

/// `codec id 7`, or the FourCC.
fn tag_of(header: &VideoHeader) -> String {
    match (
        header.enhanced,
        header.codec.fourcc(),
        header.codec.legacy_id(),
    ) {
        (true, Some(fourcc), _) | (false, Some(fourcc), None) => fourcc_text(fourcc),
        (_, _, Some(id)) => format!("codec id {id}"),
        (_, None, None) => "unnamed".to_owned(),
    }
}

fn note_codec(header: &VideoHeader, notes: &mut Notes) {
    match (header.codec, header.enhanced) {
        (VideoCodec::Hevc, false) => notes.add(Quirk::HevcCodecId12),
        (VideoCodec::Av1, false) => notes.add(Quirk::UnofficialCodecId {
            codec: "AV1",
            id: 13,
        }),
        (VideoCodec::Other(id), _) => notes.add(Quirk::UnknownCodecId { track: "video", id }),
        (VideoCodec::FourCc(fourcc), _) => notes.add(Quirk::UnknownFourCc {
            track: "video",
            fourcc: fourcc_text(fourcc),
        }),
        _ => {}
    }
}
