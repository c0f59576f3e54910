//! The client session against scripted servers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod states;

use std::time::{Duration, Instant};

use super::*;
use crate::amf::Value;
use crate::rtmp::authentication::{AuthMode, Demand};
use crate::rtmp::message::command::Command;
use crate::rtmp::session::testing::Arg::{self, Fields, Null, Number, Text};
use crate::rtmp::session::testing::{HANDSHAKE_BYTES, Wire, command_body, handshake_bytes};
use crate::rtmp::session::{EndReason, Rejection, SessionLimits, Stage};

const SECOND: Duration = Duration::from_secs(1);

/// A client session with a scripted server on the other end.
struct Subject {
    session: ClientSession,
    wire: Wire,
    now: Instant,
}

fn config(role: ClientRole) -> ClientConfig {
    ClientConfig {
        role,
        app: "live".to_owned(),
        stream_name: "cam?token=1".to_owned(),
        tc_url: "rtmp://localhost/live".to_owned(),
        digest: None,
        chunk_size: 4096,
        limits: SessionLimits::default(),
    }
}

impl Subject {
    /// `connect` is sent.
    fn connecting(role: ClientRole) -> Self {
        let now = Instant::now();
        let mut session = ClientSession::new(config(role), 1, now);
        assert_eq!(session.state(), ClientState::Handshaking);
        session.handle_input(now, &handshake_bytes()).unwrap();
        assert_eq!(session.state(), ClientState::Connecting);
        let output = session.poll_output().unwrap();
        let mut wire = Wire::new();
        let sent = wire.read(&output[HANDSHAKE_BYTES..]);
        assert_eq!(sent.len(), 1);
        let mut subject = Self { session, wire, now };
        assert_eq!(subject.events(), ["Handshaken(Simple)"]);
        subject
    }

    /// `publish` or `play` is sent.
    fn starting(role: ClientRole) -> Self {
        let mut subject = Self::connecting(role);
        subject.says("_result", 0, 1.0, CONNECT_RESULT);
        let id = subject.session.create_stream_id();
        subject.says("_result", 0, id, &[Null, Number(1.0)]);
        assert_eq!(subject.session.state(), ClientState::Starting);
        subject.events();
        subject
    }

    fn started(role: ClientRole) -> Self {
        let mut subject = Self::starting(role);
        let code = match role {
            ClientRole::Publish => "NetStream.Publish.Start",
            ClientRole::Play => "NetStream.Play.Start",
        };
        subject.status("status", code);
        assert_eq!(subject.events(), ["Started"]);
        subject
    }

    fn closing() -> Self {
        let mut subject = Self::started(ClientRole::Publish);
        subject.session.close(subject.now);
        subject.sent();
        assert_eq!(subject.session.state(), ClientState::Closing);
        subject
    }

    /// A command from the server, and what we say then.
    fn says(&mut self, name: &str, msid: u32, id: f64, values: &[Arg]) -> Vec<String> {
        let body = command_body(name, id, values);
        self.message(msid, MessageType::COMMAND_AMF0, &body)
    }

    fn message(&mut self, msid: u32, message_type: MessageType, body: &[u8]) -> Vec<String> {
        let bytes = self.wire.write(3, msid, message_type, 0, body);
        self.session.handle_input(self.now, &bytes).unwrap();
        self.sent()
    }

    fn status(&mut self, level: &'static str, code: &'static str) -> Vec<String> {
        let body = Command {
            name: "onStatus".to_owned(),
            transaction_id: 0.0,
            object: Value::Null,
            arguments: vec![Value::Object(crate::amf::Object {
                properties: [("level", level), ("code", code), ("description", "why")]
                    .map(|(key, text)| (key.to_owned(), Text(text).value()))
                    .to_vec(),
            })],
        };
        self.message(1, MessageType::COMMAND_AMF0, &body.encode())
    }

    fn sent(&mut self) -> Vec<String> {
        let output = self.session.poll_output().unwrap_or_default();
        self.wire.read_text(&output)
    }

    fn events(&mut self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.session.poll_event());
        events.map(|event| format!("{event:?}")).collect()
    }

    fn wait(&mut self, time: Duration) -> Result<(), SessionError> {
        self.now += time;
        self.session.handle_timeout(self.now)
    }
}

