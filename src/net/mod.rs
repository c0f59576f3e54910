//! L2: socket mechanics shared by server and clients; knows no protocol.

#![forbid(unsafe_code)]

pub mod mailbox;
pub mod socket;
pub mod timers;
