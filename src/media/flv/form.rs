//! The forms in which peers can read audio and video bodies, and the way from one to another.
//!
//! The same picture can be labelled in several ways: H.264 by codec id 7 or by `avc1`, HEVC by
//! `hvc1` or by codec id 12, one of several tracks in a body or alone. [`convert`] makes of a body
//! the one that a peer of a given [`Form`] reads; only the first bytes change, never the coded
//! media. What a publisher did wrong is put right in `mend.rs`, before this.
//! Adobe FLV 10.1 §E.4; Enhanced RTMP v1 and v2.

mod metadata;

use std::borrow::Cow;

use crate::media::codec::mp3::Mp3Header;

use super::enhanced::{FourCc, is_mod_ex};
use super::{
    AudioCodec, AudioHeader, AudioPacket, HevcForm, TagError, TagKind, VideoCodec, VideoHeader,
    VideoPacket,
};

/// What a peer can read, from the least to the most.
///
/// | | H.264 | HEVC | AV1 | AAC, MP3 | several tracks, ModEx |
/// |---|---|---|---|---|---|
/// | `Legacy(Some(CodecId12))` | 7 | 12 | as sent | 10, 2 | track 0 alone, without |
/// | `Legacy(Some(Enhanced))` | 7 | `hvc1` | as sent | 10, 2 | track 0 alone, without |
/// | `Legacy(None)` | 7 | as sent | as sent | 10, 2 | track 0 alone, without |
/// | `Enhanced` | as sent | `hvc1` | `av01` | as sent | track 0 alone, without |
/// | `Multitrack` | as sent | `hvc1` | `av01` | as sent | as sent |
///
/// "As sent": whoever reads `avc1` reads codec id 7 too. Codecs with no second name (VP9, Opus
/// under a FourCC, G.711, ...) and everything unknown stay as sent in all forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A peer that declared nothing of Enhanced RTMP, or only `hvc1` and others of its version 1.
    Legacy(Option<HevcForm>),
    /// A peer that declared the FourCCs of version 2.
    Enhanced,
    /// A peer that declared Multitrack and ModEx as well.
    Multitrack,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 5] = [
        Self::Legacy(Some(HevcForm::CodecId12)),
        Self::Legacy(Some(HevcForm::Enhanced)),
        Self::Enhanced,
        Self::Multitrack,
        Self::Legacy(None),
    ];

    /// The form for a peer, by what it declared in `connect`. `reads` tells whether it decodes or
    /// forwards a FourCC, `several_tracks` whether it knows Multitrack and ModEx. For one that did
    /// not say that it reads `hvc1`, it is `Legacy(None)`.
    pub fn for_peer(reads: impl Fn(FourCc) -> bool, several_tracks: bool) -> Self {
        if !reads(*b"hvc1") {
            return Self::Legacy(None);
        }
        match reads(*b"avc1") && reads(*b"mp4a") && reads(*b".mp3") {
            true if several_tracks => Self::Multitrack,
            true => Self::Enhanced,
            false => Self::Legacy(Some(HevcForm::Enhanced)),
        }
    }
}

/// How a body names its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// A codec id or sound format.
    Legacy,
    /// A FourCC (Enhanced RTMP).
    FourCc,
}

/// What became of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Converted<'a> {
    /// It stays as it is, byte for byte.
    AsItIs,
    /// A new body: `head` and, right behind it, `payload`, which is a part of the old one.
    Rewritten {
        /// The new first bytes: of audio and video at most
        /// [`VIDEO_HEADER_SIZE_MAX`](super::VIDEO_HEADER_SIZE_MAX), of metadata all of it.
        head: Vec<u8>,
        /// The coded media.
        payload: &'a [u8],
    },
    /// There is nothing in it for such a peer: track 0 is not in it, or its form has no name
    /// for such a packet.
    Nothing,
}

