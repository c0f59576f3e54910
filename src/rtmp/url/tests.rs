//! URLs as people type them and servers send them.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

#[track_caller]
fn parsed(text: &str) -> RtmpUrl {
    RtmpUrl::parse(text).unwrap()
}

/// Text, host, port, app, stream name, tcUrl, and the text printed again.
const URLS: [(&str, &str, u16, &str, &str, &str, &str); 20] = [
    (
        "rtmp://example.com/live/cam",
        "example.com",
        1935,
        "live",
        "cam",
        "rtmp://example.com/live",
        "rtmp://example.com/live/cam",
    ),
    (
        " RTMP://Example.com:1935/live/cam\n",
        "Example.com",
        1935,
        "live",
        "cam",
        "rtmp://Example.com/live",
        "rtmp://Example.com/live/cam",
    ),
    (
        "rtmp://192.0.2.7:1936/live/cam",
        "192.0.2.7",
        1936,
        "live",
        "cam",
        "rtmp://192.0.2.7:1936/live",
        "rtmp://192.0.2.7:1936/live/cam",
    ),
    (
        "rtmps://h/live/cam",
        "h",
        443,
        "live",
        "cam",
        "rtmps://h/live",
        "rtmps://h/live/cam",
    ),
    (
        "rtmps://h:1935/live/cam",
        "h",
        1935,
        "live",
        "cam",
        "rtmps://h:1935/live",
        "rtmps://h:1935/live/cam",
    ),
    (
        "rtmp://h:443/live/cam",
        "h",
        443,
        "live",
        "cam",
        "rtmp://h:443/live",
        "rtmp://h:443/live/cam",
    ),
    (
        "rtmp://h:0/live/cam",
        "h",
        1935,
        "live",
        "cam",
        "rtmp://h/live",
        "rtmp://h/live/cam",
    ),
    (
        "rtmp://h:/live/cam",
        "h",
        1935,
        "live",
        "cam",
        "rtmp://h/live",
        "rtmp://h/live/cam",
    ),
    (
        "rtmp://[::1]/live/cam",
        "::1",
        1935,
        "live",
        "cam",
        "rtmp://[::1]/live",
        "rtmp://[::1]/live/cam",
    ),
    (
        "rtmp://[2001:db8::7]:1936/live/cam",
        "2001:db8::7",
        1936,
        "live",
        "cam",
        "rtmp://[2001:db8::7]:1936/live",
        "rtmp://[2001:db8::7]:1936/live/cam",
    ),
    (
        "rtmp://[fe80::1%eth0]/live/cam",
        "fe80::1%eth0",
        1935,
        "live",
        "cam",
        "rtmp://[fe80::1%25eth0]/live",
        "rtmp://[fe80::1%25eth0]/live/cam",
    ),
    (
        "rtmp://h/live/inst/cam",
        "h",
        1935,
        "live/inst",
        "cam",
        "rtmp://h/live/inst",
        "rtmp://h/live/inst/cam",
    ),
    (
        "rtmp://h//live//cam/",
        "h",
        1935,
        "live",
        "cam",
        "rtmp://h/live",
        "rtmp://h/live/cam",
    ),
    (
        "rtmp://h/cam",
        "h",
        1935,
        "",
        "cam",
        "rtmp://h/",
        "rtmp://h/cam",
    ),
    (
        "rtmp://h/live/",
        "h",
        1935,
        "live",
        "",
        "rtmp://h/live",
        "rtmp://h/live/",
    ),
    (
        "rtmp://h/live/cam?token=a/b&x=1",
        "h",
        1935,
        "live",
        "cam?token=a/b&x=1",
        "rtmp://h/live",
        "rtmp://h/live/cam?token=a/b&x=1",
    ),
    (
        "rtmp://h/live?token=a/cam?x=b/c",
        "h",
        1935,
        "live?token=a",
        "cam?x=b/c",
        "rtmp://h/live?token=a",
        "rtmp://h/live?token=a/cam?x=b/c",
    ),
    (
        "rtmp://h/live/?key=1",
        "h",
        1935,
        "live",
        "?key=1",
        "rtmp://h/live",
        "rtmp://h/live/?key=1",
    ),
    (
        "rtmp://h/live/my%20cam%2f1#x",
        "h",
        1935,
        "live",
        "my%20cam%2f1#x",
        "rtmp://h/live",
        "rtmp://h/live/my%20cam%2f1#x",
    ),
    (
        "rtmp://my%2Dhost/live/cam",
        "my-host",
        1935,
        "live",
        "cam",
        "rtmp://my-host/live",
        "rtmp://my-host/live/cam",
    ),
];

