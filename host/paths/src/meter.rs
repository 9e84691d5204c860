//! Tells the path itself from what feeds it.

use std::time::{Duration, Instant};

/// Adds up the time of the path. Under callgrind only [`Meter::measure`] is
/// counted: its symbol is where collecting is switched on and off.
#[derive(Debug, Default)]
pub struct Meter {
    spent: Duration,
    off: bool,
}

impl Meter {
    /// One that measures nothing, for what only prepares a path.
    pub(crate) fn off() -> Meter {
        Meter {
            spent: Duration::ZERO,
            off: true,
        }
    }

    /// The path, or a part of it.
    pub fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        if self.off {
            return act();
        }
        let begin = Instant::now();
        let result = counted_path(act);
        self.spent += begin.elapsed();
        result
    }

    /// Time spent in the path so far.
    pub fn spent(&self) -> Duration {
        self.spent
    }
}

/// The symbol that callgrind is told of. Never inlined, so that it exists.
#[inline(never)]
fn counted_path<T>(act: impl FnOnce() -> T) -> T {
    act()
}
