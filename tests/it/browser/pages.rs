//! Our own pages: the dashboard, and the page of one live stream.

use serde_json::{Value, json};

use super::{check_advances, drive, publish, told};
use crate::support::server::Server;

/// The delay is measured by `cargo bench --bench pages`; nothing that is live is so far behind.
const DELAY_MS_MAX: u64 = 10_000;

/// The pushed tone, hertz, as far as it can be told apart from its neighbours.
const TONE: std::ops::Range<f64> = 420.0..460.0;

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
    let ways = ["webcodecs", "mse", "hls", ""];
    let shown = told(drive(
        "watch.mjs",
        &server,
        &json!({ "name": "live/cam", "ways": ways }),
    ));
    let [webcodecs, mse, hls, automatic] = shown.as_array().unwrap().as_slice() else {
        panic!("{shown}");
    };
    check_played("webcodecs", webcodecs);
    check_played("mse", mse);
    check_played("hls", hls);
    // The best one, where nobody chooses.
    check_played("webcodecs", automatic);
    // A video counts what it shows; a canvas has nothing but its clock.
    for page in [mse, hls] {
        assert!(page["frames"].as_u64().unwrap() > 20, "{page}");
    }
    publisher.signal("TERM");
    publisher.succeed();
    server.stop();
}
