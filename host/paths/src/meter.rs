//! Tells the path itself from what feeds it.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Adds up the processor time of the path, which other programs of a busy machine
/// and waits for the disk are not part of. Under callgrind only [`Meter::measure`] is
/// counted: its symbol is where collecting is switched on and off.
#[derive(Debug, Default)]
pub struct Meter {
    how: How,
    spent: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum How {
    #[default]
    Time,
    Count,
    Off,
}

impl Meter {
    /// One that reads no clock: an instrument counts, and some instruments cannot
    /// carry out how rustix reads clocks.
    pub fn counted() -> Meter {
        Meter {
            how: How::Count,
            ..Meter::default()
        }
    }

    /// One that measures nothing, for what only prepares a path.
    pub(crate) fn off() -> Meter {
        Meter {
            how: How::Off,
            ..Meter::default()
        }
    }

    /// The path, or a part of it.
    pub fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        match self.how {
            How::Off => act(),
            How::Count => counted_path(act),
            How::Time => {
                let begin = processor_time();
                let result = counted_path(act);
                self.spent += processor_time().saturating_sub(begin);
                result
            }
        }
    }

    /// Processor time spent in the path so far.
    pub fn spent(&self) -> Duration {
        self.spent
    }
}

/// The symbol that callgrind is told of. Never inlined, so that it exists.
#[inline(never)]
fn counted_path<T>(act: impl FnOnce() -> T) -> T {
    act()
}

/// Processor time of this thread so far.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
