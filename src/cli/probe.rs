//! `millstream probe`: what a stream is, and what is odd about it.

use std::time::Duration;

use clap::Args;

use super::console::{Console, answer};
use super::{parse_seconds, parse_target, stop_client_on_signal};
use crate::client::Reactor;
use crate::client::probe::{
    self, AudioReport, BitrateReport, HeaderReport, MetadataReport, ProbeReport, Spread,
    SyncReport, TimestampReport, VideoReport,
};

/// What can be typed behind `probe`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  millstream probe rtmp://192.0.2.1/live/door
  millstream probe rtmp://192.0.2.1/live/door --duration 60 --json")]
pub(super) struct ProbeArgs {
    /// What to look at: rtmp://HOST[:PORT]/APP/KEY
    url: String,

    /// Look for this many seconds, counted from the first thing that comes; Ctrl-C ends it earlier
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    duration: Duration,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Plays the stream and prints what it is.
pub(super) fn run(args: &ProbeArgs, is_verbose: bool) -> anyhow::Result<()> {
    let target = parse_target(&args.url, 4096)?;
    let mut reactor = Reactor::new()?;
    stop_client_on_signal(reactor.stopper().clone())?;
    let mut console = Console::new(is_verbose, false);
    let outcome = probe::run(&mut reactor, &target, args.duration, &mut console);
    console.finish();
    let report = outcome?;
    if args.json {
        answer(&(serde_json::to_string_pretty(&report)? + "\n"))
    } else {
        answer(&Page::of(&report).text)
    }
}

/// Columns before the text of a line.
const MARGIN: usize = 10;

/// A text whose sections have their names in the margin.
#[derive(Debug, Default)]
struct Page {
    text: String,
    section: &'static str,
}

impl Page {
    fn of(report: &ProbeReport) -> Self {
        let mut page = Self {
            text: format!("{}\n", report.url),
            section: "",
        };
        page.head(report);
        if let Some(metadata) = &report.stream.metadata {
            page.begin("metadata");
            page.line(&describe_metadata(metadata));
        }
        for video in &report.stream.video {
            page.begin("video");
            page.video(video);
        }
        for audio in &report.stream.audio {
            page.begin("audio");
            page.audio(audio);
        }
        if let Some(sync) = &report.stream.sync {
            page.begin("sync");
            page.line(&describe_sync(sync));
        }
        page.begin("notes");
        for note in &report.stream.notes {
            page.line(&match note.count {
                1 => note.text.clone(),
                count => format!("{} ({count} times)", note.text),
            });
        }
        if report.stream.notes.is_empty() {
            page.line("nothing odd");
        }
        page
    }

    /// The next line has this name in its margin.
    fn begin(&mut self, section: &'static str) {
        self.section = section;
    }

    fn line(&mut self, text: &str) {
        let section = std::mem::take(&mut self.section);
        self.text += format!("{section:MARGIN$}{text}").trim_end();
        self.text.push('\n');
    }

    fn head(&mut self, report: &ProbeReport) {
        self.begin("server");
        let software = report.server.software.as_deref();
        self.line(&format!(
            "{}, {}",
            report.server.address,
            software.map_or_else(
                || "does not say what it is".to_owned(),
                |software| format!("calls itself {software}")
            )
        ));
        self.begin("steps");
        for step in &report.steps {
            self.line(&format!(
                "{} {} ({:.1} ms)",
                step.number, step.text, step.ms
            ));
        }
        self.begin("first");
        let first = &report.first;
        let parts = [
            ("metadata", first.metadata_ms),
            ("frame", first.frame_ms),
            ("keyframe", first.keyframe_ms),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter_map(|(what, ms)| Some(format!("{what} {:.1} ms", ms?)))
            .collect();
        self.line(&format!("{} after the start", parts.join(", ")));
        self.begin("looked");
        let seconds = report.seconds;
        self.line(&match report.ended.as_str() {
            "duration" => format!("{seconds:.1} s"),
            "stopped" => format!("{seconds:.1} s, until we were stopped"),
            "unpublished" => format!("{seconds:.1} s, then the publisher left"),
            "stream stopped" => format!("{seconds:.1} s, then the server stopped the stream"),
            "server closed" => format!("{seconds:.1} s, then the server ended the connection"),
            other => format!("{seconds:.1} s, then: {other}"),
        });
    }

    fn video(&mut self, video: &VideoReport) {
        let mut parts = vec![title(&video.codec, &video.tag, video.track)];
        parts.extend(video.profile.clone());
        if let Some(level) = &video.level {
            let tier = video.tier.filter(|&tier| tier != "Main");
            parts.push(format!(
                "level {level}{}",
                tier.map_or_else(String::new, |tier| format!(" {tier} tier"))
            ));
        }
        if let (Some(width), Some(height)) = (video.width, video.height) {
            parts.push(format!("{width}x{height}"));
        }
        parts.extend(video.chroma.map(str::to_owned));
        parts.extend(video.bit_depth.map(|bits| format!("{bits} bits")));
        self.line(&parts.join(", "));
        let rate = &video.frame_rate;
        let mut said = Vec::new();
        said.extend(
            rate.metadata
                .map(|rate| format!("metadata say {}", trim(rate))),
        );
        said.extend(rate.sps.map(|rate| format!("the SPS says {}", trim(rate))));
        self.line(&format!(
            "{} frames, {}{}",
            video.frames,
            rate.measured.map_or_else(
                || "too few to tell a frame rate".to_owned(),
                |rate| format!("{rate:.2} a second")
            ),
            parenthesised(&said)
        ));
        self.line(&describe_gop(video));
        self.line(&match video.reorder_frames {
            0 => "no B-frames".to_owned(),
            1 => "B-frames, reordered by up to 1 frame".to_owned(),
            frames => format!("B-frames, reordered by up to {frames} frames"),
        });
        self.track(&video.bitrate, &video.sequence_headers, &video.timestamps);
    }

    fn audio(&mut self, audio: &AudioReport) {
        let codec = match &audio.profile {
            Some(profile) if profile.contains(&audio.codec) => profile.clone(),
            Some(profile) => format!("{} {profile}", audio.codec),
            None => audio.codec.clone(),
        };
        let mut parts = vec![title(&codec, &audio.tag, audio.track)];
        parts.extend(audio.sample_rate.map(|rate| format!("{rate} Hz")));
        parts.extend(audio.channels.map(|channels| match channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            more => format!("{more} channels"),
        }));
        self.line(&parts.join(", "));
        self.line(&format!("{} frames", audio.frames));
        self.track(&audio.bitrate, &audio.sequence_headers, &audio.timestamps);
    }

