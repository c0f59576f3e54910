//! Endless fragmented MP4 for live streams: every frame becomes a fragment at once.
//!
//! ```text
//! ftyp moov │ moof mdat │ moof mdat │ ... │ ftyp moov │ moof mdat │ ...
//! └─ Init ──┘ └─ one frame each ──────┘     └─ Init, when a configuration changed ┘
//! ```
//! A browser's `SourceBuffer` takes a new initialisation segment in mid-stream. Programs that read
//! the whole as one file (FFmpeg) pass over it: for them the parameter sets of a changed H.264 or
//! HEVC configuration go in front of its keyframes too, as in a file.
//!
//! How long a frame is shown is not known when it goes out: it is taken to be as long as the one
//! before it. Its own time (`tfdt`) is exact, and that is what players go by.

use super::body::{self, Bodies, InBand};
use super::fragment::{self, Sample};
use super::init::{self, TrackInit};
use super::note::{Note, Notes};
use crate::media::flv::{
    AudioCodec, AudioPacket, TagKind, VideoCodec, VideoPacket, is_keyframe, is_sequence_header,
};

/// How long the start waits for a track that is expected, milliseconds of stream time.
const WAIT_MS: i64 = 1000;

/// Frames held back meanwhile, at most: bytes.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Longest distance of two frames that says how long a frame is; what lies further apart is a
/// gap. Milliseconds.
const FRAME_MS_MAX: i64 = 1000;

/// Length of the first frame, milliseconds: 25 pictures a second, and a packet of Opus.
const NOMINAL_VIDEO_MS: u32 = 40;
const NOMINAL_AUDIO_MS: u32 = 20;

/// How long a still picture is, milliseconds.
const STILL_MS: u32 = 1000;

/// A piece of the output, to be passed on whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: PieceKind,
    /// `ftyp` and `moov`, or `moof` and `mdat`.
    pub bytes: Vec<u8>,
}

/// What a [`Piece`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// An initialisation segment, with all tracks that are known: at least one.
    Init {
        /// Whether video is among them.
        has_video: bool,
        /// Whether audio is among them.
        has_audio: bool,
    },
    /// A fragment of one frame.
    Fragment {
        /// Audio or video.
        track: TagKind,
        /// Whether decoding of the video can start here; `false` for audio.
        is_keyframe: bool,
        /// As it was given, but not negative: milliseconds.
        dts: i64,
        /// The distance of the frames before it: milliseconds.
        duration: u32,
    },
}

/// What an initialisation segment holds, in the words of those who are to play it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codecs {
    /// For `MediaSource.isTypeSupported`, such as `avc1.64001f,mp4a.40.2`.
    pub mse: String,
    /// For the CODECS attribute of an HLS playlist; MP3, Opus and FLAC have other names there.
    pub hls: String,
    /// Pixels; 0 without video, or when the configuration does not say.
    pub width: u16,
    /// As [`width`](Self::width).
    pub height: u16,
    /// Whether there is a video track.
    pub has_video: bool,
    /// Whether there is an audio track.
    pub has_audio: bool,
}

impl Codecs {
    /// The media type with codecs: `video/mp4; codecs="avc1.64001f,mp4a.40.2"`.
    pub fn mime_type(&self) -> String {
        let kind = if self.has_video { "video" } else { "audio" };
        format!("{kind}/mp4; codecs=\"{}\"", self.mse)
    }

    fn of<'a>(tracks: impl Iterator<Item = &'a TrackInit>) -> Self {
        let mut all = Self::default();
        for track in tracks {
            for (list, name) in [&mut all.mse, &mut all.hls]
                .into_iter()
                .zip(track.codec_names())
            {
                if !list.is_empty() {
                    list.push(',');
                }
                list.push_str(&name);
            }
            match track {
                TrackInit::Video { width, height, .. } => {
                    (all.width, all.height, all.has_video) = (*width, *height, true);
                }
                TrackInit::Audio { .. } => all.has_audio = true,
            }
        }
        all
    }
}

/// Makes endless MP4 of the bodies of one live stream.
#[derive(Debug)]
pub struct LiveMuxer {
    video: Track,
    audio: Track,
    expects_video: bool,
    expects_audio: bool,
    /// Frames that wait for the first [`PieceKind::Init`]; empty when it is out.
    held: Vec<Held>,
    held_bytes: usize,
    codecs: Option<Codecs>,
    bodies: Bodies,
    /// Number of the last fragment.
    sequence: u32,
    notes: Notes,
}

