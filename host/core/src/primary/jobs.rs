//! Live jobs: from submission or recovery to a durable end.

use super::nodes::{Node, NodeState, ended};
use super::persist::After;
use super::timers::Timer;
use super::{Effect, Primary, Refusal, Reply, RequestId};
use crate::clock::{Mono, Now};
use crate::record::{
    FailedAttempts, JobFailureRecord, JobRecord, RecordedEnd, RecoveredJob, Write,
};
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::limits::MAX_LIVE_JOBS;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::plan::{JobPlan, NodeInput};
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{JobId, NodeIndex, TaskId, Timestamp, WorkerId};

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) plan: Box<JobPlan>,
    /// The truth of this instant; part of it may be on its way to the store.
    pub(super) record: JobRecord,
    /// What the store holds; none until the job is durable.
    pub(super) durable: Option<JobRecord>,
    pub(super) nodes: Vec<Node>,
    pub(super) leased: u32,
    /// Waits for workers that may still run its tasks from before a restart.
    pub(super) held: bool,
    /// Workers that were told of it in their session.
    pub(super) told: BTreeSet<WorkerId>,
    pub(super) queue_due: Option<Mono>,
    pub(super) total_due: Option<Mono>,
}

impl Job {
    fn new(plan: Box<JobPlan>, mut record: JobRecord) -> Job {
        let nodes = plan.nodes.iter().map(|n| Node::new(n.array.count()));
        let nodes: Vec<Node> = nodes.collect();
        let counts = |total| Counts {
            total,
            ..Counts::default()
        };
        record.node_counts = nodes.iter().map(|n| counts(n.waiting.len())).collect();
        record.counts = counts(nodes.iter().map(|n| n.waiting.len()).sum());
        Job {
            plan,
            record,
            durable: None,
            nodes,
            leased: 0,
            held: false,
            told: BTreeSet::new(),
            queue_due: None,
            total_due: None,
        }
    }

    /// The job as its records tell it, nothing of it leased.
    fn recover(recovered: RecoveredJob) -> Job {
        let mut job = Job::new(Box::new(recovered.plan), recovered.record);
        for (node, index, failed) in recovered.failed_attempts {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.failed.insert(index, failed);
            }
        }
        for (node, index, end) in recovered.ended {
            let at = usize::from(node);
            if let (Some(node), Some(counts)) =
                (job.nodes.get_mut(at), job.record.node_counts.get_mut(at))
            {
                node.recover_end(counts, index, end);
            }
        }
        job.recount();
        job
    }

    fn recount(&mut self) {
        let nodes = self.record.node_counts.iter();
        self.record.counts = nodes.fold(Counts::default(), |sum, n| Counts {
            total: sum.total + n.total,
            succeeded: sum.succeeded + n.succeeded,
            failed: sum.failed + n.failed,
            cancelled: sum.cancelled + n.cancelled,
            ..sum
        });
    }

    pub(super) fn count(&mut self, node: NodeIndex, change: impl Fn(&mut Counts)) {
        change(&mut self.record.counts);
        change(&mut self.record.node_counts[usize::from(node)]);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.record.state == JobState::Stopping || self.record.state.is_final()
    }

    /// Tasks that could be handed out now.
    pub(super) fn ready(&self) -> u64 {
        if self.held || self.is_stopping() || self.durable.is_none() {
            return 0;
        }
        self.nodes.iter().map(Node::ready).sum()
    }

    /// A task of it has begun. Whether that was the first.
    pub(super) fn note_start(&mut self, at: Timestamp) -> bool {
        let first = self.record.started.is_none();
        if first {
            self.record.started = Some(at);
        }
        if self.record.state == JobState::Queued {
            self.record.state = JobState::Running;
            return true;
        }
        first
    }
}

