//! Servers that want a user and a password before anything else: the real server behind a gate
//! that asks for them, in the two ways that are in use. ffmpeg and GStreamer pass it too, which
//! shows that the gate asks the right questions.

use std::fmt::Write as _;

use crate::support::flv;
use crate::support::frames::assert_whole;
use crate::support::gate::{Gate, Opening, Verdict};
use crate::support::media::Sample;
use crate::support::peers::{Player, Publisher};
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

const USER: &str = "door";
const PASSWORD: &str = "p:w@d/1";
/// As it stands in a URL. ffmpeg does not decode it, so that it gets another one.
const URL_PASSWORD: &str = "p%3Aw%40d%2F1";
const PLAIN_PASSWORD: &str = "pwd1";

const SALT: &str = "sAlT+/==";
const CHALLENGE: &str = "cH4ll+/=";
const OPAQUE: &str = "0paQue==";
const NONCE: &str = "n0nce/+7";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Adobe,
    AdobeWithOpaque,
    Llnw,
}

impl Asks {
    const ALL: [Self; 3] = [Self::Adobe, Self::AdobeWithOpaque, Self::Llnw];

    fn gate(self, server: u16, password: &'static str) -> Gate {
        Gate::before(server, move |opening| match opening.connect {
            Some(_) => self.judge(opening, password),
            None => Verdict::Pass,
        })
    }

    fn judge(self, opening: &Opening<'_>, password: &str) -> Verdict {
        let app = opening.field("app");
        let (name, query) = app.split_once('?').unwrap_or((&app, ""));
        assert_eq!(name, "live");
        assert!(opening.field("tcUrl").ends_with(query), "the same in both");
        let field = |key: &str| {
            let mut fields = query.split('&').filter_map(|field| field.split_once('='));
            let found = fields.find_map(|(name, value)| (name == key).then_some(value));
            found.unwrap_or_default()
        };
        let mode = match self {
            Self::Llnw => "llnw",
            _ => "adobe",
        };
        let refuse = |what: &str| {
            Verdict::Refuse(format!(
                "[ AccessManager.Reject ] : [ authmod={mode} ] : ?reason={what}"
            ))
        };
        if field("authmod").is_empty() {
            return Verdict::Refuse(format!(
                "[ AccessManager.Reject ] : [ code=403 need auth; authmod={mode} ] :"
            ));
        }
        assert_eq!(field("authmod"), mode);
        if field("user") != USER {
            return refuse("nosuchuser");
        }
        let (challenge, expected) = match self {
            Self::Adobe => (
                format!("salt={SALT}&challenge={CHALLENGE}"),
                adobe(password, CHALLENGE, field("challenge")),
            ),
            Self::AdobeWithOpaque => (
                format!("salt={SALT}&challenge={CHALLENGE}&opaque={OPAQUE}"),
                adobe(password, OPAQUE, field("challenge")),
            ),
            Self::Llnw => (
                format!("nonce={NONCE}"),
                llnw(password, field("nc"), field("cnonce")),
            ),
        };
        match field("response") {
            "" => refuse(&format!("needauth&user={USER}&{challenge}")),
            response if response == expected => Verdict::Pass,
            _ => refuse("authfailed"),
        }
    }
}

fn adobe(password: &str, once: &str, theirs: &str) -> String {
    let salted = base64(&md5::compute(format!("{USER}{SALT}{password}")).0);
    base64(&md5::compute(format!("{salted}{once}{theirs}")).0)
}

fn llnw(password: &str, count: &str, theirs: &str) -> String {
    let who = md5::compute(format!("{USER}:live:{password}"));
    let what = md5::compute("publish:/live/_definst_");
    let all = format!("{who:x}:{NONCE}:{count}:{theirs}:auth:{what:x}");
    format!("{:x}", md5::compute(all))
}

