//! Decides which progress reports leave the guest. Reading the clock is a host
//! call as well, so a hot loop reads it only every few calls.

use std::time::{Duration, Instant};

/// The shortest time between two reports: the platform itself passes on fewer.
const INTERVAL: Duration = Duration::from_millis(10);
/// The most calls between two looks at the clock: beyond that little is gained,
/// and a loop that suddenly slows down would go unheard for as many rounds.
const MAX_STRIDE: u32 = 32;

#[derive(Debug)]
pub(crate) struct Throttle {
    sent: Option<Instant>,
    stride: u32,
    skip: u32,
}

impl Throttle {
    pub(crate) const fn new() -> Throttle {
        Throttle {
            sent: None,
            stride: 1,
            skip: 0,
        }
    }

    /// Whether a report may go now. The first may.
    pub(crate) fn pass(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let now = now();
        match self.sent.map(|sent| now.saturating_duration_since(sent)) {
            Some(since) if since < INTERVAL => {
                self.stride = (self.stride * 2).min(MAX_STRIDE);
                self.skip = self.stride - 1;
                false
            }
            since => {
                // Heard too late: look at the clock on every call again.
                if since.is_none_or(|since| since > 2 * INTERVAL) {
                    self.stride = 1;
                }
                self.sent = Some(now);
                self.skip = self.stride - 1;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `pass` for a while, a call every `step_us`; gives how many passed and how often
    /// the clock was read.
    fn check(calls: u32, step_us: u64) -> (u32, u32) {
        let start = Instant::now();
        let mut throttle = Throttle::new();
        let (mut passed, mut reads) = (0, 0);
        for call in 0..calls {
            let now = || {
                reads += 1;
                start + Duration::from_micros(step_us * u64::from(call))
            };
            passed += u32::from(throttle.pass(now));
        }
        (passed, reads)
    }

    #[test]
    fn slow_loops_report_each_round_and_fast_ones_rarely() {
        assert_eq!(check(50, 1_000_000), (50, 50));
        assert_eq!(check(50, 10_000), (50, 50));
        let (passed, reads) = check(100_000, 10);
        assert!((90..=101).contains(&passed), "{passed} in one second");
        assert!(reads < 4_000, "{reads} looks at the clock");
    }
}
