//! A worker: one thread that serves its connections, from their first byte to their last.
//!
//! Each turn: wait, read the clock once, read what is ready (bounded per connection), take the
//! mail, run timers, flush, pass frames on to other workers. Readiness is edge-triggered; who has
//! more to read or send than a turn allows goes back into the queue for the next one.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{io, mem};

use crossbeam_channel::Receiver;
use mio::event::Event;
use mio::{Events, Poll, Token};
use slab::Slab;

use super::admission::Admission;
use super::api::Gatherings;
use super::config::Config;
use super::connection::{Closing, Connection};
use super::doze::Dozers;
use super::flight::Flights;
use super::live_stream::{LiveStream, Source};
use super::mail::{Address, Epoch, Feed, Port, Post, StreamName, WorkerId};
use super::metrics::Metrics;
use super::protocol::Event as PeerEvent;
use super::registry::{Registry, whole_ms};
use super::stop::StopHandle;
use crate::http::request::Request;
use crate::media::vitals::Seconds;
use crate::net::timers::Timers;
use crate::rtmp::session::{self, SessionError};

/// The token of the waker; connections have their slab keys.
pub(super) const WAKER: Token = Token(usize::MAX);

/// One read takes at most this much: large reads are cheap, and a session's reaction to one read
/// stays bounded.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Reads of one connection in one turn: 256 KiB, so that a fast publisher starves nobody.
const READS_MAX: usize = 4;

/// How long others than publishers are served in one go. A turn does that twice, so a storm of
/// newcomers delays a frame by up to 6 ms.
const SERVE_TIME_MAX: Duration = Duration::from_millis(2);

/// Connections served from one look at the clock to the next: a newcomer takes up to 50 µs.
const SERVED_UNTIMED: usize = 16;

/// Readiness events taken in one turn.
const EVENTS_MAX: usize = 1024;

/// What all threads of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) registry: Registry,
    pub(super) metrics: Metrics,
    pub(super) started: Instant,
    pub(super) admission: Admission,
    /// Only if connections are to be recorded.
    pub(super) flights: Option<Flights>,
    pub(super) stop: StopHandle,
    /// Where it listens, with the ports that the system chose.
    pub(super) listeners: Vec<(Port, SocketAddr)>,
    /// Of the last connection.
    connection_id: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        config: &Config,
        flights: Option<Flights>,
        stop: StopHandle,
        listeners: Vec<(Port, SocketAddr)>,
    ) -> Self {
        Self {
            registry: Registry::default(),
            metrics: Metrics::default(),
            started: Instant::now(),
            admission: Admission::new(config.limits, config.workers.max(1)),
            flights,
            stop,
            listeners,
            connection_id: AtomicU64::new(0),
        }
    }

    pub(super) fn next_connection_id(&self) -> u64 {
        self.connection_id.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Who an alarm is for: a connection's slot and which user of that slot.
type AlarmKey = (usize, u64);

/// Bytes of a worker's connections over the last seconds.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) received: Seconds,
    pub(super) sent: Seconds,
}

