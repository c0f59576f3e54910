//! Tags to an FLV byte stream.
//!
//! Free functions that append to a buffer: a file needs no state beyond what the caller has.
//! FLV time is a signed 32-bit number of milliseconds, so a dts must stay below 2^31 (24.8
//! days); the caller rebases long streams. Adobe FLV 10.1, Annex E.2 to E.4.

use crate::wire::PutBytes;

use super::error::FlvError;
use super::reader::TAG_SIZE_MAX;
use super::tag::{TAG_HEADER_SIZE, Tag, TagHeader, TagKind};

/// Appends the file header and the first PreviousTagSize, 13 bytes.
///
/// The two flags are a hint: players look at the tags, but some wait for a track that was promised.
pub fn put_file_header(out: &mut Vec<u8>, has_audio: bool, has_video: bool) {
    out.extend_from_slice(b"FLV\x01");
    out.put_u8(if has_audio { 4 } else { 0 } | if has_video { 1 } else { 0 });
    out.put_u32(9);
    out.put_u32(0);
}

/// Appends one tag and its PreviousTagSize.
///
/// # Errors
/// As [`put_tag_parts`].
pub fn put_tag(out: &mut Vec<u8>, tag: &Tag) -> Result<(), FlvError> {
    put_tag_parts(out, tag.kind, tag.dts, &tag.body)
}

/// Appends one tag, given by its parts, and its PreviousTagSize. Of `dts` the low 32 bits are written.
///
/// # Errors
/// [`FlvError::TagTooLarge`] when the body is 2^24 bytes or longer; nothing is written then.
pub fn put_tag_parts(
    out: &mut Vec<u8>,
    kind: TagKind,
    dts: i64,
    body: &[u8],
) -> Result<(), FlvError> {
    let (before, after) = tag_frame(kind, dts, body.len())?;
    out.reserve(before.len() + body.len() + after.len());
    out.extend_from_slice(&before);
    out.extend_from_slice(body);
    out.extend_from_slice(&after);
    Ok(())
}

/// The bytes before and after a body of `size` bytes, for callers that write the body from
/// where it lies.
///
/// # Errors
/// [`FlvError::TagTooLarge`] when `size` is 2^24 or more.
pub fn tag_frame(
    kind: TagKind,
    dts: i64,
    size: usize,
) -> Result<([u8; TAG_HEADER_SIZE], [u8; 4]), FlvError> {
    let too_large = FlvError::TagTooLarge {
        size,
        limit: TAG_SIZE_MAX,
    };
    let size = u32::try_from(size).map_err(|_| too_large)?;
    if size > 0xFF_FFFF {
        return Err(too_large);
    }
    let [_, _, _, _, t3, t2, t1, t0] = dts.to_be_bytes();
    let header = TagHeader {
        tag_type: kind.tag_type(),
        is_encrypted: false,
        size,
        timestamp: i32::from_be_bytes([t3, t2, t1, t0]),
    };
    Ok((header.encode(), (size + 11).to_be_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn file_header_flags() {
        for (audio, video, flags) in [(true, true, 5), (true, false, 4), (false, true, 1)] {
            let mut out = Vec::new();
            put_file_header(&mut out, audio, video);
            assert_eq!(out, [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]);
        }
    }

    #[test]
    fn a_tag_is_framed_by_header_and_its_own_size() {
        let mut out = Vec::new();
        put_tag(&mut out, &Tag::audio(0x0102_0304, vec![0xAF, 1])).unwrap();
        assert_eq!(out, [8, 0, 0, 2, 2, 3, 4, 1, 0, 0, 0, 0xAF, 1, 0, 0, 0, 13]);
    }

    #[test]
    fn a_body_that_24_bits_cannot_announce_is_refused() {
        let mut out = Vec::new();
        let body = vec![0; 1 << 24];
        let error = put_tag_parts(&mut out, TagKind::Video, 0, &body).unwrap_err();
        assert_eq!(
            error,
            FlvError::TagTooLarge {
                size: 1 << 24,
                limit: TAG_SIZE_MAX
            }
        );
        assert!(out.is_empty());
        assert!(put_tag_parts(&mut out, TagKind::Video, 0, &body[1..]).is_ok());
    }
}
