//! Drivers: what they start is said until its end has come, ends are handed over one by
//! one, and none of it takes a slot.

use super::bench::{Bench, LEASE, MODULE, spec, task};
use wasmhost_core::worker::{Effect, Event};
use wasmhost_proto::JobId;
use wasmhost_proto::wire::{
    AssignRun, CancelSpawned, ChildEnd, NodeSpec, RunItems, Spawn, SpawnedEnd, ToPrimary, ToWorker,
};

const DRIVER: u32 = 0;

/// A bench on which a driver, index 0 of node 1, runs.
fn driving(slots: u32) -> Bench {
    let mut bench = Bench::ready(slots, 0);
    let driver = NodeSpec {
        node: 1,
        driver: true,
        ..spec("${index}")
    };
    bench.hear(ToWorker::Prepare(Box::new(driver)));
    bench.event(Event::ModuleReady(MODULE));
    bench.hear(ToWorker::Assign(vec![AssignRun {
        job: JobId(1),
        node: 1,
        lease: LEASE,
        first: DRIVER,
        items: RunItems::Single,
    }]));
    assert_eq!(bench.started, [DRIVER]);
    bench.sent.clear();
    bench
}

fn driver() -> wasmhost_proto::TaskId {
    wasmhost_proto::TaskId {
        node: 1,
        ..task(DRIVER)
    }
}

fn start(bench: &mut Bench, key: &str) {
    bench.event(Event::Spawn(Box::new(Spawn {
        task: driver(),
        lease: LEASE,
        key: key.into(),
        node: "work".into(),
        input: vec![1],
    })));
}

fn end(bench: &mut Bench, key: &str) {
    bench.hear(ToWorker::Spawned(Box::new(SpawnedEnd {
        task: driver(),
        lease: LEASE,
        key: key.into(),
        end: ChildEnd::Refused("why".into()),
    })));
}

/// Keys that the primary was told of, in order; those given up with a `!`.
fn said(bench: &mut Bench) -> Vec<String> {
    let said = bench.sent.drain(..).filter_map(|message| match message {
        ToPrimary::Spawn(spawn) => Some(spawn.key),
        ToPrimary::CancelSpawned(of) => Some(format!("!{}", of.key)),
        _ => None,
    });
    said.collect()
}

/// Keys whose ends the driver was given.
fn heard(bench: &mut Bench) -> Vec<String> {
    let heard = bench.effects.drain(..).filter_map(|effect| match effect {
        Effect::Spawned(end) => Some(end.key),
        _ => None,
    });
    heard.collect()
}

#[test]
fn a_driver_holds_no_slot() {
    let mut bench = driving(2);
    bench.assign(0, 3);
    // Both slots are for others; the third of them waits.
    assert_eq!(bench.started, [DRIVER, 0, 1]);
    assert_eq!((bench.worker.running(), bench.worker.queued()), (3, 1));
    bench.end(0, 1, None);
    assert_eq!(bench.started, [DRIVER, 0, 1, 2]);
}

#[test]
fn ends_come_once_and_when_asked_for() {
    let mut bench = driving(1);
    start(&mut bench, "a");
    start(&mut bench, "b");
    start(&mut bench, "a");
    assert_eq!(said(&mut bench), ["a", "b"]);
    end(&mut bench, "b");
    assert_eq!(heard(&mut bench), [""; 0]);
    bench.event(Event::Await(driver(), LEASE));
    assert_eq!(heard(&mut bench), ["b"]);
    end(&mut bench, "b");
    bench.event(Event::Await(driver(), LEASE));
    assert_eq!(heard(&mut bench), [""; 0]);
    end(&mut bench, "a");
    end(&mut bench, "c");
    assert_eq!(heard(&mut bench), ["a"]);
}

fn gives_up(key: &str) -> Event {
    Event::CancelSpawned(Box::new(CancelSpawned {
        task: driver(),
        lease: LEASE,
        key: key.into(),
    }))
}

#[test]
fn what_has_not_ended_is_said_again_in_a_new_session() {
    let mut bench = driving(1);
    for key in ["a", "b", "c"] {
        start(&mut bench, key);
    }
    end(&mut bench, "b");
    for _ in 0..2 {
        bench.event(gives_up("c"));
    }
    bench.event(gives_up("b"));
    assert_eq!(said(&mut bench), ["a", "b", "c", "!c"]);
    bench.event(Event::Disconnected);
    start(&mut bench, "d");
    bench.connect();
    assert_eq!(said(&mut bench), ["a", "c", "!c", "d"]);
}

#[test]
fn only_drivers_are_heard() {
    let mut bench = driving(2);
    bench.assign(5, 1);
    bench.sent.clear();
    bench.event(Event::Spawn(Box::new(Spawn {
        task: task(5),
        lease: LEASE,
        key: "a".into(),
        node: "work".into(),
        input: vec![],
    })));
    bench.event(Event::Await(task(5), LEASE));
    assert_eq!((said(&mut bench), heard(&mut bench)), (vec![], vec![]));
}
