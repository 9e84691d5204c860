//! The primary's own driver: a job of its own that lives as long as the primary, and is
//! started anew when its driver ends. Knows nothing of what clients ask of it: that is
//! in `requests`.

use super::Primary;
use super::job::Job;
use super::nodes::{Known, ended};
use super::timers::Timer;
use crate::clock::{Mono, Now};
use std::sync::Arc;
use wasmhost_proto::limits::{MAX_SERVE_BACKOFF_MS, SERVE_BACKOFF_MS, SERVED_WELL_MS};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

/// Far past the longest wait.
const MOST_DOUBLED: u32 = 20;

/// What serves requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    /// What it runs; none when this primary has no driver.
    pub(super) plan: Option<Arc<JobPlan>>,
    /// It was said whether there is a driver: before that nobody is told that he is not it.
    pub(super) decided: bool,
    /// The job that is given requests; none between two.
    pub(super) job: Option<JobId>,
    since: Mono,
    /// Ends that came soon, in a row.
    soon: u32,
    /// When the next one starts.
    due: Option<Mono>,
}

impl Job {
    /// The task that starts others, of a job that serves.
    pub(super) fn server(&self) -> Option<TaskId> {
        let node = self.plan.nodes.iter().position(|node| node.driver)?;
        self.plan.serves.then_some(TaskId {
            job: self.record.id,
            node: node as NodeIndex,
            index: 0,
        })
    }

    /// Whether its driver can be given requests: it runs, or will.
    fn can_serve(&self) -> bool {
        let Some(server) = self.server().filter(|_| !self.is_stopping()) else {
            return false;
        };
        let node = &self.nodes[usize::from(server.node)];
        node.known == Known::No || ended(&node.counts) < node.counts.total
    }
}

impl Primary {
    /// The job that its driver runs as; none between two starts, and without a driver.
    pub fn serving_job(&self) -> Option<JobId> {
        self.serving.job
    }

    /// Says what the primary's driver runs from now on. A live job of the same plan goes
    /// on; one of another plan is given no more requests.
    pub(super) fn serve(&mut self, now: Now, plan: Option<Box<JobPlan>>) {
        self.serving.plan = plan.map(Arc::from);
        self.serving.decided = true;
        if let Some(due) = self.serving.due.take() {
            self.timers.clear(due, Timer::Serve);
        }
        let plan = self.serving.plan.as_deref();
        let same = |job: &&Job| plan.is_some_and(|plan| *plan == *job.plan);
        let jobs = self.jobs.values().rev().map(|job| &**job);
        let mut able = jobs.filter(|job| job.can_serve());
        self.serving.job = able.find(same).map(|job| job.record.id);
        self.serving.since = now.mono;
        self.serving.soon = 0;
        self.serve_anew(now);
        self.offer_to_all(now);
    }

    /// Starts a job for the driver, unless one runs.
    pub(super) fn serve_anew(&mut self, now: Now) {
        self.serving.due = None;
        if let (None, Some(plan)) = (self.serving.job, self.serving.plan.clone()) {
            self.serving.job = Some(self.admit(now, plan, None));
            self.serving.since = now.mono;
        }
    }

    /// Part of settling a job: starts the driver again, after a while, if this was it and
    /// it is over.
    pub(super) fn note_server(&mut self, now: Now, id: JobId) {
        let live = self.jobs.get(&id);
        if self.serving.job != Some(id) || live.is_some_and(|job| job.can_serve()) {
            return;
        }
        self.serving.job = None;
        let soon = now.mono.since(self.serving.since) < SERVED_WELL_MS;
        self.serving.soon = if soon { self.serving.soon + 1 } else { 1 };
        let doubled = SERVE_BACKOFF_MS << (self.serving.soon - 1).min(MOST_DOUBLED);
        let wait = doubled.min(MAX_SERVE_BACKOFF_MS);
        let due = now.mono.after(wait);
        self.serving.due = Some(due);
        self.timers.set(due, Timer::Serve);
        self.offer(now, id);
    }
}
