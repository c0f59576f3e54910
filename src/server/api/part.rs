//! What one worker has to say to a question.

use std::time::{Duration, Instant};

use super::Clock;
use super::gathering::Question;
use super::stream;
use crate::http::api::{
    ConnectionReport, ConnectionRole, NoteReport, OutputKind, StreamReport, SubscriberReport,
};
use crate::server::connection::Connection;
use crate::server::live_stream::Source;
use crate::server::notes::Notes;
use crate::server::protocol::Protocol;
use crate::server::rendition::{Output, Wrap};
use crate::server::subscriber::Lag;
use crate::server::worker::Worker;

/// A connection that asked for a playlist or a segment receives HLS for this long: segments are asked
/// for every few seconds. Viewers are counted in another way: one may have several, or none just now.
const HLS_RECENT: Duration = Duration::from_secs(15);

/// A part of an answer; what the question is not about is empty.
#[derive(Debug, Default)]
pub(in crate::server) struct Part {
    pub(super) tally: Tally,
    /// Those that are published here.
    pub(super) streams: Vec<StreamReport>,
    /// How many receive which live stream in which form here; several may be of one form.
    pub(super) subscribed: Vec<Subscribed>,
    pub(super) subscribers: Vec<SubscriberReport>,
    pub(super) connections: Vec<ConnectionReport>,
    /// The connection that was closed.
    pub(super) kicked: Option<u64>,
}

/// Sums over connections and live streams.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::server) struct Tally {
    pub(in crate::server) live_streams: u64,
    pub(in crate::server) publishers: u64,
    pub(in crate::server) subscribers: u64,
    pub(in crate::server) connections: u64,
    pub(in crate::server) bitrate_in: u64,
    pub(in crate::server) bitrate_out: u64,
}

/// Connections that receive a live stream in a form; `None` is RTMP.
#[derive(Debug)]
pub(super) struct Subscribed {
    pub(super) name: String,
    pub(super) kind: Option<OutputKind>,
    pub(super) count: u64,
}

impl Part {
    /// Takes in what another worker has.
    pub(super) fn absorb(&mut self, other: Self) {
        let tally = &mut self.tally;
        tally.live_streams += other.tally.live_streams;
        tally.publishers += other.tally.publishers;
        tally.subscribers += other.tally.subscribers;
        tally.connections += other.tally.connections;
        tally.bitrate_in += other.tally.bitrate_in;
        tally.bitrate_out += other.tally.bitrate_out;
        self.streams.extend(other.streams);
        self.subscribed.extend(other.subscribed);
        self.subscribers.extend(other.subscribers);
        self.connections.extend(other.connections);
        self.kicked = self.kicked.or(other.kicked);
    }
}

impl Worker {
    /// Answers a question as far as it is about what is here.
    pub(super) fn part(&mut self, question: &Question, now: Instant) -> Part {
        let clock = Clock::new(now);
        let mut part = Part::default();
        match question {
            Question::Server => part.tally = self.tally(now),
            Question::Metrics { has_streams } => {
                part.tally = self.tally(now);
                if *has_streams {
                    self.tell_streams(None, clock, &mut part);
                }
            }
            Question::Streams => self.tell_streams(None, clock, &mut part),
            Question::Stream(name) => {
                self.tell_streams(Some(name), clock, &mut part);
                part.subscribers = self.tell_subscribers(name, clock);
            }
            Question::Connections => {
                let all = self.connections.iter();
                let reports = all.map(|(_, connection)| self.tell_connection(connection, clock));
                part.connections = reports.collect();
            }
            Question::Kick(kick) => part.kicked = self.kick(kick, now),
        }
        part
    }

    fn tally(&self, now: Instant) -> Tally {
        let count = |is_meant: &dyn Fn(&Connection) -> bool| {
            let meant = self.connections.iter().filter(|(_, one)| is_meant(one));
            meant.count() as u64
        };
        let live = self.streams.iter().filter(|(_, live)| {
            matches!(
                live.source,
                Source::Here {
                    publisher: Some(_),
                    ..
                }
            )
        });
        let now_ms = self.now_ms(now);
        let hls = self.streams.iter();
        let hls = hls.filter(|(_, live)| live.source != Source::Absent);
        let by_hls: u64 = hls.map(|(_, live)| self.hls_subscribers(live, now)).sum();
        Tally {
            live_streams: live.count() as u64,
            publishers: count(&|one| one.publisher.is_some()),
            subscribers: count(&|one| one.subscriber.is_some()) + by_hls,
            connections: self.connections.len() as u64,
            bitrate_in: self.traffic.received.bitrate(now_ms),
            bitrate_out: self.traffic.sent.bitrate(now_ms),
        }
    }