impl Primary {
    pub(super) fn submit(
        &mut self,
        now: Now,
        request: RequestId,
        plan: Box<JobPlan>,
        key: Option<String>,
    ) {
        let known = key.as_ref().and_then(|key| self.keys.get(key)).copied();
        if let Some((id, job)) = known.and_then(|id| Some((id, self.jobs.get(&id)?))) {
            let reply = match job.plan == plan {
                true => Ok(Reply::Job { id, created: false }),
                false => Err(Refusal::KeyReused(id)),
            };
            return self.persist.after(After::Reply(request, reply));
        }
        if self.jobs.len() >= MAX_LIVE_JOBS {
            return self.reply(request, Err(Refusal::Full(MAX_LIVE_JOBS)));
        }
        let id = self.new_job_id(now);
        let record = JobRecord {
            id,
            name: plan.name.clone(),
            priority: plan.priority,
            state: JobState::Queued,
            submitted: now.wall,
            started: None,
            ended: None,
            counts: Counts::default(),
            node_counts: Vec::new(),
            failure: None,
            cancelled: false,
            gathered: Vec::new(),
            idempotency_key: key,
            late_outcomes: 0,
            retries: 0,
        };
        self.persist.write(Write::Plan(id, plan.clone()));
        self.insert(now, Job::new(plan, record));
        self.persist.job(id);
        let reply = Ok(Reply::Job { id, created: true });
        self.persist.after(After::Reply(request, reply));
    }

    /// Ids grow, and their low bits start at random so that they are not guessed.
    fn new_job_id(&mut self, now: Now) -> JobId {
        let fresh = JobId::floor_at(now.wall.0).0 | self.rng.below(1 << 19);
        self.last_job = JobId(fresh.max(self.last_job.0 + 1));
        self.last_job
    }

    fn insert(&mut self, now: Now, mut job: Job) {
        let id = job.record.id;
        let spent = now.wall.since(job.record.submitted);
        let due = |limit: Option<u64>| limit.map(|ms| now.mono.after(ms.saturating_sub(spent)));
        job.queue_due = due(job.plan.queue_ms).filter(|_| job.record.started.is_none());
        job.total_due = due(job.plan.total_ms);
        if let Some(at) = job.queue_due {
            self.timers.set(at, Timer::QueueLimit(id));
        }
        if let Some(at) = job.total_due {
            self.timers.set(at, Timer::TotalLimit(id));
        }
        if let Some(key) = &job.record.idempotency_key {
            self.keys.insert(key.clone(), id);
        }
        self.open_tasks += job.record.counts.total - ended(&job.record.counts);
        self.jobs.insert(id, job);
        self.touched.insert(id);
        self.jobs_changed.insert(id);
    }

    /// Takes a live job over from the store.
    pub(super) fn recover(&mut self, now: Now, recovered: RecoveredJob) {
        let id = recovered.record.id;
        let durable = recovered.record.clone();
        let mut job = Job::recover(recovered);
        job.durable = Some(durable);
        job.held = job.record.started.is_some() && !self.awaited.is_empty();
        let stopping = job.record.state == JobState::Stopping;
        self.insert(now, job);
        match stopping {
            true => self.stop(now, id, None),
            false => self.advance(id),
        }
    }

    pub(super) fn cancel(&mut self, now: Now, request: RequestId, id: JobId, grace: Option<u64>) {
        let Some(job) = self
            .jobs
            .get_mut(&id)
            .filter(|job| !job.record.state.is_final())
        else {
            return self.reply(request, Err(Refusal::NoSuchJob(id)));
        };
        // A job that is stopping because it failed stays a failed job.
        if job.record.state != JobState::Stopping {
            job.record.cancelled = true;
        }
        self.stop(now, id, grace);
        let reply = Ok(Reply::Job { id, created: false });
        self.persist.after(After::Reply(request, reply));
    }

