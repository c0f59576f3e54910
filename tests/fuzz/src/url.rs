//! URLs, as typed by people and as sent by servers.

use millstream::rtmp::url::{RtmpUrl, URL_BYTES_MAX};

/// The whole input is a URL; what stands behind a newline is a tcUrl to go on with.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (text, tc_url) = text.split_once('\n').unwrap_or((text, "other"));
    let Ok(url) = RtmpUrl::parse(text) else {
        return;
    };
    check(&url);
    if let Ok(next) = url.with_tc_url(tc_url) {
        assert_eq!(next.stream_name, url.stream_name);
        check_fields(&next);
    }
}

/// Written out and read again it is the same URL.
fn check(url: &RtmpUrl) {
    check_fields(url);
    let text = full_text(url);
    // Three bytes for one, which user and password take when written, may be too many.
    if text.len() <= URL_BYTES_MAX {
        let again = RtmpUrl::parse(&text);
        assert_eq!(again.as_ref(), Ok(url), "changed by writing it as {text}");
    }
}

fn check_fields(url: &RtmpUrl) {
    assert!(!url.host.is_empty());
    assert!(url.port != 0, "port 0 stands for the default");
    assert!(!url.tc_url().contains('\n') && !url.authority().contains('@'));
    // What a person reads in a log is the same whatever the password is.
    if url.password.is_some() {
        let mut other = url.clone();
        other.password = Some("another".to_owned());
        assert_eq!(format!("{url} {url:?}"), format!("{other} {other:?}"));
    }
}

fn full_text(url: &RtmpUrl) -> String {
    // `Display` hides the password, so user and password are put back by hand.
    let credentials = match (&url.user, &url.password) {
        (Some(user), Some(password)) => format!("{}:{}@", escape(user), escape(password)),
        (Some(user), None) => format!("{}@", escape(user)),
        _ => String::new(),
    };
    let path = match url.app.as_str() {
        "" => url.stream_name.clone(),
        app => format!("{app}/{}", url.stream_name),
    };
    format!("{}://{credentials}{}/{path}", url.scheme(), url.authority())
}

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
