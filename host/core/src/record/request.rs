//! What clients ask of a primary's own driver, at rest. It waits until a task is
//! started under its key, and stays known after that: a key is one request for ever.

use serde::{Deserialize, Serialize};
use wasmhost_proto::limits::REQUEST_KEY_PREFIX;
use wasmhost_proto::wire::DriverRequest;
use wasmhost_proto::{TaskId, Timestamp};

/// A request to the primary's driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The client's name for it.
    pub key: String,
    /// Grows from one to the next, over all terms.
    pub number: u64,
    /// The name of the task that is asked for.
    pub node: String,
    /// Its input.
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
    /// When it was made.
    pub submitted: Timestamp,
    /// What became of it; none while it waits.
    pub answer: Option<RequestAnswer>,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RequestAnswer {
    /// This task was started for it.
    Started(TaskId),
    /// Somebody took it back before.
    Withdrawn,
}

impl RequestRecord {
    /// The same as its driver is given it.
    pub fn for_driver(&self) -> DriverRequest {
        DriverRequest {
            number: self.number,
            key: format!("{REQUEST_KEY_PREFIX}{}", self.key),
            node: self.node.clone(),
            input: self.input.clone(),
        }
    }

    /// Whether the two ask for the same.
    pub fn asks_same(&self, node: &str, input: &[u8]) -> bool {
        self.node == node && self.input == input
    }
}
