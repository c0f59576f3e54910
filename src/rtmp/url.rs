//! RTMP URLs: what a person types, split into what `connect`, `publish` and `play` carry; and
//! back at the server, what those carried, joined into the path of a live stream
//! ([`stream_path`]).
//!
//! ```text
//! rtmp://user:password@host:1935/live/inst/cam?token=1
//! │      └── optional ───┘│    │  └─ app ──┘└─ stream name
//! rtmp or rtmps           │    optional: 1935, with rtmps 443
//!                         name, IPv4 address, or IPv6 address in brackets
//! ```
//! There is no standard for the split of the path. ffmpeg takes the first or the first two
//! segments for the app, most others all but the last; servers that join both, as ours does, see
//! no difference. We take all but the last. A URL with one segment has an empty app, which
//! cameras send too; a slash behind it (`rtmp://host/live/`) makes it the app, with an empty
//! stream name.
//!
//! User, password and host are percent-decoded. App and stream name stay as typed, since that is
//! what ffmpeg sends and what servers compare: a server that decodes gets something to decode,
//! one that does not gets the same bytes from every client.

mod stream_path;

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub(crate) use stream_path::split_query;
pub use stream_path::{
    STREAM_PATH_BYTES_MAX, STREAM_QUERY_BYTES_MAX, StreamPath, StreamPathTooLong, stream_path,
};

/// Port of `rtmp://` without a port.
pub const PORT_DEFAULT: u16 = 1935;
/// Port of `rtmps://` without a port.
pub const TLS_PORT_DEFAULT: u16 = 443;
/// Longest URL that is read, bytes.
pub const URL_BYTES_MAX: usize = 4096;

const EXPECTED: &str = "expected rtmp://[user:password@]host[:port]/app/name";

/// Where a live stream is published or played.
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpUrl {
    /// `rtmps`: RTMP inside TLS.
    pub tls: bool,
    /// User in front of the host.
    pub user: Option<String>,
    /// Password; never without a user, and never printed.
    pub password: Option<String>,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port; never 0.
    pub port: u16,
    /// Application, without slashes at its ends; may be empty, may end in a query.
    pub app: String,
    /// Stream key with its query; may be empty if the app is not.
    pub stream_name: String,
}

/// Why a text is not an RTMP URL; `Display` says what is expected instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// More than [`URL_BYTES_MAX`].
    #[error("the URL is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// A space or a control character.
    #[error("the URL contains a space or control character (write a space as %20)")]
    Character,
    /// No `://`.
    #[error("the URL does not start with rtmp://; {}", EXPECTED)]
    NoScheme,
    /// `http`, `rtmpt`, `rtmpe`, ...
    #[error("only rtmp:// URLs are supported; {}", EXPECTED)]
    Scheme,
    /// Nothing between `://` and the path.
    #[error("the URL has no host; {}", EXPECTED)]
    NoHost,
    /// Not a host name.
    #[error(
        "the host name contains a character that no host name has; {}",
        EXPECTED
    )]
    Host,
    /// An IPv6 address without brackets, with one of them, or one that is none.
    #[error("an IPv6 address has to be valid and in brackets, as in rtmp://[::1]:1935/app/name")]
    Ipv6,
    /// Not a number up to 65535.
    #[error("the port is not a number up to 65535; {}", EXPECTED)]
    Port,
    /// Nothing that names a live stream.
    #[error("the URL names no stream behind the host; {}", EXPECTED)]
    NoPath,
}

impl UrlError {
    /// What is wrong, without the URL that is expected instead: for who expects another one.
    pub fn fault(self) -> String {
        let text = self.to_string();
        match text.split_once("; ") {
            Some((fault, _)) => fault.to_owned(),
            None => text,
        }
    }
}

impl RtmpUrl {
    /// Reads what a person typed; space around it is ignored, and so is the case of the scheme.
    ///
    /// # Errors
    /// [`UrlError`]
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (mut url, path) = Self::parse_authority(text)?;
        (url.app, url.stream_name) = split_path(path);
        if url.app.is_empty() && (url.stream_name.is_empty() || url.stream_name.starts_with('?')) {
            return Err(UrlError::NoPath);
        }
        Ok(url)
    }

    /// The URL to go on with when the server asks to reconnect to `tc_url` (Enhanced RTMP v2,
    /// Reconnect Request): a whole one, or one relative to ours that begins with `//`, `/` or the
    /// name of an app. The stream name stays; user and password stay only with the host, because
    /// no server should get another one's password.
    ///
    /// # Errors
    /// [`UrlError`]
    pub fn with_tc_url(&self, tc_url: &str) -> Result<Self, UrlError> {
        let scheme = if self.tls { "rtmps:" } else { "rtmp:" };
        let tc_url = tc_url.trim();
        let whole = if tc_url.contains("://") {
            tc_url.to_owned()
        } else if tc_url.starts_with("//") {
            format!("{scheme}{tc_url}")
        } else {
            let app = tc_url.trim_start_matches('/');
            format!("{scheme}//{}/{app}", self.authority())
        };
        let (mut url, app) = Self::parse_authority(&whole)?;
        url.app = app.trim_matches('/').to_owned();
        url.stream_name.clone_from(&self.stream_name);
        (url.user, url.password) = (None, None);
        if url.host.eq_ignore_ascii_case(&self.host) && url.tls >= self.tls {
            url.user.clone_from(&self.user);
            url.password.clone_from(&self.password);
        }
        Ok(url)
    }

    /// What `connect` carries as `tcUrl`: without user and password, without a default port.
    pub fn tc_url(&self) -> String {
        format!("{}://{}/{}", self.scheme(), self.authority(), self.app)
    }

    /// Host and port as they stand in a URL: IPv6 in brackets, no default port.
    pub fn authority(&self) -> String {
        if self.port == port_default(self.tls) {
            host_in_url(&self.host)
        } else {
            format!("{}:{}", host_in_url(&self.host), self.port)
        }
    }

    /// Host and port, always both, for messages: `cam.example:1935`, `[::1]:1935`. To resolve,
    /// use the two fields.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// `rtmp` or `rtmps`.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "rtmps" } else { "rtmp" }
    }

    /// Reads everything up to the path; returns that too, with its leading slash.
    fn parse_authority(text: &str) -> Result<(Self, &str), UrlError> {
        let text = text.trim();
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => false,
            "rtmps" => true,
            _ => return Err(UrlError::Scheme),
        };
        let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(path_at).unwrap_or((rest, ""));
        // The last @, so that a password may contain one.
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user_info, host_port)) => (Some(user_info), host_port),
            None => (None, authority),
        };
        let (user, password) = user_info.map_or((None, None), split_user_info);
        let (host, port) = split_host_port(host_port)?;
        let url = Self {
            tls,
            user,
            password,
            host,
            port: port.unwrap_or_else(|| port_default(tls)),
            app: String::new(),
            stream_name: String::new(),
        };
        Ok((url, path))
    }
}