#[derive(Debug)]
struct Held {
    kind: TagKind,
    dts: i64,
    body: Vec<u8>,
}

/// One of the two tracks.
#[derive(Debug, Default)]
struct Track {
    init: Option<TrackInit>,
    /// The sequence header of `init` as it came.
    record: Vec<u8>,
    /// Whether the last [`PieceKind::Init`] has this track.
    is_written: bool,
    /// Whether `init` differs from what the last [`PieceKind::Init`] says.
    is_due: bool,
    /// `None` while there was one configuration only; from then on the last one.
    changed: Option<InBand>,
    last_dts: Option<i64>,
    duration: Option<u32>,
}

impl Default for LiveMuxer {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveMuxer {
    /// For a stream of which nothing is known: the start waits for a keyframe, and for the tracks
    /// that are known by then.
    pub fn new() -> Self {
        Self {
            video: Track::default(),
            audio: Track::default(),
            expects_video: true,
            expects_audio: false,
            held: Vec::new(),
            held_bytes: 0,
            codecs: None,
            bodies: Bodies::default(),
            sequence: 0,
            notes: Notes::default(),
        }
    }

    /// Says which tracks the stream has, as far as the caller knows. The start waits for those,
    /// for a second of stream time at most. To be called before the first frame.
    ///
    /// Sound of a codec without sequence header (MP3, AC-3) is known by its first frame only:
    /// unless it is expected, a keyframe before it starts without it.
    pub fn expect(&mut self, video: bool, audio: bool) {
        (self.expects_video, self.expects_audio) = (video, audio);
    }

    /// Takes the body of an RTMP audio or video message, which is that of an FLV tag, and adds
    /// what comes of it to `out`: often one piece, none for what is left out.
    ///
    /// `dts_ms` is on the timeline of the output; it does not decrease within a track, and what
    /// is below 0 counts as 0. Script data are ignored.
    pub fn handle(&mut self, kind: TagKind, dts_ms: i64, body: &[u8], out: &mut Vec<Piece>) {
        if kind == TagKind::Script {
            return;
        }
        if self.has_begun() {
            self.write(kind, dts_ms, body, out);
            return;
        }
        match kind {
            TagKind::Video => {
                if let Some(init) = &mut self.video.init {
                    body::size_by_keyframe(init, body);
                }
            }
            _ if self.audio.init.is_none() => self.learn_audio(body),
            _ => {}
        }
        let is_known = match kind {
            TagKind::Video => self.video.init.is_some(),
            _ => self.audio.init.is_some(),
        };
        // A second one, behind frames that the first one is for, keeps its place among them.
        if is_sequence_header(kind, body) && (!is_known || self.held.is_empty()) {
            self.write(kind, dts_ms, body, out);
            return;
        }
        if kind == TagKind::Video && is_keyframe(body) && !self.holds_keyframe() {
            // What is before the keyframe cannot be shown.
            self.held.retain(|held| {
                held.kind != TagKind::Video || is_sequence_header(held.kind, &held.body)
            });
        }
        self.held_bytes += body.len();
        self.held.push(Held {
            kind,
            dts: dts_ms,
            body: body.to_vec(),
        });
        if self.is_ready(dts_ms) {
            self.begin(out);
        }
    }

    /// The end of the stream: brings out what was held back because the stream was so short.
    pub fn finish(&mut self, out: &mut Vec<Piece>) {
        if !self.has_begun() {
            self.begin(out);
        }
    }

    /// Something that a person should know, once.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.notes.poll()
    }

    /// What the last initialisation segment holds; `None` before the first.
    pub fn codecs(&self) -> Option<&Codecs> {
        self.codecs.as_ref()
    }

    fn has_begun(&self) -> bool {
        self.codecs.is_some()
    }

    fn knows_video(&self) -> bool {
        let init = self.video.init.as_ref();
        init.is_some_and(|init| !init.awaits_size())
    }

    fn holds_keyframe(&self) -> bool {
        let mut held = self.held.iter();
        held.any(|held| held.kind == TagKind::Video && is_keyframe(&held.body))
    }

    fn is_ready(&self, now: i64) -> bool {
        let is_video_ready = !self.expects_video || (self.knows_video() && self.holds_keyframe());
        let is_audio_ready = !self.expects_audio || self.audio.init.is_some();
        let is_any_known = self.knows_video() || self.audio.init.is_some();
        let first = self.held.first().map_or(now, |held| held.dts);
        (is_video_ready && is_audio_ready && is_any_known)
            || now.saturating_sub(first) >= WAIT_MS
            || self.held_bytes > HELD_BYTES_MAX
    }

