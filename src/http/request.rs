//! Bytes to requests (RFC 9112 §2 to §6, §9): one at a time, however the bytes are cut.
//!
//! ```text
//! GET /live/cam.flv HTTP/1.1 CRLF │ name: value CRLF ... │ CRLF │ body, Content-Length bytes
//! └──────────────────── head: at most head_bytes_max ──────────┘ └ at most body_bytes_max ┘
//! ```
//! `httparse` splits the head; what surrounds it is decided here. Where parsers are known to
//! disagree about where a request ends, so that somebody could hide a second one in it, this one
//! refuses: two lengths, a length and a transfer coding, folded lines, a bare CR or LF, space
//! before a colon. Bodies are small and of known length; chunked ones are asked for anew with 411.

mod fault;

use super::status::Status;
use super::target::{Target, TargetError};

pub use fault::{Protocol, Refusal};

/// Header fields of a request, at most; browsers send about 15.
const FIELDS_MAX: usize = 64;

/// What a client may make us hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes from the start of the request line to the empty line, both included.
    pub head_bytes_max: usize,
    /// Bytes of a body. The API's bodies are a line of JSON.
    pub body_bytes_max: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 8 << 10,
            body_bytes_max: 4 << 10,
        }
    }
}

/// The methods that some route has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Changes nothing.
    Get,
    /// As GET, without the body of the answer.
    Head,
    /// Changes something.
    Post,
    /// Asks what is allowed: a browser's preflight.
    Options,
    /// Removes something.
    Delete,
}

impl Method {
    /// As in the request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Options => "OPTIONS",
            Self::Delete => "DELETE",
        }
    }

    fn parse(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            "DELETE" => Self::Delete,
            "PUT" | "PATCH" | "TRACE" | "CONNECT" => return Err(Refusal::MethodNotAllowed),
            _ => return Err(Refusal::MethodUnknown),
        })
    }

    /// Whether a request with this method has a body that means something.
    fn takes_body(self) -> bool {
        matches!(self, Self::Post | Self::Delete)
    }
}

/// The versions that are served. Ordered: 1.0 comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// No chunked coding; the connection closes unless it is asked to stay.
    Http10,
    /// The connection stays unless it is asked to close.
    Http11,
}

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// With what.
    pub target: Target,
    /// What the client understands.
    pub version: Version,
    /// Whether the client wants to send another request on this connection.
    pub is_keep_alive: bool,
    /// The body; `len() <= body_bytes_max`, and empty unless the method takes one.
    pub body: Vec<u8>,
    /// Names in lower case and values, in order; at most [`FIELDS_MAX`].
    fields: Vec<(String, String)>,
}

impl Request {
    /// The value of a field, by its name in lower case; the first one where there are several.
    /// Bytes that are not UTF-8 are replaced.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields_named(name).next()
    }

    /// Whether a field that is a list (`Connection`, `Upgrade`) has this member, in any case.
    pub fn lists(&self, name: &str, member: &str) -> bool {
        self.fields_named(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(member))
    }

    /// Host and port by which the client knows us; `None` of some HTTP/1.0 clients. Pages of
    /// other sites can point a name of theirs at us, but not hide it here.
    pub fn host(&self) -> Option<&str> {
        let authority = self.target.authority.as_deref();
        authority.or_else(|| self.field("host"))
    }

    /// The token of `Authorization: Bearer ...`.
    pub fn bearer_token(&self) -> Option<&str> {
        let (scheme, token) = self.field("authorization")?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_start())
    }

    /// Whether the client has a copy of what `etag` names, quotes included, and asks only whether
    /// that is still right: 304.
    pub fn has_copy(&self, etag: &str) -> bool {
        self.fields_named("if-none-match")
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|copy| copy == "*" || copy.strip_prefix("W/").unwrap_or(copy) == etag)
    }

    fn fields_named(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn count(&self, name: &str) -> usize {
        self.fields_named(name).count()
    }
}

/// Collects the bytes of one request after the other.
///
/// After a [`Refusal`] the connection is to be closed once the answer is out: where the next
/// request would begin is not known. Every later call gives the same refusal.
#[derive(Debug)]
pub struct RequestReader {
    limits: RequestLimits,
    /// The head as far as it came; `len() <= head_bytes_max`.
    head: Vec<u8>,
    /// Line breaks before the request line, which count as part of the head.
    skipped: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Head,
    /// Waits for the rest of the body.
    Body {
        request: Box<Request>,
        length: usize,
        /// The client waits for 100 before it sends the body.
        awaits_continue: bool,
    },
    Refused(Refusal),
}

