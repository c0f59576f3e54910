//! Codecs: configuration records, and how to tell keyframes and picture sizes.
//!
//! Reads headers only; nothing here decodes a picture or a sound.

pub mod aac;
pub mod ac3;
pub mod av1;
pub mod avc;
mod bits;
pub mod flac;
pub mod g711;
pub mod hevc;
pub mod mp3;
pub mod nal;
pub mod names;
pub mod opus;
mod sps;
pub mod vp9;

/// Why a configuration record, parameter set or header could not be read or built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ended inside a field.
    #[error("cut short")]
    Truncated,
    /// A field holds a value that the specification excludes or that we cannot represent.
    #[error("{field} is {value}")]
    OutOfRange {
        /// The field, by its name in the specification.
        field: &'static str,
        /// The value found.
        value: u32,
    },
    /// Something that the record needs is not there.
    #[error("no {0}")]
    Missing(&'static str),
}

impl From<crate::wire::Truncated> for CodecError {
    fn from(_: crate::wire::Truncated) -> Self {
        Self::Truncated
    }
}

/// Bytes from hexadecimal digits, for tables of captured data.
#[cfg(test)]
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks_exact(2)
        .filter_map(|pair| match *pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}
