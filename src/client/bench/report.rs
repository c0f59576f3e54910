//! What came of a load test, as it is printed and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Tally, Times, TrackTally};
use super::{BenchOptions, Measured, ServerUsage};

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
    /// Bytes that subscribers received in it, all told.
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
    /// Frames that were not sent, because the server did not take those before.
    pub unsent_frames: u64,
    /// The server's process, with `--pid`.
    pub server: Option<ServerReport>,
}

/// One kind of frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrackReport {
    /// Frames received, by all subscribers together.
    pub frames: u64,
    /// Missing between two that came.
    pub lost: u64,
    /// Came after a later one.
    pub reordered: u64,
    /// Came twice.
    pub duplicated: u64,
    /// Bytes are not those that were sent.
    pub corrupt: u64,
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
        Self {
            publishers: options.publishers,
            subscribers: options.subscribers,
            bitrate: options.shape.bitrate,
            publishing: measured.publishing,
            playing: measured.playing,
            failures: tally.failures.clone(),
            join_seconds: measured.joined_in.as_secs_f64(),
            seconds,
            delivered_bytes: tally.bytes_received,
            published_bytes: tally.bytes_published,
            video: TrackReport::new(&tally.video),
            audio: TrackReport::new(&tally.audio),
            first_frame: LatencyReport::new(&tally.first_frame),
            connect_to_first_frame: LatencyReport::new(&tally.connect_to_frame),
            own_lateness: LatencyReport::new(&tally.lateness),
            own_cores: per(own.cpu.as_secs_f64(), seconds).unwrap_or_default(),
            unsent_frames: tally.unsent,
            server: measured
                .server
                .as_ref()
                .map(|usage| ServerReport::new(usage, tally, measured)),
        }
    }

    /// Part of the frames that did not come, 0 to 1.
    pub fn loss(&self) -> f64 {
        let lost = self.video.lost + self.audio.lost;
        let all = lost + self.video.frames + self.audio.frames;
        per(lost as f64, all as f64).unwrap_or_default()
    }

    /// Connections that failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl TrackReport {
    fn new(tally: &TrackTally) -> Self {
        Self {
            frames: tally.frames,
            lost: tally.lost,
            reordered: tally.reordered,
            duplicated: tally.duplicated,
            corrupt: tally.corrupt,
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
    fn new(usage: &ServerUsage, tally: &Tally, measured: &Measured) -> Self {
        let used = usage.end.since(&usage.start);
        let cpu_seconds = used.cpu.as_secs_f64();
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let growth = usage.end.resident as f64 - usage.before.resident as f64;
        let threads = used.threads.iter().map(|(name, cpu)| ThreadReport {
            name: name.clone(),
            cpu_seconds: cpu.as_secs_f64(),
        });
        Self {
            pid: usage.pid,
            cpu_seconds,
            cores: per(cpu_seconds, measured.time.as_secs_f64()).unwrap_or_default(),
            cpu_seconds_per_delivered_gb: per(cpu_seconds, gigabytes(tally.bytes_received)),
            cpu_seconds_per_published_gb: per(cpu_seconds, gigabytes(tally.bytes_published)),
            threads: threads.collect(),
            resident_before: usage.before.resident,
            resident: usage.end.resident,
            anonymous_before: usage.before.anonymous,
            anonymous: usage.end.anonymous,
            bytes_per_subscriber: per(growth, measured.playing as f64),
            voluntary_switches: used.voluntary_switches,
            involuntary_switches: used.involuntary_switches,
        }
    }
}

/// `None` when there is nothing to divide by.
fn per(amount: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| amount / of)
}
