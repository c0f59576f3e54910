//! Looks on at one connection of a client, for whoever wants its conversation told.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use crate::rtmp::chunk::{ChunkLimits, MESSAGE_BYTES_MAX};
use crate::story::{Ending, Line, Narrator, Role, Side, Verdict};

/// A narrator that a connection and its onlooker share. A report that gives none costs nothing.
#[derive(Clone)]
pub struct Witness {
    start: Instant,
    narrator: Rc<RefCell<Narrator>>,
}

impl Witness {
    /// For a connection that begins now.
    pub(super) fn new() -> Self {
        let limits = ChunkLimits {
            message_size_max: MESSAGE_BYTES_MAX,
            ..ChunkLimits::default()
        };
        Self {
            start: Instant::now(),
            narrator: Rc::new(RefCell::new(Narrator::new(Role::Client, limits))),
        }
    }

    /// Bytes of the server.
    pub(super) fn received(&self, bytes: &[u8]) {
        let at = self.start.elapsed();
        let mut narrator = self.narrator.borrow_mut();
        narrator.handle_bytes(at, Side::Peer, bytes);
    }

    /// Bytes that the socket took.
    pub(super) fn sent(&self, bytes: &[u8]) {
        let at = self.start.elapsed();
        let mut narrator = self.narrator.borrow_mut();
        narrator.handle_bytes(at, Side::We, bytes);
    }

    /// It is over; the first word about that counts.
    pub(super) fn ended(&self, ending: Ending) {
        let at = self.start.elapsed();
        self.narrator.borrow_mut().handle_end(at, ending);
    }

    /// The lines since the last call.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut narrator = self.narrator.borrow_mut();
        std::iter::from_fn(|| narrator.poll_line()).collect()
    }

    /// What to make of it so far.
    pub(super) fn verdict(&self) -> Verdict {
        self.narrator.borrow().verdict()
    }
}

/// Without what was heard.
impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}
