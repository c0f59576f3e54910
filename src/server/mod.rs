//! L3: the server: a listening thread and workers, each of which owns its connections.
//!
//! ```text
//!   listener ── Post::Accepted ──► worker ◄── Post, Feed ──► worker
//!                                    │
//!   socket ─► Connection ─► ServerSession ─► requests ─► Registry (control plane, one lock)
//!                              │ media
//!                              ▼
//!                          Publisher ─► Frame ─► LiveStream ─► Rendition (Log) ─► Subscriber ─► socket
//!                                                    └─ Feed, once per interested worker
//! ```
//! A connection is on one worker at a time; only one of HTTP ever goes to another, where the files of
//! a playlist or the latest picture are. Per frame no lock is taken and no thread but the
//! publisher's worker and the interested ones does anything.

#![forbid(unsafe_code)]

mod admission;
mod api;
mod config;
mod connection;
mod doze;
mod flight;
mod framing;
mod hls;
mod http;
mod listener;
mod live_stream;
mod mail;
mod metrics;
mod notes;
mod path_pattern;
mod posts;
mod protocol;
mod publisher;
mod registry;
mod rendition;
mod requests;
mod still;
mod stop;
mod subscriber;
mod trace;
mod worker;

pub use config::{
    ApiConfig, Config, Flush, PathConfig, PathRule, ServerLimits, ServerTimers, Takeover,
};
pub use flight::FlightConfig;
pub use listener::{ReloadHandle, Server, StartError};
pub use metrics::{Counter, Metrics};
pub use notes::{Note, NoteCounters, Noted, Notes};
pub use path_pattern::{PathPattern, PathPatternError};
pub use stop::StopHandle;
