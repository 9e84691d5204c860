//! Data that tasks share: private, with the tasks of their job, or public, with everybody.
//! Owns what a task says and hears of it; bounds and grants are the platform's.
//!
//! Private data lives as long as the job. Public data lives in named spaces that every
//! client reads; a job changes those that its definition names
//! (`publishes = ["prices"]` in `[job]`). A change is durable when its call returns, and
//! counts once even if the primary restarts in the middle of it. An attempt that is
//! repeated makes its changes again: use [`Data::create`] or revisions where that matters.

use crate::context::Context;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::context::Host as _;
use crate::value::Value;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The entries asked for in one call.
const PAGE: u32 = 500;

/// What is under a key.
#[derive(Clone, PartialEq, Debug)]
pub enum Datum {
    /// A typed value.
    Value(Value),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A value under its key.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What is there.
    pub value: Datum,
    /// Grows with every change of any data; never used twice.
    pub revision: u64,
}

impl Entry {
    /// The value as a type: numbers, text and flags as what they are, JSON parsed.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when it is of another type, or bytes.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        let of = |why: &dyn std::fmt::Display| {
            DataError::Invalid(format!("'{}' is of another type: {why}", self.key))
        };
        let value = match &self.value {
            Datum::Bytes(_) => return Err(of(&"it is bytes")),
            Datum::Value(Value::Text(text)) => text.as_str().into(),
            Datum::Value(Value::Int(number)) => (*number).into(),
            Datum::Value(Value::Float(number)) => (*number).into(),
            Datum::Value(Value::Flag(flag)) => (*flag).into(),
            Datum::Value(Value::Json(text)) => serde_json::from_str(text).map_err(|e| of(&e))?,
        };
        serde_json::from_value(value).map_err(|e| of(&e))
    }
}

/// What has to be there for a change to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expect {
    Any,
    Absent,
    Revision(u64),
}

/// Why a call came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataError {
    /// What is there has this revision, not the expected one; 0: there is nothing.
    Conflict(u64),
    /// The job does not publish in this space.
    NotGranted(String),
    /// There is no room for it.
    Full(String),
    /// The key, the value or the name of the space is none, or of another type.
    Invalid(String),
    /// What is there is no whole number, or the sum would be none.
    NotANumber(String),
    /// Somebody asked this task to stop while it waited.
    Stopped,
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DataError::Conflict(0) => f.write_str("there is no such entry"),
            DataError::Conflict(revision) => write!(f, "the entry has revision {revision}"),
            DataError::Stopped => f.write_str("stopped while waiting for a change"),
            DataError::NotGranted(why)
            | DataError::Full(why)
            | DataError::Invalid(why)
            | DataError::NotANumber(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DataError {}

/// The data of a space: [`Context::private`] or [`Context::public`].
pub struct Data<'a> {
    context: &'a Context,
    space: Option<String>,
}

impl Context {
    /// What the tasks of this job share, and nobody else sees.
    pub fn private(&self) -> Data<'_> {
        Data {
            context: self,
            space: None,
        }
    }

    /// The public space of this name.
    pub fn public(&self, space: impl Into<String>) -> Data<'_> {
        Data {
            context: self,
            space: Some(space.into()),
        }
    }
}

impl Data<'_> {
    fn space(&self) -> Option<&str> {
        self.space.as_deref()
    }

    /// The entry of a key; none when there is none.
    pub fn entry(&self, key: &str) -> Result<Option<Entry>, DataError> {
        self.context.host().data_get(self.space(), key)
    }

    /// The value of a key as a type; none when there is none.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, DataError> {
        let entry = self.entry(key)?;
        entry.map(|entry| entry.read()).transpose()
    }

    /// The bytes of a key; none when there is none.
    pub fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, DataError> {
        match self.entry(key)?.map(|entry| entry.value) {
            None => Ok(None),
            Some(Datum::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Datum::Value(_)) => Err(DataError::Invalid(format!("'{key}' is no bytes"))),
        }
    }

    /// Writes a value, whatever was there. Its revision.
    pub fn set(&self, key: &str, value: impl Into<Value>) -> Result<u64, DataError> {
        self.write(key, Datum::Value(value.into()), Expect::Any)
    }

    /// Writes bytes, whatever was there. Their revision.
    pub fn set_bytes(&self, key: &str, bytes: impl Into<Vec<u8>>) -> Result<u64, DataError> {
        self.write(key, Datum::Bytes(bytes.into()), Expect::Any)
    }

    /// Writes a value where there is none: [`DataError::Conflict`] when somebody was first.
    pub fn create(&self, key: &str, value: impl Into<Value>) -> Result<u64, DataError> {
        self.write(key, Datum::Value(value.into()), Expect::Absent)
    }

    /// Writes a value over a revision: [`DataError::Conflict`] when it is another one by now.
    pub fn replace(
        &self,
        key: &str,
        value: impl Into<Value>,
        revision: u64,
    ) -> Result<u64, DataError> {
        self.write(key, Datum::Value(value.into()), Expect::Revision(revision))
    }

    fn write(&self, key: &str, value: Datum, expect: Expect) -> Result<u64, DataError> {
        self.context
            .host()
            .data_set(self.space(), key, value, expect)
    }

    /// Adds to a whole number; one that is not there is 0. The sum.
    pub fn add(&self, key: &str, by: i64) -> Result<i64, DataError> {
        self.context.host().data_add(self.space(), key, by)
    }

    /// Removes a key. One that is not there is no mistake.
    pub fn delete(&self, key: &str) -> Result<(), DataError> {
        self.context
            .host()
            .data_delete(self.space(), key, Expect::Any)
    }

    /// Removes a key that has this revision.
    pub fn delete_revision(&self, key: &str, revision: u64) -> Result<(), DataError> {
        self.context
            .host()
            .data_delete(self.space(), key, Expect::Revision(revision))
    }

    /// All entries whose keys begin with `prefix`, by key.
    pub fn list(&self, prefix: &str) -> Result<Vec<Entry>, DataError> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.key.clone());
            let host = self.context.host();
            let (page, more) = host.data_page(self.space(), prefix, after.as_deref(), PAGE)?;
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Waits until a key's revision is another one than `known` (0: that there is none),
    /// or for `time`, a minute at most; what is there then.
    pub fn wait(&self, key: &str, known: u64, time: Duration) -> Result<Option<Entry>, DataError> {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.context.host().data_wait(self.space(), key, known, ms)
    }
}
