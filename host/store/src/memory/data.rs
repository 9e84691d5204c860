//! The data of jobs and of everybody, in memory.

use std::collections::BTreeMap;
use wasmhost_core::record::{
    CallRecord, CheckpointRecord, DataWrite, OutputRecord, RecoveredData, SpaceId,
};
use wasmhost_proto::data::Entry;
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{JobId, Lease, NodeIndex, TaskId};

#[derive(Default)]
pub(super) struct Data {
    revision: u64,
    entries: BTreeMap<(SpaceId, String), Entry>,
    pub(super) calls: BTreeMap<TaskId, CallRecord>,
    pub(super) checkpoints: BTreeMap<TaskId, CheckpointRecord>,
    pub(super) outputs: BTreeMap<(TaskId, u32), OutputRecord>,
    pub(super) parts: BTreeMap<(TaskId, u32, u32), ResultData>,
}

impl Data {
    pub(super) fn put(&mut self, write: &DataWrite) {
        self.revision = write.revision;
        let key = (write.space.clone(), write.key.clone());
        match &write.entry {
            Some(entry) => self.entries.insert(key, entry.clone()),
            None => self.entries.remove(&key),
        };
    }

    pub(super) fn remove_job(&mut self, job: JobId) {
        self.entries
            .retain(|(space, _), _| *space != SpaceId::Job(job));
        self.calls.retain(|task, _| task.job != job);
    }

    pub(super) fn remove_outputs(&mut self, task: TaskId) {
        self.outputs.retain(|(of, _), _| *of != task);
        self.parts.retain(|(of, ..), _| *of != task);
    }

    pub(super) fn outputs(
        &self,
        job: JobId,
        (node, index, number): (NodeIndex, u32, u32),
        limit: usize,
    ) -> Vec<(TaskId, u32, OutputRecord)> {
        let from = (TaskId { job, node, index }, number);
        let those = self.outputs.range(from..);
        let of_job = those.take_while(|((task, _), _)| task.job == job);
        of_job
            .take(limit)
            .map(|((task, number), record)| (*task, *number, record.clone()))
            .collect()
    }

    pub(super) fn parts(
        &self,
        task: TaskId,
        number: u32,
        from: u32,
        limit: usize,
    ) -> Vec<ResultData> {
        let those = self
            .parts
            .range((task, number, from)..=(task, number, u32::MAX));
        those.take(limit).map(|(_, part)| part.clone()).collect()
    }

    pub(super) fn all(
        &self,
        live: impl Fn(JobId) -> bool,
        end: impl Fn(TaskId) -> Option<Lease>,
    ) -> RecoveredData {
        let entries = self.entries.iter();
        let calls = self.calls.iter();
        RecoveredData {
            revision: self.revision,
            entries: entries
                .map(|((space, _), entry)| (space.clone(), entry.clone()))
                .collect(),
            calls: calls.map(|(task, call)| (*task, call.clone())).collect(),
            checkpoints: self
                .checkpoints
                .iter()
                .map(|(task, record)| (*task, record.clone()))
                .collect(),
            outputs: self
                .outputs
                .iter()
                .filter(|((task, _), record)| live(task.job) && record.is_live(end(*task)))
                .map(|((task, _), record)| (*task, record.clone()))
                .collect(),
        }
    }
}
