//! Data calls of attempts and clients: who may make them, which were made before, who
//! waits for a change, and when each is told. What a call comes to is [`crate::data`]'s.

use super::keep::Kept;
use super::persist::After;
use super::timers::Timer;
use super::{Calling, Primary, Reply, RequestId};
use crate::clock::{Mono, Now};
use crate::data::{Data, SpaceSummary};
use crate::record::{CallRecord, RecoveredData, SpaceId, Write};
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::data::{
    DataAnswer, DataCall, DataOp, DataRefusal, DataReply, Space, Writer, publishes, space_fault,
};
use wasmhost_proto::limits::MAX_DATA_WAIT_MS;
use wasmhost_proto::{JobId, NodeIndex, TaskId, WorkerId};

/// Who is to be told.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    Attempt(Calling),
    Client(RequestId),
}

#[derive(Clone, Debug)]
struct Wait {
    caller: Caller,
    space: SpaceId,
    key: String,
    due: Mono,
}

/// All data, and what is asked of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    data: Data,
    /// The last change of each attempt that has made one.
    calls: BTreeMap<TaskId, CallRecord>,
    waits: BTreeMap<u64, Wait>,
    last_wait: u64,
    waits_by_key: BTreeSet<(SpaceId, String, u64)>,
    /// An attempt waits for one thing at a time.
    waits_by_task: BTreeMap<TaskId, u64>,
    pub(super) kept: Kept,
}

impl Desk {
    pub(super) fn recover(recovered: RecoveredData) -> Desk {
        let mut recovered = recovered;
        Desk {
            calls: std::mem::take(&mut recovered.calls).into_iter().collect(),
            kept: Kept::recover(
                std::mem::take(&mut recovered.checkpoints),
                std::mem::take(&mut recovered.outputs),
            ),
            data: Data::recover(recovered),
            ..Desk::default()
        }
    }

    /// Whether any attempt has made a change, waits for one, or has left something.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty() || !self.waits_by_task.is_empty() || !self.kept.is_empty()
    }

    /// Whether any job may have left something.
    pub(super) fn in_use(&self) -> bool {
        self.has_calls() || self.data.has_private()
    }

    fn add_wait(&mut self, wait: Wait) -> (Mono, u64) {
        self.last_wait += 1;
        let id = self.last_wait;
        if let Caller::Attempt(Calling { task, .. }) = wait.caller {
            self.waits_by_task.insert(task, id);
        }
        let due = wait.due;
        let key = (wait.space.clone(), wait.key.clone(), id);
        self.waits_by_key.insert(key);
        self.waits.insert(id, wait);
        (due, id)
    }

    fn take_wait(&mut self, id: u64) -> Option<Wait> {
        let wait = self.waits.remove(&id)?;
        let key = (wait.space.clone(), wait.key.clone(), id);
        self.waits_by_key.remove(&key);
        if let Caller::Attempt(Calling { task, .. }) = wait.caller
            && self.waits_by_task.get(&task) == Some(&id)
        {
            self.waits_by_task.remove(&task);
        }
        Some(wait)
    }

    fn waiting_for(&self, space: &SpaceId, key: &str) -> Vec<u64> {
        let of = |id| (space.clone(), key.to_owned(), id);
        let ids = self.waits_by_key.range(of(0)..=of(u64::MAX));
        ids.map(|(.., id)| *id).collect()
    }
}

impl Primary {
    /// An attempt calls, perhaps not for the first time.
    pub(super) fn attempt_calls(&mut self, now: Now, worker: WorkerId, asked: DataCall) {
        let DataCall {
            task,
            lease,
            call,
            space,
            op,
        } = asked;
        if !self.is_current(worker, task, lease) {
            return;
        }
        let calling = Calling {
            worker,
            task,
            lease,
            call,
        };
        let caller = Caller::Attempt(calling);
        // What it waited for before, it does not wait for any more.
        if let Some(id) = self.desk.waits_by_task.get(&task).copied() {
            self.drop_wait(id);
        }
        if let Some(last) = self.desk.calls.get(&task)
            && (last.lease, last.call) == (lease, call)
        {
            let reply = last.reply.clone();
            return self.answer(caller, reply);
        }
        if let DataOp::Keep(keep) = op {
            let reply = self.keep(task, lease, call, *keep);
            return self.answer(caller, reply);
        }
        if let DataOp::Job(op) = op {
            return self.job_call(calling, *op);
        }
        match self.space_of(task.job, space, op.writes()) {
            Err((refusal, why)) => self.answer(caller, DataReply::Refused(refusal, why)),
            Ok(space) => self.carry_out(now, caller, space, op),
        }
    }

    /// A client calls on a public space.
    pub(super) fn client_calls(&mut self, now: Now, request: RequestId, space: String, op: DataOp) {
        let caller = Caller::Client(request);
        match space_fault(&space) {
            Some(why) => self.answer(caller, DataReply::Refused(DataRefusal::Invalid, why)),
            None => self.carry_out(now, caller, SpaceId::Public(space), op),
        }
    }

    /// A wait is over without a change.
    pub(super) fn wait_over(&mut self, id: u64) {
        if let Some(wait) = self.desk.take_wait(id) {
            self.tell_waiter(wait);
        }
    }

    /// The public spaces that hold something, by name.
    pub fn public_spaces(&self) -> Vec<SpaceSummary> {
        self.desk.data.public().collect()
    }

    /// A task has ended: nobody repeats its calls.
    pub(super) fn forget_calls(&mut self, task: TaskId) {
        if self.desk.calls.remove(&task).is_some() {
            self.persist.write(Write::RemoveDataCall(task));
        }
        self.forget_checkpoint(task);
        self.desk.kept.outputs.forget(task);
        if let Some(id) = self.desk.waits_by_task.get(&task).copied() {
            self.drop_wait(id);
        }
    }

