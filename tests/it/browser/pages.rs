//! Our own pages: the dashboard, and the page of one live stream.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{CLOCK_PERIOD, check_advances, drive, publish, told};
use crate::support::process::Process;
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

/// What is on the screen of pages that are followed (`follow.mjs`).
struct Followed {
    script: Process,
}

impl Followed {
    /// Opens these pages, each a name and a path.
    #[track_caller]
    fn open(server: &Server, pages: &[(&str, &str)]) -> Self {
        let pages: serde_json::Map<_, _> = pages
            .iter()
            .map(|(name, path)| ((*name).to_owned(), (*path).into()))
            .collect();
        let script = drive("follow.mjs", server, &json!({ "pages": pages }));
        Self { script }
    }

    /// Waits until a page, from `since` on, is as wanted.
    #[track_caller]
    fn wait(&self, page: &str, since: u64, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = self
            .script
            .wait_stdout(&format!("{what} on {page}"), |line| {
                let seen: Value = serde_json::from_str(line).unwrap();
                seen["page"] == page && !is_before(&seen["at"], since) && wanted(&seen)
            });
        serde_json::from_str(&line).unwrap()
    }

    /// Waits until a page, from `since` on, shows a picture that was drawn then or later.
    #[track_caller]
    fn wait_picture(&self, page: &str, since: u64) -> Value {
        self.wait(page, since, "a picture", |seen| {
            seen["clock"].is_u64() && !is_before(&seen["clock"], since)
        })
    }

    /// Waits until this text is on a page, from `since` on.
    #[track_caller]
    fn wait_text(&self, page: &str, since: u64, text: &str) -> Value {
        self.wait(page, since, text, |seen| {
            seen["text"].as_str().unwrap().contains(text)
        })
    }

    /// Closes the pages, which have had no faults.
    #[track_caller]
    fn close(self) {
        self.script.signal("TERM");
        let finished = self.script.succeed();
        let last: Value = serde_json::from_str(finished.stdout.last().unwrap()).unwrap();
        assert_eq!(last, json!({ "faults": [] }));
    }
}

/// The wall clock as pictures have it.
fn clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as u64 % CLOCK_PERIOD
}

fn is_before(clock: &Value, since: u64) -> bool {
    let passed = clock.as_u64().unwrap() + CLOCK_PERIOD - since;
    passed % CLOCK_PERIOD > CLOCK_PERIOD / 2
}

#[test]
fn pages_go_on_by_themselves_when_publisher_and_server_come_back() {
    const PLAYERS: [&str; 2] = ["webcodecs", "mse"];
    let mut server = Server::start(&["--play-wait", "1"]);
    let publisher = publish(&server, &["live/cam"]);
    let pages = Followed::open(
        &server,
        &[
            ("webcodecs", "/watch/live/cam#webcodecs"),
            ("mse", "/watch/live/cam#mse"),
            ("dashboard", "/"),
        ],
    );
    let wait_live = |since| {
        for page in PLAYERS {
            pages.wait_picture(page, since);
        }
        pages.wait_text("dashboard", since, "live/cam");
    };
    wait_live(clock());

    // It vanishes, and is back before its live stream is given up.
    publisher.signal("HUP");
    publisher.finish();
    let since = clock();
    pages.wait_text("webcodecs", since, "The camera is gone. Waiting for it.");
    pages.wait_text("mse", since, "The camera is gone. Waiting for it.");
    let since = clock();
    let publisher = publish(&server, &["live/cam"]);
    wait_live(since);

    // It says goodbye.
    publisher.signal("TERM");
    publisher.succeed();
    let since = clock();
    for page in PLAYERS {
        pages.wait_text(
            page,
            since,
            "Nobody publishes this live stream. Trying again.",
        );
    }
    pages.wait_text("dashboard", since, "No live streams yet");
    let since = clock();
    let publisher = publish(&server, &["live/cam"]);
    wait_live(since);

    let since = clock();
    server.process.kill();
    publisher.finish();
    for page in PLAYERS {
        pages.wait_text(page, since, "The server cannot be reached. Trying again.");
    }
    pages.wait_text(
        "dashboard",
        since,
        "The server does not answer. Trying again.",
    );
    let since = clock();
    let server = Server::start_on_both(server.port, server.http_port, &["--play-wait", "1"]);
    let publisher = publish(&server, &["live/cam"]);
    wait_live(since);
    for page in ["webcodecs", "mse", "dashboard"] {
        let last = pages.wait(page, since, "anything", |_| true);
        assert_eq!(last["loads"], 1, "{page}");
    }
    pages.close();
    publisher.signal("TERM");
    publisher.succeed();
    server.stop();
}
