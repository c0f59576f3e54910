//! MP4 files to FLV tags: the index of samples; the caller reads the bytes.
//!
//! ```text
//!  bytes of the file        BoxHeader (boxes.rs)    where the next box is; skip, or load it
//!  moov ──► Movie (movie.rs) ──► Track (track.rs): codec and records (description.rs),
//!  moof ──►                        SampleTable (table.rs), Runs of fragments (fragment.rs)
//!           Movie::poll_sample ──► Sample: where its bytes are ──► Movie::sample_to_tag ──► Tag
//! ```
//! ISO/IEC 14496-12 (boxes, sample tables, fragments), 14496-14 (mp4a), 14496-15 (avc1, hvc1).
//!
//! The boxes are read by hand. The library mp4-atom, though it does not allocate by declared
//! counts either, refuses a whole moov for one box that it reads differently, builds a Vec of
//! every table, and keeps configuration records parsed, while FLV carries them byte for byte.
//!
//! Nothing is allocated by a declared count: tables are slices of the moov, whose size the caller
//! bounds by [`INDEX_SIZE_MAX`], and samples are found one at a time by cursors.

mod boxes;
mod description;
mod fragment;
mod movie;
mod table;
mod track;

pub use boxes::{BOX_HEADER_SIZE_MAX, BoxHeader, BoxKind};
pub use description::{Codec, Description, Skip};
pub use movie::{Movie, Sample};
pub use track::{Skipped, Track};

use crate::media::flv::{TAG_SIZE_MAX, VIDEO_HEADER_SIZE_MAX};
use crate::wire::Truncated;

/// Longest moov that is loaded: 64 MiB index some 10 days of video with sound.
pub const INDEX_SIZE_MAX: u64 = 64 * 1024 * 1024;

/// Longest moof that is loaded: a million samples.
pub const FRAGMENT_SIZE_MAX: u64 = 16 * 1024 * 1024;

/// Longest sample: an RTMP message and an FLV tag have 24 bits of length, and the header of a
/// video body takes eight bytes of that.
pub const SAMPLE_SIZE_MAX: u32 = 0xFF_FFF7;

const _: () = assert!(SAMPLE_SIZE_MAX as usize + VIDEO_HEADER_SIZE_MAX == TAG_SIZE_MAX);

/// Why an MP4 file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// A box says that it is shorter than its header or longer than what it lies in.
    #[error("box \"{}\" of {size} bytes where {left} are left", .kind.escape_ascii())]
    BoxSize {
        /// Name of the box.
        kind: BoxKind,
        /// Its size with header, as it says.
        size: u64,
        /// Bytes from its start to the end of what it lies in.
        left: u64,
    },
    /// A box ends inside a field.
    #[error("box \"{}\" is cut short", .0.escape_ascii())]
    CutShort(BoxKind),
    /// A box that must be there is not.
    #[error("box \"{}\" is missing", .0.escape_ascii())]
    Missing(BoxKind),
    /// A field holds a value that means nothing.
    #[error("{field} is {value}")]
    OutOfRange {
        /// The field, by its name in the specification.
        field: &'static str,
        /// The value found.
        value: u64,
    },
    /// A sample that no RTMP message can carry.
    #[error("sample of {size} bytes at byte {offset}, limit {SAMPLE_SIZE_MAX}")]
    SampleSize {
        /// Its size.
        size: u32,
        /// Where it starts in the file.
        offset: u64,
    },
}

/// For `map_err`: a read of fields of the box `kind` failed.
fn cut_short(kind: &BoxKind) -> impl Fn(Truncated) -> Mp4Error + use<> {
    let kind = *kind;
    move |_| Mp4Error::CutShort(kind)
}

#[cfg(test)]
mod tests;
