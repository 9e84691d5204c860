//! Modules on this worker, and the leases that wait for each.

use super::{Effect, Key, Worker};
use crate::clock::{Mono, Now};
use crate::rng::backoff_ms;
use std::collections::VecDeque;
use std::sync::Arc;
use wasmhost_proto::limits::{MAX_LOADED_MODULES, MODULE_BACKOFF_MS, MODULE_TRIES};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::{AssignRun, ModuleState, NodeSpec, ToPrimary};
use wasmhost_proto::{Digest, JobId, NodeIndex, TaskId};

/// The longest wait between two tries to get a module, milliseconds.
const LONGEST_BACKOFF_MS: u64 = MODULE_BACKOFF_MS << MODULE_TRIES;

/// Modules above which those that no job needs go, one for each that comes. Less
/// than the executors hold.
const KEEP_MODULES: usize = MAX_LOADED_MODULES / 4;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Fetching,
    Compiling,
    Ready,
    Rejected(String),
    /// Could not be had; tried again then.
    Waiting(Mono),
}

/// Leases that have not started, of one assignment.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    /// Grows with each: leases start in order of arrival, as far as modules allow.
    pub(super) order: u64,
    pub(super) spec: Arc<NodeSpec>,
    /// Never empty.
    pub(super) run: AssignRun,
}

/// The leases of a run.
pub(super) fn keys(run: &AssignRun) -> impl Iterator<Item = Key> + use<> {
    let (job, node, lease, first) = (run.job, run.node, run.lease, run.first);
    let indexes = first..first.saturating_add(run.count());
    indexes.map(move |index| (TaskId { job, node, index }, lease))
}

#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) stage: Stage,
    tries: u32,
    spec: Arc<NodeSpec>,
    /// Nodes of this session that name it.
    nodes: u32,
    /// The order of its last use.
    used: u64,
    pub(super) queue: VecDeque<Queued>,
}

impl Module {
    /// Whether it may go: nothing waits for it, and no node names it.
    fn is_idle(&self) -> bool {
        self.nodes == 0 && self.queue.is_empty()
    }
}

impl Worker {
    /// Has the module of a node fetched and compiled, unless that is under way.
    pub(super) fn need_module(&mut self, now: Now, spec: &Arc<NodeSpec>) {
        self.last_order += 1;
        if let Some(module) = self.modules.get_mut(&spec.module) {
            module.used = self.last_order;
            return;
        }
        let nodes = self.specs.values();
        let module = Module {
            stage: Stage::Fetching,
            tries: 0,
            spec: spec.clone(),
            nodes: nodes.filter(|of| of.module == spec.module).count() as u32,
            used: self.last_order,
            queue: VecDeque::new(),
        };
        self.modules.insert(spec.module, module);
        self.effects
            .push_back(Effect::Prepare { spec: spec.clone() });
        self.tell_module(now, spec.module, ModuleState::Fetching);
    }

    fn tell_module(&mut self, now: Now, digest: Digest, state: ModuleState) {
        self.send(now, ToPrimary::Module { digest, state });
    }

    /// Tells a new session what became of modules.
    pub(super) fn tell_modules(&mut self, now: Now) {
        let states = self.modules.iter().map(|(digest, module)| {
            let state = match &module.stage {
                Stage::Fetching | Stage::Waiting(_) => ModuleState::Fetching,
                Stage::Compiling => ModuleState::Compiling,
                Stage::Ready => ModuleState::Ready,
                Stage::Rejected(why) => ModuleState::Rejected(why.clone()),
            };
            (*digest, state)
        });
        for (digest, state) in states.collect::<Vec<_>>() {
            self.tell_module(now, digest, state);
        }
    }

    pub(super) fn module_compiling(&mut self, now: Now, digest: Digest) {
        if let Some(module) = self.modules.get_mut(&digest) {
            module.stage = Stage::Compiling;
            self.tell_module(now, digest, ModuleState::Compiling);
        }
    }

    pub(super) fn module_ready(&mut self, now: Now, digest: Digest) {
        if let Some(module) = self.modules.get_mut(&digest) {
            module.stage = Stage::Ready;
            module.tries = 0;
            self.tell_module(now, digest, ModuleState::Ready);
        }
    }