    fn track(
        &mut self,
        bitrate: &BitrateReport,
        headers: &HeaderReport,
        timestamps: &TimestampReport,
    ) {
        if let Some(mean) = bitrate.mean {
            let peak = bitrate.peak.map_or_else(String::new, |peak| {
                format!(", {} in the fullest second", bits(peak))
            });
            self.line(&format!("{}{peak}", bits(mean)));
        }
        let mut parts = vec![match headers.count {
            0 => "no sequence header".to_owned(),
            1 => "1 sequence header".to_owned(),
            count => format!("{count} sequence headers"),
        }];
        for (count, what) in [(headers.repeated, "repeated"), (headers.changed, "changed")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        self.line(&parts.join(", "));
        self.line(&describe_timestamps(timestamps));
    }
}

/// `H.264 (codec id 7)`
fn title(codec: &str, tag: &str, track: u8) -> String {
    let name = if codec == tag {
        codec.to_owned()
    } else {
        format!("{codec} ({tag})")
    };
    match track {
        0 => name,
        track => format!("track {track}: {name}"),
    }
}

fn describe_metadata(metadata: &MetadataReport) -> String {
    let mut parts = Vec::new();
    if let (Some(width), Some(height)) = (metadata.width, metadata.height) {
        parts.push(format!("{width}x{height}"));
    }
    parts.extend(
        metadata
            .frame_rate
            .map(|rate| format!("{} frames/s", trim(rate))),
    );
    parts.extend(metadata.video_codec.clone());
    parts.extend(metadata.audio_codec.clone());
    parts.extend(metadata.sample_rate.map(|rate| format!("{rate} Hz")));
    parts.extend(
        metadata
            .encoder
            .as_ref()
            .map(|encoder| format!("by {encoder}")),
    );
    if metadata.count > 1 {
        parts.push(format!("sent {} times", metadata.count));
    }
    if parts.is_empty() {
        return "empty".to_owned();
    }
    parts.join(", ")
}

fn describe_gop(video: &VideoReport) -> String {
    let Some(gop) = &video.gop else {
        return match (video.keyframes, video.frames_since_keyframe) {
            (0, _) => "no keyframe".to_owned(),
            (_, Some(frames)) => format!("one keyframe, none in the next {frames} frames"),
            (_, None) => "one keyframe".to_owned(),
        };
    };
    format!(
        "{} keyframes, one every {} frames, every {} s",
        video.keyframes,
        range(&gop.frames, 0),
        range(&gop.seconds, 2)
    )
}

/// `25`, or `25 (20 to 30)` where it is not always the same.
fn range(spread: &Spread, digits: usize) -> String {
    let [min, mean, max] =
        [spread.min, spread.mean, spread.max].map(|number| format!("{number:.digits$}"));
    if min == max {
        return mean;
    }
    format!("{mean} ({min} to {max})")
}

fn describe_timestamps(timestamps: &TimestampReport) -> String {
    let steps = timestamps
        .step_ms
        .as_ref()
        .map_or_else(String::new, |step| {
            format!(", {} ms from frame to frame", range(step, 0))
        });
    if timestamps.is_fine() {
        return format!("timestamps fine{steps}");
    }
    let faults = [
        (timestamps.jumps, "jumps"),
        (timestamps.gaps, "gaps"),
        (timestamps.backward_steps, "steps back"),
        (timestamps.outliers, "far off"),
        (timestamps.stand_stills, "stand-stills"),
    ];
    let faults: Vec<String> = faults
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("timestamps: {}{steps}", faults.join(", "))
}

fn describe_sync(sync: &SyncReport) -> String {
    let drift = sync.drift_ms_per_minute.map_or_else(String::new, |drift| {
        format!(", drift {drift:.0} ms a minute")
    });
    format!(
        "video starts {} ms {} audio, then {:.0} ms ahead of it ({} to {}){drift}",
        sync.start_ms.abs(),
        if sync.start_ms < 0 { "before" } else { "after" },
        sync.mean_ms,
        sync.min_ms,
        sync.max_ms
    )
}

/// ` (this, that)`, or nothing.
fn parenthesised(parts: &[String]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    format!(" ({})", parts.join(", "))
}

/// `25`, `29.97`
fn trim(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1.25 Mbit/s`, `64 kbit/s`
fn bits(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{:.2} Mbit/s", rate / 1e6)
    } else {
        format!("{:.0} kbit/s", rate / 1e3)
    }
}
