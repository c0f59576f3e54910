//! The name of a live stream at the server, joined from what a client sent in `connect` and in
//! `publish` or `play`.
//!
//! Clients split one URL in different places, put queries behind the app, the name or only into
//! `tcUrl`, double slashes, or name the default instance of Adobe's servers (`_definst_`). All of
//! them mean the same live stream, so the parts are joined before anything is looked up.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;

/// Longest path of a live stream, bytes.
pub const STREAM_PATH_BYTES_MAX: usize = 1024;
/// Longest query that is taken from one place, bytes; signed tokens stay well below.
pub const STREAM_QUERY_BYTES_MAX: usize = 4096;

/// The instance that Adobe's servers use when none is named.
const DEFAULT_INSTANCE: &str = "_definst_";

/// What belongs to the authentication in `connect` (`authmod=adobe` or `llnw`), not to the live
/// stream. `user` alone is also the name of ordinary tokens, so these go only with `authmod`.
const AUTH_FIELDS: [&str; 8] = [
    "authmod",
    "user",
    "challenge",
    "response",
    "opaque",
    "nonce",
    "cnonce",
    "nc",
];

/// Which live stream a client means, and the tokens that it sent along.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StreamPath {
    /// `live/cam`: segments with one `/` between them, percent-decoded; at most
    /// [`STREAM_PATH_BYTES_MAX`] bytes. No segment is empty, `.` or `..`, and there are no control
    /// characters, so that it can be logged and can become a file name. Empty when the client
    /// named nothing.
    pub path: String,
    /// `token=1&expires=2`: all queries without their `?`, in raw form: values are often Base64,
    /// whose `+` must not become a space.
    pub query: String,
}

impl StreamPath {
    /// The raw value of a field of the query; empty for a field without `=`.
    pub fn query_value(&self, key: &str) -> Option<&str> {
        fields(&self.query).find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// The path or a query is longer than anyone needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "stream name beyond {STREAM_PATH_BYTES_MAX} bytes or query beyond {STREAM_QUERY_BYTES_MAX}"
)]
pub struct StreamPathTooLong;

/// Joins the `app` and `tcUrl` of `connect` with the name given to `publish` or `play`.
///
/// Any of them may be empty or carry a query. A field in several queries counts where it comes
/// first: name, app, tcUrl. The path of `tcUrl` is ignored, since it repeats the app.
///
/// # Errors
/// [`StreamPathTooLong`]. Cutting instead would make two live streams one.
pub fn stream_path(
    app: &str,
    name: &str,
    tc_url: Option<&str>,
) -> Result<StreamPath, StreamPathTooLong> {
    let (app, app_query) = split_query(app);
    let (name, name_query) = split_query(name);
    // One client puts its tcUrl in quotes.
    let tc_url = tc_url.unwrap_or_default().trim_matches(['\'', '"']);
    let (_, tc_url_query) = split_query(tc_url);
    Ok(StreamPath {
        path: join_path([app, name])?,
        query: merge_queries([name_query, app_query, tc_url_query])?,
    })
}

/// What stands before the first `?`, and what behind it.
pub(crate) fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

fn join_path(parts: [&str; 2]) -> Result<String, StreamPathTooLong> {
    let mut path = String::new();
    for part in parts {
        // Decoding makes three bytes one at best.
        if part.len() > 3 * STREAM_PATH_BYTES_MAX {
            return Err(StreamPathTooLong);
        }
        let part = percent_decode_str(part).decode_utf8_lossy();
        let named = |segment: &&str| !["", ".", "..", DEFAULT_INSTANCE].contains(segment);
        for segment in part.split('/').filter(named) {
            if !path.is_empty() {
                path.push('/');
            }
            path.extend(segment.chars().map(|c| {
                if c.is_control() {
                    char::REPLACEMENT_CHARACTER
                } else {
                    c
                }
            }));
        }
    }
    if path.len() > STREAM_PATH_BYTES_MAX {
        return Err(StreamPathTooLong);
    }
    Ok(path)
}

/// Joins queries; a field that an earlier one has is left out.
fn merge_queries(queries: [&str; 3]) -> Result<String, StreamPathTooLong> {
    let mut merged = String::new();
    let mut seen = HashSet::new();
    for query in queries {
        if query.len() > STREAM_QUERY_BYTES_MAX {
            return Err(StreamPathTooLong);
        }
        let has_auth = fields(query).any(|(key, _)| key == "authmod");
        let is_wanted = |key: &str| !(seen.contains(key) || has_auth && AUTH_FIELDS.contains(&key));
        for field in query.split('&').filter(|field| !field.is_empty()) {
            if is_wanted(key_of(field)) {
                if !merged.is_empty() {
                    merged.push('&');
                }
                merged.push_str(field);
            }
        }
        seen.extend(fields(query).map(|(key, _)| key));
    }
    Ok(merged)
}

fn fields(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|field| !field.is_empty())
        .map(|field| field.split_once('=').unwrap_or((field, "")))
}

