//! HTTP on a worker: requests answered at once, and live streams that follow as they come.

use std::time::{Duration, Instant};

use super::api::{Question, Tally};
use super::connection::{Closing, software};
use super::mail::StreamName;
use super::rendition::{Output, Wrap};
use super::worker::Worker;
use crate::http::api::StreamReport;
use crate::http::chunked::LAST_CHUNK;
use crate::http::pages::{self, Asset};
use crate::http::request::{Method, Request, RequestLimits, RequestReader, Version};
use crate::http::response::{self, Access, ErrorForm, Framing, Head};
use crate::http::route::{Container, Route};
use crate::http::status::Status;
use crate::http::websocket::{self, Event, FrameReader, Opcode, Upgrade};
use crate::media::flv;
use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::session::{SessionError, TimerKind};

mod exposition;
mod file;

pub(super) use file::File;

use super::hls::Held;
use file::Body;

/// How long a client may take to send a request, or to want another one.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a body may take that lies ready: what it is of keeps memory, also when it is gone from its
/// playlist.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Of requests that came before the one in service was answered, bytes. Those that fit are answered.
const PIPELINED_BYTES_MAX: usize = 16 * 1024;

/// Answers that wait to be sent before the next request is looked at, bytes: the largest page, and
/// room for many small ones.
const ANSWERS_BYTES_MAX: usize = 16 * 1024;

/// Code of a close frame: all was said (RFC 6455 §7.4.1).
const WEBSOCKET_NORMAL: u16 = 1000;

/// Code of a close frame: we go, and there is more (RFC 6455 §7.4.1).
const WEBSOCKET_LEAVING: u16 = 1001;

/// Of HTTP viewers there is one stream for each connection.
const VIEWER: MessageStreamId = MessageStreamId(1);

/// The peer's side of an HTTP connection: what it asked for, and what it is answered.
#[derive(Debug)]
pub(super) struct HttpPeer {
    reader: RequestReader,
    /// What came behind the last request: at most one read, and while that is in service
    /// [`PIPELINED_BYTES_MAX`].
    input: Vec<u8>,
    /// No more is taken than what is in `input`.
    last: Option<Last>,
    output: Vec<u8>,
    state: State,
}

/// Why a client's requests end with those that have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It says so.
    Finished,
    /// More has come than is kept.
    Overflow,
}

#[derive(Debug)]
enum State {
    /// Waits for a request until then.
    Idle(Instant),
    /// A live stream is asked for, or follows.
    Viewing(Viewing),
    /// The request waits for what is not there yet.
    Held(Box<Held>),
    /// A body is on its way.
    Sending(Sending),
    /// What was asked for comes together.
    Asking,
    /// What is in the output is the last.
    Done,
}

/// A body that goes out as the client takes it.
#[derive(Debug)]
struct Sending {
    body: Body,
    /// Whether the connection stays.
    keeps: bool,
    until: Instant,
}

/// How a live stream is sent.
#[derive(Debug)]
struct Viewing {
    version: Version,
    /// The head that opens it, until it is sent.
    opening: Option<Box<Head>>,
    /// How its end is told.
    wrap: Wrap,
    /// Whether the connection stays after that.
    keeps: bool,
    /// What the client says on a WebSocket.
    frames: Option<FrameReader>,
}

