//! A subscriber over HTTP: the bytes of one answer to frames (RFC 9112 §6, §7.1).
//!
//! ```text
//! bytes ─► head ─► chunks, or all until the end ─► FLV tags, or fragments of MP4 ─► frames
//! ```

use crate::http::route::Container;
use crate::media::flv::{HevcForm, TagKind};
use crate::media::mp4::{BOX_HEADER_SIZE_MAX, BoxHeader, Movie};
use crate::rtmp::MediaKind;

/// What to try where something else listens.
const NO_HTTP: &str = "what listens there may not speak HTTP; the usual port of it is 8080";

/// Longest head of an answer that is read, bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Longest line with the length of a chunk, bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

/// Longest tag or box that is read, bytes.
const UNIT_BYTES_MAX: usize = 16 << 20;

/// FLV: file header and the first PreviousTagSize; header of a tag; PreviousTagSize.
const FILE_HEADER_BYTES: usize = 9 + 4;
const TAG_HEADER_BYTES: usize = 11;
const BACK_POINTER_BYTES: usize = 4;

/// Most fields in the head of an answer.
const FIELDS_MAX: usize = 64;

/// What an answer brings.
#[derive(Debug)]
pub(super) enum Brought<'a> {
    /// The head: yes.
    Accepted,
    /// A picture, sound or sequence header as an FLV body.
    Media {
        kind: MediaKind,
        /// Milliseconds, as the container has them.
        timestamp: u32,
        body: &'a [u8],
    },
}

/// Reads the answer to one request.
#[derive(Debug)]
pub(super) struct AnswerReader {
    framing: Framing,
    /// Bytes of a head or of the line before a chunk.
    line: Vec<u8>,
    /// Bytes of the body that are not used up yet.
    body: Vec<u8>,
    demuxer: Demuxer,
}

/// Where in the answer the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Head,
    /// In the line with the length of a chunk.
    ChunkLine,
    /// In a chunk with so many bytes left, its line break included.
    Chunk(u64),
    /// In a body that the connection ends.
    UntilClose,
    /// Behind the body.
    Over,
}

#[derive(Debug)]
enum Demuxer {
    Flv {
        has_header: bool,
    },
    Mp4 {
        movie: Option<Box<Movie>>,
        /// Of the first byte of `body`, in the answer's body.
        offset: u64,
    },
}

impl AnswerReader {
    pub(super) fn new(container: Container) -> Self {
        Self {
            framing: Framing::Head,
            line: Vec::new(),
            body: Vec::new(),
            demuxer: match container {
                Container::Flv => Demuxer::Flv { has_header: false },
                Container::Mp4 => Demuxer::Mp4 {
                    movie: None,
                    offset: 0,
                },
            },
        }
    }

    /// Why a connection failed, when it did so before an answer came.
    pub(super) fn explain(&self, why: &str) -> String {
        match self.framing {
            Framing::Head => format!("{why} without an answer: {NO_HTTP}"),
            _ => why.to_owned(),
        }
    }

    /// Takes what was read, and tells `on` what it brings.
    ///
    /// # Errors
    /// Why it is no live stream, or that it is over.
    pub(super) fn handle_input(
        &mut self,
        mut input: &[u8],
        on: &mut dyn FnMut(Brought<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        while !input.is_empty() {
            input = match self.framing {
                Framing::Head => self.take_head(input, on)?,
                Framing::ChunkLine => self.take_chunk_line(input)?,
                Framing::Chunk(left) => self.take_chunk(input, left),
                Framing::UntilClose => {
                    self.body.extend_from_slice(input);
                    &[]
                }
                Framing::Over => break,
            };
        }
        self.demux(on)?;
        match self.framing {
            Framing::Over => Err("the stream ended".to_owned()),
            _ => Ok(()),
        }
    }

    fn take_head<'a>(
        &mut self,
        input: &'a [u8],
        on: &mut dyn FnMut(Brought<'_>) -> Result<(), String>,
    ) -> Result<&'a [u8], String> {
        let Some(rest) = take_until(&mut self.line, input, b"\r\n\r\n") else {
            return match self.line.len() > HEAD_BYTES_MAX {
                true => Err(format!("an answer that is no HTTP: {NO_HTTP}")),
                false => Ok(&[]),
            };
        };
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        if !matches!(head.parse(&self.line), Ok(httparse::Status::Complete(_))) {
            return Err(format!("an answer that is no HTTP: {NO_HTTP}"));
        }
        match head.code {
            Some(200) => {}
            Some(code @ 100..=199) => {
                log::debug!("HTTP: {code}");
                self.line.clear();
                return Ok(rest);
            }
            code => {
                let reason = head.reason.unwrap_or_default();
                return Err(format!(
                    "refused: HTTP {} {reason}",
                    code.unwrap_or_default()
                ));
            }
        }
        let is_chunked = head.headers.iter().any(|field| {
            field.name.eq_ignore_ascii_case("transfer-encoding")
                && field.value.eq_ignore_ascii_case(b"chunked")
        });
        self.framing = match is_chunked {
            true => Framing::ChunkLine,
            false => Framing::UntilClose,
        };
        self.line.clear();
        on(Brought::Accepted)?;
        Ok(rest)
    }

