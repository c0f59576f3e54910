//! What a camera sends in a second: 4 Mbit/s of H.264 at 30 pictures a second, and AAC.

use millstream::media::flv::{self, TagKind};

/// One audio or video message.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) kind: TagKind,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

const KEYFRAME_BYTES: usize = 100_000;
const PICTURE_BYTES: usize = 13_000;
const SOUND_BYTES: usize = 370;

/// A keyframe, 29 other pictures and 43 frames of sound, in order of time; always the same bytes.
pub(crate) fn second() -> Vec<Sample> {
    let mut filler = fastrand::Rng::with_seed(7);
    let mut bytes = |count| {
        let mut bytes = vec![0; count];
        filler.fill(&mut bytes);
        bytes
    };
    let mut samples: Vec<Sample> = (0..30)
        .map(|index| {
            let is_keyframe = index == 0;
            let size = if is_keyframe {
                KEYFRAME_BYTES
            } else {
                PICTURE_BYTES
            };
            Sample {
                kind: TagKind::Video,
                timestamp: index * 1000 / 30,
                body: flv::avc_frame(is_keyframe, 0, &bytes(size)),
            }
        })
        .collect();
    samples.extend((0..43).map(|index| Sample {
        kind: TagKind::Audio,
        timestamp: index * 1000 / 43,
        body: flv::aac_frame(&bytes(SOUND_BYTES)),
    }));
    samples.sort_by_key(|sample| sample.timestamp);
    samples
}

/// Bytes of all bodies.
pub(crate) fn body_bytes(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.body.len() as u64).sum()
}