const CONNECT_RESULT: &[Arg] = &[
    Fields(&[("fmsVer", Text("FMS/3,0,1,123"))]),
    Fields(&[
        ("level", Text("status")),
        ("code", Text("NetConnection.Connect.Success")),
    ]),
];

#[test]
fn publish_goes_step_by_step() {
    let mut subject = Subject::connecting(ClientRole::Publish);
    assert_eq!(
        subject.says("_result", 0, 1.0, CONNECT_RESULT),
        [
            "SetChunkSize(4096)",
            "releaseStream(2) m0 \"cam?token=1\"",
            "FCPublish(3) m0 \"cam?token=1\"",
            "createStream(4) m0",
        ]
    );
    assert_eq!(subject.events(), ["Connected"]);
    assert!(subject.says("_error", 0, 2.0, &[]).is_empty());
    assert!(
        subject
            .says("_result", 0, 3.0, &[Null, Number(0.0)])
            .is_empty()
    );
    assert!(
        subject
            .says("onFCPublish", 0, 0.0, CONNECT_RESULT)
            .is_empty()
    );
    assert!(
        subject
            .says("onBWDone", 0, 0.0, &[Null, Number(8192.0)])
            .is_empty()
    );
    assert_eq!(
        subject.says("_result", 0, 4.0, &[Null, Number(1.0)]),
        ["publish(5) m1 \"cam?token=1\" \"live\""]
    );
    // Not before the start.
    subject.session.send_media(MediaKind::Video, 0, &[0x17]);
    assert!(subject.sent().is_empty());
    subject.status("status", "NetStream.Publish.Start");
    subject.status("status", "NetStream.Publish.Start");
    assert_eq!(
        subject.events(),
        [
            "Started",
            "Status { level: \"status\", code: \"NetStream.Publish.Start\", description: \"why\" }"
        ]
    );
    subject.session.send_metadata(b"\x02\x00\x0AonMetaData\x05");
    subject.session.send_media(MediaKind::Video, 0, &[0x17, 0]);
    subject.session.send_media(MediaKind::Audio, 5, &[0xAF, 1]);
    subject.session.send_media(MediaKind::Audio, 6, &[]);
    subject.session.send_media(MediaKind::Video, 40, &[0x27, 1]);
    subject.session.send_data(41, b"\x02\x00\x01x");
    assert_eq!(
        subject.sent(),
        [
            "data m1 @setDataFrame",
            "video m1 t0 [17, 00]",
            "audio m1 t5 [AF, 01]",
            "video m1 t40 [27, 01]",
            "data m1 x",
        ]
    );
    subject.session.close(subject.now);
    assert_eq!(
        subject.sent(),
        ["FCUnpublish(6) m0 \"cam?token=1\"", "deleteStream(7) m0 1"]
    );
    assert_eq!(subject.session.state(), ClientState::Closing);
    subject.status("status", "NetStream.Unpublish.Success");
    assert_eq!(
        subject.events(),
        ["CloseConfirmed(\"NetStream.Unpublish.Success\")"]
    );
    assert_eq!(subject.session.state(), ClientState::Closed);
    assert_eq!(subject.session.poll_timeout(), None);
}

