//! Heads of responses to bytes (RFC 9112 §4, §6, §7.1), and bodies of errors.
//!
//! ```text
//! HTTP/1.1 200 OK CRLF │ name: value CRLF ... │ CRLF │ body, framed as the head says
//! ```
//! What may come from a peer, such as the name of a live stream in an error, is inert: control
//! characters never reach a header, JSON is escaped by its library, and plain text is declared as
//! such with `nosniff`.

use serde::Serialize;

use super::api::ErrorReport;
use super::request::{Method, Refusal, Version};
use super::status::Status;

/// What pages may load: our own files, and media that scripts put together. No inline script or
/// style, no form that leaves, and no frame around it. `'self'` covers our own WebSockets (CSP 3
/// §6.7.2.8); where a browser does not see it so, the pages do without.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// For everything that is no page: should a browser show it, it can do nothing.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes. For HEAD: so many as GET would give.
    Length(u64),
    /// Pieces with their sizes, see `chunked`; HTTP/1.1 only.
    Chunked,
    /// The connection closes behind it.
    UntilClose,
    /// No body, and nothing said of one: of 1xx, 204 and 304.
    Nothing,
}

impl Framing {
    /// How a body without a known end is framed for a client.
    pub fn endless(version: Version) -> Self {
        match version {
            Version::Http10 => Self::UntilClose,
            Version::Http11 => Self::Chunked,
        }
    }
}

/// How long a copy of the body may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Not at all: it is of this moment.
    Never,
    /// After asking whether it is still right (`ETag`).
    Revalidated,
    /// For so many seconds: it has its name for itself and never changes.
    Fixed(u32),
}

/// Who may do what with the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// One of our pages.
    Page,
    /// For our own pages and for programs.
    Own,
    /// Media: any page may read it, without credentials.
    Shared,
}

/// The head of a response.
///
/// ```
/// use millstream::http::request::Version;
/// use millstream::http::response::{Access, Framing, Head};
/// use millstream::http::status::Status;
///
/// let mut out = Vec::new();
/// Head::new(Status::Ok, Framing::Chunked, Access::Shared)
///     .content_type("video/x-flv")
///     .encode(Version::Http11, true, &mut out);
/// assert!(out.starts_with(b"HTTP/1.1 200 OK\r\n") && out.ends_with(b"\r\n\r\n"));
/// ```
#[derive(Debug, Clone)]
pub struct Head {
    status: Status,
    framing: Framing,
    caching: Caching,
    access: Access,
    fields: Vec<(&'static str, String)>,
}

impl Head {
    /// A head that forbids any copy.
    pub fn new(status: Status, framing: Framing, access: Access) -> Self {
        Self {
            status,
            framing,
            caching: Caching::Never,
            access,
            fields: Vec::new(),
        }
    }

    /// Adds a field. Control characters in the value become `?`; there is no field that needs
    /// one, and CR LF would begin the next.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value: String = value.into();
        let value = match value.contains(|c: char| c.is_control()) {
            true => value.replace(|c: char| c.is_control(), "?"),
            false => value,
        };
        self.fields.push((name, value));
        self
    }

    /// Adds `Content-Type`.
    #[must_use]
    pub fn content_type(self, media_type: &str) -> Self {
        self.field("Content-Type", media_type)
    }

    /// Sets how long a copy may be used.
    #[must_use]
    pub fn caching(mut self, caching: Caching) -> Self {
        self.caching = caching;
        self
    }

