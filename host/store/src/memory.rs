//! The store in memory: for tests and simulation. It forgets everything when it
//! is dropped, and otherwise keeps the whole contract of [`Store`].

mod data;
mod definitions;

use self::data::Data;
use self::definitions::Definitions;
use crate::recover::{Charge, assemble, end_of};
use crate::{Store, StoreError, named};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{
    AttemptRecord, DefinitionHead, DefinitionRecord, JobRecord, LibraryRecord, ModuleRecord,
    OutcomeRecord, OutputRecord, RecoveredData, RecoveredJob, RequestRecord, SpawnRecord,
    TokenRecord, WorkerRecord, Write,
};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Digest, JobId, NodeIndex, TaskId, TokenId, WorkerId};

/// A [`Store`] that lives as long as its value.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    term: u64,
    jobs: BTreeMap<JobId, JobRecord>,
    plans: BTreeMap<JobId, JobPlan>,
    keys: BTreeMap<String, JobId>,
    outcomes: BTreeMap<TaskId, OutcomeRecord>,
    attempts: BTreeMap<(TaskId, u32, u64), AttemptRecord>,
    prepared: BTreeMap<(JobId, NodeIndex), PreparedRecord>,
    spawned: BTreeMap<TaskId, SpawnRecord>,
    requests: BTreeMap<String, RequestRecord>,
    workers: BTreeMap<WorkerId, WorkerRecord>,
    modules: BTreeMap<Digest, ModuleRecord>,
    libraries: BTreeMap<String, LibraryRecord>,
    tokens: BTreeMap<TokenId, TokenRecord>,
    definitions: Definitions,
    data: Data,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// No change can panic half-way, so a poisoned lock still guards whole tables.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn apply(&mut self, write: &Write) {
        match write {
            Write::Plan(job, plan) => {
                self.plans.insert(*job, (**plan).clone());
            }
            Write::Job(job) => {
                let new = self.jobs.insert(job.id, (**job).clone()).is_none();
                if let (true, Some(key)) = (new, &job.idempotency_key) {
                    self.keys.insert(key.clone(), job.id);
                }
            }
            Write::Outcome(task, outcome) => {
                self.outcomes.insert(*task, outcome.clone());
            }
            Write::RemoveOutcome(task) => {
                self.outcomes.remove(task);
            }
            Write::Attempt(task, attempt) => {
                let key = (*task, attempt.lease.attempt, attempt.lease.term);
                self.attempts.insert(key, (**attempt).clone());
            }
            Write::Prepared(job, node, record) => {
                self.prepared.insert((*job, *node), record.clone());
            }
            Write::Spawned(task, record) => {
                self.spawned.insert(*task, (**record).clone());
            }
            Write::Request(record) => {
                self.requests.insert(record.key.clone(), (**record).clone());
            }
            Write::RemovePrepared(job, node) => {
                self.prepared.remove(&(*job, *node));
            }
            Write::Data(write) => self.data.put(write),
            Write::DataCall(task, record) => {
                self.data.calls.insert(*task, (**record).clone());
            }
            Write::RemoveDataCall(task) => {
                self.data.calls.remove(task);
            }
            Write::RemoveJobData(job) => self.data.remove_job(*job),
            Write::Checkpoint(task, record) => {
                self.data.checkpoints.insert(*task, (**record).clone());
            }
            Write::RemoveCheckpoint(task) => {
                self.data.checkpoints.remove(task);
            }
            Write::Output(task, number, record) => {
                let record = (**record).clone();
                self.data.outputs.insert((*task, *number), record);
            }
            Write::OutputPart(task, number, part, content) => {
                let content = (**content).clone();
                self.data.parts.insert((*task, *number, *part), content);
            }
            Write::RemoveOutputs(task) => self.data.remove_outputs(*task),
            Write::Worker(worker) => {
                self.workers.insert(worker.id, worker.clone());
            }
            Write::Module(module) => {
                self.modules.insert(module.digest, (**module).clone());
            }
            Write::RemoveModule(digest) => {
                self.modules.remove(digest);
            }
            Write::Library(library) => {
                self.libraries
                    .insert(library.name.clone(), (**library).clone());
            }
            Write::RemoveLibrary(name) => {
                self.libraries.remove(name);
            }
            Write::Token(token) => {
                self.tokens.insert(token.id, token.clone());
            }
            Write::RemoveToken(token) => {
                self.tokens.remove(token);
            }
            Write::Definition(record) => self.definitions.put(record),
            Write::RemoveDefinition { name, before } => self.definitions.remove(name, *before),
            Write::Term(term) => self.term = *term,
        }
    }

    fn recovered(&self, record: &JobRecord) -> Result<RecoveredJob, StoreError> {
        let job = record.id;
        let plan = self.plans.get(&job).ok_or_else(|| StoreError::Damaged {
            table: "plans",
            why: format!("job {job} has no plan"),
        })?;
        let tasks = TaskId {
            job,
            node: 0,
            index: 0,
        }..=TaskId {
            job,
            node: NodeIndex::MAX,
            index: u32::MAX,
        };
        let attempts = (*tasks.start(), 0, 0)..=(*tasks.end(), u32::MAX, u64::MAX);
        let spawned = self.spawned.range(tasks.clone());
        let spawned = spawned.map(|(task, record)| (task.node, record.clone()));
        let spawned = spawned.collect();
        let recovered = assemble(
            record.clone(),
            plan.clone(),
            self.outcomes
                .range(tasks)
                .map(|(task, outcome)| (task.node, task.index, end_of(outcome)))
                .collect(),
            self.prepared
                .range((job, 0)..=(job, NodeIndex::MAX))
                .map(|((_, node), record)| (*node, record.clone()))
                .collect(),
            self.attempts
                .range(attempts)
                .map(|((task, attempt, _), record)| Charge {
                    node: task.node,
                    index: task.index,
                    attempt: *attempt,
                    kind: record.failure.kind,
                }),
        );
        Ok(RecoveredJob {
            spawned,
            ..recovered
        })
    }
}

