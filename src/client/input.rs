//! What is pushed: a file or standard input, as FLV tags.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::Stopper;
use super::mp4_file::{Mp4File, Mp4FileError};
use crate::media::annexb::{AnnexBError, FRAME_RATE_DEFAULT, TagReader, UnitReader};
use crate::media::flv::{self, FlvError, HevcForm, Tag, TagKind};
use crate::media::{InputFormat, SNIFF_SIZE, sniff};

/// One read of a file or of standard input.
const READ_BYTES: usize = 64 * 1024;

/// Reads of standard input that may wait for us: 1 MiB. Beyond that the writer waits.
const PIPE_READS_MAX: usize = 16;

/// How often the wait for the first bytes of standard input looks whether it is to end.
const PIPE_PATIENCE: Duration = Duration::from_millis(100);

/// Longest way from decoding to display that a live byte stream is believed, milliseconds.
const CTS_MAX_MS: f64 = 10_000.0;

/// Why the input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be opened or read.
    #[error("cannot read {name}: {cause}")]
    Read {
        /// Path, or "standard input".
        name: String,
        /// What the system says.
        cause: io::Error,
    },
    /// It is nothing that we know.
    #[error("{name} is not FLV, MP4, H.264 or H.265; if you know better, say so with --format")]
    UnknownFormat {
        /// Path, or "standard input".
        name: String,
    },
    /// An FLV file is damaged.
    #[error("{name}: {cause}")]
    Flv {
        /// Path, or "standard input".
        name: String,
        /// What is wrong.
        cause: FlvError,
    },
    /// A byte stream is damaged.
    #[error("{name}: {cause}")]
    AnnexB {
        /// Path, or "standard input".
        name: String,
        /// What is wrong.
        cause: AnnexBError,
    },
    /// An MP4 file that cannot be used.
    #[error("{name}: {cause}")]
    Mp4 {
        /// Path, or "standard input".
        name: String,
        /// What is wrong.
        cause: Mp4FileError,
    },
    /// A file without a byte in it.
    #[error("{name} is empty")]
    NoBytes {
        /// Path, or "standard input".
        name: String,
    },
    /// We were told to stop while we waited for its first bytes.
    #[error("stopped before {name} said anything")]
    Stopped {
        /// Path, or "standard input".
        name: String,
    },
    /// There was nothing to push in it.
    #[error("{name} has no audio or video in it")]
    Empty {
        /// Path, or "standard input".
        name: String,
    },
}

/// How an input is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct InputOptions {
    /// Instead of what its first bytes look like.
    pub format: Option<InputFormat>,
    /// Frames per second of a raw byte stream, instead of what it says itself.
    pub frame_rate: Option<f64>,
    /// HEVC as codec id 12 instead of `hvc1`, for servers and players that know only that.
    pub uses_codec_id_12: bool,
}

/// What the input has next.
#[derive(Debug)]
pub(super) enum Next {
    /// A tag.
    Tag(Tag),
    /// Nothing yet; whoever feeds it wakes the client.
    Wait,
    /// It is over.
    End,
}

/// A file or standard input.
#[derive(Debug)]
pub struct Input {
    name: String,
    source: Source,
    options: InputOptions,
    format: InputFormat,
    parser: Parser,
    /// Bytes that were read to sniff the format.
    ahead: Vec<u8>,
    has_ended: bool,
    /// Whether a person has been told what there is to tell: not again in each round.
    was_rewound: bool,
}

#[derive(Debug)]
enum Source {
    File {
        path: PathBuf,
        file: File,
    },
    /// A file that is in memory whole.
    Bytes(&'static [u8]),
    Pipe {
        reads: Receiver<io::Result<Vec<u8>>>,
        started: Instant,
        /// A file was put there in its place (`push - <film.flv`): it waits for us.
        is_file: bool,
    },
}

#[derive(Debug)]
enum Parser {
    /// The reader, and the time of the last frame beyond the 32 bits of the file.
    Flv(flv::Reader, Option<i64>),
    AnnexB(TagReader),
    /// A live byte stream: frames are stamped with their time of arrival.
    Live(UnitReader, LiveClock),
    /// Reads the file by itself, since it goes to and fro in it.
    Mp4(Box<Mp4File>),
}

/// Stamps of a live byte stream.
#[derive(Debug, Default)]
struct LiveClock {
    last: Option<i64>,
    /// Frames per second, if the stream has said so.
    frame_rate: Option<f64>,
    ready: VecDeque<Tag>,
}

impl Input {
    /// Opens a file and finds out what it is.
    ///
    /// # Errors
    /// [`InputError`]: it cannot be read, or is nothing that we know.
    pub fn file(path: &Path, options: InputOptions) -> Result<Self, InputError> {
        let name = path.display().to_string();
        let mut file = File::open(path).map_err(|cause| InputError::Read {
            name: name.clone(),
            cause,
        })?;
        let mut ahead = Vec::new();
        file.by_ref()
            .take(SNIFF_SIZE as u64)
            .read_to_end(&mut ahead)
            .map_err(|cause| InputError::Read {
                name: name.clone(),
                cause,
            })?;
        if ahead.is_empty() {
            return Err(InputError::NoBytes { name });
        }
        let format = options.format.or_else(|| sniff(&ahead));
        let format = format.ok_or_else(|| InputError::UnknownFormat { name: name.clone() })?;
        let source = Source::File {
            path: path.to_owned(),
            file,
        };
        Self::new(name, source, options, format, ahead)
    }

