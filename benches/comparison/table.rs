//! Medians and ratios of a scenario: for people as a Markdown table, for programs as JSON.

use serde_json::{Map, Value};

use crate::rounds::Results;
use crate::scenarios::{Cost, Scenario};
use crate::servers;

/// A server's results, each behind its heading.
#[derive(Debug)]
pub(crate) struct Row {
    server: String,
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    heading: &'static str,
    number: Option<f64>,
    digits: usize,
}

/// A row for each server that has results.
pub(crate) fn rows(scenario: &Scenario, results: &Results) -> Vec<Row> {
    servers::all(scenario)
        .into_iter()
        .filter_map(|server| row(scenario, results, server.name))
        .collect()
}

fn row(scenario: &Scenario, results: &Results, server: String) -> Option<Row> {
    let cost = cost_pointer(scenario);
    let median = |pointer: &str| results.median(scenario.name, &server, pointer);
    median(cost)?;
    let bare = server.replace("Millstream", "bare loop");
    let to = |other: &str| {
        let ratio = results.ratio(scenario.name, &server, other, cost);
        ratio.filter(|_| *other != server)
    };
    // Without subscribers there are no times.
    let time = |pointer| median(pointer).filter(|_| median("/playing") > Some(0.0));
    let joins = median("/playing")
        .zip(median("/join_seconds"))
        .filter(|(count, _)| *count > 0.0)
        .map(|(count, seconds)| count / seconds);
    let lost = median("/video/lost")
        .zip(median("/audio/lost"))
        .map(|(video, audio)| video + audio);
    let per_subscriber = median("/server/bytes_per_subscriber");
    let resident = median("/server/resident");
    let cells = [
        (scenario.cost.heading(), median(cost), 3),
        ("to the bare loop", to(&bare), 2),
        ("to nginx-rtmp", to("nginx-rtmp"), 2),
        ("video p50 ms", time("/video/latency/p50"), 1),
        ("video p99 ms", time("/video/latency/p99"), 1),
        ("audio p50 ms", time("/audio/latency/p50"), 1),
        ("audio p99 ms", time("/audio/latency/p99"), 1),
        ("first frame p50 ms", time("/first_frame/p50"), 1),
        ("first frame p99 ms", time("/first_frame/p99"), 1),
        ("KiB per subscriber", per_subscriber.map(|b| b / 1024.0), 1),
        ("MiB resident", resident.map(|b| b / 1024.0 / 1024.0), 1),
        ("lost", lost, 0),
        ("joins/s", joins, 0),
    ];
    let cell = |(heading, number, digits)| Cell {
        heading,
        number,
        digits,
    };
    Some(Row {
        server,
        cells: cells.into_iter().map(cell).collect(),
    })
}

/// As a Markdown table.
pub(crate) fn to_text(scenario: &Scenario, rows: &[Row]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let headings: Vec<&str> = first.cells.iter().map(|cell| cell.heading).collect();
    let mut lines = vec![
        format!("**{}**\n", scenario.what),
        format!("| server | {} |", headings.join(" | ")),
        format!("|---|{}", "---|".repeat(headings.len())),
    ];
    for row in rows {
        let numbers: Vec<String> = row.cells.iter().map(Cell::to_text).collect();
        lines.push(format!("| {} | {} |", row.server, numbers.join(" | ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// As an object of objects: server, heading, number or null.
pub(crate) fn to_json(rows: &[Row]) -> Value {
    let servers = rows.iter().map(|row| {
        let cells = row.cells.iter();
        let numbers = cells.map(|cell| (cell.heading.to_owned(), cell.number.into()));
        (row.server.clone(), Value::Object(numbers.collect()))
    });
    Value::Object(servers.collect::<Map<_, _>>())
}

impl Cell {
    fn to_text(&self) -> String {
        let digits = self.digits;
        self.number
            .map_or_else(|| "–".to_owned(), |number| format!("{number:.digits$}"))
    }
}

impl Cost {
    fn heading(self) -> &'static str {
        match self {
            Self::Delivered => "CPU-s per GB delivered",
            Self::Published => "CPU-s per GB published",
        }
    }
}

/// Where a report has the cost of a scenario.
pub(crate) fn cost_pointer(scenario: &Scenario) -> &'static str {
    match scenario.cost {
        Cost::Delivered => "/server/cpu_seconds_per_delivered_gb",
        Cost::Published => "/server/cpu_seconds_per_published_gb",
    }
}
