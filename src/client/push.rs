//! Push: sends an input to a server as a live stream.

use std::time::{Duration, Instant};

use super::connection::{Connection, Target};
use super::feed::Feed;
use super::manner::Manner;
use super::retry::Retry;
use super::{ClientError, Input, Progress, Reactor, Report, Step};
use crate::media::flv::{Metadata, Tag, TagKind};
use crate::rtmp::MediaKind;
use crate::rtmp::session::{ClientEvent, ClientRole};

/// Unsent bytes at which a file waits and a live input drops: 2 MiB = 4 s at 4 Mbit/s.
const BACKLOG_MAX: usize = 2 * 1024 * 1024;

/// A server that closes this soon after it accepted has not accepted.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long a server that wants us elsewhere is kept waiting for the next keyframe.
const HANDOVER_WAIT: Duration = Duration::from_secs(10);

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
    let home = target;
    let mut target = home.clone();
    let mut push = Push::new(Feed::new(input, options));
    push.feed.probe(reactor)?;
    let mut retry = Retry::new(fastrand::u64(..));
    loop {
        let outcome = push.session(reactor, &target, report);
        let lived = push.lived.take();
        retry.on_end(lived);
        target = home.clone();
        let (why, wait, error) = match outcome {
            Ok(Outcome::Done) => return Ok(push.progress),
            Ok(Outcome::Redirected(tc_url)) => {
                if let Some(tc_url) = tc_url {
                    target = home.redirected(&tc_url);
                }
                let wait = match lived {
                    Some(lived) if lived >= AT_ONCE => Duration::ZERO,
                    // Or two servers that send us to each other would keep us busy.
                    _ => retry.wait(),
                };
                ("the server asks to connect anew".to_owned(), wait, None)
            }
            Err(ClientError::Stopped) if retry.was_accepted() => return Ok(push.progress),
            Err(error) if !options.reconnects => return Err(error),
            Err(error) => match retry.wait_after(&error) {
                Some(wait) => (error.to_string(), wait, Some(error)),
                None => return Err(error),
            },
        };
        report.notice(&format!(
            "{why}; trying again in {:.1} s",
            wait.as_secs_f64()
        ));
        if !push.rest(reactor, wait)? {
            return match retry.was_accepted() {
                true => Ok(push.progress),
                false => Err(ClientError::Stopped),
            };
        }
        // A pipe may have ended while there was nobody to send it to.
        if let Some(error) = error.filter(|_| push.feed.is_exhausted()) {
            return Err(error);
        }
    }
}

enum Outcome {
    /// The input has ended or we were stopped; the stream is closed.
    Done,
    /// The server wants us elsewhere.
    Redirected(Option<String>),
}

/// What outlives a connection.
struct Push {
    feed: Feed,
    manner: Manner,
    has_video: bool,
    /// After a reconnect, or when frames were dropped: on with the next keyframe.
    awaits_keyframe: bool,
    /// Frames are being dropped because the connection is too slow.
    is_behind: bool,
    /// The server wants us elsewhere, and until when it may wait for a keyframe.
    redirect: Option<(Option<String>, Instant)>,
    /// How long the last stream was accepted, if it was.
    lived: Option<Duration>,
    first_dts: Option<i64>,
    started: Option<Instant>,
    progress: Progress,
}

impl Push {
    fn new(feed: Feed) -> Self {
        Self {
            feed,
            manner: Manner::default(),
            has_video: false,
            awaits_keyframe: false,
            is_behind: false,
            redirect: None,
            lived: None,
            first_dts: None,
            started: None,
            progress: Progress {
                backlog: Some(0),
                ..Progress::default()
            },
        }
    }

    /// Sleeps between two connections; false when we were stopped meanwhile.
    fn rest(&mut self, reactor: &mut Reactor, wait: Duration) -> Result<bool, ClientError> {
        let until = Instant::now() + wait;
        while Instant::now() < until && !reactor.stopper().is_stopped() {
            let due = self.discard_due()?;
            let until = due.map_or(until, |due| due.min(until));
            reactor.sleep(Some(until)).map_err(ClientError::System)?;
        }
        Ok(!reactor.stopper().is_stopped())
    }

