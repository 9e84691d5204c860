//! Live jobs: from submission or recovery to a durable end.

use super::job::Job;
use super::persist::After;
use super::timers::Timer;
use super::{Effect, Primary, Refusal, Reply, RequestId};
use crate::clock::Now;
use crate::record::{JobRecord, RecoveredJob, Write};
use std::sync::Arc;
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::limits::MAX_LIVE_JOBS;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

/// Batches on their way to the store that make a crowd.
const CROWD: usize = 2;

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
        let id = self.admit(now, Arc::from(plan), key);
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
            .map(|(plan, key)| self.admit(now, Arc::from(plan), key));
        let reply = Ok(Reply::Jobs {
            ids: ids.collect(),
            created: true,
        });
        self.persist.after(After::Reply(request, reply));
    }

    pub(super) fn admit(&mut self, now: Now, plan: Arc<JobPlan>, key: Option<String>) -> JobId {
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

    pub(super) fn insert(&mut self, now: Now, mut job: Box<Job>) {
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
        self.open_tasks += job.unended();
        job.group = self.queue.join(id, &job.plan);
        self.driven += usize::from(!job.driven.is_empty());
        self.note_asked(&job.plan);
        self.jobs.insert(id, job);
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
        let without = job.without_items();
        self.insert(now, job);
        match (stopping, without) {
            (true, _) => self.stop(now, id, None),
            (false, None) => self.advance(id),
            (false, Some(node)) => self.lacks_items(now, id, node),
        }
    }

    /// Fails a job that cannot go on.
    pub(super) fn lacks_items(&mut self, now: Now, job: JobId, node: NodeIndex) {
        let why = "the results of which its items were made cannot be read any more";
        let failure = Failure::new(FailureKind::BadInput, why);
        let task = TaskId {
            job,
            node,
            index: 0,
        };
        self.fail(now, job, Some(task), failure);
    }

    /// Puts touched jobs into their right state and place.
    pub(super) fn settle(&mut self, now: Now) {
        for id in self.touched.take() {
            if self.driven > 0 {
                self.release_spawned(id);
                self.note_server(now, id);
            }
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            self.jobs_changed.insert(id);
            let mut over = false;
            if job.is_over() && !job.record.state.is_final() {
                let record = job.record_mut();
                record.state = match record.state {
                    JobState::Stopping if record.cancelled => JobState::Cancelled,
                    JobState::Stopping => JobState::Failed,
                    // Tolerated failures leave no reason.
                    _ if record.failure.is_some() => JobState::Failed,
                    _ => JobState::Succeeded,
                };
                record.ended = Some(now.wall);
                over = true;
                self.persist.job(id);
            }
            let (priority, ready) = (job.record.priority, job.ready());
            self.queue.update(id, priority, ready, job.group);
            if over && self.desk.in_use() {
                self.forget_data(id);
            }
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
                let of_job = |node: &&(JobId, NodeIndex)| node.0 == id;
                while let Some(node) = w.prepared.range((id, 0)..).next().filter(of_job) {
                    let node = *node;
                    w.prepared.remove(&node);
                }
                self.send(worker, ToWorker::Forget { job: id });
            }
        }
        // It has handed out all that it had: it is in no line.
        debug_assert_eq!(self.queue.ready_of(id), 0);
        self.queue.leave(id, job.group, &job.plan);
        if !job.driven.is_empty() {
            self.driven -= 1;
            self.asks_no_more(id);
        }
        self.forget_asked();
        self.jobs_changed.remove(&id);
        self.effects.push_back(Effect::JobEnded(id));
    }
}