#[test]
fn every_form_is_split() {
    for (text, host, port, app, stream_name, tc_url, printed) in URLS {
        let url = parsed(text);
        assert_eq!(
            (
                url.host.as_str(),
                url.port,
                url.app.as_str(),
                url.stream_name.as_str()
            ),
            (host, port, app, stream_name),
            "{text}"
        );
        assert_eq!(url.tls, text.starts_with("rtmps"));
        assert_eq!((&url.user, &url.password), (&None, &None));
        assert_eq!(url.tc_url(), tc_url);
        assert_eq!(url.to_string(), printed);
        assert_eq!(parsed(printed), url);
    }
}

#[test]
fn user_and_password_are_decoded_and_the_password_is_never_shown() {
    for (user_info, user, password, shown) in [
        ("admin:secret", "admin", Some("secret"), "admin@"),
        ("admin", "admin", None, "admin@"),
        ("admin:", "admin", Some(""), "admin@"),
        ("a%40b:p%3A%2F%40", "a@b", Some("p:/@"), "a%40b@"),
        ("admin:p@ss:w", "admin", Some("p@ss:w"), "admin@"),
    ] {
        let url = parsed(&format!("rtmp://{user_info}@h/live/cam"));
        assert_eq!(url.user.as_deref(), Some(user));
        assert_eq!(url.password.as_deref(), password);
        assert_eq!(url.host, "h");
        assert_eq!(url.to_string(), format!("rtmp://{shown}h/live/cam"));
        assert_eq!(format!("{url:?}"), format!("RtmpUrl({url})"));
        assert_eq!(url.tc_url(), "rtmp://h/live");
    }
    for none in ["rtmp://@h/live/cam", "rtmp://:secret@h/live/cam"] {
        assert_eq!((parsed(none).user, parsed(none).password), (None, None));
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, error) in [
        ("", UrlError::NoScheme),
        ("cam", UrlError::NoScheme),
        ("example.com/live/cam", UrlError::NoScheme),
        ("rtmp:/h/live/cam", UrlError::NoScheme),
        ("http://h/live/cam", UrlError::Scheme),
        ("rtmpt://h/live/cam", UrlError::Scheme),
        ("rtmpe://h/live/cam", UrlError::Scheme),
        ("://h/live/cam", UrlError::Scheme),
        ("rtmp://", UrlError::NoHost),
        ("rtmp:///live/cam", UrlError::NoHost),
        ("rtmp://:1935/live/cam", UrlError::NoHost),
        ("rtmp://user@/live/cam", UrlError::NoHost),
        ("rtmp://a%2Fb/live/cam", UrlError::Host),
        ("rtmp://a%20b/live/cam", UrlError::Host),
        ("rtmp://a%ff/live/cam", UrlError::Host),
        ("rtmp://<host>/live/cam", UrlError::Host),
        ("rtmp://::1/live/cam", UrlError::Ipv6),
        ("rtmp://2001:db8::7:1935/live/cam", UrlError::Ipv6),
        ("rtmp://[::1/live/cam", UrlError::Ipv6),
        ("rtmp://[::1]1935/live/cam", UrlError::Ipv6),
        ("rtmp://[]/live/cam", UrlError::Ipv6),
        ("rtmp://[h]/live/cam", UrlError::Ipv6),
        ("rtmp://[192.0.2.1]/live/cam", UrlError::Ipv6),
        ("rtmp://[fe80::1%]/live/cam", UrlError::Ipv6),
        ("rtmp://[fe80::1%25a%2Fb]/live/cam", UrlError::Ipv6),
        ("rtmp://h:x/live/cam", UrlError::Port),
        ("rtmp://h:+1/live/cam", UrlError::Port),
        ("rtmp://h:-1/live/cam", UrlError::Port),
        ("rtmp://h:65536/live/cam", UrlError::Port),
        ("rtmp://user:pass/word@h/live/cam", UrlError::Port),
        ("rtmp://[::1]:x/live/cam", UrlError::Port),
        ("rtmp://h", UrlError::NoPath),
        ("rtmp://h/", UrlError::NoPath),
        ("rtmp://h//", UrlError::NoPath),
        ("rtmp://h?live/cam", UrlError::NoPath),
        ("rtmp://h/?key=1", UrlError::NoPath),
        ("rtmp://h/live/cam live=1", UrlError::Character),
        ("rtmp://h/live/c\u{7}am", UrlError::Character),
    ] {
        assert_eq!(RtmpUrl::parse(text), Err(error), "{text}");
    }
    let fits = format!("rtmp://h/live/{}", "n".repeat(URL_BYTES_MAX - 14));
    assert!(RtmpUrl::parse(&fits).is_ok());
    assert_eq!(RtmpUrl::parse(&format!("{fits}n")), Err(UrlError::TooLong));
}

