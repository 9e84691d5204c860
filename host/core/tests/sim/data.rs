//! A public counter that attempts add to: each call counts once, whatever is lost, and
//! no two are told the same sum.

use super::disk::Disk;
use super::world::World;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_core::record::{CallRecord, RecoveredData, SpaceId, Write};
use wasmhost_core::worker::Event;
use wasmhost_proto::data::{DataAnswer, DataCall, DataOp, DataReply, DataValue, Entry, Space};
use wasmhost_proto::{Lease, TaskId, WorkerId};

/// The space in which all jobs publish.
pub(crate) const SPACE: &str = "count";
const KEY: &str = "calls";

/// What is stored of data.
#[derive(Default)]
pub(crate) struct Counter {
    entry: Option<Entry>,
    calls: BTreeMap<TaskId, CallRecord>,
    /// Every call that has counted.
    counted: BTreeSet<(TaskId, Lease, u64)>,
}

impl Counter {
    fn sum(&self) -> i64 {
        match self.entry.as_ref().map(|entry| &entry.value) {
            None => 0,
            Some(DataValue::Int(sum)) => *sum,
            other => panic!("{other:?}"),
        }
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Data(write) => {
                assert_eq!(write.space, SpaceId::Public(SPACE.into()));
                self.entry = write.entry;
            }
            Write::DataCall(task, record) => {
                let call = (task, record.lease, record.call);
                assert!(self.counted.insert(call), "{call:?} counts twice");
                assert_eq!(self.counted.len() as i64, self.sum());
                self.calls.insert(task, *record);
            }
            Write::RemoveDataCall(task) => {
                let before = self.calls.remove(&task);
                assert!(before.is_some(), "{task} has made no call");
            }
            Write::RemoveJobData(job) => self.calls.retain(|task, _| task.job != job),
            other => panic!("the core does not write {other:?}"),
        }
    }
}

impl Disk {
    pub(crate) fn apply_data(&mut self, write: Write) {
        match write {
            Write::Checkpoint(task, record) => self.keep(task, *record),
            Write::RemoveCheckpoint(task) => self.forget(task),
            write => self.counter.apply(write),
        }
    }

    pub(crate) fn data(&self) -> RecoveredData {
        let entry = self.counter.entry.iter();
        let entries = entry.map(|entry| (SpaceId::Public(SPACE.into()), entry.clone()));
        let calls = self.counter.calls.iter();
        RecoveredData {
            revision: self
                .counter
                .entry
                .as_ref()
                .map_or(0, |entry| entry.revision),
            entries: entries.collect(),
            calls: calls.map(|(task, call)| (*task, call.clone())).collect(),
            checkpoints: self.checkpoints(),
            outputs: Vec::new(),
        }
    }
}

impl World {
    /// An attempt adds to the counter. An executor makes one call of it at a time.
    pub(crate) fn call(&mut self, id: WorkerId, (task, lease): (TaskId, Lease)) {
        let add = DataOp::Add {
            key: KEY.into(),
            by: 1,
        };
        let call = Box::new(DataCall {
            task,
            lease,
            call: 1,
            space: Space::Public(SPACE.into()),
            op: add,
        });
        self.worker_event(id, Event::Data(call));
    }

    /// An attempt hears what came of its call.
    pub(crate) fn call_answered(&mut self, worker: WorkerId, answer: DataAnswer) {
        let sum = match answer.reply {
            DataReply::Sum(sum, _) => sum,
            DataReply::Kept(kept) => {
                let key = (answer.task, answer.lease);
                return self.kept(worker, key, answer.call, *kept);
            }
            other => panic!("{other:?}"),
        };
        assert!(self.sums.insert(sum), "two calls came to {sum}");
        assert!(
            sum <= self.disk.counter.sum(),
            "{sum} is told and not durable"
        );
        self.seen.note("data call answered");
    }
}
