//! The data of jobs and of everybody, in memory.

use std::collections::BTreeMap;
use wasmhost_core::record::{CallRecord, CheckpointRecord, DataWrite, RecoveredData, SpaceId};
use wasmhost_proto::data::Entry;
use wasmhost_proto::{JobId, TaskId};

#[derive(Default)]
pub(super) struct Data {
    revision: u64,
    entries: BTreeMap<(SpaceId, String), Entry>,
    pub(super) calls: BTreeMap<TaskId, CallRecord>,
    pub(super) checkpoints: BTreeMap<TaskId, CheckpointRecord>,
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

    pub(super) fn all(&self) -> RecoveredData {
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
        }
    }
}
