//! What the outside saw, and what it may conclude from it.

use crate::disk::Disk;
use crate::graphs;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmhost_core::prepared::{PreparedRecord, is_needed};
use wasmhost_core::record::StoredResult;
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::wire::{AssignRun, AttemptOutcome, RunItems};
use wasmhost_proto::{JobId, Lease, NodeIndex, TaskId, WorkerId};

/// How often things happened, over one schedule or many.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    counts: BTreeMap<&'static str, u64>,
}

const EVERYTHING: [&str; 32] = [
    "adopted lease",
    "array of results",
    "began before it was durable",
    "cancel",
    "checkpoint found",
    "commit lost",
    "data call answered",
    "drain",
    "driver asked",
    "driver replaced",
    "duplicate batch",
    "job cancelled",
    "job failed",
    "job succeeded",
    "large memory",
    "late outcome",
    "link cut",
    "module unavailable",
    "node skipped",
    "prepare",
    "primary crash",
    "released",
    "retry job",
    "returned by executors",
    "spawned task ended",
    "spawned task failed",
    "spawned task given up",
    "take-back",
    "tolerated",
    "worker crash",
    "worker left",
    "worker paused",
];

impl Seen {
    pub(crate) fn note(&mut self, what: &'static str) {
        debug_assert!(EVERYTHING.contains(&what), "{what} is not in the list");
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        for (what, n) in &other.counts {
            *self.counts.entry(what).or_default() += n;
        }
    }

    pub(crate) fn assert_everything_happened(&self) {
        for what in EVERYTHING {
            assert!(
                self.counts.contains_key(what),
                "'{what}' never happened: {self:?}"
            );
        }
    }
}

/// Facts that clients and workers can testify.
#[derive(Default)]
pub(crate) struct Witness {
    /// Jobs whose submission was answered, with their key.
    pub(crate) acked: BTreeMap<JobId, Option<String>>,
    /// Where each lease was started.
    started: BTreeMap<(TaskId, Lease), (WorkerId, u64)>,
    /// Outcome batches as sent, by worker process.
    pub(crate) batches: BTreeMap<(WorkerId, u64, u64), Arc<Vec<AttemptOutcome>>>,
    /// The last acknowledged batch by worker process: what was acknowledged once
    /// may be taken back by a retry.
    acked_batch: BTreeMap<(WorkerId, u64), u64>,
    pub(crate) late: BTreeSet<TaskId>,
    /// Batches that the primary has heard, by worker process: the tasks in them whose
    /// end, or whose job's end, has not been durable at any time since.
    unsettled: BTreeMap<(WorkerId, u64, u64), BTreeSet<TaskId>>,
    /// Nodes handed out by this process of the primary before their job was durable.
    ahead: BTreeSet<(JobId, NodeIndex)>,
}

impl Witness {
    pub(crate) fn job_acked(&mut self, disk: &Disk, id: JobId, key: Option<String>) {
        assert!(
            disk.jobs.contains_key(&id),
            "{id} was acknowledged and is not durable"
        );
        if let Some(key) = &key {
            let same = self.acked.iter().find(|(_, k)| k.as_ref() == Some(key));
            assert!(
                same.is_none_or(|(other, _)| *other == id),
                "'{key}' made two jobs"
            );
        }
        self.acked.insert(id, key);
    }

    pub(crate) fn cancel_acked(&self, disk: &Disk, id: JobId) {
        let state = disk.jobs.get(&id).map(|job| job.state);
        let durable = state.is_some_and(|s| s == JobState::Stopping || s.is_final());
        assert!(
            durable,
            "the cancellation of {id} was answered and is not durable: {state:?}"
        );
    }

    pub(crate) fn assigned(&mut self, disk: &Disk, run: &AssignRun) {
        if !disk.jobs.contains_key(&run.job) {
            self.ahead.insert((run.job, run.node));
            return;
        }
        for offset in 0..run.count() {
            let index = run.first + offset;
            let task = TaskId {
                job: run.job,
                node: run.node,
                index,
            };
            assert!(
                !disk.outcomes.contains_key(&task),
                "{task} has ended and is handed out"
            );
        }
        let node = &disk.plans[&run.job].nodes[usize::from(run.node)];
        for before in &node.after {
            assert!(
                disk.is_over(run.job, *before),
                "{} does not wait for node {before}",
                run.job
            );
        }
        let prepared = disk.prepared.get(&(run.job, run.node));
        let durable = match is_needed(node) {
            true => matches!(prepared, Some(PreparedRecord::Run { .. })),
            false => prepared.is_none(),
        };
        assert!(durable, "{}.{} runs as {prepared:?}", run.job, run.node);
        if let (Some(items), RunItems::Items(told)) = (disk.items(run.job, run.node), &run.items) {
            let range = run.first as usize..(run.first + run.count()) as usize;
            assert!(
                told.iter().eq(&items[range]),
                "{} was given other items",
                run.job
            );
        }
    }

    /// What is handed out of a job that is not durable yet waits for nothing, and the
    /// job is on its way.
    pub(crate) fn all_on_their_way(&self, disk: &Disk) {
        for (job, node) in &self.ahead {
            let Some(plan) = disk.plan_to_come(*job) else {
                panic!("{job} runs and is not on its way to the disk");
            };
            let after = &plan.nodes[usize::from(*node)].after;
            assert!(after.is_empty(), "{job} does not wait for {after:?}");
        }
    }

