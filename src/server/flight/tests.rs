//! Recorders and their files, without a server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::rtmp::flight::Flight;

/// A folder that is removed with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("millstream-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn config(folder: &Folder) -> FlightConfig {
    FlightConfig {
        folder: Some(folder.0.to_str().unwrap().to_owned()),
        ..FlightConfig::default()
    }
}

fn start(config: &FlightConfig) -> (Flights, FlightThread) {
    Flights::start(config).unwrap().unwrap()
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

fn session() -> ServerSession {
    ServerSession::new(
        crate::rtmp::session::ServerConfig::default(),
        0,
        Instant::now(),
    )
}

fn record(flights: &Flights, port: u16, bytes: &[u8]) -> Box<Recorder> {
    let now = Instant::now();
    let mut recorder = flights.recorder(peer(port), Ok(peer(1935)), now);
    recorder.received(now, bytes, &session());
    recorder
}

#[test]
fn nothing_is_made_when_it_is_off() {
    assert!(Flights::start(&FlightConfig::default()).unwrap().is_none());
}

#[test]
fn an_error_becomes_a_file_for_its_owner_only() {
    let folder = Folder::new("error");
    let (flights, thread) = start(&config(&folder));
    let metrics = Metrics::default();
    let now = Instant::now();
    let mut recorder = flights.recorder(peer(7), Ok(peer(1935)), now);
    let later = |ms| now + Duration::from_millis(ms);
    recorder.received(later(1), b"abc", &session());
    recorder.sent(later(2), [b"XY".as_slice(), b"Z", b"unsent"], 3);
    recorder.received(later(2), b"def", &session());
    recorder.sent(later(2), [b"".as_slice(), b"W"], 1);
    recorder.requested(&"live/door".into());
    recorder.fail(later(3), "closed: first");
    recorder.fail(later(4), "closed: second");
    flights.finish(recorder, &metrics);
    // This one ended well.
    flights.finish(record(&flights, 8, b"x"), &metrics);
    thread.stop();

    let files = folder.files();
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with("Z-192.0.2.7-7-live_door.pcapng"), "{name}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files[0]), 0o600);
    assert_eq!(mode(&folder.0), 0o700);
    let file = fs::read(&files[0]).unwrap();
    let flight = Flight::decode(&file).unwrap();
    assert_eq!(flight.facts.end, "closed: first");
    assert_eq!(flight.facts.lasted, Duration::from_millis(3));
    assert_eq!(flight.facts.stream.as_deref(), Some("live/door"));
    let pieces: Vec<_> = flight
        .pieces
        .iter()
        .map(|piece| (piece.direction, piece.at.as_millis(), piece.bytes))
        .collect();
    let expected: [(Direction, u128, &[u8]); 4] = [
        (Direction::Received, 1, b"abc"),
        (Direction::Sent, 2, b"XYZ"),
        (Direction::Received, 2, b"def"),
        (Direction::Sent, 2, b"W"),
    ];
    assert_eq!(pieces, expected);
    assert_eq!(flights.memory.used(), 0);
}

#[test]
fn the_oldest_files_go_and_only_ours() {
    let folder = Folder::new("bounds");
    fs::create_dir(&folder.0).unwrap();
    let foreign = folder.0.join("flight-plan.pcapng");
    fs::write(&foreign, [0; 5000]).unwrap();
    let unfinished = "flight-20251123T230059.003056Z-192.0.2.7-4.pcapng.part";
    fs::write(folder.0.join(unfinished), [0; 5000]).unwrap();
    for (files_max, bytes_max, kept) in [(3, 1 << 20, 3), (100, 8000, 2), (1, 1, 1)] {
        let limits = FlightConfig {
            files_max,
            folder_bytes_max: bytes_max,
            ..config(&folder)
        };
        let (flights, thread) = start(&limits);
        for port in 0..10 {
            let mut recorder = record(&flights, port, &[0; 3000]);
            recorder.fail(Instant::now(), "closed: x");
            flights.finish(recorder, &Metrics::default());
        }
        thread.stop();
        let files = folder.files();
        assert!(files.contains(&foreign));
        let ours: Vec<_> = files.iter().filter(|path| **path != foreign).collect();
        assert_eq!(ours.len(), kept, "{ours:?}");
        let last = ours[kept - 1].to_str().unwrap();
        assert!(last.ends_with("-9.pcapng"), "{last}");
    }
}

#[test]
fn a_folder_that_cannot_be_is_told_at_the_start() {
    let folder = Folder::new("no-folder");
    fs::write(&folder.0, "a file").unwrap();
    assert!(Flights::start(&config(&folder)).is_err());
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn a_folder_that_goes_away_costs_recordings_and_nothing_else() {
    let folder = Folder::new("gone");
    let (flights, thread) = start(&config(&folder));
    fs::remove_dir(&folder.0).unwrap();
    for port in 0..3 {
        let mut recorder = record(&flights, port, b"abc");
        recorder.fail(Instant::now(), "closed: x");
        flights.finish(recorder, &Metrics::default());
    }
    thread.stop();
    assert!(!folder.0.exists());
    assert_eq!(flights.memory.used(), 0);
}

#[test]
fn recordings_that_wait_are_bounded_and_those_beyond_counted() {
    let (sender, jobs) = bounded(2);
    let flights = Flights {
        memory: Arc::new(Memory::new(1 << 20)),
        sender,
    };
    let metrics = Metrics::default();
    for port in 0..5 {
        let mut recorder = record(&flights, port, b"abc");
        recorder.fail(Instant::now(), "closed: x");
        flights.finish(recorder, &metrics);
    }
    assert_eq!((jobs.len(), metrics.flights_lost.value()), (2, 3));
}

#[test]
fn a_recorder_does_not_show_what_it_holds() {
    let folder = Folder::new("debug");
    let (flights, thread) = start(&config(&folder));
    let recorder = record(&flights, 1, b"secret");
    assert!(!format!("{recorder:?}").contains("115, 101"));
    thread.stop();
}
