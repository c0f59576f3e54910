//! One track: what it is, and its samples in milliseconds.
//!
//! ISO/IEC 14496-12 §8.3 to §8.6: trak, tkhd, mdia, mdhd, hdlr, edts.
//!
//! Of edit lists two things are honoured: empty edits at the start, which delay the track, and
//! the media time of the first edit behind them, which is where its presentation begins. Samples
//! before that are passed on, since later ones may need them. Where an edit ends, and further
//! edits, change nothing: RTMP has no word for it, and live players play on.

use std::collections::VecDeque;

use super::boxes::{self, BoxKind};
use super::description::{self, Description, Descriptions, Skip};
use super::fragment::{Defaults, Run};
use super::table::{Cursor, RawSample, SampleTable};
use super::{Mp4Error, cut_short};
use crate::wire::Reader;

/// Farthest that a dts may be from 0, so that sums of a few of them cannot overflow: 2^48 ms is
/// 8900 years.
const TIME_MS_MAX: i64 = 1 << 48;

/// Composition offsets below this many seconds are damage, not reordering.
const LEAD_SECONDS_MAX: i64 = 10;

/// A track that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Its id in the file; 0 if that could not be read.
    pub id: u32,
    /// Its codec, `????` if unknown.
    pub codec: BoxKind,
    /// Why.
    pub reason: Skip,
    /// Whether it is sound or pictures, so that somebody may miss it.
    pub is_media: bool,
}

/// A track that is played.
#[derive(Debug, Clone)]
pub struct Track {
    id: u32,
    /// In the order of the file; `None` for those that cannot be played. The first is playable.
    descriptions: Vec<Option<Description>>,
    /// Ticks per second; not 0.
    timescale: u32,
    edit: Edit,
    /// Taken from each dts, in ticks, so that no pts is before it. Not negative.
    lead: i64,
    table: SampleTable,
    cursor: Cursor,
    pub(super) defaults: Defaults,
    runs: VecDeque<Run>,
    /// Bytes that `runs` take up.
    held: usize,
    /// Where the last fragment ended, in ticks.
    pub(super) fragments_end: u64,
    next: Option<TimedSample>,
    last_dts_ms: i64,
    is_stopped: bool,
}

/// What an edit list does to the times of a track.
#[derive(Debug, Clone, Copy)]
struct Edit {
    /// Where the presentation begins, in ticks of the media.
    media_time: i64,
    /// How long it waits before that, in ticks of the movie; not negative. Kept so, since a tick
    /// of the media can be 40 ms and more.
    delay: i64,
    /// Ticks of the movie per second; not 0.
    movie_timescale: u32,
}

/// A sample in milliseconds, without its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimedSample {
    pub(super) raw: RawSample,
    pub(super) dts_ms: i64,
    pub(super) pts_ms: i64,
}

impl Track {
    /// Reads a trak body. `movie_timescale` is what empty edits count in.
    pub(super) fn parse(trak: &[u8], movie_timescale: u32) -> Result<Self, Skipped> {
        let id = boxes::need(trak, b"tkhd").and_then(parse_tkhd).unwrap_or(0);
        let mut codec = *b"????";
        let mut is_media = true;
        Self::try_parse(trak, movie_timescale, id, &mut codec, &mut is_media).map_err(|reason| {
            Skipped {
                id,
                codec,
                reason,
                is_media,
            }
        })
    }

    fn try_parse(
        trak: &[u8],
        movie_timescale: u32,
        id: u32,
        codec: &mut BoxKind,
        is_media: &mut bool,
    ) -> Result<Self, Skip> {
        let mdia = boxes::need(trak, b"mdia")?;
        let handler = boxes::need(mdia, b"hdlr")?;
        // version, flags and predefined come before it.
        let handler = handler.get(8..).and_then(|rest| rest.first_chunk::<4>());
        *is_media = matches!(handler, Some(b"vide" | b"soun"));
        let stbl = boxes::need(boxes::need(mdia, b"minf")?, b"stbl")?;
        let parsed = description::parse_stsd(boxes::need(stbl, b"stsd")?)?;
        if let Some((name, _)) = parsed.first() {
            *codec = *name;
        }
        if !*is_media {
            return Err(Skip::Kind);
        }
        let descriptions = playable(parsed)?;
        let timescale = parse_mdhd(boxes::need(mdia, b"mdhd")?)?;
        let table = SampleTable::parse(stbl)?;
        let elst = match boxes::find(trak, b"edts")? {
            None => None,
            Some(edts) => boxes::find(edts, b"elst")?,
        };
        let mut edit = Edit {
            media_time: 0,
            delay: 0,
            movie_timescale: movie_timescale.max(1),
        };
        elst.map_or(Ok(()), |elst| edit.read_elst(elst))?;
        let mut track = Self {
            id,
            descriptions,
            timescale,
            edit,
            lead: 0,
            table,
            cursor: Cursor::default(),
            defaults: Defaults::default(),
            runs: VecDeque::new(),
            held: 0,
            fragments_end: 0,
            next: None,
            last_dts_ms: i64::MIN,
            is_stopped: false,
        };
        let least = track.table.least_composition_offset(track.lead_floor());
        track.lead = -i64::from(least);
        Ok(track)
    }

    /// Its number in the file.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The sample descriptions, `None` for those that cannot be played.
    pub fn descriptions(&self) -> &[Option<Description>] {
        &self.descriptions
    }

    /// Whether it is pictures.
    pub fn is_video(&self) -> bool {
        let mut playable = self.descriptions.iter().flatten();
        playable.any(|description| description.codec.is_video())
    }

    /// The description of this index, if it can be played.
    pub fn description(&self, index: usize) -> Option<&Description> {
        self.descriptions.get(index)?.as_ref()
    }

