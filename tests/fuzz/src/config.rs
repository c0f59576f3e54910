//! Configuration files.

use millstream::cli::check_config;

/// The text of a file.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match check_config("mill.toml", text) {
        Ok(shown) => {
            let again = check_config("mill.toml", &shown).expect("what was shown is a file");
            assert_eq!(settings(&again), settings(&shown), "changed by showing");
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            let lines = text.matches('\n').count() + 1;
            for fault in faults.lines() {
                let place = fault.strip_prefix("mill.toml:");
                let line = place.and_then(|place| place.split_once(':'));
                let line: usize = line.and_then(|(line, _)| line.parse().ok()).unwrap_or(0);
                assert!((1..=lines).contains(&line), "no such line: {fault:?}");
            }
        }
    }
}

/// What is no comment.
fn settings(shown: &str) -> Vec<&str> {
    let lines = shown.lines();
    lines.filter(|line| !line.starts_with('#')).collect()
}
