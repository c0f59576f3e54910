//! L4: the command line. The only layer that prints, reads arguments or exits.

mod bench;
mod config;
mod console;
mod demo;
mod doctor;
mod probe;
mod pull;
mod push;
mod replay;
mod serve;
mod simulate;

pub use config::check_config;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgAction, Parser, Subcommand};

use crate::client::{ClientError, Stopper, Target};
use crate::rtmp::url::RtmpUrl;

/// An RTMP server and its push and pull clients
#[derive(Debug, Parser)]
#[command(name = "millstream", version)]
struct Arguments {
    /// Say more: -v the steps of push and pull, -vv every message of the protocol
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Run the server with a built-in test stream, to see a picture without a camera
    Demo(demo::DemoArgs),
    /// Check a configuration file of the server, or show every setting
    Config(config::ConfigArgs),
    /// Send a file or standard input to a server
    Push(push::PushArgs),
    /// Receive a stream from a server into a file or to standard output
    Pull(pull::PullArgs),
    /// Say what a stream is and what is odd about it
    Probe(probe::ProbeArgs),
    /// Find out why a stream does not get through, and what to do
    Doctor(doctor::DoctorArgs),
    /// Tell what happened in a connection that `serve --flight` recorded
    Replay(replay::ReplayArgs),
    /// Behave like an awkward camera, to try a server with
    Simulate(simulate::SimulateArgs),
    /// Load a server with publishers and subscribers, and measure what it does
    Bench(bench::BenchArgs),
}

/// The program. Exit codes: 0 done, 1 failed with one line on stderr, 2 wrong usage.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(&arguments);
    let is_verbose = arguments.verbose > 0;
    let outcome = match &arguments.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Config(args) => config::run(args),
        Command::Push(args) => push::run(args, is_verbose),
        Command::Pull(args) => pull::run(args, is_verbose),
        Command::Probe(args) => probe::run(args, is_verbose),
        Command::Doctor(args) => doctor::run(args, is_verbose),
        Command::Replay(args) => replay::run(args),
        Command::Simulate(args) => simulate::run(args, is_verbose),
        Command::Bench(args) => bench::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[allow(clippy::print_stderr, reason = "the command line is what prints")]
fn fail(error: &anyhow::Error) -> ExitCode {
    // A configuration's faults begin with their place in it, as editors look for it.
    match error.downcast_ref::<config::Faults>() {
        Some(faults) if !faults.is_unread_file() => eprintln!("{faults}"),
        Some(faults) => {
            eprintln!("millstream: {faults}; `millstream config show` prints one to begin with")
        }
        None => eprintln!("millstream: {error:#}"),
    }
    ExitCode::FAILURE
}

/// `RUST_LOG` goes before what the command and `-v` ask for.
fn start_log(arguments: &Arguments) {
    let is_server = matches!(arguments.command, Command::Serve(_) | Command::Demo(_));
    let filter = match (arguments.verbose, is_server) {
        (0, true) => "info",
        (1, true) | (2.., _) => "debug",
        (_, false) => "warn",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(filter))
        .format_target(false)
        .init();
}

fn parse_target(url: &str, chunk_size: u32) -> anyhow::Result<Target> {
    let url = RtmpUrl::parse(url)?;
    Ok(Target::new(url, chunk_size)?)
}

/// What can be done about a connection that came to nothing.
fn with_advice(error: ClientError, target: &Target) -> anyhow::Error {
    match error.is_unexplained() {
        true => anyhow::anyhow!("{error}; `millstream doctor {target}` finds out"),
        false => error.into(),
    }
}

/// The first SIGINT or SIGTERM closes the stream properly; a second one ends the process.
fn stop_client_on_signal(stopper: Stopper) -> anyhow::Result<()> {
    serve::on_signal(move || stopper.stop()).context("cannot watch for signals")
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= Duration::from_secs(86_400))
        .ok_or_else(|| "a number of seconds up to 86400 is expected, such as 5 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seconds_may_have_a_fraction_and_an_end() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "-1", "NaN", "inf", "1e9", "5s"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
