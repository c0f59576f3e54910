//! Probe: plays a live stream for a while and tells what it is and what is odd about it.
//!
//! This file holds the conversation; `probe/analysis.rs` takes the stream apart, without I/O. What
//! is seen is what the server sends: many servers mend or rewrite what a camera sent them.

mod analysis;
mod audio;
mod clock;
mod notes;
mod report;
mod tally;
mod track;
mod video;

use std::time::{Duration, Instant};

use super::connection::{Connection, Target};
use super::manner::Manner;
use super::{ClientError, Detour, Progress, Reactor, Report, Step, Witness};
use crate::rtmp::session::{ClientEvent, ClientRole, EndReason};

pub use analysis::Analysis;
pub use notes::{NoteReport, Quirk};
pub use report::{
    AudioReport, BitrateReport, FirstReport, FrameRateReport, GopReport, HeaderReport,
    MetadataReport, ProbeReport, ServerReport, Spread, StepReport, StreamReport, SyncReport,
    TimestampReport, VideoReport,
};

/// Nothing for this long: there is no stream.
const MEDIA_IDLE: Duration = Duration::from_secs(15);

/// How often the server may send us elsewhere.
const REDIRECTS_MAX: u32 = 3;

/// How long names and versions of the other side may be in a report, characters.
const TEXT_MAX: usize = 200;

/// Plays for `duration` from the first metadata or media on, until the stream ends, or until the
/// reactor is stopped.
///
/// # Errors
/// [`ClientError`]: no frame came. A connection that breaks behind the first frame gives a report
/// that says so in `ended`.
pub fn run(
    reactor: &mut Reactor,
    target: &Target,
    duration: Duration,
    report: &mut dyn Report,
) -> Result<ProbeReport, ClientError> {
    let mut probe = Probe {
        start: Instant::now(),
        duration,
        analysis: Analysis::new(),
        manner: Manner::default(),
        progress: Progress::default(),
        steps: StepLog {
            steps: Vec::new(),
            inner: report,
        },
        server: ServerReport {
            address: String::new(),
            software: None,
        },
    };
    let outcome = probe.sessions(reactor, target);
    let end = probe.start.elapsed();
    let ended = match outcome {
        Ok(_) | Err(ClientError::Stopped) if !probe.analysis.has_frames() => {
            return Err(match outcome {
                Ok(Ended::Over(reason)) => ClientError::NoFrames(describe_end(reason)),
                Ok(Ended::Duration | Ended::Redirected(_)) => {
                    ClientError::NoFrames("nothing but metadata came")
                }
                Ok(Ended::Stopped) | Err(_) => ClientError::Stopped,
            });
        }
        Err(error) if !probe.analysis.has_frames() => return Err(error),
        Ok(ended) => ended.name().to_owned(),
        Err(error) => error.to_string(),
    };
    let since = probe.analysis.first_arrival().unwrap_or(end);
    Ok(ProbeReport {
        url: target.url().to_string(),
        server: probe.server,
        steps: probe.steps.steps,
        first: probe.analysis.first(),
        seconds: end.saturating_sub(since).as_secs_f64(),
        ended,
        stream: probe.analysis.finish(),
    })
}

struct Probe<'a> {
    start: Instant,
    duration: Duration,
    analysis: Analysis,
    manner: Manner,
    progress: Progress,
    steps: StepLog<'a>,
    server: ServerReport,
}

/// Why a connection is over without an error.
enum Ended {
    Duration,
    Stopped,
    Over(EndReason),
    Redirected(Option<String>),
}

impl Ended {
    /// As the report names it.
    fn name(&self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Stopped => "stopped",
            Self::Over(EndReason::Unpublished) => "unpublished",
            Self::Over(EndReason::Stopped) => "stream stopped",
            Self::Over(EndReason::ServerClosed) | Self::Redirected(_) => "server closed",
        }
    }
}