impl FromStr for RtmpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// The URL without its password.
impl fmt::Display for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme())?;
        if let Some(user) = &self.user {
            write!(f, "{}@", utf8_percent_encode(user, USER_ENCODED))?;
        }
        write!(f, "{}/", self.authority())?;
        if !self.app.is_empty() {
            write!(f, "{}/", self.app)?;
        }
        f.write_str(&self.stream_name)
    }
}

/// The same, so that no log shows the password by accident.
impl fmt::Debug for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtmpUrl({self})")
    }
}

/// Everything but the unreserved characters of RFC 3986 §2.3.
const USER_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn port_default(tls: bool) -> u16 {
    if tls { TLS_PORT_DEFAULT } else { PORT_DEFAULT }
}

/// Brackets around an IPv6 address; the % of its zone is encoded (RFC 6874).
fn host_in_url(host: &str) -> String {
    if host.contains(':') {
        format!("[{}]", host.replace('%', "%25"))
    } else {
        host.to_owned()
    }
}

/// `user`, `user:password`; an empty user is none, and has no password.
fn split_user_info(user_info: &str) -> (Option<String>, Option<String>) {
    let (user, password) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (user_info, None),
    };
    if user.is_empty() {
        return (None, None);
    }
    (Some(decoded(user)), password.map(decoded))
}

/// Host without brackets, and the port unless it is missing, empty or 0.
fn split_host_port(text: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(UrlError::Ipv6)?;
            let port = match after.strip_prefix(':') {
                Some(port) => port,
                None if after.is_empty() => "",
                None => return Err(UrlError::Ipv6),
            };
            (ipv6_host(host)?, port)
        }
        None => {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            if port.contains(':') {
                return Err(UrlError::Ipv6);
            }
            (named_host(host)?, port)
        }
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    // `u16::from_str` would take a plus sign.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UrlError::Port);
    }
    let port = port.parse::<u16>().map_err(|_| UrlError::Port)?;
    Ok((host, Some(port).filter(|&port| port != 0)))
}

fn named_host(text: &str) -> Result<String, UrlError> {
    if text.is_empty() {
        return Err(UrlError::NoHost);
    }
    let host = decoded(text);
    let is_foreign = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || c == char::REPLACEMENT_CHARACTER
            || "/?#@:[]<>\"'`\\^{|}%,;=&+*!$()".contains(c)
    };
    if host.contains(is_foreign) {
        return Err(UrlError::Host);
    }
    Ok(host)
}

/// An address and perhaps a zone: `fe80::1%25eth0`, or as most type it, `fe80::1%eth0`.
fn ipv6_host(text: &str) -> Result<String, UrlError> {
    let host = decoded(text);
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host.as_str(), None),
    };
    address.parse::<Ipv6Addr>().map_err(|_| UrlError::Ipv6)?;
    let is_zone = |zone: &str| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    if zone.is_some_and(|zone| !is_zone(zone)) {
        return Err(UrlError::Ipv6);
    }
    Ok(host)
}

/// App and stream name of a path with its query.
fn split_path(path: &str) -> (String, String) {
    let path = path.trim_start_matches('/');
    let (segments, query) = match path.find('?').and_then(|at| path.split_at_checked(at)) {
        Some((segments, query)) => (segments, query),
        None => (path, ""),
    };
    // `app?token=1/name`: where services give a server URL with a query and a separate key, and
    // both were pasted into one. Only for an app of one segment, since a token behind the name may
    // contain a slash too.
    if !segments.contains('/') && !segments.is_empty() {
        let ends_at = query
            .match_indices('?')
            .nth(1)
            .map_or(query.len(), |(at, _)| at);
        let app_query = query.get(..ends_at).unwrap_or(query);
        if let Some((app_query, _)) = app_query.rsplit_once('/')
            && let Some(name) = query.get(app_query.len() + 1..)
            && !name.is_empty()
        {
            return (format!("{segments}{app_query}"), name.to_owned());
        }
    }
    let trimmed = segments.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((app, name)) => (
            app.trim_end_matches('/').to_owned(),
            format!("{name}{query}"),
        ),
        None if trimmed.len() < segments.len() => (trimmed.to_owned(), query.to_owned()),
        None => (String::new(), path.to_owned()),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
