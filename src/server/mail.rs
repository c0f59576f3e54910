//! What threads of the server tell each other.
//!
//! Each worker has two mailboxes. `Post` is the control plane; its messages are few (bounded by
//! connections and live streams) and none may be lost. `Feed` carries frames; it is bounded, and
//! a worker that cannot keep up with it misses frames up to a keyframe.
//!
//! A worker takes its posts first, then empties its feed, then acts on those posts: so whatever
//! was fed before a post was sent is seen before it.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;

use super::api::{Part, Question};
use super::config::Config;
use super::connection::Connection;
use crate::broadcast::{Frame, Prelude};
use crate::http::request::Request;
use crate::media::vitals::Vitals;
use crate::net::mailbox::Mailbox;

/// A live stream's name: app + "/" + stream key.
pub(super) type StreamName = Arc<str>;

/// Index of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerId(pub(super) usize);

/// Counts the publishers of one name; what an earlier one left behind is told from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Epoch(pub(super) u64);

/// What a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Rtmp,
    Http,
}

impl Port {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Http => "http",
        }
    }
}

/// A control message to a worker.
#[derive(Debug)]
pub(super) enum Post {
    /// A connection to be served.
    Accepted(TcpStream, SocketAddr, Port),
    /// A connection to be served from here on, with a request of its peer: what that is about is
    /// there.
    Moved(Box<Connection>, Box<Request>),
    /// `worker` has subscribers for a live stream that is published here.
    Attend { name: StreamName, worker: WorkerId },
    /// `worker` has no subscribers for it any more.
    Leave { name: StreamName, worker: WorkerId },
    /// The name belongs to a newer publisher, on worker `home`; an older one here must go.
    Replaced {
        name: StreamName,
        epoch: Epoch,
        home: WorkerId,
    },
    /// What was measured of the publisher that this one has replaced.
    Measured {
        name: StreamName,
        epoch: Epoch,
        vitals: Box<Vitals>,
    },
    /// The live stream is over.
    Ended { name: StreamName, epoch: Epoch },
    /// `asker` wants to know, for its question `ticket`.
    Report {
        asker: WorkerId,
        ticket: u64,
        question: Arc<Question>,
    },
    /// What another worker has to say to our question `ticket`.
    Reported { ticket: u64, part: Box<Part> },
    /// The server takes nobody new: who can go on elsewhere is asked to.
    Drain,
    /// New settings.
    Reload(Arc<Config>),
    /// Say goodbye to everybody and stop.
    Shutdown,
}

/// Frames of a live stream for a worker with subscribers.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) name: StreamName,
    pub(super) epoch: Epoch,
    pub(super) content: FeedContent,
}

/// What a [`Feed`] carries.
#[derive(Debug)]
pub(super) enum FeedContent {
    /// A start, or a new start after frames were missed.
    Start(Prelude),
    /// Frames that follow on the last ones.
    Frames(Vec<Arc<Frame>>),
}

/// Both mailboxes of a worker.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) post: Mailbox<Post>,
    pub(super) feed: Mailbox<Feed>,
}
