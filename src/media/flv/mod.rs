//! FLV: tags, and the file format around them (Adobe FLV 10.1, Annex E; Enhanced RTMP v2).

mod reader;
mod tag;
mod writer;

pub use tag::{Tag, TagKind};
