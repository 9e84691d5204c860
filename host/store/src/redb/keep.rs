//! What tasks keep: the checkpoints of those that have not ended.

use super::tables::CHECKPOINTS;
use super::{codec, storage};
use crate::{StoreError, named};
use ::redb::{ReadTransaction, ReadableTable, WriteTransaction};
use std::collections::HashSet;
use wasmhost_core::record::CheckpointRecord;
use wasmhost_proto::{Digest, JobId, TaskId};

const NAME: &str = "checkpoints";

/// Makes the table.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(CHECKPOINTS).map_err(storage)?;
    Ok(())
}

pub(super) fn put(
    txn: &WriteTransaction,
    task: TaskId,
    record: &CheckpointRecord,
) -> Result<(), StoreError> {
    let bytes = codec::encode(NAME, record)?;
    let mut table = txn.open_table(CHECKPOINTS).map_err(storage)?;
    let key = (task.job.0, task.node, task.index);
    table.insert(key, &*bytes).map_err(storage)?;
    Ok(())
}

pub(super) fn remove(txn: &WriteTransaction, task: TaskId) -> Result<(), StoreError> {
    let mut table = txn.open_table(CHECKPOINTS).map_err(storage)?;
    let key = (task.job.0, task.node, task.index);
    table.remove(key).map_err(storage)?;
    Ok(())
}

/// All of them.
pub(super) fn all(txn: &ReadTransaction) -> Result<Vec<(TaskId, CheckpointRecord)>, StoreError> {
    let table = txn.open_table(CHECKPOINTS).map_err(storage)?;
    let mut all = Vec::new();
    for row in table.iter().map_err(storage)? {
        let (key, bytes) = row.map_err(storage)?;
        let (job, node, index) = key.value();
        let job = JobId(job);
        let task = TaskId { job, node, index };
        all.push((task, codec::decode(NAME, bytes.value())?));
    }
    Ok(all)
}

/// The blobs that they name.
pub(super) fn named(txn: &ReadTransaction, blobs: &mut HashSet<Digest>) -> Result<(), StoreError> {
    let all = all(txn)?;
    blobs.extend(
        all.iter()
            .filter_map(|(_, record)| named::in_checkpoint(record)),
    );
    Ok(())
}