    /// The first description that can be played, with its index.
    pub fn first_description(&self) -> Option<(usize, &Description)> {
        let mut indexed = self.descriptions.iter().enumerate();
        indexed.find_map(|(index, description)| Some((index, description.as_ref()?)))
    }

    pub(super) fn push_run(&mut self, run: Run) {
        let least = run.least_composition_offset(self.lead_floor());
        self.lead = self.lead.max(-i64::from(least));
        self.held += run.held();
        self.runs.push_back(run);
    }

    /// Bytes that fragments hold which are not played yet.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether it has no sample to give, and could get one.
    pub(super) fn is_hungry(&mut self) -> bool {
        !self.is_stopped && self.peek().is_none()
    }

    /// Gives no samples from now on.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.next = None;
        self.runs.clear();
        self.held = 0;
    }

    /// The sample that [`take`](Self::take) will give.
    pub(super) fn peek(&mut self) -> Option<TimedSample> {
        if self.next.is_none() && !self.is_stopped {
            let raw = self.step()?;
            let pts = i128::from(raw.dts) + i128::from(raw.composition_offset);
            // A fragment may raise the lead; time does not go back for it.
            let dts_ms = self
                .ms(i128::from(raw.dts) - i128::from(self.lead))
                .max(self.last_dts_ms);
            self.last_dts_ms = dts_ms;
            self.next = Some(TimedSample {
                raw,
                dts_ms,
                pts_ms: self.ms(pts),
            });
        }
        self.next
    }

    pub(super) fn take(&mut self) -> Option<TimedSample> {
        self.peek()?;
        self.next.take()
    }

    fn step(&mut self) -> Option<RawSample> {
        if let Some(raw) = self.table.step(&mut self.cursor) {
            return Some(raw);
        }
        loop {
            if let Some(raw) = self.runs.front_mut()?.step() {
                return Some(raw);
            }
            self.held -= self.runs.pop_front()?.held();
        }
    }

    /// Ticks of the media to milliseconds of the presentation, to the nearest, from the start
    /// each time: nothing adds up. At most 2^110 or so is reached on the way.
    fn ms(&self, ticks: i128) -> i64 {
        let media = i128::from(self.timescale);
        let movie = i128::from(self.edit.movie_timescale);
        let ticks = ticks - i128::from(self.edit.media_time);
        let whole = 1000 * (ticks * movie + i128::from(self.edit.delay) * media);
        let per_ms = media * movie;
        let ms = (whole + per_ms / 2).div_euclid(per_ms);
        let limit = i128::from(TIME_MS_MAX);
        i64::try_from(ms.clamp(-limit, limit)).unwrap_or(0)
    }

    fn lead_floor(&self) -> i32 {
        let floor = -LEAD_SECONDS_MAX * i64::from(self.timescale);
        i32::try_from(floor).unwrap_or(i32::MIN)
    }
}

impl Edit {
    /// Takes in the entries up to the first that is not empty.
    fn read_elst(&mut self, body: &[u8]) -> Result<(), Mp4Error> {
        let mut reader = Reader::new(body);
        let (version, _) = boxes::version_and_flags(&mut reader, b"elst")?;
        let count = reader.u32().map_err(cut_short(b"elst"))?;
        for _ in 0..count {
            let mut field = || match version {
                0 => reader.u32().map(|value| i64::from(value.cast_signed())),
                _ => reader.u64().map(u64::cast_signed),
            };
            let duration = field().map_err(cut_short(b"elst"))?;
            let media_time = field().map_err(cut_short(b"elst"))?;
            reader.u32().map_err(cut_short(b"elst"))?; // media_rate
            if media_time >= 0 {
                self.media_time = media_time;
                break;
            }
            self.delay = self.delay.saturating_add(duration.max(0));
        }
        Ok(())
    }
}

/// The descriptions if the first that is playable decides on a kind; the others must be of it.
fn playable(parsed: Descriptions) -> Result<Vec<Option<Description>>, Skip> {
    let first_failed = parsed
        .iter()
        .find_map(|(_, outcome)| outcome.as_ref().err());
    let reason = first_failed.copied().unwrap_or(Skip::Record);
    let mut is_video = None;
    let outcomes = parsed.into_iter().map(|(_, outcome)| outcome.ok());
    let mut descriptions: Vec<_> = outcomes.collect();
    for slot in &mut descriptions {
        let Some(description) = slot else { continue };
        let is_this = description.codec.is_video();
        if *is_video.get_or_insert(is_this) != is_this {
            *slot = None;
        }
    }
    is_video.map(|_| descriptions).ok_or(reason)
}

/// The track id.
fn parse_tkhd(body: &[u8]) -> Result<u32, Mp4Error> {
    let mut reader = Reader::new(body);
    let (version, _) = boxes::version_and_flags(&mut reader, b"tkhd")?;
    let times = if version == 0 { 8 } else { 16 };
    reader.bytes(times).map_err(cut_short(b"tkhd"))?;
    reader.u32().map_err(cut_short(b"tkhd"))
}

/// The timescale of the media.
fn parse_mdhd(body: &[u8]) -> Result<u32, Mp4Error> {
    let mut reader = Reader::new(body);
    let (version, _) = boxes::version_and_flags(&mut reader, b"mdhd")?;
    let times = if version == 0 { 8 } else { 16 };
    reader.bytes(times).map_err(cut_short(b"mdhd"))?;
    match reader.u32().map_err(cut_short(b"mdhd"))? {
        0 => Err(Mp4Error::OutOfRange {
            field: "timescale",
            value: 0,
        }),
        timescale => Ok(timescale),
    }
}

impl From<Mp4Error> for Skip {
    fn from(error: Mp4Error) -> Self {
        Self::Damaged(error)
    }
}
