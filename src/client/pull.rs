//! Pull: receives a live stream from a server into an output.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::connection::{Connection, Target};
use super::push::rest;
use super::{ClientError, Output, OutputError, Progress, Reactor, Report, Step};
use crate::media::flv::{Metadata, Tag};
use crate::rtmp::MediaKind;
use crate::rtmp::session::{ClientEvent, ClientRole, EndReason};
use crate::rtmp::timestamp::Timeline;

/// Nothing for this long: the stream is over, or the server is. Above the grace that servers
/// give a publisher to come back.
const MEDIA_IDLE: Duration = Duration::from_secs(15);

/// Where the output's time starts at most, milliseconds: above 0, because sound that belongs before
/// the first picture can come after it.
const START_MAX_MS: i64 = 1000;

/// Between the last frame of a broken connection and the first of the next.
const RESUME_GAP_MS: i64 = 40;

/// The output is handed to the system at least this often.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// How a pull behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct PullOptions {
    /// Ends after this much stream time.
    pub duration: Option<Duration>,
    /// A connection that breaks, or a stream that ends, is asked for anew.
    pub reconnects: bool,
}

/// Pulls until the stream ends, the duration is over, or the reactor is stopped. The output is
/// complete and correct however it ends.
///
/// # Errors
/// [`ClientError`]: the connection failed or broke, and reconnecting is off or pointless.
pub fn run(
    reactor: &mut Reactor,
    target: &Target,
    output: Output,
    options: PullOptions,
    report: &mut dyn Report,
) -> Result<Progress, ClientError> {
    let mut pull = Pull::new(output, options);
    let outcome = pull.sessions(reactor, target, report);
    let finished = pull.output.finish();
    match (outcome, finished) {
        // The reader of a pipe has seen enough: that is an end like another.
        (Err(ClientError::Output(OutputError::ReaderLeft)), _) => Ok(pull.progress),
        (Err(error), _) => Err(error),
        (Ok(()), Err(OutputError::ReaderLeft)) => Ok(pull.progress),
        (Ok(()), finished) => finished
            .map(|()| pull.progress)
            .map_err(ClientError::Output),
    }
}

/// What outlives a connection.
struct Pull {
    output: Output,
    options: PullOptions,
    /// `None` until the first frame of a connection.
    timeline: Option<Timeline>,
    /// Highest dts written; a new connection goes on behind it.
    last_dts: Option<i64>,
    first_dts: Option<i64>,
    has_video: bool,
    awaits_keyframe: bool,
    /// When this connection brought its first keyframe.
    first_keyframe: Option<Instant>,
    has_received: bool,
    started: Instant,
    last_media: Instant,
    last_flush: Instant,
    progress: Progress,
}

/// Why a connection is over without an error.
enum Outcome {
    /// Enough was received, or we were stopped.
    Done,
    /// The stream ended.
    Ended(EndReason),
    /// The server wants us elsewhere.
    Redirected(Option<String>),
}

impl Pull {
    fn new(output: Output, options: PullOptions) -> Self {
        let now = Instant::now();
        Self {
            output,
            options,
            timeline: None,
            last_dts: None,
            first_dts: None,
            has_video: false,
            awaits_keyframe: true,
            first_keyframe: None,
            has_received: false,
            started: now,
            last_media: now,
            last_flush: now,
            progress: Progress::default(),
        }
    }

    fn sessions(
        &mut self,
        reactor: &mut Reactor,
        target: &Target,
        report: &mut dyn Report,
    ) -> Result<(), ClientError> {
        let mut target = target.clone();
        let mut backoff = Backoff::new(fastrand::u64(..));
        loop {
            let received = self.progress.bytes;
            let outcome = self.session(reactor, &target, report);
            if self.progress.bytes > received {
                backoff.reset();
            }
            let why = match outcome {
                Ok(Outcome::Done) => return Ok(()),
                Ok(Outcome::Redirected(tc_url)) => {
                    report.notice("the server asks to connect anew");
                    if let Some(tc_url) = tc_url {
                        target = target.redirected(&tc_url);
                    }
                    continue;
                }
                Ok(Outcome::Ended(reason)) if !self.options.reconnects => {
                    report.notice(describe_end(reason));
                    return Ok(());
                }
                Ok(Outcome::Ended(reason)) => describe_end(reason).to_owned(),
                Err(ClientError::Stopped) if self.has_received => return Ok(()),
                Err(error)
                    if self.options.reconnects && self.has_received && error.is_worth_a_retry() =>
                {
                    error.to_string()
                }
                Err(error) => return Err(error),
            };
            let wait = backoff.wait();
            report.notice(&format!(
                "{why}; trying again in {:.1} s",
                wait.as_secs_f64()
            ));
            self.output.flush()?;
            if !rest(reactor, wait)? {
                return Ok(());
            }
        }
    }

    fn session(
        &mut self,
        reactor: &mut Reactor,
        target: &Target,
        report: &mut dyn Report,
    ) -> Result<Outcome, ClientError> {
        let mut connection = Connection::open(reactor, target, ClientRole::Play, report)?;
        self.timeline = None;
        self.awaits_keyframe = true;
        let start = Instant::now();
        self.last_media = start;
        if !self.has_received {
            self.started = start;
        }
        self.first_keyframe = None;
        let outcome = self.receive(&mut connection, reactor, report);
        report.step(Step {
            number: 4,
            text: format!(
                "{} video and {} audio frames received, {} bytes, {:.3} s of media{}",
                self.progress.video_frames,
                self.progress.audio_frames,
                self.progress.bytes,
                self.progress.time.as_secs_f64(),
                self.first_keyframe.map_or_else(String::new, |at| {
                    let wait = at.saturating_duration_since(connection.handshaken());
                    format!(
                        ", first keyframe {:.1} ms after the request",
                        wait.as_secs_f64() * 1000.0
                    )
                })
            ),
            took: start.elapsed(),
        });
        let outcome = outcome?;
        connection.close(reactor, report);
        Ok(outcome)
    }

