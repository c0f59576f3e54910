//! Where the subscribers of a load test get a live stream when not by RTMP: `http://HOST/APP/KEY.flv`
//! or `.mp4`.

use std::fmt;

use crate::http::route::Container;
use crate::rtmp::url::{self, RtmpUrl, UrlError};

/// Port of `http://` without a port.
const PORT_DEFAULT: u16 = 80;

/// What a person should have typed.
const EXPECTED: &str = "expected http://HOST[:PORT]/APP/KEY.flv or .mp4";

/// A live stream over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSource {
    /// Host and port of HTTP; app and key without the ending.
    url: RtmpUrl,
    container: Container,
}

/// Why a text names no live stream over HTTP; `Display` says what is expected instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// TLS.
    #[error("https:// is not supported; {EXPECTED}")]
    Tls,
    /// Neither `.flv` nor `.mp4`.
    #[error("the path does not end in .flv or .mp4; {EXPECTED}")]
    Ending,
    /// A user and a password, which are sent by RTMP only.
    #[error("users and passwords are not sent over HTTP; {EXPECTED}")]
    User,
    /// Host, port or path.
    #[error("{}; {EXPECTED}", .0.fault())]
    Url(#[from] UrlError),
}

impl HttpSource {
    /// Reads what a person typed; `None` for another scheme than `http` and `https`.
    ///
    /// # Errors
    /// [`SourceError`]
    pub fn parse(text: &str) -> Option<Result<Self, SourceError>> {
        let (scheme, rest) = text.trim().split_once("://")?;
        if scheme.eq_ignore_ascii_case("https") {
            return Some(Err(SourceError::Tls));
        }
        scheme
            .eq_ignore_ascii_case("http")
            .then(|| Self::parse_rest(rest))
    }

    fn parse_rest(rest: &str) -> Result<Self, SourceError> {
        // The rest is as in a URL of RTMP, but for the port that is not said.
        let mut url = RtmpUrl::parse(&format!("rtmp://{rest}"))?;
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(SourceError::User);
        }
        let host = authority.rsplit(']').next().unwrap_or_default();
        if !host.contains(':') {
            url.port = PORT_DEFAULT;
        }
        let (name, query) = match url.stream_name.split_once('?') {
            Some((name, query)) => (name, Some(query)),
            None => (&*url.stream_name, None),
        };
        let (name, container) = if let Some(name) = name.strip_suffix(".flv") {
            (name, Container::Flv)
        } else if let Some(name) = name.strip_suffix(".mp4") {
            (name, Container::Mp4)
        } else {
            return Err(SourceError::Ending);
        };
        if name.is_empty() {
            return Err(UrlError::NoPath.into());
        }
        url.stream_name = match query {
            Some(query) => format!("{name}?{query}"),
            None => name.to_owned(),
        };
        Ok(Self { url, container })
    }

    /// The same live stream by RTMP: on the usual port of the same host, or at `address`, which is
    /// `HOST[:PORT]`.
    ///
    /// # Errors
    /// [`UrlError`] of the address.
    pub fn by_rtmp(&self, address: Option<&str>) -> Result<RtmpUrl, UrlError> {
        let mut url = self.url.clone();
        match address {
            None => url.port = url::PORT_DEFAULT,
            Some(address) => {
                let given = RtmpUrl::parse(&format!("rtmp://{address}/a/b"))?;
                (url.host, url.port) = (given.host, given.port);
            }
        }
        Ok(url)
    }

    /// Its host and port, in a URL whose scheme means nothing.
    pub(super) fn place(&self) -> &RtmpUrl {
        &self.url
    }

    pub(super) fn container(&self) -> Container {
        self.container
    }

    /// `/APP/KEY.flv`, of this or another key.
    fn path(&self, key: &str) -> String {
        let ending = match self.container {
            Container::Flv => "flv",
            Container::Mp4 => "mp4",
        };
        match &*self.url.app {
            "" => format!("/{key}.{ending}"),
            app => format!("/{app}/{key}.{ending}"),
        }
    }

    /// What is asked for, of the stream with this key and query.
    pub(super) fn request(&self, stream_name: &str) -> Vec<u8> {
        let (key, query) = match stream_name.split_once('?') {
            Some((key, query)) => (key, format!("?{query}")),
            None => (stream_name, String::new()),
        };
        let path = self.path(key);
        let host = self.url.address();
        format!(
            "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\n\
             User-Agent: millstream-bench\r\nAccept: */*\r\n\r\n"
        )
        .into_bytes()
    }
}

