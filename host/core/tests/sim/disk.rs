//! A store that holds for good only what was synced, and answers like the real one.

use super::data::Counter;
use super::keep::Checkpoints;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::*;
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::{JobId, Lease, NodeIndex, TaskId, WorkerId};

#[derive(Default)]
pub(crate) struct Disk {
    pub plans: BTreeMap<JobId, Arc<JobPlan>>,
    pub jobs: BTreeMap<JobId, Arc<JobRecord>>,
    pub outcomes: BTreeMap<TaskId, OutcomeRecord>,
    pub attempts: BTreeMap<(TaskId, u32, u64), AttemptRecord>,
    pub workers: BTreeMap<WorkerId, WorkerRecord>,
    pub prepared: BTreeMap<(JobId, NodeIndex), PreparedRecord>,
    pub spawned: BTreeMap<TaskId, SpawnRecord>,
    pub requests: BTreeMap<u64, RequestRecord>,
    pub counter: Counter,
    pub checkpoints: Checkpoints,
    pub unsynced: VecDeque<(u64, Vec<Write>)>,
}

fn at(job: JobId, node: NodeIndex, index: u32) -> TaskId {
    TaskId { job, node, index }
}

fn end_of(outcome: &OutcomeRecord) -> RecordedEnd {
    match outcome.failure.as_ref().map(|f| f.kind) {
        None => RecordedEnd::Succeeded,
        Some(FailureKind::Cancelled) => RecordedEnd::Cancelled,
        Some(_) => RecordedEnd::Failed,
    }
}

impl Disk {
    /// The plan of a job that is on its way.
    pub(crate) fn plan_to_come(&self, job: JobId) -> Option<&Arc<JobPlan>> {
        let writes = self.unsynced.iter().flat_map(|(_, writes)| writes);
        let mut plans = writes.filter_map(|write| match write {
            Write::Plan(of, plan) if *of == job => Some(plan),
            _ => None,
        });
        plans.next()
    }

