//! Bytes to NAL units, whatever the pieces in which the bytes come.

use crate::media::codec::nal::{find_start_code, trim_trailing_zeros};

use super::AnnexBError;

/// Finds start codes; holds one NAL unit and what was handed in behind it.
#[derive(Debug)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// Where the unit being read starts; `start <= scanned <= buffer.len()`.
    start: usize,
    /// No start code begins between `start` and here.
    scanned: usize,
    /// Whether a start code was seen at all; what comes before is not a unit.
    is_inside: bool,
    is_finished: bool,
    unit_size_max: usize,
}

impl Splitter {
    pub(super) fn new(unit_size_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            is_inside: false,
            is_finished: false,
            unit_size_max,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes will come: what is left is the last unit.
    pub(super) fn finish(&mut self) {
        self.is_finished = true;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// What has come so far of a unit that is not complete or too large, up to the largest size:
    /// the same bytes that the whole unit will begin with. Zeros at the end may not belong to it.
    pub(super) fn head(&self) -> &[u8] {
        if !self.is_inside {
            return &[];
        }
        let end = find_start_code(&self.buffer, self.scanned).unwrap_or(self.buffer.len());
        let end = end.min(self.start.saturating_add(self.unit_size_max));
        trim_trailing_zeros(self.buffer.get(self.start..end).unwrap_or_default())
    }

    /// The next unit without start code and trailing zeros; never empty.
    pub(super) fn next_unit(&mut self) -> Result<Option<Vec<u8>>, AnnexBError> {
        loop {
            let found = find_start_code(&self.buffer, self.scanned);
            let end = match found {
                Some(at) => at,
                None if self.is_finished => self.buffer.len(),
                None => {
                    self.check_size(self.buffer.len())?;
                    self.forget_zeros();
                    // The last two bytes may be the beginning of a start code.
                    let checked = self.buffer.len().saturating_sub(2);
                    self.scanned = self.scanned.max(checked);
                    if !self.is_inside {
                        self.start = self.scanned;
                    }
                    return Ok(None);
                }
            };
            let was_inside = self.is_inside && end > self.start;
            self.check_size(end)?;
            let unit = trim_trailing_zeros(self.buffer.get(self.start..end).unwrap_or_default());
            let unit = (was_inside && !unit.is_empty()).then(|| unit.to_vec());
            self.start = found.map_or(end, |at| at + 3);
            self.scanned = self.start;
            self.is_inside |= found.is_some();
            if unit.is_some() || found.is_none() {
                return Ok(unit);
            }
        }
    }

    /// Zeros at the end do not count: how many of them have come depends on the pieces.
    fn check_size(&self, end: usize) -> Result<(), AnnexBError> {
        let limit = self.unit_size_max;
        let behind = self.start.saturating_add(limit)..end;
        let is_too_large = |bytes: &[u8]| bytes.iter().any(|&byte| byte != 0);
        match self.buffer.get(behind) {
            Some(bytes) if self.is_inside && is_too_large(bytes) => {
                Err(AnnexBError::UnitTooLarge { limit })
            }
            _ => Ok(()),
        }
    }

    /// Of the zeros behind the largest size, which are all that is there, keeps as many as a start
    /// code needs: anything else behind them is too much, however many they were.
    fn forget_zeros(&mut self) {
        let kept = self.start.saturating_add(self.unit_size_max);
        if self.is_inside {
            self.buffer.truncate(kept.saturating_add(2));
        }
    }
}