impl HttpPeer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reader: RequestReader::new(RequestLimits::default()),
            input: Vec::new(),
            last: None,
            output: Vec::new(),
            state: State::Idle(now + REQUEST_TIMEOUT),
        }
    }

    /// Takes bytes from the socket.
    pub(super) fn handle_input(&mut self, input: &[u8]) {
        match &mut self.state {
            // Behind a gap nothing can be understood.
            State::Idle(_) if self.last.is_some() => {}
            State::Idle(_) => self.input.extend_from_slice(input),
            State::Held(_) | State::Sending(_) | State::Asking => self.keep_for_later(input),
            State::Viewing(viewing) => match &mut viewing.frames {
                Some(frames) if viewing.opening.is_none() => {
                    if let Some(reply) = answer_frames(frames, input, &mut self.output) {
                        self.output.extend_from_slice(&reply);
                        self.state = State::Done;
                    }
                }
                _ => self.keep_for_later(input),
            },
            State::Done => {}
        }
    }

    /// The client says that no more comes from it. False if it is gone, for all that can be known:
    /// who waits for something to come, or views it, would not leave in another way.
    pub(super) fn handle_end(&mut self, has_unsent: bool) -> bool {
        self.last.get_or_insert(Last::Finished);
        match self.state {
            State::Idle(_) | State::Done => has_unsent,
            State::Sending(_) | State::Asking => true,
            State::Viewing(_) | State::Held(_) => false,
        }
    }

    /// Keeps what comes before its time, within bounds.
    fn keep_for_later(&mut self, input: &[u8]) {
        if self.last.is_some() {
            return;
        }
        let room = PIPELINED_BYTES_MAX.saturating_sub(self.input.len());
        if input.len() > room {
            self.last = Some(Last::Overflow);
        }
        let kept = input.get(..room).unwrap_or(input);
        self.input.extend_from_slice(kept);
    }

    /// The next whole request.
    pub(super) fn poll_request(&mut self) -> Option<Request> {
        if !matches!(self.state, State::Idle(_)) || self.output.len() > ANSWERS_BYTES_MAX {
            return None;
        }
        match self.reader.handle_input(&self.input) {
            Ok((taken, request)) => {
                self.input.drain(..taken);
                if self.reader.poll_continue() {
                    self.output
                        .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                match (&request, self.last) {
                    (Some(_), _) | (None, None) => {}
                    (None, Some(Last::Finished)) => self.state = State::Done,
                    (None, Some(Last::Overflow)) => {
                        let detail = "too much came before the answer";
                        self.refuse(Status::BadRequest, detail, Version::Http11);
                    }
                }
                request
            }
            Err(refusal) => {
                log::debug!("HTTP: refused: {refusal}");
                if let Some((head, body)) = response::refused(refusal) {
                    put_head(&head, Version::Http11, false, &mut self.output);
                    self.output.extend_from_slice(&body);
                }
                self.state = State::Done;
                None
            }
        }
    }

    /// Whether nothing more is to be read from it for now: its next requests wait until the answers
    /// to the last ones are out.
    pub(super) fn is_behind(&self) -> bool {
        matches!(self.state, State::Idle(_)) && self.input.len() > PIPELINED_BYTES_MAX
    }

    pub(super) fn poll_output(&mut self) -> Option<Vec<u8>> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle(until) => Some(until),
            State::Held(ref held) => Some(held.until),
            State::Sending(ref sending) => Some(sending.until),
            State::Viewing(_) | State::Asking | State::Done => None,
        }
    }

    /// The next bytes of a body, for when all before them are out.
    pub(super) fn poll_body(&mut self, now: Instant) -> Option<Vec<u8>> {
        let State::Sending(sending) = &mut self.state else {
            return None;
        };
        let bytes = sending.body.poll();
        if sending.body.is_empty() {
            self.state = after_answer(sending.keeps, now);
        }
        bytes
    }

    /// The request waits, until [`Self::be_answered`].
    pub(super) fn ask(&mut self) {
        self.state = State::Asking;
    }

    /// What was asked for is there, and to be answered now.
    pub(super) fn be_answered(&mut self, now: Instant) {
        self.state = State::Idle(now + REQUEST_TIMEOUT);
    }

    /// The request waits, until [`Self::release`].
    pub(super) fn hold(&mut self, held: Box<Held>) {
        self.state = State::Held(held);
    }

    /// The request that waits.
    pub(super) fn held(&self) -> Option<&Held> {
        match &self.state {
            State::Held(held) => Some(held),
            _ => None,
        }
    }

    /// The request waits no more, and is to be answered now.
    pub(super) fn release(&mut self, now: Instant) -> Option<Box<Held>> {
        if !matches!(self.state, State::Held(_)) {
            return None;
        }
        let idle = State::Idle(now + REQUEST_TIMEOUT);
        match std::mem::replace(&mut self.state, idle) {
            State::Held(held) => Some(held),
            _ => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        match self.state {
            // A connection that is not used is closed without a word.
            State::Idle(until) if now >= until && self.reader.is_idle() => {
                self.state = State::Done;
                Ok(())
            }
            State::Idle(until) if now >= until => {
                let detail = "the request did not come in time";
                self.refuse(Status::RequestTimeout, detail, Version::Http11);
                Ok(())
            }
            State::Sending(Sending { until, .. }) if now >= until => {
                Err(SessionError::Timeout(TimerKind::Request))
            }
            _ => Ok(()),
        }
    }

    /// Whether the connection is to be closed once everything is sent.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The live stream follows, as this output has it.
    pub(super) fn accept_play(&mut self, output: Output) {
        let State::Viewing(viewing) = &mut self.state else {
            return;
        };
        if let Some(head) = viewing.opening.take() {
            viewing.keeps = put_head(&head, viewing.version, viewing.keeps, &mut self.output);
        }
        if let Output::Flv(wrap) = output {
            let mut header = Vec::new();
            flv::put_file_header(&mut header, true, true);
            wrap.put(&header, &mut self.output);
        }
        if viewing.frames.is_some() {
            // What came too early is said on the WebSocket.
            let early = std::mem::take(&mut self.input);
            self.handle_input(&early);
        }
    }

    /// There is no such live stream.
    pub(super) fn reject_play(&mut self, detail: &str) {
        if let State::Viewing(viewing) = &self.state {
            let version = viewing.version;
            self.refuse(Status::NotFound, detail, version);
        }
    }

    /// The live stream is over, and all of it is in the output.
    pub(super) fn end_play(&mut self, now: Instant) {
        let State::Viewing(viewing) = &self.state else {
            self.state = State::Done;
            return;
        };
        match viewing.wrap {
            Wrap::Plain => {}
            Wrap::Chunked => self.output.extend_from_slice(LAST_CHUNK),
            Wrap::WebSocket => {
                let goodbye = websocket::close_frame(WEBSOCKET_NORMAL, "the stream has ended");
                self.output.extend_from_slice(&goodbye);
            }
        }
        self.state = after_answer(viewing.keeps, now);
    }

    /// No more comes, and it is not all: what was chunked goes without its end.
    pub(super) fn cut_play(&mut self) {
        if let State::Viewing(viewing) = &self.state
            && viewing.wrap == Wrap::WebSocket
        {
            let goodbye = websocket::close_frame(WEBSOCKET_LEAVING, "closed by the server");
            self.output.extend_from_slice(&goodbye);
        }
        self.state = State::Done;
    }

    /// Answers with a body that is known.
    fn respond(&mut self, request: &Request, head: &Head, body: &[u8], now: Instant) {
        let keeps = request.is_keep_alive;
        let keeps = put_head(head, request.version, keeps, &mut self.output);
        if request.method != Method::Head {
            self.output.extend_from_slice(body);
        }
        self.state = after_answer(keeps, now);
    }

    /// Answers with a body that goes out piece by piece.
    fn respond_with(&mut self, request: &Request, file: File, now: Instant) {
        let (head, body) = file.answer(request);
        let keeps = request.is_keep_alive;
        let keeps = put_head(&head, request.version, keeps, &mut self.output);
        self.state = match body.is_empty() {
            true => after_answer(keeps, now),
            false => State::Sending(Sending {
                body,
                keeps,
                until: now + BODY_TIMEOUT,
            }),
        };
    }

    fn refuse(&mut self, status: Status, detail: &str, version: Version) {
        let (head, body) = response::error(status, detail, ErrorForm::Text, Access::Shared);
        put_head(&head, version, false, &mut self.output);
        self.output.extend_from_slice(&body);
        self.state = State::Done;
    }
}

