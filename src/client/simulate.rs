//! Simulate: behaves like the awkward cameras that servers meet, to try a server with.
//!
//! ```text
//!   Feed ─► Studio (odd bodies and times) ─► Link ─► Wire (odd chunks) ─► socket
//! ```
//! `cameras` is the table of what there is, `oddities` what can be odd, `conversation` the
//! five steps, as in `push`. Nothing of it goes through the client session or its chunk encoder,
//! which say only what every server understands.

mod cameras;
mod conversation;
mod link;
mod names;
mod oddities;
mod packing;
mod reel;
mod replies;
mod studio;
mod wire;

use std::time::{Duration, Instant};

pub use cameras::{CAMERAS, Camera};

use self::conversation::{Conversation, send_command, step};
use self::link::Link;
use self::names::Names;
use self::oddities::Oddities;
use self::studio::Studio;
use super::connection::Target;
use super::feed::Feed;
use super::push::PushOptions;
use super::{ClientError, Input, Progress, Reactor, Report};
use crate::rtmp::message::command::Command;

/// How a simulation runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SimulateOptions {
    /// Ends after this much media; `None`: goes on until it is stopped.
    pub duration: Option<Duration>,
    /// The input is the built-in test stream: a camera may put other pictures in their place.
    pub is_test_stream: bool,
}

/// Behaves like `camera` until the end of `options.duration` or until the reactor is stopped. The
/// input is repeated.
///
/// # Errors
/// [`ClientError`]: the server refused, or closed before the camera had left.
pub fn run(
    reactor: &mut Reactor,
    target: &Target,
    camera: &Camera,
    input: Input,
    options: SimulateOptions,
    report: &mut dyn Report,
) -> Result<Progress, ClientError> {
    let oddities = camera.oddities();
    let mut feed = Feed::new(
        input,
        PushOptions {
            loops: true,
            ..PushOptions::default()
        },
    );
    feed.probe(reactor)?;
    feed.look_ahead();
    let studio = Studio::new(&oddities, feed.introduction(), options.is_test_stream)?;
    let mut remembered = None;
    if oddities.sizes.keeps_servers_chunk {
        remembered = first_visit(reactor, target, &oddities, report)?;
    }
    let start = Instant::now();
    let mut link = Link::open(reactor, target, oddities.habits, oddities.csids)?;
    step(
        report,
        1,
        start,
        format!("TCP connection to {}", link.address()),
    );
    if let Some(size) = remembered {
        link.assume_chunk_size(size);
    }
    let mut conversation = Conversation::new(target.url(), oddities, link, studio);
    conversation.run(&mut feed, options, report)?;
    Ok(conversation.progress())
}

/// The connection before the one that counts: it teaches the camera the server's chunk size.
fn first_visit(
    reactor: &mut Reactor,
    target: &Target,
    oddities: &Oddities,
    report: &mut dyn Report,
) -> Result<Option<u32>, ClientError> {
    let start = Instant::now();
    let mut link = Link::open(reactor, target, oddities.habits, oddities.csids)?;
    link.shake_hands(false)?;
    let names = Names::new(target.url(), oddities.address);
    send_command(
        &mut link,
        oddities,
        oddities.csids.command,
        0,
        &names.connect(false),
    );
    link.wait_reply("connect", |reply| {
        Ok((reply.command.name == Command::RESULT).then_some(()))
    })?;
    let size = link.servers_chunk_size();
    let text = match size {
        Some(size) => format!("an earlier connection: the server's chunk size is {size}"),
        None => "an earlier connection: the server keeps to chunks of 128 bytes".to_owned(),
    };
    step(report, 1, start, text);
    link.shut();
    Ok(size)
}
