//! Graphs: what waits for what, what is skipped, what is tolerated, and bounds on tasks
//! at once.

use crate::bench::{Bench, node, plan, reduced};
use wasmhost_core::prepared::{Prepared, PreparedRecord};
use wasmhost_core::primary::Event;
use wasmhost_core::record::{Recovered, StoredResult};
use wasmhost_proto::JobId;
use wasmhost_proto::api::{JobState, NodeView};
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::{DefinitionRef, JobPlan, NodePlan, OnFailure};
use wasmhost_proto::wire::{RunItems, ToWorker};

const RUN: Prepared = Prepared::Run {
    input: None,
    items: None,
};

fn single(name: &str, after: &[u16]) -> NodePlan {
    NodePlan {
        name: name.into(),
        array: Array::Single,
        after: after.into(),
        ..node(1)
    }
}

fn when(name: &str, after: &[u16]) -> NodePlan {
    NodePlan {
        when: Some("a condition".into()),
        ..single(name, after)
    }
}

fn graph(nodes: Vec<NodePlan>) -> JobPlan {
    JobPlan { nodes, ..plan(1) }
}

/// Runs everything that is handed out, until nothing is; each node in its turn.
fn run_all(b: &mut Bench) -> Vec<u16> {
    let mut ran = Vec::new();
    loop {
        b.want(1, 4, 4);
        let leases = b.leases();
        if leases.is_empty() {
            return ran;
        }
        for lease in leases {
            ran.push(lease.0.node);
            b.end(1, lease, None);
        }
    }
}

fn views(b: &Bench, id: JobId) -> Vec<NodeView> {
    b.primary.job_view(crate::bench::at(0), id).unwrap().nodes
}

#[test]
fn a_false_condition_skips_what_comes_after_it_alone() {
    // A diamond: 1 and 2 after 0, 3 after 1 alone, 4 after both.
    let mut b = Bench::new();
    let id = b.submit(graph(vec![
        single("check", &[]),
        when("yes", &[0]),
        when("no", &[0]),
        single("only-no", &[2]),
        single("join", &[1, 2]),
    ]));
    b.worker(1, 4);
    assert_eq!(run_all(&mut b), [0]);
    b.prepared(id, 1, Ok(RUN));
    b.prepared(id, 2, Ok(Prepared::Skipped));
    let skipped = views(&b, id).into_iter().map(|n| n.skipped);
    assert!(skipped.eq([false, false, true, true, false]));
    assert_eq!(run_all(&mut b), [1, 4]);
    let record = b.record(id);
    assert_eq!(record.state, JobState::Succeeded);
    assert_eq!((record.counts.succeeded, record.counts.skipped), (3, 2));
}

#[test]
fn a_job_of_which_nothing_runs_succeeds() {
    let mut b = Bench::new();
    let id = b.submit(graph(vec![when("a", &[]), single("b", &[0])]));
    b.prepared(id, 0, Ok(Prepared::Skipped));
    let record = b.record(id);
    assert_eq!(
        (record.state, record.counts.skipped),
        (JobState::Succeeded, 2)
    );
}

#[test]
fn what_cannot_be_prepared_fails_the_job() {
    let mut b = Bench::new();
    let id = b.submit(reduced(1));
    b.worker(1, 1);
    assert_eq!(run_all(&mut b), [0]);
    b.prepared(id, 1, Err("no space".into()));
    let failure = b.record(id).failure.unwrap();
    assert_eq!(failure.failure.kind, FailureKind::BadInput);
    assert_eq!(failure.task.map(|task| task.node), Some(1));
    assert!(failure.failure.message.contains("no space"));
}

fn items(n: u8) -> Prepared {
    Prepared::Run {
        input: None,
        items: Some((0..n).map(|i| Item::Bytes(vec![i])).collect()),
    }
}

fn over_results() -> JobPlan {
    let array = Array::Results(0);
    let map = NodePlan {
        array,
        ..single("map", &[0])
    };
    graph(vec![node(2), map, single("end", &[1])])
}

