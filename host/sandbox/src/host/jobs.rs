//! `wasmhost:task/jobs`: calls on the primary, which makes the jobs. A call that waits holds
//! no thread.

use super::wasmhost::task::jobs as guest;
use crate::state::State;
use wasmhost_proto::api::JobState;
use wasmhost_proto::data::{DataOp, DataRefusal, DataReply, Space};
use wasmhost_proto::jobs::{ChildJob, JobOp, JobReply};

impl State {
    async fn job(&mut self, op: JobOp) -> Result<JobReply, guest::Error> {
        // What makes no sense does not travel.
        if let Some(why) = op.fault() {
            return Err(guest::Error::Invalid(why));
        }
        let op = DataOp::Job(Box::new(op));
        match self.controls.call(Space::Task, op).await {
            None => Err(guest::Error::Stopped),
            Some(DataReply::Job(reply)) => Ok(*reply),
            Some(DataReply::Refused(kind, why)) => Err(match kind {
                DataRefusal::NotGranted => guest::Error::NotGranted(why),
                DataRefusal::Invalid | DataRefusal::NotANumber => guest::Error::Invalid(why),
                DataRefusal::Full => guest::Error::Full(why),
                DataRefusal::Unreachable => guest::Error::Failed(why),
            }),
            Some(_) => Err(strange()),
        }
    }
}

fn strange() -> guest::Error {
    guest::Error::Failed("the primary gave another kind of answer".into())
}

fn job(child: ChildJob) -> guest::Job {
    guest::Job {
        id: child.job.to_string(),
        state: match child.state {
            JobState::Queued => guest::State::Queued,
            JobState::Running => guest::State::Running,
            JobState::Stopping => guest::State::Stopping,
            JobState::Succeeded => guest::State::Succeeded,
            JobState::Failed => guest::State::Failed,
            JobState::Cancelled => guest::State::Cancelled,
        },
        total: child.total,
        succeeded: child.succeeded,
        failed: child.failed,
        failure: child.failure,
    }
}

impl guest::Host for State {
    async fn submit(
        &mut self,
        key: String,
        definition: String,
        params: String,
    ) -> Result<String, guest::Error> {
        let op = JobOp::Submit {
            key,
            definition,
            params,
        };
        match self.job(op).await? {
            JobReply::Submitted(id) => Ok(id.to_string()),
            _ => Err(strange()),
        }
    }

    async fn look(&mut self, key: String) -> Result<Option<guest::Job>, guest::Error> {
        match self.job(JobOp::Look { key }).await? {
            JobReply::State(child) => Ok(child.map(job)),
            _ => Err(strange()),
        }
    }

    async fn wait(&mut self, key: String, timeout_ms: u64) -> Result<guest::Job, guest::Error> {
        match self.job(JobOp::Wait { key, timeout_ms }).await? {
            JobReply::State(Some(child)) => Ok(job(child)),
            _ => Err(strange()),
        }
    }

    async fn read(&mut self, key: String, index: u32) -> Result<Vec<u8>, guest::Error> {
        match self.job(JobOp::Read { key, index }).await? {
            JobReply::Result(bytes) => Ok(bytes),
            _ => Err(strange()),
        }
    }

    async fn cancel(&mut self, key: String) -> Result<(), guest::Error> {
        match self.job(JobOp::Cancel { key }).await? {
            JobReply::Done => Ok(()),
            _ => Err(strange()),
        }
    }
}
