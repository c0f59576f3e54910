//! What a client declares of Enhanced RTMP in its `connect` object.
//!
//! Enhanced RTMP v2, "Enhancing NetConnection connect Command".
//!
//! | Field | Value |
//! |---|---|
//! | `fourCcList` (v1) | strict array of FourCCs, `*` for all |
//! | `videoFourCcInfoMap`, `audioFourCcInfoMap` | object: FourCC or `*` to 1 decode, 2 encode, 4 forward |
//! | `capsEx` | 1 Reconnect, 2 Multitrack, 4 ModEx, 8 TimestampNanoOffset |

use crate::amf::{Object, Value};

/// A client decodes a codec: [`Capabilities::video`] and [`Capabilities::audio`].
pub const CAN_DECODE: u8 = 1;
/// A client encodes a codec.
pub const CAN_ENCODE: u8 = 2;
/// A client passes a codec on.
pub const CAN_FORWARD: u8 = 4;

/// Codecs that are kept of one client: more than have a name.
const CODECS_MAX: usize = 32;

/// What a client declares of Enhanced RTMP; all empty for one that knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Whether it sent any of the fields.
    pub is_enhanced: bool,
    /// It obeys `NetConnection.Connect.ReconnectRequest`.
    pub reconnect: bool,
    /// It reads several tracks in a message.
    pub multitrack: bool,
    /// It reads ModEx packets.
    pub mod_ex: bool,
    /// It makes use of the nanoseconds in ModEx.
    pub timestamp_nano_offset: bool,
    video: Codecs,
    audio: Codecs,
}

/// FourCCs and what is done with each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Codecs {
    /// What `*` is mapped to: holds for every codec.
    any: u8,
    /// At most [`CODECS_MAX`].
    listed: Vec<([u8; 4], u8)>,
}

impl Capabilities {
    /// Reads the `connect` object. What is of the wrong type counts for nothing.
    pub fn of(object: &Object) -> Self {
        let field = |key| {
            object
                .get_ignore_case(key)
                .filter(|value| !matches!(value, Value::Null | Value::Undefined))
        };
        let list = field("fourCcList");
        let maps = [field("videoFourCcInfoMap"), field("audioFourCcInfoMap")];
        let caps_ex = field("capsEx");
        let [video, audio] = maps.map(|map| {
            let mut codecs = Codecs::default();
            // The list does not tell audio from video; FourCCs do not collide.
            codecs.add_list(list);
            codecs.add_map(map);
            codecs
        });
        let bits = mask(caps_ex);
        Self {
            is_enhanced: list.is_some() || maps.iter().any(Option::is_some) || caps_ex.is_some(),
            reconnect: bits & 1 != 0,
            multitrack: bits & 2 != 0,
            mod_ex: bits & 4 != 0,
            timestamp_nano_offset: bits & 8 != 0,
            video,
            audio,
        }
    }

    /// What it does with a video codec: [`CAN_DECODE`], [`CAN_ENCODE`], [`CAN_FORWARD`].
    pub fn video(&self, fourcc: [u8; 4]) -> u8 {
        self.video.mask_of(fourcc)
    }

    /// What it does with an audio codec.
    pub fn audio(&self, fourcc: [u8; 4]) -> u8 {
        self.audio.mask_of(fourcc)
    }

    /// Whether a codec, of video or audio, can be sent to it under this FourCC.
    pub fn reads(&self, fourcc: [u8; 4]) -> bool {
        (self.video(fourcc) | self.audio(fourcc)) & (CAN_DECODE | CAN_FORWARD) != 0
    }
}

impl Codecs {
    fn add_list(&mut self, list: Option<&Value>) {
        let all = CAN_DECODE | CAN_ENCODE | CAN_FORWARD;
        match list {
            // One string in place of an array of one.
            Some(Value::String(name)) => self.add(name, all),
            Some(list) => {
                for value in list.as_array().into_iter().flatten() {
                    match value.as_number() {
                        Some(number) => self.add_number(number, all),
                        None => self.add(value.as_str().unwrap_or_default(), all),
                    }
                }
            }
            None => {}
        }
    }

    fn add_map(&mut self, map: Option<&Value>) {
        let Some(map) = map.and_then(Value::as_object) else {
            return;
        };
        for (name, value) in &map.properties {
            self.add(name, mask(Some(value)));
        }
    }

    fn add(&mut self, name: &str, mask: u8) {
        match name.as_bytes() {
            b"*" => self.any |= mask,
            bytes => {
                if let Ok(fourcc) = bytes.try_into() {
                    self.put(fourcc, mask);
                }
            }
        }
    }

    /// Some write a FourCC as the number that its bytes make, as they do in metadata.
    fn add_number(&mut self, number: f64, mask: u8) {
        if let Some(number) = whole(number) {
            self.put(number.to_be_bytes(), mask);
        }
    }

