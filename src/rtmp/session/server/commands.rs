//! The client's commands and what the server says.
//!
//! Commands come in any order (`FCPublish` before, after or without `createStream`), and any of
//! them may be missing. A call with a transaction id above 0 is answered with a result or an
//! error, unless its answer is a status (`publish`, `play`, `pause`, ...).

use super::{Play, Publish, ServerSession, State};
use crate::amf::{Object, Value};
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{ChunkStreamId, MessageStreamId};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::{Command, Level, status_info};
use crate::rtmp::message::control::{BandwidthLimit, Control};
use crate::rtmp::message::user_control::UserControl;
use crate::rtmp::session::arguments::{boolean, stream_id};
use crate::rtmp::session::{ConnectRequest, Note, Refusal, ServerEvent, TimerKind};

/// What Flash Media Server 3.0.1 called itself; clients look for no more than "FMS/".
const SERVER_VERSION: &str = "FMS/3,0,1,123";

/// `capabilities` as every server sends it.
const CAPABILITIES: f64 = 31.0;

/// Enhanced RTMP `FourCcInfoMask`: media of any codec is passed on, not decoded or encoded.
const CAN_FORWARD: f64 = 4.0;

/// Enhanced RTMP `CapsExMask`: Reconnect (1), Multitrack (2) and ModEx (4) pass through.
const CAPS_EX: f64 = 7.0;

/// `|RtmpSampleAccess`, false, false. Flash shows no picture without it.
const SAMPLE_ACCESS: &[u8] = b"\x02\x00\x11|RtmpSampleAccess\x01\x00\x01\x00";

/// `onStatus`, { code: NetStream.Data.Start }.
const DATA_START: &[u8] =
    b"\x02\x00\x08onStatus\x03\x00\x04code\x02\x00\x14NetStream.Data.Start\x00\x00\x09";

impl ServerSession {
    pub(super) fn on_command(&mut self, msid: MessageStreamId, command: Command) {
        if matches!(self.state, State::Idle) {
            return self.on_first_command(msid, command);
        }
        let id = command.transaction_id;
        match command.name.as_str() {
            "createStream" => self.on_create_stream(id),
            "publish" => self.on_publish(msid, &command),
            "play" => self.on_play(msid, &command),
            "pause" | "pauseRaw" => self.on_pause(msid, &command),
            "seek" => self.on_seek(msid),
            "receiveAudio" => self.on_receive(msid, MediaKind::Audio, &command),
            "receiveVideo" => self.on_receive(msid, MediaKind::Video, &command),
            "FCPublish" => self.on_fc_publish(msid, id),
            "FCUnpublish" => self.on_fc_unpublish(msid, id),
            "FCSubscribe" => self.on_fc_subscribe(msid, id),
            "closeStream" => {
                self.stop(self.stream_meant(msid));
                self.send_result(msid, id, vec![Value::Null]);
            }
            "deleteStream" => self.on_delete_stream(msid, &command),
            "getStreamLength" => self.send_result(msid, id, vec![Value::Null, Value::Number(0.0)]),
            "connect" => self.send_error(msid, id, "already connected"),
            // Replies, and the end of a connection: nothing to say.
            "_result" | "_error" | "onStatus" | "close" => {}
            // releaseStream, _checkbw and all that we do not know. An error would be as true for
            // the latter, but ffmpeg gives up on errors that it did not expect.
            _ => self.send_result(msid, id, vec![Value::Null]),
        }
    }

    /// The only command that may come first is `connect`.
    fn on_first_command(&mut self, msid: MessageStreamId, command: Command) {
        let transaction_id = command.transaction_id;
        if command.name != "connect" {
            self.note(Some(Note::CommandBeforeConnect));
            return self.send_error(msid, transaction_id, "connect first");
        }
        let object = match command.object {
            Value::Object(object) | Value::EcmaArray(object) => object,
            Value::TypedObject { object, .. } => object,
            _ => Object::default(),
        };
        let request = ConnectRequest::new(object);
        self.note(request.is_tc_url_odd().then_some(Note::TcUrlMisspelt));
        self.enhanced = request.is_enhanced();
        self.can_reconnect = request.capabilities.reconnect;
        self.state = State::Connecting { transaction_id };
        self.timers.stop(TimerKind::Request);
        self.events.push_back(ServerEvent::Connect(request));
    }

