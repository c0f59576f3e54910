//! What sessions ask of the server: connect, publish, play and their ends.

use std::sync::Arc;
use std::time::Instant;

use super::connection::{Closing, Part, Waiting, software};
use super::live_stream::{LiveStream, Source};
use super::mail::{Epoch, Post, StreamName};
use super::publisher::{Made, Publisher};
use super::registry::{Origin, whole_ms};
use super::rendition::Output;
use super::subscriber::Subscriber;
use super::worker::Worker;
use crate::broadcast::{Headers, Log, Track};
use crate::media::flv::{Form, FourCc};
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::session::{ConnectRequest, Refusal, ServerEvent};
use crate::rtmp::url::{StreamPath, stream_path};

impl Worker {
    /// Acts on one event of the session of connection `key`.
    pub(super) fn handle_event(&mut self, key: usize, event: ServerEvent, now: Instant) {
        match event {
            ServerEvent::Handshaken(kind) => {
                log::debug!("{}: handshake done ({kind:?})", self.connections[key].peer);
            }
            ServerEvent::Connect(request) => self.on_connect(key, request),
            ServerEvent::Publish { msid, name } => self.on_publish(key, msid, &name, now),
            ServerEvent::Play { msid, name } => self.on_play(key, msid, &name, now),
            ServerEvent::Media {
                kind,
                timestamp,
                payload,
            } => {
                let uptime = self.uptime(now);
                self.publish(key, now, |publisher, headers| {
                    publisher.media(kind, timestamp, payload, headers, uptime)
                });
            }
            ServerEvent::Metadata(payload) => self.publish(key, now, |publisher, headers| {
                [publisher.metadata(payload, headers), None]
            }),
            ServerEvent::ClearMetadata => {
                if let Some(part) = &self.connections[key].publisher {
                    self.streams[part.stream].clear_metadata();
                }
            }
            ServerEvent::Data { payload, .. } => {
                self.publish(key, now, |publisher, _| {
                    [Some(publisher.data(payload)), None]
                });
            }
            ServerEvent::Unpublished(_) => self.on_unpublished(key, now),
            ServerEvent::PlayStopped(_) => {
                self.leave_stream(key, "stopped");
                self.connections[key].has_ended = true;
            }
            ServerEvent::Paused(_, is_paused) => self.on_paused(key, is_paused),
            ServerEvent::Receive(_, kind, is_wanted) => self.on_receive(key, kind, is_wanted),
            // Said when it is counted, with all others: `note_session`.
            ServerEvent::Note(_) => {}
        }
    }

    fn on_connect(&mut self, key: usize, request: ConnectRequest) {
        let connection = &mut self.connections[key];
        log::debug!(
            "{}: connect, app {:?}, {:?}",
            connection.peer,
            request.app_path(),
            request.flash_version
        );
        let capabilities = &request.capabilities;
        let reads = |fourcc: FourCc| capabilities.reads(fourcc);
        let several_tracks = capabilities.multitrack && capabilities.mod_ex;
        connection.form = Form::for_peer(reads, several_tracks);
        connection.software = software(&request.flash_version);
        connection.app = request.app.into_boxed_str();
        connection.tc_url = request.tc_url.into_boxed_str();
        if let Some(session) = connection.protocol_mut().rtmp() {
            session.accept_connect();
        }
    }

