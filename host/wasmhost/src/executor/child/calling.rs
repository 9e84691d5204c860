//! What runs ask of the primary and of their worker: calls go out, answers come in.

use super::super::bulk;
use super::runs::Executor;
use std::pin::pin;
use wasmhost_proto::executor::{FromExecutor, RunId};
use wasmhost_sandbox::{Ask, Controls, Request, Told};

impl Executor {
    /// The answer to a call of a run.
    pub(super) fn answered(&self, id: RunId, call: u64, mut reply: Told) {
        if let Some(bytes) = bulk::of_told(&mut reply)
            && let Some(mut before) = self.bulk.borrow_mut().remove(&id)
        {
            before.append(bytes);
            *bytes = before;
        }
        if let Some(controls) = self.controls(id) {
            controls.answer(call, reply);
        }
    }

    /// Bytes of an answer that is still coming.
    pub(super) fn bulk(&self, id: RunId, mut bytes: Vec<u8>) {
        // Nobody waits for what comes to one that has ended.
        if self.controls(id).is_some() {
            let mut bulk = self.bulk.borrow_mut();
            bulk.entry(id).or_default().append(&mut bytes);
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
            let Request { call, mut ask } = tokio::select! {
                biased;
                over = &mut over => return over,
                call = controls.next_call() => call,
            };
            if let Some(bytes) = bulk::of_ask(&mut ask) {
                for bytes in bulk::cut(bytes) {
                    self.say(FromExecutor::Bulk { run, bytes });
                }
            }
            self.say(match ask {
                Ask::Data(space, op) => FromExecutor::Data {
                    run,
                    call,
                    space,
                    op,
                },
                Ask::Program(op) => FromExecutor::Program { run, call, op },
                Ask::Http(request) => FromExecutor::Http { run, call, request },
            });
            self.news.notify_one();
        }
    }
}