/// As it was typed, without a password, and always with the port.
impl fmt::Display for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.address();
        let key = self.url.stream_name.split('?').next().unwrap_or_default();
        write!(f, "http://{host}{}", self.path(key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_url_names_what_is_asked_for_and_what_is_published() {
        for (text, line, rtmp) in [
            (
                "http://127.0.0.1:8080/live/test.flv",
                "GET /live/test.flv HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n",
                "rtmp://127.0.0.1/live/test",
            ),
            (
                "http://127.0.0.1:1935/live/test.flv",
                "GET /live/test.flv HTTP/1.1\r\nHost: 127.0.0.1:1935\r\n",
                "rtmp://127.0.0.1/live/test",
            ),
            (
                "HTTP://box/a/b/c.d.mp4?token=1",
                "GET /a/b/c.d.mp4?token=1 HTTP/1.1\r\nHost: box:80\r\n",
                "rtmp://box/a/b/c.d?token=1",
            ),
            (
                "http://[::1]:81/live/x.flv",
                "GET /live/x.flv HTTP/1.1\r\nHost: [::1]:81\r\n",
                "rtmp://[::1]/live/x",
            ),
            (
                "http://[::1]/live/x.flv",
                "GET /live/x.flv HTTP/1.1\r\nHost: [::1]:80\r\n",
                "rtmp://[::1]/live/x",
            ),
        ] {
            let source = HttpSource::parse(text).unwrap().unwrap();
            let url = source.by_rtmp(None).unwrap();
            assert_eq!(url.to_string(), rtmp);
            let request = String::from_utf8(source.request(&url.stream_name)).unwrap();
            assert!(request.starts_with(line), "{request}");
        }
        let source = HttpSource::parse("http://a:8080/live/x.flv")
            .unwrap()
            .unwrap();
        for (address, rtmp) in [
            ("b", "rtmp://b/live/x"),
            ("b:19350", "rtmp://b:19350/live/x"),
        ] {
            assert_eq!(source.by_rtmp(Some(address)).unwrap().to_string(), rtmp);
        }
        assert!(source.by_rtmp(Some("b:0x")).is_err());
    }

    #[test]
    fn the_port_is_shown() {
        for (text, shown) in [
            ("http://a:1935/live/x.flv", "http://a:1935/live/x.flv"),
            ("http://a/live/x.mp4", "http://a:80/live/x.mp4"),
            ("http://a/x.mp4", "http://a:80/x.mp4"),
        ] {
            let source = HttpSource::parse(text).unwrap().unwrap();
            assert_eq!(source.to_string(), shown);
        }
    }

    #[test]
    fn other_urls_are_not_taken() {
        assert_eq!(HttpSource::parse("rtmp://a/live/x"), None);
        assert_eq!(HttpSource::parse("a/live/x.flv"), None);
        for (text, error) in [
            ("https://a/live/x.flv", SourceError::Tls),
            ("http://u:p@a/live/x.flv", SourceError::User),
            ("http://a/live/x", SourceError::Ending),
            ("http://a/live/x.m3u8", SourceError::Ending),
            ("http://a/live/.flv", SourceError::Url(UrlError::NoPath)),
            ("http://a/", SourceError::Url(UrlError::NoPath)),
            ("http:///live/x.flv", SourceError::Url(UrlError::NoHost)),
            (
                "http://a:99999/live/x.flv",
                SourceError::Url(UrlError::Port),
            ),
        ] {
            assert_eq!(HttpSource::parse(text), Some(Err(error)), "{text}");
            let said = error.to_string();
            assert!(said.ends_with(EXPECTED) && !said.contains("rtmp"), "{said}");
        }
    }
}
