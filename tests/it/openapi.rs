//! The OpenAPI document against the types of the API and against the routes.

use millstream::http::api::*;
use millstream::http::request::Method;
use millstream::http::route::{ApiRoute, Route};
use millstream::http::target::Target;
use serde::Serialize;
use serde_json::json;

use crate::support::openapi::Document;

fn document() -> Document {
    Document::parse(OPENAPI)
}

#[track_caller]
fn check(name: &str, report: impl Serialize) {
    let value = serde_json::to_value(report).unwrap();
    let faults = document().schema_faults(name, &value);
    assert!(faults.is_empty(), "{faults:#?}\n{value:#}");
    // What is there is described, and what is described is there.
    let described = document().value()["components"]["schemas"][name]["properties"].clone();
    let described: Vec<&String> = described.as_object().unwrap().keys().collect();
    let found: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(described.len(), found.len(), "{described:?} {found:?}");
}

/// Everything known, or everything that may be unknown unknown.
fn stream(is_known: bool) -> StreamReport {
    let text = |text: &str| is_known.then(|| text.to_owned());
    StreamReport {
        name: "live/\"<script>".into(),
        state: StreamState::Live,
        started_unix_ms: 1_790_000_000_000,
        publisher: is_known.then(|| PublisherReport {
            connection: 7,
            address: "192.0.2.1:40000".into(),
            protocol: "rtmp".into(),
            software: text("FMLE/3.0"),
            connected_unix_ms: 1,
            bytes_received: u64::MAX,
            reconnects_last_hour: 0,
        }),
        video: vec![VideoReport {
            track: 0,
            codec: "H.264".into(),
            codec_string: text("avc1.640028"),
            profile: text("High"),
            level: text("4.0"),
            width: is_known.then_some(1920),
            height: is_known.then_some(1080),
            frame_rate: is_known.then_some(29.97),
            frame_rate_declared: is_known.then_some(30.0),
            gop_seconds: is_known.then_some(2.0),
            gop_frames: is_known.then_some(60),
            gop_seconds_max: is_known.then_some(2.5),
            bitrate: 2_000_000,
            frames: 100,
            keyframes: 2,
        }],
        audio: vec![AudioReport {
            track: 0,
            codec: "AAC".into(),
            codec_string: text("mp4a.40.2"),
            profile: text("LC"),
            sample_rate: is_known.then_some(44_100),
            channels: is_known.then_some(2),
            bitrate: 128_000,
            frames: 300,
        }],
        bitrate: 2_128_000,
        bitrate_history: vec![2_000_000; BITRATE_SECONDS],
        timestamps: TimestampReport {
            jumps: 1,
            jump_largest_ms: -5000,
            backward_steps: 2,
            audio_gaps: 3,
        },
        notes: vec![note()],
        health: HealthReport {
            score: 80,
            reasons: vec![HealthReason {
                id: "gop-too-long".into(),
                text: "a keyframe comes every 10 s".into(),
                cost: 20,
            }],
        },
        subscriber_count: 1,
        links: LinkReport {
            watch: "/watch/live/%22%3Cscript%3E".into(),
            still: "/live/%22%3Cscript%3E/still.mp4".into(),
        },
        outputs: vec![OutputReport {
            kind: OutputKind::Mp4,
            path: "/live/%22%3Cscript%3E.mp4".into(),
            mime_type: text("video/mp4; codecs=\"avc1.640028,mp4a.40.2\""),
            left_out: vec![LeftOutReport {
                track: "audio".into(),
                codec: "G.711 A-law".into(),
                reason: "no browser plays it in MP4".into(),
            }],
            subscriber_count: 1,
        }],
    }
}

fn note() -> NoteReport {
    NoteReport {
        id: "clock-jump".into(),
        text: "its clock jumped".into(),
        count: 3,
    }
}

#[test]
fn reports_are_as_described() {
    for is_known in [true, false] {
        check("StreamReport", stream(is_known));
        check(
            "ServerReport",
            ServerReport {
                software: "millstream".into(),
                version: "0.1.0".into(),
                now_unix_ms: 2,
                started_unix_ms: 1,
                state: ServerState::Draining,
                workers: 4,
                listeners: vec![ListenerReport {
                    protocol: "rtmp".into(),
                    address: "[::]:1935".into(),
                }],
                live_streams: 1,
                publishers: 1,
                subscribers: 1,
                connections: 2,
                connections_max: 10,
                bytes_received: 1,
                bytes_sent: 2,
                bitrate_in: 3,
                bitrate_out: 4,
                resident_bytes: is_known.then_some(5),
            },
        );
        let software = is_known.then(|| "Lavf".to_owned());
        check(
            "StreamDetailReport",
            StreamDetailReport {
                now_unix_ms: 1,
                stream: stream(is_known),
                subscribers: vec![SubscriberReport {
                    connection: 1,
                    address: "192.0.2.1:1".into(),
                    protocol: "ws-mp4".into(),
                    software: software.clone(),
                    connected_unix_ms: 1,
                    lag_ms: 1,
                    lag_bytes: 2,
                    bytes_sent: 3,
                    skips: 4,
                    frames_skipped: 5,
                }],
            },
        );
        check(
            "ConnectionsReport",
            ConnectionsReport {
                now_unix_ms: 1,
                connections: vec![ConnectionReport {
                    id: 1,
                    address: "192.0.2.1:1".into(),
                    protocol: "http".into(),
                    role: ConnectionRole::Web,
                    live_stream: software.clone(),
                    software,
                    connected_unix_ms: 1,
                    worker: 0,
                    bytes_received: 1,
                    bytes_sent: 2,
                    notes: vec![note()],
                }],
            },
        );
    }
    check(
        "StreamsReport",
        StreamsReport {
            now_unix_ms: 1,
            streams: vec![stream(true), stream(false)],
        },
    );
    let settings = vec![SettingReport {
        key: "timers.play_wait".into(),
        value: "\"10s\"".into(),
        default: "\"10s\"".into(),
        source: "default".into(),
    }];
    check(
        "ConfigReport",
        ConfigReport {
            settings: settings.clone(),
            paths: vec![PathReport {
                pattern: "live/*".into(),
                settings,
            }],
        },
    );
    check("KickReport", KickReport { connection: 1 });
    let drain = DrainReport {
        connections: 3,
        deadline_seconds: 30,
    };
    check("DrainReport", drain);
    let error = ErrorReport {
        status: 404,
        error: "no live stream of that name".into(),
    };
    check("ErrorReport", error);
}

