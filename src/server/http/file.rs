//! Bodies that lie in memory in pieces shared by all who are sent them: files of a playlist, pictures.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::http::range::Part;
use crate::http::request::{Method, Request};
use crate::http::response::{Access, Caching, Framing, Head};
use crate::http::status::Status;

/// Copied for the socket at a time. The rest stays shared, so that a client that does not read costs
/// no copy of a segment.
const COPY_BYTES: usize = 64 * 1024;

/// Something to be sent whole, or in part if the client asks for that.
#[derive(Debug, Clone)]
pub(in crate::server) struct File {
    pub(in crate::server) media_type: &'static str,
    pub(in crate::server) caching: Caching,
    /// In order.
    pub(in crate::server) pieces: Vec<Arc<[u8]>>,
}

impl File {
    /// The head of the answer, and the body that follows it.
    pub(super) fn answer(self, request: &Request) -> (Head, Body) {
        let length: usize = self.pieces.iter().map(|piece| piece.len()).sum();
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        // Of what changes all the time no part fits another; HEAD has no ranges (RFC 9110 §14.2).
        let has_ranges = self.caching != Caching::Never && request.method == Method::Get;
        let field = request.field("range").filter(|_| has_ranges);
        let part = Part::of(field, length);
        let (status, range) = match &part {
            Part::Whole => (Status::Ok, 0..length),
            Part::Bytes(bytes) => (Status::PartialContent, bytes.clone()),
            Part::Unsatisfiable => (Status::RangeNotSatisfiable, 0..0),
        };
        let framing = Framing::Length(range.end - range.start);
        let mut head = Head::new(status, framing, Access::Shared)
            .caching(self.caching)
            .content_type(self.media_type);
        if self.caching != Caching::Never {
            head = head.field("Accept-Ranges", "bytes");
        }
        if let Some(range) = part.content_range(length) {
            head = head.field("Content-Range", range);
        }
        let body = match request.method {
            Method::Head => Body::default(),
            _ => Body::new(self.pieces, range),
        };
        (head, body)
    }
}

/// What is left of a body that is being sent.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// None is empty.
    pieces: VecDeque<Arc<[u8]>>,
    /// Bytes of the first piece that are out: fewer than it has.
    sent: usize,
    /// Bytes of all pieces that are to be sent yet.
    left: u64,
}

impl Body {
    /// The bytes `range` of these pieces.
    fn new(pieces: Vec<Arc<[u8]>>, range: Range<u64>) -> Self {
        let mut body = Self {
            pieces: pieces.into(),
            sent: 0,
            left: range.end.saturating_sub(range.start),
        };
        let mut skip = usize::try_from(range.start).unwrap_or(usize::MAX);
        while let Some(first) = body.pieces.front().filter(|first| first.len() <= skip) {
            skip -= first.len();
            body.pieces.pop_front();
        }
        body.sent = skip;
        body
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0 || self.pieces.is_empty()
    }

    /// The next bytes, some at a time; nothing at the end.
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while let Some(first) = self.pieces.front().filter(|_| self.left > 0) {
            let left = usize::try_from(self.left).unwrap_or(usize::MAX);
            let room = (COPY_BYTES - out.len()).min(left);
            let rest = first.get(self.sent..).unwrap_or_default();
            let taken = rest.get(..room).unwrap_or(rest);
            out.extend_from_slice(taken);
            self.left -= u64::try_from(taken.len()).unwrap_or(self.left);
            self.sent += taken.len();
            if self.sent < first.len() {
                break;
            }
            self.pieces.pop_front();
            self.sent = 0;
            if out.len() == COPY_BYTES {
                break;
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn pieces(lengths: &[usize]) -> (Vec<Arc<[u8]>>, Vec<u8>) {
        let mut next = (0..=250).cycle();
        let pieces: Vec<Arc<[u8]>> = lengths
            .iter()
            .map(|length| next.by_ref().take(*length).collect())
            .collect();
        let whole = pieces.concat();
        (pieces, whole)
    }

    #[test]
    fn a_range_is_cut_out_of_the_pieces() {
        for lengths in [
            &[][..],
            &[0],
            &[1],
            &[3, 0, 4],
            &[10, 20],
            &[COPY_BYTES, 1],
            &[COPY_BYTES * 2 + 5, 0, 7],
        ] {
            let (pieces, whole) = pieces(lengths);
            let ends = [0, 1, 2, 3, 5, 29, COPY_BYTES, whole.len()];
            for start in ends {
                for end in ends {
                    if start > end || end > whole.len() {
                        continue;
                    }
                    let range = start as u64..end as u64;
                    let mut body = Body::new(pieces.clone(), range);
                    let mut got = Vec::new();
                    while let Some(bytes) = body.poll() {
                        assert!(bytes.len() <= COPY_BYTES);
                        got.extend(bytes);
                    }
                    assert!(body.is_empty());
                    assert_eq!(got, &whole[start..end], "{lengths:?} {start}..{end}");
                }
            }
        }
    }
}
