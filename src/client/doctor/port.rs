//! What a port speaks that does not speak RTMP: it is greeted in other languages, one connection
//! each, and its first bytes tell.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// How long a connection may take, and then an answer. Whoever speaks a language answers at once.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Bytes of an answer that are looked at.
const ANSWER_MAX: usize = 256;

/// What a port speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Speech {
    Tls,
    Rtsp,
    Http,
    Rtmpe,
    /// It speaks first, and says this.
    Banner(String),
    /// Nothing that we know.
    Unknown,
}

impl Speech {
    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Tls => "rtmp:// is not encrypted: look for the plain RTMP port, mostly 1935",
            Self::Rtsp | Self::Http => "look for the RTMP port, mostly 1935",
            Self::Rtmpe => "encrypted RTMP is not supported: ask the server for plain RTMP",
            Self::Banner(_) | Self::Unknown => "check the port; RTMP is mostly on 1935",
        }
    }
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "speaks TLS (RTMPS or HTTPS), not RTMP",
            Self::Rtsp => "speaks RTSP, not RTMP",
            Self::Http => "speaks HTTP, not RTMP",
            Self::Rtmpe => "speaks encrypted RTMP (RTMPE) only",
            Self::Banner(text) => {
                return write!(f, "does not speak RTMP; it greets with {text:?}");
            }
            Self::Unknown => "does not speak RTMP, nor HTTP, RTSP or TLS",
        })
    }
}

/// Greets `address` in all languages at once; the answers tell what it speaks. Takes twice
/// [`PATIENCE`] at most.
pub(super) fn listen(address: SocketAddr) -> Speech {
    let mut encrypted = vec![0; 1537];
    if let Some(version) = encrypted.first_mut() {
        *version = 6;
    }
    let greetings: [&[u8]; 4] = [
        &client_hello(),
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        &encrypted,
    ];
    thread::scope(|scope| {
        let listeners = greetings.map(|greeting| scope.spawn(move || answer(address, greeting)));
        // A thread that failed has heard nothing.
        let answers = listeners.map(|listener| listener.join().unwrap_or_default());
        answers
            .iter()
            .find_map(|answer| recognise(answer))
            .unwrap_or(Speech::Unknown)
    })
}

/// The first bytes that come after `greeting`; nothing when the connection fails.
fn answer(address: SocketAddr, greeting: &[u8]) -> Vec<u8> {
    let attempt = || -> std::io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.write_all(greeting)?;
        let mut answer = vec![0; ANSWER_MAX];
        let count = socket.read(&mut answer)?;
        answer.truncate(count);
        Ok(answer)
    };
    attempt().unwrap_or_default()
}

fn recognise(answer: &[u8]) -> Option<Speech> {
    Some(match answer {
        [0x15 | 0x16, 3, ..] => Speech::Tls,
        [6 | 8 | 9, ..] => Speech::Rtmpe,
        _ if answer.starts_with(b"RTSP/") => Speech::Rtsp,
        _ if answer.starts_with(b"HTTP/") => Speech::Http,
        // `SSH-2.0-...`, `220 mail...`
        [first, ..] if first.is_ascii_alphanumeric() && answer.len() > 4 => {
            let text = String::from_utf8_lossy(answer);
            let line = text.lines().next().unwrap_or_default();
            let line = line.chars().filter(|letter| !letter.is_control());
            Speech::Banner(line.take(60).collect())
        }
        _ => return None,
    })
}

/// A TLS 1.2 ClientHello (RFC 5246 §7.4.1.2) with common cipher suites: any server of TLS answers
/// it, with a hello or an alert.
fn client_hello() -> Vec<u8> {
    const SUITES: [u8; 14] = [
        0xC0, 0x2F, 0xC0, 0x30, 0xC0, 0x2B, 0xC0, 0x2C, 0x00, 0x9C, 0x00, 0x2F, 0x00, 0x35,
    ];
    /// supported_groups, ec_point_formats, signature_algorithms.
    const EXTENSIONS: [u8; 36] = [
        0x00, 0x0A, 0, 8, 0, 6, 0x00, 0x1D, 0x00, 0x17, 0x00, 0x18, // x25519, P-256, P-384
        0x00, 0x0B, 0, 2, 1, 0, // uncompressed
        0x00, 0x0D, 0, 14, 0, 12, 4, 3, 8, 4, 4, 1, 5, 1, 6, 1, 2, 1,
    ];
    let mut body = vec![3, 3];
    body.extend([0x5A; 32]); // Random; nobody is going to finish this.
    body.extend([0, 0, 14]); // No session id; length of the suites.
    body.extend(SUITES);
    body.extend([1, 0, 0, 36]); // No compression; length of the extensions.
    body.extend(EXTENSIONS);
    let length = u8::try_from(body.len()).expect("the hello is below 256 bytes");
    let mut hello = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_recognised() {
        for (answer, expected) in [
            (&b"HTTP/1.0 200 OK\r\n"[..], Some(Speech::Http)),
            (b"RTSP/1.0 200 OK\r\n", Some(Speech::Rtsp)),
            (&[0x16, 3, 3, 0, 80], Some(Speech::Tls)),
            (&[0x15, 3, 1, 0, 2, 2, 70], Some(Speech::Tls)),
            (&[6, 0, 0, 0], Some(Speech::Rtmpe)),
            (
                b"SSH-2.0-OpenSSH_9\x1b[2J\r\nmore",
                Some(Speech::Banner("SSH-2.0-OpenSSH_9[2J".to_owned())),
            ),
            (b"", None),
            (&[3, 0, 0, 0, 0, 0], None),
            (b"<!D", None),
        ] {
            assert_eq!(recognise(answer), expected);
        }
    }

    #[test]
    #[allow(clippy::indexing_slicing, reason = "tests")]
    fn the_hello_has_the_lengths_that_it_says() {
        let hello = client_hello();
        assert_eq!(usize::from(hello[4]), hello.len() - 5);
        assert_eq!(usize::from(hello[8]), hello.len() - 9);
    }
}
