//! The counters of the server for Prometheus, in its text exposition format 0.0.4.

use std::fmt::Write;
use std::time::Duration;

use crate::http::api::StreamReport;
use crate::server::api::Tally;
use crate::server::metrics::Metrics;
use crate::server::notes::Note;

/// What the text is.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Live streams that are told one by one: what stores the samples keeps a series for each name that
/// it has ever seen.
const STREAMS_MAX: usize = 200;

/// All counters. The names, their units and the one label with its few values do not change.
pub(super) fn of(metrics: &Metrics, uptime: Duration) -> String {
    let mut out = String::new();
    let counters = [
        (
            "connections_total",
            "Connections accepted.",
            metrics.connections.value(),
        ),
        (
            "connections_refused_total",
            "Connections refused at a limit.",
            metrics.connections_refused.value(),
        ),
        (
            "peer_errors_total",
            "Connections closed for what the peer did.",
            metrics.peer_errors.value(),
        ),
        (
            "panics_total",
            "Faults of the server itself.",
            metrics.panics.value(),
        ),
        (
            "publishes_total",
            "Publishers accepted.",
            metrics.publishes.value(),
        ),
        (
            "plays_total",
            "Subscribers accepted.",
            metrics.plays.value(),
        ),
        (
            "frames_total",
            "Messages of publishers taken.",
            metrics.frames.value(),
        ),
        (
            "mended_timestamps_total",
            "Timestamps put right.",
            metrics.notes.sum(|note| matches!(note, Note::Clock(_))),
        ),
        (
            "mended_bodies_total",
            "Audio and video bodies put right.",
            metrics.notes.sum(|note| matches!(note, Note::Media(_))),
        ),
        (
            "received_bytes_total",
            "Bytes received.",
            metrics.bytes_received.value(),
        ),
        (
            "sent_bytes_total",
            "Bytes sent.",
            metrics.bytes_sent.value(),
        ),
        (
            "laps_total",
            "Subscribers that fell behind and jumped forward.",
            metrics.laps.value(),
        ),
        (
            "feed_overflows_total",
            "Frames that did not reach another worker.",
            metrics.feed_overflows.value(),
        ),
        (
            "flights_lost_total",
            "Recordings of connections that were not written.",
            metrics.flights_lost.value(),
        ),
    ];
    for (name, help, count) in counters {
        describe(&mut out, name, help, "counter");
        line(&mut out, format_args!("millstream_{name} {count}"));
    }
    describe(
        &mut out,
        "notes_total",
        "Rules that peers broke.",
        "counter",
    );
    for (note, count) in metrics.notes.iter() {
        let id = note.id();
        line(
            &mut out,
            format_args!("millstream_notes_total{{note=\"{id}\"}} {count}"),
        );
    }
    describe(
        &mut out,
        "uptime_seconds",
        "Since the server started.",
        "gauge",
    );
    line(
        &mut out,
        format_args!("millstream_uptime_seconds {}", uptime.as_secs()),
    );
    out
}

fn describe(out: &mut String, name: &str, help: &str, kind: &str) {
    line(out, format_args!("# HELP millstream_{name} {help}"));
    line(out, format_args!("# TYPE millstream_{name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}

/// What is so now of the server as a whole.
pub(super) fn put_tally(out: &mut String, tally: &Tally) {
    for (name, help, value) in [
        (
            "live_streams",
            "Live streams with a publisher.",
            tally.live_streams,
        ),
        (
            "subscribers",
            "Who receives a live stream, by any protocol.",
            tally.subscribers,
        ),
        ("connections", "Open connections.", tally.connections),
    ] {
        describe(out, name, help, "gauge");
        line(out, format_args!("millstream_{name} {value}"));
    }
}

/// What is so now of single live streams, by name: of [`STREAMS_MAX`] at most.
pub(super) fn put_streams(out: &mut String, streams: &[StreamReport]) {
    let untold = streams.len().saturating_sub(STREAMS_MAX);
    let told: Vec<_> = streams
        .iter()
        .take(STREAMS_MAX)
        .map(|stream| (label(&stream.name), stream))
        .collect();
    let mut family = |name: &str, help: &str, value: &dyn Fn(&StreamReport) -> Option<f64>| {
        describe(out, name, help, "gauge");
        for (label, stream) in &told {
            if let Some(value) = value(stream) {
                let sample = format_args!("millstream_{name}{{stream=\"{label}\"}} {value}");
                line(out, sample);
            }
        }
    };
    family(
        "stream_health_score",
        "100: well. 0: nobody can watch it.",
        &|stream| Some(stream.health.score.into()),
    );
    family(
        "stream_bits_per_second",
        "What its publisher sends.",
        &|stream| Some(float(stream.bitrate)),
    );
    family(
        "stream_frames_per_second",
        "Of its video, by the timestamps.",
        &|stream| stream.video.first()?.frame_rate,
    );
    family(
        "stream_gop_seconds",
        "Between its last two keyframes.",
        &|stream| stream.video.first()?.gop_seconds,
    );
    family(
        "stream_subscribers",
        "Who receives it, by any protocol.",
        &|stream| Some(float(stream.subscriber_count)),
    );
    family(
        "stream_reconnects_last_hour",
        "How often its publisher was lost and came back.",
        &|stream| Some(float(stream.publisher.as_ref()?.reconnects_last_hour)),
    );
    let help = "Live streams that are left out above.";
    describe(out, "streams_untold", help, "gauge");
    line(out, format_args!("millstream_streams_untold {untold}"));
}

/// Exact up to 2^53; nothing here is larger.
fn float(value: u64) -> f64 {
    let high = u32::try_from(value >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// The value of a label between its quotes.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::Fault;

    #[test]
    fn each_sample_stands_behind_its_help_and_type() {
        let metrics = Metrics::default();
        metrics.bytes_sent.add(7);
        metrics.notes.add(Note::Media(Fault::AnnexB), 5);
        let text = of(&metrics, Duration::from_secs(3));
        let is_sample = |line: &&str| !line.starts_with('#');
        let families = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .count();
        let samples = text.lines().filter(is_sample).count();
        let notes = text.matches("{note=\"").count();
        assert_eq!(samples, families - 1 + notes);
        assert!(text.contains("millstream_sent_bytes_total 7\n"));
        assert!(text.contains("millstream_mended_bodies_total 5\n"));
        assert!(text.contains("millstream_mended_timestamps_total 0\n"));
        assert!(text.ends_with("millstream_uptime_seconds 3\n"));
        let is_plain = |c: char| c.is_ascii() && (c == '\n' || !c.is_control());
        assert!(text.chars().all(is_plain));
    }
}