    /// An FLV file that is in memory.
    pub fn bytes(name: &str, bytes: &'static [u8]) -> Self {
        Self {
            name: name.to_owned(),
            source: Source::Bytes(bytes),
            options: InputOptions::default(),
            format: InputFormat::Flv,
            parser: Parser::Flv(flv::Reader::new(), None),
            ahead: bytes.to_vec(),
            has_ended: false,
            was_rewound: false,
        }
    }

    /// Reads standard input on a thread of its own; `stopper` wakes the client for it. Returns
    /// when there is enough to tell what it is.
    ///
    /// # Errors
    /// [`InputError`], as for files; MP4 is refused.
    pub fn stdin(stopper: &Stopper, options: InputOptions) -> Result<Self, InputError> {
        let name = "standard input".to_owned();
        let failed = |cause| InputError::Read {
            name: name.clone(),
            cause,
        };
        let (sender, reads) = crossbeam_channel::bounded(PIPE_READS_MAX);
        let waker = stopper.clone();
        let read_on = move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut buffer = vec![0; READ_BYTES];
                let read = stdin.read(&mut buffer).map(|count| {
                    buffer.truncate(count);
                    buffer
                });
                let is_last = read.as_ref().map_or(true, Vec::is_empty);
                if sender.send(read).is_err() || is_last {
                    break;
                }
                waker.wake();
            }
            drop(sender);
            waker.wake();
        };
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(read_on)
            .map_err(failed)?;
        let mut ahead = Vec::new();
        let mut sniffed = options.format;
        while sniffed.is_none() && ahead.len() < SNIFF_SIZE {
            if stopper.is_stopped() {
                return Err(InputError::Stopped { name });
            }
            match reads.recv_timeout(PIPE_PATIENCE) {
                Ok(Ok(bytes)) if !bytes.is_empty() => ahead.extend_from_slice(&bytes),
                Ok(Err(cause)) => return Err(failed(cause)),
                Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            sniffed = sniff(&ahead);
        }
        if ahead.is_empty() && sniffed.is_none() {
            return Err(InputError::NoBytes { name });
        }
        let format = sniffed.ok_or_else(|| InputError::UnknownFormat { name: name.clone() })?;
        let source = Source::Pipe {
            reads,
            started: Instant::now(),
            is_file: is_stdin_a_file(),
        };
        Self::new(name, source, options, format, ahead)
    }

    fn new(
        name: String,
        source: Source,
        options: InputOptions,
        format: InputFormat,
        ahead: Vec<u8>,
    ) -> Result<Self, InputError> {
        let parser = Parser::Flv(flv::Reader::new(), None);
        let mut input = Self {
            name,
            source,
            options,
            format,
            parser,
            ahead: Vec::new(),
            has_ended: false,
            was_rewound: false,
        };
        input.parser = input.new_parser()?;
        input.ahead = ahead;
        Ok(input)
    }

    /// Whether it comes at its own pace: then nothing is held back or looped.
    pub fn is_live(&self) -> bool {
        matches!(self.parser, Parser::Live(..))
    }

    /// Whether somebody else decides when there is more of it.
    pub(super) fn is_pipe(&self) -> bool {
        matches!(self.source, Source::Pipe { is_file: false, .. })
    }

