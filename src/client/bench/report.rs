//! What came of a load test, as it is printed and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Tally, Times, TrackTally};
use super::{BenchOptions, Measured, ServerUsage};

/// Sending later than that, 1 in 100, is not the server's fault and not small beside its latencies.
const LATENESS_MAX_MS: f64 = 5.0;

/// A thread that is busier reads late what came in time.
const BUSY_CORES_MAX: f64 = 0.85;

/// The result. In JSON the keys are the names of the fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// Publishers that were asked for.
    pub publishers: usize,
    /// Subscribers that were asked for.
    pub subscribers: usize,
    /// Of one stream, bits a second.
    pub bitrate: f64,
    /// Publishers that the server accepted.
    pub publishing: u64,
    /// Subscribers that were connected at the end of the measured time.
    pub playing: u64,
    /// Connections that failed, by reason.
    pub failures: BTreeMap<String, u64>,
    /// From the first subscriber's connection to the last one's answer, seconds.
    pub join_seconds: f64,
    /// The measured time, seconds.
    pub seconds: f64,
    /// Bytes that subscribers received during it, all told.
    pub delivered_bytes: u64,
    /// Bytes of the frames that publishers sent in it.
    pub published_bytes: u64,
    /// Pictures.
    pub video: TrackReport,
    /// Sound.
    pub audio: TrackReport,
    /// From `play` to the first picture or sound; connections of all the test.
    pub first_frame: LatencyReport,
    /// From the start of the TCP connection to the first picture or sound.
    pub connect_to_first_frame: LatencyReport,
    /// How much later than due our own publishers sent: what latencies can be trusted to.
    pub own_lateness: LatencyReport,
    /// CPU that the test itself took, in cores.
    pub own_cores: f64,
    /// The same of the busiest of its threads; at 1 it measures itself.
    pub own_busiest_thread_cores: f64,
    /// Subscribers that lack at least one frame.
    pub incomplete_subscribers: u64,
    /// Of the subscribers that read nothing: how many the server has closed.
    pub slow_closed: u64,
    /// What to know before these numbers are believed.
    pub warnings: Vec<String>,
    /// Frames that were not sent, because the server did not take those before.
    pub unsent_frames: u64,
    /// The server's process, with `--pid`.
    pub server: Option<ServerReport>,
}

/// One kind of frames: those that were sent in the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrackReport {
    /// Frames that all subscribers together should have received; 0 if somebody else publishes.
    pub expected: u64,
    /// Frames received, by all subscribers together, each once.
    pub frames: u64,
    /// Frames that did not come, five seconds after the measured time at the latest.
    pub lost: u64,
    /// Came after a later one.
    pub reordered: u64,
    /// Came twice.
    pub duplicated: u64,
    /// Bytes are not those that were sent; such a frame is also lost.
    pub corrupt: u64,
    /// Of another stream than the one asked for.
    pub misrouted: u64,
    /// Timestamps below the one before.
    pub timestamps_back: u64,
    /// Longest distance from one timestamp to the next, milliseconds.
    pub timestamp_gap_ms_max: u32,
    /// From the publisher's send to the subscriber's read.
    pub latency: LatencyReport,
}

/// A distribution of times, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyReport {
    /// How many there are.
    pub count: u64,
    /// Half of them are below this.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// Ninety-nine of a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What the server's process used in the measured time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServerReport {
    /// The process.
    pub pid: u32,
    /// CPU seconds.
    pub cpu_seconds: f64,
    /// CPU in cores.
    pub cores: f64,
    /// CPU seconds for each 10^9 bytes that subscribers received; none when there were none.
    pub cpu_seconds_per_delivered_gb: Option<f64>,
    /// CPU seconds for each 10^9 bytes that publishers sent; none when there were none.
    pub cpu_seconds_per_published_gb: Option<f64>,
    /// Its threads, the busiest first.
    pub threads: Vec<ThreadReport>,
    /// Resident memory before the subscribers came, bytes.
    pub resident_before: u64,
    /// Resident memory at the end, bytes.
    pub resident: u64,
    /// The part of it that is no file's, before the subscribers came, bytes.
    pub anonymous_before: u64,
    /// The same at the end, bytes.
    pub anonymous: u64,
    /// How much resident memory has grown for each subscriber, bytes.
    pub bytes_per_subscriber: Option<f64>,
    /// The same of the part that is no file's.
    pub anonymous_bytes_per_subscriber: Option<f64>,
    /// Memory that is the process's alone, before the subscribers came and at the end, bytes; none
    /// if the system does not tell.
    pub private_before: Option<u64>,
    /// See `private_before`.
    pub private: Option<u64>,
    /// Context switches in which it waited for something.
    pub voluntary_switches: u64,
    /// Context switches in which it was interrupted.
    pub involuntary_switches: u64,
}

/// Threads of one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThreadReport {
    /// The name.
    pub name: String,
    /// CPU seconds.
    pub cpu_seconds: f64,
}

