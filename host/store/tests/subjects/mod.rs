//! Every store, and how each is held to what it was told.

#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]

use std::path::PathBuf;
use wasmhost_core::record::Write;
use wasmhost_store::{MemoryStore, RedbStore, Store};

/// A store under test, and how it is after a restart of its process.
pub enum Subject {
    Memory(Box<MemoryStore>),
    Redb {
        dir: tempfile::TempDir,
        store: Option<RedbStore>,
    },
}

impl Subject {
    pub fn all() -> [Subject; 2] {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(RedbStore::open(&dir.path().join("store.redb")).unwrap());
        [
            Subject::Memory(Box::new(MemoryStore::new())),
            Subject::Redb { dir, store },
        ]
    }

    pub fn store(&self) -> &dyn Store {
        match self {
            Subject::Memory(store) => &**store,
            Subject::Redb { store, .. } => store.as_ref().unwrap(),
        }
    }

    /// Memory has no restart; what it holds now is what it would have to hold.
    pub fn reopen(&mut self) {
        if let Subject::Redb { dir, store } = self {
            *store = None;
            let path: PathBuf = dir.path().join("store.redb");
            *store = Some(RedbStore::open(&path).unwrap());
        }
    }
}

/// Commits `batches`, then looks, then looks again after a restart, and again
/// after the last batch was committed a second time.
pub fn check(batches: &[Vec<Write>], look: impl Fn(&dyn Store)) {
    for mut subject in Subject::all() {
        for batch in batches {
            subject.store().commit(batch).unwrap();
        }
        look(subject.store());
        subject.reopen();
        look(subject.store());
        if let Some(last) = batches.last() {
            subject.store().commit(last).unwrap();
        }
        look(subject.store());
    }
}
