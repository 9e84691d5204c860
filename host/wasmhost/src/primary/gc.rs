//! Takes blobs away that no record names, at start and every hour; those of superseded
//! checkpoints at once.

use super::Shared;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use wasmhost_proto::keep::checkpoint_owner;
use wasmhost_proto::limits::{BLOB_COLLECT_MS, BLOB_GRACE_MS};
use wasmhost_proto::{Digest, TaskId};

/// Collects until the primary stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut due = tokio::time::interval(Duration::from_millis(BLOB_COLLECT_MS));
    while shared.stop.run_until_cancelled(due.tick()).await.is_some() {
        let now = SystemTime::now();
        let collect = {
            let shared = shared.clone();
            move || collect(&shared, now)
        };
        if tokio::task::spawn_blocking(collect).await.is_err() {
            return;
        }
    }
}

/// Blobs younger than the grace may be about to be named, so they stay.
fn collect(shared: &Shared, now: SystemTime) {
    let named = shared
        .store
        .named_blobs()
        .unwrap_or_else(|error| super::fatal(&error));
    let older_than = now - Duration::from_millis(BLOB_GRACE_MS);
    match shared.blobs.collect(&named, older_than) {
        Ok(collected) if collected.files == 0 => {}
        Ok(collected) => {
            let (files, bytes) = (collected.files, collected.bytes);
            tracing::info!(files, bytes, "took away blobs that nothing names");
        }
        Err(error) => tracing::warn!("cannot take away old blobs: {error}"),
    }
}

/// Takes the blob of a superseded checkpoint away, if it is one: a worker may have named
/// another's content.
pub(super) fn drop_checkpoint(shared: &Shared, task: TaskId, blob: Digest) {
    let owner = checkpoint_owner(task);
    if let Err(error) = shared.blobs.remove(blob, owner.as_bytes()) {
        tracing::warn!(%task, "cannot take away an old checkpoint: {error}");
    }
}
