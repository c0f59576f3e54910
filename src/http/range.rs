//! Byte ranges (RFC 9110 §14): Safari asks for the first two bytes of an MP4 file before anything
//! else, and plays nothing from a server that gives it the whole.

use std::ops::Range;

/// Which part of a body to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it, with 200: no range was asked for, or one that is passed over: other units,
    /// several ranges, and what cannot be read.
    Whole,
    /// These bytes, with 206; not empty, and within the body.
    Bytes(Range<u64>),
    /// With 416: the body is shorter.
    Unsatisfiable,
}

impl Part {
    /// What the value of a `Range` field asks for of a body of `length` bytes.
    pub fn of(field: Option<&str>, length: u64) -> Self {
        match field.and_then(parse) {
            None => Self::Whole,
            Some(Asked::From(first, last)) if first < length => {
                let last = last.unwrap_or(u64::MAX).min(length - 1);
                Self::Bytes(first..last + 1)
            }
            Some(Asked::Last(count)) if count > 0 && length > 0 => {
                Self::Bytes(length.saturating_sub(count)..length)
            }
            Some(_) => Self::Unsatisfiable,
        }
    }

    /// The value of `Content-Range`, where one belongs.
    pub fn content_range(&self, length: u64) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Bytes(bytes) => {
                let last = bytes.end.saturating_sub(1);
                Some(format!("bytes {}-{last}/{length}", bytes.start))
            }
            Self::Unsatisfiable => Some(format!("bytes */{length}")),
        }
    }
}

/// One range as it is asked for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// From this byte to that one or the end; `first <= last`.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

fn parse(field: &str) -> Option<Asked> {
    let (unit, range) = field.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some(Asked::Last(number(last)?)),
        (first, "") => Some(Asked::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::From(first, Some(last)))
        }
    }
}

/// Digits only: no sign, no space. What does not fit is beyond any body.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_body() {
        for (field, length, part, content_range) in [
            (None, 10, Part::Whole, None),
            (
                Some("bytes=0-1"),
                10,
                Part::Bytes(0..2),
                Some("bytes 0-1/10"),
            ),
            (
                Some("bytes=0-"),
                10,
                Part::Bytes(0..10),
                Some("bytes 0-9/10"),
            ),
            (
                Some("Bytes=9-99"),
                10,
                Part::Bytes(9..10),
                Some("bytes 9-9/10"),
            ),
            (
                Some("bytes=-3"),
                10,
                Part::Bytes(7..10),
                Some("bytes 7-9/10"),
            ),
            (
                Some("bytes=-30"),
                10,
                Part::Bytes(0..10),
                Some("bytes 0-9/10"),
            ),
            (
                Some("bytes=5-18446744073709551616"),
                10,
                Part::Bytes(5..10),
                Some("bytes 5-9/10"),
            ),
            (
                Some("bytes=10-"),
                10,
                Part::Unsatisfiable,
                Some("bytes */10"),
            ),
            (
                Some("bytes=-0"),
                10,
                Part::Unsatisfiable,
                Some("bytes */10"),
            ),
            (Some("bytes=0-0"), 0, Part::Unsatisfiable, Some("bytes */0")),
            (Some("bytes=-5"), 0, Part::Unsatisfiable, Some("bytes */0")),
            (Some("bytes=0-1,3-4"), 10, Part::Whole, None),
            (Some("bytes=4-3"), 10, Part::Whole, None),
            (Some("bytes=a-b"), 10, Part::Whole, None),
            (Some("bytes=+1-2"), 10, Part::Whole, None),
            (Some("bytes=-"), 10, Part::Whole, None),
            (Some("bytes"), 10, Part::Whole, None),
            (Some("lines=0-1"), 10, Part::Whole, None),
        ] {
            let found = Part::of(field, length);
            assert_eq!(found, part, "{field:?}");
            assert_eq!(found.content_range(length).as_deref(), content_range);
        }
    }
}