    fn on_create_stream(&mut self, id: f64) {
        let max = self.config.limits.message_streams_max;
        let msid = MessageStreamId::CONNECTION;
        match self.stream_ids.take(max) {
            // Sent even for transaction id 0: the client cannot go on without it.
            Some(new) => self.send_reply(
                "_result",
                msid,
                id,
                vec![Value::Null, Value::Number(f64::from(new))],
            ),
            None => self.send_error(msid, id, "too many streams on this connection"),
        }
    }

    fn on_publish(&mut self, msid: MessageStreamId, command: &Command) {
        let Some(name) = stream_name(command) else {
            return self.stop_publish(self.stream_meant(msid));
        };
        match &self.publish {
            // The same request again: one answer is on its way, or is repeated.
            Some(publish) if publish.msid == msid && publish.name == name => {
                if publish.accepted {
                    self.send_publish_start(msid);
                }
                return;
            }
            Some(_) => return self.send_bad_name(msid, "this connection already publishes"),
            None if self.is_playing(msid) => {
                return self.send_bad_name(msid, "this message stream plays");
            }
            None => {}
        }
        let is_typed = command.arguments.get(1).is_some();
        self.note((!is_typed).then_some(Note::PublishWithoutType));
        self.publish = Some(Box::new(Publish {
            msid,
            name: name.to_owned(),
            accepted: false,
        }));
        self.timers.stop(TimerKind::Request);
        let name = name.to_owned();
        self.events.push_back(ServerEvent::Publish { msid, name });
    }

    fn on_play(&mut self, msid: MessageStreamId, command: &Command) {
        let Some(name) = stream_name(command) else {
            return self.stop_play(self.stream_meant(msid));
        };
        if self.is_publishing(msid) {
            return self.send_play_failed(msid, "this message stream publishes");
        }
        match &self.play {
            Some(play) if play.msid == msid => self.stop_play(msid),
            Some(_) => return self.send_play_failed(msid, "this connection already plays"),
            None => {}
        }
        // name, start, duration, reset
        let reset = command.arguments.get(3).and_then(boolean);
        self.play = Some(Play {
            msid,
            accepted: false,
            reset: reset.unwrap_or(true),
            audio: true,
            video: true,
        });
        self.timers.stop(TimerKind::Request);
        let name = name.to_owned();
        self.events.push_back(ServerEvent::Play { msid, name });
    }

    fn on_pause(&mut self, msid: MessageStreamId, command: &Command) {
        let Some(msid) = self.playing(msid) else {
            return;
        };
        let paused = command.arguments.first().and_then(boolean).unwrap_or(true);
        let (event, code, description) = if paused {
            let event = UserControl::StreamEof(msid.0);
            (event, "NetStream.Pause.Notify", "paused")
        } else {
            let event = UserControl::StreamBegin(msid.0);
            (event, "NetStream.Unpause.Notify", "unpaused")
        };
        self.link.send_user_control(event);
        self.send_status(msid, code, description);
        self.events.push_back(ServerEvent::Paused(msid, paused));
    }

    /// There is nothing to seek in a live stream. The level is not `error`, at which ffmpeg would
    /// stop playing.
    fn on_seek(&mut self, msid: MessageStreamId) {
        if let Some(msid) = self.playing(msid) {
            let (level, code) = (Level::Warning, "NetStream.Seek.Failed");
            self.link
                .send_status(msid, level, code, "live streams cannot be searched");
        }
    }

    fn on_receive(&mut self, msid: MessageStreamId, kind: MediaKind, command: &Command) {
        let wanted = command.arguments.first().and_then(boolean).unwrap_or(true);
        let Some(play) = &mut self.play else { return };
        match kind {
            MediaKind::Audio => play.audio = wanted,
            MediaKind::Video => play.video = wanted,
        }
        let Some(msid) = self.playing(msid) else {
            return;
        };
        if wanted {
            self.send_status(msid, "NetStream.Seek.Notify", "media is on again");
            self.send_status(msid, "NetStream.Play.Start", "media is on again");
        }
        self.events
            .push_back(ServerEvent::Receive(msid, kind, wanted));
    }

    fn on_fc_publish(&mut self, msid: MessageStreamId, id: f64) {
        self.send_result(msid, id, vec![Value::Null]);
        self.fc_publish = true;
        let accepted = self.publish.as_ref().filter(|publish| publish.accepted);
        if let Some(msid) = accepted.map(|publish| publish.msid) {
            self.send_on_fc_publish(msid);
        }
    }

    fn on_fc_unpublish(&mut self, msid: MessageStreamId, id: f64) {
        if let Some(publish) = &self.publish {
            self.stop_publish(publish.msid);
        }
        let code = "NetStream.Unpublish.Success";
        self.send_notification(msid, "onFCUnpublish", code, "unpublished");
        self.send_result(msid, id, vec![Value::Null]);
    }

