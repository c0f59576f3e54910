//! `millstream demo`: the server, and a built-in test stream pushed to it over real RTMP.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use clap::Args;

use super::console::{Console, answer};
use super::{config, parse_target, serve};
use crate::client::push::{self, PushOptions};
use crate::client::{ClientError, Input, Reactor};
use crate::http::guard::Reads;
use crate::server::Config;

/// 9.6 s of a moving picture and sound; `demo/make.sh` makes it.
pub(super) const STREAM: &[u8] = include_bytes!("demo/stream.flv");

/// What can be typed behind `demo`.
#[derive(Debug, Clone, Args)]
pub(super) struct DemoArgs {
    /// Address and port of the server; port 0 lets the system choose
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:1935")]
    rtmp: SocketAddr,
    /// Address and port of the pages; port 0 lets the system choose
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:8080")]
    http: SocketAddr,
    /// Who may see the list of live streams without a token: `loopback`, `anybody` or `nobody`
    #[arg(long, value_name = "WHO", default_value = "loopback", value_parser = parse_reads)]
    api_read: Reads,
}

fn parse_reads(text: &str) -> Result<Reads, String> {
    let mut config = Config::default();
    config::set_typed(&mut config, "api_read", text)?;
    Ok(config.api.reads)
}

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let mut config = Config {
        rtmp: vec![args.rtmp],
        http: vec![args.http],
        needs_http: true,
        ..Config::default()
    };
    config.api.reads = args.api_read;
    let server = serve::start(config)?;
    let first = |addresses: &[SocketAddr]| {
        let address = addresses.first().context("the server has no listener")?;
        anyhow::Ok(reachable(*address))
    };
    let url = format!("rtmp://{}/live/demo", first(server.rtmp_addresses())?);
    let pages = format!("http://{}/", first(server.http_addresses())?);
    serve::announce(&server)?;
    answer(&invitation(&pages, &url))?;
    let mut reactor = Reactor::new()?;
    let (stopper, stop) = (reactor.stopper().clone(), server.stop_handle());
    serve::on_signal(move || {
        stopper.stop();
    })?;
    let target = parse_target(&url, 4096)?;
    let options = PushOptions {
        loops: true,
        ..PushOptions::default()
    };
    let input = Input::bytes("the test stream", STREAM);
    let outcome = push::run(&mut reactor, &target, input, options, &mut Console::quiet());
    stop.stop();
    server.wait();
    match outcome {
        Ok(_) | Err(ClientError::Stopped) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What to type to see it.
fn invitation(pages: &str, url: &str) -> String {
    format!(
        "A test stream is being pushed to {url}. See it in a browser:

    {pages}watch/live/demo    the moving picture, with sound
    {pages}                   all live streams

or with one of

    ffplay -fflags nobuffer {url}
    vlc {url}
    mpv {url}

or keep some of it with

    millstream pull {url} demo.mp4 --duration 10

Ctrl-C ends it.
"
    )
}

/// The address under which the server is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
