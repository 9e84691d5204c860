//! The files of a definition: found, put together into batches, uploaded, a few
//! at a time. One file is in memory per upload.

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Fault};
use crate::client::{Client, ClientError};
use crate::output::bars::Mode;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use wasmhost_jobc::{batch_label, batches};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_BLOB, MAX_BLOB_STREAMS, MAX_ITEMS, MAX_ITEMS_BYTES};

/// Uploaded files by the path that the definition or a list has for them.
pub(crate) struct Files<'a> {
    client: &'a Client,
    bar: ProgressBar,
    blobs: BTreeMap<String, BlobRef>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(cx: &Context, client: &'a Client) -> Files<'a> {
        let bar = match cx.out.progress() {
            Mode::Live => ProgressBar::new(0),
            Mode::Lines | Mode::Silent => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("uploading {bar:28.cyan/dim} {pos}/{len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Files {
            client,
            bar: bar.with_style(style.progress_chars("━╸ ")),
            blobs: BTreeMap::new(),
        }
    }

    /// What was uploaded.
    pub(crate) fn finish(self) -> BTreeMap<String, BlobRef> {
        self.bar.finish_and_clear();
        self.blobs
    }

    /// Uploads content as it is.
    pub(crate) async fn add_bytes(
        &mut self,
        label: String,
        bytes: Vec<u8>,
    ) -> Result<(), ClientError> {
        let blob = self.client.push_blob(bytes.into()).await?;
        self.blobs.insert(label, blob);
        Ok(())
    }

    /// Uploads files as one blob, with a newline between two.
    pub(crate) async fn add(&mut self, label: String, paths: &[PathBuf]) -> anyhow::Result<()> {
        let bytes = concatenate(paths)?;
        Ok(self.add_bytes(label, bytes).await?)
    }

    /// Finds the files that patterns mean and uploads them, each or in batches.
    /// Gives their labels, one per index of the array.
    pub(crate) async fn add_list(
        &mut self,
        base: &Path,
        patterns: &[String],
        batch: Option<u64>,
    ) -> anyhow::Result<Vec<String>> {
        let groups = groups(base, patterns, batch)?;
        let labels = groups.iter().map(|(label, _)| label.clone()).collect();
        self.add_all(groups).await?;
        Ok(labels)
    }

    /// Uploads files under their labels, several as one blob.
    pub(crate) async fn add_all(
        &mut self,
        groups: Vec<(String, Vec<PathBuf>)>,
    ) -> anyhow::Result<()> {
        self.bar.inc_length(groups.len() as u64);
        let mut waiting = groups.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < MAX_BLOB_STREAMS
                && let Some((label, paths)) = waiting.next()
            {
                let (client, bytes) = (self.client, concatenate(&paths)?);
                running.push(async move { (label, client.push_blob(bytes.into()).await) });
            }
            let Some((label, blob)) = running.next().await else {
                return Ok(());
            };
            self.blobs.insert(label, blob?);
            self.bar.inc(1);
        }
    }
}

/// The labels that uploading a list gives, without uploading it.
pub(crate) fn labels(
    base: &Path,
    patterns: &[String],
    batch: Option<u64>,
) -> anyhow::Result<Vec<String>> {
    let groups = groups(base, patterns, batch)?;
    Ok(groups.into_iter().map(|(label, _)| label).collect())
}

/// What patterns mean: for each index of the array, its label and its files.
fn groups(
    base: &Path,
    patterns: &[String],
    batch: Option<u64>,
) -> anyhow::Result<Vec<(String, Vec<PathBuf>)>> {
    let found = find(base, patterns)?;
    Ok(match batch {
        None => found.into_iter().map(|f| (f.label, vec![f.path])).collect(),
        Some(size) => {
            let lens: Vec<u64> = found.iter().map(|f| f.len).collect();
            batches(&lens, size)
                .into_iter()
                .map(|range| group(&found[range]))
                .collect()
        }
    })
}

fn group(files: &[Found]) -> (String, Vec<PathBuf>) {
    let labels: Vec<&str> = files.iter().map(|f| f.label.as_str()).collect();
    (
        batch_label(&labels),
        files.iter().map(|f| f.path.clone()).collect(),
    )
}