#[test]
fn play_goes_step_by_step() {
    let mut subject = Subject::connecting(ClientRole::Play);
    assert_eq!(
        subject.says("_result", 0, 1.0, CONNECT_RESULT),
        ["WindowAckSize(2500000)", "createStream(2) m0"]
    );
    assert_eq!(
        subject.says("_result", 0, 2.0, &[Null, Number(1.0)]),
        [
            "play(3) m1 \"cam?token=1\" -2000",
            "SetBufferLength(1, 3000)"
        ]
    );
    assert_eq!(subject.events(), ["Connected"]);
    subject.status("status", "NetStream.Play.Reset");
    subject.status("status", "NetStream.Play.Start");
    let events = subject.events();
    assert_eq!(events[0], "Started");
    assert!(events[1].contains("NetStream.Play.Start"), "{events:?}");
    // Flash's permissions and Data.Start are nobody's business.
    subject.message(
        1,
        MessageType::DATA_AMF0,
        b"\x02\x00\x11|RtmpSampleAccess\x01\x00",
    );
    subject.message(1, MessageType::DATA_AMF0, b"\x02\x00\x08onStatus\x05");
    subject.message(1, MessageType::DATA_AMF0, b"\x02\x00\x0AonMetaData\x05");
    subject.message(1, MessageType::DATA_AMF0, b"\x02\x00\x0AonTextData\x05");
    subject.message(7, MessageType::VIDEO, &[0x17, 0]);
    subject.message(0, MessageType::AUDIO, &[]);
    subject.message(0, MessageType::USER_CONTROL, &[0, 1, 0, 0, 0, 1]);
    let aggregate = [8, 0, 0, 1, 0, 0, 10, 0, 0, 0, 0, 0xAF, 0, 0, 0, 12, 9];
    subject.message(1, MessageType::AGGREGATE, &aggregate);
    assert_eq!(
        subject.events(),
        [
            "Metadata(Payload(14 bytes))",
            "Data { timestamp: 0, payload: Payload(14 bytes) }",
            "Media { kind: Video, timestamp: 0, payload: Payload(2 bytes) }",
            "Media { kind: Audio, timestamp: 0, payload: Payload(1 bytes) }",
        ]
    );
    assert_eq!(subject.session.state(), ClientState::Started);
    subject.session.close(subject.now);
    assert_eq!(subject.sent(), ["deleteStream(4) m0 1"]);
    assert_eq!(subject.session.state(), ClientState::Closed);
    subject.session.close(subject.now);
    assert!(subject.sent().is_empty());
}

#[test]
fn connect_objects_differ_by_role() {
    let sent = |role, four_cc: Option<&'static [&'static str]>| {
        let now = Instant::now();
        let mut session = ClientSession::new(config(role), 1, now);
        if let Some(list) = four_cc {
            session.declare_four_cc(list);
        }
        session.handle_input(now, &handshake_bytes()).unwrap();
        let output = session.poll_output().unwrap();
        Wire::new().read_text(&output[HANDSHAKE_BYTES..])
    };
    assert_eq!(
        sent(ClientRole::Publish, None),
        ["connect(1) m0 {app,type,flashVer,swfUrl,tcUrl}"]
    );
    assert_eq!(
        sent(ClientRole::Publish, Some(&["hvc1"])),
        ["connect(1) m0 {app,type,flashVer,swfUrl,tcUrl,fourCcList}"]
    );
    let fields = "app,flashVer,tcUrl,fpad,capabilities,audioCodecs,videoCodecs,videoFunction,\
                  objectEncoding";
    assert_eq!(
        sent(ClientRole::Play, None),
        [format!("connect(1) m0 {{{fields},fourCcList}}")]
    );
    assert_eq!(
        sent(ClientRole::Play, Some(&[])),
        [format!("connect(1) m0 {{{fields}}}")]
    );
    let now = Instant::now();
    let mut session = ClientSession::new(config(ClientRole::Publish), 1, now);
    session.declare_reconnect();
    session.handle_input(now, &handshake_bytes()).unwrap();
    let output = session.poll_output().unwrap();
    assert_eq!(
        Wire::new().read_text(&output[HANDSHAKE_BYTES..]),
        ["connect(1) m0 {app,type,flashVer,swfUrl,tcUrl,capsEx}"]
    );
}

#[test]
fn authentication_goes_behind_app_and_url() {
    for role in [ClientRole::Publish, ClientRole::Play] {
        let now = Instant::now();
        let mut session = ClientSession::new(config(role), 1, now);
        session.authenticate("?authmod=adobe&user=u".to_owned());
        session.handle_input(now, &handshake_bytes()).unwrap();
        let output = session.poll_output().unwrap();
        let connect = Wire::new().read(&output[HANDSHAKE_BYTES..]).remove(0);
        let limits = &SessionLimits::default().amf;
        let connect = Command::decode(connect.payload.as_slice(), false, limits).unwrap();
        let object = connect.object.as_object().unwrap();
        let field = |key| object.get_ignore_case(key).and_then(Value::as_str);
        assert_eq!(field("app"), Some("live?authmod=adobe&user=u"));
        let url = "rtmp://localhost/live";
        assert_eq!(
            field("tcUrl"),
            Some(&*format!("{url}?authmod=adobe&user=u"))
        );
        let is_publisher = role == ClientRole::Publish;
        assert_eq!(field("swfUrl"), is_publisher.then_some(url));
    }
}

