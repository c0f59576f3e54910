//! Every state against everything that servers say, compared with a table that people can read.

use std::fmt::Write as _;

use super::*;

const STATUS_CODES: [(&str, &str); 13] = [
    ("status", "NetConnection.Connect.Success"),
    ("error", "NetConnection.Connect.Rejected"),
    ("status", "NetConnection.Connect.Closed"),
    ("status", "NetStream.Publish.Start"),
    ("error", "NetStream.Publish.BadName"),
    ("status", "NetStream.Unpublish.Success"),
    ("status", "NetStream.Play.Reset"),
    ("status", "NetStream.Play.Start"),
    ("error", "NetStream.Play.StreamNotFound"),
    ("warning", "NetStream.Play.InsufficientBW"),
    ("status", "NetStream.Play.PublishNotify"),
    ("status", "NetStream.Play.UnpublishNotify"),
    ("status", "NetStream.Play.Stop"),
];

/// Name, transaction id, values.
const REPLIES: [(&str, f64, &[Arg]); 8] = [
    ("_result", 1.0, CONNECT_RESULT),
    ("_result", 2.0, &[Null, Number(1.0)]),
    ("_result", 4.0, &[Null, Number(1.0)]),
    ("_result", 5.0, &[]),
    ("_error", 2.0, &[]),
    ("_error", 4.0, &[]),
    ("onFCUnpublish", 0.0, &[]),
    ("close", 0.0, &[]),
];

fn states(role: ClientRole) -> Vec<(&'static str, Subject)> {
    let mut creating = Subject::connecting(role);
    creating.says("_result", 0, 1.0, CONNECT_RESULT);
    creating.events();
    let mut states = vec![
        ("connecting", Subject::connecting(role)),
        ("creating a stream", creating),
        ("starting", Subject::starting(role)),
        ("started", Subject::started(role)),
    ];
    match role {
        ClientRole::Publish => states.push(("closing", Subject::closing())),
        ClientRole::Play => {}
    }
    states
}

fn table() -> String {
    let mut table = String::new();
    for role in [ClientRole::Publish, ClientRole::Play] {
        for index in 0..states(role).len() {
            let (state, _) = states(role).swap_remove(index);
            writeln!(table, "== {role:?}: {state}").unwrap();
            let mut row = |input: &str, act: &dyn Fn(&mut Subject) -> Vec<String>| {
                let (_, mut subject) = states(role).swap_remove(index);
                let before = subject.session.state();
                let sent = act(&mut subject);
                let events = subject.events();
                let after = subject.session.state();
                if before == after && sent.is_empty() && events.is_empty() {
                    writeln!(table, "{input}: nothing").unwrap();
                    return;
                }
                writeln!(table, "{input}").unwrap();
                for event in events {
                    writeln!(table, "    event {event}").unwrap();
                }
                for message in sent {
                    writeln!(table, "    sent {message}").unwrap();
                }
                if before != after {
                    writeln!(table, "    now {after:?}").unwrap();
                }
            };
            for (name, id, values) in REPLIES {
                row(&format!("{name}({id})"), &|subject| {
                    subject.says(name, 0, id, values)
                });
            }
            for (level, code) in STATUS_CODES {
                row(code, &|subject| subject.status(level, code));
            }
            row("audio", &|subject| {
                subject.message(1, MessageType::AUDIO, &[0xAF, 1])
            });
            row("metadata", &|subject| {
                subject.message(1, MessageType::DATA_AMF0, b"\x02\x00\x0AonMetaData\x05")
            });
            row("StreamEOF", &|subject| {
                subject.message(0, MessageType::USER_CONTROL, &[0, 1, 0, 0, 0, 1])
            });
            row("close()", &|subject| {
                subject.session.close(subject.now);
                subject.sent()
            });
        }
    }
    table
}

#[test]
fn every_state_meets_everything_that_servers_say() {
    let wanted = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/session/client_states.txt"
    ));
    let table = table();
    for (number, (is, should)) in table.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(is, should, "line {}; the whole table:\n{table}", number + 1);
    }
    assert_eq!(table, wanted);
}