    /// Adds `Date`, in the form of RFC 9110 §5.6.7; the caller has the clock.
    #[must_use]
    pub fn date(self, date: &str) -> Self {
        self.field("Date", date)
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Appends the head up to the empty line. `keeps` is whether the connection stays for another
    /// request; it does not where the body ends with it, whatever `keeps` is. The answer is
    /// whether it stays.
    pub fn encode(&self, version: Version, keeps: bool, out: &mut Vec<u8>) -> bool {
        let keeps = keeps && self.framing != Framing::UntilClose;
        // RFC 9110 §2.5: the highest version that we speak, also to clients of 1.0.
        let (code, reason) = (self.status.code(), self.status.reason());
        put(out, &format!("HTTP/1.1 {code} {reason}\r\n"));
        let mut field = |name: &str, value: &str| put(out, &format!("{name}: {value}\r\n"));
        for (name, value) in &self.fields {
            field(name, value);
        }
        match self.framing {
            Framing::Length(length) => field("Content-Length", &length.to_string()),
            Framing::Chunked => field("Transfer-Encoding", "chunked"),
            Framing::UntilClose | Framing::Nothing => {}
        }
        if self.status != Status::SwitchingProtocols {
            match (keeps, version) {
                (false, _) => field("Connection", "close"),
                (true, Version::Http10) => field("Connection", "keep-alive"),
                (true, Version::Http11) => {}
            }
            match self.caching {
                Caching::Never => field("Cache-Control", "no-store"),
                Caching::Revalidated => field("Cache-Control", "no-cache"),
                Caching::Fixed(seconds) => field(
                    "Cache-Control",
                    &format!("public, max-age={seconds}, immutable"),
                ),
            }
            field("X-Content-Type-Options", "nosniff");
            match self.access {
                Access::Page => {
                    field("Content-Security-Policy", PAGE_POLICY);
                    field("Referrer-Policy", "no-referrer");
                    field("Cross-Origin-Opener-Policy", "same-origin");
                }
                Access::Own => {
                    field("Content-Security-Policy", DATA_POLICY);
                    field("Cross-Origin-Resource-Policy", "same-origin");
                }
                Access::Shared => {
                    field("Access-Control-Allow-Origin", "*");
                    field("Access-Control-Expose-Headers", "Content-Range");
                    field("Cross-Origin-Resource-Policy", "cross-origin");
                }
            }
        }
        put(out, "\r\n");
        keeps
    }
}

/// The answer to OPTIONS: what is allowed, and for media what pages of other sites may do.
pub fn options(methods: &[Method], access: Access) -> Head {
    let allowed = method_names(methods);
    let head = Head::new(Status::NoContent, Framing::Nothing, access).field("Allow", &*allowed);
    match access {
        Access::Shared => head
            .field("Access-Control-Allow-Methods", allowed)
            .field("Access-Control-Allow-Headers", "Range")
            // Browsers ask again after two hours at the latest.
            .field("Access-Control-Max-Age", "7200"),
        Access::Page | Access::Own => head,
    }
}

/// `GET, HEAD`
pub fn method_names(methods: &[Method]) -> String {
    let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
    names.join(", ")
}

/// What an error's body is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorForm {
    /// Plain text.
    Text,
    /// [`ErrorReport`], as everything under `/api` answers.
    Json,
}

/// The head and the body of an error; `detail` is for a person, and may quote a peer. Fields such
/// as `Allow` can be added to the head.
pub fn error(status: Status, detail: &str, form: ErrorForm, access: Access) -> (Head, Vec<u8>) {
    let (media_type, body) = match form {
        ErrorForm::Text => {
            let detail = detail.replace(|c: char| c.is_control(), "\u{fffd}");
            let text = format!("{} {}: {detail}\n", status.code(), status.reason());
            ("text/plain; charset=utf-8", text.into_bytes())
        }
        ErrorForm::Json => {
            let report = ErrorReport {
                status: status.code(),
                error: detail.to_owned(),
            };
            ("application/json", json(&report))
        }
    };
    let length = Framing::Length(body.len() as u64);
    (
        Head::new(status, length, access).content_type(media_type),
        body,
    )
}

/// The head and the body of what a peer is told whose request was refused: the connection closes
/// behind it. `None` for a peer that would not understand it.
pub fn refused(refusal: Refusal) -> Option<(Head, Vec<u8>)> {
    let status = refusal.status()?;
    let (mut head, body) = error(status, &refusal.to_string(), ErrorForm::Text, Access::Own);
    if status == Status::MethodNotAllowed {
        // Those that something here has.
        let methods = [Method::Get, Method::Head, Method::Post, Method::Options];
        head = head.field("Allow", method_names(&methods));
    }
    Some((head, body))
}

