//! The rules of RFC 8216bis, held against every playlist that a running server gives to a player
//! which follows it by blocking reloads, through a takeover and to the end.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::http::{Answer, HttpClient};
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::wait_for;

/// A playlist, read by the letter.
#[derive(Debug, Default)]
struct Playlist {
    text: String,
    version: u32,
    target: f64,
    part_target: f64,
    /// Of `EXT-X-SERVER-CONTROL`.
    control: BTreeMap<String, String>,
    sequence: u64,
    discontinuity_sequence: u64,
    segments: Vec<Segment>,
    /// Parts of the segment that is not there yet.
    open: Segment,
    hint: Option<String>,
    has_ended: bool,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Segment {
    uri: String,
    duration: f64,
    is_discontinuity: bool,
    map: String,
    time: Option<jiff::Timestamp>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    uri: String,
    duration: f64,
    is_independent: bool,
}

/// Attributes of a tag: `NAME=VALUE` with commas between them, values in quotes or not.
fn attributes(text: &str) -> BTreeMap<String, String> {
    let mut rest = text;
    let mut found = BTreeMap::new();
    while let Some((name, value)) = rest.split_once('=') {
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => value.split_at(value.find(',').unwrap_or(value.len())),
        };
        let is_new = found.insert(name.to_owned(), value.to_owned()).is_none();
        assert!(is_new, "{name} twice: {text}");
        rest = behind.strip_prefix(',').unwrap_or_default();
    }
    found
}

