//! What a subscriber's peer reads, decoded from the bytes by the chunk layer.

#![allow(
    clippy::unwrap_used,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;
use crate::broadcast::{FrameFlags, LogLimits, Separator, Slot};
use crate::media::flv::Form;
use crate::rtmp::chunk::{ChunkDecoder, ChunkLimits, Message, Payload};

const CHUNK_SIZE: u32 = 128;
const MSID: MessageStreamId = MessageStreamId(7);

/// A publisher's side: frames with prepared headers, as the server makes them.
struct Stream {
    log: Log,
    last: [Option<i64>; 3],
}

impl Stream {
    fn new(bytes_max: usize) -> Self {
        let limits = LogLimits {
            bytes_max,
            age_ms_max: 10_000,
        };
        Self {
            log: Log::new(limits),
            last: [None; 3],
        }
    }

    fn push(&mut self, track: Track, dts: i64, flags: FrameFlags, body: &[u8]) {
        let (message_type, csid) = lane(track);
        let delta = self.last[track.index()]
            .replace(dts)
            .map(|last| (dts - last) as u32);
        let prepared = header::fmt1(csid, delta.unwrap_or(0), body.len(), message_type);
        let (bytes, start) = Payload::from(body).into_parts();
        let flags = FrameFlags {
            is_detached: delta.is_none(),
            ..flags
        };
        let separator = Separator {
            byte: header::fmt3(csid),
            stride: CHUNK_SIZE as usize,
        };
        let frame = Frame::new(track, dts, flags, bytes, start, &prepared, separator);
        self.log.append(Arc::new(frame), Some(FrameSeq(0)));
    }

    fn key(&mut self, dts: i64, len: usize) {
        let flags = FrameFlags {
            is_keyframe: true,
            ..FrameFlags::default()
        };
        self.push(Track::Video, dts, flags, &vec![b'K'; len]);
    }

    fn inter(&mut self, dts: i64, len: usize) {
        self.push(Track::Video, dts, FrameFlags::default(), &vec![b'v'; len]);
    }

    fn sound(&mut self, dts: i64) {
        self.push(Track::Audio, dts, FrameFlags::default(), b"a");
    }

    fn header(&mut self, track: Track, body: &[u8]) {
        let flags = FrameFlags {
            standing: Some(Slot::MAIN),
            ..FrameFlags::default()
        };
        let dts = self.last[track.index()].unwrap_or(0);
        self.push(track, dts, flags, body);
    }
}

/// A subscriber's connection: takes bytes in the order in which a socket would get them.
struct Reader {
    subscriber: Subscriber,
    output: Vec<u8>,
    received: Vec<u8>,
}

impl Reader {
    fn new() -> Self {
        Self::from(None)
    }