/// A report as JSON with a line break behind it. `<`, `>` and `&` are written as escapes, so that
/// not even a reader that takes it for HTML finds a tag.
pub fn json(report: &impl Serialize) -> Vec<u8> {
    // Reports are plain data with text keys: nothing about them can fail.
    let text = serde_json::to_string(report).unwrap_or_default();
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out.push('\n');
    out.into_bytes()
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn encode(head: &Head, version: Version, keeps: bool) -> (String, bool) {
        let mut out = Vec::new();
        let keeps = head.encode(version, keeps, &mut out);
        (String::from_utf8(out).unwrap(), keeps)
    }

    #[test]
    fn a_head_says_how_its_body_ends() {
        use Version::{Http10, Http11};
        for (framing, version, keeps, kept, lines) in [
            (
                Framing::Length(5),
                Http11,
                true,
                true,
                "Content-Length: 5\r\n",
            ),
            (
                Framing::Length(0),
                Http11,
                false,
                false,
                "Content-Length: 0\r\nConnection: close\r\n",
            ),
            (
                Framing::Length(5),
                Http10,
                true,
                true,
                "Content-Length: 5\r\nConnection: keep-alive\r\n",
            ),
            (
                Framing::endless(Http11),
                Http11,
                true,
                true,
                "Transfer-Encoding: chunked\r\n",
            ),
            (
                Framing::endless(Http10),
                Http10,
                true,
                false,
                "Connection: close\r\n",
            ),
            (Framing::Nothing, Http11, true, true, ""),
        ] {
            let head = Head::new(Status::Ok, framing, Access::Shared).content_type("video/x-flv");
            let expected = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n{lines}Cache-Control: no-store\r\n\
                 X-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\n\
                 Access-Control-Expose-Headers: Content-Range\r\n\
                 Cross-Origin-Resource-Policy: cross-origin\r\n\r\n"
            );
            assert_eq!(encode(&head, version, keeps), (expected, kept));
        }
    }

    #[test]
    fn access_is_as_small_as_it_can_be() {
        let text = |access| {
            let head = Head::new(Status::Ok, Framing::Length(0), access);
            encode(&head, Version::Http11, true).0
        };
        let page = text(Access::Page);
        assert!(page.contains("default-src 'none'; script-src 'self'"));
        assert!(!page.contains("unsafe"));
        for access in [Access::Page, Access::Own] {
            assert!(!text(access).contains("Access-Control"), "{access:?}");
        }
        assert!(text(Access::Own).contains("sandbox"));
        let preflight = options(&[Method::Get, Method::Head], Access::Shared);
        let (preflight, _) = encode(&preflight, Version::Http11, true);
        assert!(preflight.starts_with("HTTP/1.1 204 No Content\r\nAllow: GET, HEAD\r\n"));
        assert!(preflight.contains("Access-Control-Allow-Methods: GET, HEAD\r\n"));
        assert!(!preflight.contains("Content-Length"));
        let (own, _) = encode(
            &options(&[Method::Post], Access::Own),
            Version::Http11,
            true,
        );
        assert!(own.contains("Allow: POST\r\n") && !own.contains("Access-Control"));
    }

    #[test]
    fn nobody_adds_a_header_through_a_value() {
        let head = Head::new(Status::Ok, Framing::Nothing, Access::Own)
            .field("X-Name", "a\r\nSet-Cookie: b\0\u{7f}\u{85}c")
            .date("Tue, 24 Nov 2026 00:00:00 GMT");
        let (text, _) = encode(&head, Version::Http11, true);
        assert!(text.contains("X-Name: a??Set-Cookie: b???c\r\n"));
        assert!(text.contains("\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\n"));
    }

    #[test]
    fn caching_is_said() {
        let line = |caching| {
            let head = Head::new(Status::Ok, Framing::Length(1), Access::Own).caching(caching);
            let (text, _) = encode(&head, Version::Http11, true);
            let mut lines = text.lines();
            let line = lines.find_map(|line| line.strip_prefix("Cache-Control: "));
            line.unwrap().to_owned()
        };
        assert_eq!(line(Caching::Never), "no-store");
        assert_eq!(line(Caching::Revalidated), "no-cache");
        assert_eq!(line(Caching::Fixed(60)), "public, max-age=60, immutable");
    }

    #[test]
    fn refusals_close_the_connection() {
        use crate::http::request::Protocol;
        let text = |refusal| {
            let (head, body) = refused(refusal)?;
            let (head, keeps) = encode(&head, Version::Http11, false);
            assert!(!keeps);
            Some(head + &String::from_utf8(body).unwrap())
        };
        let put = text(Refusal::MethodNotAllowed).unwrap();
        assert!(put.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        assert!(put.contains("\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
        assert!(put.contains("\r\nConnection: close\r\n"));
        assert!(put.ends_with("405 Method Not Allowed: nothing here has this method\n"));
        assert!(!text(Refusal::HeadTooLarge).unwrap().contains("Allow"));
        assert_eq!(text(Refusal::NotHttp(Protocol::Tls)), None);
    }

    #[test]
    fn errors_quote_names_inertly() {
        let detail = "no live stream live/\"<script>alert(1)</script>\r\n\u{2028}&";
        let (head, body) = error(Status::NotFound, detail, ErrorForm::Json, Access::Own);
        assert_eq!(head.status(), Status::NotFound);
        let text = String::from_utf8(body).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\r']));
        assert_eq!(text.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["error"], detail);
        assert_eq!(value["status"], 404);
        let (head, body) = error(Status::NotFound, detail, ErrorForm::Text, Access::Own);
        let text = String::from_utf8(body).unwrap();
        assert!(text.starts_with("404 Not Found: no live stream live/\"<script>"));
        assert_eq!(text.matches(['\r', '\n']).count(), 1);
        let (head, _) = encode(&head, Version::Http11, false);
        assert!(head.contains("Content-Type: text/plain; charset=utf-8\r\n"));
        assert!(
            head.contains("nosniff") && head.contains(&format!("Content-Length: {}", text.len()))
        );
    }
}
