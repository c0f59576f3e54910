//! Writing boxes: a size that is filled in when the content is there.

use crate::wire::PutBytes;

/// Appends a box: size u32, type, and whatever `content` appends.
pub(super) fn put_box(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    out.extend_from_slice(kind);
    content(out);
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

/// Appends a box with a version and 24 bits of flags.
pub(super) fn put_full_box(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    content: impl FnOnce(&mut Vec<u8>),
) {
    put_box(out, kind, |out| {
        out.put_u8(version);
        out.put_u24(flags);
        content(out);
    });
}

/// Appends `count` zero bytes.
pub(super) fn put_zeros(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len() + count, 0);
}
