//! `millstream serve`: the server until a signal ends it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::server::{Config, Flush, Server, StopHandle};

/// What can be typed behind `serve`.
#[derive(Debug, Clone, Args)]
pub(super) struct ServeArgs {
    /// Address and port to take RTMP on; may be given several times. Port 0 lets the system choose
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:1935")]
    rtmp: Vec<SocketAddr>,

    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,

    /// When frames leave: `video` (video at once, audio waits for it up to 40 ms), `now` (each at
    /// once) or a duration such as `100ms` (everything waits that long; the least CPU)
    #[arg(long, value_name = "WHEN", default_value = "video", value_parser = parse_flush)]
    flush: Flush,

    /// Chunk size that we send with, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(128..=65_536))]
    chunk_size: u32,

    /// Seconds that a player waits for a stream that nobody publishes yet
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    play_wait: Duration,

    /// Seconds that players are kept when their publisher vanishes without a goodbye
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    publisher_grace: Duration,
}

/// Runs the server until SIGINT or SIGTERM.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let server = Server::start(args.config())?;
    announce(&server);
    stop_on_signal(server.stop_handle())?;
    server.wait();
    log::info!("stopped");
    Ok(())
}

/// One line per listener on stdout, for people and for whoever started us with port 0.
#[allow(clippy::print_stdout, reason = "the command line is what prints")]
pub(super) fn announce(server: &Server) {
    for address in server.rtmp_addresses() {
        println!("RTMP listening on rtmp://{address}");
    }
}

/// From now on SIGINT and SIGTERM stop the server instead of the process; a second one does both.
pub(super) fn stop_on_signal(stop: StopHandle) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot watch for signals")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut is_second = false;
            for signal in signals.forever() {
                if is_second {
                    std::process::exit(128 + signal);
                }
                is_second = true;
                log::info!("stopping (signal {signal})");
                stop.stop();
            }
        })
        .context("cannot start the thread that watches for signals")?;
    Ok(())
}

impl ServeArgs {
    fn config(&self) -> Config {
        let mut config = Config {
            rtmp: self.rtmp.clone(),
            flush: self.flush,
            ..Config::default()
        };
        if let Some(workers) = self.workers {
            config.workers = usize::from(workers);
        }
        config.session.chunk_size = self.chunk_size;
        config.timers.play_wait = self.play_wait;
        config.timers.publisher_grace = self.publisher_grace;
        config
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= Duration::from_secs(86_400))
        .ok_or_else(|| "a number of seconds up to 86400 is expected, such as 5 or 0.5".to_owned())
}

fn parse_flush(text: &str) -> Result<Flush, String> {
    let expected = || "`video`, `now` or a duration such as `100ms` is expected".to_owned();
    match text {
        "video" => Ok(Config::default().flush),
        "now" => Ok(Flush::Now),
        _ => {
            let number = text.strip_suffix("ms").ok_or_else(expected)?;
            match number.parse() {
                Ok(ms @ 1..=10_000) => Ok(Flush::Every(Duration::from_millis(ms))),
                _ => Err("a flush of 1ms to 10000ms is expected".to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flush_is_a_word_or_a_duration() {
        assert_eq!(parse_flush("now"), Ok(Flush::Now));
        assert_eq!(
            parse_flush("100ms"),
            Ok(Flush::Every(Duration::from_millis(100)))
        );
        for wrong in ["", "ms", "100", "100s", "0ms", "-1ms", "10001ms", "Now"] {
            assert!(parse_flush(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction_and_an_end() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "-1", "NaN", "inf", "1e9", "5s"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
