//! One test of one server, and all results together.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::scenarios::Scenario;
use crate::servers::Server;

/// Reports of `millstream bench`, by scenario and server, one for each round; null where a test
/// failed.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<(String, String), Vec<Value>>);

/// Starts the server, puts the load on it, and returns what `bench` reports.
pub(crate) fn run(server: &Server, scenario: &Scenario, seconds: u32) -> Result<Value, String> {
    let running = server.start(scenario.cores)?;
    let url = format!("rtmp://127.0.0.1:{}/live/test", running.port);
    let cpus = if scenario.cores == 1 { "1" } else { "0,1" };
    let output = Command::new("taskset")
        .args(["-c", cpus, "target/release/millstream", "bench", &url])
        .args(["--json", "--pid", &running.pid().to_string()])
        .args(["--duration", &seconds.to_string()])
        .args(scenario.load)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// The machine and the settings, in one line.
pub(crate) fn machine(rounds: usize, seconds: u32) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let network = std::env::var("NETWORK").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{model}, {cores} cores, Linux {}; loopback {network}; medians of {rounds} interleaved \
         rounds of {seconds} s",
        kernel.trim()
    )
}

impl Results {
    pub(crate) fn add(&mut self, scenario: &str, server: &str, report: Value) {
        let key = (scenario.to_owned(), server.to_owned());
        self.0.entry(key).or_default().push(report);
    }

    /// The median over the rounds of a number in the reports.
    pub(crate) fn median(&self, scenario: &str, server: &str, pointer: &str) -> Option<f64> {
        let key = (scenario.to_owned(), server.to_owned());
        let reports = self.0.get(&key)?;
        let mut numbers: Vec<f64> = reports
            .iter()
            .filter_map(|report| report.pointer(pointer)?.as_f64())
            .collect();
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len() / 2).copied()
    }

    /// The median of the quotients of two servers, round by round.
    pub(crate) fn ratio(
        &self,
        scenario: &str,
        server: &str,
        other: &str,
        pointer: &str,
    ) -> Option<f64> {
        let reports = |server: &str| self.0.get(&(scenario.to_owned(), server.to_owned()));
        let number = |report: &Value| report.pointer(pointer)?.as_f64();
        let mut ratios: Vec<f64> = reports(server)?
            .iter()
            .zip(reports(other)?)
            .filter_map(|(ours, theirs)| Some(number(ours)? / number(theirs)?))
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut scenarios = serde_json::Map::new();
        for ((scenario, server), reports) in &self.0 {
            let servers = scenarios
                .entry(scenario.as_str())
                .or_insert_with(|| Value::Object(serde_json::Map::new()));
            servers[server.as_str()] = Value::Array(reports.clone());
        }
        Value::Object(scenarios)
    }
}
