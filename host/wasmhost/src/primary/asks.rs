//! Requests on public data.

use super::handle::{ApiRefusal, Handle};
use wasmhost_core::primary::{Event, Reply};
use wasmhost_proto::data::DataOp;

impl Handle {
    /// Reads or changes public data. Answered when all that the answer rests on is durable;
    /// a wait when what it waits for has come, or its time.
    pub(crate) async fn data(&self, space: String, op: DataOp) -> Result<Reply, ApiRefusal> {
        self.request(move |request| Event::Data { request, space, op })
            .await
    }
}
