//! Our own pages while something happens: what they say, and that they go on by themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{CLOCK_PERIOD, Script, drive, end, publish, publish_with, told};
use crate::support::media::Sample;
use crate::support::process::Process;
use crate::support::server::Server;

/// What is on the screen of pages that are followed (`follow.mjs`).
struct Followed {
    script: Script,
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
            .process
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
        self.script.process.signal("TERM");
        assert_eq!(told(self.script), json!({ "faults": [] }));
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
    let settings = ["--play-wait", "1", "--publisher-grace", "60"];
    let mut server = Server::start(&settings);
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
    let since = clock();
    publisher.signal("HUP");
    publisher.finish();
    pages.wait_text("webcodecs", since, "The camera is gone. Waiting for it.");
    pages.wait_text("mse", since, "The camera is gone. Waiting for it.");
    let since = clock();
    let publisher = publish(&server, &["live/cam"]);
    wait_live(since);

    // It says goodbye.
    let since = clock();
    end(publisher);
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
    let server = Server::start_on_both(server.port, server.http_port, &settings);
    let publisher = publish(&server, &["live/cam"]);
    wait_live(since);
    for page in ["webcodecs", "mse", "dashboard"] {
        let last = pages.wait(page, since, "anything", |_| true);
        assert_eq!(last["loads"], 1, "{page}");
    }
    pages.close();
    end(publisher);
    server.stop();
}

/// What ffmpeg makes in real time, for as long as its test.
#[track_caller]
fn encode(server: &Server, name: &str, arguments: &str) -> Process {
    let mut ffmpeg = vec!["-nostdin", "-v", "error", "-re"];
    ffmpeg.extend(arguments.split_whitespace());
    let url = server.url(name);
    ffmpeg.extend(["-f", "flv", &url]);
    Process::start("ffmpeg", "ffmpeg", ffmpeg)
}

#[test]
fn what_cannot_be_shown_is_said() {
    let server = Server::start(&["--play-wait", "1"]);
    let input = Sample::HevcMp4.path();
    let url = server.url("live/hevc");
    let hevc = Process::millstream("push", ["push", "--loop", input.to_str().unwrap(), &url]);
    let picture = "-f lavfi -i testsrc=size=320x180:rate=25";
    let old = encode(&server, "live/old", &format!("{picture} -c:v flv -g 25"));
    let sound = encode(&server, "live/sound", "-f lavfi -i sine -c:a aac");
    server.process.wait_said(3, ": publishes ");
    let g711 = publish_with(&server, &["--g711"], &["live/g711"]);

    let since = clock();
    let pages = Followed::open(
        &server,
        &[
            ("dashboard", "/"),
            ("hevc", "/watch/live/hevc"),
            ("hevc as HLS", "/watch/live/hevc#hls"),
            ("old", "/watch/live/old"),
            ("g711", "/watch/live/g711#mse"),
            ("sound", "/watch/live/sound"),
            ("sound as MSE", "/watch/live/sound#mse"),
            ("missing", "/watch/live/missing"),
        ],
    );
    let advice = "Most browsers cannot. Set the camera to H.264, or try Safari or one of the \
                  programs below.";
    let others = "Other programs can, with an address below.";
    let aac = "no browser plays G.711 in MP4; set the camera's sound to AAC";
    for (page, text) in [
        ("dashboard", "This browser cannot show HEVC"),
        ("dashboard", "Sorenson H.263 cannot be shown here"),
        ("dashboard", "Sound only"),
        (
            "hevc",
            &format!("This browser cannot show HEVC (H.265). {advice}"),
        ),
        (
            "hevc as HLS",
            &format!("This browser cannot show HEVC. {advice}"),
        ),
        ("old", &format!("This browser cannot show H.263. {others}")),
        ("g711", &format!("Without sound: G.711 A-law – {aac}")),
        ("g711", "No sound"),
        ("sound", "Sound only"),
        ("sound as MSE", "Sound only"),
        (
            "missing",
            "Nobody publishes this live stream. Trying again.",
        ),
    ] {
        pages.wait_text(page, since, text);
    }
    pages.wait_picture("g711", since);
    pages.close();
    drop((hevc, old, sound));
    end(g711);
    server.stop();
}