    /// The primary's process is gone, and what it had only begun.
    pub(crate) fn primary_died(&mut self) {
        self.ahead.clear();
    }

    /// One lease is a right to run once, on one worker.
    pub(crate) fn run_started(&mut self, task: TaskId, lease: Lease, at: (WorkerId, u64)) {
        let before = self.started.insert((task, lease), at);
        assert_eq!(
            before, None,
            "{lease:?} of {task} ran on {before:?} and runs on {at:?}"
        );
    }

    /// The primary hears a batch, for the first time or again.
    pub(crate) fn batch_heard(&mut self, disk: &Disk, key: (WorkerId, u64, u64)) {
        let items = self.batches.get(&key).into_iter().flat_map(|b| b.iter());
        let tasks = items.map(|item| item.task);
        self.unsettled.entry(key).or_insert_with(|| tasks.collect());
        self.look(disk);
    }

    /// To be called whenever the disk has changed: a retry takes ends back.
    pub(crate) fn look(&mut self, disk: &Disk) {
        self.ahead.retain(|(job, _)| !disk.jobs.contains_key(job));
        let ahead = &self.ahead;
        let open = |task: &TaskId| match disk.jobs.get(&task.job) {
            Some(job) => {
                let ended = disk.outcomes.contains_key(task) || job.state.is_final();
                !ended && disk.has_task(*task)
            }
            None => ahead.contains(&(task.job, task.node)),
        };
        for tasks in self.unsettled.values_mut() {
            tasks.retain(open);
        }
    }

    /// What is acknowledged is durable, or was told to be late.
    pub(crate) fn outcomes_acked(
        &mut self,
        disk: &Disk,
        worker: WorkerId,
        process: u64,
        up_to: u64,
    ) {
        let last = self.acked_batch.entry((worker, process)).or_default();
        let first = std::mem::replace(last, up_to.max(*last)) + 1;
        let batches = self.batches.range((worker, process, first)..);
        let batches = batches.take_while(|(key, _)| **key <= (worker, process, up_to));
        for (key, item) in batches.flat_map(|(key, items)| items.iter().map(move |i| (key, i))) {
            let unsettled = self.unsettled.get(key);
            let unsettled = unsettled.unwrap_or_else(|| panic!("{key:?} was never heard"));
            let Lease { term, attempt } = item.lease;
            let known = !unsettled.contains(&item.task)
                || disk.attempts.contains_key(&(item.task, attempt, term))
                || self.late.contains(&item.task);
            assert!(known, "{} was acknowledged and is not durable", item.task);
        }
        let acked = (worker, process, 0)..=(worker, process, up_to);
        self.unsettled.retain(|key, _| !acked.contains(key));
    }

    /// After the faults: everything promised has come true.
    pub(crate) fn settled(&self, disk: &Disk, seen: &mut Seen) {
        for id in self.acked.keys() {
            let job = &disk.jobs[id];
            assert!(job.state.is_final(), "{id} never ended: {job:?}");
            seen.note(match job.state {
                JobState::Succeeded => "job succeeded",
                JobState::Failed => "job failed",
                _ => "job cancelled",
            });
            let ended = job.counts.succeeded + job.counts.failed + job.counts.cancelled;
            let ended = ended + job.counts.skipped;
            assert_eq!(ended, job.counts.total, "{id} has open tasks");
            graphs::settled(disk, *id, seen);
            let sum = |of: fn(&Counts) -> u64| job.node_counts.iter().map(of).sum::<u64>();
            let nodes = [
                sum(|c| c.total),
                sum(|c| c.succeeded),
                sum(|c| c.failed),
                sum(|c| c.cancelled),
                sum(|c| c.skipped),
            ];
            let c = &job.counts;
            assert_eq!(
                nodes,
                [c.total, c.succeeded, c.failed, c.cancelled, c.skipped],
                "{id} counts other ends than its nodes"
            );
            let mut recorded = [0; 3];
            let recovered = disk.recover_job(*id).unwrap();
            for (_, _, end) in &recovered.ended {
                recorded[*end as usize] += 1;
            }
            assert_eq!(
                recorded[0], job.counts.succeeded,
                "{id} has other results than it counts"
            );
            assert_eq!(
                recorded[1], job.counts.failed,
                "{id} has other failures than it counts"
            );
            if job.state == JobState::Succeeded {
                let driven = disk.plans[id].nodes.iter().any(|node| node.driver);
                assert!(
                    driven || job.counts.cancelled == 0,
                    "{id} succeeded without some tasks"
                );
                assert!(
                    job.failure.is_none(),
                    "{id} succeeded and tells of a failure"
                );
            }
            if job.state == JobState::Failed {
                assert!(job.failure.is_some(), "{id} failed without a reason");
            }
        }
        for (task, outcome) in &disk.outcomes {
            if outcome.failure.is_none() {
                let own = StoredResult::Inline(task.to_string().into_bytes());
                assert_eq!(
                    outcome.result.as_ref(),
                    Some(&own),
                    "{task} has another's result"
                );
            }
        }
    }
}
