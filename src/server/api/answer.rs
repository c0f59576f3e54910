//! Parts of all workers put together, as the answer to a question.

use std::collections::HashMap;
use std::time::Instant;

use super::Clock;
use super::gathering::Question;
use super::part::{Part, Subscribed};
use crate::http::api::{
    ConnectionsReport, KickReport, ListenerReport, ServerReport, ServerState, StreamDetailReport,
    StreamReport, StreamsReport,
};
use crate::http::request::Request;
use crate::http::status::Status;
use crate::server::worker::Worker;

impl Worker {
    /// Answers connection `key` with what has come.
    pub(super) fn answer_question(
        &mut self,
        key: usize,
        question: &Question,
        part: Part,
        request: &Request,
        now: Instant,
    ) {
        let now_unix_ms = Clock::new(now).unix_ms();
        match question {
            Question::Server => {
                let report = self.server_report(&part, now);
                self.answer_json(key, request, Status::Ok, &report, now);
            }
            Question::Streams => {
                let report = StreamsReport {
                    now_unix_ms,
                    streams: merged(part.streams, &part.subscribed),
                };
                self.answer_json(key, request, Status::Ok, &report, now);
            }
            Question::Stream(_) => {
                let mut subscribers = part.subscribers;
                subscribers.sort_by_key(|one| std::cmp::Reverse((one.lag_ms, one.lag_bytes)));
                let mut streams = merged(part.streams, &part.subscribed);
                let Some(stream) = streams.pop() else {
                    let detail = "no live stream of that name";
                    return self.api_error(key, request, Status::NotFound, detail, now);
                };
                let report = StreamDetailReport {
                    now_unix_ms,
                    stream,
                    subscribers,
                };
                self.answer_json(key, request, Status::Ok, &report, now);
            }
            Question::Connections => {
                let mut connections = part.connections;
                connections.sort_by_key(|connection| connection.id);
                let report = ConnectionsReport {
                    now_unix_ms,
                    connections,
                };
                self.answer_json(key, request, Status::Ok, &report, now);
            }
            Question::Metrics { .. } => {
                let tally = part.tally;
                let streams = merged(part.streams, &part.subscribed);
                self.answer_metrics(key, request, &tally, &streams, now);
            }
            Question::Kick(_) => match part.kicked {
                Some(connection) => {
                    let report = KickReport { connection };
                    self.answer_json(key, request, Status::Accepted, &report, now);
                }
                None => {
                    let detail = "no such connection or live stream";
                    self.api_error(key, request, Status::NotFound, detail, now);
                }
            },
        }
    }

    fn server_report(&self, part: &Part, now: Instant) -> ServerReport {
        let clock = Clock::new(now);
        let metrics = &self.shared.metrics;
        let tally = part.tally;
        let listeners = self.shared.listeners.iter();
        ServerReport {
            software: "millstream".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_unix_ms: clock.unix_ms(),
            started_unix_ms: clock.at(self.shared.started),
            state: match self.is_draining() {
                true => ServerState::Draining,
                false => ServerState::Serving,
            },
            workers: self.workers().count() as u64,
            listeners: listeners
                .map(|(port, address)| ListenerReport {
                    protocol: port.name().to_owned(),
                    address: address.to_string(),
                })
                .collect(),
            live_streams: tally.live_streams,
            publishers: tally.publishers,
            subscribers: tally.subscribers,
            connections: tally.connections,
            connections_max: self.config.limits.connections_max as u64,
            bytes_received: metrics.bytes_received.value(),
            bytes_sent: metrics.bytes_sent.value(),
            bitrate_in: tally.bitrate_in,
            bitrate_out: tally.bitrate_out,
            resident_bytes: resident_bytes(),
        }
    }
}

/// Live streams by name, each once and with those who receive it.
fn merged(mut streams: Vec<StreamReport>, subscribed: &[Subscribed]) -> Vec<StreamReport> {
    // In the moment of a takeover two workers may say that they have it: who has its publisher is
    // right.
    streams.sort_by(|one, other| {
        let key = |stream: &StreamReport| stream.publisher.is_none();
        one.name
            .cmp(&other.name)
            .then_with(|| key(one).cmp(&key(other)))
    });
    streams.dedup_by(|later, first| later.name == first.name);
    let mut by_name: HashMap<&str, Vec<&Subscribed>> = HashMap::new();
    for one in subscribed {
        by_name.entry(&one.name).or_default().push(one);
    }
    for stream in &mut streams {
        for one in by_name.get(stream.name.as_str()).into_iter().flatten() {
            stream.subscriber_count += one.count;
            let forms = stream.outputs.iter_mut();
            for form in forms.filter(|form| Some(form.kind) == one.kind) {
                form.subscriber_count += one.count;
            }
        }
    }
    streams
}

/// Memory of this process, as Linux tells it (proc_pid_status(5), `VmRSS`, in KiB).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
