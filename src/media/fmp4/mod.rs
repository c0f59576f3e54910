//! Fragmented MP4: FLV tags to an initialisation segment and fragments (ISO/IEC 14496-12 §8.8).
//!
//! ```text
//! ftyp moov │ moof mdat │ moof mdat │ ...      a file cut anywhere plays up to its last fragment
//! └─ once ─┘ └ a group of pictures, or a second of it ┘
//! ```
//! Times are in milliseconds throughout, as FLV has them, so that every distance stays exact.
//! The boxes are written by hand: decoder configurations go into them byte for byte, as the
//! publisher sent them, which a library that models their fields does not promise.

mod body;
mod boxes;
mod fragment;
mod init;
mod live;
mod note;

use std::collections::VecDeque;

use crate::media::flv::{AudioCodec, AudioPacket, Tag, TagKind, VideoPacket};

use body::{Bodies, InBand};
use fragment::Sample;
use init::TrackInit;
use note::Notes;

pub use live::{Codecs, LiveMuxer, Piece, PieceKind, still};
pub use note::Note;

/// How long a second track is waited for, and the longest fragment, milliseconds.
const WAIT_MS: i64 = 1000;

/// Tags held back while tracks are waited for, and samples of one fragment, at most: bytes.
const HELD_BYTES_MAX: usize = 8 << 20;

/// How long sound is held back for the next frame of a video that has stopped, milliseconds.
const STALL_MS: i64 = 2 * WAIT_MS;

/// Length of a frame that nothing follows.
const NOMINAL_FRAME_MS: u32 = 40;

