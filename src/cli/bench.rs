//! `millstream bench`: a load test of any RTMP server, and of its live streams over HTTP.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::console::answer;
use super::{parse_seconds, parse_target, stop_client_on_signal};
use crate::client::bench::{
    self, BenchOptions, BenchProgress, BenchReport, HttpSource, LatencyReport, StreamShape,
    TrackReport,
};
use crate::client::{Reactor, Stopper, Target};

/// Chunk size that publishers send with: one chunk for nearly every frame.
const CHUNK_SIZE: u32 = 65_536;

/// Open files besides connections: a poll for each thread; standard streams, signals, /proc.
const FILES_PER_THREAD: usize = 2;
const OTHER_FILES: usize = 32;

/// What can be typed behind `bench`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  millstream bench rtmp://127.0.0.1/live/test --subscribers 1000 --pid $(pidof millstream)
  millstream bench rtmp://192.0.2.1/live/test --publishers 50 --subscribers 0 --bitrate 4M
  millstream bench rtmp://127.0.0.1/live/test --find-max --json
  millstream bench http://127.0.0.1:8080/live/test.flv --subscribers 1000

With several publishers their keys are numbered: test-0, test-1 and so on. On loopback, connections
come from 127.0.0.1, 127.0.0.2 and so on, 20,000 from each. Latencies are from the publisher's send to
the subscriber's read, both here, so that no clocks have to agree. Every frame that was sent in the
measured time counts: it is lost if it has not come five seconds after it. --ramp 1000000 is a storm:
all connect at once. What somebody else publishes (--publishers 0) is only counted: frames, rates and
timestamps.")]
pub(super) struct BenchArgs {
    /// The server and the stream: rtmp://HOST[:PORT]/APP/KEY; http://HOST[:PORT]/APP/KEY.flv or .mp4
    /// for subscribers over HTTP
    url: String,

    /// With a URL of HTTP: where to publish, instead of port 1935 of its host
    #[arg(long, value_name = "HOST[:PORT]")]
    rtmp: Option<String>,

    /// Streams to publish; 0: somebody else publishes KEY
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_publishers)]
    publishers: usize,

    /// Subscribers in all, spread over the streams
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = parse_count)]
    subscribers: usize,

    /// Bits a second of one stream, sound included, such as 2M or 300k
    #[arg(long, value_name = "BITS", default_value = "2M", value_parser = parse_bits)]
    bitrate: f64,

    /// Pictures a second
    #[arg(long, value_name = "N", default_value = "30", value_parser = parse_fps)]
    fps: f64,

    /// Seconds from one keyframe to the next
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    gop: Duration,

    /// Publish no sound
    #[arg(long)]
    no_audio: bool,

    /// Subscribers that connect in a second
    #[arg(long, value_name = "N", default_value = "500", value_parser = parse_ramp)]
    ramp: f64,

    /// Seconds to measure, once all have joined
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    duration: Duration,

    /// Percent of the subscribers that read nothing once they play
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    slow: f64,

    /// The server's process, if it runs on this machine: its CPU, memory and context switches
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// Threads of this test; more when one core is not enough for it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_threads)]
    threads: usize,

    /// Look for the most subscribers that the server serves well: from --subscribers on, doubling,
    /// then closing in
    #[arg(long)]
    find_max: bool,

    /// With --find-max: milliseconds that 99 of 100 pictures may take
    #[arg(long, value_name = "MS", default_value = "100", value_parser = parse_fps)]
    max_p99: f64,

    /// With --find-max: percent of the frames that may be lost
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    max_loss: f64,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the test, or the tests of a search, and prints what came of it.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let place = args.place()?;
    let files_max = rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft))
        .context("cannot learn how many files may be open")?;
    let subscribers_max = args.subscribers_max(files_max);
    if args.subscribers > subscribers_max {
        anyhow::bail!(
            "the system allows this test {files_max} open files: enough for {subscribers_max} \
             subscribers, not for {}; raise it with ulimit -n",
            args.subscribers
        );
    }
    let reactor = Reactor::new()?;
    stop_client_on_signal(reactor.stopper().clone())?;
    if args.find_max {
        let found = find_max(args, &place, subscribers_max, reactor.stopper())?;
        return print(args.json, &found, |found| found.to_string());
    }
    let report = measure(args, &place, args.subscribers, reactor.stopper())?;
    print(args.json, &report, describe)
}