    fn discard_due(&mut self) -> Result<Option<Instant>, ClientError> {
        let (dropped, due) = self.feed.discard_due()?;
        self.progress.dropped += dropped;
        Ok(due)
    }

    /// One connection, from its first byte to its last.
    fn session(
        &mut self,
        reactor: &mut Reactor,
        target: &Target,
        report: &mut dyn Report,
    ) -> Result<Outcome, ClientError> {
        let mut connection = Connection::open(
            reactor,
            target,
            ClientRole::Publish,
            &mut self.manner,
            report,
        )?;
        self.introduce(&mut connection)?;
        report.step(Step {
            number: 3,
            text: format!("publish accepted, {}", self.describe_metadata()),
            took: connection.handshaken().elapsed(),
        });
        let start = Instant::now();
        self.started.get_or_insert(start);
        let outcome = self.stream(&mut connection, reactor, report);
        let lived = connection.lived();
        self.lived = Some(lived);
        report.step(Step {
            number: 4,
            text: self.describe_media(),
            took: start.elapsed(),
        });
        let outcome = outcome.map_err(|error| match error {
            error if error.is_silent_close() && lived < AT_ONCE => {
                ClientError::ClosedAtOnce("publish")
            }
            error => error,
        })?;
        if let Some(ending) = self.feed.ending() {
            report.notice(&ending);
        }
        connection.close(reactor, report);
        Ok(outcome)
    }

    /// Step 3, and after a reconnect the sequence headers again.
    fn introduce(&mut self, connection: &mut Connection) -> Result<(), ClientError> {
        let is_again = self.first_dts.is_some();
        if is_again {
            // What came while the connection was made is late already.
            self.discard_due()?;
        }
        self.feed.resume();
        self.awaits_keyframe = is_again && self.has_video;
        self.is_behind = false;
        let timestamp = wire_time(self.feed.peek()?.map_or(0, |(dts, _)| *dts));
        let introduction = self.feed.introduction();
        let session = connection.session();
        if let Some(metadata) = &introduction.metadata {
            session.send_metadata(metadata);
        }
        for (kind, header) in [
            (MediaKind::Video, &introduction.video_header),
            (MediaKind::Audio, &introduction.audio_header),
        ] {
            if let Some(header) = header {
                session.send_media(kind, timestamp, header);
            }
        }
        Ok(())
    }

    fn describe_metadata(&mut self) -> String {
        let metadata = self.feed.introduction().metadata.as_deref();
        let Some(metadata) = metadata.and_then(Metadata::parse) else {
            return "no metadata sent: the input has not said anything yet".to_owned();
        };
        format!("metadata sent: {}", super::report::describe(&metadata))
    }

    fn describe_media(&self) -> String {
        let progress = &self.progress;
        let dropped = match progress.dropped {
            0 => String::new(),
            count => format!(", {count} frames dropped"),
        };
        format!(
            "{} video and {} audio frames sent, {} bytes, {:.3} s of media{dropped}",
            progress.video_frames,
            progress.audio_frames,
            progress.bytes,
            progress.time.as_secs_f64()
        )
    }

