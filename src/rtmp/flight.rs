//! A recorded conversation as a file: what the flight recorder writes and `replay` reads.
//!
//! The file is pcapng (draft-ietf-opsawg-pcapng), so that Wireshark opens it: one made-up TCP
//! connection over IP (LINKTYPE_RAW) from the recorded bytes. What a capture has no place for
//! stands as text in the comment of the section header, where Wireshark shows it among the
//! properties of the file:
//!
//! ```text
//! millstream flight 1
//! version 0.1.0
//! peer 192.0.2.7:40112
//! listener 192.0.2.1:1935
//! began 1763938859.123456            seconds of Unix time
//! stream live/door                   missing if none was named
//! received 5000000 4738000@65536     bytes; of these not kept, and where they are missing
//! sent 3476 0@3476
//! resumes 70001 size 4096 lane 0 ...  behind so many kept bytes of the peer, see ChunkPlace
//! ended 12.000031 connection lost: connection reset by peer (os error 104)
//! ```
//! Which bytes are kept, and the writing itself, are the recorder's business. `blocks` knows
//! pcapng, `packets` IP and TCP, `facts` the text above.

mod blocks;
mod facts;
mod packets;
pub mod replay;

use std::net::SocketAddr;
use std::time::Duration;

use blocks::{Block, Blocks};
use packets::Conversation;

use crate::rtmp::chunk::ChunkPlace;

/// Who sent a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The peer.
    Received,
    /// We.
    Sent,
}

/// Bytes of one direction, and those of them that were not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// All bytes that passed.
    pub total: u64,
    /// `missing <= total`
    pub missing: u64,
    /// How many bytes stand before those that are missing; `missing_at <= total - missing`.
    pub missing_at: u64,
}

/// Where a reader of the peer's bytes can go on behind those that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// How many kept bytes stand before it; no less than [`Extent::missing_at`].
    pub kept: u64,
    /// What the reader has to know.
    pub place: ChunkPlace,
}

/// What is known of a conversation besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Of the program that recorded it.
    pub version: String,
    /// Who was connected.
    pub peer: SocketAddr,
    /// The end of the connection that was ours.
    pub listener: SocketAddr,
    /// When the connection was accepted: since the start of 1970, whole microseconds.
    pub began: Duration,
    /// The live stream that was asked for, as far as it came.
    pub stream: Option<String>,
    /// Bytes of the peer.
    pub received: Extent,
    /// Bytes of ours that the socket took.
    pub sent: Extent,
    /// Where to go on behind what is missing of them, if that is known.
    pub resume: Option<Resume>,
    /// From the start to the end, whole microseconds.
    pub lasted: Duration,
    /// How it ended, as the log has it; one line.
    pub end: String,
}

/// Bytes that were read or written at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Who sent them.
    pub direction: Direction,
    /// Since the start, whole microseconds.
    pub at: Duration,
    /// The bytes; never empty when read from a file.
    pub bytes: &'a [u8],
}

/// A recorded conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight<'a> {
    /// What is known besides the bytes.
    pub facts: Facts,
    /// In the order in which they passed; their times never decrease.
    pub pieces: Vec<Piece<'a>>,
}

/// Why a file cannot be read as a recorded conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlightError {
    /// Another kind of file.
    #[error("not a recorded conversation: `millstream serve --flight` writes those")]
    Foreign,
    /// A capture without our text.
    #[error("a capture that `millstream serve --flight` did not record")]
    OtherCapture,
    /// Of a later version of this program.
    #[error("its format is version {0}, this program reads version {VERSION}")]
    Newer(u32),
    /// The file ends too early.
    #[error("cut off: the file ends within a block, at byte {0}")]
    Truncated(usize),
    /// Something in it cannot be.
    #[error("damaged: {what}, at byte {at}")]
    Damaged {
        /// Where.
        at: usize,
        /// What.
        what: &'static str,
    },
}

/// Version of the text in the section header, and with it of the format.
const VERSION: u32 = 1;

/// Longest conversation that is believed: ten years. Clocks do not overflow below it.
const LASTED_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

impl Extent {
    /// Where the kept bytes that stand behind `kept` others belong in the whole.
    fn position(&self, kept: u64) -> u64 {
        let gap = if kept >= self.missing_at {
            self.missing
        } else {
            0
        };
        kept.saturating_add(gap)
    }

    fn kept(&self) -> u64 {
        self.total.saturating_sub(self.missing)
    }
}

/// A file with these facts and pieces. Pieces of more than 32 KiB come out as several.
///
/// The pieces are those that `facts` speaks of, in the order in which they passed.
pub fn encode<'a>(facts: &Facts, pieces: impl IntoIterator<Item = Piece<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    let program = format!("millstream {}", facts.version);
    blocks::put_section(&mut out, &facts::write(facts), &program);
    blocks::put_interface(&mut out, &facts.listener.to_string());
    let mut conversation = Conversation::new(facts.peer, facts.listener);
    for packet in conversation.opening() {
        blocks::put_packet(&mut out, facts.began, None, &packet);
    }
    let mut kept = [0_u64; 2];
    for piece in pieces {
        let (kept, extent) = match piece.direction {
            Direction::Received => (&mut kept[0], &facts.received),
            Direction::Sent => (&mut kept[1], &facts.sent),
        };
        for bytes in piece.bytes.chunks(packets::PAYLOAD_BYTES_MAX) {
            let position = extent.position(*kept);
            let packet = conversation.packet(piece.direction, position, bytes);
            let at = facts.began.saturating_add(piece.at);
            blocks::put_packet(&mut out, at, Some(piece.direction), &packet);
            *kept = kept.saturating_add(bytes.len() as u64);
        }
    }
    out
}

