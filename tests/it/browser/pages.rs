//! Our own pages: the dashboard, and the page of one live stream.

use serde_json::{Value, json};

use super::{check_advances, drive, end, publish, publish_with, told};
use crate::support::process::Process;
use crate::support::server::Server;

/// The delay is measured by `cargo bench --bench pages`; a machine that is
/// busy with other tests may be slow.
const DELAY_MS_MAX: u64 = 60_000;

/// The pushed tone, hertz, as far as it can be told apart from its neighbours.
const TONE: std::ops::Range<f64> = 400.0..480.0;

#[track_caller]
fn check_played(way: &str, page: &Value) {
    assert_eq!(page["faults"], json!([]), "{way}: {page}");
    assert_eq!(page["way"], way);
    assert_eq!(page["state"], "playing", "{way}");
    assert_eq!(page["size"], json!([320, 180]), "{way}");
    check_advances(way, page);
    let delays: Vec<u64> = serde_json::from_value(page["delays"].clone()).unwrap();
    assert!(delays.iter().all(|ms| *ms < DELAY_MS_MAX), "{way}: {page}");
    let pitch = page["pitch"].as_f64().unwrap();
    assert!(TONE.contains(&pitch), "{way}: {pitch} Hz");
}

#[test]
fn a_live_stream_is_seen_and_heard_in_each_way_of_playing() {
    let server = Server::start(&[]);
    let publisher = publish(&server, &["live/cam"]);
    let camera = publish_with(&server, &["--g711"], &["live/g711"]);
    let page = |name: &str, way: &str| json!({ "name": name, "way": way });
    let pages = [
        page("live/cam", "webcodecs"),
        page("live/cam", "mse"),
        page("live/cam", "hls"),
        page("live/cam", ""),
        page("live/g711", "webcodecs"),
    ];
    let shown = told(drive("watch.mjs", &server, &json!({ "pages": pages })));
    let [webcodecs, mse, hls, automatic, g711] = shown.as_array().unwrap().as_slice() else {
        panic!("{shown}");
    };
    check_played("webcodecs", webcodecs);
    check_played("mse", mse);
    check_played("hls", hls);
    // The best one, where nobody chooses.
    check_played("webcodecs", automatic);
    check_played("webcodecs", g711);
    // A video counts what it shows; a canvas has nothing but its clock.
    for page in [mse, hls] {
        assert!(page["frames"].as_u64().unwrap() > 20, "{page}");
    }
    end(publisher);
    end(camera);
    server.stop();
}

#[test]
fn every_one_of_25_tiles_has_picture_and_numbers() {
    let server = Server::start(&[]);
    let names: Vec<String> = (1..=25)
        .map(|number| format!("live/cam-{number}"))
        .collect();
    let publisher = publish(
        &server,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let viewer = Process::start(
        "curl",
        "curl",
        ["-s", "-o", "/dev/null", &server.http_url("live/cam-2.flv")],
    );
    let own = json!({ "count": names.len(), "shot": "dashboard-25" });
    let shown = told(drive("dashboard.mjs", &server, &own));
    assert_eq!(shown["faults"], json!([]));
    let tiles = shown["before"].as_array().unwrap();
    assert_eq!(tiles.len(), names.len());
    for (tile, name) in tiles.iter().zip(&names) {
        // The clock was read from the picture.
        assert!(tile["clock"].is_u64(), "{tile}");
        assert_eq!(tile["name"], **name);
        assert_eq!(tile["link"], format!("/watch/{name}"));
        assert_eq!(tile["state"], "live");
        let media = text(&tile["media"]);
        for word in ["H.264", "320 × 180", "25 fps", "AAC 48 kHz mono"] {
            assert!(media.contains(word), "{word}: {tile}");
        }
        let bitrate = text(&tile["bitrate"]);
        let kilobits = bitrate.strip_suffix(" kbit/s").unwrap();
        assert!(kilobits.parse::<u64>().unwrap() > 0, "{tile}");
        let score = text(&tile["health"]);
        let score = score.strip_prefix("health ").unwrap();
        assert!(score.parse::<u64>().unwrap() <= 100, "{tile}");
    }
    let after = shown["after"].as_array().unwrap();
    for (before, after) in tiles.iter().zip(after) {
        assert!(after["seconds"].as_u64().unwrap() >= 2, "{after}");
        assert_eq!(before["name"], after["name"]);
    }
    assert_eq!(after[1]["viewers"], "1 viewer");
    assert_eq!(after[2]["viewers"], "0 viewers");
    assert_ne!(tiles[0]["clock"], after[0]["clock"]);
    let summary = text(&shown["summary"]);
    assert!(
        summary.starts_with("25 live streams · 1 viewer · "),
        "{summary}"
    );
    end(publisher);
    viewer.succeed();
    server.stop();
}

/// Text of a page, with spaces for those at which no line is broken.
fn text(value: &Value) -> String {
    value.as_str().unwrap().replace('\u{a0}', " ")
}

/// Where the API is closed to a browser, it is asked for a token only if there is one, and is told no
/// address that may be wrong.
#[test]
fn what_is_closed_is_explained() {
    const ENTER: &str = "Enter the server's API token.";
    for (token, has_field, words, other) in [
        (None, false, "the server has none", ENTER),
        (Some("0123456789abcdef"), true, ENTER, "Bearer"),
    ] {
        let mut arguments = vec!["--api-read", "nobody"];
        arguments.extend(token.iter().flat_map(|token| ["--api-token", token]));
        let server = Server::start(&arguments);
        let shown = told(drive("closed.mjs", &server, &json!({})));
        let said = text(&shown["said"]);
        assert_eq!(shown["hasField"], has_field, "{said}");
        assert!(said.contains(words) && !said.contains(other), "{said}");
        assert!(said.contains("--api-read anybody"), "{said}");
        let addresses = text(&shown["addresses"]);
        assert!(addresses.contains("/live/cam.flv"), "{addresses}");
        assert!(!addresses.contains("rtmp:"), "{addresses}");
        server.stop();
    }
}
