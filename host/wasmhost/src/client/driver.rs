//! The calls about the primary's driver.

use super::calls::{LONG_POLL, PATIENCE, TRY_EVERY};
use super::{Client, ClientError};
use reqwest::Method;
use std::time::Instant;
use wasmhost_proto::api::{DriverView, NewRequest, RequestState, RequestView, TaskState};

impl Client {
    pub(crate) async fn driver(&self) -> Result<DriverView, ClientError> {
        self.get(&["driver"], &[]).await
    }

    pub(crate) async fn make_request(
        &self,
        request: &NewRequest,
    ) -> Result<RequestView, ClientError> {
        self.post(&["driver", "requests"], request).await
    }

    pub(crate) async fn withdraw_request(&self, key: &str) -> Result<RequestView, ClientError> {
        let delete = self.request(Method::DELETE, &["driver", "requests", key], &[]);
        self.json(delete.timeout(super::ANSWER)).await
    }

    /// The request once nothing more comes of it. A primary that restarts is waited for.
    pub(crate) async fn request_end(&self, key: &str) -> Result<RequestView, ClientError> {
        let wait = [("wait_ms", LONG_POLL.as_millis().to_string())];
        let mut lost: Option<Instant> = None;
        loop {
            match self.get(&["driver", "requests", key], &wait).await {
                Ok(view) if is_over(&view) => return Ok(view),
                Ok(_) => lost = None,
                Err(error) if error.is_passing() => {
                    if lost.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(error);
                    }
                    tokio::time::sleep(TRY_EVERY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_over(view: &RequestView) -> bool {
    let state = view.answer.as_ref().map(|task| task.state);
    match state {
        Some(TaskState::Waiting | TaskState::Assigned | TaskState::Running) => false,
        Some(_) => true,
        None => view.state == RequestState::Withdrawn,
    }
}
