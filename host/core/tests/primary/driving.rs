//! Drivers: what they start runs once per key, whoever holds them, and they hear of
//! each end once it is durable.

use super::bench::{Bench, node};
use wasmhost_core::primary::Effect;
use wasmhost_core::record::{RecordedEnd, Recovered, Write};
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::Array;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan};
use wasmhost_proto::wire::{
    CancelSpawned, ChildEnd, NextRequest, RunItems, Spawn, ToPrimary, ToWorker,
};
use wasmhost_proto::{JobId, Lease, TaskId};

type Held = (TaskId, Lease);

/// A driver, the tasks that it may start, and one that comes after them.
fn driven() -> JobPlan {
    let driver = NodePlan {
        name: "steer".into(),
        array: Array::Single,
        driver: true,
        ..node(1)
    };
    let work = NodePlan {
        name: "work".into(),
        array: Array::Spawned(0),
        tolerate: u32::MAX,
        ..node(1)
    };
    let sum = NodePlan {
        name: "sum".into(),
        array: Array::Single,
        input: NodeInput::Given(wasmhost_proto::input::Input::Item),
        after: vec![1],
        ..node(1)
    };
    JobPlan {
        nodes: vec![driver, work, sum],
        ..JobPlan::default()
    }
}

/// A bench on which worker 1 runs the driver.
fn driving() -> (Bench, JobId, Held) {
    let mut b = Bench::new();
    let id = b.submit(driven());
    b.worker(1, 2);
    b.want(1, 1, 1);
    let driver = b.leases()[0];
    b.started(1, driver);
    b.sent.clear();
    (b, id, driver)
}

fn start(b: &mut Bench, session: u64, (task, lease): Held, key: &str, node: &str) {
    b.say(
        session,
        ToPrimary::Spawn(Box::new(Spawn {
            task,
            lease,
            key: key.into(),
            node: node.into(),
            input: key.as_bytes().to_vec(),
        })),
    );
}

fn give_up(b: &mut Bench, session: u64, (task, lease): Held, key: &str) {
    let key = key.into();
    b.say(
        session,
        ToPrimary::CancelSpawned(Box::new(CancelSpawned { task, lease, key })),
    );
}

/// Keys and indexes whose ends were told since the last call.
fn told(b: &mut Bench) -> Vec<(String, u32)> {
    let told = b.others.drain(..).filter_map(|effect| match effect {
        Effect::SpawnEnded(end) => Some((end.key, end.child.index)),
        _ => None,
    });
    told.collect()
}

fn refused(b: &mut Bench) -> Vec<String> {
    let refused = b.sent.drain(..).filter_map(|(_, message)| match message {
        ToWorker::Spawned(end) => match end.end {
            ChildEnd::Refused(why) => Some(why),
            _ => None,
        },
        _ => None,
    });
    refused.collect()
}

#[test]
fn a_key_stands_for_one_task() {
    let (mut b, id, driver) = driving();
    for key in ["a", "b", "a"] {
        start(&mut b, 1, driver, key, "work");
    }
    let spawned = |w: &Write| matches!(w, Write::Spawned(..));
    assert_eq!(b.writes.iter().filter(|w| spawned(w)).count(), 2);
    b.want(1, 2, 2);
    let runs = b.assigned();
    let items: Vec<_> = runs.iter().map(|(_, run)| run.items.clone()).collect();
    let of = |text: &str| wasmhost_proto::input::Item::Bytes(text.as_bytes().to_vec());
    assert_eq!(items, [RunItems::Items([of("a"), of("b")].into())]);
    let children: Vec<Held> = (0..2)
        .map(|index| {
            (
                TaskId {
                    index,
                    ..runs_task(id)
                },
                runs[0].1.lease,
            )
        })
        .collect();
    b.end(1, children[1], None);
    assert_eq!(told(&mut b), [("b".into(), 1)]);
    start(&mut b, 1, driver, "b", "work");
    assert_eq!(told(&mut b), [("b".into(), 1)]);
    // The other one has not ended.
    start(&mut b, 1, driver, "a", "work");
    assert_eq!(told(&mut b), []);
    b.end(1, children[0], Some(FailureKind::Trap));
    assert_eq!(told(&mut b), [("a".into(), 0)]);
    b.end(1, driver, None);
    b.want(1, 1, 1);
    let sum = b.leases();
    assert_eq!(sum[0].0.node, 2);
    b.end(1, sum[0], None);
    let record = b.record(id);
    assert_eq!(record.state, JobState::Succeeded);
    assert_eq!((record.counts.total, record.counts.failed), (4, 1));
}

fn runs_task(job: JobId) -> TaskId {
    TaskId {
        job,
        node: 1,
        index: 0,
    }
}

#[test]
fn an_end_is_told_once_it_is_durable() {
    let (mut b, _, driver) = driving();
    start(&mut b, 1, driver, "a", "work");
    b.want(1, 1, 1);
    let child = b.leases()[0];
    b.instant = false;
    b.end(1, child, None);
    start(&mut b, 1, driver, "a", "work");
    assert_eq!(told(&mut b), []);
    let seq = b.seq;
    b.event(wasmhost_core::primary::Event::Persisted { seq });
    assert_eq!(told(&mut b), [("a".into(), 0)]);
}

