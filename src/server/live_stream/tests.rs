//! A home worker and one that it feeds, over real mailboxes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use crossbeam_channel::Receiver;
use mio::{Poll, Token, Waker};

use super::*;
use crate::broadcast::{FrameFlags, Separator, Slot};
use crate::media::flv::Form;
use crate::net::mailbox::Mailbox;

const OUTPUT: Output = Output::Rtmp(Form::Legacy(None));
const HERE: WorkerId = WorkerId(0);
const THERE: WorkerId = WorkerId(1);

fn frame(track: Track, dts: i64, is_keyframe: bool) -> Frame {
    let flags = FrameFlags {
        is_keyframe,
        ..FrameFlags::default()
    };
    flagged(track, dts, flags)
}

fn header(track: Track, dts: i64) -> Frame {
    let flags = FrameFlags {
        standing: Some(Slot::MAIN),
        ..FrameFlags::default()
    };
    flagged(track, dts, flags)
}

fn flagged(track: Track, dts: i64, flags: FrameFlags) -> Frame {
    let separator = Separator {
        byte: 0xC6,
        stride: 4096,
    };
    Frame::new(track, dts, flags, vec![0; 20], 8, &[0; 8], separator)
}

/// The addresses of both workers; what the second one is fed can be received.
fn addresses(capacity: usize) -> (Vec<Address>, Receiver<Feed>, Poll) {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let address = || {
        let (post, _) = Mailbox::unbounded(Arc::clone(&waker));
        let (feed, feeds) = Mailbox::bounded(capacity, Arc::clone(&waker));
        (Address { post, feed }, feeds)
    };
    let ((here, _), (there, feeds)) = (address(), address());
    (vec![here, there], feeds, poll)
}

fn home(audience: &[WorkerId]) -> LiveStream {
    let mut live = LiveStream::new("live/cam".into(), PathConfig::default());
    let source = Source::Here {
        epoch: Epoch(1),
        publisher: Some(0),
    };
    live.start(source, audience);
    live
}

fn mirror() -> LiveStream {
    let mut live = LiveStream::new("live/cam".into(), PathConfig::default());
    live.start(Source::Elsewhere { epoch: Epoch(1) }, &[]);
    live.add_subscriber(7, OUTPUT, 4096);
    live
}

/// What is sent from here, or kept where nobody reads.
fn log(live: &LiveStream) -> &Log {
    live.rendition(OUTPUT).map_or(&live.log, Rendition::log)
}

fn dts(live: &LiveStream) -> Vec<i64> {
    let log = log(live);
    log.iter_from(log.first())
        .map(|entry| entry.frame.dts())
        .collect()
}

#[test]
fn a_worker_that_listens_from_the_start_gets_every_frame() {
    let now = Instant::now();
    let (addresses, feeds, _poll) = addresses(16);
    let mut home = home(&[THERE]);
    let mut mirror = mirror();
    let mut woken = Vec::new();
    assert_eq!(home.feed_workers(Epoch(1), &addresses, &mut woken), 0);
    for at in [0, 40, 80] {
        home.publish(frame(Track::Video, at, at == 0), now);
        home.publish(frame(Track::Audio, at + 5, false), now);
        home.feed_workers(Epoch(1), &addresses, &mut woken);
    }
    assert_eq!(woken, [THERE]);
    for feed in feeds.try_iter() {
        mirror.take_feed(feed.content, now);
    }
    assert_eq!(dts(&mirror), [0, 5, 40, 45, 80, 85]);
    assert_eq!(dts(&home), dts(&mirror));
}

#[test]
fn a_worker_that_is_served_late_in_the_first_turn_still_gets_every_frame() {
    let now = Instant::now();
    let (addresses, feeds, _poll) = addresses(16);
    let mut home = home(&[THERE]);
    home.add_subscriber(1, OUTPUT, 4096);
    let mut mirror = mirror();
    home.publish(frame(Track::Audio, 0, false), now);
    for at in [5, 40, 80] {
        home.publish(frame(Track::Video, at, true), now);
    }
    home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    for feed in feeds.try_iter() {
        mirror.take_feed(feed.content, now);
    }
    assert_eq!(dts(&mirror), [0, 5, 40, 80]);
}

#[test]
fn a_worker_that_comes_between_a_new_header_and_its_keyframe_gets_no_old_frames() {
    let now = Instant::now();
    let (addresses, feeds, _poll) = addresses(16);
    let mut home = home(&[]);
    home.add_subscriber(1, OUTPUT, 4096);
    home.publish(frame(Track::Video, 0, true), now);
    home.publish(header(Track::Video, 40), now);
    home.add_fed_worker(THERE);
    let mut mirror = mirror();
    home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    home.publish(frame(Track::Video, 40, true), now);
    home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    for feed in feeds.try_iter() {
        mirror.take_feed(feed.content, now);
    }
    assert_eq!(dts(&mirror), [40, 40]);
}

#[test]
fn a_worker_that_comes_later_starts_at_the_keyframe() {
    let now = Instant::now();
    let (addresses, feeds, _poll) = addresses(16);
    let mut home = home(&[]);
    let mut mirror = mirror();
    for at in [0, 40, 80, 120] {
        home.publish(frame(Track::Video, at, at % 80 == 0), now);
    }
    home.add_fed_worker(THERE);
    home.add_fed_worker(THERE);
    home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    home.publish(frame(Track::Video, 160, false), now);
    home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    for feed in feeds.try_iter() {
        mirror.take_feed(feed.content, now);
    }
    assert_eq!(dts(&mirror), [80, 120, 160]);
    let log = log(&mirror);
    assert!(log.get(log.first()).unwrap().is_detached);
}

#[test]
fn a_worker_that_fell_behind_starts_anew_at_a_keyframe_and_nothing_grows() {
    let now = Instant::now();
    let (addresses, feeds, _poll) = addresses(2);
    let mut home = home(&[THERE]);
    let mut mirror = mirror();
    let mut overflows = 0;
    for at in 0..20 {
        home.publish(frame(Track::Video, at, at % 8 == 0), now);
        overflows += home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    }
    assert!(overflows > 0);
    assert_eq!(feeds.len(), 2);
    for feed in feeds.try_iter() {
        mirror.take_feed(feed.content, now);
    }
    home.publish(frame(Track::Video, 20, false), now);
    home.feed_workers(Epoch(1), &addresses, &mut Vec::new());
    for feed in feeds.try_iter() {
        mirror.take_feed(feed.content, now);
    }
    let expected = [0, 1, 16, 17, 18, 19, 20];
    assert_eq!(dts(&mirror), expected);
    let join = log(&mirror).join_point().unwrap();
    assert!(log(&mirror).get(join.seq).unwrap().is_detached);
}

#[test]
fn video_is_due_at_once_and_sound_may_wait() {
    let now = Instant::now();
    let mut live = home(&[HERE]);
    live.add_subscriber(1, OUTPUT, 4096);
    live.publish(frame(Track::Audio, 0, false), now);
    assert_eq!(live.flush_at, Some(now + Duration::from_millis(40)));
    live.publish(frame(Track::Video, 1, true), now);
    assert_eq!(live.flush_at, Some(now));
    live.flush_at = None;
    live.config.flush = Flush::Now;
    live.publish(frame(Track::Audio, 2, false), now);
    assert_eq!(live.flush_at, Some(now));
}
