//! A live stream as one worker has it: its log, who reads it here, and which workers are fed.

use std::sync::Arc;
use std::time::Instant;

use super::config::{Flush, PathConfig};
use super::mail::{Address, Epoch, Feed, FeedContent, StreamName, WorkerId};
use crate::broadcast::{Frame, FrameSeq, Headers, Log, Track};

/// Where the frames come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody publishes; some wait for it.
    Absent,
    /// A publisher on this worker, or one that vanished from here and may come back.
    Here {
        epoch: Epoch,
        /// The connection, `None` after it vanished.
        publisher: Option<usize>,
    },
    /// Another worker feeds us.
    Elsewhere { epoch: Epoch },
    /// It is over and its name belongs to others: subscribers that lag are sent the rest.
    Ended { epoch: Epoch },
}

/// A worker that is fed.
#[derive(Debug)]
struct FedWorker {
    worker: WorkerId,
    /// Has everything up to now; otherwise it must be given a start first.
    is_current: bool,
    /// It wanted the frames before there were any: its start is here.
    start: Option<FrameSeq>,
    /// Frames of this turn.
    batch: Vec<Arc<Frame>>,
}

/// A live stream on one worker.
#[derive(Debug)]
pub(super) struct LiveStream {
    pub(super) name: StreamName,
    pub(super) source: Source,
    /// What holds for it, as it was when it began.
    pub(super) config: PathConfig,
    log: Log,
    /// Connections that read the log.
    pub(super) subscribers: Vec<usize>,
    /// Connections whose `play` waits for a publisher.
    pub(super) waiting: Vec<usize>,
    fed_workers: Vec<FedWorker>,
    /// No subscriber needs frames before this place: where the slowest stood after the last flush.
    needed_from: FrameSeq,
    /// When what is in the log must leave for the subscribers.
    pub(super) flush_at: Option<Instant>,
    /// Whether the worker has it in its list of those to flush.
    pub(super) is_listed: bool,
}

impl LiveStream {
    pub(super) fn new(name: StreamName, config: PathConfig) -> Self {
        Self {
            name,
            source: Source::Absent,
            config,
            log: Log::new(config.log),
            subscribers: Vec::new(),
            waiting: Vec::new(),
            fed_workers: Vec::new(),
            needed_from: FrameSeq(0),
            flush_at: None,
            is_listed: false,
        }
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self.source {
            Source::Absent => None,
            Source::Here { epoch, .. } | Source::Elsewhere { epoch } | Source::Ended { epoch } => {
                Some(epoch)
            }
        }
    }

    /// Whether anybody on this worker reads it or waits for it.
    pub(super) fn has_audience(&self) -> bool {
        !self.subscribers.is_empty() || !self.waiting.is_empty()
    }

    /// A new publisher: `audience` is to be fed if it is here.
    pub(super) fn start(&mut self, source: Source, audience: &[WorkerId]) {
        self.source = source;
        self.log.break_off();
        self.fed_workers.clear();
        for worker in audience {
            self.add_fed_worker(*worker);
        }
    }

