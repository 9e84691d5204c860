//! The platform's calls for jobs that this task's job submits.

use crate::bindings::wasmhost::task::jobs as wit;
use crate::jobs::{JobError, JobState, JobStatus};

pub(super) fn submit(key: &str, definition: &str, params: &str) -> Result<String, JobError> {
    wit::submit(key, definition, params).map_err(error)
}

pub(super) fn look(key: &str) -> Result<Option<JobStatus>, JobError> {
    Ok(wit::look(key).map_err(error)?.map(status))
}

pub(super) fn wait(key: &str, timeout_ms: u64) -> Result<JobStatus, JobError> {
    wit::wait(key, timeout_ms).map(status).map_err(error)
}

pub(super) fn read(key: &str, index: u32) -> Result<Vec<u8>, JobError> {
    wit::read(key, index).map_err(error)
}

pub(super) fn cancel(key: &str) -> Result<(), JobError> {
    wit::cancel(key).map_err(error)
}

fn status(job: wit::Job) -> JobStatus {
    JobStatus {
        id: job.id,
        state: match job.state {
            wit::State::Queued => JobState::Queued,
            wit::State::Running => JobState::Running,
            wit::State::Stopping => JobState::Stopping,
            wit::State::Succeeded => JobState::Succeeded,
            wit::State::Failed => JobState::Failed,
            wit::State::Cancelled => JobState::Cancelled,
        },
        total: job.total,
        succeeded: job.succeeded,
        failed: job.failed,
        failure: job.failure,
    }
}

fn error(error: wit::Error) -> JobError {
    match error {
        wit::Error::NotGranted(why) => JobError::NotGranted(why),
        wit::Error::Invalid(why) => JobError::Invalid(why),
        wit::Error::Full(why) => JobError::Full(why),
        wit::Error::Failed(why) => JobError::Failed(why),
        wit::Error::Stopped => JobError::Stopped,
    }
}
