//! The load test: publishers and subscribers of ours on any RTMP server, subscribers over HTTP too, and
//! what became of every frame.
//!
//! ```text
//!   thread 0..T-1 (load)                        main thread
//!   publishers: stream ─► stamp ─► socket       sets the phase: publish, join, measure, stop
//!   subscribers: socket ─► check ─► tally       reads /proc of the server (usage), adds the tallies
//! ```
//! Every frame carries a stamp, so latency, loss, order and damage are known for each subscriber.

mod answer;
mod events;
mod load;
mod peer;
mod report;
mod shared;
mod source;
mod stamp;
mod stream;
mod tally;
mod usage;

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use load::Load;
pub use report::{BenchReport, LatencyReport, ServerReport, ThreadReport, TrackReport};
use shared::{Counts, Phase, Shared, Window};
pub use source::{HttpSource, SourceError};
pub use stream::StreamShape;
use stream::TestStream;
use tally::Tally;
use usage::Usage;

use super::{ClientError, Reactor, Stopper, Target};

/// How often progress is told, and the state of a phase is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long the server's process may take until it listens, if it is known.
const START_PATIENCE: Duration = Duration::from_secs(1);

/// How long publishers may take until all are accepted.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);

/// Without anybody new for this long, the rest of the subscribers is not coming.
const JOIN_STALL: Duration = Duration::from_secs(20);

/// Between the last join and the measured time, besides a group of pictures: some servers send late
/// joiners the latest one first, others nothing before the next one.
const SETTLE: Duration = Duration::from_secs(1);

/// Measured times begin and end this much after they are told, see [`Window`].
const AHEAD: Duration = Duration::from_millis(5);

/// How long frames of the measured time may still come after it; what comes later is lost.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A test.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOptions {
    /// Streams that we publish; 0: somebody else publishes the one of the URL.
    pub publishers: usize,
    /// Subscribers in all, spread over the streams.
    pub subscribers: usize,
    /// What each publisher sends.
    pub shape: StreamShape,
    /// Subscribers that connect in a second.
    pub ramp: f64,
    /// The measured time.
    pub duration: Duration,
    /// Percent of the subscribers that read nothing once they play.
    pub slow_percent: f64,
    /// The server's process, on this machine.
    pub pid: Option<u32>,
    /// Threads of our own, at least 1.
    pub threads: usize,
}

/// How far a test is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BenchProgress {
    /// Publishers that the server has accepted.
    pub publishing: u64,
    /// Subscribers that the server has accepted.
    pub playing: u64,
    /// Connections that failed.
    pub failed: u64,
    /// What subscribers receive, bits a second.
    pub bits_per_second: f64,
    /// Whether what comes counts already.
    pub measures: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Frames of the asked size cannot be made.
    #[error(
        "pictures of {0:.0} bytes cannot be sent: 150 to 680000 are possible; change --bitrate or --fps"
    )]
    Shape(f64),
    /// Keyframes are too far apart.
    #[error("{0:.0} pictures from one keyframe to the next are too many: {1:.0} are possible")]
    Gop(f64, f64),
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ClientError),
    /// The server cannot be reached where it is to be published, and that is another place than the URL's.
    #[error("publishing to {0}: {1}; --rtmp HOST[:PORT] says where to publish")]
    Publish(String, ClientError),
    /// There is no such process, or it may not be looked at.
    #[error("process {0} cannot be read: {1}; is it running on this machine?")]
    Process(u32, io::Error),
    /// Not one publisher was accepted.
    #[error("the server took none of the {0} publishers ({1})")]
    NoPublisher(usize, String),
    /// Not one subscriber was sent anything.
    #[error("nothing was delivered to any of the {0} subscribers ({1})")]
    NothingDelivered(usize, String),
    /// The same, of a live stream that is not ours and not there.
    #[error(
        "nothing was delivered to any of the {0} subscribers ({1}): nobody publishes it, and with \
         --publishers 0 somebody else has to"
    )]
    NobodyPublishes(usize, String),
    /// The system failed us.
    #[error("system error: {0}")]
    System(#[from] io::Error),
}