impl Playlist {
    #[track_caller]
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        assert!(text.ends_with('\n') && !text.contains('\r'));
        let mut playlist = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        let mut map = String::new();
        let mut duration = None;
        for line in lines {
            assert!(
                !playlist.has_ended && playlist.hint.is_none(),
                "behind the end: {line}"
            );
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let open = &mut playlist.open;
            let number = || value.trim_end_matches(',').parse::<f64>().unwrap();
            match tag {
                "#EXT-X-VERSION" => playlist.version = value.parse().unwrap(),
                "#EXT-X-TARGETDURATION" => {
                    playlist.target = f64::from(value.parse::<u32>().unwrap());
                }
                "#EXT-X-SERVER-CONTROL" => playlist.control = attributes(value),
                "#EXT-X-PART-INF" => {
                    playlist.part_target = attributes(value)["PART-TARGET"].parse().unwrap();
                }
                "#EXT-X-MEDIA-SEQUENCE" => playlist.sequence = value.parse().unwrap(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    playlist.discontinuity_sequence = value.parse().unwrap();
                }
                "#EXT-X-DISCONTINUITY" => {
                    assert!(open.parts.is_empty(), "in the middle of a segment");
                    open.is_discontinuity = true;
                }
                "#EXT-X-MAP" => {
                    assert!(open.parts.is_empty(), "in the middle of a segment");
                    map = attributes(value)["URI"].clone();
                }
                "#EXT-X-PROGRAM-DATE-TIME" => open.time = Some(value.parse().unwrap()),
                "#EXT-X-PART" => {
                    let all = attributes(value);
                    open.parts.push(Part {
                        uri: all["URI"].clone(),
                        duration: all["DURATION"].parse().unwrap(),
                        is_independent: all.get("INDEPENDENT").is_some_and(|yes| yes == "YES"),
                    });
                    open.map.clone_from(&map);
                }
                "#EXTINF" => duration = Some(number()),
                "#EXT-X-PRELOAD-HINT" => {
                    let all = attributes(value);
                    assert_eq!(all["TYPE"], "PART");
                    playlist.hint = Some(all["URI"].clone());
                }
                "#EXT-X-ENDLIST" => playlist.has_ended = true,
                uri if !uri.starts_with('#') => {
                    let mut segment = std::mem::take(open);
                    segment.uri = line.to_owned();
                    segment.duration = duration.take().unwrap();
                    segment.map.clone_from(&map);
                    playlist.segments.push(segment);
                }
                tag => panic!("{tag} is not known to this test"),
            }
        }
        playlist.check();
        playlist
    }

    /// What holds for a playlist alone.
    #[track_caller]
    fn check(&self) {
        let text = &self.text;
        // EXT-X-MAP in a playlist without I-frames only: 6; PART and the like need no number.
        assert!(self.version >= 6, "{text}");
        // §4.4.3.1: rounded to the nearest second, none is longer.
        for segment in &self.segments {
            assert!(
                segment.duration > 0.0 && segment.duration.round() <= self.target,
                "{text}"
            );
        }
        // §4.4.3.7, §4.4.4.9: no part is longer than the target, and all are nearly full but the last
        // one of a segment.
        for segment in self.segments.iter().chain([&self.open]) {
            for (index, part) in segment.parts.iter().enumerate() {
                assert!(part.duration <= self.part_target + 1e-9, "{part:?} {text}");
                let is_last = index + 1 == segment.parts.len();
                let is_full = part.duration >= 0.85 * self.part_target;
                assert!(is_full || is_last, "{part:?} {text}");
            }
            if let (Some(first), false) = (segment.parts.first(), segment.uri.is_empty()) {
                assert!(first.is_independent, "{segment:?} {text}");
                let sum: f64 = segment.parts.iter().map(|part| part.duration).sum();
                assert!((sum - segment.duration).abs() < 0.01, "{segment:?} {text}");
            }
            assert!(
                segment.parts.is_empty() || !segment.map.is_empty(),
                "{text}"
            );
        }
        // §4.4.3.8: twice the part target at least, three times is advised.
        assert_eq!(self.control["CAN-BLOCK-RELOAD"], "YES");
        let hold_back: f64 = self.control["PART-HOLD-BACK"].parse().unwrap();
        assert!(hold_back >= 3.0 * self.part_target - 1e-9, "{text}");
        if let Some(until) = self.control.get("CAN-SKIP-UNTIL") {
            assert!(until.parse::<f64>().unwrap() >= 6.0 * self.target, "{text}");
        }
        // §6.2.2: parts within three target durations of the end are listed, older ones need not be.
        let mut to_end: f64 = self.open.parts.iter().map(|part| part.duration).sum();
        for segment in self.segments.iter().rev() {
            if to_end < 3.0 * self.target && !self.has_ended {
                assert!(!segment.parts.is_empty(), "{segment:?} {text}");
            }
            to_end += segment.duration;
        }
        // §4.4.5.3, appendix B: what comes next is announced until nothing does.
        assert_eq!(self.hint.is_none(), self.has_ended, "{text}");
        // §4.4.4.6: the wall time goes forward.
        let times: Vec<_> = self
            .segments
            .iter()
            .filter_map(|segment| segment.time)
            .collect();
        assert!(times.is_sorted(), "{text}");
        assert_eq!(times.len(), self.segments.len(), "{text}");
    }

    /// What holds for a playlist that comes behind another one (§6.2.1, §6.2.2).
    #[track_caller]
    fn check_after(&self, before: &Self) {
        let (text, old) = (&self.text, &before.text);
        assert!(self.sequence >= before.sequence, "{old}{text}");
        assert!(self.end() >= before.end(), "{old}{text}");
        assert!(!before.has_ended, "{old}{text}");
        assert!((self.target - before.target).abs() < 1e-9, "{old}{text}");
        assert!(
            (self.part_target - before.part_target).abs() < 1e-9,
            "{old}{text}"
        );
        // What went is counted, and what stayed is what it was.
        let gone = usize::try_from(self.sequence - before.sequence).unwrap();
        let gone = &before.segments[..gone.min(before.segments.len())];
        let discontinuities = gone
            .iter()
            .filter(|segment| segment.is_discontinuity)
            .count();
        assert_eq!(
            self.discontinuity_sequence,
            before.discontinuity_sequence + discontinuities as u64,
            "{old}{text}"
        );
        for (mine, other) in self.segments.iter().zip(&before.segments[gone.len()..]) {
            assert_eq!(mine.uri, other.uri, "{old}{text}");
            assert!((mine.duration - other.duration).abs() < 1e-9, "{old}{text}");
            assert_eq!(mine.is_discontinuity, other.is_discontinuity, "{old}{text}");
            assert_eq!(
                (&mine.map, mine.time),
                (&other.map, other.time),
                "{old}{text}"
            );
        }
        // A live playlist does not shrink below three target durations (§6.2.2).
        let length: f64 = self.segments.iter().map(|segment| segment.duration).sum();
        assert!(
            gone.is_empty() || length >= 3.0 * self.target,
            "{old}{text}"
        );
        // Parts are only added.
        let grown = match self.end() == before.end() {
            true => &self.open,
            false => &self.segments[usize::try_from(before.end() - self.sequence).unwrap()],
        };
        if !grown.parts.is_empty() {
            assert!(grown.parts.starts_with(&before.open.parts), "{old}{text}");
        }
        // What was announced has come: as a part, or not at all since its segment had ended.
        if let Some(hint) = &before.hint {
            let mut parts = grown.parts.iter().map(|part| &part.uri);
            let is_still = self.hint.as_ref() == Some(hint);
            let has_come = parts.any(|uri| uri == hint);
            let went = grown.parts.len() == before.open.parts.len() || grown.parts.is_empty();
            assert!(is_still || has_come || went, "{old}{text}");
        }
    }

    /// The number of the segment that is not there yet.
    fn end(&self) -> u64 {
        self.sequence + self.segments.len() as u64
    }
}