    fn put(&mut self, fourcc: [u8; 4], mask: u8) {
        let is_full = self.listed.len() >= CODECS_MAX;
        match self.listed.iter_mut().find(|(known, _)| *known == fourcc) {
            Some((_, known)) => *known |= mask,
            None if is_full => {}
            None => self.listed.push((fourcc, mask)),
        }
    }

    fn mask_of(&self, fourcc: [u8; 4]) -> u8 {
        let listed = self.listed.iter().find(|(known, _)| *known == fourcc);
        self.any | listed.map_or(0, |(_, mask)| *mask)
    }
}

/// The low eight bits of a number; 0 for anything else.
fn mask(value: Option<&Value>) -> u8 {
    let number = value.and_then(Value::as_number).and_then(whole);
    let [.., low] = number.unwrap_or(0).to_be_bytes();
    low
}

/// A number that is a whole one of 32 bits.
fn whole(number: f64) -> Option<u32> {
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was found to be whole and in range"
    )]
    is_whole.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::session::testing::Arg::{self, Bool, Fields, List, Null, Number, Text};

    fn capabilities(fields: &[(&str, Arg)]) -> Capabilities {
        let object = Object {
            properties: fields
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.value()))
                .collect(),
        };
        Capabilities::of(&object)
    }

    #[test]
    fn who_says_nothing_can_nothing() {
        for fields in [
            &[][..],
            &[
                ("videoFunction", Number(1.0)),
                ("videoCodecs", Number(252.0)),
            ],
            &[("fourCcList", Null), ("capsEx", Null)],
        ] {
            assert_eq!(capabilities(fields), Capabilities::default());
        }
        assert!(!Capabilities::default().reads(*b"avc1"));
    }

    #[test]
    fn lists_of_the_first_version() {
        // FFmpeg 7: -rtmp_enhanced_codecs hvc1,av01,vp09
        let found = capabilities(&[(
            "fourCcList",
            List(&[Text("hvc1"), Text("av01"), Text("vp09")]),
        )]);
        assert!(found.is_enhanced && !found.reconnect && !found.multitrack);
        assert!(found.reads(*b"hvc1") && found.reads(*b"vp09"));
        assert!(!found.reads(*b"avc1") && !found.reads(*b"mp4a"));
        for everything in [List(&[Text("*")]), Text("*")] {
            let found = capabilities(&[("fourCcList", everything)]);
            assert!(found.reads(*b"hvc1") && found.reads(*b"xyzw"));
        }
        // hvc1 as a number.
        let number = List(&[Number(1_752_589_105.0)]);
        assert!(capabilities(&[("fourCcList", number)]).reads(*b"hvc1"));
        // What is no FourCC is none.
        let odd = List(&[Text("hvc"), Text(""), Null, Bool(true), Number(-1.0)]);
        let found = capabilities(&[("fourCcList", odd)]);
        assert!(found.is_enhanced && !found.reads(*b"hvc1"));
    }

    #[test]
    fn maps_and_bits_of_the_second_version() {
        let found = capabilities(&[
            (
                "videoFourCcInfoMap",
                Fields(&[
                    ("*", Number(4.0)),
                    ("hvc1", Number(3.0)),
                    ("av01", Text("1")),
                ]),
            ),
            (
                "audioFourCcInfoMap",
                Fields(&[("Opus", Number(2.0)), (".mp3", Number(1.0))]),
            ),
            ("capsEx", Number(15.0)),
        ]);
        assert_eq!(found.video(*b"hvc1"), CAN_DECODE | CAN_ENCODE | CAN_FORWARD);
        assert_eq!(found.video(*b"av01"), CAN_FORWARD);
        assert_eq!(found.audio(*b"Opus"), CAN_ENCODE);
        assert_eq!(found.audio(*b"fLaC"), 0);
        assert!(found.reads(*b".mp3"));
        assert!(found.reconnect && found.multitrack && found.mod_ex);
        assert!(found.timestamp_nano_offset);
        let found = capabilities(&[("capsEx", Number(1.0))]);
        assert!(found.is_enhanced && found.reconnect && !found.multitrack && !found.mod_ex);
        for odd in [
            Number(f64::NAN),
            Number(-1.0),
            Number(1.5),
            Number(1e300),
            Text("7"),
        ] {
            let found = capabilities(&[("capsEx", odd)]);
            assert!(found.is_enhanced && !found.reconnect, "{odd:?}");
        }
    }

    #[test]
    fn a_list_without_end_is_bounded() {
        let mut codecs = Codecs::default();
        for number in 0..10_000_u32 {
            codecs.put(number.to_be_bytes(), 1);
        }
        assert_eq!(codecs.listed.len(), CODECS_MAX);
    }
}
