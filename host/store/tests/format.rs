//! The bytes of a database file: a change of them needs a new schema version.

#![allow(clippy::unwrap_used)]

mod samples;

use redb::{Database, Key, ReadableDatabase, ReadableTable, TableDefinition, Value};
use samples::{
    attempt, blob, checkpoint, data_call, datum, definition, library, module, outcome, output,
    part, plain, prepared, put_job, put_outcome, request, task, token, worker,
};
use sha2::{Digest as _, Sha256};
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{RequestAnswer, SpaceId, SpawnRecord, StoredResult, Write};
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::Item;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::{Digest, JobId};
use wasmhost_store::{RedbStore, Store};

/// Compares the first digits of the SHA-256 of a table's keys and records.
fn check<K: Key + 'static, V: Value + 'static>(database: &Database, name: &str, want: &str) {
    let table: TableDefinition<'_, K, V> = TableDefinition::new(name);
    let table = database.begin_read().unwrap().open_table(table).unwrap();
    let mut hash = Sha256::new();
    for entry in table.iter().unwrap() {
        let (key, value) = entry.unwrap();
        hash.update(K::as_bytes(&key.value()));
        hash.update(V::as_bytes(&value.value()));
    }
    let got = Digest(hash.finalize().into()).hex();
    assert_eq!(
        &got[..16],
        want,
        "'{name}' is written differently: raise VERSION, add a step to migrate.rs, \
         and only then change this digest"
    );
}

/// Every table's keys and records, as they lie in the file.
#[test]
fn the_format_on_disk_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let batch = [
        vec![Write::Term(5)],
        put_job(1, JobState::Running),
        vec![
            put_outcome(
                task(1, 2, 3),
                outcome(None, Some(StoredResult::Inline(vec![6]))),
            ),
            put_outcome(
                task(1, 2, 4),
                outcome(None, Some(StoredResult::Blob(blob(7)))),
            ),
            put_outcome(task(1, 2, 5), plain(Some(FailureKind::Trap))),
            Write::Attempt(
                task(1, 2, 5),
                Box::new(attempt(4, 1, FailureKind::LostWorker)),
            ),
            Write::Worker(worker(2, true)),
            Write::Module(Box::new(module(9))),
            Write::Library(Box::new(library("a", 3))),
            Write::Token(token(1)),
            Write::Definition(Box::new(definition("a", 2))),
            Write::Prepared(JobId(1), 2, prepared(4)),
            Write::Prepared(JobId(1), 3, PreparedRecord::Skipped),
            Write::Spawned(
                task(1, 4, 0),
                Box::new(SpawnRecord {
                    key: "1/0".into(),
                    item: Item::Bytes(vec![7]),
                }),
            ),
            Write::Request(Box::new(request("a", 3, None))),
            Write::Request(Box::new(request("b", 4, Some(RequestAnswer::Withdrawn)))),
            data_call(task(1, 2, 3), 9),
            checkpoint(task(1, 2, 3), 9),
            checkpoint(task(1, 2, 4), 10),
            output(task(1, 2, 3), 0, "a", 2),
            part(task(1, 2, 3), 0, 0),
            part(task(1, 2, 3), 0, 1),
        ],
        (1..=6)
            .map(|n| datum(SpaceId::Job(JobId(1)), &n.to_string(), n))
            .collect(),
        vec![datum(SpaceId::Public("prices".into()), "gold", 7)],
    ]
    .concat();
    RedbStore::open(&path).unwrap().commit(&batch).unwrap();

    let database = Database::open(&path).unwrap();
    check::<&str, u64>(&database, "meta", "3de85f03e265f917");
    check::<u64, &[u8]>(&database, "jobs", "fab3824a9ca81333");
    check::<u64, &[u8]>(&database, "plans", "a0c1d2cb479f5e9f");
    check::<u64, ()>(&database, "live", "7c9fa136d4413fa6");
    check::<&str, u64>(&database, "keys", "b163fb78c8d03fbd");
    check::<(u64, u16, u32), &[u8]>(&database, "ends", "1c9e6c4e435b680c");
    check::<(u64, u16, u32, u32, u64), &[u8]>(&database, "attempts", "92b58590fae36636");
    check::<(u64, u16), &[u8]>(&database, "prepared", "a594d4136192de45");
    check::<(u64, u16, u32), &[u8]>(&database, "spawned", "a19a8597ba21697c");
    check::<&str, &[u8]>(&database, "requests", "a7a7d04293f3f985");
    check::<u64, &str>(&database, "waiting_requests", "9ef53858e95518b2");
    check::<(u64, &str, &str), &[u8]>(&database, "data", "e14178f75d376812");
    check::<(u64, u16, u32), &[u8]>(&database, "data_calls", "32101d4c1f91a1d5");
    check::<(u64, u16, u32), &[u8]>(&database, "checkpoints", "64851f62c100d56a");
    check::<(u64, u16, u32, u32), &[u8]>(&database, "outputs", "8e7f1efa9b82e2da");
    check::<(u64, u16, u32, u32, u32), &[u8]>(&database, "output_parts", "2118ff4b2e333338");
    check::<u64, &[u8]>(&database, "workers", "da40461728f7c9d1");
    check::<[u8; 32], &[u8]>(&database, "modules", "d14172e3face3cf2");
    check::<&str, &[u8]>(&database, "libraries", "75b27fb906722419");
    check::<u64, &[u8]>(&database, "tokens", "de0ab7552450192b");
    check::<(&str, u32), &[u8]>(&database, "definitions", "4634108849ee754e");
    check::<(&str, u32), &[u8]>(&database, "definition_bodies", "6e927d9838c5840a");
    check::<&str, u32>(&database, "definition_versions", "cebf644eaf040e0d");
}
