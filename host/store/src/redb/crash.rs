//! Power cuts: a disk that forgets what was not synced, at every write of a run.

use super::{RedbStore, migrate};
use crate::Store;
use ::redb::{Database, StorageBackend};
use std::io;
use std::sync::{Arc, Mutex};
use wasmhost_core::record::{OutcomeRecord, StoredResult, Write};
use wasmhost_proto::outcome::Usage;
use wasmhost_proto::{JobId, Lease, TaskId, Timestamp};

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Change::Write(at, bytes) => {
                let end = at + bytes.len();
                image.resize(image.len().max(end), 0);
                image[*at..end].copy_from_slice(bytes);
            }
            Change::Len(len) => image.resize(*len, 0),
        }
    }
}

#[derive(Debug, Default)]
struct Platter {
    /// What a reader sees.
    current: Vec<u8>,
    synced: Vec<u8>,
    /// Since the last sync.
    changes: Vec<Change>,
    /// Changes and syncs until the power goes.
    left: usize,
}

/// A disk in memory; clones are the same disk.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    fn holding(image: Vec<u8>) -> Disk {
        let platter = Platter {
            current: image.clone(),
            synced: image,
            changes: Vec::new(),
            left: usize::MAX,
        };
        Disk(Arc::new(Mutex::new(platter)))
    }

    fn cut_after(&self, left: usize) {
        self.0.lock().unwrap().left = left;
    }

    fn step(&self, act: impl FnOnce(&mut Platter)) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        if platter.left == 0 {
            return Err(io::Error::other("the power is gone"));
        }
        platter.left -= 1;
        act(&mut platter);
        Ok(())
    }

    /// What is found after the cut: everything synced, and of the rest what
    /// chance has left, whole, torn, or in part.
    fn remains(&self, chance: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
        let platter = self.0.lock().unwrap();
        let mut image = platter.synced.clone();
        for change in &platter.changes {
            match (chance(3), change) {
                (0, _) => {}
                (1, Change::Write(at, bytes)) => {
                    let torn = bytes[..chance(bytes.len() + 1)].to_vec();
                    Change::Write(*at, torn).apply(&mut image);
                }
                _ => change.apply(&mut image),
            }
        }
        image
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let at = offset as usize;
        let bytes = platter.current.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(|platter| {
            let change = Change::Len(len as usize);
            change.apply(&mut platter.current);
            platter.changes.push(change);
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step(|platter| {
            platter.synced = platter.current.clone();
            platter.changes.clear();
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(|platter| {
            let change = Change::Write(offset as usize, data.to_vec());
            change.apply(&mut platter.current);
            platter.changes.push(change);
        })
    }
}

fn open(disk: &Disk) -> RedbStore {
    let database = Database::builder()
        .create_with_backend(disk.clone())
        .unwrap();
    RedbStore { database }
}

fn task(index: u32) -> TaskId {
    TaskId {
        job: JobId(1),
        node: 0,
        index,
    }
}

/// The n-th batch: a term and an outcome that stand or fall together.
fn batch(n: u64) -> Vec<Write> {
    let outcome = OutcomeRecord {
        lease: Lease {
            term: n,
            attempt: 1,
        },
        worker: None,
        started: None,
        ended: Timestamp(n),
        failure: None,
        result: Some(StoredResult::Inline(vec![n as u8; 3000])),
        usage: Usage::default(),
        published: None,
    };
    vec![Write::Outcome(task(n as u32), outcome), Write::Term(n)]
}

const BATCHES: u64 = 12;

/// Cuts the power after `steps` of the disk; false when the run was over before.
fn check(empty: &[u8], steps: usize, seed: u64) -> bool {
    let mut state = seed;
    // splitmix64, Steele, Lea and Flood 2014.
    let mut chance = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % below
    };
    let disk = Disk::holding(empty.to_vec());
    let store = open(&disk);
    disk.cut_after(steps);
    let acknowledged = (1..=BATCHES)
        .take_while(|n| store.commit(&batch(*n)).is_ok())
        .count() as u64;
    if acknowledged < BATCHES {
        let after = store.commit(&batch(99));
        assert!(after.is_err(), "acknowledged after an error, steps {steps}");
    }
    let image = disk.remains(&mut chance);
    drop(store);

    let store = open(&Disk::holding(image));
    let term = store.term().unwrap();
    assert!(
        term == acknowledged || term == acknowledged + 1,
        "{acknowledged} acknowledged, {term} found, steps {steps}, seed {seed}"
    );
    let outcomes = store.outcomes(JobId(1), 0, 0, 100).unwrap();
    let found: Vec<u64> = outcomes
        .iter()
        .map(|(index, _)| u64::from(*index))
        .collect();
    assert_eq!(
        found,
        (1..=term).collect::<Vec<_>>(),
        "steps {steps}, seed {seed}"
    );
    store.commit(&batch(term + 1)).unwrap();
    assert_eq!(store.term().unwrap(), term + 1);
    acknowledged < BATCHES
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_every_step() {
    let disk = Disk::holding(Vec::new());
    let database = Database::builder()
        .create_with_backend(disk.clone())
        .unwrap();
    migrate::init(&database).unwrap();
    drop(database);
    let empty = disk.0.lock().unwrap().current.clone();
    let mut steps = 0;
    while (0..4)
        .map(|seed| check(&empty, steps, seed))
        .fold(false, |cut, one| cut | one)
    {
        steps += 1;
    }
    assert!(
        steps as u64 > BATCHES * 4,
        "a commit is several steps of the disk: {steps}"
    );
}
