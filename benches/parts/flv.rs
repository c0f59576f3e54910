//! FLV: a file read and written, what the first bytes of each body say, and what is measured by
//! them.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use millstream::media::flv::{self, AudioHeader, Reader, Tag, TagKind, VideoHeader};
use millstream::media::vitals::Vitals;

use crate::allocations;
use crate::sample::{self, Sample};

/// What is read of a file at once.
const READ_BYTES: usize = 64 * 1024;

pub(crate) fn bench(criterion: &mut Criterion) {
    let samples = sample::second();
    let mut file = Vec::new();
    write(&samples, &mut file);
    let tags = read(&file);
    assert_eq!(tags.len(), samples.len());
    for (sample, tag) in samples.iter().zip(&tags) {
        assert_eq!((sample.kind, &sample.body), (tag.kind, &tag.body));
        assert_eq!(i64::from(sample.timestamp), tag.dts);
    }
    assert_eq!(keyframes(&tags), 1);
    assert_eq!(allocations(|| write(&samples, &mut file)), (0, 0));
    let reading_headers = allocations(|| {
        black_box(keyframes(&tags));
    });
    assert_eq!(reading_headers, (0, 0));

    let mut group = criterion.benchmark_group("flv");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let tags = read(&file);
            assert_eq!(tags.len(), samples.len());
            tags
        });
    });
    let mut copy = Vec::new();
    group.bench_function("write", |bencher| {
        bencher.iter(|| write(&samples, &mut copy))
    });
    assert!(copy.is_empty() || copy == file);
    group.throughput(Throughput::Elements(tags.len() as u64));
    group.bench_function("body headers", |bencher| {
        bencher.iter(|| assert_eq!(keyframes(black_box(&tags)), 1));
    });
    let mut vitals = Vitals::new(0);
    let mut start_ms = 0;
    group.bench_function("vitals", |bencher| {
        bencher.iter(|| {
            measure(&mut vitals, black_box(&tags), start_ms);
            start_ms += 1000;
        });
    });
    let report = vitals.report(start_ms);
    assert_eq!((report.health.score, report.jumps), (100, 0));
    group.finish();
}

/// A second more of a live stream, each frame when it is due.
fn measure(vitals: &mut Vitals, tags: &[Tag], start_ms: u64) {
    for tag in tags {
        let now_ms = start_ms + tag.dts.unsigned_abs();
        vitals.handle_frame(now_ms, tag.kind, now_ms.cast_signed(), &tag.body);
    }
}

fn write(samples: &[Sample], file: &mut Vec<u8>) {
    file.clear();
    flv::put_file_header(file, true, true);
    for sample in samples {
        let dts = i64::from(sample.timestamp);
        flv::put_tag_parts(file, sample.kind, dts, &sample.body).unwrap();
    }
}

fn read(file: &[u8]) -> Vec<Tag> {
    let mut reader = Reader::new();
    let mut tags = Vec::new();
    for piece in file.chunks(READ_BYTES) {
        reader.handle_input(piece);
        while let Some(tag) = reader.poll_tag().unwrap() {
            tags.push(tag);
        }
    }
    reader.finish().unwrap();
    tags
}

/// Reads the header of every body; the answer is how many keyframes there are.
fn keyframes(tags: &[Tag]) -> usize {
    let is_keyframe = |tag: &&Tag| match tag.kind {
        TagKind::Video => VideoHeader::parse(&tag.body).unwrap().is_keyframe(),
        TagKind::Audio => AudioHeader::parse(&tag.body).unwrap().is_sequence_header(),
        TagKind::Script => false,
    };
    tags.iter().filter(is_keyframe).count()
}
