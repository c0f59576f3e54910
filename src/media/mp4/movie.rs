//! A whole file: its tracks, and their samples as one sequence.

use super::boxes::{self, Boxes};
use super::description::{Codec, Description};
use super::fragment::{self, Base, TrackFragment};
use super::track::{Skipped, Track};
use super::{Mp4Error, SAMPLE_SIZE_MAX, cut_short};
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::media::flv::{self, HevcForm, Tag};
use crate::wire::Reader;

/// Most tracks that are looked at.
const TRACKS_MAX: usize = 64;

/// Fragments in a row that may have no sample for us; a file with more is made to waste time.
const FRUITLESS_FRAGMENTS_MAX: u32 = 10_000;

/// Fragments read ahead for a track that has no sample: writers that give each track fragments of
/// its own put a few of one before the next of the other.
const FRAGMENTS_AHEAD_MAX: u32 = 16;

/// Bytes of fragments beyond which none is read ahead.
const FRAGMENT_BYTES_AHEAD_MAX: usize = 1024 * 1024;

/// One sample: where it is in the file, and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Index in [`Movie::tracks`].
    pub track: usize,
    /// Index in [`Track::descriptions`].
    pub description: usize,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes; `1..=SAMPLE_SIZE_MAX`.
    pub size: u32,
    /// Decoding time in milliseconds; the first sample of the movie is not before 0.
    pub dts_ms: i64,
    /// Composition time offset: pts - dts in milliseconds.
    pub cts_ms: i32,
    /// Whether decoding can start here.
    pub is_keyframe: bool,
}

/// The index of a file.
///
/// ```text
/// parse(moov) ─► poll_sample ─► Some(sample) ─► read its bytes ─► sample_to_tag
///                     │ ▲
///    wants_fragment   ▼ │ handle_fragment(moof)
/// ```
#[derive(Debug, Clone)]
pub struct Movie {
    tracks: Vec<Track>,
    skipped: Vec<Skipped>,
    is_fragmented: bool,
    /// Fragments handed in since a sample was taken.
    fragments_ahead: u32,
    /// Added to all times, so that the first is not negative. Set by the first sample.
    lift_ms: Option<i64>,
}

impl Movie {
    /// Reads the body of a moov box. Takes the first video and the first audio track that can be
    /// played; the others are in [`skipped`](Self::skipped). There may be none to play.
    ///
    /// # Errors
    /// [`Mp4Error`] when the moov itself is damaged; damage inside a track skips the track.
    pub fn parse(moov: &[u8]) -> Result<Self, Mp4Error> {
        let mut timescale = 0;
        let mut traks = Vec::new();
        let mut mvex = None;
        for found in Boxes::new(moov) {
            let found = found?;
            match &found.kind {
                b"mvhd" => timescale = parse_mvhd(found.body)?,
                b"trak" if traks.len() < TRACKS_MAX => traks.push(found.body),
                b"mvex" => mvex = Some(found.body),
                _ => {}
            }
        }
        let mut movie = Self {
            tracks: Vec::new(),
            skipped: Vec::new(),
            is_fragmented: mvex.is_some(),
            fragments_ahead: 0,
            lift_ms: None,
        };
        for trak in traks {
            movie.add_track(trak, timescale);
        }
        for found in Boxes::new(mvex.unwrap_or_default()) {
            let found = found?;
            if found.kind == *b"trex" {
                let (id, defaults) = fragment::parse_trex(found.body)?;
                let mut tracks = movie.tracks.iter_mut();
                if let Some(track) = tracks.find(|track| track.id() == id) {
                    track.defaults = defaults;
                }
            }
        }
        Ok(movie)
    }

