//! Recorded results of one job, read from where they lie.

use super::PrepareError;
use std::fs::File;
use std::io::Read;
use tokio_util::sync::CancellationToken;
use wasmhost_core::record::StoredResult;
use wasmhost_proto::limits::GATHER_PAGE;
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::{JobId, NodeIndex, TaskId};
use wasmhost_store::{Blobs, Store};

/// A result, and the task that left it.
pub(super) struct Found {
    pub(super) task: TaskId,
    pub(super) result: StoredResult,
}

/// Where to read.
pub(super) struct Results<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) blobs: &'a Blobs,
    pub(super) plan: &'a JobPlan,
    pub(super) job: JobId,
    /// Nothing more is read once it is set.
    pub(super) stop: &'a CancellationToken,
}

impl<'a> Results<'a> {
    pub(super) fn node(&self, node: NodeIndex) -> Result<&'a NodePlan, PrepareError> {
        let node = self.plan.nodes.get(usize::from(node));
        node.ok_or(PrepareError::NoNode)
    }

    /// Every success of a node, in order of index. A success without result left an
    /// empty one.
    pub(super) fn each(
        &self,
        node: NodeIndex,
        mut f: impl FnMut(Found) -> Result<(), PrepareError>,
    ) -> Result<(), PrepareError> {
        let mut next = Some(0);
        while let Some(first) = next {
            if self.stop.is_cancelled() {
                return Err(PrepareError::Stopping);
            }
            let page = self.store.outcomes(self.job, node, first, GATHER_PAGE)?;
            next = page.last().and_then(|(index, _)| index.checked_add(1));
            for (index, outcome) in page {
                if outcome.failure.is_none() {
                    f(self.found(node, index, outcome.result))?;
                }
            }
        }
        Ok(())
    }

    /// The success of a single task, if it is one.
    pub(super) fn single(&self, node: NodeIndex) -> Result<Option<Found>, PrepareError> {
        let task = TaskId {
            job: self.job,
            node,
            index: 0,
        };
        let outcome = self.store.outcome(task)?;
        let success = outcome.filter(|outcome| outcome.failure.is_none());
        Ok(success.map(|outcome| self.found(node, 0, outcome.result)))
    }

    fn found(&self, node: NodeIndex, index: u32, result: Option<StoredResult>) -> Found {
        let task = TaskId {
            job: self.job,
            node,
            index,
        };
        let result = result.unwrap_or(StoredResult::Inline(Vec::new()));
        Found { task, result }
    }

    /// What people call a task: `name[index]`.
    pub(super) fn name(&self, task: TaskId) -> String {
        let node = self.plan.nodes.get(usize::from(task.node));
        let name = node.map_or("", |node| node.name.as_str());
        format!("{name}[{}]", task.index)
    }

    /// The file of a large result, and its length.
    pub(super) fn open(&self, found: &Found) -> Result<Option<(File, u64)>, PrepareError> {
        let StoredResult::Blob(blob) = &found.result else {
            return Ok(None);
        };
        let file = self.blobs.open_file(blob.digest)?;
        let missing = || PrepareError::Missing(self.name(found.task));
        Ok(Some(file.ok_or_else(missing)?))
    }

    /// The bytes of a result of `most` bytes; none of a larger one.
    pub(super) fn bytes(&self, found: &Found, most: u64) -> Result<Option<Vec<u8>>, PrepareError> {
        match (&found.result, self.open(found)?) {
            (StoredResult::Inline(bytes), _) if bytes.len() as u64 <= most => {
                Ok(Some(bytes.clone()))
            }
            (_, Some((file, len))) if len <= most => {
                let mut bytes = Vec::new();
                file.take(most).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            _ => Ok(None),
        }
    }
}