    fn take_chunk_line<'a>(&mut self, input: &'a [u8]) -> Result<&'a [u8], String> {
        let Some(rest) = take_until(&mut self.line, input, b"\r\n") else {
            return match self.line.len() > CHUNK_LINE_BYTES_MAX {
                true => Err("a chunk without its length".to_owned()),
                false => Ok(&[]),
            };
        };
        let Ok(httparse::Status::Complete((_, length))) = httparse::parse_chunk_size(&self.line)
        else {
            return Err("a chunk without its length".to_owned());
        };
        self.line.clear();
        self.framing = match length {
            0 => Framing::Over,
            length => Framing::Chunk(length.saturating_add(2)),
        };
        Ok(rest)
    }

    fn take_chunk<'a>(&mut self, input: &'a [u8], left: u64) -> &'a [u8] {
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        // The last two bytes are those of the line break.
        let of_body = usize::try_from(left.saturating_sub(2)).unwrap_or(usize::MAX);
        self.body.extend_from_slice(&input[..taken.min(of_body)]);
        self.framing = match left - taken as u64 {
            0 => Framing::ChunkLine,
            left => Framing::Chunk(left),
        };
        &input[taken..]
    }

    fn demux(
        &mut self,
        on: &mut dyn FnMut(Brought<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let used = match &mut self.demuxer {
            Demuxer::Flv { has_header } => demux_flv(&self.body, has_header, on)?,
            Demuxer::Mp4 { movie, offset } => {
                let used = demux_mp4(&self.body, *offset, movie, on)?;
                *offset += used as u64;
                used
            }
        };
        self.body.drain(..used);
        match self.body.len() > UNIT_BYTES_MAX {
            true => Err(format!("a tag or box above {UNIT_BYTES_MAX} bytes")),
            false => Ok(()),
        }
    }
}

/// Appends `input` to `line` up to and with `end`; the rest, once that has come.
fn take_until<'a>(line: &mut Vec<u8>, input: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    for (index, &byte) in input.iter().enumerate() {
        line.push(byte);
        if line.ends_with(end) {
            return Some(&input[index + 1..]);
        }
    }
    None
}