fn encode(server: &Server, size: &str, rate: u32, gop: u32) -> Process {
    let mut ffmpeg = Command::new("ffmpeg");
    let source = format!("testsrc=size={size}:rate={rate}");
    ffmpeg
        .args([
            "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", &source,
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args([
            "-g",
            &gop.to_string(),
            "-c:a",
            "aac",
            "-t",
            "60",
            "-f",
            "flv",
        ])
        .arg(server.url("live/cam"));
    Process::start_command("ffmpeg", ffmpeg)
}

fn get(client: &mut HttpClient, path: &str) -> Answer {
    client.send(format!("GET /live/{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    client.answer().unwrap()
}

/// A player that follows, and all that it was told.
struct Follower {
    client: HttpClient,
    playlists: Vec<Playlist>,
    /// Bodies of parts, by address.
    parts: BTreeMap<String, Vec<u8>>,
}

impl Follower {
    #[track_caller]
    fn begin(server: &Server) -> Self {
        let mut client = HttpClient::connect(server.http_port);
        let first = wait_for("a playlist", || {
            let answer = get(&mut client, "cam.m3u8");
            (answer.status == 200).then(|| answer.text())
        });
        Self {
            client,
            playlists: vec![Playlist::read(&first)],
            parts: BTreeMap::new(),
        }
    }

    fn last(&self) -> &Playlist {
        self.playlists.last().unwrap()
    }

    /// Asks for the next part, and gets it.
    #[track_caller]
    fn reload(&mut self) {
        let before = self.playlists.last().unwrap();
        let (sequence, part) = (before.end(), before.open.parts.len());
        let query = format!("cam.m3u8?_HLS_msn={sequence}&_HLS_part={part}");
        let answer = get(&mut self.client, &query);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.field("content-type"),
            Some("application/vnd.apple.mpegurl")
        );
        let next = Playlist::read(&answer.text());
        next.check_after(before);
        // §6.2.5.2: not before it has what was asked for.
        let has_part = next.end() == sequence && next.open.parts.len() > part;
        assert!(
            next.end() > sequence || has_part || next.has_ended,
            "{}",
            next.text
        );
        let news: Vec<String> = next
            .segments
            .iter()
            .chain([&next.open])
            .flat_map(|segment| segment.parts.iter().map(|part| part.uri.clone()))
            .filter(|uri| !self.parts.contains_key(uri))
            .collect();
        for uri in news {
            let answer = get(&mut self.client, &uri);
            assert_eq!(answer.status, 200, "{uri}");
            self.parts.insert(uri, answer.body);
        }
        self.playlists.push(next);
    }
}

#[test]
fn every_playlist_keeps_the_rules() {
    let server = Server::start(&["--workers", "2", "--takeover", "always"]);
    let first = encode(&server, "320x180", 25, 25);
    server.process.wait_said(1, ": publishes live/cam");
    let mut follower = Follower::begin(&server);
    let began = follower.last().end();
    while follower.last().end() < began + 4 {
        follower.reload();
    }
    // Another picture size takes over.
    let second = encode(&server, "160x120", 30, 30);
    server.process.wait_said(1, "goes on with live/cam");
    drop(first);
    let at = follower.last().end();
    while follower.last().end() < at + 5 {
        follower.reload();
    }
    let with_takeover = follower.last();
    let breaks = with_takeover.segments.iter().skip(1);
    let breaks: Vec<_> = breaks.filter(|segment| segment.is_discontinuity).collect();
    assert_eq!(breaks.len(), 1, "{}", with_takeover.text);
    assert_ne!(breaks[0].map, with_takeover.segments[0].map);
    for map in [breaks[0].map.clone(), with_takeover.segments[0].map.clone()] {
        let map = get(&mut follower.client, &map);
        assert_eq!((map.status, &map.body[4..8]), (200, &b"ftyp"[..]));
    }
    // Until the first segments are gone: those can still be had by who has an old playlist.
    while follower.last().sequence == began.saturating_sub(1) || follower.last().segments.len() < 6
    {
        follower.reload();
    }
    second.signal("INT");
    second.finish();
    while !follower.last().has_ended {
        follower.reload();
    }
    let Follower {
        mut client,
        playlists,
        parts,
    } = follower;
    // §4.4.4.9: the parts of a segment are the segment.
    let mut whole: BTreeMap<&str, &Segment> = BTreeMap::new();
    for segment in playlists.iter().flat_map(|playlist| &playlist.segments) {
        if !segment.parts.is_empty() {
            whole.insert(&segment.uri, segment);
        }
    }
    assert!(whole.len() >= 9, "{}", whole.len());
    let mut checked = 0;
    for (uri, segment) in whole {
        let answer = get(&mut client, uri);
        if answer.status == 404 {
            continue;
        }
        let of_parts: Vec<&Vec<u8>> = segment
            .parts
            .iter()
            .filter_map(|part| parts.get(&part.uri))
            .collect();
        if of_parts.len() == segment.parts.len() {
            assert!(answer.body == of_parts.into_iter().flatten().copied().collect::<Vec<u8>>());
            checked += 1;
        }
    }
    assert!(checked >= 5, "{checked}");
    assert!(playlists.last().unwrap().segments.len() >= 5);
    server.stop();
}

/// §6.2.2: what is in a playlist that a player may have stays for as long as that playlist lasts.
#[test]
fn segments_stay_for_who_has_an_old_playlist() {
    let server = Server::start(&[]);
    let publisher = encode(&server, "160x120", 25, 13);
    server.process.wait_said(1, ": publishes live/cam");
    let mut follower = Follower::begin(&server);
    let mut gone: Option<(String, Duration, Instant)> = None;
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < end, "nothing left the playlist");
        let before = follower.playlists.len();
        follower.reload();
        if let Some((uri, stays, since)) = &gone {
            let status = get(&mut follower.client, uri).status;
            if since.elapsed() > *stays {
                break;
            }
            assert_eq!(
                status,
                200,
                "{uri} after {:?} of {stays:?}",
                since.elapsed()
            );
        } else if follower.last().sequence > follower.playlists[before - 1].sequence {
            let old = &follower.playlists[before - 1];
            let longest: f64 = old.segments.iter().map(|segment| segment.duration).sum();
            let first = &old.segments[0];
            let stays = Duration::from_secs_f64(first.duration + longest);
            gone = Some((first.uri.clone(), stays, Instant::now()));
        }
    }
    publisher.signal("INT");
    publisher.finish();
    server.stop();
}
