//! Fragmented MP4: FLV tags to an initialisation segment and fragments (ISO/IEC 14496-12 §8.8).
//!
//! ```text
//! ftyp moov │ moof mdat │ moof mdat │ ...      a file cut anywhere plays up to its last fragment
//! └─ once ─┘ └ a group of pictures, or a second of it ┘
//! ```
//! Times are in milliseconds throughout, as FLV has them, so that every distance stays exact.
//! The boxes are written by hand: decoder configurations go into them byte for byte, as the
//! publisher sent them, which a library that models their fields does not promise.

mod boxes;
mod fragment;
mod init;

use std::collections::VecDeque;

use crate::media::codec::aac::strip_adts;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::media::codec::nal::put_length_prefixed;
use crate::media::flv::{
    AudioCodec, AudioHeader, AudioPacket, Tag, TagKind, VideoCodec, VideoHeader, VideoPacket,
};

use fragment::Sample;
use init::TrackInit;

/// How long a second track is waited for, and the longest fragment, milliseconds.
const WAIT_MS: i64 = 1000;

/// Tags held back while tracks are waited for, and samples of one fragment, at most: bytes.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Length of a frame that nothing follows.
const NOMINAL_FRAME_MS: u32 = 40;

/// Something that the file does not have of the stream; `Display` is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// A video codec that is not written into MP4.
    #[error("video of {0:?} is left out of the MP4 file")]
    VideoLeftOut(VideoCodec),
    /// An audio codec that is not written into MP4.
    #[error("audio of {0:?} is left out of the MP4 file")]
    AudioLeftOut(AudioCodec),
    /// A track that began after the file.
    #[error("{0:?} that began more than a second after the rest is left out of the MP4 file")]
    TooLate(TagKind),
    /// The decoder configuration changed; the new one is written in front of its pictures.
    #[error("the video's configuration changed: some players stop at that place of the MP4 file")]
    ConfigChanged,
}

/// Makes an MP4 file of tags.
#[derive(Debug, Default)]
pub struct Writer {
    video: Track,
    audio: Track,
    /// Tags that wait for the tracks to be known; `None` when the file has begun.
    held: Option<Held>,
    has_begun: bool,
    /// Number of the next fragment.
    sequence: u32,
    /// Dts of the first sample of the open fragment.
    fragment_start: Option<i64>,
    fragment_bytes: usize,
    output: VecDeque<Vec<u8>>,
    notes: VecDeque<Note>,
    /// Notes that were given, so that none is given twice.
    noted: Vec<Note>,
}

#[derive(Debug, Default)]
struct Held {
    tags: Vec<Tag>,
    bytes: usize,
    first_dts: i64,
}

/// One of the two tracks.
#[derive(Debug, Default)]
struct Track {
    /// Set by the first sequence header; final when the file begins.
    init: Option<TrackInit>,
    /// Whether the file has this track.
    is_written: bool,
    /// The last sample: its length is known when the next one comes.
    pending: Option<Sample>,
    /// Whole samples of the open fragment.
    samples: Vec<Sample>,
    last_duration: Option<u32>,
    /// Parameter sets to be put before the next keyframe, length-prefixed.
    in_band: Vec<u8>,
}

impl Writer {
    /// A file without a byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next tag; dts does not decrease within a track. Script tags are ignored.
    pub fn handle_tag(&mut self, tag: &Tag) {
        if tag.kind == TagKind::Script {
            return;
        }
        if self.has_begun {
            self.write(tag);
            return;
        }
        if tag.is_sequence_header() {
            self.configure(tag);
            return;
        }
        let held = self.held.get_or_insert_with(|| Held {
            first_dts: tag.dts,
            ..Held::default()
        });
        held.bytes += tag.body.len();
        held.tags.push(tag.clone());
        let waited = tag.dts - held.first_dts;
        let is_full = held.bytes > HELD_BYTES_MAX;
        let knows_both = self.video.init.is_some() && self.audio.init.is_some();
        if knows_both || waited >= WAIT_MS || is_full {
            self.begin();
        }
    }

    /// The next bytes of the file.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    /// Something that a person should know, once.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// The end: writes what is held back.
    pub fn finish(&mut self) {
        if !self.has_begun {
            self.begin();
        }
        for track in [&mut self.video, &mut self.audio] {
            if let Some(mut sample) = track.pending.take() {
                sample.duration = track.last_duration.unwrap_or(NOMINAL_FRAME_MS);
                track.samples.push(sample);
            }
        }
        self.cut();
    }

    /// Writes the initialisation segment, if any track is known, and what was held back.
    fn begin(&mut self) {
        let held = self.held.take().unwrap_or_default();
        if self.video.init.is_some() || self.audio.init.is_some() {
            self.video.is_written = self.video.init.is_some();
            self.audio.is_written = self.audio.init.is_some();
            let tracks = [&self.video.init, &self.audio.init];
            self.output
                .push_back(init::segment(tracks.into_iter().flatten()));
            self.has_begun = true;
        }
        for tag in held.tags {
            self.write(&tag);
        }
    }

