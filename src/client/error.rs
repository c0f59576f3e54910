//! Why a client could not do its job: one line that says what, where and what to try.

use std::io;
use std::net::SocketAddr;

use super::{InputError, OutputError};
use crate::rtmp::authentication::Demand;
use crate::rtmp::handshake::HandshakeError;
use crate::rtmp::session::{Rejection, SessionError, Stage};

/// Why a client gave up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL asks for TLS.
    #[error("{0}: RTMPS is not supported yet; try rtmp://")]
    TlsUnsupported(String),
    /// The URL names no stream.
    #[error("{0}: the URL names no stream; it should look like rtmp://HOST/APP/KEY")]
    NoStream(String),
    /// The name has no address.
    #[error("no such host: {host} ({cause}); check the name in the URL")]
    NoSuchHost {
        /// The name.
        host: String,
        /// What the resolver says.
        cause: io::Error,
    },
    /// Nobody listens there.
    #[error(
        "{0} refused the connection: nothing listens on that port; check the port, and that the server runs"
    )]
    Refused(SocketAddr),
    /// No answer to the connect.
    #[error("{0} does not answer; check the address, and firewalls on the way")]
    ConnectTimeout(SocketAddr),
    /// Any other failure of the connect.
    #[error("cannot connect to {address}: {cause}; check the address, and the network on the way")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The peer speaks another protocol.
    #[error(
        "{address} does not speak RTMP: {cause}; check the port in the URL (RTMP is mostly on 1935)"
    )]
    NotRtmp {
        /// The address.
        address: SocketAddr,
        /// What its first bytes look like.
        cause: HandshakeError,
    },
    /// The peer stayed silent during the handshake.
    #[error(
        "{0} accepted the connection but did not finish the RTMP handshake; is it an RTMP server, and not one of RTMPS?"
    )]
    NoHandshake(SocketAddr),
    /// The peer closed the connection during the handshake.
    #[error(
        "{0} accepted the connection and closed it during the RTMP handshake; is it an RTMP server, and not one of RTMPS?"
    )]
    ClosedInHandshake(SocketAddr),
    /// The server refused.
    #[error("{}", describe_rejection(.0))]
    Rejected(Rejection),
    /// The server does not accept user and password of the URL.
    #[error("{}", describe_login(.user, .rejection))]
    LoginRefused {
        /// The user.
        user: String,
        /// What the server says.
        rejection: Rejection,
    },
    /// The server closed the connection while we waited for its answer.
    #[error(
        "the server closed the connection without an answer to {0}; check app and key in the URL"
    )]
    ClosedUnanswered(&'static str),
    /// The server did not answer in time.
    #[error(
        "the server did not answer {0} in time; try again later, or check that it is not overloaded"
    )]
    Unanswered(&'static str),
    /// The connection broke while media flowed.
    #[error("connection lost: {0}")]
    Lost(io::Error),
    /// The server closed the connection while media flowed.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed the connection before anything came of what it had accepted.
    #[error(
        "the server accepted the {0} and closed the connection at once; is the stream name allowed there?"
    )]
    ClosedAtOnce(&'static str),
    /// The server ended our publish; its words, if it had any.
    #[error("the server ended the stream{}", describe_words(.0))]
    EndedByServer(Option<Rejection>),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Session(SessionError),
    /// Nothing came for too long.
    #[error("no media for {0} s: nobody publishes this stream, or its publisher stalls")]
    NoMedia(u64),
    /// The stream was played and had not one frame.
    #[error("no audio or video came: {0}")]
    NoFrames(&'static str),
    /// The server was addressed in several ways, and none of them helped.
    #[error("{}", describe_tries(.first, .others))]
    Tried {
        /// What happened first.
        first: Box<Self>,
        /// What was different the next time ("with ..."), and what came of it.
        others: Vec<(&'static str, Self)>,
    },
    /// We were told to stop before anything was sent or received.
    #[error("stopped before the stream started")]
    Stopped,
    /// A simulated camera reads replies in one order only.
    #[error(
        "the server puts code in front of level in its reply; this camera reads the other order only"
    )]
    CodeBeforeLevel,
    /// A simulated camera cannot work on this input.
    #[error("this camera needs {0}; name no input, and it takes its own pictures")]
    WrongInput(&'static str),
    /// The input cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The system failed us.
    #[error("system error: {0}")]
    System(io::Error),
}

/// What servers say of a name that another publisher has.
const NAME_TAKEN: &str = "NetStream.Publish.BadName";

impl ClientError {
    /// Whether it says little about why, so that `doctor` may find out more.
    pub fn is_unexplained(&self) -> bool {
        matches!(
            self.root(),
            Self::ClosedInHandshake(_) | Self::NoHandshake(_)
        )
    }

    /// Whether the name that we want to publish under is in use.
    pub(super) fn is_name_taken(&self) -> bool {
        matches!(self, Self::Rejected(rejection) if rejection.code == NAME_TAKEN)
    }

    /// What happened first, where several ways were tried.
    pub(super) fn root(&self) -> &Self {
        match self {
            Self::Tried { first, .. } => first.root(),
            error => error,
        }
    }

    /// The address that accepts connections and does not speak RTMP there, as far as we know.
    pub(super) fn foreign(&self) -> Option<SocketAddr> {
        match self {
            Self::NotRtmp { address, .. }
            | Self::NoHandshake(address)
            | Self::ClosedInHandshake(address) => Some(*address),
            _ => None,
        }
    }

    /// Whether the connection was closed or broke, and nothing else is known.
    pub(super) fn is_silent_close(&self) -> bool {
        matches!(self, Self::Closed | Self::Lost(_))
    }

    /// Whether another try can help.
    pub(super) fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::NoSuchHost { .. }
            | Self::Refused(_)
            | Self::ConnectTimeout(_)
            | Self::Connect { .. }
            | Self::NoHandshake(_)
            | Self::ClosedInHandshake(_)
            | Self::ClosedUnanswered(_)
            | Self::Unanswered(_)
            | Self::Lost(_)
            | Self::Closed
            | Self::ClosedAtOnce(_)
            | Self::Session(_)
            | Self::NoMedia(_)
            | Self::NoFrames(_) => true,
            // Two that take the name from each other again and again would serve nobody.
            Self::EndedByServer(words) => !is_takeover(words),
            // The old session of the same name may be dying, or the publisher coming.
            Self::Rejected(rejection) => rejection.demand().is_none(),
            Self::Tried { first, others } => {
                first.is_worth_a_retry() && others.iter().all(|(_, other)| other.is_worth_a_retry())
            }
            Self::TlsUnsupported(_)
            | Self::NoStream(_)
            | Self::NotRtmp { .. }
            | Self::LoginRefused { .. }
            | Self::Stopped
            | Self::CodeBeforeLevel
            | Self::WrongInput(_)
            | Self::Input(_)
            | Self::Output(_)
            | Self::System(_) => false,
        }
    }
}

