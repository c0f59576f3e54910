//! What a process uses, from /proc: CPU by thread, resident memory, context switches.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// What `/proc/PID` says of a process at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// By thread id: name and CPU time since its start.
    threads: BTreeMap<u32, (String, Duration)>,
    /// Resident memory, bytes.
    pub(super) resident: u64,
    /// The part of it that is no file's: heap and stacks, bytes.
    pub(super) anonymous: u64,
    /// Resident and nobody else's, of files or not, bytes; only the owner may read it.
    pub(super) private: Option<u64>,
    /// Context switches of all threads: waited for something, was interrupted.
    voluntary_switches: u64,
    involuntary_switches: u64,
}

/// What a process used between two moments.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Used {
    /// Threads by name with their CPU time, the busiest first; several of one name are one.
    pub(super) threads: Vec<(String, Duration)>,
    pub(super) cpu: Duration,
    pub(super) voluntary_switches: u64,
    pub(super) involuntary_switches: u64,
}

impl Usage {
    /// Reads the present state of process `pid`.
    ///
    /// # Errors
    /// There is no such process, or it is somebody else's.
    pub(super) fn read(pid: u32) -> io::Result<Self> {
        Self::read_from(&Path::new("/proc").join(pid.to_string()))
    }

    fn read_from(folder: &Path) -> io::Result<Self> {
        let status = fs::read_to_string(folder.join("status"))?;
        let mut usage = Self {
            resident: field(&status, "VmRSS:") * 1024,
            anonymous: field(&status, "RssAnon:") * 1024,
            private: fs::read_to_string(folder.join("smaps_rollup"))
                .ok()
                .map(|rollup| private_bytes(&rollup)),
            ..Self::default()
        };
        for entry in fs::read_dir(folder.join("task"))? {
            let folder = entry?.path();
            let id = folder
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            // A thread may end while we read.
            let (Some(id), Ok(status), Ok(schedule)) = (
                id,
                fs::read_to_string(folder.join("status")),
                fs::read_to_string(folder.join("schedstat")),
            ) else {
                continue;
            };
            let name = status
                .lines()
                .find_map(|line| line.strip_prefix("Name:"))
                .unwrap_or_default()
                .trim();
            // Nanoseconds on a CPU, nanoseconds waiting for one, time slices.
            let on_cpu = schedule
                .split(' ')
                .next()
                .and_then(|time| time.parse().ok());
            let cpu = Duration::from_nanos(on_cpu.unwrap_or_default());
            usage.threads.insert(id, (name.to_owned(), cpu));
            usage.voluntary_switches += field(&status, "voluntary_ctxt_switches:");
            usage.involuntary_switches += field(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(usage)
    }

    /// What was used since `start`.
    pub(super) fn since(&self, start: &Self) -> Used {
        let mut by_name: BTreeMap<&str, Duration> = BTreeMap::new();
        for (id, (name, cpu)) in &self.threads {
            let before = start
                .threads
                .get(id)
                .map_or(Duration::ZERO, |(_, cpu)| *cpu);
            *by_name.entry(name).or_default() += cpu.saturating_sub(before);
        }
        let mut threads: Vec<_> = by_name
            .into_iter()
            .map(|(name, cpu)| (name.to_owned(), cpu))
            .collect();
        threads.sort_by_key(|(_, cpu)| std::cmp::Reverse(*cpu));
        Used {
            cpu: threads.iter().map(|(_, cpu)| *cpu).sum(),
            threads,
            voluntary_switches: self
                .voluntary_switches
                .saturating_sub(start.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(start.involuntary_switches),
        }
    }
}

/// From `smaps_rollup`.
fn private_bytes(rollup: &str) -> u64 {
    (field(rollup, "Private_Clean:") + field(rollup, "Private_Dirty:")) * 1024
}

/// The number behind a name at the start of a line; 0 without it.
fn field(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const STATUS: &str = "Name:\tworker 0\nUmask:\t0022\nVmRSS:\t    3812 kB\nRssAnon:\t     1004 kB\n\
        voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n";

    #[test]
    fn fields_of_status_are_found_by_name() {
        assert_eq!(field(STATUS, "VmRSS:"), 3812);
        assert_eq!(field(STATUS, "RssAnon:"), 1004);
        assert_eq!(field(STATUS, "voluntary_ctxt_switches:"), 150);
        assert_eq!(field(STATUS, "nonvoluntary_ctxt_switches:"), 7);
        assert_eq!(field(STATUS, "VmSwap:"), 0);
        assert_eq!(field("VmRSS:\tmany kB", "VmRSS:"), 0);
    }

    #[test]
    fn private_memory_is_clean_or_dirty() {
        let rollup = "5579eea0d000-7ffe61296000 ---p 00000000 00:00 0                          [rollup]\n\
            Rss:                1764 kB\nShared_Clean:       1612 kB\nPrivate_Clean:        40 kB\n\
            Private_Dirty:       112 kB\nAnonymous:           112 kB\n";
        assert_eq!(private_bytes(rollup), 152 * 1024);
        assert_eq!(private_bytes(""), 0);
    }

    #[test]
    fn threads_of_one_name_are_one_and_the_busiest_is_first() {
        let usage = |times: &[(u32, &str, u64)]| Usage {
            threads: times
                .iter()
                .map(|(id, name, ms)| (*id, ((*name).to_owned(), Duration::from_millis(*ms))))
                .collect(),
            ..Usage::default()
        };
        let start = usage(&[(1, "main", 5), (2, "worker", 100), (3, "worker", 0)]);
        // Thread 4 came later.
        let end = usage(&[
            (1, "main", 6),
            (2, "worker", 140),
            (3, "worker", 60),
            (4, "late", 3),
        ]);
        let used = end.since(&start);
        let ms = Duration::from_millis;
        let expected = [("worker", ms(100)), ("late", ms(3)), ("main", ms(1))];
        let expected = expected.map(|(name, cpu)| (name.to_owned(), cpu));
        assert_eq!(used.threads, expected);
        assert_eq!(used.cpu, ms(104));
    }

    #[test]
    fn our_own_process_uses_something() {
        let start = Usage::read(std::process::id()).unwrap();
        let end = Duration::from_millis(20);
        let began = std::time::Instant::now();
        while began.elapsed() < end {
            std::hint::spin_loop();
        }
        let used = Usage::read(std::process::id()).unwrap().since(&start);
        assert!(start.resident > start.anonymous && start.anonymous > 0);
        assert!(start.private.unwrap() > 0);
        assert!(used.cpu > Duration::ZERO);
        assert!(Usage::read(u32::MAX).is_err());
    }
}
