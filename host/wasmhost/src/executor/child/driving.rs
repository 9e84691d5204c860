//! The runs that start tasks: their calls go out, the ends that they wait for come in.
//! A driver ends when its guest has and all that it has started.

use super::runs::Executor;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use wasmhost_proto::executor::{FromExecutor, RunId, SpawnedEnd};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::DriverRequest;
use wasmhost_sandbox::{Controls, Driver, DriverCall, Finished};

impl Executor {
    /// Asks a run to stop. A driver that waits is woken for it.
    pub(super) fn cancel(&self, id: RunId) {
        self.stop(id, Controls::cancel);
        if let Some(driver) = self.driver(id) {
            driver.stop();
        }
    }

    /// What a driver has started is over.
    pub(super) fn spawned(&self, id: RunId, key: String, end: SpawnedEnd) {
        if let Some(driver) = self.driver(id) {
            driver.ended(key, end);
        }
    }

    /// The next request to a driver that wants one.
    pub(super) fn requested(&self, id: RunId, request: Option<Box<DriverRequest>>) {
        if let Some(driver) = self.driver(id) {
            driver.requested(request);
        }
    }

    /// Drives a driver to its end.
    pub(super) async fn drive(
        &self,
        run: RunId,
        driver: Driver,
        controls: &Controls,
        limit: Duration,
        attempt: impl Future<Output = Finished>,
    ) -> Finished {
        let end = Instant::now() + limit;
        let mut finished = self.forward(run, &driver, attempt).await;
        if finished.failure.is_some() {
            return finished;
        }
        // What it has started and not waited for: were it to end before, a start that
        // is still on its way could be lost with the link.
        let joined = async {
            tokio::select! {
                () = driver.join() => None,
                () = controls.killed() => Some((FailureKind::Cancelled, "stopped on request")),
                () = sleep_until(end) => {
                    Some((FailureKind::TimeLimit, "the tasks that it has started had not ended"))
                }
            }
        };
        if let Some((kind, why)) = self.forward(run, &driver, joined).await {
            finished.failure = Some(Failure::new(kind, why));
        }
        finished
    }

    /// Passes on what a driver asks for, until something is over.
    async fn forward<T>(&self, run: RunId, driver: &Driver, over: impl Future<Output = T>) -> T {
        let mut over = pin!(over);
        loop {
            let call = tokio::select! {
                biased;
                call = driver.next_call() => call,
                over = &mut over => return over,
            };
            self.say(match call {
                DriverCall::Spawn { key, node, input } => FromExecutor::Spawn {
                    run,
                    key,
                    node,
                    input,
                },
                DriverCall::Cancel { key } => FromExecutor::CancelSpawned { run, key },
                DriverCall::Await => FromExecutor::Await { run },
                DriverCall::NextRequest => FromExecutor::NextRequest { run },
            });
            self.news.notify_one();
        }
    }
}
