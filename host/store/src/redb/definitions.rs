//! Stored definitions: for each version a head, which lists read, and a body, which
//! jobs are made from; for each name the highest version that it ever had.

use super::tables::{BODIES, DEFINITIONS, VERSIONS};
use super::{codec, storage};
use crate::{StoreError, named};
use ::redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};
use std::collections::HashSet;
use wasmhost_core::record::{DefinitionBody, DefinitionHead, DefinitionRecord};
use wasmhost_proto::Digest;

const HEADS: &str = "definitions";
const BODY: &str = "definition_bodies";

/// Makes the tables.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(DEFINITIONS).map_err(storage)?;
    txn.open_table(BODIES).map_err(storage)?;
    txn.open_table(VERSIONS).map_err(storage)?;
    Ok(())
}

pub(super) fn put(txn: &WriteTransaction, record: &DefinitionRecord) -> Result<(), StoreError> {
    let DefinitionRecord { head, body } = record;
    let key = (head.name.as_str(), head.version);
    let bytes = codec::encode(BODY, body)?;
    let mut bodies = txn.open_table(BODIES).map_err(storage)?;
    bodies.insert(key, &*bytes).map_err(storage)?;
    let bytes = codec::encode(HEADS, head)?;
    let mut heads = txn.open_table(DEFINITIONS).map_err(storage)?;
    heads.insert(key, &*bytes).map_err(storage)?;
    let mut versions = txn.open_table(VERSIONS).map_err(storage)?;
    let last = versions.get(key.0).map_err(storage)?;
    if last.is_none_or(|last| last.value() < key.1) {
        versions.insert(key.0, key.1).map_err(storage)?;
    }
    Ok(())
}

pub(super) fn remove(
    txn: &WriteTransaction,
    name: &str,
    before: Option<u32>,
) -> Result<(), StoreError> {
    let clear = |mut table: Table<'_, (&str, u32), &[u8]>| {
        let kept = |_: (&str, u32), _: &[u8]| false;
        match before {
            Some(before) => table.retain_in((name, 0)..(name, before), kept),
            None => table.retain_in((name, 0)..=(name, u32::MAX), kept),
        }
    };
    clear(txn.open_table(DEFINITIONS).map_err(storage)?).map_err(storage)?;
    clear(txn.open_table(BODIES).map_err(storage)?).map_err(storage)
}

pub(super) fn latest(txn: &ReadTransaction) -> Result<Vec<DefinitionHead>, StoreError> {
    let heads = txn.open_table(DEFINITIONS).map_err(storage)?;
    let mut found: Vec<DefinitionHead> = Vec::new();
    // From the last name to the first: before each lie its own older versions.
    let mut last = heads.last().map_err(storage)?;
    while let Some((_, bytes)) = last {
        let head: DefinitionHead = codec::decode(HEADS, bytes.value())?;
        let mut older = heads.range(..(head.name.as_str(), 0)).map_err(storage)?;
        last = older.next_back().transpose().map_err(storage)?;
        found.push(head);
    }
    found.reverse();
    Ok(found)
}

pub(super) fn versions(
    txn: &ReadTransaction,
    name: &str,
) -> Result<Vec<DefinitionHead>, StoreError> {
    let heads = txn.open_table(DEFINITIONS).map_err(storage)?;
    let entries = heads.range((name, 0)..=(name, u32::MAX)).map_err(storage)?;
    entries
        .map(|entry| codec::decode(HEADS, entry.map_err(storage)?.1.value()))
        .collect()
}

pub(super) fn get(
    txn: &ReadTransaction,
    name: &str,
    version: Option<u32>,
) -> Result<Option<DefinitionRecord>, StoreError> {
    let heads = txn.open_table(DEFINITIONS).map_err(storage)?;
    let some = match version {
        Some(version) => heads.range((name, version)..=(name, version)),
        None => heads.range((name, 0)..=(name, u32::MAX)),
    };
    let Some(entry) = some.map_err(storage)?.next_back() else {
        return Ok(None);
    };
    let (key, bytes) = entry.map_err(storage)?;
    let head = codec::decode(HEADS, bytes.value())?;
    let bodies = txn.open_table(BODIES).map_err(storage)?;
    let body = bodies.get(key.value()).map_err(storage)?;
    let body = body.ok_or_else(|| StoreError::Damaged {
        table: BODY,
        why: format!("version {} of '{name}' has none", key.value().1),
    })?;
    let body = codec::decode(BODY, body.value())?;
    Ok(Some(DefinitionRecord { head, body }))
}

pub(super) fn last(txn: &ReadTransaction, name: &str) -> Result<u32, StoreError> {
    let versions = txn.open_table(VERSIONS).map_err(storage)?;
    let last = versions.get(name).map_err(storage)?;
    Ok(last.map_or(0, |last| last.value()))
}

pub(super) fn with(
    txn: &ReadTransaction,
    module: Digest,
) -> Result<Option<DefinitionHead>, StoreError> {
    let heads = txn.open_table(DEFINITIONS).map_err(storage)?;
    for entry in heads.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let head: DefinitionHead = codec::decode(HEADS, bytes.value())?;
        if named::in_head(&head).any(|digest| digest == module) {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// Every blob that a version names.
pub(super) fn named(txn: &ReadTransaction, named: &mut HashSet<Digest>) -> Result<(), StoreError> {
    let heads = txn.open_table(DEFINITIONS).map_err(storage)?;
    for entry in heads.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let head: DefinitionHead = codec::decode(HEADS, bytes.value())?;
        named.extend(named::in_head(&head));
    }
    let bodies = txn.open_table(BODIES).map_err(storage)?;
    for entry in bodies.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let body: DefinitionBody = codec::decode(BODY, bytes.value())?;
        named.extend(named::in_body(&body));
    }
    Ok(())
}
