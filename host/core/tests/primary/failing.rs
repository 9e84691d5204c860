//! Retries, limits, cancellation, lost workers.

use crate::bench::{Bench, at, plan, reduced};
use wasmhost_core::prepared::Prepared;
use wasmhost_core::primary::{Effect, Event, Refusal};
use wasmhost_core::record::{StoredResult, Write};
use wasmhost_proto::api::{JobState, TaskState};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::{JobPlan, OnFailure};
use wasmhost_proto::wire::{ToPrimary, ToWorker};

/// One task fails until it is not tried again: how many attempts it had.
fn check_attempts(kind: FailureKind, guest: u32, infrastructure: u32, want: u32) {
    let mut b = Bench::new();
    let mut plan = plan(1);
    plan.nodes[0].retry.guest = guest;
    plan.nodes[0].retry.infrastructure = infrastructure;
    let id = b.submit(plan);
    b.worker(1, 1);
    let mut attempts = 0;
    while b.primary.job_ids().any(|job| job == id) {
        b.want(1, 1, 1);
        for lease in b.leases() {
            attempts += 1;
            assert_eq!(lease.1.attempt, attempts);
            b.end(1, lease, Some(kind));
        }
        b.pass(50);
    }
    assert_eq!(attempts, want, "{kind:?}");
    let record = b.record(id);
    assert_eq!((record.state, record.counts.failed), (JobState::Failed, 1));
    let written = |w: &&Write| matches!(w, Write::Attempt(..));
    assert_eq!(b.writes.iter().filter(written).count() as u32, want);
}

#[test]
fn each_kind_of_failure_has_its_own_retries() {
    check_attempts(FailureKind::GuestRetryable, 3, 5, 4);
    check_attempts(FailureKind::ExitCode, 1, 5, 2);
    check_attempts(FailureKind::LostExecutor, 3, 2, 3);
    check_attempts(FailureKind::HostFault, 3, 0, 1);
    check_attempts(FailureKind::Cancelled, 0, 1, 2);
    for kind in [
        FailureKind::Trap,
        FailureKind::GuestError,
        FailureKind::TimeLimit,
    ] {
        check_attempts(kind, 3, 5, 1);
    }
}

#[test]
fn a_failed_task_stops_its_job_or_not() {
    for (on_failure, left) in [(OnFailure::Stop, 0), (OnFailure::Continue, 2)] {
        let mut b = Bench::new();
        let id = b.submit(JobPlan {
            on_failure,
            ..plan(4)
        });
        b.worker(1, 2);
        b.want(1, 2, 2);
        let leases = b.leases();
        b.started(1, leases[1]);
        b.sent.clear();
        b.end(1, leases[0], Some(FailureKind::Trap));
        let cancels = b
            .sent
            .iter()
            .any(|(_, m)| matches!(m, ToWorker::Cancel { .. }));
        assert_eq!(cancels, on_failure == OnFailure::Stop);
        b.end(1, leases[1], None);
        b.want(1, 4, 2);
        let rest = b.leases();
        assert_eq!(rest.len(), left);
        for lease in rest {
            b.end(1, lease, None);
        }
        let record = b.record(id);
        assert_eq!(record.state, JobState::Failed);
        assert_eq!(record.failure.unwrap().failure.kind, FailureKind::Trap);
        assert_eq!(record.counts.cancelled, 2 - left as u64);
    }
}

#[test]
fn limits_of_a_job_expire_it() {
    let cases = [
        (Some(300), None, true),
        (None, Some(300), true),
        (Some(300), None, false),
    ];
    for (queue_ms, total_ms, expires) in cases {
        let mut b = Bench::new();
        let id = b.submit(JobPlan {
            queue_ms,
            total_ms,
            ..plan(2)
        });
        if total_ms.is_some() || !expires {
            b.worker(1, 1);
            b.want(1, 1, 1);
            let lease = b.leases()[0];
            b.started(1, lease);
        }
        b.pass(400);
        let record = b.record(id);
        assert_eq!(
            record.failure.is_some(),
            expires,
            "{queue_ms:?} {total_ms:?}"
        );
        if let Some(failure) = record.failure {
            assert_eq!(
                (failure.failure.kind, failure.task),
                (FailureKind::Expired, None)
            );
        }
    }
}

#[test]
fn a_cancelled_job_waits_for_its_attempts() {
    let mut b = Bench::new();
    let id = b.submit(plan(3));
    b.worker(1, 1);
    b.want(1, 1, 1);
    let lease = b.leases()[0];
    b.started(1, lease);
    b.sent.clear();
    b.event(Event::Cancel {
        request: 2,
        job: id,
        grace_ms: Some(70),
    });
    let attempts = vec![lease];
    assert_eq!(
        b.sent,
        [(
            1,
            ToWorker::Cancel {
                attempts,
                grace_ms: 70
            }
        )]
    );
    assert_eq!(b.record(id).state, JobState::Stopping);
    // A guest that heeds its flag may end in any way.
    b.end(1, lease, Some(FailureKind::GuestError));
    let record = b.record(id);
    assert_eq!(
        (record.state, record.counts.cancelled),
        (JobState::Cancelled, 3)
    );
    b.event(Event::Cancel {
        request: 3,
        job: id,
        grace_ms: None,
    });
    assert_eq!(b.replies.last(), Some(&Err(Refusal::NoSuchJob(id))));
}

