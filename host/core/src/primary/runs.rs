//! Leases by task, kept as runs: consecutive tasks of a node of which all that is
//! known is the same are one entry, whatever their number. What happens to one of
//! them cuts it out. Knows the worker of a run, and nothing of jobs and sessions.

use super::leases::Leased;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::{JobId, TaskId, WorkerId};

#[derive(Clone, Debug)]
struct Run {
    /// The index of its first task. Its last one is its key.
    first: u32,
    leased: Leased,
}

/// Consecutive tasks and what is known of each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeasedRun<'a> {
    pub(super) first: TaskId,
    pub(super) count: u32,
    pub(super) leased: &'a Leased,
}

impl LeasedRun<'_> {
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> + use<> {
        let first = self.first;
        let indexes = first.index..=first.index + (self.count - 1);
        indexes.map(move |index| TaskId { index, ..first })
    }
}

/// All leases.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    /// By their last tasks: a run whose tasks end in order keeps its place.
    runs: BTreeMap<TaskId, Run>,
    of_worker: BTreeSet<(WorkerId, TaskId)>,
}

fn tasks_of(job: JobId) -> std::ops::RangeInclusive<TaskId> {
    let at = |node, index| TaskId { job, node, index };
    at(0, 0)..=at(u16::MAX, u32::MAX)
}

fn view<'a>((last, run): (&TaskId, &'a Run)) -> LeasedRun<'a> {
    let first = TaskId {
        index: run.first,
        ..*last
    };
    let count = last.index - run.first + 1;
    let leased = &run.leased;
    LeasedRun {
        first,
        count,
        leased,
    }
}

impl Leases {
    /// The last task of the run that holds a task, and the run.
    fn find(&mut self, task: TaskId) -> Option<(TaskId, &mut Run)> {
        let (last, run) = self.runs.range_mut(task..).next()?;
        let holds = (last.job, last.node) == (task.job, task.node) && run.first <= task.index;
        holds.then_some((*last, run))
    }

    pub(super) fn get(&self, task: TaskId) -> Option<&Leased> {
        let (last, run) = self.runs.range(task..).next()?;
        let holds = (last.job, last.node) == (task.job, task.node) && run.first <= task.index;
        holds.then_some(&run.leased)
    }

    /// Enters `count` tasks, none of which is in here.
    pub(super) fn put(&mut self, first: TaskId, count: u32, leased: Leased) {
        let Some(more) = count.checked_sub(1) else {
            return;
        };
        let last = TaskId {
            index: first.index + more,
            ..first
        };
        self.put_run(last, first.index, leased);
    }

    fn put_run(&mut self, last: TaskId, first: u32, leased: Leased) {
        self.of_worker.insert((leased.worker, last));
        self.runs.insert(last, Run { first, leased });
    }

    /// Takes a task out, and those after it in its run that are asked for: `how_many`
    /// hears what is known of them, and how many there are from the task on. Nothing
    /// for none. How many were taken.
    pub(super) fn take(
        &mut self,
        task: TaskId,
        how_many: impl FnOnce(&Leased, u32) -> u32,
    ) -> Option<(u32, Leased)> {
        let (last, run) = self.find(task)?;
        let reach = last.index - task.index + 1;
        let count = how_many(&run.leased, reach).min(reach);
        if count == 0 {
            return None;
        }
        // What is left behind the hole keeps the place of the run.
        let behind = reach > count;
        let before = run.first < task.index;
        let (first, leased) = if behind {
            let first = std::mem::replace(&mut run.first, task.index + count);
            (first, run.leased.clone())
        } else {
            let Run { first, leased } = self.runs.remove(&last)?;
            self.of_worker.remove(&(leased.worker, last));
            (first, leased)
        };
        if before {
            let last = TaskId {
                index: task.index - 1,
                ..task
            };
            self.put_run(last, first, leased.clone());
        }
        Some((count, leased))
    }

    /// What is known of one task, to change it for this task alone.
    pub(super) fn alone(&mut self, task: TaskId) -> Option<&mut Leased> {
        let (last, run) = self.find(task)?;
        if (run.first, last.index) != (task.index, task.index) {
            let (_, leased) = self.take(task, |_, _| 1)?;
            self.put(task, 1, leased);
        }
        self.runs.get_mut(&task).map(|run| &mut run.leased)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = LeasedRun<'_>> {
        self.runs.iter().map(view)
    }

