//! Tasks that start other tasks of their job. Owns what a driver says and hears;
//! what it decides is its author's.
//!
//! A driver is a task that its definition calls one (`driver = true`). It starts tasks
//! of the nodes that name it (`spawned_by`), waits for any of them, and goes on as their
//! results say. Each has a key: should the driver be tried again, on another worker, it
//! begins anew, and a key that it has given before stands for the task that was started
//! then, with its result. So make keys of what a task is for, never of the time or a
//! random number.

use crate::context::Context;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::context::Host as _;
use crate::error::TaskError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The end of a task that this one has started.
#[derive(Clone, PartialEq, Debug)]
pub struct Ended {
    /// The key under which it was started.
    pub key: String,
    /// Its result, or why there is none.
    pub result: Result<Vec<u8>, SpawnError>,
}

/// What somebody asks of a primary's own driver. Whatever the driver starts under its
/// key, the one who asks gets the result of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The key of the task that answers it.
    pub key: String,
    /// The name of the task that is asked for.
    pub task: String,
    /// Its input.
    pub input: Vec<u8>,
}

impl Request {
    /// Its input, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, TaskError> {
        let read = serde_json::from_slice(&self.input);
        read.map_err(|e| TaskError::permanent(format_args!("{}: {e}", self.key)))
    }
}

/// What a driver may wait for.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A task that it has started is over.
    Ended(Ended),
    /// Somebody asks for something: of a primary's own driver only.
    Request(Request),
}

/// Why a started task has no result to give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpawnError {
    /// It failed for good, or was cancelled: the kind of failure, such as `trap`, and
    /// what happened.
    Failed {
        /// The kind, as in the API.
        kind: String,
        /// What happened.
        message: String,
    },
    /// It succeeded with so many bytes: more than a driver is given (256 KiB).
    Large(u64),
    /// It was never started, and why.
    Refused(String),
}

impl std::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SpawnError::Failed { kind, message } => write!(f, "{kind}: {message}"),
            SpawnError::Large(len) => {
                write!(f, "its result has {len} bytes, too many for a driver")
            }
            SpawnError::Refused(why) => write!(f, "it was not started: {why}"),
        }
    }
}
impl std::error::Error for SpawnError {}

impl Ended {
    /// The result, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, TaskError> {
        let of = |error: &dyn std::fmt::Display| {
            TaskError::permanent(format_args!("task '{}': {error}", self.key))
        };
        let bytes = self.result.as_ref().map_err(|e| of(e))?;
        serde_json::from_slice(bytes).map_err(|e| of(&e))
    }
}

impl Context {
    /// Starts the task `task` of the definition with `input` as JSON. `key` is this
    /// driver's name for it; the same key again means the same task.
    pub fn spawn(
        &self,
        key: impl AsRef<str>,
        task: &str,
        input: &impl Serialize,
    ) -> Result<(), TaskError> {
        let input = serde_json::to_vec(input)?;
        self.spawn_bytes(key, task, &input)
    }

    /// The same with bytes as input, up to 64 KiB.
    pub fn spawn_bytes(
        &self,
        key: impl AsRef<str>,
        task: &str,
        input: &[u8],
    ) -> Result<(), TaskError> {
        let key = key.as_ref();
        self.host().spawn(key, task, input).map_err(|why| {
            TaskError::permanent(format_args!("task '{key}' cannot be started: {why}"))
        })
    }

    /// Started tasks whose ends were not taken with [`wait`](Context::wait).
    pub fn under_way(&self) -> u32 {
        self.host().under_way()
    }

    /// Waits until any started task has ended; none when there is none under way, or
    /// when somebody asked this task to stop. Meanwhile this task holds no slot.
    pub fn wait(&self) -> Option<Ended> {
        self.host().wait(None)
    }

    /// The same, and none after `time`.
    pub fn wait_for(&self, time: Duration) -> Option<Ended> {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.host().wait(Some(ms))
    }

    /// Waits until any started task has ended or the next request comes. None when
    /// neither can come any more, and when somebody asked this task to stop: then return.
    pub fn next_event(&self) -> Option<Event> {
        self.host().next(None)
    }

    /// The same for drivers that leave the ends of tasks to those who ask: the next
    /// request.
    ///
    /// ```
    /// # use wasmhost::{Context, TaskError};
    /// /// Starts what is asked for.
    /// fn front(ctx: &Context, _: ()) -> Result<(), TaskError> {
    ///     while let Some(request) = ctx.next_request() {
    ///         ctx.start(&request)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn next_request(&self) -> Option<Request> {
        loop {
            if let Event::Request(request) = self.next_event()? {
                return Some(request);
            }
        }
    }

    /// Starts the task that a request asks for, with its input, under its key.
    pub fn start(&self, request: &Request) -> Result<(), TaskError> {
        self.spawn_bytes(&request.key, &request.task, &request.input)
    }

    /// Gives up a started task: its end comes as that of a cancelled one, or as what it
    /// was before that.
    pub fn cancel_task(&self, key: impl AsRef<str>) {
        self.host().cancel(key.as_ref());
    }
}
