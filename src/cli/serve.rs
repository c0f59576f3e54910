//! `millstream serve`: the server until a signal ends it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::parse_seconds;
use crate::server::{Config, Flush, Server, StartError, Takeover};

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

    /// Who may take a name whose publisher is still connected: `same-source` (at once whoever comes
    /// from its address with its query, anybody after a second of silence), `always` or `never`
    #[arg(long, value_name = "WHO", default_value = "same-source", value_parser = parse_takeover)]
    takeover: Takeover,

    /// Seconds that players are kept when their publisher vanishes without a goodbye
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    publisher_grace: Duration,
}

/// Runs the server until SIGINT or SIGTERM.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let server = start(args.config())?;
    let stop = server.stop_handle();
    on_signal(move || stop.stop())?;
    announce(&server);
    server.wait();
    log::info!("stopped");
    Ok(())
}

/// Binds and starts; what can go wrong is said with advice.
pub(super) fn start(config: Config) -> anyhow::Result<Server> {
    let wanted = config.limits.connections_max as u64;
    // Debian's soft limit of 1024 open files is for programs that use select(2).
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => log::warn!(
            "the system allows {limit} open files (ulimit -Hn): fewer than the {wanted} \
             connections that the server would take"
        ),
        Ok(_) => {}
        Err(error) => log::warn!("the limit of open files cannot be raised: {error}"),
    }
    Server::start(config).map_err(with_advice)
}

/// One line per listener on stdout, for people and for whoever started us with port 0.
#[allow(clippy::print_stdout, reason = "the command line is what prints")]
pub(super) fn announce(server: &Server) {
    for address in server.rtmp_addresses() {
        println!("RTMP listening on rtmp://{address}");
    }
}

/// Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process at once.
pub(super) fn on_signal(stop: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot watch for signals")?;
    let watch = move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                std::process::exit(128 + signal);
            }
            stop();
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watch)
        .context("cannot start the thread that watches for signals")?;
    Ok(())
}

/// What to do about a server that cannot start.
fn with_advice(error: StartError) -> anyhow::Error {
    let advice = match &error {
        StartError::Listen { cause, .. } => match cause.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; something listens there already: stop it, or choose another port with --rtmp"
            }
            std::io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need root: choose another one with --rtmp"
            }
            std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
            _ => "",
        },
        StartError::Worker(_) => "",
    };
    anyhow::anyhow!("{error}{advice}")
}

impl ServeArgs {
    fn config(&self) -> Config {
        let mut config = Config {
            rtmp: self.rtmp.clone(),
            ..Config::default()
        };
        if let Some(workers) = self.workers {
            config.workers = usize::from(workers);
        }
        config.session.chunk_size = self.chunk_size;
        config.path.flush = self.flush;
        config.path.takeover = self.takeover;
        config.path.play_wait = self.play_wait;
        config.path.publisher_grace = self.publisher_grace;
        config
    }
}

fn parse_takeover(text: &str) -> Result<Takeover, String> {
    match text {
        "same-source" => Ok(Takeover::SameSource),
        "always" => Ok(Takeover::Always),
        "never" => Ok(Takeover::Never),
        _ => Err("`same-source`, `always` or `never` is expected".to_owned()),
    }
}

fn parse_flush(text: &str) -> Result<Flush, String> {
    let expected = || "`video`, `now` or a duration such as `100ms` is expected".to_owned();
    match text {
        "video" => Ok(Flush::Video),
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
}
