//! What attempts leave to those after them: the checkpoint of each task, the last one
//! saved under a lease that held. Small ones are in memory, of large ones where they are.
//! What they write for clients is [`super::outputs`]'s.

use super::Primary;
use super::outputs::Outputs;
use super::persist::After;
use crate::record::{CheckpointRecord, OutputRecord, Write};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use wasmhost_proto::api::CheckpointView;
use wasmhost_proto::data::{DataRefusal, DataReply};
use wasmhost_proto::keep::{Keep, Kept as Reply};
use wasmhost_proto::limits::{CHECKPOINT_ENTRY, MAX_CHECKPOINTS, MAX_INLINE};
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Lease, TaskId};

/// The checkpoints of tasks that have not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    checkpoints: BTreeMap<TaskId, CheckpointRecord>,
    /// What they have in memory.
    bytes: usize,
    pub(super) outputs: Outputs,
}

fn in_memory(content: &ResultData) -> usize {
    CHECKPOINT_ENTRY
        + match content {
            ResultData::Inline(bytes) => bytes.len(),
            ResultData::Blob(_) => 0,
        }
}

impl Kept {
    pub(super) fn recover(
        checkpoints: Vec<(TaskId, CheckpointRecord)>,
        outputs: Vec<(TaskId, OutputRecord)>,
    ) -> Kept {
        let mut kept = Kept {
            outputs: Outputs::recover(outputs),
            ..Kept::default()
        };
        for (task, record) in checkpoints {
            kept.put(task, record);
        }
        kept
    }

    pub(super) fn is_empty(&self) -> bool {
        self.checkpoints.is_empty() && self.outputs.is_empty()
    }

    fn view(&self, task: TaskId) -> Option<CheckpointView> {
        let record = self.checkpoints.get(&task)?;
        Some(CheckpointView {
            attempt: record.lease.attempt,
            len: record.content.len(),
        })
    }

    /// Tasks that have one.
    pub(super) fn of(&self, tasks: RangeInclusive<TaskId>) -> Vec<TaskId> {
        let those = self.checkpoints.range(tasks);
        those.map(|(task, _)| *task).collect()
    }

    fn put(&mut self, task: TaskId, record: CheckpointRecord) -> Option<CheckpointRecord> {
        self.bytes += in_memory(&record.content);
        let before = self.checkpoints.insert(task, record);
        self.bytes -= before.as_ref().map_or(0, |b| in_memory(&b.content));
        before
    }

    fn take(&mut self, task: TaskId) -> Option<CheckpointRecord> {
        let before = self.checkpoints.remove(&task)?;
        self.bytes -= in_memory(&before.content);
        Some(before)
    }
}

impl Primary {
    /// What comes of a call of the attempt that holds the task. May be a repetition.
    pub(super) fn keep(&mut self, task: TaskId, lease: Lease, call: u64, keep: Keep) -> DataReply {
        let content = match keep {
            Keep::Load => {
                let kept = self.desk.kept.checkpoints.get(&task);
                let content = kept.map(|record| record.content.clone());
                return DataReply::Kept(Box::new(Reply::Checkpoint(content)));
            }
            Keep::Save(content) => content,
            write => return self.write_output(task, lease, write),
        };
        let saved = DataReply::Kept(Box::new(Reply::Saved));
        let kept = &mut self.desk.kept;
        let before = kept.checkpoints.get(&task);
        if before.is_some_and(|before| before.lease == lease && before.call >= call) {
            return saved;
        }
        if matches!(&content, ResultData::Inline(bytes) if bytes.len() > MAX_INLINE) {
            let why = "a checkpoint of this size comes as a blob".to_owned();
            return DataReply::Refused(DataRefusal::Invalid, why);
        }
        let freed = before.map_or(0, |before| in_memory(&before.content));
        if kept.bytes - freed + in_memory(&content) > MAX_CHECKPOINTS {
            let why = format!(
                "the checkpoints of all tasks have the {MAX_CHECKPOINTS} bytes that the primary \
                 has for them"
            );
            return DataReply::Refused(DataRefusal::Full, why);
        }
        let record = CheckpointRecord {
            lease,
            call,
            content,
        };
        let before = kept.put(task, record.clone());
        self.persist
            .write(Write::Checkpoint(task, Box::new(record)));
        self.drop_blob(task, before);
        saved
    }

    /// The checkpoint of a task, as clients see it.
    pub(super) fn checkpoint_view(&self, task: TaskId) -> Option<CheckpointView> {
        self.desk.kept.view(task)
    }

    /// A task has ended: no attempt follows.
    pub(super) fn forget_checkpoint(&mut self, task: TaskId) {
        let before = self.desk.kept.take(task);
        if before.is_some() {
            self.persist.write(Write::RemoveCheckpoint(task));
            self.drop_blob(task, before);
        }
    }

    fn drop_blob(&mut self, task: TaskId, record: Option<CheckpointRecord>) {
        if let Some(ResultData::Blob(blob)) = record.map(|record| record.content) {
            let drop = After::DropCheckpoint(task, blob.digest);
            self.persist.after(drop);
        }
    }

    /// Compares the table with others. What disagrees.
    pub(super) fn check_kept(&self) -> Result<(), String> {
        let kept = &self.desk.kept;
        let all = kept.checkpoints.values();
        let bytes: usize = all.map(|record| in_memory(&record.content)).sum();
        if bytes != kept.bytes {
            return Err(format!("checkpoints have {bytes} of {} bytes", kept.bytes));
        }
        let mut tasks = kept.checkpoints.keys().chain(kept.outputs.tasks());
        let strange = tasks.find(|task| !self.jobs.contains_key(&task.job));
        strange.map_or(Ok(()), |task| {
            Err(format!("{task} keeps something and does not live"))
        })
    }
}
