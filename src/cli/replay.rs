//! `millstream replay`: what happened in a recorded conversation, and what this version makes of
//! it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::rtmp::flight::replay::{Difference, Replay, replay};
use crate::rtmp::flight::{Extent, Facts, Flight};
use crate::rtmp::session::ServerConfig;

/// No recording is longer: two directions of 256 KiB, and what stands around 1024 pieces.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What can be typed behind `replay`.
#[derive(Debug, Clone, Args)]
pub(super) struct ReplayArgs {
    /// A file that `millstream serve --flight DIR` has written
    file: PathBuf,
}

/// Reads the file, leads the conversation again and tells of it.
#[allow(clippy::print_stdout, reason = "the command line is what prints")]
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let name = args.file.display();
    let file = read(&args.file).with_context(|| name.to_string())?;
    let flight = Flight::decode(&file).with_context(|| name.to_string())?;
    let outcome = replay(&flight, &ServerConfig::default(), Instant::now());
    for line in facts(&flight.facts) {
        println!("{line}");
    }
    for line in verdict(&flight.facts, &outcome) {
        println!("{line}");
    }
    Ok(())
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

/// How it ended then, and what this version makes of it.
fn verdict(facts: &Facts, outcome: &Replay) -> Vec<String> {
    let mut lines: Vec<String> = outcome
        .notes
        .iter()
        .map(|note| format!("it {note}"))
        .collect();
    lines.push(format!("verdict: {}", facts.end));
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
