//! The highest term that this worker has seen, on disk: a primary with a lower
//! one is a leftover, whatever it says.

use anyhow::Context as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmhost_proto::Digest;

/// `DATA/term`: the cluster's fingerprint and the term. Terms of another
/// cluster do not count.
pub(super) struct TermFile {
    path: PathBuf,
    cluster: Digest,
    seen: u64,
}

impl TermFile {
    /// Reads the file; none is term 0.
    pub(super) fn open(dir: &Path, cluster: Digest) -> anyhow::Result<TermFile> {
        let path = dir.join("term");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut words = text.split_whitespace();
        let seen = match (words.next(), words.next()) {
            (None, _) => 0,
            (Some(of), Some(term)) if of == cluster.to_string() => term
                .parse()
                .with_context(|| format!("{} holds no term; remove it", path.display()))?,
            _ => 0,
        };
        Ok(TermFile {
            path,
            cluster,
            seen,
        })
    }

    /// The highest term seen.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Remembers a term, durable when this returns, if it is higher.
    pub(super) fn raise(&mut self, term: u64) -> io::Result<()> {
        if term <= self.seen {
            return Ok(());
        }
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        writeln!(file, "{} {term}", self.cluster)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        self.seen = term;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn terms_only_rise_and_belong_to_a_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Digest([1; 32]), Digest([2; 32]));
        let mut term = TermFile::open(dir.path(), ours).unwrap();
        assert_eq!(term.seen(), 0);
        for (raise, want) in [(3, 3), (2, 3), (9, 9)] {
            term.raise(raise).unwrap();
            assert_eq!(term.seen(), want);
            assert_eq!(TermFile::open(dir.path(), ours).unwrap().seen(), want);
        }
        assert_eq!(TermFile::open(dir.path(), theirs).unwrap().seen(), 0);
    }
}
