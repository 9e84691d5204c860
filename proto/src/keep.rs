//! What a task keeps with the primary beside its result: the checkpoint that one attempt
//! leaves to the next.

use crate::ids::{Lease, TaskId};
use crate::limits::MAX_CHECKPOINT;
use crate::wire::ResultData;
use serde::{Deserialize, Serialize};

/// What an attempt asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// To keep a checkpoint in the place of the one before. From an executor its bytes,
    /// those after all [`crate::executor::FromExecutor::Bulk`]; on the wire a large one is
    /// a blob, which [`checkpoint_head`] begins.
    Save(ResultData),
    /// The checkpoint that was saved last, by whatever attempt of the task.
    Load,
}

impl Keep {
    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        match self {
            Keep::Save(ResultData::Inline(bytes)) if bytes.len() > MAX_CHECKPOINT => Some(format!(
                "the checkpoint has {} bytes, and may have {MAX_CHECKPOINT}",
                bytes.len()
            )),
            Keep::Save(_) | Keep::Load => None,
        }
    }

    /// The bytes that it brings, where it has them itself.
    pub fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Keep::Save(ResultData::Inline(bytes)) => Some(bytes),
            Keep::Save(ResultData::Blob(_)) | Keep::Load => None,
        }
    }
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The checkpoint is durable.
    Saved,
    /// The checkpoint; none when there is none.
    Checkpoint(Option<ResultData>),
}

/// The first line of a checkpoint's blob. It tells whose it is, so that no two blobs are
/// the same and one that is superseded can be removed at once.
pub fn checkpoint_head(task: TaskId, lease: Lease, call: u64) -> String {
    let (term, attempt) = (lease.term, lease.attempt);
    format!("{}{term}.{attempt}.{call}\n", checkpoint_owner(task))
}

/// How the first line of each of a task's checkpoints begins.
pub fn checkpoint_owner(task: TaskId) -> String {
    format!("wasmhost checkpoint of {task}, call ")
}

/// What follows the first line of a checkpoint's blob; none when it is no such blob.
pub fn checkpoint_body(task: TaskId, blob: &[u8]) -> Option<&[u8]> {
    let rest = blob.strip_prefix(checkpoint_owner(task).as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some(&rest[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    #[test]
    fn a_checkpoint_is_its_tasks_own() {
        let task = |index| TaskId {
            job: JobId(7),
            node: 1,
            index,
        };
        let lease = Lease {
            term: 3,
            attempt: 2,
        };
        let blob = [checkpoint_head(task(1), lease, 9).as_bytes(), b"a\nb"].concat();
        assert_eq!(checkpoint_body(task(1), &blob), Some(&b"a\nb"[..]));
        assert_eq!(checkpoint_body(task(11), &blob), None);
        assert_eq!(checkpoint_body(task(1), b"a\nb"), None);
        assert_eq!(checkpoint_body(task(1), &blob[..20]), None);
    }
}
