//! Tasks that drivers have started, by node and index.

use super::tables::SPAWNED;
use super::{codec, storage};
use crate::StoreError;
use ::redb::{ReadTransaction, WriteTransaction};
use wasmhost_core::record::SpawnRecord;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

const NAME: &str = "spawned";

/// Makes the table.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(SPAWNED).map_err(storage)?;
    Ok(())
}

pub(super) fn put(
    txn: &WriteTransaction,
    task: TaskId,
    record: &SpawnRecord,
) -> Result<(), StoreError> {
    let bytes = codec::encode(NAME, record)?;
    let mut table = txn.open_table(SPAWNED).map_err(storage)?;
    let key = (task.job.0, task.node, task.index);
    table.insert(key, &*bytes).map_err(storage)?;
    Ok(())
}

/// What the drivers of a job have started, in order of node and index.
pub(super) fn of_job(
    txn: &ReadTransaction,
    job: JobId,
) -> Result<Vec<(NodeIndex, SpawnRecord)>, StoreError> {
    let table = txn.open_table(SPAWNED).map_err(storage)?;
    let rows = table.range((job.0, 0, 0)..=(job.0, NodeIndex::MAX, u32::MAX));
    rows.map_err(storage)?
        .map(|row| {
            let (key, bytes) = row.map_err(storage)?;
            Ok((key.value().1, codec::decode(NAME, bytes.value())?))
        })
        .collect()
}
