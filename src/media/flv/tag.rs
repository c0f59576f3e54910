//! One FLV tag, and what the first bytes of its body say.

/// What a tag carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Tag type 8.
    Audio,
    /// Tag type 9.
    Video,
    /// Tag type 18: AMF0, mostly "onMetaData" and an ECMA array.
    Script,
}

/// One FLV tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Audio, video or script data.
    pub kind: TagKind,
    /// Decoding timestamp in milliseconds.
    pub dts: i64,
    /// The body: what an RTMP message of this kind carries.
    pub body: Vec<u8>,
}
