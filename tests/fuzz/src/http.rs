//! HTTP requests, as anybody may send them to the port.

use millstream::http::request::{Method, Refusal, Request, RequestLimits, RequestReader};
use millstream::http::route::{Route, STREAM_NAME_BYTES_MAX};

use super::pieces::pieces;

const LIMITS: RequestLimits = RequestLimits {
    head_bytes_max: 512,
    body_bytes_max: 64,
};

/// First byte: where to cut; the rest is what a client sends.
pub fn http(data: &[u8]) {
    let [cut, input @ ..] = data else {
        return;
    };
    let whole = read(std::iter::once(input));
    let split = read(pieces(input, *cut));
    assert_eq!(whole, split, "depends on how the input is cut");
    for request in &whole.0 {
        check(request);
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Request>, Option<Refusal>) {
    let mut reader = RequestReader::new(LIMITS);
    let mut requests = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            match reader.handle_input(piece) {
                Ok((taken, request)) => {
                    assert!(taken > 0, "no progress");
                    piece = &piece[taken..];
                    requests.extend(request);
                }
                Err(refusal) => return (requests, Some(refusal)),
            }
        }
    }
    (requests, None)
}

fn check(request: &Request) {
    assert!(request.body.len() <= LIMITS.body_bytes_max);
    let takes_body = matches!(request.method, Method::Post | Method::Delete);
    assert!(takes_body || request.body.is_empty());
    let target = &request.target;
    for segment in &target.segments {
        assert!(!["", ".", ".."].contains(&segment.as_str()));
        assert!(!segment.contains(|c: char| c == '/' || c.is_control()));
    }
    for (key, value) in target.query_pairs() {
        assert!(!key.contains(char::is_control) && !value.contains(char::is_control));
    }
    let Some(route) = Route::of(target) else {
        return;
    };
    assert!(!route.methods().is_empty());
    // Names of live streams from a path are as those of RTMP; from the API's query they are only
    // looked up.
    if let Some(name) = route.name().filter(|_| !matches!(route, Route::Api(_))) {
        assert!(!name.is_empty() && name.len() <= STREAM_NAME_BYTES_MAX);
        assert!(name.split('/').all(|part| !["", ".", ".."].contains(&part)));
    }
}
