//! Why a task waits, in a sentence for people.

use super::Primary;
use super::job::Job;
use super::leases::Leased;
use super::nodes::{Node, NodeState, ended};
use crate::clock::Now;
use wasmhost_proto::TaskId;
use wasmhost_proto::limits::MAX_QUEUE_SCAN;
use wasmhost_proto::plan::NodePlan;
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

/// Nodes that a sentence names.
const NAMED: usize = 3;

impl Job {
    /// What a node comes after that has not ended.
    fn waits_for_nodes(&self, plan: &NodePlan) -> String {
        let open = plan.after.iter().filter_map(|n| {
            let node = self.nodes.get(usize::from(*n))?;
            let name = &self.plan.nodes.get(usize::from(*n))?.name;
            (!node.is_over()).then_some((name, &node.durable))
        });
        let mut open = open.fuse();
        let named = open.by_ref().take(NAMED);
        let named = named.map(|(name, counts)| match counts.total - ended(counts) {
            0 => format!("node '{name}' is to come"),
            left => format!("node '{name}' has {} to go", tasks(left)),
        });
        let mut sentence = named.collect::<Vec<_>>().join(", ");
        match open.count() {
            0 => {}
            1 => sentence.push_str(", and 1 more node is to end"),
            n => sentence.push_str(&format!(", and {n} more nodes are to end")),
        }
        sentence
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
        match node.state {
            NodeState::Blocked => return job.waits_for_nodes(plan),
            NodeState::Preparing => {
                return "what it needs of the nodes before it is being put together".into();
            }
            NodeState::Ready => {}
        }
        if job.held {
            let away = self.awaited.iter().filter_map(|id| self.workers.get(id));
            let away: Vec<String> = away.map(|w| format!("'{}'", w.name)).collect();
            let names = away.join(", ");
            return format!(
                "the primary waits for worker {names} to come back after its own restart"
            );
        }
        if let Some(limit) = plan.concurrency.filter(|_| node.room() == 0) {
            let name = &plan.name;
            return format!(
                "{} of node '{name}' are on workers, as many as its concurrency allows",
                tasks(u64::from(limit))
            );
        }
        match job.group.and_then(|id| self.queue.groups().get(id)) {
            Some(group) if group.room() == 0 => {
                let whose = match &group.name {
                    Some(name) => format!("definition '{name}'"),
                    None => "the job".into(),
                };
                let on = tasks(group.leased);
                format!("{on} of {whose} are on workers, as many as its concurrency allows")
            }
            _ => self
                .lacks_worker(plan)
                .unwrap_or_else(|| self.waits_for_slot(task, node)),
        }
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
