//! The servers, each as one process on a port of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::scenarios::Scenario;

/// How a server is started.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Ours { flush: &'static str },
    Bare { flush: &'static str },
    Nginx,
    NodeMediaServer,
}

/// A started server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
}

const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const NODE_MODULES: &str = "target/compare/node_modules/node-media-server";

/// Those that take part in a scenario, as far as they are installed.
pub(crate) fn all(scenario: &Scenario) -> Vec<Server> {
    let mut servers = Vec::new();
    for &flush in scenario.policies {
        servers.push(Server {
            name: format!("bare loop, {flush}"),
            kind: Kind::Bare { flush },
        });
        servers.push(Server {
            name: format!("Millstream, {flush}"),
            kind: Kind::Ours { flush },
        });
    }
    if scenario.has_others && Path::new(NGINX_MODULE).exists() {
        servers.push(Server {
            name: "nginx-rtmp".to_owned(),
            kind: Kind::Nginx,
        });
    }
    if scenario.has_others && Path::new(NODE_MODULES).exists() {
        servers.push(Server {
            name: "node-media-server".to_owned(),
            kind: Kind::NodeMediaServer,
        });
    }
    servers
}

impl Server {
    /// Starts it on `cores` cores and waits until it listens.
    pub(crate) fn start(&self, cores: usize) -> Result<Running, String> {
        let port = free_port();
        let cpus = if cores == 1 { "0" } else { "0,1" };
        let mut command = Command::new("taskset");
        command.args(["-c", cpus]);
        self.describe(&mut command, port, cores);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().map_err(|error| error.to_string())?;
        let mut running = Running { child, port };
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(running);
            }
            if let Ok(Some(status)) = running.child.try_wait() {
                return Err(format!("it ended with {status}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("it does not listen".to_owned())
    }

    fn describe(&self, command: &mut Command, port: u16, cores: usize) {
        match self.kind {
            Kind::Ours { flush } => {
                let workers = cores.to_string();
                let address = format!("127.0.0.1:{port}");
                command
                    .arg("target/release/millstream")
                    .args(["serve", "--rtmp", &address, "--workers", &workers])
                    .args(["--flush", flush]);
            }
            Kind::Bare { flush } => {
                let program = std::env::var("BARE_LOOP").unwrap();
                command.args([program.as_str(), &port.to_string(), flush]);
            }
            Kind::Nginx => {
                let folder = fs::canonicalize("target/compare").unwrap();
                let folder = folder.to_str().unwrap();
                let config = format!("{folder}/nginx.conf");
                fs::write(&config, nginx_config(folder, port)).unwrap();
                command.args(["nginx", "-p", folder, "-c", &config, "-e", "stderr"]);
            }
            Kind::NodeMediaServer => {
                let script = format!(
                    "const N = require('./{NODE_MODULES}');
                     new N({{ logType: 0, rtmp: {{ port: {port}, chunk_size: 60000, \
                     gop_cache: true, ping: 30, ping_timeout: 60 }} }}).run();"
                );
                command.args(["node", "-e", &script]);
            }
        }
    }
}

/// One process, its RTMP defaults, and no log of every access.
fn nginx_config(folder: &str, port: u16) -> String {
    format!(
        "load_module {NGINX_MODULE};
         daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr error;
         worker_rlimit_nofile 65536;
         events {{ worker_connections 20000; }}
         rtmp {{ access_log off; server {{
             listen 127.0.0.1:{port};
             application live {{ live on; wait_key on; }}
         }} }}"
    )
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        // taskset has become the server.
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