#[test]
fn a_silent_worker_loses_its_leases_and_its_late_word() {
    let mut b = Bench::new();
    let id = b.submit(plan(1));
    b.worker(1, 1);
    b.worker(2, 1);
    b.want(1, 1, 1);
    let lost = b.leases()[0];
    b.started(1, lost);
    for _ in 0..10 {
        b.pass(100);
        b.want(2, 1, 1);
    }
    b.pass(100);
    let again = b.leases();
    assert_eq!(again.len(), 1, "run elsewhere within the lease");
    assert_eq!((again[0].0, again[0].1.attempt), (lost.0, 2));
    assert!(b.closed[0].1.contains("was not heard"));
    b.join(
        1,
        3,
        1,
        1,
        vec![wasmhost_proto::wire::Held {
            task: lost.0,
            lease: lost.1,
            started: None,
        }],
    );
    let told = b
        .sent
        .iter()
        .rev()
        .find(|(session, _)| *session == 3)
        .unwrap();
    assert!(matches!(&told.1, ToWorker::Cancel { attempts, .. } if attempts[..] == [lost]));
    b.end(3, lost, None);
    assert_eq!(b.others, [Effect::LateOutcome(lost.0)]);
    b.end(2, again[0], None);
    let record = b.record(id);
    assert_eq!(
        (record.state, record.late_outcomes),
        (JobState::Succeeded, 1)
    );
}

#[test]
fn an_attempt_that_no_worker_ends_is_given_up() {
    let mut b = Bench::new();
    b.submit(plan(1));
    b.worker(1, 1);
    b.want(1, 1, 1);
    let lease = b.leases()[0];
    b.started(1, lease);
    for _ in 0..400 {
        b.pass(100);
        b.want(1, 1, 1);
    }
    let told = b
        .sent
        .iter()
        .any(|(_, m)| matches!(m, ToWorker::Cancel { grace_ms: 0, .. }));
    assert!(told, "it was told to stop");
    assert_eq!(b.leases()[0].1.attempt, 2);
}

#[test]
fn a_retry_repeats_what_failed_and_what_came_after() {
    let mut b = Bench::new();
    let plan = JobPlan {
        on_failure: OnFailure::Continue,
        ..reduced(2)
    };
    let id = b.submit(plan.clone());
    b.worker(1, 2);
    b.want(1, 2, 2);
    let leases = b.leases();
    b.end(1, leases[0], None);
    b.end(1, leases[1], Some(FailureKind::Trap));
    let prepared = Prepared::Run {
        input: Some(StoredResult::Inline(vec![3])),
        items: None,
    };
    b.prepared(id, 1, Ok(prepared));
    b.want(1, 1, 1);
    let reduce = b.leases()[0];
    b.end(1, reduce, None);
    assert_eq!(b.record(id).state, JobState::Failed);
    let job = b.ended_job(id, plan);
    b.event(Event::Retry { request: 5, job });
    let removed: Vec<_> = b
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::RemoveOutcome(task) => Some((task.node, task.index)),
            _ => None,
        })
        .collect();
    assert_eq!(removed, [(0, 1), (1, 0)]);
    b.want(1, 2, 2);
    let again = b.leases();
    assert_eq!(again.iter().map(|l| l.0.index).collect::<Vec<_>>(), [1]);
    let state = b.primary.live_task(at(0), again[0].0).unwrap().state;
    assert_eq!(state, TaskState::Assigned);
}

#[test]
fn malformed_talk_closes_or_is_ignored() {
    let mut b = Bench::new();
    b.event(Event::Connected {
        session: 1,
        worker: wasmhost_proto::WorkerId(1),
    });
    b.say(1, ToPrimary::Bye);
    assert!(b.closed[0].1.contains("before it registered"));
    b.join(2, 2, 1, 9, vec![]);
    assert!(b.closed[1].1.contains("has seen term 9"));
    b.worker(3, 1);
    let nowhere = wasmhost_proto::TaskId {
        job: wasmhost_proto::JobId(5),
        node: 9,
        index: 9,
    };
    let lease = wasmhost_proto::Lease {
        term: 1,
        attempt: 1,
    };
    b.started(3, (nowhere, lease));
    b.end(3, (nowhere, lease), None);
    b.say(3, ToPrimary::Released(vec![(nowhere, lease)]));
    assert_eq!(b.closed.len(), 2);
    b.join(3, 4, 1, 0, vec![]);
    assert!(b.closed[2].1.contains("superseded"));
}
