//! Why a task waits, in a sentence for people.

use super::Primary;
use super::jobs::Job;
use super::leases::Leased;
use super::nodes::{Node, NodeState, ended};
use crate::clock::Now;
use wasmhost_proto::TaskId;
use wasmhost_proto::limits::MAX_QUEUE_SCAN;
use wasmhost_proto::plan::NodeInput;
use wasmhost_proto::wire::ModuleState;

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn tasks(n: u64) -> String {
    match n {
        1 => "1 task".into(),
        n => format!("{n} tasks"),
    }
}

impl Primary {
    /// Of a task that is on no worker.
    pub(super) fn waits_for(&self, now: Now, task: TaskId, job: &Job, node: &Node) -> String {
        let plan = &job.plan.nodes[usize::from(task.node)];
        if let Some(backoff) = node.backing_off.get(&task.index) {
            let (n, of) = backoff.retry;
            let wait = seconds(backoff.due.since(now.mono));
            let kind = backoff.kind.name().replace('_', " ");
            return format!(
                "retry {n} of {of} in {wait} after {kind}: {}",
                backoff.message
            );
        }
        if job.durable.is_none() {
            return "the job is being stored".into();
        }
        match (node.state, &plan.input) {
            (NodeState::Blocked, _) => {
                let before = plan.after.iter().filter_map(|n| {
                    let counts = &job.nodes.get(usize::from(*n))?.durable;
                    let left = counts.total - ended(counts);
                    let name = &job.plan.nodes.get(usize::from(*n))?.name;
                    (left > 0).then(|| format!("node '{name}' has {} to go", tasks(left)))
                });
                let before: Vec<String> = before.collect();
                return before.join(", ");
            }
            (NodeState::Gathering, NodeInput::Gather(from)) => {
                let from = job.plan.nodes.get(usize::from(*from));
                let name = from.map_or("", |n| n.name.as_str());
                return format!("the results of node '{name}' are being put together");
            }
            (NodeState::Gathering | NodeState::Ready, _) => {}
        }
        if job.held {
            let away = self.awaited.iter().filter_map(|id| self.workers.get(id));
            let away: Vec<String> = away.map(|w| format!("'{}'", w.name)).collect();
            let names = away.join(", ");
            return format!(
                "the primary waits for worker {names} to come back after its own restart"
            );
        }
        self.waits_for_slot(task, node)
    }

    fn waits_for_slot(&self, task: TaskId, node: &Node) -> String {
        let up = || self.workers.values().filter(|w| w.registered().is_some());
        if up().next().is_none() {
            return "no worker is connected".into();
        }
        if up().all(|w| !w.takes_work()) {
            let suspects = up().filter(|w| w.suspect).count();
            return match suspects {
                0 => "every connected worker is draining".into(),
                _ => "no connected worker takes work: they are silent or draining".into(),
            };
        }
        let slots: u32 = up().filter(|w| w.takes_work()).map(|w| w.slots).sum();
        let ahead = self.queue.ahead_of(task.job, MAX_QUEUE_SCAN);
        let ahead = ahead + node.waiting.count_below(task.index);
        let slots = match slots {
            1 => "the only slot is busy".to_owned(),
            n => format!("all {n} slots are busy"),
        };
        match ahead {
            0 => format!("{slots}; it is next"),
            1 => format!("{slots}; 1 task is ahead of it"),
            n => format!("{slots}; {n} tasks are ahead of it"),
        }
    }

    /// Of a task that a worker has and does not run yet.
    pub(super) fn waits_on_worker(&self, now: Now, task: TaskId, leased: &Leased) -> String {
        let Some(worker) = self.workers.get(&leased.worker) else {
            return "its worker is unknown".into();
        };
        let name = &worker.name;
        let silent_ms = worker.heard.map_or(0, |heard| now.mono.since(heard));
        if worker.registered().is_none() || worker.suspect {
            let silent = seconds(silent_ms);
            return format!("on worker '{name}', which was last heard {silent} ago");
        }
        let job = self.jobs.get(&task.job);
        let plan = job.and_then(|job| job.plan.nodes.get(usize::from(task.node)));
        match plan.and_then(|plan| worker.modules.get(&plan.module)) {
            Some(ModuleState::Fetching) => format!("on worker '{name}', which fetches its module"),
            Some(ModuleState::Compiling) => {
                format!("on worker '{name}', which compiles its module")
            }
            Some(ModuleState::Rejected(why)) => {
                format!("on worker '{name}', which rejected its module: {why}")
            }
            Some(ModuleState::Ready) | None if worker.running >= worker.slots => {
                format!(
                    "on worker '{name}', whose slots are busy: {} running",
                    worker.running
                )
            }
            Some(ModuleState::Ready) | None => format!("on worker '{name}', about to start"),
        }
    }
}
