//! `millstream serve`: the server until a signal ends it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::config::{Faults, Settings, typed};
use super::console::answer;
use crate::server::{Config, ReloadHandle, Server, StartError};

/// What can be typed behind `serve`. What is not typed is as the environment and the file say.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ServeArgs {
    /// Configuration file; `millstream config show` prints one with every setting. SIGHUP reads it
    /// again
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Address and port to take RTMP on; may be given several times. Port 0 lets the system choose
    /// [default: 0.0.0.0:1935]
    #[arg(long, value_name = "ADDR:PORT", value_parser = typed("rtmp"))]
    rtmp: Vec<String>,

    /// What many servers have; ours can listen in several places.
    #[arg(long, hide = true, value_name = "PORT", value_parser = refuse_port)]
    #[allow(dead_code, reason = "nothing is taken for it")]
    port: Option<String>,

    /// Address and port to take HTTP on, for pages, players and the API; may be given several times,
    /// `none` for no HTTP [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR:PORT", value_parser = typed("http"))]
    http: Vec<String>,

    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = typed("workers"))]
    workers: Option<String>,

    /// When frames leave: `video` (video at once, audio waits for it up to 40 ms), `now` (each at
    /// once) or a time such as `100ms` (everything waits that long; the least CPU)
    /// [default: video]
    #[arg(long, value_name = "WHEN", value_parser = typed("flush"))]
    flush: Option<String>,

    /// Chunk size that we send with [default: 64KiB]
    #[arg(long, value_name = "BYTES", value_parser = typed("chunk_size"))]
    chunk_size: Option<String>,

    /// How long a player waits for a stream that nobody publishes yet: seconds, or a time such as
    /// `500ms` [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = typed("timers.play_wait"))]
    play_wait: Option<String>,

    /// Who may take a name whose publisher is still connected: `same-source` (at once whoever comes
    /// from its address with its query, anybody after a second of silence), `always` or `never`
    /// [default: same-source]
    #[arg(long, value_name = "WHO", value_parser = typed("takeover"))]
    takeover: Option<String>,

    /// Server to which clients that understand it are sent when this one stops
    #[arg(long, value_name = "rtmp://HOST[:PORT]", value_parser = typed("drain_to"))]
    drain_to: Option<String>,

    /// How long players are kept when their publisher vanishes without a goodbye [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = typed("timers.publisher_grace"))]
    publisher_grace: Option<String>,

    /// Token for the API's changes, such as kick; the environment (MILLSTREAM_API_TOKEN) or the file
    /// keeps it out of the list of processes [default: none, nobody may change anything]
    #[arg(long, value_name = "TOKEN", value_parser = typed("api_token"))]
    api_token: Option<String>,

    /// Who may read from the API without the token: `loopback`, `anybody` or `nobody`
    /// [default: loopback]
    #[arg(long, value_name = "WHO", value_parser = typed("api_read"))]
    api_read: Option<String>,

    /// Record each connection, and write those that end in an error to files in this folder;
    /// `millstream replay FILE` tells what happened. They hold all bytes, stream keys included
    /// [default: off]
    #[arg(long, value_name = "DIR", value_parser = typed("flight"))]
    flight: Option<String>,

    /// Tell the conversation of whoever has this APP/KEY or address in the log, step by step and with a
    /// verdict; * stands for any characters, and alone for everybody. May be given several times
    #[arg(long, value_name = "PATTERN", value_parser = typed("trace"))]
    trace: Vec<String>,
}

fn refuse_port(text: &str) -> Result<String, String> {
    let port = text.parse::<u16>().unwrap_or(1935);
    Err(format!(
        "there is no --port; say --rtmp ADDRESS:PORT, as in --rtmp 0.0.0.0:{port}, and --http \
         ADDRESS:PORT for HTTP"
    ))
}

