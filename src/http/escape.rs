//! Names of live streams, which may hold anything, made inert for where they are written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 §2.3.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One segment of a path, or a value of a query: also inert in HTML, JSON and playlists.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

/// The path of a live stream, `live/my cam` as `live/my%20cam`: slashes stay.
pub fn path(name: &str) -> String {
    let segments: Vec<String> = name.split('/').map(segment).collect();
    segments.join("/")
}

/// Text and attribute values of HTML.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::http::target::Target;

    #[test]
    fn names_are_inert() {
        let name = "live/\"><script>alert('&')</script> %2e\u{e9}";
        let hidden = path(name);
        assert!(
            hidden
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte))
        );
        assert_eq!(
            html(name),
            "live/&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt; %2e\u{e9}"
        );
        assert_eq!(segment("a/b?c=d&e+f#g"), "a%2Fb%3Fc%3Dd%26e%2Bf%23g");
    }

    proptest! {
        #[test]
        fn paths_come_back(name in "[ -~\u{e9}\u{4e2d}]{1,20}(/[ -~\u{e9}]{1,20}){0,3}") {
            let is_name = name.split('/').all(|part| !["", ".", ".."].contains(&part));
            prop_assume!(is_name);
            let target = Target::parse(&format!("/{}", path(&name))).unwrap();
            prop_assert_eq!(target.segments.join("/"), name);
        }
    }
}
