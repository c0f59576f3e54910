//! Annex B byte streams (start codes) to access units as FLV tags.
//!
//! For raw `.h264` and `.h265` files and for encoders that write to a pipe. Three steps, each
//! incremental: `splitter.rs` cuts bytes into NAL units, `avc.rs` and `hevc.rs` say what each
//! unit is and keep the parameter sets, and [`UnitReader`] gathers units into access
//! units. [`TagReader`] adds timestamps from the frame rate; a caller that reads a live pipe
//! takes access units and stamps them with their time of arrival.
//! ITU-T H.264 Annex B and §7.4.1.2.3, ITU-T H.265 Annex B and §7.4.2.4.4.
//!
//! ```text
//! bytes ─► NAL units ─► prefix units (SEI) wait ─► first slice of a picture: the access unit
//!                       parameter sets: kept          before it is complete, a new one starts
//! ```
//!
//! An access unit is complete when the head of the next one's first slice has arrived, so a live
//! stream is late by one frame; [`UnitReader::finish`] gives the last one. Parameter sets,
//! delimiters, filler and end markers are not repeated inside frames: the sets travel in the
//! sequence header, which is given again whenever they change.

mod avc;
mod hevc;
mod order;
mod splitter;

use std::collections::VecDeque;

use crate::media::codec::nal::put_length_prefixed;
use crate::media::flv::{
    HevcForm, Tag, avc_frame, avc_sequence_header, hevc_frame, hevc_sequence_header,
};

use avc::AvcStream;
use hevc::HevcStream;
use order::OutputOrder;
use splitter::Splitter;

/// Largest access unit accepted unless told otherwise: 8 MiB are eight times an intra picture
/// of 4K video at 200 Mbit/s and 25 frames per second.
pub const UNIT_SIZE_MAX: usize = 8 * 1024 * 1024;

/// Frame rate of files that do not say theirs and whose caller does not either.
pub const FRAME_RATE_DEFAULT: f64 = 25.0;

/// Bytes of a slice that hold all header fields that are looked at, with room: five Exp-Golomb
/// numbers of at most 8 bytes and three fixed ones of at most 2, emulation prevention included.
const SLICE_HEAD_SIZE: usize = 64;

/// Parameter sets are tens of bytes, a few hundred with scaling lists; longer ones are left out.
const PARAMETER_SET_SIZE_MAX: usize = 4096;

/// Which byte stream it is; the stream itself does not say. See [`sniff`](crate::media::sniff).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnnexBCodec {
    /// H.264.
    Avc,
    /// HEVC, H.265.
    Hevc,
}

/// Why a byte stream could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnnexBError {
    /// A NAL unit or access unit is larger than the reader was told to accept.
    #[error("access unit of more than {limit} bytes")]
    UnitTooLarge {
        /// The largest access unit allowed.
        limit: usize,
    },
    /// The input ended, and there was no access unit with its parameter sets in it.
    #[error("no picture with its parameter sets found; not an Annex B stream of this codec?")]
    NoPicture,
}

/// One picture as FLV carries it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessUnit {
    /// The codec.
    pub codec: AnnexBCodec,
    /// Whether decoding can start here (IDR, recovery point, IRAP).
    pub is_keyframe: bool,
    /// The avcC or hvcC record, with the first access unit and whenever it changes.
    pub config: Option<Vec<u8>>,
    /// NAL units, each behind a four-byte length.
    pub frame: Vec<u8>,
    /// How many frames after its decoding this picture is shown, at least 0.
    pub composition_frames: u32,
    /// Frames per second by the SPS, if it says so.
    pub frame_rate: Option<f64>,
}

impl AccessUnit {
    /// The body of the sequence header that must precede this frame, if one must.
    pub fn sequence_header(&self, hevc_form: HevcForm) -> Option<Vec<u8>> {
        let record = self.config.as_deref()?;
        Some(match self.codec {
            AnnexBCodec::Avc => avc_sequence_header(record),
            AnnexBCodec::Hevc => hevc_sequence_header(record, hevc_form),
        })
    }

    /// The body of the frame. `cts` is the composition time offset in milliseconds:
    /// `composition_frames` times the frame duration.
    pub fn body(&self, cts: i32, hevc_form: HevcForm) -> Vec<u8> {
        match self.codec {
            AnnexBCodec::Avc => avc_frame(self.is_keyframe, cts, &self.frame),
            AnnexBCodec::Hevc => hevc_frame(self.is_keyframe, cts, &self.frame, hevc_form),
        }
    }
}

/// What a codec makes of one NAL unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Goes before the next slice.
    Prefix { is_recovery_point: bool },
    /// Belongs to the picture that is being gathered.
    Suffix,
    /// Slice data; `starts_picture` unless it continues the picture being gathered.
    Slice { starts_picture: bool },
    /// Taken in, or of no use inside a frame.
    Nothing,
}