impl Store for MemoryStore {
    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        writes.iter().for_each(|write| tables.apply(write));
        Ok(())
    }

    fn term(&self) -> Result<u64, StoreError> {
        Ok(self.tables().term)
    }

    fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        Ok(self.tables().jobs.get(&job).cloned())
    }

    fn plan(&self, job: JobId) -> Result<Option<JobPlan>, StoreError> {
        Ok(self.tables().plans.get(&job).cloned())
    }

    fn jobs(&self, before: Option<JobId>, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        let tables = self.tables();
        let below = before.unwrap_or(JobId(u64::MAX));
        Ok(tables
            .jobs
            .range(..below)
            .rev()
            .take(limit)
            .map(|(_, job)| job.clone())
            .collect())
    }

    fn jobs_between(
        &self,
        first: JobId,
        last: JobId,
        limit: usize,
    ) -> Result<Vec<JobId>, StoreError> {
        if first > last {
            return Ok(Vec::new());
        }
        Ok(self
            .tables()
            .jobs
            .range(first..=last)
            .take(limit)
            .map(|(id, _)| *id)
            .collect())
    }

    fn job_by_key(&self, key: &str) -> Result<Option<JobId>, StoreError> {
        Ok(self.tables().keys.get(key).copied())
    }

    fn outcome(&self, task: TaskId) -> Result<Option<OutcomeRecord>, StoreError> {
        Ok(self.tables().outcomes.get(&task).cloned())
    }

    fn outcomes(
        &self,
        job: JobId,
        node: NodeIndex,
        from: u32,
        limit: usize,
    ) -> Result<Vec<(u32, OutcomeRecord)>, StoreError> {
        let range = TaskId {
            job,
            node,
            index: from,
        }..=TaskId {
            job,
            node,
            index: u32::MAX,
        };
        let tables = self.tables();
        Ok(tables
            .outcomes
            .range(range)
            .take(limit)
            .map(|(t, o)| (t.index, o.clone()))
            .collect())
    }

    fn attempts(&self, task: TaskId) -> Result<Vec<AttemptRecord>, StoreError> {
        let range = (task, 0, 0)..=(task, u32::MAX, u64::MAX);
        Ok(self
            .tables()
            .attempts
            .range(range)
            .map(|(_, attempt)| attempt.clone())
            .collect())
    }

    fn recover(&self) -> Result<Vec<RecoveredJob>, StoreError> {
        let tables = self.tables();
        let live = tables.jobs.values().filter(|job| !job.state.is_final());
        live.map(|job| tables.recovered(job)).collect()
    }

    fn recover_job(&self, job: JobId) -> Result<Option<RecoveredJob>, StoreError> {
        let tables = self.tables();
        tables
            .jobs
            .get(&job)
            .map(|job| tables.recovered(job))
            .transpose()
    }

    fn request(&self, key: &str) -> Result<Option<RequestRecord>, StoreError> {
        Ok(self.tables().requests.get(key).cloned())
    }

    fn waiting_requests(&self) -> Result<Vec<RequestRecord>, StoreError> {
        let tables = self.tables();
        let waiting = tables.requests.values().filter(|r| r.answer.is_none());
        let mut waiting: Vec<RequestRecord> = waiting.cloned().collect();
        waiting.sort_by_key(|record| record.number);
        Ok(waiting)
    }

    fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        Ok(self.tables().workers.values().cloned().collect())
    }

    fn modules(&self) -> Result<Vec<ModuleRecord>, StoreError> {
        Ok(self.tables().modules.values().cloned().collect())
    }

    fn module(&self, digest: Digest) -> Result<Option<ModuleRecord>, StoreError> {
        Ok(self.tables().modules.get(&digest).cloned())
    }

    fn libraries(&self) -> Result<Vec<LibraryRecord>, StoreError> {
        Ok(self.tables().libraries.values().cloned().collect())
    }

    fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        Ok(self.tables().tokens.values().cloned().collect())
    }

    fn token(&self, token: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        Ok(self.tables().tokens.get(&token).cloned())
    }

    fn data(&self) -> Result<RecoveredData, StoreError> {
        let tables = self.tables();
        let live = |job| tables.jobs.get(&job).is_some_and(|j| !j.state.is_final());
        let end = |task| tables.outcomes.get(&task).map(|outcome| outcome.lease);
        Ok(tables.data.all(live, end))
    }

    fn outputs(
        &self,
        job: JobId,
        from: (NodeIndex, u32, u32),
        limit: usize,
    ) -> Result<Vec<(TaskId, u32, OutputRecord)>, StoreError> {
        Ok(self.tables().data.outputs(job, from, limit))
    }

    fn output_parts(
        &self,
        task: TaskId,
        number: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ResultData>, StoreError> {
        Ok(self.tables().data.parts(task, number, from, limit))
    }

    fn definitions(&self) -> Result<Vec<DefinitionHead>, StoreError> {
        Ok(self.tables().definitions.latest())
    }

    fn definition_versions(&self, name: &str) -> Result<Vec<DefinitionHead>, StoreError> {
        Ok(self.tables().definitions.versions(name))
    }

    fn definition(
        &self,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<DefinitionRecord>, StoreError> {
        Ok(self.tables().definitions.get(name, version))
    }

    fn last_version(&self, name: &str) -> Result<u32, StoreError> {
        Ok(self.tables().definitions.last(name))
    }

    fn definition_with(&self, module: Digest) -> Result<Option<DefinitionHead>, StoreError> {
        Ok(self.tables().definitions.with(module))
    }

    fn named_blobs(&self) -> Result<HashSet<Digest>, StoreError> {
        let tables = self.tables();
        let mut named = HashSet::new();
        named.extend(tables.modules.values().flat_map(named::in_module));
        named.extend(tables.libraries.values().map(named::in_library));
        named.extend(tables.plans.values().flat_map(named::in_plan));
        named.extend(tables.jobs.values().flat_map(named::in_job));
        named.extend(tables.outcomes.values().filter_map(named::in_outcome));
        named.extend(tables.definitions.named());
        named.extend(tables.prepared.values().filter_map(named::in_prepared));
        let checkpoints = tables.data.checkpoints.values().map(|c| &c.content);
        let contents = checkpoints.chain(tables.data.parts.values());
        named.extend(contents.filter_map(named::in_content));
        Ok(named)
    }
}
