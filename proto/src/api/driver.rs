//! The driver that a primary was started with, and what clients ask of it.

use super::TaskView;
use crate::ids::JobId;
use crate::plan::DefinitionRef;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Asks the primary's driver for a task.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewRequest {
    /// The name of the task, one that the driver's definition lets it start.
    pub task: String,
    /// Its input, up to 64 KiB of JSON; null unless given.
    #[serde(default)]
    pub input: serde_json::Value,
    /// Makes a repetition the same request, for ever: 1 to 128 letters, digits and
    /// `. _ : -`. One is made unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A request to the primary's driver.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestView {
    /// Its key.
    pub key: String,
    /// The name of the task that is asked for.
    pub task: String,
    /// Where it is.
    pub state: RequestState,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub submitted: Timestamp,
    /// The task that answers it, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<TaskView>,
}

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RequestState {
    /// The driver has not started a task for it.
    Waiting,
    /// A task answers it: see [`RequestView::answer`].
    Started,
    /// Somebody took it back before there was a task.
    Withdrawn,
}

/// The driver that a primary was started with.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DriverView {
    /// The stored definition that `--driver` names; none when the primary was started
    /// without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version that is loaded; none when it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionRef>,
    /// Why it cannot be loaded: requests are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The job that it runs as; none between two starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub job: Option<JobId>,
    /// The tasks that can be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Requests for which it has started no task yet.
    pub waiting: u64,
}