    /// Runs what failed or was cancelled in an ended job again, and all nodes after it.
    pub(super) fn retry(&mut self, now: Now, request: RequestId, mut ended_job: RecoveredJob) {
        let id = ended_job.record.id;
        if self.jobs.contains_key(&id) || !ended_job.record.state.is_final() {
            return self.reply(request, Err(Refusal::NotEnded(id)));
        }
        if self.jobs.len() >= MAX_LIVE_JOBS {
            return self.reply(request, Err(Refusal::Full(MAX_LIVE_JOBS)));
        }
        let again = nodes_to_repeat(&ended_job);
        if again.is_empty() {
            return self.reply(request, Err(Refusal::NothingToRetry(id)));
        }
        let repeated = |node: NodeIndex, end| match again.get(&node) {
            Some(Repeat::All) => true,
            Some(Repeat::Unsuccessful) => end != RecordedEnd::Succeeded,
            None => false,
        };
        let retries = ended_job.record.retries + 1;
        let mut attempts: BTreeMap<(NodeIndex, u32), FailedAttempts> = BTreeMap::new();
        for (node, index, failed) in &ended_job.failed_attempts {
            let last = failed.last;
            attempts.insert(
                (*node, *index),
                FailedAttempts {
                    last,
                    ..Default::default()
                },
            );
        }
        let taken_back = ended_job
            .ended
            .extract_if(.., |(n, _, end)| repeated(*n, *end));
        for (node, index, end) in taken_back {
            let task = TaskId {
                job: id,
                node,
                index,
            };
            self.persist.write(Write::RemoveOutcome(task));
            if end == RecordedEnd::Succeeded {
                // Beyond the numbers of its successes, of which each round had one at most.
                attempts.entry((node, index)).or_default().last += retries;
            }
        }
        let attempts = attempts
            .into_iter()
            .map(|((node, index), f)| (node, index, f));
        ended_job.failed_attempts = attempts.collect();
        let record = &mut ended_job.record;
        record
            .gathered
            .retain(|(node, _)| !again.contains_key(node));
        record.state = JobState::Queued;
        record.retries = retries;
        // Its time limits begin anew.
        record.submitted = now.wall;
        (record.started, record.ended, record.failure) = (None, None, None);
        record.cancelled = false;
        self.insert(now, Job::recover(ended_job));
        self.persist.job(id);
        let reply = Ok(Reply::Job { id, created: false });
        self.persist.after(After::Reply(request, reply));
    }

    /// Lets nodes go whose predecessors' ends are durable.
    pub(super) fn advance(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        self.touched.insert(id);
        let Some(durable) = &job.durable else { return };
        let over = |node: &NodeIndex| {
            let counts = durable.node_counts.get(usize::from(*node));
            counts.is_some_and(|c| ended(c) == c.total)
        };
        for (n, (node, plan)) in job.nodes.iter_mut().zip(&job.plan.nodes).enumerate() {
            let index = n as NodeIndex;
            if node.state == NodeState::Ready || !plan.after.iter().all(over) {
                continue;
            }
            node.state = match plan.input {
                NodeInput::Gather(from) if durable.gathered.iter().all(|(n, _)| *n != index) => {
                    if node.state == NodeState::Blocked {
                        self.effects.push_back(Effect::Gather {
                            job: id,
                            node: index,
                            from,
                        });
                    }
                    NodeState::Gathering
                }
                _ => NodeState::Ready,
            };
        }
    }