/// What a codec says about a picture at its first slice.
#[derive(Debug, Clone, PartialEq)]
struct Picture {
    is_keyframe: bool,
    config: Option<Vec<u8>>,
    frame_rate: Option<f64>,
    /// The picture order count, if it is coded, and whether counting started anew.
    pic_order: Option<(i64, bool)>,
    /// By how many frames output may lag behind decoding, if the SPS says so.
    reorder_max: Option<u32>,
}

#[derive(Debug)]
enum CodecStream {
    Avc(AvcStream),
    Hevc(HevcStream),
}

/// Reads access units from a byte stream.
///
/// Holds the bytes handed in and not yet given out, at most two access units of
/// `unit_size_max` when the caller polls until `None` after each piece.
#[derive(Debug)]
pub struct UnitReader {
    codec: AnnexBCodec,
    splitter: Splitter,
    stream: CodecStream,
    order: OutputOrder,
    /// The access unit being gathered.
    current: Option<AccessUnit>,
    /// Units that go before the next slice, each behind its length.
    prefix: Vec<u8>,
    is_recovery_point: bool,
    ready: Option<AccessUnit>,
    unit_size_max: usize,
    failed: Option<AnnexBError>,
    units: u64,
    dropped_pictures: u64,
}

impl UnitReader {
    /// A reader at the start of a stream.
    pub fn new(codec: AnnexBCodec) -> Self {
        Self::with_unit_size_max(codec, UNIT_SIZE_MAX)
    }

    /// A reader that refuses access units longer than `unit_size_max` bytes.
    pub fn with_unit_size_max(codec: AnnexBCodec, unit_size_max: usize) -> Self {
        let (stream, poc_step) = match codec {
            AnnexBCodec::Avc => (CodecStream::Avc(AvcStream::default()), 2),
            AnnexBCodec::Hevc => (CodecStream::Hevc(HevcStream::default()), 1),
        };
        Self {
            codec,
            splitter: Splitter::new(unit_size_max),
            stream,
            order: OutputOrder::new(poc_step),
            current: None,
            prefix: Vec::new(),
            is_recovery_point: false,
            ready: None,
            unit_size_max,
            failed: None,
            units: 0,
            dropped_pictures: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.splitter.push(bytes);
        }
    }

    /// The next complete access unit, or `None` when more input is needed.
    ///
    /// # Errors
    /// [`AnnexBError::UnitTooLarge`], and the same ever after.
    pub fn poll_unit(&mut self) -> Result<Option<AccessUnit>, AnnexBError> {
        if self.failed.is_none() {
            self.failed = self.advance().err();
        }
        // What was complete before the fault comes out before it.
        let unit = self.ready.take();
        self.units += u64::from(unit.is_some());
        match self.failed {
            Some(error) if unit.is_none() => Err(error),
            _ => Ok(unit),
        }
    }

    /// Says that the input has ended; the last access unit comes out of the next
    /// [`poll_unit`](Self::poll_unit).
    pub fn finish(&mut self) {
        self.splitter.finish();
    }

    /// Whether anything was readable, to be asked when the input has ended and was polled.
    ///
    /// # Errors
    /// [`AnnexBError::NoPicture`] when no access unit came out; what failed before, otherwise.
    pub fn outcome(&self) -> Result<(), AnnexBError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.units == 0 => Err(AnnexBError::NoPicture),
            None => Ok(()),
        }
    }

    /// Pictures left out because their parameter sets had not come yet.
    pub fn dropped_pictures(&self) -> u64 {
        self.dropped_pictures
    }

    /// Reads units until an access unit is ready or no more have come.
    fn advance(&mut self) -> Result<(), AnnexBError> {
        while self.ready.is_none() {
            match self.splitter.next_unit() {
                Ok(Some(unit)) => self.on_unit(&unit)?,
                fault_or_nothing => {
                    let is_end = fault_or_nothing.is_ok() && self.splitter.is_finished();
                    if is_end || self.has_next_begun() {
                        self.ready = self.current.take();
                    }
                    return fault_or_nothing.map(|_| ());
                }
            }
        }
        Ok(())
    }

    /// Whether the unit that is still coming in starts a picture. Without this a live stream
    /// would be late by two frames: the end of a unit shows only when the next one starts.
    fn has_next_begun(&self) -> bool {
        let head = self.splitter.head();
        head.len() >= SLICE_HEAD_SIZE
            && match &self.stream {
                CodecStream::Avc(stream) => stream.begins_picture(head),
                CodecStream::Hevc(stream) => stream.begins_picture(head),
            }
    }

    fn on_unit(&mut self, unit: &[u8]) -> Result<(), AnnexBError> {
        let role = match &mut self.stream {
            CodecStream::Avc(stream) => stream.on_unit(unit),
            CodecStream::Hevc(stream) => stream.on_unit(unit),
        };
        match role {
            Role::Nothing => {}
            Role::Prefix { is_recovery_point } => {
                self.is_recovery_point |= is_recovery_point;
                put_length_prefixed(&mut self.prefix, unit);
            }
            Role::Suffix => {
                if let Some(current) = &mut self.current {
                    put_length_prefixed(&mut current.frame, unit);
                }
            }
            Role::Slice { starts_picture } => {
                if starts_picture {
                    self.ready = self.current.take();
                    self.current = self.start_picture(unit);
                }
                if let Some(current) = &mut self.current {
                    current.frame.append(&mut self.prefix);
                    put_length_prefixed(&mut current.frame, unit);
                }
                self.prefix.clear();
                self.is_recovery_point = false;
            }
        }
        let size = self.current.as_ref().map_or(0, |unit| unit.frame.len());
        if size.saturating_add(self.prefix.len()) > self.unit_size_max {
            return Err(AnnexBError::UnitTooLarge {
                limit: self.unit_size_max,
            });
        }
        Ok(())
    }

    fn start_picture(&mut self, unit: &[u8]) -> Option<AccessUnit> {
        let picture = match &mut self.stream {
            CodecStream::Avc(stream) => stream.start_picture(unit, self.is_recovery_point),
            CodecStream::Hevc(stream) => stream.start_picture(unit),
        };
        let Some(picture) = picture else {
            self.dropped_pictures += 1;
            return None;
        };
        Some(AccessUnit {
            codec: self.codec,
            is_keyframe: picture.is_keyframe,
            composition_frames: self.order.place(picture.pic_order, picture.reorder_max),
            config: picture.config,
            frame: Vec::new(),
            frame_rate: picture.frame_rate,
        })
    }
}