impl RequestReader {
    /// At the start of a connection.
    pub fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            head: Vec::new(),
            skipped: 0,
            state: State::Head,
        }
    }

    /// Takes bytes from the front of `input`, up to the end of the request at most. The answer is
    /// how many, and the request when it is whole. Bytes that were not taken belong to what comes
    /// next: another request, or the frames of a WebSocket.
    ///
    /// # Errors
    /// [`Refusal`]: answer with its status, if it has one, and close.
    pub fn handle_input(&mut self, input: &[u8]) -> Result<(usize, Option<Request>), Refusal> {
        let taken = self.take(input);
        if let Err(refusal) = &taken {
            self.state = State::Refused(*refusal);
            self.head = Vec::new();
        }
        taken
    }

    /// True once for a request whose body is awaited by us and whose client awaits
    /// `HTTP/1.1 100 Continue` first.
    pub fn poll_continue(&mut self) -> bool {
        match &mut self.state {
            State::Body {
                awaits_continue, ..
            } => std::mem::take(awaits_continue),
            _ => false,
        }
    }

    /// Whether nothing of a next request has come: closing now cuts nobody short.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Head) && self.head.is_empty() && self.skipped == 0
    }

    fn take(&mut self, input: &[u8]) -> Result<(usize, Option<Request>), Refusal> {
        let mut taken = 0;
        if let State::Refused(refusal) = self.state {
            return Err(refusal);
        }
        if matches!(self.state, State::Head) {
            let (of_head, is_whole) = self.take_head(input)?;
            taken = of_head;
            if !is_whole {
                return Ok((taken, None));
            }
            let (request, length) = read_head(&self.head, self.limits.body_bytes_max)?;
            self.head.clear();
            self.skipped = 0;
            if length == 0 {
                return Ok((taken, Some(request)));
            }
            self.state = State::Body {
                // A client of HTTP/1.0 would take the interim answer for the final one.
                awaits_continue: request.count("expect") > 0 && request.version > Version::Http10,
                request: Box::new(request),
                length,
            };
        }
        let rest = input.get(taken..).unwrap_or_default();
        let (of_body, request) = self.take_body(rest);
        Ok((taken + of_body, request))
    }

    /// Takes bytes up to the empty line; true when that is in.
    fn take_head(&mut self, input: &[u8]) -> Result<(usize, bool), Refusal> {
        for (index, &byte) in input.iter().enumerate() {
            // RFC 9112 §2.2: a line break too many behind the body before is passed over.
            if self.head.is_empty() && matches!((byte, self.skipped % 2), (b'\r', 0) | (b'\n', 1)) {
                self.skipped += 1;
            } else {
                if self.skipped % 2 == 1 {
                    return Err(Refusal::BareLineBreak);
                }
                self.check_byte(byte)?;
                self.head.push(byte);
            }
            if self.head.len() + self.skipped > self.limits.head_bytes_max {
                let is_first_line = !self.head.is_empty() && !self.head.contains(&b'\n');
                return Err(match is_first_line {
                    true => Refusal::Target(TargetError::TooLong),
                    false => Refusal::HeadTooLarge,
                });
            }
            if self.head.ends_with(b"\r\n\r\n") {
                return Ok((index + 1, true));
            }
        }
        Ok((input.len(), false))
    }

    /// What can be said of the next byte by those before it. To look at each byte as it comes
    /// makes the answer the same however the input is cut.
    fn check_byte(&self, byte: u8) -> Result<(), Refusal> {
        let before = self.head.last().copied();
        match (before, byte) {
            (None, 0x16) => Err(Refusal::NotHttp(Protocol::Tls)),
            (None, 0x03) => Err(Refusal::NotHttp(Protocol::Rtmp)),
            (None, byte) if !byte.is_ascii_alphabetic() => {
                Err(Refusal::NotHttp(Protocol::Unknown(byte)))
            }
            (Some(b'\r'), b'\n') => Ok(()),
            (Some(b'\r'), _) | (_, b'\n') => Err(Refusal::BareLineBreak),
            (_, 0) => Err(Refusal::Malformed),
            _ => Ok(()),
        }
    }

    fn take_body(&mut self, input: &[u8]) -> (usize, Option<Request>) {
        let State::Body {
            request, length, ..
        } = &mut self.state
        else {
            return (0, None);
        };
        let wanted = length.saturating_sub(request.body.len());
        let piece = input.get(..wanted).unwrap_or(input);
        request.body.extend_from_slice(piece);
        if request.body.len() < *length {
            return (piece.len(), None);
        }
        match std::mem::replace(&mut self.state, State::Head) {
            State::Body { request, .. } => (piece.len(), Some(*request)),
            _ => (piece.len(), None),
        }
    }
}