/// Appends a head with its date (RFC 9110 §6.6.1); the answer is whether the connection stays.
fn put_head(head: &Head, version: Version, keeps: bool, out: &mut Vec<u8>) -> bool {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let head = head.clone().date(&date.to_string());
    head.encode(version, keeps, out)
}

/// What a connection does behind an answer, by whether it stays.
fn after_answer(keeps: bool, now: Instant) -> State {
    match keeps {
        true => State::Idle(now + REQUEST_TIMEOUT),
        false => State::Done,
    }
}

/// Answers what a client says on its WebSocket; the answer is the last frame, if it is to be closed.
fn answer_frames(frames: &mut FrameReader, mut input: &[u8], out: &mut Vec<u8>) -> Option<Vec<u8>> {
    while !input.is_empty() {
        let (taken, event) = match frames.handle_input(input) {
            Ok(read) => read,
            Err(fault) => return Some(websocket::close_frame(fault.code(), &fault.to_string())),
        };
        input = input.get(taken..).unwrap_or_default();
        match event {
            Some(Event::Ping(payload)) => {
                out.extend_from_slice(&websocket::frame(Opcode::Pong, &payload));
            }
            Some(Event::Close(_)) => return Some(websocket::close_frame(WEBSOCKET_NORMAL, "")),
            // Viewers have nothing to say.
            Some(Event::Message(_) | Event::Pong) | None => {}
        }
    }
    None
}

