//! What tasks keep: the checkpoints of those that have not ended, and the outputs of all.

use super::tables::{CHECKPOINTS, ENDS, LIVE, OUTPUTS, PARTS};
use super::{codec, ends, storage};
use crate::{StoreError, named};
use ::redb::{ReadTransaction, ReadableTable, WriteTransaction};
use std::collections::HashSet;
use wasmhost_core::record::{CheckpointRecord, OutputRecord};
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Digest, JobId, NodeIndex, TaskId};

const NAME: &str = "checkpoints";
const OUTPUTS_NAME: &str = "outputs";
const PARTS_NAME: &str = "output_parts";

/// Makes the tables.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(CHECKPOINTS).map_err(storage)?;
    txn.open_table(OUTPUTS).map_err(storage)?;
    txn.open_table(PARTS).map_err(storage)?;
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
    let contents = all.iter().map(|(_, record)| &record.content);
    blobs.extend(contents.filter_map(named::in_content));
    let table = txn.open_table(PARTS).map_err(storage)?;
    for row in table.iter().map_err(storage)? {
        let part = codec::decode(PARTS_NAME, row.map_err(storage)?.1.value())?;
        blobs.extend(named::in_content(&part));
    }
    Ok(())
}

pub(super) fn put_output(
    txn: &WriteTransaction,
    task: TaskId,
    number: u32,
    record: &OutputRecord,
) -> Result<(), StoreError> {
    let bytes = codec::encode(OUTPUTS_NAME, record)?;
    let mut table = txn.open_table(OUTPUTS).map_err(storage)?;
    let key = (task.job.0, task.node, task.index, number);
    table.insert(key, &*bytes).map_err(storage)?;
    Ok(())
}

pub(super) fn put_part(
    txn: &WriteTransaction,
    task: TaskId,
    number: u32,
    part: u32,
    content: &ResultData,
) -> Result<(), StoreError> {
    let bytes = codec::encode(PARTS_NAME, content)?;
    let mut table = txn.open_table(PARTS).map_err(storage)?;
    let key = (task.job.0, task.node, task.index, number, part);
    table.insert(key, &*bytes).map_err(storage)?;
    Ok(())
}

pub(super) fn remove_outputs(txn: &WriteTransaction, task: TaskId) -> Result<(), StoreError> {
    let TaskId { job, node, index } = task;
    let mut table = txn.open_table(OUTPUTS).map_err(storage)?;
    let all = (job.0, node, index, 0)..=(job.0, node, index, u32::MAX);
    table.retain_in(all, |_, _| false).map_err(storage)?;
    let mut table = txn.open_table(PARTS).map_err(storage)?;
    let all = (job.0, node, index, 0, 0)..=(job.0, node, index, u32::MAX, u32::MAX);
    table.retain_in(all, |_, _| false).map_err(storage)
}

/// Outputs of a job from a place on, in order of task and number.
pub(super) fn outputs(
    txn: &ReadTransaction,
    job: JobId,
    (node, index, number): (NodeIndex, u32, u32),
    limit: usize,
) -> Result<Vec<(TaskId, u32, OutputRecord)>, StoreError> {
    let table = txn.open_table(OUTPUTS).map_err(storage)?;
    let from = (job.0, node, index, number);
    let to = (job.0, NodeIndex::MAX, u32::MAX, u32::MAX);
    let mut all = Vec::new();
    for row in table.range(from..=to).map_err(storage)?.take(limit) {
        let (key, bytes) = row.map_err(storage)?;
        let (_, node, index, number) = key.value();
        let task = TaskId { job, node, index };
        all.push((task, number, codec::decode(OUTPUTS_NAME, bytes.value())?));
    }
    Ok(all)
}

/// Parts of an output from one on.
pub(super) fn parts(
    txn: &ReadTransaction,
    task: TaskId,
    number: u32,
    from: u32,
    limit: usize,
) -> Result<Vec<ResultData>, StoreError> {
    let table = txn.open_table(PARTS).map_err(storage)?;
    let TaskId { job, node, index } = task;
    let those = (job.0, node, index, number, from)..=(job.0, node, index, number, u32::MAX);
    let rows = table.range(those).map_err(storage)?.take(limit);
    rows.map(|row| codec::decode(PARTS_NAME, row.map_err(storage)?.1.value()))
        .collect()
}

/// The outputs of live jobs that may still be written.
pub(super) fn live_outputs(
    txn: &ReadTransaction,
) -> Result<Vec<(TaskId, OutputRecord)>, StoreError> {
    let live = txn.open_table(LIVE).map_err(storage)?;
    let table = txn.open_table(OUTPUTS).map_err(storage)?;
    let recorded = txn.open_table(ENDS).map_err(storage)?;
    // An attempt's outputs are in a row.
    let mut last = None;
    let mut all = Vec::new();
    for row in live.iter().map_err(storage)? {
        let job = JobId(row.map_err(storage)?.0.value());
        let those = (job.0, 0, 0, 0)..=(job.0, NodeIndex::MAX, u32::MAX, u32::MAX);
        for row in table.range(those).map_err(storage)? {
            let (key, bytes) = row.map_err(storage)?;
            let (_, node, index, _) = key.value();
            let task = TaskId { job, node, index };
            let end = match last {
                Some((of, end)) if of == task => end,
                _ => ends::get(&recorded, task)?.map(|outcome| outcome.lease),
            };
            last = Some((task, end));
            let record: OutputRecord = codec::decode(OUTPUTS_NAME, bytes.value())?;
            if record.is_live(end) {
                all.push((task, record));
            }
        }
    }
    Ok(all)
}