    fn on_publish(&mut self, key: usize, msid: MessageStreamId, key_name: &str, now: Instant) {
        let connection = &mut self.connections[key];
        let peer = connection.peer;
        let Some((name, query)) = stream_name(&connection.app, key_name, &connection.tc_url) else {
            let line = format_args!("publish refused: no app and no stream key in its URL");
            connection.fail(log::Level::Warn, now, line);
            let refusal = Refusal {
                code: "NetStream.Publish.BadName",
                description: "the URL names no stream: rtmp://HOST/APP/KEY".to_owned(),
            };
            connection.protocol_mut().reject_publish(msid, &refusal);
            return self.close_gently(key, now);
        };
        connection.on_name(&name, &self.config.trace);
        let origin = Origin {
            address: peer.ip(),
            query,
        };
        let config = self.config.for_path(&name);
        let uptime = self.uptime(now);
        let granted = self
            .shared
            .registry
            .publish(&name, self.id, origin, &config, uptime);
        let grant = match granted {
            Ok(grant) => grant,
            Err(busy) => {
                let (holder, silence) = (busy.address, busy.silence.as_millis());
                let line = format_args!(
                    "publish of {name} refused: {holder} publishes it, last media {silence} ms ago"
                );
                self.connections[key].fail(log::Level::Warn, now, line);
                let refusal = Refusal {
                    code: "NetStream.Publish.BadName",
                    description: format!("{name} is already being published"),
                };
                self.connections[key]
                    .protocol_mut()
                    .reject_publish(msid, &refusal);
                return self.close_gently(key, now);
            }
        };
        if let Some(previous_home) = grant.previous_home.filter(|home| *home != self.id) {
            self.post(
                previous_home,
                Post::Replaced {
                    name: Arc::clone(&name),
                    epoch: grant.epoch,
                    home: self.id,
                },
            );
        }
        let stream = self.stream_slot(&name);
        self.evict_publisher(stream, grant.epoch, now);
        let audience: Vec<_> = grant
            .audience
            .iter()
            .copied()
            .filter(|worker| *worker != self.id)
            .collect();
        let source = Source::Here {
            epoch: grant.epoch,
            publisher: Some(key),
        };
        self.streams[stream].start(source, &audience);
        self.streams[stream].measure(grant.began, &grant.reconnects_ms, uptime);
        self.fed_streams.push(stream);
        let publisher = Publisher::new(
            msid,
            Arc::clone(&name),
            grant.epoch,
            grant.pulse,
            grant.resume_after,
            self.chunk_size(),
        );
        let connection = &mut self.connections[key];
        if let Some(session) = connection.protocol_mut().rtmp() {
            session.accept_publish(now, msid);
        }
        if let Some(recorder) = &mut connection.recorder {
            recorder.served();
        }
        connection.has_ended = false;
        connection.publisher = Some(Part {
            stream,
            role: Box::new(publisher),
        });
        self.keep_awake(key, now);
        self.shared.metrics.publishes.add(1);
        let verb = if grant.resume_after.is_some() {
            "goes on with"
        } else {
            "publishes"
        };
        log::info!("{peer}: {verb} {name}");
        self.admit_waiting(stream, now);
    }

    fn on_play(&mut self, key: usize, msid: MessageStreamId, key_name: &str, now: Instant) {
        // A second play on the same stream id replaces the first.
        self.leave_stream(key, "replaced");
        let connection = &mut self.connections[key];
        let Some((name, _)) = stream_name(&connection.app, key_name, &connection.tc_url) else {
            let line = format_args!("play refused: no app and no stream key in its URL");
            connection.fail(log::Level::Warn, now, line);
            let refusal = Refusal {
                code: "NetStream.Play.StreamNotFound",
                description: "the URL names no stream: rtmp://HOST/APP/KEY".to_owned(),
            };
            connection.protocol_mut().reject_play(msid, &refusal);
            return self.close_gently(key, now);
        };
        let form = connection.form;
        let stream = self.stream_slot(&name);
        let output = Output::Rtmp(match form {
            Form::Legacy(None) => Form::Legacy(self.streams[stream].config.hevc),
            declared => declared,
        });
        self.play(key, msid, stream, output, now);
    }

    /// Lets connection `key` play the live stream in this slot, or wait for it.
    pub(super) fn play(
        &mut self,
        key: usize,
        msid: MessageStreamId,
        stream: usize,
        output: Output,
        now: Instant,
    ) {
        let name = Arc::clone(&self.streams[stream].name);
        self.connections[key].on_name(&name, &self.config.trace);
        self.attend(stream);
        if self.streams[stream].source == Source::Absent {
            log::debug!("{}: waits for {name}", self.connections[key].peer);
            let role = Waiting {
                msid,
                output,
                until: now + self.streams[stream].config.play_wait,
            };
            self.connections[key].waiting = Some(Part { stream, role });
            self.streams[stream].waiting.push(key);
        } else {
            self.admit(key, msid, stream, output, now);
        }
    }

