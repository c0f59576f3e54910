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

    /// What has come so far of a unit that is not complete.
    pub(super) fn head(&self) -> &[u8] {
        match self.is_inside {
            true => self.buffer.get(self.start..).unwrap_or_default(),
            false => &[],
        }
    }

    /// The next unit without start code and trailing zeros; never empty.
    pub(super) fn next_unit(&mut self) -> Result<Option<Vec<u8>>, AnnexBError> {
        loop {
            let found = find_start_code(&self.buffer, self.scanned);
            let end = match found {
                Some(at) => at,
                None if self.is_finished => self.buffer.len(),
                None => {
                    // The last two bytes may be the beginning of a start code.
                    let checked = self.buffer.len().saturating_sub(2);
                    self.scanned = self.scanned.max(checked);
                    if !self.is_inside {
                        self.start = self.scanned;
                    }
                    self.check_size(self.buffer.len())?;
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

    fn check_size(&self, end: usize) -> Result<(), AnnexBError> {
        if self.is_inside && end.saturating_sub(self.start) > self.unit_size_max {
            return Err(AnnexBError::UnitTooLarge {
                limit: self.unit_size_max,
            });
        }
        Ok(())
    }
}
