//! The verdict: the steps of a conversation, which of them failed, and what to do.

use std::fmt;

use super::advice;
use super::course::{Course, Request, Shake, Verb};
use super::media::Media;
use super::narrator::{Both, Ending, Role, Side};
use super::text::{bytes, count, plain};
use crate::rtmp::chunk::ChunkError;
use crate::rtmp::overheard::Lane;

/// A step on the way of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The handshake.
    Handshake,
    /// `connect`.
    Connect,
    /// `createStream`.
    CreateStream,
    /// `publish`.
    Publish,
    /// `play`.
    Play,
    /// Metadata.
    Metadata,
    /// Audio and video.
    Media,
    /// The end.
    Close,
}

impl Stage {
    /// As it is called in a verdict.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Connect => "connect",
            Self::CreateStream => "createStream",
            Self::Publish => "publish",
            Self::Play => "play",
            Self::Metadata => "metadata",
            Self::Media => "media",
            Self::Close => "close",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// As it should.
    Fine,
    /// It worked, and there is something to say about it.
    Odd,
    /// It ended here.
    Failed,
}

/// One step that was come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub stage: Stage,
    /// How it went.
    pub state: State,
    /// What there is to say, "fine" at least.
    pub text: String,
}

/// What became of a conversation. `Display` is one line: `handshake fine; connect fine; publish
/// refused: NetStream.Publish.BadName (...); what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The steps as far as it came.
    pub steps: Vec<Step>,
    /// What to do; `None` when there is nothing to be done.
    pub advice: Option<&'static str>,
}

/// What a verdict is found from.
pub(super) struct Scene<'a> {
    pub(super) role: Role,
    pub(super) shakes: &'a Both<Shake>,
    pub(super) lanes: &'a Both<Lane>,
    pub(super) course: &'a Course,
    pub(super) broken: Option<(Side, ChunkError)>,
    pub(super) ending: Option<&'a Ending>,
    /// Of whoever is to send it.
    pub(super) media: &'a Media,
    /// Bytes of it that were not shown.
    pub(super) hidden: u64,
}

impl Verdict {
    /// Whether no step failed.
    pub fn is_fine(&self) -> bool {
        self.steps.iter().all(|step| step.state != State::Failed)
    }

    /// The first step that failed.
    pub fn failed(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.state == State::Failed)
    }

    /// Whether `connect` was accepted.
    pub fn has_connected(&self) -> bool {
        let is_it = |step: &Step| step.stage == Stage::Connect && step.state == State::Fine;
        self.steps.iter().any(is_it)
    }

    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let mut bench = Bench {
            verdict: Self {
                steps: Vec::new(),
                advice: None,
            },
            worst: State::Fine,
        };
        bench.judge(scene);
        bench.verdict
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for step in &self.steps {
            let is_dull = match step.stage {
                Stage::CreateStream | Stage::Metadata => true,
                // How it was closed matters where nothing else was wrong.
                Stage::Close => !self.is_fine(),
                _ => false,
            };
            if is_dull && step.state == State::Fine {
                continue;
            }
            write!(f, "{separator}{} {}", step.stage.as_str(), step.text)?;
            separator = "; ";
        }
        if let Some(advice) = self.advice {
            write!(f, "{separator}{advice}")?;
        }
        Ok(())
    }
}

/// A verdict under way.
struct Bench {
    verdict: Verdict,
    /// Of what the advice is about.
    worst: State,
}

impl Bench {
    fn fine(&mut self, stage: Stage, text: impl Into<String>) {
        self.add(stage, State::Fine, text.into(), None);
    }

    fn odd(&mut self, stage: Stage, text: impl Into<String>, advice: &'static str) {
        self.add(stage, State::Odd, text.into(), Some(advice));
    }

    fn failed(&mut self, stage: Stage, text: impl Into<String>, advice: &'static str) {
        self.add(stage, State::Failed, text.into(), Some(advice));
    }

    /// The advice is about the first of the worst.
    fn add(&mut self, stage: Stage, state: State, text: String, advice: Option<&'static str>) {
        if state > self.worst {
            self.worst = state;
            self.verdict.advice = advice;
        }
        self.verdict.steps.push(Step { stage, state, text });
    }

    fn judge(&mut self, scene: &Scene<'_>) {
        let went_through =
            self.handshake(scene) && self.connect(scene) && self.create(scene) && self.start(scene);
        if went_through {
            self.media(scene);
        }
        self.close(scene);
    }

    /// Whether there was anything behind it.
    fn handshake(&mut self, scene: &Scene<'_>) -> bool {
        let stage = Stage::Handshake;
        let role = scene.role;
        match scene.shakes.of(Side::Peer) {
            Shake::Foreign(guess) => {
                self.failed(
                    stage,
                    format!("failed: {guess}"),
                    advice::foreign(role, *guess),
                );
                false
            }
            Shake::Done => {
                self.fine(stage, "fine");
                true
            }
            Shake::First => {
                let text = match role {
                    Role::Server => "not finished: C1 came, C2 did not",
                    Role::Client => "not finished: S1 came, S2 did not come whole",
                };
                self.failed(stage, text, advice::half_shaken(role));
                false
            }
            Shake::Begun => {
                match scene.lanes.of(Side::Peer).bytes() {
                    0 => self.failed(stage, "failed: not a byte came", advice::silent(role)),
                    some => {
                        let text = format!("not finished: {} came", bytes(some));
                        self.failed(stage, text, advice::half_shaken(role));
                    }
                }
                false
            }
        }
    }

