//! What other threads ask of a worker: connections to serve, frames to pass on, the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::connection::Connection;
use super::http::HttpPeer;
use super::live_stream::Source;
use super::mail::{Epoch, Feed, FeedContent, Port, Post, StreamName, WorkerId};
use super::protocol::Protocol;
use super::trace::Tracer;
use super::worker::Worker;
use crate::http::request::Request;
use crate::net::socket;
use crate::rtmp::session::{Refusal, ServerSession};

impl Worker {
    /// Acts on everything that has come; see [`super::mail`] for the order.
    pub(super) fn take_mail(&mut self, now: Instant) {
        let posts: Vec<Post> = self.posts.try_iter().collect();
        let feeds: Vec<Feed> = self.feeds.try_iter().collect();
        for feed in feeds {
            self.guarded(None, now, |worker| {
                worker.on_feed(feed, now);
                Ok(())
            });
        }
        for post in posts {
            self.guarded(None, now, |worker| {
                worker.on_post(post, now);
                Ok(())
            });
        }
    }

    fn on_feed(&mut self, feed: Feed, now: Instant) {
        let Some(&slot) = self.stream_slots.get(&feed.name) else {
            return;
        };
        let ours = self.streams[slot].epoch();
        let is_start = matches!(feed.content, FeedContent::Start { .. });
        // Late frames of an earlier publisher, or of a time when nobody here was listening.
        if ours > Some(feed.epoch) || (ours != Some(feed.epoch) && !is_start) {
            return;
        }
        if ours < Some(feed.epoch) {
            self.evict_publisher(slot, feed.epoch, now);
            let source = Source::Elsewhere { epoch: feed.epoch };
            self.streams[slot].start(source, &[]);
            self.admit_waiting(slot, now);
        }
        self.streams[slot].take_feed(feed.content, now);
        self.note_stream(slot);
    }

    fn on_post(&mut self, post: Post, now: Instant) {
        match post {
            Post::Accepted(socket, peer, port) => self.on_accepted(socket, peer, port, now),
            Post::Moved(connection, request) => self.on_moved(*connection, &request, now),
            Post::Attend { name, worker } => {
                if let Some(&slot) = self.stream_slots.get(&name)
                    && matches!(self.streams[slot].source, Source::Here { .. })
                {
                    self.streams[slot].add_fed_worker(worker);
                    self.rouse_publisher(slot);
                    self.fed_streams.push(slot);
                }
            }
            Post::Leave { name, worker } => {
                if let Some(&slot) = self.stream_slots.get(&name) {
                    self.streams[slot].remove_fed_worker(worker);
                }
            }
            Post::Replaced { name, epoch, home } => self.on_replaced(&name, epoch, home, now),
            Post::Measured {
                name,
                epoch,
                vitals: earlier,
            } => {
                if let Some(&slot) = self.stream_slots.get(&name)
                    && self.streams[slot].epoch() == Some(epoch)
                    && let Some(vitals) = &mut self.streams[slot].vitals
                {
                    vitals.follow(*earlier);
                }
            }
            Post::Ended { name, epoch } => {
                if let Some(&slot) = self.stream_slots.get(&name)
                    && self.streams[slot].source == (Source::Elsewhere { epoch })
                {
                    self.dismiss(slot, now);
                }
            }
            Post::Report {
                asker,
                ticket,
                question,
            } => self.on_report(asker, ticket, &question, now),
            Post::Reported { ticket, part } => self.on_reported(ticket, *part, now),
            Post::Drain => self.on_drain(),
            Post::Reload(config) => {
                self.session = Arc::new(config.session);
                self.config = config;
            }
            Post::Shutdown => self.on_shutdown(now),
        }
    }

    /// A name published here went to a publisher on another worker.
    fn on_replaced(&mut self, name: &StreamName, newer: Epoch, home: WorkerId, now: Instant) {
        let Some(&slot) = self.stream_slots.get(name) else {
            return;
        };
        if self.streams[slot].epoch() >= Some(newer) {
            return;
        }
        self.evict_publisher(slot, newer, now);
        if let Some(vitals) = self.streams[slot].vitals.take() {
            let name = StreamName::clone(name);
            let measured = Post::Measured {
                name,
                epoch: newer,
                vitals,
            };
            self.post(home, measured);
        }
        self.streams[slot].start(Source::Elsewhere { epoch: newer }, &[]);
        if !self.streams[slot].has_audience() {
            self.forget_stream(slot);
        }
    }

