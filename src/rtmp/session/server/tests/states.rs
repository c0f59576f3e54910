//! Every state against every request, compared with a table that people can read.

use std::fmt::Write as _;

use super::{CAM, METADATA};
use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::message::MessageType;
use crate::rtmp::session::Refusal;
use crate::rtmp::session::testing::{Arg, Subject};

/// Brings a session into a state; nothing is answered from then on.
type Prepare = fn() -> Subject;

const STATES: [(&str, Prepare); 8] = [
    ("idle", Subject::handshaken),
    ("connecting", || {
        let mut subject = Subject::handshaken();
        subject.accepting = false;
        subject.call(3, 0, "connect", 1.0, &[]);
        subject
    }),
    ("refused", || {
        let mut subject = Subject::handshaken();
        subject.accepting = false;
        subject.call(3, 0, "connect", 1.0, &[]);
        subject.session.reject_connect(&Refusal {
            code: "NetConnection.Connect.Rejected",
            description: String::new(),
        });
        subject
    }),
    ("connected", Subject::connected),
    ("publish asked", || {
        let mut subject = Subject::connected();
        subject.accepting = false;
        subject.call(4, 1, "publish", 3.0, CAM);
        subject
    }),
    ("publishing", Subject::publishing),
    ("play asked", || {
        let mut subject = Subject::connected();
        subject.accepting = false;
        subject.call(4, 1, "play", 3.0, CAM);
        subject
    }),
    ("playing", Subject::playing),
];

const OFF: &[Arg] = &[Arg::Null, Arg::Bool(false)];
const ON: &[Arg] = &[Arg::Null, Arg::Bool(true)];
const ONE: &[Arg] = &[Arg::Null, Arg::Number(1.0)];

/// Name in the table, message stream, command, arguments. All have transaction id 9.
const COMMANDS: [(&str, u32, &str, &[Arg]); 18] = [
    ("connect", 0, "connect", &[]),
    ("createStream", 0, "createStream", &[]),
    ("releaseStream", 0, "releaseStream", CAM),
    ("FCPublish", 0, "FCPublish", CAM),
    ("FCSubscribe", 0, "FCSubscribe", CAM),
    ("publish on 1", 1, "publish", CAM),
    ("publish on 2", 2, "publish", CAM),
    ("publish(false)", 1, "publish", OFF),
    ("play on 1", 1, "play", CAM),
    ("play on 2", 2, "play", CAM),
    ("play(false)", 1, "play", OFF),
    ("pause(true)", 1, "pause", ON),
    ("receiveVideo(false)", 1, "receiveVideo", OFF),
    ("receiveAudio(true)", 1, "receiveAudio", ON),
    ("closeStream", 1, "closeStream", &[]),
    ("deleteStream(1)", 0, "deleteStream", ONE),
    ("deleteStream(name)", 0, "deleteStream", CAM),
    ("FCUnpublish", 0, "FCUnpublish", CAM),
];

const MESSAGES: [(&str, MessageType, &[u8]); 3] = [
    ("audio", MessageType::AUDIO, &[0xAF, 1]),
    ("metadata", MessageType::DATA_AMF0, METADATA),
    ("ping", MessageType::USER_CONTROL, &[0, 6, 0, 0, 0, 1]),
];

/// What the caller does.
type Answer = fn(&mut Subject);

const ANSWERS: [(&str, Answer); 8] = {
    const MSID: MessageStreamId = MessageStreamId(1);
    const NO: Refusal = Refusal {
        code: "x",
        description: String::new(),
    };
    [
        ("accept_connect", |subject| subject.session.accept_connect()),
        ("reject_connect", |subject| {
            subject.session.reject_connect(&NO)
        }),
        ("accept_publish", |subject| {
            subject.session.accept_publish(subject.now, MSID);
        }),
        ("reject_publish", |subject| {
            subject.session.reject_publish(MSID, &NO)
        }),
        ("end_publish", |subject| {
            subject.session.end_publish(MSID, &NO)
        }),
        ("accept_play", |subject| {
            subject.session.accept_play(subject.now, MSID)
        }),
        ("reject_play", |subject| {
            subject.session.reject_play(MSID, &NO)
        }),
        ("end_play", |subject| subject.session.end_play(MSID)),
    ]
};

fn table() -> String {
    let mut table = String::new();
    for (state, prepare) in STATES {
        writeln!(table, "== {state}").unwrap();
        let mut row = |input: &str, act: &dyn Fn(&mut Subject) -> Vec<String>| {
            let mut subject = prepare();
            subject.accepting = false;
            subject.replies();
            subject.events();
            let replies = act(&mut subject);
            writeln!(table, "{input}").unwrap();
            for event in subject.events() {
                writeln!(table, "    event {event}").unwrap();
            }
            for reply in replies {
                writeln!(table, "    reply {reply}").unwrap();
            }
        };
        for (input, msid, name, values) in COMMANDS {
            row(input, &|subject| subject.call(3, msid, name, 9.0, values));
        }
        for (input, message_type, body) in MESSAGES {
            row(input, &|subject| subject.message(4, 1, message_type, body));
        }
        for (input, answer) in ANSWERS {
            row(input, &|subject| {
                answer(subject);
                subject.replies()
            });
        }
    }
    table
}

#[test]
fn every_state_meets_every_request() {
    let wanted = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/session/server_states.txt"
    ));
    let table = table();
    for (number, (is, should)) in table.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(is, should, "line {}; the whole table:\n{table}", number + 1);
    }
    assert_eq!(table, wanted);
}
