//! The analysis of a stream: takes messages with the time of their arrival, tells what it is.
//!
//! Pure: no socket, no clock. Memory is bounded however long the stream is.

use std::time::Duration;

use super::audio::AudioTrack;
use super::clock::distance_ms;
use super::notes::{Notes, Quirk};
use super::report::{FirstReport, MetadataReport, StreamReport, SyncReport};
use super::tally::Line;
use super::video::{VideoTrack, differs};
use crate::media::flv::{AudioHeader, Metadata, VideoHeader, VideoPacket};
use crate::rtmp::MediaKind;

/// Tracks of each kind that are kept apart; frames of others are not looked at.
const TRACKS_MAX: usize = 16;

/// Sound that is this far from its picture is at the wrong place.
const OFFSET_MAX_MS: f64 = 1000.0;

/// Behind the burst at the start.
const SETTLED: Duration = Duration::from_secs(1);

/// Over less than this the unevenness of the network looks like drift, seconds.
const DRIFT_OVER: f64 = 9.0;

/// What sound and picture must have moved apart in all to call it drift, milliseconds.
const DRIFT_MS: f64 = 100.0;

/// A promise is not broken before this long.
const PROMISE: Duration = Duration::from_secs(1);

/// Frames from which on a frame rate can be told.
const RATE_FRAMES: u64 = 10;

/// Takes a stream apart.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    metadata: Option<Metadata>,
    metadata_count: u64,
    data_messages: u64,
    video: Vec<VideoTrack>,
    audio: Vec<AudioTrack>,
    sync: Sync,
    notes: Notes,
    first_metadata: Option<Duration>,
    first_frame: Option<Duration>,
    first_keyframe: Option<Duration>,
    /// Of anything.
    first: Option<Duration>,
    last: Duration,
}

/// Differences between picture and sound.
#[derive(Debug, Clone, Copy, Default)]
struct Sync {
    count: u64,
    sum_ms: i64,
    /// Lowest and highest.
    range_ms: Option<(i64, i64)>,
    line: Line,
}

impl Analysis {
    /// An analysis that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether any frame came.
    pub fn has_frames(&self) -> bool {
        self.first_frame.is_some()
    }

    /// When the first metadata or media came.
    pub fn first_arrival(&self) -> Option<Duration> {
        self.first
    }

    /// When what came first, by the clock of the arrivals.
    pub fn first(&self) -> FirstReport {
        let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
        FirstReport {
            metadata_ms: ms(self.first_metadata),
            frame_ms: ms(self.first_frame),
            keyframe_ms: ms(self.first_keyframe),
        }
    }

    /// Takes the body of a metadata message: AMF0 "onMetaData" and a value.
    pub fn handle_metadata(&mut self, arrival: Duration, body: &[u8]) {
        self.arrive(arrival);
        self.first_metadata.get_or_insert(arrival);
        if self.metadata_count == 0 && self.has_frames() {
            self.notes.add(Quirk::MetadataLate);
        }
        self.metadata_count += 1;
        match Metadata::parse(body) {
            Some(metadata) if metadata != Metadata::default() => self.metadata = Some(metadata),
            _ => self.notes.add(Quirk::MetadataEmpty),
        }
    }

    /// Takes any other data message.
    pub fn handle_data(&mut self) {
        self.data_messages += 1;
    }

    /// Says that the server sent us elsewhere.
    pub fn handle_redirect(&mut self) {
        self.notes.add(Quirk::Redirected);
    }

    /// Takes an audio or video message. `arrival` counts from any moment and never decreases,
    /// `timestamp` is as sent, `body` is an FLV tag body.
    pub fn handle_media(
        &mut self,
        arrival: Duration,
        kind: MediaKind,
        timestamp: u32,
        body: &[u8],
    ) {
        self.arrive(arrival);
        match kind {
            MediaKind::Video => self.on_video(arrival, timestamp, body),
            MediaKind::Audio => self.on_audio(arrival, timestamp, body),
        }
    }

    fn arrive(&mut self, arrival: Duration) {
        self.first.get_or_insert(arrival);
        self.last = arrival;
    }

    fn on_video(&mut self, arrival: Duration, timestamp: u32, body: &[u8]) {
        let mut next = VideoHeader::parse(body).map(Some);
        loop {
            let header = match next {
                Ok(Some(header)) => header,
                Ok(None) => return,
                Err(_) => return self.notes.add(Quirk::Unreadable("video")),
            };
            // Of no track and no codec.
            if !matches!(header.packet, VideoPacket::Command(_)) {
                self.on_video_of_track(&header, arrival, timestamp, header.payload(body));
            }
            next = header.next_track(body);
        }
    }