/// Each of these is an answer to `publish` and `play` that some server gives.
#[test]
fn starts_come_in_many_forms() {
    let start = |role, act: &dyn Fn(&mut Subject)| {
        let mut subject = Subject::starting(role);
        act(&mut subject);
        subject.events()
    };
    let info: &[Arg] = &[Null, Fields(&[("code", Text("NetStream.Publish.Start"))])];
    let under_id = |subject: &mut Subject| drop(subject.says("onStatus", 1, 5.0, info));
    assert_eq!(start(ClientRole::Publish, &under_id), ["Started"]);
    let on_connection = |subject: &mut Subject| drop(subject.says("onStatus", 0, 0.0, info));
    assert_eq!(start(ClientRole::Publish, &on_connection), ["Started"]);
    let result = |subject: &mut Subject| drop(subject.says("_result", 0, 5.0, &[]));
    assert_eq!(start(ClientRole::Publish, &result), ["Started"]);
    let result = |subject: &mut Subject| drop(subject.says("_result", 0, 3.0, &[]));
    assert_eq!(start(ClientRole::Play, &result), ["Started"]);
    for code in [
        "NetStream.Play.Start",
        "NetStream.Play.Reset",
        "NetStream.Play.PublishNotify",
    ] {
        let status = |subject: &mut Subject| drop(subject.status("status", code));
        assert_eq!(start(ClientRole::Play, &status), ["Started"], "{code}");
    }
    let media = |subject: &mut Subject| drop(subject.message(1, MessageType::AUDIO, &[0xAF, 1]));
    let events = start(ClientRole::Play, &media);
    assert_eq!(events[0], "Started");
    assert!(events[1].starts_with("Media"), "{events:?}");
    // A warning, and the start of the other role, are none.
    let warning = |subject: &mut Subject| {
        subject.status("warning", "NetStream.Play.InsufficientBW");
        subject.status("warning", "NetStream.Play.Failed");
        subject.status("status", "NetStream.Publish.Start");
    };
    let events = start(ClientRole::Play, &warning);
    assert!(
        events.iter().all(|event| event.starts_with("Status")),
        "{events:?}"
    );
}

#[test]
fn replies_are_matched_leniently() {
    // connect under another id; createStream under one of the server's own.
    let mut subject = Subject::connecting(ClientRole::Play);
    subject.says("_result", 0, 0.0, CONNECT_RESULT);
    assert_eq!(subject.session.state(), ClientState::CreatingStream);
    subject.says("_result", 0, 77.0, &[Null, Number(3.0)]);
    assert_eq!(subject.session.state(), ClientState::Starting);
    assert_eq!(subject.session.msid, MessageStreamId(3));
    // onStatus in place of the result.
    let mut subject = Subject::connecting(ClientRole::Play);
    subject.status("status", "NetConnection.Connect.Success");
    assert_eq!(subject.session.state(), ClientState::CreatingStream);
    // A result that is not for us.
    let mut subject = Subject::connecting(ClientRole::Play);
    subject.says("_result", 0, 9.0, &[]);
    assert_eq!(subject.session.state(), ClientState::Connecting);
    // Undefined in the place of null.
    let mut subject = Subject::connecting(ClientRole::Publish);
    subject.says("_result", 0, 1.0, CONNECT_RESULT);
    let body = b"\x02\x00\x07_result\x00\x40\x10\x00\x00\x00\x00\x00\x00\x06\x00\x3F\xF0\x00\x00\x00\x00\x00\x00";
    let sent = subject.message(0, MessageType::COMMAND_AMF0, body);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(subject.session.state(), ClientState::Starting);
}

