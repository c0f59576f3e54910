//! A strict FLV reader and a writer, independent of the library's.

use std::fs;
use std::path::Path;

pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const SCRIPT: u8 = 18;

/// One tag; the timestamp is the 32 bits as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: u8,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

impl Tag {
    /// A codec's configuration (AVC, HEVC, AAC) and not media.
    pub(crate) fn is_sequence_header(&self) -> bool {
        match (self.kind, self.body.as_slice()) {
            (VIDEO, [first, 0, ..]) => first & 0x80 == 0 && matches!(first & 15, 7 | 12),
            (VIDEO, [first, ..]) => first & 0x8f == 0x80,
            (AUDIO, [first, 0, ..]) => first >> 4 == 10,
            _ => false,
        }
    }

    pub(crate) fn is_keyframe(&self) -> bool {
        self.kind == VIDEO
            && !self.is_sequence_header()
            && self.body.first().is_some_and(|first| (first >> 4) & 7 == 1)
    }
}

/// All tags of a file that is whole: the header, every length and every back pointer is right and
/// nothing is left over.
pub(crate) fn read(path: &Path) -> Result<Vec<Tag>, String> {
    parse(&fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?)
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Tag>, String> {
    let header = bytes.get(..13).ok_or("no FLV header")?;
    if &header[..4] != b"FLV\x01" || header[5..] != [0, 0, 0, 9, 0, 0, 0, 0] {
        return Err(format!("FLV header is {header:02x?}"));
    }
    let mut tags = Vec::new();
    let mut at = 13;
    while at < bytes.len() {
        let wrong = |what: &str| format!("tag {} at {at}: {what}", tags.len());
        let head = bytes
            .get(at..at + 11)
            .ok_or_else(|| wrong("cut in header"))?;
        let size = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        let timestamp = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
        let body = bytes.get(at + 11..at + 11 + size);
        let body = body.ok_or_else(|| wrong("cut in body"))?;
        let back = bytes.get(at + 11 + size..at + 15 + size);
        let back = back.ok_or_else(|| wrong("cut in back pointer"))?;
        if back != u32::try_from(11 + size).unwrap().to_be_bytes() {
            return Err(wrong("back pointer is wrong"));
        }
        if head[8..] != [0, 0, 0] || ![AUDIO, VIDEO, SCRIPT].contains(&head[0]) {
            return Err(wrong("not a tag"));
        }
        tags.push(Tag {
            kind: head[0],
            timestamp,
            body: body.to_vec(),
        });
        at += 15 + size;
    }
    Ok(tags)
}

pub(crate) fn write(path: &Path, tags: &[Tag]) {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for tag in tags {
        let size = u32::try_from(tag.body.len()).unwrap();
        let [high, rest @ ..] = tag.timestamp.to_be_bytes();
        bytes.push(tag.kind);
        bytes.extend_from_slice(&size.to_be_bytes()[1..]);
        bytes.extend_from_slice(&rest);
        bytes.extend_from_slice(&[high, 0, 0, 0]);
        bytes.extend_from_slice(&tag.body);
        bytes.extend_from_slice(&(size + 11).to_be_bytes());
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn refuses_files_that_are_not_whole() {
    let dir = super::tempdir::TempDir::new();
    let path = dir.join("a.flv");
    let tag = Tag {
        kind: VIDEO,
        timestamp: 0x8123_4567,
        body: vec![0x17, 1, 0, 0, 0, 9],
    };
    write(&path, &[tag.clone(), tag.clone()]);
    assert_eq!(read(&path).unwrap(), [tag.clone(), tag]);
    let whole = fs::read(&path).unwrap();
    for cut in (0..whole.len()).filter(|cut| *cut != 13 && *cut != 13 + 21) {
        assert!(parse(&whole[..cut]).is_err(), "cut at {cut}");
    }
}
