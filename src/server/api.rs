//! The API on a worker: what it is asked over HTTP is gathered from all workers, merged and answered.
//!
//! ```text
//!   request ─► asker ── Post::Report ──► every other worker
//!                │ ◄──── Post::Reported ────┘
//!                ▼
//!   all parts, or a second later those that came ─► one answer
//! ```
//! A worker reports of its own connections and of the live streams that are published there; nothing
//! is shared or locked for it. Who may ask is said in `http::guard`, the shapes of the answers in
//! `http::api`.

mod actions;
mod answer;
mod gathering;
mod part;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

pub(super) use self::gathering::{Gatherings, Question};
pub(super) use self::part::{Part, Tally};
use super::worker::Worker;
use crate::http::api::{DrainRequest, KickRequest, OPENAPI};
use crate::http::guard::{Denied, Policy};
use crate::http::request::Request;
use crate::http::response::{self, Access, ErrorForm, Framing, Head};
use crate::http::route::ApiRoute;
use crate::http::status::Status;

/// The time of day, told from the worker's clock.
#[derive(Debug, Clone, Copy)]
struct Clock {
    now: Instant,
    unix: Duration,
}

impl Clock {
    fn new(now: Instant) -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            now,
            unix: unix.unwrap_or_default(),
        }
    }

    fn unix_ms(&self) -> u64 {
        self.at(self.now)
    }

    /// Milliseconds since 1970 of a moment that is past.
    fn at(&self, moment: Instant) -> u64 {
        let ago = self.now.saturating_duration_since(moment);
        let unix = self.unix.saturating_sub(ago);
        u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Worker {
    /// Acts on a request for the API.
    pub(super) fn handle_api(
        &mut self,
        key: usize,
        route: ApiRoute,
        request: &Request,
        now: Instant,
    ) {
        let allowed = match route {
            // What it describes is no secret.
            ApiRoute::OpenApi => Ok(()),
            ApiRoute::Kick | ApiRoute::Drain => self.policy().may_change(request),
            _ => self.may_read(key, request),
        };
        if let Err(denied) = allowed {
            return self.deny(key, request, denied, now);
        }
        let question = match route {
            ApiRoute::Server => Question::Server,
            ApiRoute::Streams => Question::Streams,
            ApiRoute::Stream(name) if name.is_empty() => {
                let detail = "say which: ?name=APP/KEY";
                return self.api_error(key, request, Status::BadRequest, detail, now);
            }
            ApiRoute::Stream(name) => Question::Stream(name),
            ApiRoute::Connections => Question::Connections,
            ApiRoute::Kick => match KickRequest::read(&request.body) {
                Ok(kick) => Question::Kick(kick),
                Err(error) => {
                    let detail = error.to_string();
                    return self.api_error(key, request, Status::BadRequest, &detail, now);
                }
            },
            ApiRoute::Drain => match DrainRequest::read(&request.body) {
                Ok(drain) => return self.handle_drain(key, drain, request, now),
                Err(error) => {
                    let detail = error.to_string();
                    return self.api_error(key, request, Status::BadRequest, &detail, now);
                }
            },
            ApiRoute::Config => {
                let report = Arc::clone(&self.config.report);
                return self.answer_json(key, request, Status::Ok, &*report, now);
            }
            ApiRoute::OpenApi => {
                return self.answer_text(key, request, "application/json", OPENAPI, now);
            }
        };
        self.ask(key, question, request, now);
    }

    /// Whether connection `key` may read what the server tells of itself.
    pub(super) fn may_read(&self, key: usize, request: &Request) -> Result<(), Denied> {
        let address = self.connections[key].peer.ip().to_canonical();
        self.policy().may_read(request, address.is_loopback())
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            token: self.config.api.token.as_deref(),
            reads: self.config.api.reads,
        }
    }

    fn deny(&mut self, key: usize, request: &Request, denied: Denied, now: Instant) {
        let status = denied.status();
        log::debug!("{}: {denied}", self.connections[key].peer);
        let (head, body) =
            response::error(status, &denied.to_string(), ErrorForm::Json, Access::Own);
        let head = match status {
            Status::Unauthorized => head.field("WWW-Authenticate", "Bearer"),
            _ => head,
        };
        self.answer(key, request, &head, &body, now);
    }

    fn api_error(
        &mut self,
        key: usize,
        request: &Request,
        status: Status,
        detail: &str,
        now: Instant,
    ) {
        let (head, body) = response::error(status, detail, ErrorForm::Json, Access::Own);
        self.answer(key, request, &head, &body, now);
    }

    fn answer_json(
        &mut self,
        key: usize,
        request: &Request,
        status: Status,
        report: &impl Serialize,
        now: Instant,
    ) {
        let body = response::json(report);
        let length = Framing::Length(body.len() as u64);
        let head = Head::new(status, length, Access::Own).content_type("application/json");
        self.answer(key, request, &head, &body, now);
    }
}
