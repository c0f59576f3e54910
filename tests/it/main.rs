//! The integration tests: one binary, modules by subject, real programs on loopback.
//!
//! Everything runs in parallel, on ports that the system chose, in directories of its own. A
//! missing program fails the test that needs it; `tests/run` installs them all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "tests"
)]

mod api;
mod bench;
mod browser;
mod burst;
mod cli;
mod config;
mod doctor;
mod flight;
mod fmp4_codecs;
mod fmp4_live;
mod forms;
mod fuzz_corpus;
mod hls;
mod hls_live;
mod hls_rules;
mod http;
mod http_hostile;
mod http_live;
mod http_players;
mod limits;
mod login;
mod manners;
mod matrix;
mod nginx;
mod openapi;
mod probe;
mod quirks;
mod reconnect;
mod simulate;
mod support;
mod takeover;
mod tidy;
mod trace;
mod tshark;
mod unplugged;
mod wrap;
