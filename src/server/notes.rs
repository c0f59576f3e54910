//! Rules that a peer broke while it was served all the same: one vocabulary for all layers, said
//! once per connection in the log, counted every time.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use super::metrics::Counter;
use super::worker::Worker;
use crate::media::flv::{Breach, Fault};
use crate::rtmp::session;
use crate::rtmp::timestamp::Mend;

/// A rule that a peer broke, by the layer that found it; `Display` is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// In chunks, commands and data messages.
    Session(session::Note),
    /// In its timestamps.
    Clock(Mend),
    /// In an audio or video body.
    Media(Fault),
    /// Across bodies and metadata.
    Conduct(Breach),
}

impl Note {
    /// How many there are.
    pub const COUNT: usize =
        session::Note::ALL.len() + Mend::ALL.len() + Fault::ALL.len() + Breach::ALL.len();

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let session = session::Note::ALL.into_iter().map(Self::Session);
        let clock = Mend::ALL.into_iter().map(Self::Clock);
        let media = Fault::ALL.into_iter().map(Self::Media);
        let conduct = Breach::ALL.into_iter().map(Self::Conduct);
        session.chain(clock).chain(media).chain(conduct)
    }

    /// Its name in statistics: lower-case words with hyphens, which do not change.
    pub fn id(self) -> &'static str {
        match self {
            Self::Session(note) => note.id(),
            Self::Clock(mend) => mend.id(),
            Self::Media(fault) => fault.id(),
            Self::Conduct(breach) => breach.id(),
        }
    }

    /// Its place in [`Self::all`].
    fn index(self) -> usize {
        let clock = session::Note::ALL.len();
        let media = clock + Mend::ALL.len();
        let conduct = media + Fault::ALL.len();
        match self {
            Self::Session(note) => note as usize,
            Self::Clock(mend) => clock + mend as usize,
            Self::Media(fault) => media + fault as usize,
            Self::Conduct(breach) => conduct + breach as usize,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(note) => note.fmt(f),
            Self::Clock(mend) => mend.fmt(f),
            Self::Media(fault) => fault.fmt(f),
            Self::Conduct(breach) => breach.fmt(f),
        }
    }
}

/// How often a connection broke a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// Which one.
    pub note: Note,
    /// How often.
    pub count: u64,
    /// When for the first time.
    pub first_at: Instant,
}

/// What one connection broke; empty, and without an allocation, for nearly all of them.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// In order of their first time, each note once: `len() <= Note::COUNT`.
    noted: Vec<Noted>,
}

impl Notes {
    /// Counts; true when this is the first time.
    pub fn add(&mut self, note: Note, count: u64, now: Instant) -> bool {
        let known = self.noted.iter_mut().find(|noted| noted.note == note);
        let is_first = known.is_none();
        match known {
            Some(noted) => noted.count = noted.count.saturating_add(count),
            None => self.noted.push(Noted {
                note,
                count,
                first_at: now,
            }),
        }
        is_first
    }

    /// Counts, and says it in the log when this is the first time.
    pub(super) fn say(&mut self, peer: SocketAddr, note: Note, count: u64, now: Instant) {
        if self.add(note, count, now) {
            log::info!("{peer}: {note}");
        }
    }

    /// All of them, in order of their first time.
    pub fn iter(&self) -> impl Iterator<Item = &Noted> {
        self.noted.iter()
    }
}

/// For the log: `control-on-other-csid 2, clock-jump 1`.
impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, noted) in self.noted.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} {}", noted.note.id(), noted.count)?;
        }
        Ok(())
    }
}

/// How often each rule was broken by all connections together.
#[derive(Debug)]
pub struct NoteCounters([Counter; Note::COUNT]);

impl Default for NoteCounters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl NoteCounters {
    /// Counts.
    pub fn add(&self, note: Note, count: u64) {
        if let Some(counter) = self.0.get(note.index()) {
            counter.add(count);
        }
    }

    /// Every rule and how often it was broken, those that never were too.
    pub fn iter(&self) -> impl Iterator<Item = (Note, u64)> {
        Note::all().zip(self.0.iter().map(Counter::value))
    }

    /// Of all rules together.
    pub fn total(&self) -> u64 {
        self.sum(|_| true)
    }

    /// Of the rules that are meant.
    pub fn sum(&self, is_meant: impl Fn(Note) -> bool) -> u64 {
        let meant = self.iter().filter(|(note, _)| is_meant(*note));
        meant.map(|(_, count)| count).sum()
    }
}

impl Worker {
    /// A rule was broken: said once per connection, counted always.
    pub(super) fn note(&mut self, key: usize, note: Note, count: u64, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        self.shared.metrics.notes.add(note, count);
        connection.notes.say(connection.peer, note, count, now);
    }

    /// Takes over what the session of a connection has counted.
    pub(super) fn note_session(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.say_session_notes(now, &self.shared.metrics.notes);
    }

    /// The sum of it all, when a connection ends.
    pub(super) fn say_notes(&self, key: usize) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        if connection.notes.iter().next().is_some() {
            log::info!("{}: broke rules: {}", connection.peer, connection.notes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_note_has_a_place_a_name_and_words_of_its_own() {
        assert_eq!(Note::all().count(), Note::COUNT);
        for (index, note) in Note::all().enumerate() {
            assert_eq!(note.index(), index, "{note:?}");
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(note.id().chars().all(is_plain), "{}", note.id());
            assert!(!note.to_string().contains('\n'));
        }
        let mut said: Vec<String> = Note::all().map(|note| note.id().to_owned()).collect();
        said.extend(Note::all().map(|note| note.to_string()));
        said.sort();
        said.dedup();
        assert_eq!(said.len(), 2 * Note::COUNT);
    }

    #[test]
    fn notes_are_counted_by_connection_and_by_server() {
        let now = Instant::now();
        let later = now + std::time::Duration::from_secs(1);
        let jump = Note::Clock(Mend::NewClock);
        let start_codes = Note::Media(Fault::AnnexB);
        let mut notes = Notes::default();
        assert!(notes.add(start_codes, 1, now));
        assert!(notes.add(jump, 1, now));
        assert!(!notes.add(start_codes, 74, later));
        assert_eq!(notes.to_string(), "annex-b 75, clock-jump 1");
        assert!(notes.iter().all(|noted| noted.first_at == now));

        let counters = NoteCounters::default();
        counters.add(start_codes, 75);
        counters.add(jump, 2);
        assert_eq!(counters.total(), 77);
        let counted: Vec<_> = counters.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(jump, 2), (start_codes, 75)]);
    }
}