    fn on_fc_subscribe(&mut self, msid: MessageStreamId, id: f64) {
        self.send_result(msid, id, vec![Value::Null]);
        let code = "NetStream.Play.Start";
        self.send_notification(msid, "onFCSubscribe", code, "subscribed");
    }

    fn on_delete_stream(&mut self, msid: MessageStreamId, command: &Command) {
        // GStreamer sends the stream's name here, others nothing.
        let named = command.arguments.first().and_then(stream_id);
        let target = match named {
            Some(id) if id != 0 => MessageStreamId(id),
            _ => {
                self.note(Some(Note::StreamNumberMissing));
                self.stream_meant(msid)
            }
        };
        self.stop(target);
        self.stream_ids.free(target.0);
        self.send_result(msid, command.transaction_id, vec![Value::Null]);
    }

    /// Which stream a command means that came on `msid` and names none: that one if it is in
    /// use, else the only one that publishes or plays.
    fn stream_meant(&self, msid: MessageStreamId) -> MessageStreamId {
        let publish = self.publish.as_ref().map(|publish| publish.msid);
        let play = self.play.as_ref().map(|play| play.msid);
        let in_use = [publish, play].contains(&Some(msid)) || self.stream_ids.contains(msid.0);
        match (publish, play) {
            _ if in_use => msid,
            (Some(only), None) | (None, Some(only)) => only,
            _ => msid,
        }
    }

    /// The accepted play that a command on `msid` means.
    fn playing(&self, msid: MessageStreamId) -> Option<MessageStreamId> {
        let msid = self.stream_meant(msid);
        let play = self.play.as_ref().filter(|play| play.accepted);
        play.filter(|play| play.msid == msid).map(|play| play.msid)
    }

    /// Ends what publishes or plays on `msid`, at the client's wish.
    fn stop(&mut self, msid: MessageStreamId) {
        self.stop_publish(msid);
        self.stop_play(msid);
    }

    fn stop_publish(&mut self, msid: MessageStreamId) {
        if self.is_publishing(msid) {
            self.forget_publish();
            self.send_status(msid, "NetStream.Unpublish.Success", "unpublished");
            self.events.push_back(ServerEvent::Unpublished(msid));
        }
    }

    fn stop_play(&mut self, msid: MessageStreamId) {
        if self.is_playing(msid) {
            self.forget_play();
            self.events.push_back(ServerEvent::PlayStopped(msid));
        }
    }

