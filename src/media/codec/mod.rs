//! Codecs: configuration records, and how to tell keyframes and picture sizes.

pub mod aac;
pub mod avc;
pub mod hevc;
