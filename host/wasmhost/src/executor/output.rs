//! Gathers the output of a run as it comes from its executor: small ones in
//! memory, large ones in a file with its digest.

use sha2::{Digest as _, Sha256};
use std::io;
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::MAX_INLINE;

/// The output of a run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum OutputData {
    /// Up to `MAX_INLINE` bytes.
    Bytes(Vec<u8>),
    /// More: a file that belongs to whoever gets this.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// Its SHA-256.
        digest: Digest,
    },
}

/// An output that is still coming. Its file goes when it is dropped unfinished.
pub(super) struct Gather {
    /// Where a file would be.
    path: PathBuf,
    max: u64,
    len: u64,
    bytes: Vec<u8>,
    file: Option<(File, Sha256)>,
}

/// Why an output was not taken.
#[derive(Debug)]
pub(super) enum GatherError {
    /// More than the run may give: its executor should have stopped it.
    TooLong,
    /// The file cannot be written.
    Write(io::Error),
}

impl Gather {
    pub(super) fn new(path: PathBuf, max: u64) -> Gather {
        Gather {
            path,
            max,
            len: 0,
            bytes: Vec::new(),
            file: None,
        }
    }

    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), GatherError> {
        self.len += bytes.len() as u64;
        if self.len > self.max {
            return Err(GatherError::TooLong);
        }
        if self.file.is_none() && self.len <= MAX_INLINE as u64 {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        self.write(bytes).await.map_err(GatherError::Write)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let mut file = File::create(&self.path).await?;
            let start = std::mem::take(&mut self.bytes);
            file.write_all(&start).await?;
            self.file = Some((file, Sha256::new_with_prefix(&start)));
        }
        if let Some((file, digest)) = &mut self.file {
            file.write_all(bytes).await?;
            digest.update(bytes);
        }
        Ok(())
    }

    /// Writes what is not in the file yet.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some((file, _)) => file.flush().await,
            None => Ok(()),
        }
    }

    /// The whole output, after a flush that went well. Its file stays from here on.
    pub(super) fn finish(mut self) -> OutputData {
        let Some((_, digest)) = self.file.take() else {
            return OutputData::Bytes(std::mem::take(&mut self.bytes));
        };
        OutputData::File {
            path: std::mem::take(&mut self.path),
            len: self.len,
            digest: Digest(digest.finalize().into()),
        }
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        if self.file.is_some() {
            // The folder is emptied at the next start anyway.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn check(chunks: &[usize], want_file: bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut gather = Gather::new(path.clone(), 1 << 20);
        let mut all = Vec::new();
        for (i, len) in chunks.iter().enumerate() {
            let chunk = vec![i as u8; *len];
            gather.push(&chunk).await.unwrap();
            all.extend(chunk);
        }
        gather.flush().await.unwrap();
        match gather.finish() {
            OutputData::Bytes(bytes) => assert!(!want_file && bytes == all),
            OutputData::File { path, len, digest } => {
                assert!(want_file);
                assert_eq!(len, all.len() as u64);
                assert_eq!(digest.0[..], Sha256::digest(&all)[..]);
                assert!(std::fs::read(path).unwrap() == all);
            }
        }
    }

    #[tokio::test]
    async fn small_outputs_stay_in_memory_and_large_ones_do_not() {
        check(&[], false).await;
        check(&[MAX_INLINE], false).await;
        check(&[MAX_INLINE, 1], true).await;
        check(&[1 << 19, 1 << 19], true).await;
    }

    #[tokio::test]
    async fn too_long_ones_are_refused_and_leave_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut gather = Gather::new(path.clone(), 100_000);
        gather.push(&[0; 100_000]).await.unwrap();
        assert!(path.exists());
        assert!(matches!(gather.push(&[0]).await, Err(GatherError::TooLong)));
        drop(gather);
        assert!(!path.exists());
    }
}
