//! Submission, order, shares, take-back, drain.

use crate::bench::{Bench, plan};
use wasmhost_core::primary::{Event, Refusal, Reply};
use wasmhost_core::record::Write;
use wasmhost_proto::WorkerId;
use wasmhost_proto::api::{JobState, WorkerState};
use wasmhost_proto::limits::MAX_NEWS;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::{ToPrimary, ToWorker};

#[test]
fn nothing_is_promised_before_it_is_durable() {
    let mut b = Bench::new();
    b.instant = false;
    b.submit_with(plan(1), None);
    b.worker(1, 1);
    b.want(1, 1, 1);
    // Its tasks begin while it is on its way to the disk.
    let lease = b.leases()[0];
    assert_eq!((b.replies.len(), b.primary.job_ids().count()), (0, 0));
    b.event(Event::Persisted { seq: 1 });
    assert!(matches!(
        b.replies[..],
        [Ok(Reply::Job { created: true, .. })]
    ));
    b.event(Event::Persisted { seq: b.seq });
    b.sent.clear();
    b.end(1, lease, None);
    assert_eq!(b.sent, [], "acknowledged too early");
    let view = b
        .primary
        .job_view(crate::bench::at(0), lease.0.job)
        .unwrap();
    assert_eq!((view.counts.succeeded, view.counts.running), (0, 1));
    b.event(Event::Persisted { seq: b.seq });
    let ack = (1, ToWorker::Ack { batch: 1 });
    let forget = (1, ToWorker::Forget { job: lease.0.job });
    assert_eq!(b.sent, [ack, forget]);
    assert_eq!(b.record(lease.0.job).state, JobState::Succeeded);
}

#[test]
fn a_task_may_end_before_its_job_is_durable() {
    let mut b = Bench::new();
    b.instant = false;
    b.worker(1, 1);
    b.want(1, 1, 1);
    b.submit_with(plan(1), None);
    let lease = b.leases()[0];
    b.sent.clear();
    b.end(1, lease, None);
    assert_eq!((b.replies.len(), b.sent.len()), (0, 0));
    // The end comes after the job in the store, here in the same commit.
    b.event(Event::Persisted { seq: b.seq });
    assert_eq!(b.replies.len(), 1);
    let ack = (1, ToWorker::Ack { batch: 1 });
    let forget = (1, ToWorker::Forget { job: lease.0.job });
    assert_eq!(b.sent, [ack, forget]);
    assert_eq!(b.record(lease.0.job).state, JobState::Succeeded);
    assert!(!b.primary.is_live(lease.0.job));
}

#[test]
fn an_idempotency_key_makes_one_job() {
    let mut b = Bench::new();
    b.submit_with(plan(1), Some("k"));
    let id = *b.primary.job_ids().collect::<Vec<_>>().first().unwrap();
    b.submit_with(plan(1), Some("k"));
    b.submit_with(plan(2), Some("k"));
    let job = |created| Ok(Reply::Job { id, created });
    assert_eq!(
        b.replies,
        [job(true), job(false), Err(Refusal::KeyReused(id))]
    );
}

#[test]
fn several_jobs_are_made_together_or_not_at_all() {
    let mut b = Bench::new();
    b.instant = false;
    let mut submit = |jobs: &[(u32, Option<&str>)]| {
        let job =
            |(count, key): &(u32, Option<&str>)| (Box::new(plan(*count)), key.map(Into::into));
        let jobs = jobs.iter().map(job).collect();
        b.event(Event::SubmitAll { request: 1, jobs });
        let early = b.replies.len();
        b.event(Event::Persisted { seq: b.seq });
        (b.replies.pop().unwrap(), early)
    };
    let (Ok(Reply::Jobs { ids, created: true }), 0) = submit(&[(1, Some("k.0")), (2, Some("k.1"))])
    else {
        panic!("not made, or promised too early");
    };
    assert!(ids[0] < ids[1]);
    let again = Ok(Reply::Jobs {
        ids: ids.clone(),
        created: false,
    });
    assert_eq!(submit(&[(1, Some("k.0")), (2, Some("k.1"))]).0, again);
    // Other jobs, or others besides: none of them is made.
    let first = Err(Refusal::KeyReused(ids[0]));
    assert_eq!(submit(&[(3, Some("k.0")), (2, Some("k.1"))]).0, first);
    assert_eq!(submit(&[(1, Some("k.0")), (1, Some("new"))]).0, first);
    assert_eq!(b.primary.job_ids().collect::<Vec<_>>(), ids);
    assert_eq!(b.seq, 1, "made in one batch");
}

