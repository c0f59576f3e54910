//! IP packets with TCP segments, made up around recorded bytes and taken off them again.
//!
//! ```text
//! IPv4 (RFC 791)   0x45  0  u16 length  0 0  0x4000  64  6  u16 checksum  source  target
//! IPv6 (RFC 8200)  0x6000_0000  u16 length behind it  6  64  source  target
//! TCP (RFC 9293)   u16 source  u16 target  u32 sequence  u32 acknowledged  0x50  flags
//!                  u16 window  u16 checksum  u16 0
//! ```
//! Checksums are left at 0, as cards that compute them themselves leave them in captures.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Direction;
use crate::wire::{PutBytes, Reader, Truncated};

/// Bytes in one packet: half of what an IP packet can have.
pub(super) const PAYLOAD_BYTES_MAX: usize = 32 << 10;

const TCP: u8 = 6;
const TCP_HEADER_BYTES: u16 = 20;
const IPV4_HEADER_BYTES: u16 = 20;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PUSH_ACK: u8 = 0x18;

/// The sequence number of either side's first byte.
const FIRST: u32 = 1;

/// A TCP connection that is made up packet by packet.
#[derive(Debug)]
pub(super) struct Conversation {
    peer: SocketAddr,
    listener: SocketAddr,
    /// Where the next byte of the peer, and of ours, will stand.
    next_received: u32,
    next_sent: u32,
}

impl Conversation {
    pub(super) fn new(peer: SocketAddr, listener: SocketAddr) -> Self {
        Self {
            peer,
            listener,
            next_received: FIRST,
            next_sent: FIRST,
        }
    }

    /// The three packets that open it; without them Wireshark does not know who called whom.
    pub(super) fn opening(&self) -> [Vec<u8>; 3] {
        let (received, sent) = (Direction::Received, Direction::Sent);
        [
            self.build(received, SYN, FIRST - 1, 0, &[]),
            self.build(sent, SYN | ACK, FIRST - 1, FIRST, &[]),
            self.build(received, ACK, FIRST, FIRST, &[]),
        ]
    }

    /// A packet with bytes behind `position` others of this direction.
    pub(super) fn packet(
        &mut self,
        direction: Direction,
        position: u64,
        payload: &[u8],
    ) -> Vec<u8> {
        // Sequence numbers wrap at 2^32.
        let low = u32::try_from(position & 0xFFFF_FFFF).unwrap_or(0);
        let length = u32::try_from(payload.len()).unwrap_or(0);
        let sequence = FIRST.wrapping_add(low);
        let next = sequence.wrapping_add(length);
        let acknowledged = match direction {
            Direction::Received => {
                self.next_received = next;
                self.next_sent
            }
            Direction::Sent => {
                self.next_sent = next;
                self.next_received
            }
        };
        self.build(direction, PUSH_ACK, sequence, acknowledged, payload)
    }

    fn build(
        &self,
        direction: Direction,
        flags: u8,
        sequence: u32,
        acknowledged: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        let (source, target) = match direction {
            Direction::Received => (self.peer, self.listener),
            Direction::Sent => (self.listener, self.peer),
        };
        let payload_bytes = u16::try_from(payload.len()).unwrap_or(0);
        let segment_bytes = payload_bytes.saturating_add(TCP_HEADER_BYTES);
        let mut packet = Vec::with_capacity(60 + payload.len());
        match (source.ip(), target.ip()) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                packet.extend_from_slice(&[0x45, 0]);
                packet.put_u16(segment_bytes.saturating_add(IPV4_HEADER_BYTES));
                packet.extend_from_slice(&[0, 0, 0x40, 0, 64, TCP, 0, 0]);
                packet.extend_from_slice(&source.octets());
                packet.extend_from_slice(&target.octets());
            }
            (source, target) => {
                packet.put_u32(0x6000_0000);
                packet.put_u16(segment_bytes);
                packet.extend_from_slice(&[TCP, 64]);
                packet.extend_from_slice(&v6(source).octets());
                packet.extend_from_slice(&v6(target).octets());
            }
        }
        packet.put_u16(source.port());
        packet.put_u16(target.port());
        packet.put_u32(sequence);
        packet.put_u32(acknowledged);
        packet.extend_from_slice(&[0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        packet.extend_from_slice(payload);
        packet
    }
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Whether packets say the same of both: scopes are not in them, and next to an IPv6 address an
/// IPv4 one is mapped.
pub(super) fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// What matters of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) source: SocketAddr,
    pub(super) payload: &'a [u8],
}

/// Reads a packet as [`Conversation`] makes them.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(data: &[u8]) -> Result<Packet<'_>, &'static str> {
    const SHORT: &str = "a packet that ends too early";
    let short = |_: Truncated| SHORT;
    let mut reader = Reader::new(data);
    let (source, length) = match data.first().map(|first| first >> 4) {
        Some(4) => {
            let start = reader.array::<4>().map_err(short)?;
            let [first, _, high, low] = start;
            let rest = reader.array::<8>().map_err(short)?;
            if first != 0x45 || rest.get(5) != Some(&TCP) {
                return Err("a packet that is not plain TCP");
            }
            let source = Ipv4Addr::from(reader.array::<4>().map_err(short)?);
            reader.bytes(4).map_err(short)?;
            let length = u16::from_be_bytes([high, low]).checked_sub(IPV4_HEADER_BYTES);
            (IpAddr::V4(source), length.ok_or(SHORT)?)
        }
        Some(6) => {
            reader.bytes(4).map_err(short)?;
            let length = reader.u16().map_err(short)?;
            if reader.u16().map_err(short)? >> 8 != u16::from(TCP) {
                return Err("a packet that is not plain TCP");
            }
            let source = Ipv6Addr::from(reader.array::<16>().map_err(short)?);
            reader.bytes(16).map_err(short)?;
            (IpAddr::V6(source), length)
        }
        _ => return Err("a packet that is not IP"),
    };
    let segment = reader.bytes(length.into()).map_err(short)?;
    let mut reader = Reader::new(segment);
    let port = reader.u16().map_err(short)?;
    let fields = reader.array::<11>().map_err(short)?;
    // Ports, sequence and acknowledgement are 12 bytes; then comes the header's length in words.
    let [.., words] = fields;
    if words != 0x50 {
        return Err("a packet with TCP options");
    }
    reader.bytes(7).map_err(short)?;
    Ok(Packet {
        source: SocketAddr::new(source, port),
        payload: reader.rest(),
    })
}
