//! What the store costs: outcomes in groups of several sizes, jobs of one task,
//! recovery, pages. Prints medians of wall time and of processor time by item;
//! the second is what a busy primary pays, the first what a lone client waits for.
//!
//! `cargo bench -p wasmhost-store` runs all, `-- NAME` what contains `NAME`. The
//! files lie in the temporary folder, so its disk is what is measured.

#![allow(clippy::unwrap_used, missing_docs)]

use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmhost_core::record::{JobRecord, OutcomeRecord, StoredResult, Write};
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::input::{Array, Input};
use wasmhost_proto::outcome::Usage;
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan};
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, WorkerId};
use wasmhost_store::{RedbStore, Store};

const NOW: u64 = 1_700_000_000_000;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs `turn` on what `prepare` makes and prints its medians per item.
fn bench<P>(
    name: &str,
    turns: u64,
    items: u64,
    mut prepare: impl FnMut(u64) -> P,
    mut turn: impl FnMut(P),
) {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if wanted.is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let mut walls = Vec::new();
    let mut cpus = Vec::new();
    for n in 0..turns {
        let prepared = prepare(n);
        let (wall, used) = (Instant::now(), cpu());
        turn(prepared);
        walls.push(wall.elapsed());
        cpus.push(cpu() - used);
    }
    let each = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_nanos() as f64 / 1e3 / items as f64
    };
    let (wall, used) = (each(&mut walls), each(&mut cpus));
    println!("{name:<40} {wall:>10.3} µs wall {used:>10.3} µs cpu");
}

fn outcome(index: u32) -> OutcomeRecord {
    OutcomeRecord {
        lease: Lease {
            term: 3,
            attempt: 1,
        },
        worker: Some(WorkerId(0x9_e377_9b97_f4a7)),
        started: Some(Timestamp(NOW + u64::from(index / 100))),
        ended: Timestamp(NOW + 1 + u64::from(index / 100)),
        failure: None,
        result: Some(StoredResult::Inline(b"null".to_vec())),
        usage: Usage {
            wall_us: 14,
            cpu_us: 12,
            peak_memory: 2 << 20,
        },
        published: None,
    }
}

fn plan(count: u32) -> JobPlan {
    JobPlan {
        name: "noop".into(),
        nodes: vec![NodePlan {
            name: "noop".into(),
            module: Digest([1; 32]),
            module_len: 40_000,
            array: match count {
                1 => Array::Single,
                count => Array::Range {
                    start: 0,
                    step: 1,
                    count,
                },
            },
            input: NodeInput::Given(Input::Bytes(b"null".to_vec())),
            limits: AttemptLimits {
                memory: 1 << 28,
                wall_ms: 60_000,
                output: 1 << 24,
            },
            ..NodePlan::default()
        }],
        ..JobPlan::default()
    }
}

fn job(id: u64, total: u32, succeeded: u64) -> JobRecord {
    let over = succeeded == u64::from(total);
    let counts = Counts {
        total: u64::from(total),
        succeeded,
        ..Counts::default()
    };
    JobRecord {
        id: JobId(id),
        name: "noop".into(),
        priority: 0,
        state: if over {
            JobState::Succeeded
        } else {
            JobState::Running
        },
        submitted: Timestamp(NOW),
        started: Some(Timestamp(NOW)),
        ended: over.then_some(Timestamp(NOW)),
        counts,
        node_counts: vec![counts],
        failure: None,
        cancelled: false,
        gathered: vec![],
        idempotency_key: None,
        late_outcomes: 0,
        retries: 0,
    }
}

fn submit(id: u64, total: u32) -> [Write; 2] {
    [
        Write::Plan(JobId(id), Arc::new(plan(total))),
        Write::Job(Arc::new(job(id, total, 0))),
    ]
}

fn end(job: u64, index: u32) -> Write {
    let task = TaskId {
        job: JobId(job),
        node: 0,
        index,
    };
    Write::Outcome(task, outcome(index))
}

/// The n-th group of an array's ends: from `workers` in turns of `frame`, with
/// the job's record after each frame, as the core writes them.
fn group(n: u64, size: u32, frame: u32) -> Vec<Write> {
    let first = n as u32 * size;
    let mut writes = Vec::new();
    for index in first..first + size {
        writes.push(end(1, index));
        if (index + 1 - first).is_multiple_of(frame) || index + 1 == first + size {
            writes.push(Write::Job(Arc::new(job(1, u32::MAX, u64::from(index) + 1))));
        }
    }
    writes
}

fn open() -> (tempfile::TempDir, RedbStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&dir.path().join("store.redb")).unwrap();
    store.commit(&submit(1, u32::MAX)).unwrap();
    (dir, store)
}

fn file_len(dir: &tempfile::TempDir) -> u64 {
    dir.path().join("store.redb").metadata().unwrap().len()
}

fn groups() {
    for (size, turns) in [(1, 400), (16, 400), (256, 400), (1024, 200), (4096, 100)] {
        let (dir, store) = open();
        bench(
            &format!("outcomes in groups of {size}"),
            turns,
            u64::from(size),
            |n| group(n, size, 256),
            |writes| store.commit(&writes).unwrap(),
        );
        let len = file_len(&dir) as f64 / (u64::from(size) * turns) as f64;
        println!("    file: {len:.0} bytes per outcome");
    }
}

fn jobs() {
    for (size, turns) in [(1, 200), (16, 200), (256, 40)] {
        let (dir, store) = open();
        bench(
            &format!("single jobs in groups of {size}, submit"),
            turns,
            size,
            |n| -> Vec<Write> {
                let ids = 2 + n * size..2 + (n + 1) * size;
                ids.flat_map(|id| submit(id, 1)).collect()
            },
            |writes| store.commit(&writes).unwrap(),
        );
        bench(
            &format!("single jobs in groups of {size}, end"),
            turns,
            size,
            |n| -> Vec<Write> {
                let ids = 2 + n * size..2 + (n + 1) * size;
                ids.flat_map(|id| [end(id, 0), Write::Job(Arc::new(job(id, 1, 1)))])
                    .collect()
            },
            |writes| store.commit(&writes).unwrap(),
        );
        println!(
            "    file: {} bytes per job",
            file_len(&dir) / (size * turns)
        );
    }
}

fn reads() {
    const ENDED: u64 = 1_000_000;
    let (dir, store) = open();
    for n in 0..ENDED / 10_000 {
        store.commit(&group(n, 10_000, 256)).unwrap();
    }
    println!("    file: {} bytes per outcome", file_len(&dir) / ENDED);
    bench(
        "recover 1,000,000 ended tasks",
        5,
        ENDED,
        |_| (),
        |()| {
            black_box(store.recover().unwrap());
        },
    );
    let page = |from| store.outcomes(JobId(1), 0, from, 100).unwrap();
    bench(
        "page of 100 outcomes",
        200,
        100,
        |n| n as u32 * 4_001,
        |from| {
            black_box(page(from));
        },
    );
    bench(
        "one outcome",
        1000,
        1,
        |n| TaskId {
            job: JobId(1),
            node: 0,
            index: n as u32 * 997,
        },
        |task| {
            black_box(store.outcome(task).unwrap().unwrap());
        },
    );
    bench(
        "named blobs of 1,000,000 outcomes",
        5,
        ENDED,
        |_| (),
        |()| {
            black_box(store.named_blobs().unwrap());
        },
    );
    let queue = |n: u64| (2 + n, 10_000_000);
    bench("submit 10,000,000 tasks", 20, 1, queue, |(id, total)| {
        store.commit(&submit(id, total)).unwrap()
    });
}

fn main() {
    groups();
    jobs();
    reads();
}
