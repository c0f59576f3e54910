//! Settings as a configuration file with a comment for each: what `config show` prints. It is a
//! valid file that gives the same settings again.

use super::field::quoted;
use super::keys::{KEYS, Key, Place, SECTIONS};
use super::{SectionSource, Settings, Source};
use crate::http::api::{ConfigReport, PathReport, SettingReport};
use crate::server::{Config, PathRule};

/// Longest line of a comment.
const WIDTH: usize = 98;

const INTRODUCTION: &str = "\
Millstream's settings in force, as a configuration file: millstream serve --config FILE.
One precedence: default < file < environment (MILLSTREAM_TIMERS_PLAY_WAIT) < command line.
Times are \"250ms\", \"10s\", \"5m\", \"1h\" or a number of seconds; \
sizes \"64KiB\" (\"64k\"), \"16MiB\" (\"16M\"), \"1GiB\" or a number of bytes.
Settings that say \"also by path\" may stand in sections such as [path.\"live/*\"], which hold for the \
streams that they name (APP/KEY; * stands for any characters, / too). One section holds for a \
stream: the one without *, else the one with the most characters besides *, of equals the last \
one. What it leaves out is as outside of it.";

/// The whole file.
pub(super) fn show(settings: &Settings) -> String {
    let mut text = String::new();
    for paragraph in INTRODUCTION.lines() {
        comment(&mut text, paragraph);
    }
    let mut config = settings.config.clone();
    let mut defaults = Config::default();
    for section in SECTIONS {
        if !section.is_empty() {
            text.push_str(&format!("\n[{section}]\n"));
        }
        let keys = KEYS.iter().zip(&settings.sources);
        for (key, source) in keys.filter(|(key, _)| key.section == section) {
            text.push('\n');
            comment(&mut text, &describe(key, &mut defaults));
            comment_source(&mut text, source);
            let value = key.toml(&mut config);
            // The file would set the stars.
            let hidden = if key.is_hidden(&mut config) { "# " } else { "" };
            text.push_str(&format!("{hidden}{} = {value}\n", key.name));
        }
    }
    for (rule, source) in config.paths.iter_mut().zip(&settings.sections) {
        text.push('\n');
        comment(&mut text, &format!("From {}.", source.place));
        text.push_str(&format!("[path.{}]\n", quoted(&rule.pattern.to_string())));
        for key in source.keys.iter().filter_map(|index| KEYS.get(*index)) {
            if let Place::Path(field) = &key.place {
                text.push_str(&format!(
                    "{} = {}\n",
                    key.name,
                    field.toml(&mut rule.config)
                ));
            }
        }
    }
    text
}

/// The same for the API. `started_with` has the values that a running server keeps.
pub(super) fn report(settings: &Settings, started_with: &Settings) -> ConfigReport {
    let mut defaults = Config::default();
    let mut config = settings.config.clone();
    let mut kept = started_with.config.clone();
    let mut entries = Vec::new();
    for (index, key) in KEYS.iter().enumerate() {
        let (config, sources) = match key.is_fixed {
            true => (&mut kept, &started_with.sources),
            false => (&mut config, &settings.sources),
        };
        entries.push(SettingReport {
            key: key.full_name(),
            value: key.toml(config),
            default: key.toml(&mut defaults),
            source: sources.get(index).map(source_text).unwrap_or_default(),
        });
    }
    let rules = config.paths.iter_mut().zip(&settings.sections);
    let path = |(rule, section): (&mut PathRule, &SectionSource)| PathReport {
        pattern: rule.pattern.to_string(),
        settings: section
            .keys
            .iter()
            .filter_map(|index| KEYS.get(*index))
            .filter_map(|key| match &key.place {
                Place::Path(field) => Some(SettingReport {
                    key: key.full_name(),
                    value: field.toml(&mut rule.config),
                    default: field.toml(&mut defaults.path),
                    source: section.place.clone(),
                }),
                Place::Server(_) => None,
            })
            .collect(),
    };
    ConfigReport {
        settings: entries,
        paths: rules.map(path).collect(),
    }
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Default => "default".to_owned(),
        Source::File(place) => place.clone(),
        Source::Environment(name) => name.clone(),
        Source::CommandLine => "the command line".to_owned(),
    }
}

/// What it is, its bounds and its default.
fn describe(key: &Key, defaults: &mut Config) -> String {
    let bounds = key
        .bounds()
        .map(|(low, high)| format!(" {low} to {high}."))
        .unwrap_or_default();
    let mut text = format!("{}{bounds} Default {}", key.about, key.toml(defaults));
    if matches!(key.place, Place::Path(_)) {
        text.push_str("; also by path");
    }
    if key.is_fixed {
        text.push_str("; changed by a restart only");
    }
    text.push('.');
    text
}

fn comment_source(text: &mut String, source: &Source) {
    match source {
        Source::Default => {}
        Source::File(place) => comment(text, &format!("Here from {place}.")),
        Source::Environment(name) => comment(text, &format!("Here from {name}.")),
        Source::CommandLine => comment(text, "Here from the command line."),
    }
}

/// Appends `words` as comment lines.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    // A file may have any name; a comment may not hold every character.
    let words = words.replace(|c: char| c.is_control(), " ");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
