//! What is kept of one direction: its first 64 KiB and its last 192 KiB.
//!
//! ```text
//! total:  [ head ][ missing ............ ][ tail ]
//! ```
//! The start is worth the most: handshake, `connect`, the request and the sequence headers stand
//! there, and a session can be fed with it again. The latest bytes are what came before the end.
//! Both grow in steps as bytes come, as far as there is memory.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use super::memory::Memory;
use crate::rtmp::chunk::ChunkPlace;
use crate::rtmp::flight::{Extent, Resume};

/// Bytes kept of the start.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes kept of the end.
pub(super) const TAIL_BYTES_MAX: usize = 192 << 10;

/// Steps in which they grow.
const HEAD_STEP: usize = 4 << 10;
const TAIL_STEP: usize = 32 << 10;

/// Pieces that are told apart in head and tail. Beyond that a piece joins the one before it: its
/// bytes are kept, its time is not.
const HEAD_PIECES_MAX: usize = 256;
const TAIL_PIECES_MAX: usize = 1024;

/// Bytes between two places that are remembered, and so how many there are.
const PLACE_STEP: u64 = 16 << 10;
const PLACES_MAX: usize = TAIL_BYTES_MAX / (16 << 10) + 1;

/// What the marks take at most, which is counted with the first step of each.
const MARK_BYTES: usize = size_of::<Mark>();

const _: () = assert!(HEAD_BYTES_MAX.is_multiple_of(HEAD_STEP));
const _: () = assert!(TAIL_BYTES_MAX.is_multiple_of(TAIL_STEP));

/// A piece among the bytes: the next `bytes` ones.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Duration,
    number: u32,
    bytes: u32,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Lane {
    memory: Arc<Memory>,
    /// Memory taken, given back in the end.
    taken: usize,
    total: u64,
    /// `head.len() <= HEAD_BYTES_MAX`, and the sum of `head_marks`
    head: Vec<u8>,
    head_marks: Vec<Mark>,
    /// There was more than the head takes.
    is_head_full: bool,
    /// `tail.len() <= tail_room <= TAIL_BYTES_MAX`, and the sum of `tail_marks`
    tail: VecDeque<u8>,
    tail_marks: VecDeque<Mark>,
    tail_room: usize,
    /// Where a reader stood before some of the pieces of the tail: how many bytes had passed, and
    /// what it needs to go on from there. At most [`PLACES_MAX`].
    places: VecDeque<(u64, ChunkPlace)>,
    /// There is memory for them.
    has_places: bool,
}

