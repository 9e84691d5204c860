//! Modules, slots, cancellation, leaving.

use crate::bench::{Bench, LEASE, MODULE, spec, task};
use wasmhost_core::worker::{Effect, Event};
use wasmhost_proto::JobId;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::{ToPrimary, ToWorker};

#[test]
fn runs_wait_for_their_module_and_start_in_order() {
    let mut b = Bench::new(2, 4);
    b.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
    b.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
    let prepares = b
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Prepare { .. }));
    assert_eq!(prepares.count(), 1);
    b.assign(0, 4);
    assert_eq!((b.started.len(), b.worker.queued()), (0, 4));
    b.event(Event::ModuleReady(MODULE));
    assert_eq!(b.started, [0, 1]);
    b.end(1, 1, None);
    assert_eq!(b.started, [0, 1, 2]);
    assert_eq!((b.worker.running(), b.worker.queued()), (2, 1));
}

#[test]
fn a_module_that_cannot_be_had_or_run_ends_what_waits() {
    let mut b = Bench::new(2, 4);
    b.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
    b.assign(0, 2);
    b.event(Event::ModuleRejected(MODULE, "bad".into()));
    b.assign(2, 1);
    let rejected = Some(FailureKind::ModuleRejected);
    assert_eq!(b.ends(), [(0, rejected), (1, rejected), (2, rejected)]);

    let mut b = Bench::new(2, 4);
    b.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
    b.assign(0, 1);
    for tries in 1..=5 {
        let prepares = b
            .effects
            .iter()
            .filter(|e| matches!(e, Effect::Prepare { .. }));
        assert_eq!(prepares.count(), tries);
        assert_eq!(b.ends(), []);
        b.event(Event::ModuleUnavailable(MODULE, "link lost".into()));
        b.pass(20_000);
    }
    assert_eq!(b.ends(), [(0, Some(FailureKind::HostFault))]);
    b.assign(1, 1);
    let prepares = b
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Prepare { .. }));
    assert_eq!(prepares.count(), 6, "the next lease begins anew");
}

#[test]
fn a_module_stays_ready_for_the_next_job() {
    let prepares = |b: &Bench| {
        let prepares = |e: &&Effect| matches!(e, Effect::Prepare { .. });
        b.effects.iter().filter(prepares).count()
    };
    let mut b = Bench::ready(2, 4);
    b.assign(0, 1);
    b.end(0, 1, None);
    b.hear(ToWorker::Forget { job: task(0).job });
    let before = prepares(&b);
    b.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
    b.assign(1, 1);
    assert_eq!((prepares(&b), &*b.started), (before, [0, 1].as_slice()));
    // Gone from the disk: what comes next waits until it is there again.
    b.event(Event::ModuleLost(MODULE));
    b.assign(2, 1);
    assert_eq!((prepares(&b), b.worker.queued()), (before + 1, 1));
    b.event(Event::ModuleReady(MODULE));
    assert_eq!(b.started, [0, 1, 2]);
    // Gone while nothing needs it: the next job begins anew.
    b.end(1, 1, None);
    b.end(2, 1, None);
    b.hear(ToWorker::Forget { job: task(0).job });
    b.event(Event::ModuleLost(MODULE));
    b.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
    assert_eq!(prepares(&b), before + 2);
}

#[test]
fn modules_that_no_job_needs_are_kept_within_bounds() {
    let mut b = Bench::new(1, 1);
    let of = |n: u32| {
        let mut spec = spec("${index}");
        spec.job = JobId(u64::from(n));
        spec.module.0[..4].copy_from_slice(&n.to_le_bytes());
        spec
    };
    let count = |b: &Bench| {
        let prepares = |e: &&Effect| matches!(e, Effect::Prepare { .. });
        b.effects.iter().filter(prepares).count()
    };
    for n in 0..300 {
        b.hear(ToWorker::Prepare(Box::new(of(n))));
        b.event(Event::ModuleReady(of(n).module));
        b.hear(ToWorker::Forget { job: of(n).job });
    }
    assert_eq!(count(&b), 300);
    for n in (45..300).rev() {
        b.hear(ToWorker::Prepare(Box::new(of(n))));
        b.hear(ToWorker::Forget { job: of(n).job });
    }
    assert_eq!(count(&b), 300, "the last ones were kept");
    b.hear(ToWorker::Prepare(Box::new(of(0))));
    assert_eq!(count(&b), 301);
}

#[test]
fn a_placeholder_without_value_is_bad_input() {
    let mut b = Bench::new(1, 1);
    b.hear(ToWorker::Prepare(Box::new(spec("${nothing}"))));
    b.event(Event::ModuleReady(MODULE));
    b.assign(0, 1);
    assert_eq!(b.ends(), [(0, Some(FailureKind::BadInput))]);
    assert_eq!(b.worker.running(), 0);
}

#[test]
fn cancelled_runs_are_flagged_and_killed_after_the_grace() {
    let mut b = Bench::ready(1, 4);
    b.assign(0, 2);
    b.effects.clear();
    let attempts = vec![(task(0), LEASE), (task(1), LEASE), (task(9), LEASE)];
    b.hear(ToWorker::Cancel {
        attempts,
        grace_ms: 100,
    });
    assert_eq!(b.ends(), [(1, Some(FailureKind::Cancelled))]);
    b.pass(99);
    assert_eq!(b.effects, [Effect::Cancel(task(0), LEASE)]);
    b.pass(1);
    assert_eq!(b.effects[1..], [Effect::Kill(task(0), LEASE)]);
    b.end(0, 1, Some(FailureKind::Cancelled));
    assert_eq!(b.ends(), [(0, Some(FailureKind::Cancelled))]);
    b.pass(1_000);
    assert_eq!(b.effects.len(), 2, "killed once");
}