    /// The live stream is over. What it was is split off, with its log and its subscribers; what
    /// stays waits for the next publisher, under `config`.
    pub(super) fn end(&mut self, config: PathConfig) -> Self {
        let mut next = Self::new(Arc::clone(&self.name), config);
        next.waiting = std::mem::take(&mut self.waiting);
        next.is_listed = self.is_listed;
        let mut ended = std::mem::replace(self, next);
        ended.source = Source::Ended {
            epoch: ended.epoch().unwrap_or_default(),
        };
        ended.fed_workers.clear();
        ended.is_listed = false;
        ended
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.source, Source::Ended { .. })
    }

    /// Appends a publisher's frame here and to the batches of the other workers.
    pub(super) fn publish(&mut self, frame: Frame, now: Instant) {
        let frame = Arc::new(frame);
        for worker in self.fed_workers.iter_mut().filter(|other| other.is_current) {
            worker.batch.push(Arc::clone(&frame));
        }
        self.append(frame, now);
    }

    /// Appends what another worker fed.
    pub(super) fn take_feed(&mut self, content: FeedContent, now: Instant) {
        let frames = match content {
            FeedContent::Frames(frames) => frames,
            FeedContent::Start {
                headers,
                last_sound,
                frames,
            } => {
                self.log.break_off();
                self.log.take_over(headers.clone(), last_sound);
                // Those who read already need the headers too, ahead of the frames.
                let headers = [headers.metadata, headers.video, headers.audio];
                let mut all: Vec<_> = headers.into_iter().flatten().collect();
                all.extend(frames);
                all
            }
        };
        for frame in frames {
            self.append(frame, now);
        }
    }

    /// A flush is done; the slowest subscriber stands at `slowest`.
    pub(super) fn flushed(&mut self, slowest: FrameSeq) {
        self.needed_from = slowest;
    }

    pub(super) fn clear_metadata(&mut self) {
        self.log.clear_metadata();
    }

    /// Another worker wants the frames.
    pub(super) fn add_fed_worker(&mut self, worker: WorkerId) {
        if !self.fed_workers.iter().any(|other| other.worker == worker) {
            let start = self.log.start_point();
            self.fed_workers.push(FedWorker {
                worker,
                is_current: false,
                start,
                batch: Vec::new(),
            });
        }
    }

    /// Another worker wants no more frames.
    pub(super) fn remove_fed_worker(&mut self, worker: WorkerId) {
        self.fed_workers.retain(|other| other.worker != worker);
    }

    /// Posts this turn's frames to the other workers, without waking them; `woken` collects whom
    /// to wake. Returns how many batches did not fit: those workers start anew at a keyframe.
    pub(super) fn feed_workers(
        &mut self,
        epoch: Epoch,
        addresses: &[Address],
        woken: &mut Vec<WorkerId>,
    ) -> u64 {
        let mut overflows = 0;
        for worker in &mut self.fed_workers {
            let content = if !worker.is_current {
                Self::start_of(&self.log, worker.start)
            } else if worker.batch.is_empty() {
                continue;
            } else {
                FeedContent::Frames(std::mem::take(&mut worker.batch))
            };
            let feed = Feed {
                name: Arc::clone(&self.name),
                epoch,
                content,
            };
            worker.is_current = addresses
                .get(worker.worker.0)
                .is_some_and(|address| address.feed.post(feed).is_ok());
            if worker.is_current {
                worker.start = None;
                if !woken.contains(&worker.worker) {
                    woken.push(worker.worker);
                }
            } else {
                overflows += 1;
            }
        }
        overflows
    }

    /// Whether another worker waits for frames or a start.
    pub(super) fn has_feed_to_send(&self) -> bool {
        self.fed_workers
            .iter()
            .any(|worker| !worker.is_current || !worker.batch.is_empty())
    }

    /// What a worker is given first: everything from `start` on if it was there before the first
    /// frame, else what a new reader gets.
    fn start_of(log: &Log, start: Option<FrameSeq>) -> FeedContent {
        let (from, headers) = match (start, log.join_point()) {
            (Some(start), _) => (start.max(log.first()), Headers::default()),
            (None, Some(join)) => (join.seq, join.headers),
            (None, None) => (log.end(), log.headers().clone()),
        };
        FeedContent::Start {
            headers,
            last_sound: log.last_sound(),
            frames: log
                .iter_from(from)
                .map(|entry| Arc::clone(&entry.frame))
                .collect(),
        }
    }

    fn append(&mut self, frame: Arc<Frame>, now: Instant) {
        let track = frame.track();
        let needed_from = self.has_audience().then_some(self.needed_from);
        if !self.log.append(frame, needed_from) || self.subscribers.is_empty() {
            return;
        }
        let due = match self.config.flush {
            Flush::Now => now,
            Flush::Video if track == Track::Video => now,
            Flush::Video => now + self.config.audio_wait,
            Flush::Every(wait) => now + wait,
        };
        self.flush_at = Some(self.flush_at.map_or(due, |at| at.min(due)));
    }
}

#[cfg(test)]
mod tests;
