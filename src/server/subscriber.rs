//! A subscriber: a place in a live stream's log, and what it takes to send from there.
//!
//! A steady subscriber's wire bytes are the shared bytes. Only the first frame of each track after
//! a join, a skip or a break gets a header of its own, rebased so that the subscriber's time
//! starts near 0.

use std::io::IoSlice;
use std::sync::Arc;

use super::framing::lane;
use super::rendition::Output;
use crate::broadcast::{Cursor, Frame, FrameSeq, Headers, InFlight, JoinPoint, Log, Track};
use crate::rtmp::chunk::{ChunkStreamId, MessageStreamId, encode_message, header};
use crate::rtmp::message::MessageType;

/// Slices in one vectored write: the kernel takes 1024.
const SLICES_MAX: usize = 512;

/// Bytes that one vectored write should carry at least before it is cut: beyond what a socket
/// buffer takes at once, more slices are only work.
const RUN_BYTES: usize = 512 * 1024;

/// An accepted `play`.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) msid: MessageStreamId,
    /// The rendition that it is sent.
    pub(super) output: Output,
    /// Where it reads; `None` until there is a place to join.
    cursor: Option<Cursor>,
    /// A begun frame; goes before everything else.
    in_flight: Option<InFlight>,
    /// This dts of the live stream is the subscriber's 0; known with its first sound or picture.
    base: Option<i64>,
    /// By track: the prepared headers fit.
    is_steady: [bool; 3],
    /// By track: the peer wants it (`receiveAudio`, `receiveVideo`).
    is_wanted: [bool; 3],
    /// Video is left out until a keyframe.
    awaits_keyframe: bool,
    is_paused: bool,
    /// How often it was lapped, and how many frames it missed by that.
    skips: u64,
    frames_skipped: u64,
}

/// How far a subscriber is behind what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lag {
    /// Of stream time.
    pub(super) ms: u64,
    /// Of frames.
    pub(super) bytes: u64,
}

/// Shared frames in a row that steady subscribers can be sent in one write.
#[derive(Debug)]
pub(super) struct Run<'log> {
    start: FrameSeq,
    end: FrameSeq,
    /// By track: whether the run has frames of it.
    has: [bool; 3],
    slices: Vec<IoSlice<'log>>,
    bytes: usize,
    /// The bytes in one piece; empty until a second subscriber is sent the run.
    gathered: Vec<u8>,
    was_sent: bool,
}

impl<'log> Run<'log> {
    /// The frames from `start` on, up to a detached one or one of a track that is not `allowed`.
    fn collect(log: &'log Log, start: FrameSeq, allowed: [bool; 3]) -> Self {
        let mut run = Self {
            start,
            end: start,
            has: [false; 3],
            slices: Vec::new(),
            bytes: 0,
            gathered: Vec::new(),
            was_sent: false,
        };
        for entry in log.iter_from(start) {
            let track = entry.frame.track().index();
            let is_full = run.slices.len() >= SLICES_MAX || run.bytes >= RUN_BYTES;
            if is_full || entry.is_detached || !allowed[track] {
                break;
            }
            entry.frame.push_wire(0, &mut run.slices);
            run.has[track] = true;
            run.bytes += entry.frame.wire_len();
            run.end = run.end.next();
        }
        run
    }

    /// Whether a subscriber that stands at `start` with these steady tracks can be sent the run.
    fn fits(&self, start: FrameSeq, is_steady: [bool; 3]) -> bool {
        let is_ready = |track: Track| !self.has[track.index()] || is_steady[track.index()];
        self.start == start && Track::ALL.into_iter().all(is_ready)
    }

    /// The bytes for one more subscriber, in one piece if that costs no copy or the copy serves
    /// several: the kernel takes one piece a tenth cheaper than a few. One frame of very many
    /// chunks can have more slices than the kernel takes at once; the write is short then, as any
    /// write may be.
    pub(super) fn wire(&mut self) -> Wire<'_, 'log> {
        let is_first = !std::mem::replace(&mut self.was_sent, true);
        match (&self.slices[..], is_first) {
            ([slice], _) => Wire::Piece(slice),
            (slices, true) => Wire::Slices(slices),
            (slices, false) => {
                if self.gathered.is_empty() {
                    self.gathered.reserve_exact(self.bytes);
                    for slice in slices {
                        self.gathered.extend_from_slice(slice);
                    }
                }
                Wire::Piece(&self.gathered)
            }
        }
    }
}

