//! A child process: its output in lines that can be waited for, and its end with its test.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::{DEADLINE, wait_for};

/// A running program. Killed when dropped; when its test has failed, what it said is shown.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// What a program that has ended said.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Process {
    /// Starts `program`; `name` is what messages call it.
    #[track_caller]
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self::start_command(name, command)
    }

    /// Starts what `command` says, without input and with both outputs collected.
    #[track_caller]
    pub(crate) fn start_command(name: &str, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::start_as_configured(name, command)
    }

    /// As [`Self::start_command`], with stdin, stdout and stderr as the caller set them.
    #[track_caller]
    pub(crate) fn start_as_configured(name: &str, mut command: Command) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{program} does not start ({e}); tests/run installs it"));
        let stdout = Output::collect(child.stdout.take());
        let stderr = Output::collect(child.stderr.take());
        Self {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
        }
    }

    /// The program under test.
    #[track_caller]
    pub(crate) fn millstream<A: AsRef<OsStr>>(
        name: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self::start(name, env!("CARGO_BIN_EXE_millstream"), args)
    }

    /// The program under test, whose stdout nobody reads any more.
    #[track_caller]
    pub(crate) fn millstream_unread<A: AsRef<OsStr>>(
        name: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.args(args);
        command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped());
        Self::start_as_configured(name, command)
    }

    /// The first line on stdout that `wanted` accepts, now or later.
    #[track_caller]
    pub(crate) fn wait_stdout(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.wait_line(&self.stdout, what, wanted)
    }

    #[track_caller]
    fn wait_line(&self, output: &Output, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let name = &self.name;
        output.wait(wanted).unwrap_or_else(|| {
            panic!("{name} never said {what}; it said:\n{}", self.said());
        })
    }

    /// Waits until the program ends by itself.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let status = self.wait_exit();
        self.stdout.join();
        self.stderr.join();
        Finished {
            status,
            stdout: self.stdout.lines(),
            stderr: self.stderr.lines(),
        }
    }

    /// Waits until the program ends by itself, with success.
    #[track_caller]
    pub(crate) fn succeed(mut self) -> Finished {
        let status = self.wait_exit();
        let said = self.said();
        assert!(
            status.success(),
            "{} ended with {status}; it said:\n{said}",
            self.name
        );
        self.finish()
    }

    #[track_caller]
    fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < end,
                "{} does not end; it said:\n{}",
                self.name,
                self.said()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name: `INT`, `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", self.child.id())])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{signal} {} failed", self.name);
    }

    /// The power cord: SIGKILL, and waits until the program is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Everything said so far, both outputs.
    pub(crate) fn said(&self) -> String {
        let mut lines = self.stdout.lines();
        lines.extend(self.stderr.lines());
        let skip = lines.len().saturating_sub(60);
        lines.split_off(skip).join("\n")
    }

    /// Resident memory in bytes (VmRSS).
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// Waits until `count` lines of either output contain `text`.
    #[track_caller]
    pub(crate) fn wait_said(&self, count: usize, text: &str) {
        let what = format!("{} to say {text:?} {count} times", self.name);
        wait_for(&what, || (self.count_said(text) >= count).then_some(()));
    }

    /// How many lines of both outputs contain `text` so far.
    pub(crate) fn count_said(&self, text: &str) -> usize {
        self.stdout.count(text) + self.stderr.count(text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.said());
        }
    }
}

/// Lines of one output, collected by a thread so that the program never blocks on a full pipe.
struct Output {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    is_closed: bool,
}

impl Output {
    fn collect(pipe: Option<impl Read + Send + 'static>) -> Self {
        let shared = Arc::new(Shared::default());
        let Some(pipe) = pipe else {
            shared.state.lock().unwrap().is_closed = true;
            return Self {
                shared,
                thread: None,
            };
        };
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            read_lines(pipe, &theirs);
            theirs.state.lock().unwrap().is_closed = true;
            theirs.changed.notify_all();
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().lines.clone()
    }

    fn count(&self, text: &str) -> usize {
        let state = self.shared.state.lock().unwrap();
        state
            .lines
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }

    /// `None` when the output ended, or the deadline passed, without such a line.
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let end = Instant::now() + DEADLINE;
        let mut seen = 0;
        let mut state = self.shared.state.lock().unwrap();
        loop {
            if let Some(line) = state.lines.iter().skip(seen).find(|line| wanted(line)) {
                return Some(line.clone());
            }
            seen = state.lines.len();
            let left = end.checked_duration_since(Instant::now())?;
            if state.is_closed {
                return None;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Progress lines that end in a carriage return count as lines.
fn read_lines(mut pipe: impl Read, shared: &Shared) {
    let mut buffer = [0; 8192];
    let mut line = Vec::new();
    loop {
        let count = pipe.read(&mut buffer).unwrap_or(0);
        for &byte in &buffer[..count] {
            if byte != b'\n' && byte != b'\r' {
                line.push(byte);
            } else if !line.is_empty() {
                push_line(shared, &mut line);
            }
        }
        if count == 0 {
            if !line.is_empty() {
                push_line(shared, &mut line);
            }
            return;
        }
    }
}

fn push_line(shared: &Shared, line: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    shared.state.lock().unwrap().lines.push(text);
    shared.changed.notify_all();
}
