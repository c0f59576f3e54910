//! L1: HTTP/1.x without I/O: bytes to requests, targets to typed routes, responses to bytes.
//!
//! Knows no media and no live stream: what a route needs is looked up by `server`, which sees
//! parsed requests and never HTTP text. RFC 9110 (semantics), RFC 9112 (messages).
//!
//! ```text
//! bytes ─► RequestReader ─► Request ─► Route::of ─► (server) ─► Head::encode ─► bytes
//!               └─ Refusal ─► its status, and the connection closes
//! ```

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod api;
pub mod chunked;
pub mod escape;
pub mod guard;
pub mod pages;
pub mod range;
pub mod request;
pub mod response;
pub mod route;
pub mod status;
pub mod target;
#[cfg(test)]
mod testing;
pub mod websocket;
