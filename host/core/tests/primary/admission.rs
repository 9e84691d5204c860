//! Plans that no connected worker could run, and what is said of them.

use crate::bench::{Bench, node, plan};
use wasmhost_core::primary::{Event, Unfit};
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::wire::{AttemptLimits, Load, ModuleState, Register, ToPrimary};
use wasmhost_proto::{Digest, WorkerId};

pub(crate) const GOOD: u8 = 1;
pub(crate) const BAD: u8 = 2;

/// Nodes by the module and memory that they ask for.
pub(crate) fn asking(nodes: &[(u8, u64)]) -> JobPlan {
    let nodes = nodes.iter().enumerate();
    let nodes = nodes.map(|(n, (module, memory))| NodePlan {
        name: format!("n{n}"),
        module: Digest([*module; 32]),
        limits: AttemptLimits {
            memory: *memory,
            ..AttemptLimits::default()
        },
        ..node(1)
    });
    JobPlan {
        nodes: nodes.collect(),
        ..plan(1)
    }
}

/// Workers `w1`, `w2`, … that offer so much memory; those marked rejected [`BAD`].
pub(crate) fn workers(offers: &[(u64, bool)]) -> Bench {
    let mut b = Bench::new();
    for (id, (memory, rejects)) in (1..).zip(offers) {
        b.event(Event::Connected {
            session: id,
            worker: WorkerId(id),
        });
        let register = Register {
            name: format!("w{id}"),
            version: "1".into(),
            slots: 1,
            cpus: 1,
            memory: *memory,
            offers: None,
            scratch: 0,
            term_seen: 0,
            incarnation: id,
            held: vec![],
        };
        b.say(id, ToPrimary::Register(Box::new(register)));
        if *rejects {
            let digest = Digest([BAD; 32]);
            let state = ModuleState::Rejected(format!("no {id}"));
            b.say(id, ToPrimary::Module { digest, state });
        }
    }
    b
}

/// The nodes that are unfit, with the worker that has most memory and the one that rejected.
type Want<'a> = &'a [(usize, Option<(&'a str, u64)>, Option<&'a str>)];

fn check(offers: &[(u64, bool)], nodes: &[(u8, u64)], want: Want<'_>) {
    let b = workers(offers);
    let got = b.primary.unfit(&asking(nodes), 10);
    let want = want.iter().map(|(node, memory, rejected)| Unfit {
        node: format!("n{node}"),
        asked: nodes[*node].1,
        memory: memory.map(|(name, bytes)| (name.to_owned(), bytes)),
        rejected: rejected.map(|name| (name.to_owned(), format!("no {}", &name[1..]))),
        room: 0,
        scratch: None,
        lacks: None,
    });
    assert_eq!(got, want.collect::<Vec<_>>(), "{offers:?} {nodes:?}");
}

#[test]
fn what_no_worker_could_run() {
    // Nobody is there, or nobody says what it has.
    check(&[], &[(BAD, u64::MAX)], &[]);
    check(&[(0, false)], &[(GOOD, u64::MAX)], &[]);
    check(&[(10, false), (0, false)], &[(GOOD, 11)], &[]);
    // One is enough, whichever it is.
    check(&[(10, false), (20, false)], &[(GOOD, 20)], &[]);
    check(&[(10, true), (10, false)], &[(BAD, 10)], &[]);
    // The one with most is named, and every node.
    let most = Some(("w2", 20));
    check(
        &[(10, false), (20, false), (20, false)],
        &[(GOOD, 21), (GOOD, 20), (BAD, 21), (GOOD, 21)],
        &[(0, most, None), (2, most, None), (3, most, None)],
    );
    // The first that rejected is named; others may lack memory.
    check(
        &[(9, true), (9, true)],
        &[(BAD, 9)],
        &[(0, None, Some("w1"))],
    );
    check(
        &[(5, false), (9, true)],
        &[(GOOD, 9), (BAD, 9)],
        &[(1, Some(("w1", 5)), Some("w2"))],
    );
}

#[test]
fn who_is_gone_does_not_count() {
    let mut b = workers(&[(10, false), (20, false)]);
    let plan = asking(&[(GOOD, 15)]);
    assert_eq!(b.primary.unfit(&plan, 10), []);
    b.event(Event::Disconnected { session: 2 });
    assert_eq!(b.primary.unfit(&plan, 10).len(), 1);
    b.event(Event::Disconnected { session: 1 });
    assert_eq!(b.primary.unfit(&plan, 10), []);
}

#[test]
fn who_takes_no_work_does_not_count() {
    let plan = asking(&[(GOOD, 15)]);
    let drain = |b: &mut Bench, on| {
        let worker = WorkerId(2);
        b.event(Event::Drain {
            request: 1,
            worker,
            on,
        });
    };
    let mut b = workers(&[(10, false), (20, false)]);
    drain(&mut b, true);
    let unfit = b.primary.unfit(&plan, 10);
    assert_eq!(unfit[0].memory, Some(("w1".into(), 10)));
    drain(&mut b, false);
    assert_eq!(b.primary.unfit(&plan, 10), []);
    // Silent: suspected first, then lost.
    for _ in 0..20 {
        b.pass(90);
        b.say(1, ToPrimary::Beat(Load::default()));
        if !b.primary.unfit(&plan, 10).is_empty() {
            return;
        }
    }
    panic!("a silent worker counts");
}

#[test]
fn only_so_many_are_told() {
    let b = workers(&[(10, false)]);
    let nodes = [(GOOD, 11); 9];
    assert_eq!(b.primary.unfit(&asking(&nodes), 4).len(), 4);
}
