//! An MP4 file as FLV tags: seeks and reads what `media::mp4` asks for.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::media::flv::{FirstBytes, HevcForm, Tag};
use crate::media::mp4::{
    BOX_HEADER_SIZE_MAX, BoxHeader, BoxKind, FRAGMENT_SIZE_MAX, INDEX_SIZE_MAX, Movie, Mp4Error,
    Sample,
};

/// One read of a track's data. Each track has a buffer of its own, so that files whose tracks lie
/// far apart are not read twice.
const WINDOW_BYTES: u64 = 256 * 1024;

/// Boxes without media in a row that are passed over; a file with more is made to waste time.
const OTHER_BOXES_MAX: u32 = 10_000;

/// With what a file may begin: the boxes of ISO/IEC 14496-12, and those of QuickTime.
const FIRST_BOXES: [&BoxKind; 14] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid",
    b"pdin", b"sidx", b"emsg", b"meta",
];

/// Why an MP4 file cannot be used. In one line, without its name.
#[derive(Debug, thiserror::Error)]
pub enum Mp4FileError {
    /// It cannot be opened or read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It does not begin with a box.
    #[error("not an MP4 file: starts with {0}")]
    NotMp4(FirstBytes),
    /// There is no index in it.
    #[error("it has no index (moov); its recording was not finished, or its end is missing")]
    NoIndex,
    /// The file ends inside its index.
    #[error("cut short inside its index (moov): {have} of {size} bytes")]
    IndexCut {
        /// Bytes that are there.
        have: u64,
        /// Bytes that there should be.
        size: u64,
    },
    /// The index, or that of a fragment, is too long to be loaded.
    #[error("its index \"{}\" has {size} bytes, limit {limit}", .kind.escape_ascii())]
    IndexSize {
        /// moov or moof.
        kind: BoxKind,
        /// Its size.
        size: u64,
        /// The longest that is loaded.
        limit: u64,
    },
    /// The index is damaged, or a sample cannot be carried.
    #[error("{0}")]
    Index(#[from] Mp4Error),
    /// Nothing in it can be played.
    #[error("no H.264, H.265 or AAC in it; it has {found}")]
    NoTracks {
        /// The codecs and why they do not count.
        found: String,
    },
    /// It does not come from a file.
    #[error("MP4 cannot be read from a pipe; give the file's name, or pipe FLV")]
    Pipe,
}

/// An open MP4 file.
#[derive(Debug)]
pub struct Mp4File<R = File> {
    source: BoxWalk<R>,
    movie: Movie,
    form: HevcForm,
    /// By track.
    states: Vec<TrackState>,
    ready: VecDeque<Tag>,
    has_begun: bool,
    notices: VecDeque<String>,
}

/// The bytes, and how far their boxes were looked at.
#[derive(Debug)]
struct BoxWalk<R> {
    bytes: R,
    size: u64,
    /// Where the next box at the top level starts; none is beyond `size`.
    next_box: u64,
}

#[derive(Debug, Default)]
struct TrackState {
    window_start: u64,
    window: Vec<u8>,
    /// The sample description whose sequence header was given last.
    description: Option<usize>,
}

impl Mp4File {
    /// Opens a file and reads its index.
    ///
    /// # Errors
    /// [`Mp4FileError`]: it cannot be read, is not MP4, or has nothing in it that we play.
    pub fn open(path: &Path, form: HevcForm) -> Result<Self, Mp4FileError> {
        Self::new(File::open(path)?, form)
    }
}

impl<R: Read + Seek> Mp4File<R> {
    /// Reads the index of a file that is open, or in memory.
    ///
    /// # Errors
    /// As [`open`](Mp4File::open).
    pub fn new(mut bytes: R, form: HevcForm) -> Result<Self, Mp4FileError> {
        let size = bytes.seek(SeekFrom::End(0))?;
        let mut source = BoxWalk {
            bytes,
            size,
            next_box: 0,
        };
        let movie = source.read_moov()?;
        if movie.tracks().is_empty() {
            let found = describe_skipped(&movie);
            return Err(Mp4FileError::NoTracks { found });
        }
        let notices = movie.skipped().iter().filter(|skipped| skipped.is_media);
        let notices = notices.map(|skipped| {
            let codec = skipped.codec.escape_ascii();
            format!(
                "track {} ({codec}) is left out: {}",
                skipped.id, skipped.reason
            )
        });
        Ok(Self {
            source,
            form,
            states: movie
                .tracks()
                .iter()
                .map(|_| TrackState::default())
                .collect(),
            ready: VecDeque::new(),
            has_begun: false,
            notices: notices.collect(),
            movie,
        })
    }

