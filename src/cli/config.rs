//! The configuration: what defaults, the file, the environment and the command line say together.
//!
//! One precedence: default < file < environment (`MILLSTREAM_...`) < command line. The table in
//! [`keys`] says which settings there are; [`file`] reads TOML, `show.rs` writes it.

mod field;
mod file;
mod keys;
mod nearest;
mod show;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use self::field::Given;
use self::file::Document;
use self::keys::{KEYS, Key, Place};
use self::nearest::nearest;
use super::console::answer;
use crate::server::{Config, PathConfig, PathRule};

/// How a [`Fault`] of a whole file begins.
const CANNOT_BE_READ: &str = "cannot be read";

/// Names the file when `--config` does not.
const FILE_VARIABLE: &str = "MILLSTREAM_CONFIG";

/// What can be typed behind `config`.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum ConfigCommand {
    /// Say whether a configuration file is right; if not, one line for each fault
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print every setting in force, as a configuration file with a comment for each
    Show {
        /// The configuration file; without it, what holds without one
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// `millstream config check` and `config show`.
pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    match &args.command {
        ConfigCommand::Check { file } => {
            let settings = Settings::load(Some(file), &[], &[])?;
            let given = settings.sources.iter().filter(|source| source.is_given());
            answer(&format!(
                "{}: ok, {} settings, {} path sections\n",
                file.display(),
                given.count(),
                settings.sections.len()
            ))
        }
        ConfigCommand::Show { config } => {
            let settings = Settings::load_all(config.as_deref(), &[])?;
            answer(&show::show(&settings))
        }
    }
}

/// What `config show` prints of a file with this text and nothing else, or what is wrong with it:
/// one line for each fault, which begins with `name` and the number of the line.
///
/// # Errors
/// The faults.
pub fn check_config(name: &str, text: &str) -> Result<String, String> {
    let document = Document::parse(name, text).map_err(|faults| faults.to_string())?;
    let settings = Settings::build(&document, &[], &[]).map_err(|faults| faults.to_string())?;
    Ok(show::show(&settings))
}

/// For clap: takes what is typed for the setting `name` if it is right. One closure for all of
/// them, since clap builds a parser for each type that it is given.
pub(super) fn typed(
    name: &'static str,
) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync {
    move |text| {
        set_typed(&mut Config::default(), name, text)?;
        Ok(text.to_owned())
    }
}

/// Sets what is typed for the setting `name`.
pub(super) fn set_typed(config: &mut Config, name: &str, text: &str) -> Result<(), String> {
    key(name).set(config, &Given::Typed(text.to_owned()))
}

/// Everything in force, and from where it comes.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    /// Some of it was read from a file.
    pub(super) has_file: bool,
    /// One for each of [`KEYS`].
    sources: Vec<Source>,
    /// One for each of `config.paths`.
    sections: Vec<SectionSource>,
}

/// From where a value comes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Default,
    /// `mill.toml:7`
    File(String),
    /// The variable.
    Environment(String),
    CommandLine,
}

/// From where a section for live streams comes.
#[derive(Debug, Clone)]
struct SectionSource {
    place: String,
    /// Indices into [`KEYS`] of what it says itself.
    keys: Vec<usize>,
}

impl Source {
    fn is_given(&self) -> bool {
        *self != Self::Default
    }
}

/// Something that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    /// `mill.toml:7`, or a variable of the environment.
    place: String,
    /// For the order of the report; 0 for what stands on no line.
    line: usize,
    /// The key, as far as there is one.
    key: String,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong with the configuration: at least one fault.
#[derive(Debug)]
pub(super) struct Faults(Vec<Fault>);

impl std::error::Error for Faults {}

/// One line each.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl Faults {
    /// Whether there is a file that cannot be read, so that nothing is known of what is in it.
    pub(super) fn is_unread_file(&self) -> bool {
        let is_unread = |fault: &Fault| fault.line == 0 && fault.what.starts_with(CANNOT_BE_READ);
        self.0.iter().all(is_unread)
    }

    /// All of it in one line, for the log.
    pub(super) fn in_one_line(&self) -> String {
        let first = self.0.first().map(Fault::to_string).unwrap_or_default();
        match self.0.len() {
            0 | 1 => first,
            count => format!("{first} (and {} more)", count - 1),
        }
    }
}