#[test]
fn unstarted_leases_go_back_last_ones_first() {
    let mut b = Bench::ready(1, 4);
    b.assign(0, 5);
    b.event(Event::Started(task(0), LEASE));
    b.sent.clear();
    b.hear(ToWorker::TakeBack { max: 2 });
    let [ToPrimary::Started(started), ToPrimary::Released(released)] = &b.sent[..2] else {
        panic!("{:?}", b.sent)
    };
    assert_eq!(
        started[0].task,
        task(0),
        "the primary knows first what runs"
    );
    assert_eq!(released[..], [(task(3), LEASE), (task(4), LEASE)]);
    b.hear(ToWorker::TakeBack { max: 9 });
    assert_eq!((b.worker.running(), b.worker.queued()), (1, 0));
}

#[test]
fn leaving_gives_back_stops_and_waits_for_acknowledgement() {
    let mut b = Bench::ready(2, 4);
    b.assign(0, 4);
    b.sent.clear();
    b.effects.clear();
    b.event(Event::Shutdown { grace_ms: 300 });
    assert!(b.sent.contains(&ToPrimary::Released(vec![
        (task(2), LEASE),
        (task(3), LEASE)
    ])));
    assert_eq!(b.effects.len(), 2, "both flags are up");
    b.assign(7, 1);
    assert_eq!(
        b.sent.last(),
        Some(&ToPrimary::Released(vec![(task(7), LEASE)]))
    );
    b.end(0, 1, None);
    b.pass(300);
    assert_eq!(b.effects[2..], [Effect::Kill(task(1), LEASE)]);
    b.end(1, 1, Some(FailureKind::Cancelled));
    // Nobody cancelled the task: it is to run elsewhere.
    assert_eq!(b.ends(), [(0, None), (1, Some(FailureKind::LostWorker))]);
    assert_ne!(b.effects.last(), Some(&Effect::Exit));
    b.hear(ToWorker::Ack { batch: 2 });
    assert_eq!(b.sent.last(), Some(&ToPrimary::Bye));
    assert_eq!(b.effects.last(), Some(&Effect::Exit));
}

#[test]
fn leaving_ends_even_without_a_primary() {
    let mut b = Bench::ready(1, 1);
    b.assign(0, 1);
    b.event(Event::Disconnected);
    b.event(Event::Shutdown { grace_ms: 2_000 });
    b.pass(4_000);
    assert_eq!(b.effects.last(), Some(&Effect::Exit));
    assert_eq!(b.worker.next_timeout(), None);
}

/// A bench on which short attempts have set the pace: more are with the executors
/// than have slots.
fn quick() -> Bench {
    let mut b = Bench::ready(2, 4);
    b.assign(0, 2_000);
    for index in 0..1_000 {
        b.now += u64::from(index % 10 == 0);
        b.end(index, 1, None);
    }
    assert!(b.worker.running() > 100, "{}", b.worker.running());
    b.effects.clear();
    b.sent.clear();
    b
}

#[test]
fn short_attempts_wait_in_the_executors() {
    let mut b = quick();
    // The slots are what the primary hears of.
    b.pass(300);
    let loads: Vec<(u32, u32)> = b.sent.iter().filter_map(load).collect();
    assert!(loads.iter().all(|(running, _)| *running == 2), "{loads:?}");
    // Nothing has ended: what waits comes back, and only the slots are filled anew.
    assert!(b.effects.contains(&Effect::TakeBack));
    let back = |b: &Bench| b.started[1_002..].to_vec();
    let (waiting, queued) = (back(&b), b.worker.queued());
    let keys = waiting.iter().map(|index| (task(*index), LEASE));
    b.started.clear();
    b.event(Event::Returned(keys.collect()));
    assert_eq!(b.worker.running(), 2);
    assert_eq!(b.worker.queued(), queued + waiting.len() as u32);
    b.end(1_000, 1, None);
    assert_eq!(b.started, [1_002], "in the order of before");
}

fn load(message: &ToPrimary) -> Option<(u32, u32)> {
    match message {
        ToPrimary::Beat(load) => Some((load.running, load.queued)),
        _ => None,
    }
}

#[test]
fn what_comes_back_while_leaving_goes_back() {
    let mut b = quick();
    let waiting = b.started[1_002..].to_vec();
    b.sent.clear();
    b.event(Event::Shutdown { grace_ms: 300 });
    assert_eq!(b.effects[0], Effect::TakeBack);
    let keys: Vec<_> = waiting.iter().map(|index| (task(*index), LEASE)).collect();
    b.event(Event::Returned(keys.clone()));
    let released = |m: &ToPrimary| match m {
        ToPrimary::Released(items) => items.len(),
        _ => 0,
    };
    let given_back: usize = b.sent.iter().map(released).sum();
    assert_eq!(given_back, 998, "all but what runs");
    assert_eq!(b.worker.running(), 2);
}
