//! From picture order counts to composition offsets.
//!
//! A raw stream has no timestamps: pictures come in decoding order, and their counts say
//! where each stands in output order. With frames of equal duration the offset of a picture is
//!
//! ```text
//! frames = (count - count at the last reset) / step - frames decoded since the reset + delay
//! ```
//!
//! where `delay` is by how many frames output lags behind decoding, so that no offset is negative.
//!
//! Counts are trusted only where there is reordering: with none announced, or none announced
//! and none seen, every offset is `delay`, so that dropped frames and encoders that count in
//! odd steps do no harm. Once the formula gives nonsense it is not used until the counts restart.

/// Steps of H.264 decoded picture buffers: no stream reorders by more.
const REORDER_MAX: i64 = 16;

/// Turns each picture's count into an offset.
#[derive(Debug)]
pub(super) struct OutputOrder {
    /// Counts between neighbouring frames: 2 in H.264 (one for each field) and 1 in HEVC. A few
    /// H.264 encoders use 1; that shows at the first odd count.
    step: i64,
    delay: i64,
    /// Pictures placed since the reset, the one that reset it included.
    decoded: i64,
    count_at_reset: i64,
    count_before: i64,
    has_reordering: bool,
    /// The formula failed since the reset.
    is_lost: bool,
}

impl OutputOrder {
    pub(super) fn new(step: i64) -> Self {
        Self {
            step,
            delay: 0,
            decoded: 0,
            count_at_reset: 0,
            count_before: 0,
            has_reordering: false,
            is_lost: false,
        }
    }

    /// Places the next picture in decoding order. `pic_order` is its count, if it has one,
    /// and whether counting started anew with it; `reorder_max` is what the SPS announces.
    pub(super) fn place(
        &mut self,
        pic_order: Option<(i64, bool)>,
        reorder_max: Option<u32>,
    ) -> u32 {
        let Some((count, is_reset)) = pic_order else {
            return self.in_order();
        };
        if is_reset {
            self.decoded = 0;
            self.count_at_reset = count;
            self.is_lost = false;
        } else if count < self.count_before {
            self.has_reordering = true;
        }
        self.count_before = count;
        let distance = count.saturating_sub(self.count_at_reset);
        if distance % 2 != 0 {
            self.step = 1;
        }
        if let Some(announced) = reorder_max {
            self.has_reordering = announced > 0;
            self.delay = self.delay.max(i64::from(announced));
        }
        let frames = distance / self.step - self.decoded + self.delay;
        self.decoded += 1;
        if !self.has_reordering || self.is_lost {
            return self.in_order();
        }
        if frames < 0 && self.delay - frames <= REORDER_MAX {
            // Output lags by more than announced or seen so far. From here on all offsets are
            // larger: a jump once, instead of pictures shown before they are decoded.
            self.delay -= frames;
            return 0;
        }
        if !(0..=2 * REORDER_MAX).contains(&frames) {
            self.is_lost = true;
            return self.in_order();
        }
        u32::try_from(frames).unwrap_or(0)
    }

    fn in_order(&self) -> u32 {
        u32::try_from(self.delay).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places pictures given by count; a count of 0 is a reset.
    #[track_caller]
    fn check(name: &str, step: i64, reorder: Option<u32>, counts: &[i64], offsets: &[u32]) {
        let mut order = OutputOrder::new(step);
        let placed: Vec<u32> = counts
            .iter()
            .map(|&count| order.place(Some((count, count == 0)), reorder))
            .collect();
        assert_eq!(placed, offsets, "{name}");
    }

    #[test]
    fn offsets() {
        check("no reordering", 2, Some(0), &[0, 2, 4, 0, 2], &[0; 5]);
        check(
            "two B-frames",
            2,
            Some(1),
            &[0, 6, 2, 4, 12, 8, 10],
            &[1, 3, 0, 0, 3, 0, 0],
        );
        check("pyramid", 1, Some(2), &[0, 4, 2, 1, 3], &[2, 5, 2, 0, 1]);
        check(
            "two GOPs",
            1,
            Some(1),
            &[0, 2, 1, 0, 2, 1],
            &[1, 2, 0, 1, 2, 0],
        );
        check(
            "H.264 in steps of 1",
            2,
            Some(1),
            &[0, 3, 1, 2],
            &[1, 3, 0, 0],
        );
        check(
            "frames dropped, no reordering",
            2,
            None,
            &[0, 2, 4, 90, 92],
            &[0; 5],
        );
        check(
            "reordering not announced",
            2,
            None,
            &[0, 6, 2, 4, 12],
            &[0, 0, 0, 0, 3],
        );
        check(
            "a jump of the count",
            1,
            Some(1),
            &[0, 2, 1, 500, 499, 0],
            &[1, 2, 0, 1, 1, 1],
        );
        let mut order = OutputOrder::new(2);
        assert_eq!(order.place(None, Some(2)), 0);
        assert_eq!(order.place(Some((i64::MIN, false)), Some(16)), 16);
        assert_eq!(order.place(Some((i64::MAX, true)), Some(16)), 16);
    }
}
