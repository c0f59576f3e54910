//! One thread of a load test: its share of the publishers and subscribers, on one poll.
//!
//! What it does itself is kept small, so that the server is what is measured: large reads, one
//! buffer, frames built in place, statistics in memory of its own.

use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::events::Context;
use super::peer::{Link, Peer, Playing, Publishing, Role, connect, describe, is_for_later};
use super::shared::{Phase, Shared};
use super::stamp::Stamp;
use super::tally::Tally;
use crate::net::timers::Timers;
use crate::rtmp::MediaKind;
use crate::rtmp::session::{ClientRole, ClientState};

const EVENTS_MAX: usize = 4096;
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// Reads of one connection in a row, so that none keeps the publishers waiting.
const READS_MAX: usize = 4;

/// Connections of one thread that may be on their way to their first answer: half of the backlog
/// of a listening socket on Debian.
const OPENING_MAX: usize = 2048;

/// From the start of the TCP connection to the answer to publish or play.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// How often connections that were never answered are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes that may wait for a server that does not take what is published; frames beyond are not
/// sent.
const BACKLOG_MAX: usize = 4 << 20;

/// How long goodbyes may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A thread's part of a test.
#[derive(Debug)]
pub(super) struct Load<'a> {
    shared: &'a Shared,
    /// Which of the threads this is.
    index: usize,
    poll: Poll,
    /// By token; `None` for those that are over.
    peers: Vec<Option<Peer>>,
    /// When the next frame of each publisher is due, by token.
    due: Timers<usize>,
    /// Subscribers with more to read, which the poll does not tell again.
    unfinished: Vec<usize>,
    /// Subscribers started so far, and since when.
    started: usize,
    join_began: Option<Instant>,
    opening: usize,
    swept: Instant,
    tally: Tally,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

impl<'a> Load<'a> {
    /// # Errors
    /// Of the system, when it gives no poll.
    pub(super) fn new(shared: &'a Shared, index: usize) -> io::Result<Self> {
        Ok(Self {
            shared,
            index,
            poll: Poll::new()?,
            peers: Vec::new(),
            due: Timers::new(),
            unfinished: Vec::new(),
            started: 0,
            join_began: None,
            opening: 0,
            swept: Instant::now(),
            tally: Tally::default(),
            buffer: vec![0; READ_BUFFER_BYTES],
            body: Vec::new(),
        })
    }

