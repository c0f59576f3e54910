//! The table of quirks: what real devices do, where it is handled, what shows that it works, and
//! what the log says about it.
//!
//! The cameras of `simulate.rs` run against a server, which is held against this table: each note
//! in it is said once, and counted, and no other is. What no camera can show is shown by tests
//! elsewhere, which must exist.

use std::collections::BTreeSet;
use std::path::Path;

use millstream::server::Note;

use crate::support::flv::{AUDIO, Tag};
use crate::support::peers::Player;
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// A row of the table.
struct Quirk {
    number: u8,
    /// Who does it, and what a simple server makes of it.
    symptom: &'static str,
    /// Where it is handled; several places with a space between them.
    handled: &'static str,
    /// Simulated cameras that do it.
    cameras: &'static [&'static str],
    /// Tests that show it in place of a camera, or more than one can.
    tests: &'static [Test],
    note: Said,
}

/// A file, and a test function in it.
type Test = (&'static str, &'static str);

/// What the log says of it.
enum Said {
    /// Nothing, since no rule is broken.
    Legal,
    /// Nothing, since it is we who must not do something, or the peer is a server.
    Ours,
    /// Why the connection was closed.
    Closed(&'static str),
    /// The cameras say it all: see [`NOTES`].
    Noted,
}
use Said::{Closed, Legal, Noted, Ours};

const DECODER: &str = "src/rtmp/chunk/decoder.rs";
const SERVER: &str = "src/rtmp/session/server.rs";
const COMMANDS: &str = "src/rtmp/session/server/commands.rs";
const LINK: &str = "src/rtmp/session/link.rs";
const MEND: &str = "src/media/flv/mend.rs";
const MEND_TESTS: &str = "src/media/flv/mend/tests.rs";
const CLIENT: &str = "src/rtmp/session/client/replies.rs";
const CLIENT_TESTS: &str = "src/rtmp/session/client/tests.rs";
const SIMULATE: &str = "tests/it/simulate.rs";

#[rustfmt::skip]
const QUIRKS: &[Quirk] = &[
    Quirk { number: 1, symptom: "metadata without videocodecid: taken for sound only",
        handled: "src/media/flv/video.rs", cameras: &["dahua"], tests: &[], note: Legal },
    Quirk { number: 2, symptom: "no metadata, or empty ones: refused",
        handled: SERVER, cameras: &["no-metadata", "null-metadata", "empty-metadata"], tests: &[], note: Noted },
    Quirk { number: 3, symptom: "two numbers before @setDataFrame: AMF error",
        handled: "src/rtmp/message/data.rs", cameras: &["uniview"], tests: &[], note: Noted },
    Quirk { number: 4, symptom: "empty app, no metadata, silent at first, no AVC header",
        handled: MEND, cameras: &["openipc", "no-avc-header", "no-hevc-header"], tests: &[], note: Noted },
    Quirk { number: 5, symptom: "HEVC as codec id 12: unsupported",
        handled: "src/media/flv/video.rs src/media/flv/form.rs", cameras: &["reolink", "no-hevc-header"], tests: &[], note: Noted },
    Quirk { number: 6, symptom: "protocol control on csids 4 to 6: refused",
        handled: LINK, cameras: &["ptz"], tests: &[], note: Noted },
    Quirk { number: 7, symptom: "extended timestamps from the start, repeated or not: out of step",
        handled: "src/rtmp/chunk/extended.rs", cameras: &["dji-fly", "dji-mini"],
        tests: &[("src/rtmp/chunk/decoder/tests/extended.rs", "extended_timestamps_repeated_or_not")], note: Noted },
    Quirk { number: 8, symptom: "NAL units of no bytes, packets of none: fatal",
        handled: MEND, cameras: &["dji-m350"], tests: &[], note: Noted },
    Quirk { number: 9, symptom: "repeated sequence headers, sound before its own: fatal",
        handled: "src/server/publisher.rs src/media/flv/mend.rs", cameras: &["dji-osmo"], tests: &[], note: Noted },
    Quirk { number: 10, symptom: "metadata without any track: closed",
        handled: SERVER, cameras: &["dji-flighthub"], tests: &[], note: Legal },
    Quirk { number: 11, symptom: "timestamps stand still: a probe that never ends",
        handled: "src/rtmp/timestamp.rs src/media/flv/conduct.rs", cameras: &["glive-t80"], tests: &[], note: Noted },
    Quirk { number: 12, symptom: "sound is promised and never comes: waits for ever",
        handled: "src/media/flv/conduct.rs", cameras: &["streamlabs-ios"], tests: &[], note: Noted },
    Quirk { number: 13, symptom: "media before the result of publish: closed, or headers lost",
        handled: "src/rtmp/session/server/held.rs", cameras: &["early-media"], tests: &[], note: Noted },
    Quirk { number: 14, symptom: "metadata before publish: closed, or lost",
        handled: "src/rtmp/session/server/held.rs", cameras: &["early-metadata"], tests: &[], note: Noted },
    Quirk { number: 15, symptom: "a query in tcUrl: wrong app",
        handled: "src/rtmp/url/stream_path.rs", cameras: &["tcurl-query"], tests: &[], note: Legal },
    Quirk { number: 16, symptom: "publish without its type: error",
        handled: COMMANDS, cameras: &["no-type"], tests: &[], note: Noted },
    Quirk { number: 17, symptom: "_checkbw, and FCPublish out of order: refused",
        handled: COMMANDS, cameras: &["haivision"], tests: &[], note: Legal },
    Quirk { number: 18, symptom: "fmt 1 on a fresh chunk stream: refused",
        handled: DECODER, cameras: &["librtmp-ping"], tests: &[], note: Noted },
    Quirk { number: 19, symptom: "freezes when the count of acknowledged bytes ends",
        handled: LINK, cameras: &[], tests: &[(LINK, "the_count_starts_again_before_32_bits_end")], note: Ours },
    Quirk { number: 20, symptom: "no start when code stands before level",
        handled: "src/rtmp/message/command.rs", cameras: &["wirecast"], tests: &[], note: Ours },
    Quirk { number: 21, symptom: "hangs after a refusal without a close",
        handled: "src/server/requests.rs", cameras: &["obs"], tests: &[(SIMULATE, "a_refused_camera_is_closed")], note: Ours },
    Quirk { number: 22, symptom: "a stale chunk size stalls the second connection",
        handled: COMMANDS, cameras: &["obs-restart"], tests: &[], note: Ours },
    Quirk { number: 23, symptom: "fmt 1 of another length inside a message: out of step",
        handled: DECODER, cameras: &["obs-fleet"], tests: &[], note: Noted },
    Quirk { number: 24, symptom: "chunk size 128 MiB: refused",
        handled: DECODER, cameras: &["joy4"], tests: &[], note: Noted },
    Quirk { number: 25, symptom: "chunk size 0x7FFFFFFF: 2 GiB of memory",
        handled: DECODER, cameras: &["chunk-2g"], tests: &[("tests/it/limits.rs", "promises_cost_no_memory")], note: Noted },
    Quirk { number: 26, symptom: "keyframes above 1 MiB: too big",
        handled: DECODER, cameras: &["4k"], tests: &[], note: Legal },
    Quirk { number: 27, symptom: "csids of two and three bytes: refused",
        handled: "src/rtmp/chunk/header.rs", cameras: &["csid-64", "csid-3-bytes"], tests: &[], note: Legal },
    Quirk { number: 28, symptom: "transaction id 0, a name in deleteStream, fmt 3 behind fmt 0",
        handled: COMMANDS, cameras: &["gstreamer"], tests: &[("tests/it/matrix.rs", "gstreamer_rtmp2sink")], note: Noted },
    Quirk { number: 29, symptom: "nginx answers publish and play under id 0: a client waits for ever",
        handled: CLIENT, cameras: &[], tests: &[(CLIENT_TESTS, "nginx_is_understood_in_every_cut"), ("tests/it/nginx.rs", "push_to_ffmpeg_rtmpdump_and_pull")], note: Ours },
    Quirk { number: 30, symptom: "SRS replies with undefined",
        handled: CLIENT, cameras: &[], tests: &[(CLIENT_TESTS, "replies_are_matched_leniently")], note: Ours },
    Quirk { number: 31, symptom: "FMS sends user control 31 and 32: fatal",
        handled: "src/rtmp/message/user_control.rs", cameras: &[], tests: &[(CLIENT_TESTS, "what_ends_a_stream_and_what_does_not")], note: Ours },
    Quirk { number: 32, symptom: "tcUrl in quotes, or spelled tcurl: wrong app",
        handled: "src/rtmp/session/connect.rs", cameras: &["neko", "tcurl-lower-case"], tests: &[], note: Noted },
    Quirk { number: 33, symptom: "a window of a few bytes: a storm of acknowledgements",
        handled: LINK, cameras: &["tiny-window"], tests: &[], note: Noted },
    Quirk { number: 34, symptom: "AAC bodies of no content: crash",
        handled: MEND, cameras: &["empty-aac"], tests: &[], note: Noted },
    Quirk { number: 35, symptom: "start codes inside AVC packets: nobody decodes them",
        handled: MEND, cameras: &["annexb"], tests: &[], note: Noted },
    Quirk { number: 36, symptom: "the picture changes its size, by header or in band only",
        handled: "src/broadcast/log.rs src/media/flv/mend.rs", cameras: &["phone-turned", "phone-turned-in-band"],
        tests: &[("src/broadcast/log/tests.rs", "a_new_video_header_ends_the_group_of_pictures")], note: Noted },
    Quirk { number: 37, symptom: "the same headers at every keyframe: discontinuities",
        handled: "src/server/publisher.rs", cameras: &["same-header"], tests: &[], note: Legal },
    Quirk { number: 38, symptom: "bytes are lost: nonsense is read on",
        handled: DECODER, cameras: &["lost-bytes"], tests: &[(SIMULATE, "a_camera_that_loses_bytes_is_closed")],
        note: Closed("out of step") },
    Quirk { number: 39, symptom: "videocodecid is text: error",
        handled: "src/media/flv/metadata.rs", cameras: &["xsplit"], tests: &[], note: Noted },
    Quirk { number: 40, symptom: "HEVC that is labelled H.264: nobody decodes it",
        handled: MEND, cameras: &["obs-hevc-7"], tests: &[("tests/it/forms.rs", "hevc_under_the_name_of_avc")], note: Noted },
    Quirk { number: 41, symptom: "a key that is only a query; a second track",
        handled: "src/rtmp/url/stream_path.rs src/media/flv/form.rs", cameras: &["obs-query-key", "obs-multitrack"], tests: &[], note: Legal },
    Quirk { number: 42, symptom: "YouTube says onBWDone first, and wants the type live",
        handled: CLIENT, cameras: &[], tests: &[(CLIENT_TESTS, "publish_goes_step_by_step")], note: Ours },
    Quirk { number: 43, symptom: "FMS 3.0 wants releaseStream and FCPublish",
        handled: "src/rtmp/session/client/requests.rs", cameras: &[], tests: &[(CLIENT_TESTS, "publish_goes_step_by_step")], note: Ours },
    Quirk { number: 44, symptom: "players never open a track whose header is not there at first",
        handled: "src/server/subscriber.rs", cameras: &[],
        tests: &[("src/broadcast/log/tests.rs", "readers_start_at_the_latest_keyframe_with_the_headers_in_force"),
                 ("tests/it/matrix.rs", "late_players_start_at_a_keyframe")], note: Ours },
    Quirk { number: 45, symptom: "odd handshakes: refused",
        handled: "src/rtmp/handshake/server.rs", cameras: &["larix"],
        tests: &[("src/rtmp/handshake/tests.rs", "the_server_takes_any_c2_and_not_a_byte_more")], note: Legal },
    Quirk { number: 46, symptom: "DJI apps want :1935 in the URL that is typed",
        handled: "README.md", cameras: &[], tests: &[("tests/it/quirks.rs", "the_port_is_in_the_manual")], note: Ours },
    Quirk { number: 47, symptom: "a new player gets the headers of the publish before",
        handled: "src/server/live_stream.rs", cameras: &[],
        tests: &[("tests/it/quirks.rs", "a_new_publish_has_nothing_of_the_one_before")], note: Ours },
    Quirk { number: 48, symptom: "single frames are hours off",
        handled: "src/rtmp/timestamp.rs", cameras: &["intelbras"], tests: &[], note: Noted },
    Quirk { number: 49, symptom: "media on message stream 0, or another",
        handled: SERVER, cameras: &["msid-0", "msid-other"], tests: &[("src/rtmp/session/server/tests.rs", "a_publishers_media_may_come_on_any_message_stream")], note: Noted },
];

/// What is noted of each camera, and how often at least; of those that are not here, nothing.
const NOTES: &[(&str, &[(&str, u64)])] = &[
    ("null-metadata", &[("metadata-empty", 1)]),
    ("empty-metadata", &[("metadata-empty", 1)]),
    ("uniview", &[("values-in-front", 1)]),
    ("openipc", &[("header-missing", 1)]),
    ("no-avc-header", &[("header-missing", 1)]),
    (
        "no-hevc-header",
        &[("header-missing", 1), ("unofficial-codec-id", 75)],
    ),
    ("reolink", &[("unofficial-codec-id", 76)]),
    ("ptz", &[("control-on-other-csid", 2)]),
    ("dji-mini", &[("extended-timestamp-omitted", 100)]),
    ("dji-m350", &[("empty-frame", 3), ("empty-nal-unit", 75)]),
    ("dji-osmo", &[("aac-too-early", 1)]),
    ("glive-t80", &[("clock-stands-still", 2)]),
    ("streamlabs-ios", &[("sound-promised", 1)]),
    ("early-media", &[("too-early", 1)]),
    (
        "early-metadata",
        &[("too-early", 1), ("media-without-publish", 2)],
    ),
    ("no-type", &[("publish-without-type", 1)]),
    ("librtmp-ping", &[("short-start", 1)]),
    ("obs-fleet", &[("message-restarted", 3)]),
    ("joy4", &[("chunk-size-huge", 1)]),
    ("chunk-2g", &[("chunk-size-huge", 1)]),
    ("gstreamer", &[("stream-number-missing", 1)]),
    ("neko", &[("tcurl-misspelt", 1)]),
    ("tcurl-lower-case", &[("tcurl-misspelt", 1)]),
    ("tiny-window", &[("ack-window-tiny", 1)]),
    (
        "empty-aac",
        &[("empty-header", 1), ("empty-frame", 10), ("cut-short", 10)],
    ),
    ("annexb", &[("annex-b", 75)]),
    ("phone-turned-in-band", &[("header-outdated", 1)]),
    ("xsplit", &[("codec-as-text", 1)]),
    ("obs-hevc-7", &[("hevc-labelled-avc", 76)]),
    ("intelbras", &[("timestamp-outlier", 3)]),
    ("msid-0", &[("other-message-stream", 200)]),
    ("msid-other", &[("other-message-stream", 200)]),
    // Without a number in the table.
    ("wrong-metadata", &[("metadata-wrong", 2)]),
    ("adts", &[("adts", 130)]),
    (
        "clock-jumps",
        &[("timestamp-outlier", 2), ("clock-jump", 1)],
    ),
    (
        "clock-starts-over",
        &[("timestamps-backwards", 2), ("clock-jump", 1)],
    ),
];

fn notes_of(camera: &str) -> &'static [(&'static str, u64)] {
    let noted = NOTES.iter().find(|(name, _)| *name == camera);
    noted.map_or(&[], |(_, notes)| notes)
}

