//! Live jobs: from submission or recovery to a durable end.

use super::nodes::{Node, ended, is_over};
use super::persist::After;
use super::timers::Timer;
use super::{Effect, Primary, Refusal, Reply, RequestId};
use crate::clock::{Mono, Now};
use crate::record::{JobRecord, RecoveredJob, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::limits::MAX_LIVE_JOBS;
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{JobId, NodeIndex, Timestamp, WorkerId};

/// A record to be written, and the nodes whose counts change with it.
pub(super) type Version = (Arc<JobRecord>, Vec<(NodeIndex, Counts)>);

/// Batches on their way to the store that make a crowd.
const CROWD: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) plan: Arc<JobPlan>,
    /// The truth of this instant; part of it may be on its way to the store.
    pub(super) record: Arc<JobRecord>,
    /// What the store holds; none until the job is durable.
    pub(super) durable: Option<Arc<JobRecord>>,
    pub(super) nodes: Vec<Node>,
    /// The nodes that wait for each, once for each time that they name it.
    pub(super) successors: BTreeMap<NodeIndex, Vec<NodeIndex>>,
    /// Nodes that could hand out tasks, and how many in all.
    pub(super) open: BTreeSet<NodeIndex>,
    open_tasks: u64,
    /// Nodes whose counts have changed since the record was last written.
    changed: Vec<NodeIndex>,
    pub(super) leased: u32,
    /// Waits for workers that may still run its tasks from before a restart.
    pub(super) held: bool,
    /// Workers that were told of it in their session.
    pub(super) told: BTreeSet<WorkerId>,
    pub(super) queue_due: Option<Mono>,
    pub(super) total_due: Option<Mono>,
}

impl Job {
    fn new(plan: Arc<JobPlan>, record: JobRecord) -> Job {
        let nodes = plan
            .nodes
            .iter()
            .map(|n| Node::new(n.array.count(), record.retries));
        let nodes: Vec<Node> = nodes.collect();
        let mut successors: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
        for (n, node) in plan.nodes.iter().enumerate() {
            for before in &node.after {
                let after = successors.entry(*before).or_default();
                after.push(n as NodeIndex);
            }
        }
        let mut job = Job {
            plan,
            record: Arc::new(record),
            durable: None,
            nodes,
            successors,
            open: BTreeSet::new(),
            open_tasks: 0,
            changed: Vec::new(),
            leased: 0,
            held: false,
            told: BTreeSet::new(),
            queue_due: None,
            total_due: None,
        };
        job.recount();
        job
    }