    /// What a person should know of the way in which it ended, after [`Next::End`].
    pub(super) fn ending(&self) -> Option<String> {
        let trouble = match &self.parser {
            Parser::Flv(reader, _) => reader.finish().err().map(|error| error.to_string()),
            Parser::AnnexB(reader) => reader.outcome().err().map(|error| error.to_string()),
            Parser::Live(reader, _) => reader.outcome().err().map(|error| error.to_string()),
            // It tells of it on the way, track by track.
            Parser::Mp4(_) => None,
        }?;
        Some(format!("{}: {trouble}", self.name))
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Goes back to the start of a file. False for a pipe, which has no start to go back to.
    pub(super) fn rewind(&mut self) -> Result<bool, InputError> {
        match &mut self.source {
            Source::Pipe { .. } => return Ok(false),
            Source::Bytes(bytes) => self.ahead = bytes.to_vec(),
            Source::File { path, file } => {
                *file = File::open(path.as_path()).map_err(|cause| InputError::Read {
                    name: self.name.clone(),
                    cause,
                })?;
                self.ahead.clear();
            }
        }
        self.has_ended = false;
        self.was_rewound = true;
        self.parser = self.new_parser()?;
        Ok(true)
    }

    /// The next tag, sequence headers before what needs them.
    pub(super) fn next(&mut self) -> Result<Next, InputError> {
        loop {
            if let Some(tag) = self.parsed()? {
                return Ok(Next::Tag(tag));
            }
            if self.has_ended {
                return Ok(Next::End);
            }
            if !self.read_on()? {
                return Ok(Next::Wait);
            }
        }
    }

    /// Something about the input that a person should know, in one line.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        match &mut self.parser {
            Parser::Mp4(file) if !self.was_rewound => {
                let notice = file.take_notice()?;
                Some(format!("{}: {notice}", self.name))
            }
            _ => None,
        }
    }

    fn parsed(&mut self) -> Result<Option<Tag>, InputError> {
        let name = &self.name;
        let flv_error = |cause| InputError::Flv {
            name: name.clone(),
            cause,
        };
        let annexb_error = |cause| InputError::AnnexB {
            name: name.clone(),
            cause,
        };
        match &mut self.parser {
            Parser::Mp4(file) => file.next_tag().map_err(|cause| InputError::Mp4 {
                name: name.clone(),
                cause,
            }),
            Parser::Flv(reader, last) => {
                let mut tag = reader.poll_tag().map_err(flv_error)?;
                if let Some(tag) = &mut tag {
                    unwrap_time(tag, last);
                }
                Ok(tag)
            }
            Parser::AnnexB(reader) => reader.poll_tag().map_err(annexb_error),
            Parser::Live(units, clock) => {
                if let Source::Pipe { started, .. } = &self.source {
                    while let Some(unit) = units.poll_unit().map_err(annexb_error)? {
                        let arrival = i64::try_from(started.elapsed().as_millis());
                        clock.stamp(&unit, arrival.unwrap_or(i64::MAX), hevc_form(self.options));
                    }
                }
                Ok(clock.ready.pop_front())
            }
        }
    }

    /// Feeds the parser; false when there is nothing to read yet.
    fn read_on(&mut self) -> Result<bool, InputError> {
        if matches!(self.parser, Parser::Mp4(_)) {
            // It had nothing more to give.
            self.has_ended = true;
            return Ok(true);
        }
        let bytes = if self.ahead.is_empty() {
            match &mut self.source {
                Source::File { file, .. } => {
                    let mut buffer = vec![0; READ_BYTES];
                    let count = file.read(&mut buffer).map_err(|cause| InputError::Read {
                        name: self.name.clone(),
                        cause,
                    })?;
                    buffer.truncate(count);
                    buffer
                }
                Source::Bytes(_) => Vec::new(),
                Source::Pipe { reads, .. } => match reads.try_recv() {
                    Ok(read) => read.map_err(|cause| InputError::Read {
                        name: self.name.clone(),
                        cause,
                    })?,
                    Err(TryRecvError::Empty) => return Ok(false),
                    Err(TryRecvError::Disconnected) => Vec::new(),
                },
            }
        } else {
            std::mem::take(&mut self.ahead)
        };
        self.has_ended = bytes.is_empty();
        match &mut self.parser {
            Parser::Flv(reader, _) => reader.handle_input(&bytes),
            Parser::AnnexB(reader) if self.has_ended => reader.finish(),
            Parser::AnnexB(reader) => reader.handle_input(&bytes),
            Parser::Live(reader, _) if self.has_ended => reader.finish(),
            Parser::Live(reader, _) => reader.handle_input(&bytes),
            Parser::Mp4(_) => {}
        }
        Ok(true)
    }

    fn new_parser(&self) -> Result<Parser, InputError> {
        Ok(match self.format {
            InputFormat::Flv => Parser::Flv(flv::Reader::new(), None),
            InputFormat::AnnexB(codec) if self.is_pipe() && self.options.frame_rate.is_none() => {
                Parser::Live(UnitReader::new(codec), LiveClock::default())
            }
            InputFormat::AnnexB(codec) => Parser::AnnexB(TagReader::new(
                codec,
                self.options.frame_rate,
                hevc_form(self.options),
            )),
            InputFormat::Mp4 => {
                let opened = match &self.source {
                    Source::File { path, .. } => Mp4File::open(path, hevc_form(self.options)),
                    Source::Bytes(_) | Source::Pipe { .. } => Err(Mp4FileError::Pipe),
                };
                let file = opened.map_err(|cause| InputError::Mp4 {
                    name: self.name.clone(),
                    cause,
                })?;
                Parser::Mp4(Box::new(file))
            }
        })
    }
}

