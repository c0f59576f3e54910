//! L2: one RTMP conversation in plain words, for whoever wants to know why a peer does not get
//! through.
//!
//! ```text
//! bytes of the peer ─► Lane (handshake, chunks) ─┐
//!                                                ├─► Narrator ─► lines, verdict
//! bytes of ours ─────► Lane (handshake, chunks) ─┘      └─► Course (asked, answered, media)
//! ```
//! The narrator looks on: it is fed what crossed the socket in either direction, and the time of
//! it. So it serves the server (`--trace`), the clients (`doctor`) and recorded conversations
//! alike. No I/O, no clock, bounded memory, no panic on any bytes.
//!
//! What peers say goes to terminals and logs: control characters are left out, long texts are cut,
//! and what stands behind a `?` (tokens, answers to challenges) and user names and passwords in
//! URLs are not told. Names of live streams are, as everywhere in this program.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod advice;
mod course;
mod media;
mod narrator;
mod text;
mod verdict;
mod words;

pub use narrator::{Ending, Line, Narrator, Role, Side};
pub use verdict::{Stage, State, Step, Verdict};
