//! A live stream in the words of the API.

use std::time::Instant;

use super::Clock;
use super::part::notes;
use crate::broadcast::{Slot, Track};
use crate::http::api::{
    AudioReport, HealthReason, HealthReport, LeftOutReport, LinkReport, OutputKind, OutputReport,
    PublisherReport, StreamReport, StreamState, TimestampReport, VideoReport,
};
use crate::http::escape;
use crate::media::flv::{Metadata, TagKind};
use crate::media::vitals::{self, AudioFacts, Offer, VideoFacts, Vitals};
use crate::server::connection::{Connection, software};
use crate::server::live_stream::LiveStream;
use crate::server::registry::whole_ms;

/// A publisher that sends no picture and no sound for this long is silent, milliseconds.
const SILENT_MS: u64 = 2000;

/// What is known of a live stream on the worker where it is published. Who receives it is counted
/// elsewhere. `started` is when the server did.
pub(super) fn report(
    live: &LiveStream,
    publisher: Option<&Connection>,
    started: Instant,
    clock: Clock,
) -> StreamReport {
    let now_ms = whole_ms(clock.now.saturating_duration_since(started));
    let measured = match &live.vitals {
        Some(vitals) => vitals.report(now_ms),
        None => Vitals::new(now_ms).report(now_ms),
    };
    let metadata = live
        .headers()
        .get(Track::Data, Slot::MAIN)
        .and_then(|frame| Metadata::parse(frame.body()))
        .unwrap_or_default();
    let state = match publisher {
        None => StreamState::Waiting,
        Some(_) if measured.silent_ms >= SILENT_MS => StreamState::Silent,
        Some(_) => StreamState::Live,
    };
    let video = measured.video.as_ref().map(|video| &video.facts);
    let audio = measured.audio.as_ref().map(|audio| &audio.facts);
    StreamReport {
        name: live.name.to_string(),
        state,
        started_unix_ms: clock.at(started + live.began),
        publisher: publisher.map(|connection| PublisherReport {
            connection: connection.id,
            address: connection.peer.to_string(),
            protocol: "rtmp".to_owned(),
            software: metadata
                .encoder
                .as_deref()
                .and_then(software)
                .or_else(|| connection.software.clone())
                .map(String::from),
            connected_unix_ms: clock.at(connection.connected),
            bytes_received: connection.bytes_received,
            reconnects_last_hour: measured.reconnects_last_hour,
        }),
        outputs: outputs(&live.name, video, audio),
        video: measured
            .video
            .iter()
            .map(|video| video_report(video, &metadata))
            .collect(),
        audio: measured.audio.iter().map(audio_report).collect(),
        bitrate: measured.bitrate,
        bitrate_history: measured.bitrate_history,
        timestamps: TimestampReport {
            jumps: measured.jumps,
            jump_largest_ms: measured.jump_largest_ms,
            backward_steps: measured.backward_steps,
            audio_gaps: measured.audio_gaps,
        },
        notes: publisher.map_or_else(Vec::new, |connection| notes(&connection.notes)),
        health: health(&measured.health),
        subscriber_count: 0,
        links: LinkReport {
            watch: format!("/watch/{}", escape::path(&live.name)),
            still: format!("/{}/still.mp4", escape::path(&live.name)),
        },
    }
}

fn video_report(video: &vitals::VideoReport, metadata: &Metadata) -> VideoReport {
    let facts = video.facts.clone();
    let seconds = |ms: u64| f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1000.0;
    VideoReport {
        track: 0,
        codec: facts.codec.to_string(),
        codec_string: facts.codec_string,
        profile: facts.profile,
        level: facts.level,
        width: facts.size.map(|(width, _)| width),
        height: facts.size.map(|(_, height)| height),
        frame_rate: video.frame_rate,
        frame_rate_declared: metadata.frame_rate.filter(|rate| rate.is_finite()),
        gop_seconds: video.gop.map(|gop| seconds(gop.ms)),
        gop_frames: video.gop.map(|gop| gop.frames),
        gop_seconds_max: video.gop_ms_max.map(seconds),
        bitrate: video.bitrate,
        frames: video.frames,
        keyframes: video.keyframes,
    }
}

fn audio_report(audio: &vitals::AudioReport) -> AudioReport {
    let facts = audio.facts.clone();
    AudioReport {
        track: 0,
        codec: facts.codec.to_string(),
        codec_string: facts.codec_string,
        profile: facts.profile,
        sample_rate: facts.sample_rate,
        channels: facts.channels,
        bitrate: audio.bitrate,
        frames: audio.frames,
    }
}

fn health(health: &vitals::Health) -> HealthReport {
    let reason = |reason: &vitals::Reason| HealthReason {
        id: reason.id().to_owned(),
        text: reason.to_string(),
        cost: reason.cost(),
    };
    HealthReport {
        score: health.score,
        reasons: health.reasons.iter().map(reason).collect(),
    }
}

fn outputs(
    name: &str,
    video: Option<&VideoFacts>,
    audio: Option<&AudioFacts>,
) -> Vec<OutputReport> {
    let codec_of = |kind: TagKind| match kind {
        TagKind::Video => video.map(|facts| facts.codec.to_string()),
        _ => audio.map(|facts| facts.codec.to_string()),
    };
    let forms = [
        (OutputKind::Flv, "flv", vitals::Output::Flv),
        (OutputKind::Mp4, "mp4", vitals::Output::Mp4),
        (OutputKind::Hls, "m3u8", vitals::Output::Mp4),
    ];
    let output = |(kind, ending, output)| {
        let offer = Offer::new(output, video, audio);
        let left_out = offer.left_out.iter().map(|left_out| LeftOutReport {
            track: match left_out.kind {
                TagKind::Video => "video".to_owned(),
                _ => "audio".to_owned(),
            },
            codec: codec_of(left_out.kind).unwrap_or_default(),
            reason: left_out.reason.to_owned(),
        });
        OutputReport {
            kind,
            path: format!("/{}.{ending}", escape::path(name)),
            left_out: left_out.collect(),
            mime_type: offer.mime_type,
            subscriber_count: 0,
        }
    };
    forms.into_iter().map(output).collect()
}
