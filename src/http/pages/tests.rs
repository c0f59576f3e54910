//! The files of the pages: small, of one origin, nothing inline, and sent once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::http::request::{Method, RequestLimits, RequestReader, Version};

/// All pages together, bytes.
const TOTAL_MAX: usize = 60_000;

fn all() -> Vec<&'static Asset> {
    let pages = [&DASHBOARD, &WATCH];
    pages.into_iter().chain(ASSETS.iter()).collect()
}

fn text(asset: &Asset) -> &'static str {
    std::str::from_utf8(asset.bytes).unwrap()
}

fn request(fields: &str) -> Request {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut reader = RequestReader::new(RequestLimits::default());
    reader.handle_input(text.as_bytes()).unwrap().1.unwrap()
}

fn answer(asset: &Asset, fields: &str) -> (String, &'static [u8]) {
    let request = request(fields);
    assert_eq!(request.method, Method::Get);
    let (head, body) = asset.answer(&request);
    let mut out = Vec::new();
    head.encode(Version::Http11, true, &mut out);
    (String::from_utf8(out).unwrap(), body)
}

#[test]
fn all_of_them_are_small() {
    let total: usize = all().iter().map(|asset| asset.bytes.len()).sum();
    assert!(total < TOTAL_MAX, "{total} bytes");
}

#[test]
fn no_string_goes_over_the_end_of_a_line() {
    for asset in all() {
        if asset.media_type != SCRIPT {
            continue;
        }
        for line in text(asset).lines() {
            for quote in ['`', '\''] {
                // A quote inside of another kind of string or of a comment comes in pairs too.
                let count = line.matches(quote).count();
                assert!(count % 2 == 0, "{}: {line}", asset.name);
            }
        }
    }
}

#[test]
fn each_has_its_media_type_and_the_strict_policy() {
    for asset in all() {
        let media_type = match asset.name.rsplit_once('.').unwrap().1 {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("{other}"),
        };
        let (head, body) = answer(asset, "");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        for line in [
            format!("Content-Type: {media_type}"),
            format!("Content-Length: {}", asset.bytes.len()),
            "Cache-Control: no-cache".to_owned(),
            "X-Content-Type-Options: nosniff".to_owned(),
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
        }
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(
                head.contains(&format!("{directive};"))
                    || head.contains(&format!("{directive}\r\n")),
                "{head}"
            );
        }
        assert_eq!(body, asset.bytes);
    }
}

#[test]
fn a_copy_that_is_right_is_not_sent_again() {
    let etag = format!("\"{:016x}\"", WATCH.hash);
    assert!(
        answer(&WATCH, "")
            .0
            .contains(&format!("\r\nETag: {etag}\r\n"))
    );
    for (copies, is_right) in [
        (etag.clone(), true),
        (format!("W/{etag}"), true),
        (format!("\"1\", {etag}"), true),
        ("*".to_owned(), true),
        ("\"1\"".to_owned(), false),
        (format!("\"{:016x}\"", DASHBOARD.hash), false),
    ] {
        let (head, body) = answer(&WATCH, &format!("If-None-Match: {copies}\r\n"));
        let status = if is_right {
            "304 Not Modified"
        } else {
            "200 OK"
        };
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{copies}: {head}"
        );
        assert!(head.contains(&format!("ETag: {etag}\r\n")), "{head}");
        assert_eq!(body.is_empty(), is_right, "{copies}");
        assert_eq!(head.contains("Content-Length"), !is_right, "{head}");
    }
}

#[test]
fn files_are_told_apart() {
    let mut hashes: Vec<u64> = all().iter().map(|asset| asset.hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), all().len());
    // The test vectors of the function's authors.
    for (bytes, hash) in [
        ("", 0xcbf2_9ce4_8422_2325),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(fnv_1a(bytes.as_bytes()), hash, "{bytes}");
    }
    assert_eq!(Asset::named("page.css").unwrap().name, "page.css");
    assert_eq!(Asset::named("favicon.ico").unwrap().name, "icon.svg");
    for name in [
        "",
        "page",
        "page.css ",
        "../pages.rs",
        "dashboard.html",
        "PAGE.CSS",
    ] {
        assert!(Asset::named(name).is_none(), "{name}");
    }
}

/// What follows each of these, up to a quote.
fn links(text: &str, before: &str) -> Vec<String> {
    let rest = text.split(before).skip(1);
    rest.filter_map(|rest| rest.split(['"', '\'']).next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn whatever_they_load_is_here_and_all_of_it_is_loaded() {
    let mut loaded = vec!["favicon.ico".to_owned()];
    for asset in all() {
        let text = text(asset);
        for before in ["src=\"", "href=\""] {
            for link in links(text, before) {
                let own = ["/", "#main", "/metrics", "/api/v1/openapi.json"];
                match link.strip_prefix("/assets/") {
                    Some(name) => loaded.push(name.to_owned()),
                    None => assert!(own.contains(&&*link), "{}: {link}", asset.name),
                }
            }
        }
        loaded.extend(links(text, "from './"));
    }
    for name in &loaded {
        assert!(Asset::named(name).is_some(), "{name}");
    }
    for asset in &ASSETS {
        assert!(
            loaded.iter().any(|name| name == asset.name),
            "{}",
            asset.name
        );
    }
}

#[test]
fn nothing_is_of_another_origin_and_nothing_is_inline() {
    for asset in all() {
        let text = text(asset);
        // The name of SVG is no address that anybody asks.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for word in ["http://", "https://", "//cdn", "@import", "url("] {
            assert!(!text.contains(word), "{}: {word}", asset.name);
        }
        // Names of live streams and what peers say are text, never markup or code.
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!text.contains(word), "{}: {word}", asset.name);
        }
        if asset.media_type != HTML {
            continue;
        }
        for word in [
            "<style",
            " style=",
            " onclick=",
            " onload=",
            " onerror=",
            "javascript:",
        ] {
            assert!(!text.contains(word), "{}: {word}", asset.name);
        }
        for script in text.split("<script").skip(1) {
            let (attributes, rest) = script.split_once('>').unwrap();
            assert!(attributes.contains("src=\"/assets/"), "{attributes}");
            assert!(rest.starts_with("</script>"), "{}", asset.name);
        }
    }
}