/// Where a test takes place.
#[derive(Debug)]
struct Place {
    target: Target,
    /// Where subscribers are, if they are elsewhere.
    http: Option<HttpSource>,
}

fn measure(
    args: &BenchArgs,
    place: &Place,
    subscribers: usize,
    stopper: &Stopper,
) -> anyhow::Result<BenchReport> {
    let options = args.options(subscribers);
    let mut line = ProgressLine::new();
    let Place { target, http } = place;
    let outcome = bench::run(target, http.as_ref(), &options, stopper, &mut |progress| {
        line.show(progress, &options);
    });
    line.clear();
    outcome.with_context(|| match http {
        Some(source) => source.to_string(),
        None => target.to_string(),
    })
}

fn print<T: Serialize>(
    as_json: bool,
    result: &T,
    describe: impl Fn(&T) -> String,
) -> anyhow::Result<()> {
    let text = if as_json {
        serde_json::to_string_pretty(result)?
    } else {
        describe(result)
    };
    answer(&(text + "\n"))
}

/// What a search found.
#[derive(Debug, Serialize)]
struct Found {
    /// The largest number of subscribers that was served well; 0 when none was.
    healthy_subscribers: usize,
    /// What ended the search, if it was not the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    /// Every test, in order.
    tests: Vec<Tried>,
}

#[derive(Debug, Serialize)]
struct Tried {
    subscribers: usize,
    is_healthy: bool,
    /// What was wrong.
    why: String,
    report: Option<BenchReport>,
}

/// How a search ends before the server is at its limit.
const ENDED_BY_TEST: &str = "the test itself, not the server, is at its limit";
const ENDED_BY_FILES: &str = "the system allows this test no more open files (ulimit -n)";
const ENDED_BY_STOP: &str = "it was stopped";

/// Doubles until a test is not healthy, then halves the interval until it is a tenth.
fn find_max(
    args: &BenchArgs,
    place: &Place,
    subscribers_max: usize,
    stopper: &Stopper,
) -> anyhow::Result<Found> {
    let mut tests: Vec<Tried> = Vec::new();
    let (mut good, mut bad) = (0, None);
    let mut next = args.subscribers.max(1);
    let mut ended_by = None;
    while !stopper.is_stopped() {
        let tried = match measure(args, place, next, stopper) {
            // What was cut short says nothing about the server.
            Ok(_) if stopper.is_stopped() => break,
            Ok(report) => {
                if !report.warnings.is_empty() {
                    ended_by = Some(ENDED_BY_TEST.to_owned());
                }
                let fault = fault_of(args, &report);
                Tried {
                    subscribers: next,
                    is_healthy: fault.is_none(),
                    why: fault.unwrap_or_default(),
                    report: Some(report),
                }
            }
            Err(error) if tests.is_empty() => return Err(error),
            Err(error) => Tried {
                subscribers: next,
                is_healthy: false,
                why: format!("{error:#}"),
                report: None,
            },
        };
        tell(&tried);
        if tried.is_healthy {
            good = next;
        } else {
            bad = Some(next);
        }
        let is_healthy = tried.is_healthy;
        tests.push(tried);
        // Smaller numbers may show what the server can do; larger ones only what this test cannot.
        if is_healthy && ended_by.is_some() {
            break;
        }
        if is_healthy && next >= subscribers_max {
            ended_by = Some(ENDED_BY_FILES.to_owned());
            break;
        }
        next = match bad {
            None => (good * 2).min(subscribers_max),
            Some(bad) if bad - good <= (bad / 10).max(1) => break,
            Some(bad) => good.midpoint(bad),
        };
        if next == 0 {
            break;
        }
    }
    if stopper.is_stopped() {
        ended_by = Some(ENDED_BY_STOP.to_owned());
    }
    Ok(Found {
        healthy_subscribers: good,
        ended_by,
        tests,
    })
}

