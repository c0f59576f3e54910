//! What changes something: a connection that is closed, a server that takes nobody new.

use std::time::{Duration, Instant};

use crate::http::api::{DrainReport, DrainRequest, Kick};
use crate::http::request::Request;
use crate::http::status::Status;
use crate::rtmp::session::Refusal;
use crate::server::connection::Closing;
use crate::server::live_stream::Source;
use crate::server::worker::Worker;

/// How long those that are left may stay when nothing is said of it: long enough for an encoder to
/// go on elsewhere, and what init systems wait at least.
const DRAIN_SECONDS: u32 = 30;

impl Worker {
    /// Closes what is named, if it is here; the answer is the connection.
    pub(super) fn kick(&mut self, kick: &Kick, now: Instant) -> Option<u64> {
        let key = match kick {
            Kick::Connection(id) => {
                let mut all = self.connections.iter();
                all.find(|(_, connection)| connection.id == *id)?.0
            }
            Kick::LiveStream(name) => {
                let slot = *self.stream_slots.get(name.as_str())?;
                let Source::Here { publisher, .. } = self.streams.get(slot)?.source else {
                    return None;
                };
                publisher?
            }
        };
        let connection = self.connections.get_mut(key)?;
        if connection.closing != Closing::No {
            return None;
        }
        let id = connection.id;
        log::info!("{}: kicked", connection.peer);
        if let Some(part) = connection.publisher.take() {
            let refusal = Refusal {
                code: "NetStream.Publish.Rejected",
                description: "closed by the operator of the server".to_owned(),
            };
            connection
                .protocol_mut()
                .end_publish(part.role.msid, &refusal);
            self.end_stream(part.stream, part.role.epoch, now);
        }
        // The end of the live stream may have closed it already, if it played what it published.
        let connection = self.connections.get_mut(key)?;
        if let Some(part) = &connection.subscriber {
            let msid = part.role.msid;
            connection.protocol_mut().cut_play(msid);
        }
        self.leave_stream(key, "kicked");
        self.forget_held(key);
        self.close_gently(key, now);
        Some(id)
    }

    /// Lets the server end: it takes nobody new from now on.
    pub(super) fn handle_drain(
        &mut self,
        key: usize,
        drain: DrainRequest,
        request: &Request,
        now: Instant,
    ) {
        let deadline_seconds = drain.deadline_seconds.unwrap_or(DRAIN_SECONDS);
        let deadline = Duration::from_secs(deadline_seconds.into());
        if !self.shared.stop.drain(deadline) {
            let detail = "it is draining already";
            return self.api_error(key, request, Status::Conflict, detail, now);
        }
        log::info!(
            "{}: drains the server, {deadline_seconds} s at most",
            self.connections[key].peer
        );
        let report = DrainReport {
            connections: self.shared.admission.open() as u64,
            deadline_seconds,
        };
        self.answer_json(key, request, Status::Accepted, &report, now);
    }
}
