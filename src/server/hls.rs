//! HLS on a worker: a live stream's segments while somebody asks for them, and the requests that wait
//! for what is announced (RFC 8216bis §6.2.5.2).
//!
//! All requests of one live stream are served by one worker, which a hash of its name picks: there
//! are its segments, once, and a connection that comes elsewhere is handed over. The playlist is
//! begun by the first request for it and given up a while after the last one, or after the end of the
//! live stream.

mod audience;
mod measure;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use self::audience::{Asker, Audience};
use self::measure::Measure;
use super::connection::Connection;
use super::framing;
use super::http::File;
use super::live_stream::{LiveStream, Source};
use super::mail::StreamName;
use super::worker::Worker;
use crate::broadcast::{Frame, Headers, Prelude};
use crate::http::request::Request;
use crate::http::response::Caching;
use crate::http::route::Route;
use crate::http::status::Status;
use crate::http::target::Target;
use crate::media::fmp4::{LiveMuxer, Piece};
use crate::media::hls::{Found, PieceName, Reload, Segmenter};

/// Segments of a playlist that nobody asks for are given up after this, or after three target
/// durations if that is longer.
const IDLE: Duration = Duration::from_secs(30);

/// How long the last segments of a live stream can be had after its end.
const ENDED_KEPT: Duration = Duration::from_secs(60);

/// How often it is looked for what is to be given up.
const SWEEP: Duration = Duration::from_secs(5);

/// How long the first request of a playlist may wait: for a group of pictures, which is 10 s long
/// at most with what encoders do by themselves, and for its first parts.
const START_WAIT: Duration = Duration::from_secs(12);

/// Requests of one live stream that wait at a time. Each of them is a connection, which are bounded
/// already; more viewers than this on one worker would be too many for it.
const WAITING_MAX: usize = 8192;

/// Sound that belongs before the first picture has this much room before it, milliseconds.
const LEAD_MS: i64 = 1000;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The playlist, when it has this segment and part.
    Playlist(Option<u64>, Option<u64>),
    /// What the playlist names.
    Piece(PieceName),
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Held {
    name: StreamName,
    asked: Asked,
    request: Request,
    pub(super) until: Instant,
}

/// What there is to a request.
#[derive(Debug)]
enum Answer {
    File(File),
    Wait,
    /// It asks for something that cannot be.
    Wrong,
    Nothing,
}

/// A live stream as segments.
#[derive(Debug)]
pub(super) struct Hls {
    muxer: LiveMuxer,
    /// This dts of the live stream is 0 here; known with the first sound or picture.
    base: Option<i64>,
    stage: Stage,
    /// Connections whose requests wait.
    waiting: Vec<usize>,
    /// Some of those may be answered now.
    has_news: bool,
    audience: Audience,
    last_request: Instant,
    ended_at: Option<Instant>,
    /// The playlist as it is, with the query in its addresses: a part that comes is told to all who
    /// wait for it at once.
    playlist: Option<(String, Arc<[u8]>)>,
    /// What was made of one frame; empty in between.
    made: Vec<Piece>,
}

#[derive(Debug)]
enum Stage {
    /// Segments wait until it is known how long they are to be.
    Measuring(Measure),
    Cutting(Box<Segmenter>),
}

impl Hls {
    fn new(now: Instant) -> Self {
        Self {
            muxer: LiveMuxer::new(),
            base: None,
            stage: Stage::Measuring(Measure::default()),
            waiting: Vec::new(),
            has_news: false,
            audience: Audience::default(),
            last_request: now,
            ended_at: None,
            playlist: None,
            made: Vec::new(),
        }
    }

    /// Whether requests that wait are to be looked at.
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// A publisher comes, the first one or another: what follows does not follow from what came last.
    pub(super) fn break_off(&mut self) {
        match &mut self.stage {
            // Who has seen the end reads no more; who has not finds a playlist that goes on.
            _ if self.ended_at.is_some() => {
                *self = Self {
                    waiting: std::mem::take(&mut self.waiting),
                    audience: std::mem::take(&mut self.audience),
                    ..Self::new(self.last_request)
                };
            }
            Stage::Measuring(measure) => measure.break_off(),
            Stage::Cutting(segmenter) => self.has_news |= segmenter.discontinuity(),
        }
        self.playlist = None;
    }

    /// What is in force before the frames that come.
    pub(super) fn take_over(&mut self, headers: &Headers) {
        for frame in headers.iter() {
            self.take(frame);
        }
    }

