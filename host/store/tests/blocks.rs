//! Recorded ends in any order, again and taken back: whatever rows the durable
//! store makes of them, it reads as the one in memory does.

#![allow(clippy::unwrap_used)]

mod samples;

use samples::{blob, outcome, plain, put_job, put_outcome, task};
use wasmhost_core::record::{OutcomeRecord, StoredResult, Write};
use wasmhost_proto::JobId;
use wasmhost_proto::api::JobState;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_store::{MemoryStore, RedbStore, Store};

/// splitmix64, Steele, Lea and Flood 2014.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % u64::from(n)) as u32
    }

    fn end(&mut self) -> OutcomeRecord {
        match self.below(40) {
            0 => outcome(None, Some(StoredResult::Blob(blob(self.below(250) as u8)))),
            1 => outcome(Some(FailureKind::ExitCode), None),
            2 => plain(Some(FailureKind::Cancelled)),
            // Longer than a block.
            3 => plain_with(40_000, 7),
            4..8 => plain_with(1_500, 8),
            _ => plain_with(self.below(60) as usize, 9),
        }
    }

    /// A batch of runs that cross and touch each other.
    fn batch(&mut self, last: u32) -> Vec<Write> {
        let mut writes = Vec::new();
        for _ in 0..=self.below(4) {
            let (job, node) = (1 + u64::from(self.below(2)), self.below(2) as u16);
            let first = self.below(last);
            let len = match self.below(3) {
                0 => 1,
                1 => self.below(8),
                _ => self.below(400),
            };
            let step = 1 + self.below(2);
            let remove = self.below(3) == 0;
            for n in 0..len {
                let Some(index) = first.checked_add(n * step).filter(|i| *i <= last) else {
                    break;
                };
                // The last tasks that there can be, too.
                let task = task(job, node, u32::MAX - last + index);
                writes.push(match remove {
                    true => Write::RemoveOutcome(task),
                    false => put_outcome(task, self.end()),
                });
            }
        }
        writes
    }
}

fn plain_with(len: usize, byte: u8) -> OutcomeRecord {
    OutcomeRecord {
        result: Some(StoredResult::Inline(vec![byte; len])),
        ..plain(None)
    }
}

fn same(one: &dyn Store, other: &dyn Store, last: u32, chance: &mut Chance, seed: u64) {
    let all = |store: &dyn Store, job, node, from, limit| {
        store.outcomes(JobId(job), node, from, limit).unwrap()
    };
    for (job, node) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        assert!(
            all(one, job, node, 0, usize::MAX) == all(other, job, node, 0, usize::MAX),
            "ends differ, seed {seed}"
        );
        let index = u32::MAX - chance.below(last + 1);
        let limit = chance.below(50) as usize;
        assert!(
            all(one, job, node, index, limit) == all(other, job, node, index, limit),
            "pages differ, seed {seed}"
        );
        let task = task(job, node, index);
        assert!(
            one.outcome(task).unwrap() == other.outcome(task).unwrap(),
            "{task} differs, seed {seed}"
        );
    }
    assert_eq!(one.recover().unwrap(), other.recover().unwrap(), "{seed}");
    assert_eq!(
        one.named_blobs().unwrap(),
        other.named_blobs().unwrap(),
        "{seed}"
    );
}

fn check(seed: u64, last: u32, batches: usize) {
    let dir = tempfile::tempdir().unwrap();
    let redb = RedbStore::open(&dir.path().join("store.redb")).unwrap();
    let memory = MemoryStore::new();
    let mut chance = Chance(seed);
    let jobs = [
        put_job(1, JobState::Running),
        put_job(2, JobState::Stopping),
    ]
    .concat();
    for store in [&redb as &dyn Store, &memory] {
        store.commit(&jobs).unwrap();
    }
    for _ in 0..batches {
        let batch = chance.batch(last);
        for store in [&redb as &dyn Store, &memory] {
            store.commit(&batch).unwrap();
        }
        same(&redb, &memory, last, &mut chance, seed);
    }
}

#[test]
fn both_stores_agree_on_few_tasks() {
    (0..12).for_each(|seed| check(seed, 12, 12));
}

#[test]
fn both_stores_agree_on_some_blocks_of_tasks() {
    (0..4).for_each(|seed| check(seed, 3_000, 15));
}

#[test]
fn ends_that_come_one_by_one_share_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    for pair in 0..20 {
        // Two slots, of which the second is always the quicker.
        for index in [pair * 2 + 1, pair * 2] {
            let end = put_outcome(task(1, 0, index), plain_with(4, 1));
            store.commit(&[end]).unwrap();
        }
    }
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let txn = redb::ReadableDatabase::begin_read(&database).unwrap();
    let ends: redb::TableDefinition<'_, (u64, u16, u32), &[u8]> =
        redb::TableDefinition::new("ends");
    let rows = redb::ReadableTableMetadata::len(&txn.open_table(ends).unwrap()).unwrap();
    assert_eq!(rows, 1);
}