/// Reads FLV tags from a byte stream, with timestamps counted from 0 by the frame rate.
#[derive(Debug)]
pub struct TagReader {
    units: UnitReader,
    hevc_form: HevcForm,
    /// What the caller said; goes before what the SPS says.
    frame_rate: Option<f64>,
    clock: FrameClock,
    ready: VecDeque<Tag>,
}

impl TagReader {
    /// A reader at the start of a stream. Without `frame_rate` the rate is that of the SPS,
    /// and [`FRAME_RATE_DEFAULT`] when it gives none; a rate that is not above 0 is not used.
    pub fn new(codec: AnnexBCodec, frame_rate: Option<f64>, hevc_form: HevcForm) -> Self {
        Self {
            units: UnitReader::new(codec),
            hevc_form,
            frame_rate: frame_rate.filter(|rate| rate.is_finite() && *rate > 0.0),
            clock: FrameClock::new(FRAME_RATE_DEFAULT),
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        self.units.handle_input(bytes);
    }

    /// The next tag, or `None` when more input is needed. A sequence header has the dts of
    /// the frame behind it.
    ///
    /// # Errors
    /// As [`UnitReader::poll_unit`].
    pub fn poll_tag(&mut self) -> Result<Option<Tag>, AnnexBError> {
        if self.ready.is_empty()
            && let Some(unit) = self.units.poll_unit()?
        {
            if unit.config.is_some() || self.clock.frames == 0 {
                let rate = self.frame_rate.or(unit.frame_rate);
                self.clock.set_rate(rate.unwrap_or(FRAME_RATE_DEFAULT));
            }
            let dts = self.clock.at(0);
            let cts = self.clock.at(unit.composition_frames) - dts;
            self.clock.frames += 1;
            if let Some(body) = unit.sequence_header(self.hevc_form) {
                self.ready.push_back(Tag::video(dts, body));
            }
            let cts = i32::try_from(cts).unwrap_or(0);
            let body = unit.body(cts, self.hevc_form);
            self.ready.push_back(Tag::video(dts, body));
        }
        Ok(self.ready.pop_front())
    }

    /// Says that the input has ended; the last tag comes out of the next [`poll_tag`](Self::poll_tag).
    pub fn finish(&mut self) {
        self.units.finish();
    }

    /// As [`UnitReader::outcome`].
    ///
    /// # Errors
    /// As [`UnitReader::outcome`].
    pub fn outcome(&self) -> Result<(), AnnexBError> {
        self.units.outcome()
    }
}

/// Milliseconds by frame count, without drift.
#[derive(Debug, Clone, Copy)]
struct FrameClock {
    /// Time at which the present rate began.
    start_ms: f64,
    /// Frames since then.
    frames: u32,
    rate: f64,
}

impl FrameClock {
    fn new(rate: f64) -> Self {
        Self {
            start_ms: 0.0,
            frames: 0,
            rate,
        }
    }

    fn set_rate(&mut self, rate: f64) {
        if rate != self.rate {
            self.start_ms += f64::from(self.frames) * 1000.0 / self.rate;
            self.frames = 0;
            self.rate = rate;
        }
    }

    /// The time of the frame that comes after `later` more frames.
    fn at(&self, later: u32) -> i64 {
        let frames = f64::from(self.frames) + f64::from(later);
        let ms = self.start_ms + frames * 1000.0 / self.rate;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float to integer cast saturates, and rounding is what is wanted"
        )]
        let rounded = ms.round() as i64;
        rounded
    }
}

#[cfg(test)]
mod tests;
