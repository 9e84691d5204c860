//! Jobs that share a bound of tasks on workers at once: those of one stored definition,
//! or one job by itself. Says how much room a group has, and which of its jobs may stand
//! in the queue: no more of them than it has room for tasks, the best ones.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::JobId;
use wasmhost_proto::plan::JobPlan;

/// Numbers a group; never reused by one primary.
pub(super) type GroupId = u64;

/// The place of a job in an order: priority, what it was given, age.
pub(super) type Key = (Reverse<i32>, u64, JobId);

/// Jobs with something to hand out, of all groups and of none.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// Those whose turn may come.
    pub(super) order: BTreeSet<Key>,
    /// Those whose group has no room for them.
    pub(super) parked: BTreeSet<Key>,
}

impl Lines {
    /// The least that a job of a priority was given.
    pub(super) fn least(&self, priority: i32) -> u64 {
        let priority = Reverse(priority);
        let first = |line: &BTreeSet<Key>| {
            // Most jobs are of one priority: then the first of all is the one.
            let of_all = line.first().filter(|key| key.0 <= priority)?;
            let first = match of_all.0 == priority {
                true => Some(of_all),
                false => line.range((priority, 0, JobId(0))..).next(),
            };
            first.filter(|key| key.0 == priority).map(|key| key.1)
        };
        let both = [first(&self.order), first(&self.parked)];
        both.into_iter().flatten().min().unwrap_or(0)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The definition; none of a job by itself.
    pub(super) name: Option<String>,
    /// Its live jobs by the version of their definition, and what each says of the bound.
    members: BTreeMap<(u32, JobId), Option<u32>>,
    /// Tasks of its jobs on workers.
    pub(super) leased: u64,
    /// Tasks of its jobs that could be handed out but for the bound.
    pub(super) ready: u64,
    /// Its jobs that stand in the queue.
    pub(super) inside: BTreeSet<Key>,
    /// Those that would, had it more room.
    pub(super) parked: BTreeSet<Key>,
}

impl Group {
    /// What the newest version says that has a live job.
    pub(super) fn limit(&self) -> Option<u32> {
        let (_, limit) = self.members.last_key_value()?;
        *limit
    }

    /// How many more tasks may go to workers.
    pub(super) fn room(&self) -> u64 {
        let room = |limit: u32| u64::from(limit).saturating_sub(self.leased);
        self.limit().map_or(u64::MAX, room)
    }

    /// Tasks that could be handed out now.
    pub(super) fn offer(&self) -> u64 {
        self.ready.min(self.room())
    }

    /// Which jobs are to leave the queue and which are to enter it, so that the best ones
    /// are inside. Each step is one that an earlier change of a job has paid for.
    pub(super) fn fit(&mut self, lines: &mut Lines) {
        let room = self.room();
        while self.inside.len() as u64 > room && self.park(lines) {}
        while (self.inside.len() as u64) < room && self.admit(lines) {}
        while self.inside.last() > self.parked.first() && !self.parked.is_empty() {
            self.park(lines);
            self.admit(lines);
        }
    }

    /// The worst one inside leaves the queue. Whether there was one.
    fn park(&mut self, lines: &mut Lines) -> bool {
        let Some(worst) = self.inside.pop_last() else {
            return false;
        };
        lines.order.remove(&worst);
        lines.parked.insert(worst);
        self.parked.insert(worst)
    }

    /// The best one outside enters the queue. Whether there was one.
    fn admit(&mut self, lines: &mut Lines) -> bool {
        let Some(best) = self.parked.pop_first() else {
            return false;
        };
        lines.parked.remove(&best);
        lines.order.insert(best);
        self.inside.insert(best)
    }
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    last: GroupId,
    by_name: BTreeMap<String, GroupId>,
    groups: BTreeMap<GroupId, Group>,
}

impl Groups {
    /// The group of a job; none when nothing bounds it.
    pub(super) fn of(&mut self, plan: &JobPlan) -> Option<GroupId> {
        let name = plan.definition.as_ref().map(|d| &d.name);
        if name.is_none() && plan.concurrency.is_none() {
            return None;
        }
        if let Some(known) = name.and_then(|name| self.by_name.get(name)) {
            return Some(*known);
        }
        self.last += 1;
        if let Some(name) = name {
            self.by_name.insert(name.clone(), self.last);
        }
        let group = self.groups.entry(self.last).or_default();
        group.name = name.cloned();
        Some(self.last)
    }

    /// A job of it lives from now on.
    pub(super) fn join(&mut self, job: JobId, id: GroupId, plan: &JobPlan) {
        let version = plan.definition.as_ref().map_or(0, |d| d.version);
        if let Some(group) = self.groups.get_mut(&id) {
            group.members.insert((version, job), plan.concurrency);
        }
    }

    /// A job has ended.
    pub(super) fn leave(&mut self, job: JobId, id: GroupId, plan: &JobPlan) {
        let version = plan.definition.as_ref().map_or(0, |d| d.version);
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.members.remove(&(version, job));
        if group.members.is_empty() {
            if let Some(name) = &group.name {
                self.by_name.remove(name);
            }
            self.groups.remove(&id);
        }
    }

    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(&id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        self.groups.iter().map(|(id, group)| (*id, group))
    }
}
