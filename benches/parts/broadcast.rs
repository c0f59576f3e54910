//! The log: a frame is appended once, and every cursor goes over it.
//!
//! What is measured is all that a subscriber costs besides the system call that sends: its cursor
//! is held against the log, the slices that were collected for the first one serve all others.

use std::io::IoSlice;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use millstream::broadcast::{
    Cursor, Frame, FrameFlags, FrameSeq, Log, LogLimits, Separator, Track,
};

use crate::allocations;

const SUBSCRIBERS: [usize; 5] = [1, 10, 100, 1000, 10_000];

/// A picture of 2 Mbit/s at 30 a second.
const BODY_BYTES: usize = 8_000;

const HEADER: [u8; 8] = [0x46, 0, 0, 33, 0, 0x1F, 0x40, 9];

/// Pictures from one keyframe to the next.
const GOP: u64 = 60;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broadcast");
    for count in SUBSCRIBERS {
        let mut stream = LiveStream::new(count);
        // Until the log has its size: a group of pictures, and then the next.
        for _ in 0..=4 * GOP {
            stream.turn();
        }
        // The frame and its bytes; the first subscriber's list of slices.
        let (allocated, _) = allocations(|| stream.turn());
        assert!(
            allocated <= 4,
            "{allocated} allocations for {count} subscribers"
        );
        group.throughput(Throughput::Elements(count as u64));
        let id = BenchmarkId::new("append and advance", count);
        group.bench_function(id, |bencher| bencher.iter(|| stream.turn()));
    }
    group.finish();
}

/// A log and those who read it.
struct LiveStream {
    log: Log,
    cursors: Vec<Cursor>,
    frames: u64,
    /// What the cursors have gone over.
    bytes: u64,
}

impl LiveStream {
    fn new(subscribers: usize) -> Self {
        Self {
            log: Log::new(LogLimits::default()),
            cursors: vec![Cursor { seq: FrameSeq(0) }; subscribers],
            frames: 0,
            bytes: 0,
        }
    }

    /// One picture, from its bytes to the last subscriber.
    fn turn(&mut self) {
        let flags = FrameFlags {
            is_keyframe: self.frames.is_multiple_of(GOP),
            ..FrameFlags::default()
        };
        let dts = i64::try_from(self.frames).unwrap() * 33;
        let bytes = vec![0; 16 + BODY_BYTES];
        let separator = Separator {
            byte: 0xC6,
            stride: 65_536,
        };
        let frame = Frame::new(Track::Video, dts, flags, bytes, 16, &HEADER, separator);
        let wire_len = frame.wire_len() as u64;
        self.frames += 1;
        let slowest = self.log.end();
        assert!(self.log.append(Arc::new(frame), Some(slowest)));
        let before = self.bytes;
        self.advance();
        assert_eq!(self.bytes - before, self.cursors.len() as u64 * wire_len);
        assert!(self.log.bytes() < 4 * 1024 * 1024, "the log is bounded");
    }

    fn advance(&mut self) {
        let end = self.log.end();
        let mut run: Option<(FrameSeq, Vec<IoSlice<'_>>, u64)> = None;
        for cursor in &mut self.cursors {
            assert!(!cursor.is_lapped(&self.log));
            if run.as_ref().is_none_or(|(start, ..)| *start != cursor.seq) {
                let mut slices = Vec::new();
                for entry in self.log.iter_from(cursor.seq) {
                    entry.frame.push_wire(0, &mut slices);
                }
                let bytes = slices.iter().map(|slice| slice.len() as u64).sum();
                run = Some((cursor.seq, slices, bytes));
            }
            if let Some((_, _, bytes)) = &run {
                self.bytes += bytes;
            }
            *cursor = Cursor { seq: end };
        }
    }
}
