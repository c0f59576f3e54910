//! What audio and video share in Enhanced RTMP v2: ModEx and Multitrack.
//!
//! The readers of `video.rs` and `audio.rs` take the first byte; this file takes what lies
//! between it and the FourCC. Enhanced RTMP v2, ExAudioTagHeader and ExVideoTagHeader.
//!
//! ```text
//! byte 0, packet type = ModEx:      [size-1 u8][size-1 u16 if the first gave 256][data][type:4 packet:4] ...
//! packet type = Multitrack:         [kind:4 packet:4][FourCC unless kind 2]
//!            then for each track:   [FourCC if kind 2][track id u8][size u24 unless kind 0][body]
//! otherwise:                        [FourCC][body]
//! ```

use crate::wire::Reader;

use super::TagError;

/// A codec's four characters.
pub type FourCc = [u8; 4];

/// ModEx has this number in both video and audio.
pub(super) const PACKET_MOD_EX: u8 = 7;

/// How many tracks one body carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Multitrack {
    /// One track, no size field: the rest of the body is its.
    OneTrack,
    /// Several tracks of one codec.
    ManyTracks,
    /// Several tracks, each with its own FourCC.
    ManyTracksManyCodecs,
}

/// What was read up to the body of the first track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preamble {
    pub(super) packet_type: u8,
    pub(super) fourcc: FourCc,
    pub(super) multitrack: Option<Multitrack>,
    pub(super) track_id: u8,
    /// Length of this track's body; `None` means up to the end.
    pub(super) size: Option<u32>,
}

/// Follows ModEx packets to the packet type behind them.
///
/// Returns that type and the TimestampOffsetNano, 0 when none was sent. Unknown ModEx types
/// are stepped over: their length is known.
pub(super) fn read_mod_ex(
    reader: &mut Reader<'_>,
    mut packet_type: u8,
) -> Result<(u8, u32), TagError> {
    let mut nanoseconds = 0;
    while packet_type == PACKET_MOD_EX {
        let mut size = usize::from(reader.u8()?) + 1;
        if size == 256 {
            size = usize::from(reader.u16()?) + 1;
        }
        let mut data = Reader::new(reader.bytes(size)?);
        let next = reader.u8()?;
        if next >> 4 == 0 {
            nanoseconds = data.u24().unwrap_or(0);
        }
        packet_type = next & 0x0F;
    }
    Ok((packet_type, nanoseconds))
}

/// Whether a body, whose form is known, has ModEx in front of its packet.
pub(super) fn is_mod_ex(body: &[u8], enhanced: bool) -> bool {
    enhanced
        && body
            .first()
            .is_some_and(|byte| byte & 0x0F == PACKET_MOD_EX)
}

/// Reads the FourCC and, when `packet_type` is `multitrack_type` (6 in video, 5 in audio), the
/// Multitrack fields of the first track.
pub(super) fn read_preamble(
    reader: &mut Reader<'_>,
    packet_type: u8,
    multitrack_type: u8,
) -> Result<Preamble, TagError> {
    if packet_type != multitrack_type {
        return Ok(Preamble {
            packet_type,
            fourcc: reader.array()?,
            multitrack: None,
            track_id: 0,
            size: None,
        });
    }
    let byte = reader.u8()?;
    let multitrack = match byte >> 4 {
        0 => Multitrack::OneTrack,
        1 => Multitrack::ManyTracks,
        2 => Multitrack::ManyTracksManyCodecs,
        other => return Err(TagError::MultitrackType(other)),
    };
    let packet_type = byte & 0x0F;
    if packet_type == multitrack_type || packet_type == PACKET_MOD_EX {
        return Err(TagError::NestedPacketType(packet_type));
    }
    let fourcc = match multitrack {
        Multitrack::ManyTracksManyCodecs => [0; 4],
        _ => reader.array()?,
    };
    read_track(reader, packet_type, multitrack, fourcc)
}

/// Reads the fields of one more track, in a body whose tracks share `fourcc` unless each has its own.
pub(super) fn read_track(
    reader: &mut Reader<'_>,
    packet_type: u8,
    multitrack: Multitrack,
    fourcc: FourCc,
) -> Result<Preamble, TagError> {
    let fourcc = match multitrack {
        Multitrack::ManyTracksManyCodecs => reader.array()?,
        _ => fourcc,
    };
    let track_id = reader.u8()?;
    let size = match multitrack {
        Multitrack::OneTrack => None,
        _ => Some(reader.u24()?),
    };
    Ok(Preamble {
        packet_type,
        fourcc,
        multitrack: Some(multitrack),
        track_id,
        size,
    })
}

/// Where the body of a track ends, given that it starts where `reader` stands.
pub(super) fn body_end(
    whole: &[u8],
    reader: &Reader<'_>,
    preamble: &Preamble,
) -> Result<usize, TagError> {
    let Some(size) = preamble.size else {
        return Ok(whole.len());
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut probe = *reader;
    probe.bytes(size)?;
    Ok(super::tag::position(whole, &probe))
}
