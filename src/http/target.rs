//! The target of a request: its path as decoded segments, and its query as pairs.
//!
//! RFC 9112 §3.2 (forms of the target), RFC 3986 §2.1 (percent-encoding).
//!
//! ```text
//! /live/cam%201.m3u8?_HLS_msn=7       origin form: what clients send
//! http://host:8080/live/cam.m3u8      absolute form: what they send through a proxy
//! *                                   asterisk form, of OPTIONS alone
//! ```
//! One thing has one name here: what other servers quietly mend (dot segments, empty segments,
//! encoded slashes) is refused, since a proxy in front may have mended it in another way when it
//! decided who may pass. Browsers and curl resolve dot segments before they ask.

use percent_encoding::percent_decode_str;

/// Longest target that is read, bytes as sent.
pub const TARGET_BYTES_MAX: usize = 4096;
/// Most fields of a query.
pub const QUERY_FIELDS_MAX: usize = 32;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Host and port of an absolute form; it counts instead of the `Host` field.
    pub authority: Option<String>,
    /// The segments of the path, percent-decoded once; none of `/`. No segment is empty, `.` or
    /// `..`, and none holds a `/` or a control character.
    pub segments: Vec<String>,
    /// Whether a slash stands behind the last segment; of `/` alone false.
    pub has_trailing_slash: bool,
    /// Whether this is `*`.
    pub is_asterisk: bool,
    /// The query without its `?`, as sent: values are often Base64, whose `+` must not become a
    /// space.
    pub query: String,
}

/// Why a target is refused; `Display` is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// More than [`TARGET_BYTES_MAX`] bytes or [`QUERY_FIELDS_MAX`] fields.
    #[error("longer than {TARGET_BYTES_MAX} bytes, or more than {QUERY_FIELDS_MAX} query fields")]
    TooLong,
    /// Neither a path nor `http://`.
    #[error("it does not begin with a slash")]
    Form,
    /// A `%` without two hexadecimal digits.
    #[error("a percent sign without two hexadecimal digits behind it")]
    Escape,
    /// `%2F`.
    #[error("an encoded slash in the path")]
    EncodedSlash,
    /// `.` or `..`, encoded or not.
    #[error("a dot segment in the path")]
    DotSegment,
    /// `//`.
    #[error("an empty segment in the path")]
    EmptySegment,
    /// A control character, NUL among them, encoded or not.
    #[error("a control character")]
    Control,
    /// Bytes that are not UTF-8.
    #[error("bytes that are not UTF-8")]
    Utf8,
    /// `#` and what follows, which clients keep to themselves.
    #[error("a fragment")]
    Fragment,
}

impl Target {
    /// Reads the target of a request line.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > TARGET_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        if text == "*" {
            return Ok(Self {
                is_asterisk: true,
                ..Self::default()
            });
        }
        if text.contains('#') {
            return Err(TargetError::Fragment);
        }
        let (authority, rest) = split_authority(text)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let target = Self {
            authority,
            query: query.to_owned(),
            ..Self::default()
        };
        if target.raw_fields().nth(QUERY_FIELDS_MAX).is_some() {
            return Err(TargetError::TooLong);
        }
        for (key, value) in target.raw_fields() {
            decode(key)?;
            decode(value)?;
        }
        target.with_path(path)
    }

    fn with_path(mut self, path: &str) -> Result<Self, TargetError> {
        // An absolute form may lack its path: `http://host`.
        let inner = path.strip_prefix('/').unwrap_or(path);
        if inner.is_empty() {
            return Ok(self);
        }
        let mut raw = inner.split('/').peekable();
        while let Some(segment) = raw.next() {
            if segment.is_empty() {
                if raw.peek().is_some() {
                    return Err(TargetError::EmptySegment);
                }
                self.has_trailing_slash = true;
                break;
            }
            let segment = decode(segment)?;
            if segment.contains('/') {
                return Err(TargetError::EncodedSlash);
            }
            if segment == "." || segment == ".." {
                return Err(TargetError::DotSegment);
            }
            self.segments.push(segment);
        }
        // `//` is one empty segment and nothing else.
        if self.segments.is_empty() {
            return Err(TargetError::EmptySegment);
        }
        Ok(self)
    }

    /// The decoded value of the first field of the query with this name; empty for a field
    /// without `=`. A `+` stays a plus sign.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The fields of the query in order, decoded; at most [`QUERY_FIELDS_MAX`].
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        // All of them could be decoded when the target was read.
        self.raw_fields()
            .take(QUERY_FIELDS_MAX)
            .filter_map(|(key, value)| Some((decode(key).ok()?, decode(value).ok()?)))
    }

    fn raw_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query
            .split('&')
            .filter(|field| !field.is_empty())
            .map(|field| field.split_once('=').unwrap_or((field, "")))
    }
}

/// The authority of an absolute form, and the target from the path on.
fn split_authority(text: &str) -> Result<(Option<String>, &str), TargetError> {
    if text.starts_with('/') {
        return Ok((None, text));
    }
    let (scheme, rest) = text.split_once("://").ok_or(TargetError::Form)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(TargetError::Form);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).ok_or(TargetError::Form)?;
    if !is_authority(authority) {
        return Err(TargetError::Form);
    }
    Ok((Some(authority.to_owned()), rest))
}

/// Whether this can be the host and port of a server: a name, an address, brackets around an IPv6
/// address. Names and passwords have no place there (RFC 9110 §4.2.4).
pub(super) fn is_authority(text: &str) -> bool {
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    !text.is_empty() && text.len() <= 255 + 6 && text.bytes().all(is_of_host)
}

