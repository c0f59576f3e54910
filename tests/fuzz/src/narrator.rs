//! The story of a conversation from any bytes of both sides: bounded, in plain text, and the same
//! however each side's bytes are cut.

use std::time::Duration;

use millstream::rtmp::chunk::ChunkLimits;
use millstream::story::{Ending, Narrator, Role, Side};

use super::pieces::pieces;

/// Lines that a narrator tells at most, with those about the end.
const LINES_MAX: usize = 320;

/// A line is some hundred bytes at most; the verdict has some of them.
const TEXT_BYTES_MAX: usize = 4096;

/// One turn of the conversation.
enum Turn<'a> {
    Bytes(&'a [u8]),
    Hidden,
    Gap,
}

/// A byte whose lowest bit is our role, one that says how to cut, and turns: two bytes, of which the
/// highest bit is the side and the rest the length, and so many bytes. Length 0: bytes that are not
/// shown; the largest: bytes that are missing.
pub fn narrator(data: &[u8]) {
    let [role, cut, rest @ ..] = data else {
        return;
    };
    let role = match role & 1 {
        0 => Role::Server,
        _ => Role::Client,
    };
    let whole = tell(role, rest, None);
    let in_pieces = tell(role, rest, Some(*cut));
    assert_eq!(whole, in_pieces);
}

fn tell(role: Role, mut rest: &[u8], cut: Option<u8>) -> Vec<String> {
    let mut narrator = Narrator::new(role, ChunkLimits::default());
    let mut lines = Vec::new();
    let mut at = Duration::ZERO;
    while let Some((side, turn)) = next_turn(&mut rest) {
        at += Duration::from_millis(1);
        match (turn, cut) {
            (Turn::Bytes(bytes), None) => narrator.handle_bytes(at, side, bytes),
            (Turn::Bytes(bytes), Some(cut)) => {
                for piece in pieces(bytes, cut) {
                    narrator.handle_bytes(at, side, piece);
                }
            }
            (Turn::Hidden, _) => narrator.handle_hidden(at, side, 1000),
            (Turn::Gap, _) => narrator.handle_gap(at, side),
        }
        take_lines(&mut narrator, &mut lines);
    }
    narrator.handle_end(at, Ending::PeerClosed);
    take_lines(&mut narrator, &mut lines);
    assert!(lines.len() <= LINES_MAX, "{} lines", lines.len());
    let verdict = narrator.verdict();
    assert!(!(verdict.is_fine() && verdict.failed().is_some()));
    lines.push(verdict.to_string());
    for line in &lines {
        assert!(line.len() <= TEXT_BYTES_MAX, "{} bytes", line.len());
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    narrator.handle_end(at, Ending::PeerClosed);
    assert_eq!(narrator.poll_line(), None, "it had ended");
    lines
}

fn take_lines(narrator: &mut Narrator, lines: &mut Vec<String>) {
    lines.extend(std::iter::from_fn(|| narrator.poll_line()).map(|line| line.to_string()));
}

fn next_turn<'a>(rest: &mut &'a [u8]) -> Option<(Side, Turn<'a>)> {
    let [high, low, behind @ ..] = *rest else {
        return None;
    };
    let side = match high & 0x80 {
        0 => Side::Peer,
        _ => Side::We,
    };
    let length = u16::from_be_bytes([high & 0x7F, *low]);
    *rest = behind;
    let turn = match length {
        0 => Turn::Hidden,
        0x7FFF => Turn::Gap,
        _ => {
            let (bytes, behind) = behind.split_at(usize::from(length).min(behind.len()));
            *rest = behind;
            Turn::Bytes(bytes)
        }
    };
    Some((side, turn))
}
