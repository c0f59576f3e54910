//! The chunked coding (RFC 9112 §7.1) around bodies that many clients share.
//!
//! ```text
//! 1A4 CRLF body CRLF │ 2F0 CRLF body CRLF │ ... │ 0 CRLF CRLF
//! ```
//! Each chunk is whole, from its length to its line break, so that a client can be sent any of them
//! first and any of them last. A client of HTTP/1.0 gets the bodies alone.

/// Longest [`ChunkHead`], bytes: sixteen digits and a line break.
pub const CHUNK_HEAD_SIZE_MAX: usize = 16 + 2;

/// Behind the body of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a body behind its last chunk.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The bytes in front of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkHead {
    bytes: [u8; CHUNK_HEAD_SIZE_MAX],
    /// `start < CHUNK_HEAD_SIZE_MAX`
    start: usize,
}

impl ChunkHead {
    /// The head of a body of `length` bytes; `None` of an empty one, which would end the response.
    pub fn new(length: usize) -> Option<Self> {
        if length == 0 {
            return None;
        }
        let mut bytes = *b"0000000000000000\r\n";
        let mut rest = length;
        let mut start = CHUNK_HEAD_SIZE_MAX - 2;
        while rest > 0 {
            start -= 1;
            if let (Some(place), Some(digit)) = (bytes.get_mut(start), DIGITS.get(rest % 16)) {
                *place = *digit;
            }
            rest /= 16;
        }
        Some(Self { bytes, start })
    }

    /// As it goes out.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

const DIGITS: [u8; 16] = *b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn heads_are_lengths_in_hexadecimal() {
        for (length, text) in [
            (1, "1\r\n"),
            (15, "F\r\n"),
            (16, "10\r\n"),
            (0x1A4, "1A4\r\n"),
            (usize::MAX, "FFFFFFFFFFFFFFFF\r\n"),
        ] {
            assert_eq!(ChunkHead::new(length).unwrap().bytes(), text.as_bytes());
        }
        assert_eq!(ChunkHead::new(0), None);
    }

    #[test]
    fn chunks_add_up_to_a_body() {
        let bodies = [&b"a"[..], &[7; 300], b"\r\n0\r\n\r\n"];
        let mut wire = Vec::new();
        for body in bodies {
            wire.extend_from_slice(ChunkHead::new(body.len()).unwrap().bytes());
            wire.extend_from_slice(body);
            wire.extend_from_slice(CHUNK_END);
        }
        wire.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&wire), bodies.concat());
        assert_eq!(decode(LAST_CHUNK), b"");
    }

    /// Reads chunks by httparse.
    fn decode(mut wire: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(wire)
            else {
                panic!("no chunk");
            };
            let end = head + usize::try_from(size).unwrap();
            body.extend_from_slice(&wire[head..end]);
            assert_eq!(&wire[end..end + 2], b"\r\n");
            wire = &wire[end + 2..];
            if size == 0 {
                assert!(wire.is_empty());
                return body;
            }
        }
    }
}