/// Makes an MP4 file of tags.
#[derive(Debug, Default)]
pub struct Writer {
    video: Track,
    audio: Track,
    /// Tags that wait for the tracks to be known; `None` when the file has begun.
    held: Option<Held>,
    has_begun: bool,
    bodies: Bodies,
    /// Number of the next fragment.
    sequence: u32,
    /// Dts of the first sample of the open fragment.
    fragment_start: Option<i64>,
    fragment_bytes: usize,
    output: VecDeque<Vec<u8>>,
    notes: Notes,
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
    /// `None` while all sequence headers were alike; from then on the last one, be it the first
    /// again, since a decoder keeps the parameter sets that it was told last.
    changed: Option<InBand>,
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
        self.configure_by_frame(tag);
        let is_known = match tag.kind {
            TagKind::Video => self.video.init.is_some(),
            _ => self.audio.init.is_some(),
        };
        // A second one, behind frames that the first one is for, keeps its place among them.
        if tag.is_sequence_header() && !(is_known && self.held.is_some()) {
            self.configure(tag);
            return;
        }
        let held = self.held.get_or_insert_with(|| Held {
            first_dts: tag.dts,
            ..Held::default()
        });
        held.bytes += tag.body.len();
        held.tags.push(tag.clone());
        let waited = tag.dts.saturating_sub(held.first_dts);
        let is_full = held.bytes > HELD_BYTES_MAX;
        let knows_video = self.video.init.as_ref();
        let knows_video = knows_video.is_some_and(|init| !init.awaits_size());
        let knows_both = knows_video && self.audio.init.is_some();
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
        self.notes.poll()
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
                let Some((header, payload)) = self.bodies.video(&tag.body, &mut self.notes) else {
                    return;
                };
                match TrackInit::video(header.codec, payload) {
                    Ok(init) => self.video.init = Some(init),
                    Err(note) => self.notes.add(note),
                }
            }
            TagKind::Audio => {
                let Some((header, payload)) = body::audio(&tag.body, &mut self.notes) else {
                    return;
                };
                match TrackInit::audio(header.codec, payload) {
                    Ok(init) => self.audio.init = Some(init),
                    // Its frames say it.
                    Err(_) if body::says_nothing(header.codec, payload) => {}
                    Err(note) => self.notes.add(note),
                }
            }
            TagKind::Script => {}
        }
    }

    /// A frame before the file has begun: of some codecs it is all there is to know the track by,
    /// and of VP9 it says the size.
    fn configure_by_frame(&mut self, tag: &Tag) {
        match tag.kind {
            TagKind::Video => {
                if let Some(init) = &mut self.video.init {
                    body::size_by_keyframe(init, &tag.body);
                }
            }
            TagKind::Audio => {
                if self.audio.init.is_none() {
                    self.audio.init = body::audio_by_frame(&tag.body);
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
        let Some((header, payload)) = self.bodies.video(&tag.body, &mut self.notes) else {
            return;
        };
        let is_header = header.packet == VideoPacket::SequenceHeader;
        let is_frame = header.packet == VideoPacket::Frames && !payload.is_empty();
        if !is_header && !is_frame {
            return;
        }
        let init = self.video.init.as_ref().filter(|_| self.video.is_written);
        let Some(TrackInit::Video {
            codec,
            config,
            length_size,
            ..
        }) = init
        else {
            if is_header {
                let fault = TrackInit::video(header.codec, payload).err();
                self.notes
                    .add(fault.unwrap_or(Note::TooLate(TagKind::Video)));
            } else if !init::has_video_entry(header.codec) {
                self.notes.add(Note::VideoLeftOut(header.codec));
            }
            return;
        };
        let length_size = *length_size;
        if header.codec != *codec {
            return self.notes.add(Note::VideoLeftOut(header.codec));
        }
        if is_header {
            if config != payload || self.video.changed.is_some() {
                let note = match InBand::of(header.codec, payload, length_size) {
                    Some(config) => {
                        self.video.changed = Some(config);
                        Note::ConfigChanged
                    }
                    None => Note::ConfigUnreadable(TagKind::Video),
                };
                self.notes.add(note);
            }
            return;
        }
        let is_sync = header.is_keyframe();
        let changed = self.video.changed.as_ref();
        let data = body::video_sample(header.codec, payload, is_sync, length_size, changed);
        if data.is_empty() {
            return;
        }
        let elapsed = self.push(
            TagKind::Video,
            Sample {
                dts: tag.dts,
                composition_offset: header.composition_time_offset,
                duration: 0,
                is_sync,
                data,
            },
        );
        if is_sync || elapsed >= WAIT_MS || self.fragment_bytes > HELD_BYTES_MAX {
            self.cut();
        }
    }

    fn write_audio(&mut self, tag: &Tag) {
        let Some((header, payload)) = body::audio(&tag.body, &mut self.notes) else {
            return;
        };
        let is_header = header.packet == AudioPacket::SequenceHeader;
        let is_frame = header.packet == AudioPacket::Frames && !payload.is_empty();
        if is_header && body::says_nothing(header.codec, payload) {
            return;
        }
        if !is_header && !is_frame {
            return;
        }
        let Some(init) = self.audio.init.as_ref().filter(|_| self.audio.is_written) else {
            let of_frame = TrackInit::audio_of_frame(header.codec, payload);
            if is_frame && of_frame.is_some() {
                self.notes.add(Note::TooLate(TagKind::Audio));
            } else if is_header || !matches!(header.codec, AudioCodec::Aac | AudioCodec::Flac) {
                let fault = TrackInit::audio(header.codec, payload).err();
                self.notes
                    .add(fault.unwrap_or(Note::TooLate(TagKind::Audio)));
            }
            return;
        };
        if !init.is_of(header.codec) {
            return self.notes.add(Note::AudioLeftOut(header.codec));
        }
        if is_header {
            if init.config() != payload {
                let fault = TrackInit::audio(header.codec, payload).err();
                self.notes.add(fault.unwrap_or(Note::AudioConfigChanged));
            }
            return;
        }
        let elapsed = self.push(
            TagKind::Audio,
            Sample {
                dts: tag.dts,
                composition_offset: 0,
                duration: 0,
                is_sync: true,
                data: body::audio_sample(header.codec, payload).to_vec(),
            },
        );
        // Video cuts when it is due; when it has stopped, the sound must not wait for it.
        let elapsed_max = if self.video.is_written {
            STALL_MS
        } else {
            WAIT_MS
        };
        if elapsed >= elapsed_max || self.fragment_bytes > HELD_BYTES_MAX {
            self.cut();
        }
    }

    /// Adds a sample to the open fragment; the answer is how long that is by now, milliseconds.
    fn push(&mut self, kind: TagKind, sample: Sample) -> i64 {
        let start = *self.fragment_start.get_or_insert(sample.dts);
        let elapsed = sample.dts.saturating_sub(start);
        self.fragment_bytes += sample.data.len();
        match kind {
            TagKind::Video => self.video.push(sample),
            _ => self.audio.push(sample),
        }
        elapsed
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
}

impl Track {
    fn push(&mut self, sample: Sample) {
        if let Some(mut previous) = self.pending.replace(sample) {
            let next_dts = self.pending.as_ref().map_or(previous.dts, |next| next.dts);
            let distance = next_dts.saturating_sub(previous.dts).max(0);
            previous.duration = u32::try_from(distance).unwrap_or(u32::MAX);
            self.last_duration = Some(previous.duration);
            self.samples.push(previous);
        }
    }
}

#[cfg(test)]
mod tests;
