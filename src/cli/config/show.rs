//! Settings as a configuration file with a comment for each: what `config show` prints. It is a
//! valid file that gives the same settings again.

use super::field::quoted;
use super::keys::{KEYS, Key, Place, SECTIONS};
use super::{Settings, Source};
use crate::server::Config;

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
            text.push_str(&format!("{} = {}\n", key.name, key.toml(&mut config)));
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
