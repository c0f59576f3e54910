//! One connection: its socket, its session, and what waits to be sent.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::flight::Recorder;
use super::live_stream::LiveStream;
use super::mail::StreamName;
use super::notes::{Note, NoteCounters, Notes};
use super::path_pattern::PathPattern;
use super::protocol::Protocol;
use super::publisher::Publisher;
use super::rendition::Output;
use super::subscriber::{Next, Run, Subscriber, Wire};
use super::trace::Tracer;
use crate::broadcast::{FrameSeq, Log};
use crate::media::flv::Form;
use crate::net::socket;
use crate::rtmp::chunk::MessageStreamId;

/// Writes of one connection in one go, so that a join burst starves nobody.
const WRITES_MAX: usize = 16;

/// Of what a peer calls itself.
const SOFTWARE_CHARS_MAX: usize = 200;

/// A `play` that waits for its live stream.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) msid: MessageStreamId,
    pub(super) output: Output,
    pub(super) until: Instant,
}

/// What a connection does in a live stream, which is in slot `stream` of the worker's table.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) stream: usize,
    pub(super) role: T,
}

/// How far the end of a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Not at all.
    No,
    /// The last bytes go out; then our side is shut.
    Flushing(Instant),
    /// Our side is shut; the peer's last bytes are read and thrown away until the deadline, since
    /// closing over unread bytes would make the kernel reset what the peer has not read yet.
    Lingering(Instant),
}

/// A connection, on one worker at a time.
#[derive(Debug)]
pub(super) struct Connection {
    /// Unique in the server, and never used again.
    pub(super) id: u64,
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    protocol: Protocol,
    /// The protocol may have something to say: it was handed out since it was last asked. To ask
    /// costs a look into memory that is far away, for each subscriber and flush.
    may_speak: bool,
    pub(super) connected: Instant,
    /// What the peer calls itself.
    pub(super) software: Option<Box<str>>,
    /// The live stream whose playlist or segments it asked for, and when last.
    pub(super) hls: Option<(StreamName, Instant)>,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) app: Box<str>,
    pub(super) tc_url: Box<str>,
    /// What it can read, by what it declared.
    pub(super) form: Form,
    pub(super) publisher: Option<Part<Box<Publisher>>>,
    pub(super) subscriber: Option<Part<Subscriber>>,
    pub(super) waiting: Option<Part<Waiting>>,
    pub(super) closing: Closing,
    /// What it published or played was ended by itself: that it leaves is no fault, in whatever way.
    pub(super) has_ended: bool,
    /// Rules that the peer broke.
    pub(super) notes: Notes,
    /// Keeps what passes, if connections are recorded.
    pub(super) recorder: Option<Box<Recorder>>,
    /// Tells what passes in the log, if that is wanted.
    pub(super) tracer: Option<Box<Tracer>>,
    /// The earliest alarm that is set for it.
    pub(super) alarm: Option<Instant>,
    /// Which user of its slot this is: alarms of earlier ones are void.
    pub(super) generation: u64,
    /// Edge-triggered readiness: true until the socket says that it would block.
    pub(super) can_read: bool,
    pub(super) can_write: bool,
    /// The peer has shut its side: read on to the end.
    pub(super) is_read_closed: bool,
    /// Since when bytes wait that the peer does not take.
    blocked_since: Option<Instant>,
    /// `output_sent <= output.len()`
    output: Vec<u8>,
    output_sent: usize,
    pub(super) is_queued: bool,
    /// Of a publisher that nobody watches: its socket is read every now and then, not at each edge.
    pub(super) is_dozing: bool,
    /// While it dozes: how many readings in a row were full.
    pub(super) full_readings: u8,
    /// Of a publisher: it does not doze before then.
    pub(super) awake_until: Option<Instant>,
}

/// What came of an attempt to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) bytes: usize,
    pub(super) laps: u64,
    /// There is more, and the socket would take it.
    pub(super) has_more: bool,
}

