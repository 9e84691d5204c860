//! Answers to questions. What the store does not hold yet is not told.

use super::Primary;
use super::job::Job;
use super::leases::Leased;
use super::nodes::{Known, ended};
use super::workers::Worker;
use crate::clock::Now;
use crate::prepared::is_dynamic;
use crate::record::{JobFailureRecord, JobRecord};
use std::collections::BTreeMap;
use wasmhost_proto::api::{
    AttemptView, CheckpointView, Counts, JobFailure, JobView, NodeView, TaskState, WorkerFreshness,
    WorkerState, WorkerView,
};
use wasmhost_proto::input::Array;
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::{JobId, NodeIndex, TaskId, WorkerId};

/// A task that has not ended, or whose end is not durable yet.
#[derive(Clone, PartialEq, Debug)]
pub struct LiveTask {
    /// The task.
    pub task: TaskId,
    /// Waiting, assigned or running.
    pub state: TaskState,
    /// Why it waits, in a sentence; for waiting and assigned tasks.
    pub waits_for: Option<String>,
    /// The attempt under way.
    pub attempt: Option<AttemptView>,
    /// What the attempt has logged.
    pub log: String,
    /// The checkpoint that was saved last.
    pub checkpoint: Option<CheckpointView>,
}

/// Sums over everything live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Workers connected.
    pub workers: u32,
    /// Slots of all of them.
    pub slots: u32,
    /// Those of them that run something.
    pub busy: u32,
    /// Jobs that have not ended.
    pub live_jobs: u64,
    /// Tasks waiting in them, on a worker or not.
    pub waiting_tasks: u64,
    /// Tasks running in them.
    pub running_tasks: u64,
}

fn open(counts: &Counts) -> u64 {
    counts.total - ended(counts)
}

fn failure_view(failure: &JobFailureRecord, plan: &JobPlan) -> JobFailure {
    let node = failure
        .task
        .and_then(|t| plan.nodes.get(usize::from(t.node)));
    JobFailure {
        node: node.map(|n| n.name.clone()),
        index: failure.task.map_or(0, |t| t.index),
        failure: failure.failure.clone(),
    }
}

/// The view of a job from its records alone: nothing of it runs.
pub fn job(record: &JobRecord, plan: &JobPlan) -> JobView {
    recorded(record, plan, |n| record.node_counts.get(n))
}

/// The same with the counts of its nodes. Of a node without any nothing has ended.
fn recorded<'a>(
    record: &JobRecord,
    plan: &JobPlan,
    node_counts: impl Fn(usize) -> Option<&'a Counts>,
) -> JobView {
    let rest = |counts: &Counts| Counts {
        waiting: open(counts),
        running: 0,
        ..*counts
    };
    let nodes = plan.nodes.iter().enumerate();
    let nodes = nodes.map(|(n, node)| {
        let counts = node_counts(n).copied().unwrap_or_else(|| Counts {
            total: u64::from(node.array.count()),
            ..Counts::default()
        });
        node_view(plan, node, rest(&counts))
    });
    JobView {
        id: record.id,
        name: record.name.clone(),
        description: plan.description.clone(),
        state: record.state,
        priority: record.priority,
        submitted: record.submitted,
        started: record.started,
        ended: record.ended,
        counts: rest(&record.counts),
        nodes: nodes.collect(),
        definition: plan.definition.clone(),
        params: plan.param_values(),
        failure: record.failure.as_ref().map(|f| failure_view(f, plan)),
        late_outcomes: record.late_outcomes,
        submitted_by: plan.submitted_by.map(|by| by.job),
    }
}

fn node_view(plan: &JobPlan, node: &NodePlan, counts: Counts) -> NodeView {
    let named = |n: &NodeIndex| Some(plan.nodes.get(usize::from(*n))?.name.clone());
    NodeView {
        name: node.name.clone(),
        module: node.module,
        array: node.array != Array::Single,
        counts,
        spawned_by: match &node.array {
            Array::Spawned(driver) => named(driver),
            _ => None,
        },
        open_ended: false,
        limits: node.limits,
        after: node.after.iter().filter_map(named).collect(),
        when: node.when.clone(),
        skipped: counts.skipped > 0,
        tolerate: node.tolerate,
        concurrency: node.concurrency,
        grants: node.grants.clone(),
    }
}

fn live_job(job: &Job) -> Option<JobView> {
    let durable = |n: usize| job.nodes.get(n).map(|node| &node.durable);
    let mut view = recorded(job.durable.as_ref()?, &job.plan, durable);
    view.counts.waiting = 0;
    view.counts.running = 0;
    for ((view_node, node), plan) in view.nodes.iter_mut().zip(&job.nodes).zip(&job.plan.nodes) {
        let dynamic = is_dynamic(&plan.array) || node.spawned;
        let unknown = node.known != Known::Durable && dynamic;
        view_node.open_ended = unknown && !job.is_stopping();
        // What has ended and is not durable yet still counts as running.
        let counts = &mut view_node.counts;
        counts.waiting = node.not_running().min(open(counts));
        counts.running = open(counts) - counts.waiting;
        view.counts.waiting += counts.waiting;
        view.counts.running += counts.running;
    }
    Some(view)
}

impl Primary {
    /// A live job; none when it is not live, or not durable yet.
    pub fn job_view(&self, now: Now, job: JobId) -> Option<JobView> {
        let _ = now;
        live_job(self.jobs.get(&job)?)
    }

