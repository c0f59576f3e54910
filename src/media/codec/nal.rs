//! NAL units as AVC, HEVC and VVC carry them: behind start codes or behind lengths.
//!
//! FLV, RTMP and MP4 put a length before each unit (ISO/IEC 14496-15 §5.3.4.2); byte streams
//! put a start code (ITU-T H.264 and H.265, Annex B). The units themselves are the same, with
//! emulation prevention bytes left in.

use std::borrow::Cow;

/// NAL units with `length_size` bytes of length before each; from [`length_prefixed`].
#[derive(Debug, Clone)]
pub struct LengthPrefixed<'a> {
    rest: &'a [u8],
    length_size: u8,
}

/// Iterates over the NAL units of a frame in AVC or HEVC form. Empty units are left out (DJI
/// drones send them); a length that points past the end stops the iteration.
///
/// `length_size` comes from the configuration record: 1, 2 or 4.
pub fn length_prefixed(frame: &[u8], length_size: u8) -> LengthPrefixed<'_> {
    LengthPrefixed {
        rest: frame,
        length_size,
    }
}

impl<'a> LengthPrefixed<'a> {
    fn split_unit(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = self.rest.split_at_checked(usize::from(self.length_size))?;
        let length = length.iter().try_fold(0_usize, |sum, &byte| {
            sum.checked_mul(256)?.checked_add(usize::from(byte))
        })?;
        rest.split_at_checked(length)
    }
}

impl<'a> Iterator for LengthPrefixed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // A length of no bytes would never advance.
        while self.length_size > 0 {
            let (unit, rest) = self.split_unit()?;
            self.rest = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
        None
    }
}

/// Whether the lengths of a frame add up to its end exactly.
pub fn is_length_prefixed(frame: &[u8], length_size: u8) -> bool {
    let mut units = length_prefixed(frame, length_size);
    while units.next().is_some() {}
    units.rest.is_empty()
}

/// NAL units between start codes; from [`start_coded`].
#[derive(Debug, Clone)]
pub struct StartCoded<'a> {
    rest: Option<&'a [u8]>,
}

/// Iterates over the NAL units of a complete byte stream. What lies before the first start code
/// is left out, and so are zero bytes behind a unit and empty units.
pub fn start_coded(stream: &[u8]) -> StartCoded<'_> {
    StartCoded {
        rest: find_start_code(stream, 0).and_then(|at| stream.get(at + 3..)),
    }
}

impl<'a> Iterator for StartCoded<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest?;
            let (unit, next) = match find_start_code(rest, 0) {
                Some(at) => (rest.get(..at)?, rest.get(at + 3..)),
                None => (rest, None),
            };
            self.rest = next;
            let unit = trim_trailing_zeros(unit);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

/// The position of the next `00 00 01` at or after `from`.
pub fn find_start_code(stream: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        // Looking at the third byte first lets most steps be three bytes long.
        match stream.get(at + 2)? {
            0 => at += 1,
            1 if stream.get(at..at + 2) == Some(&[0, 0]) => return Some(at),
            _ => at += 3,
        }
    }
}

/// A NAL unit never ends in a zero byte, so zeros at its end belong to the byte stream.
pub fn trim_trailing_zeros(unit: &[u8]) -> &[u8] {
    let kept = unit
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    unit.get(..kept).unwrap_or_default()
}

/// Appends a NAL unit behind a four-byte length. Units of 4 GiB do not occur and would be left out.
pub fn put_length_prefixed(out: &mut Vec<u8>, unit: &[u8]) {
    if let Ok(length) = u32::try_from(unit.len()) {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(unit);
    }
}

/// Appends a NAL unit behind a length of `length_size` bytes, 1 to 4. A unit too long for that
/// is left out.
pub fn put_nal_unit(out: &mut Vec<u8>, unit: &[u8], length_size: u8) {
    let Ok(length) = u32::try_from(unit.len()) else {
        return;
    };
    let width = usize::from(length_size.clamp(1, 4));
    let bytes = length.to_be_bytes();
    // At most 4 of the 4 bytes: this cannot panic.
    let (high, low) = bytes.split_at(bytes.len() - width);
    if high.iter().all(|&byte| byte == 0) {
        out.extend_from_slice(low);
        out.extend_from_slice(unit);
    }
}

