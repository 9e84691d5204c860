//! One seat of the pool: its runs, what its executor was told and is to be told
//! next. Which seat a run gets is decided elsewhere.

use super::ipc::BATCH_BYTES;
use super::modules::Module;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmhost_proto::executor::{Run, RunId, RunScript, RunSpec, SpecId, ToExecutor};
use wasmhost_proto::limits::{EXECUTOR_KILL_MARGIN_MS, MAX_BATCH};
use wasmhost_proto::outcome::Failure;
use wasmhost_proto::wire::NodeSpec;
use wasmhost_proto::{Digest, Lease, TaskId};

/// Specs that an executor knows at once.
const MAX_SPECS: usize = 64;

/// A place for an executor process, which may be away just now.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) alive: bool,
    pub(super) outbox: VecDeque<ToExecutor>,
    /// In the order in which they begin.
    pub(super) runs: BTreeMap<RunId, Placed>,
    /// Modules its executor was told of, by path.
    pub(super) loaded: HashMap<Digest, PathBuf>,
    /// Specs its executor was told of, the latest one last.
    specs: VecDeque<(SpecId, Arc<NodeSpec>)>,
    pub(super) careful: bool,
    /// Times that it was asked for what has not begun, and has not answered.
    pub(super) asked: usize,
    /// Bytes of the runs that end the outbox, roughly.
    batch_bytes: usize,
}

/// A run on a seat.
pub(super) struct Placed {
    pub(super) task: TaskId,
    pub(super) lease: Lease,
    pub(super) spec: Arc<NodeSpec>,
    /// A file whose content the executor still waits for.
    pub(super) input: Option<PathBuf>,
    /// The executor has said that it began.
    pub(super) begun: bool,
    /// When the executor must have ended it, once it can have begun.
    pub(super) due: Option<Instant>,
    pub(super) killed: bool,
    /// Why the supervisor stopped it; counts more than what its executor says.
    pub(super) verdict: Option<Box<Failure>>,
    pub(super) log_bytes: usize,
}

impl Placed {
    /// The executor is told to end it, and has a margin for that.
    pub(super) fn kill(&mut self) {
        if !self.killed {
            self.killed = true;
            self.due = Some(margin(0));
        }
    }
}

fn margin(wall_ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(wall_ms.saturating_add(EXECUTOR_KILL_MARGIN_MS))
}

impl Seat {
    /// Tells the executor of a module, unless it knows it.
    pub(super) fn load(&mut self, digest: Digest, module: &Module) {
        if self.loaded.get(&digest) != Some(&module.path) {
            self.loaded.insert(digest, module.path.clone());
            self.outbox.push_back(ToExecutor::Load {
                digest,
                kind: module.kind,
                path: module.path.to_string_lossy().into_owned(),
            });
        }
    }

    /// The number under which the executor knows the spec; it is told first.
    pub(super) fn spec(&mut self, spec: &Arc<NodeSpec>, script: Option<&str>) -> SpecId {
        let known = self.specs.iter().rev().find(|(_, s)| Arc::ptr_eq(s, spec));
        if let Some((id, _)) = known {
            return *id;
        }
        let id = match self.specs.len() {
            len if len < MAX_SPECS => len as SpecId,
            // The executor has what waits under the old meaning by then.
            _ => self.specs.pop_front().map_or(0, |(id, _)| id),
        };
        self.specs.push_back((id, spec.clone()));
        let wire = RunSpec {
            module: spec.module,
            job: spec.job,
            node: spec.node,
            name: spec.name.clone(),
            count: spec.count,
            limits: spec.limits,
            driver: spec.driver,
            collect: spec
                .files
                .as_ref()
                .map_or(Vec::new(), |files| files.collect.clone()),
            network: (spec.grants.as_ref()).is_some_and(|grants| !grants.network.is_empty()),
            script: spec.script.as_ref().map(|of| RunScript {
                name: of.name.clone(),
                source: script.unwrap_or_default().to_owned(),
            }),
        };
        self.outbox.push_back(ToExecutor::Spec(id, Box::new(wire)));
        id
    }

    /// Adds a run to the latest message, or to a new one.
    pub(super) fn order(&mut self, run: Run) {
        let texts = |(k, v): &(String, String)| k.len() + v.len() + 8;
        let args: usize = run.args.iter().map(|arg| arg.len() + 4).sum();
        let named = run.env.iter().chain(&run.config).map(texts);
        let bytes = 64 + run.input.len() + args + named.sum::<usize>();
        match self.outbox.back_mut() {
            Some(ToExecutor::Runs(runs))
                if runs.len() < MAX_BATCH && self.batch_bytes + bytes <= BATCH_BYTES =>
            {
                self.batch_bytes += bytes;
                runs.push(run);
            }
            _ => {
                self.batch_bytes = bytes;
                self.outbox.push_back(ToExecutor::Runs(vec![run]));
            }
        }
    }

    /// Somebody must answer for what its executor did: the first of its runs, unless it
    /// is known which have begun. Without that, runs could go round for ever.
    pub(super) fn blame(&mut self) {
        let any_begun = self.runs.values().any(|run| run.begun);
        if let Some(mut first) = self.runs.first_entry().filter(|_| !any_begun) {
            first.get_mut().begun = true;
        }
    }

    /// Gives the runs that have begun, or can have, the time that they have.
    pub(super) fn set_due(&mut self, share: usize) {
        // Drivers begin beside the others.
        let drivers = self.runs.values().filter(|run| run.spec.driver).count();
        for run in self.runs.values_mut().take(share + drivers) {
            if run.due.is_none() && run.input.is_none() {
                run.due = Some(margin(run.spec.limits.wall_ms));
            }
        }
    }

    /// Its executor is gone: returns the runs that it leaves behind. One that never came
    /// up, or said of each run that it begins, can have fallen only over the first.
    pub(super) fn clear(&mut self) -> BTreeMap<RunId, Placed> {
        if self.careful || !self.alive {
            self.blame();
        }
        std::mem::take(self).runs
    }
}