impl Settings {
    /// Defaults, then the file, then the environment of this process, then `typed`: names of
    /// settings and what the command line says.
    ///
    /// # Errors
    /// [`Faults`], all of them at once.
    pub(super) fn load_all(file: Option<&Path>, typed: &[(&str, &str)]) -> Result<Self, Faults> {
        let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.into_string().ok()?;
            let is_ours = name.starts_with("MILLSTREAM_");
            is_ours.then(|| (name, value.to_string_lossy().into_owned()))
        };
        let environment: Vec<_> = std::env::vars_os().filter_map(ours).collect();
        Self::load(file, &environment, typed)
    }

    /// As [`Self::load_all`], with a given environment.
    fn load(
        file: Option<&Path>,
        environment: &[(String, String)],
        typed: &[(&str, &str)],
    ) -> Result<Self, Faults> {
        let named = environment
            .iter()
            .find_map(|(name, value)| (name == FILE_VARIABLE).then_some(Path::new(value)));
        let document = match file.or(named) {
            Some(path) => Document::open(path)?,
            None => Document::default(),
        };
        Self::build(&document, environment, typed)
    }

    fn build(
        document: &Document,
        environment: &[(String, String)],
        typed: &[(&str, &str)],
    ) -> Result<Self, Faults> {
        let mut settings = Self {
            config: Config::default(),
            has_file: document.is_file(),
            sources: vec![Source::Default; KEYS.len()],
            sections: Vec::new(),
        };
        let mut faults = document.faults.clone();
        for entry in &document.entries {
            let source = Source::File(document.place(entry.line));
            if let Err(what) = settings.set(entry.key, &entry.given, source) {
                faults.push(document.fault(entry.line, KEYS[entry.key].full_name(), what));
            }
        }
        for (name, value) in environment {
            let Some(index) = KEYS.iter().position(|key| key.environment_name() == *name) else {
                warn_of_variable(name);
                continue;
            };
            let given = Given::Typed(value.clone());
            let source = Source::Environment(name.clone());
            if let Err(what) = settings.set(index, &given, source) {
                faults.push(Fault {
                    place: name.clone(),
                    line: 0,
                    key: String::new(),
                    what,
                });
            }
        }
        for (name, text) in typed {
            let index = index(name);
            let given = Given::Typed((*text).to_owned());
            if let Err(what) = settings.set(index, &given, Source::CommandLine) {
                faults.push(Fault {
                    place: "command line".to_owned(),
                    line: 0,
                    key: (*name).to_owned(),
                    what,
                });
            }
        }
        for section in &document.sections {
            let mut config = settings.config.path;
            for entry in &section.entries {
                if let Err(what) = set_path(&KEYS[entry.key], &mut config, &entry.given) {
                    let key = format!("{}.{}", section.name, KEYS[entry.key].name);
                    faults.push(document.fault(entry.line, key, what));
                }
            }
            settings.config.paths.push(PathRule {
                pattern: section.pattern.clone(),
                config,
            });
            settings.sections.push(SectionSource {
                place: document.place(section.line),
                keys: section.entries.iter().map(|entry| entry.key).collect(),
            });
        }
        faults.sort_by_key(|fault| fault.line);
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(Faults(faults))
        }
    }

    /// The configuration for a server, which can tell it. `started_with` is what the server was
    /// started with, if it runs.
    pub(super) fn into_config(self, started_with: Option<&Self>) -> Config {
        let report = show::report(&self, started_with.unwrap_or(&self));
        Config {
            report: Arc::new(report),
            ..self.config
        }
    }

    fn set(&mut self, index: usize, given: &Given, source: Source) -> Result<(), String> {
        KEYS[index].set(&mut self.config, given)?;
        self.sources[index] = source;
        Ok(())
    }

    /// Names of the settings that differ from `other`'s and that a running server keeps.
    pub(super) fn fixed_differences(&self, other: &Self) -> Vec<String> {
        let (mut ours, mut theirs) = (self.config.clone(), other.config.clone());
        let fixed = KEYS.iter().filter(|key| key.is_fixed);
        fixed
            .filter(|key| key.toml(&mut ours) != key.toml(&mut theirs))
            .map(Key::full_name)
            .collect()
    }
}

/// A fault would be too much: container platforms put variables of their own behind a service's
/// name.
fn warn_of_variable(name: &str) {
    if name != FILE_VARIABLE {
        let known: Vec<_> = KEYS.iter().map(Key::environment_name).collect();
        let nearest = nearest(name, known.iter().map(String::as_str));
        log::warn!("{name} in the environment: no such setting{nearest}");
    }
}

fn set_path(key: &Key, config: &mut PathConfig, given: &Given) -> Result<(), String> {
    match &key.place {
        Place::Path(field) => field.set(config, given),
        Place::Server(_) => Err("holds for the whole server, not for single streams".to_owned()),
    }
}

fn key(name: &str) -> &'static Key {
    &KEYS[index(name)]
}

fn index(name: &str) -> usize {
    KEYS.iter()
        .position(|key| key.full_name() == name)
        .expect("options of the command line name settings of the table")
}

#[cfg(test)]
mod tests;
