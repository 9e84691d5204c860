//! `wasmhost:task/context`: who the attempt is.

use super::wasmhost::task::context::Host;
use crate::state::State;
use std::time::Instant;

impl Host for State {
    fn job(&mut self) -> String {
        self.attempt.task.job.to_string()
    }

    fn task(&mut self) -> String {
        self.attempt.name.to_string()
    }

    fn index(&mut self) -> u32 {
        self.attempt.task.index
    }

    fn count(&mut self) -> u32 {
        self.attempt.count
    }

    fn attempt(&mut self) -> u32 {
        self.attempt.lease.attempt
    }

    fn idempotency_key(&mut self) -> String {
        self.attempt.task.to_string()
    }

    fn deadline(&mut self) -> Option<u64> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Some(left.as_millis() as u64)
    }

    fn cancelled(&mut self) -> bool {
        self.controls.is_cancelled()
    }
}
