//! Reads the sources and fails on what the compiler does not check: an import that points up, a
//! clock or a socket in the pure layers, a file that no module mentions, a name that the project
//! does not use, a file that does not say what it is for.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library, each with the modules that it may name besides itself. `main.rs`
/// and `lib.rs` are the roof and may name all.
///
/// Imports point down: L4 > L3 > L2 > L1 > L0. Besides that, siblings of L1 leave each other
/// alone except for `amf`, `net` knows no protocol, and `client` never imports `server`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("amf", &["wire"]),
    ("rtmp", &["wire", "amf"]),
    ("media", &["wire", "amf"]),
    ("http", &["wire"]),
    ("broadcast", &["wire", "amf", "rtmp", "media"]),
    ("net", &["wire"]),
    ("story", &["wire", "amf", "rtmp", "media"]),
    (
        "server",
        &[
            "wire",
            "amf",
            "rtmp",
            "media",
            "http",
            "broadcast",
            "net",
            "story",
        ],
    ),
    (
        "client",
        &["wire", "amf", "rtmp", "media", "http", "net", "story"],
    ),
    (
        "cli",
        &[
            "wire",
            "amf",
            "rtmp",
            "media",
            "http",
            "broadcast",
            "net",
            "story",
            "server",
            "client",
        ],
    ),
];

/// The modules without I/O.
const PURE: &[&str] = &["wire", "amf", "rtmp", "media", "http", "story"];

/// What the pure layers must not contain outside their tests, and what it would mean.
const IMPURE: &[(&str, &str)] = &[
    ("Instant::now", "reads the clock"),
    ("SystemTime", "reads the clock"),
    (".elapsed()", "reads the clock"),
    ("std::thread", "owns a thread"),
    ("Mutex", "shares state between threads"),
    ("RwLock", "shares state between threads"),
    ("mpsc", "talks to threads"),
    ("Atomic", "shares state between threads"),
    ("std::fs", "opens files"),
    ("std::process", "runs programs"),
    ("std::env", "reads the environment"),
    ("TcpStream", "owns a socket"),
    ("TcpListener", "owns a socket"),
    ("UdpSocket", "owns a socket"),
    ("UnixStream", "owns a socket"),
    ("mio::", "owns a socket"),
    ("socket2::", "owns a socket"),
    ("crossbeam_channel", "talks to threads"),
    ("log::", "writes to the log"),
    ("println!", "prints"),
    ("print!", "prints"),
    ("fastrand::u", "draws its own randomness"),
    ("fastrand::Rng::new", "draws its own randomness"),
];

/// Words that no declared name may contain: each has a better one, see the table of names.
const BANNED_WORDS: &[&str] = &[
    "pusher",
    "player",
    "viewer",
    "consumer",
    "manager",
    "handler",
    "hub",
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "extradata",
    "misc",
];

struct Source {
    /// Relative to the package, with `/`.
    path: String,
    text: String,
    /// Compiled for tests only: a parent has `#[cfg(test)]` in front of its `mod`.
    is_test: bool,
}

impl Source {
    /// The lines that are compiled into the product: no comments, and nothing from the unit
    /// tests on, which stand last in a file (`mod tests {`) or in a file of their own.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| !self.is_test && *line != "mod tests {")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }

    /// `rtmp` for `src/rtmp/url.rs`; `None` for `src/lib.rs` and for tests.
    fn top_module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let (module, _) = inside.split_once('/').or_else(|| inside.split_once('.'))?;
        (!matches!(module, "lib" | "main")).then_some(module)
    }
}

