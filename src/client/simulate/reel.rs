//! Pictures that stand in for those of the built-in test stream, and a tone of G.711.
//! `reels/make.sh` makes the pictures.

use crate::media::annexb::{AnnexBCodec, TagReader};
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::media::flv::{HevcForm, VideoHeader};

/// 500 Hz at 8 kHz, A-law: one period.
pub(super) const TONE_A_LAW: [u8; 16] = [
    0xD5, 0x94, 0x85, 0x80, 0x82, 0x80, 0x85, 0x94, 0xD5, 0x14, 0x05, 0x00, 0x02, 0x00, 0x05, 0x14,
];

/// 500 Hz at 8 kHz, mu-law: one period.
pub(super) const TONE_MU_LAW: [u8; 16] = [
    0xFF, 0xBD, 0xAE, 0xA9, 0xA8, 0xA9, 0xAE, 0xBD, 0xFF, 0x3D, 0x2E, 0x29, 0x28, 0x29, 0x2E, 0x3D,
];

const HEVC: &[u8] = include_bytes!("reels/hevc.h265");
const PORTRAIT: &[u8] = include_bytes!("reels/portrait.h264");

/// One group of pictures, shown over and over.
#[derive(Debug)]
pub(super) struct Reel {
    codec: AnnexBCodec,
    /// hvcC or avcC.
    record: Vec<u8>,
    /// Whether it is a keyframe, and its NAL units behind their lengths.
    pictures: Vec<(bool, Vec<u8>)>,
    next: usize,
}

/// 320x180 in HEVC.
pub(super) fn hevc() -> Reel {
    Reel::new(AnnexBCodec::Hevc, HEVC)
}

/// 360x640 in H.264.
pub(super) fn portrait() -> Reel {
    Reel::new(AnnexBCodec::Avc, PORTRAIT)
}

impl Reel {
    fn new(codec: AnnexBCodec, stream: &[u8]) -> Self {
        let mut reader = TagReader::new(codec, None, HevcForm::Enhanced);
        reader.handle_input(stream);
        reader.finish();
        let mut reel = Self {
            codec,
            record: Vec::new(),
            pictures: Vec::new(),
            next: 0,
        };
        while let Ok(Some(tag)) = reader.poll_tag() {
            let Ok(header) = VideoHeader::parse(&tag.body) else {
                continue;
            };
            let payload = header.payload(&tag.body).to_vec();
            match header.is_sequence_header() {
                true => reel.record = payload,
                false => reel.pictures.push((header.is_keyframe(), payload)),
            }
        }
        reel
    }

    /// The next picture; a group of the stream that it stands in for begins with `is_start`.
    pub(super) fn next(&mut self, is_start: bool) -> Option<(bool, Vec<u8>)> {
        if is_start || self.next >= self.pictures.len() {
            self.next = 0;
        }
        let picture = self.pictures.get(self.next).cloned();
        self.next += 1;
        picture
    }

    /// hvcC or avcC.
    pub(super) fn record(&self) -> &[u8] {
        &self.record
    }

    /// Parameter sets, of H.264.
    pub(super) fn avc(&self) -> Option<AvcConfig> {
        match self.codec {
            AnnexBCodec::Avc => AvcConfig::parse(&self.record).ok(),
            AnnexBCodec::Hevc => None,
        }
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        match self.codec {
            AnnexBCodec::Avc => {
                let sps = self.avc()?.first_sps()?;
                Some((sps.width, sps.height))
            }
            AnnexBCodec::Hevc => {
                let sps = HevcConfig::parse(&self.record).ok()?.first_sps()?;
                Some((sps.width, sps.height))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reel_is_one_group_of_the_test_stream() {
        for (mut reel, size) in [(hevc(), (320, 180)), (portrait(), (360, 640))] {
            assert_eq!(reel.size(), Some(size));
            assert_eq!(reel.pictures.len(), 24);
            let keyframes = reel.pictures.iter().filter(|(is_key, _)| *is_key);
            assert_eq!(keyframes.count(), 1);
            assert!(reel.next(false).is_some_and(|(is_key, _)| is_key));
            assert!(reel.next(false).is_some_and(|(is_key, _)| !is_key));
            assert!(reel.next(true).is_some_and(|(is_key, _)| is_key));
        }
    }

    #[test]
    fn the_reels_are_small() {
        assert!(HEVC.len() + PORTRAIT.len() < 60_000);
    }
}
