//! Drivers: what they start is said until its end has come, ends are handed over one by
//! one, and none of it takes a slot.

use super::bench::{Bench, LEASE, MODULE, spec, task};
use wasmhost_core::worker::{Effect, Event};
use wasmhost_proto::JobId;
use wasmhost_proto::limits::MAX_SPAWNED_OPEN;
use wasmhost_proto::wire::{
    AssignRun, CancelSpawned, ChildEnd, DriverRequest, GivenRequest, NodeSpec, RunItems, Spawn,
    SpawnedEnd, ToPrimary, ToWorker,
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
    give_up(driver(), LEASE, key)
}

fn give_up(task: wasmhost_proto::TaskId, lease: wasmhost_proto::Lease, key: &str) -> Event {
    let key = key.into();
    Event::CancelSpawned(Box::new(CancelSpawned { task, lease, key }))
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

#[test]
fn nothing_is_believed_of_what_a_lying_executor_says_for_a_driver() {
    let stranger = |index| wasmhost_proto::TaskId { index, ..driver() };
    let other_job = wasmhost_proto::TaskId {
        job: JobId(2),
        ..driver()
    };
    let later = wasmhost_proto::Lease {
        attempt: LEASE.attempt + 1,
        ..LEASE
    };
    let mut bench = driving(2);
    bench.assign(5, 1);
    bench.sent.clear();
    let who = [
        (task(5), LEASE),
        (stranger(1), LEASE),
        (stranger(u32::MAX), LEASE),
        (other_job, LEASE),
        (driver(), later),
    ];
    for (task, lease) in who {
        let spawn = Spawn {
            task,
            lease,
            key: "a".into(),
            node: "work".into(),
            input: vec![],
        };
        bench.event(Event::Spawn(Box::new(spawn)));
        bench.event(give_up(task, lease, "a"));
        bench.event(Event::Await(task, lease));
        bench.event(Event::NextRequest(task, lease));
    }
    // Keys that it never started.
    bench.event(gives_up("nobody"));
    assert_eq!((asked(&mut bench), said(&mut bench)), (vec![], vec![]));
    // More under way than there may be.
    for n in 0..2 * MAX_SPAWNED_OPEN {
        start(&mut bench, &n.to_string());
    }
    assert_eq!(said(&mut bench).len(), MAX_SPAWNED_OPEN);
    // Ends that nobody takes count, too.
    for n in 0..MAX_SPAWNED_OPEN {
        end(&mut bench, &n.to_string());
    }
    start(&mut bench, "more");
    assert_eq!(said(&mut bench), [""; 0]);
    bench.event(Event::Await(driver(), LEASE));
    start(&mut bench, "more");
    assert_eq!(said(&mut bench), ["more"]);
}

/// Numbers after which drivers asked for a request.
fn asked(bench: &mut Bench) -> Vec<u64> {
    let asked = bench.sent.iter().filter_map(|message| match message {
        ToPrimary::NextRequest(next) => Some(next.after),
        _ => None,
    });
    let asked = asked.collect();
    bench
        .sent
        .retain(|message| !matches!(message, ToPrimary::NextRequest(_)));
    asked
}

#[test]
fn a_request_is_given_once_and_asked_for_again_in_a_new_session() {
    let give = |bench: &mut Bench, number: Option<u64>| {
        let request = number.map(|number| DriverRequest {
            number,
            key: format!("request:{number}"),
            node: "work".into(),
            input: vec![],
        });
        bench.hear(ToWorker::Request(Box::new(GivenRequest {
            task: driver(),
            lease: LEASE,
            request,
        })));
    };
    let given = |bench: &mut Bench| -> Vec<Option<u64>> {
        let given = bench.effects.drain(..).filter_map(|effect| match effect {
            Effect::Request(given) => Some(given.request.map(|r| r.number)),
            _ => None,
        });
        given.collect()
    };
    let mut bench = driving(1);
    give(&mut bench, Some(1));
    assert_eq!(given(&mut bench), [], "nobody had asked");
    for _ in 0..3 {
        bench.event(Event::NextRequest(driver(), LEASE));
    }
    assert_eq!(asked(&mut bench), [0]);
    give(&mut bench, Some(7));
    give(&mut bench, Some(8));
    assert_eq!(given(&mut bench), [Some(7)]);
    bench.event(Event::NextRequest(driver(), LEASE));
    assert_eq!(asked(&mut bench), [7]);
    bench.event(Event::Disconnected);
    bench.connect();
    assert_eq!(asked(&mut bench), [7]);
    // An answer of the session before.
    give(&mut bench, Some(7));
    assert_eq!(given(&mut bench), []);
    give(&mut bench, None);
    assert_eq!(given(&mut bench), [None]);
}
