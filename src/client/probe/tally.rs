//! Sums over the time of a probe: in constant memory, however long it lasts.

use std::collections::VecDeque;

/// Count, sum and extremes of some numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Tally {
    pub(super) fn add(&mut self, number: u64) {
        self.min = if self.count == 0 {
            number
        } else {
            self.min.min(number)
        };
        self.max = self.max.max(number);
        self.count += 1;
        self.sum = self.sum.saturating_add(number);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    pub(super) fn min(&self) -> u64 {
        self.min
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }
}

/// Bytes by the second of stream time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seconds {
    total: u64,
    second: i64,
    bytes: u64,
    /// The most in a second that is over.
    peak: Option<u64>,
}

impl Seconds {
    /// `time_ms` never decreases.
    pub(super) fn add(&mut self, time_ms: i64, bytes: u64) {
        let second = time_ms.div_euclid(1000);
        if second != self.second {
            self.peak = self.peak.max(Some(self.bytes));
            self.second = second;
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.total += bytes;
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes in the fullest whole second.
    pub(super) fn peak(&self) -> Option<u64> {
        self.peak
    }
}

/// Groups of pictures: from a keyframe to the one before the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gops {
    /// Of the group that is not over: its start and its frames so far.
    open: Option<(i64, u64)>,
    frames: Tally,
    ms: Tally,
}

impl Gops {
    pub(super) fn add(&mut self, time_ms: i64, is_keyframe: bool) {
        match &mut self.open {
            Some((start, frames)) if is_keyframe => {
                self.frames.add(*frames);
                self.ms.add(u64::try_from(time_ms - *start).unwrap_or(0));
            }
            Some((_, frames)) => {
                *frames += 1;
                return;
            }
            None if !is_keyframe => return,
            None => {}
        }
        self.open = Some((time_ms, 1));
    }

    pub(super) fn frames(&self) -> &Tally {
        &self.frames
    }

    pub(super) fn ms(&self) -> &Tally {
        &self.ms
    }

    /// Frames since the last keyframe, it included.
    pub(super) fn open_frames(&self) -> Option<u64> {
        self.open.map(|(_, frames)| frames)
    }
}

/// By how many frames output lags behind decoding: above 0 there are B-frames.
#[derive(Debug, Clone, Default)]
pub(super) struct Reordering {
    latest: VecDeque<i64>,
    depth: usize,
}

/// H.264 and H.265 allow 16.
const REORDER_FRAMES_MAX: usize = 16;

impl Reordering {
    /// Takes the frames' presentation times, in decoding order.
    pub(super) fn add(&mut self, pts: i64) {
        let later = self.latest.iter().filter(|&&other| other > pts).count();
        self.depth = self.depth.max(later);
        if self.latest.len() == REORDER_FRAMES_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(pts);
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

/// A straight line through points, by least squares.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    first_x: Option<f64>,
    last_x: f64,
}

impl Line {
    pub(super) fn add(&mut self, x: f64, y: f64) {
        // Counted from the first point: products stay small.
        let x = x - *self.first_x.get_or_insert(x);
        self.count += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
        self.last_x = x;
    }

    /// From the first point to the last.
    pub(super) fn length(&self) -> f64 {
        self.last_x
    }

    /// What y gains with each unit of x.
    pub(super) fn slope(&self) -> Option<f64> {
        let divisor = self.count * self.xx - self.x * self.x;
        (divisor > 0.0).then(|| (self.count * self.xy - self.x * self.y) / divisor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_whole_seconds_are_peaks() {
        let mut seconds = Seconds::default();
        seconds.add(0, 10);
        assert_eq!(seconds.peak(), None);
        for (time, bytes) in [(999, 10), (1000, 5), (2500, 100)] {
            seconds.add(time, bytes);
        }
        assert_eq!((seconds.peak(), seconds.total()), (Some(20), 125));
    }

    #[test]
    fn groups_count_from_keyframe_to_keyframe() {
        let mut gops = Gops::default();
        for (time, is_keyframe) in [
            (0, false),
            (40, true),
            (80, false),
            (120, false),
            (160, true),
            (200, true),
            (240, false),
        ] {
            gops.add(time, is_keyframe);
        }
        let (frames, ms) = (gops.frames(), gops.ms());
        assert_eq!((frames.count(), frames.min(), frames.max()), (2, 1, 3));
        assert_eq!((ms.min(), ms.max(), ms.sum()), (40, 120, 160));
        assert_eq!(gops.open_frames(), Some(2));
    }

    #[test]
    fn the_depth_of_reordering_is_that_of_the_pyramid() {
        for (name, pts, depth) in [
            ("in order", &[0, 1, 2, 3][..], 0),
            ("one B-frame", &[0, 2, 1, 4, 3], 1),
            ("two B-frames", &[0, 3, 1, 2, 6, 4, 5], 1),
            ("a pyramid", &[0, 4, 2, 1, 3], 2),
        ] {
            let mut reordering = Reordering::default();
            for &pts in pts {
                reordering.add(pts);
            }
            assert_eq!(reordering.depth(), depth, "{name}");
        }
    }

    #[test]
    fn a_line_has_its_slope() {
        let mut line = Line::default();
        assert_eq!(line.slope(), None);
        for x in 0..10 {
            line.add(100.0 + f64::from(x), 7.0 - 2.0 * f64::from(x));
        }
        assert!((line.slope().unwrap() + 2.0).abs() < 1e-9);
        assert!((line.length() - 9.0).abs() < 1e-9);
    }
}
