//! Both ends of an RTMP connection as state machines.
//!
//! The contract of both sessions: feed [`ServerSession::handle_input`] or
//! [`ServerSession::handle_timeout`], then drain `poll_event` and `poll_output` until they
//! return `None`, then wait no longer than `poll_timeout` says. Whatever follows an error is
//! final: send the pending output and close.

mod aggregate;
mod arguments;
#[cfg(test)]
mod back_to_back;
mod capabilities;
mod client;
mod config;
mod connect;
mod error;
mod event;
mod link;
mod note;
mod server;
#[cfg(test)]
mod testing;
mod timers;

pub use capabilities::{CAN_DECODE, CAN_ENCODE, CAN_FORWARD, Capabilities};
pub use client::{ClientSession, ClientState};
pub use config::{ClientConfig, ClientRole, ServerConfig, SessionLimits};
pub use connect::ConnectRequest;
pub use error::{SessionError, TimerKind};
pub use event::{ClientEvent, EndReason, Refusal, Rejection, ServerEvent, Stage};
pub use note::Note;
pub use server::ServerSession;