impl Connection {
    pub(super) fn new(
        id: u64,
        socket: TcpStream,
        peer: SocketAddr,
        protocol: Protocol,
        generation: u64,
        now: Instant,
    ) -> Self {
        Self {
            id,
            socket,
            peer,
            protocol,
            may_speak: true,
            connected: now,
            software: None,
            hls: None,
            bytes_received: 0,
            bytes_sent: 0,
            app: Box::default(),
            tc_url: Box::default(),
            form: Form::Legacy(None),
            publisher: None,
            subscriber: None,
            waiting: None,
            closing: Closing::No,
            has_ended: false,
            notes: Notes::default(),
            recorder: None,
            tracer: None,
            alarm: None,
            generation,
            can_read: true,
            can_write: true,
            is_read_closed: false,
            blocked_since: None,
            output: Vec::new(),
            output_sent: 0,
            is_queued: false,
            is_dozing: false,
            full_readings: 0,
            awake_until: None,
        }
    }

    /// What it speaks.
    pub(super) fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// What it speaks, for whatever may make it say something.
    pub(super) fn protocol_mut(&mut self) -> &mut Protocol {
        self.may_speak = true;
        &mut self.protocol
    }

    /// The same one for another worker, as user `generation` of its slot there.
    pub(super) fn moved(self, generation: u64) -> Self {
        Self {
            generation,
            alarm: None,
            is_queued: false,
            // What the socket has said was said to the poll that it has left.
            can_read: true,
            can_write: true,
            ..self
        }
    }

    /// The connection ends in an error that is the peer's fault or ours: says so in the log, and
    /// in the recording if there is one.
    pub(super) fn fail(&mut self, level: log::Level, now: Instant, line: fmt::Arguments<'_>) {
        log::log!(level, "{}: {line}", self.peer);
        if let Some(recorder) = &mut self.recorder {
            recorder.fail(now, line);
        }
        if let Some(tracer) = &mut self.tracer {
            tracer.fail(line);
        }
    }

