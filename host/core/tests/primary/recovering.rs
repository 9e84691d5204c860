//! A primary starts over what the store holds.

use crate::bench::{Bench, CONFIG, at, plan};
use wasmhost_core::record::{
    FailedAttempts, JobRecord, RecordedEnd, Recovered, RecoveredJob, WorkerRecord,
};
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::wire::{Held, ToWorker};
use wasmhost_proto::{JobId, Lease, TaskId, Timestamp, WorkerId};

const JOB: JobId = JobId(77);

fn recovered(state: JobState) -> Recovered {
    let counts = Counts {
        total: 4,
        succeeded: 1,
        ..Counts::default()
    };
    let record = JobRecord {
        id: JOB,
        name: "job".into(),
        priority: 0,
        state,
        submitted: at(0).wall,
        started: Some(Timestamp(5)),
        ended: None,
        counts,
        node_counts: vec![counts],
        failure: None,
        cancelled: state == JobState::Stopping,
        gathered: vec![],
        idempotency_key: Some("k".into()),
        late_outcomes: 0,
        retries: 0,
    };
    let job = RecoveredJob {
        record,
        plan: plan(4),
        ended: vec![(0, 0, RecordedEnd::Succeeded)],
        prepared: vec![],
        items: vec![],
        spawned: vec![],
        failed_attempts: vec![(
            0,
            1,
            FailedAttempts {
                infrastructure: 1,
                last: 1,
                ..FailedAttempts::default()
            },
        )],
    };
    let worker = WorkerRecord {
        id: WorkerId(1),
        name: "w1".into(),
        connected: true,
        draining: false,
        seen: Timestamp(0),
    };
    Recovered {
        last_job: Some(JOB),
        jobs: vec![job],
        workers: vec![worker],
        ..Recovered::default()
    }
}

fn held(index: u32, attempt: u32) -> Held {
    let task = TaskId {
        job: JOB,
        node: 0,
        index,
    };
    Held {
        task,
        lease: Lease { term: 1, attempt },
        started: Some(Timestamp(6)),
    }
}

#[test]
fn a_worker_that_comes_back_keeps_what_it_runs() {
    let mut b = Bench::recovered(2, recovered(JobState::Running));
    b.worker(2, 4);
    b.want(2, 4, 4);
    assert_eq!(b.leases(), [], "waits for the worker from before");
    // Index 0 has ended, attempt 1 of index 1 has failed: only index 2 is taken over.
    b.join(1, 1, 4, 1, vec![held(0, 1), held(1, 1), held(2, 1)]);
    let told: Vec<_> = b.leases();
    let handed: Vec<_> = told
        .iter()
        .map(|(t, l)| (t.index, l.term, l.attempt))
        .collect();
    assert_eq!(handed, [(1, 2, 2), (3, 2, 1)]);
    let Held { task, lease, .. } = held(2, 1);
    b.end(1, (task, lease), None);
    for (task, lease) in told {
        b.end(2, (task, lease), None);
    }
    assert_eq!(b.record(JOB).state, JobState::Succeeded);
    assert_eq!(b.record(JOB).late_outcomes, 0);
}

#[test]
fn the_wait_for_workers_ends() {
    let mut b = Bench::recovered(2, recovered(JobState::Running));
    b.worker(2, 4);
    b.want(2, 4, 4);
    for _ in 0..CONFIG.recovery_grace_ms / 100 {
        b.pass(100);
        b.want(2, 4, 4);
    }
    assert_eq!(b.leases().len(), 3);
}

#[test]
fn a_stopping_job_ends_at_once() {
    let b = Bench::recovered(2, recovered(JobState::Stopping));
    let record = b.record(JOB);
    assert_eq!(
        (record.state, record.counts.cancelled),
        (JobState::Cancelled, 3)
    );
    assert_eq!(record.counts.succeeded, 1);
}

#[test]
fn ids_and_keys_go_on() {
    let mut b = Bench::recovered(2, recovered(JobState::Running));
    b.submit_with(plan(4), Some("k"));
    let id = b.submit(plan(1));
    assert!(id > JOB);
    assert_eq!(b.primary.job_ids().collect::<Vec<_>>(), [JOB, id]);
}

#[test]
fn the_number_of_a_job_that_was_never_durable_brings_no_lease_along() {
    let mut b = Bench::recovered(2, Recovered::default());
    let job = b.submit(plan(1));
    // An earlier primary had given the number to another job, and died too early.
    let lost = Held {
        task: TaskId {
            job,
            node: 0,
            index: 0,
        },
        lease: Lease {
            term: 1,
            attempt: 1,
        },
        started: Some(crate::bench::at(0).wall),
    };
    b.join(1, 1, 1, 1, vec![lost]);
    b.sent
        .retain(|(_, message)| matches!(message, ToWorker::Cancel { .. }));
    let cancelled = matches!(&b.sent[..], [(1, ToWorker::Cancel { attempts, .. })]
        if *attempts == [(lost.task, lost.lease)]);
    assert!(cancelled, "{:?}", b.sent);
    b.want(1, 1, 1);
    assert_eq!(b.leases()[0].1.term, 2);
}
