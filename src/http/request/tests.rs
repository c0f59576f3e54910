//! Requests as clients send them, and as attackers do.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::http::target::TargetError;
use crate::http::testing::pieces;

/// All requests in `input`, fed in pieces that end where `cuts` says; and what ended it.
fn read(input: &[u8], cuts: &[usize]) -> (Vec<Request>, Option<Refusal>) {
    let mut reader = RequestReader::new(RequestLimits::default());
    let mut requests = Vec::new();
    for mut piece in pieces(input, cuts) {
        while !piece.is_empty() {
            match reader.handle_input(piece) {
                Ok((taken, request)) => {
                    assert!(taken > 0, "no progress");
                    piece = &piece[taken..];
                    requests.extend(request);
                }
                Err(refusal) => {
                    // It stays refused.
                    assert_eq!(reader.handle_input(b"GET / HTTP/1.1\r\n"), Err(refusal));
                    return (requests, Some(refusal));
                }
            }
        }
    }
    (requests, None)
}

fn one(input: &str) -> Request {
    let (mut requests, refusal) = read(input.as_bytes(), &[]);
    assert_eq!(refusal, None, "{input}");
    assert_eq!(requests.len(), 1, "{input}");
    requests.remove(0)
}

#[track_caller]
fn refused(input: &[u8], refusal: Refusal, status: Option<u16>) {
    let (requests, found) = read(input, &[]);
    let shown = String::from_utf8_lossy(input);
    assert_eq!(requests, [], "{shown}");
    assert_eq!(found, Some(refusal), "{shown}");
    assert_eq!(refusal.status().map(Status::code), status, "{shown}");
    let each: Vec<usize> = (0..input.len()).collect();
    assert_eq!(
        read(input, &each),
        (requests, found),
        "byte by byte: {shown}"
    );
}

/// As Chromium 156 sends it, shortened.
const CHROMIUM: &str = "GET /live/cam.mp4?token=a HTTP/1.1\r\nHost: localhost:8080\r\n\
    Connection: keep-alive\r\nsec-ch-ua-platform: \"Linux\"\r\nAccept: */*\r\n\
    Sec-Fetch-Site: same-origin\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n";

#[test]
fn a_browser_is_understood() {
    let request = one(CHROMIUM);
    assert_eq!(request.method, Method::Get);
    assert_eq!(request.version, Version::Http11);
    assert!(request.is_keep_alive);
    assert_eq!(request.target.segments, ["live", "cam.mp4"]);
    assert_eq!(request.host(), Some("localhost:8080"));
    assert_eq!(request.field("sec-fetch-site"), Some("same-origin"));
    assert_eq!(request.field("Accept"), None, "names are in lower case");
    assert!(request.lists("accept-encoding", "BR"));
    assert!(!request.lists("accept-encoding", "b"));
}

#[test]
fn connections_stay_as_the_versions_say() {
    for (head, is_kept) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            false,
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, Close\r\n\r\n",
            false,
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: a\r\nConnection: close\r\n\r\n",
            false,
        ),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            false,
        ),
    ] {
        assert_eq!(one(head).is_keep_alive, is_kept, "{head}");
    }
}

#[test]
fn requests_follow_each_other() {
    let post = "POST /api/v1/kick HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n{\"\"}";
    let all = format!("{CHROMIUM}{post}\r\n{CHROMIUM}");
    let (requests, refusal) = read(all.as_bytes(), &[]);
    assert_eq!(refusal, None);
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[1].body, b"{\"\"}");
    assert_eq!(requests[0], requests[2]);
    // What is behind a request is not taken.
    let mut reader = RequestReader::new(RequestLimits::default());
    let input = format!("{CHROMIUM}\x02\x00");
    let (taken, request) = reader.handle_input(input.as_bytes()).unwrap();
    assert!(request.is_some() && reader.is_idle());
    assert_eq!(taken, CHROMIUM.len());
}

