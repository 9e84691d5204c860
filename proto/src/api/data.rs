//! Public data, as clients see it.

use crate::data::DataValue;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A public space that holds something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpaceView {
    /// Its name.
    pub name: String,
    /// Its entries.
    pub entries: u64,
    /// Bytes that they count as.
    pub bytes: u64,
}

/// A value under its key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntryView {
    /// Its key.
    pub key: String,
    /// Its value.
    #[serde(flatten)]
    pub value: DataValue,
    /// Grows with every change of any data, never used twice.
    pub revision: u64,
    /// When it was written, by the primary's clock.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: Timestamp,
    /// The task that wrote it; none when a client did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// A change that was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WrittenView {
    /// The entry's revision now; 0 when it was removed.
    pub revision: u64,
    /// The sum, of an addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<i64>,
}