    pub(super) fn gathered(
        &mut self,
        now: Now,
        id: JobId,
        node: NodeIndex,
        result: Result<wasmhost_proto::input::BlobRef, String>,
    ) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        let known = job.record.gathered.iter().any(|(n, _)| *n == node);
        if known || usize::from(node) >= job.nodes.len() {
            return;
        }
        match result {
            Ok(blob) => {
                job.record.gathered.push((node, blob));
                self.persist.job(id);
            }
            Err(why) => {
                let message = format!("its input could not be put together: {why}");
                let task = TaskId {
                    job: id,
                    node,
                    index: 0,
                };
                self.fail(
                    now,
                    id,
                    Some(task),
                    Failure::new(FailureKind::BadInput, message),
                );
            }
        }
    }

    pub(super) fn expire(&mut self, now: Now, id: JobId, limit: Timer) {
        let Some(job) = self.jobs.get(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        let message = match limit {
            Timer::QueueLimit(_) if job.record.started.is_some() => return,
            Timer::QueueLimit(_) => format!(
                "no task of it was started within {} ms of its submission",
                job.plan.queue_ms.unwrap_or_default()
            ),
            _ => format!(
                "it had not ended {} ms after its submission",
                job.plan.total_ms.unwrap_or_default()
            ),
        };
        self.fail(now, id, None, Failure::new(FailureKind::Expired, message));
    }

    /// Fails a whole job.
    fn fail(&mut self, now: Now, id: JobId, task: Option<TaskId>, failure: Failure) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.record
                .failure
                .get_or_insert(JobFailureRecord { task, failure });
            self.stop(now, id, None);
        }
    }

    /// Ends a job before its time: what waits is dropped, what is leased is cancelled.
    pub(super) fn stop(&mut self, now: Now, id: JobId, grace: Option<u64>) {
        let grace_ms = grace.unwrap_or(self.config.cancel_grace_ms);
        let Some(job) = self
            .jobs
            .get_mut(&id)
            .filter(|job| !job.record.state.is_final())
        else {
            return;
        };
        job.record.state = JobState::Stopping;
        for index in 0..job.nodes.len() as NodeIndex {
            let node = &mut job.nodes[usize::from(index)];
            let dropped = node.unleased();
            for (task, backoff) in std::mem::take(&mut node.backing_off) {
                let task = TaskId {
                    job: id,
                    node: index,
                    index: task,
                };
                self.timers.clear(backoff.due, Timer::Retry(task));
            }
            node.waiting = Default::default();
            // One record each would be millions: the counts say it.
            job.count(index, |c| c.cancelled += dropped);
            self.open_tasks -= dropped;
        }
        self.touched.insert(id);
        self.persist.job(id);
        self.cancel_leases(now, id, grace_ms);
    }

    /// Puts touched jobs into their right state and place.
    pub(super) fn settle(&mut self, now: Now) {
        for id in std::mem::take(&mut self.touched) {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            self.jobs_changed.insert(id);
            let record = &mut job.record;
            let over = ended(&record.counts) == record.counts.total;
            if over && !record.state.is_final() {
                record.state = match record.state {
                    JobState::Stopping if record.cancelled => JobState::Cancelled,
                    JobState::Stopping => JobState::Failed,
                    _ if record.counts.failed > 0 => JobState::Failed,
                    _ => JobState::Succeeded,
                };
                record.ended = Some(now.wall);
                self.persist.job(id);
            }
            self.queue.update(id, job.record.priority, job.ready());
        }
    }

    /// A job's end is durable.
    pub(super) fn evict(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        for (at, timer) in [
            (job.queue_due, Timer::QueueLimit(id)),
            (job.total_due, Timer::TotalLimit(id)),
        ] {
            if let Some(at) = at {
                self.timers.clear(at, timer);
            }
        }
        if let Some(key) = &job.record.idempotency_key
            && self.keys.get(key) == Some(&id)
        {
            self.keys.remove(key);
        }
        for worker in job.told {
            if let Some(w) = self.workers.get_mut(&worker) {
                let nodes = (id, 0)..=(id, NodeIndex::MAX);
                while let Some(node) = w.prepared.range(nodes.clone()).next().copied() {
                    w.prepared.remove(&node);
                }
                self.send(worker, ToWorker::Forget { job: id });
            }
        }
        self.queue.update(id, job.record.priority, 0);
        self.jobs_changed.remove(&id);
        self.effects.push_back(Effect::JobEnded(id));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// What did not succeed.
    Unsuccessful,
    /// All of it: what it came after is repeated.
    All,
}

/// The nodes that a retry touches. A node comes after all that it waits for.
fn nodes_to_repeat(job: &RecoveredJob) -> BTreeMap<NodeIndex, Repeat> {
    let mut again = BTreeMap::new();
    let mut succeeded = vec![0u64; job.plan.nodes.len()];
    for (node, _, end) in &job.ended {
        if let Some(n) = succeeded.get_mut(usize::from(*node)) {
            *n += u64::from(*end == RecordedEnd::Succeeded);
        }
    }
    for (n, (plan, succeeded)) in job.plan.nodes.iter().zip(succeeded).enumerate() {
        if plan.after.iter().any(|before| again.contains_key(before)) {
            again.insert(n as NodeIndex, Repeat::All);
        } else if succeeded < u64::from(plan.array.count()) {
            again.insert(n as NodeIndex, Repeat::Unsuccessful);
        }
    }
    again
}
