//! nginx-rtmp as Debian packages it: a server that we did not write, and a relay.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::DEADLINE;
use super::process::Process;
use super::tempdir::TempDir;

/// A running nginx with an application `live`; it tells players when the publisher leaves.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    pub(crate) port: u16,
    _dir: TempDir,
}

impl Nginx {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::relaying("")
    }

    /// As [`Self::start`]; the application has these directives beside its own.
    #[track_caller]
    pub(crate) fn relaying(directives: &str) -> Self {
        // nginx cannot be told to take any free port, so one that was free a moment ago is
        // tried, and another one if somebody was faster.
        for _ in 0..10 {
            if let Some(nginx) = Self::try_start(directives) {
                return nginx;
            }
        }
        panic!("nginx does not start on any of ten ports");
    }

    fn try_start(directives: &str) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let dir = TempDir::new();
        let folder = dir.path().to_str().unwrap();
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
             daemon off; master_process off; pid {folder}/pid; error_log stderr info;
             events {{ worker_connections 256; }}
             rtmp {{ access_log off; server {{
                 listen 127.0.0.1:{port}; chunk_size 4096; max_message 4M;
                 application live {{ live on; wait_key on; publish_notify on; sync 10ms; {directives} }}
             }} }}"
        );
        let path = dir.join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut process = Process::start(
            "nginx",
            "nginx",
            ["-p", folder, "-c", path.to_str().unwrap(), "-e", "stderr"],
        );
        let end = Instant::now() + DEADLINE;
        while process.is_running() && Instant::now() < end {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self {
                    process,
                    port,
                    _dir: dir,
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    pub(crate) fn url(&self, key: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{key}", self.port)
    }
}