#[track_caller]
fn assert_rejected(subject: &mut Subject, stage: Stage, code: &str, description: &str) {
    let events: Vec<_> = std::iter::from_fn(|| subject.session.poll_event()).collect();
    let rejection = Rejection {
        stage,
        code: code.to_owned(),
        description: description.to_owned(),
    };
    assert_eq!(events, [ClientEvent::Rejected(rejection)]);
    assert_eq!(subject.session.state(), ClientState::Closed);
    assert_eq!(subject.session.poll_timeout(), None);
    // Final: nothing that follows is even read.
    assert_eq!(
        subject.session.handle_input(subject.now, &[0xFF; 99]),
        Ok(())
    );
    assert!(subject.events().is_empty());
}

#[test]
fn refusals_name_stage_and_reason() {
    let no: &[Arg] = &[
        Null,
        Fields(&[
            ("level", Text("error")),
            ("code", Text("NetConnection.Connect.Rejected")),
            ("description", Text("no")),
        ]),
    ];
    let connect_code = "NetConnection.Connect.Rejected";
    for (name, id) in [
        ("_error", 1.0),
        ("_error", 0.0),
        ("_result", 1.0),
        ("onStatus", 0.0),
    ] {
        let mut subject = Subject::connecting(ClientRole::Publish);
        subject.says(name, 0, id, no);
        assert_rejected(&mut subject, Stage::Connect, connect_code, "no");
    }
    for (role, id) in [(ClientRole::Publish, 4.0), (ClientRole::Play, 2.0)] {
        let mut subject = Subject::connecting(role);
        subject.says("_result", 0, 1.0, CONNECT_RESULT);
        subject.events();
        subject.says("_error", 0, id, &[]);
        assert_rejected(&mut subject, Stage::CreateStream, "", "");
    }
    for code in [
        "NetStream.Publish.BadName",
        "NetStream.Publish.Denied",
        "NetStream.Publish.Rejected",
        "NetStream.Publish.BadAuth",
    ] {
        for level in ["error", "status", ""] {
            let mut subject = Subject::starting(ClientRole::Publish);
            subject.status(level, code);
            assert_rejected(&mut subject, Stage::Publish, code, "why");
        }
        // A takeover.
        let mut subject = Subject::started(ClientRole::Publish);
        subject.status("error", code);
        assert_rejected(&mut subject, Stage::Publish, code, "why");
    }
    for code in [
        "NetStream.Play.StreamNotFound",
        "NetStream.Play.Failed",
        "NetStream.Odd",
    ] {
        let mut subject = Subject::starting(ClientRole::Play);
        subject.status("error", code);
        assert_rejected(&mut subject, Stage::Play, code, "why");
    }
    let mut subject = Subject::starting(ClientRole::Play);
    subject.says("_error", 0, 3.0, &[]);
    assert_rejected(&mut subject, Stage::Play, "", "");
}

#[test]
fn demands_for_a_password_and_redirects_are_told() {
    let mut demand = Rejection {
        stage: Stage::Connect,
        code: String::new(),
        description: "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ".into(),
    };
    assert_eq!(demand.demand(), Some(Demand::Name(AuthMode::Adobe)));
    demand.stage = Stage::Publish;
    assert_eq!(demand.demand(), None);
    let mut subject = Subject::connecting(ClientRole::Publish);
    let moved: &[Arg] = &[
        Null,
        Fields(&[
            ("level", Text("error")),
            ("code", Text("NetConnection.Connect.Rejected")),
            ("description", Text("moved")),
            (
                "ex",
                Fields(&[("code", Number(302.0)), ("redirect", Text("rtmp://b/live"))]),
            ),
        ]),
    ];
    subject.says("_error", 0, 1.0, moved);
    let code = "NetConnection.Connect.Rejected";
    assert_rejected(
        &mut subject,
        Stage::Connect,
        code,
        "moved (moved to rtmp://b/live)",
    );
}

#[track_caller]
fn assert_ends(subject: &mut Subject, reason: EndReason) {
    assert_eq!(subject.events(), [format!("Ended({reason:?})")]);
    assert_eq!(subject.session.state(), ClientState::Closed);
}