    fn on_accepted(&mut self, mut stream: TcpStream, peer: SocketAddr, port: Port, now: Instant) {
        let prepared = socket::prepare(&stream, &self.config.liveness)
            .and_then(|()| socket::limit_unsent(&stream, self.config.limits.unsent_bytes_max));
        if let Err(error) = prepared {
            log::debug!("{peer}: gone before it was served: {error}");
            return self.shared.admission.release(peer.ip(), self.id);
        }
        self.generations += 1;
        let slot = self.connections.vacant_entry();
        let key = slot.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self
            .poll
            .registry()
            .register(&mut stream, Token(key), interest)
        {
            log::error!("{peer}: cannot be watched: {error}");
            return self.shared.admission.release(peer.ip(), self.id);
        }
        let protocol = match port {
            Port::Rtmp => {
                let session = Arc::clone(&self.session);
                Protocol::Rtmp(Box::new(ServerSession::new(
                    session,
                    fastrand::u64(..),
                    now,
                )))
            }
            Port::Http => Protocol::Http(Box::new(HttpPeer::new(now))),
        };
        let flights = self.shared.flights.as_ref();
        let recorder = flights
            .filter(|_| port == Port::Rtmp)
            .map(|flights| flights.recorder(peer, stream.local_addr(), now));
        let id = self.shared.next_connection_id();
        let mut connection = Connection::new(id, stream, peer, protocol, self.generations, now);
        connection.recorder = recorder;
        if port == Port::Rtmp {
            let limits = self.config.session.limits.chunk;
            connection.tracer = Tracer::start(&self.config.trace, peer, limits, now);
        }
        slot.insert(connection);
        log::debug!("{peer}: connected");
        self.queue(key);
    }

    /// Goes on with a connection that another worker had.
    fn on_moved(&mut self, mut connection: Connection, request: &Request, now: Instant) {
        let peer = connection.peer;
        self.generations += 1;
        let slot = self.connections.vacant_entry();
        let key = slot.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let watched = self
            .poll
            .registry()
            .register(&mut connection.socket, Token(key), interest);
        if let Err(error) = watched {
            log::error!("{peer}: cannot be watched: {error}");
            return self.shared.admission.release(peer.ip(), self.id);
        }
        slot.insert(connection.moved(self.generations));
        self.queue(key);
        if self.leave_at.is_some() {
            return self.close_gently(key, now);
        }
        self.guarded(Some(key), now, |worker| {
            worker.handle_request(key, request, now);
            worker.handle_requests(key, now);
            Ok(())
        });
    }

    /// The server takes nobody new: who can go on elsewhere is sent there.
    fn on_drain(&mut self) {
        let Some(server) = self.config.drain_to.clone() else {
            return;
        };
        let all = self.connections.iter_mut();
        let leaving = all.filter_map(|(key, one)| one.send_to(&server).then_some(key));
        for key in leaving.collect::<Vec<_>>() {
            self.queue(key);
        }
    }

    /// Tells everybody that the server stops. Who can go on elsewhere leaves by itself, in the time
    /// that there is.
    fn on_shutdown(&mut self, now: Instant) {
        self.leave_at = Some(now + self.config.timers.shutdown_timeout);
        let drain_to = self.config.drain_to.clone();
        let (leaving, keys): (Vec<_>, Vec<_>) = self
            .connections
            .iter_mut()
            .map(|(key, connection)| {
                let server = drain_to.as_deref();
                (key, server.is_some_and(|server| connection.send_to(server)))
            })
            .partition(|(_, leaves)| *leaves);
        for (key, _) in leaving {
            self.queue(key);
        }
        for &(key, _) in &keys {
            // A last flush may have closed some of them: their peers had gone.
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            if let Some(part) = connection.publisher.take() {
                let refusal = Refusal {
                    code: "NetConnection.Connect.AppShutdown",
                    description: "the server is shutting down".to_owned(),
                };
                connection
                    .protocol_mut()
                    .end_publish(part.role.msid, &refusal);
                self.end_stream(part.stream, part.role.epoch, now);
            }
        }
        for (key, _) in keys {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            if let Some(part) = &connection.subscriber {
                let msid = part.role.msid;
                match connection.is_behind(&self.streams[part.stream]) {
                    true => connection.protocol_mut().cut_play(msid),
                    false => connection.protocol_mut().end_play(now, msid),
                }
            }
            self.leave_stream(key, "shutdown");
            self.close_gently(key, now);
        }
    }
}
