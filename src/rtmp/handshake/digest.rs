//! Digests and signatures: where they lie and how they are computed.
//!
//! Not in the specification; Flash Player, FMLE and ffmpeg as a player verify them. All of it is
//! HMAC-SHA256 under published keys: it proves that both sides know the scheme, and nothing else.
//!
//! ```text
//! C1, S1        0      4         8            772            1536
//! DigestAt8     | time | version | digest block | key block    |
//! DigestAt772   | time | version | key block    | digest block |
//!
//! digest block  | 4 offset bytes | 0..727 random | 32 digest | random |   764 bytes
//!
//! digest  = HMAC(text of the sender, the other 1504 bytes of its C1 or S1)
//! C2, S2        | 1504 random bytes | 32 signature |
//! signature = HMAC(HMAC(text and tail of the sender, digest of the peer), the 1504 bytes)
//! ```
//! The key block holds a Diffie-Hellman value that only encrypted RTMP uses: random here.

use hmac_sha256::HMAC;

use super::{BLOCK_BYTES, DigestLayout};

const DIGEST_BYTES: usize = 32;

/// A digest or a signature.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// The end of both long keys.
const KEY_TAIL: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
    0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

/// Who made a block; each side has its own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    /// The key of C1's or S1's digest, and the beginning of the long key.
    fn text(self) -> &'static [u8] {
        match self {
            Self::Client => b"Genuine Adobe Flash Player 001",
            Self::Server => b"Genuine Adobe Flash Media Server 001",
        }
    }

    /// The key of a signature by this side, whose peer's first block has `peer_digest`.
    fn signature_key(self, peer_digest: &Digest) -> Digest {
        HMAC::mac(peer_digest, [self.text(), &KEY_TAIL].concat())
    }

    /// Bytes 4..8 of C1 or S1. A client shows the Flash Player version that ffmpeg shows; a
    /// server needs 3 or more in the first byte, or ffmpeg takes its answer for a simple one.
    fn version(self) -> [u8; 4] {
        match self {
            Self::Client => [9, 0, 124, 2],
            Self::Server => [3, 0, 1, 123],
        }
    }
}

/// Where the digest of a first block lies in this layout, 12..=739 or 776..=1503.
fn digest_offset(block: &[u8; BLOCK_BYTES], layout: DigestLayout) -> usize {
    let digest_block = match layout {
        DigestLayout::At8 => 8,
        DigestLayout::At772 => 772,
    };
    let (_, rest) = block.split_at(digest_block);
    let sum: usize = rest.iter().take(4).map(|byte| usize::from(*byte)).sum();
    digest_block + 4 + sum % 728
}

/// Splits a first block at its digest: what precedes it, the digest, what follows.
fn split(block: &[u8; BLOCK_BYTES], layout: DigestLayout) -> (&[u8], &Digest, &[u8]) {
    let (before, rest) = block.split_at(digest_offset(block, layout));
    let (digest, after) = rest
        .split_first_chunk()
        .expect("a digest ends before its block does");
    (before, digest, after)
}

/// The digest that a first block by `side` should have.
fn first_digest(block: &[u8; BLOCK_BYTES], layout: DigestLayout, side: Side) -> Digest {
    let (before, _, after) = split(block, layout);
    let mut hmac = HMAC::new(side.text());
    hmac.update(before);
    hmac.update(after);
    hmac.finalize()
}

/// The valid digest in a first block by `side`, and its layout. There is none where the version is 0:
/// that is how a simple handshake is told, for nginx-rtmp too, and looking for one is most of its cost.
pub(super) fn find(block: &[u8; BLOCK_BYTES], side: Side) -> Option<(DigestLayout, Digest)> {
    if block.get(4..8) == Some(&[0; 4]) {
        return None;
    }
    [DigestLayout::At772, DigestLayout::At8]
        .into_iter()
        .map(|layout| (layout, first_digest(block, layout, side)))
        .find(|(layout, digest)| split(block, *layout).1 == digest)
}

/// Writes the version that goes with a digest into a first block.
pub(super) fn put_version(block: &mut [u8; BLOCK_BYTES], side: Side) {
    for (to, from) in block.iter_mut().skip(4).zip(side.version()) {
        *to = from;
    }
}

/// Writes the digest of `side` into its otherwise finished first block and returns it.
pub(super) fn put_digest(
    block: &mut [u8; BLOCK_BYTES],
    layout: DigestLayout,
    side: Side,
) -> Digest {
    let digest = first_digest(block, layout, side);
    let offset = digest_offset(block, layout);
    for (to, from) in block.iter_mut().skip(offset).zip(digest) {
        *to = from;
    }
    digest
}

/// Writes the signature of `side` at the end of its second block.
pub(super) fn sign(block: &mut [u8; BLOCK_BYTES], side: Side, peer_digest: &Digest) {
    if let Some((random, signature)) = block.split_last_chunk_mut::<DIGEST_BYTES>() {
        *signature = HMAC::mac(random, side.signature_key(peer_digest));
    }
}

/// Whether a second block by `side` is signed for the peer's first block with this digest.
pub(super) fn is_signed(block: &[u8; BLOCK_BYTES], side: Side, peer_digest: &Digest) -> bool {
    let mut signed = *block;
    sign(&mut signed, side, peer_digest);
    signed == *block
}