#[test]
fn what_ends_a_stream_and_what_does_not() {
    for (code, reason) in [
        ("NetStream.Play.UnpublishNotify", EndReason::Unpublished),
        ("NetStream.Play.Stop", EndReason::Stopped),
        ("NetStream.Play.Complete", EndReason::Stopped),
        ("NetConnection.Connect.Closed", EndReason::ServerClosed),
        ("NetConnection.Connect.AppShutdown", EndReason::ServerClosed),
    ] {
        let mut subject = Subject::started(ClientRole::Play);
        subject.status("status", code);
        assert_ends(&mut subject, reason);
    }
    let mut subject = Subject::started(ClientRole::Play);
    let complete =
        b"\x02\x00\x0ConPlayStatus\x03\x00\x04code\x02\x00\x17NetStream.Play.Complete\x00\x00\x09";
    subject.message(1, MessageType::DATA_AMF0, complete);
    assert_ends(&mut subject, EndReason::Stopped);
    let mut subject = Subject::started(ClientRole::Publish);
    subject.says("close", 0, 0.0, &[]);
    assert_ends(&mut subject, EndReason::ServerClosed);
    let mut subject = Subject::started(ClientRole::Publish);
    subject.status("status", "NetStream.Unpublish.Success");
    assert_ends(&mut subject, EndReason::Unpublished);
    // StreamEOF, StreamDry, the buffer states of FMS and a wish to reconnect do not.
    let mut subject = Subject::started(ClientRole::Play);
    subject.message(0, MessageType::USER_CONTROL, &[0, 1, 0, 0, 0, 1]);
    subject.message(0, MessageType::USER_CONTROL, &[0, 2, 0, 0, 0, 1]);
    subject.message(0, MessageType::USER_CONTROL, &[0, 31, 0, 0, 0, 1]);
    subject.message(0, MessageType::USER_CONTROL, &[0, 32, 0, 0, 0, 1]);
    let request: &[Arg] = &[
        Null,
        Fields(&[
            ("level", Text("status")),
            ("code", Text("NetConnection.Connect.ReconnectRequest")),
            ("tcUrl", Text("rtmp://b/live")),
        ]),
    ];
    subject.says("onStatus", 0, 0.0, request);
    subject.status("status", "NetConnection.Connect.ReconnectRequest");
    assert_eq!(
        subject.events(),
        [
            "ReconnectRequested(Some(\"rtmp://b/live\"))",
            "ReconnectRequested(None)"
        ]
    );
    assert_eq!(subject.session.state(), ClientState::Started);
}

#[test]
fn a_close_is_confirmed_in_many_forms() {
    let code: &[Arg] = &[
        Null,
        Fields(&[("code", Text("NetStream.Unpublish.Success"))]),
    ];
    for (name, id, values, by) in [
        ("onStatus", 0.0, code, "NetStream.Unpublish.Success"),
        ("onFCUnpublish", 0.0, code, "onFCUnpublish"),
        ("_result", 6.0, &[], "_result of FCUnpublish"),
        ("_result", 7.0, &[], "_result of deleteStream"),
        ("close", 0.0, &[], "close"),
    ] {
        let mut subject = Subject::closing();
        subject.says(name, 0, id, values);
        assert_eq!(subject.events(), [format!("CloseConfirmed({by:?})")]);
        assert_eq!(subject.session.state(), ClientState::Closed);
    }
    let mut subject = Subject::closing();
    subject.status("status", "NetStream.Publish.Start");
    subject.says("_result", 0, 5.0, &[]);
    subject.says("_error", 0, 6.0, &[]);
    subject.session.close(subject.now);
    assert!(subject.sent().is_empty());
    assert!(subject.events().is_empty());
    assert_eq!(subject.session.state(), ClientState::Closing);
    // Who has no stream yet has nothing to close.
    for role in [ClientRole::Publish, ClientRole::Play] {
        let mut subject = Subject::connecting(role);
        subject.session.close(subject.now);
        assert!(subject.sent().is_empty());
        assert_eq!(subject.session.state(), ClientState::Closed);
    }
}

