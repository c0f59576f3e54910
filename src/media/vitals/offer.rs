//! What a live stream can be had in, and what each form has to leave out, with reasons.
//!
//! Says beforehand what the writers of these forms will do, so that it is known before anybody
//! asks for the stream.

use super::{AudioFacts, VideoFacts};
use crate::media::flv::{AudioCodec, TagKind, VideoCodec};

/// A form of a live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// FLV: takes all that RTMP brings.
    Flv,
    /// Fragmented MP4, by itself or as HLS.
    Mp4,
}

/// How a live stream can be had in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The media type; of MP4 with codecs, as `MediaSource.isTypeSupported` wants it. `None` when
    /// nothing is left, and until the sequence headers of all tracks that are taken were read.
    pub mime_type: Option<String>,
    /// What is not in it.
    pub left_out: Vec<LeftOut>,
}

/// A track that a form cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Video or audio.
    pub kind: TagKind,
    /// Why, for a person, and what to do about it.
    pub reason: &'static str,
}

impl Offer {
    /// Of the first tracks of a live stream, as far as they are known.
    pub fn new(output: Output, video: Option<&VideoFacts>, audio: Option<&AudioFacts>) -> Self {
        if output == Output::Flv {
            let is_known = video.is_some() || audio.is_some();
            return Self {
                mime_type: is_known.then(|| "video/x-flv".to_owned()),
                left_out: Vec::new(),
            };
        }
        let video_fault = video.and_then(|facts| why_not_video(facts.codec));
        let audio_fault = audio.and_then(|facts| why_not_audio(facts.codec));
        let video = video.filter(|_| video_fault.is_none());
        let audio = audio.filter(|_| audio_fault.is_none());
        let left_out = |kind| move |reason| LeftOut { kind, reason };
        let faults = [
            video_fault.map(left_out(TagKind::Video)),
            audio_fault.map(left_out(TagKind::Audio)),
        ];
        Self {
            mime_type: mime_type(video, audio),
            left_out: faults.into_iter().flatten().collect(),
        }
    }
}

fn mime_type(video: Option<&VideoFacts>, audio: Option<&AudioFacts>) -> Option<String> {
    let kind = match (video, audio) {
        (Some(_), _) => "video",
        (None, Some(_)) => "audio",
        (None, None) => return None,
    };
    let video = video.map(|facts| facts.codec_string.as_deref());
    let audio = audio.map(|facts| facts.codec_string.as_deref());
    let codecs: Option<Vec<&str>> = [video, audio].into_iter().flatten().collect();
    Some(format!("{kind}/mp4; codecs=\"{}\"", codecs?.join(",")))
}

/// Why MP4 has no video of this codec; `None` if it has.
fn why_not_video(codec: VideoCodec) -> Option<&'static str> {
    Some(match codec {
        VideoCodec::Avc | VideoCodec::Hevc | VideoCodec::Av1 | VideoCodec::Vp9 => return None,
        VideoCodec::Vp8 => "VP8 is not written into MP4; let the encoder send VP9 or H.264",
        VideoCodec::Vvc => "no browser plays VVC, and it is not written into MP4",
        VideoCodec::SorensonH263
        | VideoCodec::ScreenVideo
        | VideoCodec::ScreenVideo2
        | VideoCodec::Vp6
        | VideoCodec::Vp6Alpha
        | VideoCodec::H263
        | VideoCodec::Mpeg4 => "no browser plays this old codec; set the encoder to H.264",
        VideoCodec::Other(_) | VideoCodec::FourCc(_) => "this codec is not known here",
    })
}