    /// Makes the next batch durable. Its number.
    pub(crate) fn sync_next(&mut self) -> Option<u64> {
        let (seq, writes) = self.unsynced.pop_front()?;
        for write in writes {
            self.apply(write);
        }
        Some(seq)
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Plan(id, plan) => {
                assert!(
                    self.plans.insert(id, plan).is_none(),
                    "{id} was planned twice"
                );
            }
            Write::Job(record) => {
                assert!(
                    self.plans.contains_key(&record.id),
                    "{} has no plan",
                    record.id
                );
                self.jobs.insert(record.id, record);
            }
            Write::Outcome(task, outcome) => {
                let before = self.outcomes.insert(task, outcome);
                assert_eq!(before, None, "{task} ended twice");
            }
            Write::RemoveOutcome(task) => {
                assert!(
                    self.outcomes.remove(&task).is_some(),
                    "{task} had not ended"
                );
            }
            Write::Attempt(task, attempt) => {
                let Lease { term, attempt: n } = attempt.lease;
                let before = self.attempts.insert((task, n, term), *attempt);
                assert_eq!(
                    before, None,
                    "attempt {n} of {task} failed twice in term {term}"
                );
            }
            Write::Prepared(job, node, record) => {
                let before = self.prepared.insert((job, node), record);
                assert_eq!(before, None, "{job}.{node} was prepared twice");
            }
            Write::RemovePrepared(job, node) => {
                let before = self.prepared.remove(&(job, node));
                assert!(before.is_some(), "{job}.{node} was not prepared");
            }
            Write::Spawned(task, record) => {
                let before = at(task.job, task.node, 0)..task;
                assert_eq!(self.spawned.range(before).count() as u32, task.index);
                let before = self.spawned.insert(task, *record);
                assert_eq!(before, None, "{task} was started twice");
            }
            Write::Request(record) => {
                let before = self.requests.insert(record.number, *record);
                let open = before.is_none_or(|before| before.answer.is_none());
                assert!(open, "a request was answered twice");
            }
            Write::Worker(record) => {
                self.workers.insert(record.id, record);
            }
            other => self.apply_data(other),
        }
    }

    /// How the tasks of a node that have an end have ended.
    pub(crate) fn ends(&self, job: JobId, node: NodeIndex) -> impl Iterator<Item = RecordedEnd> {
        let tasks = at(job, node, 0)..=at(job, node, u32::MAX);
        self.outcomes
            .range(tasks)
            .map(|(_, outcome)| end_of(outcome))
    }

    /// How many tasks a node has; none while that is not known.
    pub(crate) fn total(&self, job: JobId, node: NodeIndex) -> Option<usize> {
        let array = &self.plans[&job].nodes[usize::from(node)].array;
        if let Array::Spawned(driver) = array {
            let started = at(job, node, 0)..=at(job, node, u32::MAX);
            let over = self.is_over(job, *driver);
            return over.then(|| self.spawned.range(started).count());
        }
        match self.prepared.get(&(job, node)) {
            Some(PreparedRecord::Run { count: Some(n), .. }) => Some(*n as usize),
            _ if array.source().is_some() => None,
            _ => Some(array.count() as usize),
        }
    }

    /// Whether there is such a task, to run: a job that was never durable may have left
    /// its number to another.
    pub(crate) fn has_task(&self, task: TaskId) -> bool {
        let TaskId { job, node, index } = task;
        let there = usize::from(node) < self.plans[&job].nodes.len();
        if self.spawned.contains_key(&task) {
            return true;
        }
        there
            && !self.is_skipped(job, node)
            && self
                .total(job, node)
                .is_some_and(|total| (index as usize) < total)
    }

    pub(crate) fn is_skipped(&self, job: JobId, node: NodeIndex) -> bool {
        self.prepared.get(&(job, node)) == Some(&PreparedRecord::Skipped)
    }

    /// Whether nothing of a node is to come.
    pub(crate) fn is_over(&self, job: JobId, node: NodeIndex) -> bool {
        self.is_skipped(job, node) || self.total(job, node) == Some(self.ends(job, node).count())
    }

    /// The items of a node that come from another one: its results, or elements of them.
    pub(crate) fn items(&self, job: JobId, node: NodeIndex) -> Option<Arc<[Item]>> {
        let array = &self.plans[&job].nodes[usize::from(node)].array;
        let source = array.source()?;
        let tasks = at(job, source, 0)..=at(job, source, u32::MAX);
        let results = self.outcomes.range(tasks).filter_map(|(_, outcome)| {
            match (&outcome.failure, &outcome.result) {
                (None, Some(StoredResult::Inline(bytes))) => Some(bytes.clone()),
                _ => None,
            }
        });
        Some(match array {
            Array::Results(_) => results.map(Item::Bytes).collect(),
            _ => {
                let some = results.take(1).flat_map(|bytes| {
                    let count = bytes.iter().fold(job.0, |sum, b| sum + u64::from(*b)) % 6;
                    (0..count).map(|n| Item::Json(n.to_string()))
                });
                some.collect()
            }
        })
    }

    pub(crate) fn recover_job(&self, id: JobId) -> Option<RecoveredJob> {
        let record = (**self.jobs.get(&id)?).clone();
        let (first, last) = (at(id, 0, 0), at(id, u16::MAX, u32::MAX));
        let outcomes = self.outcomes.range(first..=last);
        let ended = outcomes
            .map(|(t, o)| (t.node, t.index, end_of(o)))
            .collect();
        let mut failed: BTreeMap<TaskId, FailedAttempts> = BTreeMap::new();
        for ((task, n, _), attempt) in self
            .attempts
            .range((first, 0, 0)..=(last, u32::MAX, u64::MAX))
        {
            let count = failed.entry(*task).or_default();
            count.last = count.last.max(*n);
            let policy = &self.plans[&id].nodes[usize::from(task.node)].retry;
            count.charge(policy, attempt.failure.kind);
        }
        let prepared = self.prepared.range((id, 0)..=(id, u16::MAX));
        let prepared = prepared.map(|((_, node), record)| (*node, record.clone()));
        let items = |(node, record): &(NodeIndex, PreparedRecord)| match record {
            PreparedRecord::Run { count: Some(n), .. } => {
                let items = self.items(id, *node)?;
                assert_eq!(
                    items.len() as u32,
                    *n,
                    "{id}.{node} has other items than before"
                );
                Some((*node, items))
            }
            _ => None,
        };
        let prepared: Vec<_> = prepared.collect();
        Some(RecoveredJob {
            items: prepared.iter().filter_map(items).collect(),
            spawned: (self.spawned.range(first..=last))
                .map(|(task, record)| (task.node, record.clone()))
                .collect(),
            prepared,
            record,
            plan: (**self.plans.get(&id)?).clone(),
            ended,
            failed_attempts: failed
                .into_iter()
                .map(|(t, f)| (t.node, t.index, f))
                .collect(),
        })
    }

    pub(crate) fn recover(&self) -> Recovered {
        let live = self.jobs.values().filter(|job| !job.state.is_final());
        let waiting = self.requests.values().filter(|r| r.answer.is_none());
        Recovered {
            last_job: self.jobs.last_key_value().map(|(id, _)| *id),
            jobs: live.filter_map(|job| self.recover_job(job.id)).collect(),
            workers: self.workers.values().cloned().collect(),
            requests: waiting.cloned().collect(),
            data: self.data(),
        }
    }

    pub(crate) fn job_by_key(&self, key: &str) -> Option<JobId> {
        let known = |job: &&Arc<JobRecord>| job.idempotency_key.as_deref() == Some(key);
        self.jobs.values().find(known).map(|job| job.id)
    }
}
