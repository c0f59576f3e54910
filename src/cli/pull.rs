//! `millstream pull`: a live stream from a server into a file or standard output.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::console::Console;
use super::{parse_seconds, parse_target, stop_client_on_signal, with_advice};
use crate::client::pull::{self, PullOptions};
use crate::client::{Output, Reactor};

/// What can be typed behind `pull`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  millstream pull rtmp://192.0.2.1/live/door door.mp4
  millstream pull rtmp://192.0.2.1/live/door - | ffplay -")]
pub(super) struct PullArgs {
    /// Where from: rtmp://[USER:PASSWORD@]HOST[:PORT]/APP/KEY
    url: String,

    /// A .flv or .mp4 file, or - for FLV on standard output
    output: String,

    /// End after this many seconds of media
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    duration: Option<Duration>,

    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,

    /// When the connection breaks or the publisher leaves, ask again and go on in the same file;
    /// the first connection has to work
    #[arg(long)]
    reconnect: bool,

    /// Show the progress even when standard error is no terminal
    #[arg(long)]
    progress: bool,
}

/// Pulls until the stream ends or SIGINT or SIGTERM comes.
pub(super) fn run(args: &PullArgs, is_verbose: bool) -> anyhow::Result<()> {
    let target = parse_target(&args.url, 4096)?;
    let mut reactor = Reactor::new()?;
    stop_client_on_signal(reactor.stopper().clone())?;
    let output = match args.output.as_str() {
        "-" if std::io::stdout().is_terminal() => {
            bail!("standard output is a terminal; pipe it into a player, or name a file")
        }
        "-" => Output::stdout(),
        path => Output::file(Path::new(path), args.force)?,
    };
    let options = PullOptions {
        duration: args.duration,
        reconnects: args.reconnect,
    };
    let mut console = Console::new(is_verbose, args.progress);
    let outcome = pull::run(&mut reactor, &target, output, options, &mut console);
    console.finish();
    outcome.map_err(|error| with_advice(error, &target))?;
    Ok(())
}
