//! AMF0 of a real encoder: the `connect` and the metadata that ffmpeg sent.

use criterion::{Criterion, Throughput};
use millstream::amf::Limits;
use millstream::rtmp::chunk::{ChunkDecoder, ChunkLimits};
use millstream::rtmp::message::MessageType;
use millstream::rtmp::message::command::Command;
use millstream::rtmp::message::data::{Data, encode_set_data_frame, metadata_object};

use crate::allocations;

const CAPTURE: &[u8] = include_bytes!("../../tests/data/session/ffmpeg_publish.bin");

/// C0, C1 and C2.
const HANDSHAKE_BYTES: usize = 1 + 2 * 1536;

pub(crate) fn bench(criterion: &mut Criterion) {
    let limits = Limits::default();
    let connect = body_of(MessageType::COMMAND_AMF0);
    let metadata = body_of(MessageType::DATA_AMF0);
    let command = Command::decode(&connect, false, &limits).unwrap();
    assert_eq!(command.name, "connect");
    assert_eq!(command.encode(), connect);
    let object = metadata_object(&metadata, &limits).unwrap();
    assert_eq!(object.number("width"), Some(64.0));
    assert_eq!(encode_set_data_frame(&object), metadata);
    let (count, grown) = allocations(|| {
        Command::decode(&connect, false, &limits).unwrap();
    });
    println!("connect decoded with {count} allocations, of which {grown} grew");

    let mut group = criterion.benchmark_group("amf0");
    group.throughput(Throughput::Bytes(connect.len() as u64));
    group.bench_function("decode/connect", |bencher| {
        bencher.iter(|| Command::decode(&connect, false, &limits).unwrap());
    });
    group.bench_function("encode/connect", |bencher| {
        bencher.iter(|| command.encode())
    });
    group.throughput(Throughput::Bytes(metadata.len() as u64));
    group.bench_function("decode/onMetaData", |bencher| {
        bencher.iter(|| {
            // The way it takes through the server: found first, read then.
            let Data::SetMetadata(found) = Data::decode(&metadata, false, &limits) else {
                panic!("no metadata");
            };
            metadata_object(found, &limits).unwrap()
        });
    });
    group.bench_function("encode/onMetaData", |bencher| {
        bencher.iter(|| encode_set_data_frame(&object));
    });
    group.finish();
}

/// The body of the first message of this type in the capture.
fn body_of(wanted: MessageType) -> Vec<u8> {
    let mut decoder = ChunkDecoder::new(ChunkLimits::default());
    let mut input = &CAPTURE[HANDSHAKE_BYTES..];
    loop {
        let (consumed, message) = decoder.decode(input).unwrap();
        input = &input[consumed..];
        let message = message.expect("the capture has such a message");
        let body = message.payload.as_slice();
        if message.message_type == MessageType::SET_CHUNK_SIZE {
            decoder.set_chunk_size(u32::from_be_bytes(body.try_into().unwrap()));
        }
        if message.message_type == wanted {
            return body.to_vec();
        }
    }
}