fn is_stdin_a_file() -> bool {
    let stdin = io::stdin().as_fd().try_clone_to_owned();
    let metadata = stdin.and_then(|stdin| File::from(stdin).metadata());
    metadata.is_ok_and(|metadata| metadata.is_file())
}

/// FLV time has 32 bits: a recording that runs over their end goes on beyond it.
fn unwrap_time(tag: &mut Tag, last: &mut Option<i64>) {
    if tag.kind == TagKind::Script || tag.is_sequence_header() {
        return;
    }
    if let Some(last) = last {
        let low = |dts: i64| u32::try_from(dts & i64::from(u32::MAX)).unwrap_or(0);
        let step = low(tag.dts).wrapping_sub(low(*last)).cast_signed();
        tag.dts = *last + i64::from(step);
    }
    *last = Some(tag.dts);
}

fn hevc_form(options: InputOptions) -> HevcForm {
    if options.uses_codec_id_12 {
        HevcForm::CodecId12
    } else {
        HevcForm::Enhanced
    }
}

impl LiveClock {
    /// Arrival in milliseconds is the dts; frames that come in one read stay apart.
    fn stamp(&mut self, unit: &crate::media::annexb::AccessUnit, arrival: i64, form: HevcForm) {
        let dts = self.last.map_or(arrival, |last| arrival.max(last + 1));
        self.last = Some(dts);
        self.frame_rate = unit.frame_rate.or(self.frame_rate);
        // Encoders with B-frames give a picture that is shown after its successors first.
        let frame_ms = 1000.0 / self.frame_rate.unwrap_or(FRAME_RATE_DEFAULT);
        let cts = (f64::from(unit.composition_frames) * frame_ms).clamp(0.0, CTS_MAX_MS);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "clamped to what fits into 23 bits"
        )]
        let cts = cts.round() as i32;
        if let Some(header) = unit.sequence_header(form) {
            self.ready.push_back(Tag::video(dts, header));
        }
        self.ready.push_back(Tag::video(dts, unit.body(cts, form)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::annexb::AnnexBCodec;

    #[test]
    fn time_goes_on_beyond_the_bits_of_a_file() {
        for (name, times, expected) in [
            (
                "31 bits",
                [i32::MAX - 10, i32::MIN + 29],
                [0x7FFF_FFF5, 0x8000_001D],
            ),
            ("32 bits", [-20, 20], [-20, 20]),
            ("a step back", [1000, 960], [1000, 960]),
        ] {
            let mut last = None;
            let frames = times.map(|time| {
                let mut tag = Tag::audio(i64::from(time), vec![0xAF, 1, 0]);
                unwrap_time(&mut tag, &mut last);
                let mut header = Tag::audio(0, vec![0xAF, 0, 0x12, 0x10]);
                unwrap_time(&mut header, &mut last);
                assert_eq!(header.dts, 0, "{name}");
                tag.dts
            });
            assert_eq!(frames, expected, "{name}");
        }
    }

    #[test]
    fn frames_of_a_live_byte_stream_stay_apart() {
        let mut clock = LiveClock::default();
        let unit = crate::media::annexb::AccessUnit {
            codec: AnnexBCodec::Avc,
            is_keyframe: false,
            config: None,
            frame: vec![0, 0, 0, 1, 0x41],
            composition_frames: 2,
            frame_rate: Some(50.0),
        };
        for arrival in [100, 100, 100, 140, 120] {
            clock.stamp(&unit, arrival, HevcForm::Enhanced);
        }
        let times: Vec<i64> = clock.ready.iter().map(|tag| tag.dts).collect();
        assert_eq!(times, [100, 101, 102, 140, 141]);
        // Two frames of 20 ms from decoding to display.
        let expected = flv::avc_frame(false, 40, &unit.frame);
        assert!(clock.ready.iter().all(|tag| tag.body == expected));
    }
}
