//! Random conversations: whatever is said in whatever order, events and answers fit together.

use proptest::prelude::*;

use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::{Arg, Subject, command_body};
use crate::rtmp::session::{Refusal, ServerEvent};

/// What the client says or the caller answers.
#[derive(Debug, Clone, Copy)]
enum Action {
    Call(&'static str, u32, &'static [Arg]),
    Media,
    Accept(u32),
    Reject(u32),
    End(u32),
}

fn action() -> impl Strategy<Value = Action> {
    let names = prop::sample::select(vec![
        "createStream",
        "publish",
        "play",
        "pause",
        "receiveAudio",
        "receiveVideo",
        "FCPublish",
        "FCUnpublish",
        "closeStream",
        "deleteStream",
        "seek",
    ]);
    let values: Vec<&'static [Arg]> = vec![
        &[],
        &[Arg::Null, Arg::Text("cam")],
        &[Arg::Null, Arg::Text("two")],
        &[Arg::Null, Arg::Bool(false)],
        &[Arg::Null, Arg::Number(1.0)],
        &[Arg::Null, Arg::Number(2.0)],
    ];
    prop_oneof![
        6 => (names, 0_u32..4, prop::sample::select(values))
            .prop_map(|(name, msid, values)| Action::Call(name, msid, values)),
        2 => Just(Action::Media),
        3 => (0_u32..4).prop_map(Action::Accept),
        1 => (0_u32..4).prop_map(Action::Reject),
        1 => (0_u32..4).prop_map(Action::End),
    ]
}

/// One role as the caller sees it.
#[derive(Debug, Default)]
struct Role {
    msid: Option<MessageStreamId>,
    accepted: bool,
}

impl Role {
    fn asked(&mut self, msid: MessageStreamId) {
        assert_eq!(self.msid, None, "a second request before the first ended");
        *self = Self {
            msid: Some(msid),
            accepted: false,
        };
    }

    fn ended(&mut self, msid: MessageStreamId) {
        assert_eq!(self.msid, Some(msid), "an end without a begin");
        *self = Self::default();
    }
}

/// A session, and what its caller knows of it.
struct World {
    subject: Subject,
    publish: Role,
    play: Role,
}

impl World {
    fn act(&mut self, action: Action) {
        let Self {
            subject,
            publish,
            play,
        } = self;
        let refusal = Refusal {
            code: "NetStream.Failed",
            description: String::new(),
        };
        match action {
            Action::Call(name, msid, values) => {
                let body = command_body(name, 5.0, values);
                let command = MessageType::COMMAND_AMF0;
                let bytes = subject.wire.write(3, msid, command, 0, &body);
                subject.session.handle_input(subject.now, &bytes).unwrap();
            }
            Action::Media => {
                let bytes = subject.wire.write(4, 1, MessageType::VIDEO, 0, &[0x27]);
                subject.session.handle_input(subject.now, &bytes).unwrap();
            }
            Action::Accept(msid) => {
                let msid = MessageStreamId(msid);
                subject.session.accept_publish(subject.now, msid);
                subject.session.accept_play(subject.now, msid);
                publish.accepted |= publish.msid == Some(msid);
                play.accepted |= play.msid == Some(msid);
            }
            Action::Reject(msid) => {
                let msid = MessageStreamId(msid);
                subject.session.reject_publish(msid, &refusal);
                subject.session.reject_play(msid, &refusal);
                for role in [publish, play] {
                    if role.msid == Some(msid) && !role.accepted {
                        role.ended(msid);
                    }
                }
            }
            Action::End(msid) => {
                let msid = MessageStreamId(msid);
                subject.session.end_publish(msid, &refusal);
                subject.session.end_play(msid);
                for role in [publish, play] {
                    if role.msid == Some(msid) {
                        role.ended(msid);
                    }
                }
            }
        }
    }

    fn observe(&mut self) {
        let (publish, play) = (&mut self.publish, &mut self.play);
        while let Some(event) = self.subject.session.poll_event() {
            match event {
                ServerEvent::Publish { msid, .. } => publish.asked(msid),
                ServerEvent::Unpublished(msid) => publish.ended(msid),
                ServerEvent::Play { msid, .. } => play.asked(msid),
                ServerEvent::PlayStopped(msid) => play.ended(msid),
                ServerEvent::Media { .. } => assert!(publish.accepted, "media before accept"),
                ServerEvent::Paused(msid, _) | ServerEvent::Receive(msid, ..) => {
                    assert!(play.accepted && play.msid == Some(msid), "not playing");
                }
                ServerEvent::Note(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(publish.msid.is_none() || publish.msid != play.msid);
        // What is told is well-formed and on our own chunk streams.
        let output = self.subject.session.poll_output().unwrap_or_default();
        for message in self.subject.wire.read(&output) {
            assert!([2, 3].contains(&message.csid.0), "{message:?}");
        }
        // No session waits forever.
        assert!(self.subject.session.poll_timeout().is_some());
    }
}

proptest! {
    #[test]
    fn events_and_answers_fit_together(actions in prop::collection::vec(action(), 1..60)) {
        let mut world = World {
            subject: Subject::connected(),
            publish: Role::default(),
            play: Role::default(),
        };
        for action in actions {
            world.act(action);
            world.observe();
        }
    }
}
