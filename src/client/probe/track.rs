//! What audio and video tracks have in common: sequence headers, sizes, timestamps.

use std::time::Duration;

use super::clock::Clock;
use super::notes::{Notes, Quirk};
use super::report::{BitrateReport, HeaderReport};
use super::tally::Seconds;

/// The frames of a track, whatever is in them.
#[derive(Debug, Clone)]
pub(super) struct Track {
    /// `video` or `audio`.
    pub(super) kind: &'static str,
    pub(super) id: u8,
    pub(super) frames: u64,
    pub(super) clock: Clock,
    seconds: Seconds,
    headers: HeaderReport,
    header: Option<Vec<u8>>,
}

impl Track {
    pub(super) fn new(kind: &'static str, id: u8) -> Self {
        Self {
            kind,
            id,
            frames: 0,
            clock: Clock::default(),
            seconds: Seconds::default(),
            headers: HeaderReport::default(),
            header: None,
        }
    }

    /// Takes a sequence header; whether it is another one than before, or the first.
    pub(super) fn on_header(&mut self, payload: &[u8], notes: &mut Notes) -> bool {
        self.headers.count += 1;
        match &self.header {
            Some(known) if known == payload => {
                self.headers.repeated += 1;
                notes.add(Quirk::SequenceHeaderRepeated(self.kind));
                return false;
            }
            Some(_) => {
                self.headers.changed += 1;
                notes.add(Quirk::SequenceHeaderChanged(self.kind));
            }
            None => {}
        }
        self.header = Some(payload.to_vec());
        true
    }

    /// Whether a sequence header came.
    pub(super) fn has_header(&self) -> bool {
        self.header.is_some()
    }

    /// Takes a frame; returns its stream time, milliseconds.
    pub(super) fn on_frame(&mut self, arrival: Duration, timestamp: u32, bytes: usize) -> i64 {
        self.frames += 1;
        let time_ms = self.clock.advance(arrival, timestamp);
        self.seconds.add(time_ms, bytes as u64);
        time_ms
    }

    pub(super) fn headers(&self) -> HeaderReport {
        self.headers
    }

    pub(super) fn bitrate(&self) -> BitrateReport {
        let bits = |bytes: u64| bytes as f64 * 8.0;
        BitrateReport {
            // The last frame lasts as long as the others do.
            mean: self.clock.span().map(|span| {
                let frames = self.frames as f64;
                bits(self.seconds.total()) / (span.as_secs_f64() * frames / (frames - 1.0))
            }),
            peak: self.seconds.peak().map(bits),
            bytes: self.seconds.total(),
        }
    }
}