#[test]
fn requests_are_as_described() {
    let kick = |connection| Ok(Kick::Connection(connection));
    for (body, read) in [
        (json!({"connection": 7}), kick(7)),
        (json!({"connection": 7, "live_stream": null}), kick(7)),
        (
            json!({"live_stream": "live/cam"}),
            Ok(Kick::LiveStream("live/cam".into())),
        ),
        (
            json!({"connection": 1, "live_stream": "a"}),
            Err(BodyError::NotOne),
        ),
        (json!({}), Err(BodyError::NotOne)),
        (json!({"connection": -1}), Err(BodyError::Field)),
        (json!({"connection": "7"}), Err(BodyError::Field)),
        (json!({"other": 7}), Err(BodyError::Field)),
        (json!([7]), Err(BodyError::NotObject)),
        (json!(7), Err(BodyError::NotObject)),
    ] {
        assert_eq!(
            KickRequest::read(body.to_string().as_bytes()),
            read,
            "{body}"
        );
        // Null for what is left out is let pass, and not described.
        let faults = document().schema_faults("KickRequest", &body);
        let is_fine = read.is_ok() && body.get("live_stream") != Some(&json!(null));
        assert_eq!(faults.is_empty(), is_fine, "{body} {faults:?}");
    }
    for body in ["", "{", "{}{}", "connection=7", "\u{feff}{}"] {
        assert_eq!(
            KickRequest::read(body.as_bytes()),
            Err(BodyError::NotObject)
        );
    }
    let drain = |seconds| {
        Ok(DrainRequest {
            deadline_seconds: seconds,
        })
    };
    for (body, read) in [
        ("", drain(None)),
        (" \r\n", drain(None)),
        ("{}", drain(None)),
        ("{\"deadline_seconds\":30}", drain(Some(30))),
        ("{\"deadline_seconds\":-1}", Err(BodyError::Field)),
        ("[30]", Err(BodyError::NotObject)),
    ] {
        assert_eq!(DrainRequest::read(body.as_bytes()), read, "{body}");
    }
}

#[test]
fn faults_are_found() {
    let mut value = serde_json::to_value(stream(true)).unwrap();
    value["health"]["score"] = json!(101);
    value["video"][0]["extra"] = json!(1);
    value["state"] = json!("dead");
    value["bitrate_history"] = json!(vec![0; 61]);
    value["audio"][0]["sample_rate"] = json!("44100");
    value.as_object_mut().unwrap().remove("links");
    let faults = document().schema_faults("StreamReport", &value);
    assert_eq!(faults.len(), 6, "{faults:#?}");
    let body = json!({"status": 404, "error": "none"});
    assert!(
        document()
            .answer_faults("/stream", "get", 404, &body)
            .is_empty()
    );
    assert!(
        !document()
            .answer_faults("/stream", "get", 418, &body)
            .is_empty()
    );
    assert!(
        !document()
            .answer_faults("/stream", "post", 404, &body)
            .is_empty()
    );
}

#[test]
fn the_document_has_the_routes_and_no_others() {
    let document = document();
    let paths = document.value()["paths"].as_object().unwrap();
    for (path, operations) in paths {
        let target = Target::parse(&format!("/api/v1{path}")).unwrap();
        let Some(Route::Api(route)) = Route::of(&target) else {
            panic!("no route for {path}");
        };
        let is_change = matches!(route, ApiRoute::Kick | ApiRoute::Drain);
        let methods: Vec<&String> = operations.as_object().unwrap().keys().collect();
        assert_eq!(methods, [if is_change { "post" } else { "get" }], "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            let is_allowed = |allowed: &Method| allowed.name().eq_ignore_ascii_case(method);
            assert!(Route::Api(route.clone()).methods().iter().any(is_allowed));
            // Reading may be open; changing never is.
            let is_open = operation["security"]
                .as_array()
                .unwrap()
                .contains(&json!({}));
            assert_eq!(is_open, !is_change, "{path}");
        }
    }
    let words = "openapi.json server streams stream connections config kick drain";
    assert_eq!(paths.len(), words.split(' ').count());
    for word in words.split(' ') {
        assert!(paths.contains_key(&format!("/{word}")), "{word}");
    }
}
