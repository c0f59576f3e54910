//! Fragments (moof): the samples of one stretch of time.
//!
//! ISO/IEC 14496-12 §8.8. A moof has one traf or more, each of these a tfhd (track, defaults), a
//! tfdt (dts of the first sample) and truns (samples). What a trun leaves out comes from the
//! tfhd, and what that leaves out from the trex of the track in the moov.

use super::boxes::{self, Boxes};
use super::table::RawSample;
use super::{Mp4Error, cut_short};
use crate::wire::Reader;

/// sample_is_non_sync_sample.
const FLAG_NOT_KEYFRAME: u32 = 0x0001_0000;

/// What samples of a fragment are like unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Defaults {
    /// Index of the sample description, from 1.
    pub(super) description: u32,
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// Reads a trex body: track id and defaults.
pub(super) fn parse_trex(body: &[u8]) -> Result<(u32, Defaults), Mp4Error> {
    let mut reader = Reader::new(body);
    boxes::version_and_flags(&mut reader, b"trex")?;
    let mut field = || reader.u32().map_err(cut_short(b"trex"));
    Ok((
        field()?,
        Defaults {
            description: field()?,
            duration: field()?,
            size: field()?,
            flags: field()?,
        },
    ))
}

/// The part of a moof that is about one track.
#[derive(Debug)]
pub(super) struct TrackFragment<'a> {
    pub(super) track_id: u32,
    pub(super) base: Base,
    /// Fields that the tfhd gives.
    overrides: [Option<u32>; 4],
    pub(super) decode_time: Option<u64>,
    traf: &'a [u8],
}

/// What the offsets of a track fragment count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// The start of the file.
    File(u64),
    /// The first byte of the moof.
    Moof,
    /// The end of the data of the traf before this one; the moof for the first.
    Previous,
}

impl<'a> TrackFragment<'a> {
    /// Reads tfhd and tfdt of a traf body.
    pub(super) fn parse(traf: &'a [u8]) -> Result<Self, Mp4Error> {
        let mut tfhd = Reader::new(boxes::need(traf, b"tfhd")?);
        let (_, flags) = boxes::version_and_flags(&mut tfhd, b"tfhd")?;
        let track_id = tfhd.u32().map_err(cut_short(b"tfhd"))?;
        let base = if flags & 0x00_0001 != 0 {
            Base::File(tfhd.u64().map_err(cut_short(b"tfhd"))?)
        } else if flags & 0x02_0000 != 0 {
            Base::Moof
        } else {
            Base::Previous
        };
        let mut overrides = [None; 4];
        for (slot, flag) in overrides.iter_mut().zip([0x02, 0x08, 0x10, 0x20]) {
            if flags & flag != 0 {
                *slot = Some(tfhd.u32().map_err(cut_short(b"tfhd"))?);
            }
        }
        let decode_time = match boxes::find(traf, b"tfdt")? {
            None => None,
            Some(body) => {
                let mut tfdt = Reader::new(body);
                let (version, _) = boxes::version_and_flags(&mut tfdt, b"tfdt")?;
                Some(match version {
                    0 => u64::from(tfdt.u32().map_err(cut_short(b"tfdt"))?),
                    _ => tfdt.u64().map_err(cut_short(b"tfdt"))?,
                })
            }
        };
        Ok(Self {
            track_id,
            base,
            overrides,
            decode_time,
            traf,
        })
    }

    /// The defaults of the track, with what this fragment changes.
    pub(super) fn defaults(&self, track: Defaults) -> Defaults {
        let [description, duration, size, flags] = self.overrides;
        Defaults {
            description: description.unwrap_or(track.description),
            duration: duration.unwrap_or(track.duration),
            size: size.unwrap_or(track.size),
            flags: flags.unwrap_or(track.flags),
        }
    }

    /// The runs, with offsets from `base` and times from `dts`. The answer is where their data
    /// end.
    pub(super) fn runs(
        &self,
        defaults: Defaults,
        base: u64,
        mut dts: u64,
        mut take: impl FnMut(Run),
    ) -> Result<u64, Mp4Error> {
        let mut offset = base;
        for found in Boxes::new(self.traf) {
            let found = found?;
            if found.kind == *b"trun" {
                let run = Run::parse(found.body, defaults, base, offset, dts)?;
                let end = run.end();
                (offset, dts) = (end.offset, end.dts);
                take(run);
            }
        }
        Ok(offset)
    }
}

