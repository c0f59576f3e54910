#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::super::ChunkEncoder;
use super::*;

#[test]
fn encoded_messages_are_decoded_again() {
    let mut encoder = ChunkEncoder::new();
    let mut wire = Vec::new();
    let body: Vec<u8> = (0..1000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let sizes = [0, 1, 127, 128, 129, 256, 1000];
    for (index, size) in sizes.iter().enumerate() {
        encoder.encode(
            &mut wire,
            ChunkStreamId::VIDEO,
            MessageStreamId(1),
            MessageType::VIDEO,
            0xFF_FFF0 + u32::try_from(index).unwrap() * 40,
            &body[..*size],
        );
    }
    for cut in [1, 2, 3, 7, 100, wire.len()] {
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        let mut messages = Vec::new();
        for mut piece in wire.chunks(cut) {
            while !piece.is_empty() {
                let (consumed, message) = decoder.decode(piece).unwrap();
                piece = &piece[consumed..];
                messages.extend(message);
            }
        }
        let got: Vec<_> = messages
            .iter()
            .map(|message| message.payload.len())
            .collect();
        assert_eq!(got, sizes);
        assert!(
            messages
                .iter()
                .all(|message| body.starts_with(message.payload.as_slice()))
        );
    }
}
