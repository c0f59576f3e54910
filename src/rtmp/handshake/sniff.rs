//! What a connection speaks, from its first bytes: a port is easily mixed up, and "version 80"
//! (the P of POST) helps nobody.

use super::{Guess, VERSION};

/// Beginnings of what is not RTMP. No entry is the beginning of another one.
const SIGNS: [(&[u8], Guess); 19] = [
    (b"GET ", Guess::Http),
    (b"POST ", Guess::Http), // RTMPT among them.
    (b"PUT ", Guess::Http),
    (b"HEAD ", Guess::Http),
    (b"PATCH ", Guess::Http),
    (b"TRACE ", Guess::Http),
    (b"DELETE ", Guess::Http),
    (b"CONNECT ", Guess::Http),
    (b"OPTIONS ", Guess::Http),
    (b"PRI * HTTP/2", Guess::Http),
    (b"HTTP/", Guess::Http), // A server's answer to our C1.
    (b"RTSP/", Guess::Rtsp), // Requests of RTSP begin as those of HTTP may.
    (b"PROXY ", Guess::ProxyHeader),
    (b"\x0D\x0A\x0D\x0A\x00\x0D\x0A", Guess::ProxyHeader), // Version 2.
    (b"\x16\x03", Guess::Tls),                             // Handshake record: a client's hello.
    (b"\x15\x03", Guess::Tls), // Alert record: a server's answer to our C1.
    (b"\x06", Guess::Rtmpe),
    (b"\x08", Guess::Rtmpe),
    (b"\x09", Guess::Rtmpe),
];

/// What begins with `bytes` if it is not RTMP; `None` if it is, or while that is open.
///
/// Depends on the bytes, not on how many arrive at a time: as long as they are the beginning of
/// a sign, more are awaited.
pub fn guess(bytes: &[u8]) -> Option<Guess> {
    let first = *bytes.first()?;
    if first == VERSION {
        return None;
    }
    if let Some((_, guess)) = SIGNS.iter().find(|(sign, _)| bytes.starts_with(sign)) {
        return Some(*guess);
    }
    let is_open = SIGNS.iter().any(|(sign, _)| sign.starts_with(bytes));
    (!is_open).then_some(Guess::Unknown(first))
}