impl<'a> Flight<'a> {
    /// Reads a file. What programs that write pcapng add to it is skipped. Costs no more memory
    /// than a few words for each packet.
    ///
    /// # Errors
    /// [`FlightError`].
    pub fn decode(file: &'a [u8]) -> Result<Self, FlightError> {
        let mut blocks = Blocks::new(file)?;
        let facts = facts::read(blocks.comment())?;
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        let mut kept = [0_u64; 2];
        while let Some((at, block)) = blocks.next()? {
            let Block::Packet { time, data } = block else {
                continue;
            };
            let damaged = |what| FlightError::Damaged { at, what };
            let packet = packets::parse(data).map_err(damaged)?;
            let direction = if packets::is_same(packet.source, facts.peer) {
                Direction::Received
            } else if packets::is_same(packet.source, facts.listener) {
                Direction::Sent
            } else {
                return Err(damaged("a packet of another conversation"));
            };
            if packet.payload.is_empty() {
                continue;
            }
            let since = time.saturating_sub(facts.began);
            if since > LASTED_MAX {
                return Err(damaged("a packet long after the end"));
            }
            let before = pieces.last().map_or(Duration::ZERO, |piece| piece.at);
            let [received, sent] = &mut kept;
            let kept = match direction {
                Direction::Received => received,
                Direction::Sent => sent,
            };
            *kept = kept.saturating_add(packet.payload.len() as u64);
            pieces.push(Piece {
                direction,
                at: since.max(before),
                bytes: packet.payload,
            });
        }
        if kept != [facts.received.kept(), facts.sent.kept()] {
            return Err(FlightError::Damaged {
                at: file.len(),
                what: "packets are missing",
            });
        }
        Ok(Self { facts, pieces })
    }

    /// The pieces of the peer up to where bytes are missing: what a session can be fed.
    pub fn received(&self) -> impl Iterator<Item = Piece<'a>> + use<'_, 'a> {
        up_to_gap(&self.pieces, Direction::Received, self.facts.received)
    }

    /// The pieces of the peer from where a session can go on behind the gap.
    pub fn resumed(&self) -> impl Iterator<Item = Piece<'a>> + use<'_, 'a> {
        let mut skipped = match &self.facts.resume {
            Some(resume) => usize::try_from(resume.kept).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        self.pieces.iter().filter_map(move |piece| {
            if piece.direction != Direction::Received {
                return None;
            }
            let now = skipped.min(piece.bytes.len());
            skipped -= now;
            let bytes = piece.bytes.get(now..).unwrap_or_default();
            (!bytes.is_empty()).then_some(Piece { bytes, ..*piece })
        })
    }

    /// Our pieces up to where bytes are missing.
    pub fn sent(&self) -> impl Iterator<Item = Piece<'a>> + use<'_, 'a> {
        up_to_gap(&self.pieces, Direction::Sent, self.facts.sent)
    }

    /// The pieces of both sides, each up to where bytes of it are missing.
    pub fn whole(&self) -> impl Iterator<Item = Piece<'a>> + use<'_, 'a> {
        let mut received = left(self.facts.received);
        let mut sent = left(self.facts.sent);
        self.pieces
            .iter()
            .filter_map(move |piece| match piece.direction {
                Direction::Received => cut(piece, &mut received),
                Direction::Sent => cut(piece, &mut sent),
            })
    }
}

fn up_to_gap<'p, 'a>(
    pieces: &'p [Piece<'a>],
    direction: Direction,
    extent: Extent,
) -> impl Iterator<Item = Piece<'a>> + use<'p, 'a> {
    let mut left = left(extent);
    let ours = pieces
        .iter()
        .filter(move |piece| piece.direction == direction);
    ours.filter_map(move |piece| cut(piece, &mut left))
}

/// Bytes before those that are missing.
fn left(extent: Extent) -> u64 {
    match extent.missing {
        0 => u64::MAX,
        _ => extent.missing_at,
    }
}

/// The part of `piece` that lies within the next `left` bytes.
fn cut<'a>(piece: &Piece<'a>, left: &mut u64) -> Option<Piece<'a>> {
    let count = usize::try_from(*left).unwrap_or(usize::MAX);
    let bytes = piece.bytes.get(..count).unwrap_or(piece.bytes);
    *left = left.saturating_sub(piece.bytes.len() as u64);
    (!bytes.is_empty()).then_some(Piece { bytes, ..*piece })
}

#[cfg(test)]
mod tests;
