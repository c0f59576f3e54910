//! The parts of the server, each for itself, and the whole loop over loopback.
//!
//! `cargo bench --bench parts`; behind `--`, a part of a name chooses, such as `chunk/decode`. All
//! of them check, before they are timed or while they are, that the work is really done.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers: what fails, fails loudly"
)]

mod amf;
mod broadcast;
mod chunk;
mod flv;
mod loopback;
mod sample;

use std::alloc::System;
use std::time::Duration;

use criterion::Criterion;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// The system's allocator with counters, which cost it a few nanoseconds a call.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and reallocations while `job` runs.
fn allocations(job: impl FnOnce()) -> (usize, usize) {
    let region = Region::new(ALLOCATOR);
    job();
    let change = region.change();
    (change.allocations, change.reallocations)
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    chunk::bench(&mut criterion);
    amf::bench(&mut criterion);
    flv::bench(&mut criterion);
    broadcast::bench(&mut criterion);
    loopback::bench(&mut criterion);
    criterion.final_summary();
}
