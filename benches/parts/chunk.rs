//! Messages to chunks and back, by chunk size; bytes are those of the bodies.

use criterion::{BenchmarkId, Criterion, Throughput};
use millstream::media::flv::TagKind;
use millstream::rtmp::chunk::{
    ChunkDecoder, ChunkEncoder, ChunkLimits, ChunkStreamId, Message, MessageStreamId,
};
use millstream::rtmp::message::MessageType;

use crate::allocations;
use crate::sample::{self, Sample};

const CHUNK_SIZES: [u32; 3] = [128, 4096, 65_536];

/// What the server reads at once.
const READ_BYTES: usize = 64 * 1024;

/// Of a longer body no more than this is allocated before its bytes arrive.
const FIRST_ALLOCATION_BYTES: usize = 64 * 1024;

pub(crate) fn bench(criterion: &mut Criterion) {
    let samples = sample::second();
    let mut group = criterion.benchmark_group("chunk");
    group.throughput(Throughput::Bytes(sample::body_bytes(&samples)));
    for chunk_size in CHUNK_SIZES {
        let mut encoder = ChunkEncoder::new();
        encoder.set_chunk_size(chunk_size);
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        decoder.set_chunk_size(chunk_size);
        let (mut wire, mut messages) = (Vec::new(), Vec::new());
        // The second time nothing grows any more: the steady state is what counts.
        encode(&mut encoder, &samples, &mut wire);
        decode(&mut decoder, &wire, &mut messages);
        let encoding = allocations(|| encode(&mut encoder, &samples, &mut wire));
        assert_eq!(encoding, (0, 0), "chunk size {chunk_size}");
        messages.clear();
        let decoding = allocations(|| decode(&mut decoder, &wire, &mut messages));
        assert_same(&samples, &messages);
        let long = |sample: &&Sample| sample.body.len() > FIRST_ALLOCATION_BYTES;
        let long_bodies = samples.iter().filter(long).count();
        assert_eq!(decoding, (samples.len(), long_bodies), "{chunk_size}");
        println!(
            "chunk size {chunk_size}: {} messages decoded with {} allocations, of which {} grew",
            messages.len(),
            decoding.0,
            decoding.1
        );
        group.bench_function(BenchmarkId::new("encode", chunk_size), |bencher| {
            bencher.iter(|| {
                encode(&mut encoder, &samples, &mut wire);
                wire.len()
            });
        });
        group.bench_function(BenchmarkId::new("decode", chunk_size), |bencher| {
            bencher.iter(|| {
                // The last second's messages have lived until now, as frames do in a log.
                messages.clear();
                decode(&mut decoder, &wire, &mut messages);
                assert_eq!(messages.len(), samples.len());
            });
        });
        assert_same(&samples, &messages);
    }
    group.finish();
}

fn encode(encoder: &mut ChunkEncoder, samples: &[Sample], wire: &mut Vec<u8>) {
    wire.clear();
    for sample in samples {
        let (csid, message_type) = match sample.kind {
            TagKind::Audio => (ChunkStreamId::AUDIO, MessageType::AUDIO),
            _ => (ChunkStreamId::VIDEO, MessageType::VIDEO),
        };
        let (time, body) = (sample.timestamp, &sample.body[..]);
        encoder.encode(wire, csid, MessageStreamId(1), message_type, time, body);
    }
}

fn decode(decoder: &mut ChunkDecoder, wire: &[u8], messages: &mut Vec<Message>) {
    for mut input in wire.chunks(READ_BYTES) {
        while !input.is_empty() {
            let (consumed, message) = decoder.decode(input).unwrap();
            messages.extend(message);
            input = &input[consumed..];
        }
    }
}

fn assert_same(samples: &[Sample], messages: &[Message]) {
    assert_eq!(samples.len(), messages.len());
    for (sample, message) in samples.iter().zip(messages) {
        assert_eq!(sample.timestamp, message.timestamp);
        assert_eq!(sample.body, message.payload.as_slice());
    }
}
