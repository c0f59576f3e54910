//! One thread of a load test: its share of the publishers and subscribers, on one poll.
//!
//! What it does itself is kept small, so that the server is what is measured: large reads, one
//! buffer, frames built in place, statistics in memory of its own.

use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::events::Context;
use super::peer::{Peer, Playing, Publishing, Role, connect, describe, is_for_later};
use super::shared::{Phase, Shared};
use super::stamp::Stamp;
use super::tally::Tally;
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
    /// Tokens of our publishers.
    publishers: Vec<usize>,
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
            publishers: Vec::new(),
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
                self.tally.start_measuring();
            }
            if phase == Phase::Stop {
                break;
            }
            if phase >= Phase::Join {
                self.open_subscribers();
            }
            let due = self.publish_due();
            self.sweep();
            self.turn(&mut events, due)?;
        }
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
            });
            self.publishers.push(self.peers.len());
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
            let role = Role::Subscriber(Playing {
                is_slow: (number as f64) < slow,
                ..Playing::default()
            });
            self.started += 1;
            self.open(role, number % options.publishers.max(1), number);
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
        let connected = connect(self.shared.address, number).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut socket, Token(token), interest)?;
            Ok(socket)
        });
        match connected {
            Ok(socket) => {
                self.opening += 1;
                self.peers.push(Some(Peer {
                    socket,
                    session: self.shared.session(client_role, stream, opened),
                    opened,
                    role,
                    output: Vec::new(),
                    sent: 0,
                }));
            }
            Err(error) => {
                self.peers.push(None);
                self.count_failure(&role, describe(&error));
            }
        }
    }

    /// Waits for something to happen, until `due` at most, and deals with it.
    fn turn(&mut self, events: &mut Events, due: Option<Instant>) -> io::Result<()> {
        let patience = if self.join_began.is_some() && self.opening < OPENING_MAX {
            Duration::from_millis(1)
        } else {
            Duration::from_millis(20)
        };
        let left = due.map_or(patience, |due| {
            due.saturating_duration_since(Instant::now()).min(patience)
        });
        match self.poll.poll(events, Some(left)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        let mut received = 0;
        for event in &*events {
            let Token(token) = event.token();
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            match self.serve(token, readable) {
                Ok(count) => received += count,
                Err(reason) => self.drop_peer(token, reason),
            }
        }
        self.tally.bytes_received += received;
        let total = &self.shared.counts.received;
        total.fetch_add(received, Ordering::Relaxed);
        Ok(())
    }

    /// Reads and sends for one connection; the answer is how much a subscriber received.
    fn serve(&mut self, token: usize, is_readable: bool) -> Result<u64, String> {
        let Some(Some(peer)) = self.peers.get_mut(token) else {
            return Ok(0);
        };
        if let Role::Subscriber(Playing {
            is_slow: true,
            accepted_ns: Some(_),
            ..
        }) = peer.role
        {
            return Ok(0);
        }
        let mut received = 0;
        for _ in 0..READS_MAX {
            if !is_readable {
                break;
            }
            let count = match peer.socket.read(&mut self.buffer) {
                Ok(0) => return Err("closed by the server".to_owned()),
                Ok(count) => count,
                Err(error) if is_for_later(&error) => break,
                Err(error) => return Err(describe(&error)),
            };
            let now = Instant::now();
            let outcome = peer.session.handle_input(now, &self.buffer[..count]);
            let was_answered = peer.is_answered();
            let context = Context {
                shared: self.shared,
                tally: &mut self.tally,
                now,
            };
            match &mut peer.role {
                Role::Publisher(publishing) => {
                    context.on_publisher_events(&mut peer.session, publishing)?;
                }
                Role::Subscriber(playing) => {
                    received += count as u64;
                    context.on_subscriber_events(&mut peer.session, playing, peer.opened)?;
                }
            }
            outcome.map_err(|error| error.to_string())?;
            self.opening -= usize::from(peer.is_answered() && !was_answered);
            if count < self.buffer.len() {
                break;
            }
        }
        peer.flush().map_err(|error| describe(&error))?;
        Ok(received)
    }

    /// Sends every frame that is due; the answer is when the next one is.
    fn publish_due(&mut self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for index in 0..self.publishers.len() {
            let token = self.publishers[index];
            match self.publish(token) {
                Ok(due) => next = next.into_iter().chain(due).min(),
                Err(reason) => self.drop_peer(token, reason),
            }
        }
        next
    }

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
            let next = match kind {
                MediaKind::Video => &mut publishing.next_video,
                MediaKind::Audio => &mut publishing.next_audio,
            };
            let sequence = *next;
            *next += 1;
            if peer.output.len() - peer.sent > BACKLOG_MAX {
                self.tally.unsent += 1;
                continue;
            }
            self.tally.lateness.record(now - due);
            let stamp = Stamp {
                kind,
                publisher: publishing.number,
                sequence,
                sent_ns: self.shared.elapsed_ns(now),
            };
            stream.write(stamp, &mut self.body);
            let timestamp = stream.timestamp(kind, sequence);
            peer.session.send_media(kind, timestamp, &self.body);
            self.tally.bytes_published += self.body.len() as u64;
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
        let Some(mut peer) = self.peers.get_mut(token).and_then(Option::take) else {
            return;
        };
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
        if let Err(error) = self.poll.registry().deregister(&mut peer.socket) {
            log::debug!("cannot be unwatched: {error}");
        }
        self.count_failure(&peer.role, reason);
    }

    fn count_failure(&mut self, role: &Role, reason: String) {
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
            peer.session.close(end);
            // Who is gone already needs no goodbye.
            peer.flush().unwrap_or_default();
        }
        while Instant::now() < end && !self.peers.is_empty() {
            self.poll.poll(events, Some(Duration::from_millis(10)))?;
            for peer in self.peers.iter_mut().flatten() {
                while let Ok(count @ 1..) = peer.socket.read(&mut self.buffer) {
                    let input = &self.buffer[..count];
                    if peer.session.handle_input(end, input).is_err() {
                        break;
                    }
                }
                peer.flush().unwrap_or_default();
            }
            self.peers.retain(|peer| {
                let state = peer.as_ref().map(|peer| peer.session.state());
                state == Some(ClientState::Closing)
            });
        }
        Ok(())
    }
}
