//! How long to wait before connecting anew.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// 1, 2, 4, 8, 16, 30, 30, ... seconds, each up to a quarter shorter, so that many clients of a
/// server that restarted do not all come at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            next: FIRST,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The wait before the next try.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait.mul_f64(1.0 - 0.25 * self.random.f64())
    }

    /// A connection worked: the next trouble starts from the shortest wait.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_over() {
        let mut backoff = Backoff::new(3);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let longest = Duration::from_secs(seconds);
            let wait = backoff.wait();
            assert!(wait <= longest && wait >= longest.mul_f64(0.75), "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
