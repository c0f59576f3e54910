//! Clients of HTTP that hide one request in another, send too much or too slowly, or leave in the
//! middle: each is told the right status, or nothing, and nobody else notices.

use std::time::{Duration, Instant};

use crate::support::http::{End, HttpClient};
use crate::support::onlookers::Onlookers;
use crate::support::server::Server;

/// A request that must not be answered when it stands behind one that is refused.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Requests after which nobody knows where the next one begins, or who is no client of HTTP: what
/// each is told before the connection closes.
fn refused() -> Vec<(&'static str, String, u16)> {
    let get = |lines: &str| format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let kick = |lines: &str, body: &str| {
        format!("POST /api/v1/kick HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}")
    };
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    let fields = |count: usize| {
        let lines: String = (0..count).map(|index| format!("A{index}: b\r\n")).collect();
        get(&lines)
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        // Where the body ends.
        (
            "a length and chunks",
            kick(&format!("Content-Length: 5\r\n{chunked}"), "0\r\n\r\n"),
            400,
        ),
        (
            "chunks and a length",
            kick(&format!("{chunked}Content-Length: 5\r\n"), "0\r\n\r\n"),
            400,
        ),
        (
            "two lengths",
            kick("Content-Length: 5\r\nContent-Length: 0\r\n", "12345"),
            400,
        ),
        (
            "one length twice",
            kick("Content-Length: 5\r\nContent-Length: 5\r\n", "12345"),
            400,
        ),
        (
            "lengths in a list",
            kick("Content-Length: 5, 5\r\n", "12345"),
            400,
        ),
        (
            "a signed length",
            kick("Content-Length: +5\r\n", "12345"),
            400,
        ),
        ("a negative length", kick("Content-Length: -1\r\n", ""), 400),
        (
            "a length in hexadecimal",
            kick("Content-Length: 0x5\r\n", "12345"),
            400,
        ),
        (
            "a length with a fraction",
            kick("Content-Length: 5.0\r\n", "12345"),
            400,
        ),
        ("an empty length", kick("Content-Length:\r\n", ""), 400),
        (
            "a length beyond 64 bits",
            kick("Content-Length: 18446744073709551616\r\n", ""),
            413,
        ),
        (
            "a body beyond the limit",
            kick("Content-Length: 4097\r\n", ""),
            413,
        ),
        ("a body behind GET", get("Content-Length: 5\r\n"), 400),
        (
            "a body behind HEAD",
            "HEAD /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345".to_owned(),
            400,
        ),
        // Transfer codings: none is read, so nothing depends on sizes, extensions and trailers.
        ("chunks", kick(chunked, "0\r\n\r\n"), 411),
        ("chunks of a bad size", kick(chunked, "-1\r\n\r\n"), 411),
        (
            "a chunk beyond 64 bits",
            kick(chunked, "10000000000000005\r\n12345\r\n0\r\n\r\n"),
            411,
        ),
        (
            "a chunk extension",
            kick(chunked, "5;a=\"\n\"\r\n12345\r\n0\r\n\r\n"),
            411,
        ),
        (
            "a trailer",
            kick(chunked, "0\r\nContent-Length: 9\r\n\r\n"),
            411,
        ),
        (
            "chunks in capitals",
            kick("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"),
            411,
        ),
        (
            "chunks behind a tab",
            kick("Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n"),
            411,
        ),
        ("chunks behind GET", get(chunked), 411),
        (
            "a coding that is almost one",
            kick("Transfer-Encoding: xchunked\r\n", ""),
            501,
        ),
        (
            "chunked, then identity",
            kick("Transfer-Encoding: chunked, identity\r\n", ""),
            501,
        ),
        ("identity", kick("Transfer-Encoding: identity\r\n", ""), 501),
        (
            "gzip, then chunked",
            kick("Transfer-Encoding: gzip, chunked\r\n", ""),
            501,
        ),
        (
            "two codings in two fields",
            kick("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", ""),
            501,
        ),
        (
            "a quoted coding",
            kick("Transfer-Encoding: \"chunked\"\r\n", ""),
            501,
        ),
        (
            "a coding with a parameter",
            kick("Transfer-Encoding: chunked;a=b\r\n", ""),
            501,
        ),
        ("an empty coding", kick("Transfer-Encoding:\r\n", ""), 501),
        (
            "a vertical tab before the coding",
            kick("Transfer-Encoding: \x0bchunked\r\n", ""),
            400,
        ),
        (
            "chunks of HTTP/1.0",
            format!("POST /api/v1/kick HTTP/1.0\r\nHost: x\r\n{chunked}\r\n0\r\n\r\n"),
            400,
        ),
        // How lines end and fields begin.
        ("a folded line", get("A: b\r\n c\r\n"), 400),
        (
            "a folded length",
            kick("Content-Length:\r\n 5\r\n", "12345"),
            400,
        ),
        (
            "a folded coding",
            kick("Transfer-Encoding:\r\n chunked\r\n", ""),
            400,
        ),
        (
            "a first line that is folded",
            get("").replacen("Host", " Host", 1),
            400,
        ),
        (
            "a space before a colon",
            kick("Content-Length : 5\r\n", "12345"),
            400,
        ),
        (
            "a tab before a colon",
            kick("Transfer-Encoding\t: chunked\r\n", ""),
            400,
        ),
        ("a bare line feed", get("").replace("\r\n", "\n"), 400),
        ("one bare line feed", get("A: b\n"), 400),
        (
            "a bare carriage return",
            get("A: b\rContent-Length: 5\r\n"),
            400,
        ),
        ("a carriage return twice", get("A: b\r\r\n"), 400),
        ("NUL in a value", get("A: b\0c\r\n"), 400),
        ("NUL in a name", get("A\0: b\r\n"), 400),
        ("a control character in a value", get("A: b\x01c\r\n"), 400),
        ("a field without a colon", get("A\r\n"), 400),
        ("a field without a name", get(": b\r\n"), 400),
        ("a name that is no token", get("A(: b\r\n"), 400),
        // The host.
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("two hosts", get("Host: y\r\n"), 400),
        (
            "a host with a path",
            get("").replace("Host: x", "Host: x/y"),
            400,
        ),
        (
            "a host with a name before it",
            get("").replace("Host: x", "Host: a@x"),
            400,
        ),
        (
            "a host with a space",
            get("").replace("Host: x", "Host: x y"),
            400,
        ),
        // The request line.
        (
            "a method that nobody knows",
            "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            501,
        ),
        (
            "a method in small letters",
            "get / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            501,
        ),
        (
            "a method that nothing has",
            "PUT / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            405,
        ),
        (
            "a tunnel",
            "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            405,
        ),
        (
            "a trace",
            "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            405,
        ),
        ("HTTP/0.9", "GET /\r\n\r\n".to_owned(), 400),
        (
            "HTTP/2 in HTTP/1",
            "GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(),
            505,
        ),
        (
            "HTTP/1.2",
            "GET / HTTP/1.2\r\nHost: x\r\n\r\n".to_owned(),
            505,
        ),
        (
            "the preface of HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            505,
        ),
        (
            "a version that is none",
            "GET / HTTX/1.1\r\nHost: x\r\n\r\n".to_owned(),
            400,
        ),
        ("a space in the target", target("/live/a b.flv"), 400),
        ("spaces around the target", target(" / "), 400),
        ("an expectation", get("Expect: 200-ok\r\n"), 417),
        // The target.
        ("a percent sign alone", target("/live/%.flv"), 400),
        ("a percent sign at the end", target("/live/cam.flv%"), 400),
        ("one digit", target("/live/%2"), 400),
        ("no digits", target("/live/%zz.flv"), 400),
        ("an encoded NUL", target("/live/cam%00.flv"), 400),
        (
            "an encoded line break",
            target("/live/cam%0d%0aA:b.flv"),
            400,
        ),
        (
            "an encoded line break in the query",
            target("/live/cam.flv?a=%0d%0a"),
            400,
        ),
        ("an encoded slash", target("/live%2Fcam.flv"), 400),
        (
            "a slash in too many bytes",
            target("/live%C0%AFcam.flv"),
            400,
        ),
        ("bytes that are no UTF-8", target("/live/%FF.flv"), 400),
        ("the folder above", target("/../etc/passwd"), 400),
        ("the folder above at the end", target("/live/.."), 400),
        (
            "the folder above, encoded",
            target("/live/%2e%2E/cam.flv"),
            400,
        ),
        ("this folder", target("/live/./cam.flv"), 400),
        ("two slashes", target("//live/cam.flv"), 400),
        ("a fragment", target("/live/cam.flv#x"), 400),
        ("no slash", target("live/cam.flv"), 400),
        ("an asterisk", target("*"), 400),
        ("another scheme", target("ftp://x/"), 400),
        ("a name in the authority", target("http://a@x/healthz"), 400),
        // Sizes.
        (
            "a long target",
            target(&format!("/{}", "a".repeat(4096))),
            414,
        ),
        (
            "a longer target",
            target(&format!("/{}", "a".repeat(9000))),
            414,
        ),
        (
            "a target without end",
            format!("GET /{}", "a".repeat(9000)),
            414,
        ),
        (
            "a large head",
            get(&format!("A: {}\r\n", "b".repeat(8192))),
            431,
        ),
        ("many fields", fields(64), 431),
        ("empty lines without end", "\r\n".repeat(5000), 431),
    ]
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_answered() {
    let onlookers = Onlookers::start(&[]);
    let port = onlookers.server.http_port;
    let mut bystander = HttpClient::connect(port);
    let mut wrong = Vec::new();
    for (what, request, status) in refused() {
        let mut client = HttpClient::connect(port);
        client.send([&request, HIDDEN].concat());
        let told = client.answer_to("GET").map(|answer| {
            assert_eq!(answer.end, End::Said, "{what}");
            assert_eq!(answer.field("connection"), Some("close"), "{what}");
            answer.status
        });
        if told != Some(status) || !client.is_closed() {
            wrong.push(format!("{what}: {told:?} instead of {status}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    bystander.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(bystander.answer().unwrap().text(), "ok\n");
    onlookers.finish();
}

#[test]
fn what_is_odd_and_clear_is_answered() {
    let server = Server::start(&[]);
    let many: String = (0..62).map(|index| format!("A{index}: b\r\n")).collect();
    for (request, status) in [
        // RFC 9112 §3.2.2: the host of the target counts.
        (
            "GET http://box:8080/healthz HTTP/1.1\r\nHost: other\r\n\r\n",
            200,
        ),
        (
            "GET http://evil.example/api/v1/server HTTP/1.1\r\nHost: localhost\r\n\r\n",
            403,
        ),
        (
            "GET http://localhost/api/v1/server HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            200,
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204),
        ("GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", 200),
        ("\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (
            "GET /healthz HTTP/1.1\r\nhOST:x\r\nA: \u{80}\u{ff}\r\n\r\n",
            200,
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
            200,
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
            200,
        ),
        ("GET /healthz/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (
            "GET /live/%252e%252e/cam.flv.. HTTP/1.1\r\nHost: x\r\n\r\n",
            404,
        ),
        ("GET /live/..flv HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /live\\..\\x HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (
            "GET /assets/%2e%2e%5c%2e%2e%5cetc HTTP/1.1\r\nHost: x\r\n\r\n",
            404,
        ),
        (
            &format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
            200,
        ),
    ] {
        let mut client = HttpClient::connect(server.http_port);
        client.send(request);
        let answer = client.answer().unwrap();
        assert_eq!(
            (answer.status, answer.end),
            (status, End::Said),
            "{request}"
        );
        // It can go on.
        client.send(HIDDEN);
        assert_eq!(client.answer().unwrap().text(), "ok\n", "{request}");
        assert!(client.is_closed());
    }
    // Who waits for it is told to go on with the body.
    let mut client = HttpClient::connect(server.http_port);
    client.send(
        "POST /api/v1/kick HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert_eq!(client.answer().unwrap().status, 100);
    client.send("{}");
    assert_eq!(client.answer().unwrap().status, 403);
    server.stop();
}

#[test]
fn who_sends_too_slowly_is_told_so_and_who_is_silent_is_closed() {
    let server = Server::start(&[]);
    let began = Instant::now();
    let slow = [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ",
        "POST /api/v1/kick HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    ];
    let mut slow = slow.map(|beginning| {
        let mut client = HttpClient::connect(server.http_port);
        client.send(beginning);
        client
    });
    let mut silent = HttpClient::connect(server.http_port);
    let mut idle = HttpClient::connect(server.http_port);
    idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(idle.answer().unwrap().status, 200);
    // However much comes in between, it is the time of the whole request that counts.
    let dripping: Vec<_> = slow
        .iter()
        .map(|client| client.socket.try_clone().unwrap())
        .collect();
    let drip = std::thread::spawn(move || {
        use std::io::Write;
        while dripping
            .iter()
            .all(|mut socket| socket.write_all(b"b").is_ok())
        {
            assert!(began.elapsed() < Duration::from_secs(60), "for ever");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    for client in &mut slow {
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.end), (408, End::Said));
        assert_eq!(answer.field("connection"), Some("close"));
        client.socket.shutdown(std::net::Shutdown::Both).ok();
    }
    drip.join().unwrap();
    assert!(silent.is_closed());
    assert!(idle.is_closed());
    assert!(
        began.elapsed() > Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    // To end a connection that is not used any more is no news.
    let said = server.stop().stderr.join("\n");
    assert!(!said.contains("INFO ] 127.0.0.1:"), "{said}");
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = HttpClient::connect(server.http_port);
    // One that takes its time, then more than is kept meanwhile; but not before all was answered
    // that was.
    let one = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    client.send(
        [
            one,
            &"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000),
        ]
        .concat(),
    );
    let mut answers = 0;
    let last = loop {
        let answer = client.answer().unwrap();
        assert_eq!(answer.end, End::Said);
        match (answers, answer.status) {
            (0, 200) => assert!(answer.text().contains("millstream_connections_total")),
            (_, 200) => assert_eq!(answer.text(), "ok\n"),
            _ => break answer,
        }
        answers += 1;
    };
    assert_eq!(last.status, 400, "{answers}");
    assert_eq!(last.field("connection"), Some("close"));
    assert!(client.is_closed());
    // Where nothing takes its time there is nothing to be kept.
    let mut client = HttpClient::connect(server.http_port);
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000));
    for _ in 0..1000 {
        assert_eq!(client.answer().unwrap().text(), "ok\n");
    }
    server.stop();
}

#[test]
fn who_says_that_no_more_comes_gets_the_answers_that_are_due() {
    let server = Server::start(&["--workers", "2"]);
    for target in ["/healthz", "/", "/metrics", "/nothing", "/assets/page.css"] {
        for version in ["1.0", "1.1"] {
            let mut client = HttpClient::connect(server.http_port);
            client.send(format!(
                "GET {target} HTTP/{version}\r\nHost: localhost\r\n\r\n"
            ));
            client.finish();
            let answer = client.answer().expect(target);
            assert_eq!(answer.end, End::Said, "{target}");
            assert!(client.is_closed());
        }
    }
    let mut client = HttpClient::connect(server.http_port);
    client.send(
        [
            "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
            &HIDDEN.replace("close", "x"),
        ]
        .concat(),
    );
    client.finish();
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(client.answer().unwrap().text(), "ok\n");
    assert!(client.is_closed());
    server.stop();
}

/// Requests are small and pages are not: who asks for many ahead and reads nothing makes the server
/// hold no more than what is on its way.
#[test]
fn answers_that_nobody_reads_are_not_made() {
    let server = Server::start(&["--workers", "1"]);
    let one = "GET /assets/watch.js HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = HttpClient::connect(server.http_port);
    first.send(one);
    let page = first.answer().unwrap();
    assert!(page.body.len() > 3000, "{}", page.head);
    let before = server.process.resident_bytes();
    let asked = 1000;
    let mut clients: Vec<_> = (0..10)
        .map(|_| {
            let mut client = HttpClient::connect(server.http_port);
            client.send(one.repeat(asked));
            client
        })
        .collect();
    // Beside them on the same worker, for as long as they could take.
    let mut most = before;
    for _ in 0..200 {
        first.send(one);
        assert_eq!(first.answer().unwrap().status, 200);
        most = most.max(server.process.resident_bytes());
    }
    let grown = most - before;
    assert!(grown < 20 << 20, "{} MiB", grown >> 20);
    // Who reads after all gets everything, in order.
    for client in &mut clients {
        for _ in 0..asked {
            let answer = client.answer().unwrap();
            assert_eq!((answer.status, answer.end), (200, End::Said));
            assert!(answer.body == page.body);
        }
    }
    server.stop();
}
