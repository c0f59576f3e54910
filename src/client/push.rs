//! Push: sends an input to a server as a live stream.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::connection::{Connection, Target};
use super::input::{Input, Next};
use super::pacing::{LoopClock, Pacer};
use super::{ClientError, InputError, Progress, Reactor, Report, Step};
use crate::media::flv::{Metadata, Tag, TagKind, VideoHeader};
use crate::rtmp::MediaKind;
use crate::rtmp::session::{ClientEvent, ClientRole};

/// Unsent bytes at which a file waits and a live input drops: 2 MiB = 4 s at 4 Mbit/s.
const BACKLOG_MAX: usize = 2 * 1024 * 1024;

/// Tags looked at for metadata before anything is sent, when the input has none.
const PROBE_TAGS_MAX: usize = 64;

/// How a push behaves.
#[derive(Debug, Clone, Copy)]
pub struct PushOptions {
    /// Frames leave when they are due, not as fast as the connection takes them.
    pub paces: bool,
    /// The input starts over at its end.
    pub loops: bool,
    /// The first frame keeps its timestamp instead of getting 0.
    pub keeps_timestamps: bool,
    /// A connection that breaks is made anew.
    pub reconnects: bool,
}

impl Default for PushOptions {
    fn default() -> Self {
        Self {
            paces: true,
            loops: false,
            keeps_timestamps: false,
            reconnects: true,
        }
    }
}

/// Pushes until the input ends, the reactor is stopped, or nothing helps.
///
/// # Errors
/// [`ClientError`]: the first connection failed, or a later one and reconnecting is off or
/// pointless.
pub fn run(
    reactor: &mut Reactor,
    target: &Target,
    input: Input,
    options: PushOptions,
    report: &mut dyn Report,
) -> Result<Progress, ClientError> {
    let mut target = target.clone();
    let mut push = Push::new(input, options);
    push.probe(reactor)?;
    let mut backoff = Backoff::new(fastrand::u64(..));
    let mut was_connected = false;
    loop {
        let outcome = push.session(reactor, &target, report);
        was_connected |= push.is_connected;
        if std::mem::take(&mut push.is_connected) {
            backoff.reset();
        }
        let error = match outcome {
            Ok(Outcome::Done) => return Ok(push.progress),
            Ok(Outcome::Redirected(tc_url)) => {
                report.notice("the server asks to connect anew");
                if let Some(tc_url) = tc_url {
                    target = target.redirected(&tc_url);
                }
                continue;
            }
            Err(ClientError::Stopped) if was_connected => return Ok(push.progress),
            Err(error) => error,
        };
        if !options.reconnects || !was_connected || !error.is_worth_a_retry() {
            return Err(error);
        }
        let wait = backoff.wait();
        report.notice(&format!(
            "{error}; trying again in {:.1} s",
            wait.as_secs_f64()
        ));
        if !rest(reactor, wait)? {
            return Ok(push.progress);
        }
    }
}

/// Sleeps; false when we were stopped meanwhile.
pub(super) fn rest(reactor: &mut Reactor, wait: Duration) -> Result<bool, ClientError> {
    let until = Instant::now() + wait;
    while Instant::now() < until && !reactor.stopper().is_stopped() {
        reactor.sleep(Some(until)).map_err(ClientError::System)?;
    }
    Ok(!reactor.stopper().is_stopped())
}

enum Outcome {
    /// The input has ended or we were stopped; the stream is closed.
    Done,
    /// The server wants us elsewhere.
    Redirected(Option<String>),
}

/// What outlives a connection.
struct Push {
    input: Input,
    options: PushOptions,
    clock: LoopClock,
    pacer: Pacer,
    /// Tags that were read ahead, timestamps placed.
    ahead: std::collections::VecDeque<(i64, Tag)>,
    /// What a new connection must be told first.
    metadata: Option<Vec<u8>>,
    video_header: Option<Vec<u8>>,
    audio_header: Option<Vec<u8>>,
    has_video: bool,
    /// After a reconnect, or when frames were dropped: on with the next keyframe.
    awaits_keyframe: bool,
    is_connected: bool,
    input_ended: bool,
    first_dts: Option<i64>,
    started: Option<Instant>,
    progress: Progress,
}

impl Push {
    fn new(input: Input, options: PushOptions) -> Self {
        let paces = options.paces && !input.is_live();
        Self {
            input,
            options,
            clock: LoopClock::new(options.keeps_timestamps),
            pacer: Pacer::new(paces),
            ahead: std::collections::VecDeque::new(),
            metadata: None,
            video_header: None,
            audio_header: None,
            has_video: false,
            awaits_keyframe: false,
            is_connected: false,
            input_ended: false,
            first_dts: None,
            started: None,
            progress: Progress::default(),
        }
    }

