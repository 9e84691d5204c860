//! What opening a database file says of files that are not this version's.

#![allow(clippy::unwrap_used)]

use redb::{Database, TableDefinition};
use std::fs;
use std::path::Path;
use wasmhost_core::record::Write;
use wasmhost_store::{OpenError, RedbStore, Store};

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// Makes a store, changes its file, and compares what opening says.
fn check(change: impl FnOnce(&Path), want: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    store.commit(&[Write::Term(3)]).unwrap();
    drop(store);
    change(&path);
    let error = match RedbStore::open(&path) {
        Ok(_) => panic!("it opened, instead of: {want:?}"),
        Err(error) => error.to_string(),
    };
    let shown = path.display().to_string();
    for part in want.iter().copied().chain([shown.as_str()]) {
        assert!(error.contains(part), "'{error}' does not say '{part}'");
    }
}

fn set_schema(path: &Path, version: u64) {
    let database = Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(META)
        .unwrap()
        .insert("schema", version)
        .unwrap();
    txn.commit().unwrap();
}

#[test]
fn versions_of_others() {
    check(
        |path| set_schema(path, 0),
        &["version 0", "reads 4", "too old"],
    );
    check(
        |path| set_schema(path, 5),
        &["version 5", "reads 4", "a newer wasmhost"],
    );
}

#[test]
fn files_that_are_no_store() {
    let not = &[
        "not a wasmhost database, or it was cut short",
        "restore the file",
    ];
    check(|path| fs::write(path, "").unwrap(), not);
    check(|path| fs::write(path, "hello").unwrap(), not);
    check(|path| fs::write(path, [0; 100_000]).unwrap(), not);
    check(|path| fs::write(path, [0xff; 100_000]).unwrap(), not);
}

#[test]
fn a_store_cut_short() {
    let not = &[
        "not a wasmhost database, or it was cut short",
        "restore the file",
    ];
    for kept in [1, 63, 64, 320, 512, 4096, 8192, 12_288] {
        check(
            |path| {
                let file = fs::File::options().write(true).open(path).unwrap();
                assert!(file.metadata().unwrap().len() > kept, "{kept} does not cut");
                file.set_len(kept).unwrap();
            },
            not,
        );
    }
}

#[test]
fn a_database_of_something_else() {
    let make = |path: &Path| {
        fs::remove_file(path).unwrap();
        let database = Database::create(path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(TableDefinition::<u64, u64>::new("theirs"))
            .unwrap();
        txn.commit().unwrap();
    };
    check(make, &["wasmhost did not make"]);
    let same_name = |path: &Path| {
        fs::remove_file(path).unwrap();
        let database = Database::create(path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(TableDefinition::<u64, u64>::new("meta"))
            .unwrap();
        txn.commit().unwrap();
    };
    check(same_name, &["wasmhost did not make"]);
}

#[test]
fn a_store_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let _store = RedbStore::open(&path).unwrap();
    assert!(matches!(
        RedbStore::open(&path),
        Err(OpenError::InUse { .. })
    ));
}

#[test]
fn a_folder_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none").join("store.redb");
    assert!(matches!(
        RedbStore::open(&path),
        Err(OpenError::Store { .. })
    ));
}

#[test]
fn a_crash_while_the_file_was_made_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    fs::write(dir.path().join("store.redb.new"), "half of a database").unwrap();
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.term().unwrap(), 0);
    let names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["store.redb"]);
}
