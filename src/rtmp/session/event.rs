//! What sessions report.

use super::{ConnectRequest, Note};
use crate::rtmp::MediaKind;
use crate::rtmp::authentication::Demand;
use crate::rtmp::chunk::{MessageStreamId, Payload};
use crate::rtmp::handshake::HandshakeKind;

/// What a server session reports. The three requests wait for an answer; everything else the
/// client sends in the meantime is still handled.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerEvent {
    /// The handshake is complete.
    Handshaken(HandshakeKind),
    /// Answer with `accept_connect` or `reject_connect`.
    Connect(ConnectRequest),
    /// Answer with `accept_publish` or `reject_publish`.
    Publish {
        /// Names this request in the answer.
        msid: MessageStreamId,
        /// The stream key as sent, with its query.
        name: String,
    },
    /// Answer with `accept_play` or `reject_play`.
    Play {
        /// Names this request in the answer.
        msid: MessageStreamId,
        /// The stream key as sent, with its query.
        name: String,
    },
    /// Audio or video of an accepted publisher; never empty.
    Media {
        /// Audio or video.
        kind: MediaKind,
        /// As sent: milliseconds, any start, wraps at 2^32.
        timestamp: u32,
        /// The FLV tag body.
        payload: Payload,
    },
    /// Metadata: AMF0 "onMetaData" and a value.
    Metadata(Payload),
    /// `@clearDataFrame`.
    ClearMetadata,
    /// Any other data message of an accepted publisher, AMF0.
    Data {
        /// As sent.
        timestamp: u32,
        /// AMF0 values.
        payload: Payload,
    },
    /// The publisher said goodbye (FCUnpublish, closeStream or deleteStream); it has been
    /// answered. The connection stays.
    Unpublished(MessageStreamId),
    /// The subscriber stopped playing (closeStream or deleteStream).
    PlayStopped(MessageStreamId),
    /// `pause`; it has been answered.
    Paused(MessageStreamId, bool),
    /// `receiveAudio` or `receiveVideo`: whether this kind is wanted.
    Receive(MessageStreamId, MediaKind, bool),
    /// The peer broke a rule for the first time, and we carry on.
    /// [`take_note_counts`](super::ServerSession::take_note_counts) says how often.
    Note(Note),
}

/// How the server refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `NetStream.Publish.BadName`, `NetConnection.Connect.Rejected`, ...
    pub code: &'static str,
    /// For a person.
    pub description: String,
}

/// What a client session reports.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// Step 2 done.
    Handshaken(HandshakeKind),
    /// `connect` was accepted.
    Connected,
    /// `publish` or `play` was accepted (play: or metadata or media came without a word).
    Started,
    /// The server refused; final.
    Rejected(Rejection),
    /// Audio or video (play); never empty.
    Media {
        /// Audio or video.
        kind: MediaKind,
        /// As sent: milliseconds, wraps at 2^32.
        timestamp: u32,
        /// The FLV tag body.
        payload: Payload,
    },
    /// Metadata (play): AMF0 "onMetaData" and a value.
    Metadata(Payload),
    /// Any other data message (play), AMF0.
    Data {
        /// As sent.
        timestamp: u32,
        /// AMF0 values.
        payload: Payload,
    },
    /// Any other `onStatus`, for the log: level, code, description.
    Status {
        /// `status`, `warning` or `error`.
        level: String,
        /// `NetStream.Play.Reset`, ...
        code: String,
        /// For a person.
        description: String,
    },
    /// The stream is over; final.
    Ended(EndReason),
    /// The server confirmed the close of our publish with this code
    /// (`NetStream.Unpublish.Success`), or with the reply named here (`onFCUnpublish`, `_result of
    /// FCUnpublish`, `_result of deleteStream`), whichever came first; final.
    CloseConfirmed(String),
    /// The server asks to connect anew, to this tcUrl if it names one.
    ReconnectRequested(Option<String>),
}

/// A refusal as the server worded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What we had asked for.
    pub stage: Stage,
    /// `NetStream.Publish.BadName`, ...; may be empty.
    pub code: String,
    /// For a person; may be empty.
    pub description: String,
}

impl Rejection {
    /// What the server wants of the user, if that is what this is about.
    pub fn demand(&self) -> Option<Demand<'_>> {
        match self.stage {
            Stage::Connect => Demand::parse(&self.description),
            _ => None,
        }
    }
}

/// What a client had asked for when it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `connect`
    Connect,
    /// `createStream`
    CreateStream,
    /// `publish`
    Publish,
    /// `play`
    Play,
}

/// Why the stream that we play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Play: UnpublishNotify, the publisher left. Publish: the server ended our stream.
    Unpublished,
    /// Play.Stop or Play.Complete.
    Stopped,
    /// NetConnection.Connect.Closed, AppShutdown: the server ends the connection.
    ServerClosed,
}
