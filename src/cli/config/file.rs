//! A configuration file: TOML into entries for the table of keys, each with its line.
//!
//! What an entry's value means is left to its key.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::field::{Given, quoted};
use super::keys::{KEYS, Key, Place, SECTIONS};
use super::nearest::nearest;
use super::{CANNOT_BE_READ, Fault, Faults};
use crate::server::PathPattern;

/// The section that has one table for each pattern.
const PATH: &str = "path";

/// A file that could be read; with faults if it is not all right.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// As it was given, for places such as `mill.toml:7`.
    name: String,
    /// What holds for all live streams, in no order.
    pub(super) entries: Vec<Entry>,
    /// In the order of the file.
    pub(super) sections: Vec<PathSection>,
    pub(super) faults: Vec<Fault>,
}

/// A key with a value.
#[derive(Debug)]
pub(super) struct Entry {
    /// Index into [`KEYS`].
    pub(super) key: usize,
    pub(super) given: Given,
    pub(super) line: usize,
}

/// `[path."live/*"]`
#[derive(Debug)]
pub(super) struct PathSection {
    pub(super) name: String,
    pub(super) pattern: PathPattern,
    pub(super) line: usize,
    pub(super) entries: Vec<Entry>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is not TOML. Wrong keys are among [`Self::faults`].
    pub(super) fn open(path: &Path) -> Result<Self, Faults> {
        let name = path.display().to_string();
        let cannot_be_read = |error: std::io::Error| {
            Faults(vec![Fault {
                place: name.clone(),
                line: 0,
                key: String::new(),
                what: format!("{CANNOT_BE_READ}: {error}"),
            }])
        };
        let bytes = std::fs::read(path).map_err(cannot_be_read)?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let good = error.as_bytes().get(..good).unwrap_or_default();
                let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
                let document = Self {
                    name,
                    ..Self::default()
                };
                let what = "this is not UTF-8 text".to_owned();
                Err(Faults(vec![document.fault(line, String::new(), what)]))
            }
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is not TOML: one fault for each line where that shows.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Faults> {
        let mut document = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let fault = document.syntax_fault(text, &span, error.message());
            // One slip often makes the parser stumble several times.
            if !document.faults.iter().any(|other| other.line == fault.line) {
                document.faults.push(fault);
            }
        }
        document.faults.sort_by_key(|fault| fault.line);
        if !document.faults.is_empty() {
            return Err(Faults(document.faults));
        }
        let lines = Lines(text);
        for (key, value) in table.get_ref() {
            document.take_top(&lines, key.get_ref(), &key.span(), value);
        }
        document.sections.sort_by_key(|section| section.line);
        Ok(document)
    }

    /// Whether there is a file at all.
    pub(super) fn is_file(&self) -> bool {
        !self.name.is_empty()
    }

    /// `mill.toml:7`
    pub(super) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    pub(super) fn fault(&self, line: usize, key: String, what: String) -> Fault {
        Fault {
            place: self.place(line),
            line,
            key,
            what,
        }
    }

    fn syntax_fault(&self, text: &str, span: &Range<usize>, message: &str) -> Fault {
        let line = Lines(text).of(span);
        match (message, text.get(span.clone())) {
            ("duplicate key", Some(key)) => self.fault(
                line,
                key.to_owned(),
                "stands in this section already".to_owned(),
            ),
            _ => self.fault(line, String::new(), message.to_owned()),
        }
    }

    /// Something before the first section, or a section.
    fn take_top(
        &mut self,
        lines: &Lines<'_>,
        name: &str,
        span: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let table = value.get_ref().as_table();
        let is_section = name == PATH || (SECTIONS.contains(&name) && !name.is_empty());
        match (is_section, table) {
            (true, Some(table)) if name == PATH => self.take_paths(lines, table),
            (true, Some(table)) => {
                for (key, value) in table {
                    let found = find(|known| known.section == name && known.name == key.get_ref());
                    if let Some(index) = found {
                        self.entries.push(entry(lines, index, value));
                    } else {
                        let known = KEYS.iter().filter(|known| known.section == name);
                        let what = no_such(key.get_ref(), known.map(|known| known.name));
                        let key_name = format!("{name}.{}", bare(key.get_ref()));
                        self.push_fault(lines.of(&key.span()), key_name, what);
                    }
                }
            }
            (true, None) => {
                let example = if name == PATH {
                    "[path.\"live/*\"]".to_owned()
                } else {
                    format!("[{name}]")
                };
                let what = format!("a section is expected: {example}");
                self.push_fault(lines.of(span), name.to_owned(), what);
            }
            (false, _) => {
                let found = find(|known| known.section.is_empty() && known.name == name);
                if let Some(index) = found {
                    self.entries.push(entry(lines, index, value));
                    return;
                }
                let what = if table.is_some() {
                    let sections = SECTIONS.into_iter().chain([PATH]);
                    format!("no such section{}", nearest(name, sections))
                } else {
                    let here = KEYS.iter().filter(|known| known.section.is_empty());
                    no_such(name, here.map(|known| known.name))
                };
                self.push_fault(lines.of(span), bare(name), what);
            }
        }
    }

    fn take_paths(&mut self, lines: &Lines<'_>, table: &DeTable<'_>) {
        for (pattern, value) in table {
            let name = format!("{PATH}.{}", quoted(pattern.get_ref()));
            let line = lines.of(&pattern.span());
            let Some(table) = value.get_ref().as_table() else {
                // `[path] flush = "now"`
                let what = "a section for live streams is expected: [path.\"live/*\"]".to_owned();
                self.push_fault(line, name, what);
                continue;
            };
            let parsed = match PathPattern::parse(pattern.get_ref()) {
                Ok(parsed) => parsed,
                Err(error) => {
                    self.push_fault(line, name, error.to_string());
                    continue;
                }
            };
            let mut section = PathSection {
                name,
                pattern: parsed,
                line,
                entries: Vec::new(),
            };
            for (key, value) in table {
                match find_path(key.get_ref()) {
                    Ok(index) => section.entries.push(entry(lines, index, value)),
                    Err(what) => {
                        let key_name = format!("{}.{}", section.name, bare(key.get_ref()));
                        self.push_fault(lines.of(&key.span()), key_name, what);
                    }
                }
            }
            section.entries.sort_by_key(|entry| entry.key);
            self.sections.push(section);
        }
    }

    fn push_fault(&mut self, line: usize, key: String, what: String) {
        let fault = self.fault(line, key, what);
        self.faults.push(fault);
    }
}

