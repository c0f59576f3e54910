//! Why bytes are not taken as a request, and what is answered.

use super::Status;
use crate::http::target::TargetError;

/// Why a request is refused; `Display` is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The first byte is of another protocol.
    #[error("this is not HTTP/1.x but {0}")]
    NotHttp(Protocol),
    /// The head is larger than `head_bytes_max`, or has too many fields.
    #[error("the head of the request is too large")]
    HeadTooLarge,
    /// The body is larger than `body_bytes_max`.
    #[error("the body of the request is too large")]
    BodyTooLarge,
    /// CR or LF without the other, with which requests are hidden in requests.
    #[error("a line break that is not CR LF")]
    BareLineBreak,
    /// Not the syntax of RFC 9112: also a folded line, a space before a colon, NUL.
    #[error("the request is malformed")]
    Malformed,
    /// HTTP, but not 1.0 or 1.1.
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    VersionUnknown,
    /// A method that no RFC has, or none that we heard of.
    #[error("the method is unknown")]
    MethodUnknown,
    /// A method that nothing here has.
    #[error("nothing here has this method")]
    MethodNotAllowed,
    /// The target.
    #[error("the target of the request: {0}")]
    Target(TargetError),
    /// `Host` is missing, there twice, or is no host.
    #[error("the Host field is missing, there twice, or names no host")]
    Host,
    /// `Expect` other than `100-continue`.
    #[error("an expectation other than 100-continue")]
    Expectation,
    /// Where the body ends can be read in two ways.
    #[error("the length of the body is ambiguous")]
    AmbiguousLength,
    /// A chunked body.
    #[error("a body needs a Content-Length")]
    LengthMissing,
    /// A transfer coding other than `chunked`.
    #[error("the transfer coding is unknown")]
    CodingUnknown,
    /// A body behind GET, HEAD or OPTIONS.
    #[error("a body that the method has no use for")]
    BodyUnexpected,
}

impl Refusal {
    /// What to answer; `None` to a peer that would not understand any answer.
    pub fn status(self) -> Option<Status> {
        Some(match self {
            Self::NotHttp(Protocol::Http2) | Self::VersionUnknown => Status::VersionNotSupported,
            Self::NotHttp(Protocol::Tls | Protocol::Rtmp) => return None,
            Self::HeadTooLarge => Status::HeaderFieldsTooLarge,
            Self::BodyTooLarge => Status::ContentTooLarge,
            Self::MethodUnknown | Self::CodingUnknown => Status::NotImplemented,
            Self::MethodNotAllowed => Status::MethodNotAllowed,
            Self::Target(TargetError::TooLong) => Status::UriTooLong,
            Self::Expectation => Status::ExpectationFailed,
            Self::LengthMissing => Status::LengthRequired,
            Self::NotHttp(Protocol::Unknown(_))
            | Self::BareLineBreak
            | Self::Malformed
            | Self::Target(_)
            | Self::Host
            | Self::AmbiguousLength
            | Self::BodyUnexpected => Status::BadRequest,
        })
    }
}

/// What a peer speaks instead, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Protocol {
    /// The record of a TLS client's hello: `https://` where it should be `http://`.
    #[error("TLS; use http:// with this port")]
    Tls,
    /// Version 3 of an RTMP handshake.
    #[error("RTMP; this is the port for HTTP")]
    Rtmp,
    /// The preface of HTTP/2 without an upgrade.
    #[error("HTTP/2")]
    Http2,
    /// No method begins with this byte.
    #[error("something that begins with byte {0:#04x}")]
    Unknown(u8),
}
