//! The platform's imports as the [`Host`] of a context. Exists in WebAssembly only.

mod data;
mod http;
mod jobs;
mod keep;
mod programs;

use crate::bindings::wasi::config::store;
use crate::bindings::wasmhost::task::{context, driver, log, status};
use crate::context::{Host, Level};
use crate::data::{DataError, Datum, Entry, Expect};
use crate::driver::{Ended, Event, Request, SpawnError};
use crate::http::{HttpError, HttpParts, HttpResponse};
use crate::jobs::{JobError, JobStatus};
use crate::program::{ProgramError, ProgramSaid};
use crate::value::Value;

pub(crate) struct Platform;

impl Host for Platform {
    fn job(&self) -> String {
        context::job()
    }

    fn task(&self) -> String {
        context::task()
    }

    fn index(&self) -> u32 {
        context::index()
    }

    fn count(&self) -> u32 {
        context::count()
    }

    fn attempt(&self) -> u32 {
        context::attempt()
    }

    fn idempotency_key(&self) -> String {
        context::idempotency_key()
    }

    fn deadline_ms(&self) -> Option<u64> {
        context::deadline()
    }

    fn cancelled(&self) -> bool {
        context::cancelled()
    }

    fn progress(&self, done: u64, total: Option<u64>, message: Option<&str>) {
        status::progress(done, total, message);
    }

    fn set(&self, name: &str, value: Value) {
        status::set(name, &lower(value));
    }

    fn event(&self, name: &str, value: Option<Value>) {
        status::event(name, value.map(lower).as_ref());
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::write(level, message);
    }

    fn config(&self, key: &str) -> Option<String> {
        // Sandboxes never fail: the texts are there.
        store::get(key).ok().flatten()
    }

    fn config_all(&self) -> Vec<(String, String)> {
        store::get_all().unwrap_or_default()
    }

    fn spawn(&self, key: &str, task: &str, input: &[u8]) -> Result<(), String> {
        driver::spawn(key, task, input)
    }

    fn under_way(&self) -> u32 {
        driver::under_way()
    }

    fn wait(&self, timeout_ms: Option<u64>) -> Option<Ended> {
        driver::wait(timeout_ms).map(ended)
    }

    fn next(&self, timeout_ms: Option<u64>) -> Option<Event> {
        Some(match driver::next(timeout_ms)? {
            driver::Event::Ended(end) => Event::Ended(ended(end)),
            driver::Event::Request(request) => Event::Request(Request {
                key: request.key,
                task: request.task,
                input: request.input,
            }),
        })
    }

    fn cancel(&self, key: &str) {
        driver::cancel(key);
    }

    fn http(&self, parts: HttpParts) -> Result<HttpResponse, HttpError> {
        http::fetch(parts)
    }

    fn job_submit(&self, key: &str, definition: &str, params: &str) -> Result<String, JobError> {
        jobs::submit(key, definition, params)
    }

    fn job_look(&self, key: &str) -> Result<Option<JobStatus>, JobError> {
        jobs::look(key)
    }

    fn job_wait(&self, key: &str, timeout_ms: u64) -> Result<JobStatus, JobError> {
        jobs::wait(key, timeout_ms)
    }

    fn job_read(&self, key: &str, index: u32) -> Result<Vec<u8>, JobError> {
        jobs::read(key, index)
    }

    fn job_cancel(&self, key: &str) -> Result<(), JobError> {
        jobs::cancel(key)
    }

    fn program_start(&self, name: &str, args: &[String]) -> Result<u32, ProgramError> {
        programs::start(name, args)
    }

    fn program_write(&self, program: u32, bytes: &[u8]) -> Result<(), ProgramError> {
        programs::write(program, bytes)
    }

    fn program_close(&self, program: u32) -> Result<(), ProgramError> {
        programs::close(program)
    }

    fn program_read(&self, program: u32, timeout_ms: u64) -> Result<ProgramSaid, ProgramError> {
        programs::read(program, timeout_ms)
    }

    fn program_kill(&self, program: u32) -> Result<(), ProgramError> {
        programs::kill(program)
    }

    fn data_get(&self, space: Option<&str>, key: &str) -> Result<Option<Entry>, DataError> {
        data::get(space, key)
    }

    fn data_set(
        &self,
        space: Option<&str>,
        key: &str,
        value: Datum,
        expect: Expect,
    ) -> Result<u64, DataError> {
        data::set(space, key, value, expect)
    }

    fn data_delete(&self, space: Option<&str>, key: &str, expect: Expect) -> Result<(), DataError> {
        data::delete(space, key, expect)
    }

    fn data_add(&self, space: Option<&str>, key: &str, by: i64) -> Result<i64, DataError> {
        data::add(space, key, by)
    }

    fn data_page(
        &self,
        space: Option<&str>,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Entry>, bool), DataError> {
        data::page(space, prefix, after, limit)
    }

    fn data_wait(
        &self,
        space: Option<&str>,
        key: &str,
        known: u64,
        timeout_ms: u64,
    ) -> Result<Option<Entry>, DataError> {
        data::wait(space, key, known, timeout_ms)
    }
}

fn ended(ended: driver::Ended) -> Ended {
    let result = match ended.outcome {
        driver::Outcome::Success(bytes) => Ok(bytes),
        driver::Outcome::Large(len) => Err(SpawnError::Large(len)),
        driver::Outcome::Failed(failure) => Err(SpawnError::Failed {
            kind: failure.kind,
            message: failure.message,
        }),
        driver::Outcome::Refused(why) => Err(SpawnError::Refused(why)),
    };
    Ended {
        key: ended.key,
        result,
    }
}

fn lower(value: Value) -> status::Value {
    match value {
        Value::Text(text) => status::Value::Text(text),
        Value::Int(number) => status::Value::Int(number),
        Value::Float(number) => status::Value::Float(number),
        Value::Flag(flag) => status::Value::Flag(flag),
        Value::Json(text) => status::Value::Json(text),
    }
}