#[test]
fn a_worker_is_told_of_many_new_nodes_bit_by_bit() {
    let jobs = 3 * MAX_NEWS;
    let mut b = Bench::new();
    b.instant = false;
    b.worker(1, 1);
    b.want(1, jobs as u32, 1);
    let plans = vec![(Box::new(plan(1)), None); jobs];
    b.event(Event::SubmitAll {
        request: 1,
        jobs: plans,
    });
    let mut told = 0;
    while told < jobs {
        let prepare = |(_, m): &&_| matches!(m, ToWorker::Prepare(_));
        let news = b.sent.iter().filter(prepare).count();
        // Free slots and others are filled one after the other.
        assert!((1..=2 * MAX_NEWS).contains(&news), "{news} after {told}");
        assert_eq!(b.assigned().len(), news);
        told += news;
        b.sent.clear();
        b.event(Event::Timeout);
    }
}

/// Submits jobs of `(priority, tasks)`; one worker takes one task after the other.
fn check_order(jobs: &[(i32, u32)], want: &[usize]) {
    let mut b = Bench::new();
    let submit = |(priority, count): &(i32, u32)| {
        b.submit(JobPlan {
            priority: *priority,
            ..plan(*count)
        })
    };
    let ids: Vec<_> = jobs.iter().map(submit).collect();
    b.worker(1, 1);
    let mut got = vec![];
    for _ in want {
        b.want(1, 1, 1);
        let lease = b.leases()[0];
        got.push(ids.iter().position(|id| *id == lease.0.job).unwrap());
        b.end(1, lease, None);
    }
    assert_eq!(got, want);
}

#[test]
fn priority_goes_first_and_equals_take_turns() {
    check_order(&[(0, 2), (1, 2)], &[1, 1, 0, 0]);
    check_order(&[(0, 3), (0, 2)], &[0, 1, 0, 1, 0]);
    check_order(&[(-1, 1), (0, 1), (0, 1)], &[1, 2, 0]);
}

/// Workers of `(want, free slots)` ask before a job of `tasks` comes.
fn check_shares(workers: &[(u32, u32)], tasks: u32, want: &[usize]) {
    let mut b = Bench::new();
    for (id, (wants, free)) in (1..).zip(workers) {
        b.worker(id, (*free).max(1));
        b.want(id, *wants, *free);
    }
    // One look at who wants what.
    b.instant = false;
    b.submit_with(plan(tasks), None);
    let mut got = vec![0; workers.len()];
    for (session, run) in b.assigned() {
        got[session as usize - 1] += run.count() as usize;
    }
    assert_eq!(got, want, "{tasks} tasks for {workers:?}");
}

#[test]
fn nobody_takes_everything() {
    check_shares(&[(4, 4), (4, 4)], 4, &[2, 2]);
    check_shares(&[(12, 4), (12, 4)], 100, &[12, 12]);
    check_shares(&[(100, 4), (4, 4)], 20, &[10, 4]);
    check_shares(&[(100, 0), (4, 4)], 6, &[1, 4]);
    check_shares(&[(3, 3)], 1, &[1]);
}

#[test]
fn an_idle_worker_gets_what_a_full_one_cannot_start() {
    let mut b = Bench::new();
    b.submit(plan(9));
    b.worker(1, 1);
    b.want(1, 9, 1);
    let leases = b.leases();
    b.started(1, leases[0]);
    b.worker(2, 4);
    b.sent.clear();
    b.want(2, 8, 4);
    assert_eq!(b.sent, [(1, ToWorker::TakeBack { max: 4 })]);
    b.say(1, ToPrimary::Released(leases[5..].to_vec()));
    let again = b.leases();
    assert_eq!(again.len(), 4);
    assert_eq!(again[0].1.attempt, 1, "a clean return is no attempt");
}

