//! What one thread of a load test counts, for all its subscribers together.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::peer::Role;

/// Largest time that is told apart, microseconds: a minute.
const TIME_MAX_US: u64 = 60_000_000;

/// Times in microseconds, to three digits.
#[derive(Debug, Clone)]
pub(super) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, TIME_MAX_US, 3).expect("the bounds are in order"))
    }
}

impl Times {
    pub(super) fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(us.max(1));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("both histograms have the same bounds");
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Milliseconds below which this part of the times lies.
    pub(super) fn quantile_ms(&self, part: f64) -> f64 {
        self.0.value_at_quantile(part) as f64 / 1000.0
    }

    pub(super) fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}

/// Which sequence numbers of a track one subscriber has received.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Received {
    /// The highest number so far.
    last: Option<u32>,
    /// Bit `n`: `last - n` was received.
    recent: u64,
}

/// How a frame relates to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Later than all before.
    InOrder,
    /// Missing until now.
    Late,
    /// Received before; or so old that nobody knows, as in a group of pictures that is sent again.
    Again,
}

impl Received {
    pub(super) fn take(&mut self, sequence: u32) -> Arrival {
        let Some(last) = self.last.filter(|last| sequence <= *last) else {
            let ahead = self.last.map_or(u32::MAX, |last| sequence - last);
            self.recent = self.recent.checked_shl(ahead).unwrap_or_default() | 1;
            self.last = Some(sequence);
            return Arrival::InOrder;
        };
        let bit = 1_u64.checked_shl(last - sequence).unwrap_or_default();
        if bit == 0 || self.recent & bit != 0 {
            return Arrival::Again;
        }
        self.recent |= bit;
        Arrival::Late
    }
}

/// The frames of one kind that were sent in the measured time.
#[derive(Debug, Clone, Default)]
pub(super) struct TrackTally {
    /// From the publisher's send to the subscriber's read.
    pub(super) latency: Times,
    /// Received, each once.
    pub(super) frames: u64,
    /// Received after a later one.
    pub(super) reordered: u64,
    /// Received again.
    pub(super) duplicated: u64,
    /// Frames whose bytes nobody of ours has sent.
    pub(super) corrupt: u64,
    /// Frames of another stream than the one asked for.
    pub(super) misrouted: u64,
    /// Timestamps below the one before.
    pub(super) steps_back: u64,
    /// Longest distance of one timestamp to the next.
    pub(super) gap_ms_max: u32,
}

impl TrackTally {
    /// Counts a frame that took `latency`.
    pub(super) fn count(&mut self, arrival: Arrival, latency: Duration) {
        match arrival {
            Arrival::InOrder => {}
            Arrival::Late => self.reordered += 1,
            Arrival::Again => {
                self.duplicated += 1;
                return;
            }
        }
        self.frames += 1;
        self.latency.record(latency);
    }

    fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.frames += other.frames;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.corrupt += other.corrupt;
        self.misrouted += other.misrouted;
        self.steps_back += other.steps_back;
        self.gap_ms_max = self.gap_ms_max.max(other.gap_ms_max);
    }
}

/// Frames of both kinds: video, audio.
pub(super) type Frames = [u32; 2];

/// Everything that one thread counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) video: TrackTally,
    pub(super) audio: TrackTally,
    /// From the play request to the first picture or sound.
    pub(super) first_frame: Times,
    /// From the start of the TCP connection to the first picture or sound.
    pub(super) connect_to_frame: Times,
    /// How much later than due our publishers sent.
    pub(super) lateness: Times,
    /// Frames that our publishers did not send, since the server did not take the ones before.
    pub(super) unsent: u64,
    /// By publisher: what it sent in the measured time.
    pub(super) sent: BTreeMap<u16, Frames>,
    /// By subscriber that is counted: its publisher, and what it received of that.
    pub(super) received: Vec<(u16, Frames)>,
    /// Subscribers that read nothing, and that the server has closed for it.
    pub(super) slow_closed: u64,
    /// Connections that failed, by reason.
    pub(super) failures: BTreeMap<String, u64>,
}

/// What should have come, and what did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Loss {
    /// Video, audio: frames that all counted subscribers together should have received.
    pub(super) expected: [u64; 2],
    /// Those of them that none of the reads brought.
    pub(super) lost: [u64; 2],
    /// Subscribers that lack at least one frame.
    pub(super) incomplete: u64,
}