    fn add_track(&mut self, trak: &[u8], timescale: u32) {
        let track = match Track::parse(trak, timescale) {
            Ok(track) => track,
            Err(skipped) => return self.skipped.push(skipped),
        };
        let has_one = |other: &Track| other.is_video() == track.is_video();
        if self.tracks.iter().any(has_one) {
            let codec = track.first_description().map(|(_, first)| first.codec);
            return self.skipped.push(Skipped {
                id: track.id(),
                codec: match codec {
                    Some(Codec::Avc) => *b"avc1",
                    Some(Codec::Hevc) => *b"hvc1",
                    Some(Codec::Aac) | None => *b"mp4a",
                },
                reason: super::Skip::Second,
                is_media: true,
            });
        }
        self.tracks.push(track);
    }

    /// Takes in a fragment: the body of a moof box, and where that box starts in the file.
    /// Fragments come in the order of the file.
    ///
    /// # Errors
    /// [`Mp4Error`] when it is damaged; the runs before the damage stay.
    pub fn handle_fragment(&mut self, moof: &[u8], moof_offset: u64) -> Result<(), Mp4Error> {
        self.fragments_ahead = self.fragments_ahead.saturating_add(1);
        let mut end = moof_offset;
        for found in Boxes::new(moof) {
            let found = found?;
            if found.kind != *b"traf" {
                continue;
            }
            let fragment = TrackFragment::parse(found.body)?;
            let base = match fragment.base {
                Base::File(offset) => offset,
                Base::Moof => moof_offset,
                Base::Previous => end,
            };
            let mut tracks = self.tracks.iter_mut();
            let track = tracks.find(|track| track.id() == fragment.track_id);
            let (defaults, start) = track.as_ref().map_or_else(Default::default, |track| {
                (track.defaults, track.fragments_end)
            });
            let start = fragment.decode_time.unwrap_or(start);
            let mut runs = Vec::new();
            let defaults = fragment.defaults(defaults);
            let outcome = fragment.runs(defaults, base, start, |run| runs.push(run));
            if let Some(track) = track {
                track.fragments_end = runs.last().map_or(start, |run| run.end().dts);
                runs.into_iter().for_each(|run| track.push_run(run));
            } else if outcome.is_err() {
                // Damage in a track that is left out is no concern of the others.
                continue;
            }
            end = outcome?;
        }
        Ok(())
    }

    /// Whether the next fragment should be handed in before the next sample is taken. The caller
    /// goes by it until it has no more fragments.
    pub fn wants_fragment(&mut self) -> bool {
        if !self.is_fragmented {
            return false;
        }
        let (mut hungry, mut fed, mut held) = (0, 0, 0);
        for track in &mut self.tracks {
            hungry += usize::from(track.is_hungry());
            fed += usize::from(track.peek().is_some());
            held += track.held();
        }
        match (hungry, fed) {
            (0, _) => false,
            (_, 0) => self.fragments_ahead < FRUITLESS_FRAGMENTS_MAX,
            _ => self.fragments_ahead < FRAGMENTS_AHEAD_MAX && held < FRAGMENT_BYTES_AHEAD_MAX,
        }
    }

    /// The next sample by dts, video before audio at the same time. `None` when all were taken.
    ///
    /// # Errors
    /// [`Mp4Error::SampleSize`] for a sample that is too large; the next call goes on behind it.
    pub fn poll_sample(&mut self) -> Result<Option<Sample>, Mp4Error> {
        let mut first: Option<(i64, bool, usize)> = None;
        for (index, track) in self.tracks.iter_mut().enumerate() {
            if let Some(sample) = track.peek() {
                let place = (sample.dts_ms, !track.is_video(), index);
                first = Some(first.map_or(place, |first| first.min(place)));
            }
        }
        let Some((first_dts, _, index)) = first else {
            return Ok(None);
        };
        self.fragments_ahead = 0;
        let lift = *self.lift_ms.get_or_insert_with(|| (-first_dts).max(0));
        let Some(sample) = self.tracks.get_mut(index).and_then(Track::take) else {
            return Ok(None);
        };
        let raw = sample.raw;
        if raw.size > SAMPLE_SIZE_MAX {
            return Err(Mp4Error::SampleSize {
                size: raw.size,
                offset: raw.offset,
            });
        }
        let cts = (sample.pts_ms - sample.dts_ms).clamp(-0x80_0000, 0x7F_FFFF);
        Ok(Some(Sample {
            track: index,
            description: raw.description,
            offset: raw.offset,
            size: raw.size,
            dts_ms: sample.dts_ms + lift,
            cts_ms: i32::try_from(cts).unwrap_or(0),
            is_keyframe: raw.is_keyframe,
        }))
    }

