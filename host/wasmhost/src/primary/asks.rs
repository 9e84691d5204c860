//! Requests on public data, and for what is new of a job.

use super::handle::{ApiRefusal, Handle};
use wasmhost_core::primary::{Event, Reply};
use wasmhost_proto::JobId;
use wasmhost_proto::data::DataOp;

impl Handle {
    /// Reads or changes public data. Answered when all that the answer rests on is durable;
    /// a wait when what it waits for has come, or its time.
    pub(crate) async fn data(&self, space: String, op: DataOp) -> Result<Reply, ApiRefusal> {
        self.request(move |request| Event::Data { request, space, op })
            .await
    }

    /// Asks those workers for all that attempts of a job have published whose word is
    /// older than this; how many have not said it yet.
    pub(crate) async fn poll(&self, job: JobId, max_age_ms: u64) -> Result<u32, ApiRefusal> {
        let event = move |request| Event::Poll {
            request,
            job,
            max_age_ms,
        };
        match self.request(event).await? {
            Reply::Stale { workers } => Ok(workers),
            _ => Ok(0),
        }
    }
}
