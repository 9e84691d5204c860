//! Texts to count: those of a folder, or the Markdown and Rust files of the
//! crates that cargo has downloaded for this very build.

use crate::repository::{items, metadata, text};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Enough for some dozen batches; more would only take longer.
const MAX_BYTES: u64 = 48 << 20;
/// A larger file is data, not text.
const MAX_FILE: u64 = 4 << 20;

/// Files to count.
pub(crate) struct Corpus {
    /// Their paths.
    pub(crate) files: Vec<PathBuf>,
    /// Their bytes in all.
    pub(crate) bytes: u64,
    /// Where they come from, for people.
    pub(crate) origin: String,
}

impl Corpus {
    /// The texts of a folder: its files without a zero byte.
    pub(crate) fn of_folder(folder: &Path) -> Result<Corpus> {
        let folder = fs::canonicalize(folder)
            .with_context(|| format!("cannot open the folder {}", folder.display()))?;
        let mut corpus = Corpus::empty(format!("from {}", folder.display()));
        corpus.add(&folder, &|_| true)?;
        corpus.some()
    }

    /// The Markdown and Rust files of this workspace's dependencies.
    pub(crate) fn of_dependencies() -> Result<Corpus> {
        let version = Command::new("rustc").arg("-vV").output();
        let version = version.context("cannot start rustc")?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc -vV names no host")?;
        let metadata = metadata(&["--filter-platform", host])?;
        let mut corpus = Corpus::empty("from the crates that cargo has downloaded".into());
        for package in items(&metadata, "packages").filter(|p| p["source"].is_string()) {
            let manifest = Path::new(text(package, "manifest_path")?);
            if let Some(folder) = manifest.parent() {
                corpus.add(folder, &|name| {
                    name.ends_with(".md") || name.ends_with(".rs")
                })?;
            }
        }
        corpus.some()
    }

    fn empty(origin: String) -> Corpus {
        Corpus {
            files: Vec::new(),
            bytes: 0,
            origin,
        }
    }

    fn some(self) -> Result<Corpus> {
        if self.files.is_empty() {
            bail!("no text was found {}", self.origin);
        }
        Ok(self)
    }

    /// Adds what a folder holds, in order of name, until there is enough.
    fn add(&mut self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let entries = fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            // The definition takes patterns: a path must not be mistaken for one.
            let hidden = name.starts_with('.') || matches!(name, "target" | "node_modules");
            if hidden || name.contains(['*', '?', '[', ']', '{', '}', '\\']) {
                continue;
            }
            let kind = fs::symlink_metadata(&path)?;
            if kind.is_dir() {
                self.add(&path, wanted)?;
            } else if kind.is_file()
                && wanted(name)
                && (1..=MAX_FILE).contains(&kind.len())
                && self.bytes + kind.len() <= MAX_BYTES
                && !fs::read(&path)?.contains(&0)
            {
                self.bytes += kind.len();
                self.files.push(path);
            }
        }
        Ok(())
    }
}
