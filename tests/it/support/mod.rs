//! The harness: processes that die with their test, servers on free ports, media made once,
//! packet lists that can be compared, and a hand-written RTMP peer that can misbehave.
//!
//! Nothing here trusts the code under test: FLV is walked by a reader of its own, packets are
//! hashed by ffmpeg, and the raw peer writes its own chunks.

pub(crate) mod flv;
pub(crate) mod frames;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod media;
pub(crate) mod nginx;
pub(crate) mod onlookers;
pub(crate) mod openapi;
pub(crate) mod packets;
pub(crate) mod peers;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod recorder;
pub(crate) mod server;
pub(crate) mod tempdir;

use std::time::{Duration, Instant};

/// The longest that anything may take. Generous on purpose: it only ends tests that hang, so a
/// loaded machine makes them slow and not red.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Asks `probe` again and again until it has an answer; panics with `what` after [`DEADLINE`].
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