#[test]
fn every_reply_has_its_time() {
    let expect = |mut subject: Subject, after: u32, kind| {
        assert_eq!(subject.wait(SECOND * (after - 1)), Ok(()));
        assert_eq!(subject.session.poll_timeout(), Some(subject.now + SECOND));
        assert_eq!(subject.wait(SECOND), Err(SessionError::Timeout(kind)));
    };
    for role in [ClientRole::Publish, ClientRole::Play] {
        expect(Subject::connecting(role), 20, TimerKind::Reply);
        expect(Subject::starting(role), 20, TimerKind::Reply);
    }
    expect(
        Subject::started(ClientRole::Play),
        30,
        TimerKind::FirstMedia,
    );
    let mut subject = Subject::started(ClientRole::Play);
    subject.message(1, MessageType::AUDIO, &[]);
    expect(subject, 20, TimerKind::MediaIdle);
    // A publisher has nothing to wait for.
    let subject = Subject::started(ClientRole::Publish);
    assert_eq!(subject.session.poll_timeout(), None);
    let now = Instant::now();
    let mut session = ClientSession::new(config(ClientRole::Play), 1, now);
    let timeout = session.handle_timeout(now + 10 * SECOND);
    assert_eq!(timeout, Err(SessionError::Timeout(TimerKind::Handshake)));
}

#[test]
fn pings_are_answered_and_windows_acknowledged() {
    let mut subject = Subject::started(ClientRole::Play);
    let sent = subject.message(0, MessageType::USER_CONTROL, &[0, 6, 0, 0, 0, 9]);
    assert_eq!(sent, ["PingResponse(9)"]);
    let window = 40_000_u32.to_be_bytes();
    subject.message(0, MessageType::WINDOW_ACK_SIZE, &window);
    let sent = subject.message(1, MessageType::VIDEO, &[0x27; 40_000]);
    assert_eq!(sent, ["Acknowledgement(40000)"]);
    // Requests of the server to us, and what cannot be read, are no reason to go.
    assert!(subject.says("setSomething", 0, 5.0, &[]).is_empty());
    subject.message(0, MessageType::WINDOW_ACK_SIZE, &[1]);
    subject.message(0, MessageType::USER_CONTROL, &[]);
    subject.message(1, MessageType::AGGREGATE, &[9, 9, 9]);
    assert!(
        subject
            .events()
            .iter()
            .all(|event| event.starts_with("Media"))
    );
}

/// What nginx-rtmp sent to ffmpeg, whose transaction ids are the same as ours up to `play`.
#[test]
fn nginx_is_understood_in_every_cut() {
    let capture = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/session/nginx_to_player.bin"
    ));
    let run = |cut: &mut dyn FnMut() -> usize| {
        let now = Instant::now();
        let mut session = ClientSession::new(config(ClientRole::Play), 1, now);
        let mut rest = &capture[..];
        let (mut output, mut events) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(cut().min(rest.len()));
            rest = behind;
            session.handle_input(now, piece).unwrap();
            output.extend(session.poll_output().unwrap_or_default());
            events.extend(std::iter::from_fn(|| session.poll_event()));
        }
        (events, output)
    };
    let whole = run(&mut || usize::MAX);
    let media = |kind| {
        let is = |event: &&ClientEvent| matches!(event, ClientEvent::Media { kind: k, .. } if *k == kind);
        whole.0.iter().filter(is).count()
    };
    assert!(whole.0.contains(&ClientEvent::Started), "{:?}", whole.0);
    let metadata = |event: &ClientEvent| matches!(event, ClientEvent::Metadata(_));
    assert_eq!(whole.0.iter().filter(|event| metadata(event)).count(), 1);
    assert!(
        media(MediaKind::Audio) > 5 && media(MediaKind::Video) > 5,
        "{:?}",
        whole.0
    );
    assert!(run(&mut || 1) == whole);
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        assert!(run(&mut || random.usize(1..500)) == whole, "seed {seed}");
    }
}

#[test]
fn random_bytes_after_the_handshake_never_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        let mut subject = Subject::started(ClientRole::Play);
        for _ in 0..4 {
            let bytes: Vec<u8> = (0..random.usize(1..600)).map(|_| random.u8(..)).collect();
            if subject.session.handle_input(subject.now, &bytes).is_err() {
                break;
            }
        }
    }
}