#[test]
fn bodies_have_a_length() {
    let head = |fields: &str| format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    assert_eq!(one(&head("")).body, b"");
    assert_eq!(one(&head("Content-Length: 0\r\n")).body, b"");
    assert_eq!(
        one(&format!("{}abc", head("content-length:3\r\n"))).body,
        b"abc"
    );
    assert_eq!(
        one(&format!("{}abc", head("Content-Length: 003\r\n"))).body,
        b"abc"
    );
    let mut reader = RequestReader::new(RequestLimits::default());
    let waiting = head("Content-Length: 2\r\nExpect: 100-Continue\r\n");
    reader.handle_input(waiting.as_bytes()).unwrap();
    assert!(reader.poll_continue() && !reader.poll_continue() && !reader.is_idle());
    let (_, request) = reader.handle_input(b"ok").unwrap();
    assert_eq!(request.unwrap().body, b"ok");
    assert!(!reader.poll_continue());
    let old = "POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    reader.handle_input(old.as_bytes()).unwrap();
    assert!(!reader.poll_continue(), "HTTP/1.0 knows no interim answers");
}

#[test]
fn what_hides_a_request_is_refused() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n0\r\n\r\n");
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\ncontent-length: 4\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 \u{b}\r\n",
        "Content-Length:\r\n",
    ] {
        let input = post(fields);
        let (requests, refusal) = read(input.as_bytes(), &[]);
        assert_eq!(requests, [], "{fields}");
        assert_eq!(
            refusal.unwrap().status(),
            Some(Status::BadRequest),
            "{fields}"
        );
    }
    use Refusal as R;
    let chunked = post("Transfer-Encoding: Chunked\r\n");
    refused(chunked.as_bytes(), R::LengthMissing, Some(411));
    for coding in [
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "\"chunked\"",
        "xchunked",
    ] {
        let input = post(&format!("Transfer-Encoding: {coding}\r\n"));
        refused(input.as_bytes(), R::CodingUnknown, Some(501));
    }
    for input in [
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding : chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\n Content-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nX: 1\r\n\tContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\n: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nX: \x7F\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nX\u{e9}: 1\r\n\r\n",
        "POST  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /  HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1 \r\nHost: h\r\n\r\n",
        "POST\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let (requests, refusal) = read(input.as_bytes(), &[]);
        assert_eq!(requests, [], "{input:?}");
        let status = refusal.map(|refusal| refusal.status());
        assert_eq!(status, Some(Some(Status::BadRequest)), "{input:?}");
    }
    for input in [
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "\r\rGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        refused(input.as_bytes(), R::BareLineBreak, Some(400));
    }
    refused(
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /",
        R::BodyUnexpected,
        Some(400),
    );
}

#[test]
fn refusals_have_their_status() {
    use Refusal as R;
    let limits = RequestLimits::default();
    for (input, refusal, status) in [
        ("\x16\x03\x01\x02\x00\x01", R::NotHttp(Protocol::Tls), None),
        ("\x03\0\0\0\0", R::NotHttp(Protocol::Rtmp), None),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            R::NotHttp(Protocol::Http2),
            Some(505),
        ),
        ("\0", R::NotHttp(Protocol::Unknown(0)), Some(400)),
        (" GET", R::NotHttp(Protocol::Unknown(b' ')), Some(400)),
        (
            "BREW / HTTP/1.1\r\nHost: h\r\n\r\n",
            R::MethodUnknown,
            Some(501),
        ),
        (
            "get / HTTP/1.1\r\nHost: h\r\n\r\n",
            R::MethodUnknown,
            Some(501),
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\n\r\n",
            R::MethodNotAllowed,
            Some(405),
        ),
        (
            "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
            R::MethodNotAllowed,
            Some(405),
        ),
        (
            "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
            R::VersionUnknown,
            Some(505),
        ),
        (
            "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
            R::VersionUnknown,
            Some(505),
        ),
        ("GET / HTTP/1.1\r\n\r\n", R::Host, Some(400)),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            R::Host,
            Some(400),
        ),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", R::Host, Some(400)),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", R::Host, Some(400)),
        ("GET / HTTP/1.0\r\nHost: a@b\r\n\r\n", R::Host, Some(400)),
        (
            "GET /%2e%2e HTTP/1.0\r\n\r\n",
            R::Target(TargetError::DotSegment),
            Some(400),
        ),
        (
            "GET / HTTP/1.0\r\nExpect: a\r\n\r\n",
            R::Expectation,
            Some(417),
        ),
    ] {
        refused(input.as_bytes(), refusal, status);
    }
    let long = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(4096));
    refused(long.as_bytes(), R::Target(TargetError::TooLong), Some(414));
    let many = format!(
        "GET / HTTP/1.0\r\n{}\r\n",
        "A: b\r\n".repeat(FIELDS_MAX + 1)
    );
    refused(many.as_bytes(), R::HeadTooLarge, Some(431));
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(limits.head_bytes_max));
    refused(endless.as_bytes(), R::HeadTooLarge, Some(431));
    refused(
        "\r\n".repeat(limits.head_bytes_max).as_bytes(),
        R::HeadTooLarge,
        Some(431),
    );
    for length in [limits.body_bytes_max.to_string() + "0", "9".repeat(40)] {
        let large = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
        refused(large.as_bytes(), R::BodyTooLarge, Some(413));
    }
}

