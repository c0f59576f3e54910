//! An FLV byte stream to tags.
//!
//! Takes the bytes in pieces of any size and gives a tag as soon as its body is complete, so it
//! serves files and pipes alike. Lenient where files in the wild are wrong: PreviousTagSize
//! fields are read over, the last one may be missing, the header may be longer than nine
//! bytes, encrypted tags and tags of unknown type are left out. Timestamps are given as they
//! stand in the file, signed 32-bit; a file whose time wraps is unrolled by the caller.
//! Adobe FLV 10.1, Annex E.2 to E.4.
//!
//! ```text
//! "FLV" version flags header_size(u32) ... │ 0(u32) │ tag │ 11+size(u32) │ tag │ 11+size(u32) ...
//! ```

use super::error::{FirstBytes, FlvError};
use super::tag::{TAG_HEADER_SIZE, Tag, TagHeader, TagKind};

/// Largest body that 24 bits can announce, and what a reader accepts unless told otherwise.
pub const TAG_SIZE_MAX: usize = 0xFF_FFFF;

/// File header of version 1.
const FILE_HEADER_SIZE: usize = 9;

/// Writers that extend the header add a few bytes; more than this is a damaged size field.
const FILE_HEADER_SIZE_MAX: u32 = 64 * 1024;

/// PreviousTagSize.
const BACK_POINTER_SIZE: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first byte of the file.
    FileHeader,
    /// This many bytes of no interest lie ahead, then a tag.
    Skip(usize),
    /// At the first byte of a tag.
    Tag,
    /// At the PreviousTagSize of a tag of unknown type: it must match, or the position is lost.
    Verify {
        tag_type: u8,
        size: u32,
        offset: u64,
    },
    Failed(FlvError),
}

