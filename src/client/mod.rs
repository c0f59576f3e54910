//! L3: the clients, push and pull: one RTMP connection each, driven by a mio poll.
//!
//! ```text
//!   Input ─► Feed ─► push ─► Connection(ClientSession) ─► socket
//!   Output ◄─ Join ◄─ pull ◄─ Connection(ClientSession) ◄─ socket
//! ```
//! They print nothing: what a person should know goes through [`Report`].

#![forbid(unsafe_code)]

mod backoff;
pub mod bench;
mod connection;
pub mod doctor;
mod error;
mod feed;
mod input;
mod join;
mod login;
mod manner;
mod mp4_file;
mod output;
mod pacing;
pub mod probe;
pub mod pull;
pub mod push;
mod reactor;
mod report;
mod retry;
pub mod simulate;
mod witness;

pub use connection::Target;
pub use error::ClientError;
pub use input::{Input, InputError, InputOptions};
pub use mp4_file::{Mp4File, Mp4FileError};
pub use output::{Output, OutputError};
pub use reactor::{Reactor, Stopper};
pub use report::{Detour, Progress, Report, Step};
pub use witness::Witness;