    /// The next tag, sequence headers before what needs them; `None` at the end. A file that is
    /// cut short ends where its data do, and [`take_notice`](Self::take_notice) says so.
    ///
    /// # Errors
    /// [`Mp4FileError`]: it cannot be read, or a sample is too large to be carried.
    pub fn next_tag(&mut self) -> Result<Option<Tag>, Mp4FileError> {
        loop {
            if let Some(tag) = self.ready.pop_front() {
                return Ok(Some(tag));
            }
            while self.movie.wants_fragment() && self.read_fragment()? {}
            let Some(sample) = self.movie.poll_sample()? else {
                return Ok(None);
            };
            self.take_sample(&sample)?;
        }
    }

    /// Something that a person should know, once.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notices.pop_front()
    }

    fn take_sample(&mut self, sample: &Sample) -> Result<(), Mp4FileError> {
        let Some(state) = self.states.get_mut(sample.track) else {
            return Ok(());
        };
        let Some(data) = self.source.read_sample(state, sample)? else {
            self.stop_track(sample, "cut short: there is no more of");
            return Ok(());
        };
        let Some(tag) = self.movie.sample_to_tag(sample, data, self.form) else {
            self.stop_track(sample, "a codec that is not pushed from MP4 follows in");
            return Ok(());
        };
        if !self.has_begun {
            self.has_begun = true;
            let headers = self.movie.sequence_headers(sample.dts_ms, self.form);
            self.ready.extend(headers);
            let tracks = self.movie.tracks().iter();
            for (track, state) in tracks.zip(&mut self.states) {
                let first = track.first_description();
                let first = first.filter(|(_, first)| first.has_parameter_sets);
                state.description = first.map(|(index, _)| index);
            }
        }
        if let Some(state) = self.states.get_mut(sample.track)
            && state.description != Some(sample.description)
        {
            let data = state.sample(sample).unwrap_or_default();
            if let Some(header) = self.movie.sequence_header(sample, data, self.form) {
                self.ready.push_back(header);
                state.description = Some(sample.description);
            }
        }
        self.ready.push_back(tag);
        Ok(())
    }

    fn stop_track(&mut self, sample: &Sample, reason: &str) {
        let tracks = self.movie.tracks();
        let is_video = tracks
            .get(sample.track)
            .is_some_and(|track| track.is_video());
        let kind = if is_video { "video" } else { "audio" };
        let seconds = std::time::Duration::from_millis(sample.dts_ms.unsigned_abs()).as_secs_f64();
        self.notices.push_back(format!(
            "{reason} the {kind} from {seconds:.3} s on (byte {})",
            sample.offset
        ));
        self.movie.stop_track(sample.track);
    }