/// A worker. Its fields are touched by its own thread only.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) shared: Arc<Shared>,
    /// The settings in force; replaced as a whole by a reload.
    pub(super) config: Arc<Config>,
    /// Of `config`: what every session is set up with.
    pub(super) session: Arc<session::ServerConfig>,
    pub(super) connections: Slab<Connection>,
    pub(super) streams: Slab<LiveStream>,
    /// Streams with frames for other workers in this turn; may name one twice.
    pub(super) fed_streams: Vec<usize>,
    /// Ends of grace and of draining, in no order: few at any time.
    pub(super) graces: Vec<(Instant, usize, Epoch)>,
    /// Streams whose playlist may have changed in this turn; may name one twice.
    pub(super) hls_news: Vec<usize>,
    /// When playlists that nobody asks for any more are looked for; `None` while there are none.
    pub(super) hls_sweep_at: Option<Instant>,
    /// Questions to all workers that wait for their answers.
    pub(super) gatherings: Gatherings,
    pub(super) traffic: Traffic,
    /// Frames taken since the metrics were last told.
    pub(super) frames: u64,
    pub(super) stream_slots: HashMap<StreamName, usize>,
    /// Streams with frames for their subscribers, at most once each (`is_listed`).
    dirty_streams: Vec<usize>,
    /// Connections with something to read or to send, in both queues together once each
    /// (`is_queued`); a slot that was given to somebody else meanwhile may stand there twice.
    queue: VecDeque<usize>,
    /// Those of them that publish, and do not doze: they go first.
    publisher_queue: Vec<usize>,
    /// The connection that is being sent to: whom to close if that panics.
    sending_to: Option<usize>,
    timers: Timers<AlarmKey>,
    /// Publishers that nobody watches.
    pub(super) dozers: Dozers,
    pub(super) generations: u64,
    pub(super) poll: Poll,
    pub(super) posts: Receiver<Post>,
    pub(super) feeds: Receiver<Feed>,
    addresses: Vec<Address>,
    /// Workers with mail of ours that they were not woken for yet.
    to_wake: Vec<WorkerId>,
    read_buffer: Vec<u8>,
    /// Set by the order to stop.
    pub(super) leave_at: Option<Instant>,
}

/// Why a connection is closed.
#[derive(Debug)]
pub(super) enum CloseReason {
    /// The peer closed its side, or our goodbye was read.
    Finished,
    /// The peer broke the protocol or was too slow.
    Session(SessionError),
    /// It took none of our bytes for too long.
    Stuck,
    /// The socket failed.
    Socket(io::Error),
    /// We panicked while serving it; the cause.
    Panic(String),
}

impl Worker {
    pub(super) fn new(
        id: WorkerId,
        shared: Arc<Shared>,
        config: Arc<Config>,
        poll: Poll,
        posts: Receiver<Post>,
        feeds: Receiver<Feed>,
        addresses: Vec<Address>,
    ) -> Self {
        let now_ms = whole_ms(shared.started.elapsed());
        Self {
            id,
            shared,
            session: Arc::new(config.session),
            config,
            connections: Slab::new(),
            streams: Slab::new(),
            fed_streams: Vec::new(),
            graces: Vec::new(),
            hls_news: Vec::new(),
            hls_sweep_at: None,
            gatherings: Gatherings::default(),
            traffic: Traffic {
                received: Seconds::new(now_ms),
                sent: Seconds::new(now_ms),
            },
            frames: 0,
            stream_slots: HashMap::new(),
            dirty_streams: Vec::new(),
            queue: VecDeque::new(),
            publisher_queue: Vec::new(),
            sending_to: None,
            timers: Timers::new(),
            dozers: Dozers::default(),
            generations: 0,
            poll,
            posts,
            feeds,
            addresses,
            to_wake: Vec::new(),
            read_buffer: vec![0; READ_BUFFER_BYTES],
            leave_at: None,
        }
    }

