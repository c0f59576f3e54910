//! L1: codecs and containers, without I/O.
//!
//! The common currency is the FLV [`flv::Tag`], whose body is the body of an RTMP audio, video or
//! data message byte for byte. Every input (FLV, MP4, Annex B) becomes tags; every output is
//! made of tags.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod annexb;
pub mod codec;
pub mod flv;
pub mod fmp4;
pub mod hls;
pub mod mp4;
mod sniff;
pub mod vitals;

pub use sniff::{InputFormat, SNIFF_SIZE, sniff};
