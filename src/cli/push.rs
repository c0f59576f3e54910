//! `millstream push`: a file or standard input to a server.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::console::Console;
use super::{parse_target, stop_client_on_signal, with_advice};
use crate::client::push::{self, PushOptions};
use crate::client::{Input, InputError, InputOptions, Reactor};
use crate::media::InputFormat;
use crate::media::annexb::AnnexBCodec;
use crate::rtmp::url::RtmpUrl;

/// What can be typed behind `push`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  millstream push film.mp4 rtmp://192.0.2.1/live/film --loop
  rpicam-vid -t 0 --inline -o - | millstream push - rtmp://192.0.2.1/live/door")]
pub(super) struct PushArgs {
    /// A .flv, .mp4, .h264 or .h265 file, or - for standard input
    input: String,

    /// Where to: rtmp://[USER:PASSWORD@]HOST[:PORT]/APP/KEY
    url: String,

    /// What the input is, if its first bytes do not tell
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Send as fast as the connection takes it instead of in real time
    #[arg(long)]
    no_pace: bool,

    /// Start over at the end of the file; timestamps go on growing
    #[arg(long = "loop")]
    loops: bool,

    /// Keep the timestamps of the file instead of starting at 0
    #[arg(long)]
    keep_timestamps: bool,

    /// Frames per second of a .h264 or .h265 input, instead of what it says; from standard input,
    /// frames are otherwise stamped as they arrive
    #[arg(long, value_name = "FPS", value_parser = parse_frame_rate)]
    frame_rate: Option<f64>,

    /// Send HEVC as codec id 12, for servers and players that do not know Enhanced RTMP
    #[arg(long)]
    hevc_id_12: bool,

    /// Chunk size to send with, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(128..=65_536))]
    chunk_size: u32,

    /// Give up when the connection breaks, instead of connecting anew; the first connection has
    /// to work either way, only a name that is still in use is tried for some seconds
    #[arg(long)]
    no_reconnect: bool,

    /// Show the progress even when standard error is no terminal
    #[arg(long)]
    progress: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Flv,
    Mp4,
    H264,
    H265,
}

/// Pushes until the input ends or SIGINT or SIGTERM comes.
pub(super) fn run(args: &PushArgs, is_verbose: bool) -> anyhow::Result<()> {
    let target = parse_target(&args.url, args.chunk_size)?;
    let mut reactor = Reactor::new()?;
    stop_client_on_signal(reactor.stopper().clone())?;
    let options = InputOptions {
        format: args.format.map(Format::input_format),
        frame_rate: args.frame_rate,
        uses_codec_id_12: args.hevc_id_12,
    };
    let input = match args.input.as_str() {
        "-" if std::io::stdin().is_terminal() => {
            bail!("standard input is a terminal; pipe a stream into it, or name a file")
        }
        "-" if args.loops => {
            bail!("standard input has no start to go back to; --loop needs a file")
        }
        "-" => Input::stdin(reactor.stopper(), options)?,
        path => Input::file(Path::new(path), options)
            .map_err(|error| with_ffmpeg(error, path, &args.url))?,
    };
    let options = PushOptions {
        paces: !args.no_pace,
        loops: args.loops,
        keeps_timestamps: args.keep_timestamps,
        reconnects: !args.no_reconnect,
    };
    let mut console = Console::new(is_verbose, args.progress);
    let outcome = push::run(&mut reactor, &target, input, options, &mut console);
    console.finish();
    outcome.map_err(|error| with_advice(error, &target))?;
    Ok(())
}

/// Most other films are sent by ffmpeg.
fn with_ffmpeg(error: InputError, path: &str, url: &str) -> anyhow::Error {
    if !matches!(error, InputError::UnknownFormat { .. }) {
        return error.into();
    }
    let is_plain = |c: char| c.is_alphanumeric() || "/.-_".contains(c);
    let path = match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    };
    // The password stays where it was typed.
    let url = RtmpUrl::parse(url).map_or_else(|_| "URL".to_owned(), |url| url.to_string());
    anyhow::anyhow!(
        "{error}; or let ffmpeg send it: \
         ffmpeg -re -i {path} -c:v libx264 -c:a aac -f flv {url}"
    )
}

impl Format {
    fn input_format(self) -> InputFormat {
        match self {
            Self::Flv => InputFormat::Flv,
            Self::Mp4 => InputFormat::Mp4,
            Self::H264 => InputFormat::AnnexB(AnnexBCodec::Avc),
            Self::H265 => InputFormat::AnnexB(AnnexBCodec::Hevc),
        }
    }
}

fn parse_frame_rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.1..=1000.0).contains(rate))
        .ok_or_else(|| "a number of frames per second from 0.1 to 1000 is expected".to_owned())
}
