//! What runs ask of the primary: their calls go out, the answers come in.

use super::runs::Executor;
use std::pin::pin;
use wasmhost_proto::data::DataReply;
use wasmhost_proto::executor::{FromExecutor, RunId};
use wasmhost_sandbox::{Controls, DataRequest};

impl Executor {
    /// The answer to a call of a run.
    pub(super) fn answered(&self, id: RunId, call: u64, reply: DataReply) {
        if let Some(controls) = self.controls(id) {
            controls.answer(call, reply);
        }
    }

    /// Passes on what a run asks for, until something is over. A run that asks for nothing
    /// is polled and nothing else.
    pub(super) async fn pass_on<T>(
        &self,
        run: RunId,
        controls: &Controls,
        over: impl Future<Output = T>,
    ) -> T {
        let mut over = pin!(over);
        loop {
            let DataRequest { call, space, op } = tokio::select! {
                biased;
                over = &mut over => return over,
                call = controls.next_call() => call,
            };
            self.say(FromExecutor::Data {
                run,
                call,
                space,
                op,
            });
            self.news.notify_one();
        }
    }
}
