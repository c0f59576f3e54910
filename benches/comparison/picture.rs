//! The results as a picture: a bar for each server, CPU for each byte. Readable on light and dark
//! pages.

use std::fmt::Write;

use crate::rounds::Results;
use crate::scenarios::SCENARIOS;
use crate::{servers, table};

const WIDTH: f64 = 760.0;
const BAR_LEFT: f64 = 200.0;
const BAR_WIDTH: f64 = 400.0;
const ROW: f64 = 22.0;

/// An SVG document.
pub(crate) fn of(results: &Results, machine: &str) -> String {
    let mut body = String::new();
    let mut y = 30.0;
    for scenario in SCENARIOS {
        let pointer = table::cost_pointer(scenario);
        let costs: Vec<(String, f64)> = servers::all(scenario)
            .into_iter()
            .filter_map(|server| {
                let cost = results.median(scenario.name, &server.name, pointer)?;
                Some((server.name, cost))
            })
            .collect();
        let Some(most) = costs.iter().map(|(_, cost)| *cost).max_by(f64::total_cmp) else {
            continue;
        };
        text(&mut body, 10.0, y, "title", scenario.what);
        y += ROW;
        for (name, cost) in costs {
            let class = if name.starts_with("Millstream") {
                "ours"
            } else {
                "other"
            };
            let width = (cost / most * BAR_WIDTH).max(1.0);
            text(&mut body, 10.0, y + 13.0, "label", &name);
            writeln!(
                body,
                r#"<rect class="{class}" x="{BAR_LEFT}" y="{y}" width="{width:.0}" height="17" rx="2"/>"#
            )
            .unwrap();
            let value = format!("{cost:.2} CPU-s per GB");
            text(&mut body, BAR_LEFT + width + 8.0, y + 13.0, "label", &value);
            y += ROW;
        }
        y += ROW;
    }
    for line in machine.split("; ") {
        text(&mut body, 10.0, y, "note", line);
        y += 15.0;
    }
    let height = y;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">
<title>CPU of the server for each gigabyte: shorter is better</title>
<style>
text {{ font: 13px sans-serif; fill: #24292f }}
.title {{ font-weight: bold }} .note {{ font-size: 11px; fill: #6e7781 }}
.ours {{ fill: #1f883d }} .other {{ fill: #afb8c1 }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3 }} .note {{ fill: #8d96a0 }} .ours {{ fill: #3fb950 }} .other {{ fill: #6e7681 }}
}}
</style>
{body}</svg>
"##
    )
}

fn text(body: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(
        body,
        r#"<text class="{class}" x="{x:.0}" y="{y:.0}">{words}</text>"#
    )
    .unwrap();
}