#[test]
fn an_array_over_results_runs_once_its_items_are_durable() {
    let mut b = Bench::new();
    let id = b.submit(over_results());
    b.worker(1, 4);
    assert_eq!(run_all(&mut b), [0, 0]);
    assert!(views(&b, id)[1].open_ended);
    b.instant = false;
    b.prepared(id, 1, Ok(items(3)));
    b.want(1, 4, 4);
    assert_eq!(b.leases(), [], "it is not durable");
    let seq = b.seq;
    b.instant = true;
    b.event(Event::Persisted { seq });
    let runs = b.assigned();
    let told = runs.iter().flat_map(|(_, run)| match &run.items {
        RunItems::Items(items) => items.iter().cloned().collect(),
        _ => Vec::new(),
    });
    assert!(told.eq((0..3).map(|i| Item::Bytes(vec![i]))));
    let count = b.sent.iter().rev().find_map(|(_, message)| match message {
        ToWorker::Prepare(spec) => Some(spec.count),
        _ => None,
    });
    assert_eq!((count, views(&b, id)[1].counts.total), (Some(3), 3));
}

#[test]
fn an_array_over_nothing_is_over_at_once() {
    let mut b = Bench::new();
    let id = b.submit(over_results());
    b.worker(1, 4);
    assert_eq!(run_all(&mut b), [0, 0]);
    b.prepared(id, 1, Ok(items(0)));
    assert_eq!(run_all(&mut b), [2]);
    assert_eq!(b.record(id).state, JobState::Succeeded);
}

#[test]
fn what_was_prepared_stands_after_a_restart() {
    let mut b = Bench::new();
    let plan = over_results();
    let id = b.submit(plan.clone());
    b.worker(1, 4);
    run_all(&mut b);
    b.prepared(id, 1, Ok(items(3)));
    let mut job = *b.ended_job(id, plan);
    let recovered = |job| Recovered {
        last_job: Some(id),
        jobs: vec![job],
        ..Recovered::default()
    };
    let mut lost = Bench::recovered(2, recovered(job.clone()));
    assert_eq!(
        lost.record(id).state,
        JobState::Failed,
        "its items are gone"
    );
    lost.worker(1, 4);
    let Prepared::Run { items, .. } = items(3) else {
        unreachable!()
    };
    job.items = vec![(1, items.unwrap())];
    let mut b = Bench::recovered(2, recovered(job));
    assert_eq!(b.others, [], "nothing is asked again");
    b.worker(1, 4);
    assert_eq!(run_all(&mut b), [1, 1, 1, 2]);
}

#[test]
fn an_input_that_an_earlier_version_gathered_is_used() {
    let mut b = Bench::new();
    let plan = reduced(1);
    let id = b.submit(plan.clone());
    b.worker(1, 1);
    run_all(&mut b);
    let blob = wasmhost_proto::input::BlobRef {
        digest: wasmhost_proto::Digest([3; 32]),
        len: 1,
    };
    let mut job = *b.ended_job(id, plan);
    job.record.gathered = vec![(1, blob)];
    let mut b = Bench::recovered(
        2,
        Recovered {
            last_job: Some(id),
            jobs: vec![job],
            ..Recovered::default()
        },
    );
    b.worker(1, 1);
    assert_eq!(run_all(&mut b), [1]);
}

#[test]
fn an_answer_to_an_earlier_round_is_void() {
    let mut b = Bench::new();
    let plan = JobPlan {
        on_failure: OnFailure::Continue,
        ..reduced(1)
    };
    let id = b.submit(plan.clone());
    b.worker(1, 1);
    run_all(&mut b);
    b.event(Event::Cancel {
        request: 2,
        job: id,
        grace_ms: None,
    });
    let job = b.ended_job(id, plan);
    b.event(Event::Retry { request: 3, job });
    b.event(Event::Prepared {
        job: id,
        node: 1,
        round: 0,
        result: Ok(Prepared::Skipped),
    });
    assert_eq!(b.prepared_nodes(), []);
    let input = Some(StoredResult::Inline(vec![]));
    b.prepared(
        id,
        1,
        Ok(Prepared::Run {
            input: input.clone(),
            items: None,
        }),
    );
    let record = PreparedRecord::Run { input, count: None };
    assert_eq!(b.prepared_nodes(), [(1, record)]);
    assert_eq!(run_all(&mut b), [1]);
}