fn concatenate(paths: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        if i > 0 {
            bytes.push(b'\n');
        }
        let failed = |error| ClientError::File {
            what: format!("cannot read {}", path.display()),
            error,
        };
        let len = std::fs::metadata(path).map_err(failed)?.len();
        if bytes.len() as u64 + len > MAX_BLOB {
            let title = format!(
                "{} has {len} bytes: an input has at most {MAX_BLOB}",
                path.display()
            );
            return Err(Fault::new(Exit::REFUSED, "too_large", title).into());
        }
        bytes.extend_from_slice(&std::fs::read(path).map_err(failed)?);
    }
    Ok(bytes)
}

/// A file that a pattern meant.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    label: String,
    path: PathBuf,
    len: u64,
}

/// The files of all patterns, each once, in order of their labels: the order
/// must not depend on the file system. Labels are paths as the pattern has them.
fn find(base: &Path, patterns: &[String]) -> anyhow::Result<Vec<Found>> {
    let mut found = BTreeSet::new();
    let mut bytes = 0;
    for pattern in patterns {
        let prefix = if Path::new(pattern).is_absolute() {
            PathBuf::new()
        } else {
            base.to_owned()
        };
        let whole = format!("{}{pattern}", escaped_prefix(&prefix));
        let bad = |why: String| {
            Fault::new(
                Exit::REFUSED,
                "bad_pattern",
                format!("the pattern '{pattern}': {why}"),
            )
        };
        let before = found.len();
        for entry in glob::glob(&whole).map_err(|error| bad(error.to_string()))? {
            let path = entry.map_err(|error| bad(error.to_string()))?;
            let meta = std::fs::metadata(&path)
                .map_err(|error| bad(format!("{}: {error}", path.display())))?;
            if !meta.is_file() {
                continue;
            }
            let label = path
                .strip_prefix(&prefix)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            bytes += label.len();
            found.insert(Found {
                label,
                path,
                len: meta.len(),
            });
            if found.len() > MAX_ITEMS || bytes > MAX_ITEMS_BYTES {
                return Err(bad(format!("it means more than {MAX_ITEMS} files")).into());
            }
        }
        if found.len() == before {
            let fault = bad("no file fits it".into());
            return Err(fault
                .help(format!(
                    "relative patterns start in {}",
                    Path::new(".").join(base).display()
                ))
                .into());
        }
    }
    Ok(found.into_iter().collect())
}

/// The folder as a pattern that means itself, with a separator behind it.
fn escaped_prefix(prefix: &Path) -> String {
    let text = prefix.to_string_lossy();
    if text.is_empty() {
        String::new()
    } else {
        format!("{}/", glob::Pattern::escape(&text))
    }
}

/// The lines of a text file that are not blank.
pub(crate) fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|error| ClientError::File {
        what: format!("cannot read {}", path.display()),
        error,
    })?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::Builder::new().prefix("[odd]").tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("t/deep")).unwrap();
        for (name, text) in [
            ("t/b.md", "bb"),
            ("t/a.md", "a"),
            ("t/deep/c.md", "ccc"),
            ("t/d.rs", "d"),
            ("l", " x \n\ny\n"),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn patterns_find_each_file_once_in_order() {
        let dir = tree();
        let check = |patterns: &[&str], want: Result<&[&str], &str>| {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).into()).collect();
            match (find(dir.path(), &patterns), want) {
                (Ok(found), Ok(want)) => {
                    let labels: Vec<&str> = found.iter().map(|f| f.label.as_str()).collect();
                    assert_eq!(labels, want);
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (got, want) => panic!("{patterns:?}: {got:?} instead of {want:?}"),
            }
        };
        check(&["t/**/*.md"], Ok(&["t/a.md", "t/b.md", "t/deep/c.md"]));
        check(&["t/*.rs", "t/*"], Ok(&["t/a.md", "t/b.md", "t/d.rs"]));
        check(&["t/*.txt"], Err("no file fits"));
        check(&["t/***"], Err("the pattern 't/***'"));
    }

    #[test]
    fn batches_hold_whole_files() {
        let dir = tree();
        let found = find(dir.path(), &["t/*.md".into()]).unwrap();
        let (label, paths) = group(&found);
        assert_eq!(label, "t/a.md (+1)");
        assert_eq!(concatenate(&paths).unwrap(), b"a\nbb");
        assert_eq!(lines(&dir.path().join("l")).unwrap(), ["x", "y"]);
    }
}
