//! Files of the pages without what only people read: the indentation, and comments that a line
//! begins with. Lines keep their numbers, so that what a browser complains of is found in the
//! source.
//!
//! No string of the pages goes over the end of a line, which is what makes this safe; a test holds
//! them to it.

/// How many bytes are left of a file.
pub(super) const fn length(file: &[u8]) -> usize {
    walk(file, &mut [])
}

/// What is left of a file, of which [`length`] tells the size.
pub(super) const fn text<const LENGTH: usize>(file: &[u8]) -> [u8; LENGTH] {
    let mut out = [0; LENGTH];
    walk(file, &mut out);
    out
}

/// What a byte belongs to.
enum Part {
    Indentation,
    /// Of a comment that a line begins with, up to the end of the line.
    LineComment,
    /// Of a comment that a line begins with, up to its own end.
    BlockComment,
    Text,
}

/// Writes what is left as far as there is room, and tells how much it is.
const fn walk(mut file: &[u8], out: &mut [u8]) -> usize {
    let mut written = 0;
    let mut part = Part::Indentation;
    while let Some((&byte, rest)) = file.split_first() {
        let next = rest.first();
        part = match (part, byte) {
            (Part::Indentation, b'\t' | b' ') => Part::Indentation,
            (Part::Indentation, b'/') if matches!(next, Some(b'/')) => Part::LineComment,
            (Part::Indentation, b'/') if matches!(next, Some(b'*')) => Part::BlockComment,
            (Part::Indentation, _) => Part::Text,
            (part, _) => part,
        };
        if byte == b'\n' || matches!(part, Part::Text) {
            if let Some((_, rest)) = out.split_at_mut_checked(written)
                && let Some(place) = rest.first_mut()
            {
                *place = byte;
            }
            written += 1;
        }
        file = rest;
        part = match (part, byte, next) {
            (Part::BlockComment, b'*', Some(b'/')) => {
                if let Some((_, rest)) = rest.split_first() {
                    file = rest;
                }
                Part::Indentation
            }
            (Part::BlockComment, ..) => Part::BlockComment,
            (_, b'\n', _) => Part::Indentation,
            (part, ..) => part,
        };
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_people_read_is_left_out() {
        for (file, left) in [
            ("", ""),
            ("a", "a"),
            ("\ta {\n\t\tb: c;\n\t}\n", "a {\nb: c;\n}\n"),
            ("// a\nb\n", "\nb\n"),
            ("\t// a", ""),
            ("a; // b\n", "a; // b\n"),
            ("'http://a'\n", "'http://a'\n"),
            ("/** a */\nb\n", "\nb\n"),
            ("/* a\n b\n*/ c\nd", "\n\nc\nd"),
            ("/***/ a /* b */", "a /* b */"),
            ("/* never ends\n a", "\n"),
            ("a / b\n/c/.d\n", "a / b\n/c/.d\n"),
        ] {
            let mut out = vec![0; length(file.as_bytes())];
            assert_eq!(walk(file.as_bytes(), &mut out), out.len(), "{file:?}");
            assert_eq!(String::from_utf8_lossy(&out), left, "{file:?}");
            assert_eq!(
                file.matches('\n').count(),
                left.matches('\n').count(),
                "{file:?}"
            );
        }
    }
}