impl Probe<'_> {
    fn sessions(&mut self, reactor: &mut Reactor, home: &Target) -> Result<Ended, ClientError> {
        let mut target = home.clone();
        for _ in 0..REDIRECTS_MAX {
            match self.session(reactor, &target)? {
                Ended::Redirected(tc_url) => {
                    self.analysis.handle_redirect();
                    if let Some(tc_url) = tc_url {
                        target = home.redirected(&tc_url);
                    }
                }
                ended => return Ok(ended),
            }
        }
        Ok(Ended::Redirected(None))
    }

    fn session(&mut self, reactor: &mut Reactor, target: &Target) -> Result<Ended, ClientError> {
        let role = ClientRole::Play;
        let mut connection =
            Connection::open(reactor, target, role, &mut self.manner, &mut self.steps)?;
        self.server = ServerReport {
            address: connection.address().to_string(),
            software: connection.server_software().map(printable),
        };
        let accepted = Instant::now();
        let outcome = self.receive(&mut connection, reactor);
        self.steps.step(Step {
            number: 4,
            text: format!(
                "{} video and {} audio frames received, {} bytes",
                self.progress.video_frames, self.progress.audio_frames, self.progress.bytes,
            ),
            took: accepted.elapsed(),
        });
        let outcome = outcome.map_err(|error| match error {
            error if error.is_silent_close() && !self.analysis.has_frames() => {
                ClientError::ClosedAtOnce("play")
            }
            error => error,
        })?;
        connection.close(reactor, &mut self.steps);
        Ok(outcome)
    }

    /// Steps 3 and 4.
    fn receive(
        &mut self,
        connection: &mut Connection,
        reactor: &mut Reactor,
    ) -> Result<Ended, ClientError> {
        let mut last_media = Instant::now();
        let mut has_told = false;
        loop {
            let until = last_media + MEDIA_IDLE;
            let enough = self.analysis.first_arrival();
            let enough = enough.map(|first| self.start + first + self.duration);
            let turned = connection.turn(reactor, Some(enough.map_or(until, |at| at.min(until))));
            let mut ended = None;
            while let Some(event) = connection.poll_event() {
                if matches!(event, ClientEvent::Media { .. }) {
                    last_media = Instant::now();
                }
                if let Some(end) = self.on_event(event)? {
                    ended.get_or_insert(end);
                }
            }
            if !has_told && let Some(first) = self.analysis.first_arrival() {
                has_told = true;
                let first = self.start + first;
                let text = match self.analysis.first().metadata_ms {
                    Some(_) => "play accepted, metadata received",
                    None => "play accepted, the media came without metadata",
                };
                self.steps.step(Step {
                    number: 3,
                    text: text.to_owned(),
                    took: first.saturating_duration_since(connection.handshaken()),
                });
            }
            let now = Instant::now();
            self.progress.elapsed = now - self.start;
            self.steps.progress(&self.progress);
            if let Some(ended) = ended {
                return Ok(ended);
            }
            if reactor.stopper().is_stopped() {
                return Ok(Ended::Stopped);
            }
            if enough.is_some_and(|enough| now >= enough) {
                return Ok(Ended::Duration);
            }
            turned?;
            if connection.is_dry() && now >= last_media + MEDIA_IDLE {
                return Err(ClientError::NoMedia(MEDIA_IDLE.as_secs()));
            }
        }
    }

    fn on_event(&mut self, event: ClientEvent) -> Result<Option<Ended>, ClientError> {
        let arrival = self.start.elapsed();
        match event {
            ClientEvent::Media {
                kind,
                timestamp,
                payload,
            } => {
                let body = payload.as_slice();
                self.analysis.handle_media(arrival, kind, timestamp, body);
                self.progress.count(kind, body);
                let since = self.analysis.first_arrival().unwrap_or(arrival);
                self.progress.time = arrival.saturating_sub(since);
            }
            ClientEvent::Metadata(payload) => {
                self.analysis.handle_metadata(arrival, payload.as_slice());
            }
            ClientEvent::Data { .. } => self.analysis.handle_data(),
            ClientEvent::Ended(reason) => return Ok(Some(Ended::Over(reason))),
            ClientEvent::Rejected(rejection) => return Err(ClientError::Rejected(rejection)),
            ClientEvent::ReconnectRequested(tc_url) => {
                return Ok(Some(Ended::Redirected(tc_url)));
            }
            other => log::debug!("{other:?}"),
        }
        Ok(None)
    }
}

/// Keeps the steps for the report, and passes everything on.
struct StepLog<'a> {
    steps: Vec<StepReport>,
    inner: &'a mut dyn Report,
}

impl StepLog<'_> {
    fn keep(&mut self, step: &Step) {
        self.steps.push(StepReport {
            number: step.number,
            text: step.text.clone(),
            ms: step.took.as_secs_f64() * 1000.0,
        });
    }
}

impl Report for StepLog<'_> {
    fn step(&mut self, step: Step) {
        self.keep(&step);
        self.inner.step(step);
    }

    fn detour(&mut self, detour: Detour, step: Step) {
        self.keep(&step);
        self.inner.detour(detour, step);
    }

    fn notice(&mut self, text: &str) {
        self.inner.notice(text);
    }

    fn progress(&mut self, progress: &Progress) {
        self.inner.progress(progress);
    }

    fn witness(&mut self) -> Option<Witness> {
        self.inner.witness()
    }
}

fn describe_end(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Unpublished => "the publisher left",
        EndReason::Stopped => "the server stopped the stream",
        EndReason::ServerClosed => "the server is shutting down",
    }
}

/// Words of the other side that may go to a terminal: nothing in them moves its cursor.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(TEXT_MAX)
        .collect()
}
