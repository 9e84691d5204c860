//! Which job's task is next: by priority, and among equals by what each was
//! given already (stride scheduling with equal shares: Waldspurger and Weihl,
//! 1995). Holds jobs that have a task to hand out, and no others. A job whose group is
//! at its bound waits outside the order, so that nothing looks at it in vain.

pub(super) use super::groups::GroupId;
use super::groups::{Group, Groups, Key, Lines};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use wasmhost_proto::JobId;
use wasmhost_proto::plan::JobPlan;

#[derive(Clone, Copy, Debug)]
struct Place {
    priority: i32,
    /// Tasks handed out while in the queue, from the pass at which it entered.
    pass: u64,
    /// Tasks that could be handed out now, but for the bound of its group.
    ready: u64,
    group: Option<GroupId>,
}

impl Place {
    fn key(&self, job: JobId) -> Key {
        (Reverse(self.priority), self.pass, job)
    }
}

/// Jobs with something to hand out, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    lines: Lines,
    places: BTreeMap<JobId, Place>,
    groups: Groups,
    ready: u64,
    /// Counts what has come, so that who found nothing looks again only then.
    growth: u64,
}

impl Queue {
    /// Tasks that could be handed out now.
    pub(super) fn ready(&self) -> u64 {
        self.ready
    }

    /// Tasks that one job could hand out now, but for the bound of its group; 0 when it is
    /// not in the queue.
    pub(super) fn ready_of(&self, job: JobId) -> u64 {
        self.places.get(&job).map_or(0, |place| place.ready)
    }

    /// Grows with what comes.
    pub(super) fn growth(&self) -> u64 {
        self.growth
    }

    /// Something has come that is no task.
    pub(super) fn note_growth(&mut self) {
        self.growth += 1;
    }

