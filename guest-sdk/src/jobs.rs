//! Jobs of stored definitions, for a task that was granted them (`submits = ["nightly"]` in
//! its definition). Owns how they are submitted and their ends read; what they do is theirs.

use crate::context::Context;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::context::Host as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Why a call on a job came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JobError {
    /// The task submits no such jobs.
    NotGranted(String),
    /// The call makes no sense, or the submission is refused.
    Invalid(String),
    /// There is no room for more jobs.
    Full(String),
    /// What was asked for could not be found out.
    Failed(String),
    /// Somebody asked this task to stop.
    Stopped,
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JobError::Stopped => f.write_str("stopped while a call on a job was under way"),
            JobError::NotGranted(why)
            | JobError::Invalid(why)
            | JobError::Full(why)
            | JobError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for JobError {}

/// Where a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobState {
    /// No task of it has started.
    Queued,
    /// It runs.
    Running,
    /// It was cancelled or has failed, and some of its tasks still run.
    Stopping,
    /// It has succeeded.
    Succeeded,
    /// It has failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl JobState {
    /// Whether nothing more happens to it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            JobState::Succeeded | JobState::Failed | JobState::Cancelled
        )
    }
}

/// How far a job is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobStatus {
    /// Its id, as users type it.
    pub id: String,
    /// Where it is.
    pub state: JobState,
    /// Its tasks, as far as is known.
    pub total: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed for good.
    pub failed: u64,
    /// Why it failed.
    pub failure: Option<String>,
}

/// A job under the name that this task's job has for it: [`Context::child`].
pub struct ChildJob<'a> {
    context: &'a Context,
    key: String,
}

/// The longest wait of one call.
const WAIT_MS: u64 = 60_000;

impl Context {
    /// The job that was submitted under `key`, or is to be: the same key means the same job,
    /// also when this task is tried again.
    ///
    /// ```no_run
    /// # use wasmhost::{Context, JobError};
    /// # fn f(ctx: &Context) -> Result<(), JobError> {
    /// let report = ctx.child("monday");
    /// report.submit("nightly", &[("day", "monday")])?;
    /// report.wait()?;
    /// let pages: u32 = report.read()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn child(&self, key: impl Into<String>) -> ChildJob<'_> {
        ChildJob {
            context: self,
            key: key.into(),
        }
    }
}

impl ChildJob<'_> {
    /// Submits it: a job of a stored definition (`name`, or `name@version`) with its
    /// parameters by name. It is durable when this returns. Its id.
    ///
    /// # Errors
    /// It is not granted, the parameters are not as the definition says, or no worker could
    /// run it.
    pub fn submit(
        &self,
        definition: &str,
        params: &[(&str, impl Serialize)],
    ) -> Result<String, JobError> {
        let mut all = serde_json::Map::new();
        for (name, value) in params {
            let value = serde_json::to_value(value);
            let value = value.map_err(|error| JobError::Invalid(format!("no JSON: {error}")))?;
            all.insert((*name).to_owned(), value);
        }
        let params = serde_json::Value::Object(all).to_string();
        self.context
            .host()
            .job_submit(&self.key, definition, &params)
    }

    /// How far it is; none when it was not submitted.
    ///
    /// # Errors
    /// That could not be found out.
    pub fn look(&self) -> Result<Option<JobStatus>, JobError> {
        self.context.host().job_look(&self.key)
    }

    /// Waits for its end, at most so long; how far it is then.
    ///
    /// # Errors
    /// It was not submitted, or this task is asked to stop.
    pub fn wait_for(&self, time: Duration) -> Result<JobStatus, JobError> {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.context.host().job_wait(&self.key, ms.min(WAIT_MS))
    }

    /// Waits for its end, however long that takes. That it failed is no error here.
    ///
    /// # Errors
    /// It was not submitted, or this task is asked to stop.
    pub fn wait(&self) -> Result<JobStatus, JobError> {
        loop {
            let status = self.wait_for(Duration::from_millis(WAIT_MS))?;
            if status.state.is_final() {
                return Ok(status);
            }
        }
    }

    /// Its result as bytes, once it has succeeded; of an array, that of an index.
    ///
    /// # Errors
    /// It has not succeeded, has no such result, or one of more than 256 KiB.
    pub fn bytes(&self, index: u32) -> Result<Vec<u8>, JobError> {
        self.context.host().job_read(&self.key, index)
    }

    /// Its result, which is JSON.
    ///
    /// # Errors
    /// As [`ChildJob::bytes`], or it is not of this form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        let read = serde_json::from_slice(&self.bytes(0)?);
        read.map_err(|error| JobError::Failed(format!("the result is not as expected: {error}")))
    }

    /// Cancels it.
    ///
    /// # Errors
    /// It was not submitted.
    pub fn cancel(&self) -> Result<(), JobError> {
        self.context.host().job_cancel(&self.key)
    }
}
