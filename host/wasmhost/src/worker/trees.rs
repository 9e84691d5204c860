//! The files that an attempt reads, laid out as folders: links to what the worker's cache
//! holds, so that a file is on the disk once, however many attempts read it. Nobody writes
//! to them: rooms mount them read-only.

use super::files::Held;
use anyhow::Context as _;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmhost_proto::Digest;
use wasmhost_proto::files::{Files, InputContent, is_inside};
use wasmhost_proto::input::BlobRef;

/// The folder that they lie in.
pub(super) struct Trees {
    dir: PathBuf,
    next: AtomicU64,
}

/// The files of one attempt: `0`, `1`, … in the order of its inputs. Gone when this is
/// dropped.
pub(super) struct Tree(PathBuf);

impl Tree {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        let remove = move || {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), "cannot remove an attempt's files: {error}");
            }
        };
        // Many files take a while.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

impl Trees {
    /// Opens the folder; what an earlier process left in it goes.
    pub(super) fn open(dir: PathBuf) -> anyhow::Result<Trees> {
        let renew = || {
            if dir.exists() {
                fs::remove_dir_all(&dir)?;
            }
            fs::create_dir_all(&dir)
        };
        renew().with_context(|| format!("cannot use the folder {}", dir.display()))?;
        Ok(Trees {
            dir,
            next: AtomicU64::new(0),
        })
    }

    /// Lays out files whose contents are all held.
    pub(super) async fn lay(&self, files: Box<Files>, held: Vec<Held>) -> io::Result<Tree> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let tree = Tree(self.dir.join(number.to_string()));
        let lay = tokio::task::spawn_blocking(move || {
            fs::create_dir(tree.path())?;
            let contents = held.iter().map(|held| (held.digest(), held.path()));
            lay(tree.path(), &files, &contents.collect())?;
            Ok(tree)
        });
        lay.await.map_err(io::Error::other)?
    }
}

fn lay(dir: &Path, files: &Files, contents: &HashMap<Digest, PathBuf>) -> io::Result<()> {
    let place = |blob: &BlobRef, at: &Path| {
        let missing = || io::Error::other(format!("{} was not fetched", blob.digest));
        let from = contents.get(&blob.digest).ok_or_else(missing)?;
        // A file can have so many links and no more.
        fs::hard_link(from, at).or_else(|_| fs::copy(from, at).map(|_| ()))
    };
    for (index, input) in files.inputs.iter().enumerate() {
        let at = dir.join(index.to_string());
        match &input.content {
            InputContent::File(blob) => place(blob, &at)?,
            InputContent::Folder(files) => {
                fs::create_dir(&at)?;
                for (path, blob) in files {
                    if !is_inside(path) {
                        let why = format!("\"{path}\" does not lie in a folder");
                        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
                    }
                    let to = at.join(path);
                    to.parent().map_or(Ok(()), fs::create_dir_all)?;
                    place(blob, &to)?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(files: &[(&str, InputContent)], want: Result<&[(&str, &str)], &str>) {
        let dir = tempfile::tempdir().unwrap();
        let content = dir.path().join("content");
        fs::write(&content, "text").unwrap();
        let contents = HashMap::from([(Digest([1; 32]), content)]);
        let inputs = files
            .iter()
            .map(|(at, content)| wasmhost_proto::files::InputFiles {
                at: (*at).to_owned(),
                content: content.clone(),
            });
        let files = Files {
            inputs: inputs.collect(),
            scratch: None,
            collect: Vec::new(),
        };
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        match (lay(&tree, &files, &contents), want) {
            (Ok(()), Ok(want)) => {
                for (path, text) in want {
                    let found = fs::read_to_string(tree.join(path)).unwrap();
                    assert_eq!(found, *text, "{path}");
                }
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, want) => panic!("{files:?}: {got:?} instead of {want:?}"),
        }
        assert!(!dir.path().join("out").exists());
    }

    #[test]
    fn files_are_where_they_belong_and_nowhere_else() {
        let blob = |byte| BlobRef {
            digest: Digest([byte; 32]),
            len: 4,
        };
        let folder = |path: &str, byte| InputContent::Folder(vec![(path.into(), blob(byte))]);
        check(&[], Ok(&[]));
        check(
            &[
                ("/a", InputContent::File(blob(1))),
                ("/b", folder("deep/er/c", 1)),
            ],
            Ok(&[("0", "text"), ("1/deep/er/c", "text")]),
        );
        check(&[("/b", InputContent::Folder(vec![]))], Ok(&[]));
        check(
            &[("/a", InputContent::File(blob(2)))],
            Err("was not fetched"),
        );
        for path in ["../out", "/out", "a/../../out", ""] {
            check(&[("/a", folder(path, 1))], Err("does not lie in a folder"));
        }
    }
}
