//! An RTMP peer written by hand, byte by byte: it sends timestamps that no encoder can be talked
//! into, stops wherever a test wants, and does not share a line with the code under test.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::DEADLINE;
use super::flv::{AUDIO, SCRIPT, Tag, VIDEO};

/// Chunk size that it sends with. Small enough that keyframes take several chunks.
const CHUNK_SIZE: usize = 4096;

/// A connection to an RTMP server.
pub(crate) struct RawPeer {
    pub(crate) socket: TcpStream,
    /// Everything received and not yet searched; chunk headers included.
    received: Vec<u8>,
}

impl RawPeer {
    /// Connects, without a byte.
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        Self {
            socket,
            received: Vec::new(),
        }
    }

    /// The simple handshake.
    #[track_caller]
    pub(crate) fn handshake(&mut self) {
        let mut hello = vec![3; 1537];
        hello[5..9].fill(0);
        self.socket.write_all(&hello).unwrap();
        let mut answer = [0; 1 + 2 * 1536];
        self.socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer[0], 3);
        self.socket.write_all(&answer[1..1537]).unwrap();
    }

    /// Handshake, `connect` to `app`, `createStream`: ready for [`Self::publish`] or `play`.
    #[track_caller]
    pub(crate) fn open(port: u16, app: &str) -> Self {
        let mut peer = Self::connect(port);
        peer.handshake();
        peer.send(2, 1, 0, 0, &4096_u32.to_be_bytes());
        let tc_url = format!("rtmp://127.0.0.1:{port}/{app}");
        let object = [
            b"\x03".as_slice(),
            &property("app", app),
            &property("tcUrl", &tc_url),
            &property("flashVer", "test"),
            &[0, 0, 9],
        ];
        peer.command(0, "connect", 1.0, &object.concat(), &[]);
        peer.wait_for(b"NetConnection.Connect.Success");
        peer.command(0, "createStream", 2.0, &[5], &[]);
        peer.wait_for(b"_result");
        peer
    }

    /// Publishes on message stream 1, which is what a server gives first.
    #[track_caller]
    pub(crate) fn publish(port: u16, app: &str, key: &str) -> Self {
        let mut peer = Self::open(port, app);
        peer.ask_to_publish(key);
        peer.wait_for(b"NetStream.Publish.Start");
        peer
    }

    /// Asks to publish on message stream 1 and returns without waiting for an answer.
    #[track_caller]
    pub(crate) fn ask_to_publish(&mut self, key: &str) {
        let arguments = [string(key), string("live")].concat();
        self.command(1, "publish", 3.0, &[5], &arguments);
    }

    /// Plays on message stream 1 and returns without waiting for an answer.
    #[track_caller]
    pub(crate) fn play(port: u16, app: &str, key: &str) -> Self {
        let mut peer = Self::open(port, app);
        peer.command(1, "play", 3.0, &[5], &string(key));
        peer
    }

    #[track_caller]
    pub(crate) fn command(
        &mut self,
        msid: u32,
        name: &str,
        transaction_id: f64,
        object: &[u8],
        arguments: &[u8],
    ) {
        let number = [&[0], transaction_id.to_be_bytes().as_slice()].concat();
        let body = [&string(name), number.as_slice(), object, arguments].concat();
        self.send(3, 20, 0, msid, &body);
    }

    /// A tag of an FLV file as the message that carries it.
    #[track_caller]
    pub(crate) fn send_tag(&mut self, tag: &Tag) {
        self.send_tags(std::slice::from_ref(tag));
    }

    /// Tags of an FLV file as the messages that carry them, in one go.
    #[track_caller]
    pub(crate) fn send_tags(&mut self, tags: &[Tag]) {
        let bytes: Vec<u8> = tags.iter().flat_map(tag_message).collect();
        self.socket.write_all(&bytes).unwrap();
    }

    /// Reads what is there and throws it away.
    pub(crate) fn discard_received(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        while let Ok(1..) = self.socket.read(&mut buffer) {}
        self.socket.set_nonblocking(false).unwrap();
    }

    /// A sign of life, without which a server closes the connection after a while.
    #[track_caller]
    pub(crate) fn acknowledge(&mut self) {
        self.send(2, 3, 0, 0, &[0; 4]);
    }

    /// FCUnpublish, deleteStream and the server's word for it, then closes.
    #[track_caller]
    pub(crate) fn unpublish(mut self, key: &str) {
        self.say_goodbye(key);
    }

    /// The same, and stays connected.
    #[track_caller]
    pub(crate) fn say_goodbye(&mut self, key: &str) {
        self.command(0, "FCUnpublish", 4.0, &[5], &string(key));
        let one = [&[0], 1.0_f64.to_be_bytes().as_slice()].concat();
        self.command(0, "deleteStream", 5.0, &[5], &one);
        self.wait_for(b"NetStream.Unpublish.Success");
    }

    #[track_caller]
    fn send(&mut self, csid: u8, message_type: u8, timestamp: u32, msid: u32, body: &[u8]) {
        let bytes = message(csid, message_type, timestamp, msid, body);
        self.socket.write_all(&bytes).unwrap();
    }

    /// Reads until `text` has come. Replies are shorter than the server's chunks, so they come in
    /// one piece.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &[u8]) {
        let end = Instant::now() + DEADLINE;
        let mut buffer = [0; 65_536];
        let mut searched = 0;
        loop {
            let mut windows = self.received[searched..].windows(text.len());
            if let Some(at) = windows.position(|window| window == text) {
                self.received.drain(..searched + at + text.len());
                return;
            }
            searched = (self.received.len() + 1).saturating_sub(text.len());
            let count = self.socket.read(&mut buffer).unwrap_or(0);
            if count == 0 || Instant::now() >= end {
                let wanted = String::from_utf8_lossy(text);
                let last = &self.received[self.received.len().saturating_sub(300)..];
                let last = String::from_utf8_lossy(last);
                panic!("no {wanted} (read {count}); the last that came: {last:?}");
            }
            self.received.extend_from_slice(&buffer[..count]);
        }
    }

    /// Reads until the server closes; how many bytes that were.
    #[track_caller]
    pub(crate) fn wait_closed(&mut self) -> usize {
        let mut buffer = [0; 65_536];
        let mut total = 0;
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return total,
                Ok(count) => total += count,
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return total,
                Err(e) => panic!("the server does not close: {e}"),
            }
        }
    }
}

