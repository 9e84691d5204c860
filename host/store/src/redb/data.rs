//! The data of jobs and of everybody: entries by space and key, and the last change of
//! each attempt that has made one.

use super::tables::{CALLS, DATA, META};
use super::{codec, keep, storage};
use crate::StoreError;
use ::redb::{ReadTransaction, ReadableTable, WriteTransaction};
use wasmhost_core::record::{CallRecord, DataWrite, RecoveredData, SpaceId};
use wasmhost_proto::{JobId, NodeIndex, TaskId};

const NAME: &str = "data";
const CALLS_NAME: &str = "data_calls";
/// The highest revision of any change, in [`META`].
const REVISION: &str = "data_revision";

/// Makes the tables.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(DATA).map_err(storage)?;
    txn.open_table(CALLS).map_err(storage)?;
    Ok(())
}

/// Jobs have numbers above 0, and spaces of theirs no names.
fn place(space: &SpaceId) -> (u64, &str) {
    match space {
        SpaceId::Job(job) => (job.0, ""),
        SpaceId::Public(name) => (0, name),
    }
}

pub(super) fn put(txn: &WriteTransaction, write: &DataWrite) -> Result<(), StoreError> {
    let (job, name) = place(&write.space);
    let key = (job, name, &*write.key);
    let mut table = txn.open_table(DATA).map_err(storage)?;
    match &write.entry {
        Some(entry) => {
            let bytes = codec::encode(NAME, entry)?;
            table.insert(key, &*bytes).map_err(storage)?;
        }
        None => {
            table.remove(key).map_err(storage)?;
        }
    }
    let mut meta = txn.open_table(META).map_err(storage)?;
    meta.insert(REVISION, write.revision).map_err(storage)?;
    Ok(())
}

pub(super) fn put_call(
    txn: &WriteTransaction,
    task: TaskId,
    record: &CallRecord,
) -> Result<(), StoreError> {
    let bytes = codec::encode(CALLS_NAME, record)?;
    let mut table = txn.open_table(CALLS).map_err(storage)?;
    let key = (task.job.0, task.node, task.index);
    table.insert(key, &*bytes).map_err(storage)?;
    Ok(())
}

pub(super) fn remove_call(txn: &WriteTransaction, task: TaskId) -> Result<(), StoreError> {
    let mut table = txn.open_table(CALLS).map_err(storage)?;
    let key = (task.job.0, task.node, task.index);
    table.remove(key).map_err(storage)?;
    Ok(())
}

/// A job's entries and its attempts' changes.
pub(super) fn remove_job(txn: &WriteTransaction, job: JobId) -> Result<(), StoreError> {
    let mut data = txn.open_table(DATA).map_err(storage)?;
    // A job's space has no name: its keys come before those of a named one.
    let of_job = (job.0, "", "")..(job.0, "\0", "");
    data.retain_in(of_job, |_, _| false).map_err(storage)?;
    let mut calls = txn.open_table(CALLS).map_err(storage)?;
    let of_job = (job.0, 0, 0)..=(job.0, NodeIndex::MAX, u32::MAX);
    calls.retain_in(of_job, |_, _| false).map_err(storage)
}

/// All of it.
pub(super) fn all(txn: &ReadTransaction) -> Result<RecoveredData, StoreError> {
    let meta = txn.open_table(META).map_err(storage)?;
    let revision = meta.get(REVISION).map_err(storage)?;
    let mut data = RecoveredData {
        revision: revision.map_or(0, |revision| revision.value()),
        ..RecoveredData::default()
    };
    let table = txn.open_table(DATA).map_err(storage)?;
    for row in table.iter().map_err(storage)? {
        let (key, bytes) = row.map_err(storage)?;
        let space = match key.value() {
            (0, name, _) => SpaceId::Public(name.to_owned()),
            (job, ..) => SpaceId::Job(JobId(job)),
        };
        data.entries
            .push((space, codec::decode(NAME, bytes.value())?));
    }
    let table = txn.open_table(CALLS).map_err(storage)?;
    for row in table.iter().map_err(storage)? {
        let (key, bytes) = row.map_err(storage)?;
        let (job, node, index) = key.value();
        let task = TaskId {
            job: JobId(job),
            node,
            index,
        };
        data.calls
            .push((task, codec::decode(CALLS_NAME, bytes.value())?));
    }
    data.checkpoints = keep::all(txn)?;
    data.outputs = keep::live_outputs(txn)?;
    Ok(data)
}
