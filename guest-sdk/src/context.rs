//! What a running attempt can learn of itself and tell the world. Owns no
//! bounds: the platform enforces them (long texts are cut, floods are stopped).

use crate::data::{DataError, Datum, Entry, Expect};
use crate::driver::{Ended, Event};
use crate::error::TaskError;
use crate::http::{HttpError, HttpParts, HttpResponse};
use crate::jobs::{JobError, JobStatus};
use crate::keep::Keeper;
use crate::program::{ProgramError, ProgramSaid};
use crate::throttle::Throttle;
use crate::value::Value;
use std::cell::RefCell;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// How much a log line matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Only for who looks for a mistake.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// What a [`Context`] stands on: the platform's imports, or a test's stand-in.
pub(crate) trait Host: Keeper {
    fn job(&self) -> String;
    fn task(&self) -> String;
    fn index(&self) -> u32;
    fn count(&self) -> u32;
    fn attempt(&self) -> u32;
    fn idempotency_key(&self) -> String;
    fn deadline_ms(&self) -> Option<u64>;
    fn cancelled(&self) -> bool;
    fn progress(&self, done: u64, total: Option<u64>, message: Option<&str>);
    fn set(&self, name: &str, value: Value);
    fn event(&self, name: &str, value: Option<Value>);
    fn log(&self, level: Level, message: &str);
    fn config(&self, key: &str) -> Option<String>;
    fn config_all(&self) -> Vec<(String, String)>;
    fn spawn(&self, key: &str, task: &str, input: &[u8]) -> Result<(), String>;
    fn under_way(&self) -> u32;
    fn wait(&self, timeout_ms: Option<u64>) -> Option<Ended>;
    fn cancel(&self, key: &str);
    fn next(&self, timeout_ms: Option<u64>) -> Option<Event>;
    fn http(&self, parts: HttpParts) -> Result<HttpResponse, HttpError>;
    fn job_submit(&self, key: &str, definition: &str, params: &str) -> Result<String, JobError>;
    fn job_look(&self, key: &str) -> Result<Option<JobStatus>, JobError>;
    fn job_wait(&self, key: &str, timeout_ms: u64) -> Result<JobStatus, JobError>;
    fn job_read(&self, key: &str, index: u32) -> Result<Vec<u8>, JobError>;
    fn job_cancel(&self, key: &str) -> Result<(), JobError>;
    fn program_start(&self, name: &str, args: &[String]) -> Result<u32, ProgramError>;
    fn program_write(&self, program: u32, bytes: &[u8]) -> Result<(), ProgramError>;
    fn program_close(&self, program: u32) -> Result<(), ProgramError>;
    fn program_read(&self, program: u32, timeout_ms: u64) -> Result<ProgramSaid, ProgramError>;
    fn program_kill(&self, program: u32) -> Result<(), ProgramError>;
    fn data_get(&self, space: Option<&str>, key: &str) -> Result<Option<Entry>, DataError>;
    fn data_set(
        &self,
        space: Option<&str>,
        key: &str,
        value: Datum,
        expect: Expect,
    ) -> Result<u64, DataError>;
    fn data_delete(&self, space: Option<&str>, key: &str, expect: Expect) -> Result<(), DataError>;
    fn data_add(&self, space: Option<&str>, key: &str, by: i64) -> Result<i64, DataError>;
    fn data_page(
        &self,
        space: Option<&str>,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Entry>, bool), DataError>;
    fn data_wait(
        &self,
        space: Option<&str>,
        key: &str,
        known: u64,
        timeout_ms: u64,
    ) -> Result<Option<Entry>, DataError>;
}

/// In a guest there is one host, and it is named: every import that a module does
/// not use is one that need not be linked for each attempt.
#[cfg(target_family = "wasm")]
pub(crate) type AnyHost = crate::guest::Platform;
/// Tests bring their own.
#[cfg(not(target_family = "wasm"))]
pub(crate) type AnyHost = std::rc::Rc<dyn Host>;

/// A running attempt: who it is, and what it says of itself.
pub struct Context {
    host: AnyHost,
    reports: RefCell<Reports>,
}