#[allow(clippy::print_stderr, reason = "the command line is what prints")]
fn tell(tried: &Tried) {
    let verdict = if tried.is_healthy {
        "healthy"
    } else {
        &tried.why
    };
    eprintln!("{} subscribers: {verdict}", tried.subscribers);
}

/// Why a test is beyond what was asked for.
fn fault_of(args: &BenchArgs, report: &BenchReport) -> Option<String> {
    let bound = args.max_p99;
    if report.own_lateness.p99 > bound / 2.0 {
        let late = report.own_lateness.p99;
        return Some(format!(
            "the test itself was too slow: it sent {late:.1} ms late; try --threads"
        ));
    }
    if report.failed() > 0 {
        return Some(format!("{} connections failed", report.failed()));
    }
    if report.loss() * 100.0 > args.max_loss {
        return Some(format!(
            "{:.3} % of the frames were lost",
            report.loss() * 100.0
        ));
    }
    let p99 = report.video.latency.p99;
    (p99 > bound).then(|| format!("p99 of the pictures is {p99:.1} ms"))
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "most subscribers served well: {}",
            self.healthy_subscribers
        )?;
        if let Some(reason) = &self.ended_by {
            writeln!(f, "there may be more: {reason}")?;
        }
        let best = self
            .tests
            .iter()
            .rfind(|tried| tried.subscribers == self.healthy_subscribers);
        match best.and_then(|tried| tried.report.as_ref()) {
            Some(report) => write!(f, "{}", describe(report)),
            None => Ok(()),
        }
    }
}

impl BenchArgs {
    fn place(&self) -> anyhow::Result<Place> {
        let Some(source) = HttpSource::parse(&self.url) else {
            if self.rtmp.is_some() {
                anyhow::bail!(
                    "--rtmp goes with a URL of HTTP; {} says where by itself",
                    self.url
                );
            }
            let target = parse_target(&self.url, CHUNK_SIZE)?;
            return Ok(Place { target, http: None });
        };
        let source = source?;
        let url = source.by_rtmp(self.rtmp.as_deref()).context("--rtmp")?;
        Ok(Place {
            target: Target::new(url, CHUNK_SIZE)?,
            http: Some(source),
        })
    }

    /// Subscribers for which that many open files are enough.
    fn subscribers_max(&self, files_max: u64) -> usize {
        let files_max = usize::try_from(files_max).unwrap_or(usize::MAX);
        files_max.saturating_sub(self.publishers + self.threads * FILES_PER_THREAD + OTHER_FILES)
    }

    fn options(&self, subscribers: usize) -> BenchOptions {
        BenchOptions {
            publishers: self.publishers,
            subscribers,
            shape: StreamShape {
                bitrate: self.bitrate,
                frame_rate: self.fps,
                gop_seconds: self.gop.as_secs_f64(),
                has_audio: !self.no_audio,
            },
            ramp: self.ramp,
            duration: self.duration,
            slow_percent: self.slow,
            pid: self.pid,
            threads: self.threads,
        }
    }
}

/// One line on a terminal that is written over and over; nothing anywhere else.
struct ProgressLine {
    is_shown: bool,
}

