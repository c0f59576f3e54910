//! How a server wants to be addressed, where servers differ. What most of them take is tried
//! first; the other ways are tried, each once, when a server drops or refuses us at once.
//!
//! | Tried | When |
//! |---|---|
//! | simple handshake; `capsEx`, and of a player `fourCcList`, in `connect` | first |
//! | neither of these | the connection is closed over `connect`; a player is refused |
//! | digest handshake | closed during the handshake, or behind it without a word |
//!
//! Very old servers drop who sends fields that they do not know; Adobe's want the digest handshake
//! of some clients, and refuse it for some of their applications.

use super::ClientError;
use crate::rtmp::handshake::DigestLayout;
use crate::rtmp::session::{ClientRole, Stage};

/// How a `connect` without these fields is told of.
const WITHOUT_ENHANCED: &str = "without the fields of Enhanced RTMP";

/// How one server is addressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// Host and port of that server.
    server: String,
    /// Since a `connect` was accepted: nothing else is tried any more.
    is_proven: bool,
    has_digest: bool,
    /// Without the fields of Enhanced RTMP.
    is_plain: bool,
}

/// How far a connection had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reached {
    /// Nothing was heard of an RTMP server.
    Nothing,
    /// The handshake was done; behind it the server said nothing.
    Handshake,
    /// The server said something, but did not accept `connect`.
    Words,
    /// `connect` was accepted.
    Application,
}

/// The next way to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// What the server did.
    pub(super) why: &'static str,
    /// What is different this time: "with ...".
    pub(super) how: &'static str,
}

impl Manner {
    /// Nothing but the digest handshake is tried.
    pub(super) fn with_digest() -> Self {
        Self {
            has_digest: true,
            ..Self::default()
        }
    }

    /// Nothing but a `connect` without the fields of Enhanced RTMP is tried.
    pub(super) fn without_enhanced() -> Self {
        Self {
            is_plain: true,
            ..Self::default()
        }
    }

    /// To be called before the first try of a connection: what is not proven, or was learned of
    /// another server, is forgotten.
    pub(super) fn begin(&mut self, server: &str) {
        if !self.is_proven || self.server != server {
            *self = Self {
                server: server.to_owned(),
                ..Self::default()
            };
        }
    }

    /// The server has accepted a `connect` of this manner.
    pub(super) fn prove(&mut self) {
        self.is_proven = true;
    }

    /// The handshake to send; `None`: the simple one. Those who want a digest look for it at 8.
    pub(super) fn digest(&self) -> Option<DigestLayout> {
        self.has_digest.then_some(DigestLayout::At8)
    }

    /// Whether `connect` may have the fields of Enhanced RTMP.
    pub(super) fn is_enhanced(&self) -> bool {
        !self.is_plain
    }

    /// The way to try after this failure, which this now is; `None`: the error is final.
    pub(super) fn change(
        &mut self,
        role: ClientRole,
        error: &ClientError,
        reached: Reached,
    ) -> Option<Change> {
        if self.is_proven {
            return None;
        }
        let may_omit = !self.is_plain;
        match error {
            ClientError::ClosedInHandshake(_) if !self.has_digest => {
                Some(self.add_digest("closed the connection during the handshake"))
            }
            ClientError::ClosedUnanswered(_) | ClientError::Closed
                if may_omit && reached >= Reached::Handshake =>
            {
                Some(self.omit_enhanced("closed the connection without an answer to connect"))
            }
            ClientError::ClosedUnanswered(_)
                if !self.has_digest && reached == Reached::Handshake =>
            {
                Some(self.add_digest("closed the connection right after the handshake"))
            }
            // A publisher is refused for many reasons, and its one field is hardly among them.
            ClientError::Rejected(rejection)
                if may_omit
                    && role == ClientRole::Play
                    && rejection.stage == Stage::Connect
                    && rejection.code != "NetConnection.Connect.InvalidApp"
                    && rejection.demand().is_none() =>
            {
                Some(self.omit_enhanced("refused connect"))
            }
            _ => None,
        }
    }

    fn add_digest(&mut self, why: &'static str) -> Change {
        self.has_digest = true;
        let how = "with the digest handshake";
        Change { why, how }
    }

