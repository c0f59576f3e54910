//! Known messages, written in every way that the specification allows and some that peers
//! have, are read as the same messages.

use proptest::prelude::*;

use super::*;
use crate::rtmp::chunk::testing::{CSIDS, Repeat, filler, pieces, plan, repeat, write};
use crate::rtmp::chunk::{ChunkEncoder, encode_message};

proptest! {
    #[test]
    fn any_chunking_gives_the_same_messages(
        plans in prop::collection::vec(plan(), 1..30),
        repeat in repeat(),
        seed in any::<u64>(),
        cuts in any::<u64>(),
    ) {
        let (wire, expected) = write(&plans, repeat, seed);
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        for pieces in [vec![wire.as_slice()], pieces(&wire, cuts), bytes] {
            let mut decoder = ChunkDecoder::new(ChunkLimits::default());
            let (messages, error) = read_pieces(&mut decoder, pieces);
            prop_assert_eq!(error, None);
            prop_assert_eq!(&messages, &expected);
            prop_assert_eq!(decoder.partial_bytes(), 0);
            let odd = decoder.oddities();
            prop_assert_eq!(odd.restarted_messages, 0);
            prop_assert!(odd.omitted_timestamps == 0 || repeat == Repeat::Never);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        plans in prop::collection::vec(plan(), 1..30),
        timestamps in prop::collection::vec(any::<u32>(), 30),
        is_stateless in any::<bool>(),
    ) {
        let mut encoder = ChunkEncoder::new();
        let mut chunk_size = 128;
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for (index, (plan, any)) in plans.iter().zip(timestamps).enumerate() {
            let csid = ChunkStreamId(CSIDS[plan.lane]);
            let msid = MessageStreamId(plan.msid);
            // Forward by the plan's step most of the time, anywhere else now and then.
            let timestamp = match expected.last() {
                Some(Message { timestamp, .. }) if any % 4 > 0 => timestamp.wrapping_add(plan.step),
                _ => any,
            };
            let (message_type, body) = match plan.chunk_size {
                Some(size) => (MessageType::SET_CHUNK_SIZE, size.to_be_bytes().to_vec()),
                None => (MessageType(plan.message_type), filler(index, plan.size)),
            };
            if is_stateless {
                encode_message(&mut wire, chunk_size, csid, msid, message_type, timestamp, &body);
            } else {
                encoder.encode(&mut wire, csid, msid, message_type, timestamp, &body);
            }
            if let Some(size) = plan.chunk_size {
                chunk_size = size;
                encoder.set_chunk_size(size);
            }
            let payload = Payload::from(body.as_slice());
            expected.push(Message { csid, msid, message_type, timestamp, payload });
        }
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        let (messages, error) = read(&mut decoder, &wire, wire.len());
        prop_assert_eq!(error, None);
        prop_assert_eq!(messages, expected);
    }
}