/// Runs the server until SIGINT or SIGTERM.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let settings = args.settings()?;
    let server = start(settings.clone().into_config(None))?;
    let stop = server.stop_handle();
    on_signal(move || stop.stop())?;
    if settings.has_file {
        reload_on_hangup(args.clone(), settings, server.reload_handle())?;
    }
    announce(&server)?;
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
pub(super) fn announce(server: &Server) -> anyhow::Result<()> {
    let mut lines = String::new();
    for address in server.rtmp_addresses() {
        lines += &format!("RTMP listening on rtmp://{address}\n");
    }
    for address in server.http_addresses() {
        lines += &format!("HTTP listening on http://{address}\n");
    }
    answer(&lines)
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
        StartError::Listen {
            cause,
            protocol,
            address,
        } => match cause.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "; something listens there already: stop it, or choose another port with \
                 --{protocol} {}",
                free_example(*address, protocol)
            ),
            std::io::ErrorKind::PermissionDenied => format!(
                "; ports below 1024 need root: choose another one with --{protocol} {}",
                free_example(*address, protocol)
            ),
            std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address".to_owned(),
            _ => String::new(),
        },
        StartError::Flight { .. } => "; choose another folder with --flight".to_owned(),
        StartError::Worker(_) => String::new(),
    };
    anyhow::anyhow!("{error}{advice}")
}

/// What to try instead of an address that cannot be had: with HTTP first of all on this machine.
fn free_example(taken: SocketAddr, protocol: &str) -> SocketAddr {
    let port = match (taken.port(), protocol) {
        (port @ 1024..=65_534, _) => port + 1,
        (_, "http") => 8081,
        _ => 1936,
    };
    let ip = match taken.ip() {
        ip if protocol == "http" && ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, port)
}

/// Reads everything again at each SIGHUP. Without a file nothing could have changed, and SIGHUP
/// ends the process when its terminal is closed.
fn reload_on_hangup(
    args: ServeArgs,
    started_with: Settings,
    handle: ReloadHandle,
) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGHUP]).context("cannot watch for SIGHUP")?;
    let watch = move || {
        for _ in signals.forever() {
            let settings = match args.settings() {
                Ok(settings) => settings,
                Err(faults) => {
                    let faults = faults.in_one_line();
                    log::error!("the settings stay as they were: {faults}");
                    continue;
                }
            };
            let fixed = settings.fixed_differences(&started_with);
            handle.reload(settings.into_config(Some(&started_with)));
            log::info!("the settings were read again");
            if !fixed.is_empty() {
                log::warn!("these take effect at the next start: {}", fixed.join(", "));
            }
        }
    };
    std::thread::Builder::new()
        .name("reload".to_owned())
        .spawn(watch)
        .context("cannot start the thread that watches for SIGHUP")?;
    Ok(())
}

impl ServeArgs {
    fn settings(&self) -> Result<Settings, Faults> {
        let rtmp = self.rtmp.join(",");
        let http = self.http.join(",");
        let trace = self.trace.join(",");
        let typed = [
            ("rtmp", (!rtmp.is_empty()).then_some(&rtmp)),
            ("http", (!http.is_empty()).then_some(&http)),
            ("workers", self.workers.as_ref()),
            ("flush", self.flush.as_ref()),
            ("chunk_size", self.chunk_size.as_ref()),
            ("timers.play_wait", self.play_wait.as_ref()),
            ("takeover", self.takeover.as_ref()),
            ("drain_to", self.drain_to.as_ref()),
            ("timers.publisher_grace", self.publisher_grace.as_ref()),
            ("api_token", self.api_token.as_ref()),
            ("api_read", self.api_read.as_ref()),
            ("flight", self.flight.as_ref()),
            ("trace", (!trace.is_empty()).then_some(&trace)),
        ];
        let typed: Vec<_> = typed
            .iter()
            .filter_map(|(name, text)| Some((*name, text.as_ref()?.as_str())))
            .collect();
        Settings::load_all(self.config.as_deref(), &typed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::server::Flush;

    #[test]
    fn another_address_is_named_for_one_that_is_taken() {
        for (taken, protocol, example) in [
            ("0.0.0.0:1935", "rtmp", "0.0.0.0:1936"),
            ("0.0.0.0:8080", "http", "127.0.0.1:8081"),
            ("192.0.2.1:80", "http", "192.0.2.1:8081"),
            ("[::1]:65535", "rtmp", "[::1]:1936"),
        ] {
            let example: SocketAddr = example.parse().unwrap();
            assert_eq!(free_example(taken.parse().unwrap(), protocol), example);
        }
    }

    #[test]
    fn what_is_typed_holds() {
        let args = ServeArgs {
            rtmp: vec!["127.0.0.1:0".to_owned(), "[::1]:0".to_owned()],
            flush: Some("now".to_owned()),
            ..ServeArgs::default()
        };
        let config = args.settings().unwrap().config;
        assert_eq!(config.rtmp.len(), 2);
        assert_eq!(config.path.flush, Flush::Now);
    }
}
