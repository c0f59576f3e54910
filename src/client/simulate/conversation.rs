//! What a simulated camera says, from the handshake to the goodbye.

use std::time::{Duration, Instant};

use super::SimulateOptions;
use super::link::Link;
use super::names::{Names, join};
use super::oddities::{Goodbye, Haste, Oddities, Order};
use super::replies::{FIRST_MSID, check_order, is_publish_start, refusal, stream_id};
use super::studio::{Piece, Studio, Track};
use super::wire::{Outgoing, Wire};
use crate::amf::Value;
use crate::client::feed::Feed;
use crate::client::{ClientError, Progress, Report, Step};
use crate::rtmp::MediaKind;
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::message::control::Control;
use crate::rtmp::session::Stage;
use crate::rtmp::url::RtmpUrl;

/// Unsent bytes at which the camera waits: 8 MiB, more than two of its largest keyframes.
const BACKLOG_MAX: usize = 8 << 20;

/// How long the server may take to confirm a goodbye, and then to close.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// After a refusal: how long we look whether the server closes. OBS waits for it forever.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(3);

/// When the power is cut, unless the caller says.
const POWER_CUT_AFTER: Duration = Duration::from_secs(5);

/// A ping that nobody sent.
const FREE_PONG: u32 = 0x0102_0304;

