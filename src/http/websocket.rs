//! WebSockets, server side (RFC 6455): the upgrade, heads of our frames, frames of clients.
//!
//! ```text
//! FIN RSV:3 opcode:4 │ MASK length:7 │ [length u16 or u64] │ [mask u32] │ payload
//! └ ours are whole and never masked: their head depends on the length alone, so that a shared
//!   body needs one head for all who read it
//! ```
//! Clients have little to say: their messages are small, and pings are answered.

use super::request::{Method, Request, Version};
use super::response::{Access, Framing, Head};
use super::status::Status;

/// Largest message of a client, bytes. Control frames have 125 at most.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Longest [`FrameHead`], bytes.
pub const FRAME_HEAD_SIZE_MAX: usize = 10;

/// Appended to the client's key, RFC 6455 §1.3.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a request says of WebSockets.
#[derive(Debug, Clone)]
pub enum Upgrade {
    /// Nothing: it is an ordinary one.
    NotAsked,
    /// The head to answer with; behind the request's last byte the client's frames begin.
    Accepted(Box<Head>),
    /// It asks, and not as RFC 6455 §4.1 says.
    Refused(Status),
}

/// Reads a request's wish for a WebSocket. A refusal with 426 is to be answered with the fields of
/// [`offer`].
pub fn upgrade(request: &Request) -> Upgrade {
    if !request.lists("upgrade", "websocket") || request.version < Version::Http11 {
        return Upgrade::NotAsked;
    }
    let key = request.field("sec-websocket-key").filter(|key| is_key(key));
    let Some(key) = key else {
        return Upgrade::Refused(Status::BadRequest);
    };
    if request.method != Method::Get || !request.lists("connection", "upgrade") {
        return Upgrade::Refused(Status::BadRequest);
    }
    if request.field("sec-websocket-version") != Some("13") {
        return Upgrade::Refused(Status::UpgradeRequired);
    }
    let head = Head::new(Status::SwitchingProtocols, Framing::Nothing, Access::Shared)
        .field("Upgrade", "websocket")
        .field("Connection", "Upgrade")
        .field("Sec-WebSocket-Accept", accept_key(key));
    Upgrade::Accepted(Box::new(head))
}

/// Adds to a head with 426 what there would be (RFC 9110 §15.5.22, RFC 6455 §4.4).
pub fn offer(head: Head) -> Head {
    head.field("Upgrade", "websocket")
        .field("Connection", "Upgrade")
        .field("Sec-WebSocket-Version", "13")
}

/// The proof that a server knows WebSockets: the key and a constant, by SHA-1, in Base64.
pub fn accept_key(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::from(key);
    hash.update(KEY_SUFFIX);
    base64(&hash.digest().bytes())
}

/// Whether this is the Base64 of 16 bytes.
fn is_key(key: &str) -> bool {
    let digits = key.strip_suffix("==").unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    digits.len() == 22 && digits.bytes().all(is_digit)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let place = usize::try_from(bits >> shift & 0x3F).unwrap_or(0);
            let digit = DIGITS.get(place).copied().unwrap_or(b'A');
            out.push(if index <= group.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// The end.
    Close,
    /// Are you there?
    Ping,
    /// I am.
    Pong,
}

impl Opcode {
    fn bits(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// The bytes in front of an unmasked, whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    bytes: [u8; FRAME_HEAD_SIZE_MAX],
    /// `size <= FRAME_HEAD_SIZE_MAX`
    size: usize,
}

impl FrameHead {
    /// The head of a payload of `length` bytes.
    pub fn new(opcode: Opcode, length: usize) -> Self {
        let first = 0x80 | opcode.bits();
        let mut bytes = [0; FRAME_HEAD_SIZE_MAX];
        let size = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ 0..=125), _) => {
                bytes = [first, length, 0, 0, 0, 0, 0, 0, 0, 0];
                2
            }
            (_, Ok(length)) => {
                let [high, low] = length.to_be_bytes();
                bytes = [first, 126, high, low, 0, 0, 0, 0, 0, 0];
                4
            }
            _ => {
                let length = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
                for (place, byte) in bytes.iter_mut().zip([first, 127].into_iter().chain(length)) {
                    *place = byte;
                }
                FRAME_HEAD_SIZE_MAX
            }
        };
        Self { bytes, size }
    }

    /// As it goes out.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

/// A whole frame. Of a control frame's payload the first 125 bytes.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let is_control = !matches!(opcode, Opcode::Text | Opcode::Binary);
    let payload = match is_control {
        true => payload.get(..125).unwrap_or(payload),
        false => payload,
    };
    [FrameHead::new(opcode, payload.len()).bytes(), payload].concat()
}

/// A close frame: why, by number and in words.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    // Cut where a character ends.
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default();
    frame(
        Opcode::Close,
        &[&code.to_be_bytes(), reason.as_bytes()].concat(),
    )
}

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text or binary message, put together; at most [`MESSAGE_BYTES_MAX`] bytes.
    Message(Vec<u8>),
    /// To be answered with a pong of the same payload.
    Ping(Vec<u8>),
    /// The answer to a ping of ours.
    Pong,
    /// The end, with its code if one came: to be answered with a close frame, then closed.
    Close(Option<u16>),
}