    /// Sees to it that the frames of the live stream in this slot come here; to be said before somebody
    /// is added who wants them.
    pub(super) fn attend(&mut self, stream: usize) {
        if self.streams[stream].has_audience() {
            return;
        }
        self.rouse_publisher(stream);
        let name = Arc::clone(&self.streams[stream].name);
        let home = self.shared.registry.attend(&name, self.id);
        if let Some(home) = home.filter(|home| *home != self.id) {
            let worker = self.id;
            self.post(home, Post::Attend { name, worker });
        }
    }

    /// Lets everybody play who waited for the live stream in this slot.
    pub(super) fn admit_waiting(&mut self, stream: usize, now: Instant) {
        for key in std::mem::take(&mut self.streams[stream].waiting) {
            if let Some(part) = self.connections[key].waiting.take() {
                let Waiting { msid, output, .. } = part.role;
                self.admit(key, msid, stream, output, now);
                self.queue(key);
            }
        }
    }

    fn admit(
        &mut self,
        key: usize,
        msid: MessageStreamId,
        stream: usize,
        output: Output,
        now: Instant,
    ) {
        let chunk_size = self.chunk_size();
        let connection = &mut self.connections[key];
        connection.has_ended = false;
        connection.protocol_mut().accept_play(now, msid, output);
        if let Some(recorder) = &mut connection.recorder {
            recorder.served();
        }
        let live = &mut self.streams[stream];
        let start = live.add_subscriber(key, output, chunk_size);
        connection.subscriber = Some(Part {
            stream,
            role: Subscriber::new(msid, output, start),
        });
        self.shared.metrics.plays.add(1);
        log::info!("{}: plays {}", connection.peer, live.name);
    }

    /// The wait for a live stream is over.
    pub(super) fn refuse_waiting(&mut self, key: usize, now: Instant) {
        let Some(part) = self.connections[key].waiting.take() else {
            return;
        };
        let live = &mut self.streams[part.stream];
        live.waiting.retain(|other| *other != key);
        let name = Arc::clone(&live.name);
        let line = format_args!("play of {name} refused: nobody publishes it");
        self.connections[key].fail(log::Level::Info, now, line);
        let refusal = Refusal {
            code: "NetStream.Play.StreamNotFound",
            description: format!("nobody publishes {name}"),
        };
        self.connections[key]
            .protocol_mut()
            .reject_play(part.role.msid, &refusal);
        self.close_gently(key, now);
        self.after_audience_left(part.stream);
    }

    /// Makes frames of what connection `key` sent, and publishes them; nothing for a connection
    /// that does not publish.
    fn publish(
        &mut self,
        key: usize,
        now: Instant,
        make: impl FnOnce(&mut Publisher, &Headers) -> Made,
    ) {
        let connection = &mut self.connections[key];
        let Some(part) = &mut connection.publisher else {
            return;
        };
        let slot = part.stream;
        let live = &mut self.streams[slot];
        let now_ms = whole_ms(now.saturating_duration_since(self.shared.started));
        for frame in make(&mut part.role, live.headers()).into_iter().flatten() {
            live.observe(&frame, now_ms);
            live.publish(frame, now);
            self.frames += 1;
        }
        if let Some((mend, step_ms)) = part.role.mended() {
            live.observe_mend(mend, step_ms, now_ms);
        }
        let notes = part.role.take_notes();
        self.note_stream(slot);
        for note in notes {
            self.note(key, note, 1, now);
        }
    }

    /// The publisher said goodbye: its live stream ends at once.
    fn on_unpublished(&mut self, key: usize, now: Instant) {
        if let Some(part) = self.connections[key].publisher.take() {
            log::info!("{}: ended {}", self.connections[key].peer, part.role.name);
            self.connections[key].has_ended = true;
            self.end_stream(part.stream, part.role.epoch, now);
        }
    }

    /// The publisher is gone without a goodbye: its subscribers are kept for a while.
    pub(super) fn on_publisher_vanished(&mut self, key: usize, now: Instant) {
        let Some(part) = self.connections[key].publisher.take() else {
            return;
        };
        let uptime = self.uptime(now);
        let grace = self.streams[part.stream].config.publisher_grace;
        let epoch = part.role.epoch;
        let name = &part.role.name;
        let seconds = grace.as_secs();
        let line =
            format_args!("publisher of {name} vanished; its subscribers are kept for {seconds} s");
        self.connections[key].fail(log::Level::Info, now, line);
        self.shared.registry.vacate(name, epoch, uptime);
        self.streams[part.stream].source = Source::Here {
            epoch,
            publisher: None,
        };
        self.graces.push((now + grace, part.stream, epoch));
    }

