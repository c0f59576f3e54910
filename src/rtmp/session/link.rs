//! What both sessions share below commands and media: chunks in and out, the count of received
//! bytes, acknowledgements, pings.

use super::{Note, SessionError};
use crate::amf::Value;
use crate::rtmp::chunk::{
    CHUNK_SIZE_MAX, ChunkDecoder, ChunkEncoder, ChunkError, ChunkLimits, ChunkOddities, ChunkPlace,
    ChunkStreamId, Message, MessageStreamId, NoPlace,
};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::{Command, Level, status_info};
use crate::rtmp::message::control::Control;
use crate::rtmp::message::user_control::UserControl;

/// Acknowledgement windows that we honour. A smaller one (some peers ask for a few bytes) would
/// cause a storm of acknowledgements; a larger one is as good as none.
const ACK_WINDOW_MIN: u32 = 32 << 10;
const ACK_WINDOW_MAX: u32 = 10 << 20;

/// The window until the peer names one.
pub(super) const ACK_WINDOW_DEFAULT: u32 = 2_500_000;

/// Where the count of received bytes starts again, as nginx-rtmp and SRS do: Flash Media Live
/// Encoder freezes when it reaches the end of 32 bits.
const ACK_COUNT_MAX: u32 = 0xF000_0000;

/// The chunk layer of one connection and its protocol control.
#[derive(Debug)]
pub(super) struct Link {
    decoder: ChunkDecoder,
    /// What was odd about the peer's chunks when it was asked last.
    known_oddities: ChunkOddities,
    encoder: ChunkEncoder,
    output: Vec<u8>,
    /// The count that was acknowledged last, `<= ACK_COUNT_MAX`.
    acknowledged: u32,
    /// Received since then, `< ack_window` after every call unless the window is 0.
    unacknowledged: u32,
    /// 0: the peer wants no acknowledgements.
    ack_window: u32,
    /// The window that we announced; 0 before that.
    announced_window: u32,
}

impl Link {
    pub(super) fn new(limits: ChunkLimits) -> Self {
        Self {
            decoder: ChunkDecoder::new(limits),
            known_oddities: ChunkOddities::default(),
            encoder: ChunkEncoder::new(),
            output: Vec::new(),
            acknowledged: 0,
            unacknowledged: 0,
            ack_window: ACK_WINDOW_DEFAULT,
            announced_window: 0,
        }
    }

