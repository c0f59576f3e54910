//! Servers that want to be addressed in another manner than most: push and pull find it, and say
//! what happened first when none helps.

use std::path::Path;

use crate::support::flv;
use crate::support::frames::assert_whole;
use crate::support::gate::{Gate, Opening, Verdict};
use crate::support::media::Sample;
use crate::support::process::{Finished, Process};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

fn push(url: &str) -> Process {
    let sample = Sample::BFrames.path();
    Process::millstream("push", ["push", "-v", sample.to_str().unwrap(), url])
}

fn pull(url: &str, file: &Path) -> Process {
    Process::millstream("pull", ["pull", "-v", url, file.to_str().unwrap()])
}

/// A stream through the gate, pushed and pulled; what both said.
#[track_caller]
fn relay(server: &Server, gate_url: &str) -> (Finished, Finished) {
    let dir = TempDir::new();
    let file = dir.join("out.flv");
    let pull = pull(gate_url, &file);
    server.wait_for_waiting(1);
    let pushed = push(gate_url).succeed();
    let pulled = pull.succeed();
    let sent = flv::read(&Sample::BFrames.path()).unwrap();
    assert_whole("through the gate", &sent, &flv::read(&file).unwrap());
    (pushed, pulled)
}

/// The last line, after exit code 1.
#[track_caller]
fn failure(process: Process) -> String {
    let finished = process.finish();
    let said = finished.stderr.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{said}");
    let last = finished.stderr.last().unwrap().clone();
    assert!(last.starts_with("millstream: "), "{said}");
    last
}

#[track_caller]
fn assert_said(finished: &Finished, words: &str) {
    let said = finished.stderr.join("\n");
    assert!(said.contains(words), "no {words:?} in:\n{said}");
}

fn drop_if(bad: bool) -> Verdict {
    if bad { Verdict::Drop } else { Verdict::Pass }
}

#[test]
fn a_server_that_wants_the_digest_handshake() {
    let server = Server::start(&["--play-wait", "60"]);
    for judge in [
        // During the handshake, and right behind it.
        (|opening: &Opening<'_>| drop_if(opening.is_simple())) as fn(&Opening<'_>) -> Verdict,
        |opening| drop_if(opening.is_simple() && opening.connect.is_some()),
    ] {
        let gate = Gate::before(server.port, judge);
        let (pushed, pulled) = relay(&server, &gate.url("live/cam"));
        for finished in [&pushed, &pulled] {
            assert_said(finished, "trying again with the digest handshake");
            assert_said(finished, "handshake (digest(at8))");
        }
    }
    server.stop();
}

#[test]
fn a_server_that_does_not_know_four_cc_list() {
    let server = Server::start(&["--play-wait", "60"]);
    for is_polite in [false, true] {
        let gate = Gate::before(server.port, move |opening| {
            match (opening.declares_four_cc(), is_polite) {
                (false, _) => Verdict::Pass,
                (true, false) => Verdict::Drop,
                (true, true) => Verdict::Refuse("unknown field".to_owned()),
            }
        });
        let (pushed, pulled) = relay(&server, &gate.url("live/cam"));
        assert_said(&pulled, "trying again without the fields of Enhanced RTMP");
        // A publisher declares no codecs.
        assert!(!pushed.stderr.iter().any(|line| line.contains("again")));
        assert_eq!(gate.take_apps(), ["live"; 3]);
    }
    server.stop();
}

/// What goes wrong behind an accepted `connect` has nothing to do with manners.
#[test]
fn what_happens_behind_connect_is_told_alone() {
    let server = Server::start(&["--play-wait", "0.2"]);
    let gate = Gate::before(server.port, |opening| drop_if(opening.is_simple()));
    let dir = TempDir::new();
    let failed = pull(&gate.url("live/nobody"), &dir.join("out.flv"));
    let last = failure(failed);
    let words = "millstream: the server refused the play (NetStream.Play.StreamNotFound";
    assert!(last.starts_with(words), "{last}");
    assert!(!last.contains("digest"), "{last}");
    assert_eq!(gate.take_apps(), ["-", "live"]);
    server.stop();
}

#[test]
fn no_manner_helps() {
    let server = Server::start(&[]);
    let dir = TempDir::new();
    let file = dir.join("out.flv");
    // Each is tried once, and the first failure stands first.
    let gate = Gate::before(server.port, |opening| drop_if(opening.connect.is_some()));
    let url = gate.url("live/cam");
    let closed = "millstream: the server closed the connection without an answer to connect; \
                  check app and key in the URL";
    assert_eq!(
        failure(pull(&url, &file)),
        format!(
            "{closed} (the same without the fields of Enhanced RTMP and with the digest handshake)"
        )
    );
    assert_eq!(gate.take_apps().len(), 3);
    assert_eq!(
        failure(push(&url)),
        format!(
            "{closed} (the same without the fields of Enhanced RTMP and with the digest handshake)"
        )
    );
    assert_eq!(gate.take_apps().len(), 3);

    let gate = Gate::before(server.port, |opening| match opening.connect {
        Some(_) if opening.is_simple() => Verdict::Drop,
        Some(_) => Verdict::Refuse("no such customer".to_owned()),
        None => Verdict::Pass,
    });
    assert_eq!(
        failure(push(&gate.url("live/cam"))),
        format!(
            "{closed} (the same without the fields of Enhanced RTMP); with the digest handshake: the server refused the connection to its \
             application (NetConnection.Connect.Rejected: no such customer): check app and key \
             in the URL"
        )
    );

    let gate = Gate::before(server.port, |opening| match opening.connect {
        Some(_) => Verdict::Refuse("no such customer".to_owned()),
        None => Verdict::Pass,
    });
    let last = failure(pull(&gate.url("live/cam"), &file));
    assert!(last.contains("no such customer"), "{last}");
    assert!(
        last.ends_with("(the same without the fields of Enhanced RTMP)"),
        "{last}"
    );
    assert_eq!(gate.take_apps().len(), 2);
    let last = failure(push(&gate.url("live/cam")));
    assert!(last.ends_with("check app and key in the URL"), "{last}");
    assert_eq!(gate.take_apps().len(), 1);
    assert!(!file.exists());
    server.stop();
}
