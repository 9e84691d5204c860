//! What was found out about nodes of graphs before their tasks began.

use super::tables::PREPARED;
use super::{codec, storage};
use crate::{StoreError, named};
use ::redb::{ReadTransaction, ReadableTable, WriteTransaction};
use std::collections::HashSet;
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_proto::{Digest, JobId, NodeIndex};

const NAME: &str = "prepared";

/// Makes the table.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(PREPARED).map_err(storage)?;
    Ok(())
}

pub(super) fn put(
    txn: &WriteTransaction,
    job: JobId,
    node: NodeIndex,
    record: &PreparedRecord,
) -> Result<(), StoreError> {
    let bytes = codec::encode(NAME, record)?;
    let mut table = txn.open_table(PREPARED).map_err(storage)?;
    table.insert((job.0, node), &*bytes).map_err(storage)?;
    Ok(())
}

pub(super) fn remove(
    txn: &WriteTransaction,
    job: JobId,
    node: NodeIndex,
) -> Result<(), StoreError> {
    let mut table = txn.open_table(PREPARED).map_err(storage)?;
    table.remove((job.0, node)).map_err(storage)?;
    Ok(())
}

/// The nodes of a job that were prepared.
pub(super) fn of_job(
    txn: &ReadTransaction,
    job: JobId,
) -> Result<Vec<(NodeIndex, PreparedRecord)>, StoreError> {
    let table = txn.open_table(PREPARED).map_err(storage)?;
    let rows = table.range((job.0, 0)..=(job.0, NodeIndex::MAX));
    rows.map_err(storage)?
        .map(|row| {
            let (key, bytes) = row.map_err(storage)?;
            Ok((key.value().1, codec::decode(NAME, bytes.value())?))
        })
        .collect()
}

/// Adds the blobs that are named here.
pub(super) fn named(txn: &ReadTransaction, into: &mut HashSet<Digest>) -> Result<(), StoreError> {
    let table = txn.open_table(PREPARED).map_err(storage)?;
    for row in table.iter().map_err(storage)? {
        let (_, bytes) = row.map_err(storage)?;
        let record: PreparedRecord = codec::decode(NAME, bytes.value())?;
        into.extend(named::in_prepared(&record));
    }
    Ok(())
}