    /// A sequence header before the file has begun.
    fn configure(&mut self, tag: &Tag) {
        match tag.kind {
            TagKind::Video => {
                let Ok(header) = VideoHeader::parse(&tag.body) else {
                    return;
                };
                match TrackInit::video(header.codec, header.payload(&tag.body)) {
                    Some(init) => self.video.init = Some(init),
                    None => self.note(Note::VideoLeftOut(header.codec)),
                }
            }
            TagKind::Audio => {
                let Ok(header) = AudioHeader::parse(&tag.body) else {
                    return;
                };
                match TrackInit::audio(header.codec, header.payload(&tag.body)) {
                    Some(init) => self.audio.init = Some(init),
                    None => self.note(Note::AudioLeftOut(header.codec)),
                }
            }
            TagKind::Script => {}
        }
    }

    fn write(&mut self, tag: &Tag) {
        match tag.kind {
            TagKind::Video => self.write_video(tag),
            TagKind::Audio => self.write_audio(tag),
            TagKind::Script => {}
        }
    }

    fn write_video(&mut self, tag: &Tag) {
        let Ok(header) = VideoHeader::parse(&tag.body) else {
            return;
        };
        let payload = header.payload(&tag.body);
        let Some(init) = self.video.init.as_ref().filter(|_| self.video.is_written) else {
            let note = match TrackInit::video(header.codec, payload) {
                Some(_) => Note::TooLate(TagKind::Video),
                None if header.packet == VideoPacket::SequenceHeader => {
                    Note::VideoLeftOut(header.codec)
                }
                None => return,
            };
            return self.note(note);
        };
        match header.packet {
            VideoPacket::SequenceHeader if init.config() != payload => {
                self.video.in_band = parameter_sets(header.codec, payload);
                self.note(Note::ConfigChanged);
            }
            VideoPacket::Frames if !payload.is_empty() => {
                let is_keyframe = header.is_keyframe();
                let elapsed = self.fragment_start.map_or(0, |start| tag.dts - start);
                let mut data = Vec::new();
                if is_keyframe {
                    data.append(&mut self.video.in_band.clone());
                }
                data.extend_from_slice(payload);
                self.fragment_bytes += data.len();
                self.fragment_start.get_or_insert(tag.dts);
                self.video.push(Sample {
                    dts: tag.dts,
                    composition_offset: header.composition_time_offset,
                    duration: 0,
                    is_sync: is_keyframe,
                    data,
                });
                if is_keyframe || elapsed >= WAIT_MS || self.fragment_bytes > HELD_BYTES_MAX {
                    self.cut();
                }
            }
            _ => {}
        }
    }

    fn write_audio(&mut self, tag: &Tag) {
        let Ok(header) = AudioHeader::parse(&tag.body) else {
            return;
        };
        let payload = header.payload(&tag.body);
        if !self.audio.is_written {
            let note = match TrackInit::audio(header.codec, payload) {
                _ if header.codec != AudioCodec::Aac => Note::AudioLeftOut(header.codec),
                Some(_) if header.packet == AudioPacket::SequenceHeader => {
                    Note::TooLate(TagKind::Audio)
                }
                _ => return,
            };
            return self.note(note);
        }
        if header.packet != AudioPacket::Frames || payload.is_empty() {
            return;
        }
        let elapsed = self.fragment_start.map_or(0, |start| tag.dts - start);
        let data = strip_adts(payload).to_vec();
        self.fragment_bytes += data.len();
        self.fragment_start.get_or_insert(tag.dts);
        self.audio.push(Sample {
            dts: tag.dts,
            composition_offset: 0,
            duration: 0,
            is_sync: true,
            data,
        });
        if elapsed >= WAIT_MS && !self.video.is_written || self.fragment_bytes > HELD_BYTES_MAX {
            self.cut();
        }
    }

    /// Writes the open fragment, without the last sample of each track.
    fn cut(&mut self) {
        self.fragment_start = None;
        self.fragment_bytes = 0;
        let runs: Vec<_> = [&mut self.video, &mut self.audio]
            .into_iter()
            .filter_map(|track| {
                let id = track.init.as_ref()?.id();
                let samples = std::mem::take(&mut track.samples);
                (!samples.is_empty()).then_some((id, samples))
            })
            .collect();
        if runs.is_empty() {
            return;
        }
        self.sequence += 1;
        self.output
            .push_back(fragment::fragment(self.sequence, &runs));
    }

    fn note(&mut self, note: Note) {
        if !self.noted.contains(&note) {
            self.noted.push(note);
            self.notes.push_back(note);
        }
    }
}

impl Track {
    fn push(&mut self, sample: Sample) {
        if let Some(mut previous) = self.pending.replace(sample) {
            let next_dts = self.pending.as_ref().map_or(previous.dts, |next| next.dts);
            previous.duration = u32::try_from(next_dts - previous.dts).unwrap_or(0);
            self.last_duration = Some(previous.duration);
            self.samples.push(previous);
        }
    }
}

/// The parameter sets of a decoder configuration, each behind a length of four bytes.
fn parameter_sets(codec: VideoCodec, record: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match codec {
        VideoCodec::Avc => {
            if let Ok(config) = AvcConfig::parse(record) {
                for unit in config.sps.iter().chain(&config.pps) {
                    put_length_prefixed(&mut out, unit);
                }
            }
        }
        VideoCodec::Hevc => {
            if let Ok(config) = HevcConfig::parse(record) {
                for unit in config.vps.iter().chain(&config.sps).chain(&config.pps) {
                    put_length_prefixed(&mut out, unit);
                }
            }
        }
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests;
