//! What is found out about a node of a graph once the nodes before it have ended:
//! whether it runs, over which items, with what input. Found out by reading results,
//! which is IO: the core asks for it, and decides nothing of it itself.

use crate::record::StoredResult;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasmhost_proto::api::Counts;
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan};
use wasmhost_proto::{JobId, NodeIndex};

/// Whether a node has to be prepared before its first task starts.
pub fn is_needed(node: &NodePlan) -> bool {
    let given = matches!(node.input, NodeInput::Given(_));
    node.when.is_some() || is_dynamic(&node.array) || !given
}

/// Whether it is not known before other nodes have ended how many tasks there are.
pub fn is_dynamic(array: &Array) -> bool {
    array.source().is_some()
}

/// A node to prepare. Everything that it may read is durable.
#[derive(Clone, PartialEq, Debug)]
pub struct Preparation {
    /// The job.
    pub job: JobId,
    /// The node.
    pub node: NodeIndex,
    /// How often the job was told to run again: an answer to an earlier round is void.
    pub round: u32,
    /// The job's plan.
    pub plan: Arc<JobPlan>,
    /// The nodes named in its `after`, and how their tasks ended.
    pub before: Vec<(NodeIndex, Counts)>,
}

/// What was found out.
#[derive(Clone, PartialEq, Debug)]
pub enum Prepared {
    /// Its condition is not true.
    Skipped,
    /// It runs.
    Run {
        /// Its input, unless the plan has it.
        input: Option<StoredResult>,
        /// Its items, unless the plan has them.
        items: Option<Arc<[Item]>>,
    },
}

/// The same at rest. Items are not in it: they are made of durable results, and made of
/// them again when a primary takes the job over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PreparedRecord {
    /// It does not run.
    Skipped,
    /// It runs.
    Run {
        /// Its input, unless the plan has it.
        input: Option<StoredResult>,
        /// How many items it has, unless the plan says so.
        count: Option<u32>,
    },
}

impl Prepared {
    /// What is stored of it.
    pub fn record(&self) -> PreparedRecord {
        match self {
            Prepared::Skipped => PreparedRecord::Skipped,
            Prepared::Run { input, items } => PreparedRecord::Run {
                input: input.clone(),
                count: items.as_ref().map(|items| items.len() as u32),
            },
        }
    }
}