    pub(super) fn of_job(&self, job: JobId) -> impl Iterator<Item = LeasedRun<'_>> {
        self.runs.range(tasks_of(job)).map(view)
    }

    /// Changes what is known of all of a job's tasks.
    pub(super) fn change_all(&mut self, job: JobId, change: impl Fn(&mut Leased)) {
        let runs = self.runs.range_mut(tasks_of(job));
        runs.for_each(|(_, run)| change(&mut run.leased));
    }

    pub(super) fn of_worker(&self, worker: WorkerId) -> impl Iterator<Item = LeasedRun<'_>> {
        let least = TaskId {
            job: JobId(0),
            node: 0,
            index: 0,
        };
        let keys = self.of_worker.range((worker, least)..);
        let keys = keys.take_while(move |(of, _)| *of == worker);
        keys.filter_map(|(_, last)| self.runs.get_key_value(last).map(view))
    }

    /// Whether both tables name the same runs, and no run overlaps the next.
    pub(super) fn is_consistent(&self) -> bool {
        let known = |(last, run): (&TaskId, &Run)| {
            run.first <= last.index && self.of_worker.contains(&(run.leased.worker, *last))
        };
        let apart = |(a, b): (LeasedRun<'_>, LeasedRun<'_>)| {
            (a.first.job, a.first.node) != (b.first.job, b.first.node)
                || a.first.index + (a.count - 1) < b.first.index
        };
        self.runs.len() == self.of_worker.len()
            && self.runs.iter().all(known)
            && self.all().zip(self.all().skip(1)).all(apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wasmhost_proto::{Lease, Timestamp};

    fn task(node: u16, index: u32) -> TaskId {
        let job = JobId(1);
        TaskId { job, node, index }
    }

    fn leased(worker: u64) -> Leased {
        let lease = Lease {
            term: 1,
            attempt: 1,
        };
        Leased::new(WorkerId(worker), lease)
    }

    /// What a table of single tasks would hold: the worker, and the mark of `alone`.
    type Model = BTreeMap<TaskId, (u64, Option<u64>)>;

    fn expand<'a>(runs: impl Iterator<Item = LeasedRun<'a>>) -> Model {
        let facts = |l: &Leased| (l.worker.0, l.started.map(|at| at.0));
        runs.flat_map(|run| run.tasks().map(move |task| (task, facts(run.leased))))
            .collect()
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u8..3, 0u16..2, 0u32..40, 1u32..12, 1u64..4), 0..80)) {
            let (mut leases, mut model) = (Leases::default(), Model::new());
            for (n, (kind, node, index, count, worker)) in steps.into_iter().enumerate() {
                let at = task(node, index);
                match kind {
                    0 => {
                        let free = (index..index + count).take_while(|i| !model.contains_key(&task(node, *i)));
                        let free = free.count() as u32;
                        leases.put(at, free, leased(worker));
                        model.extend((index..index + free).map(|i| (task(node, i), (worker, None))));
                    }
                    1 => {
                        let taken = leases.take(at, |l, reach| match l.worker.0 == worker {
                            true => count.min(reach),
                            false => 0,
                        });
                        let holder = model.get(&at).map(|facts| facts.0);
                        prop_assert_eq!(taken.is_some(), holder == Some(worker));
                        let taken = taken.map_or(0, |(taken, _)| taken);
                        prop_assert!(taken <= count);
                        for i in index..index + taken {
                            prop_assert_eq!(model.remove(&task(node, i)).map(|facts| facts.0), Some(worker));
                        }
                    }
                    _ => {
                        let mark = Timestamp(n as u64);
                        let known = leases.alone(at).map(|l| l.started = Some(mark)).is_some();
                        prop_assert_eq!(known, model.contains_key(&at));
                        model.entry(at).and_modify(|facts| facts.1 = Some(mark.0));
                    }
                }
                prop_assert!(leases.is_consistent());
                prop_assert_eq!(expand(leases.all()), model.clone());
                prop_assert_eq!(leases.get(at).is_some(), model.contains_key(&at));
                let of_one = model.iter().filter(|(_, facts)| facts.0 == worker);
                let of_one: Model = of_one.map(|(task, facts)| (*task, *facts)).collect();
                prop_assert_eq!(expand(leases.of_worker(WorkerId(worker))), of_one);
            }
        }
    }

    #[test]
    fn an_array_that_ends_in_order_is_one_entry() {
        let mut leases = Leases::default();
        leases.put(task(0, 0), 4096, leased(1));
        for index in 0..4000 {
            assert!(leases.take(task(0, index), |_, _| 1).is_some());
            assert_eq!(leases.runs.len(), 1);
        }
        let taken = leases.take(task(0, 4000), |_, reach| reach);
        assert_eq!(taken.map(|(count, _)| count), Some(96));
        assert!(leases.runs.is_empty() && leases.of_worker.is_empty());
    }
}
