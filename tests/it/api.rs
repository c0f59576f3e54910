//! The API: every answer held against its OpenAPI document, of servers with real publishers and
//! players, and everybody kept out who must be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::media::Sample;
use crate::support::openapi::Document;
use crate::support::process::Process;
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::wait_for;

const TOKEN_VARIABLE: (&str, &str) = ("MILLSTREAM_API_TOKEN", "a-token-that-nobody-guesses");
const BEARER: &str = "Authorization: Bearer a-token-that-nobody-guesses\r\n";

/// With quotes and a tag, as FFmpeg sends them and as an address has them.
const HOSTILE: &str = "live/\"><script>alert('x')</script>&";
const HOSTILE_ENCODED: &str = "live%2F%22%3E%3Cscript%3Ealert%28%27x%27%29%3C%2Fscript%3E%26";

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Asks once; `lines` are the fields of the head.
fn ask(server: &Server, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let mut socket = TcpStream::connect(("127.0.0.1", server.http_port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\n{lines}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// An answer of the API, held against the document that the server itself gives.
#[track_caller]
fn api(server: &Server, method: &str, target: &str, lines: &str, body: &str) -> (u16, Value) {
    let host = format!("Host: localhost:{}\r\n{lines}", server.http_port);
    let answer = ask(server, method, &format!("/api/v1{target}"), &host, body);
    let head = &answer.head;
    assert!(head.contains("Content-Type: application/json"), "{head}");
    assert!(head.contains("Cache-Control: no-store"), "{head}");
    assert!(head.contains("nosniff"), "{head}");
    assert!(!head.contains("Access-Control-Allow-Origin"), "{head}");
    // Inert even for a reader that takes it for HTML.
    assert!(!answer.body.contains(['<', '>']), "{}", answer.body);
    let value = serde_json::from_str(&answer.body).unwrap();
    let document = Document::parse(millstream::http::api::OPENAPI);
    let path = target.split('?').next().unwrap();
    let method = method.to_ascii_lowercase();
    let faults = document.answer_faults(path, &method, answer.status, &value);
    assert!(faults.is_empty(), "{faults:#?}\n{value:#}");
    (answer.status, value)
}

#[track_caller]
fn get(server: &Server, target: &str) -> Value {
    let (status, value) = api(server, "GET", target, "", "");
    assert_eq!(status, 200, "{target} {value:#}");
    value
}

#[track_caller]
fn post(server: &Server, target: &str, body: &Value) -> (u16, Value) {
    let lines = format!("{BEARER}Content-Type: application/json\r\n");
    api(server, "POST", target, &lines, &body.to_string())
}

fn stream_query(encoded: &str) -> String {
    format!("/stream?name={encoded}")
}

fn publish(server: &Server, path: &str) -> Process {
    let input = Sample::Plain.path();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]);
    ffmpeg.arg(input);
    ffmpeg.args(["-c", "copy", "-f", "flv", &server.url(path)]);
    Process::start_command("ffmpeg", ffmpeg)
}

fn play(server: &Server, target: &str) -> Process {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", &server.http_url(target)]);
    Process::start_command("curl", curl)
}

/// What is told of a live stream, when it is as wanted.
#[track_caller]
fn wait_stream(server: &Server, encoded: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for("the live stream", || {
        let (_, value) = api(server, "GET", &stream_query(encoded), "", "");
        let stream = value.get("stream").cloned();
        let stream = stream.filter(&wanted);
        if stream.is_none() {
            std::thread::sleep(Duration::from_millis(50));
        }
        stream
    })
}

/// Waits until there are figures of a live stream, and so many who receive it.
#[track_caller]
fn wait_measured(server: &Server, encoded: &str, subscribers: u64) {
    wait_stream(server, encoded, |stream| {
        let is_measured = stream["video"][0]["gop_seconds"].is_number()
            && stream["bitrate_history"].as_array().unwrap().len() >= 2;
        is_measured && stream["subscriber_count"] == json!(subscribers)
    });
}

#[test]
fn a_publisher_and_its_players_are_told_whatever_the_worker_and_the_name() {
    let server = Server::start_with(&["--workers", "2"], &[TOKEN_VARIABLE]);
    let publisher = publish(&server, HOSTILE);
    server.process.wait_said(1, ": publishes ");
    let all = get(&server, "/streams");
    assert_eq!(all["streams"][0]["name"], HOSTILE);
    // By the paths that the server itself names.
    let [flv, mp4] = [0, 1].map(|index| {
        let path = all["streams"][0]["outputs"][index]["path"].as_str();
        path.unwrap().trim_start_matches('/').to_owned()
    });
    let players = [play(&server, &flv), play(&server, &mp4)];
    wait_measured(&server, HOSTILE_ENCODED, 2);
    let detail = get(&server, &stream_query(HOSTILE_ENCODED));
    let stream = &detail["stream"];
    assert_eq!(stream["name"], HOSTILE);
    assert_eq!(stream["state"], "live");
    let video = &stream["video"][0];
    assert_eq!(video["codec"], "H.264");
    assert!(
        (video["frame_rate"].as_f64().unwrap() - 25.0).abs() < 1.0,
        "{video}"
    );
    assert_eq!(video["frame_rate_declared"], 25.0);
    assert_eq!(
        (&video["gop_seconds"], &video["gop_frames"]),
        (&json!(1.0), &json!(25))
    );
    assert_eq!(stream["audio"][0]["codec_string"], "mp4a.40.2");
    assert!(stream["bitrate"].as_u64().unwrap() > 50_000, "{stream}");
    let by = &stream["publisher"];
    assert!(by["software"].as_str().unwrap().starts_with("Lavf"), "{by}");
    assert!(
        by["address"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{by}"
    );
    let mut protocols: Vec<&str> = detail["subscribers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subscriber| subscriber["protocol"].as_str().unwrap())
        .collect();
    protocols.sort_unstable();
    assert_eq!(protocols, ["http-flv", "http-mp4"]);
    for subscriber in detail["subscribers"].as_array().unwrap() {
        assert!(
            subscriber["software"]
                .as_str()
                .unwrap()
                .starts_with("curl/")
        );
        assert!(
            subscriber["lag_ms"].as_u64().unwrap() < 2000,
            "{subscriber}"
        );
    }

    let server_report = get(&server, "/server");
    assert_eq!(server_report["workers"], 2);
    assert_eq!(server_report["publishers"], 1);
    assert_eq!(server_report["subscribers"], 2);
    assert_eq!(server_report["listeners"].as_array().unwrap().len(), 2);
    assert!(server_report["bitrate_in"].as_u64().unwrap() > 50_000);
    assert!(server_report["bitrate_out"].as_u64().unwrap() > 50_000);
    let age = server_report["now_unix_ms"].as_u64().unwrap()
        - server_report["started_unix_ms"].as_u64().unwrap();
    assert!((1000..120_000).contains(&age), "{age}");

    let all = get(&server, "/connections");
    let all = all["connections"].as_array().unwrap();
    let mut ids: Vec<u64> = all.iter().map(|one| one["id"].as_u64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    assert!(ids.is_sorted());
    let workers = |worker: u64| all.iter().any(|one| one["worker"] == worker);
    assert!(workers(0) && workers(1), "{all:#?}");
    let of_publisher = all.iter().find(|one| one["role"] == "publisher").unwrap();
    assert_eq!(of_publisher["id"], by["connection"]);
    assert_eq!(of_publisher["live_stream"], HOSTILE);

    let metrics = ask(&server, "GET", "/metrics", "Host: localhost\r\n", "");
    let label = HOSTILE.replace('"', "\\\"");
    let line = format!("millstream_stream_health_score{{stream=\"{label}\"}} ");
    assert!(metrics.body.contains(&line), "{}", metrics.body);
    assert!(metrics.body.contains("\nmillstream_subscribers 2\n"));
    // Names may be keys: they are not for everybody.
    let elsewhere = ask(&server, "GET", "/metrics", "Host: evil.example\r\n", "");
    assert_eq!(elsewhere.status, 200);
    assert!(!elsewhere.body.contains("stream=\""), "{}", elsewhere.body);

    let (status, _) = post(&server, "/kick", &json!({"live_stream": HOSTILE}));
    assert_eq!(status, 202);
    assert!(!publisher.finish().status.success());
    for player in players {
        // The stream is over: a whole answer, as far as there is an end to it.
        player.finish();
    }
    assert_eq!(get(&server, "/streams")["streams"], json!([]));
    let (status, _) = api(&server, "GET", &stream_query(HOSTILE_ENCODED), "", "");
    assert_eq!(status, 404);
    server.stop();
}

#[test]
fn changes_need_the_token_and_nobody_else_reads() {
    let server = Server::start_with(&["--workers", "2"], &[TOKEN_VARIABLE]);
    let publisher = RawPeer::publish(server.port, "live", "cam");
    let mut player = RawPeer::play(server.port, "live", "cam");
    player.wait_for(b"NetStream.Play.Start");
    let all = get(&server, "/connections");
    let id_of = |role: &str| {
        let mut all = all["connections"].as_array().unwrap().iter();
        all.find(|one| one["role"] == role).unwrap()["id"].clone()
    };
    let kick = json!({ "connection": id_of("subscriber") }).to_string();
    let json_type = "Content-Type: application/json\r\n";
    let wrong = "Authorization: Bearer a-token-that-somebody-guesses\r\n";
    let evil = "Origin: http://evil.example\r\n";
    for (lines, body, status) in [
        (json_type.to_owned(), &*kick, 401),
        (format!("{wrong}{json_type}"), &kick, 401),
        (format!("{BEARER}{json_type}{evil}"), &kick, 403),
        (
            format!("{BEARER}{json_type}Sec-Fetch-Site: cross-site\r\n"),
            &kick,
            403,
        ),
        (BEARER.to_owned(), &kick, 415),
        (format!("{BEARER}Content-Type: text/plain\r\n"), &kick, 415),
        (format!("{BEARER}{json_type}"), "", 400),
        (format!("{BEARER}{json_type}"), "{}", 400),
        (
            format!("{BEARER}{json_type}"),
            "{\"connection\":\"<script>\"}",
            400,
        ),
        (
            format!("{BEARER}{json_type}"),
            "{\"connection\":123456}",
            404,
        ),
        (
            format!("{BEARER}{json_type}"),
            "{\"live_stream\":\"live/<b>\"}",
            404,
        ),
    ] {
        let (found, value) = api(&server, "POST", "/kick", &lines, body);
        assert_eq!(found, status, "{lines}{body} {value}");
        assert_eq!(value["status"], status);
    }
    let (status, value) = post(&server, "/kick", &serde_json::from_str(&kick).unwrap());
    assert_eq!(status, 202);
    assert_eq!(value["connection"], id_of("subscriber"));
    player.wait_closed();
    // Its publisher is not concerned, nor is a connection that is gone.
    assert_eq!(get(&server, "/server")["publishers"], 1);
    let (status, _) = post(&server, "/kick", &serde_json::from_str(&kick).unwrap());
    assert_eq!(status, 404);

    let port = server.http_port;
    for target in [
        "server",
        "streams",
        "stream?name=live/cam",
        "connections",
        "config",
    ] {
        let target = format!("/api/v1/{target}");
        for (lines, status) in [
            (format!("Host: 127.0.0.1:{port}\r\n"), 200),
            // A name that its owner has made to mean 127.0.0.1.
            ("Host: evil.example\r\n".to_owned(), 403),
            (format!("Host: localhost:{port}\r\n{evil}"), 403),
            (
                format!("Host: localhost:{port}\r\nX-Forwarded-For: 192.0.2.1\r\n"),
                401,
            ),
            (format!("Host: box\r\n{BEARER}"), 200),
            (format!("Host: box\r\n{wrong}"), 401),
        ] {
            let answer = ask(&server, "GET", &target, &lines, "");
            assert_eq!(answer.status, status, "{target} {lines}{}", answer.body);
            let asks = answer.head.contains("WWW-Authenticate: Bearer");
            assert_eq!(asks, status == 401, "{}", answer.head);
        }
    }
    let host = "Host: localhost\r\n";
    let answer = ask(&server, "GET", "/api/v1/kick", host, "");
    assert_eq!(answer.status, 405);
    assert!(answer.body.contains("use POST"), "{}", answer.body);
    assert!(
        answer.head.contains("Allow: POST, OPTIONS"),
        "{}",
        answer.head
    );
    assert!(answer.body.contains("\"status\":405"), "{}", answer.body);
    let answer = ask(&server, "GET", "/api/v1/nothing", host, "");
    assert_eq!(
        (answer.status, answer.body.contains("\"status\":404")),
        (404, true)
    );
    let answer = ask(
        &server,
        "GET",
        "/api/v1/openapi.json",
        "Host: evil.example\r\n",
        "",
    );
    assert_eq!(answer.body, millstream::http::api::OPENAPI);
    // A preflight of another site is told nothing that would let it go on.
    let answer = ask(
        &server,
        "OPTIONS",
        "/api/v1/kick",
        &format!("{host}{evil}"),
        "",
    );
    assert!(!answer.head.contains("Access-Control"), "{}", answer.head);
    drop(publisher);
    server.stop();
}

#[test]
fn without_a_token_nobody_changes_anything() {
    let server = Server::start(&["--api-read", "nobody"]);
    for (method, target) in [("POST", "/kick"), ("POST", "/drain"), ("GET", "/server")] {
        let (status, value) = api(&server, method, target, BEARER, "");
        assert_eq!(status, 403);
        let error = value["error"].as_str().unwrap();
        assert!(error.contains("MILLSTREAM_API_TOKEN"), "{error}");
    }
    let (status, _) = api(&server, "GET", "/streams", "", "");
    assert_eq!(status, 403);
    server.stop();
}

#[test]
fn a_publisher_that_hangs_vanishes_and_comes_back_is_told_so() {
    let server = Server::start(&["--workers", "2", "--publisher-grace", "60"]);
    let tags = crate::support::flv::read(&Sample::Plain.path()).unwrap();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    publisher.send_tags(&tags[..60]);
    let stream = wait_stream(&server, "live/cam", |stream| stream["state"] == "silent");
    assert_eq!(stream["health"]["reasons"][0]["id"], "silent", "{stream:#}");
    let began = stream["started_unix_ms"].as_u64().unwrap();
    drop(publisher);
    let stream = wait_stream(&server, "live/cam", |stream| stream["state"] == "waiting");
    assert_eq!(stream["publisher"], Value::Null);
    assert_eq!(stream["video"][0]["codec"], "H.264");
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    publisher.send_tags(&tags[..60]);
    let stream = wait_stream(&server, "live/cam", |stream| stream["state"] == "live");
    assert_eq!(stream["publisher"]["reconnects_last_hour"], 1, "{stream:#}");
    let reasons = stream["health"]["reasons"].as_array().unwrap();
    assert!(
        reasons.iter().any(|reason| reason["id"] == "reconnects"),
        "{stream:#}"
    );
    // The same live stream, give or take what two clocks make of it.
    assert!(stream["started_unix_ms"].as_u64().unwrap().abs_diff(began) < 100);
    // A clock that jumps is told with its step.
    let mut late = tags[60].clone();
    late.timestamp = 90_000_000;
    publisher.send_tag(&late);
    let stream = wait_stream(&server, "live/cam", |stream| {
        stream["timestamps"]["jumps"] == 1
    });
    let largest = stream["timestamps"]["jump_largest_ms"].as_i64().unwrap();
    assert!((89_000_000..90_000_000).contains(&largest), "{largest}");
    assert_eq!(stream["notes"][0]["id"], "timestamp-outlier", "{stream:#}");
    server.stop();
}

#[test]
fn a_server_that_is_drained_takes_nobody_new_and_ends_with_the_last_one() {
    let server = Server::start_with(&["--workers", "2"], &[TOKEN_VARIABLE]);
    let publisher = RawPeer::publish(server.port, "live", "cam");
    // A browser that was there before.
    let mut kept = TcpStream::connect(("127.0.0.1", server.http_port)).unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut piece = [0; 4096];
    assert!(kept.read(&mut piece).unwrap() > 0);
    let body = json!({"deadline_seconds": 60});
    let (status, report) = post(&server, "/drain", &body);
    assert_eq!((status, &report["deadline_seconds"]), (202, &json!(60)));
    assert!(report["connections"].as_u64().unwrap() >= 2, "{report}");
    wait_for("a closed door", || {
        TcpStream::connect(("127.0.0.1", server.port)).err()
    });
    kept.write_all(b"GET /api/v1/server HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"state\":\"draining\""), "{rest}");
    assert!(rest.contains("\"publishers\":1"), "{rest}");
    publisher.unpublish("cam");
    server.process.succeed();
}

#[test]
fn draining_ends_at_its_deadline() {
    let server = Server::start_with(&[], &[TOKEN_VARIABLE]);
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    let (status, _) = post(&server, "/drain", &json!({"deadline_seconds": 0}));
    assert_eq!(status, 202);
    publisher.wait_closed();
    server.process.succeed();
}

#[test]
fn the_configuration_in_force_is_told_without_its_secrets() {
    let arguments = ["--play-wait", "7", "--api-read", "anybody"];
    let server = Server::start_with(&arguments, &[TOKEN_VARIABLE]);
    let report = get(&server, "/config");
    let setting = |key: &str| {
        let mut all = report["settings"].as_array().unwrap().iter();
        all.find(|setting| setting["key"] == key).unwrap().clone()
    };
    let wait = setting("timers.play_wait");
    assert_eq!(wait["value"], "\"7s\"");
    assert_eq!(wait["default"], "\"5s\"");
    assert_eq!(wait["source"], "the command line");
    let token = setting("api_token");
    assert_eq!(
        (&token["value"], &token["source"]),
        (&json!("\"***\""), &json!("MILLSTREAM_API_TOKEN"))
    );
    assert_eq!(setting("api_read")["value"], "\"anybody\"");
    assert!(!report.to_string().contains("nobody-guesses"));
    server.stop();
}

#[test]
fn what_is_asked_wrongly_is_explained() {
    let server = Server::start(&["--play-wait", "60"]);
    let host = "Host: localhost\r\n";
    let (status, answer) = api(&server, "GET", "/stream", "", "");
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("say which: ?name=APP/KEY"))
    );
    for (target, words) in [
        ("/api/v1/nothing", "/api/v1/openapi.json"),
        (
            "/live/demo",
            "add .flv, .mp4 or .m3u8, or open /watch/live/demo",
        ),
    ] {
        let answer = ask(&server, "GET", target, host, "");
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.contains(words), "{}", answer.body);
    }
    let answer = ask(&server, "GET", "/watch/live/demo/", host, "");
    assert_eq!(answer.status, 308);
    let answer = format!("{}\r\n", answer.head);
    assert!(
        answer.contains("Location: /watch/live/demo\r\n"),
        "{answer}"
    );
    let waiting = play(&server, "live/nix.flv");
    server.process.wait_said(1, "waits for live/nix");
    waiting.signal("TERM");
    server
        .process
        .wait_said(1, ": gave up waiting for live/nix (");
    server.stop();
}
