//! What can be wrong with an FLV file.

use std::fmt;

/// Why an FLV byte stream could not be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlvError {
    /// The first three bytes are not `FLV`.
    #[error("not an FLV file: starts with {0}")]
    NotFlv(FirstBytes),
    /// The file header claims to be longer than any known writer makes it.
    #[error("FLV header of {0} bytes")]
    HeaderSize(u32),
    /// A tag is larger than the reader was told to accept, or than the format can express.
    #[error("FLV tag of {size} bytes, limit {limit}")]
    TagTooLarge {
        /// Length of the tag's body.
        size: usize,
        /// The longest body allowed.
        limit: usize,
    },
    /// A tag of unknown type that is not followed by its own size: the position in the file
    /// was lost, or the file is damaged.
    #[error("damaged FLV file: tag type {tag_type} at byte {offset}")]
    Desync {
        /// The type that no specification names.
        tag_type: u8,
        /// Where that tag starts, counted from the start of the input.
        offset: u64,
    },
    /// The input ended inside the file header or a tag.
    #[error("FLV file cut short: {missing} bytes missing")]
    CutShort {
        /// Bytes that the header or tag still owes.
        missing: usize,
    },
}

/// Up to eight bytes for an error message: printable ones as text, all of them in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FirstBytes {
    bytes: [u8; 8],
    /// `length <= 8`.
    length: u8,
}

impl FirstBytes {
    /// The start of `input`.
    pub fn of(input: &[u8]) -> Self {
        let mut bytes = [0; 8];
        let mut length = 0;
        for (slot, &byte) in bytes.iter_mut().zip(input) {
            *slot = byte;
            length += 1;
        }
        Self { bytes, length }
    }

    /// The bytes kept.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl fmt::Display for FirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 0 {
            return f.write_str("nothing");
        }
        write!(f, "\"{}\" (", self.as_slice().escape_ascii())?;
        for (index, byte) in self.as_slice().iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { " " })?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for FirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FirstBytes({self})")
    }
}
