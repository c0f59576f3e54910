//! Servers under the same load, in turn: run by `benches/compare`, which builds and installs what
//! this needs.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers: what fails, fails loudly"
)]

mod picture;
mod rounds;
mod scenarios;
mod servers;
mod table;

use std::fs;
use std::path::PathBuf;

use rounds::Results;
use scenarios::{SCENARIOS, Scenario};
use serde_json::Value;

/// What was typed.
struct Arguments {
    rounds: usize,
    seconds: u32,
    picture: PathBuf,
    scenarios: Vec<&'static Scenario>,
}

fn main() {
    if std::env::var_os("BARE_LOOP").is_none() {
        // `cargo bench` runs every target; this one takes many minutes and needs its script.
        return;
    }
    let Some(arguments) = Arguments::parse() else {
        return;
    };
    let mut results = Results::default();
    for round in 1..=arguments.rounds {
        for scenario in &arguments.scenarios {
            let mut servers = servers::all(scenario);
            // Nobody comes first, or behind the same one, in every round.
            let first = round % servers.len();
            servers.rotate_left(first);
            for server in servers {
                eprintln!("round {round}, {}, {}", scenario.name, server.name);
                let outcome = rounds::run(&server, scenario, arguments.seconds);
                let report = outcome.unwrap_or_else(|error| {
                    eprintln!("  left out: {error}");
                    Value::Null
                });
                results.add(scenario.name, &server.name, report);
            }
        }
    }
    let machine = rounds::machine(arguments.rounds, arguments.seconds);
    println!("{machine}\n");
    let mut tables = serde_json::Map::new();
    for scenario in &arguments.scenarios {
        let rows = table::rows(scenario, &results);
        println!("{}", table::to_text(scenario, &rows));
        tables.insert(scenario.name.to_owned(), table::to_json(&rows));
    }
    let json = serde_json::json!({
        "machine": machine,
        "tables": tables,
        "rounds": results.to_json(),
    });
    fs::create_dir_all("target/compare").unwrap();
    let text = serde_json::to_string_pretty(&json).unwrap();
    fs::write("target/compare/results.json", text).unwrap();
    fs::write(&arguments.picture, picture::of(&results, &machine)).unwrap();
    println!(
        "target/compare/results.json, {}",
        arguments.picture.display()
    );
}

impl Arguments {
    /// `None` when everything is said already.
    fn parse() -> Option<Self> {
        let mut parsed = Self {
            rounds: 3,
            seconds: 8,
            picture: PathBuf::from("target/compare/compare.svg"),
            scenarios: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value behind the option");
            match argument.as_str() {
                "--rounds" => parsed.rounds = value().parse().expect("a number of rounds"),
                "--duration" => parsed.seconds = value().parse().expect("a number of seconds"),
                "--picture" => parsed.picture = value().into(),
                "--bench" => {}
                name => match SCENARIOS.iter().find(|scenario| scenario.name == name) {
                    Some(scenario) => parsed.scenarios.push(scenario),
                    None => {
                        for scenario in SCENARIOS {
                            println!("{:<12}{}", scenario.name, scenario.what);
                        }
                        return None;
                    }
                },
            }
        }
        if parsed.scenarios.is_empty() {
            let standard = SCENARIOS.iter().filter(|scenario| scenario.is_standard);
            parsed.scenarios = standard.collect();
        }
        Some(parsed)
    }
}