/// A frame with lengths of `to` bytes, made of one that should have lengths of `from` bytes.
///
/// Encoders that send start codes in their place are put up with: a frame that begins with one
/// and whose lengths do not add up is taken for such (lengths are tried first, since one of 1
/// looks like a start code). A unit too long for a length of `to` bytes stays out, and so does
/// what lies behind a length that lies, unless nothing is to be changed: then the frame is
/// returned as it is.
pub fn with_lengths(frame: &[u8], from: u8, to: u8) -> Cow<'_, [u8]> {
    fn put<'a>(units: impl Iterator<Item = &'a [u8]>, to: u8) -> Vec<u8> {
        let mut out = Vec::new();
        for unit in units {
            put_nal_unit(&mut out, unit, to);
        }
        out
    }
    let starts = frame.starts_with(&[0, 0, 1]) || frame.starts_with(&[0, 0, 0, 1]);
    if starts && !is_length_prefixed(frame, from) {
        Cow::Owned(put(start_coded(frame), to))
    } else if from == to {
        Cow::Borrowed(frame)
    } else {
        Cow::Owned(put(length_prefixed(frame, from), to))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn lengths(frame: &[u8], length_size: u8) -> Vec<&[u8]> {
        length_prefixed(frame, length_size).collect()
    }

    #[test]
    fn units_behind_lengths() {
        let frame = [0, 0, 0, 1, 0x65, 0, 0, 0, 0, 0, 0, 0, 2, 0x41, 9];
        assert_eq!(lengths(&frame, 4), [&[0x65][..], &[0x41, 9]]);
        assert!(is_length_prefixed(&frame, 4));
        assert_eq!(lengths(&[1, 7, 2, 8, 9], 1), [&[7][..], &[8, 9]]);
        assert_eq!(lengths(&[0, 1, 7], 2), [&[7][..]]);
        // A length past the end stops it, and so does a length size of nothing.
        assert_eq!(lengths(&[0, 0, 0, 9, 1], 4), [[0; 0]; 0]);
        assert!(!is_length_prefixed(&[0, 0, 0, 9, 1], 4));
        assert_eq!(lengths(&[1, 2, 3], 0), [[0; 0]; 0]);
        assert!(is_length_prefixed(&[], 4));
    }

    #[test]
    fn units_behind_start_codes() {
        for (name, stream, units) in [
            ("three bytes", &[0, 0, 1, 7][..], &[&[7][..]][..]),
            ("four bytes", &[0, 0, 0, 1, 7], &[&[7]]),
            (
                "zeros between",
                &[0, 0, 1, 7, 0, 0, 0, 0, 1, 8, 0],
                &[&[7], &[8]],
            ),
            ("junk before", &[9, 9, 0, 0, 1, 7], &[&[7]]),
            ("empty unit", &[0, 0, 1, 0, 0, 1, 7], &[&[7]]),
            (
                "emulation prevention stays",
                &[0, 0, 1, 7, 0, 0, 3, 1],
                &[&[7, 0, 0, 3, 1]],
            ),
            ("no start code", &[7, 8, 9], &[]),
            ("nothing", &[], &[]),
            ("start code at the end", &[0, 0, 1], &[]),
        ] {
            let found: Vec<&[u8]> = start_coded(stream).collect();
            assert_eq!(found, units, "{name}");
        }
    }

    #[test]
    fn start_codes_in_frames_are_mended_lengths_are_not() {
        let lengths = [0, 0, 0, 1, 0x65];
        assert!(matches!(with_lengths(&lengths, 4, 4), Cow::Borrowed(_)));
        let codes = [0, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x41];
        assert_eq!(
            *with_lengths(&codes, 4, 4),
            [0, 0, 0, 3, 0x65, 1, 2, 0, 0, 0, 1, 0x41]
        );
        assert_eq!(*with_lengths(&codes, 2, 2), [0, 3, 0x65, 1, 2, 0, 1, 0x41]);
        let neither = [9, 9, 9];
        assert_eq!(*with_lengths(&neither, 4, 4), neither);
        assert_eq!(*with_lengths(&lengths, 4, 1), [1, 0x65]);
        assert_eq!(*with_lengths(&[1, 0x65, 9], 1, 3), [0, 0, 1, 0x65]);
    }

    proptest! {
        #[test]
        fn find_agrees_with_a_window_search(
            stream in proptest::collection::vec(0_u8..4, 0..60),
            from in 0_usize..70,
        ) {
            let expected = (from..stream.len())
                .find(|&at| stream[at..].starts_with(&[0, 0, 1]));
            prop_assert_eq!(find_start_code(&stream, from), expected);
        }

        #[test]
        fn any_frame_any_length_size(
            frame in proptest::collection::vec(any::<u8>(), 0..60),
            length_size in any::<u8>(),
            other in 1_u8..=4,
        ) {
            let total: usize = length_prefixed(&frame, length_size).map(<[u8]>::len).sum();
            prop_assert!(total <= frame.len());
            let rewritten = with_lengths(&frame, length_size, other);
            prop_assert!(length_size == other || is_length_prefixed(&rewritten, other));
        }
    }
}
