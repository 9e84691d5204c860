//! Outputs of tasks, as clients see them.

use serde::{Deserialize, Serialize};

/// An output: a named stream that a task wrote, or writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutputView {
    /// The name of the task's node.
    pub node: String,
    /// The task's index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What it holds, as the task says.
    pub content_type: String,
    /// Its bytes up to now.
    pub bytes: u64,
    /// Nothing more is added: the task has closed it, or has ended.
    pub complete: bool,
}