/// The samples of a trun.
#[derive(Debug, Clone)]
pub(super) struct Run {
    defaults: Defaults,
    /// By trun flag: duration, size, flags, composition offset of each sample.
    has: [bool; 4],
    first_flags: Option<u32>,
    /// Fields of the samples; `bytes.len() >= left * 4 * fields`.
    bytes: Vec<u8>,
    at: usize,
    left: u32,
    offset: u64,
    dts: u64,
}

impl Run {
    fn parse(
        body: &[u8],
        defaults: Defaults,
        base: u64,
        after_previous: u64,
        dts: u64,
    ) -> Result<Self, Mp4Error> {
        let mut reader = Reader::new(body);
        let (_, flags) = boxes::version_and_flags(&mut reader, b"trun")?;
        let count = reader.u32().map_err(cut_short(b"trun"))?;
        let mut offset = after_previous;
        if flags & 0x01 != 0 {
            let distance = reader.u32().map_err(cut_short(b"trun"))?.cast_signed();
            offset = base.saturating_add_signed(i64::from(distance));
        }
        let first_flags = match flags & 0x04 {
            0 => None,
            _ => Some(reader.u32().map_err(cut_short(b"trun"))?),
        };
        let has = [0x100, 0x200, 0x400, 0x800].map(|flag| flags & flag != 0);
        if !has[1] && defaults.size == 0 && count > 0 {
            // Nothing but the count would bound it.
            return Err(Mp4Error::OutOfRange {
                field: "default_sample_size",
                value: 0,
            });
        }
        let fields = has.into_iter().filter(|&has| has).count();
        let size = u64::from(count).saturating_mul(4 * fields as u64);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = reader.bytes(size).map_err(cut_short(b"trun"))?;
        Ok(Self {
            defaults,
            has,
            first_flags,
            bytes: bytes.to_vec(),
            at: 0,
            left: count,
            offset,
            dts,
        })
    }

    /// Bytes of memory that it takes up; the same from its first sample to its last.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }

    /// The next sample; samples of no bytes are passed over.
    pub(super) fn step(&mut self) -> Option<RawSample> {
        loop {
            let sample = self.step_any()?;
            if sample.size > 0 {
                return Some(sample);
            }
        }
    }

    fn step_any(&mut self) -> Option<RawSample> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader::new(self.bytes.get(self.at..)?);
        let before = reader.remaining();
        let [has_duration, has_size, has_flags, has_composition] = self.has;
        let mut field = |has: bool, default: u32| match has {
            true => reader.u32().ok(),
            false => Some(default),
        };
        let duration = field(has_duration, self.defaults.duration)?;
        let size = field(has_size, self.defaults.size)?;
        let flags = field(has_flags, self.defaults.flags)?;
        // Read as signed in version 0 too, as in sample tables.
        let composition_offset = field(has_composition, 0)?.cast_signed();
        self.at += before - reader.remaining();
        let flags = self.first_flags.take().unwrap_or(flags);
        let description = self.defaults.description.saturating_sub(1);
        let sample = RawSample {
            offset: self.offset,
            size,
            dts: self.dts,
            composition_offset,
            is_keyframe: flags & FLAG_NOT_KEYFRAME == 0,
            description: usize::try_from(description).unwrap_or(usize::MAX),
        };
        self.offset = self.offset.saturating_add(u64::from(size));
        self.dts = self.dts.saturating_add(u64::from(duration));
        Some(sample)
    }

    /// The least composition offset that is not below `floor`; 0 if all are positive.
    pub(super) fn least_composition_offset(&self, floor: i32) -> i32 {
        if !self.has[3] {
            return 0;
        }
        let mut walk = self.clone();
        let offsets = std::iter::from_fn(|| walk.step());
        offsets
            .map(|sample| sample.composition_offset)
            .filter(|&offset| offset >= floor)
            .fold(0, i32::min)
    }

    /// Where it is when all samples were taken.
    pub(super) fn end(&self) -> End {
        let [has_duration, has_size, ..] = self.has;
        if !has_duration && !has_size {
            let times = |each: u32| u64::from(self.left) * u64::from(each);
            return End {
                offset: self.offset.saturating_add(times(self.defaults.size)),
                dts: self.dts.saturating_add(times(self.defaults.duration)),
            };
        }
        let mut walk = self.clone();
        while walk.step_any().is_some() {}
        End {
            offset: walk.offset,
            dts: walk.dts,
        }
    }
}

/// End of a run.
pub(super) struct End {
    pub(super) offset: u64,
    pub(super) dts: u64,
}
