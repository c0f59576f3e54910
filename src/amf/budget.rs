//! What is left of the [`Limits`] while one message is read.

use super::{AmfError, Limits};

/// Bytes of text and byte arrays that AMF3 back references may copy in one message.
///
/// A reference takes two bytes and can stand for megabytes, so what references copy is counted
/// apart from what was sent. Honest messages repeat property names and short strings: 64 KiB is
/// sixteen bytes for each of 4096 values.
const COPIED_BYTES_MAX: usize = 64 * 1024;

/// Counts down while one message is read; nested AMF3 values draw on the same budget.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    limits: Limits,
    /// `<= limits.values_max`
    values_left: usize,
    /// `<= COPIED_BYTES_MAX`
    copied_bytes_left: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            values_left: limits.values_max,
            copied_bytes_left: COPIED_BYTES_MAX,
        }
    }

    /// To be called for each value, before it is read.
    pub(super) fn take_value(&mut self) -> Result<(), AmfError> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or(AmfError::TooManyValues(self.limits.values_max))?;
        Ok(())
    }

    /// Whether `count` more values may come; takes none of them.
    pub(super) fn expect_values(&self, count: usize) -> Result<(), AmfError> {
        if count > self.values_left {
            return Err(AmfError::TooManyValues(self.limits.values_max));
        }
        Ok(())
    }

    /// The depth inside a container that itself stands at `depth`; the outermost one is at 0.
    pub(super) fn enter(&self, depth: usize) -> Result<usize, AmfError> {
        if depth >= self.limits.depth_max {
            return Err(AmfError::TooDeep(self.limits.depth_max));
        }
        Ok(depth + 1)
    }

    /// To be called for `count` bytes that were not sent again but are copied.
    pub(super) fn copy_bytes(&mut self, count: usize) -> Result<(), AmfError> {
        self.copied_bytes_left = self
            .copied_bytes_left
            .checked_sub(count)
            .ok_or(AmfError::TooMuchCopied(COPIED_BYTES_MAX))?;
        Ok(())
    }
}