    /// Brings out the initialisation segment, if any track is known, and what was held back.
    fn begin(&mut self, out: &mut Vec<Piece>) {
        if self.knows_video() || self.audio.init.is_some() {
            self.put_init(out);
        }
        self.held_bytes = 0;
        for held in std::mem::take(&mut self.held) {
            self.write(held.kind, held.dts, &held.body, out);
        }
    }

    fn put_init(&mut self, out: &mut Vec<Piece>) {
        let tracks = [&mut self.video, &mut self.audio].map(|track| {
            let init = track.init.as_ref().filter(|init| !init.awaits_size());
            track.is_written = init.is_some();
            track.is_due &= init.is_none();
            init
        });
        let tracks = || tracks.iter().copied().flatten();
        let codecs = Codecs::of(tracks());
        out.push(Piece {
            kind: PieceKind::Init {
                has_video: codecs.has_video,
                has_audio: codecs.has_audio,
            },
            bytes: init::segment(tracks()),
        });
        self.codecs = Some(codecs);
    }

    fn write(&mut self, kind: TagKind, dts: i64, body: &[u8], out: &mut Vec<Piece>) {
        match kind {
            TagKind::Video => self.write_video(dts, body, out),
            _ => self.write_audio(dts, body, out),
        }
    }

    fn write_video(&mut self, dts: i64, body: &[u8], out: &mut Vec<Piece>) {
        let Some((header, payload)) = self.bodies.video(body, &mut self.notes) else {
            return;
        };
        match header.packet {
            VideoPacket::SequenceHeader => {
                if let Err(note) = self.video.configure_video(header.codec, payload) {
                    self.notes.add(note);
                }
                return;
            }
            VideoPacket::Frames if !payload.is_empty() => {}
            _ => return,
        }
        if let Some(init) = &mut self.video.init {
            body::size_by_keyframe(init, body);
        }
        let Some(TrackInit::Video {
            codec, length_size, ..
        }) = &self.video.init
        else {
            if !init::has_video_entry(header.codec) {
                self.notes.add(Note::VideoLeftOut(header.codec));
            }
            return;
        };
        if header.codec != *codec {
            return self.notes.add(Note::VideoLeftOut(header.codec));
        }
        let is_sync = header.is_keyframe();
        let changed = self.video.changed.as_ref();
        let data = body::video_sample(*codec, payload, is_sync, *length_size, changed);
        if data.is_empty() {
            return;
        }
        // A new configuration has a keyframe behind it: what comes before that cannot be shown.
        if self.has_begun() && self.video.is_due && is_sync && self.knows_video() {
            self.put_init(out);
        }
        if self.video.is_written {
            let offset = header.composition_time_offset;
            self.put_fragment(TagKind::Video, dts, offset, is_sync, data, out);
        }
    }

    fn write_audio(&mut self, dts: i64, body: &[u8], out: &mut Vec<Piece>) {
        let Some((header, payload)) = body::audio(body, &mut self.notes) else {
            return;
        };
        match header.packet {
            AudioPacket::SequenceHeader => {
                if let Err(note) = self.audio.configure_audio(header.codec, payload) {
                    self.notes.add(note);
                }
                return;
            }
            AudioPacket::Frames if !payload.is_empty() => {}
            _ => return,
        }
        if !self.audio.is_of(header.codec) {
            self.learn_audio(body);
        }
        if !self.audio.is_of(header.codec) {
            if self.audio.init.is_some() || !init::has_audio_entry(header.codec) {
                self.notes.add(Note::AudioLeftOut(header.codec));
            }
            return;
        }
        let data = body::audio_sample(header.codec, payload).to_vec();
        if data.is_empty() {
            return;
        }
        // That of the video, too: at a takeover this may be the first frame of the new publisher.
        let is_due = self.audio.is_due || (self.video.is_due && self.knows_video());
        if self.has_begun() && is_due {
            self.put_init(out);
        }
        if self.audio.is_written {
            self.put_fragment(TagKind::Audio, dts, 0, true, data, out);
        }
    }

    /// A frame of audio may be all there is to know the track by.
    fn learn_audio(&mut self, body: &[u8]) {
        if let Some(init) = body::audio_by_frame(body) {
            self.audio.set(init, &[]);
        }
    }