    /// Plays its part until the test stops, and says what it counted.
    ///
    /// # Errors
    /// Of the poll.
    pub(super) fn run(mut self) -> io::Result<Tally> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut measures = false;
        self.open_publishers();
        loop {
            let phase = self.shared.phase();
            if phase == Phase::Measure && !measures {
                measures = true;
                self.choose_counted();
            }
            if phase == Phase::Stop {
                break;
            }
            if phase >= Phase::Join {
                self.open_subscribers();
            }
            self.publish_due();
            self.sweep();
            self.turn(&mut events)?;
        }
        self.settle_accounts();
        self.say_goodbye(&mut events)?;
        Ok(self.tally)
    }

    fn open_publishers(&mut self) {
        let options = &self.shared.options;
        for number in (self.index..options.publishers).step_by(options.threads) {
            let role = Role::Publisher(Publishing {
                number: u16::try_from(number).unwrap_or(u16::MAX),
                start: None,
                next_video: 0,
                next_audio: 0,
                sent: [0; 2],
            });
            self.open(role, number, number);
        }
    }

    /// Starts as many subscribers as the ramp allows by now.
    fn open_subscribers(&mut self) {
        let options = &self.shared.options;
        let ours = (options.subscribers + options.threads - 1 - self.index) / options.threads;
        if self.started >= ours {
            return;
        }
        let began = *self.join_began.get_or_insert_with(Instant::now);
        let allowed = began.elapsed().as_secs_f64() * options.ramp / options.threads as f64;
        while self.started < ours && (self.started as f64) <= allowed && self.opening < OPENING_MAX
        {
            let number = self.started * options.threads + self.index;
            let slow = options.subscribers as f64 * options.slow_percent / 100.0;
            let stream = number % options.publishers.max(1);
            let role = Role::Subscriber(Playing {
                publisher: u16::try_from(stream).unwrap_or(u16::MAX),
                is_slow: (number as f64) < slow,
                ..Playing::default()
            });
            self.started += 1;
            self.open(role, stream, number);
        }
    }

    /// Begins a connection for a stream; `number` is its own among those of its role.
    fn open(&mut self, role: Role, stream: usize, number: usize) {
        let client_role = match role {
            Role::Publisher(_) => ClientRole::Publish,
            Role::Subscriber(_) => ClientRole::Play,
        };
        let token = self.peers.len();
        let opened = Instant::now();
        let address = self.shared.address(client_role);
        let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable));
        let connected = address.and_then(|address| connect(address, number));
        let connected = connected.and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut socket, Token(token), interest)?;
            Ok(socket)
        });
        match connected {
            Ok(socket) => {
                self.opening += 1;
                let (link, output) = self.shared.link(client_role, stream, opened);
                self.peers.push(Some(Peer {
                    socket,
                    link,
                    opened,
                    role,
                    output,
                    sent: 0,
                }));
            }
            Err(error) => {
                self.peers.push(None);
                self.count_failure(&role, describe(&error));
            }
        }
    }

    /// Whoever plays now and reads is counted.
    fn choose_counted(&mut self) {
        let counts = &self.shared.counts;
        for peer in self.peers.iter_mut().flatten() {
            let is_answered = peer.is_answered();
            if let Role::Subscriber(playing) = &mut peer.role {
                playing.is_counted = is_answered && !playing.is_slow;
                counts
                    .counted
                    .fetch_add(u64::from(playing.is_counted), Ordering::Relaxed);
            }
        }
        counts.ready.fetch_add(1, Ordering::Release);
    }

    /// Waits for something to happen, until the next frame is due at most, and deals with it.
    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        let patience = if !self.unfinished.is_empty() {
            Duration::ZERO
        } else if self.join_began.is_some() && self.opening < OPENING_MAX {
            Duration::from_millis(1)
        } else {
            Duration::from_millis(20)
        };
        let left = self.due.next().map_or(patience, |due| {
            due.saturating_duration_since(Instant::now()).min(patience)
        });
        match self.poll.poll(events, Some(left)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for token in std::mem::take(&mut self.unfinished) {
            self.serve_and_publish(token, true);
        }
        for event in &*events {
            let Token(token) = event.token();
            let is_over = event.is_read_closed() || event.is_error();
            if is_over && self.is_slow(token) {
                self.tally.slow_closed += 1;
                self.remove(token);
                continue;
            }
            self.serve_and_publish(token, event.is_readable() || is_over);
        }
        Ok(())
    }

    /// Frames are not late because many subscribers are to be served.
    fn serve_and_publish(&mut self, token: usize, is_readable: bool) {
        if let Err(reason) = self.serve(token, is_readable) {
            self.drop_peer(token, reason);
        }
        if self.due.next().is_some_and(|due| due <= Instant::now()) {
            self.publish_due();
        }
    }

    /// Whether this is a subscriber that plays and reads nothing.
    fn is_slow(&self, token: usize) -> bool {
        let peer = self.peers.get(token).and_then(Option::as_ref);
        peer.is_some_and(|peer| match &peer.role {
            Role::Subscriber(playing) => playing.is_slow && playing.accepted_ns.is_some(),
            Role::Publisher(_) => false,
        })
    }

    /// Reads and sends for one connection.
    fn serve(&mut self, token: usize, is_readable: bool) -> Result<(), String> {
        if self.is_slow(token) {
            return Ok(());
        }
        let Some(Some(peer)) = self.peers.get_mut(token) else {
            return Ok(());
        };
        let mut has_more = is_readable;
        for _ in 0..READS_MAX {
            if !has_more {
                break;
            }
            let count = match peer.socket.read(&mut self.buffer) {
                Ok(0) => return Err(peer.link.explain("closed by the server")),
                Ok(count) => count,
                Err(error) if is_for_later(&error) => {
                    has_more = false;
                    break;
                }
                Err(error) => return Err(peer.link.explain(&describe(&error))),
            };
            let now = Instant::now();
            let input = &self.buffer[..count];
            let was_answered = peer.is_answered();
            let context = Context {
                shared: self.shared,
                tally: &mut self.tally,
                now,
            };
            match (&mut peer.role, &mut peer.link) {
                (Role::Publisher(publishing), Link::Rtmp(session)) => {
                    let outcome = session.handle_input(now, input);
                    context.on_publisher_events(session, publishing)?;
                    outcome.map_err(|error| error.to_string())?;
                }
                (Role::Publisher(_), Link::Http(_)) => {}
                (Role::Subscriber(playing), link) => {
                    let total = &self.shared.counts.received;
                    total.fetch_add(count as u64, Ordering::Relaxed);
                    match link {
                        Link::Rtmp(session) => {
                            let outcome = session.handle_input(now, input);
                            context.on_subscriber_events(session, playing, peer.opened)?;
                            outcome.map_err(|error| error.to_string())?;
                        }
                        Link::Http(reader) => {
                            context.on_answer(reader, input, playing, peer.opened)?;
                        }
                    }
                }
            }
            if peer.is_answered() && !was_answered {
                self.opening -= 1;
                if let Role::Publisher(Publishing {
                    start: Some(start), ..
                }) = peer.role
                {
                    self.due.set(start, token);
                }
            }
            // A read that does not fill the buffer has emptied the socket.
            has_more = count == self.buffer.len();
        }
        peer.flush().map_err(|error| describe(&error))?;
        if has_more {
            self.unfinished.push(token);
        }
        Ok(())
    }

    /// Sends every frame that is due.
    fn publish_due(&mut self) {
        while let Some(token) = self.due.pop_due(Instant::now()) {
            match self.publish(token) {
                Ok(Some(next)) => self.due.set(next, token),
                Ok(None) => {}
                Err(reason) => self.drop_peer(token, reason),
            }
        }
    }

    /// Sends what is due of one publisher; the answer is when its next frame is.
    fn publish(&mut self, token: usize) -> Result<Option<Instant>, String> {
        let stream = &self.shared.stream;
        let Some(Some(peer)) = self.peers.get_mut(token) else {
            return Ok(None);
        };
        let Role::Publisher(publishing) = &mut peer.role else {
            return Ok(None);
        };
        let Some(start) = publishing.start else {
            return Ok(None);
        };
        let mut has_sent = false;
        let due = loop {
            let video = (
                stream.due(MediaKind::Video, publishing.next_video),
                MediaKind::Video,
            );
            let audio = (
                stream.due(MediaKind::Audio, publishing.next_audio),
                MediaKind::Audio,
            );
            let (seconds, kind) = if stream.has_audio() && audio.0 < video.0 {
                audio
            } else {
                video
            };
            let due = start + Duration::from_secs_f64(seconds);
            let now = Instant::now();
            if due > now {
                break due;
            }
            let (next, sent) = match kind {
                MediaKind::Video => (&mut publishing.next_video, &mut publishing.sent[0]),
                MediaKind::Audio => (&mut publishing.next_audio, &mut publishing.sent[1]),
            };
            let sequence = *next;
            *next += 1;
            let sent_ns = self.shared.elapsed_ns(now);
            let counts = self.shared.window.contains(sent_ns);
            if peer.output.len() - peer.sent > BACKLOG_MAX {
                self.tally.unsent += u64::from(counts);
                continue;
            }
            if counts {
                *sent += 1;
                self.tally.lateness.record(now - due);
            }
            let stamp = Stamp {
                run: stream.run(),
                kind,
                publisher: publishing.number,
                sequence,
                sent_ns,
            };
            stream.write(stamp, &mut self.body);
            let timestamp = stream.timestamp(kind, sequence);
            if let Some(session) = peer.link.session() {
                session.send_media(kind, timestamp, &self.body);
            }
            let total = &self.shared.counts.published;
            total.fetch_add(self.body.len() as u64, Ordering::Relaxed);
            has_sent = true;
        };
        if has_sent {
            peer.flush().map_err(|error| describe(&error))?;
        }
        Ok(Some(due))
    }

    /// Gives up connections that were not answered in time.
    fn sweep(&mut self) {
        if self.opening == 0 || self.swept.elapsed() < SWEEP_INTERVAL {
            return;
        }
        self.swept = Instant::now();
        for token in 0..self.peers.len() {
            let is_late = self.peers[token]
                .as_ref()
                .is_some_and(|peer| !peer.is_answered() && peer.opened.elapsed() > OPEN_TIMEOUT);
            if is_late {
                let seconds = OPEN_TIMEOUT.as_secs();
                self.drop_peer(token, format!("no answer within {seconds} s"));
            }
        }
    }

    fn drop_peer(&mut self, token: usize, reason: String) {
        if let Some(peer) = self.remove(token) {
            self.count_failure(&peer.role, reason);
        }
    }

    /// Takes a connection out; what it has sent or received stays counted.
    fn remove(&mut self, token: usize) -> Option<Peer> {
        let mut peer = self.peers.get_mut(token).and_then(Option::take)?;
        let counts = &self.shared.counts;
        if peer.is_answered() {
            let count = match peer.role {
                Role::Publisher(_) => &counts.publishing,
                Role::Subscriber(_) => &counts.playing,
            };
            count.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.opening -= 1;
        }
        if let Role::Subscriber(playing) = &peer.role
            && playing.is_counted
            && !playing.is_complete(self.shared.stream.has_audio())
        {
            counts.counted.fetch_sub(1, Ordering::Relaxed);
        }
        if let Err(error) = self.poll.registry().deregister(&mut peer.socket) {
            log::debug!("cannot be unwatched: {error}");
        }
        self.tally.close_account(&peer.role);
        Some(peer)
    }

    /// What was sent and received by those that are left.
    fn settle_accounts(&mut self) {
        for peer in self.peers.iter().flatten() {
            self.tally.close_account(&peer.role);
        }
    }

    /// Not at the end of the test: then the publishers of other threads may have left before we know.
    fn count_failure(&mut self, role: &Role, reason: String) {
        if self.shared.phase() == Phase::Stop {
            return;
        }
        let counts = &self.shared.counts;
        let (who, count) = match role {
            Role::Publisher(_) => ("publisher", &counts.failed_publishers),
            Role::Subscriber(_) => ("subscriber", &counts.failed_subscribers),
        };
        count.fetch_add(1, Ordering::Relaxed);
        *self
            .tally
            .failures
            .entry(format!("{who}: {reason}"))
            .or_default() += 1;
    }

    /// Step 5 for the publishers; subscribers just go.
    fn say_goodbye(&mut self, events: &mut Events) -> io::Result<()> {
        let end = Instant::now() + CLOSE_TIMEOUT;
        let is_publisher = |peer: &Peer| matches!(peer.role, Role::Publisher(_));
        self.peers
            .retain(|peer| peer.as_ref().is_some_and(is_publisher));
        for peer in self.peers.iter_mut().flatten() {
            if let Some(session) = peer.link.session() {
                session.close(end);
            }
            // Who is gone already needs no goodbye.
            peer.flush().unwrap_or_default();
        }
        while Instant::now() < end && !self.peers.is_empty() {
            self.poll.poll(events, Some(Duration::from_millis(10)))?;
            for peer in self.peers.iter_mut().flatten() {
                while let Ok(count @ 1..) = peer.socket.read(&mut self.buffer) {
                    let input = &self.buffer[..count];
                    let session = peer.link.session();
                    if session.is_some_and(|session| session.handle_input(end, input).is_err()) {
                        break;
                    }
                }
                peer.flush().unwrap_or_default();
            }
            self.peers.retain_mut(|peer| {
                let session = peer.as_mut().and_then(|peer| peer.link.session());
                session.is_some_and(|session| session.state() == ClientState::Closing)
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::AtomicU8;

    use super::super::shared::{Counts, Window};
    use super::super::stream::{StreamShape, TestStream};
    use super::super::{BenchOptions, Target};
    use super::*;
    use crate::rtmp::url::RtmpUrl;

    #[test]
    fn who_is_gone_at_the_end_of_the_test_has_not_failed() {
        let shape = StreamShape {
            bitrate: 2e6,
            frame_rate: 30.0,
            gop_seconds: 2.0,
            has_audio: true,
        };
        let shared = Shared {
            target: Target::new(RtmpUrl::parse("rtmp://127.0.0.1/live/x").unwrap(), 4096).unwrap(),
            rtmp: None,
            http: None,
            options: BenchOptions {
                publishers: 1,
                subscribers: 1,
                shape,
                ramp: 1.0,
                duration: Duration::ZERO,
                slow_percent: 0.0,
                pid: None,
                threads: 1,
            },
            stream: TestStream::new(shape, 1).unwrap(),
            began: Instant::now(),
            phase: AtomicU8::new(Phase::Measure as u8),
            counts: Counts::default(),
            window: Window::new(),
        };
        let mut load = Load::new(&shared, 0).unwrap();
        let role = Role::Subscriber(Playing::default());
        load.count_failure(&role, "the stream ended".to_owned());
        assert_eq!(load.tally.failures.values().sum::<u64>(), 1);
        shared.set_phase(Phase::Stop);
        load.count_failure(&role, "the stream ended".to_owned());
        assert_eq!(load.tally.failures.values().sum::<u64>(), 1);
    }
}
