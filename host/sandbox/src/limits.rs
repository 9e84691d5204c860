//! Bounds the sum of all linear memories and tables of one attempt, and
//! remembers the peak. Wasmtime's own limits are per memory.

use wasmtime::{ResourceLimiter, Result};

/// Bytes of a table element in a store without garbage collection.
const TABLE_ELEMENT: usize = size_of::<usize>();

#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    used: u64,
    peak: u64,
    /// The latest wish to grow passed the limit, and none was granted since.
    refused: bool,
    /// What the wish in flight asked for, taken back when it fails.
    last: u64,
}

impl Meter {
    pub(crate) fn new(limit: u64) -> Meter {
        Meter {
            limit,
            used: 0,
            peak: 0,
            refused: false,
            last: 0,
        }
    }

    /// The largest sum so far, bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Whether the guest is short of memory.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Whether growth from `now` to `want` units of `unit` bytes is granted.
    fn grow(&mut self, now: usize, want: usize, max: Option<usize>, unit: usize) -> bool {
        self.last = 0;
        // Growth beyond what the module itself declared fails whatever we say.
        if max.is_some_and(|max| want > max) {
            return false;
        }
        let bytes = want.saturating_sub(now).saturating_mul(unit) as u64;
        let sum = self.used.checked_add(bytes).filter(|s| *s <= self.limit);
        self.refused = sum.is_none();
        if let Some(sum) = sum {
            self.last = bytes;
            self.used = sum;
            self.peak = self.peak.max(sum);
        }
        !self.refused
    }

    fn take_back(&mut self) {
        self.used -= self.last;
        self.last = 0;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, now: usize, want: usize, max: Option<usize>) -> Result<bool> {
        Ok(self.grow(now, want, max, 1))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(&mut self, now: usize, want: usize, max: Option<usize>) -> Result<bool> {
        Ok(self.grow(now, want, max, TABLE_ELEMENT))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.take_back();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_bounded_and_the_peak_kept() {
        let mut meter = Meter::new(1000);
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert!(!meter.memory_growing(0, 600, None).unwrap());
        assert!(meter.refused());
        assert!(meter.table_growing(0, 50, None).unwrap());
        assert!(!meter.refused());
        assert_eq!(meter.peak(), 1000);
        assert!(!meter.table_growing(50, 51, None).unwrap());
        meter.refused = false;
        assert!(!meter.memory_growing(0, 10, Some(5)).unwrap());
        assert!(
            !meter.refused(),
            "the module's own maximum is not our refusal"
        );
        assert!(!meter.memory_growing(0, usize::MAX, None).unwrap());
    }

    #[test]
    fn failed_growth_is_given_back_once() {
        let mut meter = Meter::new(1000);
        assert!(meter.memory_growing(0, 1000, None).unwrap());
        meter
            .memory_grow_failed(wasmtime::Error::msg("no"))
            .unwrap();
        meter
            .memory_grow_failed(wasmtime::Error::msg("no"))
            .unwrap();
        assert!(meter.memory_growing(0, 1000, None).unwrap());
        assert!(!meter.memory_growing(1000, 1001, None).unwrap());
    }
}
