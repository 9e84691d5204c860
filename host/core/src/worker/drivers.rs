//! Tasks that run here and start others: what they have started and not heard of, and
//! the ends that wait for them to ask. Knows nothing of what a start comes to: that is
//! the primary's.

use super::{Effect, Key, Worker};
use crate::clock::Now;
use std::collections::{BTreeMap, VecDeque};
use wasmhost_proto::limits::{MAX_DRIVERS, MAX_SPAWNED_OPEN};
use wasmhost_proto::wire::{
    CancelSpawned, ChildEnd, GivenRequest, NextRequest, Spawn, SpawnedEnd, ToPrimary,
};

/// What a driver has under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    /// By key: started, and no end has come.
    open: BTreeMap<String, Open>,
    /// Ends that it has not taken.
    ends: VecDeque<(String, ChildEnd)>,
    /// It wants the next end.
    asked: bool,
    /// It wants the next request.
    listens: bool,
    /// The number of the last request that it was given; 0 before the first.
    given: u64,
}

#[derive(Clone, Debug)]
struct Open {
    spawn: Spawn,
    /// It was given up.
    cancelled: bool,
}

impl Worker {
    /// Runs that take a slot.
    pub(super) fn busy(&self) -> u32 {
        self.running() - self.drivers.min(MAX_DRIVERS)
    }

    /// A driver starts a task.
    pub(super) fn spawn(&mut self, now: Now, spawn: Spawn) {
        let key = (spawn.task, spawn.lease);
        let Some(run) = self.runs.get_mut(&key).filter(|run| run.is_driver()) else {
            return;
        };
        let children = run.children.get_or_insert_default();
        // An honest executor keeps to both.
        let full = children.open.len() + children.ends.len() >= MAX_SPAWNED_OPEN;
        if full || children.open.contains_key(&spawn.key) {
            return;
        }
        let open = Open {
            spawn: spawn.clone(),
            cancelled: false,
        };
        children.open.insert(spawn.key.clone(), open);
        self.send(now, ToPrimary::Spawn(Box::new(spawn)));
    }

    /// A driver gives up a task that it has started. Its end comes all the same.
    pub(super) fn cancel_spawned(&mut self, now: Now, of: CancelSpawned) {
        let run = self.runs.get_mut(&(of.task, of.lease));
        let children = run.and_then(|run| run.children.as_mut());
        let Some(open) = children.and_then(|children| children.open.get_mut(&of.key)) else {
            return;
        };
        if !std::mem::replace(&mut open.cancelled, true) {
            self.send(now, ToPrimary::CancelSpawned(Box::new(of)));
        }
    }

    /// A driver wants the next end.
    pub(super) fn await_spawned(&mut self, driver: Key) {
        if let Some(run) = self.runs.get_mut(&driver).filter(|run| run.is_driver()) {
            run.children.get_or_insert_default().asked = true;
            self.hand_over(driver);
        }
    }

    /// What a driver has started is over. Word that comes twice is dropped.
    pub(super) fn spawned(&mut self, end: SpawnedEnd) {
        let driver = (end.task, end.lease);
        let run = self.runs.get_mut(&driver);
        let Some(children) = run.and_then(|run| run.children.as_mut()) else {
            return;
        };
        if children.open.remove(&end.key).is_some() {
            children.ends.push_back((end.key, end.end));
            self.hand_over(driver);
        }
    }

    fn hand_over(&mut self, driver: Key) {
        let run = self.runs.get_mut(&driver);
        let Some(children) = run.and_then(|run| run.children.as_mut()) else {
            return;
        };
        if !children.asked {
            return;
        }
        if let Some((key, end)) = children.ends.pop_front() {
            children.asked = false;
            let (task, lease) = driver;
            self.effects.push_back(Effect::Spawned(Box::new(SpawnedEnd {
                task,
                lease,
                key,
                end,
            })));
        }
    }

    /// A driver wants the next request.
    pub(super) fn next_request(&mut self, now: Now, driver: Key) {
        let run = self.runs.get_mut(&driver).filter(|run| run.is_driver());
        let Some(children) = run.map(|run| run.children.get_or_insert_default()) else {
            return;
        };
        if !std::mem::replace(&mut children.listens, true) {
            let after = children.given;
            let (task, lease) = driver;
            let next = NextRequest { task, lease, after };
            self.send(now, ToPrimary::NextRequest(Box::new(next)));
        }
    }

    /// The next request, or that no more come. One that comes twice is dropped.
    pub(super) fn requested(&mut self, given: Box<GivenRequest>) {
        let run = self.runs.get_mut(&(given.task, given.lease));
        let Some(children) = run.and_then(|run| run.children.as_mut()) else {
            return;
        };
        let number = given.request.as_ref().map(|request| request.number);
        let fresh = number.is_none_or(|number| number > children.given);
        if children.listens && fresh {
            children.listens = false;
            children.given = number.unwrap_or(children.given);
            self.effects.push_back(Effect::Request(given));
        }
    }

    /// Says again, in a new session, what has been started and who wants a request: the
    /// primary may not have heard, or its answer may be lost.
    pub(super) fn spawn_again(&mut self, now: Now) {
        let drivers = self.runs.iter().filter_map(|(key, run)| {
            let children = run.children.as_ref().filter(|children| children.listens)?;
            Some((*key, children.given))
        });
        let listening: Vec<(Key, u64)> = drivers.collect();
        for ((task, lease), after) in listening {
            let next = NextRequest { task, lease, after };
            self.send(now, ToPrimary::NextRequest(Box::new(next)));
        }
        let children = self.runs.values().filter_map(|run| run.children.as_ref());
        let open = children.flat_map(|children| children.open.values().cloned());
        let again: Vec<Open> = open.collect();
        for Open { spawn, cancelled } in again {
            let of = cancelled.then(|| CancelSpawned {
                task: spawn.task,
                lease: spawn.lease,
                key: spawn.key.clone(),
            });
            self.send(now, ToPrimary::Spawn(Box::new(spawn)));
            if let Some(of) = of {
                self.send(now, ToPrimary::CancelSpawned(Box::new(of)));
            }
        }
    }
}