    /// Reads up to the end of one message, as [`ChunkDecoder::decode`], and acknowledges.
    pub(super) fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Message>), ChunkError> {
        let (consumed, message) = self.decoder.decode(input)?;
        self.count_received(consumed);
        Ok((consumed, message))
    }

    /// Where the decoder stands.
    pub(super) fn chunk_place(&self) -> Option<ChunkPlace> {
        self.decoder.place()
    }

    /// Puts the decoder elsewhere.
    pub(super) fn go_to(&mut self, limits: ChunkLimits, place: &ChunkPlace) -> Result<(), NoPlace> {
        self.decoder = ChunkDecoder::at_place(limits, place)?;
        self.known_oddities = ChunkOddities::default();
        Ok(())
    }

    /// What was odd about the peer's chunks since this was asked last, each with its count.
    pub(super) fn take_chunk_notes(&mut self) -> Option<[(Note, u64); 3]> {
        let (new, old) = (self.decoder.oddities(), self.known_oddities);
        if new == old {
            return None;
        }
        self.known_oddities = new;
        Some([
            (
                Note::MessageRestarted,
                new.restarted_messages - old.restarted_messages,
            ),
            (Note::ShortStart, new.short_starts - old.short_starts),
            (
                Note::ExtendedTimestampOmitted,
                new.omitted_timestamps - old.omitted_timestamps,
            ),
        ])
    }

    /// The bytes that wait to be sent; handshakes append theirs.
    pub(super) fn output_mut(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Takes the bytes that wait to be sent, with their allocation.
    pub(super) fn take_output(&mut self) -> Option<Vec<u8>> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output))
    }

    /// Handles protocol control (types 1, 2, 3, 5, 6), on whichever csid and msid it came.
    /// Returns the rules that it broke.
    pub(super) fn handle_control(
        &mut self,
        message: &Message,
    ) -> Result<[Option<Note>; 2], SessionError> {
        let Ok(control) = Control::decode(message.message_type, message.payload.as_slice()) else {
            return Ok([Some(Note::ControlTooShort), None]);
        };
        let odd_value = match control {
            Some(Control::SetChunkSize(size)) if size > CHUNK_SIZE_MAX => Some(Note::ChunkSizeHuge),
            Some(Control::WindowAckSize(1..ACK_WINDOW_MIN)) => Some(Note::AckWindowTiny),
            _ => None,
        };
        match control {
            Some(Control::SetChunkSize(0)) => return Err(SessionError::ChunkSizeZero),
            Some(Control::SetChunkSize(size)) => self.decoder.set_chunk_size(size),
            Some(Control::Abort(csid)) => self.decoder.abort(csid),
            Some(Control::WindowAckSize(size)) => self.set_ack_window(size),
            Some(Control::SetPeerBandwidth(size, _)) => {
                // Asked to answer only if the size differs from what we announced last.
                if size != self.announced_window {
                    self.announce_window(size);
                }
            }
            // Flow control is TCP's; most peers acknowledge rarely or wrongly.
            Some(Control::Acknowledgement(_)) | None => {}
        }
        let elsewhere = message.csid != ChunkStreamId::CONTROL;
        Ok([elsewhere.then_some(Note::ControlOnOtherCsid), odd_value])
    }

    /// Handles user control (type 4): answers pings and ignores the rest.
    pub(super) fn handle_user_control(&mut self, body: &[u8]) -> Option<Note> {
        match UserControl::decode(body) {
            Ok(UserControl::PingRequest(value)) => {
                self.send_user_control(UserControl::PingResponse(value));
                None
            }
            Ok(_) => None,
            Err(_) => Some(Note::Unreadable),
        }
    }

    pub(super) fn send(
        &mut self,
        csid: ChunkStreamId,
        msid: MessageStreamId,
        message_type: MessageType,
        timestamp: u32,
        body: &[u8],
    ) {
        let output = &mut self.output;
        self.encoder
            .encode(output, csid, msid, message_type, timestamp, body);
    }

    pub(super) fn send_control(&mut self, control: Control) {
        let (message_type, body) = control.encode();
        let msid = MessageStreamId::CONNECTION;
        self.send(ChunkStreamId::CONTROL, msid, message_type, 0, &body);
    }

    pub(super) fn send_user_control(&mut self, event: UserControl) {
        let csid = ChunkStreamId::CONTROL;
        let msid = MessageStreamId::CONNECTION;
        self.send(csid, msid, MessageType::USER_CONTROL, 0, &event.encode());
    }

    /// Announces the chunk size and uses it.
    pub(super) fn announce_chunk_size(&mut self, size: u32) {
        self.send_control(Control::SetChunkSize(size));
        self.encoder.set_chunk_size(size);
    }

    pub(super) fn announce_window(&mut self, size: u32) {
        self.announced_window = size;
        self.send_control(Control::WindowAckSize(size));
    }

    pub(super) fn send_command(
        &mut self,
        csid: ChunkStreamId,
        msid: MessageStreamId,
        command: &Command,
    ) {
        self.send(csid, msid, MessageType::COMMAND_AMF0, 0, &command.encode());
    }

    /// `onStatus` on a message stream, transaction id 0.
    pub(super) fn send_status(
        &mut self,
        msid: MessageStreamId,
        level: Level,
        code: &str,
        description: &str,
    ) {
        let status = Command {
            name: "onStatus".to_owned(),
            transaction_id: 0.0,
            object: Value::Null,
            arguments: vec![Value::Object(status_info(level, code, description))],
        };
        self.send_command(ChunkStreamId::COMMAND, msid, &status);
    }

    /// Acknowledges at every full window, with the count at which the window was full.
    ///
    /// The count is not "all that was read by now": with that, the same bytes cut differently
    /// would get different answers.
    fn count_received(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.unacknowledged = self.unacknowledged.saturating_add(bytes);
        while self.ack_window != 0 && self.unacknowledged >= self.ack_window {
            self.unacknowledged -= self.ack_window;
            self.acknowledge(self.ack_window);
        }
    }

    fn acknowledge(&mut self, bytes: u32) {
        let count = self.acknowledged.saturating_add(bytes);
        self.acknowledged = if count > ACK_COUNT_MAX { bytes } else { count };
        self.send_control(Control::Acknowledgement(self.acknowledged));
    }

    fn set_ack_window(&mut self, size: u32) {
        self.ack_window = match size {
            0 => 0,
            size => size.clamp(ACK_WINDOW_MIN, ACK_WINDOW_MAX),
        };
        // One answer for all that a smaller window finds overdue, not one for each window.
        if self.ack_window != 0 && self.unacknowledged >= self.ack_window {
            let overdue = std::mem::take(&mut self.unacknowledged);
            self.acknowledge(overdue.min(ACK_COUNT_MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::rtmp::session::testing::Wire;

    /// The counts that were acknowledged.
    fn acknowledged(link: &mut Link, wire: &mut Wire) -> Vec<u32> {
        let output = link.take_output().unwrap_or_default();
        let messages = wire.read(&output).into_iter();
        let count = |message: Message| {
            assert_eq!(message.message_type, MessageType::ACKNOWLEDGEMENT);
            u32::from_be_bytes(message.payload.as_slice().try_into().unwrap())
        };
        messages.map(count).collect()
    }

    #[test]
    fn the_count_starts_again_before_32_bits_end() {
        let (mut link, mut wire) = (Link::new(ChunkLimits::default()), Wire::new());
        let window: u32 = 10 << 20;
        link.set_ack_window(u32::MAX);
        // 8 GiB, in reads of 64 KiB.
        for _ in 0..131_072 {
            link.count_received(64 << 10);
        }
        let counts = acknowledged(&mut link, &mut wire);
        assert_eq!(counts.len(), 8192 / 10);
        assert!(counts.iter().all(|count| *count <= ACK_COUNT_MAX));
        let restarts = counts.windows(2).filter(|pair| pair[1] < pair[0]);
        assert_eq!(restarts.count(), 2);
        let steady = |pair: &[u32]| pair[1] == pair[0] + window || pair[1] == window;
        assert!(counts.windows(2).all(steady));
    }

    #[test]
    fn counts_do_not_depend_on_how_the_input_was_cut() {
        let cut = |sizes: &[usize]| {
            let (mut link, mut wire) = (Link::new(ChunkLimits::default()), Wire::new());
            link.set_ack_window(50_000);
            for size in sizes {
                link.count_received(*size);
            }
            acknowledged(&mut link, &mut wire)
        };
        let whole = cut(&[170_000]);
        assert_eq!(whole, [50_000, 100_000, 150_000]);
        assert_eq!(cut(&[1; 170_000]), whole);
        assert_eq!(cut(&[49_999, 2, 99_999, 20_000]), whole);
    }
}
