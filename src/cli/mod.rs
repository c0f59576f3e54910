//! L4: the command line. The only layer that prints, reads arguments or exits.

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An RTMP server and its push and pull clients.
#[derive(Debug, Parser)]
#[command(name = "millstream", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
}

/// The program. Exit codes: 0 done, 1 failed with one line on stderr, 2 wrong usage.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(filter)
        .format_target(false)
        .init();
    let outcome = match &arguments.command {
        Command::Serve(serve) => serve::run(serve),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
