//! A camera froze and is switched on again: how long its players see nothing.
//!
//! A publisher is stopped with SIGSTOP, so that its connection looks alive. A second one comes for
//! the same name, from the same address. Told is the time from its start, as a process, to its
//! first keyframe at a player that never disconnected.
//!
//! `cargo bench --bench takeover [-- RUNS]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, not a server"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use millstream::media::flv::{Reader, TagKind, is_keyframe, is_video_sequence_header};

/// Nothing came from the frozen publisher for this long: what comes then is of the next one.
const QUIET: Duration = Duration::from_millis(500);

/// No server of ours takes that long.
const DEADLINE: Duration = Duration::from_secs(150);

/// Killed when it goes.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.args(arguments).stdout(Stdio::piped());
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn publisher(url: &str) -> Self {
        Self::start(&["simulate", url, "--camera", "plain", "--duration", "600"])
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        self.0.kill().ok();
        self.0.wait().unwrap();
    }
}

/// The times at which frames come out of a player, and which of them are keyframes.
fn arrivals(player: &mut Process) -> Receiver<(Instant, bool)> {
    let mut output = player.0.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        let mut reader = Reader::new();
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            let now = Instant::now();
            reader.handle_input(&buffer[..count]);
            while let Some(tag) = reader.poll_tag().unwrap() {
                let is_video = tag.kind == TagKind::Video;
                let is_key = is_video && !is_video_sequence_header(&tag.body);
                if sender
                    .send((now, is_key && is_keyframe(&tag.body)))
                    .is_err()
                {
                    return;
                }
            }
        }
    });
    receiver
}

fn takeover(url: &str) -> Duration {
    let first = Process::publisher(url);
    let mut player = Process::start(&["pull", url, "-"]);
    let arrivals = arrivals(&mut player);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        arrivals.recv_timeout(DEADLINE).unwrap();
    }
    first.signal("-STOP");
    while arrivals.recv_timeout(QUIET).is_ok() {}
    let start = Instant::now();
    let second = Process::publisher(url);
    let seen = loop {
        let (at, is_keyframe) = arrivals.recv_timeout(DEADLINE).unwrap();
        if is_keyframe {
            break at;
        }
    };
    drop((first, second));
    seen - start
}

fn main() {
    let runs = std::env::args().skip(1).find_map(|text| text.parse().ok());
    let mut server = Process::start(&["serve", "--rtmp", "127.0.0.1:0"]);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let base = line.trim().rsplit(' ').next().unwrap().to_owned();
    let mut times: Vec<Duration> = (0..runs.unwrap_or(20))
        .map(|run| takeover(&format!("{base}/live/camera-{run}")))
        .collect();
    times.sort();
    let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{} takeovers: median {:.1} ms, worst {:.1} ms",
        times.len(),
        ms(&times[times.len() / 2]),
        times.last().map_or(0.0, ms)
    );
}