/// What happened first in full; of the others only what is different.
fn describe_tries(first: &ClientError, others: &[(&'static str, ClientError)]) -> String {
    let first = first.to_string();
    let (same, different): (Vec<_>, Vec<_>) = others
        .iter()
        .map(|(how, error)| (*how, error.to_string()))
        .partition(|(_, error)| *error == first);
    let mut text = first;
    if !same.is_empty() {
        let same: Vec<&str> = same.into_iter().map(|(how, _)| how).collect();
        text.push_str(&format!(" (the same {})", same.join(" and ")));
    }
    for (how, error) in different {
        text.push_str(&format!("; {how}: {error}"));
    }
    text
}

fn describe_rejection(rejection: &Rejection) -> String {
    let what = match rejection.stage {
        Stage::Connect => "refused the connection to its application",
        Stage::CreateStream => "refused to create a stream",
        Stage::Publish => "refused the publish",
        Stage::Play => "refused the play",
    };
    let hint = match rejection.demand() {
        Some(Demand::Unknown) => "it wants a way to log in that is not supported; try another user",
        Some(_) => {
            "it wants a user name and a password: put them into the URL, as in \
             rtmp://USER:PASSWORD@HOST/APP/KEY"
        }
        None => match rejection.code.as_str() {
            NAME_TAKEN => "somebody publishes under this name already, or the name is not allowed",
            "NetStream.Publish.Denied" | "NetStream.Publish.Rejected" => "check the stream key",
            "NetStream.Play.StreamNotFound" => "nobody publishes it; check app and key in the URL",
            "NetConnection.Connect.InvalidApp" => "the server knows no such app; check the URL",
            _ => "check app and key in the URL",
        },
    };
    format!("the server {what}{}: {hint}", words_of(rejection))
}

fn describe_login(user: &str, rejection: &Rejection) -> String {
    let what = match rejection.demand() {
        Some(Demand::Refused("nosuchuser")) => "it does not know that user; check it in the URL",
        _ => "check both in the URL",
    };
    let words = words_of(rejection);
    format!("the server does not accept user {user:?} with this password{words}: {what}")
}

fn describe_words(rejection: &Option<Rejection>) -> String {
    let words = rejection.as_ref().map(words_of).unwrap_or_default();
    if is_takeover(rejection) {
        return words + ": somebody else publishes under this name now";
    }
    words
}

/// Whether our name was given to another publisher.
fn is_takeover(rejection: &Option<Rejection>) -> bool {
    rejection
        .as_ref()
        .is_some_and(|rejection| rejection.code == NAME_TAKEN)
}

/// ` (code: description)`, as far as there is any of it.
fn words_of(rejection: &Rejection) -> String {
    let words = [rejection.code.as_str(), rejection.description.as_str()]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(": ");
    if words.is_empty() {
        return words;
    }
    // The server's words go to a terminal: nothing in them may move its cursor.
    let words: String = words
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    format!(" ({words})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_tries_are_one_line_and_the_first_comes_first() {
        let closed = || ClientError::ClosedUnanswered("connect");
        let lost = "the server closed the connection without an answer to connect; check app and \
                    key in the URL";
        for (others, expected) in [
            (
                vec![("with A", closed()), ("with B", closed())],
                format!("{lost} (the same with A and with B)"),
            ),
            (
                vec![("with A", ClientError::Closed)],
                format!("{lost}; with A: the server closed the connection"),
            ),
            (
                vec![("with A", closed()), ("with B", ClientError::Closed)],
                format!("{lost} (the same with A); with B: the server closed the connection"),
            ),
        ] {
            let first = Box::new(closed());
            let error = ClientError::Tried { first, others };
            assert_eq!(error.to_string(), expected);
            assert!(error.is_worth_a_retry());
        }
    }

    #[test]
    fn a_refusal_is_one_line_with_the_servers_words_and_a_hint() {
        for (stage, code, description, expected) in [
            (
                Stage::Publish,
                "NetStream.Publish.BadName",
                "live/a is already being published",
                "the server refused the publish (NetStream.Publish.BadName: live/a is already \
                 being published): somebody publishes under this name already, or the name is not \
                 allowed",
            ),
            (
                Stage::Connect,
                "",
                "",
                "the server refused the connection to its application: check app and key in the URL",
            ),
            (
                Stage::Play,
                "X",
                "two\r\nlines \u{1b}[2J",
                "the server refused the play (X: twolines [2J): check app and key in the URL",
            ),
            (
                Stage::Connect,
                "NetConnection.Connect.Rejected",
                "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] :",
                "the server refused the connection to its application \
                 (NetConnection.Connect.Rejected: [ AccessManager.Reject ] : [ code=403 need auth; \
                 authmod=adobe ] :): it wants a user name and a password: put them into the URL, \
                 as in rtmp://USER:PASSWORD@HOST/APP/KEY",
            ),
        ] {
            let rejection = Rejection {
                stage,
                code: code.to_owned(),
                description: description.to_owned(),
            };
            assert_eq!(ClientError::Rejected(rejection).to_string(), expected);
        }
    }
}
