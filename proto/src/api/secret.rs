//! Secrets in the client API: their values go in and never come out.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret to keep.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretRequest {
    /// What is secret: a line of text.
    pub value: String,
    /// Requests that it may go with, in a header: `GET https://api.example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Whether tasks may have the value itself.
    #[serde(default)]
    pub reveal: bool,
}

impl fmt::Debug for SecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret to {:?}", self.to)
    }
}

/// A secret without its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretView {
    /// Its name.
    pub name: String,
    /// Requests that it may go with, in a header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Whether tasks may have the value itself.
    #[serde(default)]
    pub reveal: bool,
    /// When it was set.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub changed: Timestamp,
}
