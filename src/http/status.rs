//! The status codes that this server gives (RFC 9110 §15).

/// A status code; its number is [`code`](Self::code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Status {
    /// The connection is a WebSocket from here on.
    SwitchingProtocols = 101,
    /// Here it is.
    Ok = 200,
    /// Will be done.
    Accepted = 202,
    /// Done, and nothing to say.
    NoContent = 204,
    /// The bytes that were asked for.
    PartialContent = 206,
    /// What the client has is still right.
    NotModified = 304,
    /// It is elsewhere, for good.
    PermanentRedirect = 308,
    /// Not a request, or one of which no two parsers think alike.
    BadRequest = 400,
    /// A token is missing or wrong.
    Unauthorized = 401,
    /// Not allowed to this client.
    Forbidden = 403,
    /// There is no such thing.
    NotFound = 404,
    /// The thing is there, but not for this method.
    MethodNotAllowed = 405,
    /// It is not in a form that the client takes, such as a codec that fMP4 cannot hold.
    NotAcceptable = 406,
    /// The client took too long to send its request.
    RequestTimeout = 408,
    /// It clashes with what is going on.
    Conflict = 409,
    /// A body without its length.
    LengthRequired = 411,
    /// A body beyond the limit.
    ContentTooLarge = 413,
    /// A target beyond the limit.
    UriTooLong = 414,
    /// A body of another type than the one that is read.
    UnsupportedMediaType = 415,
    /// No byte of the range is there.
    RangeNotSatisfiable = 416,
    /// An `Expect` other than `100-continue`.
    ExpectationFailed = 417,
    /// A WebSocket of another version than 13.
    UpgradeRequired = 426,
    /// A header section beyond the limit.
    HeaderFieldsTooLarge = 431,
    /// Too often, or too many at once.
    TooManyRequests = 429,
    /// Our fault.
    InternalServerError = 500,
    /// A method or a coding that nobody here knows.
    NotImplemented = 501,
    /// Not now: full, or shutting down.
    ServiceUnavailable = 503,
    /// Another version of HTTP than 1.0 and 1.1.
    VersionNotSupported = 505,
}

impl Status {
    /// The number, 101..=505.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The words behind the number, as the RFCs have them.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SwitchingProtocols => "Switching Protocols",
            Self::Ok => "OK",
            Self::Accepted => "Accepted",
            Self::NoContent => "No Content",
            Self::PartialContent => "Partial Content",
            Self::NotModified => "Not Modified",
            Self::PermanentRedirect => "Permanent Redirect",
            Self::BadRequest => "Bad Request",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::NotAcceptable => "Not Acceptable",
            Self::RequestTimeout => "Request Timeout",
            Self::Conflict => "Conflict",
            Self::LengthRequired => "Length Required",
            Self::ContentTooLarge => "Content Too Large",
            Self::UriTooLong => "URI Too Long",
            Self::UnsupportedMediaType => "Unsupported Media Type",
            Self::RangeNotSatisfiable => "Range Not Satisfiable",
            Self::ExpectationFailed => "Expectation Failed",
            Self::UpgradeRequired => "Upgrade Required",
            Self::HeaderFieldsTooLarge => "Request Header Fields Too Large",
            Self::TooManyRequests => "Too Many Requests",
            Self::InternalServerError => "Internal Server Error",
            Self::NotImplemented => "Not Implemented",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::VersionNotSupported => "HTTP Version Not Supported",
        }
    }

    /// Whether a response with it never has a body (RFC 9110 §6.4.1).
    pub fn is_bodiless(self) -> bool {
        matches!(
            self,
            Self::SwitchingProtocols | Self::NoContent | Self::NotModified
        )
    }
}
