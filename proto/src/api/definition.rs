//! Stored definitions: what a client applies, and what it is told of them.

use super::SubmitRequest;
use crate::ids::Digest;
use crate::input::BlobRef;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A definition to store under a name: a new version of it, unless nothing differs from
/// the latest.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplyRequest {
    /// Its name, 1 to 64 letters, digits and `. _ -`; that of its jobs when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is said of the version, up to 1 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The definition, and what the client resolved of it, as for a submission. Values of
    /// parameters serve to check it and are not stored.
    pub job: SubmitRequest,
}

/// A version of a stored definition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DefinitionView {
    /// Its name.
    pub name: String,
    /// Its version, from 1. A number is never given twice.
    pub version: u32,
    /// When it was stored.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created: Timestamp,
    /// What was said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// SHA-256 over all that makes it: equal when nothing differs.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Every module that it names, by the source as the definition has it. A name means
    /// what it meant when the version was stored.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, String>))]
    pub modules: BTreeMap<String, Digest>,
    /// The definition, TOML; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// The uploaded files; not in lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, BlobRef>,
    /// The items that the client listed; not in lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, Vec<String>>,
}

/// A stored definition as people name it: `name` means its latest version, `name@3` that
/// one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredName {
    /// The definition.
    pub name: String,
    /// The version; the latest when none.
    pub version: Option<u32>,
}

impl FromStr for StoredName {
    type Err = StoredNameError;

    fn from_str(text: &str) -> Result<StoredName, StoredNameError> {
        let (name, version) = match text.split_once('@') {
            None => (text, None),
            Some((name, digits)) => {
                let version = digits.parse().ok().filter(|n: &u32| *n > 0);
                let plain = digits.bytes().all(|b| b.is_ascii_digit());
                (
                    name,
                    Some(version.filter(|_| plain).ok_or(StoredNameError)?),
                )
            }
        };
        match name.is_empty() {
            true => Err(StoredNameError),
            false => Ok(StoredName {
                name: name.to_owned(),
                version,
            }),
        }
    }
}

impl fmt::Display for StoredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => f.write_str(&self.name),
            Some(version) => write!(f, "{}@{version}", self.name),
        }
    }
}

/// A text that names no stored definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredNameError;

impl fmt::Display for StoredNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored definition is NAME, or NAME@VERSION with a version from 1")
    }
}

impl std::error::Error for StoredNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_a_version() {
        let check = |text: &str, want: Option<(&str, Option<u32>)>| {
            let got = text.parse::<StoredName>().ok();
            let shown = got.as_ref().map(ToString::to_string);
            assert_eq!(shown.as_deref(), want.map(|_| text), "{text:?}");
            let got = got.map(|stored| (stored.name, stored.version));
            let want = want.map(|(name, version)| (name.to_owned(), version));
            assert_eq!(got, want, "{text:?}");
        };
        check("report", Some(("report", None)));
        check("report@3", Some(("report", Some(3))));
        check("re.port-1@4294967295", Some(("re.port-1", Some(u32::MAX))));
        for bad in [
            "",
            "@",
            "@3",
            "a@",
            "a@0",
            "a@+1",
            "a@x",
            "a@1@2",
            "a@4294967296",
        ] {
            check(bad, None);
        }
    }
}
