//! What somebody waits for who watches in a browser: the first picture of the page, and the delay
//! from the drawing of a picture to the screen, for each way of playing.
//!
//! ffmpeg publishes a picture with a clock drawn into it, Chromium opens the page of the live
//! stream, and the clock is read from the screen: the harness of the tests (`tests/it/browser`),
//! for which `tests/run` installs everything. The delay holds all there is between the two clocks:
//! encoder, both connections, server, decoder, and what the player holds back.
//!
//! `cargo bench --bench pages`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, not a server"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// Each page is opened anew so often.
const OPENINGS: usize = 20;

/// Pictures of which the delay is taken: twenty seconds.
const PICTURES: usize = 500;

/// Killed when it goes.
struct Process(Child);

impl Process {
    /// Only of the script that measures it is of interest what goes wrong.
    fn start(program: &str, arguments: &[&str], stderr: Stdio) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::piped());
        let started = command.stderr(stderr).spawn();
        Self(started.unwrap_or_else(|e| panic!("{program}: {e}; tests/run installs it")))
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let output = self.0.stdout.take().unwrap();
        BufReader::new(output).lines().map(Result::unwrap)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        self.0.kill().ok();
        self.0.wait().unwrap();
    }
}

fn script(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = root.join("tests/it/browser").join(name);
    path.to_str().unwrap().to_owned()
}

/// The median, and what nine of ten stay below, of milliseconds in order.
fn percentiles(times: &Value) -> [f64; 2] {
    let times: Vec<f64> = serde_json::from_value(times.clone()).unwrap();
    [times[times.len() / 2], times[times.len() * 9 / 10]]
}

fn main() {
    let ports = ["--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let arguments = [&["serve"], &ports[..]].concat();
    let millstream = env!("CARGO_BIN_EXE_millstream");
    let mut server = Process::start(millstream, &arguments, Stdio::null());
    let mut addresses = server
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap().to_owned());
    let (rtmp, http) = (addresses.next().unwrap(), addresses.next().unwrap());
    let url = format!("{rtmp}/live/cam");
    let _publisher = Process::start("node", &[&script("pattern.mjs"), &url], Stdio::null());

    let cases: Vec<Value> = [
        ("webcodecs", false),
        ("webcodecs", true),
        ("mse", false),
        ("mse", true),
    ]
    .map(|(way, sound)| json!({ "way": way, "sound": sound }))
    .into();
    let given = json!({
        "packages": Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser"),
        "origin": http,
        "own": { "name": "live/cam", "openings": OPENINGS, "pictures": PICTURES, "cases": cases },
    });
    let arguments = [script("delay.mjs"), given.to_string()];
    let arguments = arguments.each_ref().map(String::as_str);
    let mut script = Process::start("node", &arguments, Stdio::inherit());
    let told = script.lines().last().expect("the script has said why not");
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();

    println!("milliseconds               first picture     drawn to shown");
    println!("                            p50      p90      p50      p90");
    for case in told {
        let sound = if case["sound"] == true { "on" } else { "off" };
        let way = format!("{}, sound {sound}", case["way"].as_str().unwrap());
        let [open, open_p90] = percentiles(&case["openings"]);
        let [delay, delay_p90] = percentiles(&case["delays"]);
        println!("{way:24} {open:8.0} {open_p90:8.0} {delay:8.0} {delay_p90:8.0}");
    }
}
