//! The fuzz bodies: ordinary functions that take bytes and panic when an invariant is broken.
//!
//! libFuzzer drives them through `fuzz_targets`, and the integration tests replay the corpus
//! through them on stable. Beside "no input may panic" each asserts what its subject promises:
//! the same result however the bytes are cut, bounds, and that what was read can be written and
//! read again.

mod amf;
mod annexb;
mod authentication;
mod chunk;
mod codecs;
mod config;
mod flight;
mod flv;
mod forms;
mod handshake;
mod http;
mod live;
mod narrator;
mod pieces;
mod sessions;
mod url;
mod websocket;

pub use amf::amf;
pub use annexb::annexb;
pub use authentication::authentication;
pub use chunk::chunk;
pub use codecs::codecs;
pub use config::config;
pub use flight::flight;
pub use flv::flv;
pub use forms::forms;
pub use handshake::handshake;
pub use http::http;
pub use live::live;
pub use narrator::narrator;
pub use sessions::{client_session, server_session};
pub use url::url;
pub use websocket::websocket;

/// A fuzz body.
pub type Body = fn(&[u8]);

/// Every fuzz body by its name, which is also the name of its corpus folder.
pub const BODIES: &[(&str, Body)] = &[
    ("handshake", handshake),
    ("chunk", chunk),
    ("amf", amf),
    ("flv", flv),
    ("server_session", server_session),
    ("client_session", client_session),
    ("annexb", annexb),
    ("url", url),
    ("forms", forms),
    ("codecs", codecs),
    ("authentication", authentication),
    ("config", config),
    ("flight", flight),
    ("live", live),
    ("narrator", narrator),
    ("http", http),
    ("websocket", websocket),
];
