//! The loads that servers are compared under, and who takes part in each.

/// A load, and whom it is put on.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Run when none is named.
    pub(crate) is_standard: bool,
    /// Arguments of `millstream bench`.
    pub(crate) load: &'static [&'static str],
    /// The flush policies of our server and of the bare loop.
    pub(crate) policies: &'static [&'static str],
    /// Other servers take part.
    pub(crate) has_others: bool,
    /// Cores of the server: 1, or 2, which it shares with the load then.
    pub(crate) cores: usize,
    /// What it is about.
    pub(crate) cost: Cost,
}

/// What the CPU is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Delivered,
    Published,
}

const ALL_POLICIES: &[&str] = &["video", "now", "100ms"];

const fn delivering(
    name: &'static str,
    what: &'static str,
    load: &'static [&'static str],
) -> Scenario {
    Scenario {
        name,
        what,
        is_standard: true,
        load,
        policies: ALL_POLICIES,
        has_others: true,
        cores: 1,
        cost: Cost::Delivered,
    }
}

/// All there are.
pub(crate) const SCENARIOS: &[Scenario] = &[
    delivering(
        "200",
        "1 publisher, 200 subscribers, 2 Mbit/s",
        &["--subscribers", "200"],
    ),
    delivering(
        "1000",
        "1 publisher, 1000 subscribers, 2 Mbit/s",
        &["--subscribers", "1000"],
    ),
    Scenario {
        policies: &["video"],
        cost: Cost::Published,
        ..delivering(
            "ingest",
            "50 publishers of 4 Mbit/s that nobody watches",
            &[
                "--publishers",
                "50",
                "--subscribers",
                "0",
                "--bitrate",
                "4M",
            ],
        )
    },
    Scenario {
        policies: &["video"],
        ..delivering(
            "slow",
            "1 publisher, 200 subscribers of which 20 read nothing, 2 Mbit/s",
            &["--subscribers", "200", "--slow", "10"],
        )
    },
    Scenario {
        policies: &["video"],
        ..delivering(
            "storm",
            "1000 subscribers that connect as fast as they can",
            &[
                "--subscribers",
                "1000",
                "--ramp",
                "100000",
                "--bitrate",
                "300k",
            ],
        )
    },
    Scenario {
        policies: &["video"],
        has_others: false,
        is_standard: false,
        ..delivering(
            "100-small",
            "1 publisher, 100 subscribers, 300 kbit/s",
            &["--subscribers", "100", "--bitrate", "300k"],
        )
    },
    Scenario {
        policies: &["video"],
        has_others: false,
        is_standard: false,
        cores: 2,
        ..delivering(
            "5000",
            "1 publisher, 5000 subscribers, 300 kbit/s, 2 cores",
            &[
                "--subscribers",
                "5000",
                "--bitrate",
                "300k",
                "--ramp",
                "2000",
            ],
        )
    },
    Scenario {
        policies: &["video"],
        has_others: false,
        is_standard: false,
        cores: 2,
        ..delivering(
            "10000",
            "1 publisher, 10000 subscribers, 300 kbit/s, 2 cores",
            &[
                "--subscribers",
                "10000",
                "--bitrate",
                "300k",
                "--ramp",
                "2000",
            ],
        )
    },
];