/// Reads tags from an FLV byte stream.
///
/// Holds the bytes that were handed in and not yet given out: at most one tag when the caller
/// polls until `None` after each piece.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are used up; `used <= buffer.len()`.
    used: usize,
    /// Bytes used up before `buffer` starts.
    dropped: u64,
    state: State,
    tag_size_max: usize,
    skipped_tags: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader at the start of a file, accepting tags of every size.
    pub fn new() -> Self {
        Self::with_tag_size_max(TAG_SIZE_MAX)
    }

    /// A reader that refuses tags with a body longer than `tag_size_max` bytes.
    pub fn with_tag_size_max(tag_size_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            used: 0,
            dropped: 0,
            state: State::FileHeader,
            tag_size_max,
            skipped_tags: 0,
        }
    }

    /// Takes the next bytes of the file.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.dropped = self.dropped.saturating_add(self.used as u64);
            self.used = 0;
        }
        if let State::Failed(_) = self.state {
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next tag, or `None` when more input is needed. Bodies may be empty.
    ///
    /// # Errors
    /// [`FlvError`], and the same one ever after: a damaged file is not searched for a place to go on.
    pub fn poll_tag(&mut self) -> Result<Option<Tag>, FlvError> {
        loop {
            match self.step() {
                Ok(Step::Tag(tag)) => return Ok(Some(tag)),
                Ok(Step::Again) => {}
                Ok(Step::NeedMore) => return Ok(None),
                Err(error) => {
                    self.state = State::Failed(error);
                    self.used = self.buffer.len();
                    return Err(error);
                }
            }
        }
    }

    /// Says that the input has ended.
    ///
    /// # Errors
    /// [`FlvError::CutShort`] when a tag is incomplete and [`FlvError::NotFlv`] when there was
    /// too little for a header. A missing last PreviousTagSize is not an error.
    pub fn finish(&self) -> Result<(), FlvError> {
        let rest = self.unread();
        match self.state {
            State::FileHeader if !rest.starts_with(b"FLV") => {
                Err(FlvError::NotFlv(FirstBytes::of(rest)))
            }
            State::FileHeader => Err(FlvError::CutShort {
                missing: FILE_HEADER_SIZE.saturating_sub(rest.len()),
            }),
            State::Skip(size) if size > BACK_POINTER_SIZE => Err(FlvError::CutShort {
                missing: size.saturating_sub(rest.len()),
            }),
            State::Skip(_) | State::Verify { .. } => Ok(()),
            State::Tag => match self.missing_of_tag() {
                0 => Ok(()),
                missing => Err(FlvError::CutShort { missing }),
            },
            State::Failed(error) => Err(error),
        }
    }

    /// Tags left out so far, because they were encrypted or of unknown type.
    pub fn skipped_tags(&self) -> u64 {
        self.skipped_tags
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    fn missing_of_tag(&self) -> usize {
        let rest = self.unread();
        if rest.is_empty() {
            return 0;
        }
        match rest.first_chunk() {
            None => TAG_HEADER_SIZE.saturating_sub(rest.len()),
            Some(bytes) => (TAG_HEADER_SIZE + size_of_body(&TagHeader::decode(bytes)))
                .saturating_sub(rest.len()),
        }
    }

    fn step(&mut self) -> Result<Step, FlvError> {
        match self.state {
            State::FileHeader => self.step_file_header(),
            State::Skip(size) => {
                let skipped = size.min(self.unread().len());
                self.used += skipped;
                if skipped < size {
                    self.state = State::Skip(size - skipped);
                    return Ok(Step::NeedMore);
                }
                self.state = State::Tag;
                Ok(Step::Again)
            }
            State::Tag => self.step_tag(),
            State::Verify {
                tag_type,
                size,
                offset,
            } => {
                let Some(&bytes) = self.unread().first_chunk::<BACK_POINTER_SIZE>() else {
                    return Ok(Step::NeedMore);
                };
                if u32::from_be_bytes(bytes) != size {
                    return Err(FlvError::Desync { tag_type, offset });
                }
                self.used += BACK_POINTER_SIZE;
                self.state = State::Tag;
                Ok(Step::Again)
            }
            State::Failed(error) => Err(error),
        }
    }

    fn step_file_header(&mut self) -> Result<Step, FlvError> {
        let rest = self.unread();
        let Some(&header) = rest.first_chunk::<FILE_HEADER_SIZE>() else {
            return Ok(Step::NeedMore);
        };
        let [b'F', b'L', b'V', _version, _flags, s3, s2, s1, s0] = header else {
            return Err(FlvError::NotFlv(FirstBytes::of(&header)));
        };
        let size = u32::from_be_bytes([s3, s2, s1, s0]);
        if size > FILE_HEADER_SIZE_MAX {
            return Err(FlvError::HeaderSize(size));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.state = State::Skip(size.max(FILE_HEADER_SIZE) + BACK_POINTER_SIZE);
        Ok(Step::Again)
    }

    fn step_tag(&mut self) -> Result<Step, FlvError> {
        let rest = self.unread();
        let Some((header, rest)) = rest.split_first_chunk() else {
            return Ok(Step::NeedMore);
        };
        let header = TagHeader::decode(header);
        let size = size_of_body(&header);
        if size > self.tag_size_max {
            return Err(FlvError::TagTooLarge {
                size,
                limit: self.tag_size_max,
            });
        }
        let kind = match header.tag_type {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            15 | 18 => TagKind::Script,
            _ => return Ok(self.skip_unknown(&header, size)),
        };
        if header.is_encrypted {
            self.skipped_tags += 1;
            self.state = State::Skip(TAG_HEADER_SIZE + size + BACK_POINTER_SIZE);
            return Ok(Step::Again);
        }
        let Some(body) = rest.get(..size) else {
            return Ok(Step::NeedMore);
        };
        let body = match (header.tag_type, body) {
            // AMF3 script data: a format byte, then the same AMF0 values as in type 18.
            (15, [0, amf0 @ ..]) => amf0,
            _ => body,
        };
        let tag = Tag {
            kind,
            dts: i64::from(header.timestamp),
            body: body.to_vec(),
        };
        self.used += TAG_HEADER_SIZE + size;
        self.state = State::Skip(BACK_POINTER_SIZE);
        Ok(Step::Tag(tag))
    }

    fn skip_unknown(&mut self, header: &TagHeader, size: usize) -> Step {
        let rest = self.unread();
        if rest.len() < TAG_HEADER_SIZE + size {
            return Step::NeedMore;
        }
        let offset = self.dropped.saturating_add(self.used as u64);
        self.skipped_tags += 1;
        self.used += TAG_HEADER_SIZE + size;
        self.state = State::Verify {
            tag_type: header.tag_type,
            size: header.size.saturating_add(11),
            offset,
        };
        Step::Again
    }
}

enum Step {
    Tag(Tag),
    Again,
    NeedMore,
}

fn size_of_body(header: &TagHeader) -> usize {
    usize::try_from(header.size).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
