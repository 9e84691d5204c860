//! Which job's task is next: by priority, and among equals by what each was
//! given already (stride scheduling with equal shares: Waldspurger and Weihl,
//! 1995). Holds jobs that have a task to hand out, and no others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::JobId;

#[derive(Clone, Copy, Debug)]
struct Place {
    priority: i32,
    /// Tasks handed out while in the queue, from the pass at which it entered.
    pass: u64,
    /// Tasks that could be handed out now.
    ready: u64,
}

impl Place {
    fn key(&self, job: JobId) -> (Reverse<i32>, u64, JobId) {
        (Reverse(self.priority), self.pass, job)
    }
}

/// Jobs with something to hand out, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    order: BTreeSet<(Reverse<i32>, u64, JobId)>,
    places: BTreeMap<JobId, Place>,
    ready: u64,
}

impl Queue {
    /// Tasks that could be handed out now.
    pub(super) fn ready(&self) -> u64 {
        self.ready
    }

    /// Tasks that one job could hand out now; 0 when it is not in the queue.
    pub(super) fn ready_of(&self, job: JobId) -> u64 {
        self.places.get(&job).map_or(0, |place| place.ready)
    }

    /// The job whose turn it is, and whether others of its priority wait.
    pub(super) fn head(&self) -> Option<(JobId, bool)> {
        let mut order = self.order.iter();
        let (priority, _, job) = order.next()?;
        let contended = order.next().is_some_and(|(other, ..)| other == priority);
        Some((*job, contended))
    }

    /// Says how many tasks a job could hand out now. A job that enters starts
    /// level with the one of its priority that was given least.
    pub(super) fn update(&mut self, job: JobId, priority: i32, ready: u64) {
        match self.places.get_mut(&job) {
            Some(place) if ready > 0 => {
                self.ready = self.ready - place.ready + ready;
                place.ready = ready;
            }
            Some(place) => {
                self.ready -= place.ready;
                self.order.remove(&place.key(job));
                self.places.remove(&job);
            }
            None if ready > 0 => {
                let peers = (Reverse(priority), 0, JobId(0))..;
                let least = self.order.range(peers).next();
                let pass = least.filter(|(p, ..)| p.0 == priority).map_or(0, |l| l.1);
                let place = Place {
                    priority,
                    pass,
                    ready,
                };
                self.order.insert(place.key(job));
                self.places.insert(job, place);
                self.ready += ready;
            }
            None => {}
        }
    }

    /// Charges a job for tasks that it handed out.
    pub(super) fn charge(&mut self, job: JobId, tasks: u64) {
        if let Some(place) = self.places.get_mut(&job) {
            self.order.remove(&place.key(job));
            place.pass += tasks;
            self.order.insert(place.key(job));
        }
    }

    /// Tasks of jobs that come before `job`, looking at no more than `most` jobs.
    pub(super) fn ahead_of(&self, job: JobId, most: usize) -> u64 {
        let ahead = self.order.iter().map(|(.., id)| *id);
        let ahead = ahead.take_while(|id| *id != job).take(most);
        ahead.map(|id| self.ready_of(id)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobs: &[(u64, i32, u64)], charge: u64, want: &[u64]) {
        let mut queue = Queue::default();
        for (id, priority, ready) in jobs {
            queue.update(JobId(*id), *priority, *ready);
        }
        let got: Vec<u64> = std::iter::from_fn(|| {
            let (job, _) = queue.head()?;
            queue.charge(job, charge);
            let rest = queue.ready_of(job).saturating_sub(charge);
            let priority = jobs.iter().find(|j| j.0 == job.0)?.1;
            queue.update(job, priority, rest);
            Some(job.0)
        })
        .collect();
        assert_eq!(got, want);
        assert_eq!(queue.ready(), 0);
    }

    #[test]
    fn priority_then_turns() {
        check(&[(1, 0, 3), (2, 0, 3)], 1, &[1, 2, 1, 2, 1, 2]);
        check(&[(1, 0, 2), (2, 5, 2)], 1, &[2, 2, 1, 1]);
        check(&[(1, 0, 4), (2, 0, 2), (3, -1, 1)], 2, &[1, 2, 1, 3]);
    }

    #[test]
    fn a_new_job_starts_level() {
        let mut queue = Queue::default();
        queue.update(JobId(1), 0, 1000);
        queue.charge(JobId(1), 500);
        queue.update(JobId(2), 0, 1000);
        queue.charge(JobId(1), 1);
        assert_eq!(queue.head(), Some((JobId(2), true)));
        queue.charge(JobId(2), 2);
        assert_eq!(queue.head(), Some((JobId(1), true)));
    }
}