    fn on_video_of_track(
        &mut self,
        header: &VideoHeader,
        arrival: Duration,
        timestamp: u32,
        payload: &[u8],
    ) {
        let known = self
            .video
            .iter()
            .position(|video| video.track.id == header.track_id);
        let place = match known {
            Some(place) => place,
            None if self.video.len() < TRACKS_MAX => {
                self.video.push(VideoTrack::new(header, &mut self.notes));
                self.video.len() - 1
            }
            None => return,
        };
        let Some(video) = self.video.get_mut(place) else {
            return;
        };
        video.handle(header, payload, arrival, timestamp, &mut self.notes);
        if header.packet != VideoPacket::Frames || payload.is_empty() {
            return;
        }
        self.first_frame.get_or_insert(arrival);
        if header.is_keyframe() {
            self.first_keyframe.get_or_insert(arrival);
        }
        if place == 0 {
            self.compare_tracks(arrival);
        }
    }

    /// Where the last picture lies to the last sound. Jumps are left out: each is told as such.
    fn compare_tracks(&mut self, arrival: Duration) {
        let (Some(video), Some(audio)) = (self.video.first(), self.audio.first()) else {
            return;
        };
        let (video, audio) = (&video.track.clock, &audio.track.clock);
        let (Some(picture), Some(sound)) = (video.first(), audio.first()) else {
            return;
        };
        let start_ms = distance_ms(sound, picture);
        let offset_ms = start_ms + video.elapsed_ms() - audio.elapsed_ms();
        let is_settled = self.first.is_some_and(|first| arrival >= first + SETTLED);
        self.sync.add(is_settled.then_some(arrival), offset_ms);
    }

    fn on_audio(&mut self, arrival: Duration, timestamp: u32, body: &[u8]) {
        let mut next = AudioHeader::parse(body).map(Some);
        loop {
            let header = match next {
                Ok(Some(header)) => header,
                Ok(None) => return,
                Err(_) => return self.notes.add(Quirk::Unreadable("audio")),
            };
            let known = self
                .audio
                .iter()
                .position(|audio| audio.track.id == header.track_id);
            let place = match known {
                Some(place) => place,
                None if self.audio.len() < TRACKS_MAX => {
                    self.audio.push(AudioTrack::new(&header, &mut self.notes));
                    self.audio.len() - 1
                }
                None => return,
            };
            if let Some(audio) = self.audio.get_mut(place) {
                let frames = audio.track.frames;
                let payload = header.payload(body);
                audio.handle(&header, payload, arrival, timestamp, &mut self.notes);
                if audio.track.frames > frames {
                    self.first_frame.get_or_insert(arrival);
                }
            }
            next = header.next_track(body);
        }
    }

    /// What the stream is.
    pub fn finish(mut self) -> StreamReport {
        self.note_metadata();
        for video in &self.video {
            video.note(&mut self.notes);
        }
        for audio in &self.audio {
            audio.note(&mut self.notes);
        }
        let sync = self.sync();
        if let Some(sync) = &sync {
            note_sync(sync, self.sync.line.length(), &mut self.notes);
        }
        let told = self.metadata.as_ref();
        let frame_rate = told.and_then(|metadata| metadata.frame_rate);
        StreamReport {
            metadata: told.map(|metadata| describe(metadata, self.metadata_count)),
            video: self
                .video
                .iter()
                .map(|video| video.report(frame_rate))
                .collect(),
            audio: self.audio.iter().map(AudioTrack::report).collect(),
            sync,
            data_messages: self.data_messages,
            notes: self.notes.into_report(),
        }
    }

    fn sync(&self) -> Option<SyncReport> {
        let picture = self.video.first()?.track.clock.first()?;
        let sound = self.audio.first()?.track.clock.first()?;
        let (min_ms, max_ms) = self.sync.range_ms?;
        let line = &self.sync.line;
        Some(SyncReport {
            start_ms: distance_ms(sound, picture),
            mean_ms: self.sync.sum_ms as f64 / self.sync.count as f64,
            min_ms,
            max_ms,
            drift_ms_per_minute: (line.length() >= DRIFT_OVER)
                .then(|| line.slope().map(|slope| slope * 60.0))
                .flatten(),
        })
    }

