//! Audio and video bodies: put right, and converted to every form.

use millstream::media::flv::{
    AudioHeader, Conduct, Converted, Form, Label, Mender, TagKind, VideoCodec, VideoHeader,
    VideoPacket, convert, relabel,
};

/// A length of this in front of a body stands for "up to the end".
const REST: u8 = 255;

/// Bodies of one publisher: kind, length, body, and so on.
pub fn forms(data: &[u8]) {
    let (mut publisher, mut second) = (Mender::new(), Mender::new());
    let mut conduct = Conduct::default();
    let mut rest = data;
    while let [kind, length, behind @ ..] = rest {
        let kind = match kind & 1 {
            0 => TagKind::Video,
            _ => TagKind::Audio,
        };
        let length = match *length {
            REST => behind.len(),
            length => usize::from(length).min(behind.len()),
        };
        let (body, behind) = behind.split_at(length);
        rest = behind;

        let timestamp = u32::try_from(body.len()).expect("inputs are small");
        let _breaches = conduct.media(kind, timestamp, body);
        let _breaches = conduct.metadata(body);
        let mended = publisher.mend(body, kind);
        if mended.faults.is_empty() {
            assert_eq!(mended.header, None, "made without a reason");
            assert_eq!(
                mended.body.as_deref(),
                Some(body),
                "changed without a reason"
            );
        }
        let bodies = [mended.header.as_deref(), mended.body.as_deref()];
        for body in bodies.into_iter().flatten() {
            assert!(!body.is_empty(), "nothing is no body");
            in_every_form(body, kind);
            // ADTS inside ADTS is taken off one at a time.
            if kind == TagKind::Video {
                let again = second.mend(body, kind);
                assert!(again.faults.is_empty(), "put right twice: {again:?}");
            }
        }
        in_every_form(body, kind);
    }
}

fn in_every_form(body: &[u8], kind: TagKind) {
    for form in Form::ALL {
        check(body, kind, convert(body, kind, form), |body| {
            convert(body, kind, form)
        });
    }
    for label in [Label::Legacy, Label::FourCc] {
        check(body, kind, relabel(body, kind, label), |body| {
            relabel(body, kind, label)
        });
    }
}

/// `again` does what made `converted` of `body`.
fn check<'a>(
    body: &'a [u8],
    kind: TagKind,
    converted: Converted<'a>,
    again: impl Fn(&[u8]) -> Converted<'_>,
) {
    let Some(converted) = converted.into_body(body) else {
        return;
    };
    let twice = again(&converted);
    assert_eq!(
        twice,
        Converted::AsItIs,
        "one step is not enough: {converted:02X?}"
    );
    match kind {
        TagKind::Video => {
            let before = VideoHeader::parse_default(body).ok().flatten();
            let after = VideoHeader::parse_default(&converted).ok().flatten();
            assert_eq!(before.is_some(), after.is_some());
            let (Some(before), Some(after)) = (before, after) else {
                return;
            };
            assert_eq!(before.payload(body), after.payload(&converted));
            assert_eq!(before.packet, after.packet);
            assert_eq!(before.is_keyframe(), after.is_keyframe());
            // AV1 has no such offset under its FourCC; under the codec id there is room for one.
            if before.codec != VideoCodec::Av1 {
                assert_eq!(
                    before.composition_time_offset,
                    after.composition_time_offset
                );
            }
            if !matches!(before.packet, VideoPacket::Command(_)) {
                assert_eq!(before.codec, after.codec);
            }
        }
        _ => {
            let before = AudioHeader::parse_default(body).ok().flatten();
            let after = AudioHeader::parse_default(&converted).ok().flatten();
            assert_eq!(before.is_some(), after.is_some());
            if let (Some(before), Some(after)) = (before, after) {
                assert_eq!(before.payload(body), after.payload(&converted));
                assert_eq!(before.packet, after.packet);
            }
        }
    }
}
