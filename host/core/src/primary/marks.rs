//! Jobs that an event has to do with: noted often, gone through once, in order.

use wasmhost_proto::JobId;

/// Ids, most of them noted many times in a row. Short: an event empties it.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<JobId>);

impl Marks {
    pub(super) fn insert(&mut self, id: JobId) {
        if self.0.last() != Some(&id) {
            self.0.push(id);
        }
    }

    /// Each one once, oldest job first.
    pub(super) fn take(&mut self) -> Vec<JobId> {
        let mut ids = std::mem::take(&mut self.0);
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_in_order() {
        let mut marks = Marks::default();
        [7, 7, 2, 7, 2, 9]
            .into_iter()
            .for_each(|id| marks.insert(JobId(id)));
        assert_eq!(marks.take(), [2, 7, 9].map(JobId));
        assert_eq!(marks.take(), []);
    }
}