impl Tally {
    /// Compares what was received with what was sent. A subscriber that was sent nothing at all
    /// lacks everything; gaps in what came would not show that.
    pub(super) fn loss(&self) -> Loss {
        let mut loss = Loss::default();
        for (publisher, received) in &self.received {
            let sent = self.sent.get(publisher).copied().unwrap_or_default();
            let mut is_incomplete = false;
            for (track, (sent, received)) in sent.into_iter().zip(received).enumerate() {
                let lost = sent.saturating_sub(*received);
                loss.expected[track] += u64::from(sent);
                loss.lost[track] += u64::from(lost);
                is_incomplete |= lost > 0;
            }
            loss.incomplete += u64::from(is_incomplete);
        }
        loss
    }

    /// Takes down what a connection has sent or received, at its end.
    pub(super) fn close_account(&mut self, role: &Role) {
        match role {
            Role::Publisher(publishing) => {
                self.sent.insert(publishing.number, publishing.sent);
            }
            Role::Subscriber(playing) if playing.is_counted => {
                let [video, audio] = &playing.tracks;
                let frames = [video.frames, audio.frames];
                self.received.push((playing.publisher, frames));
            }
            Role::Subscriber(_) => {}
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.video.add(&other.video);
        self.audio.add(&other.audio);
        self.first_frame.add(&other.first_frame);
        self.connect_to_frame.add(&other.connect_to_frame);
        self.lateness.add(&other.lateness);
        self.unsent += other.unsent;
        self.sent.extend(other.sent);
        self.received.extend(other.received);
        self.slow_closed += other.slow_closed;
        for (reason, count) in other.failures {
            *self.failures.entry(reason).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_tell_what_happened_to_frames() {
        use Arrival::{Again, InOrder, Late};
        for (came, expected) in [
            (&[5, 6, 7][..], &[InOrder, InOrder, InOrder][..]),
            (&[5, 8, 9], &[InOrder, InOrder, InOrder]),
            (&[5, 7, 6, 6], &[InOrder, InOrder, Late, Again]),
            (&[5, 6, 6, 5, 7], &[InOrder, InOrder, Again, Again, InOrder]),
            (&[5, 4, 4], &[InOrder, Late, Again]),
            (&[0, 63, 0, 1], &[InOrder, InOrder, Again, Late]),
            // Beyond what is remembered.
            (&[0, 64, 0], &[InOrder, InOrder, Again]),
            (&[0, 1000, 999], &[InOrder, InOrder, Late]),
            (&[u32::MAX, u32::MAX, 0], &[InOrder, Again, Again]),
        ] {
            let mut received = Received::default();
            let got: Vec<Arrival> = came.iter().map(|&number| received.take(number)).collect();
            assert_eq!(got, expected, "{came:?}");
        }
    }

    #[test]
    fn what_never_came_is_lost_wherever_it_is_missing() {
        let tally = Tally {
            sent: BTreeMap::from([(0, [30, 43]), (1, [60, 0])]),
            // Everything, some at the end missing, nothing at all, of the other stream.
            received: vec![(0, [30, 43]), (0, [28, 43]), (0, [0, 0]), (1, [60, 0])],
            ..Tally::default()
        };
        let expected = Loss {
            expected: [150, 129],
            lost: [32, 43],
            incomplete: 2,
        };
        assert_eq!(tally.loss(), expected);
        // Split over two threads, in whichever way, it is the same.
        let mut sum = Tally {
            received: tally.received.clone(),
            ..Tally::default()
        };
        sum.add(Tally {
            sent: tally.sent,
            ..Tally::default()
        });
        assert_eq!(sum.loss(), expected);
    }

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut times = Times::default();
        for ms in 1..=1000 {
            times.record(Duration::from_millis(ms));
        }
        assert!((times.quantile_ms(0.5) - 500.0).abs() < 1.0);
        assert!((times.quantile_ms(0.99) - 990.0).abs() < 1.0);
        assert!((times.max_ms() - 1000.0).abs() < 1.0);
        times.record(Duration::from_secs(3600));
        assert!(times.max_ms() > 59_000.0);
        assert_eq!(times.count(), 1001);
    }
}
