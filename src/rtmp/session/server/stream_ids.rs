//! Message stream ids that `createStream` gave out.

/// Which ids of 1..=63 are in use, one bit each.
#[derive(Debug, Default)]
pub(super) struct StreamIds {
    /// Bit 0 is never set: id 0 is the connection, and GStreamer refuses it.
    used: u64,
}

impl StreamIds {
    /// Takes the lowest free id; `None` when `max` of them (at most 63) are in use.
    ///
    /// The first is 1, which many clients take for granted.
    pub(super) fn take(&mut self, max: usize) -> Option<u32> {
        let free = (!(self.used | 1)).trailing_zeros();
        let in_use = usize::try_from(self.used.count_ones()).unwrap_or(usize::MAX);
        if in_use >= max || free > 63 {
            return None;
        }
        self.used |= 1 << free;
        Some(free)
    }

    /// Gives an id back.
    pub(super) fn free(&mut self, id: u32) {
        if (1..64).contains(&id) {
            self.used &= !(1 << id);
        }
    }

    /// Whether an id is in use.
    pub(super) fn contains(&self, id: u32) -> bool {
        id < 64 && self.used & (1 << id) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_id_is_taken_up_to_the_bound() {
        let mut ids = StreamIds::default();
        assert_eq!(
            [ids.take(3), ids.take(3), ids.take(3)],
            [Some(1), Some(2), Some(3)]
        );
        assert_eq!(ids.take(3), None);
        ids.free(2);
        assert!(!ids.contains(2) && ids.contains(3));
        assert_eq!(ids.take(3), Some(2));
        for other in [0, 64, u32::MAX] {
            ids.free(other);
            assert!(!ids.contains(other));
        }
        assert_eq!(ids.take(3), None);
    }

    #[test]
    fn there_are_63_ids() {
        let mut ids = StreamIds::default();
        assert_eq!((0..100).filter_map(|_| ids.take(1000)).count(), 63);
    }
}
