//! The playlist as text, the names of its pieces, and which requests for it wait.
//!
//! RFC 8216bis: §4.4.3 and §4.4.4 for the tags, §6.2.5.2 for blocking reload, appendix B for
//! low-latency servers.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::segmenter::{Segment, Segmenter, count};

/// What is encoded in a key: all that is not unreserved (RFC 3986 §2.3).
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What cannot stand in a query as it came, nor inside the quotes of an attribute.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#');

/// Players keep this many part targets away from the end (§4.4.3.8: at least three is advised).
const HOLD_BACK_PARTS: u32 = 3;

/// Parts are listed for this many target durations before the end (§6.2.2).
const PARTS_LISTED_TARGETS: u32 = 3;

/// A playlist may be asked for this many segments ahead (§6.2.5.2).
const SEGMENTS_AHEAD_MAX: u64 = 2;

/// A part may be asked for this many milliseconds ahead (§6.2.5.2, Advance Part Limit).
const PARTS_AHEAD_MS: u32 = 3000;

/// The name of a piece behind the stream's key and a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PieceName {
    /// `init-N.mp4`: an initialisation segment.
    Init(u64),
    /// `SEQUENCE.m4s`: a segment.
    Segment(u64),
    /// `SEQUENCE.PART.m4s`: a part of it, from 0.
    Part(u64, u64),
}

impl PieceName {
    /// Reads a name; `None` for all that [`Display`](std::fmt::Display) does not write.
    pub fn parse(name: &str) -> Option<Self> {
        let number = |digits: &str| {
            let is_plain = digits == "0" || !digits.starts_with('0');
            let is_number = is_plain && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number)
        };
        if let Some(init) = name.strip_prefix("init-") {
            return number(init.strip_suffix(".mp4")?).map(Self::Init);
        }
        let numbers = name.strip_suffix(".m4s")?;
        match numbers.split_once('.') {
            Some((sequence, part)) => Some(Self::Part(number(sequence)?, number(part)?)),
            None => number(numbers).map(Self::Segment),
        }
    }
}

impl std::fmt::Display for PieceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Init(number) => write!(f, "init-{number}.mp4"),
            Self::Segment(sequence) => write!(f, "{sequence}.m4s"),
            Self::Part(sequence, part) => write!(f, "{sequence}.{part}.m4s"),
        }
    }
}

/// What a request for the playlist gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The playlist as it is.
    Ready,
    /// It waits for the next news, and is to be looked at again then.
    Wait,
    /// What it asks for is too far in the future, or makes no sense: status 400.
    Wrong,
}

impl Segmenter {
    /// Whether a playlist request is to be answered by now, by its `_HLS_msn` and `_HLS_part`.
    ///
    /// Without these it waits only while there is no playlist yet. The caller bounds the waiting,
    /// with 503 at its end; three target durations are what the specification has in mind.
    pub fn reload(&self, sequence: Option<u64>, part: Option<u64>) -> Reload {
        let Some(sequence) = sequence else {
            return match part {
                Some(_) => Reload::Wrong,
                None => self.ready_if(true),
            };
        };
        // What is filled next; all before it is there.
        let Some((next, next_part)) = self.hint() else {
            return Reload::Ready;
        };
        // The last one of the playlist: that is the open one as soon as it has a part.
        let last = match next_part {
            0 => next.saturating_sub(1),
            _ => next,
        };
        if sequence > last.saturating_add(SEGMENTS_AHEAD_MAX) {
            return Reload::Wrong;
        }
        // A part behind the last one of its segment is the first one of the next (§6.2.5.2).
        let (sequence, part) = match (part, self.finished_segment(sequence)) {
            (Some(part), Some(segment)) if part >= count(&segment.parts) => (sequence + 1, Some(0)),
            _ => (sequence, part),
        };
        let parts_ahead_max =
            u64::from(PARTS_AHEAD_MS.div_ceil(self.part_target_ms.clamp(1, 1000)));
        match part {
            Some(part) if sequence == next && part >= next_part.saturating_add(parts_ahead_max) => {
                Reload::Wrong
            }
            Some(part) => self.ready_if((sequence, part) < (next, next_part)),
            None => self.ready_if(sequence < next),
        }
    }

    fn ready_if(&self, is_there: bool) -> Reload {
        match is_there && self.has_playlist() {
            true => Reload::Ready,
            false => Reload::Wait,
        }
    }

    /// How long a request may wait: milliseconds. Three target durations.
    pub fn wait_ms_max(&self) -> u32 {
        self.target_seconds.saturating_mul(3 * 1000)
    }

    /// Whether there is enough to play: a segment, or as many parts as players keep away from
    /// the end.
    pub fn has_playlist(&self) -> bool {
        let open = self
            .open
            .as_ref()
            .map_or(0, |open| open.segment.duration_ms());
        !self.finished.is_empty() || open >= self.hold_back_ms() || self.has_ended
    }

