//! FLV files, and the first bytes of audio and video bodies.

use millstream::media::flv::{
    AudioHeader, FlvError, Metadata, Reader, Tag, TagKind, VideoHeader, put_file_header, put_tag,
};

use super::pieces::pieces;

/// Larger tags than this are refused.
const TAG_SIZE_MAX: usize = 4096;

/// Tracks of one body that are looked at; each takes at least a byte.
const TRACKS_MAX: usize = 1 << 16;

/// First byte: where to cut, or 255 for a tag's body without a file around it.
pub fn flv(data: &[u8]) {
    let [cut, input @ ..] = data else {
        return;
    };
    if *cut == 255 {
        video_body(input);
        audio_body(input);
        script_body(input);
        return;
    }
    let whole = read(std::iter::once(input));
    let split = read(pieces(input, *cut));
    assert_eq!(whole, split, "depends on how the input is cut");

    let mut written = Vec::new();
    put_file_header(&mut written, true, true);
    for tag in &whole.tags {
        assert!(tag.body.len() <= TAG_SIZE_MAX);
        match tag.kind {
            TagKind::Video => video_body(&tag.body),
            TagKind::Audio => audio_body(&tag.body),
            TagKind::Script => script_body(&tag.body),
        }
        put_tag(&mut written, tag).expect("what was read can be written");
    }
    let again = read(std::iter::once(written.as_slice()));
    assert_eq!(again.tags, whole.tags, "changed by writing");
    assert_eq!((again.error, again.end), (None, Ok(())));
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    tags: Vec<Tag>,
    error: Option<FlvError>,
    end: Result<(), FlvError>,
    skipped_tags: u64,
}

fn read<'a>(input: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = Reader::with_tag_size_max(TAG_SIZE_MAX);
    let mut tags = Vec::new();
    let mut error = None;
    'all: for piece in input {
        reader.handle_input(piece);
        loop {
            match reader.poll_tag() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(fault) => {
                    error = Some(fault);
                    break 'all;
                }
            }
        }
    }
    Outcome {
        tags,
        error,
        end: reader.finish(),
        skipped_tags: reader.skipped_tags(),
    }
}

fn video_body(body: &[u8]) {
    let mut track = VideoHeader::parse(body).ok();
    for _ in 0..TRACKS_MAX {
        let Some(header) = track else { return };
        assert!(header.body_offset <= header.body_end && header.body_end <= body.len());
        assert_eq!(
            header.payload(body).len(),
            header.body_end - header.body_offset
        );
        if header.multitrack.is_none() && header.nanosecond_offset == 0 {
            let payload = header.payload(body);
            let written = header.to_body(payload);
            let again = VideoHeader::parse(&written).expect("what was written");
            assert_eq!(again.payload(&written), payload);
            assert_eq!((again.codec, again.packet), (header.codec, header.packet));
            assert_eq!(again.is_keyframe(), header.is_keyframe());
            assert_eq!(again.is_sequence_header(), header.is_sequence_header());
            assert_eq!(
                again.composition_time_offset,
                header.composition_time_offset
            );
        }
        track = header.next_track(body).ok().flatten();
    }
    panic!("tracks without end");
}

fn audio_body(body: &[u8]) {
    let mut track = AudioHeader::parse(body).ok();
    for _ in 0..TRACKS_MAX {
        let Some(header) = track else { return };
        assert!(header.body_offset <= header.body_end && header.body_end <= body.len());
        assert_eq!(
            header.payload(body).len(),
            header.body_end - header.body_offset
        );
        if header.multitrack.is_none() && header.nanosecond_offset == 0 {
            let payload = header.payload(body);
            let written = header.to_body(payload);
            let again = AudioHeader::parse(&written).expect("what was written");
            assert_eq!(again.payload(&written), payload);
            assert_eq!((again.codec, again.packet), (header.codec, header.packet));
            assert_eq!(again.is_sequence_header(), header.is_sequence_header());
        }
        track = header.next_track(body).ok().flatten();
    }
    panic!("tracks without end");
}

fn script_body(body: &[u8]) {
    let Some(metadata) = Metadata::parse(body) else {
        return;
    };
    let written = metadata.to_body();
    let again = Metadata::parse(&written).expect("what was written");
    assert_eq!(written, again.to_body(), "changed by writing");
    let mut observed = metadata;
    observed.observe(TagKind::Video, body);
    observed.observe(TagKind::Audio, body);
}
