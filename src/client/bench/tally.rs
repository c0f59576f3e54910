//! What one thread of a load test counts, for all its subscribers together.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::stamp::Stamp;

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

/// The frames of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct TrackTally {
    /// From the publisher's send to the subscriber's read.
    pub(super) latency: Times,
    pub(super) frames: u64,
    pub(super) lost: u64,
    /// Came after a later one; each was counted as lost before and is not any more.
    pub(super) reordered: u64,
    /// The same one again.
    pub(super) duplicated: u64,
    pub(super) corrupt: u64,
}

impl TrackTally {
    /// Counts a frame of a subscriber that expected the sequence number `next`.
    pub(super) fn count(&mut self, next: &mut Option<u32>, stamp: Stamp) {
        self.frames += 1;
        let expected = next.unwrap_or(stamp.sequence);
        if stamp.sequence >= expected {
            self.lost += u64::from(stamp.sequence - expected);
            *next = Some(stamp.sequence.wrapping_add(1));
        } else if stamp.sequence + 1 == expected {
            self.duplicated += 1;
        } else {
            self.reordered += 1;
            self.lost = self.lost.saturating_sub(1);
        }
    }

    fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.frames += other.frames;
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.corrupt += other.corrupt;
    }
}

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
    pub(super) bytes_received: u64,
    pub(super) bytes_published: u64,
    /// Connections that failed, by reason.
    pub(super) failures: BTreeMap<String, u64>,
}

impl Tally {
    /// Forgets what belongs to the measured time; joins and failures are kept.
    pub(super) fn start_measuring(&mut self) {
        *self = Self {
            first_frame: std::mem::take(&mut self.first_frame),
            connect_to_frame: std::mem::take(&mut self.connect_to_frame),
            failures: std::mem::take(&mut self.failures),
            ..Self::default()
        };
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.video.add(&other.video);
        self.audio.add(&other.audio);
        self.first_frame.add(&other.first_frame);
        self.connect_to_frame.add(&other.connect_to_frame);
        self.lateness.add(&other.lateness);
        self.unsent += other.unsent;
        self.bytes_received += other.bytes_received;
        self.bytes_published += other.bytes_published;
        for (reason, count) in &other.failures {
            *self.failures.entry(reason.clone()).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::MediaKind;

    #[test]
    fn sequence_numbers_tell_what_happened_to_frames() {
        // What came; frames lost, reordered, duplicated.
        for (came, expected) in [
            (&[5, 6, 7][..], [0, 0, 0]),
            (&[5, 8, 9], [2, 0, 0]),
            (&[5, 7, 6, 8], [0, 1, 0]),
            (&[5, 6, 6, 7], [0, 0, 1]),
            (&[0], [0, 0, 0]),
        ] {
            let mut tally = TrackTally::default();
            let mut next = None;
            for &sequence in came {
                let stamp = Stamp {
                    kind: MediaKind::Video,
                    publisher: 0,
                    sequence,
                    sent_ns: 0,
                };
                tally.count(&mut next, stamp);
            }
            let got = [tally.lost, tally.reordered, tally.duplicated];
            assert_eq!(got, expected, "{came:?}");
            assert_eq!(tally.frames, came.len() as u64);
        }
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
