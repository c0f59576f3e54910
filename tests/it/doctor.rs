//! `doctor` against servers that work, servers that refuse, and what is no RTMP server at all.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::support::nginx::Nginx;
use crate::support::process::{Finished, Process};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

fn doctor(url: &str, more: &[&str]) -> Finished {
    let arguments = [&["doctor", url, "--duration", "1"], more].concat();
    Process::millstream("doctor", arguments).finish()
}

/// What `doctor` prints of a URL that does not work.
#[track_caller]
fn fails(url: &str, more: &[&str]) -> String {
    let finished = doctor(url, more);
    let said = finished.stdout.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{said}");
    assert_eq!(finished.stderr.len(), 1, "{:#?}", finished.stderr);
    said
}

#[track_caller]
fn assert_says(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
}

/// The test stream on a server, until it is dropped.
fn on_air(url: &str) -> Process {
    let arguments = ["simulate", url, "--camera", "plain", "--duration", "60"];
    Process::millstream("publisher", arguments)
}

/// Serves each connection with `answer`, on a port of its own, as long as the test runs.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            answer(socket);
        }
    });
    format!("rtmp://127.0.0.1:{port}/live/cam")
}

#[test]
fn a_stream_that_is_fine() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let publisher = on_air(&url);
    let finished = doctor(&url, &["--publish", "--json"]);
    assert!(finished.status.success(), "{:#?}", finished.stderr);
    let report: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
    assert_eq!(report["is_fine"], true);
    assert_eq!(report["url"], url.as_str());
    let checks = report["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| &check["name"]).collect();
    assert_eq!(names, ["tcp", "play", "manner", "manner", "publish"]);
    // Whoever is on air is left alone.
    assert_eq!(checks[4]["health"], "skipped");
    let verdict = report["conversations"][0]["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("handshake fine; connect fine; play fine; media fine: "),
        "{verdict}"
    );
    server.process.wait_said(1, "publishes live/cam");
    drop(publisher);
    server.stop();
}

#[test]
fn a_stream_that_nobody_publishes_and_then_a_trial() {
    let server = Server::start(&["--play-wait", "0"]);
    let url = server.url("live/cam");
    let said = fails(&url, &[]);
    assert_says(
        &said,
        &[
            "FAILED  play     the server refused the play (NetStream.Play.StreamNotFound",
            "fine    manner   digest handshake: taken as well",
            "-       publish  not tried: --publish does it",
            "  server: onStatus error NetStream.Play.StreamNotFound (nobody publishes live/cam)",
            "verdict: handshake fine; connect fine; play refused: NetStream.Play.StreamNotFound \
             (nobody publishes live/cam); nobody publishes it: check app and key",
        ],
    );
    let finished = doctor(&url, &["--publish"]);
    let said = finished.stdout.join("\n");
    assert!(finished.status.success(), "{said}");
    assert_says(
        &said,
        &[
            "fine    publish  the test stream was accepted for ",
            "  we: 1st video: H.264 sequence header, Main 3.1, 640x360",
            "  handshake fine; connect fine; publish fine; media fine: ",
            "verdict: it works; one thing is odd",
        ],
    );
    server.stop();
}

#[test]
fn a_name_that_is_taken() {
    let server = Server::start(&["--takeover", "never", "--play-wait", "60"]);
    let url = server.url("live/cam");
    let _publisher = on_air(&url);
    let said = fails(&url, &["--publish", "--force"]);
    assert_says(
        &said,
        &[
            "FAILED  publish  the server refused the publish (NetStream.Publish.BadName",
            "verdict: handshake fine; connect fine; publish refused: NetStream.Publish.BadName",
            "another publisher has this name, or the name is not allowed",
        ],
    );
    server.stop();
}

#[test]
fn an_app_that_nginx_does_not_have() {
    let nginx = Nginx::start();
    let url = nginx.url("cam").replace("/live/", "/nosuchapp/");
    let said = fails(&url, &[]);
    assert_says(
        &said,
        &[
            "fine    tcp ",
            "FAILED  play ",
            "connect ",
            "check app and key",
        ],
    );
    let url = nginx.url("cam");
    let publisher = on_air(&url);
    wait_for("the stream", || {
        doctor(&url, &[]).status.success().then_some(())
    });
    drop(publisher);
}

#[test]
fn a_port_of_http() {
    let dir = TempDir::new();
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]);
    command.current_dir(dir.path());
    let http = Process::start_command("http.server", command);
    let line = http.wait_stdout("its port", |line| line.contains(" port "));
    let port = line.split(" port ").nth(1).unwrap();
    let port = port.split(' ').next().unwrap();
    let said = fails(&format!("rtmp://127.0.0.1:{port}/live/cam"), &[]);
    assert_says(
        &said,
        &[
            "FAILED  port ",
            " speaks HTTP, not RTMP: look for the RTMP port",
        ],
    );
}

#[test]
fn a_port_of_tls() {
    let url = serve(|mut socket| {
        let mut first = [0; 5];
        // A server of TLS answers whatever else comes with an alert, or not at all.
        if socket.read_exact(&mut first).is_ok() && first[0] == 0x16 {
            socket.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).unwrap();
        }
    });
    let said = fails(&url, &[]);
    assert_says(
        &said,
        &[" speaks TLS (RTMPS or HTTPS), not RTMP: rtmp:// is not encrypted"],
    );
}

#[test]
fn a_port_that_greets_first() {
    let url = serve(|mut socket| {
        socket.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        // Closing over what was not read would reset the connection.
        let mut rest = Vec::new();
        socket
            .set_read_timeout(Some(std::time::Duration::from_millis(300)))
            .unwrap();
        socket.read_to_end(&mut rest).unwrap_or_default();
    });
    let said = fails(&url, &[]);
    assert_says(&said, &["it greets with \"SSH-2.0-OpenSSH_9.2\""]);
}

#[test]
fn a_port_where_nobody_listens_and_a_host_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let said = fails(&format!("rtmp://127.0.0.1:{port}/live/cam"), &[]);
    assert_says(&said, &["FAILED  tcp ", "nothing listens on that port"]);
    let said = fails("rtmp://nowhere.invalid/live/cam", &[]);
    assert_says(&said, &["FAILED  name     no such host: nowhere.invalid"]);
}

/// Takes as long as a client waits for a handshake.
#[test]
fn a_port_that_never_answers() {
    let (keep, kept) = std::sync::mpsc::channel();
    let url = serve(move |socket| keep.send(socket).unwrap());
    let said = fails(&url, &[]);
    assert_says(
        &said,
        &[
            "FAILED  port ",
            "does not speak RTMP, nor HTTP, RTSP or TLS",
            "handshake failed: not a byte came",
        ],
    );
    assert!(kept.try_iter().count() > 1);
}

#[test]
fn a_server_that_closes_behind_the_handshake() {
    let url = serve(|mut socket| {
        let mut hello = [0; 1537];
        if socket.read_exact(&mut hello).is_err() || hello[0] != 3 {
            return;
        }
        let answer = [&[3][..], &[0; 1536], &hello[1..]].concat();
        socket.write_all(&answer).unwrap();
        // C2, so that it is not a reset that ends it.
        let mut second = [0; 1536];
        socket.read_exact(&mut second).unwrap_or_default();
    });
    let said = fails(&url, &[]);
    assert_says(
        &said,
        &[
            "odd     manner   the server closed the connection",
            "FAILED  play ",
            "handshake fine; connect not answered",
        ],
    );
}
