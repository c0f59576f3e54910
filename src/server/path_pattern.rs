//! Patterns for the names of live streams, as path sections of the configuration use them.

use std::fmt;

use crate::rtmp::url::STREAM_PATH_BYTES_MAX;

/// Which names of live streams (`app/key`) are meant. `*` stands for any characters, none and `/`
/// included; every other character for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern(Box<str>);

/// Why a text can match no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// Nothing at all.
    #[error("it is empty; `*` stands for every live stream")]
    Empty,
    /// Names have one `/` between their segments and none at their ends.
    #[error("no name has a `/` at its start, at its end or next to another one")]
    Slash,
    /// Longer than any name.
    #[error("no name is longer than {STREAM_PATH_BYTES_MAX} bytes")]
    TooLong,
}

impl PathPattern {
    /// Takes `live/cam`, `live/*` or `*`.
    ///
    /// # Errors
    /// [`PathPatternError`]: no name could match it.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        if text.is_empty() {
            return Err(PathPatternError::Empty);
        }
        if text.split('/').any(str::is_empty) {
            return Err(PathPatternError::Slash);
        }
        if text.len() > STREAM_PATH_BYTES_MAX {
            return Err(PathPatternError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// Whether `name` is one of those that are meant. Costs at most length times length.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let (Some(first), Some(last)) = (parts.next(), parts.next_back()) else {
            return *self.0 == *name;
        };
        let Some(mut middle) = name
            .strip_prefix(first)
            .and_then(|rest| rest.strip_suffix(last))
        else {
            return false;
        };
        // Where a part stands first leaves the most for those behind it.
        parts.all(|part| match middle.find(part) {
            Some(at) => {
                middle = middle.get(at + part.len()..).unwrap_or_default();
                true
            }
            None => false,
        })
    }

    /// Compares patterns that match the same name: greater is more specific.
    pub(super) fn specificity(&self) -> (bool, usize) {
        let literals = self.0.chars().filter(|c| *c != '*').count();
        (!self.0.contains('*'), literals)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, matching, others) in [
            (
                "live/cam",
                &["live/cam"][..],
                &["live/ca", "live/cam1", "a/live/cam"][..],
            ),
            (
                "live/*",
                &["live/cam", "live/a/b", "live/"],
                &["live", "liv/cam", "alive/cam"],
            ),
            ("*", &["cam", "live/cam", ""], &[]),
            ("*/cam", &["live/cam", "a/b/cam"], &["cam", "live/cam1"]),
            ("l*e", &["le", "live", "l/e"], &["l", "e", "lev"]),
            // The ends do not share a character.
            ("ab*ba", &["abba", "ab/ba"], &["aba"]),
            ("a*b*c", &["abc", "a/b/b/c"], &["acb", "ab", "ac"]),
            ("a**c", &["ac", "abc"], &["a"]),
            ("?", &["?"], &["a"]),
        ] {
            let parsed = PathPattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.to_string(), pattern);
            for name in matching {
                assert!(parsed.matches(name), "{pattern} {name}");
            }
            for name in others {
                assert!(!parsed.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_matches_nothing_is_refused() {
        for (text, error) in [
            ("", PathPatternError::Empty),
            ("/live/cam", PathPatternError::Slash),
            ("live/", PathPatternError::Slash),
            ("live//cam", PathPatternError::Slash),
            (&"a".repeat(1025), PathPatternError::TooLong),
        ] {
            assert_eq!(PathPattern::parse(text), Err(error), "{text}");
        }
    }

    /// The same by trying everything.
    fn model(pattern: &str, name: &str) -> bool {
        match pattern.chars().next() {
            None => name.is_empty(),
            Some('*') => (0..=name.len()).any(|at| model(&pattern[1..], &name[at..])),
            Some(c) => name.starts_with(c) && model(&pattern[1..], &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_model(pattern in "[ab*]{1,8}", name in "[ab]{0,8}") {
            let parsed = PathPattern::parse(&pattern).expect("a pattern");
            prop_assert_eq!(parsed.matches(&name), model(&pattern, &name));
        }
    }
}
