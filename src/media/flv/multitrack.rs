//! Enhanced RTMP v2 bodies put together: several tracks in one, nanoseconds in front.
//!
//! `video.rs` and `audio.rs` read these and write plain bodies; here plain bodies become parts
//! of larger ones. The layout is drawn in `enhanced.rs`.

use crate::wire::{PutBytes, Reader};

use super::enhanced::{FourCc, PACKET_MOD_EX};
use super::{AudioHeader, TagKind, VideoHeader};

/// ModEx type of nanoseconds, and how many bytes they take.
const MOD_EX_NANOSECONDS: u8 = 0;
const NANOSECONDS_SIZE: u8 = 3;

/// Most nanoseconds that a millisecond leaves room for.
const NANOSECONDS_MAX: u32 = 999_999;

/// A plain body of Enhanced RTMP, taken apart.
struct Plain<'a> {
    /// Byte 0 without the packet type.
    high: u8,
    packet_type: u8,
    fourcc: FourCc,
    /// Behind the FourCC.
    rest: &'a [u8],
}

impl<'a> Plain<'a> {
    /// `None` for bodies of old, for those with tracks or ModEx already, and for commands.
    fn parse(body: &'a [u8], kind: TagKind) -> Option<Self> {
        let is_plain = match kind {
            TagKind::Video => VideoHeader::parse(body)
                .is_ok_and(|header| header.enhanced && header.multitrack.is_none()),
            TagKind::Audio => AudioHeader::parse(body)
                .is_ok_and(|header| header.enhanced && header.multitrack.is_none()),
            TagKind::Script => false,
        };
        let mut reader = Reader::new(body);
        let first = reader.u8().ok()?;
        let packet_type = first & 0x0F;
        let is_command = kind == TagKind::Video && first >> 4 == 0x0D && packet_type != 4;
        if !is_plain || is_command || packet_type == PACKET_MOD_EX {
            return None;
        }
        Some(Self {
            high: first & 0xF0,
            packet_type,
            fourcc: reader.array().ok()?,
            rest: reader.rest(),
        })
    }
}

/// The packet type of a body with tracks.
fn multitrack_type(kind: TagKind) -> u8 {
    match kind {
        TagKind::Audio => 5,
        _ => 6,
    }
}

/// The body of a further track, as OBS sends them: a plain one of Enhanced RTMP under a track
/// number (OneTrack). `None` when `body` is no such.
pub fn one_track(body: &[u8], kind: TagKind, track_id: u8) -> Option<Vec<u8>> {
    let plain = Plain::parse(body, kind)?;
    let mut out = vec![plain.high | multitrack_type(kind), plain.packet_type];
    out.extend_from_slice(&plain.fourcc);
    out.put_u8(track_id);
    out.extend_from_slice(plain.rest);
    Some(out)
}