    /// Takes what the live stream has for those who come now.
    fn begin(&mut self, prelude: &Prelude) {
        self.take_over(&prelude.headers);
        let newest = prelude.frames.iter().map(|frame| frame.dts()).max();
        for frame in &prelude.frames {
            let age = newest.unwrap_or_default().saturating_sub(frame.dts());
            self.take_at(frame, unix_ms().saturating_sub(age));
        }
    }

    /// Takes the live stream's next frame.
    pub(super) fn take(&mut self, frame: &Frame) {
        self.take_at(frame, unix_ms());
    }

    fn take_at(&mut self, frame: &Frame, wall_ms: i64) {
        let Some(body) = framing::mp4_body(frame) else {
            return;
        };
        // A header may be much older than what comes with it.
        let is_header = frame.flags().standing.is_some();
        let base = match is_header {
            true => self.base.unwrap_or_else(|| frame.dts()),
            false => *self.base.get_or_insert_with(|| frame.dts() - LEAD_MS),
        };
        let dts = frame.dts().saturating_sub(base).max(0);
        let kind = framing::tag_kind(frame.track());
        self.muxer.handle(kind, dts, &body, &mut self.made);
        self.cut(wall_ms);
        while let Some(note) = self.muxer.poll_note() {
            log::info!("HLS: {note}");
        }
    }

    /// Passes on what was made.
    fn cut(&mut self, wall_ms: i64) {
        for piece in self.made.drain(..) {
            match &mut self.stage {
                Stage::Cutting(segmenter) => {
                    if segmenter.push(&piece, wall_ms) {
                        self.has_news = true;
                        self.playlist = None;
                    }
                }
                Stage::Measuring(measure) => {
                    if measure.push(piece, wall_ms) {
                        let segmenter = measure.segmenter(unix_ms());
                        self.stage = Stage::Cutting(Box::new(segmenter));
                        self.has_news = true;
                    }
                }
            }
        }
    }

    /// The live stream is over.
    pub(super) fn finish(&mut self, now: Instant) {
        self.muxer.finish(&mut self.made);
        self.cut(unix_ms());
        if let Stage::Measuring(measure) = &mut self.stage
            && measure.has_media()
        {
            let segmenter = measure.segmenter(unix_ms());
            self.stage = Stage::Cutting(Box::new(segmenter));
        }
        if let Stage::Cutting(segmenter) = &mut self.stage {
            segmenter.finish();
        }
        self.ended_at = Some(now);
        self.has_news = true;
        self.playlist = None;
    }

    fn answer(&mut self, name: &str, asked: Asked, request: &Request) -> Answer {
        let segmenter = match &self.stage {
            Stage::Cutting(segmenter) => segmenter,
            Stage::Measuring(_) if self.ended_at.is_some() => return Answer::Nothing,
            Stage::Measuring(_) => {
                return match asked {
                    Asked::Playlist(..) => Answer::Wait,
                    Asked::Piece(_) => Answer::Nothing,
                };
            }
        };
        match asked {
            Asked::Playlist(sequence, part) => match segmenter.reload(sequence, part) {
                Reload::Wait => Answer::Wait,
                Reload::Wrong => Answer::Wrong,
                Reload::Ready => Answer::File(File {
                    media_type: "application/vnd.apple.mpegurl",
                    caching: Caching::Never,
                    pieces: vec![self.playlist(name, &request.target)],
                }),
            },
            Asked::Piece(piece) => match segmenter.find(piece) {
                Found::NotYet => Answer::Wait,
                Found::Nothing => Answer::Nothing,
                Found::Bytes(pieces) => Answer::File(File {
                    media_type: "video/mp4",
                    caching: Caching::Fixed(60),
                    pieces,
                }),
            },
        }
    }

    /// Whether a request that waits is to wait on.
    fn is_to_wait(&self, asked: Asked) -> bool {
        match (&self.stage, asked) {
            (Stage::Measuring(_), _) => self.ended_at.is_none(),
            (Stage::Cutting(segmenter), Asked::Playlist(sequence, part)) => {
                segmenter.reload(sequence, part) == Reload::Wait
            }
            (Stage::Cutting(segmenter), Asked::Piece(piece)) => {
                segmenter.find(piece) == Found::NotYet
            }
        }
    }

    fn playlist(&mut self, name: &str, target: &Target) -> Arc<[u8]> {
        let query = passed_on(target);
        if let Some((of_query, text)) = &self.playlist
            && *of_query == query
        {
            return Arc::clone(text);
        }
        let key = name.rsplit('/').next().unwrap_or_default();
        let text = match &self.stage {
            Stage::Cutting(segmenter) => segmenter.playlist(key, &query),
            Stage::Measuring(_) => String::new(),
        };
        let text: Arc<[u8]> = text.into_bytes().into();
        self.playlist = Some((query, Arc::clone(&text)));
        text
    }