/// Of four tasks so many fail.
fn check_tolerance(tolerate: u32, fail: usize, want: JobState) {
    let mut b = Bench::new();
    let mut plan = plan(4);
    plan.nodes[0].tolerate = tolerate;
    let id = b.submit(plan);
    b.worker(1, 4);
    b.want(1, 4, 4);
    for (n, lease) in b.leases().into_iter().enumerate() {
        b.end(1, lease, (n < fail).then_some(FailureKind::Trap));
    }
    let record = b.record(id);
    assert_eq!(record.state, want, "{tolerate} tolerated, {fail} fail");
    assert_eq!(record.failure.is_some(), want == JobState::Failed);
}

#[test]
fn so_many_failures_are_tolerated() {
    check_tolerance(0, 1, JobState::Failed);
    check_tolerance(2, 2, JobState::Succeeded);
    check_tolerance(2, 3, JobState::Failed);
    check_tolerance(u32::MAX, 4, JobState::Succeeded);
}

#[test]
fn no_more_tasks_of_a_node_are_on_workers_than_it_allows() {
    let mut b = Bench::new();
    let mut plan = graph(vec![node(10), node(10)]);
    plan.nodes[0].concurrency = Some(3);
    plan.nodes[1].priority = -1;
    let id = b.submit(plan);
    b.worker(1, 8);
    b.want(1, 8, 8);
    let leases = b.leases();
    let of = |node| leases.iter().filter(|l| l.0.node == node).count();
    assert_eq!((of(0), of(1)), (3, 5));
    let task = wasmhost_proto::TaskId {
        job: id,
        node: 0,
        index: 9,
    };
    let waits = b.primary.live_task(crate::bench::at(0), task).unwrap();
    let why = waits.waits_for.unwrap();
    assert_eq!(
        why,
        "3 tasks of node 'map' are on workers, as many as its concurrency allows"
    );
    b.end(1, leases[0], None);
    b.want(1, 1, 1);
    assert_eq!(b.leases()[0].0.node, 0, "the higher priority goes on");
}

#[test]
fn jobs_of_one_definition_share_their_bound_and_take_turns() {
    let mut b = Bench::new();
    let of = |version, concurrency| JobPlan {
        definition: Some(DefinitionRef {
            name: "nightly".into(),
            version,
        }),
        concurrency,
        ..plan(100)
    };
    let ids = [1, 1, 2].map(|version| b.submit(of(version, Some(version))));
    b.worker(1, 8);
    b.want(1, 8, 8);
    let mut running = b.leases();
    assert_eq!(running.len(), 2, "the newest version says how many");
    let mut ran = Vec::new();
    for _ in 0..60 {
        let lease = running.remove(0);
        ran.push(lease.0.job);
        b.end(1, lease, None);
        b.want(1, 8, 8);
        running.extend(b.leases());
        assert_eq!(running.len(), 2);
    }
    for id in ids {
        let turns = ran.iter().filter(|job| **job == id).count();
        assert!((15..=25).contains(&turns), "{id} had {turns} of 60 turns");
    }
    let other = b.submit(plan(1));
    b.want(1, 8, 8);
    assert!(
        b.leases().iter().any(|l| l.0.job == other),
        "others are not held up"
    );
}

#[test]
fn nodes_of_high_priority_go_first() {
    let mut b = Bench::new();
    let mut nodes = vec![single("a", &[]), single("b", &[]), single("c", &[])];
    nodes[1].priority = 5;
    nodes[2].priority = -5;
    b.submit(graph(nodes));
    b.worker(1, 1);
    assert_eq!(run_all(&mut b), [1, 0, 2]);
}

#[test]
fn a_kind_of_failure_has_its_own_count_of_retries() {
    let mut b = Bench::new();
    let mut plan = plan(1);
    plan.nodes[0].retry.guest = 1;
    plan.nodes[0].retry.kinds = vec![(FailureKind::Trap, 2), (FailureKind::ExitCode, 0)];
    let id = b.submit(plan);
    b.worker(1, 1);
    for kind in [
        FailureKind::Trap,
        FailureKind::GuestRetryable,
        FailureKind::Trap,
    ] {
        b.want(1, 1, 1);
        let lease = b.leases()[0];
        b.end(1, lease, Some(kind));
        b.pass(500);
    }
    b.want(1, 1, 1);
    let lease = b.leases()[0];
    assert_eq!(lease.1.attempt, 4);
    b.end(1, lease, Some(FailureKind::ExitCode));
    assert_eq!(b.record(id).state, JobState::Failed);
}