/// Bytes to be written at once.
#[derive(Debug)]
pub(super) enum Wire<'run, 'log> {
    Piece(&'run [u8]),
    Slices(&'run [IoSlice<'log>]),
}

/// What a subscriber has to send next.
#[derive(Debug)]
pub(super) enum Next {
    /// The frame in flight.
    InFlight,
    /// The run that was handed in, as it is now.
    Run,
    /// Nothing: it stands at the end, or may not read.
    Nothing,
}

impl Subscriber {
    /// `start` is where it reads when it was here before the live stream's first frame; otherwise
    /// it joins what there is.
    pub(super) fn new(msid: MessageStreamId, output: Output, start: Option<FrameSeq>) -> Self {
        Self {
            msid,
            output,
            cursor: start.map(|seq| Cursor { seq }),
            in_flight: None,
            base: None,
            is_steady: [output.is_self_contained(); 3],
            is_wanted: [true; 3],
            awaits_keyframe: false,
            is_paused: false,
            skips: 0,
            frames_skipped: 0,
        }
    }

    /// The next frame that it has not begun; `None` before it joined, and in a pause.
    pub(super) fn place(&self) -> Option<FrameSeq> {
        let cursor = self.cursor.filter(|_| !self.is_paused)?;
        Some(cursor.seq)
    }

    /// How often it was too slow and jumped to a later keyframe, and how many frames it missed.
    pub(super) fn skips(&self) -> (u64, u64) {
        (self.skips, self.frames_skipped)
    }

    /// How far it is behind the end of the log that it reads. Looks at every frame in between.
    pub(super) fn lag(&self, log: &Log) -> Lag {
        let rest = self.in_flight.as_ref().map_or(0, InFlight::remaining);
        let mut lag = Lag {
            ms: 0,
            bytes: rest as u64,
        };
        let Some(place) = self.place() else {
            return lag;
        };
        let mut first = None;
        for entry in log.iter_from(place.max(log.first())) {
            let first = *first.get_or_insert_with(|| entry.frame.dts());
            let ms = entry.frame.dts().saturating_sub(first);
            lag.ms = lag.ms.max(u64::try_from(ms).unwrap_or(0));
            lag.bytes += entry.frame.wire_len() as u64;
        }
        lag
    }

    /// The frame in flight, if any.
    pub(super) fn in_flight(&self) -> Option<&InFlight> {
        self.in_flight.as_ref()
    }

    /// `pause`: after the pause it goes on at a keyframe.
    pub(super) fn set_paused(
        &mut self,
        is_paused: bool,
        log: &Log,
        out: &mut Vec<u8>,
        chunk_size: u32,
    ) {
        if self.is_paused && !is_paused {
            self.skip_forward(log, out, chunk_size);
        }
        self.is_paused = is_paused;
    }

    /// `receiveAudio`, `receiveVideo`. What comes back starts with its sequence header.
    pub(super) fn set_wanted(
        &mut self,
        track: Track,
        is_wanted: bool,
        log: &Log,
        out: &mut Vec<u8>,
        chunk_size: u32,
    ) {
        let was_wanted = std::mem::replace(&mut self.is_wanted[track.index()], is_wanted);
        self.is_steady[track.index()] &= is_wanted || self.output.is_self_contained();
        if was_wanted || !is_wanted {
            return;
        }
        let Some(cursor) = self.cursor else {
            return;
        };
        self.awaits_keyframe |= track == Track::Video;
        let now = log
            .get(cursor.seq)
            .map_or_else(|| self.start_dts(), |entry| entry.frame.dts());
        let headers = log.headers();
        for frame in headers.iter().filter(|frame| frame.track() == track) {
            self.copy_whole(frame, now, out, chunk_size);
        }
    }

