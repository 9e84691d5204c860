//! The sentences that say why a task waits.

use crate::bench::{Bench, at, plan, reduced};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::{ModuleState, ToPrimary};
use wasmhost_proto::{Digest, JobId, TaskId};

fn check(b: &Bench, job: JobId, node: u16, index: u32, want: &str) {
    let task = b
        .primary
        .live_task(at(b.now), TaskId { job, node, index })
        .unwrap();
    let got = task.waits_for.unwrap_or_default();
    assert!(got.contains(want), "'{got}' instead of '{want}'");
}

#[test]
fn waiting_tasks_say_why() {
    let mut b = Bench::new();
    let first = b.submit(plan(3));
    let mut other = reduced(3);
    other.nodes[0].retry.guest = 2;
    let id = b.submit(other);
    check(&b, id, 0, 0, "no worker is connected");
    check(&b, id, 1, 0, "node 'map' has 3 tasks to go");
    b.worker(1, 2);
    check(
        &b,
        id,
        0,
        1,
        "all 2 slots are busy; 4 tasks are ahead of it",
    );
    b.want(1, 2, 2);
    let leases = b.leases();
    let digest = Digest([1; 32]);
    b.say(
        1,
        ToPrimary::Module {
            digest,
            state: ModuleState::Compiling,
        },
    );
    check(&b, first, 0, 0, "on worker 'w1', which compiles its module");
    b.say(
        1,
        ToPrimary::Module {
            digest,
            state: ModuleState::Ready,
        },
    );
    check(&b, first, 0, 0, "on worker 'w1', about to start");
    for lease in leases {
        b.end(1, lease, None);
    }
    b.want(1, 4, 2);
    for lease in b.leases() {
        let fails = (lease.0.job == id).then_some(FailureKind::GuestRetryable);
        b.end(1, lease, fails);
    }
    check(
        &b,
        id,
        0,
        0,
        "retry 1 of 2 in 0.0 s after guest retryable: why",
    );
    b.pass(400);
    check(
        &b,
        id,
        0,
        0,
        "no connected worker takes work: they are silent or draining",
    );
}
