//! Who is asked what its attempts have published, and when.

use crate::bench::{Bench, CONFIG, plan};
use wasmhost_core::primary::{Event, Primary, PrimaryConfig, Reply};
use wasmhost_core::record::Recovered;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{StatusReport, ToPrimary, ToWorker};
use wasmhost_proto::{JobId, Lease, TaskId, Timestamp};

/// Three workers: two that run a task each, one that has nothing to do.
fn running(poll_ms: u64) -> (Bench, JobId, Vec<(TaskId, Lease)>) {
    let mut b = Bench::new();
    let config = PrimaryConfig {
        poll_ms,
        lease_ms: 60_000,
        ..CONFIG
    };
    b.primary = Primary::new(config, 1, 1, crate::bench::at(0), Recovered::default());
    for id in 1..=3 {
        b.worker(id, 1);
    }
    let job = b.submit(plan(2));
    b.want(1, 1, 1);
    b.want(2, 1, 1);
    let leases = b.leases();
    for (session, lease) in [1, 2].into_iter().zip(&leases) {
        b.started(session, *lease);
    }
    b.sent.clear();
    (b, job, leases)
}

/// Who was asked since the last call.
fn polled(b: &mut Bench) -> Vec<u64> {
    let sent = std::mem::take(&mut b.sent).into_iter();
    let polls = sent.filter(|(_, message)| *message == ToWorker::Poll);
    polls.map(|(session, _)| session).collect()
}

fn report(b: &mut Bench, session: u64, (task, lease): (TaskId, Lease)) {
    let report = StatusReport {
        task,
        lease,
        at: Timestamp(0),
        status: Status::default(),
        log: String::new(),
    };
    b.say(session, ToPrimary::Status(vec![report]));
}

fn ask(b: &mut Bench, job: JobId, max_age_ms: u64) -> u32 {
    b.event(Event::Poll {
        request: 9,
        job,
        max_age_ms,
    });
    match b.replies.last() {
        Some(Ok(Reply::Stale { workers })) => *workers,
        other => panic!("{other:?}"),
    }
}

#[test]
fn workers_that_run_something_are_asked_now_and_then() {
    let (mut b, ..) = running(1_000);
    b.pass(900);
    assert_eq!(polled(&mut b), [0; 0]);
    b.pass(200);
    assert_eq!(polled(&mut b), [1, 2]);
    b.pass(1_000);
    assert_eq!(polled(&mut b), [1, 2]);
    let (mut b, ..) = running(0);
    b.pass(50_000);
    assert_eq!(polled(&mut b), [0; 0]);
}

#[test]
fn whose_word_is_old_is_asked_when_somebody_wants_to_know() {
    let (mut b, job, leases) = running(0);
    b.pass(50);
    // The start of an attempt is news.
    assert_eq!(ask(&mut b, job, 60), 0);
    b.pass(50);
    assert_eq!(ask(&mut b, job, 60), 2);
    assert_eq!(polled(&mut b), [1, 2]);
    // Who was asked just now is not asked again; who has answered is known.
    report(&mut b, 1, leases[0]);
    assert_eq!(ask(&mut b, job, 60), 1);
    assert_eq!(polled(&mut b), [0; 0]);
    b.pass(150);
    assert_eq!(ask(&mut b, job, 200), 1);
    assert_eq!(polled(&mut b), [2]);
    assert_eq!(ask(&mut b, JobId::default(), 0), 0);
}