    /// Makes ready what comes next. `out` gets what must be sent before it (sequence headers,
    /// frames that need an extended timestamp); `run` is reused when it fits and replaced when not.
    pub(super) fn prepare<'log>(
        &mut self,
        log: &'log Log,
        run: &mut Option<Run<'log>>,
        out: &mut Vec<u8>,
        chunk_size: u32,
    ) -> (Next, bool) {
        let mut was_lapped = false;
        if self.in_flight.is_some() {
            return (Next::InFlight, was_lapped);
        }
        if self.is_paused {
            return (Next::Nothing, was_lapped);
        }
        if self.cursor.is_none() {
            match log.join_point() {
                Some(join) => self.join(log, &join, out, chunk_size),
                None => return (Next::Nothing, was_lapped),
            }
        }
        loop {
            let Some(cursor) = self.cursor else {
                return (Next::Nothing, was_lapped);
            };
            if cursor.is_lapped(log) {
                was_lapped = true;
                self.skip_forward(log, out, chunk_size);
                let place = self.cursor.map_or(cursor.seq, |cursor| cursor.seq);
                self.skips += 1;
                self.frames_skipped += place.0.saturating_sub(cursor.seq.0);
                continue;
            }
            let Some(entry) = log.get(cursor.seq) else {
                return (Next::Nothing, was_lapped);
            };
            if self.base.is_none() {
                self.base = first_dts(log, cursor.seq);
                if self.base.is_none() {
                    return (Next::Nothing, was_lapped);
                }
            }
            let track = entry.frame.track().index();
            if !self.is_wanted[track] || self.must_wait_for_keyframe(&entry.frame) {
                self.is_steady[track] = self.output.is_self_contained();
                self.cursor = Some(cursor.next());
                continue;
            }
            if self.is_steady[track] && !entry.is_detached {
                self.collect_run(log, cursor.seq, run);
                return (Next::Run, was_lapped);
            }
            self.start_with_own_header(&entry.frame, out, chunk_size);
            self.cursor = Some(cursor.next());
            if self.in_flight.is_some() {
                return (Next::InFlight, was_lapped);
            }
        }
    }

    /// Notes that `written` bytes of the frame in flight are out.
    pub(super) fn advance_in_flight(&mut self, written: usize) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.advance(written);
            if in_flight.remaining() == 0 {
                self.in_flight = None;
            }
        }
    }

    /// Notes that `written` bytes of the run are out.
    pub(super) fn advance_run(&mut self, run: &Run<'_>, log: &Log, mut written: usize) {
        if written == run.bytes {
            self.cursor = Some(Cursor { seq: run.end });
            return;
        }
        let mut seq = run.start;
        for entry in log.iter_from(run.start) {
            let len = entry.frame.wire_len();
            if written < len {
                if written > 0 {
                    let frame = Arc::clone(&entry.frame);
                    self.in_flight = Some(InFlight::partly_sent(frame, written));
                    seq = seq.next();
                }
                break;
            }
            written -= len;
            seq = seq.next();
        }
        self.cursor = Some(Cursor { seq });
    }

    fn join(&mut self, log: &Log, join: &JoinPoint, out: &mut Vec<u8>, chunk_size: u32) {
        self.base = first_dts(log, join.seq);
        self.cursor = Some(Cursor { seq: join.seq });
        self.is_steady = [self.output.is_self_contained(); 3];
        self.awaits_keyframe = false;
        self.send_headers(&join.headers, self.start_dts(), out, chunk_size);
    }

    /// Leaves out what it missed: on to the latest keyframe if that is ahead, else to the end of
    /// the log, where video waits for its next keyframe.
    fn skip_forward(&mut self, log: &Log, out: &mut Vec<u8>, chunk_size: u32) {
        let Some(cursor) = self.cursor else {
            return;
        };
        self.is_steady = [self.output.is_self_contained(); 3];
        let ahead = log.join_point().filter(|join| cursor.seq <= join.seq);
        let (seq, headers) = match &ahead {
            Some(join) => (join.seq, &join.headers),
            None => (log.end(), log.headers()),
        };
        self.awaits_keyframe = ahead.is_none();
        self.cursor = Some(Cursor { seq });
        let now = log.get(seq).map_or_else(
            || {
                log.iter_from(log.first())
                    .last()
                    .map_or_else(|| self.start_dts(), |entry| entry.frame.dts())
            },
            |entry| entry.frame.dts(),
        );
        self.send_headers(headers, now, out, chunk_size);
    }

    fn must_wait_for_keyframe(&mut self, frame: &Frame) -> bool {
        if !self.awaits_keyframe || frame.track() != Track::Video {
            return false;
        }
        if frame.flags().is_keyframe {
            self.awaits_keyframe = false;
        }
        self.awaits_keyframe && frame.flags().standing.is_none()
    }

    fn collect_run<'log>(&self, log: &'log Log, start: FrameSeq, run: &mut Option<Run<'log>>) {
        if run.as_ref().is_none_or(|run| run.start != start) {
            *run = Some(Run::collect(log, start, [true; 3]));
        }
        if !run
            .as_ref()
            .is_some_and(|run| run.fits(start, self.is_steady))
        {
            *run = Some(Run::collect(log, start, self.is_steady));
        }
    }

    fn start_with_own_header(&mut self, frame: &Arc<Frame>, out: &mut Vec<u8>, chunk_size: u32) {
        let (message_type, csid) = lane(frame.track());
        let timestamp = self.rebased(frame.dts());
        self.is_steady[frame.track().index()] = true;
        if timestamp >= header::TIMESTAMP_EXTENDED {
            self.copy_whole(frame, frame.dts(), out, chunk_size);
            return;
        }
        let header = header::fmt0(csid, timestamp, frame.body().len(), message_type, self.msid);
        self.in_flight = Some(InFlight::with_own_header(Arc::clone(frame), header));
    }

    fn send_headers(&self, headers: &Headers, dts: i64, out: &mut Vec<u8>, chunk_size: u32) {
        for frame in headers.iter() {
            if self.is_wanted[frame.track().index()] {
                self.copy_whole(frame, dts, out, chunk_size);
            }
        }
    }

    /// The whole message: of RTMP chunked anew, with an absolute timestamp.
    fn copy_whole(&self, frame: &Frame, dts: i64, out: &mut Vec<u8>, chunk_size: u32) {
        if self.output.is_self_contained() {
            let mut slices = Vec::new();
            frame.push_wire(0, &mut slices);
            slices.iter().for_each(|slice| out.extend_from_slice(slice));
            return;
        }
        let (message_type, csid): (MessageType, ChunkStreamId) = lane(frame.track());
        encode_message(
            out,
            chunk_size,
            csid,
            self.msid,
            message_type,
            self.rebased(dts),
            frame.body(),
        );
    }

    fn start_dts(&self) -> i64 {
        self.base.unwrap_or(0)
    }

    /// Milliseconds since the subscriber's 0, on the wire's 32 bits. What goes before its first
    /// sound or picture is at 0.
    fn rebased(&self, dts: i64) -> u32 {
        let elapsed = self.base.map_or(0, |base| dts.saturating_sub(base).max(0));
        u32::try_from(elapsed & i64::from(u32::MAX)).expect("masked to 32 bits")
    }
}

/// The lowest dts among the first frames of the tracks from `seq` on; `None` while there is
/// neither sound nor picture. Sound that belongs before the joined keyframe can come behind it,
/// and must not end up below 0.
fn first_dts(log: &Log, seq: FrameSeq) -> Option<i64> {
    let first_of = |track| {
        log.iter_from(seq)
            .map(|entry| &entry.frame)
            .find(|frame| frame.track() == track && frame.flags().standing.is_none())
            .map(|frame| frame.dts())
    };
    let picture = first_of(Track::Video);
    let sound = first_of(Track::Audio);
    let sound_to_come = picture.and_then(|_| log.last_sound());
    picture.into_iter().chain(sound.or(sound_to_come)).min()
}

#[cfg(test)]
mod tests;
