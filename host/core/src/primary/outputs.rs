//! Outputs of attempts: which there are, how far each is, and what may be added. Their
//! bytes are the store's. Of a task that has ended nothing is here any more.

use super::Primary;
use crate::record::{OutputRecord, Write};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use wasmhost_proto::data::{DataRefusal, DataReply};
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::limits::{MAX_INLINE, MAX_OUTPUT_BYTES, MAX_OUTPUT_PARTS, MAX_OUTPUTS};
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Lease, TaskId};

/// The outputs of tasks that have not ended, those of one attempt each.
#[derive(Clone, Debug, Default)]
pub(super) struct Outputs(BTreeMap<TaskId, Vec<OutputRecord>>);

type Refused = (DataRefusal, String);

fn invalid<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err((DataRefusal::Invalid, why.into()))
}

fn full<T>(why: String) -> Result<T, Refused> {
    Err((DataRefusal::Full, why))
}

impl Outputs {
    pub(super) fn recover(outputs: Vec<(TaskId, OutputRecord)>) -> Outputs {
        let mut all = Outputs::default();
        for (task, record) in outputs {
            all.0.entry(task).or_default().push(record);
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &TaskId> {
        self.0.keys()
    }

    /// A task has ended.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.0.remove(&task);
    }

    /// Tasks have ended.
    pub(super) fn forget_all(&mut self, tasks: RangeInclusive<TaskId>) {
        let those: Vec<TaskId> = self.0.range(tasks).map(|(task, _)| *task).collect();
        those.iter().for_each(|task| self.forget(*task));
    }

    /// Those of an attempt; none when what there is is another's.
    fn of(&mut self, task: TaskId, lease: Lease) -> Option<&mut Vec<OutputRecord>> {
        let all = self.0.get_mut(&task)?;
        all.first()
            .is_some_and(|first| first.lease == lease)
            .then_some(all)
    }

    /// Begins an output; none when it has begun already. Whether it is the first.
    fn create(
        &mut self,
        task: TaskId,
        number: u32,
        record: OutputRecord,
    ) -> Result<Option<bool>, Refused> {
        let none = Vec::new();
        let known = self.of(task, record.lease).map_or(&none, |all| &*all);
        if let Some(known) = known.get(number as usize) {
            return match known.name == record.name {
                true => Ok(None),
                false => invalid("an output of this number has another name"),
            };
        }
        if known.len() != number as usize {
            return invalid("outputs have their numbers in order");
        }
        if known.len() >= MAX_OUTPUTS {
            return full(format!("an attempt has up to {MAX_OUTPUTS} outputs"));
        }
        if known.iter().any(|known| known.name == record.name) {
            return invalid(format!("there is an output '{}' already", record.name));
        }
        match number {
            0 => drop(self.0.insert(task, vec![record])),
            _ => self.0.entry(task).or_default().push(record),
        }
        Ok(Some(number == 0))
    }

    /// Counts a part; none when it was counted before.
    fn append(
        &mut self,
        (task, lease): (TaskId, Lease),
        number: u32,
        part: u32,
        len: u64,
    ) -> Result<Option<OutputRecord>, Refused> {
        let Some(all) = self.of(task, lease) else {
            return invalid("there is no such output");
        };
        let before: u64 = all.iter().map(|record| record.bytes).sum();
        let Some(record) = all.get_mut(number as usize) else {
            return invalid("there is no such output");
        };
        if part < record.parts {
            return Ok(None);
        }
        if part > record.parts || record.closed {
            return invalid(format!("nothing can be added to '{}' there", record.name));
        }
        if before + len > MAX_OUTPUT_BYTES || part >= MAX_OUTPUT_PARTS {
            return full(format!(
                "the outputs of an attempt have up to {MAX_OUTPUT_BYTES} bytes together"
            ));
        }
        record.parts += 1;
        record.bytes += len;
        Ok(Some(record.clone()))
    }

    fn close(
        &mut self,
        (task, lease): (TaskId, Lease),
        number: u32,
    ) -> Result<Option<OutputRecord>, Refused> {
        let all = self.of(task, lease);
        let Some(record) = all.and_then(|all| all.get_mut(number as usize)) else {
            return invalid("there is no such output");
        };
        let news = !std::mem::replace(&mut record.closed, true);
        Ok(news.then(|| record.clone()))
    }
}

impl Primary {
    /// What comes of a call of the attempt that holds the task. May be a repetition.
    pub(super) fn write_output(&mut self, task: TaskId, lease: Lease, keep: Keep) -> DataReply {
        match self.try_output(task, lease, keep) {
            Ok(()) => DataReply::Kept(Box::new(Kept::Saved)),
            Err((kind, why)) => DataReply::Refused(kind, why),
        }
    }

    fn try_output(&mut self, task: TaskId, lease: Lease, keep: Keep) -> Result<(), Refused> {
        if let Some(why) = keep.fault() {
            return invalid(why);
        }
        let outputs = &mut self.desk.kept.outputs;
        let (number, changed) = match keep {
            Keep::Create {
                output,
                name,
                content_type,
            } => {
                let record = OutputRecord {
                    lease,
                    name,
                    content_type,
                    parts: 0,
                    bytes: 0,
                    closed: false,
                };
                let created = outputs.create(task, output, record.clone())?;
                if created == Some(true) {
                    // Those of an attempt before it, also of before a retry of the job.
                    self.persist.write(Write::RemoveOutputs(task));
                }
                (output, created.map(|_| record))
            }
            Keep::Append {
                output,
                part,
                content,
            } => {
                if matches!(&content, ResultData::Inline(bytes) if bytes.len() > MAX_INLINE) {
                    return invalid("a part of this size comes as a blob");
                }
                let changed = outputs.append((task, lease), output, part, content.len())?;
                if changed.is_some() {
                    let write = Write::OutputPart(task, output, part, Box::new(content));
                    self.persist.write(write);
                }
                (output, changed)
            }
            Keep::Close { output } => (output, outputs.close((task, lease), output)?),
            Keep::Save(_) | Keep::Load => return invalid("this is no output"),
        };
        if let Some(record) = changed {
            self.persist
                .write(Write::Output(task, number, Box::new(record)));
        }
        Ok(())
    }

    /// After a restart the store tells of outputs of ended tasks, too.
    pub(super) fn forget_ended_outputs(&mut self) {
        let tasks = self.desk.kept.outputs.tasks().copied();
        let tasks: Vec<TaskId> = tasks.collect();
        for task in tasks {
            if !self.is_open(task) {
                self.desk.kept.outputs.forget(task);
            }
        }
    }
}