#[test]
fn a_drained_worker_gets_nothing_and_gives_back() {
    let mut b = Bench::new();
    b.submit(plan(5));
    b.worker(1, 1);
    b.want(1, 3, 1);
    let leases = b.leases();
    b.started(1, leases[0]);
    b.sent.clear();
    b.event(Event::Drain {
        request: 2,
        worker: WorkerId(1),
        on: true,
    });
    let drain = (1, ToWorker::Drain { on: true });
    assert_eq!(b.sent, [drain, (1, ToWorker::TakeBack { max: 2 })]);
    b.say(1, ToPrimary::Released(leases[1..].to_vec()));
    b.want(1, 3, 1);
    assert_eq!(b.leases(), []);
    let state = |b: &Bench| b.primary.worker_views(crate::bench::at(b.now))[0].state;
    assert_eq!(state(&b), WorkerState::Draining);
    b.end(1, leases[0], None);
    assert_eq!(state(&b), WorkerState::Drained);
    b.event(Event::Drain {
        request: 3,
        worker: WorkerId(1),
        on: false,
    });
    assert_eq!(b.leases().len(), 3, "its request of before holds again");
    b.event(Event::Drain {
        request: 4,
        worker: WorkerId(9),
        on: true,
    });
    assert_eq!(
        b.replies.last(),
        Some(&Err(Refusal::NoSuchWorker(WorkerId(9))))
    );
}

#[test]
fn ten_million_tasks_are_one_range() {
    let mut b = Bench::new();
    let id = b.submit(plan(10_000_000));
    b.worker(1, 1);
    b.want(1, 1_000, 1);
    // One for the free slot, the others to have at hand.
    let runs = b.assigned().into_iter();
    let runs: Vec<_> = runs.map(|(_, run)| (run.first, run.count())).collect();
    assert_eq!(runs, [(0, 1), (1, 999)]);
    let view = b.primary.job_view(crate::bench::at(0), id).unwrap();
    assert_eq!(view.counts.waiting, 10_000_000);
    b.event(Event::Cancel {
        request: 2,
        job: id,
        grace_ms: None,
    });
    assert_eq!(b.record(id).counts.cancelled, 10_000_000 - 1_000);
    assert!(b.writes.len() < 10);
}

/// One worker has twelve tasks as one run; some of them end in this order, in one batch.
fn check_ends(order: &[u32], failed: &[u32]) {
    let mut b = Bench::new();
    let id = b.submit(plan(12));
    b.worker(1, 12);
    b.want(1, 12, 12);
    let leases = b.leases();
    b.started(1, leases[3]);
    b.say(1, ToPrimary::Released(vec![leases[9], leases[11]]));
    let end = |index: &u32| {
        let failure = failed.contains(index).then_some(FailureKind::LostExecutor);
        (leases[*index as usize], failure)
    };
    let ends: Vec<_> = order.iter().map(end).collect();
    b.end_all(1, &ends);
    let mut gone: Vec<u32> = order
        .iter()
        .copied()
        .filter(|i| ![9, 11].contains(i))
        .collect();
    gone.sort_unstable();
    gone.dedup();
    let late = (order.len() - gone.len()) as u64;
    let record = b.record(id);
    let succeeded = (gone.len() - failed.len()) as u64;
    assert_eq!(
        (record.counts.succeeded, record.late_outcomes),
        (succeeded, late),
        "{order:?}"
    );
    // What came back or failed goes out again, the rest of the run is as it was.
    b.want(1, 12, 12);
    let rest = leases
        .iter()
        .filter(|(task, _)| !gone.contains(&task.index) && ![9, 11].contains(&task.index));
    let rest: Vec<_> = rest
        .copied()
        .chain(b.leases())
        .map(|lease| (lease, None))
        .collect();
    b.end_all(1, &rest);
    let record = b.record(id);
    assert_eq!(
        (record.state, record.late_outcomes),
        (JobState::Succeeded, late),
        "{order:?}"
    );
    let recorded = |write: &Write| match write {
        Write::Outcome(task, _) => Some(task.index),
        _ => None,
    };
    let mut recorded: Vec<u32> = b.writes.iter().filter_map(recorded).collect();
    recorded.sort_unstable();
    assert_eq!(recorded, (0..12).collect::<Vec<_>>(), "{order:?}");
}

#[test]
fn tasks_of_a_run_end_in_any_order() {
    check_ends(&[0, 1, 2, 3, 4, 5], &[]);
    check_ends(&[10, 8, 7, 6, 5, 4, 3], &[]);
    check_ends(&[2, 4, 6, 8, 10, 0, 1, 3, 5, 7], &[]);
    check_ends(&[4, 5, 6, 0, 1], &[5, 0]);
    // Late: it went back before, or ends twice.
    check_ends(&[7, 8, 9, 10, 11], &[]);
    check_ends(&[4, 5, 5, 6, 4], &[6]);
}
