//! Where a pulled stream goes: an FLV or MP4 file, or FLV on standard output.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::amf::{Value, amf0};
use crate::media::flv::{self, Tag, TagKind};
use crate::media::fmp4;
use crate::rtmp::message::data::metadata_object;

/// Why the output cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file is there already.
    #[error("{} exists already; choose another name, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// The name does not say what to write.
    #[error("{}: the name should end in .flv or .mp4, or be - for FLV on standard output", .0.display())]
    UnknownFormat(PathBuf),
    /// The system refuses.
    #[error("cannot write {name}: {cause}")]
    Write {
        /// Path, or "standard output".
        name: String,
        /// What the system says.
        cause: io::Error,
    },
    /// Whoever read our standard output has left.
    #[error("the reader of standard output has left")]
    ReaderLeft,
    /// A tag cannot be put into the file.
    #[error("{name}: {cause}")]
    Format {
        /// Path, or "standard output".
        name: String,
        /// What is wrong.
        cause: String,
    },
}

/// A file or standard output. Everything written so far is playable at any time.
#[derive(Debug)]
pub struct Output {
    name: String,
    sink: Sink,
    format: Format,
    /// Bytes that wait for [`Self::flush`].
    buffer: Vec<u8>,
    /// Bytes written, `buffer` included.
    position: u64,
    /// Whether the system was given anything yet. An old file keeps its content until then.
    has_written: bool,
}

#[derive(Debug)]
enum Sink {
    File {
        path: PathBuf,
        file: File,
        /// We made it, so nobody misses it if nothing is ever written.
        is_new: bool,
        /// It can be cut and written in the middle, which a named pipe or a device cannot.
        is_regular: bool,
    },
    Stdout(io::Stdout),
}

#[derive(Debug)]
enum Format {
    Flv(FlvState),
    Mp4(Box<fmp4::Writer>),
}

/// What of an FLV file is known only at its end.
#[derive(Debug, Default)]
struct FlvState {
    has_header: bool,
    /// The tracks that the header is to promise; both unless we are told.
    expected: Option<(bool, bool)>,
    has_audio: bool,
    has_video: bool,
    /// Where the number behind `duration` stands.
    duration_at: Option<u64>,
    last_dts: i64,
}

/// Where the flags stand in an FLV file.
const FLV_FLAGS_AT: u64 = 4;

impl Output {
    /// A new file, FLV or MP4 by its ending. It is opened at once, so that mistakes show before
    /// anybody is asked for a stream; an old file loses its content only to the first frame.
    ///
    /// # Errors
    /// [`OutputError`]: the ending is another one, the file exists and `overwrites` is false, or
    /// it cannot be made.
    pub fn file(path: &Path, overwrites: bool) -> Result<Self, OutputError> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let format = match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("flv") => Format::Flv(FlvState::default()),
            Some("mp4") => Format::Mp4(Box::default()),
            _ => return Err(OutputError::UnknownFormat(path.to_owned())),
        };
        let name = path.display().to_string();
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(path.to_owned()),
            _ => OutputError::Write {
                name: name.clone(),
                cause,
            },
        };
        let mut options = File::options();
        options.write(true);
        let is_new = !(overwrites && path.exists());
        let file = options.create_new(is_new).open(path).map_err(failed)?;
        let is_regular = file.metadata().map_err(failed)?.is_file();
        let sink = Sink::File {
            path: path.to_owned(),
            file,
            is_new,
            is_regular,
        };
        Ok(Self::new(name, sink, format))
    }

    /// FLV on standard output.
    pub fn stdout() -> Self {
        let name = "standard output".to_owned();
        let format = Format::Flv(FlvState::default());
        Self::new(name, Sink::Stdout(io::stdout()), format)
    }

    fn new(name: String, sink: Sink, format: Format) -> Self {
        Self {
            name,
            sink,
            format,
            buffer: Vec::new(),
            position: 0,
            has_written: false,
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says which tracks there will be, before the first tag. The end of a file sets right what
    /// came otherwise; a pipe cannot be set right, and some players wait for what was promised.
    pub(super) fn expect_tracks(&mut self, has_audio: bool, has_video: bool) {
        match &mut self.format {
            Format::Flv(state) => state.expected = Some((has_audio, has_video)),
            Format::Mp4(_) => {}
        }
    }

    /// Adds a tag; its dts is below 2^31.
    pub(super) fn write_tag(&mut self, tag: &Tag) {
        let before = self.buffer.len();
        match &mut self.format {
            Format::Flv(state) => state.put_tag(&mut self.buffer, self.position, tag),
            Format::Mp4(writer) => {
                writer.handle_tag(tag);
                collect(writer, &mut self.buffer);
            }
        }
        self.position += (self.buffer.len() - before) as u64;
    }

    /// Whether somebody may be watching what we write as it comes.
    pub(super) fn is_watched(&self) -> bool {
        match &self.sink {
            Sink::File { is_regular, .. } => !is_regular,
            Sink::Stdout(_) => true,
        }
    }

    /// Bytes that wait for [`Self::flush`].
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> Result<(), OutputError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer);
        let is_first = !std::mem::replace(&mut self.has_written, true);
        self.sink
            .write(&bytes, is_first)
            .map_err(|cause| write_error(&self.name, cause))
    }

    /// Writes what is known only now. A file that we made and that got nothing is removed.
    pub(super) fn finish(&mut self) -> Result<(), OutputError> {
        if let Format::Mp4(writer) = &mut self.format {
            writer.finish();
            collect(writer, &mut self.buffer);
        }
        self.flush()?;
        let Sink::File {
            path,
            file,
            is_new,
            is_regular,
        } = &mut self.sink
        else {
            return Ok(());
        };
        let finished = match &self.format {
            _ if !self.has_written => match is_new {
                true => std::fs::remove_file(path),
                false => Ok(()),
            },
            Format::Flv(state) if *is_regular => state.patch(file),
            Format::Flv(_) | Format::Mp4(_) => Ok(()),
        };
        finished.map_err(|cause| write_error(&self.name, cause))
    }
}