    /// Serves until it is told to stop and everybody is gone.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("worker {}: poll failed: {error}", self.id.0);
                return;
            }
            let now = Instant::now();
            self.take_turn(&events, now);
            if self.has_left(now) {
                return;
            }
        }
    }

    /// Does what is to be done now.
    pub(super) fn take_turn(&mut self, events: &Events, now: Instant) {
        for event in events {
            self.on_readiness(event);
        }
        self.read_dozers(now);
        self.serve_queue(now);
        self.take_mail(now);
        self.run_timers(now);
        self.answer_hls(now);
        self.flush_due(now);
        self.serve_queue(now);
        self.feed_others();
    }

    pub(super) fn uptime(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.shared.started)
    }

    /// Milliseconds since the server's start.
    pub(super) fn now_ms(&self, now: Instant) -> u64 {
        whole_ms(self.uptime(now))
    }

    /// All workers of the server.
    pub(super) fn workers(&self) -> impl Iterator<Item = WorkerId> + use<> {
        (0..self.addresses.len()).map(WorkerId)
    }

    /// Whether the server takes nobody new any more.
    pub(super) fn is_draining(&self) -> bool {
        self.leave_at.is_some() || self.shared.stop.drain_until().is_some()
    }

    fn count_sent(&mut self, bytes: u64, now: Instant) {
        self.shared.metrics.bytes_sent.add(bytes);
        let now_ms = self.now_ms(now);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.traffic.sent.add(now_ms, bytes);
    }

    pub(super) fn chunk_size(&self) -> usize {
        usize::try_from(self.config.session.chunk_size).unwrap_or(usize::MAX)
    }

    /// Puts a connection into the queue of those that are served in this turn.
    pub(super) fn queue(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key)
            && !mem::replace(&mut connection.is_queued, true)
        {
            match connection.publisher.is_some() && !connection.is_dozing {
                true => self.publisher_queue.push(key),
                false => self.queue.push_back(key),
            }
        }
    }

    /// The slot of a live stream, made if need be.
    pub(super) fn stream_slot(&mut self, name: &StreamName) -> usize {
        if let Some(slot) = self.stream_slots.get(name) {
            return *slot;
        }
        let live = LiveStream::new(Arc::clone(name), self.config.for_path(name));
        let slot = self.streams.insert(live);
        self.stream_slots.insert(Arc::clone(name), slot);
        slot
    }

    pub(super) fn forget_stream(&mut self, slot: usize) {
        if let Some(live) = self.streams.try_remove(slot) {
            self.stream_slots.remove(&live.name);
        }
    }

    /// Notes that a live stream has new frames.
    pub(super) fn note_stream(&mut self, slot: usize) {
        let live = &mut self.streams[slot];
        if live.flush_at.is_some() && !mem::replace(&mut live.is_listed, true) {
            self.dirty_streams.push(slot);
        }
        if live.hls.as_ref().is_some_and(|hls| hls.has_news()) {
            self.hls_news.push(slot);
        }
        if live.has_feed_to_send() && self.fed_streams.last() != Some(&slot) {
            self.fed_streams.push(slot);
        }
    }

    /// Sends a control message to another worker.
    pub(super) fn post(&mut self, worker: WorkerId, post: Post) {
        let Some(address) = self.addresses.get(worker.0) else {
            return;
        };
        // It fails only for a worker that has stopped: then everything stops.
        if address.post.post(post).is_ok() && !self.to_wake.contains(&worker) {
            self.to_wake.push(worker);
        }
    }

    /// The worker that a live stream's playlist is made on: the same one wherever it is asked for.
    pub(super) fn home_of_hls(&self, name: &StreamName) -> WorkerId {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let count = u64::try_from(self.addresses.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % count).map_or(self.id, WorkerId)
    }

    /// Hands connection `key` over to another worker, which handles the request as if it had come
    /// there.
    pub(super) fn hand_over(&mut self, key: usize, to: WorkerId, request: &Request) {
        let Some(address) = self.addresses.get(to.0) else {
            return;
        };
        let Some(mut connection) = self.connections.try_remove(key) else {
            return;
        };
        let peer = connection.peer;
        log::debug!("{peer}: goes from worker {} to {}", self.id.0, to.0);
        if let Err(error) = self.poll.registry().deregister(&mut connection.socket) {
            log::debug!("{peer}: cannot be unwatched: {error}");
        }
        self.shared.admission.relocate(self.id, to);
        let post = Post::Moved(Box::new(connection), Box::new(request.clone()));
        if address.post.post(post).is_err() {
            // It has stopped: then everything stops.
            self.shared.admission.release(peer.ip(), to);
        } else if !self.to_wake.contains(&to) {
            self.to_wake.push(to);
        }
    }

    /// Posts a live stream's new frames to the workers that are to be fed.
    pub(super) fn feed(&mut self, stream: usize) {
        let Some(live) = self.streams.get_mut(stream) else {
            return;
        };
        let Some(epoch) = live.epoch() else {
            return;
        };
        let overflows = live.feed_workers(epoch, &self.addresses, &mut self.to_wake);
        if overflows > 0 {
            self.shared.metrics.feed_overflows.add(overflows);
        }
    }

    /// Sends a live stream's new frames to the subscribers on this worker.
    pub(super) fn flush_stream(&mut self, stream: usize, now: Instant) {
        let Some(live) = self.streams.get_mut(stream) else {
            return;
        };
        live.flush_at = None;
        let chunk_size = self.config.session.chunk_size;
        let mut bytes = 0;
        let mut laps = 0;
        let mut failed = Vec::new();
        for rendition in &mut live.renditions {
            let mut run = None;
            let mut slowest = rendition.log().end();
            for &key in &rendition.subscribers {
                let Some(connection) = self.connections.get_mut(key) else {
                    continue;
                };
                if connection.closing != Closing::No {
                    continue;
                }
                self.sending_to = Some(key);
                if connection.can_write {
                    let log = Some(rendition.log());
                    match connection.send(log, &mut run, chunk_size, now) {
                        Ok(sent) => {
                            bytes += sent.bytes as u64;
                            laps += sent.laps;
                            if sent.has_more && !mem::replace(&mut connection.is_queued, true) {
                                self.queue.push_back(key);
                            }
                            if !connection.can_write {
                                Self::arm(connection, &mut self.timers, &self.config, key);
                            }
                        }
                        Err(error) => {
                            failed.push((key, error));
                            continue;
                        }
                    }
                }
                slowest = connection
                    .place()
                    .map_or(slowest, |place| slowest.min(place));
            }
            self.sending_to = None;
            rendition.flushed(slowest);
        }
        self.count_sent(bytes, now);
        if laps > 0 {
            self.shared.metrics.laps.add(laps);
        }
        for (key, error) in failed {
            self.close(key, &CloseReason::Socket(error), now);
        }
    }

    /// How long the poll may sleep.
    fn patience(&self) -> Option<Duration> {
        if !self.queue.is_empty() || !self.publisher_queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let flush = self
            .dirty_streams
            .iter()
            .filter_map(|slot| self.streams.get(*slot)?.flush_at);
        let next = self
            .timers
            .next()
            .into_iter()
            .chain(flush)
            .chain(self.graces.iter().map(|(at, ..)| *at))
            .chain(self.leave_at)
            .chain(self.hls_sweep_at)
            .chain(self.gatherings.deadline())
            .chain(self.dozers.deadline())
            .min()?;
        let left = next.saturating_duration_since(Instant::now());
        // The poll's clock ticks in milliseconds: rounding up keeps it from spinning just before.
        Some(left.max(Duration::from_millis(1)))
    }

    fn on_readiness(&mut self, event: &Event) {
        let Token(key) = event.token();
        if let Some(connection) = self.connections.get_mut(key) {
            connection.is_read_closed |= event.is_read_closed() || event.is_error();
            connection.can_read |= event.is_readable() || connection.is_read_closed;
            if event.is_writable() {
                connection.on_writable();
            }
            self.queue(key);
        }
    }

    /// Serves the publishers that are queued, and for [`SERVE_TIME_MAX`] the others, in the order in
    /// which they came: in a storm of newcomers the frames of those who publish are sent on between
    /// two handfuls of them.
    fn serve_queue(&mut self, now: Instant) {
        for key in mem::take(&mut self.publisher_queue) {
            self.serve_queued(key, now);
        }
        // Who is queued meanwhile waits for the next time.
        let count = self.queue.len();
        let until = (count > SERVED_UNTIMED).then(|| Instant::now() + SERVE_TIME_MAX);
        for served in 0..count {
            if served % SERVED_UNTIMED == SERVED_UNTIMED - 1
                && until.is_some_and(|until| until < Instant::now())
            {
                break;
            }
            if let Some(key) = self.queue.pop_front() {
                self.serve_queued(key, now);
            }
        }
    }

    fn serve_queued(&mut self, key: usize, now: Instant) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.is_queued = false;
            self.guarded(Some(key), now, |worker| worker.serve(key, now));
        }
    }

    /// Runs `job`, for one connection or for the whole worker. An error closes that connection; so
    /// does a panic, and whoever was being sent to is closed with it. The worker goes on.
    ///
    /// What a panic can leave half done is those connections, which are closed, and the log or the
    /// lists of one live stream, whose methods each go on from any state.
    pub(super) fn guarded(
        &mut self,
        key: Option<usize>,
        now: Instant,
        job: impl FnOnce(&mut Self) -> Result<(), CloseReason>,
    ) {
        let outcome = catch_unwind(AssertUnwindSafe(|| job(self)));
        let outcome = outcome.unwrap_or_else(|panic| {
            self.shared.metrics.panics.add(1);
            self.read_buffer.resize(READ_BUFFER_BYTES, 0);
            Err(CloseReason::Panic(panic_cause(panic.as_ref())))
        });
        let Err(reason) = outcome else {
            return;
        };
        let culprits = [self.sending_to.take(), key];
        if let (CloseReason::Panic(cause), [None, None]) = (&reason, culprits) {
            log::error!("worker {}: a fault of ours: {cause}", self.id.0);
        }
        for key in culprits.into_iter().flatten() {
            self.close(key, &reason, now);
        }
    }

    /// Reads, acts and sends for one connection.
    fn serve(&mut self, key: usize, now: Instant) -> Result<(), CloseReason> {
        let before = self
            .connections
            .get(key)
            .map_or(0, |one| one.bytes_received);
        for _ in 0..READS_MAX {
            // What it asks for can close it: the end of a live stream that it also plays.
            let Some(connection) = self.connections.get_mut(key) else {
                return Ok(());
            };
            if !connection.may_read(self.config.limits.reply_bytes_max) {
                break;
            }
            let mut buffer = mem::take(&mut self.read_buffer);
            let outcome = self.read_once(key, &mut buffer, now);
            self.read_buffer = buffer;
            outcome?;
        }
        if self
            .connections
            .get(key)
            .is_some_and(|connection| connection.protocol().is_done())
        {
            self.close_gently(key, now);
        }
        self.send(key, now)?;
        // With the end of a long answer the next request is due, or the end of the connection.
        self.handle_requests(key, now);
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(());
        };
        if connection.closing == Closing::No && connection.protocol().is_done() {
            self.close_gently(key, now);
        }
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(());
        };
        Self::arm(connection, &mut self.timers, &self.config, key);
        if connection.may_read(self.config.limits.reply_bytes_max) {
            self.queue(key);
        }
        self.doze_or_wake(key, self.connections[key].bytes_received - before, now);
        Ok(())
    }

    fn read_once(
        &mut self,
        key: usize,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), CloseReason> {
        let connection = &mut self.connections[key];
        let count = match connection.read(buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => {
                return match connection.handle_end() {
                    true => Ok(()),
                    false => Err(CloseReason::Finished),
                };
            }
            Ok(Some(count)) => count,
            Err(error) => return Err(CloseReason::Socket(error)),
        };
        self.shared.metrics.bytes_received.add(count as u64);
        let now_ms = whole_ms(now.saturating_duration_since(self.shared.started));
        self.traffic.received.add(now_ms, count);
        if connection.closing != Closing::No {
            return Ok(());
        }
        let input = buffer.get(..count).unwrap_or_default();
        connection.record_received(input, now);
        let outcome = connection.protocol_mut().handle_input(now, input);
        while let Some(connection) = self.connections.get_mut(key) {
            match connection.protocol_mut().poll_event() {
                Some(PeerEvent::Rtmp(event)) => self.handle_event(key, event, now),
                Some(PeerEvent::Http(request)) => self.handle_request(key, &request, now),
                None => break,
            }
        }
        self.note_session(key, now);
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => self.on_session_error(key, error, now),
        }
    }

    /// What the session had to say before it gave up is still sent.
    fn on_session_error(
        &mut self,
        key: usize,
        error: SessionError,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(());
        };
        connection.collect_output();
        if connection.unsent_replies() == 0 {
            return Err(CloseReason::Session(error));
        }
        self.shared.metrics.peer_errors.add(1);
        connection.fail(log::Level::Info, now, format_args!("closed: {error}"));
        self.on_publisher_vanished(key, now);
        self.leave_stream(key, "error");
        self.close_gently(key, now);
        Ok(())
    }

    /// Sends what waits for one connection.
    fn send(&mut self, key: usize, now: Instant) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(());
        };
        let log = connection.subscriber.as_ref().and_then(|part| {
            let rendition = self.streams[part.stream].rendition(part.role.output)?;
            Some(rendition.log())
        });
        let chunk_size = self.config.session.chunk_size;
        let sent = connection
            .send(log, &mut None, chunk_size, now)
            .map_err(CloseReason::Socket)?;
        self.count_sent(sent.bytes as u64, now);
        self.shared.metrics.laps.add(sent.laps);
        if sent.has_more {
            self.queue(key);
        }
        self.end_drained(key, now);
        let connection = &mut self.connections[key];
        if let (Closing::Flushing(_), 0) = (connection.closing, connection.unsent_replies()) {
            let timeout = self.config.timers.close_timeout;
            connection.closing = Closing::Lingering(now + timeout);
            // The end of what it sends may have been read already, and is not told twice.
            connection.can_read |= connection.is_read_closed;
            connection
                .socket
                .shutdown(std::net::Shutdown::Write)
                .map_err(CloseReason::Socket)?;
        }
        Ok(())
    }

    /// Sees to it that an alarm goes off at the connection's deadline, or before.
    fn arm(
        connection: &mut Connection,
        timers: &mut Timers<AlarmKey>,
        config: &Config,
        key: usize,
    ) {
        let Some(deadline) = connection.deadline(config.timers.write_timeout) else {
            return;
        };
        if connection.alarm.is_none_or(|alarm| deadline < alarm) {
            connection.alarm = Some(deadline);
            timers.set(deadline, (key, connection.generation));
        }
    }

    fn run_timers(&mut self, now: Instant) {
        while let Some((key, generation)) = self.timers.pop_due(now) {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            // An alarm of an earlier user of the slot, or one that a nearer alarm replaced.
            if connection.generation != generation || connection.alarm.is_none_or(|at| at > now) {
                continue;
            }
            connection.alarm = None;
            self.guarded(Some(key), now, |worker| worker.on_alarm(key, now));
            if let Some(connection) = self.connections.get_mut(key) {
                Self::arm(connection, &mut self.timers, &self.config, key);
            }
        }
        self.guarded(None, now, |worker| {
            worker.end_graces(now);
            worker.sweep_hls(now);
            worker.end_gatherings(now);
            Ok(())
        });
    }

    fn on_alarm(&mut self, key: usize, now: Instant) -> Result<(), CloseReason> {
        let connection = &mut self.connections[key];
        match connection.closing {
            Closing::Flushing(at) | Closing::Lingering(at) => {
                return if now >= at {
                    Err(CloseReason::Finished)
                } else {
                    Ok(())
                };
            }
            Closing::No => {}
        }
        if connection.is_stuck(self.config.timers.write_timeout, now) {
            return Err(CloseReason::Stuck);
        }
        if connection
            .waiting
            .as_ref()
            .is_some_and(|part| now >= part.role.until)
        {
            self.refuse_waiting(key, now);
            return Ok(());
        }
        if self.give_up_held(key, now) {
            return Ok(());
        }
        let connection = &mut self.connections[key];
        let outcome = connection.protocol_mut().handle_timeout(now);
        self.queue(key);
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => self.on_session_error(key, error, now),
        }
    }

    fn end_graces(&mut self, now: Instant) {
        let (due, later) = mem::take(&mut self.graces)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.graces = later;
        let due: Vec<_> = due;
        for (_, stream, grace_epoch) in due {
            let Some(live) = self.streams.get(stream) else {
                continue;
            };
            match live.source {
                Source::Here {
                    epoch,
                    publisher: None,
                } if epoch == grace_epoch => {
                    log::info!("{}: its publisher did not come back", live.name);
                    self.end_stream(stream, grace_epoch, now);
                }
                Source::Ended { epoch } if epoch == grace_epoch => self.end_draining(stream),
                _ => {}
            }
        }
    }

    /// Closes a connection at once. Whoever it published for is kept for a while.
    fn close(&mut self, key: usize, reason: &CloseReason, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let peer = connection.peer;
        let is_closing = connection.closing != Closing::No;
        let was_for_nothing = connection
            .recorder
            .as_ref()
            .is_some_and(|recorder| recorder.was_for_nothing());
        let info = log::Level::Info;
        match reason {
            CloseReason::Session(error) => {
                self.shared.metrics.peer_errors.add(1);
                connection.fail(info, now, format_args!("closed: {error}"));
            }
            CloseReason::Stuck => {
                self.shared.metrics.peer_errors.add(1);
                let seconds = self.config.timers.write_timeout.as_secs();
                connection.fail(
                    info,
                    now,
                    format_args!("closed: took nothing for {seconds} s"),
                );
            }
            CloseReason::Socket(error) if !is_closing && !connection.has_ended => {
                connection.fail(info, now, format_args!("connection lost: {error}"));
            }
            CloseReason::Finished if !is_closing && was_for_nothing => {
                connection.fail(
                    info,
                    now,
                    format_args!("left before it published or played"),
                );
            }
            CloseReason::Finished | CloseReason::Socket(_) => log::debug!("{peer}: closed"),
            CloseReason::Panic(cause) => {
                let line = format_args!("closed after a fault of ours: {cause}");
                connection.fail(log::Level::Error, now, line);
            }
        }
        self.say_notes(key);
        self.on_publisher_vanished(key, now);
        self.leave_stream(key, "left");
        self.forget_held(key);
        if let Some(mut connection) = self.connections.try_remove(key) {
            if connection.is_dozing {
                self.dozers.remove(key);
            }
            if let Err(error) = self.poll.registry().deregister(&mut connection.socket) {
                log::debug!("{peer}: cannot be unwatched: {error}");
            }
            self.shared.admission.release(peer.ip(), self.id);
            if let Some(tracer) = connection.tracer.take() {
                connection.collect_output();
                tracer.finish(now, is_closing);
            }
            if let (Some(flights), Some(recorder)) =
                (&self.shared.flights, connection.recorder.take())
            {
                flights.finish(recorder, &self.shared.metrics);
            }
        }
    }

    fn flush_due(&mut self, now: Instant) {
        for slot in mem::take(&mut self.dirty_streams) {
            let Some(live) = self.streams.get_mut(slot) else {
                continue;
            };
            live.is_listed = live.flush_at.is_some_and(|at| at > now);
            if live.is_listed {
                self.dirty_streams.push(slot);
            } else if live.flush_at.is_some() {
                self.guarded(None, now, |worker| {
                    worker.flush_stream(slot, now);
                    Ok(())
                });
            }
        }
        if self.frames > 0 {
            self.shared.metrics.frames.add(mem::take(&mut self.frames));
        }
    }

    fn feed_others(&mut self) {
        for slot in mem::take(&mut self.fed_streams) {
            self.feed(slot);
            // What did not fit is tried again with the next frame.
        }
        for worker in mem::take(&mut self.to_wake) {
            if let Some(address) = self.addresses.get(worker.0) {
                address.post.wake();
            }
        }
    }

    fn has_left(&self, now: Instant) -> bool {
        self.leave_at
            .is_some_and(|at| self.connections.is_empty() || now >= at)
    }
}

/// What a panic said.
fn panic_cause(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic without a message")
        .to_owned()
}

#[cfg(test)]
pub(super) mod testing;

#[cfg(test)]
mod tests;