/// Runs a test from its first connection to its last: publishers at `target`, subscribers there too
/// or at `http`.
///
/// # Errors
/// [`BenchError`], when there is nothing to report.
pub fn run(
    target: &Target,
    http: Option<&HttpSource>,
    options: &BenchOptions,
    stopper: &Stopper,
    on_progress: &mut dyn FnMut(&BenchProgress),
) -> Result<BenchReport, BenchError> {
    let stream = TestStream::new(options.shape, fastrand::u32(..))?;
    let needs_rtmp = http.is_none() || options.publishers > 0;
    // A process that has just been started may not listen yet.
    let patience = options
        .pid
        .map(|pid| (pid, Instant::now() + START_PATIENCE));
    let reach = |target: &Target| -> Result<_, BenchError> {
        loop {
            let outcome = target.reachable_address(&mut Reactor::new()?);
            match (outcome, patience) {
                (Err(ClientError::Refused(_)), Some((pid, end)))
                    if Instant::now() < end
                        && !stopper.is_stopped()
                        && Usage::read(pid).is_ok() =>
                {
                    std::thread::sleep(TICK / 2);
                }
                (outcome, _) => return Ok(outcome?),
            }
        }
    };
    let rtmp = needs_rtmp.then(|| reach(target)).transpose();
    let rtmp = match (rtmp, http) {
        (Err(BenchError::Connect(error)), Some(_)) => {
            return Err(BenchError::Publish(target.to_string(), error));
        }
        (outcome, _) => outcome?,
    };
    let http = match http {
        None => None,
        Some(source) => {
            let place = Target::new(source.place().clone(), 0)?;
            Some((source.clone(), reach(&place)?))
        }
    };
    let shared = Shared {
        target: target.clone(),
        rtmp,
        http,
        options: options.clone(),
        stream,
        began: Instant::now(),
        phase: AtomicU8::new(Phase::Publish as u8),
        counts: Counts::default(),
        window: Window::new(),
    };
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for index in 0..options.threads.max(1) {
            let load = Load::new(&shared, index)?;
            let thread = std::thread::Builder::new()
                .name(format!("load {index}"))
                .spawn_scoped(scope, move || load.run())?;
            threads.push(thread);
        }
        let conductor = Conductor {
            shared: &shared,
            stopper,
            on_progress,
            rate: (Instant::now(), 0, 0.0),
        };
        let outcome = conductor.conduct();
        shared.set_phase(Phase::Stop);
        let mut tally = Tally::default();
        for thread in threads {
            let part = thread
                .join()
                .map_err(|_| io::Error::other("a load thread panicked"))?;
            tally.add(part?);
        }
        let measured = outcome?;
        let reasons = reasons_of(&tally);
        if options.publishers > 0 && measured.publishing == 0 {
            return Err(BenchError::NoPublisher(options.publishers, reasons));
        }
        if options.subscribers > 0 && tally.first_frame.count() == 0 {
            let is_absent = reasons.contains("StreamNotFound") || reasons.contains("HTTP 404");
            return Err(match options.publishers == 0 && is_absent {
                true => BenchError::NobodyPublishes(options.subscribers, reasons),
                false => BenchError::NothingDelivered(options.subscribers, reasons),
            });
        }
        Ok(BenchReport::new(options, &tally, &measured))
    })
}

fn reasons_of(tally: &Tally) -> String {
    let reasons: Vec<&str> = tally.failures.keys().map(String::as_str).collect();
    match &reasons[..] {
        [] => "no reason was given".to_owned(),
        reasons => reasons.join("; "),
    }
}

/// What the main thread saw.
#[derive(Debug, Default)]
struct Measured {
    publishing: u64,
    playing: u64,
    /// From the first subscriber's connection to the last answer.
    joined_in: Duration,
    time: Duration,
    /// Bytes that subscribers received and publishers sent in that time.
    delivered: u64,
    published: u64,
    server: Option<ServerUsage>,
    own: Usage,
    own_before: Usage,
}

/// The server's process: before the subscribers, at the start of the measured time, at its end.
#[derive(Debug)]
struct ServerUsage {
    pid: u32,
    before: Usage,
    start: Usage,
    end: Usage,
}

/// Leads the threads through the phases.
struct Conductor<'a> {
    shared: &'a Shared,
    stopper: &'a Stopper,
    on_progress: &'a mut dyn FnMut(&BenchProgress),
    /// When and what was last received, and the rate of that time.
    rate: (Instant, u64, f64),
}