/// The whole tags of `body`; the answer is how many bytes they are.
fn demux_flv(
    body: &[u8],
    has_header: &mut bool,
    on: &mut dyn FnMut(Brought<'_>) -> Result<(), String>,
) -> Result<usize, String> {
    let mut used = 0;
    if !*has_header {
        match body.get(..FILE_HEADER_BYTES) {
            None => return Ok(0),
            Some([b'F', b'L', b'V', ..]) => {}
            Some(_) => return Err("a body that is no FLV".to_owned()),
        }
        (*has_header, used) = (true, FILE_HEADER_BYTES);
    }
    loop {
        let rest = &body[used..];
        let Some(&[kind, s0, s1, s2, t0, t1, t2, t3, ..]) = rest.first_chunk::<TAG_HEADER_BYTES>()
        else {
            return Ok(used);
        };
        let size = u32::from_be_bytes([0, s0, s1, s2]) as usize;
        let end = TAG_HEADER_BYTES + size;
        let Some(tag) = rest.get(TAG_HEADER_BYTES..end) else {
            return Ok(used);
        };
        if rest.len() < end + BACK_POINTER_BYTES {
            return Ok(used);
        }
        let kind = match kind {
            8 => Some(MediaKind::Audio),
            9 => Some(MediaKind::Video),
            18 => None,
            kind => return Err(format!("an FLV tag of kind {kind}")),
        };
        if let Some(kind) = kind {
            on(Brought::Media {
                kind,
                timestamp: u32::from_be_bytes([t3, t0, t1, t2]),
                body: tag,
            })?;
        }
        used += end + BACK_POINTER_BYTES;
    }
}

/// The fragments of `body` that are whole, and what comes before them; the answer is how many
/// bytes they are. `offset` is that of the first byte.
fn demux_mp4(
    body: &[u8],
    offset: u64,
    movie: &mut Option<Box<Movie>>,
    on: &mut dyn FnMut(Brought<'_>) -> Result<(), String>,
) -> Result<usize, String> {
    let mut used = 0;
    while let Some((header, inner, size)) = whole_box(&body[used..])? {
        match &header.kind {
            b"moov" => {
                let parsed = Movie::parse(inner).map_err(|error| error.to_string())?;
                *movie = Some(Box::new(parsed));
            }
            b"moof" => {
                // Its samples are in the box behind it, which is to be there first.
                let Some((_, _, behind)) = whole_box(&body[used + size..])? else {
                    return Ok(used);
                };
                let movie = movie.as_mut().ok_or("a fragment before its movie")?;
                let start = offset + used as u64;
                movie
                    .handle_fragment(inner, start)
                    .map_err(|error| error.to_string())?;
                tell_samples(movie, &body[used..used + size + behind], start, on)?;
            }
            _ => {}
        }
        used += size;
    }
    Ok(used)
}

/// All samples that have come, of a fragment that begins at `start`.
fn tell_samples(
    movie: &mut Movie,
    fragment: &[u8],
    start: u64,
    on: &mut dyn FnMut(Brought<'_>) -> Result<(), String>,
) -> Result<(), String> {
    while let Some(sample) = movie.poll_sample().map_err(|error| error.to_string())? {
        let from = sample.offset.checked_sub(start);
        let data = from
            .and_then(|from| usize::try_from(from).ok())
            .and_then(|from| fragment.get(from..)?.get(..sample.size as usize))
            .ok_or("a sample outside of its fragment")?;
        let Some(tag) = movie.sample_to_tag(&sample, data, HevcForm::Enhanced) else {
            continue;
        };
        let timestamp = u32::try_from(tag.dts & i64::from(u32::MAX)).unwrap_or(0);
        let kind = match tag.kind {
            TagKind::Audio => MediaKind::Audio,
            TagKind::Video => MediaKind::Video,
            TagKind::Script => continue,
        };
        on(Brought::Media {
            kind,
            timestamp,
            body: &tag.body,
        })?;
    }
    Ok(())
}

/// A box, its body, and its size with the header.
type WholeBox<'a> = (BoxHeader, &'a [u8], usize);

/// The box at the start of `bytes`, if it is there whole.
fn whole_box(bytes: &[u8]) -> Result<Option<WholeBox<'_>>, String> {
    // A size of 1 says that the size follows in 64 bits.
    let needed = match bytes.first_chunk() {
        Some([0, 0, 0, 1]) => BOX_HEADER_SIZE_MAX,
        _ => 8,
    };
    if bytes.len() < needed {
        return Ok(None);
    }
    let header = BoxHeader::parse(bytes, bytes.len() as u64).map_err(|error| error.to_string())?;
    let size = usize::try_from(header.size).map_err(|error| error.to_string())?;
    let body = bytes.get(usize::from(header.header_size)..size);
    Ok(body.map(|body| (header, body, size)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::client::bench::StreamShape;
    use crate::client::bench::stream::TestStream;
    use crate::media::flv;
    use crate::media::fmp4::LiveMuxer;

    type Media = (MediaKind, u32, Vec<u8>);

    /// What an answer brings that comes in pieces of `size` bytes.
    fn read(container: Container, answer: &[u8], size: usize) -> (Vec<Media>, Result<(), String>) {
        let mut reader = AnswerReader::new(container);
        let mut brought = Vec::new();
        let mut is_accepted = false;
        for piece in answer.chunks(size) {
            let outcome = reader.handle_input(piece, &mut |one| {
                match one {
                    Brought::Accepted => is_accepted = true,
                    Brought::Media {
                        kind,
                        timestamp,
                        body,
                    } => brought.push((kind, timestamp, body.to_vec())),
                }
                Ok(())
            });
            if outcome.is_err() {
                return (brought, outcome);
            }
        }
        assert!(is_accepted || brought.is_empty());
        (brought, Ok(()))
    }

    fn chunked(body: &[u8], size: usize) -> Vec<u8> {
        let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(size) {
            out.extend(format!("{:x};a=b\r\n", chunk.len()).into_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    fn until_close(body: &[u8]) -> Vec<u8> {
        [b"HTTP/1.1 200 OK\r\n\r\n", body].concat()
    }

    #[test]
    fn tags_come_whatever_the_framing_and_the_cut() {
        let mut file = Vec::new();
        flv::put_file_header(&mut file, true, true);
        let media = [
            (MediaKind::Video, 0x0102_0304, vec![0x17, 1, 0, 0, 0, 9]),
            (MediaKind::Audio, 40, vec![0xaf, 1, 7]),
            (MediaKind::Video, 80, vec![0x27; 300]),
        ];
        for (kind, dts, body) in &media {
            let kind = match kind {
                MediaKind::Audio => TagKind::Audio,
                MediaKind::Video => TagKind::Video,
            };
            let (before, after) = flv::tag_frame(kind, i64::from(*dts), body.len()).unwrap();
            file.extend([&before[..], body, &after].concat());
        }
        for answer in [chunked(&file, 1), chunked(&file, 100), until_close(&file)] {
            for size in [1, 2, 7, 1000] {
                let (brought, outcome) = read(Container::Flv, &answer, size);
                assert_eq!((&brought[..], outcome), (&media[..], Ok(())));
            }
        }
        let ended = [&chunked(&file, 100)[..], b"0\r\n\r\n"].concat();
        let (brought, outcome) = read(Container::Flv, &ended, 50);
        assert_eq!((&brought[..], outcome.is_err()), (&media[..], true));
    }

    #[test]
    fn fragments_come_as_they_were_before() {
        let media = [
            (MediaKind::Video, 0, [0x17, 1, 0, 0, 0, 9, 8, 7]),
            (MediaKind::Video, 40, [0x27, 1, 0, 0, 0, 1, 2, 3]),
        ];
        // The sequence header of the load test's own stream.
        let shape = StreamShape {
            bitrate: 1e6,
            frame_rate: 25.0,
            gop_seconds: 1.0,
            has_audio: false,
        };
        let stream = TestStream::new(shape, 1).unwrap();
        let (_, header) = stream.headers().next().unwrap();
        let (mut muxer, mut pieces) = (LiveMuxer::new(), Vec::new());
        muxer.expect(true, false);
        muxer.handle(TagKind::Video, 0, header, &mut pieces);
        for (_, dts, body) in &media {
            muxer.handle(TagKind::Video, i64::from(*dts), body, &mut pieces);
        }
        muxer.finish(&mut pieces);
        let file: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| piece.bytes.to_vec())
            .collect();
        for answer in [chunked(&file, 9), until_close(&file)] {
            for size in [1, 11, 5000] {
                let (brought, outcome) = read(Container::Mp4, &answer, size);
                assert_eq!(outcome, Ok(()));
                let brought: Vec<_> = brought
                    .iter()
                    .map(|(kind, timestamp, body)| (*kind, *timestamp, &body[..]))
                    .collect();
                let media = media
                    .each_ref()
                    .map(|(kind, dts, body)| (*kind, *dts, &body[..]));
                assert_eq!(brought, media);
            }
        }
    }

    #[test]
    fn refusals_are_told() {
        for (answer, words) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "HTTP 404 Not Found"),
            ("SSH-2.0-x\r\n\r\n", "no HTTP"),
            ("HTTP/1.1 200 OK\r\n\r\n<html>........", "no FLV"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                "length",
            ),
        ] {
            let (_, outcome) = read(Container::Flv, answer.as_bytes(), 5);
            assert!(outcome.unwrap_err().contains(words), "{answer}");
        }
        let endless = "A".repeat(HEAD_BYTES_MAX + 1);
        assert!(read(Container::Flv, endless.as_bytes(), 100).1.is_err());
    }
}