    /// The job as its records tell it, nothing of it leased.
    pub(super) fn recover(recovered: RecoveredJob) -> Job {
        let mut job = Job::new(Arc::new(recovered.plan), recovered.record);
        for (node, index, failed) in recovered.failed_attempts {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.failed.insert(index, failed);
            }
        }
        for (node, index, end) in recovered.ended {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.recover_end(index, end);
            }
        }
        job.recount();
        job
    }

    fn recount(&mut self) {
        let nodes = self.nodes.iter().map(|node| &node.counts);
        let counts = nodes.fold(Counts::default(), |sum, n| Counts {
            total: sum.total + n.total,
            succeeded: sum.succeeded + n.succeeded,
            failed: sum.failed + n.failed,
            cancelled: sum.cancelled + n.cancelled,
            ..sum
        });
        let record = self.record_mut();
        record.counts = counts;
        record.node_counts = Vec::new();
    }

    /// The record, to change it: versions that are on their way to the store stay.
    pub(super) fn record_mut(&mut self) -> &mut JobRecord {
        Arc::make_mut(&mut self.record)
    }

    /// What the store is to hold of it now.
    pub(super) fn version(&mut self) -> Version {
        let changed = self.changed.drain(..).map(|index| {
            let node = &mut self.nodes[usize::from(index)];
            node.changed = false;
            (index, node.counts)
        });
        let changed = changed.collect();
        // Until the store's record of a repeated job says that it lives, it is read as
        // that of an ended one.
        let repeated = self.durable.is_none() && self.record.retries > 0;
        if self.record.state.is_final() || repeated {
            let counts = self.nodes.iter().map(|node| node.counts).collect();
            self.record_mut().node_counts = counts;
        } else if !self.record.node_counts.is_empty() {
            self.record_mut().node_counts = Vec::new();
        }
        (self.record.clone(), changed)
    }

    pub(super) fn count(&mut self, index: NodeIndex, change: impl Fn(&mut Counts)) {
        change(&mut self.record_mut().counts);
        let node = &mut self.nodes[usize::from(index)];
        change(&mut node.counts);
        if !std::mem::replace(&mut node.changed, true) {
            self.changed.push(index);
        }
    }

    /// The node's waiting tasks or its state have changed.
    pub(super) fn note_ready(&mut self, index: NodeIndex) {
        let node = &mut self.nodes[usize::from(index)];
        let ready = node.ready();
        let before = std::mem::replace(&mut node.counted, ready);
        self.open_tasks = self.open_tasks - before + ready;
        match ready {
            0 => self.open.remove(&index),
            _ => self.open.insert(index),
        };
    }

    /// Whether what is ready is counted as it is.
    pub(super) fn counts_ready(&self) -> bool {
        let open = self.nodes.iter().filter(|node| node.ready() > 0).count();
        open == self.open.len()
            && self.nodes.iter().all(|node| node.counted == node.ready())
            && self.open_tasks == self.nodes.iter().map(Node::ready).sum::<u64>()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.record.state == JobState::Stopping || self.record.state.is_final()
    }

    /// Tasks that could be handed out now.
    pub(super) fn ready(&self) -> u64 {
        if self.held || self.is_stopping() {
            return 0;
        }
        self.open_tasks
    }

    /// A task of it has begun. Whether that was the first.
    pub(super) fn note_start(&mut self, at: Timestamp) -> bool {
        let first = self.record.started.is_none();
        if first {
            self.record_mut().started = Some(at);
        }
        if self.record.state == JobState::Queued {
            self.record_mut().state = JobState::Running;
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
            let reply = match *job.plan == *plan {
                true => Ok(Reply::Job { id, created: false }),
                false => Err(Refusal::KeyReused(id)),
            };
            return self.persist.after(After::Reply(request, reply));
        }
        if self.jobs.len() >= MAX_LIVE_JOBS {
            return self.reply(request, Err(Refusal::Full(MAX_LIVE_JOBS)));
        }
        let id = self.admit(now, plan, key);
        let reply = Ok(Reply::Job { id, created: true });
        self.persist.after(After::Reply(request, reply));
    }

    pub(super) fn submit_all(
        &mut self,
        now: Now,
        request: RequestId,
        jobs: Vec<(Box<JobPlan>, Option<String>)>,
    ) {
        let known = |(plan, key): &(Box<JobPlan>, Option<String>)| {
            let id = *self.keys.get(key.as_ref()?)?;
            let job = self.jobs.get(&id)?;
            Some((id, *job.plan == **plan))
        };
        let known: Vec<_> = jobs.iter().filter_map(known).collect();
        // All of them were made before, by the same request; or somebody else made one.
        let same = known.len() == jobs.len() && known.iter().all(|(_, same)| *same);
        if let Some((first, _)) = known.first() {
            let ids = known.iter().map(|(id, _)| *id).collect();
            let reply = match same {
                true => Ok(Reply::Jobs {
                    ids,
                    created: false,
                }),
                false => Err(Refusal::KeyReused(*first)),
            };
            return self.persist.after(After::Reply(request, reply));
        }
        if self.jobs.len() + jobs.len() > MAX_LIVE_JOBS {
            return self.reply(request, Err(Refusal::Full(MAX_LIVE_JOBS)));
        }
        let ids = jobs
            .into_iter()
            .map(|(plan, key)| self.admit(now, plan, key));
        let reply = Ok(Reply::Jobs {
            ids: ids.collect(),
            created: true,
        });
        self.persist.after(After::Reply(request, reply));
    }

    fn admit(&mut self, now: Now, plan: Box<JobPlan>, key: Option<String>) -> JobId {
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
        let plan = Arc::from(plan);
        self.persist.write(Write::Plan(id, Arc::clone(&plan)));
        self.insert(now, Job::new(plan, record));
        // In a crowd tasks are handed out by the group, once it is durable: that costs
        // fewer messages.
        if self.persist.under_way() < CROWD {
            self.begin(id);
        }
        self.persist.job(id);
        id
    }

    /// Ids grow, and their low bits start at random so that they are not guessed.
    fn new_job_id(&mut self, now: Now) -> JobId {
        let fresh = JobId::floor_at(now.wall.0).0 | self.rng.below(1 << 19);
        self.last_job = JobId(fresh.max(self.last_job.0 + 1));
        self.last_job
    }

    pub(super) fn insert(&mut self, now: Now, mut job: Job) {
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
        self.jobs.insert(id, Box::new(job));
        self.touched.insert(id);
        self.jobs_changed.insert(id);
    }

    /// Takes a live job over from the store.
    pub(super) fn recover(&mut self, now: Now, recovered: RecoveredJob) {
        let id = recovered.record.id;
        let mut job = Job::recover(recovered);
        job.durable = Some(job.record.clone());
        job.held = job.record.started.is_some() && !self.awaited.is_empty();
        let stopping = job.record.state == JobState::Stopping;
        self.insert(now, job);
        match stopping {
            true => self.stop(now, id, None),
            false => self.advance(id),
        }
    }

    /// Puts touched jobs into their right state and place.
    pub(super) fn settle(&mut self, now: Now) {
        for id in self.touched.take() {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            self.jobs_changed.insert(id);
            if is_over(&job.record.counts) && !job.record.state.is_final() {
                let record = job.record_mut();
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
