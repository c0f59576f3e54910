//! What is told on the terminal: what the clients do goes to stderr, and what was asked for goes to
//! stdout, all of it through [`answer`].

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::client::{Progress, Report, Step};

/// How often the progress line is drawn on a terminal.
const REDRAW_EVERY: Duration = Duration::from_millis(250);

/// How often a line of progress is written elsewhere, into a log say.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The stretch over which the bitrate is measured.
const RATE_OVER: Duration = Duration::from_secs(2);

/// Prints steps, notices and a progress line.
#[derive(Debug)]
pub(super) struct Console {
    shows_steps: bool,
    shows_progress: bool,
    /// The line is drawn over and over in one place.
    is_terminal: bool,
    has_line: bool,
    drawn: Instant,
    rate: Rate,
}

/// Bits per second over the last stretch.
#[derive(Debug)]
struct Rate {
    since: Instant,
    bytes: u64,
    bits_per_second: f64,
}

impl Console {
    /// `shows_steps`: `-v`. `shows_progress`: even when stderr is no terminal.
    pub(super) fn new(shows_steps: bool, shows_progress: bool) -> Self {
        let now = Instant::now();
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            shows_steps,
            shows_progress: is_terminal || shows_progress,
            is_terminal,
            has_line: false,
            drawn: now,
            rate: Rate {
                since: now,
                bytes: 0,
                bits_per_second: 0.0,
            },
        }
    }

    /// Shows nothing but notices.
    pub(super) fn quiet() -> Self {
        Self {
            shows_progress: false,
            ..Self::new(false, false)
        }
    }

    /// Ends the progress line.
    pub(super) fn finish(&mut self) {
        if std::mem::take(&mut self.has_line) {
            print("\n");
        }
    }

    fn print_line(&mut self, line: &str) {
        self.finish();
        print(&format!("{line}\n"));
    }
}

impl Report for Console {
    fn step(&mut self, step: Step) {
        if self.shows_steps {
            let ms = step.took.as_secs_f64() * 1000.0;
            self.print_line(&format!("step {}: {} ({ms:.1} ms)", step.number, step.text));
        }
    }

    fn notice(&mut self, text: &str) {
        self.print_line(&format!("millstream: {text}"));
    }

    fn progress(&mut self, progress: &Progress) {
        let now = Instant::now();
        let every = if self.is_terminal {
            REDRAW_EVERY
        } else {
            LINE_EVERY
        };
        if !self.shows_progress || now - self.drawn < every {
            return;
        }
        self.drawn = now;
        let line = describe(progress, self.rate.update(progress.bytes, now));
        self.has_line = self.is_terminal;
        if self.is_terminal {
            print(&format!("\r{line}\x1b[K"));
        } else {
            print(&format!("{line}\n"));
        }
    }
}

/// `00:01:02.3  1200 kbit/s  1557 frames  backlog 0 kB`
fn describe(progress: &Progress, rate: f64) -> String {
    let mut line = format!(
        "{}  {rate:.0} kbit/s  {} frames",
        clock(progress.time),
        progress.video_frames.max(progress.audio_frames),
    );
    if let Some(backlog) = progress.backlog {
        line += &format!("  backlog {} kB", backlog.div_ceil(1000));
    }
    if progress.dropped > 0 {
        line += &format!("  {} dropped", progress.dropped);
    }
    line
}

impl Rate {
    /// kbit/s.
    fn update(&mut self, bytes: u64, now: Instant) -> f64 {
        let elapsed = now - self.since;
        if elapsed >= RATE_OVER || self.bits_per_second == 0.0 {
            let fresh = u32::try_from(bytes.saturating_sub(self.bytes)).unwrap_or(u32::MAX);
            self.bits_per_second = f64::from(fresh) * 8.0 / elapsed.as_secs_f64().max(0.001);
        }
        if elapsed >= RATE_OVER {
            self.since = now;
            self.bytes = bytes;
        }
        self.bits_per_second / 1000.0
    }
}

/// `00:01:02.3`
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}.{}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        time.subsec_millis() / 100
    )
}

/// Writes what was asked for to stdout. A reader that has gone, as `head` does, has read enough: that is
/// no fault. What has no room (a full disk) is one.
pub(super) fn answer(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let outcome = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match outcome {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to standard output"),
    }
}

/// A terminal that is gone is no reason to stop.
fn print(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if stderr.write_all(text.as_bytes()).is_ok() {
        stderr.flush().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_line_says_what_there_is() {
        let mut progress = Progress {
            time: Duration::from_millis(62_345),
            video_frames: 1557,
            audio_frames: 12,
            ..Progress::default()
        };
        let pull = "00:01:02.3  1200 kbit/s  1557 frames";
        assert_eq!(describe(&progress, 1199.6), pull);
        progress.backlog = Some(0);
        let push = "00:01:02.3  1200 kbit/s  1557 frames  backlog 0 kB";
        assert_eq!(describe(&progress, 1199.6), push);
        progress.backlog = Some(1001);
        progress.dropped = 5;
        let slow = "00:01:02.3  1200 kbit/s  1557 frames  backlog 2 kB  5 dropped";
        assert_eq!(describe(&progress, 1199.6), slow);
    }

    #[test]
    fn time_is_shown_as_a_clock() {
        assert_eq!(clock(Duration::from_millis(62_345)), "00:01:02.3");
        assert_eq!(clock(Duration::from_secs(5 * 3600)), "05:00:00.0");
    }
}
