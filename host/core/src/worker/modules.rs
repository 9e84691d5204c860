//! Modules on this worker, and the leases that wait for each.

use super::{Effect, Key, Worker};
use crate::clock::{Mono, Now};
use crate::rng::backoff_ms;
use std::collections::VecDeque;
use std::sync::Arc;
use wasmhost_proto::limits::{MODULE_BACKOFF_MS, MODULE_TRIES};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::{AssignRun, ModuleState, NodeSpec, ToPrimary};
use wasmhost_proto::{Digest, JobId, TaskId};

/// The longest wait between two tries to get a module, milliseconds.
const LONGEST_BACKOFF_MS: u64 = MODULE_BACKOFF_MS << MODULE_TRIES;

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
    pub(super) queue: VecDeque<Queued>,
}

impl Worker {
    /// Has the module of a node fetched and compiled, unless that is under way.
    pub(super) fn need_module(&mut self, now: Now, spec: &Arc<NodeSpec>) {
        if self.modules.contains_key(&spec.module) {
            return;
        }
        let module = Module {
            stage: Stage::Fetching,
            tries: 0,
            spec: spec.clone(),
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

    /// The job has ended: its nodes, and modules that no other node needs, can go.
    pub(super) fn forget(&mut self, job: JobId) {
        self.specs.retain(|(of, _), _| *of != job);
        let specs = &self.specs;
        self.modules.retain(|digest, module| {
            !module.queue.is_empty() || specs.values().any(|spec| spec.module == *digest)
        });
    }
}
