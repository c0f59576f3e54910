//! Millstream: an RTMP server and its push and pull clients.
//!
//! Layers, each of which imports only those below it:
//!
//! | Layer | Modules | Job |
//! |---|---|---|
//! | L4 | `cli` | arguments, terminal, exit codes |
//! | L3 | [`server`], [`client`] | connections, live streams, push, pull |
//! | L2 | [`broadcast`], [`net`], [`story`] | the log of shared frames; sockets, timers, mailboxes; a conversation in plain words |
//! | L1 | [`amf`], [`rtmp`], [`media`], [`http`] | formats and protocols as pure state machines |
//! | L0 | [`wire`] | bounds-checked reading and writing |
//!
//! L0, L1 and [`story`] own no socket, thread, clock, file or log.

pub mod amf;
pub mod broadcast;
pub mod cli;
pub mod client;
pub mod http;
pub mod media;
pub mod net;
pub mod rtmp;
pub mod server;
pub mod story;
pub mod wire;
