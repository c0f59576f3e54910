//! Who may read from the API and who may change something.
//!
//! | Request | needs |
//! |---|---|
//! | reads | nothing on the machine itself ([`Reads::Loopback`]), else the token |
//! | changes state | the token; without one configured nobody may |
//!
//! Pages of other sites are kept out even where a browser on this machine would carry their
//! requests: by the token, which they do not have and cannot send without a preflight that nobody
//! answers; by `Origin` and `Sec-Fetch-Site`; and, where no token is needed, by the name in
//! `Host`, since such a page can make its own name mean 127.0.0.1.

use std::net::IpAddr;

use super::request::Request;
use super::status::Status;

/// Who reads without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reads {
    /// Programs and browsers on this machine, by its addresses or as `localhost`; not through a
    /// proxy.
    #[default]
    Loopback,
    /// Everybody.
    Anybody,
    /// Nobody.
    Nobody,
}

/// What holds for the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy<'a> {
    /// The token that allows everything; `None` and an empty one allow nothing.
    pub token: Option<&'a str>,
    /// Who reads without it.
    pub reads: Reads,
}

/// Why a request is refused; `Display` is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// To be answered with `WWW-Authenticate: Bearer`.
    #[error("this needs a token: Authorization: Bearer TOKEN")]
    TokenMissing,
    /// As [`TokenMissing`](Self::TokenMissing).
    #[error("the token is wrong")]
    TokenWrong,
    /// Nobody may.
    #[error(
        "this needs a token, and the server has none: set api_token in its configuration file, or \
         MILLSTREAM_API_TOKEN"
    )]
    NoToken,
    /// A browser asks for a page of another site.
    #[error("pages of other sites may not ask for this")]
    OtherSite,
    /// A browser on this machine knows us under a name that is not ours.
    #[error("on this machine, ask localhost or an address; by another name it needs a token")]
    OtherHost,
    /// A body that a form of another site could have sent.
    #[error("the body has to be application/json")]
    NotJson,
}

impl Denied {
    /// What to answer.
    pub fn status(self) -> Status {
        match self {
            Self::TokenMissing | Self::TokenWrong => Status::Unauthorized,
            Self::NoToken | Self::OtherSite | Self::OtherHost => Status::Forbidden,
            Self::NotJson => Status::UnsupportedMediaType,
        }
    }
}

impl Policy<'_> {
    /// Whether this request may read. `is_loopback` is whether it came from this machine.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_read(&self, request: &Request, is_loopback: bool) -> Result<(), Denied> {
        if request.field("authorization").is_some() {
            return self.check_token(request);
        }
        if is_of_other_site(request) {
            return Err(Denied::OtherSite);
        }
        match self.reads {
            Reads::Anybody => Ok(()),
            Reads::Loopback if is_loopback && !is_forwarded(request) => {
                let is_own = request.host().is_none_or(is_own_name);
                is_own.then_some(()).ok_or(Denied::OtherHost)
            }
            Reads::Loopback | Reads::Nobody => Err(match self.token() {
                Some(_) => Denied::TokenMissing,
                None => Denied::NoToken,
            }),
        }
    }

    /// Whether this request may change something.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_change(&self, request: &Request) -> Result<(), Denied> {
        self.check_token(request)?;
        if is_of_other_site(request) {
            return Err(Denied::OtherSite);
        }
        let media_type = request.field("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let is_json = media_type.eq_ignore_ascii_case("application/json");
        if !is_json && !request.body.is_empty() {
            return Err(Denied::NotJson);
        }
        Ok(())
    }

    fn token(&self) -> Option<&str> {
        self.token.filter(|token| !token.is_empty())
    }

    fn check_token(&self, request: &Request) -> Result<(), Denied> {
        let token = self.token().ok_or(Denied::NoToken)?;
        let given = request.bearer_token().ok_or(Denied::TokenMissing)?;
        is_same(token, given)
            .then_some(())
            .ok_or(Denied::TokenWrong)
    }
}

/// Compares without telling by the time where the first difference is.
fn is_same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
    one.len() == other.len() && difference == 0
}

/// Whether a browser says that the page that asks is not one of ours. Programs say nothing.
fn is_of_other_site(request: &Request) -> bool {
    let site = request.field("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    // `null` is the origin of files and of frames that are locked in.
    let origin = request.field("origin");
    origin.is_some_and(|origin| match origin.split_once("://") {
        Some((scheme, authority)) => {
            let default_port = if scheme == "https" { ":443" } else { ":80" };
            let plain = |name: &str| {
                let name = name.to_ascii_lowercase();
                name.strip_suffix(default_port)
                    .map_or_else(|| name.clone(), str::to_owned)
            };
            request.host().map(plain) != Some(plain(authority))
        }
        None => true,
    })
}

/// Whether a proxy passed it on: then loopback is the proxy's address, not the client's.
fn is_forwarded(request: &Request) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| request.field(name).is_some())
}