    fn put_fragment(
        &mut self,
        kind: TagKind,
        dts: i64,
        composition_offset: i32,
        is_sync: bool,
        data: Vec<u8>,
        out: &mut Vec<Piece>,
    ) {
        let track = match kind {
            TagKind::Video => &mut self.video,
            _ => &mut self.audio,
        };
        let Some(id) = track.init.as_ref().map(TrackInit::id) else {
            return;
        };
        let dts = dts.max(0);
        let duration = track.next_duration(dts);
        self.sequence = self.sequence.wrapping_add(1);
        let sample = Sample {
            dts,
            composition_offset,
            duration,
            is_sync,
            data,
        };
        out.push(Piece {
            kind: PieceKind::Fragment {
                track: kind,
                is_keyframe: kind == TagKind::Video && is_sync,
                dts,
                duration,
            },
            bytes: fragment::fragment(self.sequence, &[(id, vec![sample])]),
        });
    }
}

impl Track {
    /// A sequence header. The same one again changes nothing.
    fn configure_video(&mut self, codec: VideoCodec, record: &[u8]) -> Result<(), Note> {
        let (codec_before, length_size) = match &self.init {
            Some(TrackInit::Video {
                codec, length_size, ..
            }) => (Some(*codec), *length_size),
            _ => (None, 0),
        };
        if codec_before == Some(codec) && self.record == record {
            return Ok(());
        }
        let mut init = TrackInit::video(codec, record)?;
        self.changed = None;
        // Before anything is out there is nothing to be kept in step with.
        if self.is_written && codec_before == Some(codec) {
            init.set_length_size(length_size);
            self.changed = InBand::of(codec, record, length_size);
        }
        self.set(init, record);
        Ok(())
    }

    /// As [`configure_video`](Self::configure_video).
    fn configure_audio(&mut self, codec: AudioCodec, record: &[u8]) -> Result<(), Note> {
        let is_same = self.is_of(codec) && self.record == record;
        if is_same || body::says_nothing(codec, record) {
            return Ok(());
        }
        let init = TrackInit::audio(codec, record)?;
        self.set(init, record);
        Ok(())
    }

    /// Whether this is an audio track of that codec.
    fn is_of(&self, codec: AudioCodec) -> bool {
        self.init.as_ref().is_some_and(|init| init.is_of(codec))
    }

    fn set(&mut self, init: TrackInit, record: &[u8]) {
        self.init = Some(init);
        self.record = record.to_vec();
        self.is_due = true;
    }

    /// How long a frame at `dts` is taken to be: as long as the last one was.
    fn next_duration(&mut self, dts: i64) -> u32 {
        let last = self.last_dts.replace(dts);
        let distance = last.map_or(0, |last| dts.saturating_sub(last));
        if (1..=FRAME_MS_MAX).contains(&distance) {
            self.duration = u32::try_from(distance).ok();
        }
        *self.duration.get_or_insert(match &self.init {
            Some(TrackInit::Video { .. }) => NOMINAL_VIDEO_MS,
            _ => NOMINAL_AUDIO_MS,
        })
    }
}

/// The picture of a keyframe as a file of its own, which a browser shows in `<video>`: the bodies
/// of a video sequence header and of a keyframe, `None` if they are not such, or of a codec that
/// MP4 does not take.
pub fn still(sequence_header: &[u8], keyframe: &[u8]) -> Option<Vec<u8>> {
    let (mut bodies, mut notes) = (Bodies::default(), Notes::default());
    let (header, record) = bodies.video(sequence_header, &mut notes)?;
    if header.packet != VideoPacket::SequenceHeader {
        return None;
    }
    let mut init = TrackInit::video(header.codec, record).ok()?;
    let (frame_header, frame) = bodies.video(keyframe, &mut notes)?;
    if !frame_header.is_keyframe() || frame_header.codec != header.codec {
        return None;
    }
    body::size_by_keyframe(&mut init, keyframe);
    let TrackInit::Video { length_size, .. } = init else {
        return None;
    };
    let data = body::video_sample(header.codec, frame, true, length_size, None);
    if data.is_empty() {
        return None;
    }
    let sample = Sample {
        dts: 0,
        composition_offset: 0,
        duration: STILL_MS,
        is_sync: true,
        data,
    };
    let mut file = init::segment(std::iter::once(&init));
    file.extend_from_slice(&fragment::fragment(1, &[(init.id(), vec![sample])]));
    Some(file)
}

#[cfg(test)]
mod tests;
