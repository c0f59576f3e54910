//! A known stream, written in every way that the specification allows and some that peers have,
//! gives the known frames, and no note that it does not deserve.

use proptest::prelude::*;

use crate::rtmp::MediaKind;
use crate::rtmp::chunk::testing::{Repeat, pieces, plan, repeat, write};
use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::Subject;
use crate::rtmp::session::{Note, ServerEvent};

/// Kind, timestamp, body.
type Frame = (MediaKind, u32, Vec<u8>);

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        plans in prop::collection::vec(plan(), 1..40),
        repeat in repeat(),
        seed in any::<u64>(),
        cuts in any::<u64>(),
    ) {
        let (wire, messages) = write(&plans, repeat, seed);
        let frame = |kind, message: &crate::rtmp::chunk::Message| {
            let body = message.payload.as_slice().to_vec();
            (!body.is_empty()).then_some((kind, message.timestamp, body))
        };
        let expected: Vec<Frame> = messages
            .iter()
            .filter_map(|message| match message.message_type {
                MessageType::AUDIO => frame(MediaKind::Audio, message),
                MessageType::VIDEO => frame(MediaKind::Video, message),
                _ => None,
            })
            .collect();

        let mut subject = Subject::publishing();
        let now = subject.now;
        let mut frames = Vec::new();
        for piece in pieces(&wire, cuts) {
            prop_assert_eq!(subject.session.handle_input(now, piece), Ok(()));
            while let Some(event) = subject.session.poll_event() {
                match event {
                    ServerEvent::Media { kind, timestamp, payload } => {
                        frames.push((kind, timestamp, payload.as_slice().to_vec()));
                    }
                    ServerEvent::Note(Note::ExtendedTimestampOmitted) => {
                        prop_assert_eq!(repeat, Repeat::Never);
                    }
                    ServerEvent::Note(
                        Note::OtherMessageStream | Note::ControlOnOtherCsid | Note::ShortStart,
                    ) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
        prop_assert_eq!(frames, expected);
    }
}