impl ProgressLine {
    fn new() -> Self {
        Self {
            is_shown: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, progress: &BenchProgress, options: &BenchOptions) {
        if !self.is_shown {
            return;
        }
        let stage = if progress.measures {
            "measuring"
        } else {
            "joining"
        };
        self.write(&format!(
            "\r{stage}  publishers {}/{}  subscribers {}/{}  failed {}  {:.1} Mbit/s\x1b[K",
            progress.publishing,
            options.publishers,
            progress.playing,
            options.subscribers,
            progress.failed,
            progress.bits_per_second / 1e6,
        ));
    }

    fn clear(&mut self) {
        if self.is_shown {
            self.write("\r\x1b[K");
        }
    }

    /// A terminal that is gone is no reason to stop.
    fn write(&mut self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let outcome = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
        self.is_shown = outcome.is_ok();
    }
}

/// The result for people.
fn describe(report: &BenchReport) -> String {
    let mut lines = vec![
        format!(
            "{} publishers of {:.2} Mbit/s, {} of {} subscribers, joined in {:.2} s ({:.0} a second)",
            report.publishing,
            report.bitrate / 1e6,
            report.playing,
            report.subscribers,
            report.join_seconds,
            report.playing as f64 / report.join_seconds.max(0.001),
        ),
        format!(
            "delivered {:.3} GB in {:.1} s: {:.1} Mbit/s",
            report.delivered_bytes as f64 / 1e9,
            report.seconds,
            report.delivered_bytes as f64 * 8.0 / 1e6 / report.seconds.max(0.001),
        ),
        String::new(),
        format!(
            "{:<24}{:>10}{:>10}{:>10}{:>10}",
            "milliseconds", "p50", "p90", "p99", "max"
        ),
    ];
    let mut times = |name: &str, latency: &LatencyReport| {
        if latency.count > 0 {
            lines.push(format!(
                "{name:<24}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
                latency.p50, latency.p90, latency.p99, latency.max
            ));
        }
    };
    times("video latency", &report.video.latency);
    times("audio latency", &report.audio.latency);
    times("play to first frame", &report.first_frame);
    times("connect to first frame", &report.connect_to_first_frame);
    times("our own lateness", &report.own_lateness);
    lines.push(String::new());
    lines.push(format!(
        "{:<24}{:>10}{:>10}{:>10}{:>12}{:>10}",
        "frames", "received", "lost", "corrupt", "reordered", "again"
    ));
    for (name, track) in [("video", &report.video), ("audio", &report.audio)] {
        let TrackReport {
            frames,
            lost,
            corrupt,
            reordered,
            duplicated,
            ..
        } = track;
        if frames + lost + corrupt > 0 {
            lines.push(format!(
                "{name:<24}{frames:>10}{lost:>10}{corrupt:>10}{reordered:>12}{duplicated:>10}"
            ));
        }
    }
    lines.extend(describe_oddities(report));
    if report.unsent_frames > 0 {
        lines.push(format!(
            "{} frames were not sent: the server did not take those before",
            report.unsent_frames
        ));
    }
    for (reason, count) in &report.failures {
        lines.push(format!("{count} failed: {reason}"));
    }
    lines.push(String::new());
    lines.extend(describe_server(report));
    lines.push(format!(
        "this test: {:.0} % of a core",
        report.own_cores * 100.0
    ));
    lines.extend(
        report
            .warnings
            .iter()
            .map(|text| format!("WARNING: {text}")),
    );
    lines.join("\n")
}

/// What a good server has none of.
fn describe_oddities(report: &BenchReport) -> Vec<String> {
    let mut lines = Vec::new();
    if report.incomplete_subscribers > 0 {
        lines.push(format!(
            "{} subscribers lack at least one frame; {:.3} % of all are lost",
            report.incomplete_subscribers,
            report.loss() * 100.0
        ));
    }
    for (name, track) in [("video", &report.video), ("audio", &report.audio)] {
        if track.misrouted > 0 {
            lines.push(format!(
                "{} {name} frames of another stream",
                track.misrouted
            ));
        }
        if track.timestamps_back > 0 {
            let count = track.timestamps_back;
            lines.push(format!("{count} {name} timestamps below the one before"));
        }
        if report.publishers == 0 && track.frames > 0 {
            let rate = track.frames as f64 / report.playing.max(1) as f64 / report.seconds;
            let gap = track.timestamp_gap_ms_max;
            lines.push(format!(
                "{name}: {rate:.2} frames a second for each subscriber, timestamps at most {gap} ms apart"
            ));
        }
    }
    if report.slow_closed > 0 {
        let count = report.slow_closed;
        lines.push(format!(
            "{count} that read nothing were closed by the server"
        ));
    }
    lines
}

fn describe_server(report: &BenchReport) -> Vec<String> {
    let Some(server) = &report.server else {
        return Vec::new();
    };
    let mut cpu = format!("server: {:.1} % of a core", server.cores * 100.0);
    let per_gb = [
        (server.cpu_seconds_per_delivered_gb, "delivered"),
        (server.cpu_seconds_per_published_gb, "published"),
    ];
    for (value, what) in per_gb {
        if let Some(value) = value {
            cpu += &format!(", {value:.3} CPU-s per GB {what}");
        }
    }
    let threads: Vec<String> = server
        .threads
        .iter()
        .take(4)
        .map(|thread| format!("{} {:.2} s", thread.name, thread.cpu_seconds))
        .collect();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut memory = format!(
        "server: {:.1} MiB resident, {:.1} before the subscribers",
        mib(server.resident),
        mib(server.resident_before)
    );
    if let Some(bytes) = server.bytes_per_subscriber {
        memory += &format!(" ({:.2} KiB for each)", bytes / 1024.0);
    }
    if let (Some(private), Some(before)) = (server.private, server.private_before) {
        memory += &format!(
            "; {:.1} MiB private, {:.1} before",
            mib(private),
            mib(before)
        );
    }
    vec![
        cpu,
        format!("        by thread: {}", threads.join(", ")),
        memory,
        format!(
            "        context switches: {} to wait, {} interrupted",
            server.voluntary_switches, server.involuntary_switches
        ),
    ]
}

fn parse_in(text: &str, range: std::ops::RangeInclusive<f64>, what: &str) -> Result<f64, String> {
    let (from, to) = (range.start(), range.end());
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("{what} from {from} to {to} is expected"))
}