    /// A newer publisher has the name of the live stream in this slot: whoever published it here
    /// is told and closed.
    pub(super) fn evict_publisher(&mut self, stream: usize, newer: Epoch, now: Instant) {
        let Source::Here {
            epoch,
            publisher: Some(key),
            ..
        } = self.streams[stream].source
        else {
            return;
        };
        if epoch >= newer {
            return;
        }
        let Some(part) = self.connections[key].publisher.take() else {
            return;
        };
        let connection = &mut self.connections[key];
        log::info!(
            "{}: lost {} to a newer publisher",
            connection.peer,
            part.role.name
        );
        let refusal = Refusal {
            code: "NetStream.Publish.BadName",
            description: format!("{} was taken over by a newer publisher", part.role.name),
        };
        connection
            .protocol_mut()
            .end_publish(part.role.msid, &refusal);
        self.close_gently(key, now);
    }

    /// The live stream in this slot, published here, is over: everybody is told.
    pub(super) fn end_stream(&mut self, stream: usize, epoch: Epoch, now: Instant) {
        let name = Arc::clone(&self.streams[stream].name);
        let Some(audience) = self.shared.registry.end(&name, epoch) else {
            return;
        };
        // Frames of this turn go before the end.
        self.feed(stream);
        let here = self.id;
        for worker in audience.into_iter().filter(|worker| *worker != here) {
            self.post(
                worker,
                Post::Ended {
                    name: Arc::clone(&name),
                    epoch,
                },
            );
        }
        self.dismiss(stream, now);
    }

    /// Tells everybody who reads the live stream in this slot here that it is over: at once who
    /// has all of it, the others when they have.
    pub(super) fn dismiss(&mut self, stream: usize, now: Instant) {
        self.flush_stream(stream, now);
        // The flush closes those whose peers have gone, and with the last one of them a live
        // stream that is fed from elsewhere.
        let Some(live) = self.streams.get_mut(stream) else {
            return;
        };
        let mut ended = live.end(self.config.for_path(&live.name), now);
        if live.hls.is_some() {
            self.hls_news.push(stream);
        }
        let (behind, done): (Vec<_>, Vec<_>) = ended
            .subscribers()
            .partition(|key| self.connections[*key].is_behind(&ended));
        for key in done {
            ended.remove_subscriber(key);
            self.end_play(key, now);
        }
        if !behind.is_empty() {
            self.let_drain(ended, &behind, now);
        }
        self.after_audience_left(stream);
    }

    /// Moves subscribers that lag out of the way of the name's next publisher, with the log of the
    /// live stream that has ended.
    fn let_drain(&mut self, ended: LiveStream, behind: &[usize], now: Instant) {
        let epoch = ended.epoch().unwrap_or_default();
        let slot = self.streams.insert(ended);
        for key in behind {
            if let Some(part) = &mut self.connections[*key].subscriber {
                part.stream = slot;
            }
        }
        let deadline = now + self.config.timers.drain_timeout;
        self.graces.push((deadline, slot, epoch));
    }

    /// Ends the play of connection `key` if its live stream is over and it has all of it.
    pub(super) fn end_drained(&mut self, key: usize, now: Instant) {
        let connection = &self.connections[key];
        let Some(stream) = connection.subscriber.as_ref().map(|part| part.stream) else {
            return;
        };
        let live = &mut self.streams[stream];
        if live.is_ended() && !connection.is_behind(live) {
            live.remove_subscriber(key);
            self.end_play(key, now);
            self.after_audience_left(stream);
        }
    }

    /// The rest of a live stream that is over was not taken in time.
    pub(super) fn end_draining(&mut self, stream: usize) {
        for rendition in std::mem::take(&mut self.streams[stream].renditions) {
            for key in rendition.subscribers {
                let connection = &mut self.connections[key];
                if let Some(part) = connection.take_subscriber() {
                    connection.protocol_mut().cut_play(part.role.msid);
                    self.say_ended(key, part.stream);
                }
            }
        }
        self.after_audience_left(stream);
    }