    /// The jobs, first ones first.
    pub(super) fn order(&self) -> impl Iterator<Item = JobId> + '_ {
        self.lines.order.iter().map(|(_, _, job)| *job)
    }

    /// The job whose turn it is, and whether others of its priority wait.
    pub(super) fn head(&self) -> Option<(JobId, bool)> {
        let mut order = self.lines.order.iter();
        let (priority, _, job) = order.next()?;
        let contended = order.next().is_some_and(|(other, ..)| other == priority);
        Some((*job, contended))
    }

    /// Says how many tasks a job could hand out now. A job that enters starts
    /// level with the one of its priority that was given least.
    pub(super) fn update(&mut self, job: JobId, priority: i32, ready: u64, group: Option<GroupId>) {
        let before = match self.places.entry(job) {
            Entry::Occupied(mut known) if ready > 0 => {
                std::mem::replace(&mut known.get_mut().ready, ready)
            }
            Entry::Occupied(known) => {
                let place = known.remove();
                self.remove(&place.key(job), group);
                place.ready
            }
            Entry::Vacant(free) if ready > 0 => {
                let place = Place {
                    priority,
                    pass: self.lines.least(priority),
                    ready,
                    group,
                };
                free.insert(place);
                self.insert(place.key(job), group);
                0
            }
            Entry::Vacant(_) => return,
        };
        self.growth += u64::from(ready > before || group.is_some());
        match group {
            None => self.ready = self.ready - before + ready,
            Some(id) => self.change_group(id, |g| g.ready = g.ready - before + ready),
        }
    }

    fn insert(&mut self, key: Key, group: Option<GroupId>) {
        match group.and_then(|id| self.groups.get_mut(id)) {
            Some(group) => group.parked.insert(key) && self.lines.parked.insert(key),
            None => self.lines.order.insert(key),
        };
    }

    fn remove(&mut self, key: &Key, group: Option<GroupId>) {
        if let Some(group) = group.and_then(|id| self.groups.get_mut(id)) {
            group.parked.remove(key);
            group.inside.remove(key);
            self.lines.parked.remove(key);
        }
        self.lines.order.remove(key);
    }

    /// Changes a group; its jobs stand in the queue as it has room then.
    fn change_group(&mut self, id: GroupId, change: impl FnOnce(&mut Group)) {
        self.change(id, |groups| {
            groups.get_mut(id).map(change).unwrap_or_default()
        });
    }

    /// The same when the group may come or go.
    fn change(&mut self, id: GroupId, change: impl FnOnce(&mut Groups)) {
        let offer = |groups: &Groups| groups.get(id).map_or(0, Group::offer);
        let before = offer(&self.groups);
        change(&mut self.groups);
        if let Some(group) = self.groups.get_mut(id) {
            group.fit(&mut self.lines);
        }
        self.ready = self.ready - before + offer(&self.groups);
    }

    /// Charges a job for tasks that it handed out.
    pub(super) fn charge(&mut self, job: JobId, tasks: u64) {
        let Some(place) = self.places.get_mut(&job) else {
            return;
        };
        let (old, group) = (place.key(job), place.group);
        place.pass += tasks;
        let new = place.key(job);
        match group {
            None => {
                self.lines.order.remove(&old);
                self.lines.order.insert(new);
            }
            Some(id) => {
                self.remove(&old, group);
                self.insert(new, group);
                self.change(id, |_| ());
            }
        }
    }

    /// Tasks of jobs that come before `job`, looking at no more than `most` jobs.
    pub(super) fn ahead_of(&self, job: JobId, most: usize) -> u64 {
        let ahead = self.lines.order.iter().map(|(.., id)| *id);
        let ahead = ahead.take_while(|id| *id != job).take(most);
        ahead.map(|id| self.ready_of(id)).sum()
    }

    /// A job lives from now on. Its group, if a bound may hold for it.
    pub(super) fn join(&mut self, job: JobId, plan: &JobPlan) -> Option<GroupId> {
        let id = self.groups.of(plan)?;
        self.change(id, |groups| groups.join(job, id, plan));
        Some(id)
    }

    /// A job has ended. It has nothing to hand out any more.
    pub(super) fn leave(&mut self, job: JobId, group: Option<GroupId>, plan: &JobPlan) {
        if let Some(id) = group {
            self.change(id, |groups| groups.leave(job, id, plan));
        }
    }

    /// So many tasks more of a group are on workers.
    pub(super) fn leased(&mut self, group: GroupId, tasks: u32) {
        self.change_group(group, |group| group.leased += u64::from(tasks));
    }

    /// So many tasks of a group are on workers no more.
    pub(super) fn unleased(&mut self, group: GroupId, tasks: u32) {
        self.change_group(group, |group| group.leased -= u64::from(tasks));
    }

    /// How many more tasks of a group may go to workers.
    pub(super) fn room(&self, group: Option<GroupId>) -> u64 {
        let group = group.and_then(|id| self.groups.get(id));
        group.map_or(u64::MAX, Group::room)
    }

    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Compares the tables with each other. What disagrees.
    pub(super) fn check(&self) -> Result<(), String> {
        let free = self.places.values().filter(|place| place.group.is_none());
        let free: u64 = free.map(|place| place.ready).sum();
        let offers: u64 = self.groups.all().map(|(_, group)| group.offer()).sum();
        if self.ready != free + offers {
            return Err(format!(
                "{} tasks are ready, not {}",
                free + offers,
                self.ready
            ));
        }
        for (job, place) in &self.places {
            let key = place.key(*job);
            let group = place.group.and_then(|id| self.groups.get(id));
            let parked = group.is_some_and(|group| group.parked.contains(&key));
            let inside = group.is_none_or(|group| group.inside.contains(&key));
            let queued = self.lines.order.contains(&key);
            let outside = self.lines.parked.contains(&key);
            if parked == queued || parked == inside && place.group.is_some() || parked != outside {
                return Err(format!(
                    "{job} is in the queue and waits outside, or neither"
                ));
            }
        }
        for (id, group) in self.groups.all() {
            let of_group = self.places.values().filter(|place| place.group == Some(id));
            let ready: u64 = of_group.map(|place| place.ready).sum();
            let room = group.room();
            let inside = group.inside.len() as u64;
            let best = match (group.inside.last(), group.parked.first()) {
                (Some(worst), Some(parked)) => worst < parked,
                _ => true,
            };
            if ready != group.ready || inside > room || !best {
                return Err(format!(
                    "group {id} has room for {room}, and {inside} jobs inside"
                ));
            }
            if inside < room && !group.parked.is_empty() {
                return Err(format!("group {id} has room and lets jobs wait"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobs: &[(u64, i32, u64)], charge: u64, want: &[u64]) {
        let mut queue = Queue::default();
        for (id, priority, ready) in jobs {
            queue.update(JobId(*id), *priority, *ready, None);
        }
        let got: Vec<u64> = std::iter::from_fn(|| {
            let (job, _) = queue.head()?;
            queue.charge(job, charge);
            let rest = queue.ready_of(job).saturating_sub(charge);
            let priority = jobs.iter().find(|j| j.0 == job.0)?.1;
            queue.update(job, priority, rest, None);
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
        queue.update(JobId(1), 0, 1000, None);
        queue.charge(JobId(1), 500);
        queue.update(JobId(2), 0, 1000, None);
        queue.charge(JobId(1), 1);
        assert_eq!(queue.head(), Some((JobId(2), true)));
        queue.charge(JobId(2), 2);
        assert_eq!(queue.head(), Some((JobId(1), true)));
    }
}