    /// Steps 3 and 4.
    fn receive(
        &mut self,
        connection: &mut Connection,
        reactor: &mut Reactor,
        report: &mut dyn Report,
    ) -> Result<Outcome, ClientError> {
        let mut metadata_told = false;
        loop {
            let until = (self.last_media + MEDIA_IDLE).min(self.last_flush + FLUSH_EVERY);
            let turned = connection.turn(reactor, Some(until));
            let mut outcome = None;
            while let Some(event) = connection.poll_event() {
                if !metadata_told
                    && matches!(event, ClientEvent::Metadata(_) | ClientEvent::Media { .. })
                {
                    metadata_told = true;
                    report.step(Step {
                        number: 3,
                        text: describe_metadata(&event),
                        took: connection.handshaken().elapsed(),
                    });
                }
                if let Some(end) = self.on_event(event)? {
                    outcome.get_or_insert(end);
                }
            }
            let now = Instant::now();
            self.progress.elapsed = now - self.started;
            report.progress(&self.progress);
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            if reactor.stopper().is_stopped() || self.is_enough() {
                return Ok(Outcome::Done);
            }
            turned?;
            if now >= self.last_media + MEDIA_IDLE {
                return Err(ClientError::NoMedia(MEDIA_IDLE.as_secs()));
            }
            if now >= self.last_flush + FLUSH_EVERY {
                self.last_flush = now;
                self.output.flush()?;
            }
        }
    }

    fn on_event(&mut self, event: ClientEvent) -> Result<Option<Outcome>, ClientError> {
        match event {
            ClientEvent::Media {
                kind,
                timestamp,
                payload,
            } => {
                self.last_media = Instant::now();
                self.on_media(kind, timestamp, payload.as_slice())?;
            }
            ClientEvent::Metadata(payload) => self.write_script(payload.as_slice())?,
            ClientEvent::Data { payload, .. } => self.write_script(payload.as_slice())?,
            ClientEvent::Ended(reason) => return Ok(Some(Outcome::Ended(reason))),
            ClientEvent::Rejected(rejection) => return Err(ClientError::Rejected(rejection)),
            ClientEvent::ReconnectRequested(tc_url) => {
                return Ok(Some(Outcome::Redirected(tc_url)));
            }
            other => log::debug!("{other:?}"),
        }
        Ok(None)
    }

    fn on_media(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        body: &[u8],
    ) -> Result<(), ClientError> {
        if self.is_enough() {
            return Ok(());
        }
        let make = match kind {
            MediaKind::Audio => Tag::audio,
            MediaKind::Video => Tag::video,
        };
        let mut tag = make(self.last_dts.unwrap_or(0), body.to_vec());
        self.has_video |= kind == MediaKind::Video;
        if tag.is_sequence_header() {
            return self.write(&tag);
        }
        if kind == MediaKind::Video {
            if tag.is_keyframe() {
                self.awaits_keyframe = false;
                self.first_keyframe.get_or_insert_with(Instant::now);
            }
            if self.awaits_keyframe {
                return Ok(());
            }
        }
        let start = match self.last_dts {
            Some(last) => last + RESUME_GAP_MS,
            None => i64::from(timestamp).min(START_MAX_MS),
        };
        let timeline = self
            .timeline
            .get_or_insert_with(|| Timeline::starting_at(start));
        tag.dts = timeline.advance(kind, timestamp).dts.max(0);
        self.has_received = true;
        let first = *self.first_dts.get_or_insert(tag.dts);
        let time = u64::try_from(tag.dts - first).unwrap_or(0);
        self.progress.time = self.progress.time.max(Duration::from_millis(time));
        self.last_dts = self.last_dts.max(Some(tag.dts));
        self.progress.bytes += body.len() as u64;
        match kind {
            MediaKind::Audio => self.progress.audio_frames += 1,
            MediaKind::Video => self.progress.video_frames += 1,
        }
        self.write(&tag)
    }

    fn write_script(&mut self, body: &[u8]) -> Result<(), ClientError> {
        self.write(&Tag::script(self.last_dts.unwrap_or(0), body.to_vec()))
    }

    fn write(&mut self, tag: &Tag) -> Result<(), ClientError> {
        self.output.write_tag(tag);
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.options
            .duration
            .is_some_and(|duration| self.progress.time >= duration)
    }
}

fn describe_end(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Unpublished => "the publisher left",
        EndReason::Stopped => "the server stopped the stream",
        EndReason::ServerClosed => "the server is shutting down",
    }
}

fn describe_metadata(event: &ClientEvent) -> String {
    let metadata = match event {
        ClientEvent::Metadata(payload) => Metadata::parse(payload.as_slice()),
        _ => None,
    };
    match metadata {
        Some(metadata) => format!(
            "play accepted, metadata received: {}",
            super::report::describe(&metadata)
        ),
        None => "play accepted, no metadata received: the media came at once".to_owned(),
    }
}
