//! What must be true of all tables after every event. Runs in debug builds
//! while the tables are small, and in simulation.

use super::Primary;
use super::nodes::{Known, ended};
use wasmhost_proto::TaskId;
use wasmhost_proto::api::Counts;

/// Tables up to here are checked after every event of a debug build.
#[cfg(debug_assertions)]
const SMALL: usize = 256;

fn ends(counts: &Counts) -> [u64; 5] {
    [
        counts.total,
        counts.succeeded,
        counts.failed,
        counts.cancelled,
        counts.skipped,
    ]
}

macro_rules! ensure {
    ($cond:expr, $($why:tt)+) => {
        if !$cond {
            return Err(format!($($why)+));
        }
    };
}

impl Primary {
    #[cfg(debug_assertions)]
    pub(super) fn check_if_small(&self) {
        let leased: u32 = self.workers.values().map(|w| w.leased).sum();
        if self.jobs.len() + self.workers.len() + leased as usize <= SMALL
            && let Err(why) = self.check()
        {
            panic!("the primary's tables disagree: {why}");
        }
    }

    /// Compares the tables with each other.
    ///
    /// # Errors
    /// What disagrees.
    pub fn check(&self) -> Result<(), String> {
        self.check_jobs()?;
        self.requests.check()?;
        self.check_leases()?;
        self.check_workers()?;
        self.check_desk()
    }

    fn check_jobs(&self) -> Result<(), String> {
        let mut open = 0;
        for (id, job) in &self.jobs {
            let record = &job.record;
            ensure!(record.id == *id, "{id} is recorded as {}", record.id);
            let leased: u32 = self.leases.of_job(*id).map(|run| run.count).sum();
            ensure!(
                job.leased == leased,
                "{id} counts {} of {leased} leases",
                job.leased
            );
            let (mut sums, mut undecided) = ([0; 5], 0);
            for (n, node) in job.nodes.iter().enumerate() {
                let counts = &node.counts;
                let here = node.unleased() + u64::from(node.leased) + ended(counts);
                ensure!(
                    here == counts.total,
                    "{id}.{n} has {here} of {} tasks",
                    counts.total
                );
                ensure!(
                    node.running <= node.leased,
                    "{id}.{n} runs more than it leased"
                );
                undecided += usize::from(node.known == Known::No);
                let limit = node.limit.unwrap_or(u32::MAX);
                ensure!(
                    node.leased <= limit,
                    "{id}.{n} has {} of {limit} tasks on workers",
                    node.leased
                );
                ensure!(
                    counts.skipped == 0 || counts.skipped == counts.total,
                    "{id}.{n} is skipped in part"
                );
                ensure!(
                    node.ready() == 0 || node.may_begin(),
                    "{id}.{n} runs before it is prepared"
                );
                for index in node.backing_off.keys() {
                    ensure!(
                        !node.waiting.contains(*index),
                        "{id}.{n}.{index} waits twice"
                    );
                }
                for (sum, n) in sums.iter_mut().zip(ends(counts)) {
                    *sum += n;
                }
            }
            ensure!(
                sums == ends(&record.counts),
                "{id} counts other ends than its nodes"
            );
            ensure!(
                undecided == job.undecided,
                "{id} counts {} undecided nodes of {undecided}",
                job.undecided
            );
            let total = record.counts.total;
            open += total - ended(&record.counts);
            if record.state.is_final() {
                let over = ended(&record.counts) == total;
                ensure!(over && record.ended.is_some(), "{id} ended with open tasks");
            }
            ensure!(job.counts_ready(), "{id} lost count of what is ready");
            let in_queue = self.queue.ready_of(*id);
            ensure!(
                in_queue == job.ready(),
                "{id} has {} ready, queue {in_queue}",
                job.ready()
            );
            if let Some(key) = &record.idempotency_key {
                ensure!(self.keys.contains_key(key), "{id} lost its idempotency key");
            }
        }
        ensure!(
            open == self.open_tasks,
            "{open} tasks are open, {} counted",
            self.open_tasks
        );
        self.queue.check()?;
        for (id, group) in self.queue.groups().all() {
            let jobs = self.jobs.values().filter(|job| job.group == Some(id));
            let leased: u64 = jobs.map(|job| u64::from(job.leased)).sum();
            ensure!(
                leased == group.leased,
                "group {id} counts {} of {leased} leases",
                group.leased
            );
            // The bound of a definition may fall while its tasks run.
            let limit = group.limit().map_or(u64::MAX, u64::from);
            ensure!(
                leased <= limit || group.name.is_some(),
                "group {id} has {leased} of {limit} tasks on workers"
            );
        }
        ensure!(
            self.keys.len() <= self.jobs.len(),
            "an idempotency key outlived its job"
        );
        Ok(())
    }

    fn check_leases(&self) -> Result<(), String> {
        let mut running = 0;
        ensure!(
            self.leases.is_consistent(),
            "the runs of leases contradict each other"
        );
        for run in self.leases.all() {
            let (leased, TaskId { job, node, .. }) = (run.leased, run.first);
            running += u64::from(leased.running_since.map_or(0, |_| run.count));
            ensure!(
                run.count == 1 || (leased.running_since.is_none() && leased.report.is_none()),
                "{} and others share what one of them did",
                run.first
            );
            ensure!(
                self.workers.contains_key(&leased.worker),
                "{} is leased to an unknown worker",
                run.first
            );
            let node = self
                .jobs
                .get(&job)
                .and_then(|job| job.nodes.get(usize::from(node)));
            for task in run.tasks() {
                let elsewhere = node.is_none_or(|node| node.is_unleased(task.index));
                ensure!(!elsewhere, "{task} is leased and waits, or its job is gone");
            }
            ensure!(
                leased.lease.term <= self.term,
                "{} is leased from the future",
                run.first
            );
        }
        ensure!(
            running == self.running_tasks,
            "{running} run, {} counted",
            self.running_tasks
        );
        Ok(())
    }

    fn check_workers(&self) -> Result<(), String> {
        for (id, worker) in &self.workers {
            let name = &worker.name;
            let (mut held, mut running) = (0, 0);
            for run in self.leases.of_worker(*id) {
                held += run.count;
                running += run.leased.running_since.map_or(0, |_| run.count);
            }
            ensure!(
                worker.leased == held,
                "'{name}' counts {} of {held} leases",
                worker.leased
            );
            ensure!(
                worker.running == running,
                "'{name}' counts {} running",
                worker.running
            );
            if let Some(session) = worker.session {
                let known = self.sessions.get(&session.id) == Some(id);
                ensure!(known, "'{name}' has an unknown session");
            } else {
                ensure!(
                    worker.prepared.is_empty(),
                    "'{name}' is prepared without a session"
                );
            }
            let takes_all = self.takes_all(worker);
            ensure!(
                takes_all || self.lists.picky.contains(id),
                "{id} is taken to run everything"
            );
            let listed = self.lists.of(id);
            ensure!(
                worker.lists() == listed,
                "'{name}' wants {} and is listed {listed:?}",
                worker.request.want
            );
        }
        ensure!(
            self.sessions.values().all(|w| self.workers.contains_key(w)),
            "a session without a worker"
        );
        Ok(())
    }
}