/// One connection, from the handshake to the goodbye.
pub(super) struct Conversation<'a> {
    oddities: Oddities,
    names: Names,
    link: Link<'a>,
    studio: Studio,
    /// Transaction ids so far.
    calls: u32,
    /// What `createStream` gave.
    msid: u32,
    /// Sound that waits for a picture to lie in.
    held_audio: Option<Piece>,
    /// Whether `publish` was answered with yes.
    is_accepted: bool,
    progress: Progress,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(url: &RtmpUrl, oddities: Oddities, link: Link<'a>, studio: Studio) -> Self {
        Self {
            names: Names::new(url, oddities.address),
            oddities,
            link,
            studio,
            calls: 0,
            msid: FIRST_MSID,
            held_audio: None,
            is_accepted: false,
            progress: Progress::default(),
        }
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    pub(super) fn run(
        &mut self,
        feed: &mut Feed,
        options: SimulateOptions,
        report: &mut dyn Report,
    ) -> Result<(), ClientError> {
        let outcome = self.converse(feed, options, report);
        if let Err(ClientError::Rejected(_) | ClientError::EndedByServer(_)) = &outcome {
            let start = Instant::now();
            let text = match self.link.wait_close(Some(start + REFUSAL_TIMEOUT)) {
                Some(_) => "refused, and the server closed the connection",
                None => "refused, and the server left the connection open: OBS would hang here",
            };
            step(report, 5, start, text.to_owned());
        }
        outcome
    }

    fn converse(
        &mut self,
        feed: &mut Feed,
        options: SimulateOptions,
        report: &mut dyn Report,
    ) -> Result<(), ClientError> {
        let start = Instant::now();
        self.link.shake_hands(self.oddities.scatters_handshake)?;
        step(report, 2, start, "handshake (simple)".to_owned());
        let start = Instant::now();
        self.connect()?;
        self.create_stream()?;
        self.publish()?;
        let text = match self.is_accepted {
            true => format!(
                "publish of {} accepted",
                join(&self.names.app, &self.names.stream)
            ),
            false => "publish sent, no answer awaited".to_owned(),
        };
        step(report, 3, start, text);
        let start = Instant::now();
        let outcome = self.film(feed, options, report);
        let told = self.tell_of_media();
        step(report, 4, start, told);
        outcome?;
        self.say_goodbye(report)
    }

    fn connect(&mut self) -> Result<(), ClientError> {
        let sizes = self.oddities.sizes;
        if sizes.is_chunk_first {
            self.announce_chunk_size();
        }
        let connect = self.names.connect(self.oddities.is_amf3);
        self.calls = 1;
        // `connect` itself is AMF0 always: nobody has agreed to anything else.
        let body = connect.encode();
        self.link.send(&Outgoing {
            csid: self.oddities.csids.command,
            msid: 0,
            message_type: MessageType::COMMAND_AMF0,
            timestamp: 0,
            body: &body,
        });
        self.wait_result("connect", Stage::Connect, 1.0)?;
        if let Some(window) = sizes.window {
            self.link.send_control(Control::WindowAckSize(window));
            if self.oddities.habits.starts_with_fmt3 {
                // Alike but for its value: the second one begins with fmt 3.
                self.link.send_control(Control::WindowAckSize(window + 1));
            }
        }
        if self.oddities.tricks.pongs_first {
            self.link.send_pong(FREE_PONG);
        }
        if !sizes.is_chunk_first {
            self.announce_chunk_size();
        }
        Ok(())
    }

    fn announce_chunk_size(&mut self) {
        if let Some(size) = self.oddities.sizes.chunk {
            self.link.send_control(Control::SetChunkSize(size));
        }
    }

    fn create_stream(&mut self) -> Result<(), ClientError> {
        match self.oddities.order {
            Order::Fmle => {
                self.call_with_name("releaseStream");
                self.call_with_name("FCPublish");
            }
            Order::Bare => {}
            Order::Haivision => {
                let id = self.next_id();
                self.call(Command::new("_checkbw", id));
            }
        }
        self.calls += 1;
        let id = f64::from(self.calls);
        self.call(Command::new("createStream", id));
        let msid = self.wait_result("createStream", Stage::CreateStream, id)?;
        self.msid = msid.unwrap_or(FIRST_MSID);
        if self.oddities.order == Order::Haivision {
            self.call_with_name("FCPublish");
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), ClientError> {
        if self.oddities.haste == Haste::MediaBeforePublish {
            self.introduce(true);
        }
        let id = self.next_id();
        let mut publish = Command::new("publish", id).with_argument(self.names.stream.as_str());
        if self.oddities.says_live {
            publish = publish.with_argument("live");
        }
        let (csid, msid) = (self.oddities.csids.publish, self.msid);
        send_command(&mut self.link, &self.oddities, csid, msid, &publish);
        if self.oddities.haste == Haste::MediaBeforeResult {
            return Ok(());
        }
        let (demands, msid) = (self.oddities.demands, self.msid);
        self.link.wait_reply("publish", |reply| {
            check_order(demands.level_first, reply)?;
            if demands.own_msid && reply.msid != msid {
                return Ok(None);
            }
            refusal(reply, Stage::Publish)?;
            Ok(is_publish_start(reply).then_some(()))
        })?;
        self.is_accepted = true;
        Ok(())
    }

    /// Metadata and sequence headers.
    fn introduce(&mut self, has_metadata: bool) {
        if has_metadata && !self.studio.has_late_metadata() {
            self.describe();
        }
        let mut pieces = Vec::new();
        self.studio.headers(&mut pieces);
        for piece in pieces {
            self.send_piece(piece);
        }
    }

    fn describe(&mut self) {
        if let Some(metadata) = self.studio.metadata() {
            self.send_piece(metadata);
        }
    }

    /// Step 4.
    fn film(
        &mut self,
        feed: &mut Feed,
        options: SimulateOptions,
        report: &mut dyn Report,
    ) -> Result<(), ClientError> {
        let rested = Instant::now() + self.oddities.rests;
        while Instant::now() < rested && !self.link.is_stopped() {
            self.link.turn(Some(rested))?;
            self.read_replies()?;
        }
        self.introduce(self.oddities.haste != Haste::MediaBeforePublish);
        let is_cut = self.oddities.goodbye == Goodbye::PowerCut;
        let end = options
            .duration
            .or_else(|| is_cut.then_some(POWER_CUT_AFTER));
        let start = Instant::now();
        let mut pieces = Vec::new();
        let mut has_described = !self.studio.has_late_metadata();
        let mut has_lost_bytes = !self.oddities.tricks.loses_bytes;
        loop {
            let mut due = None;
            while self.link.backlog() < BACKLOG_MAX {
                due = feed.due(Instant::now())?;
                if due.is_none_or(|due| due > Instant::now()) {
                    break;
                }
                let Some((dts, tag)) = feed.pop() else { break };
                let time = Duration::from_millis(u64::try_from(dts).unwrap_or(0));
                if end.is_some_and(|end| time >= end) {
                    return self.settle();
                }
                self.studio.develop(dts, &tag, &mut pieces);
                for piece in pieces.drain(..) {
                    self.send_piece(piece);
                }
                // What is left then waits for room in the socket, which wakes us.
                self.link.flush()?;
                self.progress.time = self.progress.time.max(time);
                if !has_described && time >= Duration::from_secs(1) {
                    has_described = true;
                    self.describe();
                }
                if !has_lost_bytes && time >= Duration::from_secs(1) {
                    has_lost_bytes = true;
                    self.link.write(|_, out| Wire::put_orphan(31, out));
                }
            }
            if feed.is_exhausted() {
                return self.settle();
            }
            self.link.turn(due)?;
            self.read_replies()?;
            if self.link.is_stopped() {
                return Ok(());
            }
            self.progress.backlog = Some(self.link.backlog());
            self.progress.elapsed = start.elapsed();
            report.progress(&self.progress);
        }
    }

    /// Everything that was sent has left.
    fn settle(&mut self) -> Result<(), ClientError> {
        if let Some(piece) = self.held_audio.take() {
            self.put(&piece);
        }
        self.link.flush()?;
        while self.link.backlog() > 0 && !self.link.is_stopped() {
            self.link.turn(None)?;
        }
        self.link.turn(Some(Instant::now()))?;
        self.read_replies()
    }

    /// What the server says while we film.
    fn read_replies(&mut self) -> Result<(), ClientError> {
        while let Some(reply) = self.link.poll_reply() {
            let accepted = self.is_accepted;
            refusal(&reply, Stage::Publish).map_err(|error| match error {
                ClientError::Rejected(words) if accepted => ClientError::EndedByServer(Some(words)),
                other => other,
            })?;
            self.is_accepted |= is_publish_start(&reply);
        }
        Ok(())
    }

    /// Sends a piece, with what this camera does around it.
    fn send_piece(&mut self, piece: Piece) {
        let tricks = self.oddities.tricks;
        match piece.track {
            Track::Audio => self.progress.count(MediaKind::Audio, &piece.body),
            Track::Video => self.progress.count(MediaKind::Video, &piece.body),
            Track::Data => {}
        }
        if tricks.interleaves && piece.track == Track::Audio {
            if let Some(earlier) = self.held_audio.replace(piece) {
                self.put(&earlier);
            }
            return;
        }
        if tricks.restarts_keyframes && piece.is_keyframe {
            let message = outgoing(&self.oddities, self.msid, &piece);
            self.link
                .write(|wire, out| wire.put_abandoned(&message, out));
        }
        match self.held_audio.take() {
            Some(audio) => {
                let outer = outgoing(&self.oddities, self.msid, &piece);
                let inner = outgoing(&self.oddities, self.msid, &audio);
                self.link
                    .write(|wire, out| wire.put_around(&outer, &inner, out));
            }
            None => self.put(&piece),
        }
    }

    fn put(&mut self, piece: &Piece) {
        let message = outgoing(&self.oddities, self.msid, piece);
        if piece.track == Track::Data && self.oddities.is_amf3 {
            let body = [&[0], piece.body.as_slice()].concat();
            let message_type = MessageType::DATA_AMF3;
            return self.link.send(&Outgoing {
                message_type,
                body: &body,
                ..message
            });
        }
        self.link.send(&message);
    }

    /// Step 5.
    fn say_goodbye(&mut self, report: &mut dyn Report) -> Result<(), ClientError> {
        let start = Instant::now();
        let text = match self.oddities.goodbye {
            Goodbye::Proper | Goodbye::NameInDeleteStream => self.unpublish(true),
            Goodbye::EndOfSequence => {
                let dts = i64::try_from(self.progress.time.as_millis()).unwrap_or(0);
                if let Some(piece) = self.studio.end_of_sequence(dts) {
                    self.put(&piece);
                }
                self.unpublish(true)
            }
            Goodbye::UnpublishOnly => self.unpublish(false),
            Goodbye::CloseStream => {
                let id = self.next_id();
                let (csid, msid) = (self.oddities.csids.publish, self.msid);
                let close = Command::new("closeStream", id);
                send_command(&mut self.link, &self.oddities, csid, msid, &close);
                self.await_confirmation()
            }
            Goodbye::Close => {
                self.hang_up();
                "closed without a word".to_owned()
            }
            Goodbye::Reset => {
                self.link.reset()?;
                "reset".to_owned()
            }
            Goodbye::PowerCut => self.sit_in_the_dark(),
        };
        step(report, 5, start, text);
        Ok(())
    }

    fn unpublish(&mut self, deletes: bool) -> String {
        self.call_with_name("FCUnpublish");
        if deletes {
            let is_named = self.oddities.goodbye == Goodbye::NameInDeleteStream;
            let stream = match is_named {
                true => Value::from(self.names.stream.as_str()),
                false => Value::from(self.msid),
            };
            let id = self.next_id();
            self.call(Command::new("deleteStream", id).with_argument(stream));
        }
        self.await_confirmation()
    }

    fn await_confirmation(&mut self) -> String {
        let deadline = Instant::now() + CONFIRM_TIMEOUT;
        let mut text = "goodbye sent, not confirmed".to_owned();
        'wait: while Instant::now() < deadline {
            if self.link.turn(Some(deadline)).is_err() {
                text = "goodbye sent, and the server closed".to_owned();
                break;
            }
            while let Some(reply) = self.link.poll_reply() {
                if reply
                    .command
                    .info()
                    .is_some_and(|info| info.code == "NetStream.Unpublish.Success")
                {
                    text = "goodbye confirmed".to_owned();
                    break 'wait;
                }
            }
        }
        self.hang_up();
        text
    }

    fn hang_up(&mut self) {
        if self.link.flush().is_ok() && self.link.shut() {
            self.link.wait_close(Some(Instant::now() + DRAIN_TIMEOUT));
        }
    }

    fn sit_in_the_dark(&mut self) -> String {
        self.link.fall_silent();
        match self.link.wait_close(None) {
            Some(after) => format!(
                "silent; the server closed after {:.1} s and {} pings",
                after.as_secs_f64(),
                self.link.pings()
            ),
            None => format!("silent until the end, {} pings came", self.link.pings()),
        }
    }

    fn tell_of_media(&self) -> String {
        let progress = &self.progress;
        format!(
            "{} video and {} audio frames sent, {} bytes, {:.3} s of media; the server acknowledged \
             {} times and pinged {} times",
            progress.video_frames,
            progress.audio_frames,
            progress.bytes,
            progress.time.as_secs_f64(),
            self.link.acknowledgements(),
            self.link.pings(),
        )
    }

    /// The next transaction id of a call whose answer is not awaited.
    fn next_id(&mut self) -> f64 {
        if self.oddities.has_transaction_zero {
            return 0.0;
        }
        self.calls += 1;
        f64::from(self.calls)
    }

    fn call_with_name(&mut self, name: &str) {
        let id = self.next_id();
        self.call(Command::new(name, id).with_argument(self.names.stream.as_str()));
    }

    fn call(&mut self, command: Command) {
        let csid = self.oddities.csids.command;
        send_command(&mut self.link, &self.oddities, csid, 0, &command);
    }

    /// Waits for `_result`; the answer is the message stream, if it names one.
    fn wait_result(
        &mut self,
        what: &'static str,
        stage: Stage,
        id: f64,
    ) -> Result<Option<u32>, ClientError> {
        let level_first = self.oddities.demands.level_first;
        self.link.wait_reply(what, |reply| {
            check_order(level_first, reply)?;
            let command = &reply.command;
            if command.transaction_id != id || command.name == Command::ON_STATUS {
                return Ok(None);
            }
            refusal(reply, stage)?;
            Ok((command.name == Command::RESULT).then(|| command.number(0).map(stream_id)))
        })
    }
}

