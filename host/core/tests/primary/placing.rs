//! Which worker is given what: never more memory than it offers, nor what it has rejected
//! while another has not.

use crate::admission::{BAD, GOOD, asking, workers};
use crate::bench::Bench;
use wasmhost_core::primary::Event;
use wasmhost_proto::wire::ToPrimary;
use wasmhost_proto::{JobId, Lease, TaskId, WorkerId};

/// Who has which node of which job, by their numbers from 0; in order.
fn placed(b: &mut Bench, jobs: &[JobId]) -> Vec<(usize, u16, u64)> {
    let runs = b.assigned().into_iter();
    let mut placed: Vec<(usize, u16, u64)> = runs
        .flat_map(|(session, run)| {
            let job = jobs.iter().position(|id| *id == run.job).unwrap();
            std::iter::repeat_n((job, run.node, session), run.count() as usize)
        })
        .collect();
    placed.sort_unstable();
    placed
}

/// Jobs by the modules and memory of their nodes, and which worker (from 1) has each node
/// once all have asked for plenty.
fn check(offers: &[(u64, bool)], jobs: &[&[(u8, u64)]], want: &[(usize, u16, u64)]) {
    let mut b = workers(offers);
    let ids: Vec<JobId> = jobs.iter().map(|nodes| b.submit(asking(nodes))).collect();
    for session in 1..=offers.len() as u64 {
        b.want(session, 100, 4);
    }
    assert_eq!(placed(&mut b, &ids), want, "{offers:?} {jobs:?}");
}

#[test]
fn nobody_is_given_what_it_cannot_run() {
    // The first to ask is too small; others of the job are not.
    check(&[(10, false), (20, false)], &[&[(GOOD, 15)]], &[(0, 0, 2)]);
    check(&[(10, false)], &[&[(GOOD, 15)]], &[]);
    check(
        &[(10, false), (20, false)],
        &[&[(GOOD, 15), (GOOD, 5)]],
        &[(0, 0, 2), (0, 1, 1)],
    );
    // A job that nobody can run keeps nobody from the next.
    check(
        &[(10, false)],
        &[&[(GOOD, 99)], &[(GOOD, 10)], &[(GOOD, 11), (GOOD, 9)]],
        &[(1, 0, 1), (2, 1, 1)],
    );
    // One that says nothing has enough.
    check(
        &[(10, false), (0, false)],
        &[&[(GOOD, u64::MAX)]],
        &[(0, 0, 2)],
    );
    // What one has rejected goes to another; what all have, to anybody, who says so.
    check(&[(0, true), (0, false)], &[&[(BAD, 1)]], &[(0, 0, 2)]);
    check(&[(0, true)], &[&[(BAD, 1)]], &[(0, 0, 1)]);
    check(&[(0, true), (5, false)], &[&[(BAD, 9)]], &[(0, 0, 1)]);
}

#[test]
fn what_waits_for_memory_says_so_and_is_given_to_who_has_it() {
    let mut b = workers(&[(10 << 20, false)]);
    let id = b.submit(asking(&[(GOOD, 20 << 20)]));
    b.want(1, 100, 4);
    assert_eq!(b.leases(), []);
    let task = TaskId {
        job: id,
        node: 0,
        index: 0,
    };
    let now = crate::bench::at(b.now);
    let why = b.primary.live_task(now, task).unwrap().waits_for.unwrap();
    assert_eq!(
        why,
        "it may use 20 MiB of memory, and of the workers that take work 'w1' offers most, 10 MiB"
    );
    // A worker without a word on memory.
    b.worker(2, 1);
    b.want(2, 1, 1);
    assert_eq!(b.leases().len(), 1);
}

#[test]
fn nothing_is_taken_back_for_one_that_cannot_run_it() {
    let taken_back = |b: &mut Bench| {
        let asked = b.sent.iter().any(|(session, message)| {
            *session == 2 && matches!(message, wasmhost_proto::wire::ToWorker::TakeBack { .. })
        });
        b.sent.clear();
        asked
    };
    let check = |memory: u64, want: bool| {
        let mut b = workers(&[(10, false), (20, false)]);
        let nodes = [(GOOD, memory); 8];
        b.submit(asking(&nodes));
        b.want(2, 8, 1);
        let mut leases: Vec<(TaskId, Lease)> = b.leases();
        // No worker is given more than its share at once.
        while leases.len() < 8 {
            b.want(2, 8, 0);
            leases.extend(b.leases());
        }
        b.started(2, leases[0]);
        b.sent.clear();
        b.want(1, 4, 4);
        assert_eq!(taken_back(&mut b), want, "{memory}");
        // And nobody asks again and again.
        b.say(1, ToPrimary::Beat(wasmhost_proto::wire::Load::default()));
        assert!(!taken_back(&mut b));
    };
    check(15, false);
    check(5, true);
}

#[test]
fn a_drained_worker_does_not_count_as_another() {
    let mut b = workers(&[(0, true), (0, false)]);
    b.event(Event::Drain {
        request: 1,
        worker: WorkerId(2),
        on: true,
    });
    b.submit(asking(&[(BAD, 1)]));
    b.want(1, 1, 1);
    assert_eq!(b.leases().len(), 1, "it will say so");
}