/// The message that carries a tag: audio on csid 4, data on 5, video on 6.
pub(crate) fn tag_message(tag: &Tag) -> Vec<u8> {
    let csid = match tag.kind {
        AUDIO => 4,
        VIDEO => 6,
        _ => 5,
    };
    if tag.kind == SCRIPT {
        let body = [string("@setDataFrame"), tag.body.clone()].concat();
        return message(csid, tag.kind, tag.timestamp, 1, &body);
    }
    message(csid, tag.kind, tag.timestamp, 1, &tag.body)
}

/// One message, fmt 0 and then fmt 3, with the extended timestamp on every chunk if it needs one.
pub(crate) fn message(
    csid: u8,
    message_type: u8,
    timestamp: u32,
    msid: u32,
    body: &[u8],
) -> Vec<u8> {
    let is_extended = timestamp >= 0xFF_FFFF;
    let extended = timestamp.to_be_bytes();
    let extended = if is_extended { &extended[..] } else { &[] };
    let length = u32::try_from(body.len()).unwrap();
    let mut bytes = vec![csid];
    bytes.extend_from_slice(&timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.push(message_type);
    bytes.extend_from_slice(&msid.to_le_bytes());
    bytes.extend_from_slice(extended);
    // The first message of a connection is Set Chunk Size itself, which fits any size.
    for (index, chunk) in body.chunks(CHUNK_SIZE).enumerate() {
        if index > 0 {
            bytes.push(0xC0 | csid);
            bytes.extend_from_slice(extended);
        }
        bytes.extend_from_slice(chunk);
    }
    bytes
}

/// An AMF0 string.
pub(crate) fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[2], length.as_slice(), text.as_bytes()].concat()
}

/// A field of an AMF0 object.
pub(crate) fn property(key: &str, value: &str) -> Vec<u8> {
    let key = string(key);
    [&key[1..], &string(value)].concat()
}

/// The tags of a sample as a publisher sends them: from `start` on, wrapping at 2^32. Without the
/// metadata, which is that of a file: rtmpdump takes a live stream for cut off that ends before
/// the `duration` it was told.
pub(crate) fn shifted(tags: &[Tag], start: u32) -> Vec<Tag> {
    let mut tags: Vec<Tag> = tags
        .iter()
        .filter(|tag| tag.kind != SCRIPT)
        .cloned()
        .collect();
    for tag in &mut tags {
        // Sequence headers move along, as ffmpeg does it.
        tag.timestamp = tag.timestamp.wrapping_add(start);
    }
    tags
}
