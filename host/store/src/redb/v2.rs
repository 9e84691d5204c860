//! From version 2 to 3: stored definitions came, what is found out about nodes, and
//! what drivers start.

use super::{definitions, prepared, spawned};
use crate::StoreError;
use ::redb::WriteTransaction;

/// Brings a database of version 2 to version 3.
pub(super) fn step(txn: &WriteTransaction) -> Result<(), StoreError> {
    definitions::create(txn)?;
    prepared::create(txn)?;
    spawned::create(txn)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::redb::tables::{
        BODIES, CALLS, CHECKPOINTS, DATA, DEFINITIONS, META, OUTPUTS, PARTS, PREPARED, SCHEMA,
        SPAWNED, VERSIONS,
    };
    use crate::{RedbStore, Store};
    use ::redb::Database;
    use wasmhost_core::record::Write;

    #[test]
    fn a_database_of_version_2_opens_and_takes_definitions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        let store = RedbStore::open(&path).unwrap();
        store.commit(&[Write::Term(7)]).unwrap();
        drop(store);
        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.delete_table(DEFINITIONS).unwrap();
        txn.delete_table(BODIES).unwrap();
        txn.delete_table(VERSIONS).unwrap();
        txn.delete_table(PREPARED).unwrap();
        txn.delete_table(SPAWNED).unwrap();
        txn.delete_table(DATA).unwrap();
        txn.delete_table(CALLS).unwrap();
        txn.delete_table(CHECKPOINTS).unwrap();
        txn.delete_table(OUTPUTS).unwrap();
        txn.delete_table(PARTS).unwrap();
        txn.open_table(META).unwrap().insert(SCHEMA, 2).unwrap();
        txn.commit().unwrap();
        drop(database);

        let store = RedbStore::open(&path).unwrap();
        assert_eq!(store.term().unwrap(), 7);
        assert_eq!(store.definitions().unwrap(), vec![]);
        assert!(store.data().unwrap().entries.is_empty());
        assert!(store.named_blobs().unwrap().is_empty());
    }
}