#[test]
fn errors_show_what_is_expected() {
    assert_eq!(
        UrlError::Port.to_string(),
        "the port is not a number up to 65535; \
         expected rtmp://[user:password@]host[:port]/app/name"
    );
    assert!(
        UrlError::Ipv6
            .to_string()
            .contains("rtmp://[::1]:1935/app/name")
    );
}

#[test]
fn an_address_has_always_a_port() {
    assert_eq!(parsed("rtmp://h/live/cam").address(), "h:1935");
    assert_eq!(parsed("rtmps://h/live/cam").address(), "h:443");
    assert_eq!(parsed("rtmp://[::1]:7/live/cam").address(), "[::1]:7");
    assert_eq!(
        parsed("rtmp://[fe80::1%eth0]/a/b").address(),
        "[fe80::1%eth0]:1935"
    );
}

#[test]
fn a_reconnect_request_moves_everything_but_the_name() {
    let url = parsed("rtmp://u:p@one:1936/live/cam?token=1");
    for (tc_url, moved) in [
        ("rtmp://two/app", "rtmp://two/app/cam?token=1"),
        ("rtmps://two:1/a/b/", "rtmps://two:1/a/b/cam?token=1"),
        ("//two:1937/app", "rtmp://two:1937/app/cam?token=1"),
        ("/app2", "rtmp://u@one:1936/app2/cam?token=1"),
        ("app2", "rtmp://u@one:1936/app2/cam?token=1"),
        ("rtmp://ONE/app2?x=1", "rtmp://u@ONE/app2?x=1/cam?token=1"),
        ("rtmp://x:y@two/app", "rtmp://two/app/cam?token=1"),
    ] {
        let new = url.with_tc_url(tc_url).unwrap();
        assert_eq!(new.to_string(), moved, "{tc_url}");
        let same_host = new.host.eq_ignore_ascii_case("one");
        assert_eq!(new.password.is_some(), same_host);
    }
    assert_eq!(url.with_tc_url("http://two/app"), Err(UrlError::Scheme));
    assert_eq!(url.with_tc_url("rtmp://"), Err(UrlError::NoHost));
    // A password that went through TLS does not go without it.
    let url = parsed("rtmps://u:p@one/live/cam");
    assert_eq!(url.with_tc_url("rtmp://one/live").unwrap().password, None);
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(
        tls: bool,
        user in prop::option::of(".{1,8}"),
        host in prop_oneof!["[a-z0-9.-]{1,12}", Just("2001:db8::1".to_owned())],
        port in 1_u16..,
        app in "([a-z0-9%._-]{1,6}(/[a-z0-9%._-]{1,6}){0,2})?",
        stream_name in "[a-z0-9%._#-]{1,8}",
        query in prop::option::of("[a-z0-9=&?/+%-]{0,12}"),
    ) {
        // Behind a lone segment a slash in the query would end the app.
        let query = query.filter(|query| !app.is_empty() || !query.contains('/'));
        let url = RtmpUrl {
            tls,
            user,
            password: None,
            host,
            port,
            app,
            stream_name: query.map_or_else(|| stream_name.clone(), |q| format!("{stream_name}?{q}")),
        };
        prop_assert_eq!(RtmpUrl::parse(&url.to_string()), Ok(url));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}", path in "[/?a-z#@:\\[\\]%]{0,24}") {
        for text in [text.clone(), format!("rtmp://{text}"), format!("rtmp://h{path}"), path] {
            if let Ok(url) = RtmpUrl::parse(&text) {
                prop_assert!(url.port != 0 && !url.host.is_empty());
                let again = RtmpUrl { password: None, ..url.clone() };
                prop_assert_eq!(RtmpUrl::parse(&url.to_string()), Ok(again));
            }
        }
    }
}
