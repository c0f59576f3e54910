//! Chunk headers, fmt 0 to 3 (RTMP 1.0 §5.3.1).

use super::ChunkStreamId;

/// Writes the basic header: `fmt` in the top two bits and the csid in 1, 2 or 3 bytes.
pub fn put_basic_header(_out: &mut Vec<u8>, _fmt: u8, _csid: ChunkStreamId) {
    todo!()
}
