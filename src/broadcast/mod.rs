//! L2: the log of shared frames and the cursors that read it.
//!
//! ```text
//!            first                 join point                         end
//!              ▼                       ▼                               ▼
//!   evicted ◄─ [ f ][ f ][ f ][ f ][ K ][ f ][ f ][ f ][ f ][ f ][ f ] ◄─ append
//!                         ▲                  ▲              ▲      ▲▲▲▲▲
//!                     lagging cursor       cursor         cursor   most cursors
//! ```
//! To broadcast is to append once; a subscriber is a [`Cursor`]. A cursor never pins the log: one
//! that the log has moved past is lapped and must join anew.

#![forbid(unsafe_code)]

mod cursor;
mod frame;
mod headers;
mod log;

pub use cursor::{Cursor, InFlight};
pub use frame::{Frame, FrameFlags, Separator, Slot, Track};
pub use headers::Headers;
pub use log::{Entry, FrameSeq, JoinPoint, Log, LogLimits, Prelude};
