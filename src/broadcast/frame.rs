//! One message of a live stream with its wire bytes ready, shared by everybody who sends it.

use std::io::IoSlice;

/// The three tracks of a live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// Audio messages.
    Audio,
    /// Video messages.
    Video,
    /// Data messages: metadata and whatever else a publisher sends.
    Data,
}

impl Track {
    /// All tracks, each at its own [`Self::index`].
    pub const ALL: [Self; 3] = [Self::Audio, Self::Video, Self::Data];

    /// 0, 1 or 2, for tables by track.
    pub fn index(self) -> usize {
        match self {
            Self::Audio => 0,
            Self::Video => 1,
            Self::Data => 2,
        }
    }
}

/// What a standing frame configures, within its track. Numbers other than [`Slot::MAIN`] mean what
/// the maker of the frames wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The metadata, or the decoder configuration of a track. Pictures from before a new one are
    /// of another kind than those behind it.
    pub const MAIN: Self = Self(0);
}

/// What a reader of the log must know of a frame without looking into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameFlags {
    /// A decoder can start here.
    pub is_keyframe: bool,
    /// It is no picture or sound of its own but configures what comes: whoever joins is told the
    /// latest of each slot of a track.
    pub standing: Option<Slot>,
    /// The prepared header does not follow from the frame before it on this track (it is the
    /// first one, or the step is too large for a delta): every reader needs a header of its own.
    pub is_detached: bool,
}

/// A byte that goes between every `stride` bytes of a body on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separator {
    /// The byte.
    pub byte: u8,
    /// Body bytes between two separators, at least 1.
    pub stride: usize,
}

/// One message: `[free room][prepared header][body]` in one allocation.
///
/// Its wire bytes are the prepared header and the body with a separator after each stride. The
/// body stays whole, for outputs that frame it in another way.
#[derive(Debug)]
pub struct Frame {
    track: Track,
    dts: i64,
    flags: FrameFlags,
    bytes: Vec<u8>,
    /// `header_start <= body_start <= bytes.len()`
    header_start: usize,
    body_start: usize,
    separator: Separator,
    separator_byte: [u8; 1],
}

impl Frame {
    /// A frame whose body starts at `body_start` in `bytes`, with `header` written right before it.
    ///
    /// # Panics
    /// When the header does not fit the room before the body, or the stride is 0: both are
    /// mistakes of the caller, never of a peer.
    pub fn new(
        track: Track,
        dts: i64,
        flags: FrameFlags,
        mut bytes: Vec<u8>,
        body_start: usize,
        header: &[u8],
        separator: Separator,
    ) -> Self {
        assert!(separator.stride > 0, "a stride of 0 never ends");
        let header_start = body_start
            .checked_sub(header.len())
            .expect("the room before the body holds the header");
        bytes[header_start..body_start].copy_from_slice(header);
        Self {
            track,
            dts,
            flags,
            bytes,
            header_start,
            body_start,
            separator,
            separator_byte: [separator.byte],
        }
    }

    /// Which track it belongs to.
    pub fn track(&self) -> Track {
        self.track
    }

    /// Decoding timestamp on the live stream's timeline, milliseconds.
    pub fn dts(&self) -> i64 {
        self.dts
    }

    /// Keyframe, sequence header, detached.
    pub fn flags(&self) -> FrameFlags {
        self.flags
    }

    /// The message body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_start..]
    }

    /// Bytes that this frame keeps allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity() + size_of::<Self>()
    }

    /// Length of the prepared header.
    pub fn header_len(&self) -> usize {
        self.body_start - self.header_start
    }

    /// Length of the wire bytes: prepared header, body, separators.
    pub fn wire_len(&self) -> usize {
        self.header_len() + self.body_wire_len()
    }

    /// Length of the body and its separators, without any header.
    pub fn body_wire_len(&self) -> usize {
        let body = self.body().len();
        body + body.saturating_sub(1) / self.separator.stride
    }

    /// Appends the wire bytes from offset `skip` on, with the prepared header, to `slices`.
    pub fn push_wire<'a>(&'a self, skip: usize, slices: &mut Vec<IoSlice<'a>>) {
        let first_len = self.body().len().min(self.separator.stride);
        let first = &self.bytes[self.header_start..self.body_start + first_len];
        self.push_pieces(first, skip, slices);
    }

    /// Appends the body and its separators from offset `skip` on, without a header, to `slices`.
    pub fn push_body<'a>(&'a self, skip: usize, slices: &mut Vec<IoSlice<'a>>) {
        let first_len = self.body().len().min(self.separator.stride);
        self.push_pieces(&self.body()[..first_len], skip, slices);
    }

    /// `first` ends where the first stride of the body ends.
    fn push_pieces<'a>(&'a self, first: &'a [u8], mut skip: usize, slices: &mut Vec<IoSlice<'a>>) {
        let mut push = |piece: &'a [u8]| {
            if skip >= piece.len() {
                skip -= piece.len();
            } else {
                slices.push(IoSlice::new(&piece[skip..]));
                skip = 0;
            }
        };
        push(first);
        let behind_first = self.body().get(self.separator.stride..).unwrap_or_default();
        for piece in behind_first.chunks(self.separator.stride) {
            push(&self.separator_byte);
            push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8], stride: usize) -> Frame {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(body);
        let separator = Separator { byte: b'|', stride };
        Frame::new(
            Track::Video,
            0,
            FrameFlags::default(),
            bytes,
            4,
            b"HH",
            separator,
        )
    }

    fn wire(frame: &Frame, skip: usize) -> Vec<u8> {
        let mut slices = Vec::new();
        frame.push_wire(skip, &mut slices);
        concat(&slices)
    }

    fn concat(slices: &[IoSlice<'_>]) -> Vec<u8> {
        slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect()
    }

    #[test]
    fn wire_bytes_are_header_body_and_separators() {
        for (body, stride, expected) in [
            ("", 3, "HH"),
            ("a", 3, "HHa"),
            ("abc", 3, "HHabc"),
            ("abcd", 3, "HHabc|d"),
            ("abcdef", 3, "HHabc|def"),
            ("abcdefg", 3, "HHabc|def|g"),
            ("abc", 1, "HHa|b|c"),
        ] {
            let frame = frame(body.as_bytes(), stride);
            assert_eq!(wire(&frame, 0), expected.as_bytes());
            assert_eq!(frame.wire_len(), expected.len(), "{body}");
            assert_eq!(frame.body_wire_len(), expected.len() - 2, "{body}");
            for skip in 0..=expected.len() {
                assert_eq!(wire(&frame, skip), &expected.as_bytes()[skip..]);
            }
        }
    }

    #[test]
    fn the_body_can_be_taken_without_the_header() {
        let frame = frame(b"abcd", 3);
        let mut slices = Vec::new();
        frame.push_body(1, &mut slices);
        assert_eq!(concat(&slices), b"bc|d");
        assert_eq!(frame.body(), b"abcd");
    }
}
