//! The facts of a recorded conversation as lines of text, each a name and its value.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::packets;
use super::{Extent, Facts, FlightError, LASTED_MAX, Resume, VERSION};

const TITLE: &str = "millstream flight ";

/// The latest start that is believed: Unix time of the year 2242 or so, in microseconds. Times of
/// packets stay far from the end of their 64 bits.
const BEGAN_MAX: Duration = Duration::from_secs(1 << 33);

/// The text, one fact a line.
pub(super) fn write(facts: &Facts) -> String {
    let mut text = format!("{TITLE}{VERSION}\n");
    let mut put = |name: &str, value: &str| {
        text.push_str(name);
        text.push(' ');
        // What a peer named may hold anything; a line is a line.
        text.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
        text.push('\n');
    };
    put("version", &facts.version);
    put("peer", &facts.peer.to_string());
    put("listener", &facts.listener.to_string());
    put("began", &seconds(facts.began));
    if let Some(stream) = &facts.stream {
        put("stream", stream);
    }
    put("received", &extent(facts.received));
    put("sent", &extent(facts.sent));
    if let Some(Resume { kept, place }) = &facts.resume {
        put("resumes", &format!("{kept} {place}"));
    }
    put("ended", &format!("{} {}", seconds(facts.lasted), facts.end));
    text
}

fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

fn extent(extent: Extent) -> String {
    let mut text = String::new();
    let Extent {
        total,
        missing,
        missing_at,
    } = extent;
    // Writing to a string cannot fail.
    write!(text, "{total} {missing}@{missing_at}").ok();
    text
}

/// Reads the text back. Lines with names that are not known are left to later versions.
///
/// # Errors
/// [`FlightError::OtherCapture`] without our title, [`FlightError::Newer`],
/// [`FlightError::Damaged`].
pub(super) fn read(text: &str) -> Result<Facts, FlightError> {
    let mut lines = text.lines();
    let version = lines.next().and_then(|title| title.strip_prefix(TITLE));
    let version: u32 = version
        .and_then(|version| version.trim().parse().ok())
        .ok_or(FlightError::OtherCapture)?;
    if version != VERSION {
        return Err(FlightError::Newer(version));
    }
    let lookup = Lookup(text);
    let ended = lookup.find("ended", "how it ended is not said")?;
    let (lasted, end) = ended.split_once(' ').unwrap_or((ended, ""));
    let received = lookup.extent("received", "what was received is not said")?;
    let resume = match lookup.find("resumes", "") {
        Ok(value) => Some(
            parse_resume(value, received)
                .ok_or_else(|| damaged("where it goes on behind a gap"))?,
        ),
        Err(_) => None,
    };
    let facts = Facts {
        version: lookup.find("version", "no version")?.to_owned(),
        peer: lookup.address("peer", "no address of the peer")?,
        listener: lookup.address("listener", "no address of the listener")?,
        began: parse_seconds(lookup.find("began", "no start")?)
            .filter(|began| *began <= BEGAN_MAX)
            .ok_or_else(|| damaged("its start is no time"))?,
        stream: lookup.find("stream", "").ok().map(str::to_owned),
        received,
        resume,
        sent: lookup.extent("sent", "what was sent is not said")?,
        lasted: parse_seconds(lasted)
            .filter(|lasted| *lasted <= LASTED_MAX)
            .ok_or_else(|| damaged("its length is no time"))?,
        end: end.to_owned(),
    };
    if packets::is_same(facts.peer, facts.listener) {
        return Err(damaged("both ends have one address"));
    }
    Ok(facts)
}

/// Faults of the text are faults of the first block, which begins the file.
fn damaged(what: &'static str) -> FlightError {
    FlightError::Damaged { at: 0, what }
}

/// Finds lines by their names.
struct Lookup<'a>(&'a str);

impl<'a> Lookup<'a> {
    fn find(&self, name: &str, absent: &'static str) -> Result<&'a str, FlightError> {
        let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(' ');
        let found = self.0.lines().skip(1).find_map(value);
        found.ok_or_else(|| damaged(absent))
    }

    fn address(&self, name: &str, absent: &'static str) -> Result<SocketAddr, FlightError> {
        let value = self.find(name, absent)?;
        value.parse().map_err(|_| damaged(absent))
    }

    fn extent(&self, name: &str, absent: &'static str) -> Result<Extent, FlightError> {
        let value = self.find(name, absent)?;
        parse_extent(value).ok_or_else(|| damaged(absent))
    }
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let (whole, micros) = text.split_once('.')?;
    if micros.len() != 6 {
        return None;
    }
    let micros = Duration::from_micros(micros.parse::<u32>().ok()?.into());
    Duration::from_secs(whole.parse().ok()?).checked_add(micros)
}

fn parse_resume(text: &str, received: Extent) -> Option<Resume> {
    let (kept, place) = text.split_once(' ')?;
    let resume = Resume {
        kept: kept.parse().ok()?,
        place: place.parse().ok()?,
    };
    let range = received.missing_at..=received.kept();
    range.contains(&resume.kept).then_some(resume)
}

fn parse_extent(text: &str) -> Option<Extent> {
    let (total, gap) = text.split_once(' ')?;
    let (missing, missing_at) = gap.split_once('@')?;
    let extent = Extent {
        total: total.parse().ok()?,
        missing: missing.parse().ok()?,
        missing_at: missing_at.parse().ok()?,
    };
    let kept = extent.total.checked_sub(extent.missing)?;
    (extent.missing_at <= kept).then_some(extent)
}