impl<'a> Converted<'a> {
    /// The body that came out of `original`, copied only if it changed.
    pub fn into_body(self, original: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::AsItIs => Some(Cow::Borrowed(original)),
            Self::Rewritten { head, payload } => Some(Cow::Owned([&head, payload].concat())),
            Self::Nothing => None,
        }
    }
}

/// Makes of a body the one that a peer of this form can read.
///
/// Costs a look at the first bytes, and nothing more unless the answer is
/// [`Converted::Rewritten`]. Of script data, "onMetaData" is made to name the codecs as the bodies
/// of this form do. What cannot be read stays as it is.
pub fn convert(body: &[u8], kind: TagKind, form: Form) -> Converted<'_> {
    match kind {
        TagKind::Video => convert_video(body, form),
        TagKind::Audio => convert_audio(body, form),
        TagKind::Script => match metadata::relabelled(body, form) {
            Some(head) => Converted::Rewritten { head, payload: &[] },
            None => Converted::AsItIs,
        },
    }
}

/// Makes of a body one that names its codec this way, where its codec has such a name. Of several
/// tracks, track 0 is kept; ModEx is left out.
pub fn relabel(body: &[u8], kind: TagKind, label: Label) -> Converted<'_> {
    let is_enhanced = label == Label::FourCc;
    match kind {
        TagKind::Video => rewrite_video(body, |_| is_enhanced),
        TagKind::Audio => rewrite_audio(body, |_| is_enhanced),
        TagKind::Script => Converted::AsItIs,
    }
}

fn convert_video(body: &[u8], form: Form) -> Converted<'_> {
    let wants = |header: &VideoHeader| video_wants_fourcc(header.codec, header.enhanced, form);
    if form == Form::Multitrack {
        // Several tracks and ModEx stay, unless a label has to change.
        return match VideoHeader::parse(body) {
            Ok(header) if wants(&header) && !header.enhanced => rewrite_video(body, wants),
            _ => Converted::AsItIs,
        };
    }
    rewrite_video(body, wants)
}

/// Whether a form names a codec by its FourCC, given how it was sent.
fn video_wants_fourcc(codec: VideoCodec, is_enhanced: bool, form: Form) -> bool {
    match (form, codec) {
        (Form::Legacy(_), VideoCodec::Avc) => false,
        (Form::Legacy(Some(hevc)), VideoCodec::Hevc) => hevc == HevcForm::Enhanced,
        (Form::Enhanced | Form::Multitrack, VideoCodec::Hevc | VideoCodec::Av1) => true,
        _ => is_enhanced,
    }
}

/// `wants_fourcc` tells for the header of track 0 whether a FourCC is to name its codec.
fn rewrite_video(body: &[u8], wants_fourcc: impl Fn(&VideoHeader) -> bool) -> Converted<'_> {
    let mut header = match VideoHeader::parse_default(body) {
        Ok(Some(header)) => header,
        fault => return unreadable(fault.map(drop)),
    };
    let Some(enhanced) = video_label(&header, wants_fourcc(&header)) else {
        return Converted::Nothing;
    };
    let is_plain = header.multitrack.is_none() && !is_mod_ex(body, header.enhanced);
    if is_plain && enhanced == header.enhanced {
        return Converted::AsItIs;
    }
    header.enhanced = enhanced;
    let mut head = Vec::new();
    header.encode(&mut head);
    Converted::Rewritten {
        head,
        payload: header.payload(body),
    }
}

/// Whether a FourCC will name the codec, given that it should or should not; `None` when such a
/// packet cannot be said without one.
fn video_label(header: &VideoHeader, to_fourcc: bool) -> Option<bool> {
    let has_name = match to_fourcc {
        true => header.codec.fourcc().is_some(),
        false => header.codec.legacy_id().is_some(),
    };
    match header.packet {
        _ if to_fourcc == header.enhanced || !has_name => Some(header.enhanced),
        // Numbers without a name mean something else in the other form.
        VideoPacket::Other(_) | VideoPacket::Command(_) => Some(header.enhanced),
        VideoPacket::Metadata | VideoPacket::Mpeg2TsSequenceHeader if !to_fourcc => None,
        _ => Some(to_fourcc),
    }
}