/// One body of several plain ones, each with its track number (ManyTracks, or
/// ManyTracksManyCodecs when their FourCCs differ). `None` when one of them is not plain, when
/// they differ in frame type or packet type, or when one has 2^24 bytes or more.
pub fn many_tracks(tracks: &[(u8, &[u8])], kind: TagKind) -> Option<Vec<u8>> {
    let plain: Vec<(u8, Plain<'_>)> = tracks
        .iter()
        .map(|(track_id, body)| Some((*track_id, Plain::parse(body, kind)?)))
        .collect::<Option<_>>()?;
    let (_, first) = plain.first()?;
    let is_one_kind = plain
        .iter()
        .all(|(_, other)| (other.high, other.packet_type) == (first.high, first.packet_type));
    if !is_one_kind {
        return None;
    }
    let is_one_codec = plain.iter().all(|(_, other)| other.fourcc == first.fourcc);
    let multitrack = if is_one_codec { 0x10 } else { 0x20 };
    let mut out = vec![
        first.high | multitrack_type(kind),
        multitrack | first.packet_type,
    ];
    if is_one_codec {
        out.extend_from_slice(&first.fourcc);
    }
    for (track_id, track) in &plain {
        if !is_one_codec {
            out.extend_from_slice(&track.fourcc);
        }
        out.put_u8(*track_id);
        let size = u32::try_from(track.rest.len()).ok()?;
        if size >= 1 << 24 {
            return None;
        }
        out.put_u24(size);
        out.extend_from_slice(track.rest);
    }
    Some(out)
}

/// A body of Enhanced RTMP with nanoseconds to be added to its presentation time (ModEx,
/// TimestampOffsetNano). `None` for bodies of old, and above 999 999.
pub fn with_nanoseconds(body: &[u8], kind: TagKind, nanoseconds: u32) -> Option<Vec<u8>> {
    let is_enhanced = match kind {
        TagKind::Video => VideoHeader::parse(body).is_ok_and(|header| header.enhanced),
        TagKind::Audio => AudioHeader::parse(body).is_ok_and(|header| header.enhanced),
        TagKind::Script => false,
    };
    let (first, rest) = body.split_first()?;
    if !is_enhanced || nanoseconds > NANOSECONDS_MAX {
        return None;
    }
    let mut out = vec![(first & 0xF0) | PACKET_MOD_EX, NANOSECONDS_SIZE - 1];
    out.put_u24(nanoseconds);
    out.put_u8((MOD_EX_NANOSECONDS << 4) | (first & 0x0F));
    out.extend_from_slice(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::media::flv::{Form, convert};

    use TagKind::{Audio, Script, Video};

    #[test]
    fn bodies_put_together() {
        let key: &[u8] = b"\x91hvc1\x00\x00\x10\xBB";
        assert_eq!(
            one_track(key, Video, 2).unwrap(),
            b"\x96\x01hvc1\x02\x00\x00\x10\xBB"
        );
        assert_eq!(
            one_track(b"\x90mp4a\x12\x10", Audio, 1).unwrap(),
            b"\x95\x00mp4a\x01\x12\x10"
        );
        assert_eq!(
            many_tracks(&[(0, key), (1, b"\x91hvc1\x00\x00\x00")], Video).unwrap(),
            b"\x96\x11hvc1\x00\x00\x00\x04\x00\x00\x10\xBB\x01\x00\x00\x03\x00\x00\x00"
        );
        assert_eq!(
            many_tracks(&[(0, b"\x91Opus\xFC"), (7, b"\x91mp4a\x21")], Audio).unwrap(),
            b"\x95\x21Opus\x00\x00\x00\x01\xFCmp4a\x07\x00\x00\x01\x21"
        );
        assert_eq!(
            with_nanoseconds(key, Video, 0x01_0203).unwrap(),
            b"\x97\x02\x01\x02\x03\x01hvc1\x00\x00\x10\xBB"
        );
        assert_eq!(
            with_nanoseconds(b"\xD0\x01", Video, 5).unwrap(),
            b"\xD7\x02\x00\x00\x05\x00\x01"
        );
    }

    #[test]
    fn what_cannot_be_put_together() {
        for (name, kind, body) in [
            ("old video", Video, &[0x17, 1, 0, 0, 0, 9][..]),
            ("old audio", Audio, &[0xAF, 1, 0x21]),
            ("tracks already", Video, b"\x96\x01hvc1\x02\x00\x00\x10\xBB"),
            (
                "nanoseconds already",
                Audio,
                b"\x97\x02\x00\x00\x05\x01Opus\xFC",
            ),
            ("a command", Video, b"\xD0\x01"),
            ("cut short", Video, b"\x91hv"),
            ("nothing", Audio, b""),
            ("metadata", Script, b"\x91hvc1\x00\x00\x00"),
        ] {
            assert_eq!(one_track(body, kind, 1), None, "{name}");
            assert_eq!(many_tracks(&[(0, body)], kind), None, "{name}");
        }
        assert_eq!(many_tracks(&[], Video), None);
        let (key, inter): (&[u8], &[u8]) = (b"\x93hvc1", b"\xA3hvc1");
        assert_eq!(many_tracks(&[(0, key), (1, inter)], Video), None);
        assert_eq!(many_tracks(&[(0, key), (1, b"\x90hvc1")], Video), None);
        assert_eq!(with_nanoseconds(key, Video, 1_000_000), None);
        assert_eq!(with_nanoseconds(&[0x17, 1, 0, 0, 0], Video, 1), None);
        assert_eq!(with_nanoseconds(b"", Audio, 1), None);
    }

    proptest! {
        #[test]
        fn each_track_is_read_back(
            cts in -0x80_0000_i32..0x80_0000,
            payloads in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..8), 1..5),
            is_mixed in any::<bool>(),
            nanoseconds in 0..=NANOSECONDS_MAX,
        ) {
            let mut bodies = Vec::new();
            for (index, payload) in payloads.iter().enumerate() {
                let fourcc: &[u8] = if is_mixed && index % 2 == 1 { b"avc1" } else { b"hvc1" };
                let mut body = [&[0x91], fourcc].concat();
                body.put_i24(cts);
                body.extend_from_slice(payload);
                bodies.push(body);
            }
            let tracks: Vec<(u8, &[u8])> = (0..).zip(bodies.iter().map(Vec::as_slice)).collect();
            let body = many_tracks(&tracks, Video).unwrap();
            let body = with_nanoseconds(&body, Video, nanoseconds).unwrap();
            let mut track = Some(VideoHeader::parse(&body).unwrap());
            for (index, payload) in payloads.iter().enumerate() {
                let header = track.unwrap();
                prop_assert_eq!(usize::from(header.track_id), index);
                prop_assert_eq!(header.payload(&body), &payload[..]);
                prop_assert_eq!(header.composition_time_offset, cts);
                prop_assert_eq!(header.nanosecond_offset, nanoseconds);
                prop_assert!(header.is_keyframe());
                track = header.next_track(&body).unwrap();
            }
            prop_assert_eq!(track, None);
            let alone = convert(&body, Video, Form::Enhanced).into_body(&body).unwrap();
            prop_assert_eq!(&alone[..], &bodies[0][..]);
        }
    }
}