    /// Looks into the input before the server is bothered: for its metadata, or what they would be.
    fn probe(&mut self, reactor: &mut Reactor) -> Result<(), ClientError> {
        let mut built = Metadata::new();
        let mut has = [false; 2];
        while self.ahead.len() < PROBE_TAGS_MAX {
            let tag = match self.input.next()? {
                Next::Tag(tag) => tag,
                Next::Wait if reactor.stopper().is_stopped() => return Err(ClientError::Stopped),
                Next::Wait => {
                    reactor.sleep(None).map_err(ClientError::System)?;
                    continue;
                }
                Next::End => {
                    self.input_ended = true;
                    break;
                }
            };
            let is_header = tag.is_sequence_header();
            match tag.kind {
                TagKind::Script if Metadata::parse(&tag.body).is_some() => {
                    self.metadata.get_or_insert_with(|| tag.body.clone());
                }
                TagKind::Script => {}
                TagKind::Audio => has[0] |= !is_header,
                TagKind::Video => has[1] |= !is_header,
            }
            built.observe(tag.kind, &tag.body);
            let dts = self.clock.place(&tag);
            self.ahead.push_back((dts, tag));
            // A raw byte stream has video only; whatever says what it has needs no more looking.
            let knows_enough = self.metadata.is_some() || self.input.is_live();
            if has == [true; 2] || (knows_enough && has != [false; 2]) {
                break;
            }
        }
        if self.input_ended && has == [false; 2] {
            return Err(ClientError::Input(InputError::Empty {
                name: self.input.name().to_owned(),
            }));
        }
        if has != [false; 2] {
            self.metadata.get_or_insert_with(|| built.to_body());
        }
        Ok(())
    }

    /// One connection, from its first byte to its last.
    fn session(
        &mut self,
        reactor: &mut Reactor,
        target: &Target,
        report: &mut dyn Report,
    ) -> Result<Outcome, ClientError> {
        let mut connection = Connection::open(reactor, target, ClientRole::Publish, report)?;
        self.is_connected = true;
        self.introduce(&mut connection);
        report.step(Step {
            number: 3,
            text: format!("publish accepted, {}", self.describe_metadata()),
            took: connection.handshaken().elapsed(),
        });
        let start = Instant::now();
        self.started.get_or_insert(start);
        let outcome = self.stream(&mut connection, reactor, report);
        report.step(Step {
            number: 4,
            text: format!(
                "{} video and {} audio frames sent, {} bytes, {:.3} s of media",
                self.progress.video_frames,
                self.progress.audio_frames,
                self.progress.bytes,
                self.progress.time.as_secs_f64()
            ),
            took: start.elapsed(),
        });
        let outcome = outcome?;
        if let Some(ending) = self.input.ending().filter(|_| self.input_ended) {
            report.notice(&ending);
        }
        connection.close(reactor, report);
        Ok(outcome)
    }

    /// Step 3, and after a reconnect the sequence headers again.
    fn introduce(&mut self, connection: &mut Connection) {
        self.pacer.release();
        let session = connection.session();
        if let Some(metadata) = &self.metadata {
            session.send_metadata(metadata);
        }
        let is_again = self.first_dts.is_some();
        self.awaits_keyframe = is_again && self.has_video;
        let timestamp = wire_time(self.ahead.front().map_or(0, |(dts, _)| *dts));
        for (kind, header) in [
            (MediaKind::Video, &self.video_header),
            (MediaKind::Audio, &self.audio_header),
        ] {
            if let Some(header) = header {
                session.send_media(kind, timestamp, header);
            }
        }
    }

    fn describe_metadata(&self) -> String {
        let Some(metadata) = self.metadata.as_deref().and_then(Metadata::parse) else {
            return "no metadata sent: the input has not said anything yet".to_owned();
        };
        format!("metadata sent: {}", super::report::describe(&metadata))
    }