    /// How long a request may wait.
    fn patience(&self) -> Duration {
        match &self.stage {
            Stage::Measuring(_) => START_WAIT,
            Stage::Cutting(segmenter) => Duration::from_millis(u64::from(segmenter.wait_ms_max())),
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.ended_at {
            Some(ended_at) => now >= ended_at + ENDED_KEPT,
            None => now >= self.last_request + self.patience().max(IDLE),
        }
    }
}

/// The query of a playlist's address goes with the addresses in it, since it may hold what a proxy
/// wants to see; not so what is said to this server.
fn passed_on(target: &Target) -> String {
    let fields = target.query.split('&');
    let fields: Vec<_> = fields
        .filter(|field| !field.is_empty() && !field.starts_with("_HLS_"))
        .collect();
    fields.join("&")
}

/// What a playlist is to have, by its delivery directives; `None` if they cannot be read.
fn directives(target: &Target) -> Option<Asked> {
    let number = |name| match target.query_value(name) {
        Some(digits) => digits.parse().ok().map(Some),
        None => Some(None),
    };
    Some(Asked::Playlist(number("_HLS_msn")?, number("_HLS_part")?))
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

fn asker(connection: &Connection) -> Asker {
    Asker {
        address: connection.peer.ip(),
        software: connection.software.clone(),
    }
}

impl Worker {
    /// How many watch a live stream by its playlist, which is made here if anywhere.
    pub(super) fn hls_subscribers(&self, live: &LiveStream, now: Instant) -> u64 {
        let Some(hls) = &live.hls else {
            return 0;
        };
        let waiting = hls.waiting.iter().filter_map(|key| {
            let connection = self.connections.get(*key)?;
            let held = connection.protocol().held()?;
            matches!(held.asked, Asked::Playlist(..)).then(|| asker(connection))
        });
        hls.audience.count(waiting, now)
    }

    /// Answers a request for a playlist or for what it names, or lets it wait.
    pub(super) fn handle_hls(&mut self, key: usize, route: Route, request: &Request, now: Instant) {
        let (name, asked) = match route {
            Route::Playlist(name) => match directives(&request.target) {
                Some(asked) => (name, asked),
                None => {
                    let detail = "_HLS_msn and _HLS_part are numbers";
                    return self.answer_error(key, request, Status::BadRequest, detail, now);
                }
            },
            Route::HlsFile { name, file } => match PieceName::parse(&file) {
                Some(piece) => (name, Asked::Piece(piece)),
                None => return self.answer_not_found(key, request, now),
            },
            _ => return self.answer_not_found(key, request, now),
        };
        let name: StreamName = name.into();
        let home = self.home_of_hls(&name);
        if home != self.id {
            return self.hand_over(key, home, request);
        }
        let Some(slot) = self.hls_slot(&name, asked, now) else {
            return self.answer_not_found(key, request, now);
        };
        if let Some(hls) = &mut self.streams[slot].hls {
            hls.last_request = now;
            if matches!(asked, Asked::Playlist(..)) {
                hls.audience.note(asker(&self.connections[key]), now);
            }
        }
        self.try_hls(key, slot, name, asked, request, None, now);
    }

    fn answer_not_found(&mut self, key: usize, request: &Request, now: Instant) {
        self.answer_error(key, request, Status::NotFound, "nothing is here", now);
    }

    /// The slot of a live stream that has a playlist. One that is published gets one, if it is the
    /// playlist that is asked for.
    fn hls_slot(&mut self, name: &StreamName, asked: Asked, now: Instant) -> Option<usize> {
        if let Some(&slot) = self.stream_slots.get(name)
            && self.streams[slot].hls.is_some()
        {
            return Some(slot);
        }
        if !matches!(asked, Asked::Playlist(..)) || self.shared.registry.home(name).is_none() {
            return None;
        }
        let slot = self.stream_slot(name);
        self.attend(slot);
        let live = &mut self.streams[slot];
        let mut hls = Box::new(Hls::new(now));
        if live.source != Source::Absent {
            hls.begin(&live.prelude());
        }
        live.hls = Some(hls);
        self.hls_sweep_at.get_or_insert(now + SWEEP);
        log::info!("HLS of {name} begins");
        Some(slot)
    }

    /// Answers, or lets the request wait `until`; without that for as long as it is worth.
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of a request that may wait"
    )]
    fn try_hls(
        &mut self,
        key: usize,
        slot: usize,
        name: StreamName,
        asked: Asked,
        request: &Request,
        until: Option<Instant>,
        now: Instant,
    ) {
        let Some(hls) = self
            .streams
            .get_mut(slot)
            .and_then(|live| live.hls.as_mut())
        else {
            return self.answer_not_found(key, request, now);
        };
        match hls.answer(&name, asked, request) {
            Answer::File(file) => self.answer_file(key, request, file, now),
            Answer::Wrong => {
                let detail = "that is too far ahead";
                self.answer_error(key, request, Status::BadRequest, detail, now);
            }
            Answer::Nothing => self.answer_not_found(key, request, now),
            Answer::Wait if hls.waiting.len() >= WAITING_MAX => {
                let detail = "too many wait for this";
                self.answer_error(key, request, Status::ServiceUnavailable, detail, now);
            }
            Answer::Wait => {
                let until = until.unwrap_or_else(|| now + hls.patience());
                let held = Box::new(Held {
                    name,
                    asked,
                    request: request.clone(),
                    until,
                });
                if let Some(peer) = self.connections[key].protocol_mut().http() {
                    peer.hold(held);
                    hls.waiting.push(key);
                }
            }
        }
    }