    fn from(start: Option<FrameSeq>) -> Self {
        Self {
            subscriber: Subscriber::new(MSID, Output::Rtmp(Form::Legacy(None)), start),
            output: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Takes at most `room` bytes; returns how many there were.
    fn take(&mut self, log: &Log, mut room: usize) -> usize {
        let mut run = None;
        let start = self.received.len();
        loop {
            let (next, _) = self
                .subscriber
                .prepare(log, &mut run, &mut self.output, CHUNK_SIZE);
            let is_begun = self
                .subscriber
                .in_flight()
                .is_some_and(|frame| !frame.is_untouched());
            if !is_begun && !self.output.is_empty() {
                let count = room.min(self.output.len());
                self.received.extend(self.output.drain(..count));
                room -= count;
                if !self.output.is_empty() {
                    break;
                }
            }
            let mut slices = Vec::new();
            match next {
                Next::Nothing => break,
                Next::InFlight => self.subscriber.in_flight().unwrap().push_rest(&mut slices),
                Next::Run => match run.as_mut().unwrap().wire() {
                    Wire::Piece(bytes) => slices.push(IoSlice::new(bytes)),
                    Wire::Slices(list) => slices.extend(list),
                },
            }
            let bytes: Vec<u8> = slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            let count = room.min(bytes.len());
            self.received.extend_from_slice(&bytes[..count]);
            room -= count;
            match next {
                Next::Run => self
                    .subscriber
                    .advance_run(run.as_ref().unwrap(), log, count),
                _ => self.subscriber.advance_in_flight(count),
            }
            if count < bytes.len() {
                break;
            }
        }
        self.received.len() - start
    }

    fn messages(&self) -> Vec<Message> {
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        decoder.set_chunk_size(CHUNK_SIZE);
        let mut messages = Vec::new();
        let mut rest = &self.received[..];
        while !rest.is_empty() {
            let (consumed, message) = decoder.decode(rest).unwrap();
            messages.extend(message);
            rest = &rest[consumed..];
        }
        messages
    }

    /// Type, timestamp and first byte of each message.
    fn summary(&self) -> Vec<(u8, u32, char)> {
        let summary = |message: Message| {
            assert_eq!(message.msid, MSID);
            let first = message
                .payload
                .as_slice()
                .first()
                .map_or(' ', |byte| char::from(*byte));
            (message.message_type.0, message.timestamp, first)
        };
        self.messages().into_iter().map(summary).collect()
    }
}

const EVERYTHING: usize = usize::MAX;

#[test]
fn a_late_subscriber_starts_at_the_keyframe_near_zero() {
    let mut stream = Stream::new(1 << 20);
    stream.header(Track::Video, b"H");
    stream.header(Track::Audio, b"h");
    for dts in [5_000_000_000, 5_000_001_000] {
        stream.key(dts, 300);
        stream.sound(dts - 7);
        stream.inter(dts + 40, 200);
        stream.sound(dts + 16);
    }
    let mut reader = Reader::new();
    reader.take(&stream.log, EVERYTHING);
    stream.inter(5_000_001_080, 10);
    reader.take(&stream.log, EVERYTHING);
    assert_eq!(
        reader.summary(),
        [
            (9, 0, 'H'),
            (8, 0, 'h'),
            (9, 7, 'K'),
            (8, 0, 'a'),
            (9, 47, 'v'),
            (8, 23, 'a'),
            (9, 87, 'v'),
        ]
    );
}

#[test]
fn sound_that_comes_after_the_join_is_not_before_zero() {
    let mut stream = Stream::new(1 << 20);
    stream.sound(990);
    stream.key(1000, 10);
    let mut reader = Reader::new();
    reader.take(&stream.log, EVERYTHING);
    stream.sound(995);
    reader.take(&stream.log, EVERYTHING);
    assert_eq!(reader.summary(), [(9, 10, 'K'), (8, 5, 'a')]);
}

#[test]
fn one_that_was_there_before_the_first_frame_misses_nothing() {
    let mut stream = Stream::new(1 << 20);
    let mut reader = Reader::from(stream.log.start_point());
    stream.header(Track::Video, b"H");
    stream.header(Track::Audio, b"h");
    assert_eq!(reader.take(&stream.log, EVERYTHING), 0);
    stream.sound(0);
    assert_eq!(stream.log.start_point(), None);
    for dts in [10, 1010, 2010] {
        stream.key(dts, 300);
        stream.inter(dts + 40, 200);
    }
    reader.take(&stream.log, EVERYTHING);
    assert_eq!(
        reader.summary(),
        [
            (9, 0, 'H'),
            (8, 0, 'h'),
            (8, 0, 'a'),
            (9, 10, 'K'),
            (9, 50, 'v'),
            (9, 1010, 'K'),
            (9, 1050, 'v'),
            (9, 2010, 'K'),
            (9, 2050, 'v'),
        ]
    );
}

#[test]
fn a_lapped_subscriber_finishes_its_frame_and_goes_on_at_the_latest_keyframe() {
    let mut stream = Stream::new(20_000);
    stream.header(Track::Video, b"H");
    stream.key(0, 1000);
    let mut reader = Reader::new();
    reader.take(&stream.log, 500);
    for index in 1..100 {
        stream.inter(index * 40, 500);
        if index % 10 == 0 {
            stream.key(index * 40 + 1, 500);
        }
    }
    reader.take(&stream.log, EVERYTHING);
    let summary = reader.summary();
    assert_eq!(summary[..2], [(9, 0, 'H'), (9, 0, 'K')]);
    assert_eq!(summary[2..4], [(9, 3601, 'H'), (9, 3601, 'K')]);
    assert_eq!(summary.last(), Some(&(9, 3960, 'v')));
}

#[test]
fn a_run_is_the_same_bytes_for_the_first_subscriber_and_for_the_next() {
    let mut stream = Stream::new(1 << 20);
    stream.key(0, 300);
    let mut readers = [Reader::new(), Reader::new(), Reader::new()];
    for reader in &mut readers {
        reader.take(&stream.log, EVERYTHING);
    }
    stream.inter(40, 300);
    stream.inter(80, 10);
    let mut run = None;
    let mut pieces = Vec::new();
    for reader in &mut readers {
        let (next, _) =
            reader
                .subscriber
                .prepare(&stream.log, &mut run, &mut reader.output, CHUNK_SIZE);
        assert!(matches!(next, Next::Run));
        match run.as_mut().unwrap().wire() {
            Wire::Slices(slices) => pieces.push((
                slices.iter().flat_map(|slice| slice.to_vec()).collect(),
                false,
            )),
            Wire::Piece(bytes) => pieces.push((bytes.to_vec(), true)),
        }
    }
    let [(first, false), (second, true), (third, true)] = &pieces[..] else {
        panic!("the first is sent what there is, the others one piece");
    };
    assert!(first == second && second == third);
}

#[test]
fn after_a_pause_it_goes_on_at_a_keyframe_ahead_of_it() {
    let mut stream = Stream::new(1 << 20);
    stream.key(0, 10);
    let mut reader = Reader::new();
    reader.take(&stream.log, EVERYTHING);
    reader
        .subscriber
        .set_paused(true, &stream.log, &mut reader.output, CHUNK_SIZE);
    stream.inter(40, 10);
    assert_eq!(reader.take(&stream.log, EVERYTHING), 0);
    reader
        .subscriber
        .set_paused(false, &stream.log, &mut reader.output, CHUNK_SIZE);
    stream.inter(80, 10);
    stream.key(120, 10);
    stream.inter(160, 10);
    reader.take(&stream.log, EVERYTHING);
    assert_eq!(
        reader.summary(),
        [(9, 0, 'K'), (9, 120, 'K'), (9, 160, 'v')]
    );
}

#[test]
fn a_kind_that_is_not_wanted_is_left_out_and_comes_back_with_its_header() {
    let mut stream = Stream::new(1 << 20);
    stream.header(Track::Audio, b"h");
    stream.key(0, 10);
    stream.sound(0);
    let mut reader = Reader::new();
    reader.take(&stream.log, EVERYTHING);
    reader.subscriber.set_wanted(
        Track::Audio,
        false,
        &stream.log,
        &mut reader.output,
        CHUNK_SIZE,
    );
    stream.sound(20);
    stream.inter(40, 10);
    reader.take(&stream.log, EVERYTHING);
    stream.sound(60);
    reader.subscriber.set_wanted(
        Track::Audio,
        true,
        &stream.log,
        &mut reader.output,
        CHUNK_SIZE,
    );
    reader.take(&stream.log, EVERYTHING);
    stream.sound(80);
    stream.inter(80, 10);
    reader.take(&stream.log, EVERYTHING);
    assert_eq!(
        reader.summary(),
        [
            (8, 0, 'h'),
            (9, 0, 'K'),
            (8, 0, 'a'),
            (9, 40, 'v'),
            (8, 60, 'h'),
            (8, 60, 'a'),
            (8, 80, 'a'),
            (9, 80, 'v'),
        ]
    );
}

#[test]
fn a_track_that_starts_after_hours_gets_an_extended_timestamp() {
    let mut stream = Stream::new(1 << 20);
    stream.key(0, 10);
    let mut reader = Reader::new();
    reader.take(&stream.log, EVERYTHING);
    let late = 20_000_000;
    stream.sound(late);
    stream.sound(late + 20);
    reader.take(&stream.log, EVERYTHING);
    assert_eq!(
        reader.summary(),
        [(9, 0, 'K'), (8, 20_000_000, 'a'), (8, 20_000_020, 'a')]
    );
}

proptest! {
    /// However a socket cuts the bytes, the peer reads every message from the join on.
    #[test]
    fn short_writes_change_nothing(
        lens in prop::collection::vec(1..600usize, 1..40),
        rooms in prop::collection::vec(0..700usize, 1..80),
    ) {
        let mut stream = Stream::new(1 << 20);
        let mut whole = Reader::new();
        let mut cut = Reader::new();
        let mut rooms = rooms.into_iter().cycle();
        for (index, len) in lens.into_iter().enumerate() {
            let dts = i64::try_from(index).unwrap() * 20;
            match index % 5 {
                0 => stream.key(dts, len),
                1 | 3 => stream.sound(dts),
                _ => stream.inter(dts, len),
            }
            cut.take(&stream.log, rooms.next().unwrap());
        }
        whole.take(&stream.log, EVERYTHING);
        cut.take(&stream.log, EVERYTHING);
        let (whole, cut) = (whole.summary(), cut.summary());
        // The one that started later joined at a later keyframe.
        prop_assert!(cut.len() >= whole.len());
        let kinds = |list: &[(u8, u32, char)]| list.iter().map(|(kind, _, first)| (*kind, *first)).collect::<Vec<_>>();
        prop_assert!(kinds(&cut).ends_with(&kinds(&whole)));
    }
}
