//! Doctor: why a stream does not get through, and what to do.
//!
//! ```text
//! name ─► tcp, each address ─► play (probe) ─► other manners of connect ─► publish, if asked
//!                                 └── no RTMP there: what does the port speak?
//! ```
//! The conversations are those of [`super::probe`] and [`super::push`]; a [`Witness`] looks on.
//! Nothing that is done without being asked for changes anything at the server.

mod port;
mod report;

use std::time::{Duration, Instant};

use super::connection::{Connection, Target, connect_to, resolve};
use super::manner::Manner;
use super::probe::ProbeReport;
use super::push::PushOptions;
use super::witness::Witness;
use super::{ClientError, Detour, Input, Progress, Reactor, Report, Step, Stopper, probe, push};
use crate::rtmp::session::Stage;
use crate::story::Ending;

pub use report::{Check, Conversation, DoctorReport, Health, StoryLine};

/// What a doctor publishes.
#[derive(Debug)]
pub struct Trial {
    /// The media.
    pub input: Input,
    /// Also where somebody publishes already, who may be thrown out.
    pub is_forced: bool,
}

/// Examines `target`: plays it for `duration`, and publishes `trial` there for as long if there is
/// one.
///
/// # Errors
/// [`ClientError::Stopped`], and faults of the system; what is wrong with the target is in the
/// report.
pub fn run(
    reactor: &mut Reactor,
    target: &Target,
    duration: Duration,
    trial: Option<Trial>,
    report: &mut dyn Report,
) -> Result<DoctorReport, ClientError> {
    let mut doctor = Doctor {
        target,
        publishes: trial.is_some(),
        is_on_air: false,
        checks: Vec::new(),
        conversations: Vec::new(),
        verdict: None,
        inner: report,
    };
    if doctor.reach(reactor)? && doctor.play(reactor, duration)? {
        doctor.other_manners(reactor)?;
        match trial {
            Some(trial) if doctor.is_on_air && !trial.is_forced => doctor.add(
                "publish",
                Health::Skipped,
                "not tried: somebody publishes there, and might be thrown out; take another key, or \
                 --force",
            ),
            Some(trial) => doctor.publish(reactor, trial.input, duration)?,
            None => doctor.add(
                "publish",
                Health::Skipped,
                "not tried: --publish does it, and takes the name meanwhile",
            ),
        }
    }
    Ok(doctor.finish())
}

struct Doctor<'a> {
    target: &'a Target,
    publishes: bool,
    /// Somebody publishes there.
    is_on_air: bool,
    checks: Vec<Check>,
    conversations: Vec<Conversation>,
    /// Of the first conversation that failed.
    verdict: Option<String>,
    inner: &'a mut dyn Report,
}

