//! Messages that came before their time: behind a `connect` or `publish` that waits for the
//! caller's answer, and metadata before `publish`.
//!
//! Some encoders send everything at once without waiting for a reply. What they send first are
//! the sequence headers, so dropping it would leave a live stream that nobody can decode.

use super::{Note, ServerSession};
use crate::rtmp::chunk::{Message, Payload};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::data::Data;

/// Messages held for one connection.
const MESSAGES_MAX: usize = 256;

/// Bytes of bodies held for one connection: a large keyframe and what comes with it.
const BYTES_MAX: usize = 1 << 20;

/// Metadata above this size is not held; real metadata is a few hundred bytes.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// What one connection sent too early.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The last metadata before any `publish`.
    metadata: Option<Payload>,
    /// What came behind a request that waits, in order; `len() <= MESSAGES_MAX`.
    messages: Vec<Message>,
    /// Bytes in `messages`, `<= BYTES_MAX`.
    bytes: usize,
}

impl Held {
    /// Whether there was room for it.
    fn push(&mut self, message: Message) -> bool {
        let bytes = self.bytes.saturating_add(message.payload.len());
        let fits = bytes <= BYTES_MAX && self.messages.len() < MESSAGES_MAX;
        if fits {
            self.bytes = bytes;
            self.messages.push(message);
        }
        fits
    }
}

impl ServerSession {
    /// Keeps a message until the request before it is answered.
    pub(super) fn hold(&mut self, message: Message) {
        if !self.held.get_or_insert_default().push(message) {
            self.note(Some(Note::HeldTooMuch));
        }
    }

    /// As [`Self::hold`], for media: its sender does not wait for answers.
    pub(super) fn hold_media(&mut self, message: Message) {
        self.note(Some(Note::TooEarly));
        self.hold(message);
    }

    /// Handles what was held as if it came now. What is still too early is held again.
    pub(super) fn release_held(&mut self) {
        let Some(held) = self.held.take() else { return };
        let held = *held;
        if let Some(metadata) = held.metadata {
            let publishing = self.publish.as_ref();
            if publishing.is_some_and(|publish| publish.accepted) {
                self.on_data(0, metadata.as_slice(), false);
            } else {
                self.held.get_or_insert_default().metadata = Some(metadata);
            }
        }
        for message in held.messages {
            let outcome = self.on_message(message);
            debug_assert!(
                outcome.is_ok(),
                "held messages were read before: {outcome:?}"
            );
        }
    }

    /// Media, data or an aggregate outside any `publish`: only metadata is kept.
    pub(super) fn on_unpublished_message(&mut self, message: &Message) {
        let amf3 = match message.message_type {
            MessageType::DATA_AMF0 => false,
            MessageType::DATA_AMF3 => true,
            _ => return self.note(Some(Note::MediaWithoutPublish)),
        };
        let body = message.payload.as_slice();
        match Data::decode(body, amf3, &self.config.limits.amf) {
            Data::SetMetadata(metadata) if metadata.len() <= METADATA_BYTES_MAX => {
                self.held.get_or_insert_default().metadata = Some(Payload::from(metadata));
                self.note(Some(Note::TooEarly));
            }
            Data::ClearMetadata => {
                if let Some(held) = &mut self.held {
                    held.metadata = None;
                }
            }
            Data::SetMetadata(_) | Data::Other(_) => self.note(Some(Note::MediaWithoutPublish)),
        }
    }
}
