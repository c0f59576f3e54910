//! The codecs that "onMetaData" names, named as a form names them.

use super::{Form, audio_wants_fourcc, video_wants_fourcc};
use crate::amf::{Limits, Object, Value, amf0};
use crate::media::flv::metadata::{CodecId, codec_id, codec_number};

/// How the metadata of nearly all publishers begins: a string marker, a length, the name.
const NAMED: &[u8] = b"\x02\x00\x0AonMetaData";

/// The body with `videocodecid` and `audiocodecid` as this form has them; `None` when they are
/// so, when there are none, and for other script data.
pub(super) fn relabelled(body: &[u8], form: Form) -> Option<Vec<u8>> {
    if !body.starts_with(NAMED) {
        return None;
    }
    let limits = Limits::default();
    let mut decoder = amf0::Decoder::new(body, &limits);
    let mut values = Vec::new();
    while let Some(value) = decoder.next().ok()? {
        values.push(value);
    }
    let (Value::Object(object) | Value::EcmaArray(object)) = values.get_mut(1)? else {
        return None;
    };
    let is_changed = [relabel_video(object, form), relabel_audio(object, form)];
    if !is_changed.contains(&true) {
        return None;
    }
    let mut out = Vec::with_capacity(body.len());
    for value in &values {
        amf0::encode(value, &mut out);
    }
    Some(out)
}

/// True if it had to be changed.
fn relabel_video(object: &mut Object, form: Form) -> bool {
    let Some((id, is_enhanced)) = named(object, "videocodecid") else {
        return false;
    };
    let codec = id.video();
    let wants = video_wants_fourcc(codec, is_enhanced, form);
    let number = codec_number(codec.legacy_id(), codec.fourcc(), wants);
    wants != is_enhanced && put(object, "videocodecid", number)
}

/// As [`relabel_video`].
fn relabel_audio(object: &mut Object, form: Form) -> bool {
    let Some((id, is_enhanced)) = named(object, "audiocodecid") else {
        return false;
    };
    let codec = id.audio();
    let wants = audio_wants_fourcc(codec, is_enhanced, form);
    let number = codec_number(codec.legacy_format(), codec.fourcc(), wants);
    wants != is_enhanced && put(object, "audiocodecid", number)
}

/// The codec under this key, and whether it is a FourCC.
fn named(object: &Object, key: &str) -> Option<(CodecId, bool)> {
    let id = codec_id(object.get(key)?)?;
    Some((id, matches!(id, CodecId::FourCc(_))))
}

fn put(object: &mut Object, key: &str, number: Option<f64>) -> bool {
    let Some(number) = number else {
        return false;
    };
    object.insert(key, number);
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::flv::HevcForm;

    const HVC1: f64 = 1_752_589_105.0;
    const MP4A: f64 = 1_836_069_985.0;

    fn metadata(video: impl Into<Value>, audio: impl Into<Value>) -> Vec<u8> {
        let object = Object::new()
            .with("width", 640.0)
            .with("videocodecid", video)
            .with("audiocodecid", audio)
            .with("encoder", "x");
        let mut out = Vec::new();
        amf0::encode_string("onMetaData", &mut out);
        amf0::encode_ecma_array(&object, &mut out);
        out
    }

    #[test]
    fn codecs_are_named_as_the_bodies_name_them() {
        let codec_12 = Form::Legacy(Some(HevcForm::CodecId12));
        let hvc1 = Form::Legacy(Some(HevcForm::Enhanced));
        for (form, (video, audio), (new_video, new_audio)) in [
            (codec_12, (HVC1, MP4A), (12.0, 10.0)),
            (hvc1, (12.0, 10.0), (HVC1, 10.0)),
            (hvc1, (HVC1, MP4A), (HVC1, 10.0)),
            (Form::Legacy(None), (12.0, MP4A), (12.0, 10.0)),
            (Form::Enhanced, (12.0, MP4A), (HVC1, MP4A)),
            (Form::Multitrack, (12.0, 10.0), (HVC1, 10.0)),
        ] {
            let made = relabelled(&metadata(video, audio), form);
            let expected = metadata(new_video, new_audio);
            assert_eq!(made.unwrap(), expected, "{form:?} {video} {audio}");
        }
    }

    #[test]
    fn what_needs_no_change_or_makes_no_sense_stays() {
        let hvc1 = Form::Legacy(Some(HevcForm::Enhanced));
        let right = metadata(7.0, 10.0);
        for form in Form::ALL {
            assert_eq!(relabelled(&right, form), None);
            for end in 0..right.len() {
                assert_eq!(relabelled(&right[..end], form), None);
            }
        }
        let unknown = metadata("a long name", Value::Null);
        assert_eq!(relabelled(&unknown, hvc1), None);
        assert_eq!(relabelled(&metadata(0.0, -1.0), hvc1), None);
        // XSplit writes FourCCs as text.
        assert_eq!(relabelled(&metadata("hvc1", 10.0), hvc1), None);
        let mut other = metadata(12.0, 10.0);
        other[4] = b'N';
        assert_eq!(relabelled(&other, hvc1), None);
    }
}
