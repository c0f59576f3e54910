//! A real Chromium, without a screen, shows what was pushed: the players that people use on their
//! own sites, and our own pages.
//!
//! The pushed picture has a clock drawn into it (`browser/clock.mjs`), which is read from the
//! screen: what is shown is known to be the stream, and to move. Times are told, not asserted.
//! Scripts are run by Node.js; the screenshots are kept in `target/tmp/screenshots`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use serde_json::{Value, json};

use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::wait_for;

mod access;
mod follow;
mod names;
mod pages;

/// The clock starts again here, milliseconds: about 4.6 hours.
const CLOCK_PERIOD: u64 = 1 << 24;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/browser")
        .join(name)
}

/// A folder of the tests that outlives them.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Publishes the picture with the clock under each of these names, and is waited for.
#[track_caller]
fn publish(server: &Server, names: &[&str]) -> Process {
    publish_with(server, &[], names)
}

/// As [`publish`], with options of `pattern.mjs`.
#[track_caller]
fn publish_with(server: &Server, options: &[&str], names: &[&str]) -> Process {
    let count = || {
        let verbs = [": publishes ", ": goes on with "];
        let counts = verbs.map(|verb| server.process.count_said(verb));
        counts.iter().sum::<usize>()
    };
    let before = count();
    let mut arguments = vec![script("pattern.mjs").into_os_string()];
    arguments.extend(options.iter().map(Into::into));
    arguments.extend(names.iter().map(|name| server.url(name).into()));
    let publisher = Process::start("pattern", "node", arguments);
    wait_for("the publisher", || {
        (count() == before + names.len()).then_some(())
    });
    publisher
}

/// What ended on request, as it should.
#[track_caller]
fn end(publisher: Process) {
    publisher.signal("TERM");
    publisher.succeed();
}

/// Chromium draws with the processor, of which it takes what it gets: so many run side by side.
const BROWSERS_MAX: usize = 2;

static BROWSERS: Mutex<usize> = Mutex::new(0);
static BROWSER_LEFT: Condvar = Condvar::new();

/// A script that drives a browser, as long as it is its turn.
struct Script {
    process: Process,
    _turn: Turn,
}

struct Turn;

impl Turn {
    fn wait() -> Self {
        let browsers = BROWSERS.lock().unwrap();
        let is_full = |browsers: &mut usize| *browsers >= BROWSERS_MAX;
        *BROWSER_LEFT.wait_while(browsers, is_full).unwrap() += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *BROWSERS.lock().unwrap() -= 1;
        BROWSER_LEFT.notify_one();
    }
}

/// Starts a script that drives the browser, with what all of them are given and its own, when it
/// is its turn.
#[track_caller]
fn drive(name: &str, server: &Server, own: &Value) -> Script {
    let packages = kept("browser");
    assert!(
        packages.join("installed.json").exists(),
        "npm's packages are not there; tests/run installs them"
    );
    let shots = kept("screenshots");
    fs::create_dir_all(&shots).unwrap();
    let given = json!({
        "packages": packages,
        "origin": server.http_url("").trim_end_matches('/'),
        "shots": shots,
        "own": own,
    });
    let arguments = [script(name).into_os_string(), given.to_string().into()];
    let turn = Turn::wait();
    Script {
        process: Process::start(name, "node", arguments),
        _turn: turn,
    }
}

/// The last line that a script has printed at its end.
#[track_caller]
fn told(script: Script) -> Value {
    let finished = script.process.succeed();
    serde_json::from_str(finished.stdout.last().unwrap()).unwrap()
}

/// The clocks that were on the screen, of which each is later than the one before.
#[track_caller]
fn check_advances(what: &str, seen: &Value) {
    let clocks: Vec<u64> = serde_json::from_value(seen["clocks"].clone()).unwrap();
    assert!(clocks.len() >= 25, "{what}: {seen}");
    for pair in clocks.windows(2) {
        let step = (pair[1] + CLOCK_PERIOD - pair[0]) % CLOCK_PERIOD;
        assert!(step < CLOCK_PERIOD / 2, "{what} goes back: {clocks:?}");
    }
}

#[test]
fn players_from_npm_show_the_picture_and_decode_the_sound() {
    let server = Server::start(&[]);
    let publisher = publish(&server, &["live/cam"]);
    let players = ["mpegts.js", "mpegts.js over WebSocket", "MSE", "hls.js"];
    let own = json!({ "name": "live/cam", "players": players });
    let shown = told(drive("players.mjs", &server, &own));
    for (name, player) in players.iter().zip(shown.as_array().unwrap()) {
        assert_eq!(player["name"], *name);
        assert_eq!(player["faults"], json!([]), "{name}");
        check_advances(name, player);
        assert!(player["frames"].as_u64().unwrap() > 20, "{name}: {player}");
        assert!(player["audioBytes"].as_u64().unwrap() > 10_000, "{name}");
        assert_eq!(player["size"], json!([320, 180]), "{name}");
    }
    end(publisher);
    server.stop();
}