    /// Live streams that are published here and who receives them, all or one.
    fn tell_streams(&self, name: Option<&str>, clock: Clock, part: &mut Part) {
        let is_meant = |other: &str| name.is_none_or(|name| name == other);
        for (_, live) in &self.streams {
            if !is_meant(&live.name) || live.is_ended() {
                continue;
            }
            part.subscribed
                .extend(live.renditions.iter().map(|rendition| Subscribed {
                    name: live.name.to_string(),
                    kind: kind_of(rendition.output),
                    count: rendition.subscribers.len() as u64,
                }));
            let by_hls = self.hls_subscribers(live, clock.now);
            if by_hls > 0 {
                part.subscribed.push(Subscribed {
                    name: live.name.to_string(),
                    kind: Some(OutputKind::Hls),
                    count: by_hls,
                });
            }
            if let Source::Here { publisher, .. } = live.source {
                let publisher = publisher.and_then(|key| self.connections.get(key));
                let started = self.shared.started;
                part.streams
                    .push(stream::report(live, publisher, started, clock));
            }
        }
    }

    fn tell_subscribers(&self, name: &str, clock: Clock) -> Vec<SubscriberReport> {
        let of = |connection: &Connection| {
            let (protocol, lag, (skips, frames_skipped)) = match &connection.subscriber {
                Some(part) => {
                    let live = self.streams.get(part.stream)?;
                    if *live.name != *name || live.is_ended() {
                        return None;
                    }
                    let role = &part.role;
                    let rendition = live.rendition(role.output);
                    let lag = rendition.map(|rendition| role.lag(rendition.log()));
                    (
                        protocol_of(role.output),
                        lag.unwrap_or_default(),
                        role.skips(),
                    )
                }
                None => {
                    hls_name(connection, clock.now).filter(|other| *other == name)?;
                    ("hls", Lag::default(), (0, 0))
                }
            };
            Some(SubscriberReport {
                connection: connection.id,
                address: connection.peer.to_string(),
                protocol: protocol.to_owned(),
                software: connection.software.as_deref().map(str::to_owned),
                connected_unix_ms: clock.at(connection.connected),
                lag_ms: lag.ms,
                lag_bytes: lag.bytes + connection.unsent_replies() as u64,
                bytes_sent: connection.bytes_sent,
                skips,
                frames_skipped,
            })
        };
        let all = self.connections.iter();
        all.filter_map(|(_, connection)| of(connection)).collect()
    }

    fn tell_connection(&self, connection: &Connection, clock: Clock) -> ConnectionReport {
        let name_of = |slot: usize| self.streams.get(slot).map(|live| live.name.to_string());
        let subscriber = connection.subscriber.as_ref();
        let (role, live_stream) = if let Some(part) = &connection.publisher {
            (ConnectionRole::Publisher, Some(part.role.name.to_string()))
        } else if let Some(part) = subscriber {
            (ConnectionRole::Subscriber, name_of(part.stream))
        } else if let Some(part) = &connection.waiting {
            (ConnectionRole::Subscriber, name_of(part.stream))
        } else if let Some(name) = hls_name(connection, clock.now) {
            (ConnectionRole::Subscriber, Some(name.to_owned()))
        } else if matches!(connection.protocol(), Protocol::Http(_)) {
            (ConnectionRole::Web, None)
        } else {
            (ConnectionRole::Idle, None)
        };
        let output = subscriber.map(|part| part.role.output);
        let protocol = match (connection.protocol(), output) {
            (Protocol::Rtmp(_), _) => "rtmp",
            (_, Some(Output::Flv(Wrap::WebSocket) | Output::Mp4(Wrap::WebSocket))) => "ws",
            _ => "http",
        };
        ConnectionReport {
            id: connection.id,
            address: connection.peer.to_string(),
            protocol: protocol.to_owned(),
            role,
            live_stream,
            software: connection.software.as_deref().map(str::to_owned),
            connected_unix_ms: clock.at(connection.connected),
            worker: self.id.0 as u64,
            bytes_received: connection.bytes_received,
            bytes_sent: connection.bytes_sent,
            notes: notes(&connection.notes),
        }
    }
}

/// Rules that a connection broke.
pub(super) fn notes(notes: &Notes) -> Vec<NoteReport> {
    let report = |noted: &crate::server::notes::Noted| NoteReport {
        id: noted.note.id().to_owned(),
        text: noted.note.to_string(),
        count: noted.count,
    };
    notes.iter().map(report).collect()
}

/// The live stream that a connection receives as HLS.
fn hls_name(connection: &Connection, now: Instant) -> Option<&str> {
    let (name, at) = connection.hls.as_ref()?;
    (now.saturating_duration_since(*at) < HLS_RECENT).then_some(name)
}

fn kind_of(output: Output) -> Option<OutputKind> {
    match output {
        Output::Rtmp(_) => None,
        Output::Flv(_) => Some(OutputKind::Flv),
        Output::Mp4(_) => Some(OutputKind::Mp4),
    }
}

fn protocol_of(output: Output) -> &'static str {
    match output {
        Output::Rtmp(_) => "rtmp",
        Output::Flv(Wrap::WebSocket) => "ws-flv",
        Output::Flv(_) => "http-flv",
        Output::Mp4(Wrap::WebSocket) => "ws-mp4",
        Output::Mp4(_) => "http-mp4",
    }
}