fn base64(bytes: &[u8]) -> String {
    let letters: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain("+/".chars())
        .collect();
    let mut bits = String::new();
    for byte in bytes {
        write!(bits, "{byte:08b}").unwrap();
    }
    while !bits.len().is_multiple_of(6) {
        bits.push('0');
    }
    let mut text: String = (0..bits.len() / 6)
        .map(|at| letters[usize::from_str_radix(&bits[6 * at..6 * at + 6], 2).unwrap()])
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn url(gate: &Gate, user_info: &str) -> String {
    let url = gate.url("live/cam");
    url.replacen("rtmp://", &format!("rtmp://{user_info}@"), 1)
}

/// The last line, after exit code 1; nothing that was said has the password in it.
#[track_caller]
fn failure(process: Process) -> String {
    let finished = process.finish();
    let said = finished.stderr.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{said}");
    for secret in [PASSWORD, URL_PASSWORD, PLAIN_PASSWORD, "wrong"] {
        assert!(!said.contains(secret), "{said}");
    }
    finished.stderr.last().unwrap().clone()
}

fn pull(url: &str, dir: &TempDir) -> Process {
    let file = dir.join("out.flv");
    Process::millstream("pull", ["pull", "-v", url, file.to_str().unwrap()])
}

fn push(url: &str) -> Process {
    let sample = Sample::BFrames.path();
    Process::millstream("push", ["push", "-v", sample.to_str().unwrap(), url])
}

/// The test stream on a server, until it is dropped.
fn push_without_end(url: &str) -> Process {
    let arguments = ["simulate", url, "--camera", "plain", "--duration", "60"];
    Process::millstream("publisher", arguments)
}

#[test]
fn push_and_pull_log_in() {
    let server = Server::start(&["--play-wait", "60"]);
    for asks in Asks::ALL {
        let gate = asks.gate(server.port, PASSWORD);
        let url = url(&gate, &format!("{USER}:{URL_PASSWORD}"));
        let dir = TempDir::new();
        let playing = Player::Pull.start(&url, dir.path());
        server.wait_for_waiting(1);
        let pushed = push(&url).succeed();
        let pulled = playing.process.succeed();
        let got = flv::read(&playing.file).unwrap();
        let sent = flv::read(&Sample::BFrames.path()).unwrap();
        assert_whole(&format!("{asks:?}"), &sent, &got);
        for said in [pushed.stderr.join("\n"), pulled.stderr.join("\n")] {
            assert!(said.contains("with the user name"), "{said}");
            assert!(said.contains("with the answer to its challenge"), "{said}");
            assert!(!said.contains(PASSWORD) && !said.contains(URL_PASSWORD));
        }
        assert_eq!(gate.take_apps().len(), 6, "three connections each");
    }
    server.stop();
}

/// The same gate, and programs that are not ours: ffmpeg, GStreamer, librtmp.
#[test]
fn others_log_in_at_the_same_gate() {
    let server = Server::start(&["--play-wait", "60"]);
    for (publisher, asks) in [
        (Publisher::Ffmpeg, Asks::Adobe),
        (Publisher::Ffmpeg, Asks::AdobeWithOpaque),
        (Publisher::Ffmpeg, Asks::Llnw),
        (Publisher::GstRtmp2Sink, Asks::Adobe),
        (Publisher::GstRtmp2Sink, Asks::AdobeWithOpaque),
        // With authmod=adobe, librtmp 2.4 of Debian 12 destroys its own heap.
        (Publisher::GstRtmpSink, Asks::Llnw),
    ] {
        let gate = asks.gate(server.port, PLAIN_PASSWORD);
        let url = match publisher {
            Publisher::GstRtmpSink => {
                let url = gate.url("live/cam");
                format!("{url} pubUser={USER} pubPasswd={PLAIN_PASSWORD}")
            }
            _ => url(&gate, &format!("{USER}:{PLAIN_PASSWORD}")),
        };
        let dir = TempDir::new();
        let playing = Player::Pull.start(&server.url("live/cam"), dir.path());
        server.wait_for_waiting(1);
        publisher.start(&Sample::BFrames.path(), &url).succeed();
        let count = playing.finish_flv().len();
        let apps = gate.take_apps();
        assert!(
            count > 100,
            "{publisher:?} {asks:?}: {count} tags, {apps:?}"
        );
        assert_eq!(apps.len(), 3, "{publisher:?} {asks:?}: {apps:?}");
    }
    server.stop();
}

#[test]
fn a_doctor_logs_in_and_says_so() {
    let server = Server::start(&["--play-wait", "60"]);
    for asks in Asks::ALL {
        let gate = asks.gate(server.port, PASSWORD);
        let publisher = push_without_end(&server.url("live/cam"));
        for (user_info, status, words) in [
            (
                format!("{USER}:{URL_PASSWORD}"),
                0,
                "fine    login    the server ",
            ),
            (format!("{USER}:wrong"), 1, "with this password"),
        ] {
            let url = url(&gate, &user_info);
            let arguments = ["doctor", url.as_str(), "--duration", "1"];
            let finished = Process::millstream("doctor", arguments).finish();
            let said = [finished.stdout, finished.stderr].concat().join("\n");
            assert_eq!(finished.status.code(), Some(status), "{asks:?}: {said}");
            assert!(said.contains(words), "{asks:?}: {said}");
            for secret in [PASSWORD, URL_PASSWORD, "wrong"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
        drop(publisher);
    }
    server.stop();
}

#[test]
fn who_may_not_log_in_is_told_why() {
    let server = Server::start(&[]);
    for asks in Asks::ALL {
        let gate = asks.gate(server.port, PASSWORD);
        for (user_info, connections, words) in [
            (
                None,
                1,
                "put them into the URL, as in rtmp://USER:PASSWORD@HOST/APP/KEY",
            ),
            (
                Some(USER),
                1,
                "put them into the URL, as in rtmp://USER:PASSWORD@HOST/APP/KEY",
            ),
            (
                Some("door:wrong"),
                3,
                "does not accept user \"door\" with this password",
            ),
            (Some("else:wrong"), 2, "does not know that user"),
        ] {
            let url = match user_info {
                Some(user_info) => url(&gate, user_info),
                None => gate.url("live/cam"),
            };
            let dir = TempDir::new();
            for start in [&|| push(&url), &|| pull(&url, &dir)] as [&dyn Fn() -> Process; 2] {
                let last = failure(start());
                assert!(last.contains(words), "{asks:?} {user_info:?}: {last}");
                let apps = gate.take_apps();
                assert_eq!(apps.len(), connections, "{asks:?} {user_info:?}: {apps:?}");
            }
        }
    }
    server.stop();
}