fn key_of(field: &str) -> &str {
    field.split_once('=').map_or(field, |(key, _)| key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(app: &str, name: &str, tc_url: &str, path: &str, query: &str) {
        assert_eq!(
            stream_path(app, name, Some(tc_url)),
            Ok(StreamPath {
                path: path.to_owned(),
                query: query.to_owned()
            })
        );
    }

    #[test]
    fn every_split_of_a_url_is_the_same_live_stream() {
        for (app, name) in [
            ("live/inst", "cam"),
            ("live", "inst/cam"),
            ("", "live/inst/cam"),
            ("live/inst/cam", ""),
            ("/live/inst/", "/cam/"),
            ("live//inst", "cam"),
            ("live/_definst_", "inst/cam"),
            ("live", "_definst_/inst/cam"),
            ("live/inst/_definst_/", "cam"),
            ("%6Cive", "inst%2Fcam"),
            ("live/../inst", "./cam"),
        ] {
            check(app, name, "rtmp://host/live", "live/inst/cam", "");
        }
        assert_eq!(stream_path("live", "cam", None).unwrap().path, "live/cam");
    }

    #[test]
    fn anything_may_be_empty() {
        check("", "", "", "", "");
        check("/", "?", "?", "", "");
        check("", "cam", "rtmp://192.0.2.1/cam", "cam", "");
        check("cam", "", "rtmp://192.0.2.1/cam", "cam", "");
        check("_definst_", "/", "", "", "");
    }

    #[test]
    fn tokens_are_found_wherever_they_are() {
        check(
            "live",
            "cam?token=a",
            "rtmp://h/live",
            "live/cam",
            "token=a",
        );
        check(
            "live?token=a",
            "cam",
            "rtmp://h/live?token=a",
            "live/cam",
            "token=a",
        );
        check(
            "live",
            "cam",
            "'rtmp://h/live?token=a'",
            "live/cam",
            "token=a",
        );
        check("live", "?token=a", "", "live", "token=a");
    }

    #[test]
    fn the_name_goes_first() {
        check(
            "live?token=b&x=1",
            "cam?token=a",
            "rtmp://h/live?token=c&x=2&y=3",
            "live/cam",
            "token=a&x=1&y=3",
        );
        // Repetitions in one place are the client's wish.
        check("live", "cam?a=1&a=2", "", "live/cam", "a=1&a=2");
    }

    #[test]
    fn values_stay_raw() {
        let query = "sign=a+b/c==&path=%2Fx&flag&q=1?2";
        check("live", &format!("cam?{query}"), "", "live/cam", query);
        let path = stream_path("live", &format!("cam?&&{query}&"), None).unwrap();
        assert_eq!(path.query, query);
        assert_eq!(path.query_value("sign"), Some("a+b/c=="));
        assert_eq!(path.query_value("path"), Some("%2Fx"));
        assert_eq!(path.query_value("flag"), Some(""));
        assert_eq!(path.query_value("q"), Some("1?2"));
        assert_eq!(path.query_value("none"), None);
    }

    #[test]
    fn authentication_of_the_connection_is_left_out() {
        check(
            "live?authmod=adobe&user=u&challenge=c&response=r&opaque=&token=1",
            "cam",
            "rtmp://h/live?authmod=llnw&user=u&nonce=n&cnonce=c&nc=1&response=r",
            "live/cam",
            "token=1",
        );
        // Without authmod these are tokens.
        check("live", "cam?user=u&pass=p", "", "live/cam", "user=u&pass=p");
    }

    #[test]
    fn what_could_harm_a_log_or_a_file_is_replaced() {
        check("live", "a%0Ab%00", "", "live/a\u{fffd}b\u{fffd}", "");
        check(
            "live",
            "%2e%2e/%2E%2E/etc/passwd",
            "",
            "live/etc/passwd",
            "",
        );
        check("live", "%ff", "", "live/\u{fffd}", "");
        check("live", "100%", "", "live/100%", "");
        // A name may have quotes; only a tcUrl may stand in them.
        check("live", "'cam%27", "", "live/'cam'", "");
    }

    #[test]
    fn length_is_limited() {
        let fits = "n".repeat(STREAM_PATH_BYTES_MAX - 5);
        assert!(stream_path("live", &fits, None).is_ok());
        assert!(stream_path("live5", &fits, None).is_err());
        assert!(stream_path("", &"%41".repeat(STREAM_PATH_BYTES_MAX), None).is_ok());
        assert!(stream_path(&"/".repeat(1 << 20), "", None).is_err());
        let query = "q".repeat(STREAM_QUERY_BYTES_MAX);
        assert!(stream_path("live", &format!("cam?{query}"), None).is_ok());
        for (app, name, tc_url) in [
            ("live", format!("cam?{query}q"), String::new()),
            ("live", "cam".to_owned(), format!("rtmp://h/?{query}q")),
        ] {
            assert!(stream_path(app, &name, Some(&tc_url)).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_path_is_clean_and_stays_as_it_is(
            app in "[a-z%/.?=&0-9_\\x00\u{e9}]{0,24}",
            name in "[a-z%/.?=&0-9_\\x00\u{e9}]{0,24}",
        ) {
            let joined = stream_path(&app, &name, None).unwrap();
            prop_assert!(!joined.path.starts_with('/') && !joined.path.ends_with('/'));
            prop_assert!(!joined.path.contains("//"));
            prop_assert!(!joined.path.contains(char::is_control));
            prop_assert!(joined.path.split('/').all(|s| ![".", "..", "_definst_"].contains(&s)));
            if !joined.path.contains(['%', '?']) {
                let again = stream_path("", &format!("{}?{}", joined.path, joined.query), None);
                prop_assert_eq!(again, Ok(joined));
            }
        }
    }
}