/// Why MP4 has no audio of this codec; `None` if it has.
fn why_not_audio(codec: AudioCodec) -> Option<&'static str> {
    Some(match codec {
        AudioCodec::Aac
        | AudioCodec::Mp3
        | AudioCodec::Mp3At8k
        | AudioCodec::Opus
        | AudioCodec::Flac
        | AudioCodec::Ac3
        | AudioCodec::Eac3 => return None,
        AudioCodec::G711Alaw | AudioCodec::G711Ulaw => {
            "no browser plays G.711 in MP4; set the camera's sound to AAC"
        }
        AudioCodec::PcmNative | AudioCodec::PcmLe | AudioCodec::Adpcm => {
            "no browser plays uncompressed sound or ADPCM in MP4; set the sound to AAC"
        }
        AudioCodec::Nellymoser16k
        | AudioCodec::Nellymoser8k
        | AudioCodec::Nellymoser
        | AudioCodec::Speex => "no browser plays this old codec; set the sound to AAC",
        AudioCodec::DeviceSpecific | AudioCodec::Other(_) | AudioCodec::FourCc(_) => {
            "this codec is not known here"
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::media::flv::{Tag, audio_frame};
    use crate::media::fmp4::{LiveMuxer, Note};
    use crate::media::vitals::Vitals;
    use crate::media::vitals::tests::tags;

    /// What is said beforehand, and what the writer says of the same tags.
    fn both(tags: &[Tag]) -> (Offer, Option<String>, Vec<Note>) {
        let mut vitals = Vitals::new(0);
        let mut muxer = LiveMuxer::new();
        muxer.expect(true, true);
        let mut pieces = Vec::new();
        for tag in tags {
            vitals.handle_frame(0, tag.kind, tag.dts, &tag.body);
            muxer.handle(tag.kind, tag.dts, &tag.body, &mut pieces);
        }
        muxer.finish(&mut pieces);
        let report = vitals.report(0);
        let video = report.video.as_ref().map(|video| &video.facts);
        let audio = report.audio.as_ref().map(|audio| &audio.facts);
        let mime_type = muxer.codecs().map(|codecs| codecs.mime_type());
        let notes = std::iter::from_fn(|| muxer.poll_note()).collect();
        (Offer::new(Output::Mp4, video, audio), mime_type, notes)
    }

    fn of_kind(kind: TagKind) -> Vec<Tag> {
        tags().into_iter().filter(|tag| tag.kind == kind).collect()
    }

    #[test]
    fn it_is_what_the_writer_does() {
        for tags in [tags(), of_kind(TagKind::Video), of_kind(TagKind::Audio)] {
            let (offer, mime_type, _) = both(&tags);
            assert!(mime_type.is_some());
            assert_eq!((offer.mime_type, offer.left_out), (mime_type, vec![]));
        }
        // With G.711 beside the pictures, and by itself.
        let alaw = audio_frame(AudioCodec::G711Alaw, &[0xD5; 160]);
        let mut mixed = of_kind(TagKind::Video);
        mixed.push(Tag::audio(40, alaw.clone()));
        let (offer, mime_type, notes) = both(&mixed);
        assert_eq!(offer.mime_type, mime_type);
        assert!(notes.contains(&Note::AudioLeftOut(AudioCodec::G711Alaw)));
        let [left_out] = offer.left_out.as_slice() else {
            panic!("{offer:?}");
        };
        assert_eq!(left_out.kind, TagKind::Audio);
        assert!(left_out.reason.contains("AAC"));
        let (offer, mime_type, _) = both(&[Tag::audio(0, alaw)]);
        assert_eq!((offer.mime_type, mime_type), (None, None));
        assert_eq!(offer.left_out.len(), 1);
    }

    #[test]
    fn codecs_are_taken_or_there_is_a_reason() {
        let mut vitals = Vitals::new(0);
        for format in 0..=15_u8 {
            let codec = AudioCodec::from_legacy_format(format);
            let frame = audio_frame(codec, &[0; 40]);
            let mut muxer = LiveMuxer::new();
            muxer.expect(false, true);
            muxer.handle(TagKind::Audio, 0, &frame, &mut Vec::new());
            muxer.handle(TagKind::Audio, 2000, &frame, &mut Vec::new());
            let notes: Vec<Note> = std::iter::from_fn(|| muxer.poll_note()).collect();
            let is_left_out = notes.contains(&Note::AudioLeftOut(codec));
            // Format 9 is the mark of the enhanced form, no codec.
            if format != 9 {
                assert_eq!(
                    why_not_audio(codec).is_some(),
                    is_left_out,
                    "{codec} {notes:?}"
                );
            }
            vitals.handle_frame(0, TagKind::Audio, 0, &frame);
        }
        for id in 0..=15 {
            let codec = VideoCodec::from_legacy_id(id);
            let is_taken = matches!(id, 7 | 12 | 13);
            assert_eq!(why_not_video(codec).is_none(), is_taken, "{codec}");
        }
    }

    #[test]
    fn flv_takes_it_all() {
        let offer = Offer::new(Output::Flv, None, None);
        assert_eq!((offer.mime_type, offer.left_out), (None, vec![]));
        let vp6 = VideoFacts::of_codec(VideoCodec::Vp6);
        let offer = Offer::new(Output::Flv, Some(&vp6), None);
        assert_eq!(offer.mime_type.as_deref(), Some("video/x-flv"));
        assert_eq!(Offer::new(Output::Mp4, Some(&vp6), None).left_out.len(), 1);
        // Nothing is promised before the record was read.
        let avc = VideoFacts::of_codec(VideoCodec::Avc);
        let offer = Offer::new(Output::Mp4, Some(&avc), None);
        assert_eq!((offer.mime_type, offer.left_out), (None, vec![]));
    }
}
