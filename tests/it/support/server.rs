//! `millstream serve` on a free port.

use std::path::Path;

use super::process::{Finished, Process};
use super::wait_for;

/// A running server, killed with its test.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

impl Server {
    /// Starts it with what `arguments` adds to `--rtmp 127.0.0.1:0`.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_on(0, arguments)
    }

    /// As [`Self::start`], on a port that an earlier server has left.
    #[track_caller]
    pub(crate) fn start_on(port: u16, arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{port}");
        let mut all = vec!["serve", "--rtmp", &address, "-v"];
        all.extend_from_slice(arguments);
        let process = Process::millstream("serve", all);
        let prefix = "RTMP listening on rtmp://127.0.0.1:";
        let line = process.wait_stdout("its address", |line| line.starts_with(prefix));
        let port = line[prefix.len()..].trim().parse().unwrap();
        Self { process, port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.port)
    }

    /// Waits until this many connections stand.
    #[track_caller]
    pub(crate) fn wait_for_connections(&self, count: usize) {
        wait_for_connections(self.port, count);
    }

    /// Waits until this many players have asked for a stream that is not there yet.
    #[track_caller]
    pub(crate) fn wait_for_waiting(&self, count: usize) {
        self.process.wait_said(count, ": waits for ");
    }

    /// Ctrl-C: it says goodbye to all and ends with success.
    #[track_caller]
    pub(crate) fn stop(self) -> Finished {
        self.process.signal("INT");
        self.process.succeed()
    }
}

/// Waits until this many TCP connections to a local port stand, as the kernel counts them.
#[track_caller]
pub(crate) fn wait_for_connections(port: u16, count: usize) {
    wait_for(&format!("{count} connections to port {port}"), || {
        (connections(port) == count).then_some(())
    });
}

/// Connections of which the local end is `port` on 127.0.0.1, established.
pub(crate) fn connections(port: u16) -> usize {
    let table = std::fs::read_to_string(Path::new("/proc/net/tcp")).unwrap();
    let local = format!("0100007F:{port:04X}");
    let is_ours = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&local) && fields.nth(1) == Some("01")
    };
    table.lines().filter(is_ours).count()
}