fn find(is_it: impl Fn(&Key) -> bool) -> Option<usize> {
    KEYS.iter().position(is_it)
}

/// A key by its name alone, among those that may differ from live stream to live stream.
fn find_path(name: &str) -> Result<usize, String> {
    let is_path = |key: &Key| matches!(key.place, Place::Path(_));
    match find(|key| key.name == name) {
        Some(index) if KEYS.get(index).is_some_and(is_path) => Ok(index),
        Some(_) => Err("holds for the whole server, not for single streams".to_owned()),
        None if SECTIONS.contains(&name) => {
            Err("no sections here: write play_wait instead of timers.play_wait".to_owned())
        }
        None => {
            let here = KEYS.iter().filter(|key| is_path(key)).map(|key| key.name);
            Err(format!("no such key{}", nearest(name, here)))
        }
    }
}

/// `no such key`, with the nearest one: of those that stand `here`, else of another section.
fn no_such(name: &str, here: impl Iterator<Item = &'static str>) -> String {
    let mut proposal = nearest(name, here);
    if proposal.is_empty() {
        let elsewhere = nearest(name, KEYS.iter().map(|key| key.name));
        let meant = KEYS
            .iter()
            .find(|key| elsewhere == format!("; did you mean {}?", key.name));
        proposal = meant.map_or_else(String::new, |key| {
            format!("; did you mean {}?", key.full_name())
        });
    }
    format!("no such key{proposal}")
}

fn entry(lines: &Lines<'_>, key: usize, value: &Spanned<DeValue<'_>>) -> Entry {
    Entry {
        key,
        given: given(value.get_ref()),
        line: lines.of(&value.span()),
    }
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Given::Number(number.to_string()),
            Err(_) => Given::Number(number.as_str().to_owned()),
        },
        DeValue::Float(number) => Given::Number(number.as_str().to_owned()),
        DeValue::Array(members) => members
            .iter()
            .map(|member| member.get_ref().as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map_or(Given::Other("array"), Given::Texts),
        other => Given::Other(other.type_str()),
    }
}

/// A key as TOML has it: without quotes where it can.
fn bare(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// Finds the line of a place in a text.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// From 1.
    fn of(&self, span: &Range<usize>) -> usize {
        let before = self.0.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}
