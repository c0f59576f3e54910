//! Pictures and sounds in odd packing.

use super::oddities::VideoForm;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::nal::{length_prefixed, put_nal_unit};
use crate::media::flv::{HevcForm, VideoCodec, hevc_frame, video_frame};

/// Bytes of a keyframe of [`VideoForm::HugeKeyframes`].
pub(super) const HUGE_BYTES: usize = 3 << 20;

/// The NAL units of a picture.
pub(super) struct Units<'a> {
    units: Vec<&'a [u8]>,
    length_size: u8,
}

impl<'a> Units<'a> {
    pub(super) fn of(payload: &'a [u8], config: Option<&AvcConfig>) -> Self {
        let length_size = config.map_or(4, |config| config.length_size);
        Self {
            units: length_prefixed(payload, length_size).collect(),
            length_size,
        }
    }

    /// With parameter sets in front.
    pub(super) fn behind(mut self, config: Option<&'a AvcConfig>) -> Self {
        let sets = config.iter().flat_map(|config| {
            let sets = config.sps.iter().chain(&config.pps);
            sets.map(Vec::as_slice)
        });
        self.units.splice(0..0, sets.collect::<Vec<_>>());
        self
    }

    pub(super) fn with_lengths(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for unit in &self.units {
            put_nal_unit(&mut out, unit, self.length_size);
        }
        out
    }

    pub(super) fn with_start_codes(&self) -> Vec<u8> {
        let coded = self
            .units
            .iter()
            .map(|unit| [&[0, 0, 0, 1], *unit].concat());
        coded.collect::<Vec<_>>().concat()
    }

    /// Each between two units of no bytes.
    pub(super) fn among_empty_ones(&self) -> Vec<u8> {
        let empty = vec![0; usize::from(self.length_size)];
        let mut out = empty.clone();
        for unit in &self.units {
            put_nal_unit(&mut out, unit, self.length_size);
            out.extend_from_slice(&empty);
        }
        out
    }

    /// With filler data (type 12) that makes it [`HUGE_BYTES`] long.
    pub(super) fn filled_up(&self) -> Vec<u8> {
        let mut out = self.with_lengths();
        let missing = HUGE_BYTES.saturating_sub(out.len() + 6);
        let mut filler = vec![0xFF; missing + 2];
        filler[0] = 12;
        filler[missing + 1] = 0x80;
        put_nal_unit(&mut out, &filler, self.length_size);
        out
    }
}

pub(super) fn hevc_body(form: VideoForm, is_key: bool, cts: i32, payload: &[u8]) -> Vec<u8> {
    match form {
        VideoForm::HevcId12 | VideoForm::HevcNoHeader => {
            hevc_frame(is_key, cts, payload, HevcForm::CodecId12)
        }
        VideoForm::HevcEnhanced => hevc_frame(is_key, cts, payload, HevcForm::Enhanced),
        _ => video_frame(VideoCodec::Avc, is_key, cts, payload),
    }
}

/// A Multitrack packet of one track, number 1, of H.264 (Enhanced RTMP v2, ExVideoTagHeader).
/// `packet_type`: 0 SequenceStart, 1 CodedFrames.
pub(super) fn second_track(is_key: bool, packet_type: u8, body: &[u8]) -> Vec<u8> {
    let frame_type = if is_key { 0x10 } else { 0x20 };
    [
        &[0x80 | frame_type | 6, packet_type],
        b"avc1".as_slice(),
        &[1],
        body,
    ]
    .concat()
}

/// An AAC body with an ADTS header (ISO/IEC 13818-7 §6.2) in front of its frame; what is not AAC
/// stays as it is.
pub(super) fn behind_adts(header: Option<&[u8]>, body: &[u8]) -> Vec<u8> {
    let (Some([0xAF, 0, first, second, ..]), [0xAF, 1, frame @ ..]) = (header, body) else {
        return body.to_vec();
    };
    let object_type = first >> 3;
    let rate_index = (first & 7) << 1 | second >> 7;
    let channels = second >> 3 & 15;
    let [.., l1, l0] = (frame.len() + 7).to_be_bytes();
    let adts = [
        0xFF,
        // MPEG-4, no checksum.
        0xF1,
        (object_type.saturating_sub(1) & 3) << 6 | rate_index << 2 | channels >> 2,
        // The length has 13 bits, from here on: 2, 8, 3.
        (channels & 3) << 6 | l1 >> 3,
        (l1 & 7) << 5 | l0 >> 3,
        // Buffer fullness: variable bit rate.
        (l0 & 7) << 5 | 0x1F,
        0xFC,
    ];
    [&[0xAF, 1], adts.as_slice(), frame].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adts_header_says_what_the_sequence_header_says() {
        // AAC-LC, 44.1 kHz, mono; a frame of three bytes.
        let header = [0xAF, 0, 0x12, 0x08];
        let body = behind_adts(Some(&header), &[0xAF, 1, 0x21, 0x22, 0x23]);
        let adts = [0xFF, 0xF1, 0x50, 0x40, 0x01, 0x5F, 0xFC];
        assert_eq!(
            body,
            [&[0xAF, 1], adts.as_slice(), &[0x21, 0x22, 0x23]].concat()
        );
        assert_eq!(behind_adts(None, &[0xAF, 1, 2]), [0xAF, 1, 2]);
    }
}
