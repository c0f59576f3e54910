//! How one setting is written: from TOML or plain text into its place in the configuration, with
//! its bounds, and back as TOML.

use std::net::SocketAddr;
use std::time::Duration;

use super::nearest::nearest;
use crate::http::guard::Reads;
use crate::media::flv::HevcForm;
use crate::server::{Flush, PathPattern, Takeover};

/// Where in `T` a value stands: reads and writes go through the same place.
pub(super) type Lens<T, V> = fn(&mut T) -> &mut V;

/// The kind of a setting, its place and its bounds (both ends included).
#[derive(Debug)]
pub(super) enum Field<T: 'static> {
    /// A list of `ADDRESS:PORT`, and how many there are at least.
    Addresses(Lens<T, Vec<SocketAddr>>, usize),
    /// A list of patterns for names and addresses; it may be empty.
    Patterns(Lens<T, Vec<PathPattern>>),
    /// A whole number.
    Count(Whole<T>, u64, u64),
    /// Bytes.
    Size(Whole<T>, u64, u64),
    /// Bounds in milliseconds.
    Time(Span<T>, u64, u64),
    /// A word or a time.
    Flush(Lens<T, Flush>),
    /// A word.
    Takeover(Lens<T, Takeover>),
    /// A word.
    Hevc(Lens<T, Option<HevcForm>>),
    /// A word.
    Reads(Lens<T, Reads>),
    /// As [`Text`](Self::Text), and never shown.
    Secret(Lens<T, Option<String>>, fn(&str) -> Result<(), String>),
    /// Any text that passes the check, which says what else is expected; `""` stands for none.
    Text(Lens<T, Option<String>>, fn(&str) -> Result<(), String>),
}

/// What is shown instead of a secret.
pub(super) const HIDDEN: &str = "***";

/// A whole number in one of its types.
#[derive(Debug)]
pub(super) enum Whole<T: 'static> {
    Usize(Lens<T, usize>),
    U32(Lens<T, u32>),
}

/// A time in one of its types.
#[derive(Debug)]
pub(super) enum Span<T: 'static> {
    Duration(Lens<T, Duration>),
    Milliseconds(Lens<T, i64>),
}

/// What somebody wrote for a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// Of the environment and the command line: any kind of value without quotes, the members of
    /// a list with commas between them.
    Typed(String),
    /// A TOML string.
    Text(String),
    /// A TOML number, in decimal.
    Number(String),
    /// A TOML array of strings.
    Texts(Vec<String>),
    /// Something that no setting is: the name of its TOML type.
    Other(&'static str),
}

/// A day: no timer is longer.
pub(super) const DAY_MS: u64 = 86_400_000;

const FLUSH_WORDS: [&str; 2] = ["video", "now"];
const FLUSH_MS_MAX: u64 = 10_000;

const TAKEOVER_WORDS: [(&str, Takeover); 3] = [
    ("same-source", Takeover::SameSource),
    ("always", Takeover::Always),
    ("never", Takeover::Never),
];

const READS_WORDS: [(&str, Reads); 3] = [
    ("loopback", Reads::Loopback),
    ("anybody", Reads::Anybody),
    ("nobody", Reads::Nobody),
];

const HEVC_WORDS: [(&str, Option<HevcForm>); 3] = [
    ("as-sent", None),
    ("hvc1", Some(HevcForm::Enhanced)),
    ("codec-12", Some(HevcForm::CodecId12)),
];

