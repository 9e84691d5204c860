//! Data as it is stored.

use serde::{Deserialize, Serialize};
use wasmhost_proto::data::{DataReply, Entry};
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{JobId, Lease, TaskId};

/// Whose data it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum SpaceId {
    /// A job's own.
    Job(JobId),
    /// Everybody's, by name.
    Public(String),
}

/// A change of one key.
#[derive(Clone, PartialEq, Debug)]
pub struct DataWrite {
    /// Where.
    pub space: SpaceId,
    /// Its key.
    pub key: String,
    /// What is there now; none when it was removed.
    pub entry: Option<Entry>,
    /// The revision of the change.
    pub revision: u64,
}

/// The last change that an attempt made, with what came of it: should the attempt ask
/// again, the answer was lost and the change was not.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallRecord {
    /// The attempt's lease.
    pub lease: Lease,
    /// Which of its calls.
    pub call: u64,
    /// What came of it.
    pub reply: DataReply,
}

/// What an attempt has left to the next one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// The lease of the attempt that saved it.
    pub lease: Lease,
    /// Which of its calls.
    pub call: u64,
    /// The bytes, or the blob that has them after its first line.
    pub content: ResultData,
}

/// An output: a stream that an attempt writes. Its parts are stored beside it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OutputRecord {
    /// The lease of the attempt that writes it.
    pub lease: Lease,
    /// Its name.
    pub name: String,
    /// What it holds, as in HTTP.
    pub content_type: String,
    /// Its parts.
    pub parts: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Nothing more is added.
    pub closed: bool,
}

impl OutputRecord {
    /// Whether its attempt may still write it, given the lease of the attempt that ended its
    /// task.
    pub fn is_live(&self, end: Option<Lease>) -> bool {
        end.is_none_or(|end| end < self.lease)
    }
}

/// All data as the store gives it back.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RecoveredData {
    /// The highest revision of any change.
    pub revision: u64,
    /// Every entry.
    pub entries: Vec<(SpaceId, Entry)>,
    /// The last changes of attempts.
    pub calls: Vec<(TaskId, CallRecord)>,
    /// The checkpoints of tasks that have not ended.
    pub checkpoints: Vec<(TaskId, CheckpointRecord)>,
    /// The outputs of live jobs, each task's in order of number.
    pub outputs: Vec<(TaskId, OutputRecord)>,
}