impl BenchReport {
    pub(super) fn new(options: &BenchOptions, tally: &Tally, measured: &Measured) -> Self {
        let seconds = measured.time.as_secs_f64();
        let own = measured.own.since(&measured.own_before);
        let loss = tally.loss();
        let busiest = own
            .threads
            .first()
            .map_or(0.0, |(_, cpu)| cpu.as_secs_f64());
        let own_busiest_thread_cores = per(busiest, seconds).unwrap_or_default();
        let own_lateness = LatencyReport::new(&tally.lateness);
        Self {
            publishers: options.publishers,
            subscribers: options.subscribers,
            bitrate: options.shape.bitrate,
            publishing: measured.publishing,
            playing: measured.playing,
            failures: tally.failures.clone(),
            join_seconds: measured.joined_in.as_secs_f64(),
            seconds,
            delivered_bytes: measured.delivered,
            published_bytes: measured.published,
            video: TrackReport::new(&tally.video, loss.expected[0], loss.lost[0]),
            audio: TrackReport::new(&tally.audio, loss.expected[1], loss.lost[1]),
            first_frame: LatencyReport::new(&tally.first_frame),
            connect_to_first_frame: LatencyReport::new(&tally.connect_to_frame),
            own_lateness,
            own_cores: per(own.cpu.as_secs_f64(), seconds).unwrap_or_default(),
            own_busiest_thread_cores,
            incomplete_subscribers: loss.incomplete,
            slow_closed: tally.slow_closed,
            warnings: warnings(&own_lateness, own_busiest_thread_cores),
            unsent_frames: tally.unsent,
            server: measured
                .server
                .as_ref()
                .map(|usage| ServerReport::new(usage, measured)),
        }
    }

    /// Part of the frames that did not come, 0 to 1.
    pub fn loss(&self) -> f64 {
        let lost = self.video.lost + self.audio.lost;
        let expected = self.video.expected + self.audio.expected;
        per(lost as f64, expected as f64).unwrap_or_default()
    }

    /// Connections that failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl TrackReport {
    fn new(tally: &TrackTally, expected: u64, lost: u64) -> Self {
        Self {
            expected,
            frames: tally.frames,
            lost,
            reordered: tally.reordered,
            duplicated: tally.duplicated,
            corrupt: tally.corrupt,
            misrouted: tally.misrouted,
            timestamps_back: tally.steps_back,
            timestamp_gap_ms_max: tally.gap_ms_max,
            latency: LatencyReport::new(&tally.latency),
        }
    }
}

impl LatencyReport {
    fn new(times: &Times) -> Self {
        Self {
            count: times.count(),
            p50: times.quantile_ms(0.5),
            p90: times.quantile_ms(0.9),
            p99: times.quantile_ms(0.99),
            max: times.max_ms(),
        }
    }
}

impl ServerReport {
    fn new(usage: &ServerUsage, measured: &Measured) -> Self {
        let used = usage.end.since(&usage.start);
        let cpu_seconds = used.cpu.as_secs_f64();
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let each = |end: u64, before: u64| per(end as f64 - before as f64, measured.playing as f64);
        let threads = used.threads.iter().map(|(name, cpu)| ThreadReport {
            name: name.clone(),
            cpu_seconds: cpu.as_secs_f64(),
        });
        Self {
            pid: usage.pid,
            cpu_seconds,
            cores: per(cpu_seconds, measured.time.as_secs_f64()).unwrap_or_default(),
            cpu_seconds_per_delivered_gb: per(cpu_seconds, gigabytes(measured.delivered)),
            cpu_seconds_per_published_gb: per(cpu_seconds, gigabytes(measured.published)),
            threads: threads.collect(),
            resident_before: usage.before.resident,
            resident: usage.end.resident,
            anonymous_before: usage.before.anonymous,
            anonymous: usage.end.anonymous,
            bytes_per_subscriber: each(usage.end.resident, usage.before.resident),
            anonymous_bytes_per_subscriber: each(usage.end.anonymous, usage.before.anonymous),
            private_before: usage.before.private,
            private: usage.end.private,
            voluntary_switches: used.voluntary_switches,
            involuntary_switches: used.involuntary_switches,
        }
    }
}

/// Signs that the test itself, and not the server, was at its limit.
fn warnings(lateness: &LatencyReport, busiest_thread_cores: f64) -> Vec<String> {
    let mut warnings = Vec::new();
    if lateness.p99 > LATENESS_MAX_MS {
        warnings.push(format!(
            "this test sent its frames late ({:.1} ms at p99): latencies are partly its own",
            lateness.p99
        ));
    }
    if busiest_thread_cores > BUSY_CORES_MAX {
        warnings.push(format!(
            "a thread of this test was busy {:.0} % of the time: try --threads, or another machine",
            busiest_thread_cores * 100.0
        ));
    }
    warnings
}

/// `None` when there is nothing to divide by.
fn per(amount: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| amount / of)
}
