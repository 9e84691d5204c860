//! Data beside a job's results: what its tasks share while it lives (private), and what
//! jobs and clients publish for everybody (public). One order per key: the primary's.

use crate::ids::{Lease, TaskId};
use crate::jobs::{JobOp, JobReply};
use crate::keep::{Keep, Kept};
use crate::limits::{DATA_ENTRY, MAX_DATA_KEY, MAX_DATA_SPACE, MAX_DATA_VALUE};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which data a task means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Its job's own: for the tasks of the job and nobody else, and gone with its end.
    Private,
    /// A public one, by name: everybody reads it.
    Public(String),
    /// Not data of many but what one task keeps, or its job has submitted: goes with
    /// [`DataOp::Keep`] and [`DataOp::Job`].
    Task,
}

/// A typed value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "value")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DataValue {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A floating-point number; neither not-a-number nor infinite.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// JSON text, well formed.
    Json(String),
    /// Bytes; in JSON as base64.
    Bytes(#[serde(with = "bytes")] Vec<u8>),
}

impl DataValue {
    /// Bytes that it counts as.
    pub fn size(&self) -> usize {
        match self {
            DataValue::Text(text) | DataValue::Json(text) => text.len(),
            DataValue::Bytes(bytes) => bytes.len(),
            DataValue::Int(_) | DataValue::Float(_) => 8,
            DataValue::Flag(_) => 1,
        }
    }

    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        match self {
            _ if self.size() > MAX_DATA_VALUE => Some(format!(
                "the value has {} bytes, and may have {MAX_DATA_VALUE}",
                self.size()
            )),
            DataValue::Float(number) if !number.is_finite() => {
                Some("a number has to be finite".into())
            }
            DataValue::Json(text) => serde_json::from_str::<serde::de::IgnoredAny>(text)
                .err()
                .map(|error| format!("the value is not JSON: {error}")),
            _ => None,
        }
    }
}

/// What is wrong with a key; none when nothing is.
pub fn key_fault(key: &str) -> Option<String> {
    let good = !key.is_empty() && key.len() <= MAX_DATA_KEY && !key.contains(char::is_control);
    (!good).then(|| format!("a key has 1 to {MAX_DATA_KEY} bytes and no control characters"))
}

/// What is wrong with the name of a public space; none when nothing is.
pub fn space_fault(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !name.is_empty() && name.len() <= MAX_DATA_SPACE && name.chars().all(plain);
    (!good).then(|| {
        format!(
            "the name of a public space has 1 to {MAX_DATA_SPACE} letters, digits, '-', '_' and '.'"
        )
    })
}

/// Whether a list of patterns names a space: each is a name, or the start of one and `*`.
pub fn publishes(patterns: &[String], space: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => space.starts_with(start),
            None => pattern == space,
        })
}

/// Who wrote an entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writer {
    /// A task.
    Task(TaskId),
    /// A client of the API.
    Client,
}

/// A value under its key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: DataValue,
    /// Grows with every change of any data, never used twice.
    pub revision: u64,
    /// When it was written, by the primary's clock.
    pub at: Timestamp,
    /// By whom.
    pub writer: Writer,
}

impl Entry {
    /// Bytes that it counts as.
    pub fn size(&self) -> usize {
        self.key.len() + self.value.size() + DATA_ENTRY
    }
}

/// What has to be there for a change to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Whatever is.
    #[default]
    Any,
    /// Nothing.
    Absent,
    /// This revision.
    Revision(u64),
}

/// What is asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataOp {
    /// An entry.
    Get {
        /// Its key.
        key: String,
    },
    /// To write one.
    Set {
        /// Its key.
        key: String,
        /// Its value.
        value: DataValue,
        /// What has to be there.
        expect: Expect,
    },
    /// To remove one.
    Delete {
        /// Its key.
        key: String,
        /// What has to be there.
        expect: Expect,
    },
    /// To add to a whole number; one that is not there is 0.
    Add {
        /// Its key.
        key: String,
        /// How much; may be negative.
        by: i64,
    },
    /// Entries in order of key.
    List {
        /// Their keys begin so.
        prefix: String,
        /// Only those behind this key.
        after: Option<String>,
        /// At most so many; never more than [`crate::limits::MAX_DATA_PAGE`].
        limit: u32,
    },
    /// An entry, as soon as it differs from the one that is known.
    Wait {
        /// Its key.
        key: String,
        /// The revision that is known; 0 for none.
        known: u64,
        /// For how long, milliseconds; never more than [`crate::limits::MAX_DATA_WAIT_MS`].
        timeout_ms: u64,
    },
    /// To keep something for its task, or to have it back.
    Keep(Box<Keep>),
    /// On a job that its job has submitted: goes with [`Space::Task`].
    Job(Box<JobOp>),
}