fn note(id: &str) -> Note {
    let note = Note::all().find(|note| note.id() == id);
    note.unwrap_or_else(|| panic!("there is no note {id}"))
}

/// Holds what a server logged of a camera, the only one that published, against the table.
#[track_caller]
pub(crate) fn check_log(camera: &str, log: &[String]) {
    // `[time LEVEL] 127.0.0.1:40112: publishes live/door`
    let behind_peer = |line: &str| {
        let line = line.split_once("] ")?.1;
        let (peer, text) = line.split_once(": ")?;
        Some((peer.to_owned(), text.to_owned()))
    };
    let lines: Vec<(String, String)> = log.iter().filter_map(|line| behind_peer(line)).collect();
    let publishes = lines
        .iter()
        .find(|(_, text)| text.starts_with("publishes live/"));
    let Some((peer, _)) = publishes else {
        panic!("{camera} does not publish: {log:#?}");
    };
    let said: Vec<&str> = lines
        .iter()
        .filter(|(other, _)| other == peer)
        .map(|(_, text)| text.as_str())
        .collect();
    let expected = notes_of(camera);
    for note in Note::all() {
        let words = note.to_string();
        let times = said.iter().filter(|text| **text == words).count();
        let is_expected = expected.iter().any(|(id, _)| *id == note.id());
        assert_eq!(times, usize::from(is_expected), "{words:?} in {said:#?}");
    }
    let sums: Vec<(&str, u64)> = said
        .iter()
        .filter_map(|text| text.strip_prefix("broke rules: "))
        .flat_map(|sums| sums.split(", "))
        .map(|sum| {
            let (id, count) = sum.split_once(' ').unwrap();
            (id, count.parse().unwrap())
        })
        .collect();
    assert_eq!(sums.len(), expected.len(), "{sums:?}");
    for (id, least) in expected {
        let sum = sums.iter().find(|(other, _)| other == id);
        assert!(
            sum.is_some_and(|(_, count)| count >= least),
            "{id}: {sums:?}"
        );
    }
}

