//! Rules of the repository that matter: every source file says what it owns,
//! none grows past what can be read at once, and nothing unfinished is kept.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines before a file's own tests, at most.
const CEILING: usize = 400;
/// Lines of a file that is nothing but tests: tables are long and read by search.
const TEST_CEILING: usize = 550;
/// The median that the tree keeps below.
const MEDIAN: usize = 160;

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap();
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "ui" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 20, "the tree was not found");
    found
}

fn product_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .count()
}

#[test]
fn files_are_short_and_say_what_they_own() {
    let sources = sources();
    let mut complaints = Vec::new();
    for (path, text) in &sources {
        let lines = product_lines(text);
        let name = path.to_string_lossy();
        let tests = name.contains("/tests/") || name.ends_with("/tests.rs");
        if lines > if tests { TEST_CEILING } else { CEILING } {
            complaints.push(format!(
                "{} has {lines} lines before its tests: cut it",
                path.display()
            ));
        }
        if !text.starts_with("//!") {
            complaints.push(format!(
                "{} does not begin by saying what it owns",
                path.display()
            ));
        }
        for hole in ["todo!(", "unimplemented!(", "#[ignore"] {
            let quoted = format!("\"{hole}");
            if text.contains(hole) && !text.contains(&quoted) {
                complaints.push(format!("{} contains {hole}", path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let mut sizes: Vec<usize> = sources
        .iter()
        .map(|(_, text)| product_lines(text))
        .collect();
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    assert!(
        median <= MEDIAN,
        "the median file has {median} lines, over {MEDIAN}"
    );
}