    /// The peer has named the live stream that it wants to publish or play; `trace`: the names and
    /// addresses whose conversations are told.
    pub(super) fn on_name(&mut self, name: &Arc<str>, trace: &[PathPattern]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.requested(name);
        }
        let is_traced = |tracer: &mut Box<Tracer>| tracer.on_name(trace, name);
        if self
            .tracer
            .as_mut()
            .is_some_and(|tracer| !is_traced(tracer))
        {
            self.tracer = None;
        }
    }

    /// The socket has room again: the peer has taken something.
    pub(super) fn on_writable(&mut self) {
        self.can_write = true;
        self.blocked_since = None;
    }

    /// Reads once. `Ok(None)`: nothing there at present.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.socket.read(buffer) {
                Ok(count) => {
                    // A short read has emptied the socket, and the next bytes raise a new edge;
                    // but the end of the stream may have come with these bytes.
                    self.can_read = count == buffer.len() || self.is_read_closed;
                    self.bytes_received += count as u64;
                    return Ok(Some(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.can_read = false;
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether it is to be read from: not while a peer does not take its replies.
    pub(super) fn may_read(&self, reply_bytes_max: usize) -> bool {
        self.can_read && self.unsent_replies() <= reply_bytes_max && !self.protocol.is_behind()
    }

    /// The peer has shut its side. False if nothing is left to be done for it.
    pub(super) fn handle_end(&mut self) -> bool {
        self.can_read = false;
        self.collect_output();
        let has_unsent = self.unsent_replies() > 0;
        match self.closing {
            Closing::No => self.protocol_mut().handle_end(has_unsent),
            Closing::Flushing(_) => has_unsent,
            Closing::Lingering(_) => false,
        }
    }

    /// Keeps and tells what was read, if that is wanted.
    pub(super) fn record_received(&mut self, input: &[u8], now: Instant) {
        if let (Some(recorder), Protocol::Rtmp(session)) = (&mut self.recorder, &self.protocol) {
            recorder.received(now, input, session);
        }
        if let Some(tracer) = &mut self.tracer {
            tracer.received(now, input);
        }
    }

    /// Says, and adds up, what the session has counted of broken rules.
    pub(super) fn say_session_notes(&mut self, now: Instant, counters: &NoteCounters) {
        let Some(session) = self.protocol.rtmp() else {
            return;
        };
        for (note, count) in session.take_note_counts() {
            let note = Note::Session(note);
            counters.add(note, count);
            self.notes.say(self.peer, note, count, now);
        }
    }

    /// Sends replies, and frames from `log` if it has a subscriber, until nothing is left or the
    /// socket is full. `run` may be carried from one subscriber of a log to the next.
    pub(super) fn send<'log>(
        &mut self,
        log: Option<&'log Log>,
        run: &mut Option<Run<'log>>,
        chunk_size: u32,
        now: Instant,
    ) -> io::Result<Sent> {
        let mut sent = Sent {
            bytes: 0,
            laps: 0,
            has_more: false,
        };
        self.collect_output();
        for _ in 0..WRITES_MAX {
            if !self.can_write {
                return Ok(sent);
            }
            if self.output.is_empty()
                && let Some(bytes) = self.protocol.poll_body(now)
            {
                self.output = bytes;
            }
            let next = match (self.subscriber.as_mut(), log) {
                (Some(part), Some(log)) => {
                    let (next, was_lapped) =
                        part.role.prepare(log, run, &mut self.output, chunk_size);
                    sent.laps += u64::from(was_lapped);
                    next
                }
                _ => Next::Nothing,
            };
            let Some(written) = self.write_next(&next, log, run.as_mut(), now)? else {
                return Ok(sent);
            };
            self.note_progress(written, now);
            sent.bytes += written;
            self.bytes_sent += written as u64;
        }
        sent.has_more = self.can_write;
        Ok(sent)
    }

    /// One write; `Ok(None)` when there is nothing to write.
    fn write_next(
        &mut self,
        next: &Next,
        log: Option<&Log>,
        run: Option<&mut Run<'_>>,
        now: Instant,
    ) -> io::Result<Option<usize>> {
        let pending = &self.output[self.output_sent..];
        let in_flight = self
            .subscriber
            .as_ref()
            .and_then(|part| part.role.in_flight());
        let frame_first = in_flight.filter(|frame| !frame.is_untouched());
        if pending.is_empty() || frame_first.is_some() {
            match (next, run, log) {
                (Next::InFlight, _, _) => {
                    let mut slices = Vec::new();
                    if let Some(frame) = in_flight {
                        frame.push_rest(&mut slices);
                    }
                    let total = total_len(&slices);
                    let written = write_slices(&self.socket, &slices)?;
                    self.can_write = written == total;
                    if let Some(recorder) = &mut self.recorder {
                        recorder.sent(now, slices.iter().map(|slice| &**slice), written);
                    }
                    if let Some(part) = &mut self.subscriber {
                        part.role.advance_in_flight(written);
                    }
                    return Ok(Some(written));
                }
                (Next::Run, Some(run), Some(log)) => {
                    let wire = run.wire();
                    let written = match wire {
                        Wire::Piece(bytes) => write(|| (&self.socket).write(bytes))?,
                        Wire::Slices(slices) => write_slices(&self.socket, slices)?,
                    };
                    if let Some(recorder) = &mut self.recorder {
                        match wire {
                            Wire::Piece(bytes) => recorder.sent(now, [bytes], written),
                            Wire::Slices(slices) => {
                                recorder.sent(now, slices.iter().map(|slice| &**slice), written);
                            }
                        }
                    }
                    self.can_write = written > 0;
                    if let Some(part) = &mut self.subscriber {
                        part.role.advance_run(run, log, written);
                    }
                    return Ok(Some(written));
                }
                _ => return Ok(None),
            }
        }
        let mut slices = vec![IoSlice::new(pending)];
        let pending_len = pending.len();
        if let Some(frame) = in_flight {
            frame.push_rest(&mut slices);
        }
        let total = total_len(&slices);
        let written = write_slices(&self.socket, &slices)?;
        self.can_write = written == total;
        if let Some(recorder) = &mut self.recorder {
            recorder.sent(now, slices.iter().map(|slice| &**slice), written);
        }
        let of_output = written.min(pending_len);
        self.output_sent += of_output;
        if self.output_sent == self.output.len() {
            self.output = Vec::new();
            self.output_sent = 0;
        }
        if let Some(part) = &mut self.subscriber {
            part.role.advance_in_flight(written - of_output);
        }
        Ok(Some(written))
    }

    /// Where its subscriber reads, if it has one that has joined.
    pub(super) fn place(&self) -> Option<FrameSeq> {
        self.subscriber.as_ref()?.role.place()
    }

    /// Whether its subscriber has not begun all that there is of the live stream, and may.
    pub(super) fn is_behind(&self, live: &LiveStream) -> bool {
        let Some(part) = &self.subscriber else {
            return false;
        };
        let end = live
            .rendition(part.role.output)
            .map(|rendition| rendition.log().end());
        part.role.place().is_some_and(|place| Some(place) < end)
    }

    /// Takes its subscriber away. What is left of a frame that was begun goes out all the same:
    /// the peer would take whatever came instead for the rest of it.
    pub(super) fn take_subscriber(&mut self) -> Option<Part<Subscriber>> {
        let part = self.subscriber.take()?;
        let begun = part.role.in_flight().filter(|frame| !frame.is_untouched());
        if let Some(frame) = begun {
            let mut slices = Vec::new();
            frame.push_rest(&mut slices);
            let rest: Vec<u8> = slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            self.output.splice(self.output_sent..self.output_sent, rest);
        }
        Some(part)
    }

    /// Bytes of replies that were not sent yet.
    pub(super) fn unsent_replies(&self) -> usize {
        self.output.len() - self.output_sent
    }

    /// Where replies and headers are put.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Takes over what the session has to say. In order with whatever was put into
    /// [`Self::output`] by hand, if called before that.
    pub(super) fn collect_output(&mut self) {
        if !mem::take(&mut self.may_speak) {
            debug_assert!(self.protocol.poll_output().is_none(), "touched unseen");
            return;
        }
        while let Some(bytes) = self.protocol.poll_output() {
            if let Some(tracer) = &mut self.tracer {
                tracer.replied(&bytes);
            }
            if self.output.is_empty() {
                self.output = bytes;
            } else {
                self.output.extend_from_slice(&bytes);
            }
        }
    }

    /// Asks the peer to go on at another server, `rtmp://HOST[:PORT]`, with the app and the query that
    /// it has here. False if it has not said that it understands that, or has nothing going on.
    pub(super) fn send_to(&mut self, server: &str) -> bool {
        if self.publisher.is_none() && self.subscriber.is_none() && self.waiting.is_none() {
            return false;
        }
        let path = self.tc_url.split_once("://").map_or("", |(_, rest)| rest);
        let path = path.split_once('/').map_or(&*self.app, |(_, path)| path);
        let tc_url = format!("{}/{path}", server.trim_end_matches('/'));
        let is_sent = self.protocol_mut().rtmp().is_some_and(|session| {
            session.request_reconnect(Some(&tc_url), "the server is going down")
        });
        if is_sent {
            log::info!("{}: is sent to {server}", self.peer);
        }
        is_sent
    }

    /// When it next wants [`Protocol::handle_timeout`] or the worker's attention.
    pub(super) fn deadline(&self, write_timeout: Duration) -> Option<Instant> {
        let closing = match self.closing {
            Closing::No => None,
            Closing::Flushing(at) | Closing::Lingering(at) => Some(at),
        };
        [
            self.protocol.poll_timeout(),
            self.blocked_since.map(|since| since + write_timeout),
            self.waiting.as_ref().map(|part| part.role.until),
            closing,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether the peer took nothing of what waits for it for `write_timeout`.
    pub(super) fn is_stuck(&self, write_timeout: Duration, now: Instant) -> bool {
        self.blocked_since
            .is_some_and(|since| now >= since + write_timeout)
    }

    fn note_progress(&mut self, written: usize, now: Instant) {
        if let Some(tracer) = &mut self.tracer {
            tracer.took(written);
        }
        self.blocked_since = match (self.can_write, written) {
            (true, _) => None,
            (false, 0) => self.blocked_since.or(Some(now)),
            (false, _) => Some(now),
        };
    }
}

/// What a peer calls itself, within bounds and without control characters; `None` for nothing.
pub(super) fn software(text: &str) -> Option<Box<str>> {
    let plain = text.chars().filter(|c| !c.is_control());
    let text: String = plain.take(SOFTWARE_CHARS_MAX).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.into())
}

fn write_slices(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    write(|| socket::send_slices(socket, slices))
}

/// One write; 0 when the socket is full.
fn write(mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn total_len(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).sum()
}
