//! Messages between a primary and a worker, version 1, on the control stream.
//!
//! Blobs never travel here: they have streams of their own (see [`StreamRequest`]). Records on hot
//! paths are tuples in CBOR; growing one of them needs a new protocol version.

mod outcomes;
mod short;
mod stream;
mod to_primary;
mod to_worker;

pub use stream::*;
pub use to_primary::*;
pub use to_worker::*;

use serde::{Deserialize, Serialize};

/// A frame from the primary. A worker drops the connection of a primary whose
/// term is below the highest it has seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PrimaryFrame {
    /// The primary's term: it grows with every start of a primary.
    pub term: u64,
    /// Messages, in order; at most [`crate::limits::MAX_BATCH`].
    pub messages: Vec<ToWorker>,
}

/// A frame from a worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WorkerFrame {
    /// Messages, in order; at most [`crate::limits::MAX_BATCH`].
    pub messages: Vec<ToPrimary>,
}