    /// Takes no more samples of a track, because the file ends before its data.
    pub fn stop_track(&mut self, track: usize) {
        if let Some(track) = self.tracks.get_mut(track) {
            track.stop();
        }
    }

    /// The tracks that are played: at most one of video and one of audio.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The tracks that are left out.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Whether samples are in fragments behind the moov.
    pub fn is_fragmented(&self) -> bool {
        self.is_fragmented
    }

    /// The sequence header that a sample needs, stamped with its time: the record of its
    /// description, or, where that has no parameter sets, one made of those in `data`, the
    /// bytes of the sample. `None` when there are none either.
    pub fn sequence_header(&self, sample: &Sample, data: &[u8], form: HevcForm) -> Option<Tag> {
        let description = self.description(sample)?;
        let length_size = description.length_size;
        let record = match description.codec {
            _ if description.has_parameter_sets => description.record.clone(),
            Codec::Avc => AvcConfig::from_frame(data, length_size)?.encode(),
            Codec::Hevc => HevcConfig::from_frame(data, length_size)?.encode(),
            Codec::Aac => return None,
        };
        Some(header_tag(description.codec, sample.dts_ms, &record, form))
    }

    /// The sequence headers with which the tracks begin, stamped `dts_ms`; of those whose
    /// record has parameter sets.
    pub fn sequence_headers(&self, dts_ms: i64, form: HevcForm) -> Vec<Tag> {
        let descriptions = self.tracks.iter().filter_map(Track::first_description);
        descriptions
            .filter(|(_, first)| first.has_parameter_sets)
            .map(|(_, first)| header_tag(first.codec, dts_ms, &first.record, form))
            .collect()
    }

    /// The sample as a tag. `data` is what the file has at its place: NAL units with lengths of
    /// the size that the sequence header names, or one raw AAC frame. `None` when its
    /// description cannot be played.
    pub fn sample_to_tag(&self, sample: &Sample, data: &[u8], form: HevcForm) -> Option<Tag> {
        let Sample {
            dts_ms,
            cts_ms,
            is_keyframe,
            ..
        } = *sample;
        Some(match self.description(sample)?.codec {
            Codec::Avc => Tag::video(dts_ms, flv::avc_frame(is_keyframe, cts_ms, data)),
            Codec::Hevc => Tag::video(dts_ms, flv::hevc_frame(is_keyframe, cts_ms, data, form)),
            Codec::Aac => Tag::audio(dts_ms, flv::aac_frame(data)),
        })
    }

    fn description(&self, sample: &Sample) -> Option<&Description> {
        self.tracks
            .get(sample.track)?
            .description(sample.description)
    }
}

fn header_tag(codec: Codec, dts_ms: i64, record: &[u8], form: HevcForm) -> Tag {
    match codec {
        Codec::Avc => Tag::video(dts_ms, flv::avc_sequence_header(record)),
        Codec::Hevc => Tag::video(dts_ms, flv::hevc_sequence_header(record, form)),
        Codec::Aac => Tag::audio(dts_ms, flv::aac_sequence_header(record)),
    }
}

/// The timescale of the movie.
fn parse_mvhd(body: &[u8]) -> Result<u32, Mp4Error> {
    let mut reader = Reader::new(body);
    let (version, _) = boxes::version_and_flags(&mut reader, b"mvhd")?;
    let times = if version == 0 { 8 } else { 16 };
    reader.bytes(times).map_err(cut_short(b"mvhd"))?;
    reader.u32().map_err(cut_short(b"mvhd"))
}
