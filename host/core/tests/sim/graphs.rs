//! Random graphs, what is found out about their nodes, and what must hold of both.

use crate::disk::Disk;
use crate::drivers;
use crate::jobs::node;
use crate::rng::Rng;
use crate::witness::Seen;
use crate::world::World;
use wasmhost_core::prepared::{Preparation, Prepared, PreparedRecord};
use wasmhost_core::primary::Event;
use wasmhost_core::record::{RecordedEnd, StoredResult};
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::{Array, BlobRef, Input};
use wasmhost_proto::plan::{DefinitionRef, JobPlan, NodeInput, NodePlan, OnFailure};
use wasmhost_proto::{Digest, JobId, NodeIndex};

/// Conditions that need no evaluation, and one that has none.
const YES: &str = "yes";
const NO: &str = "no";
const BROKEN: &str = "broken";

/// A job of some nodes, each after some of those before it.
pub(crate) fn plan(rng: &mut Rng) -> JobPlan {
    let mut nodes: Vec<NodePlan> = Vec::new();
    for n in 0..rng.range(2, 8) as NodeIndex {
        let after: Vec<NodeIndex> = (0..n).filter(|_| rng.percent(40)).collect();
        let some = (!after.is_empty()).then(|| rng.pick(&after));
        let count = rng.range(1, 8) as u32;
        let range = Array::Range {
            start: 0,
            step: 1,
            count,
        };
        let array = match (rng.range(0, 6), some) {
            (0, Some(before)) => Array::Results(before),
            (1, Some(before)) if nodes[usize::from(before)].array == Array::Single => {
                Array::Elements(before)
            }
            (2, _) => range,
            _ => Array::Single,
        };
        let input = match (rng.range(0, 6), some) {
            (0, Some(before)) => NodeInput::Gather(before),
            (1, Some(before)) => NodeInput::Result(before),
            (2, Some(_)) => NodeInput::Join(after.clone()),
            _ => NodeInput::Given(Input::Item),
        };
        let mut node = node(rng, &format!("n{n}"), array, input, after);
        node.when = rng.percent(30).then(|| match rng.range(0, 20) {
            0 => BROKEN.to_owned(),
            1..9 => NO.to_owned(),
            _ => YES.to_owned(),
        });
        node.tolerate = match rng.range(0, 6) {
            0 => u32::MAX,
            1 => 1,
            _ => 0,
        };
        node.concurrency = rng.percent(25).then(|| rng.range(1, 4) as u32);
        node.priority = rng.range(0, 3) as i32;
        nodes.push(node);
    }
    let version = rng.range(1, 4) as u32;
    let definition = rng.percent(40).then(|| DefinitionRef {
        name: rng.pick(&["nightly", "hourly"]).to_owned(),
        version,
    });
    JobPlan {
        name: "graph".into(),
        priority: rng.range(0, 2) as i32,
        on_failure: rng.pick(&[OnFailure::Stop, OnFailure::Continue]),
        nodes,
        definition,
        concurrency: rng.percent(40).then_some(version),
        ..JobPlan::default()
    }
}

impl World {
    /// The driver's answer; everything that it may read has to be durable.
    pub(crate) fn prepare(&mut self, what: &Preparation) {
        let (job, node) = (what.job, what.node);
        let plan = &what.plan.nodes[usize::from(node)];
        let retried = self.disk.jobs[&job].retries != what.round;
        for (before, counts) in what.before.iter().filter(|_| !retried) {
            assert!(
                self.disk.is_over(job, *before),
                "{job}.{node} is prepared too early"
            );
            assert_eq!(counts.skipped > 0, self.disk.is_skipped(job, *before));
        }
        self.seen.note("prepare");
        let input = match plan.input {
            NodeInput::Given(_) => None,
            NodeInput::Result(_) => Some(StoredResult::Inline(vec![9])),
            NodeInput::Gather(_) | NodeInput::Join(_) => Some(StoredResult::Blob(BlobRef {
                digest: Digest([7; 32]),
                len: 3,
            })),
        };
        let broken = self.rng.percent(3) && !self.reliable.contains(&job);
        let result = match plan.when.as_deref() {
            Some(NO) => Ok(Prepared::Skipped),
            Some(BROKEN) => Err("its condition cannot be evaluated".into()),
            _ if broken => Err("the disk is full".into()),
            _ => Ok(Prepared::Run {
                input,
                items: self.disk.items(job, node),
            }),
        };
        self.primary_event(Event::Prepared {
            job,
            node,
            round: what.round,
            result,
        });
    }
}

/// Of a job that has ended: each task of each node ended once, or was skipped for a
/// reason, and what failed was tolerated or is told.
pub(crate) fn settled(disk: &Disk, id: JobId, seen: &mut Seen) {
    let (record, plan) = (&disk.jobs[&id], &disk.plans[&id]);
    if record.state == JobState::Succeeded {
        drivers::settled(disk, id);
    }
    let mut skipped: Vec<bool> = Vec::new();
    for (n, node) in plan.nodes.iter().enumerate() {
        let index = n as NodeIndex;
        let counts = record.node_counts[n];
        let passed_over = node.when.is_none()
            && !node.after.is_empty()
            && node
                .after
                .iter()
                .all(|before| skipped[usize::from(*before)]);
        skipped.push(passed_over || node.when.as_deref() == Some(NO));
        let is_skipped = disk.is_skipped(id, index);
        assert_eq!(
            is_skipped,
            counts.skipped > 0,
            "{id}.{n} counts it otherwise"
        );
        let ends = |of| disk.ends(id, index).filter(|end| *end == of).count() as u64;
        let failed = ends(RecordedEnd::Failed);
        if is_skipped {
            assert!(skipped[n], "{id}.{n} was skipped for no reason");
            assert_eq!(
                disk.ends(id, index).count(),
                0,
                "{id}.{n} ran though skipped"
            );
            seen.note("node skipped");
        }
        if record.state != JobState::Succeeded {
            continue;
        }
        assert_eq!(is_skipped, skipped[n], "{id}.{n} should have been skipped");
        assert!(
            failed <= u64::from(node.tolerate),
            "{id}.{n} failed and {id} did not"
        );
        if failed > 0 {
            seen.note("tolerated");
        }
        if !is_skipped {
            let total = disk.total(id, index).unwrap() as u64;
            assert_eq!(
                total, counts.total,
                "{id}.{n} has other tasks than it counts"
            );
            let given_up = match node.array {
                Array::Spawned(_) => ends(RecordedEnd::Cancelled),
                _ => 0,
            };
            assert_eq!(
                ends(RecordedEnd::Succeeded) + failed + given_up,
                total,
                "{id}.{n} is not over"
            );
            if matches!(
                disk.prepared.get(&(id, index)),
                Some(PreparedRecord::Run { count: Some(n), .. }) if *n > 0
            ) {
                seen.note("array of results");
            }
        }
    }
}