impl DataOp {
    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        matches!(
            self,
            DataOp::Set { .. } | DataOp::Delete { .. } | DataOp::Add { .. }
        )
    }

    /// Whether the answer may take its time.
    pub fn waits(&self) -> bool {
        match self {
            DataOp::Wait { .. } => true,
            DataOp::Job(op) => matches!(**op, JobOp::Wait { .. }),
            _ => false,
        }
    }

    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        match self {
            DataOp::Set { key, value, .. } => key_fault(key).or_else(|| value.fault()),
            DataOp::Get { key }
            | DataOp::Delete { key, .. }
            | DataOp::Add { key, .. }
            | DataOp::Wait { key, .. } => key_fault(key),
            DataOp::List { prefix, after, .. } => {
                let long = |key: &str| key.len() > MAX_DATA_KEY;
                let bad = long(prefix) || after.as_deref().is_some_and(long);
                bad.then(|| format!("a prefix has at most {MAX_DATA_KEY} bytes"))
            }
            DataOp::Keep(keep) => keep.fault(),
            DataOp::Job(op) => op.fault(),
        }
    }
}

/// Why a call was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataRefusal {
    /// The job's definition does not publish in this space.
    NotGranted,
    /// There is no room: of the value, the job, the space or all.
    Full,
    /// The call makes no sense: its message says why.
    Invalid,
    /// What is there is no whole number, or the sum is none.
    NotANumber,
    /// It did not get to the primary, or what the primary has did not get here.
    Unreachable,
}

impl fmt::Display for DataRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataRefusal::NotGranted => "not-granted",
            DataRefusal::Full => "full",
            DataRefusal::Invalid => "invalid",
            DataRefusal::NotANumber => "not-a-number",
            DataRefusal::Unreachable => "unreachable",
        })
    }
}

/// What came of a call. A change is durable before this is said, and so is what was read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataReply {
    /// The entry; none when there is none. Of a wait: the same, when the time was over.
    Entry(Option<Entry>),
    /// It is changed, and has this revision now; 0 when it is removed.
    Written(u64),
    /// It is changed: the number, and its revision.
    Sum(i64, u64),
    /// It is not changed: it has this revision, which is not the expected one; 0 for none.
    Conflict(u64),
    /// Entries, and whether there are more behind the last.
    Page(Vec<Entry>, bool),
    /// Nothing was done, and why.
    Refused(DataRefusal, String),
    /// What came of a [`DataOp::Keep`].
    Kept(Box<Kept>),
    /// What came of a [`DataOp::Job`].
    Job(Box<JobReply>),
}

/// A call of an attempt. Repeated in every session until it is answered; one at a time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DataCall {
    /// Who calls.
    pub task: TaskId,
    /// Its lease.
    pub lease: Lease,
    /// Which call of the attempt, from 1: a repetition does not count twice.
    pub call: u64,
    /// Where.
    pub space: Space,
    /// What.
    pub op: DataOp,
}

/// The answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DataAnswer {
    /// Who called.
    pub task: TaskId,
    /// Its lease.
    pub lease: Lease,
    /// Which call.
    pub call: u64,
    /// What came of it.
    pub reply: DataReply,
}

/// Bytes: as they are where that is possible, in text as base64.
mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => to.serialize_str(&STANDARD.encode(bytes)),
            false => to.serialize_bytes(bytes),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        match from.is_human_readable() {
            true => {
                let text = String::deserialize(from)?;
                let bytes = STANDARD.decode(&text);
                bytes.map_err(|error| D::Error::custom(format!("this is not base64: {error}")))
            }
            false => Ok(serde_bytes::ByteBuf::deserialize(from)?.into_vec()),
        }
    }
}
