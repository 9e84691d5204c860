//! Which worker may be given what: nothing that asks for more memory than it offers, or
//! for files or something outside its sandbox that it does not, and no module that it has rejected,
//! as long as another worker has not. Costs nothing where
//! every worker takes everything; of the others, the *picky* ones, each is looked at by
//! itself.

use super::Primary;
use super::workers::Worker;
use wasmhost_proto::grants::Grants;
use wasmhost_proto::limits::{MAX_KNOWN_REACHES, MAX_QUEUE_SCAN};
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::wire::ModuleState;
use wasmhost_proto::{Digest, JobId, NodeIndex, WorkerId};

/// Runs of a laden worker that a picky one must be able to take before they are taken back
/// for it.
const LOOKED_AT: usize = 256;

/// The scratch that a node's attempts need, bytes.
pub(super) fn room(node: &NodePlan) -> u64 {
    node.files.as_ref().map_or(0, |files| files.room())
}

impl Worker {
    /// Whether it offers so much memory. One that says nothing is taken to have enough.
    pub(super) fn offers(&self, memory: u64) -> bool {
        self.memory == 0 || memory <= self.memory
    }

    /// Whether it has what a node asks for.
    fn has_for(&self, node: &NodePlan) -> bool {
        let grants = node.grants.as_deref();
        self.offers(node.limits.memory)
            && room(node) <= self.scratch
            && grants.is_none_or(|asked| self.offers.lack(asked).is_none())
    }

    /// What became of a module on it.
    pub(super) fn note_module(&mut self, digest: Digest, state: ModuleState) {
        match state {
            ModuleState::Rejected(_) => self.rejected.insert(digest),
            _ => self.rejected.remove(&digest),
        };
        self.modules.insert(digest, state);
    }
}

impl Primary {
    /// A worker's offer has changed, or what is asked for: whether it takes everything.
    pub(super) fn note_picky(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        match self.takes_all(worker) {
            true => self.lists.picky.remove(&id),
            false => self.lists.picky.insert(id),
        };
        // What no worker could be given may find one now.
        self.queue.note_growth();
    }

    /// Whether a worker can be given whatever live jobs ask for.
    pub(super) fn takes_all(&self, worker: &Worker) -> bool {
        worker.rejected.is_empty()
            && worker.offers(self.most_memory)
            && self.most_scratch <= worker.scratch
            && self.most_grants.network.len() < MAX_KNOWN_REACHES
            && worker.offers.lack(&self.most_grants).is_none()
    }

    /// A job has come, which may ask for more than those before.
    pub(super) fn note_asked(&mut self, plan: &JobPlan) {
        let mut more = false;
        for node in &plan.nodes {
            if node.limits.memory > self.most_memory {
                self.most_memory = node.limits.memory;
                more = true;
            }
            if room(node) > self.most_scratch {
                self.most_scratch = room(node);
                more = true;
            }
            if let Some(grants) = &node.grants
                && self.most_grants.network.len() < MAX_KNOWN_REACHES
                && self.most_grants.lack(grants).is_some()
            {
                self.most_grants.add(grants);
                more = true;
            }
        }
        if more {
            let all: Vec<WorkerId> = self.workers.keys().copied().collect();
            all.into_iter().for_each(|id| self.note_picky(id));
        }
    }

    /// A job has gone: once none is left, nothing is asked for.
    pub(super) fn forget_asked(&mut self) {
        if self.jobs.is_empty() && !self.lists.picky.is_empty() {
            self.most_memory = 0;
            self.most_scratch = 0;
            self.most_grants = Grants::default();
            let all: Vec<WorkerId> = self.lists.picky.iter().copied().collect();
            all.into_iter().for_each(|id| self.note_picky(id));
        }
    }

    /// Whether a node may be given to a worker.
    fn suits(&self, worker: &Worker, node: &NodePlan) -> bool {
        let others = || {
            let takers = self.lists.takers.iter();
            takers.filter_map(|id| self.workers.get(id))
        };
        // What everybody rejects is given to somebody, who says so.
        let rejected = worker.rejected.contains(&node.module)
            && others().any(|other| !other.rejected.contains(&node.module) && other.has_for(node));
        worker.has_for(node) && !rejected
    }

    /// The first task in order that a picky worker may be given. When there is none, it is
    /// not looked for again until something has come.
    pub(super) fn head_for(&mut self, id: WorkerId) -> Option<(JobId, NodeIndex)> {
        let growth = self.queue.growth();
        let worker = self.workers.get(&id)?;
        if worker.fruitless == Some(growth) {
            return None;
        }
        let jobs = self.queue.order().take(MAX_QUEUE_SCAN);
        let found = jobs.into_iter().find_map(|id| {
            let job = self.jobs.get(&id)?;
            let mut open = job.open_nodes();
            let node = open.find(|n| self.suits(worker, &job.plan.nodes[usize::from(*n)]))?;
            Some((id, node))
        });
        if found.is_none()
            && let Some(worker) = self.workers.get_mut(&id)
        {
            worker.fruitless = Some(growth);
        }
        found
    }

    /// Whether an idle worker could do with what a laden one has not started.
    pub(super) fn could_take(&self, idle: WorkerId, laden: WorkerId) -> bool {
        let Some(worker) = self.workers.get(&idle) else {
            return false;
        };
        if !self.lists.picky.contains(&idle) {
            return true;
        }
        let runs = self.leases.of_worker(laden);
        let unstarted = runs.filter(|run| run.leased.running_since.is_none());
        unstarted.take(LOOKED_AT).all(|run| {
            let job = self.jobs.get(&run.first.job);
            let node = job.and_then(|job| job.plan.nodes.get(usize::from(run.first.node)));
            node.is_some_and(|node| self.suits(worker, node))
        })
    }

    /// Why no worker that takes work may be given a node; none when one may.
    pub(super) fn lacks_worker(&self, node: &NodePlan) -> Option<String> {
        let takers = || {
            let takers = self.lists.takers.iter();
            takers.filter_map(|id| self.workers.get(id))
        };
        if takers().any(|worker| self.suits(worker, node)) {
            return None;
        }
        let lacking = |worker: &Worker| {
            let (kind, name) = worker.offers.lack(node.grants.as_deref()?)?;
            Some(format!("{kind} '{name}'"))
        };
        let lacks = takers().map(lacking).collect::<Option<Vec<_>>>();
        if let Some(what) = lacks.as_deref().and_then(<[_]>::first) {
            return Some(format!(
                "it asks for the {what}, which no worker offers that takes work"
            ));
        }
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let scratch = takers().max_by_key(|worker| worker.scratch)?;
        if room(node) > scratch.scratch {
            return Some(match scratch.scratch {
                0 => "it has files, which no worker offers that takes work".to_owned(),
                most => format!(
                    "it asks for {} MiB of scratch, and of the workers that take work '{}' offers most, {} MiB",
                    mib(room(node)),
                    scratch.name,
                    mib(most)
                ),
            });
        }
        let most = takers().max_by_key(|worker| worker.memory)?;
        Some(format!(
            "it may use {} MiB of memory, and of the workers that take work '{}' offers most, {} MiB",
            mib(node.limits.memory),
            most.name,
            mib(most.memory)
        ))
    }
}