impl<T> Field<T> {
    /// Puts what was given in its place.
    ///
    /// # Errors
    /// What is wrong with it, in words; nothing is changed then.
    pub(super) fn set(&self, target: &mut T, given: &Given) -> Result<(), String> {
        match self {
            Self::Addresses(lens, min) => *lens(target) = addresses(given, *min)?,
            Self::Patterns(lens) => *lens(target) = patterns(given)?,
            Self::Count(whole, min, max) => {
                let expected = || format!("a whole number from {min} to {max} is expected");
                whole.set(target, count(given, *min, *max, &expected)?);
            }
            Self::Size(whole, min, max) => {
                let (low, high) = (size_text(*min), size_text(*max));
                let expected = || {
                    format!("a size from {low} to {high} is expected, such as \"64KiB\" or 65536")
                };
                let bytes = amount(given, size, &expected)?;
                if !(*min..=*max).contains(&bytes) {
                    return Err(format!("{given} is out of range: {low} to {high}"));
                }
                whole.set(target, bytes);
            }
            Self::Time(span, min, max) => span.set(target, time_within(given, *min, *max)?),
            Self::Flush(lens) => *lens(target) = flush(given)?,
            Self::Takeover(lens) => *lens(target) = word(given, &TAKEOVER_WORDS)?,
            Self::Hevc(lens) => *lens(target) = word(given, &HEVC_WORDS)?,
            Self::Reads(lens) => *lens(target) = word(given, &READS_WORDS)?,
            Self::Text(lens, check) => *lens(target) = text(given, *check)?,
            // What is wrong with it is said without it: errors go into logs.
            Self::Secret(lens, check) => *lens(target) = text(given, *check)?,
        }
        Ok(())
    }

    /// The value as TOML. (`target` is not changed; a [`Lens`] needs it writable.)
    pub(super) fn toml(&self, target: &mut T) -> String {
        match self {
            Self::Addresses(lens, _) => {
                let quoted = |address: &SocketAddr| quoted(&address.to_string());
                let members: Vec<_> = lens(target).iter().map(quoted).collect();
                format!("[{}]", members.join(", "))
            }
            Self::Patterns(lens) => {
                let quoted = |pattern: &PathPattern| quoted(&pattern.to_string());
                let members: Vec<_> = lens(target).iter().map(quoted).collect();
                format!("[{}]", members.join(", "))
            }
            Self::Count(whole, ..) => whole.of(target).to_string(),
            Self::Size(whole, ..) => match size_text(whole.of(target)) {
                text if text.ends_with('B') => quoted(&text),
                number => number,
            },
            Self::Time(span, ..) => quoted(&time_text(span.of(target))),
            Self::Flush(lens) => match *lens(target) {
                Flush::Video => quoted("video"),
                Flush::Now => quoted("now"),
                Flush::Every(wait) => quoted(&time_text(whole_ms(wait))),
            },
            Self::Takeover(lens) => quoted(word_of(*lens(target), &TAKEOVER_WORDS)),
            Self::Hevc(lens) => quoted(word_of(*lens(target), &HEVC_WORDS)),
            Self::Reads(lens) => quoted(word_of(*lens(target), &READS_WORDS)),
            Self::Text(lens, _) => quoted(lens(target).as_deref().unwrap_or_default()),
            Self::Secret(lens, _) => match lens(target) {
                Some(_) => quoted(HIDDEN),
                None => quoted(""),
            },
        }
    }

    /// The least and the greatest value, for people; `None` for what is no quantity.
    pub(super) fn bounds(&self) -> Option<(String, String)> {
        match self {
            Self::Count(_, min, max) => Some((min.to_string(), max.to_string())),
            Self::Size(_, min, max) => Some((size_text(*min), size_text(*max))),
            Self::Time(_, min, max) => Some((time_text(*min), time_text(*max))),
            Self::Addresses(..)
            | Self::Patterns(_)
            | Self::Flush(_)
            | Self::Takeover(_)
            | Self::Hevc(_)
            | Self::Reads(_)
            | Self::Secret(..)
            | Self::Text(..) => None,
        }
    }
}

impl<T> Whole<T> {
    fn of(&self, target: &mut T) -> u64 {
        match self {
            Self::Usize(lens) => u64::try_from(*lens(target)).unwrap_or(u64::MAX),
            Self::U32(lens) => u64::from(*lens(target)),
        }
    }

    /// The bounds keep `value` within the type; on a 32-bit machine the type does.
    fn set(&self, target: &mut T, value: u64) {
        match self {
            Self::Usize(lens) => *lens(target) = usize::try_from(value).unwrap_or(usize::MAX),
            Self::U32(lens) => *lens(target) = u32::try_from(value).unwrap_or(u32::MAX),
        }
    }
}

impl<T> Span<T> {
    fn of(&self, target: &mut T) -> u64 {
        match self {
            Self::Duration(lens) => whole_ms(*lens(target)),
            Self::Milliseconds(lens) => u64::try_from(*lens(target)).unwrap_or(0),
        }
    }

