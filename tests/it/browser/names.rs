//! Names of live streams that are made to break pages.

use std::process::Command;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{drive, end, publish, told};
use crate::support::server::Server;

/// Names that break out of text, attributes, templates, labels or paths, where they are let.
const HOSTILE: [&str; 4] = [
    "live/\"><script>alert(1)</script>",
    "live/'&lt;b&gt;\\${d}{{e}}",
    "live/%41%2F../100%",
    "live/a#b?c/日本 ünï \u{202e}☂",
];

/// As one segment or more of a path.
fn encoded(name: &str) -> String {
    let segments = name.split('/');
    let encoded =
        segments.map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string());
    encoded.collect::<Vec<_>>().join("/")
}

/// The head and the body that curl gets.
fn get(server: &Server, target: &str) -> (String, String) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-i", "-m", "20", &server.http_url(target)]);
    let answer = String::from_utf8(curl.output().unwrap().stdout).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn names_are_text_whatever_is_in_them() {
    let server = Server::start(&["--play-wait", "0"]);
    let paths = HOSTILE.map(encoded);
    let publisher = publish(&server, &paths.each_ref().map(String::as_str));
    let shown = told(drive(
        "names.mjs",
        &server,
        &json!({ "count": HOSTILE.len() }),
    ));
    assert_eq!(shown["faults"], json!([]));
    let mut streams = shown["streams"].as_array().unwrap().clone();
    streams.sort_by_key(|stream| stream["tile"].as_str().unwrap().to_owned());
    let mut names = HOSTILE;
    names.sort_unstable();
    assert_eq!(streams.len(), names.len());
    for (stream, name) in streams.iter().zip(names) {
        assert_eq!(stream["tile"], name);
        assert_eq!(stream["heading"], name);
        assert_eq!(stream["title"], format!("{name} – Millstream"));
        assert_eq!(stream["ways"], json!(["webcodecs", "mse"]), "{name}");
        assert_eq!(stream["missing"], format!("{name}-missing"));
        let message = "Nobody publishes this live stream. Trying again.";
        assert_eq!(stream["message"], message);
    }

    let (_, metrics) = get(&server, "metrics");
    for name in HOSTILE {
        let label = name.replace('\\', "\\\\").replace('"', "\\\"");
        let line = format!("\nmillstream_stream_health_score{{stream=\"{label}\"}} ");
        assert!(metrics.contains(&line), "{line}: {metrics}");
        let (_, stream) = get(&server, &format!("api/v1/stream?name={}", encoded(name)));
        let stream: Value = serde_json::from_str(&stream).unwrap();
        assert_eq!(stream["stream"]["name"], name);
    }
    for path in &paths {
        for target in [
            format!("watch/{path}"),
            format!("{path}.m3u8"),
            format!("{path}-missing.m3u8"),
            format!("{path}-missing.flv"),
            format!("{path}-missing/still.mp4"),
            format!("{path}/nothing"),
            format!("api/v1/{path}"),
            format!("api/v1/stream?name={path}-missing"),
        ] {
            let (head, body) = get(&server, &target);
            assert!(
                head.contains("\r\nX-Content-Type-Options: nosniff\r\n"),
                "{target}: {head}"
            );
            // As text, and where it says so: in the text of an error.
            let is_text = ["text/plain; charset=utf-8", "application/json"]
                .iter()
                .any(|kind| head.contains(&format!("\r\nContent-Type: {kind}\r\n")));
            for raw in ["<script>alert", "'&lt;", "${d}", "\u{202e}"] {
                assert!(!head.contains(raw), "{target}: {head}");
                assert!(is_text || !body.contains(raw), "{target}: {body}");
            }
        }
    }
    end(publisher);
    server.stop();
}
