//! Jobs that a task submits: of stored definitions, by names that its own job gives them.
//! What such a job is made from and how it runs is as with any other.

use crate::api::JobState;
use crate::api::StoredName;
use crate::ids::JobId;
use crate::limits::{MAX_CHILD_KEY, MAX_CHILD_PARAMS};
use serde::{Deserialize, Serialize};

/// What a task asks for. A key is the caller's job's own name for the job that it submits:
/// the same key again means the same job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobOp {
    /// To submit a job.
    Submit {
        /// Its key.
        key: String,
        /// A stored definition: `name`, or `name@version`.
        definition: String,
        /// Its parameters, a JSON object; empty for none.
        params: String,
    },
    /// How far a job is.
    Look {
        /// Its key.
        key: String,
    },
    /// The same once it has ended, or when the time is over.
    Wait {
        /// Its key.
        key: String,
        /// For how long, milliseconds; never more than [`crate::limits::MAX_DATA_WAIT_MS`].
        timeout_ms: u64,
    },
    /// A result of a job that has succeeded.
    Read {
        /// Its key.
        key: String,
        /// Which, where it is one of many; 0 otherwise.
        index: u32,
    },
    /// To cancel a job.
    Cancel {
        /// Its key.
        key: String,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobReply {
    /// There is this job.
    Submitted(JobId),
    /// How far it is; none when there is no such job.
    State(Option<ChildJob>),
    /// The result.
    Result(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It is done.
    Done,
}

/// A job that a task has submitted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChildJob {
    /// Its id.
    pub job: JobId,
    /// Where it is.
    pub state: JobState,
    /// Its tasks, as far as is known.
    pub total: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed for good.
    pub failed: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl JobOp {
    /// The key of the job that is meant.
    pub fn key(&self) -> &str {
        match self {
            JobOp::Submit { key, .. }
            | JobOp::Look { key }
            | JobOp::Wait { key, .. }
            | JobOp::Read { key, .. }
            | JobOp::Cancel { key } => key,
        }
    }

    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        let key = self.key();
        if key.is_empty() || key.len() > MAX_CHILD_KEY || key.contains(char::is_control) {
            return Some(format!(
                "the key of a job has 1 to {MAX_CHILD_KEY} bytes and no control characters"
            ));
        }
        let JobOp::Submit {
            definition, params, ..
        } = self
        else {
            return None;
        };
        if definition.parse::<StoredName>().is_err() {
            let shown: String = definition.chars().take(80).collect();
            return Some(format!(
                "{shown:?} names no stored definition: give `name`, or `name@version`"
            ));
        }
        (params.len() > MAX_CHILD_PARAMS).then(|| {
            format!(
                "the parameters have {} bytes, and may have {MAX_CHILD_PARAMS}",
                params.len()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense() {
        let check = |key: &str, definition: &str, params: usize, want: Option<&str>| {
            let fault = JobOp::Submit {
                key: key.into(),
                definition: definition.into(),
                params: " ".repeat(params),
            }
            .fault();
            match want {
                None => assert_eq!(fault, None, "{key} {definition}"),
                Some(want) => assert!(
                    fault.as_ref().is_some_and(|why| why.contains(want)),
                    "{key} {definition}: {fault:?}"
                ),
            }
        };
        check("a", "nightly", 0, None);
        check("page 7", "nightly@3", MAX_CHILD_PARAMS, None);
        check("", "nightly", 0, Some("key"));
        check("a\nb", "nightly", 0, Some("key"));
        check(&"k".repeat(MAX_CHILD_KEY + 1), "nightly", 0, Some("key"));
        check("a", "", 0, Some("names no stored definition"));
        check("a", "nightly@x", 0, Some("names no stored definition"));
        check("a", "nightly", MAX_CHILD_PARAMS + 1, Some("parameters"));
    }
}