/// The reports of progress: the latest may be waiting for its turn.
struct Reports {
    throttle: Throttle,
    waiting: Option<(u64, Option<u64>)>,
}

impl Context {
    pub(crate) fn new(host: AnyHost) -> Context {
        let reports = Reports {
            throttle: Throttle::new(),
            waiting: None,
        };
        Context {
            host,
            reports: RefCell::new(reports),
        }
    }

    pub(crate) fn host(&self) -> &AnyHost {
        &self.host
    }

    /// The job's id, as users type it.
    pub fn job(&self) -> String {
        self.host.job()
    }

    /// The name of the task in the job's definition.
    pub fn task(&self) -> String {
        self.host.task()
    }

    /// Which index of the array this is; 0 for a single task.
    pub fn index(&self) -> u32 {
        self.host.index()
    }

    /// How many indexes the array has; 1 for a single task.
    pub fn count(&self) -> u32 {
        self.host.count()
    }

    /// Which attempt of the task this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.host.attempt()
    }

    /// The same for every attempt of this task and different for every other
    /// task: give it to outside systems so that a repeated attempt does no harm.
    pub fn idempotency_key(&self) -> String {
        self.host.idempotency_key()
    }

    /// The time left before the attempt is stopped; none without a limit.
    pub fn deadline(&self) -> Option<Duration> {
        self.host.deadline_ms().map(Duration::from_millis)
    }

    /// Whether somebody asked this attempt to stop. It is killed after a grace.
    pub fn cancelled(&self) -> bool {
        self.host.cancelled()
    }

    /// Ends the task when somebody asked it to stop: `ctx.check_cancelled()?`.
    pub fn check_cancelled(&self) -> Result<(), TaskError> {
        match self.cancelled() {
            true => Err(TaskError::permanent("cancelled")),
            false => Ok(()),
        }
    }

    /// Tells how far the attempt is: `done` of `total` units, or of an unknown
    /// total (`None`). Call it as often as you like: a report leaves the
    /// sandbox at most every 10 ms, and the last one always does.
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>) {
        let total = total.into();
        let mut reports = self.reports.borrow_mut();
        if total == Some(done) || reports.throttle.pass(Instant::now) {
            reports.waiting = None;
            self.host.progress(done, total, None);
        } else {
            reports.waiting = Some((done, total));
        }
    }

    /// Like [`progress`](Context::progress), with a word on what is going on.
    /// Always reported: use it where a phase begins.
    pub fn progress_with(
        &self,
        done: u64,
        total: impl Into<Option<u64>>,
        message: impl AsRef<str>,
    ) {
        self.reports.borrow_mut().waiting = None;
        self.host
            .progress(done, total.into(), Some(message.as_ref()));
    }

    /// Publishes a value under a name; the latest value of a name wins.
    pub fn set(&self, name: &str, value: impl Into<Value>) {
        self.host.set(name, value.into());
    }

    /// Publishes that something happened.
    pub fn event(&self, name: &str) {
        self.host.event(name, None);
    }

    /// Publishes that something happened, and a value that goes with it.
    pub fn event_with(&self, name: &str, value: impl Into<Value>) {
        self.host.event(name, Some(value.into()));
    }

    /// Writes a log line.
    pub fn log(&self, level: Level, message: impl Display) {
        self.host.log(level, &message.to_string());
    }

    /// Writes a log line for who looks for a mistake.
    pub fn debug(&self, message: impl Display) {
        self.log(Level::Debug, message);
    }

    /// Writes a log line worth knowing: `ctx.info(format_args!("{n} words"))`.
    pub fn info(&self, message: impl Display) {
        self.log(Level::Info, message);
    }

    /// Writes a log line about something odd.
    pub fn warn(&self, message: impl Display) {
        self.log(Level::Warn, message);
    }

    /// Writes a log line about a failure.
    pub fn error(&self, message: impl Display) {
        self.log(Level::Error, message);
    }
}

/// The last report of progress leaves before the task's result does.
impl Drop for Context {
    fn drop(&mut self) {
        if let Some((done, total)) = self.reports.get_mut().waiting.take() {
            self.host.progress(done, total, None);
        }
    }
}
