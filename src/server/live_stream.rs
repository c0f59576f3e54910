//! A live stream as one worker has it: its log, its renditions with who reads them here, and which
//! workers are fed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{Flush, PathConfig};
use super::framing::tag_kind;
use super::hls::Hls;
use super::mail::{Address, Epoch, Feed, FeedContent, StreamName, WorkerId};
use super::registry::whole_ms;
use super::rendition::{Output, Rendition};
use crate::broadcast::{Frame, FrameSeq, Headers, JoinPoint, Log, Prelude, Track};
use crate::media::vitals::Vitals;
use crate::rtmp::timestamp::Mend;

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
    /// As it was published. Nobody is sent it: it is where renditions begin.
    log: Log,
    /// One for each output that has subscribers here.
    pub(super) renditions: Vec<Rendition>,
    /// Its segments, if its playlist is asked for here.
    pub(super) hls: Option<Box<Hls>>,
    /// Connections whose `play` waits for a publisher.
    pub(super) waiting: Vec<usize>,
    fed_workers: Vec<FedWorker>,
    /// How it is doing, where it is published.
    pub(super) vitals: Option<Box<Vitals>>,
    /// When it began, where it is published: since the server's start.
    pub(super) began: Duration,
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
            renditions: Vec::new(),
            hls: None,
            waiting: Vec::new(),
            fed_workers: Vec::new(),
            vitals: None,
            began: Duration::ZERO,
            flush_at: None,
            is_listed: false,
        }
    }

    /// What is in force of what is published.
    pub(super) fn headers(&self) -> &Headers {
        self.log.headers()
    }

    /// What it has for those who come now.
    pub(super) fn prelude(&self) -> Prelude {
        self.log.prelude(self.log.start_point())
    }

    /// The latest place to start at.
    pub(super) fn join_point(&self) -> Option<JoinPoint> {
        self.log.join_point()
    }

    /// The frame at a place, as it was published.
    pub(super) fn frame(&self, seq: FrameSeq) -> Option<&Frame> {
        self.log.get(seq).map(|entry| &*entry.frame)
    }

    /// What subscribers of this output read, if there are any.
    pub(super) fn rendition(&self, output: Output) -> Option<&Rendition> {
        self.renditions.iter().find(|other| other.output == output)
    }

    /// Lets connection `key` read the live stream as this output has it, made if need be for chunks
    /// of `chunk_size` bytes. Returns where it starts, if it is here before the first frame.
    pub(super) fn add_subscriber(
        &mut self,
        key: usize,
        output: Output,
        chunk_size: usize,
    ) -> Option<FrameSeq> {
        let index = self
            .renditions
            .iter()
            .position(|other| other.output == output);
        let index = index.unwrap_or_else(|| {
            let rendition = Rendition::new(output, self.config.log, chunk_size, self.prelude());
            self.renditions.push(rendition);
            self.renditions.len() - 1
        });
        let rendition = &mut self.renditions[index];
        rendition.subscribers.push(key);
        rendition.log().start_point()
    }

    /// Connection `key` reads no more.
    pub(super) fn remove_subscriber(&mut self, key: usize) {
        for rendition in &mut self.renditions {
            rendition.subscribers.retain(|other| *other != key);
        }
        self.renditions
            .retain(|other| !other.subscribers.is_empty());
    }

    /// Everybody who reads it here.
    pub(super) fn subscribers(&self) -> impl Iterator<Item = usize> {
        self.renditions
            .iter()
            .flat_map(|rendition| rendition.subscribers.iter().copied())
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
        !self.renditions.is_empty() || !self.waiting.is_empty() || self.hls.is_some()
    }

    /// A new publisher: `audience` is to be fed if it is here.
    pub(super) fn start(&mut self, source: Source, audience: &[WorkerId]) {
        self.source = source;
        if !matches!(source, Source::Here { .. }) {
            self.vitals = None;
        }
        self.break_off();
        self.fed_workers.clear();
        for worker in audience {
            self.add_fed_worker(*worker);
        }
    }

    /// The publisher that starts here is measured from now on; what was measured here of the one
    /// before it goes on. `began` is the live stream's begin; `reconnects_ms` as the registry has
    /// them.
    pub(super) fn measure(&mut self, began: Duration, reconnects_ms: &[u64], uptime: Duration) {
        self.began = began;
        let now_ms = whole_ms(uptime);
        let vitals = self
            .vitals
            .get_or_insert_with(|| Box::new(Vitals::new(now_ms)));
        vitals.handle_publisher(now_ms, reconnects_ms);
    }

    /// Measures a publisher's frame, at `now_ms` since the server's start.
    pub(super) fn observe(&mut self, frame: &Frame, now_ms: u64) {
        if let Some(vitals) = &mut self.vitals {
            let kind = tag_kind(frame.track());
            vitals.handle_frame(now_ms, kind, frame.dts(), frame.body());
        }
    }

    /// Notes a timestamp of the publisher that had to be mended: it was `step_ms` behind the one
    /// before it.
    pub(super) fn observe_mend(&mut self, mend: Mend, step_ms: i64, now_ms: u64) {
        let Some(vitals) = &mut self.vitals else {
            return;
        };
        match mend {
            Mend::Backwards => vitals.handle_backward_step(),
            Mend::Outlier | Mend::NewClock => vitals.handle_jump(now_ms, step_ms),
        }
    }

    /// The live stream is over. What it was is split off, with its log and its subscribers; what
    /// stays waits for the next publisher, under `config`; so do the segments, for those who come late.
    pub(super) fn end(&mut self, config: PathConfig, now: Instant) -> Self {
        let mut next = Self::new(Arc::clone(&self.name), config);
        next.waiting = std::mem::take(&mut self.waiting);
        next.is_listed = self.is_listed;
        next.hls = self.hls.take();
        if let Some(hls) = &mut next.hls {
            hls.finish(now);
        }
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
            FeedContent::Start(prelude) => {
                self.break_off();
                for rendition in &mut self.renditions {
                    rendition.take_over(&prelude.headers, prelude.last_sound);
                }
                if let Some(hls) = &mut self.hls {
                    hls.take_over(&prelude.headers);
                }
                self.log
                    .take_over(prelude.headers.clone(), prelude.last_sound);
                // Those who read already need the headers too, ahead of the frames.
                let mut all: Vec<_> = prelude.headers.iter().cloned().collect();
                all.extend(prelude.frames);
                all
            }
        };
        for frame in frames {
            self.append(frame, now);
        }
    }

    pub(super) fn clear_metadata(&mut self) {
        self.log.clear_metadata();
        for rendition in &mut self.renditions {
            rendition.clear_metadata();
        }
    }

    fn break_off(&mut self) {
        self.log.break_off();
        for rendition in &mut self.renditions {
            rendition.break_off();
        }
        if let Some(hls) = &mut self.hls {
            hls.break_off();
        }
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

    /// Whether another worker wants the frames.
    pub(super) fn has_fed_workers(&self) -> bool {
        !self.fed_workers.is_empty()
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
                FeedContent::Start(self.log.prelude(worker.start))
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

    fn append(&mut self, frame: Arc<Frame>, now: Instant) {
        let track = frame.track();
        let mut is_due = false;
        for rendition in &mut self.renditions {
            is_due |= rendition.take(&frame);
        }
        // Workers that wait for a start want all from there; renditions are made of what is new.
        let starts = self.fed_workers.iter().filter_map(|worker| worker.start);
        let for_hls = self.hls.is_some().then(|| Arc::clone(&frame));
        let is_taken = self.log.append(frame, starts.min());
        if let (Some(hls), Some(frame), true) = (&mut self.hls, for_hls, is_taken) {
            hls.take(&frame);
        }
        if !is_due {
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
