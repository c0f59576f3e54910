//! Whether to connect anew after a connection is over, and when.

use std::time::Duration;

use super::ClientError;
use super::backoff::Backoff;

/// A stream that flowed for this long shows that the server wants it. Less proves nothing: there
/// are servers (nginx-rtmp 1.2 with `deny publish`) that accept a publish and then close.
const ESTABLISHED_AFTER: Duration = Duration::from_secs(2);

/// Connections in a row that were accepted and closed at once, before any was established: a
/// server that does that three times will do it a fourth time.
const SHORT_LIVES_MAX: u32 = 3;

/// How often a name that is in use is tried before the first success: the old session of an
/// encoder that was restarted may be dying.
const TAKEN_TRIES_MAX: u32 = 3;

/// At least so long after a refusal: nothing will have changed a second later.
const REFUSAL_WAIT: Duration = Duration::from_secs(4);

/// What is known of the server from the connections so far.
#[derive(Debug)]
pub(super) struct Retry {
    backoff: Backoff,
    /// Whether a stream was ever accepted.
    was_accepted: bool,
    /// Whether a stream ever lived for [`ESTABLISHED_AFTER`].
    is_established: bool,
    short_lives: u32,
    taken_tries: u32,
}

impl Retry {
    /// `seed` is for the jitter.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            backoff: Backoff::new(seed),
            was_accepted: false,
            is_established: false,
            short_lives: 0,
            taken_tries: 0,
        }
    }

    /// Whether a stream was ever accepted.
    pub(super) fn was_accepted(&self) -> bool {
        self.was_accepted
    }

    /// A connection is over. `lived`: for how long its stream was accepted, if it was.
    pub(super) fn on_end(&mut self, lived: Option<Duration>) {
        match lived {
            Some(lived) if lived >= ESTABLISHED_AFTER => {
                self.backoff.reset();
                self.is_established = true;
                self.short_lives = 0;
            }
            Some(_) => self.short_lives += 1,
            None => self.short_lives = 0,
        }
        self.was_accepted |= lived.is_some();
    }

    /// How long to wait before the next connection after this error; `None`: give up. Whoever
    /// was never accepted is told at once, so that a wrong URL does not look like patience.
    pub(super) fn wait_after(&mut self, error: &ClientError) -> Option<Duration> {
        if !error.is_worth_a_retry() {
            return None;
        }
        if !self.was_accepted {
            self.taken_tries += 1;
            if !error.is_name_taken() || self.taken_tries > TAKEN_TRIES_MAX {
                return None;
            }
        }
        if !self.is_established && self.short_lives >= SHORT_LIVES_MAX {
            return None;
        }
        let least = match error {
            ClientError::Rejected(_) => REFUSAL_WAIT,
            _ => Duration::ZERO,
        };
        Some(self.wait().max(least))
    }

    /// The wait where no error says more.
    pub(super) fn wait(&mut self) -> Duration {
        self.backoff.wait()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::rtmp::session::{Rejection, Stage};

    const SHORT: Option<Duration> = Some(Duration::from_millis(50));
    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn rejected(code: &str) -> ClientError {
        ClientError::Rejected(Rejection {
            stage: Stage::Publish,
            code: code.to_owned(),
            description: String::new(),
        })
    }

    #[test]
    fn the_first_connection_has_to_work() {
        for error in [
            ClientError::Closed,
            ClientError::Unanswered("connect"),
            rejected("NetStream.Publish.Denied"),
        ] {
            let mut retry = Retry::new(1);
            retry.on_end(None);
            assert_eq!(retry.wait_after(&error), None, "{error}");
        }
    }

    #[test]
    fn a_name_in_use_is_given_a_moment() {
        let mut retry = Retry::new(1);
        for _ in 0..3 {
            retry.on_end(None);
            let wait = retry.wait_after(&rejected("NetStream.Publish.BadName"));
            assert!(wait.unwrap() >= REFUSAL_WAIT);
        }
        retry.on_end(None);
        assert_eq!(
            retry.wait_after(&rejected("NetStream.Publish.BadName")),
            None
        );
    }

    #[test]
    fn accepted_and_closed_three_times_is_a_refusal() {
        let mut retry = Retry::new(1);
        for _ in 0..2 {
            retry.on_end(SHORT);
            assert!(retry.wait_after(&ClientError::Closed).is_some());
        }
        retry.on_end(SHORT);
        assert_eq!(retry.wait_after(&ClientError::Closed), None);
    }

    #[test]
    fn a_server_that_was_killed_early_is_waited_for() {
        let mut retry = Retry::new(1);
        retry.on_end(SHORT);
        assert!(retry.wait_after(&ClientError::Closed).is_some());
        for _ in 0..20 {
            retry.on_end(None);
            let away = ClientError::Unanswered("connect");
            assert!(retry.wait_after(&away).is_some());
        }
    }

    #[test]
    fn an_established_stream_is_never_given_up_and_waits_grow() {
        let mut retry = Retry::new(1);
        retry.on_end(LONG);
        assert!(retry.wait_after(&ClientError::Closed).unwrap() <= Duration::from_secs(1));
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            retry.on_end(SHORT);
            last = retry.wait_after(&ClientError::Closed).unwrap();
        }
        assert!(last > Duration::from_secs(20));
        retry.on_end(LONG);
        assert!(retry.wait_after(&ClientError::Closed).unwrap() <= Duration::from_secs(1));
    }

    #[test]
    fn what_cannot_change_is_not_tried_again() {
        let mut retry = Retry::new(1);
        retry.on_end(LONG);
        assert_eq!(retry.wait_after(&ClientError::Stopped), None);
    }
}