/// Whether a file has a test of that name.
fn has_test((file, name): Test) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declaration = format!("fn {name}(");
    let found = lines.iter().position(|line| line.starts_with(&declaration));
    found.is_some_and(|at| {
        lines[..at]
            .iter()
            .rev()
            .take(3)
            .any(|line| *line == "#[test]")
    })
}

#[test]
fn each_quirk_has_a_place_and_a_test() {
    let listed = Process::millstream("list", ["simulate", "--list"]).succeed();
    let listed: Vec<(&str, &str)> = listed
        .stdout
        .iter()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let numbers: Vec<u8> = QUIRKS.iter().map(|quirk| quirk.number).collect();
    assert_eq!(numbers, (1..=49).collect::<Vec<u8>>());
    for quirk in QUIRKS {
        let what = format!("{} ({})", quirk.number, quirk.symptom);
        for file in quirk.handled.split(' ') {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            assert!(path.is_file(), "{what}: no {file}");
        }
        assert!(
            !quirk.cameras.is_empty() || !quirk.tests.is_empty(),
            "{what}: nothing shows it"
        );
        for camera in quirk.cameras {
            let shown = listed.iter().find(|(name, _)| name == camera);
            let number = quirk.number.to_string();
            assert!(
                shown.is_some_and(|(_, shown)| shown.split(',').any(|other| other == number)),
                "{what}: {camera} is listed as {shown:?}"
            );
        }
        for test in quirk.tests {
            assert!(has_test(*test), "{what}: no test {test:?}");
        }
        let is_noted = quirk
            .cameras
            .iter()
            .any(|camera| !notes_of(camera).is_empty());
        match quirk.note {
            Noted => assert!(is_noted, "{what}: not noted"),
            Legal | Ours => assert!(!is_noted, "{what}: noted"),
            Closed(words) => assert!(!is_noted && !words.is_empty(), "{what}"),
        }
    }
    // And no camera is noted that does not exist.
    for (camera, notes) in NOTES {
        assert!(listed.iter().any(|(name, _)| name == camera), "{camera}");
        for (id, least) in *notes {
            assert!(*least > 0 && !note(id).to_string().is_empty());
        }
    }
}