    fn omit_enhanced(&mut self, why: &'static str) -> Change {
        self.is_plain = true;
        let how = WITHOUT_ENHANCED;
        Change { why, how }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::rtmp::session::Rejection;

    fn in_handshake() -> ClientError {
        ClientError::ClosedInHandshake(SocketAddr::from((Ipv4Addr::LOCALHOST, 1935)))
    }

    fn rejected(stage: Stage, code: &str, description: &str) -> ClientError {
        ClientError::Rejected(Rejection {
            stage,
            code: code.to_owned(),
            description: description.to_owned(),
        })
    }

    /// What is changed, one after the other, for a server that always fails like this.
    #[track_caller]
    fn check(role: ClientRole, error: &ClientError, reached: Reached, expected: &[&str]) {
        let mut manner = Manner::default();
        manner.begin("h:1935");
        let changes = std::iter::from_fn(|| manner.change(role, error, reached));
        let how: Vec<&str> = changes.take(9).map(|change| change.how).collect();
        assert_eq!(how, expected, "{role:?} {error} {reached:?}");
    }

    #[test]
    fn each_way_is_tried_once_where_it_can_help() {
        const DIGEST: &str = "with the digest handshake";
        const PLAIN: &str = WITHOUT_ENHANCED;
        use ClientRole::{Play, Publish};
        let unanswered = ClientError::ClosedUnanswered("connect");
        let refused = rejected(Stage::Connect, "NetConnection.Connect.Rejected", "no");
        let unknown = rejected(Stage::Connect, "NetConnection.Connect.InvalidApp", "");
        let guarded = rejected(Stage::Connect, "", "code=403 need auth; authmod=adobe");
        let missing = rejected(Stage::Play, "NetStream.Play.StreamNotFound", "");
        let late = ClientError::Unanswered("connect");
        for (role, error, reached, expected) in [
            (Play, in_handshake(), Reached::Nothing, &[DIGEST][..]),
            (Publish, in_handshake(), Reached::Nothing, &[DIGEST]),
            (
                Play,
                ClientError::ClosedUnanswered("connect"),
                Reached::Handshake,
                &[PLAIN, DIGEST],
            ),
            (Publish, unanswered, Reached::Handshake, &[PLAIN, DIGEST]),
            (
                Play,
                ClientError::ClosedUnanswered("connect"),
                Reached::Words,
                &[PLAIN],
            ),
            (
                Publish,
                ClientError::ClosedUnanswered("connect"),
                Reached::Words,
                &[PLAIN],
            ),
            (Play, ClientError::Closed, Reached::Words, &[PLAIN]),
            (Play, refused, Reached::Words, &[PLAIN]),
            (
                Publish,
                rejected(Stage::Connect, "", ""),
                Reached::Words,
                &[],
            ),
            (Play, unknown, Reached::Words, &[]),
            (Play, guarded, Reached::Words, &[]),
            (Play, missing, Reached::Application, &[]),
            (Play, late, Reached::Handshake, &[]),
            (Play, ClientError::Stopped, Reached::Nothing, &[]),
        ] {
            check(role, &error, reached, expected);
        }
    }

    #[test]
    fn what_worked_is_kept_for_its_server_and_nothing_else_is_tried() {
        let mut manner = Manner::default();
        manner.begin("h:1935");
        let play = ClientRole::Play;
        assert!(
            manner
                .change(play, &in_handshake(), Reached::Nothing)
                .is_some()
        );
        manner.prove();
        manner.begin("h:1935");
        assert_eq!(manner.digest(), Some(DigestLayout::At8));
        let closed = ClientError::ClosedUnanswered("connect");
        assert_eq!(manner.change(play, &closed, Reached::Handshake), None);
        assert!(manner.is_enhanced());
        manner.begin("other:1935");
        assert_eq!(manner.digest(), None);
    }

    #[test]
    fn what_failed_is_forgotten() {
        let mut manner = Manner::default();
        manner.begin("h:1935");
        let closed = ClientError::ClosedUnanswered("connect");
        while manner
            .change(ClientRole::Play, &closed, Reached::Handshake)
            .is_some()
        {}
        assert!(!manner.is_enhanced());
        manner.begin("h:1935");
        assert!(manner.is_enhanced());
        assert_eq!(manner.digest(), None);
    }
}