    fn set(&self, target: &mut T, ms: u64) {
        match self {
            Self::Duration(lens) => *lens(target) = Duration::from_millis(ms),
            Self::Milliseconds(lens) => *lens(target) = i64::try_from(ms).unwrap_or(i64::MAX),
        }
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Typed(text) | Self::Number(text) => f.write_str(text),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Texts(_) => f.write_str("a list"),
            Self::Other(what) => write!(f, "a value of type {what}"),
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn wrong(given: &Given, expected: &str) -> String {
    format!("{expected}, not {given}")
}

/// The members of a list; one text is a list of one. A list without members is typed as `none`, or
/// as nothing in the environment.
fn members<'a>(given: &'a Given, expected: &str) -> Result<Vec<&'a str>, String> {
    match given {
        Given::Typed(text) if matches!(text.trim(), "" | "none") => Ok(Vec::new()),
        Given::Typed(text) => Ok(text.split(',').map(str::trim).collect()),
        Given::Text(text) => Ok(vec![text]),
        Given::Texts(texts) => Ok(texts.iter().map(String::as_str).collect()),
        Given::Number(_) | Given::Other(_) => Err(wrong(given, expected)),
    }
}

fn patterns(given: &Given) -> Result<Vec<PathPattern>, String> {
    let expected = "a list of patterns is expected, such as [\"live/*\", \"192.0.2.*\"]";
    let pattern = |member: &str| {
        PathPattern::parse(member).map_err(|error| format!("{}: {error}", quoted(member)))
    };
    members(given, expected)?.into_iter().map(pattern).collect()
}

fn addresses(given: &Given, min: usize) -> Result<Vec<SocketAddr>, String> {
    let members = members(given, "a list of \"ADDRESS:PORT\" is expected")?;
    if members.len() < min {
        return Err("at least one \"ADDRESS:PORT\" is expected".to_owned());
    }
    let address = |member: &str| {
        member.parse().map_err(|_| {
            format!(
                "\"ADDRESS:PORT\" is expected, such as \"0.0.0.0:1935\" or \"[::]:1935\", not {}",
                quoted(member)
            )
        })
    };
    members.into_iter().map(address).collect()
}

fn count(given: &Given, min: u64, max: u64, expected: &dyn Fn() -> String) -> Result<u64, String> {
    let (Given::Typed(text) | Given::Number(text)) = given else {
        return Err(wrong(given, &expected()));
    };
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    match text.parse() {
        Ok(number) if is_whole && (min..=max).contains(&number) => Ok(number),
        _ if is_whole || text.starts_with('-') => {
            Err(format!("{given} is out of range: {min} to {max}"))
        }
        _ => Err(wrong(given, &expected())),
    }
}

/// A number with a unit, read by `parse`.
fn amount(
    given: &Given,
    parse: impl Fn(&str) -> Option<u64>,
    expected: &dyn Fn() -> String,
) -> Result<u64, String> {
    match given {
        Given::Typed(text) | Given::Text(text) | Given::Number(text) => parse(text),
        Given::Texts(_) | Given::Other(_) => None,
    }
    .ok_or_else(|| wrong(given, &expected()))
}

fn time_within(given: &Given, min: u64, max: u64) -> Result<u64, String> {
    let (low, high) = (time_text(min), time_text(max));
    let expected = || {
        format!(
            "a time from {low} to {high} is expected, such as \"10s\", \"250ms\" or 10 (seconds)"
        )
    };
    let ms = amount(given, time_ms, &expected)?;
    if (min..=max).contains(&ms) {
        Ok(ms)
    } else {
        Err(format!("{given} is out of range: {low} to {high}"))
    }
}

fn flush(given: &Given) -> Result<Flush, String> {
    let (Given::Typed(text) | Given::Text(text)) = given else {
        let expected = "\"video\", \"now\" or a time such as \"100ms\" is expected";
        return Err(wrong(given, expected));
    };
    match text.as_str() {
        "video" => Ok(Flush::Video),
        "now" => Ok(Flush::Now),
        // A bare number would be seconds, which nobody means here.
        _ if text.ends_with('s') && time_ms(text).is_some() => {
            time_within(given, 1, FLUSH_MS_MAX).map(|ms| Flush::Every(Duration::from_millis(ms)))
        }
        _ => {
            let expected = "\"video\", \"now\" or a time such as \"100ms\" is expected";
            Err(wrong(given, expected) + &nearest(text, FLUSH_WORDS))
        }
    }
}

