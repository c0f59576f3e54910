//! The pages: our own HTML, CSS and JavaScript, compiled in, and how they are answered.
//!
//! ```text
//! /            dashboard.html ─┐
//! /watch/...   watch.html ─────┴─► page.css, icon.svg
//!                                  dashboard.js ─► words.js, by-video.js
//!                                  watch.js ─► words.js, by-webcodecs.js, by-media-source.js, by-hls.js
//!                                                             └─► codecs.js, feed.js, by-video.js ◄┘
//! ```
//! Nothing in them is of another origin, and nothing is put into them here: they learn the name of
//! a live stream from their own address and show it as text. A browser keeps them and asks each
//! time whether its copy is still right (RFC 9110 §8.8.3, §13.1.2), so that a new version of the
//! program is never mixed with pages of the old one.

use super::request::Request;
use super::response::{Access, Caching, Framing, Head};
use super::status::Status;

mod lean;

/// A file of the pages.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    /// Of the bytes, so that it changes with them.
    hash: u64,
}

/// A file of `src/http/pages`, as it is sent.
macro_rules! asset {
    ($name:literal, $media_type:expr) => {{
        const FILE: &[u8] = include_bytes!(concat!("pages/", $name));
        static SENT: [u8; lean::length(FILE)] = lean::text(FILE);
        Asset::new($name, $media_type, &SENT)
    }};
}

/// `/`
pub static DASHBOARD: Asset = asset!("dashboard.html", HTML);

/// `/watch/APP/KEY`
pub static WATCH: Asset = asset!("watch.html", HTML);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Everything that is under `/assets/`.
static ASSETS: [Asset; 11] = [
    asset!("page.css", "text/css; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("dashboard.js", SCRIPT),
    asset!("watch.js", SCRIPT),
    asset!("words.js", SCRIPT),
    asset!("feed.js", SCRIPT),
    asset!("codecs.js", SCRIPT),
    asset!("by-webcodecs.js", SCRIPT),
    asset!("by-media-source.js", SCRIPT),
    asset!("by-hls.js", SCRIPT),
    asset!("by-video.js", SCRIPT),
];

impl Asset {
    const fn new(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self {
            name,
            media_type,
            bytes,
            hash: fnv_1a(bytes),
        }
    }

    /// The file of this name; browsers ask for `favicon.ico` without being told to.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = match name {
            "favicon.ico" => "icon.svg",
            name => name,
        };
        ASSETS.iter().find(|asset| asset.name == name)
    }

    /// The answer to a request for it: the head, and the body of a GET; without one if the client
    /// has a copy.
    pub fn answer(&self, request: &Request) -> (Head, &'static [u8]) {
        let etag = format!("\"{:016x}\"", self.hash);
        let (head, body): (Head, &[u8]) = if request.has_copy(&etag) {
            let head = Head::new(Status::NotModified, Framing::Nothing, Access::Page);
            (head, &[])
        } else {
            let length = Framing::Length(self.bytes.len() as u64);
            let head = Head::new(Status::Ok, length, Access::Page).content_type(self.media_type);
            (head, self.bytes)
        };
        (head.caching(Caching::Revalidated).field("ETag", etag), body)
    }
}

/// FNV-1a of 64 bits: enough to tell versions of a file apart, and reckoned by the compiler.
const fn fnv_1a(mut bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    while let Some((first, rest)) = bytes.split_first() {
        hash = (hash ^ *first as u64).wrapping_mul(0x0000_0100_0000_01b3);
        bytes = rest;
    }
    hash
}

#[cfg(test)]
mod tests;