    /// A request that is not granted; whether it is.
    fn request(&mut self, scene: &Scene<'_>, stage: Stage, request: &Request) -> bool {
        let role = scene.role;
        match request {
            Request::Granted => {
                self.fine(stage, "fine");
                return true;
            }
            Request::Refused(refused) => {
                let text = format!("refused: {}", refused.text);
                self.failed(stage, text, advice::refused(role, refused));
            }
            Request::Asked => match scene.broken {
                Some((side, error)) => self.on_broken(scene, stage, side, error),
                None => self.failed(stage, "not answered", advice::unanswered(role)),
            },
            Request::NotAsked => match scene.broken {
                Some((side, error)) => self.on_broken(scene, stage, side, error),
                None => self.failed(stage, "never came", advice::nothing_asked(role)),
            },
        }
        false
    }

    fn on_broken(&mut self, scene: &Scene<'_>, stage: Stage, side: Side, error: ChunkError) {
        let who = match side {
            Side::Peer => "it",
            Side::We => "we",
        };
        let text = format!("failed: what {who} sent cannot be read any further: {error}");
        self.failed(stage, text, advice::broken(scene.role));
    }

    fn connect(&mut self, scene: &Scene<'_>) -> bool {
        self.request(scene, Stage::Connect, &scene.course.connect)
    }

    fn create(&mut self, scene: &Scene<'_>) -> bool {
        match &scene.course.create {
            // Some publish without it.
            Request::NotAsked => true,
            _ if scene.course.start.is_some() => {
                self.fine(Stage::CreateStream, "fine");
                true
            }
            Request::Granted => true,
            request => self.request(scene, Stage::CreateStream, request),
        }
    }

    fn start(&mut self, scene: &Scene<'_>) -> bool {
        let stage = match scene.course.start {
            Some(Verb::Publish) => Stage::Publish,
            Some(Verb::Play) => Stage::Play,
            None => {
                if let Some((side, error)) = scene.broken {
                    self.on_broken(scene, Stage::Publish, side, error);
                } else {
                    self.failed(
                        Stage::Publish,
                        "or play never came",
                        advice::nothing_asked(scene.role),
                    );
                }
                return false;
            }
        };
        self.request(scene, stage, &scene.course.started)
    }

    fn media(&mut self, scene: &Scene<'_>) {
        let is_play = scene.course.start == Some(Verb::Play);
        let media = scene.media;
        let stage = Stage::Media;
        if scene.hidden > 0 {
            let text = format!("fine: {} were sent", bytes(scene.hidden));
            return self.fine(stage, text);
        }
        if scene.course.has_metadata {
            self.fine(Stage::Metadata, "fine");
        }
        if let Some((side, error)) = scene.broken {
            self.on_broken(scene, stage, side, error);
        }
        if media.is_empty() {
            let text = if media.is_untouched() {
                "never came"
            } else {
                "came as sequence headers only, without a frame"
            };
            // A play that ended as a stream does had nothing to show in that time.
            return self.failed(stage, text, advice::no_media(scene.role, is_play));
        }
        if media.video.frames > 0 && media.video.keyframes == 0 {
            let frames = count(media.video.frames, "video frame");
            let text = format!("failed: no keyframe among {frames}");
            self.failed(stage, text, advice::NO_KEYFRAME);
        } else if media.video.lacked_header || media.audio.lacked_header {
            let text = "came before its sequence header";
            self.odd(stage, text, advice::NO_HEADER);
        } else if media.video.frames == 0 && media.aggregates == 0 {
            let text = format!("fine: sound only, {}", media.summary());
            self.odd(stage, text, advice::SOUND_ONLY);
        } else {
            self.fine(stage, format!("fine: {}", media.summary()));
        }
        let cautions = [(&media.video, "video"), (&media.audio, "audio")];
        for (track, kind) in cautions {
            if let (Some(caution), Some(codec)) = (track.caution, &track.codec) {
                let text = format!("has {codec} as {kind}");
                self.odd(stage, text, advice::caution(caution));
            }
        }
    }

    fn close(&mut self, scene: &Scene<'_>) {
        let stage = Stage::Close;
        let was_served = scene.course.started == Request::Granted;
        if let Some(ended) = &scene.course.ended {
            let text = format!("by the server: {}", ended.text);
            return self.failed(stage, text, advice::refused(scene.role, ended));
        }
        let peer = match scene.role {
            Role::Server => "the peer",
            Role::Client => "the server",
        };
        match scene.ending {
            None => {}
            Some(Ending::Lost(why)) => {
                let text = format!("failed: the connection broke: {}", plain(why));
                self.failed(stage, text, advice::LOST);
            }
            Some(Ending::WeClosed(why)) if why.is_empty() => self.fine(stage, "fine"),
            Some(Ending::WeClosed(why)) => {
                self.failed(stage, format!("by us: {}", plain(why)), advice::LOST);
            }
            Some(Ending::PeerClosed) if !was_served || scene.course.is_over => {
                self.fine(stage, format!("by {peer}"));
            }
            Some(Ending::PeerClosed)
                if scene.course.start == Some(Verb::Play) && scene.role == Role::Server =>
            {
                self.fine(stage, format!("by {peer}"));
            }
            Some(Ending::PeerClosed) => {
                self.odd(stage, format!("by {peer}, without a goodbye"), advice::LOST);
            }
        }
    }
}
