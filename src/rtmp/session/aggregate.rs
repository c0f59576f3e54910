//! Aggregate messages (type 22, RTMP 1.0 §7.1.6) taken apart.
//!
//! ```text
//! sub-message: type u8 | size u24 | timestamp u24, upper 8 bits u8 | stream id u24 | body | back pointer u32
//! ```
//! These are FLV tags. Their timestamps count from the aggregate's own: the first sub-message has
//! the aggregate's time, the others keep their distance to the first. Their stream ids are ignored.

use crate::rtmp::message::MessageType;
use crate::wire::{Reader, Truncated};

/// Sub-messages that we take out of one aggregate. Real ones hold some dozens; this bounds how
/// many events 4 MiB of empty tags can turn into.
const PARTS_MAX: usize = 4096;

/// One message of an aggregate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) message_type: MessageType,
    pub(super) timestamp: u32,
    pub(super) body: &'a [u8],
}

/// The messages of an aggregate, in order; ends after the first one that cannot be read.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    reader: Reader<'a>,
    /// What has to be added to a sub-message's timestamp; known from the first one on.
    shift: Option<u32>,
    timestamp: u32,
    left: usize,
}

impl<'a> Parts<'a> {
    /// Reads the body of an aggregate message with that timestamp.
    pub(super) fn new(timestamp: u32, body: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(body),
            shift: None,
            timestamp,
            left: PARTS_MAX,
        }
    }

    fn read(&mut self) -> Result<Part<'a>, Truncated> {
        let message_type = MessageType(self.reader.u8()? & 0x1F);
        let size = self.reader.u24()?;
        let low = self.reader.u24()?;
        let high = u32::from(self.reader.u8()?);
        let _stream_id = self.reader.u24()?;
        let body = self
            .reader
            .bytes(usize::try_from(size).unwrap_or(usize::MAX))?;
        // Some senders leave the last back pointer out; it carries nothing anyway.
        if self.reader.remaining() < 4 {
            self.reader = Reader::new(&[]);
        } else {
            self.reader.u32()?;
        }
        let own = high << 24 | low;
        let whole = self.timestamp;
        let shift = *self.shift.get_or_insert_with(|| whole.wrapping_sub(own));
        Ok(Part {
            message_type,
            timestamp: own.wrapping_add(shift),
            body,
        })
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let part = self.read();
        if part.is_err() {
            self.left = 0;
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    /// Audio `AF 01` at 16 777 216 ms, video `27` 40 ms later.
    const TWO: [u8; 33] = [
        8, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0xAF, 0x01, 0, 0, 0, 13, //
        9, 0, 0, 1, 0, 0, 40, 1, 0, 0, 0, 0x27, 0, 0, 0, 12,
    ];

    #[track_caller]
    fn check(body: &[u8], timestamp: u32, wanted: &[(u8, u32, &[u8])], readable: bool) {
        let mut seen = Vec::new();
        let mut error = None;
        for part in Parts::new(timestamp, body) {
            match part {
                Ok(part) => seen.push((part.message_type.0, part.timestamp, part.body)),
                Err(truncated) => error = Some(truncated),
            }
        }
        assert_eq!(seen, wanted);
        assert_eq!(error.is_none(), readable, "{error:?}");
    }

    #[test]
    fn parts_keep_their_distances_and_start_at_the_aggregates_time() {
        let audio: &[u8] = &[0xAF, 0x01];
        check(&TWO, 500, &[(8, 500, audio), (9, 540, &[0x27])], true);
        // The 32-bit clock wraps between the two.
        check(
            &TWO,
            u32::MAX,
            &[(8, u32::MAX, audio), (9, 39, &[0x27])],
            true,
        );
        // No last back pointer, or part of one.
        check(&TWO[..29], 0, &[(8, 0, audio), (9, 40, &[0x27])], true);
        check(&TWO[..31], 0, &[(8, 0, audio), (9, 40, &[0x27])], true);
        check(&[], 0, &[], true);
    }

    #[test]
    fn what_is_cut_short_ends_the_aggregate() {
        let audio: &[u8] = &[0xAF, 0x01];
        for length in 18..29 {
            check(&TWO[..length], 7, &[(8, 7, audio)], false);
        }
        for length in 1..13 {
            check(&TWO[..length], 7, &[], false);
        }
        let mut lies = TWO;
        lies[1] = 0xFF;
        check(&lies, 0, &[], false);
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        let tags = [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11].repeat(PARTS_MAX + 5);
        assert_eq!(Parts::new(0, &tags).count(), PARTS_MAX);
    }
}