    /// Hands the next moof to the movie; false when there is none.
    fn read_fragment(&mut self) -> Result<bool, Mp4FileError> {
        let (header, offset) = match self.source.find_box(b"moof") {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(false),
            Err(Mp4FileError::Index(cause)) => {
                self.end_fragments(&cause.to_string());
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let Some(moof) = self.source.read_body(&header, offset)? else {
            self.end_fragments(&format!("cut short in the fragment at byte {offset}"));
            return Ok(false);
        };
        if let Err(cause) = self.movie.handle_fragment(&moof, offset) {
            self.end_fragments(&format!(
                "the fragment at byte {offset} is damaged: {cause}"
            ));
            return Ok(false);
        }
        Ok(true)
    }

    fn end_fragments(&mut self, reason: &str) {
        self.source.next_box = self.source.size;
        self.notices.push_back(reason.to_owned());
    }
}

impl<R: Read + Seek> BoxWalk<R> {
    /// Reads at `offset`, up to `count` bytes; fewer at the end of the file.
    fn read_at(&mut self, offset: u64, count: u64) -> io::Result<Vec<u8>> {
        let count = count.min(self.size.saturating_sub(offset));
        self.bytes.seek(SeekFrom::Start(offset))?;
        let mut read = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        self.bytes.by_ref().take(count).read_to_end(&mut read)?;
        Ok(read)
    }

    /// The next box at the top level, and where it starts. `None` at the end of the file, or where
    /// fewer bytes are left than a header has.
    fn take_box(&mut self) -> Result<Option<(BoxHeader, u64)>, Mp4FileError> {
        let offset = self.next_box;
        let left = self.size.saturating_sub(offset);
        if left < 8 {
            return Ok(None);
        }
        let start = self.read_at(offset, BOX_HEADER_SIZE_MAX as u64)?;
        let header = BoxHeader::parse(&start, left)?;
        self.next_box = offset.saturating_add(header.size).min(self.size);
        Ok(Some((header, offset)))
    }

    fn find_box(&mut self, kind: &BoxKind) -> Result<Option<(BoxHeader, u64)>, Mp4FileError> {
        let mut others = 0;
        while let Some((header, offset)) = self.take_box()? {
            if header.kind == *kind {
                return Ok(Some((header, offset)));
            }
            others += 1;
            if others > OTHER_BOXES_MAX {
                break;
            }
        }
        Ok(None)
    }

    /// The body of an index box, or `None` when the file ends before it does.
    fn read_body(
        &mut self,
        header: &BoxHeader,
        offset: u64,
    ) -> Result<Option<Vec<u8>>, Mp4FileError> {
        let size = header.body_size();
        let kind = header.kind;
        let limit = match &kind {
            b"moof" => FRAGMENT_SIZE_MAX,
            _ => INDEX_SIZE_MAX,
        };
        if size > limit {
            return Err(Mp4FileError::IndexSize { kind, size, limit });
        }
        let start = offset.saturating_add(u64::from(header.header_size));
        let body = self.read_at(start, size)?;
        Ok((body.len() as u64 == size).then_some(body))
    }

    fn read_moov(&mut self) -> Result<Movie, Mp4FileError> {
        let start = self.read_at(0, BOX_HEADER_SIZE_MAX as u64)?;
        match BoxHeader::parse(&start, self.size) {
            Ok(header) if FIRST_BOXES.contains(&&header.kind) => {}
            _ => return Err(Mp4FileError::NotMp4(FirstBytes::of(&start))),
        }
        let Some((header, offset)) = self.find_box(b"moov")? else {
            return Err(Mp4FileError::NoIndex);
        };
        let body = self.read_body(&header, offset)?;
        let Some(body) = body else {
            let have = self.size.saturating_sub(offset);
            let size = header.size;
            return Err(Mp4FileError::IndexCut { have, size });
        };
        Ok(Movie::parse(&body)?)
    }

    /// The bytes of a sample, or `None` when the file ends before they do.
    fn read_sample<'a>(
        &mut self,
        state: &'a mut TrackState,
        sample: &Sample,
    ) -> io::Result<Option<&'a [u8]>> {
        let size = u64::from(sample.size);
        if sample.offset.saturating_add(size) > self.size {
            return Ok(None);
        }
        if state.sample(sample).is_none() {
            state.window = self.read_at(sample.offset, size.max(WINDOW_BYTES))?;
            state.window_start = sample.offset;
        }
        Ok(state.sample(sample))
    }
}

impl TrackState {
    /// The bytes of a sample, if they are in the window.
    fn sample(&self, sample: &Sample) -> Option<&[u8]> {
        let start = sample.offset.checked_sub(self.window_start)?;
        let start = usize::try_from(start).ok()?;
        let size = usize::try_from(sample.size).ok()?;
        self.window.get(start..)?.get(..size)
    }
}