/// A note that no camera causes is shown by a test beside the code that gives it.
#[test]
fn each_note_is_shown() {
    let by_cameras: BTreeSet<&str> = NOTES
        .iter()
        .flat_map(|(_, notes)| notes.iter().map(|(id, _)| *id))
        .collect();
    let by_tests: &[(&str, Test)] = &[
        (
            "control-too-short",
            (
                "src/rtmp/session/server/tests.rs",
                "control_messages_count_on_any_csid_and_msid",
            ),
        ),
        (
            "unreadable-message",
            (
                "src/rtmp/session/server/tests.rs",
                "aggregates_are_split_and_empty_media_is_dropped",
            ),
        ),
        (
            "command-before-connect",
            (
                "src/rtmp/session/server/tests/states.rs",
                "every_state_meets_every_request",
            ),
        ),
        (
            "held-too-much",
            (
                "src/rtmp/session/server/tests/hostile.rs",
                "what_is_held_is_bounded",
            ),
        ),
        (
            "picture-promised",
            ("src/media/flv/conduct.rs", "a_promise_is_missed_once"),
        ),
        (
            "annex-b-header",
            (MEND_TESTS, "start_codes_in_a_sequence_header"),
        ),
        ("aac-header-missing", (MEND_TESTS, "aac_of_odd_publishers")),
    ];
    for note in Note::all() {
        let id = note.id();
        let test = by_tests.iter().find(|(other, _)| *other == id);
        match test {
            Some((_, test)) => assert!(has_test(*test), "{id}: no test {test:?}"),
            None => assert!(by_cameras.contains(id), "{id} is shown by nothing"),
        }
    }
}