impl Worker {
    /// Acts on a request of connection `key`.
    pub(super) fn handle_request(&mut self, key: usize, request: &Request, now: Instant) {
        // Who is to leave asks no more.
        let mut last_request = self.is_draining().then(|| request.clone());
        if let Some(request) = &mut last_request {
            request.is_keep_alive = false;
        }
        let request = last_request.as_ref().unwrap_or(request);
        let connection = &mut self.connections[key];
        connection.software = request.field("user-agent").and_then(software);
        log::debug!(
            "{}: {} {:?}, {:?}",
            connection.peer,
            request.method.name(),
            request.target,
            request.field("user-agent").unwrap_or_default()
        );
        if let Some(place) = Route::moved(&request.target) {
            let (head, body) = response::error(
                Status::PermanentRedirect,
                &format!("it is at {place}"),
                ErrorForm::Text,
                Access::Own,
            );
            let head = head.field("Location", place);
            return self.answer(key, request, &head, &body, now);
        }
        let Some(route) = Route::of(&request.target) else {
            let detail = Route::absent(&request.target);
            return self.answer_error(key, request, Status::NotFound, &detail, now);
        };
        if request.method == Method::Options {
            let access = access_of(&route);
            let head = response::options(route.methods(), access);
            return self.answer(key, request, &head, &[], now);
        }
        if !route.methods().contains(&request.method) {
            let form = form_of(request);
            let (head, body) = response::error(
                Status::MethodNotAllowed,
                &format!("not with this method: use {}", methods_of(&route)),
                form,
                access_of(&route),
            );
            let head = head.field("Allow", response::method_names(route.methods()));
            return self.answer(key, request, &head, &body, now);
        }
        match route {
            Route::Live { name, container } => {
                self.view(key, &name.into(), container, request, now);
            }
            Route::Playlist(ref name) | Route::HlsFile { ref name, .. } => {
                self.connections[key].hls = Some((name.as_str().into(), now));
                self.handle_hls(key, route, request, now);
            }
            Route::Api(route) => self.handle_api(key, route, request, now),
            Route::Dashboard => self.answer_page(key, request, Some(&pages::DASHBOARD), now),
            Route::Watch(_) => self.answer_page(key, request, Some(&pages::WATCH), now),
            Route::Asset(file) => self.answer_page(key, request, Asset::named(&file), now),
            Route::Still(name) => self.show_still(key, &name.into(), request, now),
            Route::Health => {
                self.answer_text(key, request, "text/plain; charset=utf-8", "ok\n", now)
            }
            Route::Metrics => {
                let has_streams = self.may_read(key, request).is_ok();
                self.ask(key, Question::Metrics { has_streams }, request, now);
            }
            _ => self.answer_error(key, request, Status::NotFound, "nothing is here", now),
        }
    }

    /// Lets connection `key` see a live stream.
    fn view(
        &mut self,
        key: usize,
        name: &StreamName,
        container: Container,
        request: &Request,
        now: Instant,
    ) {
        let media_type = match container {
            Container::Flv => "video/x-flv",
            Container::Mp4 => "video/mp4",
        };
        let (head, wrap) = match websocket::upgrade(request) {
            Upgrade::Refused(status) => {
                return self.refuse_upgrade(key, request, status, now);
            }
            Upgrade::Accepted(head) => (head, Wrap::WebSocket),
            Upgrade::NotAsked => {
                let framing = Framing::endless(request.version);
                let head = Head::new(Status::Ok, framing, Access::Shared);
                let wrap = match framing {
                    Framing::Chunked => Wrap::Chunked,
                    _ => Wrap::Plain,
                };
                (Box::new(head.content_type(media_type)), wrap)
            }
        };
        if request.method == Method::Head {
            // That does not wait for a publisher.
            if self.shared.registry.home(name).is_none() {
                let detail = "nobody publishes it";
                return self.answer_error(key, request, Status::NotFound, detail, now);
            }
            return self.answer(key, request, &head, &[], now);
        }
        if let Some(peer) = self.connections[key].protocol_mut().http() {
            peer.state = State::Viewing(Viewing {
                version: request.version,
                opening: Some(head),
                wrap,
                keeps: request.is_keep_alive && wrap == Wrap::Chunked,
                frames: (wrap == Wrap::WebSocket).then(FrameReader::new),
            });
        }
        let stream = self.stream_slot(name);
        let output = match container {
            Container::Flv => Output::Flv(wrap),
            Container::Mp4 => Output::Mp4(wrap),
        };
        self.play(key, VIEWER, stream, output, now);
    }

