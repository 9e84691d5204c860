//! What is to happen when, if nothing happens before.

use crate::clock::Mono;
use std::collections::BTreeSet;
use wasmhost_proto::{JobId, TaskId, WorkerId};

/// A reason to wake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// A failed task may be tried again.
    Retry(TaskId),
    /// A job should have started by now.
    QueueLimit(JobId),
    /// A job should have ended by now.
    TotalLimit(JobId),
    /// A worker is to be looked at: silence, attempts that overrun.
    Worker(WorkerId),
    /// Workers that held a session before the restart had their time to come back.
    RecoveryOver,
    /// The primary's driver has ended and is to begin anew.
    Serve,
    /// Who waits for a change of data has waited long enough.
    DataWait(u64),
}

/// All timers, by time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(BTreeSet<(Mono, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: Mono, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn clear(&mut self, at: Mono, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(super) fn next(&self) -> Option<Mono> {
        self.0.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        self.0.first().filter(|(at, _)| *at <= now)?;
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
