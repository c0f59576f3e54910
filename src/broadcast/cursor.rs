//! A reader's place in a log.

use std::io::IoSlice;
use std::sync::Arc;

use super::{Frame, FrameSeq, Log};

/// The next frame that a reader has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Position in the log.
    pub seq: FrameSeq,
}

impl Cursor {
    /// The place behind the next frame.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            seq: self.seq.next(),
        }
    }

    /// Whether the log has moved past it.
    pub fn is_lapped(self, log: &Log) -> bool {
        self.seq < log.first()
    }
}

/// Longest header of its own that a reader can put before a shared body: an RTMP `fmt 0` chunk
/// header with a one-byte csid.
const OWN_HEADER_MAX: usize = 12;

/// A frame that was begun and must be finished before anything else is sent. It is held here,
/// so that the log may evict it meanwhile.
#[derive(Debug)]
pub struct InFlight {
    frame: Arc<Frame>,
    own_header: Option<[u8; OWN_HEADER_MAX]>,
    /// `sent <= wire length`
    sent: usize,
}

impl InFlight {
    /// A frame of which `sent` wire bytes, with the prepared header, are out.
    pub fn partly_sent(frame: Arc<Frame>, sent: usize) -> Self {
        Self {
            frame,
            own_header: None,
            sent,
        }
    }

    /// A frame that is to be sent with this header instead of the prepared one.
    pub fn with_own_header(frame: Arc<Frame>, header: [u8; OWN_HEADER_MAX]) -> Self {
        Self {
            frame,
            own_header: Some(header),
            sent: 0,
        }
    }

    /// Whether nothing of it was sent yet.
    pub fn is_untouched(&self) -> bool {
        self.sent == 0
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        let total = match self.own_header {
            Some(header) => header.len() + self.frame.body_wire_len(),
            None => self.frame.wire_len(),
        };
        total - self.sent
    }

    /// Notes that `count` more bytes are out, `count <= remaining()`.
    pub fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.remaining());
        self.sent += count;
    }

    /// Appends the bytes that are left to `slices`.
    pub fn push_rest<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        match &self.own_header {
            Some(header) => {
                if let Some(rest) = header.get(self.sent..).filter(|rest| !rest.is_empty()) {
                    slices.push(IoSlice::new(rest));
                }
                self.frame
                    .push_body(self.sent.saturating_sub(header.len()), slices);
            }
            None => self.frame.push_wire(self.sent, slices),
        }
    }
}
