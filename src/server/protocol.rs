//! What a connection speaks: RTMP or HTTP, and what the two have in common for those who serve it.

use std::time::Instant;

use super::hls::Held;
use super::http::HttpPeer;
use super::rendition::Output;
use crate::http::request::Request;
use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::session::{Refusal, ServerEvent, ServerSession, SessionError};

/// What a connection speaks, and how far the conversation has come.
#[derive(Debug)]
pub(super) enum Protocol {
    /// RTMP: publishers and players.
    Rtmp(Box<ServerSession>),
    /// HTTP: pages, the API, players.
    Http(Box<HttpPeer>),
}

/// What a peer asks for.
#[derive(Debug)]
pub(super) enum Event {
    Rtmp(ServerEvent),
    Http(Box<Request>),
}

impl Protocol {
    /// Takes bytes from the socket.
    ///
    /// # Errors
    /// [`SessionError`]: the peer broke RTMP. Who breaks HTTP is told so in a response.
    pub(super) fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<(), SessionError> {
        match self {
            Self::Rtmp(session) => session.handle_input(now, input),
            Self::Http(peer) => {
                peer.handle_input(input);
                Ok(())
            }
        }
    }

    /// The peer says that no more comes from it. False if there is nothing left to be done for it.
    /// `has_unsent` is whether something waits to be sent.
    pub(super) fn handle_end(&mut self, has_unsent: bool) -> bool {
        match self {
            Self::Rtmp(_) => false,
            Self::Http(peer) => peer.handle_end(has_unsent),
        }
    }

    /// What came of the bytes, one at a time.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        match self {
            Self::Rtmp(session) => session.poll_event().map(Event::Rtmp),
            Self::Http(peer) => peer.poll_request().map(Box::new).map(Event::Http),
        }
    }

    /// The session, if it is one of RTMP.
    pub(super) fn rtmp(&mut self) -> Option<&mut ServerSession> {
        match self {
            Self::Rtmp(session) => Some(session),
            Self::Http(_) => None,
        }
    }

    /// A `play` is granted: frames of this output follow.
    pub(super) fn accept_play(&mut self, now: Instant, msid: MessageStreamId, output: Output) {
        match self {
            Self::Rtmp(session) => session.accept_play(now, msid),
            Self::Http(peer) => peer.accept_play(output),
        }
    }

    /// A `play` is refused.
    pub(super) fn reject_play(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        match self {
            Self::Rtmp(session) => session.reject_play(msid, refusal),
            Self::Http(peer) => peer.reject_play(&refusal.description),
        }
    }

    /// What was played is over, and was sent whole.
    pub(super) fn end_play(&mut self, now: Instant, msid: MessageStreamId) {
        match self {
            Self::Rtmp(session) => session.end_play(msid),
            Self::Http(peer) => peer.end_play(now),
        }
    }

    /// What was played ends for this peer before all of it was sent.
    pub(super) fn cut_play(&mut self, msid: MessageStreamId) {
        match self {
            Self::Rtmp(session) => session.end_play(msid),
            Self::Http(peer) => peer.cut_play(),
        }
    }

    /// A `publish` is refused. Nobody publishes by HTTP.
    pub(super) fn reject_publish(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        if let Self::Rtmp(session) = self {
            session.reject_publish(msid, refusal);
        }
    }

    /// What was published is ended from our side.
    pub(super) fn end_publish(&mut self, msid: MessageStreamId, refusal: &Refusal) {
        if let Self::Rtmp(session) = self {
            session.end_publish(msid, refusal);
        }
    }

    /// The HTTP side, if it is one of HTTP.
    pub(super) fn http(&mut self) -> Option<&mut HttpPeer> {
        match self {
            Self::Rtmp(_) => None,
            Self::Http(peer) => Some(peer),
        }
    }

    /// Whether nothing more is to be read from the peer for now.
    pub(super) fn is_behind(&self) -> bool {
        match self {
            Self::Rtmp(_) => false,
            Self::Http(peer) => peer.is_behind(),
        }
    }

    /// The request that waits, if one does.
    pub(super) fn held(&self) -> Option<&Held> {
        match self {
            Self::Rtmp(_) => None,
            Self::Http(peer) => peer.held(),
        }
    }

    /// Whether the connection is to be closed once everything is sent.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Rtmp(_) => false,
            Self::Http(peer) => peer.is_done(),
        }
    }

    /// What is to be sent before any frame.
    pub(super) fn poll_output(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Rtmp(session) => session.poll_output(),
            Self::Http(peer) => peer.poll_output(),
        }
    }

    /// The next bytes of a long answer, for when all that was to be sent before them is out.
    pub(super) fn poll_body(&mut self, now: Instant) -> Option<Vec<u8>> {
        match self {
            Self::Rtmp(_) => None,
            Self::Http(peer) => peer.poll_body(now),
        }
    }

    /// When it wants [`Self::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Rtmp(session) => session.poll_timeout(),
            Self::Http(peer) => peer.poll_timeout(),
        }
    }

    /// # Errors
    /// [`SessionError`]: the peer was too slow.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        match self {
            Self::Rtmp(session) => session.handle_timeout(now),
            Self::Http(peer) => peer.handle_timeout(now),
        }
    }
}
