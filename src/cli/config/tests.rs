//! Wrong files with the exact lines about them, precedence, and `config show` read back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::media::flv::HevcForm;
use crate::server::{Flush, Takeover};

fn read(text: &str) -> Result<Settings, Faults> {
    let document = Document::parse("mill.toml", text)?;
    Settings::build(&document, &[], &[])
}

#[track_caller]
fn good(text: &str) -> Settings {
    read(text).unwrap_or_else(|faults| panic!("{faults}\nin\n{text}"))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn wrong_files_are_told_by_line_key_and_fault() {
    const TIME: &str = "such as \"10s\", \"250ms\" or 10 (seconds)";
    for (text, expected) in [
        // Names.
        (
            "[timers]\n\npublisher_graze = 1",
            "mill.toml:3: timers.publisher_graze: no such key; did you mean publisher_grace?".to_owned(),
        ),
        ("worker = 2", "mill.toml:1: worker: no such key; did you mean workers?".to_owned()),
        ("frobnicate = 2", "mill.toml:1: frobnicate: no such key".to_owned()),
        ("\"a b\" = 2", "mill.toml:1: \"a b\": no such key".to_owned()),
        (
            "play_wait = 2",
            "mill.toml:1: play_wait: no such key; did you mean timers.play_wait?".to_owned(),
        ),
        (
            "[limits]\nwrite_timeout = 2",
            "mill.toml:2: limits.write_timeout: no such key; did you mean timers.write_timeout?".to_owned(),
        ),
        ("[timer]", "mill.toml:1: timer: no such section; did you mean timers?".to_owned()),
        ("\n[zebra]\n", "mill.toml:2: zebra: no such section".to_owned()),
        ("timers = 3", "mill.toml:1: timers: a section is expected: [timers]".to_owned()),
        ("[[timers]]", "mill.toml:1: timers: a section is expected: [timers]".to_owned()),
        // Types.
        (
            "workers = \"4\"",
            "mill.toml:1: workers: a whole number from 1 to 256 is expected, not \"4\"".to_owned(),
        ),
        (
            "workers = 1.5",
            "mill.toml:1: workers: a whole number from 1 to 256 is expected, not 1.5".to_owned(),
        ),
        (
            "workers = true",
            "mill.toml:1: workers: a whole number from 1 to 256 is expected, not a value of type boolean".to_owned(),
        ),
        (
            "[workers]",
            "mill.toml:1: workers: a whole number from 1 to 256 is expected, not a value of type table".to_owned(),
        ),
        (
            "rtmp = 1935",
            "mill.toml:1: rtmp: a list of \"ADDRESS:PORT\" is expected, not 1935".to_owned(),
        ),
        (
            "rtmp = [\"0.0.0.0:1935\", \"nonsense\"]",
            "mill.toml:1: rtmp: \"ADDRESS:PORT\" is expected, such as \"0.0.0.0:1935\" or \"[::]:1935\", not \"nonsense\"".to_owned(),
        ),
        ("rtmp = []", "mill.toml:1: rtmp: at least one \"ADDRESS:PORT\" is expected".to_owned()),
        (
            "rtmp = [1]",
            "mill.toml:1: rtmp: a list of \"ADDRESS:PORT\" is expected, not a value of type array".to_owned(),
        ),
        (
            "[timers]\nplay_wait = [\"1s\"]",
            format!("mill.toml:2: timers.play_wait: a time from 0s to 86400s is expected, {TIME}, not a list"),
        ),
        (
            "[timers]\nplay_wait = \"soon\"",
            format!("mill.toml:2: timers.play_wait: a time from 0s to 86400s is expected, {TIME}, not \"soon\""),
        ),
        (
            "[timers]\nplay_wait = \"10 s\"",
            format!("mill.toml:2: timers.play_wait: a time from 0s to 86400s is expected, {TIME}, not \"10 s\""),
        ),
        (
            "[timers]\nplay_wait = -1",
            format!("mill.toml:2: timers.play_wait: a time from 0s to 86400s is expected, {TIME}, not -1"),
        ),
        (
            "chunk_size = \"64kB\"",
            "mill.toml:1: chunk_size: a size from 128 to 64KiB is expected, such as \"64KiB\" or 65536, not \"64kB\"".to_owned(),
        ),
        // Ranges.
        ("workers = 0", "mill.toml:1: workers: 0 is out of range: 1 to 256".to_owned()),
        ("workers = 257", "mill.toml:1: workers: 257 is out of range: 1 to 256".to_owned()),
        ("workers = -1", "mill.toml:1: workers: -1 is out of range: 1 to 256".to_owned()),
        (
            "workers = 99999999999999999999999999",
            "mill.toml:1: workers: 99999999999999999999999999 is out of range: 1 to 256".to_owned(),
        ),
        ("chunk_size = 0x7f", "mill.toml:1: chunk_size: 127 is out of range: 128 to 64KiB".to_owned()),
        (
            "chunk_size = \"1MiB\"",
            "mill.toml:1: chunk_size: \"1MiB\" is out of range: 128 to 64KiB".to_owned(),
        ),
        (
            "[timers]\nplay_wait = \"25h\"",
            "mill.toml:2: timers.play_wait: \"25h\" is out of range: 0s to 86400s".to_owned(),
        ),
        (
            "flush = \"11s\"",
            "mill.toml:1: flush: \"11s\" is out of range: 1ms to 10s".to_owned(),
        ),
        // Words.
        (
            "flush = \"vidoe\"",
            "mill.toml:1: flush: \"video\", \"now\" or a time such as \"100ms\" is expected, not \"vidoe\"; did you mean video?".to_owned(),
        ),
        (
            "flush = 100",
            "mill.toml:1: flush: \"video\", \"now\" or a time such as \"100ms\" is expected, not 100".to_owned(),
        ),
        (
            "takeover = \"same-sauce\"",
            "mill.toml:1: takeover: \"same-source\", \"always\" or \"never\" is expected, not \"same-sauce\"; did you mean same-source?".to_owned(),
        ),
        (
            "hevc = \"\"",
            "mill.toml:1: hevc: \"as-sent\", \"hvc1\" or \"codec-12\" is expected, not \"\"".to_owned(),
        ),
        // Live streams.
        (
            "[path.\"live/*\"]\nplay_weight = 1",
            "mill.toml:2: path.\"live/*\".play_weight: no such key; did you mean play_wait?".to_owned(),
        ),
        (
            "[path.\"live/*\"]\nworkers = 1",
            "mill.toml:2: path.\"live/*\".workers: holds for the whole server, not for single streams".to_owned(),
        ),
        (
            "trace = [\"live/\"]",
            "mill.toml:1: trace: \"live/\": no name has a `/` at its start, at its end or next to another one".to_owned(),
        ),
        (
            "trace = 5",
            "mill.toml:1: trace: a list of patterns is expected, such as [\"live/*\", \"192.0.2.*\"], not 5".to_owned(),
        ),
        (
            "drain_to = \"rtmp://other/live\"",
            "mill.toml:1: drain_to: \"rtmp://HOST[:PORT]\" is expected, not \"rtmp://other/live\"".to_owned(),
        ),
        (
            "drain_to = 1935",
            "mill.toml:1: drain_to: a text in quotes is expected, not 1935".to_owned(),
        ),
        (
            "[path.\"live/*\"]\nhevc = 1",
            "mill.toml:2: path.\"live/*\".hevc: \"as-sent\", \"hvc1\" or \"codec-12\" is expected, not 1".to_owned(),
        ),
        (
            "[path.\"live/*\".timers]\nplay_wait = 1",
            "mill.toml:1: path.\"live/*\".timers: no sections here: write play_wait instead of timers.play_wait".to_owned(),
        ),
        (
            "[path.\"/live/*\"]",
            "mill.toml:1: path.\"/live/*\": no name has a `/` at its start, at its end or next to another one".to_owned(),
        ),
        (
            "[path.\"\"]",
            "mill.toml:1: path.\"\": it is empty; `*` stands for every live stream".to_owned(),
        ),
        (
            "[path]\nflush = \"now\"",
            "mill.toml:2: path.\"flush\": a section for live streams is expected: [path.\"live/*\"]".to_owned(),
        ),
        ("path = 1", "mill.toml:1: path: a section is expected: [path.\"live/*\"]".to_owned()),
        // TOML.
        (
            "workers = 1\nworkers = 2",
            "mill.toml:2: workers: stands in this section already".to_owned(),
        ),
        (
            "[path.a]\n[path.b]\n[path.a]",
            "mill.toml:3: a: stands in this section already".to_owned(),
        ),
        ("a = 1\nworkers = ", "mill.toml:2: string values must be quoted, expected literal string".to_owned()),
        (
            "workers = 1\nworkers = 2\nx = [1\n\nflush =\n",
            "mill.toml:2: workers: stands in this section already\n\
             mill.toml:5: missing comma between array elements, expected `,`"
                .to_owned(),
        ),
        (
            "workers = 1\nworkers = 2\nx = [1\n\nflush =\n",
            "mill.toml:2: workers: stands in this section already\n\
             mill.toml:5: missing comma between array elements, expected `,`"
                .to_owned(),
        ),
        ("\n\nworkers", "mill.toml:3: key with no value, expected `=`".to_owned()),
    ] {
        let said = match read(text) {
            Ok(_) => "nothing".to_owned(),
            Err(faults) => faults.to_string(),
        };
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn all_faults_are_told_in_the_order_of_the_file() {
    let text =
        "workers = 0\n[path.a]\nx = 1\n[timers]\nclose_timeout = \"1d\"\n[path.b]\nflush = 1\n";
    let faults = read(text).unwrap_err();
    let lines: Vec<_> = faults.0.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 3, 5, 7]);
    assert_eq!(
        faults.in_one_line(),
        "mill.toml:1: workers: 0 is out of range: 1 to 256 (and 3 more)"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault() {
    let faults = Settings::load(Some(Path::new("/nowhere/mill.toml")), &[], &[]).unwrap_err();
    let said = faults.to_string();
    assert!(
        said.starts_with("/nowhere/mill.toml: cannot be read: No such file"),
        "{said}"
    );
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(good("").config, Config::default());
    assert_eq!(
        good("# nothing\n[timers]\n[limits]\n").config,
        Config::default()
    );
}

#[test]
fn a_file_says_what_holds() {
    let settings = good(
        r#"
        rtmp = ["[::]:1935", "127.0.0.1:19350"]
        workers = 3
        chunk_size = "4k"
        flush = "100ms"
        [limits]
        connections_max = 1_000
        log_bytes_max = "8MiB"
        log_age_max = 20
        [timers]
        play_wait = 0.5
        tcp_user_timeout = "1m"
        [path."live/*"]
        publisher_grace = "1m"
        takeover = "never"
        [path."live/door"]
        flush = "video"
        log_age_max = "5s"
        hevc = "codec-12"
        "#,
    );
    let config = &settings.config;
    let rtmp: Vec<_> = config.rtmp.iter().map(ToString::to_string).collect();
    assert_eq!(rtmp, ["[::]:1935", "127.0.0.1:19350"]);
    assert_eq!((config.workers, config.session.chunk_size), (3, 4096));
    assert_eq!(config.limits.connections_max, 1000);
    assert_eq!(config.liveness.user_timeout, secs(60));
    let elsewhere = config.for_path("other/cam");
    assert_eq!(elsewhere, config.path);
    assert_eq!(elsewhere.flush, Flush::Every(Duration::from_millis(100)));
    assert_eq!(
        (elsewhere.log.bytes_max, elsewhere.log.age_ms_max),
        (8 << 20, 20_000)
    );
    assert_eq!(elsewhere.play_wait, Duration::from_millis(500));
    let expected = PathConfig {
        publisher_grace: secs(60),
        takeover: Takeover::Never,
        ..elsewhere
    };
    assert_eq!(config.for_path("live/cam"), expected);
    // The one section holds, with what stands outside of sections; nothing of `live/*`.
    let mut expected = PathConfig {
        flush: Flush::Video,
        hevc: Some(HevcForm::CodecId12),
        ..elsewhere
    };
    expected.log.age_ms_max = 5000;
    assert_eq!(config.for_path("live/door"), expected);
}

#[test]
fn of_equal_patterns_the_one_further_down_holds() {
    let low_first = "[path.\"live/*\"]\nplay_wait = 1\n[path.\"*/cam1\"]\nplay_wait = 2\n";
    let low_last = "[path.\"*e/cam\"]\nplay_wait = 1\n[path.\"live/*\"]\nplay_wait = 2\n";
    for (text, name) in [(low_first, "live/cam1"), (low_last, "live/cam")] {
        assert_eq!(
            good(text).config.for_path(name).play_wait,
            secs(2),
            "{text}"
        );
    }
}

#[test]
fn default_then_file_then_environment_then_command_line() {
    let text = "[timers]\nplay_wait = 1\n[path.\"own/*\"]\nplay_wait = 9\n[path.\"x/*\"]\nhevc = \"hvc1\"\n";
    let variable = [("MILLSTREAM_TIMERS_PLAY_WAIT".to_owned(), "2s".to_owned())];
    let typed = [("timers.play_wait", "3")];
    let none: &[(String, String)] = &[];
    let nothing: &[(&str, &str)] = &[];
    for (text, environment, typed, expected, source) in [
        ("", none, nothing, 5, Source::Default),
        (
            text,
            none,
            nothing,
            1,
            Source::File("mill.toml:2".to_owned()),
        ),
        (
            text,
            &variable,
            &[],
            2,
            Source::Environment(variable[0].0.clone()),
        ),
        (text, &variable, &typed, 3, Source::CommandLine),
        ("", &variable, &typed, 3, Source::CommandLine),
    ] {
        let document = Document::parse("mill.toml", text).unwrap();
        let settings = Settings::build(&document, environment, typed).unwrap();
        assert_eq!(settings.config.path.play_wait, secs(expected));
        assert_eq!(settings.config.for_path("x/cam").play_wait, secs(expected));
        assert_eq!(settings.sources[index("timers.play_wait")], source);
        if !text.is_empty() {
            // What a section says itself, it says of its streams alone.
            assert_eq!(settings.config.for_path("own/cam").play_wait, secs(9));
        }
    }
}

#[test]
fn the_environment_is_checked_as_the_file_is() {
    let environment = [
        ("MILLSTREAM_WORKERS".to_owned(), "many".to_owned()),
        (
            "MILLSTREAM_RTMP".to_owned(),
            "127.0.0.1:1935, nonsense".to_owned(),
        ),
        // Not one of ours, as a container platform sets it.
        ("MILLSTREAM_SERVICE_HOST".to_owned(), "10.0.0.1".to_owned()),
    ];
    let faults = Settings::load(None, &environment, &[]).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "MILLSTREAM_WORKERS: a whole number from 1 to 256 is expected, not many\n\
         MILLSTREAM_RTMP: \"ADDRESS:PORT\" is expected, such as \"0.0.0.0:1935\" or \
         \"[::]:1935\", not \"nonsense\""
    );
    let environment = [("MILLSTREAM_CONFIG".to_owned(), "/nowhere.toml".to_owned())];
    let faults = Settings::load(None, &environment, &[]).unwrap_err();
    assert!(
        faults
            .to_string()
            .starts_with("/nowhere.toml: cannot be read")
    );
}

#[test]
fn every_setting_has_a_name_of_its_own_and_a_place_in_the_order() {
    let mut names: Vec<_> = KEYS.iter().map(Key::environment_name).collect();
    names.push(FILE_VARIABLE.to_owned());
    names.sort();
    names.dedup();
    assert_eq!(names.len(), KEYS.len() + 1);
    for key in KEYS {
        assert!(keys::SECTIONS.contains(&key.section), "{key:?}");
        assert!(key.about.ends_with('.'), "{key:?}");
        let given = Given::Typed(
            key.toml(&mut Config::default())
                .replace(['"', '[', ']'], ""),
        );
        let mut config = Config::default();
        assert_eq!(
            key.set(&mut config, &given),
            Ok(()),
            "{}: its default",
            key.name
        );
        assert_eq!(config, Config::default(), "{}", key.name);
    }
}

#[test]
fn what_show_prints_says_where_values_come_from() {
    let text = "workers = 3\n[path.\"live/*\"]\nplay_wait = \"9s\"\n";
    let document = Document::parse("mill.toml", text).unwrap();
    let variable = (
        "MILLSTREAM_TIMERS_CLOSE_TIMEOUT".to_owned(),
        "250ms".to_owned(),
    );
    let settings = Settings::build(&document, &[variable], &[("flush", "now")]).unwrap();
    let shown = show::show(&settings);
    for expected in [
        "Here from mill.toml:1.\nworkers = 3\n",
        "Here from the command line.\nflush = \"now\"\n",
        "Here from MILLSTREAM_TIMERS_CLOSE_TIMEOUT.\nclose_timeout = \"250ms\"\n",
        "\n# From mill.toml:2.\n[path.\"live/*\"]\nplay_wait = \"9s\"\n",
        "1 to 1024. Default 8.\nmessage_streams_max = 8\n",
        "\n[timers]\n\n# From the connection",
    ] {
        assert!(shown.contains(expected), "no {expected:?} in\n{shown}");
    }
    assert!(shown.lines().all(|line| line.len() <= 120), "{shown}");
}

/// A file with some of the settings, at values within their bounds.
fn any_file() -> impl Strategy<Value = String> {
    let value = |key: &'static Key| {
        let numbers = |min: u64, max: u64| (min..=max).prop_map(|n| n.to_string()).boxed();
        let times = |min: u64, max: u64| (min..=max).prop_map(|n| format!("\"{n}ms\"")).boxed();
        let words = |words: &'static [&'static str]| {
            prop::sample::select(words).prop_map(quoted_word).boxed()
        };
        fn of<T>(
            field: &field::Field<T>,
            numbers: impl Fn(u64, u64) -> BoxedStrategy<String>,
            times: impl Fn(u64, u64) -> BoxedStrategy<String>,
            words: impl Fn(&'static [&'static str]) -> BoxedStrategy<String>,
        ) -> BoxedStrategy<String> {
            use field::Field;
            match field {
                Field::Addresses(..) => any::<std::net::SocketAddr>()
                    .prop_map(|mut address| {
                        if let std::net::SocketAddr::V6(v6) = &mut address {
                            v6.set_flowinfo(0);
                        }
                        format!("[\"{address}\"]")
                    })
                    .boxed(),
                Field::Patterns(_) => prop::collection::vec("[a-z*]{1,3}(/[a-z*]{1,3})?", 0..3)
                    .prop_map(|patterns| format!("{patterns:?}"))
                    .boxed(),
                Field::Count(_, min, max) | Field::Size(_, min, max) => numbers(*min, *max),
                Field::Time(_, min, max) => times(*min, *max),
                Field::Flush(_) => words(&["video", "now", "1ms", "10s", "1234ms"]),
                Field::Takeover(_) => words(&["same-source", "always", "never"]),
                Field::Hevc(_) => words(&["as-sent", "hvc1", "codec-12"]),
                Field::Reads(_) => words(&["loopback", "anybody", "nobody"]),
                // What is set is not shown.
                Field::Secret(..) => words(&[""]),
                Field::Text(..) => words(&["", "rtmp://other", "rtmps://[::1]:19350"]),
            }
        }
        match &key.place {
            Place::Server(field) => of(field, numbers, times, words),
            Place::Path(field) => of(field, numbers, times, words),
        }
    };
    let all: Vec<_> = KEYS
        .iter()
        .map(|key| prop::option::of(value(key)))
        .collect();
    let own: Vec<_> = KEYS
        .iter()
        .filter(|key| matches!(key.place, Place::Path(_)))
        .map(|key| prop::option::of(value(key).prop_map(move |value| (key.name, value))))
        .collect();
    let patterns =
        prop::collection::btree_map("[a-z*\"\\\\é\u{7f}]{1,4}(/[a-z*]{1,3})?", own, 0..3);
    (all, patterns).prop_map(|(values, paths)| {
        let mut text = String::new();
        for section in keys::SECTIONS {
            if !section.is_empty() {
                text.push_str(&format!("[{section}]\n"));
            }
            for (key, value) in KEYS.iter().zip(&values) {
                if let (true, Some(value)) = (key.section == section, value) {
                    text.push_str(&format!("{} = {value}\n", key.name));
                }
            }
        }
        for (pattern, own) in paths {
            text.push_str(&format!("[path.{}]\n", field::quoted(&pattern)));
            for (name, value) in own.into_iter().flatten() {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
        text
    })
}

fn quoted_word(word: &str) -> String {
    field::quoted(word)
}

proptest! {
    #[test]
    fn what_show_prints_is_a_file_that_says_the_same(text in any_file()) {
        let settings = read(&text).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        let shown = show::show(&settings);
        let again = read(&shown).map_err(|faults| TestCaseError::fail(format!("{faults}\n{shown}")))?;
        prop_assert_eq!(&again.config, &settings.config, "{}", shown);
        // Every setting is there.
        let given = again.sources.iter().filter(|source| source.is_given()).count();
        prop_assert_eq!(given, KEYS.len());
    }

    #[test]
    fn no_file_panics(text in any::<String>(), lines in "([a-z_]{0,9}( = |\\.|\n|\\[|\\]|\"|[0-9]{1,3}){0,3}){0,9}") {
        for text in [text, lines] {
            if let Err(faults) = read(&text) {
                prop_assert!(!faults.0.is_empty());
            }
        }
    }
}
