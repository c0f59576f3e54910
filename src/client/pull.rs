//! Pull: receives a live stream from a server into an output.

use std::time::{Duration, Instant};

use super::connection::{Connection, Target};
use super::join::{Frame, Join};
use super::manner::Manner;
use super::retry::Retry;
use super::{ClientError, Output, OutputError, Progress, Reactor, Report, Step};
use crate::media::flv::{Metadata, Tag, TagKind};
use crate::rtmp::MediaKind;
use crate::rtmp::session::{ClientEvent, ClientRole, EndReason};
use crate::rtmp::timestamp::Timeline;

/// Nothing for this long: the stream is over, or the server is. Above the grace that servers
/// give a publisher to come back.
const MEDIA_IDLE: Duration = Duration::from_secs(15);

/// Between the last frame of a broken connection and the first of the next.
const RESUME_GAP_MS: i64 = 40;

/// The output is handed to the system at least this often.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// Bytes of output at which it is handed to the system in any case.
const BUFFERED_BYTES_MAX: usize = 1024 * 1024;

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
    manner: Manner,
    /// Holds what a connection brings first; `None` from its start of writing on.
    join: Option<Join>,
    /// Of this connection, from its first written frame on.
    timeline: Option<Timeline>,
    /// Highest dts written; a new connection goes on behind it.
    last_dts: Option<i64>,
    first_dts: Option<i64>,
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
            manner: Manner::default(),
            join: None,
            timeline: None,
            last_dts: None,
            first_dts: None,
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
        let home = target;
        let mut target = home.clone();
        let mut retry = Retry::new(fastrand::u64(..));
        loop {
            let start = Instant::now();
            let received = self.progress.bytes;
            let outcome = self.session(reactor, &target, report);
            // A server that says yes and sends nothing has not accepted anything.
            let lived = (self.progress.bytes > received).then(|| start.elapsed());
            retry.on_end(lived);
            target = home.clone();
            let (why, wait) = match outcome {
                Ok(Outcome::Done) => return Ok(()),
                Ok(Outcome::Redirected(tc_url)) => {
                    if let Some(tc_url) = tc_url {
                        target = home.redirected(&tc_url);
                    }
                    let why = "the server asks to connect anew".to_owned();
                    let wait = match lived {
                        Some(_) => Duration::ZERO,
                        // Or two servers that send us to each other would keep us busy.
                        None => retry.wait(),
                    };
                    (why, wait)
                }
                Ok(Outcome::Ended(reason)) if !self.options.reconnects => {
                    report.notice(describe_end(reason));
                    return Ok(());
                }
                Ok(Outcome::Ended(reason)) => (describe_end(reason).to_owned(), retry.wait()),
                Err(ClientError::Stopped) if self.has_received => return Ok(()),
                Err(error) if !self.options.reconnects => return Err(error),
                Err(error) => match retry.wait_after(&error) {
                    Some(wait) => (error.to_string(), wait),
                    None => return Err(error),
                },
            };
            report.notice(&format!(
                "{why}; trying again in {:.1} s",
                wait.as_secs_f64()
            ));
            self.output.flush()?;
            if !reactor.rest(wait).map_err(ClientError::System)? {
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
        let mut connection =
            Connection::open(reactor, target, ClientRole::Play, &mut self.manner, report)?;
        self.join = Some(Join::default());
        self.timeline = None;
        self.awaits_keyframe = true;
        let start = Instant::now();
        self.last_media = start;
        if !self.has_received {
            self.started = start;
        }
        self.first_keyframe = None;
        let received = self.progress.bytes;
        let outcome = self.receive(&mut connection, reactor, report);
        self.start_writing(report);
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
        let outcome = outcome.map_err(|error| match error {
            error if error.is_silent_close() && self.progress.bytes == received => {
                ClientError::ClosedAtOnce("play")
            }
            error => error,
        })?;
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
            let turned = connection.turn(reactor, Some(self.next_due()));
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
            if self.join.as_ref().is_some_and(|join| join.is_ready(now)) {
                self.start_writing(report);
            }
            self.progress.elapsed = now - self.started;
            report.progress(&self.progress);
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            if reactor.stopper().is_stopped() || self.is_enough() {
                return Ok(Outcome::Done);
            }
            turned?;
            if connection.is_dry() && now >= self.last_media + MEDIA_IDLE {
                return Err(ClientError::NoMedia(MEDIA_IDLE.as_secs()));
            }
            if self.output.is_watched()
                || now >= self.last_flush + FLUSH_EVERY
                || self.output.buffered() > BUFFERED_BYTES_MAX
            {
                self.last_flush = now;
                self.output.flush()?;
            }
        }
    }

    /// When there is something to do even if nothing comes.
    fn next_due(&self) -> Instant {
        let due = (self.last_media + MEDIA_IDLE).min(self.last_flush + FLUSH_EVERY);
        let start = self.join.as_ref().and_then(Join::deadline);
        start.map_or(due, |start| due.min(start))
    }

    fn on_event(&mut self, event: ClientEvent) -> Result<Option<Outcome>, ClientError> {
        match event {
            ClientEvent::Media {
                kind,
                timestamp,
                payload,
            } => {
                self.last_media = Instant::now();
                self.on_media(kind, timestamp, payload.as_slice());
            }
            ClientEvent::Metadata(payload) | ClientEvent::Data { payload, .. } => {
                self.on_header(Tag::script(0, payload.as_slice().to_vec()));
            }
            ClientEvent::Ended(reason) => return Ok(Some(Outcome::Ended(reason))),
            ClientEvent::Rejected(rejection) => return Err(ClientError::Rejected(rejection)),
            ClientEvent::ReconnectRequested(tc_url) => {
                return Ok(Some(Outcome::Redirected(tc_url)));
            }
            other => log::debug!("{other:?}"),
        }
        Ok(None)
    }

    fn on_media(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) {
        if self.is_enough() {
            return;
        }
        let tag = match kind {
            MediaKind::Audio => Tag::audio(0, body.to_vec()),
            MediaKind::Video => Tag::video(0, body.to_vec()),
        };
        if tag.is_sequence_header() {
            return self.on_header(tag);
        }
        let is_keyframe = tag.is_keyframe();
        if is_keyframe {
            self.first_keyframe.get_or_insert_with(Instant::now);
        }
        let frame = Frame {
            kind,
            timestamp,
            body: tag.body,
            is_keyframe,
        };
        match &mut self.join {
            Some(join) => join.hold_frame(frame, Instant::now()),
            None => self.write_frame(frame),
        }
    }

    /// Metadata, other data, or a sequence header.
    fn on_header(&mut self, mut tag: Tag) {
        match &mut self.join {
            Some(join) => join.hold_header(tag),
            None => {
                tag.dts = self.last_dts.unwrap_or(0);
                self.output.write_tag(&tag);
            }
        }
    }

    /// Writes what was held; from here on everything is written as it comes.
    fn start_writing(&mut self, report: &mut dyn Report) {
        let Some(joined) = self.join.take().map(Join::release) else {
            return;
        };
        if joined.frames.is_empty() {
            return;
        }
        if joined.lacks_keyframe {
            report.notice("no keyframe has come yet: only sound is written for now");
        }
        let start = self.last_dts.map_or(0, |last| last + RESUME_GAP_MS);
        self.output
            .expect_tracks(joined.has_audio, joined.has_video);
        for header in joined.headers {
            let dts = self.last_dts.map_or(0, |_| start);
            self.output.write_tag(&Tag { dts, ..header });
        }
        self.timeline = Some(Timeline::starting_at(start + joined.lead_ms));
        for frame in joined.frames {
            if self.is_enough() {
                return;
            }
            self.write_frame(frame);
        }
    }

    fn write_frame(&mut self, frame: Frame) {
        let kind = frame.kind;
        if kind == MediaKind::Video {
            self.awaits_keyframe &= !frame.is_keyframe;
            if self.awaits_keyframe {
                return;
            }
        }
        let Some(timeline) = &mut self.timeline else {
            return;
        };
        let dts = timeline.advance(kind, frame.timestamp).dts.max(0);
        self.has_received = true;
        let first = *self.first_dts.get_or_insert(dts);
        let time = u64::try_from(dts - first).unwrap_or(0);
        self.progress.time = self.progress.time.max(Duration::from_millis(time));
        self.last_dts = self.last_dts.max(Some(dts));
        self.progress.count(kind, &frame.body);
        let kind = match kind {
            MediaKind::Audio => TagKind::Audio,
            MediaKind::Video => TagKind::Video,
        };
        self.output.write_tag(&Tag {
            kind,
            dts,
            body: frame.body,
        });
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