fn package_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All `.rs` files below the given folders, in a fixed order.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut open: Vec<PathBuf> = folders.iter().map(|f| package_root().join(f)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "artifacts" | "coverage" | "data") {
                    open.push(path);
                }
            } else if name.ends_with(".rs") {
                let relative = path.strip_prefix(package_root()).unwrap();
                found.push(Source {
                    path: relative.to_str().unwrap().to_owned(),
                    text: fs::read_to_string(&path).unwrap(),
                    is_test: false,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    mark_tests(&mut found);
    assert!(!found.is_empty(), "no sources under {folders:?}");
    found
}

/// Finds `#[cfg(test)]` in front of `mod name;` and marks the module's file and what is below it.
fn mark_tests(sources: &mut [Source]) {
    let mut tests: Vec<String> = Vec::new();
    for source in &*sources {
        let stem = source.path.strip_suffix(".rs").unwrap();
        let home = ["mod", "lib", "main"]
            .iter()
            .find_map(|root| stem.strip_suffix(root)?.strip_suffix('/'))
            .unwrap_or(stem);
        let mut lines = source.text.lines().peekable();
        while let Some(line) = lines.next() {
            let name = lines.peek().and_then(|next| next.trim().strip_suffix(';'));
            let name = name
                .and_then(|next| next.rsplit_once("mod "))
                .map(|(_, name)| name);
            if let (true, Some(name)) = (line.trim() == "#[cfg(test)]", name) {
                tests.push(format!("{home}/{name}"));
            }
        }
    }
    for source in sources {
        source.is_test = tests.iter().any(|test| {
            let below = source.path.strip_prefix(test.as_str());
            below.is_some_and(|rest| rest.starts_with(['.', '/']))
        });
    }
}

/// Fails with all faults at once, one per line.
#[track_caller]
fn report(rule: &str, faults: &[String]) {
    let mut text = String::new();
    for fault in faults {
        write!(text, "\n  {fault}").unwrap();
    }
    assert!(faults.is_empty(), "{rule}:{text}");
}

/// The names that follow `crate::` in a line; a group `crate::{a, b}` gives each of its names.
fn crate_paths(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        // `$crate::` is a macro's way to say the same; `othercrate::` is not it.
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        let group = rest.strip_prefix('{').map(|g| g.split('}').next().unwrap());
        match group {
            Some(group) => names.extend(group.split(',').map(first_word)),
            None => names.push(first_word(rest)),
        }
    }
    names
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn imports_point_down() {
    let mut faults = Vec::new();
    for source in sources(&["src"]) {
        let Some(module) = source.top_module() else {
            continue;
        };
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            faults.push(format!("{}: module `{module}` has no layer", source.path));
            continue;
        };
        for (number, line) in source.product_lines() {
            for name in crate_paths(line) {
                let is_module = MAY_IMPORT.iter().any(|(known, _)| *known == name);
                if is_module && name != module && !allowed.contains(&name) {
                    let path = &source.path;
                    faults.push(format!(
                        "{path}:{number}: `{module}` must not name `{name}`"
                    ));
                }
            }
        }
    }
    report("an import points up or sideways", &faults);
}

#[test]
fn pure_layers_do_no_io() {
    let mut faults = Vec::new();
    for source in sources(&["src"]) {
        let Some(module) = source.top_module().filter(|m| PURE.contains(m)) else {
            continue;
        };
        for (number, line) in source.product_lines() {
            for (pattern, meaning) in IMPURE {
                let hit = line.match_indices(pattern).any(|(at, _)| {
                    // `log::` is a crate, `catalog::` is not.
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                if hit {
                    let path = &source.path;
                    faults.push(format!("{path}:{number}: {pattern}: `{module}` {meaning}"));
                }
            }
        }
    }
    report("a pure layer does I/O", &faults);
}

#[test]
fn pure_layers_forbid_unsafe_and_unchecked_indexing() {
    let mut faults = Vec::new();
    for module in PURE {
        let path = format!("src/{module}/mod.rs");
        let text = fs::read_to_string(package_root().join(&path)).unwrap();
        for attribute in [
            "#![forbid(unsafe_code)]",
            "#![warn(clippy::indexing_slicing)]",
        ] {
            if !text.contains(attribute) {
                faults.push(format!("{path}: lacks {attribute}"));
            }
        }
    }
    report("a pure layer is less strict than it should be", &faults);
}

#[test]
fn every_file_is_part_of_a_module() {
    let all = sources(&["src", "tests/it", "tests/fuzz/src"]);
    let mut faults = Vec::new();
    for source in &all {
        let path = Path::new(&source.path);
        let folder = path.parent().unwrap().to_str().unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let is_root = matches!(folder, "src" | "tests/it" | "tests/fuzz/src")
            && matches!(stem, "lib" | "main");
        if is_root {
            continue;
        }
        // The module's name, and the folder whose parent file has to declare it.
        let (name, home) = if stem == "mod" {
            folder
                .rsplit_once('/')
                .map(|(home, name)| (name, home))
                .unwrap()
        } else {
            (stem, folder)
        };
        let parents = [
            format!("{home}/mod.rs"),
            format!("{home}/lib.rs"),
            format!("{home}/main.rs"),
            format!("{home}.rs"),
        ];
        let declaration = format!("mod {name};");
        let declared = all
            .iter()
            .filter(|candidate| parents.contains(&candidate.path))
            .any(|parent| {
                parent.text.lines().any(|line| {
                    let line = line.trim_start();
                    !line.starts_with("//") && line.ends_with(&declaration)
                })
            });
        if !declared {
            faults.push(format!("{}: no `{declaration}` in {home}", source.path));
        }
    }
    report("a file is not compiled", &faults);
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut faults = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        let first = source.text.lines().next().unwrap_or("");
        if !first.starts_with("//! ") || first.len() < 16 {
            faults.push(format!("{}: opens with {first:?}", source.path));
        }
    }
    report("a file does not open with `//!` and its job", &faults);
}

/// The declared name in a line such as `pub(crate) fn name(`, with its keyword.
fn declaration(line: &str) -> Option<(&'static str, &str)> {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after.trim_start();
        if rest.starts_with('(') {
            rest = rest.split_once(')')?.1.trim_start();
        }
    }
    loop {
        let before = rest;
        for qualifier in ["const fn", "unsafe fn", "async fn", "extern fn"] {
            if rest.starts_with(qualifier) {
                rest = &rest[qualifier.len() - "fn".len()..];
            }
        }
        if before == rest {
            break;
        }
    }
    ["struct", "enum", "trait", "type", "fn", "mod"]
        .into_iter()
        .find_map(|keyword| {
            let after = rest.strip_prefix(keyword)?.strip_prefix(' ')?;
            let name = first_word(after);
            (!name.is_empty()).then_some((keyword, name))
        })
}

/// `HttpServer` and `http_server` to `http`, `server`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    words
}