impl Conductor<'_> {
    fn conduct(mut self) -> Result<Measured, BenchError> {
        // Before anything is done for a process that is not there.
        self.server_usage()?;
        let mut measured = Measured::default();
        let options = &self.shared.options;
        let counts = &self.shared.counts;
        let publishers = options.publishers as u64;
        let end = Instant::now() + PUBLISH_TIMEOUT;
        while !self.is_stopped() && Instant::now() < end {
            let failed = counts.failed_publishers.load(Ordering::Relaxed);
            if counts.publishing.load(Ordering::Relaxed) + failed >= publishers {
                break;
            }
            self.tick();
        }
        measured.publishing = counts.publishing.load(Ordering::Relaxed);
        if publishers > 0 && measured.publishing == 0 {
            return Ok(measured);
        }
        if publishers > 0 {
            // One group of pictures in the server, so that subscribers cost what subscribers cost.
            self.rest(Duration::from_secs_f64(options.shape.gop_seconds.min(5.0)));
        }
        let before = self.server_usage()?;
        self.join(&mut measured);
        if options.subscribers > 0 && counts.playing.load(Ordering::Relaxed) == 0 {
            return Ok(measured);
        }
        let group = Duration::from_secs_f64(options.shape.gop_seconds.min(10.0));
        self.rest(SETTLE + group);
        self.shared.set_phase(Phase::Measure);
        while counts.ready.load(Ordering::Acquire) < options.threads.max(1) {
            self.tick();
        }
        let bytes = || {
            let received = counts.received.load(Ordering::Relaxed);
            (received, counts.published.load(Ordering::Relaxed))
        };
        let start = self.server_usage()?;
        measured.own_before = own_usage();
        let (began, (received, published)) = (Instant::now(), bytes());
        let window = &self.shared.window;
        window.open(self.shared.elapsed_ns(began + AHEAD));
        self.rest(options.duration);
        window.close(self.shared.elapsed_ns(Instant::now() + AHEAD));
        measured.time = began.elapsed();
        let (received_by_now, published_by_now) = bytes();
        measured.delivered = received_by_now - received;
        measured.published = published_by_now - published;
        measured.playing = counts.playing.load(Ordering::Relaxed);
        measured.own = own_usage();
        let end = self.server_usage()?;
        self.drain();
        if let (Some(pid), Some(before), Some(start), Some(end)) = (options.pid, before, start, end)
        {
            measured.server = Some(ServerUsage {
                pid,
                before,
                start,
                end,
            });
        }
        Ok(measured)
    }

    /// Until all subscribers are answered, or no more come.
    fn join(&mut self, measured: &mut Measured) {
        let counts = &self.shared.counts;
        let wanted = self.shared.options.subscribers as u64;
        let began = Instant::now();
        self.shared.set_phase(Phase::Join);
        let (mut known, mut since) = (0, began);
        while !self.is_stopped() && since.elapsed() < JOIN_STALL {
            let answered = counts.playing.load(Ordering::Relaxed)
                + counts.failed_subscribers.load(Ordering::Relaxed);
            if answered > known {
                (known, since) = (answered, Instant::now());
                measured.joined_in = began.elapsed();
            }
            if answered >= wanted {
                break;
            }
            // Often enough for the time of a storm of connections to be right.
            std::thread::sleep(Duration::from_millis(2));
            self.report();
        }
    }

    /// Until every subscriber has received what was sent after the measured time, and so all of
    /// before that will ever come.
    fn drain(&mut self) {
        let counts = &self.shared.counts;
        let end = Instant::now() + DRAIN_TIMEOUT;
        while self.shared.options.publishers > 0
            && Instant::now() < end
            && counts.complete.load(Ordering::Relaxed) < counts.counted.load(Ordering::Relaxed)
        {
            self.tick();
        }
    }

    fn rest(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_stopped() && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(TICK));
            self.report();
        }
    }

    fn tick(&mut self) {
        std::thread::sleep(Duration::from_millis(2));
        self.report();
    }

    fn is_stopped(&self) -> bool {
        self.stopper.is_stopped()
    }

    fn server_usage(&self) -> Result<Option<Usage>, BenchError> {
        let Some(pid) = self.shared.options.pid else {
            return Ok(None);
        };
        let usage = Usage::read(pid).map_err(|error| BenchError::Process(pid, error))?;
        Ok(Some(usage))
    }

    /// Tells how far it is, ten times a second at most.
    fn report(&mut self) {
        let counts = &self.shared.counts;
        let (since, before, _) = self.rate;
        let elapsed = since.elapsed();
        if elapsed < TICK {
            return;
        }
        let received = counts.received.load(Ordering::Relaxed);
        let bits = received.saturating_sub(before) as f64 * 8.0;
        let rate = bits / elapsed.as_secs_f64();
        self.rate = (Instant::now(), received, rate);
        let failed = counts.failed_publishers.load(Ordering::Relaxed)
            + counts.failed_subscribers.load(Ordering::Relaxed);
        (self.on_progress)(&BenchProgress {
            publishing: counts.publishing.load(Ordering::Relaxed),
            playing: counts.playing.load(Ordering::Relaxed),
            failed,
            bits_per_second: rate,
            measures: self.shared.phase() == Phase::Measure,
        });
    }
}

/// What we use ourselves; nothing where there is no /proc.
fn own_usage() -> Usage {
    Usage::read(std::process::id()).unwrap_or_default()
}
