//! `millstream simulate`: an awkward camera, to try a server with.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _};

use super::console::{Console, answer};
use super::{Arguments, demo, parse_seconds, parse_target, stop_client_on_signal};
use crate::client::simulate::{self, CAMERAS, Camera, SimulateOptions};
use crate::client::{ClientError, Input, InputOptions, Reactor};

/// What can be typed behind `simulate`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  millstream simulate --list
  millstream -v simulate rtmp://192.0.2.1/live/door --camera dji-mini --duration 10")]
pub(super) struct SimulateArgs {
    /// Where to: rtmp://HOST[:PORT]/APP/KEY
    #[arg(required_unless_present = "list")]
    url: Option<String>,

    /// Which camera; --list tells what there is
    #[arg(long, value_name = "KIND", value_parser = parse_camera)]
    camera: Option<&'static Camera>,

    /// Show the cameras, the numbers of their quirks, and what each does
    #[arg(long, exclusive = true)]
    list: bool,

    /// A .flv, .mp4, .h264 or .h265 file to send instead of the built-in test stream
    #[arg(long, value_name = "FILE")]
    input: Option<String>,

    /// End after this many seconds of media; without it, Ctrl-C ends it
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    duration: Option<Duration>,

    /// Show the progress even when standard error is no terminal
    #[arg(long)]
    progress: bool,
}

/// Runs until the duration is over, SIGINT or SIGTERM comes, or the server has had enough.
pub(super) fn run(args: &SimulateArgs, is_verbose: bool) -> anyhow::Result<()> {
    if args.list {
        return answer(&list());
    }
    let url = args.url.as_deref().context("no URL")?;
    let camera = args.camera.unwrap_or_else(|| {
        Arguments::command()
            .error(
                ErrorKind::MissingRequiredArgument,
                "--camera KIND says as which camera; `millstream simulate --list` shows them",
            )
            .exit()
    });
    let target = parse_target(url, 4096)?;
    let mut reactor = Reactor::new()?;
    stop_client_on_signal(reactor.stopper().clone())?;
    let input = match &args.input {
        Some(path) => Input::file(Path::new(path), InputOptions::default())?,
        None => Input::bytes("the test stream", demo::STREAM),
    };
    let options = SimulateOptions {
        duration: args.duration,
        is_test_stream: args.input.is_none(),
    };
    let mut console = Console::new(is_verbose, args.progress);
    if is_verbose {
        introduce(camera);
    }
    let outcome = simulate::run(&mut reactor, &target, camera, input, options, &mut console);
    console.finish();
    match outcome {
        Ok(_) | Err(ClientError::Stopped) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("as {}", camera.name)),
    }
}

fn parse_camera(name: &str) -> Result<&'static Camera, String> {
    Camera::find(name).ok_or_else(|| {
        let known = CAMERAS.iter().map(|camera| camera.name);
        let alike = known.filter(|known| known.contains(name) || name.contains(known));
        let alike: Vec<&str> = alike.collect();
        match alike.is_empty() {
            true => "no such camera; `millstream simulate --list` shows them".to_owned(),
            false => format!("no such camera; did you mean {}?", alike.join(" or ")),
        }
    })
}

#[allow(clippy::print_stderr, reason = "the command line is what prints")]
fn introduce(camera: &Camera) {
    eprintln!("{} ({}): {}", camera.name, camera.device, camera.sentence);
}

/// A line for each: name, quirk numbers, device, sentence.
fn list() -> String {
    let mut lines = String::new();
    for camera in CAMERAS {
        let quirks: Vec<String> = camera.quirks.iter().map(u8::to_string).collect();
        let quirks = match quirks.is_empty() {
            true => "-".to_owned(),
            false => quirks.join(","),
        };
        lines += &format!(
            "{:<21} {quirks:<6} {}: {}\n",
            camera.name, camera.device, camera.sentence
        );
    }
    lines
}