pub(super) fn step(report: &mut dyn Report, number: u8, start: Instant, text: String) {
    report.step(Step {
        number,
        text,
        took: start.elapsed(),
    });
}

pub(super) fn send_command(
    link: &mut Link<'_>,
    oddities: &Oddities,
    csid: u32,
    msid: u32,
    command: &Command,
) {
    let mut body = command.encode();
    let message_type = match oddities.is_amf3 {
        true => {
            body.insert(0, 0);
            MessageType::COMMAND_AMF3
        }
        false => MessageType::COMMAND_AMF0,
    };
    link.send(&Outgoing {
        csid,
        msid,
        message_type,
        timestamp: 0,
        body: &body,
    });
}

fn outgoing<'a>(oddities: &Oddities, msid: u32, piece: &'a Piece) -> Outgoing<'a> {
    let csids = oddities.csids;
    let (csid, message_type) = match piece.track {
        Track::Audio => (csids.audio, MessageType::AUDIO),
        Track::Video => (csids.video, MessageType::VIDEO),
        Track::Data => (csids.data, MessageType::DATA_AMF0),
    };
    Outgoing {
        csid,
        msid: oddities.msid.unwrap_or(msid),
        message_type,
        timestamp: piece.timestamp,
        body: &piece.body,
    }
}
