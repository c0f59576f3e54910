//! Whether a fmt 3 chunk repeats the extended timestamp.
//!
//! The specification of 2012 says that it does whenever the last header of its chunk stream had
//! one (RTMP 1.0 §5.3.1.3). Earlier texts left it open: librtmp and ffmpeg of 2013 and before,
//! and the device SDKs made of them, leave it out. Nothing on the wire says which; so the four
//! bytes in question are compared with what a repetition would hold.

use crate::wire::Reader;

/// At the start of a message, how far from what we expect a repeated value may lie: senders
/// write the old value, the new absolute time, or the new delta there.
const START_TOLERANCE_MS: u32 = 10_000;

/// Senders that keep 31 bits (SRS) repeat the value without its top bit.
const MASK_31_BITS: u32 = 0x7FFF_FFFF;

/// What a peer was seen to do on its last fmt 3 chunk in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// There was none.
    Unknown,
    /// It repeated the extended timestamp.
    Repeats,
    /// It left it out.
    Omits,
}

/// What [`Expected::judge`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// More bytes have to arrive.
    NeedMore,
    /// The next four bytes are the extended timestamp, this one.
    Repeated(u32),
    /// The payload follows at once.
    Omitted,
}

/// What is known when a fmt 3 chunk comes on a chunk stream whose last header was extended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// The extended value last read on this chunk stream.
    pub(super) value: u32,
    /// The timestamp of the message that the chunk belongs to.
    pub(super) timestamp: u32,
    /// Whether the chunk starts a message.
    pub(super) is_start: bool,
    /// Payload bytes that the chunk will bring.
    pub(super) owed: usize,
    /// What the peer did before.
    pub(super) habit: Habit,
}

impl Expected {
    /// Looks at the bytes `ahead` of the basic header, as many as have arrived.
    ///
    /// The outcome depends on the bytes alone, not on how many arrive at a time: a beginning
    /// that fits no expected value rules all of them out. [`Verdict::NeedMore`] does not stall
    /// a peer that omits the field: it comes only while the chunk owes four bytes anyway, or
    /// while what has arrived looks like a repetition and the peer is not known to omit.
    pub(super) fn judge(&self, ahead: &[u8]) -> Verdict {
        if self.habit == Habit::Omits && self.owed < 4 {
            return Verdict::Omitted;
        }
        if let Ok(value) = Reader::new(ahead).u32() {
            return match self.fits(value, value) {
                true => Verdict::Repeated(value),
                false => Verdict::Omitted,
            };
        }
        let mut first = [0x00; 4];
        let mut last = [0xFF; 4];
        for ((low, high), byte) in first.iter_mut().zip(&mut last).zip(ahead) {
            *low = *byte;
            *high = *byte;
        }
        match self.fits(u32::from_be_bytes(first), u32::from_be_bytes(last)) {
            true => Verdict::NeedMore,
            false => Verdict::Omitted,
        }
    }

    /// Whether any value of `first..=last` is one that a repetition may hold.
    fn fits(&self, first: u32, last: u32) -> bool {
        if self.habit == Habit::Omits {
            return (first..=last).contains(&self.value);
        }
        let tolerance = if self.is_start { START_TOLERANCE_MS } else { 0 };
        [
            self.value,
            self.timestamp,
            self.value & MASK_31_BITS,
            self.timestamp & MASK_31_BITS,
        ]
        .iter()
        .any(|centre| {
            // Two arcs of the ring of 2^32 meet when one starts inside the other.
            let start = centre.wrapping_sub(tolerance);
            first.wrapping_sub(start) <= 2 * tolerance || start.wrapping_sub(first) <= last - first
        })
    }

    /// The timestamp of a message that starts with this fmt 3 chunk and `repeated`, on a chunk
    /// stream that was at `before`.
    pub(super) fn start_timestamp(&self, before: u32, repeated: u32) -> u32 {
        if repeated == self.value {
            return self.timestamp;
        }
        let distance = |centre: u32| {
            let ahead = repeated.wrapping_sub(centre);
            ahead.min(ahead.wrapping_neg())
        };
        if distance(self.timestamp) <= START_TOLERANCE_MS {
            repeated // The new absolute time.
        } else if distance(self.value) <= START_TOLERANCE_MS {
            before.wrapping_add(repeated) // A new delta.
        } else {
            self.timestamp // One of them in 31 bits: nothing to learn from it.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: u32 = 0x8123_4567;
    const MID: Expected = Expected {
        value: VALUE,
        timestamp: 0x0234_5678,
        is_start: false,
        owed: 2,
        habit: Habit::Unknown,
    };
    const START: Expected = Expected {
        is_start: true,
        ..MID
    };
    const OMITS: Expected = Expected {
        habit: Habit::Omits,
        owed: 4,
        ..MID
    };

    #[track_caller]
    fn check(expected: Expected, ahead: &[u8], verdict: Verdict) {
        assert_eq!(expected.judge(ahead), verdict, "{expected:?} {ahead:02x?}");
    }

    #[test]
    fn a_beginning_that_fits_is_awaited_and_any_other_is_payload() {
        let bytes = VALUE.to_be_bytes();
        for count in 0..4 {
            let (begun, _) = bytes.split_at(count);
            check(MID, begun, Verdict::NeedMore);
            check(START, begun, Verdict::NeedMore);
            check(OMITS, begun, Verdict::NeedMore);
            check(Expected { owed: 3, ..OMITS }, begun, Verdict::Omitted);
        }
        check(MID, &bytes, Verdict::Repeated(VALUE));
        check(Expected { owed: 3, ..OMITS }, &bytes, Verdict::Omitted);
        check(MID, &[0x82], Verdict::Omitted);
        check(MID, &[0x81, 0x24], Verdict::Omitted);
        check(MID, &[0x81, 0x23, 0x45, 0x66], Verdict::Omitted);
        // The timestamp, and the value in 31 bits.
        check(
            MID,
            &[0x02, 0x34, 0x56, 0x78],
            Verdict::Repeated(0x0234_5678),
        );
        check(
            MID,
            &[0x01, 0x23, 0x45, 0x67],
            Verdict::Repeated(0x0123_4567),
        );
        check(OMITS, &[0x02], Verdict::Omitted);
    }

    #[test]
    fn near_is_enough_at_a_message_start_only() {
        for near in [VALUE + 10_000, VALUE - 10_000, 0x0234_5678 + 40] {
            check(START, &near.to_be_bytes(), Verdict::Repeated(near));
            check(MID, &near.to_be_bytes(), Verdict::Omitted);
            check(OMITS, &near.to_be_bytes(), Verdict::Omitted);
        }
        for far in [VALUE + 10_001, VALUE - 10_001, 0] {
            check(START, &far.to_be_bytes(), Verdict::Omitted);
        }
        let around = Expected { value: 5, ..START };
        check(around, &[0xFF], Verdict::NeedMore);
        check(
            around,
            &[0xFF, 0xFF, 0xFF, 0],
            Verdict::Repeated(0xFFFF_FF00),
        );
    }

    #[test]
    fn what_a_repeated_value_says_about_the_time() {
        let before = 0x0134_5678;
        let expected = Expected {
            value: 0x0100_0000,
            timestamp: 0x0234_5678,
            ..START
        };
        for (repeated, timestamp) in [
            (0x0100_0000, 0x0234_5678),          // The delta again.
            (0x0100_0005, before + 0x0100_0005), // Another delta.
            (0x0234_5670, 0x0234_5670),          // The time.
            (0x8234_5678, 0x0234_5678),          // None of them.
        ] {
            assert_eq!(expected.start_timestamp(before, repeated), timestamp);
        }
    }
}