    /// Answers requests that have waited for what has come in this turn.
    pub(super) fn answer_hls(&mut self, now: Instant) {
        for slot in std::mem::take(&mut self.hls_news) {
            let Some(hls) = self
                .streams
                .get_mut(slot)
                .and_then(|live| live.hls.as_mut())
            else {
                continue;
            };
            if !std::mem::take(&mut hls.has_news) {
                continue;
            }
            let connections = &self.connections;
            let waiting = std::mem::take(&mut hls.waiting);
            let (on, due): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|key| {
                let held = connections.get(*key).map(|one| one.protocol().held());
                let asked = held.flatten().map(|held| held.asked);
                asked.is_some_and(|asked| hls.is_to_wait(asked))
            });
            hls.waiting = on;
            for key in due {
                self.retry_held(key, slot, now);
            }
        }
    }

    fn retry_held(&mut self, key: usize, slot: usize, now: Instant) {
        let peer = self
            .connections
            .get_mut(key)
            .and_then(|connection| connection.protocol_mut().http());
        let Some(held) = peer.and_then(|peer| peer.release(now)) else {
            return;
        };
        let Held {
            name,
            asked,
            request,
            until,
        } = *held;
        self.try_hls(key, slot, name, asked, &request, Some(until), now);
        self.queue(key);
    }

    /// Ends the wait of connection `key` if it has been long enough: whether it was.
    pub(super) fn give_up_held(&mut self, key: usize, now: Instant) -> bool {
        let held = self.connections[key].protocol().held();
        if held.is_none_or(|held| now < held.until) {
            return false;
        }
        self.forget_held(key);
        let peer = self.connections[key].protocol_mut().http();
        if let Some(held) = peer.and_then(|peer| peer.release(now)) {
            let (status, detail) = match held.asked {
                Asked::Playlist(..) => (Status::ServiceUnavailable, "nothing new has come"),
                Asked::Piece(_) => (Status::NotFound, "it has not come"),
            };
            self.answer_error(key, &held.request, status, detail, now);
        }
        self.queue(key);
        true
    }

    /// Connection `key` waits no more, if it did.
    pub(super) fn forget_held(&mut self, key: usize) {
        let connection = self.connections.get(key);
        if let Some(held) = connection.and_then(|one| one.protocol().held())
            && let Some(&slot) = self.stream_slots.get(&held.name)
            && let Some(hls) = &mut self.streams[slot].hls
        {
            hls.waiting.retain(|other| *other != key);
        }
    }

    /// Gives up the playlists that nobody asks for any more.
    pub(super) fn sweep_hls(&mut self, now: Instant) {
        if self.hls_sweep_at.is_none_or(|at| now < at) {
            return;
        }
        let with_hls = self.streams.iter().filter(|(_, live)| live.hls.is_some());
        let slots: Vec<usize> = with_hls.map(|(slot, _)| slot).collect();
        self.hls_sweep_at = (!slots.is_empty()).then_some(now + SWEEP);
        for slot in slots {
            let live = &mut self.streams[slot];
            let Some(hls) = live.hls.take_if(|hls| hls.is_over(now)) else {
                continue;
            };
            log::info!("HLS of {} ends", live.name);
            for key in hls.waiting {
                self.retry_held(key, slot, now);
            }
            self.after_audience_left(slot);
        }
    }
}