/// A whole head to a request without its body, and the length of that.
fn read_head(head: &[u8], body_bytes_max: usize) -> Result<(Request, usize), Refusal> {
    if head.starts_with(b"PRI * HTTP/2.0\r\n") {
        return Err(Refusal::NotHttp(Protocol::Http2));
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(size)) if size == head.len() => {}
        Ok(_) => return Err(Refusal::Malformed),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        Err(httparse::Error::Version) if names_version(head) => {
            return Err(Refusal::VersionUnknown);
        }
        Err(_) => return Err(Refusal::Malformed),
    }
    let (Some(method), Some(path), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Refusal::Malformed);
    };
    let method = Method::parse(method)?;
    let target = Target::parse(path).map_err(Refusal::Target)?;
    if target.is_asterisk && method != Method::Options {
        return Err(Refusal::Malformed);
    }
    let fields = parsed.headers.iter().map(|field| {
        let value = String::from_utf8_lossy(field.value).trim().to_owned();
        (field.name.to_ascii_lowercase(), value)
    });
    let version = match version {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let mut request = Request {
        method,
        target,
        version,
        is_keep_alive: false,
        body: Vec::new(),
        fields: fields.collect(),
    };
    request.is_keep_alive = match version {
        Version::Http10 => request.lists("connection", "keep-alive"),
        Version::Http11 => true,
    } && !request.lists("connection", "close");
    check_host(&request)?;
    check_expectation(&request)?;
    let length = body_length(&request, body_bytes_max)?;
    Ok((request, length))
}

/// Whether the request line has its three parts, and the last one is a version of HTTP.
fn names_version(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\r');
    let mut words = lines.next().unwrap_or_default().split(|&byte| byte == b' ');
    let version = words.nth(2).and_then(|word| word.strip_prefix(b"HTTP/"));
    let is_number = |text: &[u8]| matches!(text, [b'0'..=b'9', ..]);
    version.is_some_and(is_number) && words.next().is_none()
}

/// RFC 9112 §3.2: exactly one in HTTP/1.1.
fn check_host(request: &Request) -> Result<(), Refusal> {
    let is_needed = request.version == Version::Http11;
    let is_right = match (request.count("host"), request.field("host")) {
        (0, _) => !is_needed,
        // An empty one is what a client sends that has no name for us (§3.2.3).
        (1, Some(host)) => host.is_empty() || super::target::is_authority(host),
        _ => false,
    };
    is_right.then_some(()).ok_or(Refusal::Host)
}

fn check_expectation(request: &Request) -> Result<(), Refusal> {
    let is_known = |value: &str| value.eq_ignore_ascii_case("100-continue");
    match request.fields_named("expect").all(is_known) {
        true => Ok(()),
        false => Err(Refusal::Expectation),
    }
}

/// Bytes of body behind the head (RFC 9112 §6.3), stricter than that where parsers disagree.
fn body_length(request: &Request, body_bytes_max: usize) -> Result<usize, Refusal> {
    let lengths = request.count("content-length");
    if request.count("transfer-encoding") > 0 {
        if lengths > 0 || request.version == Version::Http10 {
            return Err(Refusal::AmbiguousLength);
        }
        return Err(match request.field("transfer-encoding") {
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => Refusal::LengthMissing,
            _ => Refusal::CodingUnknown,
        });
    }
    let Some(length) = request.field("content-length") else {
        return Ok(0);
    };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    if lengths != 1 || !is_number {
        return Err(Refusal::AmbiguousLength);
    }
    // Digits alone: what does not fit is too large.
    let length = length.parse().unwrap_or(usize::MAX);
    if length > 0 && !request.method.takes_body() {
        return Err(Refusal::BodyUnexpected);
    }
    if length > body_bytes_max {
        return Err(Refusal::BodyTooLarge);
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