    /// Tells connection `key` that what it plays is over, and that it has all of it.
    fn end_play(&mut self, key: usize, now: Instant) {
        let connection = &mut self.connections[key];
        if let Some(part) = connection.take_subscriber() {
            connection.protocol_mut().end_play(now, part.role.msid);
            self.say_ended(key, part.stream);
        }
    }

    fn say_ended(&mut self, key: usize, stream: usize) {
        let name = &self.streams[stream].name;
        log::info!("{}: {name} ended", self.connections[key].peer);
        self.queue(key);
    }

    /// Takes connection `key` out of the live stream that it plays or waits for.
    pub(super) fn leave_stream(&mut self, key: usize, why: &str) {
        let connection = &mut self.connections[key];
        let (stream, played) = match (connection.take_subscriber(), connection.waiting.take()) {
            (Some(part), _) => (part.stream, true),
            (None, Some(part)) => (part.stream, false),
            (None, None) => return,
        };
        let live = &mut self.streams[stream];
        live.remove_subscriber(key);
        live.waiting.retain(|other| *other != key);
        let (peer, name) = (&connection.peer, &live.name);
        match played {
            true => log::info!("{peer}: plays {name} no more ({why})"),
            false => log::info!("{peer}: gave up waiting for {name} ({why})"),
        }
        self.after_audience_left(stream);
    }

    /// Gives up what nobody here needs any more.
    pub(super) fn after_audience_left(&mut self, stream: usize) {
        let live = &self.streams[stream];
        if live.has_audience() {
            return;
        }
        if live.is_ended() {
            self.streams.remove(stream);
            return;
        }
        let name: StreamName = Arc::clone(&live.name);
        let home = self.shared.registry.leave(&name, self.id);
        if let Some(home) = home.filter(|home| *home != self.id) {
            let worker = self.id;
            self.post(
                home,
                Post::Leave {
                    name: Arc::clone(&name),
                    worker,
                },
            );
        }
        if !matches!(self.streams[stream].source, Source::Here { .. }) {
            self.forget_stream(stream);
        }
    }

    fn on_paused(&mut self, key: usize, is_paused: bool) {
        let chunk_size = self.config.session.chunk_size;
        self.change_play(key, |subscriber, log, output| {
            subscriber.set_paused(is_paused, log, output, chunk_size);
        });
    }

    fn on_receive(&mut self, key: usize, kind: MediaKind, is_wanted: bool) {
        let chunk_size = self.config.session.chunk_size;
        let track = match kind {
            MediaKind::Audio => Track::Audio,
            MediaKind::Video => Track::Video,
        };
        self.change_play(key, |subscriber, log, output| {
            subscriber.set_wanted(track, is_wanted, log, output, chunk_size);
        });
    }

    /// Lets connection `key` go on in another way with what it plays, if it plays.
    fn change_play(
        &mut self,
        key: usize,
        change: impl FnOnce(&mut Subscriber, &Log, &mut Vec<u8>),
    ) {
        let connection = &mut self.connections[key];
        connection.collect_output();
        let Some(mut part) = connection.subscriber.take() else {
            return;
        };
        if let Some(rendition) = self.streams[part.stream].rendition(part.role.output) {
            change(&mut part.role, rendition.log(), connection.output());
        }
        connection.subscriber = Some(part);
    }

    /// Lets the last replies go out, then closes.
    pub(super) fn close_gently(&mut self, key: usize, now: Instant) {
        let connection = &mut self.connections[key];
        if connection.closing == Closing::No {
            let deadline = now + self.config.timers.close_timeout;
            connection.closing = Closing::Flushing(deadline);
        }
        self.queue(key);
    }
}

/// The live stream's name and the query; `None` when the URL named nothing at all, or more than a
/// name may hold.
fn stream_name(app: &str, key: &str, tc_url: &str) -> Option<(StreamName, Box<str>)> {
    let StreamPath { path, query } = stream_path(app, key, Some(tc_url)).ok()?;
    (!path.is_empty()).then(|| (path.into(), query.into()))
}
