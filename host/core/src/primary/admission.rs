//! Whether any worker that takes work could ever run a plan: a look at what workers said
//! of themselves when they came. One that drains, has fallen silent or is gone does not
//! count. Changes nothing, and promises nothing: workers come and go.

use super::Primary;
use super::placing::room;
use super::workers::Worker;
use std::collections::BTreeSet;
use wasmhost_proto::Digest;
use wasmhost_proto::grants::GrantKind;
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::wire::ModuleState;

/// A node that no worker which takes work could run: each lacks memory or files for it, or something
/// that it asks for, or rejected its module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    /// The node's name.
    pub node: String,
    /// Bytes of memory that an attempt of it may use.
    pub asked: u64,
    /// Of the workers that lack memory, the one with most: its name and the bytes that
    /// it offers.
    pub memory: Option<(String, u64)>,
    /// Bytes of scratch that an attempt of it needs; 0 when it has no files.
    pub room: u64,
    /// Of the workers that lack scratch, the one with most: its name and the bytes that
    /// it offers, 0 for no files at all.
    pub scratch: Option<(String, u64)>,
    /// One that rejected the module: its name, and why.
    pub rejected: Option<(String, String)>,
    /// What it asks for and one does not offer, and that worker's name.
    pub lacks: Option<(GrantKind, String, String)>,
}

/// Why a worker cannot run a node.
enum Lack<'a> {
    Memory,
    Scratch,
    Module(&'a str),
    Grant(GrantKind, String),
}

impl Worker {
    fn lacks<'a>(&'a self, node: &'a NodePlan) -> Option<Lack<'a>> {
        if let Some(ModuleState::Rejected(why)) = self.modules.get(&node.module) {
            return Some(Lack::Module(why));
        }
        let asked = node.grants.as_deref();
        if let Some((kind, name)) = asked.and_then(|asked| self.offers.lack(asked)) {
            return Some(Lack::Grant(kind, name));
        }
        if room(node) > self.scratch {
            return Some(Lack::Scratch);
        }
        (!self.offers(node.limits.memory)).then_some(Lack::Memory)
    }
}

impl Primary {
    /// The nodes of a plan that no worker could run which takes work, up to `max` of them.
    /// None while there is no such worker: the first to come may have everything.
    pub fn unfit(&self, plan: &JobPlan, max: usize) -> Vec<Unfit> {
        let takers = || self.workers.values().filter(|w| w.takes_work());
        if takers().next().is_none() {
            return Vec::new();
        }
        // Nodes that ask for the same are looked at once.
        let mut fit: BTreeSet<(Digest, u64)> = BTreeSet::new();
        let mut unfit = Vec::new();
        for node in &plan.nodes {
            if unfit.len() == max {
                break;
            }
            let asked = (node.module, node.limits.memory);
            if fit.contains(&asked) && node.grants.is_none() && node.files.is_none() {
                continue;
            }
            let mut found = Unfit {
                node: node.name.clone(),
                asked: node.limits.memory,
                memory: None,
                room: room(node),
                scratch: None,
                rejected: None,
                lacks: None,
            };
            match takers().all(|worker| found.note(worker, node)) {
                true => unfit.push(found),
                false => drop(fit.insert(asked)),
            }
        }
        unfit
    }

    /// The names of workers that take work and offer something, up to `max`.
    pub fn offering(&self, kind: GrantKind, name: &str, max: usize) -> Vec<String> {
        let takers = self.workers.values().filter(|w| w.takes_work());
        let offering = takers.filter(|worker| worker.offers.has(kind, name));
        offering
            .take(max)
            .map(|worker| worker.name.clone())
            .collect()
    }
}

impl Unfit {
    /// Notes what a worker lacks. Whether it lacks anything.
    fn note(&mut self, worker: &Worker, node: &NodePlan) -> bool {
        match worker.lacks(node) {
            None => return false,
            Some(Lack::Memory) => {
                let most = self.memory.as_ref().is_none_or(|(_, m)| worker.memory > *m);
                if most {
                    self.memory = Some((worker.name.clone(), worker.memory));
                }
            }
            Some(Lack::Scratch) => {
                let most = self
                    .scratch
                    .as_ref()
                    .is_none_or(|(_, s)| worker.scratch > *s);
                if most {
                    self.scratch = Some((worker.name.clone(), worker.scratch));
                }
            }
            Some(Lack::Module(why)) => {
                let rejected = || (worker.name.clone(), why.to_owned());
                self.rejected.get_or_insert_with(rejected);
            }
            Some(Lack::Grant(kind, name)) => {
                let lacks = || (kind, name, worker.name.clone());
                self.lacks.get_or_insert_with(lacks);
            }
        }
        true
    }
}
