//! Requests to a primary's own driver: all of them by key, and those that wait by number.

use super::tables::{REQUESTS, WAITING};
use super::{codec, storage};
use crate::StoreError;
use ::redb::{ReadTransaction, ReadableTable, WriteTransaction};
use wasmhost_core::record::RequestRecord;

const NAME: &str = "requests";

/// Makes the tables.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(REQUESTS).map_err(storage)?;
    txn.open_table(WAITING).map_err(storage)?;
    Ok(())
}

pub(super) fn put(txn: &WriteTransaction, record: &RequestRecord) -> Result<(), StoreError> {
    let bytes = codec::encode(NAME, record)?;
    let mut table = txn.open_table(REQUESTS).map_err(storage)?;
    table.insert(&*record.key, &*bytes).map_err(storage)?;
    let mut waiting = txn.open_table(WAITING).map_err(storage)?;
    match record.answer {
        None => waiting.insert(record.number, &*record.key).map(drop),
        Some(_) => waiting.remove(record.number).map(drop),
    }
    .map_err(storage)
}

/// Those that wait, by number.
pub(super) fn waiting(txn: &ReadTransaction) -> Result<Vec<RequestRecord>, StoreError> {
    let waiting = txn.open_table(WAITING).map_err(storage)?;
    let table = txn.open_table(REQUESTS).map_err(storage)?;
    let rows = waiting.iter().map_err(storage)?;
    rows.map(|row| {
        let (number, key) = row.map_err(storage)?;
        let record = table.get(key.value()).map_err(storage)?;
        let record = record.ok_or_else(|| StoreError::Damaged {
            table: NAME,
            why: format!("request {} waits, and is not there", number.value()),
        })?;
        codec::decode(NAME, record.value())
    })
    .collect()
}