impl Lane {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self {
            memory,
            taken: 0,
            total: 0,
            head: Vec::new(),
            head_marks: Vec::new(),
            is_head_full: false,
            tail: VecDeque::new(),
            tail_marks: VecDeque::new(),
            tail_room: 0,
            places: VecDeque::new(),
            has_places: false,
        }
    }

    /// All bytes that passed.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Keeps what it can of `bytes`, which passed after `at`. Numbers and times do not decrease.
    pub(super) fn push(&mut self, number: u32, at: Duration, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let mut rest = bytes;
        while !self.is_head_full && !rest.is_empty() {
            let room = self.head.capacity() - self.head.len();
            if room == 0 {
                self.is_head_full = !self.grow_head();
                continue;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.head.extend_from_slice(now);
            let mark = Mark::new(number, at, now);
            join_or_push(&mut self.head_marks, mark, HEAD_PIECES_MAX);
            rest = later;
        }
        if !rest.is_empty() {
            self.push_tail(number, at, rest);
        }
    }

    /// As [`Self::push`], for a lane that somebody reads: `place` says where that reader stands.
    pub(super) fn push_read(
        &mut self,
        number: u32,
        at: Duration,
        bytes: &[u8],
        place: impl FnOnce() -> Option<ChunkPlace>,
    ) {
        let start = self.total;
        let is_due = match self.places.back() {
            Some((last, _)) => start - last >= PLACE_STEP,
            None => true,
        };
        if self.is_head_full && is_due && self.may_have_places() {
            self.places.extend(place().map(|place| (start, place)));
        }
        self.push(number, at, bytes);
        let tail_start = self.total - self.tail.len() as u64;
        while self.places.front().is_some_and(|(at, _)| *at < tail_start) {
            self.places.pop_front();
        }
    }

    /// Where a reader can go on behind what is missing.
    pub(super) fn resume(&self) -> Option<Resume> {
        let missing = self.extent().missing;
        let (start, place) = self.places.front().filter(|_| missing > 0)?;
        Some(Resume {
            kept: start - missing,
            place: place.clone(),
        })
    }

    /// What is kept and what is missing.
    pub(super) fn extent(&self) -> Extent {
        let kept = self.head.len() + self.tail.len();
        Extent {
            total: self.total,
            missing: self.total - kept as u64,
            missing_at: self.head.len() as u64,
        }
    }

    /// Everything that is kept: number, time and bytes of each piece.
    pub(super) fn pieces(&mut self) -> impl Iterator<Item = (u32, Duration, &[u8])> {
        let head = cut(&self.head, self.head_marks.iter());
        let tail = cut(self.tail.make_contiguous(), self.tail_marks.iter());
        head.chain(tail)
    }

    fn grow_head(&mut self) -> bool {
        let marks = match self.head.capacity() {
            0 => HEAD_PIECES_MAX * MARK_BYTES,
            HEAD_BYTES_MAX.. => return false,
            _ => 0,
        };
        let is_granted = self.memory.take(HEAD_STEP + marks);
        if is_granted {
            self.taken += HEAD_STEP + marks;
            self.head.reserve_exact(HEAD_STEP);
        }
        is_granted
    }

    fn may_have_places(&mut self) -> bool {
        const BYTES: usize = PLACES_MAX * ChunkPlace::BYTES_MAX;
        if !self.has_places && self.memory.take_for_latest(BYTES) {
            self.taken += BYTES;
            self.has_places = true;
        }
        self.has_places
    }

    fn push_tail(&mut self, number: u32, at: Duration, bytes: &[u8]) {
        while self.tail.len() + bytes.len() > self.tail_room && self.grow_tail() {}
        let skipped = bytes.len().saturating_sub(self.tail_room);
        let bytes = bytes.get(skipped..).unwrap_or_default();
        let excess = (self.tail.len() + bytes.len()).saturating_sub(self.tail_room);
        self.evict(excess);
        if bytes.is_empty() {
            return;
        }
        self.tail.extend(bytes);
        let mark = Mark::new(number, at, bytes);
        let is_full = self.tail_marks.len() >= TAIL_PIECES_MAX;
        match self.tail_marks.back_mut() {
            Some(last) if is_full || last.number == number => last.bytes += mark.bytes,
            _ => self.tail_marks.push_back(mark),
        }
    }

    fn grow_tail(&mut self) -> bool {
        let marks = match self.tail_room {
            0 => TAIL_PIECES_MAX * MARK_BYTES,
            TAIL_BYTES_MAX.. => return false,
            _ => 0,
        };
        let is_granted = self.memory.take_for_latest(TAIL_STEP + marks);
        if is_granted {
            self.taken += TAIL_STEP + marks;
            self.tail_room += TAIL_STEP;
            self.tail.reserve_exact(self.tail_room - self.tail.len());
        }
        is_granted
    }

    /// Takes the oldest bytes out of the tail.
    fn evict(&mut self, count: usize) {
        self.tail.drain(..count);
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        while let Some(first) = self.tail_marks.front_mut() {
            if first.bytes > left {
                first.bytes -= left;
                return;
            }
            left -= first.bytes;
            self.tail_marks.pop_front();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.memory.give_back(self.taken);
    }
}

impl Mark {
    fn new(number: u32, at: Duration, bytes: &[u8]) -> Self {
        Self {
            at,
            number,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        }
    }
}

fn join_or_push(marks: &mut Vec<Mark>, mark: Mark, max: usize) {
    let is_full = marks.len() >= max;
    match marks.last_mut() {
        Some(last) if is_full || last.number == mark.number => last.bytes += mark.bytes,
        _ => marks.push(mark),
    }
}

/// The pieces that `marks` makes of `bytes`.
fn cut<'a>(
    bytes: &'a [u8],
    mut marks: impl Iterator<Item = &'a Mark>,
) -> impl Iterator<Item = (u32, Duration, &'a [u8])> {
    let mut rest = bytes;
    iter::from_fn(move || {
        let mark = marks.next()?;
        let count = usize::try_from(mark.bytes).unwrap_or(usize::MAX);
        let (piece, behind) = rest.split_at_checked(count)?;
        rest = behind;
        Some((mark.number, mark.at, piece))
    })
}

#[cfg(test)]
mod tests;
