//! Workers that go in order: drained by an operator, or leaving by themselves. Those that
//! fall silent are the business of `liveness`.

use super::persist::After;
use super::workers::TakeBack;
use super::{Primary, Refusal, Reply, RequestId};
use crate::clock::Now;
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{TaskId, WorkerId};

impl Primary {
    /// The worker leaves in order.
    pub(super) fn bye(&mut self, now: Now, id: WorkerId) {
        // What crossed the goodbye on its way was never started, and nobody is charged.
        let held = self.leases.of_worker(id);
        let unstarted = held.filter(|run| run.leased.running_since.is_none());
        let unstarted: Vec<TaskId> = unstarted.flat_map(|run| run.tasks()).collect();
        unstarted.into_iter().for_each(|task| self.give_back(task));
        // What it could not end in time was.
        self.lose_leases(now, id, "its worker left before it had ended");
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        self.persist.write(worker.record(id, false, now));
        if let Some(session) = worker.session {
            self.close(session.id, "the worker has left");
        }
    }

    pub(super) fn drain(&mut self, now: Now, request: RequestId, id: WorkerId, on: bool) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return self.reply(request, Err(Refusal::NoSuchWorker(id)));
        };
        worker.draining = on;
        self.persist.write(worker.record(id, worker.recorded, now));
        let unstarted = worker.unstarted();
        if on && unstarted > 0 && worker.registered().is_some() {
            worker.take_back = TakeBack::Asked;
        }
        self.send(id, ToWorker::Drain { on });
        if on && unstarted > 0 {
            self.send(id, ToWorker::TakeBack { max: unstarted });
        }
        self.refresh_lists(id);
        self.workers_changed.insert(id);
        self.persist
            .after(After::Reply(request, Ok(Reply::Worker(id))));
    }
}