/// Why a client is sent away; [`code`](Self::code) goes into the close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A client's frame without a mask.
    #[error("a frame that is not masked")]
    Unmasked,
    /// Reserved bits or a reserved opcode.
    #[error("a frame of an extension that was not agreed on")]
    Reserved,
    /// A control frame in pieces or above 125 bytes, a close code of one byte.
    #[error("a control frame that is in pieces, too long or malformed")]
    Control,
    /// A continuation of nothing, or a new message inside one.
    #[error("a fragment out of order")]
    Fragment,
    /// Above [`MESSAGE_BYTES_MAX`].
    #[error("a message above {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
}

impl Fault {
    /// RFC 6455 §7.4.1.
    pub fn code(self) -> u16 {
        match self {
            Self::TooLarge => 1009,
            Self::Unmasked | Self::Reserved | Self::Control | Self::Fragment => 1002,
        }
    }
}

/// Reads what a client sends, however the bytes are cut.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// The head of the frame that is being read; `len() <= 14`.
    head: Vec<u8>,
    /// What came of the payload of a control frame.
    control: Vec<u8>,
    /// What came of a message; `None` between messages.
    message: Option<Vec<u8>>,
    frame: Option<Incoming>,
}

/// A frame whose head is read.
#[derive(Debug, Clone, Copy)]
struct Incoming {
    is_last: bool,
    opcode: u8,
    mask: [u8; 4],
    length: usize,
    /// `taken <= length`
    taken: usize,
}

impl FrameReader {
    /// Before the first frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input`, up to the end of a frame at most. The answer is how
    /// many, and what the client said with it. At least one is taken of any.
    ///
    /// # Errors
    /// [`Fault`]: send its close frame and close; what follows has no meaning.
    pub fn handle_input(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), Fault> {
        let mut taken = 0;
        let mut frame = match self.frame {
            Some(frame) => frame,
            None => {
                for &byte in input {
                    taken += 1;
                    self.head.push(byte);
                    self.frame = read_head(&self.head)?;
                    if let Some(frame) = &self.frame {
                        self.check(frame)?;
                        break;
                    }
                }
                match self.frame {
                    Some(frame) => frame,
                    None => return Ok((taken, None)),
                }
            }
        };
        let rest = input.get(taken..).unwrap_or_default();
        let wanted = frame.length - frame.taken;
        let piece = rest.get(..wanted).unwrap_or(rest);
        let masks = frame.mask.iter().cycle().skip(frame.taken % 4);
        let plain = piece.iter().zip(masks).map(|(byte, mask)| byte ^ mask);
        if frame.is_control() {
            self.control.extend(plain);
        } else {
            self.message.get_or_insert_default().extend(plain);
        }
        frame.taken += piece.len();
        taken += piece.len();
        if frame.taken < frame.length {
            self.frame = Some(frame);
            return Ok((taken, None));
        }
        self.frame = None;
        self.head.clear();
        Ok((taken, self.finish(frame)?))
    }

    /// What can be said of a frame by its head and what came before.
    fn check(&self, frame: &Incoming) -> Result<(), Fault> {
        if frame.is_control() {
            let is_fine = frame.is_last && frame.length <= 125;
            return is_fine.then_some(()).ok_or(Fault::Control);
        }
        if (frame.opcode == 0) != self.message.is_some() {
            return Err(Fault::Fragment);
        }
        let size = self.message.as_ref().map_or(0, Vec::len);
        if size.saturating_add(frame.length) > MESSAGE_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        Ok(())
    }

    fn finish(&mut self, frame: Incoming) -> Result<Option<Event>, Fault> {
        if !frame.is_control() {
            let message = self.message.take_if(|_| frame.is_last);
            return Ok(message.map(Event::Message));
        }
        let payload = std::mem::take(&mut self.control);
        Ok(Some(match frame.opcode {
            0x8 => match (payload.first_chunk(), payload.len()) {
                (Some(code), _) => Event::Close(Some(u16::from_be_bytes(*code))),
                (None, 0) => Event::Close(None),
                (None, _) => return Err(Fault::Control),
            },
            0x9 => Event::Ping(payload),
            _ => Event::Pong,
        }))
    }
}

impl Incoming {
    fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }
}

/// `None` while bytes are missing.
fn read_head(head: &[u8]) -> Result<Option<Incoming>, Fault> {
    let (Some(&first), second) = (head.first(), head.get(1)) else {
        return Ok(None);
    };
    let opcode = first & 0x0F;
    if first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10) {
        return Err(Fault::Reserved);
    }
    let Some(&second) = second else {
        return Ok(None);
    };
    if second & 0x80 == 0 {
        return Err(Fault::Unmasked);
    }
    let rest = head.get(2..).unwrap_or_default();
    let (length, rest) = match second & 0x7F {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        length => (u64::from(length), rest),
    };
    let Some(mask) = rest.first_chunk() else {
        return Ok(None);
    };
    Ok(Some(Incoming {
        is_last: first & 0x80 != 0,
        opcode,
        mask: *mask,
        // Larger than any limit, where it does not fit.
        length: usize::try_from(length).unwrap_or(usize::MAX),
        taken: 0,
    }))
}

#[cfg(test)]
mod tests;