/// Decodes once: `%2541` is `%41`.
fn decode(text: &str) -> Result<String, TargetError> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    // Behind each percent sign; the library would leave a broken escape as it is.
    if !text.split('%').skip(1).all(is_escape) {
        return Err(TargetError::Escape);
    }
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| TargetError::Utf8)?;
    // C1 control characters and line separators too: they break lines of logs.
    if text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(TargetError::Control);
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, segments: &[&str], query: &str) -> Target {
        let target = Target::parse(text).unwrap();
        assert_eq!(target.segments, segments, "{text}");
        assert_eq!(target.query, query, "{text}");
        target
    }

    #[test]
    fn paths_are_split_and_decoded_once() {
        check("/", &[], "");
        check("/?", &[], "");
        check("/live/cam.flv", &["live", "cam.flv"], "");
        check("/live/cam/", &["live", "cam"], "");
        check("/l%69ve/a%20b", &["live", "a b"], "");
        check("/live/%2541", &["live", "%41"], "");
        check("/live/a+b", &["live", "a+b"], "");
        check("/live/%22%3Cscript%3E", &["live", "\"<script>"], "");
        check("/live/%C3%A9", &["live", "\u{e9}"], "");
        check("/live/...", &["live", "..."], "");
        check("/a?b/../c", &["a"], "b/../c");
        assert!(Target::parse("/live/").unwrap().has_trailing_slash);
        assert!(!Target::parse("/live").unwrap().has_trailing_slash);
        assert!(!Target::parse("/").unwrap().has_trailing_slash);
    }

    #[test]
    fn a_proxy_names_the_host() {
        for (text, authority, segments) in [
            ("http://host/live/cam.flv", "host", &["live", "cam.flv"][..]),
            ("HTTP://192.0.2.1:8080/a", "192.0.2.1:8080", &["a"]),
            ("https://[2001:db8::1]:8443/a", "[2001:db8::1]:8443", &["a"]),
            ("http://host", "host", &[]),
            ("http://host?a=1", "host", &[]),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.authority.as_deref(), Some(authority));
            assert_eq!(target.segments, segments);
        }
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        use TargetError as E;
        for (text, error) in [
            ("", E::Form),
            ("live/cam", E::Form),
            ("host:443", E::Form),
            ("ftp://host/a", E::Form),
            ("http:///a", E::Form),
            ("http://user@host/a", E::Form),
            ("http://ho st/a", E::Form),
            ("**", E::Form),
            ("/live/../etc/passwd", E::DotSegment),
            ("/..", E::DotSegment),
            ("/live/.", E::DotSegment),
            ("/./live", E::DotSegment),
            ("/live/%2e%2E/x", E::DotSegment),
            ("/live/.%2e", E::DotSegment),
            ("/live/..%2fetc", E::EncodedSlash),
            ("/live%2Fcam", E::EncodedSlash),
            ("//", E::EmptySegment),
            ("//live", E::EmptySegment),
            ("/live//cam", E::EmptySegment),
            ("/live///", E::EmptySegment),
            ("/a%00b", E::Control),
            ("/a%0Ab", E::Control),
            ("/a%7F", E::Control),
            ("/a%C2%85", E::Control),
            ("/a%E2%80%A8", E::Control),
            ("/a\u{1}", E::Control),
            ("/a?b=%0D", E::Control),
            ("/a%", E::Escape),
            ("/a%4", E::Escape),
            ("/a%4G", E::Escape),
            ("/a%+1", E::Escape),
            ("/%u0041", E::Escape),
            ("/a?b=%zz", E::Escape),
            ("/a%FF", E::Utf8),
            // A slash in two bytes, as careless decoders take it.
            ("/a%C0%AF", E::Utf8),
            ("/a%ED%A0%80", E::Utf8),
            ("/a?%FF=1", E::Utf8),
            ("/a#b", E::Fragment),
        ] {
            assert_eq!(Target::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn queries_are_pairs() {
        let target = Target::parse("/a?x=1&&y=a%26b&flag&x=2&z=p+q==").unwrap();
        for (name, value) in [
            ("x", Some("1")),
            ("y", Some("a&b")),
            ("flag", Some("")),
            ("z", Some("p+q==")),
            ("none", None),
        ] {
            assert_eq!(target.query_value(name).as_deref(), value, "{name}");
        }
        assert_eq!(target.query_pairs().count(), 5);
    }

    #[test]
    fn lengths_are_limited() {
        let path = format!("/{}", "a".repeat(TARGET_BYTES_MAX - 1));
        assert!(Target::parse(&path).is_ok());
        assert_eq!(
            Target::parse(&format!("{path}a")),
            Err(TargetError::TooLong)
        );
        let fields = "a=1&".repeat(QUERY_FIELDS_MAX);
        assert!(Target::parse(&format!("/?{fields}")).is_ok());
        let more = format!("/?{fields}b");
        assert_eq!(Target::parse(&more), Err(TargetError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_passes_is_clean(text in "[a-c%/.?=&0-9ef_\\x00-\\x20\u{e9}]{0,24}") {
            if let Ok(target) = Target::parse(&format!("/{text}")) {
                for segment in &target.segments {
                    prop_assert!(!["", ".", ".."].contains(&segment.as_str()));
                    prop_assert!(!segment.contains(|c: char| c == '/' || c.is_control()));
                }
                for (key, value) in target.query_pairs() {
                    prop_assert!(!key.contains(char::is_control) && !value.contains(char::is_control));
                }
            }
        }
    }
}