/// "Opus (its codec is not pushed from MP4), tmcd (it is neither audio nor video)".
fn describe_skipped(movie: &Movie) -> String {
    let skipped = movie.skipped().iter();
    let named: Vec<_> = skipped
        .map(|skipped| format!("{} ({})", skipped.codec.escape_ascii(), skipped.reason))
        .collect();
    if named.is_empty() {
        return "no tracks".to_owned();
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::io::Cursor;

    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../tests/data/media/avc_aac.mp4");
    const FRAGMENTED: &[u8] = include_bytes!("../../tests/data/media/avc_aac_fragmented.mp4");

    fn read(file: &[u8]) -> Result<(Vec<Tag>, Vec<String>), Mp4FileError> {
        let mut mp4 = Mp4File::new(Cursor::new(file), HevcForm::Enhanced)?;
        let mut tags = Vec::new();
        while let Some(tag) = mp4.next_tag()? {
            tags.push(tag);
        }
        let notices = std::iter::from_fn(|| mp4.take_notice()).collect();
        Ok((tags, notices))
    }

    fn error(file: &[u8]) -> String {
        read(file).unwrap_err().to_string()
    }

    #[test]
    fn headers_come_first_and_frames_in_order() {
        for file in [PLAIN, FRAGMENTED] {
            let (tags, notices) = read(file).unwrap();
            assert_eq!(tags.len(), 25);
            assert!(tags[..2].iter().all(Tag::is_sequence_header));
            assert!(!tags[2..].iter().any(Tag::is_sequence_header));
            assert!(tags.is_sorted_by_key(|tag| tag.dts));
            assert_eq!(tags[2].dts, 0);
            assert!(notices.is_empty());
        }
    }

    #[test]
    fn what_is_there_is_played() {
        let (whole, _) = read(FRAGMENTED).unwrap();
        let mut longest = 0;
        for end in 0..FRAGMENTED.len() {
            let Ok((tags, notices)) = read(&FRAGMENTED[..end]) else {
                assert_eq!(longest, 0, "{end}");
                continue;
            };
            assert!(tags.len() >= longest && tags.len() <= whole.len());
            longest = tags.len();
            let is_told = !notices.is_empty() || is_between(end);
            assert!(is_told || tags.len() == whole.len(), "{end}");
        }
        // Its last box lists keyframes; all frames lie before.
        assert_eq!(longest, whole.len());
    }

    /// Whether a cut falls between boxes, or into the header of one: nothing to be seen there.
    fn is_between(end: usize) -> bool {
        let mut at = 0;
        while at < end {
            let header = BoxHeader::parse(&FRAGMENTED[at..], 0).unwrap();
            if end - at < 8 {
                return true;
            }
            at += usize::try_from(header.size).unwrap();
        }
        at == end
    }

    #[test]
    fn errors_say_what_is_wrong() {
        assert_eq!(
            error(b"hello, world, this is no MP4"),
            "not an MP4 file: starts with \"hello, w\" (68 65 6c 6c 6f 2c 20 77)"
        );
        assert_eq!(error(b""), "not an MP4 file: starts with nothing");
        let no_index =
            "it has no index (moov); its recording was not finished, or its end is missing";
        assert_eq!(error(b"\0\0\0\x08free\0\0\0\0mdat"), no_index);
        assert_eq!(error(&PLAIN[..1000]), no_index);
        let cut = error(&PLAIN[..PLAIN.len() - 1]);
        assert!(
            cut.starts_with("cut short inside its index (moov): "),
            "{cut}"
        );
        assert_eq!(
            error(b"\0\0\0\x01moov\0\0\0\x01\0\0\0\0"),
            "its index \"moov\" has 4294967280 bytes, limit 67108864"
        );
        assert_eq!(
            error(b"\0\0\0\x08moov"),
            "no H.264, H.265 or AAC in it; it has no tracks"
        );
        let mut other = PLAIN.to_vec();
        for name in [b"avc1", b"mp4a"] {
            let at = other.windows(4).rposition(|bytes| bytes == name).unwrap();
            other[at..at + 4].copy_from_slice(b"Opus");
        }
        assert_eq!(
            error(&other),
            "no H.264, H.265 or AAC in it; it has Opus (its codec is not pushed from MP4), \
             Opus (its codec is not pushed from MP4)"
        );
    }

    #[test]
    fn a_track_that_is_left_out_is_told() {
        let mut other = PLAIN.to_vec();
        let at = other
            .windows(4)
            .rposition(|bytes| bytes == b"mp4a")
            .unwrap();
        other[at..at + 4].copy_from_slice(b"Opus");
        let (tags, notices) = read(&other).unwrap();
        assert_eq!(tags.len(), 10);
        let expected = "track 2 (Opus) is left out: its codec is not pushed from MP4";
        assert_eq!(notices, [expected]);
    }
}