/// Takes over what the writer has to write and to say.
fn collect(writer: &mut fmp4::Writer, out: &mut Vec<u8>) {
    while let Some(bytes) = writer.poll_output() {
        out.extend_from_slice(&bytes);
    }
    while let Some(note) = writer.poll_note() {
        log::warn!("{note}");
    }
}

fn write_error(name: &str, cause: io::Error) -> OutputError {
    if cause.kind() == io::ErrorKind::BrokenPipe {
        return OutputError::ReaderLeft;
    }
    OutputError::Write {
        name: name.to_owned(),
        cause,
    }
}

impl Sink {
    /// `is_first`: what an old file holds goes now.
    fn write(&mut self, bytes: &[u8], is_first: bool) -> io::Result<()> {
        match self {
            Self::File {
                file, is_regular, ..
            } => {
                if is_first && *is_regular {
                    file.set_len(0)?;
                }
                file.write_all(bytes)
            }
            Self::Stdout(stdout) => {
                let mut stdout = stdout.lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
        }
    }
}

impl FlvState {
    fn put_tag(&mut self, out: &mut Vec<u8>, position: u64, tag: &Tag) {
        let start = out.len();
        if !std::mem::replace(&mut self.has_header, true) {
            let (has_audio, has_video) = self.expected.unwrap_or((true, true));
            flv::put_file_header(out, has_audio, has_video);
        }
        match tag.kind {
            TagKind::Audio => self.has_audio = true,
            TagKind::Video => self.has_video = true,
            TagKind::Script => {}
        }
        self.last_dts = self.last_dts.max(tag.dts);
        let with_duration = match tag.kind {
            TagKind::Script if self.duration_at.is_none() => with_duration(&tag.body),
            _ => None,
        };
        let written = match &with_duration {
            Some((body, duration_at)) => {
                let before = (out.len() - start + flv::TAG_HEADER_SIZE + duration_at) as u64;
                self.duration_at = Some(position + before);
                flv::put_tag_parts(out, tag.kind, tag.dts, body)
            }
            None => flv::put_tag(out, tag),
        };
        if let Err(error) = written {
            log::warn!("left out: {error}");
        }
    }

    fn patch(&self, file: &mut File) -> io::Result<()> {
        if !self.has_header {
            return Ok(());
        }
        let flags = if self.has_audio { 4 } else { 0 } | u8::from(self.has_video);
        file.seek(SeekFrom::Start(FLV_FLAGS_AT))?;
        file.write_all(&[flags])?;
        if let Some(at) = self.duration_at {
            let ms = u32::try_from(self.last_dts).unwrap_or(0);
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&(f64::from(ms) / 1000.0).to_be_bytes())?;
        }
        file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

/// Metadata with `duration` first, and where in the body its eight bytes stand.
fn with_duration(body: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut object = metadata_object(body, &crate::amf::Limits::default())?;
    object.remove("duration");
    object
        .properties
        .insert(0, ("duration".to_owned(), Value::Number(0.0)));
    let mut out = Vec::new();
    amf0::encode_string("onMetaData", &mut out);
    // Marker and count of the array, length and text of the key, marker of the number.
    let duration_at = out.len() + 1 + 4 + 2 + "duration".len() + 1;
    amf0::encode_ecma_array(&object, &mut out);
    Some((out, duration_at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::media::flv::Metadata;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("millstream-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_stream_that_never_came_leaves_nothing_behind() {
        let folder = Folder::new("nothing");
        let (fresh, old) = (folder.join("fresh.flv"), folder.join("old.flv"));
        Output::file(&fresh, false).unwrap().finish().unwrap();
        assert!(!fresh.exists());
        Output::file(&fresh, true).unwrap().finish().unwrap();
        assert!(!fresh.exists());
        std::fs::write(&old, "precious").unwrap();
        assert!(matches!(
            Output::file(&old, false),
            Err(OutputError::Exists(_))
        ));
        Output::file(&old, true).unwrap().finish().unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"precious");
    }

    #[test]
    fn the_end_sets_flags_and_duration_right() {
        let folder = Folder::new("patch");
        let path = folder.join("out.flv");
        std::fs::write(&path, [0xEE; 5000]).unwrap();
        let mut output = Output::file(&path, true).unwrap();
        let metadata = Metadata::new().to_body();
        output.write_tag(&Tag::script(0, metadata));
        for dts in [0, 40, 2500] {
            let body = vec![0x17, 1, 0, 0, 0, 0];
            output.write_tag(&Tag::video(dts, body));
        }
        output.flush().unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[4], 5);
        output.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[..5], *b"FLV\x01\x01");
        let mut reader = flv::Reader::new();
        reader.handle_input(&bytes);
        let script = reader.poll_tag().unwrap().unwrap();
        let metadata = Metadata::parse(&script.body).unwrap();
        assert_eq!(metadata.duration, Some(2.5));
        let mut tags = 0;
        while reader.poll_tag().unwrap().is_some() {
            tags += 1;
        }
        assert_eq!(tags, 3);
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for name in ["out", "out.avi", "out.flv.txt", ""] {
            let refused = Output::file(Path::new(name), false);
            assert!(
                matches!(refused, Err(OutputError::UnknownFormat(_))),
                "{name}"
            );
        }
    }
}
