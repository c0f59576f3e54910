//! What peers say, made fit for a terminal and a log.

/// Longest piece of a peer's text that is told, characters.
const TEXT_MAX: usize = 160;

/// Fields whose values say why something was refused, and nothing that is secret.
const OPEN_FIELDS: [&str; 3] = ["reason", "code", "authmod"];

/// Without control characters, and not too long.
pub(super) fn plain(text: &str) -> String {
    let mut letters = text.chars().filter(|letter| !letter.is_control());
    let mut out: String = letters.by_ref().take(TEXT_MAX).collect();
    if letters.next().is_some() {
        out.push('…');
    }
    out
}

/// A name in quotes, without its query: `"cam1"`, `"cam1?…"`.
pub(super) fn name(text: &str) -> String {
    let (name, query) = match text.split_once('?') {
        Some((name, _)) => (name, "?…"),
        None => (text, ""),
    };
    format!("\"{}{query}\"", plain(name))
}

/// A URL in quotes, without user, password and query.
pub(super) fn url(text: &str) -> String {
    let text = text.trim_matches(['\'', '"']);
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A password may hold a slash that nobody escaped: what precedes the last `@` is not told.
    let host_and_path = before.rsplit_once('@').map_or(before, |(_, rest)| rest);
    let dots = if query.is_empty() { "" } else { "?…" };
    format!("\"{}{dots}\"", plain(&(scheme + host_and_path)))
}

/// What a peer explains, without the values of queries in it: challenges and tokens.
pub(super) fn words(text: &str) -> String {
    let mut out = String::new();
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            out.push(' ');
        }
        match word.split_once('?') {
            Some((before, query)) if query.contains('=') => {
                out.push_str(before);
                out.push('?');
                out.push_str(&without_values(query));
            }
            _ => out.push_str(word),
        }
        // Nothing behind that is told; a message may be long.
        if out.len() > 8 * TEXT_MAX {
            break;
        }
    }
    plain(&out)
}

fn without_values(query: &str) -> String {
    let fields = query.split('&').map(|field| match field.split_once('=') {
        Some((key, _)) if !OPEN_FIELDS.contains(&key) => format!("{key}=…"),
        _ => field.to_owned(),
    });
    fields.collect::<Vec<_>>().join("&")
}

/// `1 frame`, `2 frames`
pub(super) fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// `512 bytes`, `12.3 kB`, `4.56 MB`
pub(super) fn bytes(count: u64) -> String {
    let (unit, digits, name) = match count {
        0..=9_999 => return format!("{count} bytes"),
        10_000..=9_999_999 => (1_000, 10, "kB"),
        _ => (1_000_000, 100, "MB"),
    };
    let whole = count / unit;
    let part = count % unit * digits / unit;
    let width = if digits == 10 { 1 } else { 2 };
    format!("{whole}.{part:0width$} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_told() {
        for (text, expected) in [
            ("cam1", "\"cam1\""),
            ("cam1?token=secret", "\"cam1?…\""),
            ("a\r\nb\u{1b}[2J", "\"ab[2J\""),
            ("", "\"\""),
        ] {
            assert_eq!(name(text), expected);
        }
        for (text, expected) in [
            ("rtmp://host:1935/live", "\"rtmp://host:1935/live\""),
            ("'rtmp://host/live'", "\"rtmp://host/live\""),
            ("rtmp://user:secret@host/live", "\"rtmp://host/live\""),
            ("rtmp://user:sec/ret@host/live", "\"rtmp://host/live\""),
            (
                "rtmp://host/live?user=u&response=secret",
                "\"rtmp://host/live?…\"",
            ),
            ("nonsense", "\"nonsense\""),
        ] {
            assert_eq!(url(text), expected);
        }
        for (text, expected) in [
            ("nobody publishes live/cam", "nobody publishes live/cam"),
            ("really? yes", "really? yes"),
            (
                "[ authmod=adobe ] : ?reason=needauth&user=u&salt=s&challenge=c&opaque=c",
                "[ authmod=adobe ] : ?reason=needauth&user=…&salt=…&challenge=…&opaque=…",
            ),
            (
                "moved to rtmp://h/live?token=secret",
                "moved to rtmp://h/live?token=…",
            ),
        ] {
            assert_eq!(words(text), expected);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "é".repeat(TEXT_MAX + 1);
        assert_eq!(plain(&long).chars().count(), TEXT_MAX + 1);
        assert!(plain(&long).ends_with('…'));
        let short = "é".repeat(TEXT_MAX);
        assert_eq!(plain(&short), short);
        assert!(words(&"a ".repeat(1 << 20)).len() < 2 * TEXT_MAX);
    }

    #[test]
    fn numbers_have_units() {
        for (number, expected) in [
            (0, "0 bytes"),
            (9_999, "9999 bytes"),
            (10_000, "10.0 kB"),
            (12_345, "12.3 kB"),
            (9_999_999, "9999.9 kB"),
            (10_000_000, "10.00 MB"),
            (12_345_678, "12.34 MB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
        assert_eq!(count(1, "frame"), "1 frame");
        assert_eq!(count(0, "frame"), "0 frames");
    }
}