    pub(super) fn send_connect_result(&mut self, id: f64) {
        self.link.announce_window(self.config.window_ack_size);
        let window = self.config.window_ack_size;
        let limit = BandwidthLimit::Dynamic;
        self.link
            .send_control(Control::SetPeerBandwidth(window, limit));
        // Before anything longer than 128 bytes: OBS keeps the chunk size of its last connection
        // until it is told another.
        self.link.announce_chunk_size(self.config.chunk_size);
        let mut server = Object::default();
        put(
            &mut server,
            "fmsVer",
            Value::String(SERVER_VERSION.to_owned()),
        );
        put(&mut server, "capabilities", Value::Number(CAPABILITIES));
        let code = "NetConnection.Connect.Success";
        let mut info = status_info(Level::Status, code, "connected");
        // Whatever was asked for: we write AMF0 only.
        put(&mut info, "objectEncoding", Value::Number(0.0));
        if self.enhanced {
            for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
                let mut codecs = Object::default();
                put(&mut codecs, "*", Value::Number(CAN_FORWARD));
                put(&mut info, map, Value::Object(codecs));
            }
            put(&mut info, "capsEx", Value::Number(CAPS_EX));
        }
        let values = vec![Value::Object(server), Value::Object(info)];
        self.send_reply("_result", MessageStreamId::CONNECTION, id, values);
    }

    pub(super) fn send_connect_error(&mut self, id: f64, refusal: &Refusal) {
        let info = status_info(Level::Error, refusal.code, &refusal.description);
        let values = vec![Value::Null, Value::Object(info)];
        self.send_reply("_error", MessageStreamId::CONNECTION, id, values);
    }

    /// On the message stream of the request: GStreamer ignores a status on another one.
    pub(super) fn send_publish_start(&mut self, msid: MessageStreamId) {
        if self.fc_publish {
            self.send_on_fc_publish(msid);
        }
        self.link
            .send_user_control(UserControl::StreamBegin(msid.0));
        self.send_status(msid, "NetStream.Publish.Start", "publishing");
    }

    pub(super) fn send_play_start(&mut self, msid: MessageStreamId, reset: bool) {
        self.link
            .send_user_control(UserControl::StreamBegin(msid.0));
        if reset {
            self.send_status(msid, "NetStream.Play.Reset", "playing anew");
        }
        self.send_status(msid, "NetStream.Play.Start", "playing");
        // On the command csid: the caller's encoder owns the others.
        for body in [SAMPLE_ACCESS, DATA_START] {
            let csid = ChunkStreamId::COMMAND;
            self.link.send(csid, msid, MessageType::DATA_AMF0, 0, body);
        }
    }

    pub(super) fn send_play_end(&mut self, msid: MessageStreamId) {
        self.link.send_user_control(UserControl::StreamEof(msid.0));
        self.send_status(msid, "NetStream.Play.UnpublishNotify", "the publisher left");
        self.send_status(msid, "NetStream.Play.Stop", "the live stream ended");
    }

    pub(super) fn send_reconnect_request(&mut self, tc_url: Option<&str>, description: &str) {
        let code = "NetConnection.Connect.ReconnectRequest";
        let mut info = status_info(Level::Status, code, description);
        if let Some(tc_url) = tc_url {
            put(&mut info, "tcUrl", Value::String(tc_url.to_owned()));
        }
        let values = vec![Value::Null, Value::Object(info)];
        self.send_reply("onStatus", MessageStreamId::CONNECTION, 0.0, values);
    }

    pub(super) fn send_refusal(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        let friendly = refusal.code.ends_with("Success") || refusal.code.ends_with("Notify");
        let level = if friendly {
            Level::Status
        } else {
            Level::Error
        };
        self.link
            .send_status(msid, level, refusal.code, &refusal.description);
    }

    fn send_bad_name(&mut self, msid: MessageStreamId, description: &str) {
        let (level, code) = (Level::Error, "NetStream.Publish.BadName");
        self.link.send_status(msid, level, code, description);
    }

    fn send_play_failed(&mut self, msid: MessageStreamId, description: &str) {
        let (level, code) = (Level::Error, "NetStream.Play.Failed");
        self.link.send_status(msid, level, code, description);
    }

    fn send_status(&mut self, msid: MessageStreamId, code: &str, description: &str) {
        self.link
            .send_status(msid, Level::Status, code, description);
    }

    fn send_on_fc_publish(&mut self, msid: MessageStreamId) {
        let code = "NetStream.Publish.Start";
        self.send_notification(msid, "onFCPublish", code, "publishing");
    }

    /// A call of ours that wants no reply and carries an information object.
    fn send_notification(
        &mut self,
        msid: MessageStreamId,
        name: &str,
        code: &str,
        description: &str,
    ) {
        let info = status_info(Level::Status, code, description);
        self.send_reply(name, msid, 0.0, vec![Value::Null, Value::Object(info)]);
    }

    /// A reply to a call that wants one (transaction id above 0).
    fn send_result(&mut self, msid: MessageStreamId, id: f64, values: Vec<Value>) {
        if id > 0.0 {
            self.send_reply("_result", msid, id, values);
        }
    }

    fn send_error(&mut self, msid: MessageStreamId, id: f64, description: &str) {
        if id > 0.0 {
            let info = status_info(Level::Error, "NetConnection.Call.Failed", description);
            let values = vec![Value::Null, Value::Object(info)];
            self.send_reply("_error", msid, id, values);
        }
    }

    /// `values` are the command object and what follows it.
    fn send_reply(&mut self, name: &str, msid: MessageStreamId, id: f64, values: Vec<Value>) {
        let mut values = values.into_iter();
        let command = Command {
            name: name.to_owned(),
            transaction_id: id,
            object: values.next().unwrap_or(Value::Null),
            arguments: values.collect(),
        };
        self.link
            .send_command(ChunkStreamId::COMMAND, msid, &command);
    }
}

/// The first argument of `publish` and `play`. `None` for `false`, which is how Flash stops;
/// missing, null and so on are an empty name, which is legal (the key is in the app, then).
fn stream_name(command: &Command) -> Option<&str> {
    match command.arguments.first() {
        Some(Value::Boolean(false)) => None,
        name => Some(name.and_then(Value::as_str).unwrap_or_default()),
    }
}

fn put(object: &mut Object, key: &str, value: Value) {
    object.properties.push((key.to_owned(), value));
}
