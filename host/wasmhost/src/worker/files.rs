//! Modules and inputs fetched from the primary, as files named by digest:
//! fetched once however many ask, verified, and bounded in bytes by dropping
//! what was used least recently. Decides nothing about what is fetched.

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use wasmhost_link::{BlobError, Uplink};
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{RECONNECT_MS, TRANSFER_MS};

/// The connection of the moment.
pub(super) type Uplinks = watch::Receiver<Option<Uplink>>;

/// Why a transfer was given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    /// It cannot succeed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The link was down or broke for too long; the text is its last error.
    #[error("gave up after {minutes} minutes without a working connection to the primary: {0}", minutes = TRANSFER_MS / 60_000)]
    GaveUp(String),
}

/// Runs a transfer, anew on the next connection when one breaks.
pub(super) async fn persist<F>(
    uplinks: &mut Uplinks,
    mut transfer: impl FnMut(Uplink) -> F,
) -> Result<(), TransferError>
where
    F: Future<Output = Result<(), BlobError>>,
{
    let deadline = Instant::now() + Duration::from_millis(TRANSFER_MS);
    let mut last = "not connected".to_owned();
    loop {
        let up = timeout_at(deadline, uplinks.wait_for(Option::is_some)).await;
        let uplink = match up.map(|up| up.map(|up| up.clone())) {
            Ok(Ok(Some(uplink))) => uplink,
            _ => return Err(TransferError::GaveUp(last)),
        };
        match transfer(uplink).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_transient() => last = error.to_string(),
            Err(error) => return Err(error.into()),
        }
        sleep(Duration::from_millis(*RECONNECT_MS.start())).await;
    }
}

/// The folder and what is in it.
pub(super) struct FileCache {
    dir: PathBuf,
    max_bytes: u64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Digest, Entry>,
    /// Of all entries that are there.
    bytes: u64,
    /// Counts uses.
    clock: u64,
}

struct Entry {
    /// 0 until the file is there.
    len: u64,
    used: u64,
    holders: usize,
    /// Whoever locks it makes the file; the others wait.
    state: Arc<tokio::sync::Mutex<State>>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Not there, or only in part.
    Absent,
    /// There since before this process: to be hashed at its first use.
    Found,
    /// There and verified by this process.
    Verified,
}

/// A file in use: it stays until this is dropped.
pub(super) struct Held {
    cache: Arc<FileCache>,
    digest: Digest,
}

impl Held {
    /// What the content is.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the content is.
    pub(super) fn path(&self) -> PathBuf {
        self.cache.path(self.digest)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.cache.table();
        if let Some(entry) = table.entries.get_mut(&self.digest) {
            entry.holders -= 1;
            if entry.holders == 0 && entry.len == 0 {
                table.entries.remove(&self.digest);
            }
        }
    }
}

impl FileCache {
    /// Opens the folder and takes up what an earlier process left.
    pub(super) fn open(dir: &Path, max_bytes: u64) -> anyhow::Result<FileCache> {
        let context = || format!("cannot use the folder {}", dir.display());
        std::fs::create_dir_all(dir).with_context(context)?;
        let mut table = Table::default();
        for file in std::fs::read_dir(dir).with_context(context)? {
            let file = file.with_context(context)?;
            let digest = file
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<Digest>().ok());
            match (digest, file.metadata().with_context(context)?.len()) {
                (Some(digest), len) if len > 0 => {
                    let state = Arc::new(tokio::sync::Mutex::new(State::Found));
                    table.entries.insert(
                        digest,
                        Entry {
                            len,
                            used: 0,
                            holders: 0,
                            state,
                        },
                    );
                    table.bytes += len;
                }
                // Broken off transfers of jobs that may be long gone.
                _ => std::fs::remove_file(file.path()).with_context(context)?,
            }
        }
        let cache = FileCache {
            dir: dir.to_owned(),
            max_bytes,
            table: Mutex::new(table),
        };
        cache.evict();
        Ok(cache)
    }

    /// The content as a file, fetched unless it is here.
    pub(super) async fn get(
        self: &Arc<Self>,
        blob: &BlobRef,
        uplinks: &mut Uplinks,
    ) -> Result<Held, TransferError> {
        let (held, state) = self.hold(blob.digest);
        let mut state = state.lock().await;
        let path = held.path();
        if *state == State::Found && !matches(path.clone(), blob.clone()).await {
            tracing::warn!(digest = %blob.digest, "a cached file was damaged; it is fetched anew");
            let _ = tokio::fs::remove_file(&path).await;
            self.resize(blob.digest, 0);
            *state = State::Absent;
        }
        if *state == State::Absent {
            persist(uplinks, |uplink| {
                let path = path.clone();
                async move { uplink.fetch(blob, &path).await }
            })
            .await?;
            self.resize(blob.digest, blob.len);
            let cache = self.clone();
            // Unlinking a large file takes a while. It may go on after us.
            drop(tokio::task::spawn_blocking(move || cache.evict()));
        }
        *state = State::Verified;
        drop(state);
        Ok(held)
    }

    fn hold(self: &Arc<Self>, digest: Digest) -> (Held, Arc<tokio::sync::Mutex<State>>) {
        let mut table = self.table();
        table.clock += 1;
        let used = table.clock;
        let entry = table.entries.entry(digest).or_insert_with(|| Entry {
            len: 0,
            used,
            holders: 0,
            state: Arc::new(tokio::sync::Mutex::new(State::Absent)),
        });
        entry.used = used;
        entry.holders += 1;
        (
            Held {
                cache: self.clone(),
                digest,
            },
            entry.state.clone(),
        )
    }

    fn resize(&self, digest: Digest, len: u64) {
        let mut table = self.table();
        let Some(entry) = table.entries.get_mut(&digest) else {
            return;
        };
        let before = std::mem::replace(&mut entry.len, len);
        table.bytes = table.bytes - before + len;
    }

    /// Removes what nobody holds, least recently used first, until the rest fits.
    pub(super) fn evict(&self) {
        let mut table = self.table();
        while table.bytes > self.max_bytes {
            let idle = table
                .entries
                .iter()
                .filter(|(_, entry)| entry.holders == 0 && entry.len > 0);
            let Some((digest, len)) = idle
                .min_by_key(|(_, entry)| entry.used)
                .map(|(d, entry)| (*d, entry.len))
            else {
                return;
            };
            table.entries.remove(&digest);
            table.bytes -= len;
            if let Err(error) = std::fs::remove_file(self.path(digest)) {
                tracing::warn!(%digest, "cannot remove a cached file: {error}");
            }
        }
    }

    /// A place for a file that is on its way out: whoever writes it removes it. What a
    /// process leaves there goes when the next one opens the folder.
    pub(super) fn passing(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("passing-{}", digest.hex()))
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it holds the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that goes when this is dropped.
pub(super) struct Remove(pub(super) PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), "cannot remove a file that was passed on: {error}");
        }
    }
}

/// Whether a file holds the content.
async fn matches(path: PathBuf, blob: BlobRef) -> bool {
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        let len = std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
        std::io::Result::Ok(BlobRef {
            digest: Digest(hash.finalize().into()),
            len,
        })
    });
    matches!(hashed.await, Ok(Ok(found)) if found == blob)
}
