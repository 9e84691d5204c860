//! What a task asks to reach outside its sandbox: it goes to workers that offer all of it.

use crate::bench::{Bench, at, node, plan};
use wasmhost_core::primary::Event;
use wasmhost_proto::grants::{GrantKind, Grants};
use wasmhost_proto::limits::MAX_KNOWN_REACHES;
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::wire::{Register, ToPrimary};
use wasmhost_proto::{TaskId, WorkerId};

/// Programs, and requests over the network, which look like nothing else.
fn grants(names: &[&str]) -> Option<Box<Grants>> {
    let mut grants = Grants::default();
    for name in names {
        match name.parse() {
            Ok(reach) => grants.network.push(reach),
            Err(_) => grants.programs.push((*name).to_owned()),
        }
    }
    (!names.is_empty()).then(|| Box::new(grants))
}

fn asking(nodes: &[&[&str]]) -> JobPlan {
    let nodes = nodes.iter().enumerate().map(|(n, names)| NodePlan {
        name: format!("n{n}"),
        grants: grants(names),
        ..node(1)
    });
    JobPlan {
        nodes: nodes.collect(),
        ..plan(1)
    }
}

fn join(b: &mut Bench, id: u64, offers: &[&str]) {
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
        offers: grants(offers),
        scratch: 0,
        term_seen: 0,
        incarnation: id,
        held: vec![],
    };
    b.say(id, ToPrimary::Register(Box::new(register)));
}

/// Workers by what they offer, nodes by what they ask for: which worker (from 1) has each
/// node once all want plenty, and which nodes no worker could run.
fn check(offers: &[&[&str]], nodes: &[&[&str]], placed: &[(u16, u64)], unfit: &[(&str, &str)]) {
    let mut b = Bench::new();
    for (id, offers) in (1..).zip(offers) {
        join(&mut b, id, offers);
    }
    let plan = asking(nodes);
    let found = b.primary.unfit(&plan, 10).into_iter();
    let found: Vec<(String, String)> = found
        .filter_map(|unfit| Some((unfit.node, unfit.lacks?.1)))
        .collect();
    let want = unfit.iter().map(|(n, p)| ((*n).into(), (*p).into()));
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
fn tasks_go_to_who_offers_all_they_ask_for() {
    check(&[&[], &["gzip"]], &[&["gzip"]], &[(0, 2)], &[]);
    check(&[&[], &["gzip"]], &[&["gzip"], &[]], &[(0, 2), (1, 1)], &[]);
    check(&[&["gzip"]], &[&["sort"]], &[], &[("n0", "sort")]);
    check(
        &[&["gzip"], &["sort"]],
        &[&["gzip", "sort"]],
        &[],
        &[("n0", "sort")],
    );
    check(
        &[&["gzip"], &["gzip", "sort"]],
        &[&["gzip", "sort"], &[]],
        &[(0, 2), (1, 1)],
        &[],
    );
    check(
        &[&["GET https://*.example"], &["gzip", "* https://*"]],
        &[&["POST https://a.example"], &["GET https://a.example"]],
        &[(0, 2), (1, 1)],
        &[],
    );
    check(
        &[&["* https://*"]],
        &[&["GET http://10.0.0.1"]],
        &[],
        &[("n0", "GET http://10.0.0.1")],
    );
    // Nodes of one module that ask for more are looked at by themselves.
    check(&[&[]], &[&[], &["gzip"]], &[(0, 1)], &[("n1", "gzip")]);
}

#[test]
fn who_offers_it_comes_later() {
    let mut b = Bench::new();
    join(&mut b, 1, &[]);
    let job = b.submit(asking(&[&["gzip"]]));
    b.want(1, 100, 4);
    assert_eq!(b.assigned(), []);
    let task = TaskId {
        job,
        node: 0,
        index: 0,
    };
    let why = b.primary.live_task(at(b.now), task);
    let why = why.and_then(|live| live.waits_for).unwrap_or_default();
    let want = "it asks for the program 'gzip', which no worker offers that takes work";
    assert_eq!(why, want);
    join(&mut b, 2, &["gzip"]);
    b.want(2, 100, 4);
    let offering = b.primary.offering(GrantKind::Program, "gzip", 9);
    assert_eq!(offering, ["w2"]);
    assert_eq!(b.assigned().len(), 1);
}

/// More different reaches than are compared at once: each worker is looked at by itself.
#[test]
fn very_many_reaches() {
    let mut b = Bench::new();
    join(&mut b, 1, &["GET https://*.example"]);
    join(&mut b, 2, &["GET https://*"]);
    for n in 0..MAX_KNOWN_REACHES + 10 {
        b.submit(asking(&[&[&format!("GET https://a{n}.test")]]));
    }
    b.want(1, 100, 4);
    assert_eq!(b.assigned(), []);
    b.want(2, 100, 4);
    assert_eq!(b.assigned().len(), 100);
    b.submit(asking(&[&["GET https://a.example"]]));
    b.primary.check().unwrap();
}