/// Whether no name server had a say in it: an address, or `localhost`.
fn is_own_name(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or_default();
        return address.parse::<IpAddr>().is_ok();
    }
    let name = host.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::http::request::{RequestLimits, RequestReader};

    /// A request with these lines behind the first one.
    fn request(method: &str, lines: &str, body: &str) -> Request {
        let length = body.len();
        let text = format!(
            "{method} /api/v1/kick HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
        );
        let mut reader = RequestReader::new(RequestLimits::default());
        reader.handle_input(text.as_bytes()).unwrap().1.unwrap()
    }

    const SECRET: Policy<'_> = Policy {
        token: Some("s3cret"),
        reads: Reads::Loopback,
    };

    const OPEN: Policy<'_> = Policy {
        token: None,
        reads: Reads::Anybody,
    };

    #[track_caller]
    fn check_read(policy: Policy<'_>, lines: &str, is_loopback: bool, denied: Option<Denied>) {
        let found = policy.may_read(&request("GET", lines, ""), is_loopback);
        assert_eq!(found.err(), denied, "{lines}");
    }

    #[test]
    fn this_machine_reads() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "cam.localhost",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.0.2.7",
            "",
        ] {
            let denied = host.is_empty().then_some(Denied::OtherHost);
            check_read(
                Policy::default(),
                &format!("Host: {host}\r\n"),
                true,
                denied,
            );
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "[evil",
            "127.0.0.1.evil.example",
        ] {
            let lines = format!("Host: {host}\r\n");
            check_read(Policy::default(), &lines, true, Some(Denied::OtherHost));
            check_read(OPEN, &lines, true, None);
        }
        let proxied = "Host: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n";
        check_read(SECRET, proxied, true, Some(Denied::TokenMissing));
        check_read(Policy::default(), proxied, true, Some(Denied::NoToken));
    }

    #[test]
    fn others_read_with_the_token() {
        let host = "Host: box:8080\r\n";
        check_read(OPEN, host, false, None);
        check_read(Policy::default(), host, false, Some(Denied::NoToken));
        check_read(SECRET, host, false, Some(Denied::TokenMissing));
        for (given, denied) in [
            ("Bearer s3cret", None),
            ("bearer  s3cret", None),
            ("Bearer s3crex", Some(Denied::TokenWrong)),
            ("Bearer s3cre", Some(Denied::TokenWrong)),
            ("Bearer s3crets", Some(Denied::TokenWrong)),
            ("Bearer", Some(Denied::TokenMissing)),
            ("Basic s3cret", Some(Denied::TokenMissing)),
        ] {
            let lines = format!("{host}Authorization: {given}\r\n");
            check_read(SECRET, &lines, false, denied);
            check_read(SECRET, &lines, true, denied);
            check_read(OPEN, &lines, true, Some(Denied::NoToken));
        }
        let nobody = Policy {
            reads: Reads::Nobody,
            ..SECRET
        };
        check_read(
            nobody,
            "Host: localhost\r\n",
            true,
            Some(Denied::TokenMissing),
        );
    }

    #[test]
    fn other_sites_do_not() {
        let own = "Host: localhost:8080\r\n";
        for (lines, is_other) in [
            ("Sec-Fetch-Site: same-origin\r\n", false),
            ("Sec-Fetch-Site: none\r\n", false),
            ("Sec-Fetch-Site: same-site\r\n", true),
            ("Sec-Fetch-Site: cross-site\r\n", true),
            ("Origin: http://localhost:8080\r\n", false),
            ("Origin: https://LocalHost:8080\r\n", false),
            ("Origin: http://localhost:8081\r\n", true),
            ("Origin: http://localhost\r\n", true),
            ("Origin: https://evil.example\r\n", true),
            ("Origin: null\r\n", true),
            ("Origin: \r\n", true),
        ] {
            let lines = format!("{own}{lines}");
            let denied = is_other.then_some(Denied::OtherSite);
            check_read(Policy::default(), &lines, true, denied);
            check_read(OPEN, &lines, false, denied);
            let lines = format!("{lines}Authorization: Bearer s3cret\r\n");
            let post = request("POST", &lines, "");
            assert_eq!(SECRET.may_change(&post).err(), denied, "{lines}");
        }
        // The port that the scheme has anyway may be said or not.
        let lines = "Host: box:80\r\nOrigin: http://box\r\n";
        check_read(OPEN, lines, false, None);
        check_read(OPEN, "Host: box\r\nOrigin: http://box:80\r\n", false, None);
    }

    #[test]
    fn changes_need_the_token_even_here() {
        let with =
            |lines: &str, body: &str| request("POST", &format!("Host: localhost\r\n{lines}"), body);
        let token = "Authorization: Bearer s3cret\r\n";
        let json = format!("{token}Content-Type: Application/JSON; charset=utf-8\r\n");
        for (policy, lines, body, denied) in [
            (SECRET, &*json, "{}", None),
            (SECRET, token, "", None),
            (SECRET, token, "{}", Some(Denied::NotJson)),
            (SECRET, "", "{}", Some(Denied::TokenMissing)),
            (OPEN, &json, "{}", Some(Denied::NoToken)),
            (Policy::default(), &json, "{}", Some(Denied::NoToken)),
        ] {
            let found = policy.may_change(&with(lines, body));
            assert_eq!(found.err(), denied, "{lines}");
        }
        let form = format!("{token}Content-Type: text/plain\r\n");
        assert_eq!(SECRET.may_change(&with(&form, "{}")), Err(Denied::NotJson));
        // An empty token is none.
        let empty = Policy {
            token: Some(""),
            reads: Reads::Anybody,
        };
        let blank = with("Authorization: Bearer \r\n", "");
        assert_eq!(empty.may_change(&blank), Err(Denied::NoToken));
    }

    #[test]
    fn refusals_have_their_status() {
        for (denied, code) in [
            (Denied::TokenMissing, 401),
            (Denied::TokenWrong, 401),
            (Denied::NoToken, 403),
            (Denied::OtherSite, 403),
            (Denied::OtherHost, 403),
            (Denied::NotJson, 415),
        ] {
            assert_eq!(denied.status().code(), code);
        }
    }
}
