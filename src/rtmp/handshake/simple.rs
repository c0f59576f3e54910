//! Blocks of the simple handshake, and the filler of both.

use super::BLOCK_BYTES;
use super::digest::Block;
use crate::wire::Reader;

/// A first block: time 0, `version` (zeros: no digest), filler.
pub(super) fn first_block(version: [u8; 4], seed: u64) -> Box<Block> {
    let mut block = filler(seed);
    if let Some((time, rest)) = block.split_first_chunk_mut::<4>() {
        *time = [0; 4];
        if let Some(place) = rest.first_chunk_mut::<4>() {
            *place = version;
        }
    }
    block
}

/// A second block: an echo of the peer's first one, with our receive time (0) in the middle.
pub(super) fn echo(peer_block: &Block) -> Box<Block> {
    let mut block = Box::new(*peer_block);
    if let Some(place) = block.get_mut(4..8) {
        place.fill(0);
    }
    block
}

/// Bytes that nobody can expect; no secret depends on them.
pub(super) fn filler(seed: u64) -> Box<Block> {
    let mut block = Box::new([0; BLOCK_BYTES]);
    fastrand::Rng::with_seed(seed).fill(block.as_mut_slice());
    block
}

/// Collects a block that arrives in pieces.
#[derive(Debug)]
pub(super) struct BlockBuffer {
    /// `len() < BLOCK_BYTES`
    bytes: Vec<u8>,
}

impl BlockBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Takes what is missing off the front of `input`; gives the block when it is whole.
    pub(super) fn take(&mut self, input: &mut Reader<'_>) -> Option<Box<Block>> {
        let missing = BLOCK_BYTES - self.bytes.len();
        let piece = input
            .bytes(missing.min(input.remaining()))
            .unwrap_or_default();
        self.bytes.extend_from_slice(piece);
        let block: Box<Block> = std::mem::take(&mut self.bytes)
            .into_boxed_slice()
            .try_into()
            .map_err(|short: Box<[u8]>| self.bytes = short.into_vec())
            .ok()?;
        Some(block)
    }
}