fn parse_whole(text: &str, max: usize) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count <= max)
        .ok_or_else(|| format!("a whole number up to {max} is expected"))
}

fn parse_publishers(text: &str) -> Result<usize, String> {
    parse_whole(text, 65_535)
}

fn parse_count(text: &str) -> Result<usize, String> {
    parse_whole(text, 1_000_000)
}

fn parse_threads(text: &str) -> Result<usize, String> {
    parse_whole(text, 256).map(|threads| threads.max(1))
}

fn parse_fps(text: &str) -> Result<f64, String> {
    parse_in(text, 0.1..=100_000.0, "a number")
}

fn parse_ramp(text: &str) -> Result<f64, String> {
    parse_in(text, 1.0..=1_000_000.0, "a number of connections a second")
}

fn parse_percent(text: &str) -> Result<f64, String> {
    parse_in(text, 0.0..=100.0, "a percentage")
}

/// `2M`, `300k`, `2500000`.
fn parse_bits(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix(['M', 'm']) {
        Some(number) => (number, 1e6),
        None => match text.strip_suffix(['k', 'K']) {
            Some(number) => (number, 1e3),
            None => (text, 1.0),
        },
    };
    number
        .parse::<f64>()
        .ok()
        .map(|number| number * unit)
        .filter(|bits| (1e4..=1e9).contains(bits))
        .ok_or_else(|| "bits a second from 10k to 1000M are expected, such as 2M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitrates_have_units() {
        for (text, bits) in [
            ("2M", 2e6),
            ("300k", 3e5),
            ("2500000", 2.5e6),
            ("0.5M", 5e5),
        ] {
            assert_eq!(parse_bits(text), Ok(bits));
        }
        for wrong in ["", "M", "-2M", "2G", "9k", "1001M", "NaN", "two"] {
            assert!(parse_bits(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(parse_percent("10"), Ok(10.0));
        assert!(parse_percent("101").is_err());
        assert!(parse_percent("NaN").is_err());
        assert!(parse_ramp("0").is_err());
        assert_eq!(parse_threads("0"), Ok(1));
        assert!(parse_publishers("65536").is_err());
    }
}