    /// Compares what metadata say with what is so.
    fn note_metadata(&mut self) {
        let Some(metadata) = self.metadata.clone() else {
            if self.metadata_count == 0 && self.has_frames() {
                self.notes.add(Quirk::MetadataMissing);
            }
            return;
        };
        let waited = self.last.saturating_sub(self.first.unwrap_or_default()) >= PROMISE;
        let has_audio = self.audio.iter().any(|audio| audio.track.frames > 0);
        let has_video = self.video.iter().any(|video| video.track.frames > 0);
        if metadata.audio_codec.is_some() && !has_audio && waited {
            self.notes.add(Quirk::AudioPromised);
        }
        if metadata.video_codec.is_some() && !has_video && waited {
            self.notes.add(Quirk::VideoPromised);
        }
        if metadata.width.is_some() && metadata.video_codec.is_none() {
            self.notes.add(Quirk::MetadataWithoutVideoCodec);
        }
        if let Some(video) = self.video.first() {
            compare_video(&metadata, video, &mut self.notes);
        }
        if let Some(audio) = self.audio.first() {
            compare_audio(&metadata, audio, &mut self.notes);
        }
    }
}

impl Sync {
    /// `arrival`: once the burst at the start is over.
    fn add(&mut self, arrival: Option<Duration>, offset_ms: i64) {
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(offset_ms);
        let (min, max) = self.range_ms.unwrap_or((offset_ms, offset_ms));
        self.range_ms = Some((min.min(offset_ms), max.max(offset_ms)));
        if let Some(arrival) = arrival {
            self.line.add(arrival.as_secs_f64(), offset_ms as f64);
        }
    }
}

fn note_sync(sync: &SyncReport, seconds: f64, notes: &mut Notes) {
    if sync.mean_ms.abs() > OFFSET_MAX_MS {
        let ms = whole(sync.mean_ms);
        notes.add(Quirk::AudioVideoOffset { ms });
    }
    if let Some(drift) = sync.drift_ms_per_minute
        && (drift * seconds / 60.0).abs() > DRIFT_MS
    {
        let ms_per_minute = whole(drift);
        notes.add(Quirk::AudioVideoDrift { ms_per_minute });
    }
}

#[allow(clippy::cast_possible_truncation, reason = "saturates")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

fn compare_video(metadata: &Metadata, video: &VideoTrack, notes: &mut Notes) {
    let mut wrong = |field, said: String, found: String| {
        notes.add(Quirk::MetadataWrong { field, said, found });
    };
    if let Some((width, height)) = video.facts.size {
        if let Some(said) = metadata.width.filter(|&said| said != width) {
            wrong("width", said.to_string(), width.to_string());
        }
        if let Some(said) = metadata.height.filter(|&said| said != height) {
            wrong("height", said.to_string(), height.to_string());
        }
    }
    if let Some(said) = metadata.video_codec.filter(|&said| said != video.codec) {
        let found = video.codec.to_string();
        wrong("videocodecid", said.to_string(), found);
    }
    let measured = video.frame_rate_measured();
    if let (Some(said), Some(measured)) = (metadata.frame_rate, measured)
        && video.track.frames >= RATE_FRAMES
        && differs(said, measured)
    {
        wrong("framerate", format!("{said:.2}"), format!("{measured:.2}"));
    }
}

fn compare_audio(metadata: &Metadata, audio: &AudioTrack, notes: &mut Notes) {
    let mut wrong = |field, said: String, found: String| {
        notes.add(Quirk::MetadataWrong { field, said, found });
    };
    if let Some(said) = metadata.audio_codec.filter(|&said| said != audio.codec) {
        let found = audio.codec.to_string();
        wrong("audiocodecid", said.to_string(), found);
    }
    // FLV cannot say the rate of most sounds: only sequence headers contradict metadata.
    if !audio.track.has_header() {
        return;
    }
    if let (Some(said), Some(found)) = (metadata.audio_sample_rate, audio.sample_rate)
        && said != found
    {
        wrong("audiosamplerate", said.to_string(), found.to_string());
    }
    if let (Some(said), Some(found)) = (metadata.audio_channels, audio.channels)
        && said != found
    {
        wrong("audiochannels", said.to_string(), found.to_string());
    }
}

fn describe(metadata: &Metadata, count: u64) -> MetadataReport {
    let encoder = metadata.encoder.as_deref();
    MetadataReport {
        count,
        width: metadata.width,
        height: metadata.height,
        frame_rate: metadata.frame_rate,
        video_codec: metadata.video_codec.map(|codec| codec.to_string()),
        audio_codec: metadata.audio_codec.map(|codec| codec.to_string()),
        sample_rate: metadata.audio_sample_rate,
        channels: metadata.audio_channels,
        video_kbps: metadata.video_kbps,
        audio_kbps: metadata.audio_kbps,
        encoder: encoder.map(super::printable),
    }
}

#[cfg(test)]
mod tests;