    fn refuse_upgrade(&mut self, key: usize, request: &Request, status: Status, now: Instant) {
        let detail = "no WebSocket as RFC 6455 has it";
        let (head, body) = response::error(status, detail, ErrorForm::Text, Access::Shared);
        let head = match status {
            Status::UpgradeRequired => websocket::offer(head),
            _ => head,
        };
        self.answer(key, request, &head, &body, now);
    }

    /// Acts on what else connection `key` has asked for: requests that came behind one that took its
    /// time.
    pub(super) fn handle_requests(&mut self, key: usize, now: Instant) {
        while let Some(connection) = self.connections.get_mut(key) {
            if connection.closing != Closing::No || connection.unsent_replies() > 0 {
                return;
            }
            let Some(peer) = connection.protocol_mut().http() else {
                return;
            };
            let Some(request) = peer.poll_request() else {
                return;
            };
            self.handle_request(key, &request, now);
            self.queue(key);
        }
    }

    /// Answers with the counters and with what is so now.
    pub(super) fn answer_metrics(
        &mut self,
        key: usize,
        request: &Request,
        tally: &Tally,
        streams: &[StreamReport],
        now: Instant,
    ) {
        let mut text = exposition::of(&self.shared.metrics, self.uptime(now));
        exposition::put_tally(&mut text, tally);
        exposition::put_streams(&mut text, streams);
        self.answer_text(key, request, exposition::MEDIA_TYPE, &text, now);
    }

    /// Sends what lies ready.
    pub(super) fn answer_file(&mut self, key: usize, request: &Request, file: File, now: Instant) {
        if let Some(peer) = self.connections[key].protocol_mut().http() {
            peer.respond_with(request, file, now);
        }
    }

    fn answer_page(&mut self, key: usize, request: &Request, asset: Option<&Asset>, now: Instant) {
        let Some(asset) = asset else {
            return self.answer_error(key, request, Status::NotFound, "nothing is here", now);
        };
        let (head, body) = asset.answer(request);
        self.answer(key, request, &head, body, now);
    }

    pub(super) fn answer(
        &mut self,
        key: usize,
        request: &Request,
        head: &Head,
        body: &[u8],
        now: Instant,
    ) {
        if let Some(peer) = self.connections[key].protocol_mut().http() {
            peer.respond(request, head, body, now);
        }
    }

    pub(super) fn answer_text(
        &mut self,
        key: usize,
        request: &Request,
        media_type: &str,
        text: &str,
        now: Instant,
    ) {
        let length = Framing::Length(text.len() as u64);
        let head = Head::new(Status::Ok, length, Access::Own).content_type(media_type);
        self.answer(key, request, &head, text.as_bytes(), now);
    }

    pub(super) fn answer_error(
        &mut self,
        key: usize,
        request: &Request,
        status: Status,
        detail: &str,
        now: Instant,
    ) {
        let (form, access) = match form_of(request) {
            ErrorForm::Json => (ErrorForm::Json, Access::Own),
            ErrorForm::Text => (ErrorForm::Text, Access::Shared),
        };
        let (mut head, body) = response::error(status, detail, form, access);
        if status == Status::ServiceUnavailable {
            // It may be otherwise in a moment.
            head = head.field("Retry-After", "1");
        }
        self.answer(key, request, &head, &body, now);
    }
}

/// How errors are written for who asks this.
fn form_of(request: &Request) -> ErrorForm {
    match request
        .target
        .segments
        .first()
        .is_some_and(|first| first == "api")
    {
        true => ErrorForm::Json,
        false => ErrorForm::Text,
    }
}

/// Those that do something, as a person is told them.
fn methods_of(route: &Route) -> &'static str {
    match route.methods() {
        [first, ..] => first.name(),
        [] => "another one",
    }
}

fn access_of(route: &Route) -> Access {
    match route.is_shared() {
        true => Access::Shared,
        false => Access::Own,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_comes_behind_a_gap_is_no_part_of_the_request_before_it() {
        let now = Instant::now();
        let mut peer = HttpPeer::new(now);
        peer.handle_input(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(peer.poll_request().unwrap().target.segments, ["metrics"]);
        peer.ask();
        let mut ahead = b"GET /health?".to_vec();
        ahead.resize(PIPELINED_BYTES_MAX, b'x');
        peer.handle_input(&ahead);
        peer.handle_input(b" HTTP/1.1\r\nHost: lost\r\n\r\n");
        peer.be_answered(now);
        peer.handle_input(b" HTTP/1.1\r\nHost: smuggled\r\n\r\n");
        assert!(peer.poll_request().is_none());
        assert!(peer.is_done());
        let answer = String::from_utf8(peer.poll_output().unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}
