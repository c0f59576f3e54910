//! `millstream serve` on a free port.

use std::time::{Duration, Instant};

use super::process::{Finished, Process};
use super::raw::RawPeer;
use super::{DEADLINE, wait_for};

/// A running server, killed with its test.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) http_port: u16,
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
        Self::start_on_both(port, 0, arguments)
    }

    /// As [`Self::start_on`], with that of HTTP.
    #[track_caller]
    pub(crate) fn start_on_both(port: u16, http_port: u16, arguments: &[&str]) -> Self {
        let [rtmp, http] = [port, http_port].map(|port| format!("127.0.0.1:{port}"));
        let mut all = vec!["serve", "--rtmp", &rtmp, "--http", &http, "-v"];
        all.extend_from_slice(arguments);
        Self::listening(Process::millstream("serve", all))
    }

    /// As [`Self::start`], with variables of the environment.
    #[track_caller]
    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.args([
            "serve",
            "--rtmp",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "-v",
        ]);
        command.args(arguments).envs(variables.iter().copied());
        Self::listening(Process::start_command("serve", command))
    }

    #[track_caller]
    fn listening(process: Process) -> Self {
        let port_behind = |prefix: &str| {
            let line = process.wait_stdout("its address", |line| line.starts_with(prefix));
            line[prefix.len()..].trim().parse().unwrap()
        };
        Self {
            port: port_behind("RTMP listening on rtmp://127.0.0.1:"),
            http_port: port_behind("HTTP listening on http://127.0.0.1:"),
            process,
        }
    }

    /// Of HTTP; `path` without its first slash.
    pub(crate) fn http_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.http_port)
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

    /// Waits until the server has read all that was sent to it, and its players all that it sent
    /// to them. What it has read and not yet passed on is not seen; what it says to the publisher
    /// is thrown away.
    #[track_caller]
    pub(crate) fn wait_drained(&self, publisher: &mut RawPeer) {
        let end = Instant::now() + DEADLINE;
        while ends(self.port).iter().any(|end| end.unread > 0) {
            publisher.discard_received();
            assert!(Instant::now() < end, "somebody stopped reading");
            std::thread::sleep(Duration::from_millis(1));
        }
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

/// Established connections of which the server's end is `port` on 127.0.0.1.
pub(crate) fn connections(port: u16) -> usize {
    ends(port).iter().filter(|end| end.is_server).count()
}

/// One end of a connection, as the kernel sees it.
struct End {
    is_server: bool,
    /// Bytes that have arrived and wait to be read. Those that wait at the sender do so because
    /// the reader does not read, or for an acknowledgement that takes its time.
    unread: u64,
}

/// Both ends of each established connection to `port` on 127.0.0.1.
fn ends(port: u16) -> Vec<End> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let server = format!("0100007F:{port:04X}");
    let end = |line: &str| {
        // Number, local address, remote address, state, send and receive queue.
        let fields: Vec<&str> = line.split_whitespace().take(5).collect();
        let [_, local, remote, "01", queues] = fields[..] else {
            return None;
        };
        let (_, receive) = queues.split_once(':').unwrap();
        (local == server || remote == server).then(|| End {
            is_server: local == server,
            unread: u64::from_str_radix(receive, 16).unwrap(),
        })
    };
    table.lines().filter_map(end).collect()
}
