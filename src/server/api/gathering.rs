//! Questions that every worker has a part of the answer to, and what has come of it so far.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Part;
use crate::http::api::Kick;
use crate::http::request::Request;
use crate::http::status::Status;
use crate::server::mail::{Post, WorkerId};
use crate::server::worker::Worker;

/// How long the parts of an answer may take: a worker that hangs must not hang the API.
const PATIENCE: Duration = Duration::from_secs(1);

/// Questions that one worker has open at a time. Each costs every worker some milliseconds when
/// there are thousands of connections.
const OPEN_MAX: usize = 32;

/// What is asked of every worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) enum Question {
    /// The server as a whole.
    Server,
    /// All live streams.
    Streams,
    /// This one, with its subscribers.
    Stream(String),
    /// All connections.
    Connections,
    /// What is measured; live streams by name only for those who may read them.
    Metrics {
        /// Whether it may.
        has_streams: bool,
    },
    /// To close what this names.
    Kick(Kick),
}

/// Questions of connections here that wait for parts of other workers.
#[derive(Debug, Default)]
pub(in crate::server) struct Gatherings {
    /// At most [`OPEN_MAX`].
    open: Vec<Gathering>,
    last_ticket: u64,
}

#[derive(Debug)]
struct Gathering {
    ticket: u64,
    /// Who asks, and that it still is the same connection.
    key: usize,
    connection: u64,
    question: Arc<Question>,
    request: Box<Request>,
    part: Part,
    /// Workers that have not answered.
    missing: usize,
    until: Instant,
}

impl Gatherings {
    /// When the first of them is given up waiting for.
    pub(in crate::server) fn deadline(&self) -> Option<Instant> {
        self.open.iter().map(|gathering| gathering.until).min()
    }
}

impl Worker {
    /// Asks all workers on behalf of connection `key`, which waits for the answer.
    pub(in crate::server) fn ask(
        &mut self,
        key: usize,
        question: Question,
        request: &Request,
        now: Instant,
    ) {
        let others = self.workers().filter(|other| *other != self.id);
        let others: Vec<WorkerId> = others.collect();
        if self.gatherings.open.len() >= OPEN_MAX {
            let detail = "too many ask at the same time";
            return self.api_error(key, request, Status::ServiceUnavailable, detail, now);
        }
        let part = self.part(&question, now);
        if others.is_empty() {
            return self.answer_question(key, &question, part, request, now);
        }
        self.gatherings.last_ticket += 1;
        let ticket = self.gatherings.last_ticket;
        let question = Arc::new(question);
        let connection = &mut self.connections[key];
        if let Some(peer) = connection.protocol_mut().http() {
            peer.ask();
        }
        self.gatherings.open.push(Gathering {
            ticket,
            key,
            connection: connection.id,
            question: Arc::clone(&question),
            request: Box::new(request.clone()),
            part,
            missing: others.len(),
            until: now + PATIENCE,
        });
        let asker = self.id;
        for worker in others {
            let question = Arc::clone(&question);
            self.post(
                worker,
                Post::Report {
                    asker,
                    ticket,
                    question,
                },
            );
        }
    }

    /// Another worker asks.
    pub(in crate::server) fn on_report(
        &mut self,
        asker: WorkerId,
        ticket: u64,
        question: &Question,
        now: Instant,
    ) {
        let part = Box::new(self.part(question, now));
        self.post(asker, Post::Reported { ticket, part });
    }

    /// Another worker has answered.
    pub(in crate::server) fn on_reported(&mut self, ticket: u64, part: Part, now: Instant) {
        let mut open = self.gatherings.open.iter_mut();
        let Some(gathering) = open.find(|gathering| gathering.ticket == ticket) else {
            return;
        };
        gathering.part.absorb(part);
        gathering.missing -= 1;
        if gathering.missing == 0 {
            self.end_gatherings(now);
        }
    }

    /// Answers with what has come where all has, or where the time is over.
    pub(in crate::server) fn end_gatherings(&mut self, now: Instant) {
        let open = std::mem::take(&mut self.gatherings.open);
        let is_due = |gathering: &Gathering| gathering.missing == 0 || now >= gathering.until;
        let (due, open): (Vec<_>, _) = open.into_iter().partition(is_due);
        self.gatherings.open = open;
        for gathering in due {
            if gathering.missing > 0 {
                let missing = gathering.missing;
                log::warn!("{missing} workers have not reported in time");
            }
            self.guarded(Some(gathering.key), now, |worker| {
                worker.finish(gathering, now);
                Ok(())
            });
        }
    }

    fn finish(&mut self, gathering: Gathering, now: Instant) {
        let key = gathering.key;
        // It may have gone, and its slot may have another user.
        let connection = self.connections.get_mut(key);
        let Some(peer) = connection
            .filter(|connection| connection.id == gathering.connection)
            .and_then(|connection| connection.protocol_mut().http())
        else {
            return;
        };
        peer.be_answered(now);
        let Gathering {
            question,
            part,
            request,
            ..
        } = gathering;
        self.answer_question(key, &question, part, &request, now);
        self.handle_requests(key, now);
        self.queue(key);
    }
}
