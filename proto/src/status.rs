//! What a guest publishes while it runs: progress, typed values, events, log lines.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far an attempt is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A typed status value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "value")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A floating-point number; not-a-number and infinities are refused at the guest's call.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// JSON text, checked to be well formed.
    Json(String),
}

/// A value under its name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedValue {
    /// The name the guest gave it.
    pub name: String,
    /// Its latest value.
    #[serde(flatten)]
    pub value: Value,
}

/// Something that happened in an attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// When, by the worker's clock.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: Timestamp,
    /// The name the guest gave it.
    pub name: String,
    /// What the guest said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Everything that an attempt has published up to now.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Its values, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<NamedValue>,
    /// Its events, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Events that were dropped because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_dropped: u64,
    /// Calls of the host that the guest had made at its end, of those that are counted:
    /// status, log and data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls: u64,
    /// What progress and values were before, oldest first: those that a report has shown,
    /// thinned out when there are many. Views show it as a task's timeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub history: Vec<Past>,
}

/// What the progress or a value became, and when.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Past {
    /// When it was reported, by the worker's clock.
    pub at: Timestamp,
    /// What it became.
    pub was: Was,
}

/// What of a status has a past.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Was {
    /// The progress.
    Progress(Progress),
    /// A value.
    Value(NamedValue),
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Status {
    /// Whether nothing was published.
    pub fn is_empty(&self) -> bool {
        *self == Status::default()
    }
}
