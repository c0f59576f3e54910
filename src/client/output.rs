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
}

#[derive(Debug)]
enum Sink {
    File(File),
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
    has_audio: bool,
    has_video: bool,
    /// Where the number behind `duration` stands.
    duration_at: Option<u64>,
    last_dts: i64,
}

/// Where the flags stand in an FLV file.
const FLV_FLAGS_AT: u64 = 4;

impl Output {
    /// A new file, FLV or MP4 by its ending.
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
        let mut options = File::options();
        options.write(true);
        if overwrites {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let file = options.open(path).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(path.to_owned()),
            _ => OutputError::Write {
                name: name.clone(),
                cause,
            },
        })?;
        Ok(Self::new(name, Sink::File(file), format))
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
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
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

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> Result<(), OutputError> {
        let bytes = std::mem::take(&mut self.buffer);
        self.sink
            .write(&bytes)
            .map_err(|cause| write_error(&self.name, cause))
    }

    /// Writes what is known only now.
    pub(super) fn finish(&mut self) -> Result<(), OutputError> {
        if let Format::Mp4(writer) = &mut self.format {
            writer.finish();
            collect(writer, &mut self.buffer);
        }
        self.flush()?;
        if let (Format::Flv(state), Sink::File(file)) = (&self.format, &mut self.sink) {
            state
                .patch(file)
                .map_err(|cause| write_error(&self.name, cause))?;
        }
        Ok(())
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
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all(bytes),
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
            // Both flags for now: players look at the tags, and the end of a file sets them right.
            flv::put_file_header(out, true, true);
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
