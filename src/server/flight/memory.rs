//! The memory that all recorders have together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is in use. One relaxed counter: it orders nothing, and is asked once in 4 KiB or
/// more that a connection takes, not per message.
#[derive(Debug)]
pub(super) struct Memory {
    used: AtomicUsize,
    max: usize,
}

impl Memory {
    pub(super) fn new(max: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            max,
        }
    }

    /// Takes `bytes` for the start of a conversation.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.take_below(bytes, self.max)
    }

    /// Takes `bytes` for the latest of a conversation. The last quarter is left to starts: they
    /// tell the most, and connections that last long must not keep them from those that fail.
    pub(super) fn take_for_latest(&self, bytes: usize) -> bool {
        self.take_below(bytes, self.max / 4 * 3)
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take_below(&self, bytes: usize, max: usize) -> bool {
        let sum = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= max);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        taken.is_ok()
    }
}
