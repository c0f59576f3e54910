//! C1, C2, S1 and S2 of the simple handshake (RTMP 1.0 §5.2.3, §5.2.4).
//!
//! ```text
//! C1, S1 | time u32 | zero u32            | 1528 random bytes           |
//! C2, S2 | the peer's time | our time u32 | the peer's 1528 random bytes |
//! ```
//! The version in bytes 4..8 is zero here: S1 with a version of 3 or more makes an ffmpeg player
//! insist on a digest. The second block is the peer's first one, byte for byte, as librtmp and
//! nginx answer too; librtmp compares all 1536 bytes, our time included, and warns otherwise.

use super::BLOCK_BYTES;

/// A first block (C1 or S1): time and version zero, then filler.
pub(super) fn first_block(filler: &mut fastrand::Rng) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    let (_, random) = block.split_at_mut(8);
    filler.fill(random);
    block
}