#[test]
fn a_driver_that_begins_anew_finds_what_it_started() {
    let (mut b, id, driver) = driving();
    for key in ["a", "b"] {
        start(&mut b, 1, driver, key, "work");
    }
    b.want(1, 1, 1);
    let first = b.leases()[0];
    b.end(1, first, None);
    told(&mut b);
    // Its worker is lost, and the driver begins anew on another one.
    b.end(1, driver, Some(FailureKind::LostExecutor));
    b.worker(2, 2);
    b.want(2, 1, 1);
    let again = b.leases()[0];
    assert_eq!((again.0, again.1.attempt), (driver.0, 2));
    // The old one is not heard any more.
    start(&mut b, 1, driver, "c", "work");
    for key in ["a", "b", "c"] {
        start(&mut b, 2, again, key, "work");
    }
    assert_eq!(told(&mut b), [("a".into(), 0)]);
    assert_eq!(b.record(id).counts.total, 5);
}

#[test]
fn a_restarted_primary_knows_them() {
    let (mut b, id, driver) = driving();
    for key in ["a", "b"] {
        start(&mut b, 1, driver, key, "work");
    }
    b.want(1, 1, 1);
    let first = b.leases()[0];
    b.end(1, first, None);
    let mut job = b.ended_job(id, driven());
    job.ended
        .retain(|(_, _, end)| *end == RecordedEnd::Succeeded);
    let recovered = Recovered {
        last_job: Some(id),
        jobs: vec![*job],
        ..Recovered::default()
    };
    let mut b = Bench::recovered(2, recovered);
    b.worker(1, 3);
    b.want(1, 3, 3);
    let leases = b.leases();
    let tasks: Vec<(u16, u32)> = leases.iter().map(|(t, _)| (t.node, t.index)).collect();
    assert_eq!(tasks, [(0, 0), (1, 1)]);
    start(&mut b, 1, leases[0], "a", "work");
    assert_eq!(told(&mut b), [("a".into(), 0)]);
    start(&mut b, 1, leases[0], "c", "work");
    assert_eq!(b.record(id).counts.total, 5);
}

#[test]
fn what_is_given_up_ends_as_cancelled_and_fails_nothing() {
    let (mut b, id, driver) = driving();
    for key in ["a", "b"] {
        start(&mut b, 1, driver, key, "work");
    }
    b.want(1, 1, 1);
    let running = b.leases()[0];
    b.started(1, running);
    b.sent.clear();
    for key in ["a", "b", "a", "nobody"] {
        give_up(&mut b, 1, driver, key);
    }
    // The one that waited is over, the other one is told to stop.
    assert_eq!(told(&mut b), [("b".into(), 1)]);
    let cancels = b
        .sent
        .iter()
        .filter(|(_, m)| matches!(m, ToWorker::Cancel { .. }));
    assert_eq!(cancels.count(), 2);
    b.end(1, running, Some(FailureKind::Cancelled));
    assert_eq!(told(&mut b), [("a".into(), 0)]);
    b.end(1, driver, None);
    b.want(1, 1, 1);
    let sum = b.leases()[0];
    b.end(1, sum, None);
    let record = b.record(id);
    assert_eq!(
        (record.state, record.counts.cancelled),
        (JobState::Succeeded, 2)
    );
}

#[test]
fn what_cannot_be_started_is_refused() {
    let (mut b, id, driver) = driving();
    let mut check = |node: &str, want: &str| {
        start(&mut b, 1, driver, "k", node);
        let got = refused(&mut b);
        assert!(got.len() == 1 && got[0].contains(want), "{got:?}");
    };
    check("sum", "spawned_by = \"steer\"");
    check("nobody", "has no task 'nobody'");
    b.event(wasmhost_core::primary::Event::Cancel {
        request: 1,
        job: id,
        grace_ms: None,
    });
    b.sent.clear();
    start(&mut b, 1, driver, "k", "work");
    assert_eq!(refused(&mut b), ["the job is stopping"]);
}

#[test]
fn a_worker_is_believed_of_the_drivers_that_it_holds_alone() {
    let (mut b, id, driver) = driving();
    b.worker(2, 2);
    let plain = b.submit(super::bench::plan(1));
    b.want(2, 1, 1);
    let task = b.leases()[0];
    b.sent.clear();
    let before = b.writes.len();
    let other = |(_, lease): Held, job, node, index, attempt| {
        let lease = Lease { attempt, ..lease };
        (TaskId { job, node, index }, lease)
    };
    let attempt = driver.1.attempt;
    let lies = [
        // Another worker's driver, another attempt, another index, node and job.
        (2, driver),
        (1, other(driver, id, 0, 0, attempt + 1)),
        (1, other(driver, id, 0, u32::MAX, attempt)),
        (1, other(driver, id, u16::MAX, 0, attempt)),
        (1, other(driver, JobId(u64::MAX), 0, 0, attempt)),
        (1, other(driver, plain, 0, 0, attempt)),
    ];
    for (session, who) in lies {
        start(&mut b, session, who, "a", "work");
        give_up(&mut b, session, who, "a");
        let (task, lease) = who;
        let after = 0;
        let next = NextRequest { task, lease, after };
        b.say(session, ToPrimary::NextRequest(Box::new(next)));
    }
    // Its own task, which is no driver: what it asks for is refused, and starts nothing.
    start(&mut b, 2, task, "a", "work");
    assert_eq!(refused(&mut b).len(), 1);
    give_up(&mut b, 1, driver, "nobody");
    assert_eq!((b.writes.len(), told(&mut b)), (before, vec![]));
    assert_eq!(
        b.record(id).counts.total,
        2,
        "the driver and the one after it"
    );
}