#[test]
fn names_are_the_projects_own() {
    let mut faults = Vec::new();
    for source in sources(&["src"]) {
        for (number, line) in source.product_lines() {
            let Some((keyword, name)) = declaration(line) else {
                continue;
            };
            let at = format!("{}:{number}: {keyword} {name}", source.path);
            if keyword != "fn" && keyword != "mod" && name == "Stream" {
                faults.push(format!(
                    "{at}: say which: live stream, chunk stream, message stream"
                ));
            }
            // `get_x` beside a `get` is a second way to look up, not a getter.
            let looks_up = source.text.contains("fn get(");
            if keyword == "fn" && name.starts_with("get_") && !looks_up {
                faults.push(format!("{at}: getters have no get_"));
            }
            if let Some(word) = words(name)
                .iter()
                .find(|w| BANNED_WORDS.contains(&w.as_str()))
            {
                faults.push(format!("{at}: `{word}` is not a word of this project"));
            }
        }
    }
    report("a name is not from the table", &faults);
}

#[test]
fn nothing_is_left_undone() {
    // Spelt in two halves, or this file would find itself.
    let leftovers = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("dbg", "!("),
    ];
    let mut faults = Vec::new();
    for source in sources(&["src", "tests"]) {
        for (index, line) in source.text.lines().enumerate() {
            for leftover in leftovers.iter().filter(|l| line.contains(**l)) {
                faults.push(format!("{}:{}: {leftover}", source.path, index + 1));
            }
        }
    }
    report("something is left undone", &faults);
}

#[test]
fn no_async_runtime_in_the_lock_file() {
    let lock = fs::read_to_string(package_root().join("Cargo.lock")).unwrap();
    let faults: Vec<String> = ["tokio", "async-std", "smol", "async-executor"]
        .iter()
        .filter(|name| lock.contains(&format!("name = \"{name}\"\n")))
        .map(|name| format!("Cargo.lock: {name}"))
        .collect();
    report("an async runtime came in", &faults);
}

#[test]
fn the_rules_find_what_they_look_for() {
    assert_eq!(crate_paths("use crate::rtmp::url;"), ["rtmp"]);
    assert_eq!(
        crate_paths("    crate::net::poll(crate::wire::x)"),
        ["net", "wire"]
    );
    assert_eq!(
        crate_paths("use crate::{amf, media::flv};"),
        ["amf", "media"]
    );
    assert!(crate_paths("use mycrate::net;").is_empty());
    assert_eq!(
        declaration("pub(crate) const fn get_x() {"),
        Some(("fn", "get_x"))
    );
    assert_eq!(
        declaration("pub struct Stream<T> {"),
        Some(("struct", "Stream"))
    );
    assert_eq!(declaration("let fnord = 1;"), None);
    assert!(words("LogManager").contains(&"manager".to_owned()));
    assert!(words("frame_handler").contains(&"handler".to_owned()));
}
