//! What the connections of a load test are told by their sessions, and what is counted of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::peer::{Playing, Publishing};
use super::shared::Shared;
use super::stream::Found;
use super::tally::Tally;
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
                ClientEvent::Started => {
                    playing.accepted_ns = Some(self.shared.elapsed_ns(self.now));
                    let count = &self.shared.counts.playing;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                ClientEvent::Media { kind, payload, .. } => {
                    self.on_media(playing, kind, payload.as_slice(), opened);
                }
                other => fail_on_end(other)?,
            }
        }
        Ok(())
    }

    fn on_media(&mut self, playing: &mut Playing, kind: MediaKind, body: &[u8], opened: Instant) {
        let found = self.shared.stream.check(kind, body);
        if found == Found::NoFrame {
            return;
        }
        if !playing.has_frame {
            playing.has_frame = true;
            let asked = playing.asked.unwrap_or(self.now);
            self.tally.first_frame.record(self.now - asked);
            self.tally.connect_to_frame.record(self.now - opened);
        }
        let (track, next) = match kind {
            MediaKind::Video => (&mut self.tally.video, &mut playing.next_video),
            MediaKind::Audio => (&mut self.tally.audio, &mut playing.next_audio),
        };
        match found {
            Found::Whole(stamp) => {
                track.count(next, stamp);
                // What was sent before is the group of pictures that a late player is given.
                if playing.accepted_ns.is_some_and(|at| stamp.sent_ns >= at) {
                    let elapsed = self.shared.elapsed_ns(self.now);
                    let latency = elapsed.saturating_sub(stamp.sent_ns);
                    track.latency.record(Duration::from_nanos(latency));
                }
            }
            // Nobody of ours publishes: there is nothing to compare with.
            _ if self.shared.options.publishers == 0 => track.frames += 1,
            _ => track.corrupt += 1,
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