#[test]
fn the_port_is_in_the_manual() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let line = manual.lines().position(|line| line.contains("DJI"));
    let around: Vec<&str> = manual.lines().skip(line.unwrap()).take(2).collect();
    assert!(around.join(" ").contains(":1935/"), "{around:?}");
}

/// The first one has sound, the second one has none, and other headers.
#[test]
fn a_new_publish_has_nothing_of_the_one_before() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let film = |camera: &str, seconds: &str, players: usize| {
        let folder = dir.join(camera);
        std::fs::create_dir(&folder).unwrap();
        let playing = Player::Pull.start(&url, &folder);
        server.wait_for_waiting(players);
        let arguments = ["simulate", &url, "--camera", camera, "--duration", seconds];
        Process::millstream(camera, arguments).succeed();
        playing.finish_flv()
    };
    let headers = |tags: &[Tag]| -> Vec<Tag> {
        let headers = tags.iter().filter(|tag| tag.is_sequence_header());
        headers.cloned().collect()
    };
    // It ends turned: its last header is not the one that the second camera has.
    let first = headers(&film("phone-turned", "3", 1));
    let second = film("streamlabs-ios", "1", 2);
    assert!(
        second.iter().all(|tag| tag.kind != AUDIO),
        "sound of the first"
    );
    let second = headers(&second);
    assert_eq!(second.len(), 1);
    assert!(first.len() == 3 && first[2].body != second[0].body);
}
