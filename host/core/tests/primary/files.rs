//! Tasks with files go to workers that offer them, and as much scratch as is asked for.

use crate::bench::{Bench, node, plan};
use wasmhost_core::primary::Event;
use wasmhost_proto::WorkerId;
use wasmhost_proto::files::Files;
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::wire::{Register, ToPrimary};

/// None for no files, 0 for files that are only read.
fn asking(nodes: &[Option<u64>]) -> JobPlan {
    let nodes = nodes.iter().enumerate().map(|(n, scratch)| NodePlan {
        name: format!("n{n}"),
        files: scratch.map(|bytes| {
            Box::new(Files {
                inputs: vec![],
                scratch: (bytes > 0).then_some(bytes),
                collect: vec![],
            })
        }),
        ..node(1)
    });
    JobPlan {
        nodes: nodes.collect(),
        ..plan(1)
    }
}

fn join(b: &mut Bench, id: u64, scratch: u64) {
    b.event(Event::Connected {
        session: id,
        worker: WorkerId(id),
    });
    let register = Register {
        name: format!("w{id}"),
        version: "1".into(),
        slots: 1,
        cpus: 1,
        memory: 0,
        offers: None,
        scratch,
        term_seen: 0,
        incarnation: id,
        held: vec![],
    };
    b.say(id, ToPrimary::Register(Box::new(register)));
}

/// Workers by the scratch that they offer: which worker (from 1) has each node once all want
/// plenty, and which nodes no worker could run, with the one that offers most.
fn check(
    offers: &[u64],
    nodes: &[Option<u64>],
    placed: &[(u16, u64)],
    unfit: &[(&str, (&str, u64))],
) {
    let mut b = Bench::new();
    for (id, scratch) in (1..).zip(offers) {
        join(&mut b, id, *scratch);
    }
    let plan = asking(nodes);
    let found = b.primary.unfit(&plan, 10).into_iter();
    let found: Vec<_> = found
        .filter_map(|unfit| Some((unfit.node, unfit.scratch?)))
        .collect();
    let want = unfit
        .iter()
        .map(|(node, (name, most))| ((*node).into(), ((*name).into(), *most)));
    assert_eq!(found, want.collect::<Vec<_>>(), "{offers:?} {nodes:?}");
    b.submit(plan);
    for session in 1..=offers.len() as u64 {
        b.want(session, 100, 4);
    }
    let runs = b.assigned().into_iter();
    let mut got: Vec<(u16, u64)> = runs.map(|(session, run)| (run.node, session)).collect();
    got.sort_unstable();
    assert_eq!(got, placed, "{offers:?} {nodes:?}");
}

#[test]
fn files_go_where_they_are_offered() {
    check(&[0, 10], &[Some(10), None], &[(0, 2), (1, 1)], &[]);
    check(&[0, 10], &[Some(0)], &[(0, 2)], &[]);
    check(&[10, 20], &[Some(15)], &[(0, 2)], &[]);
    check(&[0], &[Some(0), None], &[(1, 1)], &[("n0", ("w1", 0))]);
    check(&[10, 20], &[Some(21)], &[], &[("n0", ("w2", 20))]);
}