#[test]
fn a_head_may_be_as_large_as_the_limit() {
    let max = RequestLimits::default().head_bytes_max;
    let frame = "GET / HTTP/1.0\r\nX: \r\n\r\n";
    let fits = frame.replace("X: ", &format!("X: {}", "a".repeat(max - frame.len())));
    assert_eq!(fits.len(), max);
    assert_eq!(one(&fits).field("x").unwrap().len(), max - frame.len());
}

#[test]
fn fields_are_found() {
    let request = one(
        "GET http://other:1/ HTTP/1.1\r\nHost: h\r\nAuthorization: bearer  abc=\r\n\
         X: \u{e9}\r\nX: 2\r\n\r\n",
    );
    assert_eq!(request.host(), Some("other:1"));
    assert_eq!(request.bearer_token(), Some("abc="));
    assert_eq!(request.field("x"), Some("\u{e9}"));
    let basic = one("GET / HTTP/1.0\r\nAuthorization: Basic abc\r\n\r\n");
    assert_eq!(basic.bearer_token(), None);
    assert_eq!(basic.host(), None);
    // Raw UTF-8 in the path, as curl and ffmpeg send it.
    let raw = one("GET /live/k\u{e4}mera.flv HTTP/1.0\r\n\r\n");
    assert_eq!(raw.target.segments[1], "k\u{e4}mera.flv");
}

#[test]
fn copies_are_known() {
    for (value, has_copy) in [
        ("If-None-Match: \"a\"\r\n", true),
        ("If-None-Match: \"b\", W/\"a\"\r\n", true),
        ("If-None-Match: \"b\"\r\nIf-None-Match: *\r\n", true),
        ("If-None-Match: a\r\n", false),
        ("If-None-Match: \"A\"\r\n", false),
        ("", false),
    ] {
        let request = one(&format!("GET / HTTP/1.0\r\n{value}\r\n"));
        assert_eq!(request.has_copy("\"a\""), has_copy, "{value}");
    }
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same(
        picks in proptest::collection::vec(0_usize..12, 1..6),
        noise in proptest::collection::vec(0_u8..=255, 0..8),
        at in 0_usize..400,
        cuts in proptest::collection::vec(0_usize..900, 0..20),
    ) {
        let pieces: [&[u8]; 12] = [
            CHROMIUM.as_bytes(),
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
            b"\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET ", b"Host: h\r\n", b"\n", b"\r", b"a", b"POST / HTTP/1.1\r\n", b"\x16",
        ];
        let mut input: Vec<u8> = picks.iter().flat_map(|&pick| pieces[pick]).copied().collect();
        let at = at.min(input.len());
        input.splice(at..at, noise);
        let whole = read(&input, &[]);
        prop_assert_eq!(&whole, &read(&input, &cuts));
        let each: Vec<usize> = (0..input.len()).collect();
        prop_assert_eq!(&whole, &read(&input, &each));
    }
}