fn convert_audio(body: &[u8], form: Form) -> Converted<'_> {
    if form == Form::Multitrack {
        return Converted::AsItIs;
    }
    rewrite_audio(body, |header| {
        audio_wants_fourcc(header.codec, header.enhanced, form)
    })
}

/// As [`video_wants_fourcc`].
fn audio_wants_fourcc(codec: AudioCodec, is_enhanced: bool, form: Form) -> bool {
    match (form, codec) {
        (Form::Legacy(_), AudioCodec::Aac | AudioCodec::Mp3) => false,
        _ => is_enhanced,
    }
}

/// As [`rewrite_video`].
fn rewrite_audio(body: &[u8], wants_fourcc: impl Fn(&AudioHeader) -> bool) -> Converted<'_> {
    let mut header = match AudioHeader::parse_default(body) {
        Ok(Some(header)) => header,
        fault => return unreadable(fault.map(drop)),
    };
    let Some(enhanced) = audio_label(&header, wants_fourcc(&header)) else {
        return Converted::Nothing;
    };
    let is_plain = header.multitrack.is_none() && !is_mod_ex(body, header.enhanced);
    if is_plain && enhanced == header.enhanced {
        return Converted::AsItIs;
    }
    let payload = header.payload(body);
    if enhanced && header.codec == AudioCodec::Mp3At8k {
        header.codec = AudioCodec::Mp3;
    }
    if header.enhanced && !enhanced {
        (header.codec, header.format_bits) = legacy_format(header.codec, payload);
    }
    header.enhanced = enhanced;
    let mut head = Vec::new();
    header.encode(&mut head);
    Converted::Rewritten { head, payload }
}

/// As [`video_label`].
fn audio_label(header: &AudioHeader, to_fourcc: bool) -> Option<bool> {
    let has_name = match (to_fourcc, header.codec) {
        // Those who send sound format 13 do not agree on what is behind the first byte.
        (_, AudioCodec::Opus) => false,
        (true, AudioCodec::Mp3At8k) => true,
        (true, codec) => codec.fourcc().is_some(),
        (false, codec) => codec.legacy_format().is_some(),
    };
    match header.packet {
        _ if to_fourcc == header.enhanced || !has_name => Some(header.enhanced),
        // Numbers without a name mean something else in the other form.
        AudioPacket::Other(_) => Some(header.enhanced),
        _ if to_fourcc => Some(true),
        AudioPacket::Frames => Some(false),
        AudioPacket::SequenceHeader if header.codec == AudioCodec::Aac => Some(false),
        _ => None,
    }
}

/// Sound format and the bits behind it: of MP3 they are read from the frame, AAC has them fixed.
fn legacy_format(codec: AudioCodec, payload: &[u8]) -> (AudioCodec, u8) {
    let frame = match codec {
        AudioCodec::Mp3 => Mp3Header::parse(payload),
        _ => return (codec, 0x0F),
    };
    let Ok(frame) = frame else {
        return (codec, 0x0F);
    };
    // Samples of 16 bits; the low bit is set for two channels.
    let bits = 0x02 | u8::from(frame.channels > 1);
    match frame.sample_rate {
        8_000 => (AudioCodec::Mp3At8k, bits),
        11_025 | 12_000 => (codec, 0x04 | bits),
        16_000 | 22_050 | 24_000 => (codec, 0x08 | bits),
        _ => (codec, 0x0C | bits),
    }
}

/// What cannot be read is passed on, for peers that know more than we; what has no track 0 is not.
fn unreadable<'a>(fault: Result<(), TagError>) -> Converted<'a> {
    match fault {
        Err(TagError::Empty | TagError::Truncated(_)) => Converted::AsItIs,
        Ok(()) | Err(TagError::MultitrackType(_) | TagError::NestedPacketType(_)) => {
            Converted::Nothing
        }
    }
}

#[cfg(test)]
mod tests;
