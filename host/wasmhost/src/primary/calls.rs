//! Calls of attempts on jobs that their job submits, on their way to those that make jobs and
//! back. What each comes to is not decided here.

use super::driver::Input;
use super::handle::{Handle, Stopped};
use std::sync::PoisonError;
use tokio::sync::mpsc;
use wasmhost_core::primary::{Calling, Event, JobCall};
use wasmhost_proto::data::DataReply;

impl Handle {
    /// The calls, for the one who answers them; none the second time.
    pub(crate) fn take_job_calls(&self) -> Option<mpsc::Receiver<JobCall>> {
        let mut calls = self
            .job_calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        calls.take()
    }

    /// Answers a call.
    pub(crate) async fn answer_job_call(
        &self,
        caller: Calling,
        reply: DataReply,
    ) -> Result<(), Stopped> {
        let event = Event::JobAnswered { caller, reply };
        self.turns.bring(Input::Event(event)).await
    }
}