    /// A job is over: its private data goes with it.
    pub(super) fn forget_data(&mut self, job: JobId) {
        let task = |node, index| TaskId { job, node, index };
        let all = task(0, 0)..=task(NodeIndex::MAX, u32::MAX);
        let waits: Vec<u64> = self
            .desk
            .waits_by_task
            .range(all.clone())
            .map(|(_, id)| *id)
            .collect();
        waits.into_iter().for_each(|id| self.drop_wait(id));
        let calls = self.desk.calls.range(all.clone());
        let calls: Vec<TaskId> = calls.map(|(task, _)| *task).collect();
        for task in &calls {
            self.desk.calls.remove(task);
        }
        if self.desk.data.remove_job(job) || !calls.is_empty() {
            self.persist.write(Write::RemoveJobData(job));
        }
        self.desk.kept.outputs.forget_all(all.clone());
        for task in self.desk.kept.of(all) {
            self.forget_checkpoint(task);
        }
    }

    /// What a task means by a space, if it may.
    fn space_of(
        &self,
        job: JobId,
        space: Space,
        writes: bool,
    ) -> Result<SpaceId, (DataRefusal, String)> {
        let name = match space {
            Space::Private => return Ok(SpaceId::Job(job)),
            Space::Task => {
                let why = "a task keeps no data by itself: its job's is private".to_owned();
                return Err((DataRefusal::Invalid, why));
            }
            Space::Public(name) => name,
        };
        if let Some(why) = space_fault(&name) {
            return Err((DataRefusal::Invalid, why));
        }
        let plan = self.jobs.get(&job).map(|job| &job.plan);
        if writes && !plan.is_some_and(|plan| publishes(&plan.publishes, &name)) {
            let why = format!(
                "the job does not publish in the space '{name}': its definition says so with \
                 `publishes = [\"{name}\"]` in [job]"
            );
            return Err((DataRefusal::NotGranted, why));
        }
        Ok(SpaceId::Public(name))
    }

    fn carry_out(&mut self, now: Now, caller: Caller, space: SpaceId, op: DataOp) {
        let wait = match &op {
            DataOp::Wait {
                key,
                known,
                timeout_ms,
            } if op.fault().is_none() && self.desk.data.revision_of(&space, key) == *known => {
                Some((key.clone(), *timeout_ms))
            }
            _ => None,
        };
        if let Some((key, timeout_ms)) = wait {
            let due = now.mono.after(timeout_ms.min(MAX_DATA_WAIT_MS));
            let (due, id) = self.desk.add_wait(Wait {
                caller,
                space,
                key,
                due,
            });
            return self.timers.set(due, Timer::DataWait(id));
        }
        let writer = match &caller {
            Caller::Attempt(of) => Writer::Task(of.task),
            Caller::Client(_) => Writer::Client,
        };
        let (reply, change) = self.desk.data.call(now.wall, writer, &space, op);
        if let Some(change) = change {
            let waiting = self.desk.waiting_for(&space, &change.key);
            self.persist.write(Write::Data(Box::new(change)));
            if let Caller::Attempt(of) = &caller {
                let record = CallRecord {
                    lease: of.lease,
                    call: of.call,
                    reply: reply.clone(),
                };
                self.desk.calls.insert(of.task, record.clone());
                self.persist
                    .write(Write::DataCall(of.task, Box::new(record)));
            }
            for id in waiting {
                if let Some(wait) = self.desk.take_wait(id) {
                    self.timers.clear(wait.due, Timer::DataWait(id));
                    self.tell_waiter(wait);
                }
            }
        }
        self.answer(caller, reply);
    }

    fn tell_waiter(&mut self, wait: Wait) {
        let now = self.desk.data.entry(&wait.space, &wait.key).cloned();
        self.answer(wait.caller, DataReply::Entry(now));
    }

    fn drop_wait(&mut self, id: u64) {
        if let Some(wait) = self.desk.take_wait(id) {
            self.timers.clear(wait.due, Timer::DataWait(id));
        }
    }

    /// Told once everything that it may rest on is durable.
    pub(super) fn answer(&mut self, caller: Caller, reply: DataReply) {
        self.persist.after(match caller {
            Caller::Client(request) => After::Reply(request, Ok(Reply::Data(Box::new(reply)))),
            Caller::Attempt(Calling {
                worker,
                task,
                lease,
                call,
            }) => {
                let answer = DataAnswer {
                    task,
                    lease,
                    call,
                    reply,
                };
                After::Data(worker, Box::new(answer))
            }
        });
    }

    /// Compares the tables with each other. What disagrees.
    pub(super) fn check_desk(&self) -> Result<(), String> {
        let desk = &self.desk;
        let strange = desk.data.jobs().find(|job| !self.jobs.contains_key(job));
        if let Some(job) = strange {
            return Err(format!("{job} has data and does not live"));
        }
        self.check_kept()?;
        for (id, wait) in &desk.waits {
            let key = (wait.space.clone(), wait.key.clone(), *id);
            if !desk.waits_by_key.contains(&key) {
                return Err(format!("the wait for '{}' is in no order", wait.key));
            }
            if let Caller::Attempt(Calling { task, .. }) = &wait.caller
                && desk.waits_by_task.get(task) != Some(id)
            {
                return Err(format!("{task} waits twice"));
            }
        }
        match desk.waits.len() == desk.waits_by_key.len() {
            true => Ok(()),
            false => Err("there is an order of waits that are none".into()),
        }
    }
}