/// Text without a check of its own kind; `None` for an empty one.
fn text(given: &Given, check: fn(&str) -> Result<(), String>) -> Result<Option<String>, String> {
    let (Given::Typed(text) | Given::Text(text)) = given else {
        return Err(wrong(given, "a text in quotes is expected"));
    };
    if text.is_empty() {
        return Ok(None);
    }
    check(text)?;
    Ok(Some(text.clone()))
}

fn word<V: Copy>(given: &Given, words: &[(&'static str, V)]) -> Result<V, String> {
    let names = words.iter().map(|(word, _)| *word);
    let expected = format!("{} is expected", one_of(&names.clone().collect::<Vec<_>>()));
    let (Given::Typed(text) | Given::Text(text)) = given else {
        return Err(wrong(given, &expected));
    };
    words
        .iter()
        .find_map(|(word, value)| (word == text).then_some(*value))
        .ok_or_else(|| wrong(given, &expected) + &nearest(text, names))
}

fn word_of<V: Copy + PartialEq>(value: V, words: &[(&'static str, V)]) -> &'static str {
    words
        .iter()
        .find_map(|(word, known)| (*known == value).then_some(*word))
        .expect("each value has its word")
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// `10s`, `250ms`, `1.5m`, `1h` or a number of seconds; whole milliseconds come out.
fn time_ms(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // More digits than milliseconds of an hour have are no time that anybody means.
    if whole.is_empty() || fraction.len() > 9 || number.ends_with('.') {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u64 = format!("0{fraction}").parse().ok()?;
    let fraction = fraction.checked_mul(unit_ms)?;
    if fraction % scale != 0 {
        return None;
    }
    whole.checked_mul(unit_ms)?.checked_add(fraction / scale)
}

fn time_text(ms: u64) -> String {
    if ms.is_multiple_of(1000) {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}

/// `64k`, `64KiB`, `16M`, `1GiB` or a number of bytes. `kB` is left out: it would have to be 1000.
fn size(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let unit = match unit {
        "" | "B" => 1,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        for (text, ms) in [
            ("10s", Some(10_000)),
            ("250ms", Some(250)),
            ("10", Some(10_000)),
            ("0.5", Some(500)),
            ("0.25s", Some(250)),
            ("1.5m", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("0", Some(0)),
            ("007s", Some(7000)),
            ("0.0005", None),
            ("0.5ms", None),
            ("", None),
            ("s", None),
            (".5s", None),
            ("1.s", None),
            ("1.2.3s", None),
            ("-1s", None),
            ("+1s", None),
            ("1e3", None),
            ("inf", None),
            ("10 s", None),
            ("10S", None),
            ("10sec", None),
            ("1m30s", None),
            ("0.0000000001h", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(time_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("65536", Some(65_536)),
            ("128B", Some(128)),
            ("64k", Some(65_536)),
            ("64K", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("16M", Some(16 << 20)),
            ("16MiB", Some(16 << 20)),
            ("1G", Some(1 << 30)),
            ("1GiB", Some(1 << 30)),
            ("", None),
            ("k", None),
            ("64kB", None),
            ("64MB", None),
            ("64kib", None),
            ("1.5MiB", None),
            ("-1", None),
            ("16 MiB", None),
            ("17179869184GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<u32>(), shift in 0_u32..32) {
            let value = u64::from(value) << shift;
            prop_assert_eq!(time_ms(&time_text(value)), Some(value));
            prop_assert_eq!(size(&size_text(value)), Some(value));
        }

        #[test]
        fn nothing_panics(text in any::<String>(), digits in "[0-9.smhkMGiB]{0,24}") {
            for text in [text, digits] {
                let _: (_, _) = (time_ms(&text), size(&text));
                let given = Given::Typed(text);
                prop_assert!(flush(&given).is_err() || addresses(&given, 1).is_err());
            }
        }
    }
}
