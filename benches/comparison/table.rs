//! The results for people: a Markdown table for each scenario.

use crate::rounds::Results;
use crate::scenarios::{Cost, Scenario};
use crate::servers;

/// The table of one scenario.
pub(crate) fn of(scenario: &Scenario, results: &Results) -> String {
    let cpu = cost_pointer(scenario);
    let what = match scenario.cost {
        Cost::Delivered => "delivered",
        Cost::Published => "published",
    };
    let mut lines = vec![
        format!("**{}**\n", scenario.what),
        format!(
            "| server | CPU-s per GB {what} | to the bare loop | to nginx-rtmp | video p50 / p99 ms \
             | audio p99 ms | first frame p50 / p99 ms | KiB per subscriber | lost | joins/s |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for server in servers::all(scenario) {
        let name = &server.name;
        let median = |pointer: &str| results.median(scenario.name, name, pointer);
        let Some(cost) = median(cpu) else { continue };
        let bare = name.replace("Millstream", "bare loop");
        let to = |other: &str| results.ratio(scenario.name, name, other, cpu);
        let joins = median("/playing")
            .zip(median("/join_seconds"))
            .filter(|(count, _)| *count > 0.0)
            .map(|(count, seconds)| count / seconds);
        // Without subscribers there are no times.
        let time = |pointer| median(pointer).filter(|_| median("/playing") > Some(0.0));
        let lost = median("/video/lost")
            .zip(median("/audio/lost"))
            .map(|(video, audio)| video + audio);
        let cells = [
            name.clone(),
            format!("{cost:.3}"),
            show(to(&bare).filter(|_| bare != *name), 2),
            show(to("nginx-rtmp").filter(|_| name != "nginx-rtmp"), 2),
            pair(time("/video/latency/p50"), time("/video/latency/p99")),
            show(time("/audio/latency/p99"), 1),
            pair(time("/first_frame/p50"), time("/first_frame/p99")),
            show(
                median("/server/bytes_per_subscriber").map(|bytes| bytes / 1024.0),
                1,
            ),
            show(lost, 0),
            show(joins, 0),
        ];
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Where a report has the cost of a scenario.
pub(crate) fn cost_pointer(scenario: &Scenario) -> &'static str {
    match scenario.cost {
        Cost::Delivered => "/server/cpu_seconds_per_delivered_gb",
        Cost::Published => "/server/cpu_seconds_per_published_gb",
    }
}

fn show(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.digits$}"))
}

fn pair(first: Option<f64>, second: Option<f64>) -> String {
    format!("{} / {}", show(first, 1), show(second, 1))
}
