//! Checkpoints: each attempt that keeps one loads it and saves a step further, again and
//! again. What is stored never goes backwards, what was told as saved is never lost, and
//! nothing is left when the task has ended.

use super::disk::Disk;
use super::world::World;
use std::collections::BTreeMap;
use wasmhost_core::record::CheckpointRecord;
use wasmhost_core::worker::Event;
use wasmhost_proto::data::{DataCall, DataOp, Space};
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Lease, TaskId, WorkerId};

/// Saves of one attempt.
const STEPS: u64 = 4;

/// What is stored of checkpoints.
#[derive(Default)]
pub(crate) struct Checkpoints {
    last: BTreeMap<TaskId, CheckpointRecord>,
    /// The step that some attempt of each task was told to be saved.
    pub told: BTreeMap<TaskId, u64>,
}

fn step(content: &ResultData) -> u64 {
    match content {
        ResultData::Inline(bytes) => u64::from_le_bytes(bytes[..].try_into().unwrap()),
        ResultData::Blob(blob) => panic!("{blob:?}"),
    }
}

impl Disk {
    pub(crate) fn keep(&mut self, task: TaskId, record: CheckpointRecord) {
        let saved = step(&record.content);
        if let Some(before) = self.checkpoints.last.insert(task, record) {
            let before = step(&before.content);
            assert!(saved > before, "{task} went from step {before} to {saved}");
        }
    }

    pub(crate) fn forget(&mut self, task: TaskId) {
        let before = self.checkpoints.last.remove(&task);
        assert!(before.is_some(), "{task} had no checkpoint");
        self.checkpoints.told.remove(&task);
    }

    pub(crate) fn checkpoints(&self) -> Vec<(TaskId, CheckpointRecord)> {
        let all = self.checkpoints.last.iter();
        all.map(|(task, record)| (*task, record.clone())).collect()
    }
}

impl World {
    /// An attempt begins by asking for what the one before has left.
    pub(crate) fn ask_for_checkpoint(&mut self, id: WorkerId, key: (TaskId, Lease)) {
        self.keep(id, key, 1, Keep::Load);
    }

    fn keep(&mut self, id: WorkerId, (task, lease): (TaskId, Lease), call: u64, keep: Keep) {
        let call = Box::new(DataCall {
            task,
            lease,
            call,
            space: Space::Task,
            op: DataOp::Keep(Box::new(keep)),
        });
        self.worker_event(id, Event::Data(call));
    }

    /// An attempt hears what came of its call, and goes a step further.
    pub(crate) fn kept(&mut self, id: WorkerId, key: (TaskId, Lease), call: u64, kept: Kept) {
        let (task, _) = key;
        let at = match kept {
            Kept::Checkpoint(content) => {
                let found = content.as_ref().map_or(0, step);
                let told = self.disk.checkpoints.told.get(&task);
                let told = told.copied().unwrap_or(0);
                assert!(found >= told, "{task} was told of {told} and finds {found}");
                if found > 0 {
                    self.seen.note("checkpoint found");
                }
                self.steps.insert(key, found);
                found
            }
            Kept::Saved => {
                let at = self.steps.get(&key).copied().unwrap_or(0);
                // Superseded ones are told, too; theirs is not the last.
                if let Some(stored) = self.disk.checkpoints.last.get(&task) {
                    let stored = step(&stored.content);
                    assert!(
                        at <= stored,
                        "{task} is told of {at}, and {stored} is stored"
                    );
                    self.disk.checkpoints.told.insert(task, at);
                }
                at
            }
        };
        if call <= STEPS {
            self.steps.insert(key, at + 1);
            let content = ResultData::Inline((at + 1).to_le_bytes().to_vec());
            self.keep(id, key, call + 1, Keep::Save(content));
        }
    }
}
