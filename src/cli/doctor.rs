//! `millstream doctor`: why a stream does not get through, and what to do.

use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::console::{Console, answer};
use super::demo::STREAM;
use super::{parse_seconds, parse_target, stop_client_on_signal};
use crate::client::doctor::{self, DoctorReport, Trial};
use crate::client::{Input, Reactor};

/// What can be typed behind `doctor`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  millstream doctor rtmp://192.0.2.1/live/door
  millstream doctor rtmp://192.0.2.1/live/door --publish

Exit status: 0 everything works, 1 something does not.")]
pub(super) struct DoctorArgs {
    /// What to examine: rtmp://[USER:PASSWORD@]HOST[:PORT]/APP/KEY
    url: String,

    /// Publish a small test stream there as well, if nobody else does. It takes the name meanwhile:
    /// a camera that comes then may be refused
    #[arg(long)]
    publish: bool,

    /// With --publish: publish even if somebody else does, who may be thrown out
    #[arg(long, requires = "publish")]
    force: bool,

    /// Play, and publish, for this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    duration: Duration,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Examines the URL and prints what was found.
pub(super) fn run(args: &DoctorArgs, is_verbose: bool) -> anyhow::Result<()> {
    let target = parse_target(&args.url, 4096)?;
    let mut reactor = Reactor::new()?;
    stop_client_on_signal(reactor.stopper().clone())?;
    let trial = args.publish.then(|| Trial {
        input: Input::bytes("the test stream", STREAM),
        is_forced: args.force,
    });
    let mut console = Console::new(is_verbose, false);
    let outcome = doctor::run(&mut reactor, &target, args.duration, trial, &mut console);
    console.finish();
    let report = outcome?;
    if args.json {
        answer(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        answer(&page(&report))?;
    }
    if !report.is_fine {
        bail!("{}: {}", report.url, report.verdict);
    }
    Ok(())
}

/// What was found, for people.
fn page(report: &DoctorReport) -> String {
    let mut page = format!("{}\n\n", report.url);
    for check in &report.checks {
        let health = check.health.as_str();
        page += &format!("{health:8}{:9}{}\n", check.name, check.text);
    }
    for conversation in &report.conversations {
        page += &format!("\n{}:\n", conversation.purpose);
        for line in &conversation.lines {
            page += &format!("{:9.3} s  {}\n", line.ms / 1000.0, line.text);
        }
        page += &format!("  {}\n", conversation.verdict);
    }
    page + &format!("\nverdict: {}\n", report.verdict)
}