    pub(super) fn module_rejected(&mut self, now: Now, digest: Digest, why: String) {
        let Some(module) = self.modules.get_mut(&digest) else {
            return;
        };
        module.stage = Stage::Rejected(why.clone());
        self.tell_module(now, digest, ModuleState::Rejected(why.clone()));
        self.fail_waiting(now, digest, FailureKind::ModuleRejected, &why);
    }

    pub(super) fn module_unavailable(&mut self, now: Now, digest: Digest, why: &str) {
        let Some(module) = self.modules.get_mut(&digest) else {
            return;
        };
        module.tries += 1;
        if module.tries >= MODULE_TRIES {
            let why = format!("its module could not be had: {why}");
            self.fail_waiting(now, digest, FailureKind::HostFault, &why);
            // The next lease that needs it begins anew.
            self.modules.remove(&digest);
            return;
        }
        let n = module.tries;
        let wait = backoff_ms(&mut self.rng, n, MODULE_BACKOFF_MS, LONGEST_BACKOFF_MS);
        module.stage = Stage::Waiting(now.mono.after(wait));
    }

    fn fail_waiting(&mut self, now: Now, digest: Digest, kind: FailureKind, why: &str) {
        let module = self.modules.get_mut(&digest);
        let waiting = module
            .map(|m| std::mem::take(&mut m.queue))
            .unwrap_or_default();
        for key in waiting.iter().flat_map(|queued| keys(&queued.run)) {
            self.queued -= 1;
            self.end_unstarted(now, key, Failure::new(kind, why));
        }
    }

    /// Tries modules again whose wait is over.
    pub(super) fn retry_modules(&mut self, now: Now) {
        for module in self.modules.values_mut() {
            if matches!(module.stage, Stage::Waiting(at) if at <= now.mono) {
                module.stage = Stage::Fetching;
                let spec = module.spec.clone();
                self.effects.push_back(Effect::Prepare { spec });
            }
        }
    }

    pub(super) fn next_module_retry(&self) -> Option<Mono> {
        let waits = self.modules.values().filter_map(|m| match m.stage {
            Stage::Waiting(at) => Some(at),
            _ => None,
        });
        waits.min()
    }

    /// The primary tells of a node.
    pub(super) fn know(&mut self, now: Now, spec: NodeSpec) {
        let spec = Arc::new(spec);
        self.need_module(now, &spec);
        let (digest, key) = (spec.module, (spec.job, spec.node));
        let before = self.specs.insert(key, spec);
        if let Some(module) = self.modules.get_mut(&digest) {
            module.nodes += 1;
        }
        self.release(before);
    }

    /// A new session tells of all nodes anew.
    pub(super) fn forget_all(&mut self) {
        self.specs.clear();
        self.modules
            .values_mut()
            .for_each(|module| module.nodes = 0);
    }

    /// The job has ended: its nodes can go. Modules that are ready stay for the next
    /// job, as many as [`KEEP_MODULES`]: the same ones come again and again.
    pub(super) fn forget(&mut self, job: JobId) {
        let nodes = (job, NodeIndex::MIN)..=(job, NodeIndex::MAX);
        let gone: Vec<_> = self.specs.extract_if(nodes, |_, _| true).collect();
        self.release(gone.into_iter().map(|(_, spec)| spec));
    }

    fn release(&mut self, gone: impl IntoIterator<Item = Arc<NodeSpec>>) {
        for digest in gone.into_iter().map(|spec| spec.module) {
            let Some(module) = self.modules.get_mut(&digest) else {
                continue;
            };
            module.nodes = module.nodes.saturating_sub(1);
            if module.is_idle() && module.stage != Stage::Ready {
                self.modules.remove(&digest);
            }
        }
        if self.modules.len() > KEEP_MODULES {
            let idle = self.modules.iter().filter(|(_, m)| m.is_idle());
            let oldest = idle.min_by_key(|(_, m)| m.used).map(|(digest, _)| *digest);
            oldest.and_then(|digest| self.modules.remove(&digest));
        }
    }

    /// A module that was ready is not there any more: it is prepared again.
    pub(super) fn module_lost(&mut self, now: Now, digest: Digest) {
        let Some(module) = self.modules.get_mut(&digest) else {
            return;
        };
        if module.is_idle() {
            self.modules.remove(&digest);
        } else if module.stage == Stage::Ready {
            module.stage = Stage::Fetching;
            let spec = module.spec.clone();
            self.effects.push_back(Effect::Prepare { spec });
            self.tell_module(now, digest, ModuleState::Fetching);
        }
    }
}
