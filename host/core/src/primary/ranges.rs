//! A set of indexes that costs memory by its runs, not by its members: ten
//! million waiting tasks of an array are one run.

use std::collections::BTreeMap;
use std::ops::Range;

/// Disjoint runs that do not touch.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Ranges {
    /// First index of a run to the index after its last.
    runs: BTreeMap<u32, u32>,
    len: u64,
}

impl Ranges {
    /// All indexes below `count`.
    pub(super) fn below(count: u32) -> Ranges {
        let mut ranges = Ranges::default();
        if count > 0 {
            ranges.runs.insert(0, count);
            ranges.len = u64::from(count);
        }
        ranges
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn first(&self) -> Option<Range<u32>> {
        self.runs.first_key_value().map(|(a, b)| *a..*b)
    }

    fn run_of(&self, index: u32) -> Option<Range<u32>> {
        let (first, end) = self.runs.range(..=index).next_back()?;
        (index < *end).then_some(*first..*end)
    }

    pub(super) fn contains(&self, index: u32) -> bool {
        self.run_of(index).is_some()
    }

    /// Members below `index`.
    pub(super) fn count_below(&self, index: u32) -> u64 {
        let runs = self.runs.range(..index);
        runs.map(|(a, b)| u64::from((*b).min(index) - a)).sum()
    }

    /// Whether it was not there before.
    pub(super) fn insert(&mut self, index: u32) -> bool {
        if self.contains(index) {
            return false;
        }
        let mut run = index..index + 1;
        if let Some((first, end)) = self.runs.range(..index).next_back()
            && *end == index
        {
            run.start = *first;
        }
        if let Some(end) = self.runs.remove(&run.end) {
            run.end = end;
        }
        self.runs.insert(run.start, run.end);
        self.len += 1;
        true
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, index: u32) -> bool {
        match self.run_of(index) {
            Some(run) => {
                self.cut(run, index..index + 1);
                true
            }
            None => false,
        }
    }

    /// Takes the first `max` members of the first run.
    pub(super) fn take_first(&mut self, max: u32) -> Option<Range<u32>> {
        let run = self.first()?;
        let taken = run.start..run.end.min(run.start.saturating_add(max));
        self.cut(run, taken.clone());
        Some(taken)
    }

    fn cut(&mut self, run: Range<u32>, hole: Range<u32>) {
        self.runs.remove(&run.start);
        for rest in [run.start..hole.start, hole.end..run.end] {
            if !rest.is_empty() {
                self.runs.insert(rest.start, rest.end);
            }
        }
        self.len -= u64::from(hole.end - hole.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(count in 0u32..40, steps in prop::collection::vec((0u8..4, 0u32..40), 0..80)) {
            let mut ranges = Ranges::below(count);
            let mut model: BTreeSet<u32> = (0..count).collect();
            for (kind, n) in steps {
                match kind {
                    0 => prop_assert_eq!(ranges.insert(n), model.insert(n)),
                    1 => prop_assert_eq!(ranges.remove(n), model.remove(&n)),
                    2 => {
                        for index in ranges.take_first(n % 5 + 1).into_iter().flatten() {
                            prop_assert_eq!(model.pop_first(), Some(index));
                        }
                    }
                    _ => prop_assert_eq!(ranges.count_below(n), model.range(..n).count() as u64),
                }
                prop_assert_eq!(ranges.len(), model.len() as u64);
                prop_assert_eq!(ranges.contains(n), model.contains(&n));
            }
        }
    }
}
