//! The thread that writes recordings to files, and keeps their number and size within bounds.
//!
//! Names sort by time: `flight-20261123T230059.123456Z-192.0.2.7-40112-live_door.pcapng`. Only
//! files whose names begin and end like that are ever removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crossbeam_channel::Receiver;

use super::{FlightConfig, Job, Recorder};
use crate::rtmp::flight::Facts;

const PREFIX: &str = "flight-";
const SUFFIX: &str = ".pcapng";

/// Behind the name of a file that is being written.
const UNFINISHED: &str = ".part";

/// Characters of the live stream's name that go into the file's.
const STREAM_CHARS_MAX: usize = 64;

/// The stream key may be a secret, and passwords stand in URLs.
const MODE: u32 = 0o600;

/// Writes files.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    files_max: usize,
    bytes_max: u64,
    /// The last file could not be written: the log has it already.
    is_failing: bool,
}

impl Writer {
    /// Makes the folder, for its owner only, if it is not there.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub(super) fn new(folder: &Path, config: &FlightConfig) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let writer = Self {
            folder: folder.to_owned(),
            files_max: config.files_max,
            bytes_max: config.folder_bytes_max as u64,
            is_failing: false,
        };
        // What an earlier run was writing when it was killed.
        for (name, _) in writer.own_files()? {
            if name.ends_with(UNFINISHED) {
                writer.remove(&name);
            }
        }
        Ok(writer)
    }

    /// Writes what comes until it is told to stop.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(Job::Write(recorder)) = jobs.recv() {
            self.write(*recorder);
        }
    }

    fn write(&mut self, recorder: Recorder) {
        let (facts, bytes) = recorder.into_file();
        match self.save(&facts, &bytes).and_then(|name| {
            self.make_room(&name)?;
            Ok(name)
        }) {
            Ok(name) => {
                self.is_failing = false;
                let path = self.folder.join(name);
                log::info!("{}: recorded in {}", facts.peer, path.display());
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                log::error!(
                    "recordings cannot be written to {}: {error}",
                    self.folder.display()
                );
            }
            Err(error) => log::debug!("{}: not recorded: {error}", facts.peer),
        }
    }

    /// Writes a file under a name that is not taken.
    fn save(&self, facts: &Facts, bytes: &[u8]) -> io::Result<String> {
        let name = file_name(facts);
        let path = self.folder.join(&name);
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(MODE);
        let written = options
            .open(&unfinished)
            .and_then(|mut file: File| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, &path));
        if let Err(error) = written {
            if fs::remove_file(&unfinished).is_err() {
                log::debug!("{} is left over", unfinished.display());
            }
            return Err(error);
        }
        Ok(name)
    }

    /// Removes the oldest files beyond the bounds, but not `latest`.
    fn make_room(&self, latest: &str) -> io::Result<()> {
        let mut files = self.own_files()?;
        files.sort();
        let mut count = files.len();
        let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        for (name, size) in &files {
            if count <= self.files_max && bytes <= self.bytes_max {
                break;
            }
            if name != latest {
                self.remove(name);
                count -= 1;
                bytes -= size;
            }
        }
        Ok(())
    }

    /// Names and sizes of the files that we have written.
    fn own_files(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !is_own(&name) {
                continue;
            }
            // Removed by somebody else in the meantime, or no file at all.
            if let Ok(data) = entry.metadata()
                && data.is_file()
            {
                files.push((name, data.len()));
            }
        }
        Ok(files)
    }

    fn remove(&self, name: &str) {
        let path = self.folder.join(name);
        if let Err(error) = fs::remove_file(&path) {
            log::debug!("{} cannot be removed: {error}", path.display());
        }
    }
}

/// Whether a file has one of our names: `flight-` and a date in front.
fn is_own(name: &str) -> bool {
    let stem = name.strip_suffix(UNFINISHED).unwrap_or(name);
    let Some(stem) = stem.strip_suffix(SUFFIX) else {
        return false;
    };
    let Some(rest) = stem.strip_prefix(PREFIX) else {
        return false;
    };
    let is_like = |(c, like): (char, char)| match like {
        '0' => c.is_ascii_digit(),
        _ => c == like,
    };
    let like = "00000000T000000.000000Z-";
    rest.len() > like.len() && rest.chars().zip(like.chars()).all(is_like)
}

/// The time, the peer's address and port, and the live stream's name as far as it can stand in a
/// file's.
fn file_name(facts: &Facts) -> String {
    let micros = i64::try_from(facts.began.as_micros()).unwrap_or(i64::MAX);
    let began = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    let time = format!("{began:.6}").replace(['-', ':'], "");
    let address = facts.peer.ip().to_canonical().to_string().replace(':', ".");
    let mut name = format!("{PREFIX}{time}-{address}-{}", facts.peer.port());
    if let Some(stream) = &facts.stream {
        let plain = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
            _ => '_',
        };
        name.push('-');
        name.extend(stream.chars().take(STREAM_CHARS_MAX).map(plain));
    }
    name + SUFFIX
}

#[cfg(test)]
mod tests;
