//! From version 1 to 2: each end had a row of its own and each job was a CBOR
//! map. Owns what is known of version 1, and reads nothing else.

use super::codec::{damaged, decode};
use super::tables::{Bytes, ENDS, JOBS, TaskKey};
use super::{ends, job, storage};
use crate::StoreError;
use ::redb::{ReadableTable, TableDefinition, WriteTransaction};
use std::ops::Bound;
use wasmhost_core::record::{JobRecord, OutcomeRecord, Published, StoredResult};
use wasmhost_proto::outcome::{Failure, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::{JobId, Lease, TaskId, Timestamp, WorkerId};

const OUTCOMES: TableDefinition<TaskKey, Bytes> = TableDefinition::new("outcomes");

/// Rows that are held in memory at a time.
const ROWS: usize = 1024;

/// Lease, worker, start, end, failure, result, usage, status, log.
type Outcome = (
    Lease,
    Option<WorkerId>,
    Option<Timestamp>,
    Timestamp,
    Option<Failure>,
    Option<StoredResult>,
    Usage,
    Option<Status>,
    String,
);

/// A row of version 1: two bytes of what the record says, too, then the record.
fn outcome(row: &[u8]) -> Result<OutcomeRecord, StoreError> {
    let record = row
        .get(2..)
        .ok_or_else(|| damaged("outcomes", "it has no head".into()))?;
    let record: Outcome = decode("outcomes", record)?;
    let (lease, worker, started, ended, failure, result, usage, status, log) = record;
    Ok(OutcomeRecord {
        lease,
        worker,
        started,
        ended,
        failure: failure.map(Box::new),
        result,
        usage,
        published: Published::boxed(status.unwrap_or_default(), log),
    })
}

/// Brings a database of version 1 to version 2.
pub(super) fn step(txn: &WriteTransaction) -> Result<(), StoreError> {
    let outcomes = txn.open_table(OUTCOMES).map_err(storage)?;
    let mut table = txn.open_table(ENDS).map_err(storage)?;
    let mut rows = outcomes.iter().map_err(storage)?;
    loop {
        let mut some = Vec::new();
        for row in rows.by_ref().take(ROWS) {
            let (key, bytes) = row.map_err(storage)?;
            let (job, node, index) = key.value();
            let job = JobId(job);
            some.push((TaskId { job, node, index }, outcome(bytes.value())?));
        }
        if some.is_empty() {
            break;
        }
        let changes = some.iter().map(|(task, end)| (*task, Some(end)));
        ends::apply(&mut table, changes.collect())?;
    }
    drop((rows, table));
    txn.delete_table(outcomes).map_err(storage)?;
    jobs(txn)
}

fn jobs(txn: &WriteTransaction) -> Result<(), StoreError> {
    let mut table = txn.open_table(JOBS).map_err(storage)?;
    let mut from = Bound::Unbounded;
    loop {
        let mut some = Vec::new();
        for row in table
            .range::<u64>((from, Bound::Unbounded))
            .map_err(storage)?
            .take(ROWS)
        {
            let (id, bytes) = row.map_err(storage)?;
            let record: JobRecord = decode("jobs", bytes.value())?;
            some.push((id.value(), job::encode(&record)?));
        }
        let Some((last, _)) = some.last() else {
            return Ok(());
        };
        from = Bound::Excluded(*last);
        for (id, bytes) in &some {
            table.insert(id, &**bytes).map_err(storage)?;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::redb::codec::append;
    use crate::redb::tables::{LIVE, META, PLANS, SCHEMA};
    use crate::{RedbStore, Store};
    use ::redb::Database;
    use wasmhost_proto::api::{Counts, JobState};
    use wasmhost_proto::outcome::FailureKind;

    fn record(index: u32) -> OutcomeRecord {
        let failed = index.is_multiple_of(7);
        OutcomeRecord {
            lease: Lease {
                term: 2,
                attempt: 1,
            },
            worker: None,
            started: Some(Timestamp(9)),
            ended: Timestamp(10 + u64::from(index)),
            failure: failed.then(|| Box::new(Failure::new(FailureKind::Trap, "it broke"))),
            result: (!failed).then(|| StoredResult::Inline(vec![7; 20])),
            usage: Usage::default(),
            published: Published::boxed(Status::default(), "line\n".into()),
        }
    }

    fn row(index: u32) -> Vec<u8> {
        let r = record(index);
        let mut row = vec![u8::from(r.failure.is_some()), 0];
        let status = None::<Status>;
        let log = r.published.map(|p| p.log).unwrap_or_default();
        let disk = (
            r.lease, r.worker, r.started, r.ended, r.failure, r.result, r.usage, status, log,
        );
        append("outcomes", &disk, &mut row).unwrap();
        row
    }

    #[test]
    fn a_database_of_version_1_reads_as_it_did() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        drop(RedbStore::open(&path).unwrap());
        let job = JobRecord {
            id: JobId(3),
            name: "old".into(),
            priority: 4,
            state: JobState::Succeeded,
            submitted: Timestamp(1),
            started: None,
            ended: Some(Timestamp(5)),
            counts: Counts {
                total: 2500,
                ..Counts::default()
            },
            node_counts: vec![Counts::default()],
            failure: None,
            cancelled: false,
            gathered: vec![],
            idempotency_key: Some("key".into()),
            late_outcomes: 1,
            retries: 0,
        };

        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.delete_table(ENDS).unwrap();
        {
            let mut outcomes = txn.open_table(OUTCOMES).unwrap();
            for index in 0..2500 {
                outcomes.insert((3, 0, index), &*row(index)).unwrap();
            }
            let mut bytes = Vec::new();
            append("jobs", &job, &mut bytes).unwrap();
            let mut jobs = txn.open_table(JOBS).unwrap();
            jobs.insert(3, &*bytes).unwrap();
            let mut meta = txn.open_table(META).unwrap();
            meta.insert(SCHEMA, 1).unwrap();
            txn.open_table(LIVE).unwrap();
            txn.open_table(PLANS).unwrap();
        }
        txn.commit().unwrap();
        drop(database);

        let store = RedbStore::open(&path).unwrap();
        assert_eq!(store.job(JobId(3)).unwrap(), Some(job));
        let want: Vec<_> = (0..2500).map(|index| (index, record(index))).collect();
        assert!(store.outcomes(JobId(3), 0, 0, 5000).unwrap() == want);
        drop(store);
        RedbStore::open(&path).unwrap();
    }
}
