//! What the connections of a load test are told by their sessions, and what is counted of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::answer::{AnswerReader, Brought};
use super::peer::{Playing, Publishing};
use super::shared::Shared;
use super::stream::{Found, TestStream};
use super::tally::{Arrival, Tally};
use crate::rtmp::MediaKind;
use crate::rtmp::session::{ClientEvent, ClientSession, ClientState};

/// What is needed to deal with the events of one read.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) shared: &'a Shared,
    pub(super) tally: &'a mut Tally,
    pub(super) now: Instant,
}

impl Context<'_> {
    /// An accepted publisher sends its headers and has a start.
    pub(super) fn on_publisher_events(
        self,
        session: &mut ClientSession,
        publishing: &mut Publishing,
    ) -> Result<(), String> {
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::Started => {
                    let stream = &self.shared.stream;
                    session.send_metadata(&stream.metadata());
                    for (kind, body) in stream.headers() {
                        session.send_media(kind, 0, body);
                    }
                    // Not all in the same moment.
                    let publishers = self.shared.options.publishers.max(1) as f64;
                    let part = f64::from(publishing.number) / publishers;
                    let offset = stream.due(MediaKind::Video, 1) * part;
                    publishing.start = Some(self.now + Duration::from_secs_f64(offset));
                    let count = &self.shared.counts.publishing;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                other => fail_on_end(other)?,
            }
        }
        Ok(())
    }

    /// What a subscriber receives is checked and counted.
    pub(super) fn on_subscriber_events(
        mut self,
        session: &mut ClientSession,
        playing: &mut Playing,
        opened: Instant,
    ) -> Result<(), String> {
        if playing.asked.is_none() && session.state() >= ClientState::Starting {
            playing.asked = Some(self.now);
        }
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::Started => self.on_accepted(playing),
                ClientEvent::Media {
                    kind,
                    timestamp,
                    payload,
                } => {
                    self.on_media(playing, kind, timestamp, payload.as_slice(), opened);
                }
                other => fail_on_end(other)?,
            }
        }
        Ok(())
    }

    /// The same of a subscriber over HTTP.
    pub(super) fn on_answer(
        mut self,
        reader: &mut AnswerReader,
        input: &[u8],
        playing: &mut Playing,
        opened: Instant,
    ) -> Result<(), String> {
        playing.asked.get_or_insert(opened);
        reader.handle_input(input, &mut |brought| {
            match brought {
                Brought::Accepted => self.on_accepted(playing),
                Brought::Media {
                    kind,
                    timestamp,
                    body,
                } => self.on_media(playing, kind, timestamp, body, opened),
            }
            Ok(())
        })
    }

    fn on_accepted(&self, playing: &mut Playing) {
        playing.accepted_ns = Some(self.shared.elapsed_ns(self.now));
        let count = &self.shared.counts.playing;
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn on_media(
        &mut self,
        playing: &mut Playing,
        kind: MediaKind,
        timestamp: u32,
        body: &[u8],
        opened: Instant,
    ) {
        // What somebody else publishes is only counted; it may have stamps of another test.
        let found = match self.shared.options.publishers {
            0 if TestStream::is_no_frame(kind, body) => Found::NoFrame,
            0 => Found::Corrupt,
            _ => self.shared.stream.check(kind, body),
        };
        if matches!(found, Found::NoFrame | Found::OtherRun) {
            return;
        }
        if !playing.has_frame {
            playing.has_frame = true;
            let asked = playing.asked.unwrap_or(self.now);
            self.tally.first_frame.record(self.now - asked);
            self.tally.connect_to_frame.record(self.now - opened);
        }
        let now_ns = self.shared.elapsed_ns(self.now);
        let counts_now = playing.is_counted && self.shared.window.contains(now_ns);
        let (track, state) = match kind {
            MediaKind::Video => (&mut self.tally.video, &mut playing.tracks[0]),
            MediaKind::Audio => (&mut self.tally.audio, &mut playing.tracks[1]),
        };
        let before = state.timestamp.replace(timestamp);
        if counts_now && let Some(before) = before {
            let step = timestamp.wrapping_sub(before).cast_signed();
            track.steps_back += u64::from(step < 0);
            track.gap_ms_max = track.gap_ms_max.max(u32::try_from(step).unwrap_or(0));
        }
        match found {
            Found::Whole(stamp) if stamp.publisher != playing.publisher => {
                track.misrouted += u64::from(counts_now);
            }
            Found::Whole(stamp) => {
                let arrival = state.sequence.take(stamp.sequence);
                if !playing.is_counted {
                    return;
                }
                if self.shared.window.contains(stamp.sent_ns) {
                    let latency = Duration::from_nanos(now_ns.saturating_sub(stamp.sent_ns));
                    track.count(arrival, latency);
                    state.frames += u32::from(arrival != Arrival::Again);
                } else if self.shared.window.is_before(stamp.sent_ns) && !state.is_past {
                    state.is_past = true;
                    self.on_past(playing);
                }
            }
            _ if self.shared.options.publishers == 0 => track.frames += u64::from(counts_now),
            _ => track.corrupt += u64::from(counts_now),
        }
    }

    /// Whoever has a frame from after the measured time on each track misses what it has not got.
    fn on_past(&self, playing: &Playing) {
        if playing.is_complete(self.shared.stream.has_audio()) {
            self.shared.counts.complete.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn fail_on_end(event: ClientEvent) -> Result<(), String> {
    match event {
        ClientEvent::Rejected(rejection) if rejection.code.is_empty() => {
            Err("refused by the server".to_owned())
        }
        ClientEvent::Rejected(rejection) => Err(format!("refused: {}", rejection.code)),
        ClientEvent::Ended(_) => Err("the stream ended".to_owned()),
        _ => Ok(()),
    }
}
