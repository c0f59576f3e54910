//! `millstream replay`: what happened in a recorded conversation, and what this version makes of
//! it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use super::console::answer;
use crate::rtmp::chunk::{ChunkLimits, MESSAGE_BYTES_MAX};
use crate::rtmp::flight::replay::{Difference, Replay, replay};
use crate::rtmp::flight::{Direction, Extent, Facts, Flight};
use crate::rtmp::session::ServerConfig;
use crate::story::{Ending, Narrator, Role, Side};

/// No recording is longer: two directions of 256 KiB, and what stands around 1024 pieces.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What can be typed behind `replay`.
#[derive(Debug, Clone, Args)]
pub(super) struct ReplayArgs {
    /// A file that `millstream serve --flight DIR` has written
    file: PathBuf,
}

/// Reads the file, leads the conversation again and tells of it.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let name = args.file.display();
    let file = read(&args.file).with_context(|| format!("cannot read {name}"))?;
    let flight = Flight::decode(&file).with_context(|| name.to_string())?;
    let outcome = replay(&flight, &ServerConfig::default(), Instant::now());
    let mut lines = facts(&flight.facts);
    lines.extend(story(&flight));
    lines.extend(verdict(&flight.facts, &outcome));
    answer(&(lines.join("\n") + "\n"))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("longer than any recording: more than {FILE_BYTES_MAX} bytes");
    }
    Ok(bytes)
}

/// Who, when, where, how much.
fn facts(facts: &Facts) -> Vec<String> {
    let micros = i64::try_from(facts.began.as_micros()).unwrap_or(i64::MAX);
    let began = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    let mut lines = vec![format!(
        "{} to {}, {began:.3}, recorded by millstream {}",
        facts.peer, facts.listener, facts.version
    )];
    if let Some(stream) = &facts.stream {
        lines.push(format!("asked for {stream}"));
    }
    lines.push(format!(
        "received {}, sent {}, in {}",
        extent(facts.received),
        extent(facts.sent),
        seconds(facts.lasted)
    ));
    lines
}

fn extent(extent: Extent) -> String {
    match extent.missing {
        0 => format!("{} bytes", extent.total),
        missing => format!(
            "{} bytes ({missing} of them not kept, behind the first {})",
            extent.total, extent.missing_at
        ),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// What was said, as far as it was kept, and the verdict.
fn story(flight: &Flight<'_>) -> Vec<String> {
    // What the session refused is to be told, too.
    let limits = ChunkLimits {
        message_size_max: MESSAGE_BYTES_MAX,
        ..ChunkLimits::default()
    };
    let mut narrator = Narrator::new(Role::Server, limits);
    let gaps = [
        (Side::Peer, flight.facts.received),
        (Side::We, flight.facts.sent),
    ];
    let mut left = gaps.map(|(side, extent)| (side, extent.missing > 0, extent.missing_at));
    for piece in flight.whole() {
        let side = match piece.direction {
            Direction::Received => Side::Peer,
            Direction::Sent => Side::We,
        };
        narrator.handle_bytes(piece.at, side, piece.bytes);
        for (of, is_open, bytes) in &mut left {
            if *of == side {
                *bytes = bytes.saturating_sub(piece.bytes.len() as u64);
                if *is_open && *bytes == 0 {
                    *is_open = false;
                    narrator.handle_gap(piece.at, side);
                }
            }
        }
    }
    narrator.handle_end(flight.facts.lasted, ending(&flight.facts.end));
    let mut lines: Vec<String> = std::iter::from_fn(|| narrator.poll_line())
        .map(|line| line.to_string())
        .collect();
    lines.push(format!("verdict: {}", narrator.verdict()));
    lines
}

/// What the log's last line says about who closed.
fn ending(line: &str) -> Ending {
    let is_peers = || line.starts_with("left ") || line.contains(" vanished; ");
    Ending::of_log_line(line).unwrap_or_else(|| match is_peers() {
        true => Ending::PeerClosed,
        false => Ending::WeClosed(line.to_owned()),
    })
}

/// How it ended then, and what this version makes of it.
fn verdict(facts: &Facts, outcome: &Replay) -> Vec<String> {
    let mut lines: Vec<String> = outcome
        .notes
        .iter()
        .map(|note| format!("it {note}"))
        .collect();
    lines.push(format!("ended: {}", facts.end));
    for Difference { at, then, now } in &outcome.differences {
        let at = seconds(*at);
        lines.push(match (then, now) {
            (Some(then), Some(now)) => format!("at {at} this version answers {now}, not {then}"),
            (None, Some(now)) => format!("at {at} this version answers {now} besides"),
            (Some(then), None) => format!("at {at} this version does not answer {then}"),
            (None, None) => continue,
        });
    }
    let fault = outcome.fault.map(|(_, error)| format!("closed: {error}"));
    match fault {
        Some(fault) if fault == facts.end => {
            lines.push("this version ends it likewise".to_owned());
        }
        Some(fault) => lines.push(format!("this version ends it otherwise: {fault}")),
        None if facts.end.starts_with("closed: ") && facts.received.missing == 0 => {
            lines.push("this version does not end it".to_owned());
        }
        None if outcome.differences.is_empty() => {
            lines.push("this version answers it likewise".to_owned());
        }
        None => {}
    }
    lines
}
