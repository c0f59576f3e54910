//! Digests and signatures: where they lie and how they are computed.
//!
//! Bytes 8..1536 of C1 and S1 are two blocks of 764 bytes; one of them holds a digest of 32 bytes
//! at an offset that four bytes of the block add up to. The other holds a key that only encrypted
//! RTMP uses.

use hmac_sha256::HMAC;

use super::{BLOCK_BYTES, DigestLayout};

/// Bytes of a digest or signature.
pub(super) const DIGEST_BYTES: usize = 32;

/// What both sides' keys end with.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

/// Whose key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Client,
    Server,
}

impl Signer {
    /// The text part of the key, used alone for the digest of the first block.
    fn text(self) -> &'static [u8] {
        match self {
            Self::Client => b"Genuine Adobe Flash Player 001",
            Self::Server => b"Genuine Adobe Flash Media Server 001",
        }
    }
}

/// A C1 or S1.
pub(super) type Block = [u8; BLOCK_BYTES];

/// The digest in a first block and its layout; `None` when neither layout holds a valid one.
pub(super) fn find(block: &Block, signer: Signer) -> Option<(DigestLayout, [u8; DIGEST_BYTES])> {
    [DigestLayout::At772, DigestLayout::At8]
        .into_iter()
        .find_map(|layout| {
            let (before, digest, after) = split(block, layout)?;
            let expected = digest_of(before, after, signer);
            (digest == expected).then_some((layout, expected))
        })
}

/// Writes the digest into a first block.
pub(super) fn seal(block: &mut Block, layout: DigestLayout, signer: Signer) -> [u8; DIGEST_BYTES] {
    let digest = split(block, layout)
        .map(|(before, _, after)| digest_of(before, after, signer))
        .unwrap_or_default();
    let start = offset(block, layout);
    if let Some(place) = block.get_mut(start..start + DIGEST_BYTES) {
        place.copy_from_slice(&digest);
    }
    digest
}

/// Writes the signature into the last 32 bytes of a second block: it answers the digest of the
/// peer's first block.
pub(super) fn sign(block: &mut Block, peer_digest: &[u8; DIGEST_BYTES], signer: Signer) {
    let key = HMAC::mac(peer_digest, full_key(signer));
    if let Some((body, place)) = block.split_last_chunk_mut::<DIGEST_BYTES>() {
        *place = HMAC::mac(&*body, key);
    }
}

/// Whether a second block is signed as an answer to this digest.
pub(super) fn is_signed(block: &Block, own_digest: &[u8; DIGEST_BYTES], signer: Signer) -> bool {
    let key = HMAC::mac(own_digest, full_key(signer));
    block
        .split_last_chunk::<DIGEST_BYTES>()
        .is_some_and(|(body, signature)| *signature == HMAC::mac(body, key))
}

fn full_key(signer: Signer) -> Vec<u8> {
    [signer.text(), &KEY_TAIL].concat()
}

/// 12..=739 or 776..=1503.
fn offset(block: &Block, layout: DigestLayout) -> usize {
    let at = match layout {
        DigestLayout::At8 => 8,
        DigestLayout::At772 => 772,
    };
    let sum: usize = block
        .iter()
        .skip(at)
        .take(4)
        .map(|byte| usize::from(*byte))
        .sum();
    sum % 728 + at + 4
}

/// What comes before, in and after the digest.
fn split(block: &Block, layout: DigestLayout) -> Option<(&[u8], &[u8], &[u8])> {
    let (before, rest) = block.split_at_checked(offset(block, layout))?;
    let (digest, after) = rest.split_at_checked(DIGEST_BYTES)?;
    Some((before, digest, after))
}

fn digest_of(before: &[u8], after: &[u8], signer: Signer) -> [u8; DIGEST_BYTES] {
    let mut hmac = HMAC::new(signer.text());
    hmac.update(before);
    hmac.update(after);
    hmac.finalize()
}
