//! From version 3 to 4: libraries came, requests to a primary's own driver, data, and
//! what tasks keep.

use super::tables::LIBRARIES;
use super::{data, keep, requests, storage};
use crate::StoreError;
use ::redb::WriteTransaction;

/// Brings a database of version 3 to version 4.
pub(super) fn step(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(LIBRARIES).map_err(storage)?;
    requests::create(txn)?;
    data::create(txn)?;
    keep::create(txn)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::redb::tables::{LIBRARIES, META, REQUESTS, SCHEMA, WAITING};
    use crate::{RedbStore, Store};
    use ::redb::Database;
    use wasmhost_core::record::Write;

    #[test]
    fn a_database_of_version_3_opens_and_takes_libraries_and_requests() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        let store = RedbStore::open(&path).unwrap();
        store.commit(&[Write::Term(7)]).unwrap();
        drop(store);
        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.delete_table(LIBRARIES).unwrap();
        txn.delete_table(REQUESTS).unwrap();
        txn.delete_table(WAITING).unwrap();
        txn.open_table(META).unwrap().insert(SCHEMA, 3).unwrap();
        txn.commit().unwrap();
        drop(database);

        let store = RedbStore::open(&path).unwrap();
        assert_eq!(store.term().unwrap(), 7);
        assert_eq!(store.libraries().unwrap(), vec![]);
        assert_eq!(store.waiting_requests().unwrap(), vec![]);
        assert_eq!(store.request("a").unwrap(), None);
        assert!(store.named_blobs().unwrap().is_empty());
    }
}
