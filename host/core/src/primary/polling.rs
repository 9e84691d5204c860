//! Asking workers what their attempts have published: they say it by themselves when it
//! changes, and once they are asked, so that what a view tells is known to be true now.

use super::workers::Worker;
use super::{Effect, Primary, Reply, RequestId};
use crate::clock::{Mono, Now};
use std::collections::BTreeSet;
use wasmhost_proto::limits::MIN_POLL_MS;
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{JobId, WorkerId};

impl Worker {
    /// When it is to be asked again; none when it runs nothing or is never asked unbidden.
    pub(super) fn next_poll(&self, every_ms: u64) -> Option<Mono> {
        let asked = self.polled.filter(|_| every_ms > 0 && self.running > 0);
        asked.map(|at| at.after(every_ms))
    }
}

impl Primary {
    /// The workers that run attempts of `job` of which nothing was heard for longer than
    /// `max_age_ms`. An attempt is news itself when it begins.
    pub fn stale(&self, now: Now, job: JobId, max_age_ms: u64) -> BTreeSet<WorkerId> {
        let runs = self.leases.of_job(job);
        let stale = runs.filter(|run| {
            let reported = run.leased.report.as_ref().map(|report| report.at);
            let known = run
                .leased
                .running_since
                .map(|since| reported.map_or(since, |at| at.max(since)));
            known.is_some_and(|known| now.mono.since(known) > max_age_ms)
        });
        stale.map(|run| run.leased.worker).collect()
    }

    /// Somebody wants to know of a job what is no older than this: how many workers have
    /// to be heard first. They are asked.
    pub(super) fn poll_job(&mut self, now: Now, request: RequestId, job: JobId, max_age_ms: u64) {
        let stale = self.stale(now, job, max_age_ms);
        for worker in &stale {
            self.poll(now, *worker, MIN_POLL_MS);
        }
        let reply = Ok(Reply::Stale {
            workers: stale.len() as u32,
        });
        self.effects.push_back(Effect::Reply { request, reply });
    }

    /// Asks a worker that runs something, unless it was asked less than `every_ms` ago.
    pub(super) fn poll(&mut self, now: Now, id: WorkerId, every_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let asked = |at| now.mono.since(at) < every_ms;
        if worker.running == 0 || worker.registered().is_none() || worker.polled.is_some_and(asked)
        {
            return;
        }
        worker.polled = Some(now.mono);
        self.send(id, ToWorker::Poll);
    }
}