    /// Step 4.
    fn stream(
        &mut self,
        connection: &mut Connection,
        reactor: &mut Reactor,
        report: &mut dyn Report,
    ) -> Result<Outcome, ClientError> {
        loop {
            let until = self.send_due(connection)?;
            let is_drained = connection.backlog() == 0;
            if reactor.stopper().is_stopped()
                || (self.input_ended && self.ahead.is_empty() && is_drained)
            {
                return Ok(Outcome::Done);
            }
            let outcome = connection.turn(reactor, until);
            while let Some(event) = connection.poll_event() {
                match event {
                    ClientEvent::Ended(_) => return Err(ClientError::EndedByServer(None)),
                    ClientEvent::Rejected(rejection) => {
                        return Err(ClientError::EndedByServer(Some(rejection)));
                    }
                    ClientEvent::ReconnectRequested(tc_url) => {
                        return Ok(Outcome::Redirected(tc_url));
                    }
                    other => log::debug!("{other:?}"),
                }
            }
            outcome?;
            self.progress.backlog = connection.backlog();
            self.progress.elapsed = self.started.map_or(Duration::ZERO, |at| at.elapsed());
            report.progress(&self.progress);
        }
    }

    /// Sends every frame that is due; the answer is when the next one is, if that is known.
    fn send_due(&mut self, connection: &mut Connection) -> Result<Option<Instant>, ClientError> {
        loop {
            let is_full = connection.backlog() > BACKLOG_MAX;
            if is_full && !self.input.is_live() {
                // Room in the socket wakes us.
                return Ok(None);
            }
            self.fill_ahead()?;
            let Some((dts, _)) = self.ahead.front() else {
                return Ok(None);
            };
            let now = Instant::now();
            let due = self.pacer.due(*dts, now);
            if due > now {
                return Ok(Some(due));
            }
            let Some((dts, tag)) = self.ahead.pop_front() else {
                return Ok(None);
            };
            self.send(connection, dts, &tag, is_full);
            connection.flush()?;
        }
    }

    /// Reads one tag if none is there.
    fn fill_ahead(&mut self) -> Result<(), ClientError> {
        while self.ahead.is_empty() && !self.input_ended {
            match self.input.next()? {
                Next::Tag(tag) => {
                    let dts = self.clock.place(&tag);
                    self.ahead.push_back((dts, tag));
                }
                Next::Wait => return Ok(()),
                Next::End if self.options.loops && self.input.rewind()? => {
                    self.clock.start_over();
                }
                Next::End => self.input_ended = true,
            }
        }
        Ok(())
    }

    fn send(&mut self, connection: &mut Connection, dts: i64, tag: &Tag, is_full: bool) {
        let kind = match tag.kind {
            TagKind::Audio => MediaKind::Audio,
            TagKind::Video => MediaKind::Video,
            TagKind::Script => return self.send_script(connection, dts, tag),
        };
        if tag.is_sequence_header() {
            let header = match kind {
                MediaKind::Audio => &mut self.audio_header,
                MediaKind::Video => &mut self.video_header,
            };
            if header.as_ref() != Some(&tag.body) {
                connection
                    .session()
                    .send_media(kind, wire_time(dts), &tag.body);
                *header = Some(tag.body.clone());
            }
            return;
        }
        self.has_video |= kind == MediaKind::Video;
        if self.must_drop(tag, is_full) {
            self.progress.dropped += 1;
            return;
        }
        connection
            .session()
            .send_media(kind, wire_time(dts), &tag.body);
        let first = *self.first_dts.get_or_insert(dts);
        let time = u64::try_from(dts - first).unwrap_or(0);
        self.progress.time = self.progress.time.max(Duration::from_millis(time));
        self.progress.bytes += tag.body.len() as u64;
        match kind {
            MediaKind::Audio => self.progress.audio_frames += 1,
            MediaKind::Video if has_picture(&tag.body) => self.progress.video_frames += 1,
            MediaKind::Video => {}
        }
    }

    /// A connection that does not keep up with a live input loses whole groups of pictures.
    fn must_drop(&mut self, tag: &Tag, is_full: bool) -> bool {
        if is_full {
            self.awaits_keyframe = self.has_video;
            return true;
        }
        if self.awaits_keyframe && tag.is_keyframe() {
            self.awaits_keyframe = false;
        }
        self.awaits_keyframe
    }

    fn send_script(&mut self, connection: &mut Connection, dts: i64, tag: &Tag) {
        if Metadata::parse(&tag.body).is_none() {
            connection.session().send_data(wire_time(dts), &tag.body);
        } else if self.metadata.as_ref() != Some(&tag.body) {
            connection.session().send_metadata(&tag.body);
            self.metadata = Some(tag.body.clone());
        }
    }
}

/// Whether a video body is more than a mark, such as the end of a sequence.
fn has_picture(body: &[u8]) -> bool {
    VideoHeader::parse(body).is_ok_and(|header| !header.payload(body).is_empty())
}

/// The low 32 bits: RTMP time wraps.
fn wire_time(dts: i64) -> u32 {
    u32::try_from(dts & i64::from(u32::MAX)).expect("masked to 32 bits")
}