    /// Whether a job is live, durable or not: its end is still to come.
    pub fn is_live(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// All live jobs that are durable, oldest first.
    pub fn job_ids(&self) -> impl Iterator<Item = JobId> {
        let durable = self.jobs.iter().filter(|(_, job)| job.durable.is_some());
        durable.map(|(id, _)| *id)
    }

    /// Up to `max` of a job's tasks that are on workers, running ones first, and
    /// how many open tasks of the job were left out.
    pub fn live_tasks(&self, now: Now, job: JobId, max: usize) -> (Vec<LiveTask>, u64) {
        let Some(record) = self.jobs.get(&job).map(|job| &job.record) else {
            return (Vec::new(), 0);
        };
        let of = |running: bool| {
            let runs = self.leases.of_job(job);
            let runs = runs.filter(move |run| run.leased.running_since.is_some() == running);
            runs.flat_map(|run| run.tasks().map(move |task| (task, run.leased)))
        };
        let tasks = of(true).chain(of(false)).take(max);
        let tasks: Vec<LiveTask> = tasks.map(|(id, l)| self.leased_task(now, id, l)).collect();
        let left_out = open(&record.counts) - tasks.len() as u64;
        (tasks, left_out)
    }

    /// One task; none when its job is not live or its end is stored: then the store knows.
    pub fn live_task(&self, now: Now, task: TaskId) -> Option<LiveTask> {
        let job = self.jobs.get(&task.job)?;
        let node = job.nodes.get(usize::from(task.node))?;
        if let Some(leased) = self.leases.get(task) {
            return Some(self.leased_task(now, task, leased));
        }
        let state = if node.is_unleased(task.index) {
            TaskState::Waiting
        } else if self.persist.is_ending(task) {
            TaskState::Running
        } else {
            return None;
        };
        let waits = state == TaskState::Waiting;
        Some(LiveTask {
            task,
            state,
            waits_for: waits.then(|| self.waits_for(now, task, job, node)),
            attempt: None,
            log: String::new(),
            checkpoint: self.checkpoint_view(task),
        })
    }

    fn leased_task(&self, now: Now, task: TaskId, leased: &Leased) -> LiveTask {
        let running = leased.running_since.is_some();
        let worker = self.workers.get(&leased.worker);
        let report = leased.report.as_deref();
        LiveTask {
            task,
            state: match running {
                true => TaskState::Running,
                false => TaskState::Assigned,
            },
            waits_for: (!running).then(|| self.waits_on_worker(now, task, leased)),
            attempt: Some(AttemptView {
                attempt: leased.lease.attempt,
                worker: Some(leased.worker),
                worker_name: worker.map(|w| w.name.clone()).unwrap_or_default(),
                started: leased.started,
                ended: None,
                failure: None,
                usage: None,
                status: report.map(|r| r.status.clone()).unwrap_or_default(),
                status_age_ms: report.map(|r| now.mono.since(r.at)),
            }),
            log: report.map(|r| r.log.text()).unwrap_or_default(),
            checkpoint: self.checkpoint_view(task),
        }
    }

    /// The workers that hold tasks of a job.
    pub fn job_workers(&self, now: Now, job: JobId) -> Vec<WorkerFreshness> {
        let mut running: BTreeMap<WorkerId, u32> = BTreeMap::new();
        for run in self.leases.of_job(job) {
            let ran = running.entry(run.leased.worker).or_default();
            *ran += run.leased.running_since.map_or(0, |_| run.count);
        }
        let views = running.into_iter().filter_map(|(id, running)| {
            let worker = self.workers.get(&id)?;
            Some(WorkerFreshness {
                worker: id,
                name: worker.name.clone(),
                age_ms: worker.heard.map_or(0, |heard| now.mono.since(heard)),
                running,
            })
        });
        views.collect()
    }

    /// Every worker that ever joined.
    pub fn worker_views(&self, now: Now) -> Vec<WorkerView> {
        let workers = self.workers.iter();
        workers.map(|(id, w)| worker_view(now, *id, w)).collect()
    }

    /// Sums over everything live.
    pub fn totals(&self) -> Totals {
        let up = || self.workers.values().filter(|w| w.registered().is_some());
        Totals {
            workers: up().count() as u32,
            slots: up().map(|w| w.slots).sum(),
            busy: up().map(|w| w.running.min(w.slots)).sum(),
            live_jobs: self.jobs.len() as u64,
            waiting_tasks: self.open_tasks - self.running_tasks,
            running_tasks: self.running_tasks,
        }
    }
}

fn worker_view(now: Now, id: WorkerId, worker: &Worker) -> WorkerView {
    let state = match worker.registered() {
        None => WorkerState::Gone,
        Some(_) if worker.suspect => WorkerState::Suspect,
        Some(_) if worker.draining && worker.leased == 0 => WorkerState::Drained,
        Some(_) if worker.draining => WorkerState::Draining,
        Some(_) => WorkerState::Up,
    };
    WorkerView {
        id,
        name: worker.name.clone(),
        state,
        version: worker.version.clone(),
        slots: worker.slots,
        running: worker.running,
        queued: worker.unstarted(),
        completed: worker.completed,
        executors_lost: worker.load.executors_lost,
        age_ms: worker.heard.map(|heard| now.mono.since(heard)),
        status_interval_ms: worker.request.status_interval_ms,
        connected: worker.session.filter(|s| s.registered).map(|s| s.since),
        offers: worker.offers.clone(),
    }
}