    /// The playlist, for a live stream of that key (the last part of the playlist's own address,
    /// without `.m3u8`). `query` is put behind each address, if it is not empty.
    pub fn playlist(&self, key: &str, query: &str) -> String {
        let text = Text {
            key: utf8_percent_encode(key, KEY).to_string(),
            query: match query {
                "" => String::new(),
                query => format!("?{}", utf8_percent_encode(query, QUERY)),
            },
            out: String::new(),
        };
        text.write(self)
    }

    fn hold_back_ms(&self) -> u32 {
        self.part_target_ms.saturating_mul(HOLD_BACK_PARTS)
    }
}

/// A playlist that is being written.
struct Text {
    key: String,
    query: String,
    out: String,
}

impl Text {
    fn write(mut self, all: &Segmenter) -> String {
        let lingering = all
            .finished
            .len()
            .saturating_sub(all.config.segments_listed);
        let finished = || all.finished.iter().skip(lingering);
        let open = all.open.as_ref().map(|open| &open.segment);
        let open = open.filter(|segment| !segment.parts.is_empty());
        let first = finished().next().or(open);

        self.line("#EXTM3U");
        self.line("#EXT-X-VERSION:9");
        self.line(&format!("#EXT-X-TARGETDURATION:{}", all.target_seconds));
        let hold_back = seconds(all.hold_back_ms());
        self.line(&format!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back}"
        ));
        let part_target = seconds(all.part_target_ms);
        self.line(&format!("#EXT-X-PART-INF:PART-TARGET={part_target}"));
        let sequence = first.map_or(all.next_sequence, |segment| segment.sequence);
        self.line(&format!("#EXT-X-MEDIA-SEQUENCE:{sequence}"));
        // Those that are no longer listed; the first one's own is.
        let gone = first.map_or(0, |segment| {
            segment.discontinuities - u64::from(segment.is_discontinuity)
        });
        if gone > 0 {
            self.line(&format!("#EXT-X-DISCONTINUITY-SEQUENCE:{gone}"));
        }

        let mut map = None;
        let open_ms = open.map_or(0, Segment::duration_ms);
        let mut to_end: u64 = u64::from(open_ms);
        to_end += finished()
            .map(|segment| u64::from(segment.duration_ms()))
            .sum::<u64>();
        let parts_ms = u64::from(all.target_seconds) * u64::from(PARTS_LISTED_TARGETS) * 1000;
        for segment in finished() {
            self.start(segment, &mut map);
            to_end = to_end.saturating_sub(u64::from(segment.duration_ms()));
            if to_end < parts_ms && !all.has_ended {
                self.parts(segment);
            }
            self.line(&format!("#EXTINF:{},", seconds(segment.duration_ms())));
            let address = self.address(PieceName::Segment(segment.sequence));
            self.line(&address);
        }
        if let Some(segment) = open {
            self.start(segment, &mut map);
            self.parts(segment);
        }
        match all.hint() {
            Some((sequence, part)) => {
                let address = self.address(PieceName::Part(sequence, part));
                self.line(&format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{address}\""));
            }
            None => self.line("#EXT-X-ENDLIST"),
        }
        self.out
    }

    /// What stands before a segment or its parts; `map` is the number of the last one told.
    fn start(&mut self, segment: &Segment, map: &mut Option<u64>) {
        if segment.is_discontinuity {
            self.line("#EXT-X-DISCONTINUITY");
        }
        if map.replace(segment.map.number) != Some(segment.map.number) {
            let address = self.address(PieceName::Init(segment.map.number));
            self.line(&format!("#EXT-X-MAP:URI=\"{address}\""));
        }
        // Times that a calendar does not reach are left out.
        if let Ok(time) = jiff::Timestamp::from_millisecond(segment.wall_ms) {
            self.line(&format!("#EXT-X-PROGRAM-DATE-TIME:{time:.3}"));
        }
    }

    fn parts(&mut self, segment: &Segment) {
        for (index, part) in (0..).zip(&segment.parts) {
            let duration = seconds(part.duration_ms);
            let address = self.address(PieceName::Part(segment.sequence, index));
            let independent = match part.is_independent {
                true => ",INDEPENDENT=YES",
                false => "",
            };
            self.line(&format!(
                "#EXT-X-PART:DURATION={duration},URI=\"{address}\"{independent}"
            ));
        }
    }

    fn address(&self, name: PieceName) -> String {
        format!("{}/{name}{}", self.key, self.query)
    }

    fn line(&mut self, line: &str) {
        // Writing to a String does not fail.
        let _infallible = writeln!(self.out, "{line}");
    }
}

/// Milliseconds as seconds with three places.
fn seconds(ms: u32) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests;