impl Doctor<'_> {
    /// Whether any address of the host accepts connections.
    fn reach(&mut self, reactor: &mut Reactor) -> Result<bool, ClientError> {
        let addresses = match resolve(self.target) {
            Ok(addresses) => addresses,
            Err(error) => {
                self.add("name", Health::Failed, error);
                return Ok(false);
            }
        };
        let texts: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
        let host = &self.target.url().host;
        if texts.as_slice() != [host.as_str()] {
            let text = format!("{host} is {}", texts.join(", "));
            self.add("name", Health::Fine, text);
        }
        let mut outcomes = Vec::new();
        for address in addresses {
            let start = Instant::now();
            match connect_to(reactor, address) {
                Ok(_) => {
                    let ms = start.elapsed().as_secs_f64() * 1000.0;
                    outcomes.push(Ok(format!("{address} accepts connections ({ms:.1} ms)")));
                }
                Err(error @ (ClientError::Stopped | ClientError::System(_))) => return Err(error),
                Err(error) => outcomes.push(Err(error.to_string())),
            }
        }
        let is_reached = outcomes.iter().any(Result::is_ok);
        for outcome in outcomes {
            match outcome {
                Ok(text) => self.add("tcp", Health::Fine, text),
                // Clients take the next address then, some after a long wait.
                Err(text) if is_reached => self.add("tcp", Health::Odd, text),
                Err(text) => self.add("tcp", Health::Failed, text),
            }
        }
        Ok(is_reached)
    }

    /// Plays. Whether there is an RTMP server that takes a `connect`.
    fn play(&mut self, reactor: &mut Reactor, duration: Duration) -> Result<bool, ClientError> {
        let mut looker = Looker::new(self.inner, None);
        let outcome = probe::run(reactor, self.target, duration, &mut looker);
        let looker = looker.finish();
        self.keep("play", &looker);
        for (detour, text) in &looker.detours {
            match detour {
                Detour::Manner => self.add("manner", Health::Odd, text),
                Detour::Login => self.add("login", Health::Fine, text),
            }
        }
        match outcome {
            Ok(report) => {
                self.is_on_air = true;
                self.add_stream(&report);
                Ok(true)
            }
            Err(error @ (ClientError::Stopped | ClientError::System(_))) => Err(error),
            Err(error) => {
                let root = error.root();
                if let Some(address) = root.foreign() {
                    let speech = port::listen(address);
                    let text = format!("{address} {speech}: {}", speech.advice());
                    self.verdict = Some(text.clone());
                    self.add("port", Health::Failed, text);
                    return Ok(false);
                }
                // Who comes to publish need not find anybody there.
                let is_absent = match root {
                    ClientError::Rejected(rejection) => rejection.stage == Stage::Play,
                    ClientError::NoMedia(_) | ClientError::NoFrames(_) => true,
                    ClientError::ClosedAtOnce(_) => true,
                    _ => false,
                };
                let health = match is_absent && self.publishes {
                    true => Health::Odd,
                    false => Health::Failed,
                };
                let has_connected = looker.has_connected();
                self.add("play", health, &error);
                if health == Health::Failed {
                    self.verdict = looker.verdict_with(&error);
                }
                Ok(has_connected)
            }
        }
    }

    /// What came, and what is odd about it.
    fn add_stream(&mut self, report: &ProbeReport) {
        let stream = &report.stream;
        let mut parts = Vec::new();
        for video in &stream.video {
            parts.push(format!("{}, {} frames", video.codec, video.frames));
        }
        for audio in &stream.audio {
            parts.push(format!("{}, {} frames", audio.codec, audio.frames));
        }
        let text = format!("{} in {:.1} s", parts.join("; "), report.seconds);
        self.add("play", Health::Fine, text);
        let pictures = stream.video.iter().map(|video| video.frames).sum::<u64>();
        let keyframes = stream
            .video
            .iter()
            .map(|video| video.keyframes)
            .sum::<u64>();
        if pictures == 0 {
            self.add("stream", Health::Odd, "sound only: no picture came");
        } else if keyframes == 0 {
            let text = format!(
                "no keyframe among {pictures} pictures, and no player can begin without one: set \
                 a keyframe interval (GOP) of 2 to 4 s in the camera"
            );
            self.verdict = Some(format!("play fine; stream: {text}"));
            self.add("stream", Health::Failed, text);
        }
        for note in &stream.notes {
            if note.kind != "no-keyframe" {
                self.add("stream", Health::Odd, &note.text);
            }
        }
    }

    /// Whether clients of other kinds would get as far as `connect`.
    fn other_manners(&mut self, reactor: &mut Reactor) -> Result<(), ClientError> {
        for (name, manner) in [
            ("digest handshake", Manner::with_digest()),
            ("connect without Enhanced RTMP", Manner::without_enhanced()),
        ] {
            let mut looker = Looker::new(self.inner, None);
            let outcome = Connection::try_connect(reactor, self.target, &manner, &mut looker);
            let looker = looker.finish();
            match outcome {
                Ok(()) => self.add("manner", Health::Fine, format!("{name}: taken as well")),
                Err(error @ (ClientError::Stopped | ClientError::System(_))) => return Err(error),
                // It is asked for user and password in every manner.
                Err(ClientError::Rejected(rejection)) if rejection.demand().is_some() => {}
                Err(error) => {
                    self.keep(name, &looker);
                    self.add("manner", Health::Odd, format!("{name}: {error}"));
                }
            }
        }
        Ok(())
    }

    fn publish(
        &mut self,
        reactor: &mut Reactor,
        input: Input,
        duration: Duration,
    ) -> Result<(), ClientError> {
        let options = PushOptions {
            loops: true,
            reconnects: false,
            ..PushOptions::default()
        };
        let end = (reactor.stopper().clone(), duration);
        let mut looker = Looker::new(self.inner, Some(end));
        let outcome = push::run(reactor, self.target, input, options, &mut looker);
        let looker = looker.finish();
        self.keep("publish", &looker);
        match outcome {
            Ok(progress) => {
                let seconds = progress.time.as_secs_f64();
                let text = format!("the test stream was accepted for {seconds:.1} s");
                self.add("publish", Health::Fine, text);
            }
            Err(error @ (ClientError::Stopped | ClientError::System(_))) => return Err(error),
            Err(error) => {
                self.add("publish", Health::Failed, &error);
                if self.verdict.is_none() {
                    self.verdict = looker.verdict_with(&error);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &'static str, health: Health, text: impl ToString) {
        let text = text.to_string();
        self.checks.push(Check { name, health, text });
    }

    fn keep(&mut self, purpose: &str, seen: &Seen) {
        for (witness, lines) in &seen.connections {
            let verdict = witness.verdict();
            let lines = lines.iter().map(|line| StoryLine {
                ms: line.at.as_secs_f64() * 1000.0,
                text: line.text.clone(),
            });
            self.conversations.push(Conversation {
                purpose: purpose.to_owned(),
                lines: lines.collect(),
                is_fine: verdict.is_fine(),
                verdict: verdict.to_string(),
            });
        }
    }

    fn finish(self) -> DoctorReport {
        let failed = self
            .checks
            .iter()
            .find(|check| check.health == Health::Failed);
        let odd = self
            .checks
            .iter()
            .filter(|check| check.health == Health::Odd);
        let verdict = match (failed, self.verdict, odd.count()) {
            (Some(_), Some(verdict), _) => verdict,
            (Some(check), None, _) => check.text.clone(),
            (None, _, 0) => "everything is fine".to_owned(),
            (None, _, 1) => "it works; one thing is odd".to_owned(),
            (None, _, count) => format!("it works; {count} things are odd"),
        };
        DoctorReport {
            url: self.target.to_string(),
            is_fine: failed.is_none(),
            checks: self.checks,
            conversations: self.conversations,
            verdict,
        }
    }
}

/// Passes on what clients report, with a witness for each of their connections.
struct Looker<'a> {
    inner: &'a mut dyn Report,
    witnesses: Vec<Witness>,
    detours: Vec<(Detour, String)>,
    /// What to stop, and after how much media.
    end: Option<(Stopper, Duration)>,
}

/// What a [`Looker`] has seen: each connection with its lines.
struct Seen {
    connections: Vec<(Witness, Vec<crate::story::Line>)>,
    detours: Vec<(Detour, String)>,
}

impl<'a> Looker<'a> {
    fn new(inner: &'a mut dyn Report, end: Option<(Stopper, Duration)>) -> Self {
        Self {
            inner,
            witnesses: Vec::new(),
            detours: Vec::new(),
            end,
        }
    }

    fn finish(self) -> Seen {
        let connections = self.witnesses.into_iter().map(|witness| {
            witness.ended(Ending::WeClosed(String::new()));
            let lines = witness.lines();
            (witness, lines)
        });
        Seen {
            connections: connections.collect(),
            detours: self.detours,
        }
    }
}

impl Seen {
    /// Whether a `connect` was accepted.
    fn has_connected(&self) -> bool {
        self.connections
            .iter()
            .any(|(witness, _)| witness.verdict().has_connected())
    }

    /// The steps of the last conversation, and the client's own words for what to do.
    fn verdict_with(&self, error: &ClientError) -> Option<String> {
        let (witness, _) = self.connections.last()?;
        let verdict = witness.verdict();
        Some(match verdict.failed() {
            Some(_) => verdict.to_string(),
            None => format!("{verdict}; {error}"),
        })
    }
}

impl Report for Looker<'_> {
    fn step(&mut self, step: Step) {
        self.inner.step(step);
    }

    fn detour(&mut self, detour: Detour, step: Step) {
        self.detours.push((detour, step.text.clone()));
        self.inner.detour(detour, step);
    }

    fn notice(&mut self, text: &str) {
        self.inner.notice(text);
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some((stopper, duration)) = &self.end
            && progress.time >= *duration
            && !stopper.is_stopped()
        {
            stopper.stop();
        }
        self.inner.progress(progress);
    }

    fn witness(&mut self) -> Option<Witness> {
        let witness = Witness::new();
        self.witnesses.push(witness.clone());
        Some(witness)
    }
}