    /// Step 4.
    fn stream(
        &mut self,
        connection: &mut Connection,
        reactor: &mut Reactor,
        report: &mut dyn Report,
    ) -> Result<Outcome, ClientError> {
        self.redirect = None;
        let mut is_told_of_drops = false;
        loop {
            let due = self.send_due(connection)?;
            while let Some(text) = self.feed.take_notice() {
                report.notice(&text);
            }
            let is_drained = connection.backlog() == 0;
            if reactor.stopper().is_stopped() || (self.feed.is_exhausted() && is_drained) {
                return Ok(Outcome::Done);
            }
            if self.is_time_to_leave()? {
                let redirect = self.redirect.take();
                return Ok(Outcome::Redirected(redirect.and_then(|(tc_url, _)| tc_url)));
            }
            let leave = self.redirect.as_ref().map(|(_, until)| *until);
            let outcome = connection.turn(reactor, [due, leave].into_iter().flatten().min());
            while let Some(event) = connection.poll_event() {
                match event {
                    ClientEvent::Ended(_) => return Err(ClientError::EndedByServer(None)),
                    ClientEvent::Rejected(rejection) => {
                        return Err(ClientError::EndedByServer(Some(rejection)));
                    }
                    ClientEvent::ReconnectRequested(tc_url) => {
                        self.redirect = Some((tc_url, Instant::now() + HANDOVER_WAIT));
                    }
                    other => log::debug!("{other:?}"),
                }
            }
            outcome?;
            if self.is_behind && !is_told_of_drops {
                is_told_of_drops = true;
                report.notice(
                    "the connection is slower than the input: groups of pictures are left out",
                );
            }
            self.progress.backlog = Some(connection.backlog());
            self.progress.elapsed = self.started.map_or(Duration::ZERO, |at| at.elapsed());
            report.progress(&self.progress);
        }
    }

    /// Sends every frame that is due; the answer is when the next one is, if that is known.
    fn send_due(&mut self, connection: &mut Connection) -> Result<Option<Instant>, ClientError> {
        loop {
            let is_full = connection.backlog() > BACKLOG_MAX;
            if is_full && !self.feed.is_unstoppable() {
                // Room in the socket wakes us.
                return Ok(None);
            }
            let now = Instant::now();
            match self.feed.due(now)? {
                Some(due) if due <= now => {}
                due => return Ok(due),
            }
            if self.is_time_to_leave()? {
                return Ok(Some(now));
            }
            if let Some((dts, tag)) = self.feed.pop() {
                self.send(connection, dts, &tag, is_full);
                connection.flush()?;
            }
        }
    }

    /// Whether the server wants us elsewhere, and this is a place where others can join.
    fn is_time_to_leave(&mut self) -> Result<bool, ClientError> {
        let Some((_, until)) = &self.redirect else {
            return Ok(false);
        };
        let is_late = *until <= Instant::now();
        let next = self.feed.peek()?;
        let is_keyframe = next.is_some_and(|(_, tag)| tag.is_keyframe());
        Ok(is_late || is_keyframe || !self.has_video)
    }

    fn send(&mut self, connection: &mut Connection, dts: i64, tag: &Tag, is_full: bool) {
        let is_new = self.feed.introduction().learn(tag);
        let session = connection.session();
        let kind = match tag.kind {
            TagKind::Audio => MediaKind::Audio,
            TagKind::Video => MediaKind::Video,
            TagKind::Script if !is_new => return,
            TagKind::Script if Metadata::parse(&tag.body).is_some() => {
                return session.send_metadata(&tag.body);
            }
            TagKind::Script => return session.send_data(wire_time(dts), &tag.body),
        };
        if tag.is_sequence_header() {
            if is_new {
                session.send_media(kind, wire_time(dts), &tag.body);
            }
            return;
        }
        self.has_video |= kind == MediaKind::Video;
        if self.must_drop(tag, is_full) {
            self.progress.dropped += 1;
            return;
        }
        session.send_media(kind, wire_time(dts), &tag.body);
        let first = *self.first_dts.get_or_insert(dts);
        let time = u64::try_from(dts - first).unwrap_or(0);
        self.progress.time = self.progress.time.max(Duration::from_millis(time));
        self.progress.count(kind, &tag.body);
    }

    /// A connection that does not keep up with a live input loses whole groups of pictures.
    fn must_drop(&mut self, tag: &Tag, is_full: bool) -> bool {
        self.is_behind = is_full || (self.is_behind && self.awaits_keyframe);
        if is_full {
            self.awaits_keyframe = self.has_video;
            return true;
        }
        self.awaits_keyframe &= !tag.is_keyframe();
        self.awaits_keyframe
    }
}

/// The low 32 bits: RTMP time wraps.
fn wire_time(dts: i64) -> u32 {
    u32::try_from(dts & i64::from(u32::MAX)).expect("masked to 32 bits")
}
