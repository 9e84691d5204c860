//! `wasmhost:task/driver`: starting tasks of the same job, and the requests that
//! come to a primary's driver. Tasks that are no drivers
//! are told so.

use super::wasmhost::task::driver::{Ended, Event, Failure, Host, Outcome, Request};
use crate::driver::DriverEvent;
use crate::state::State;
use std::time::Duration;
use wasmhost_proto::executor::SpawnedEnd;

const NO_DRIVER: &str = "this task is no driver: write `driver = true` in its definition";

impl Host for State {
    fn spawn(&mut self, key: String, task: String, input: Vec<u8>) -> Result<(), String> {
        match &self.attempt.driver {
            Some(driver) => driver.spawn(key, task, input),
            None => Err(NO_DRIVER.into()),
        }
    }

    fn under_way(&mut self) -> u32 {
        self.attempt.driver.as_ref().map_or(0, |d| d.open())
    }

    async fn wait(&mut self, timeout_ms: Option<u64>) -> Option<Ended> {
        let driver = self.attempt.driver.as_ref()?;
        let (key, end) = driver.wait(timeout_ms.map(Duration::from_millis)).await?;
        Some(ended(key, end))
    }

    async fn next(&mut self, timeout_ms: Option<u64>) -> Option<Event> {
        let driver = self.attempt.driver.as_ref()?;
        Some(
            match driver.next(timeout_ms.map(Duration::from_millis)).await? {
                DriverEvent::Ended(key, end) => Event::Ended(ended(key, end)),
                DriverEvent::Request(request) => Event::Request(Request {
                    key: request.key,
                    task: request.node,
                    input: request.input,
                }),
            },
        )
    }

    fn cancel(&mut self, key: String) {
        if let Some(driver) = &self.attempt.driver {
            driver.cancel(key);
        }
    }
}

fn ended(key: String, end: SpawnedEnd) -> Ended {
    let outcome = match end {
        SpawnedEnd::Success(bytes) => Outcome::Success(bytes),
        SpawnedEnd::Large(len) => Outcome::Large(len),
        SpawnedEnd::Failure(failure) => Outcome::Failed(Failure {
            kind: failure.kind.name().into(),
            message: failure.message,
        }),
        SpawnedEnd::Refused(why) => Outcome::Refused(why),
    };
    Ended { key, outcome }
}
