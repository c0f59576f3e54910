//! L0: bounds-checked, endian-explicit reading and writing over byte slices.
//!
//! Knows no format. Every parser of the crate reads through [`Reader`], so a length that
//! lies can never become a panic: what is missing comes back as [`Truncated`].

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod reader;
mod writer;

pub use reader::{Reader, Truncated};
pub use writer::PutBytes;
