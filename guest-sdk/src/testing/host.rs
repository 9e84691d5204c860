//! What a context asks of the platform, answered by a [`Fake`](super::Fake).

use super::State;
use crate::context::{Host, Level};
use crate::data::{DataError, Datum, Entry, Expect};
use crate::driver::{Ended, Event, SpawnError};
use crate::http::{HttpError, HttpParts, HttpResponse};
use crate::jobs::{JobError, JobStatus};
use crate::program::{ProgramError, ProgramSaid};
use crate::value::Value;

impl Host for State {
    fn job(&self) -> String {
        "fake".into()
    }

    fn task(&self) -> String {
        "task".into()
    }

    fn index(&self) -> u32 {
        self.index.get()
    }

    fn count(&self) -> u32 {
        self.others.get() + 1
    }

    fn attempt(&self) -> u32 {
        self.retries.get() + 1
    }

    fn idempotency_key(&self) -> String {
        format!("fake/task/{}", self.index.get())
    }

    fn deadline_ms(&self) -> Option<u64> {
        let left = self.deadline.get()?;
        Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    fn cancelled(&self) -> bool {
        match self.patience.get() {
            None => false,
            Some(0) => true,
            Some(checks) => {
                self.patience.set(Some(checks - 1));
                false
            }
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, message: Option<&str>) {
        let message = message.map(str::to_owned);
        self.progress.borrow_mut().push((done, total, message));
    }

    fn set(&self, name: &str, value: Value) {
        self.values.borrow_mut().push((name.to_owned(), value));
    }

    fn event(&self, name: &str, value: Option<Value>) {
        self.events.borrow_mut().push((name.to_owned(), value));
    }

    fn log(&self, level: Level, message: &str) {
        self.logs.borrow_mut().push((level, message.to_owned()));
    }

    fn config(&self, key: &str) -> Option<String> {
        self.config.borrow().get(key).cloned()
    }

    fn config_all(&self) -> Vec<(String, String)> {
        let config = self.config.borrow();
        config.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn spawn(&self, key: &str, task: &str, input: &[u8]) -> Result<(), String> {
        let mut spawned = self.spawned.borrow_mut();
        let Some(spawned) = spawned.as_mut() else {
            return Err("this task is no driver".into());
        };
        let mut ends = self.ends.borrow_mut();
        if ends.iter().any(|ended| ended.key == key) {
            return Err(format!("the task '{key}' is under way already"));
        }
        ends.push_back(Ended {
            key: key.to_owned(),
            result: spawned(task, input),
        });
        Ok(())
    }

    fn under_way(&self) -> u32 {
        self.ends.borrow().len() as u32
    }

    fn wait(&self, _: Option<u64>) -> Option<Ended> {
        self.ends.borrow_mut().pop_front()
    }

    fn next(&self, timeout_ms: Option<u64>) -> Option<Event> {
        if let Some(ended) = self.wait(timeout_ms) {
            return Some(Event::Ended(ended));
        }
        let request = self.requests.borrow_mut().pop_front();
        request.map(Event::Request)
    }

    fn cancel(&self, key: &str) {
        for ended in self.ends.borrow_mut().iter_mut().filter(|e| e.key == key) {
            ended.result = Err(SpawnError::Failed {
                kind: "cancelled".into(),
                message: "given up".into(),
            });
        }
    }

    fn http(&self, parts: HttpParts) -> Result<HttpResponse, HttpError> {
        match &mut *self.network.borrow_mut() {
            Some(network) => network(&parts),
            None => {
                let HttpParts { method, url, .. } = &parts;
                let why = format!("{method} {url} is not granted: the task does not ask for it");
                Err(HttpError::NotGranted(why))
            }
        }
    }

    fn job_submit(&self, key: &str, definition: &str, params: &str) -> Result<String, JobError> {
        self.jobs.borrow_mut().submit(key, definition, params)
    }

    fn job_look(&self, key: &str) -> Result<Option<JobStatus>, JobError> {
        Ok(self.jobs.borrow().look(key))
    }

    fn job_wait(&self, key: &str, _: u64) -> Result<JobStatus, JobError> {
        self.jobs.borrow().wait(key)
    }

    fn job_read(&self, key: &str, _: u32) -> Result<Vec<u8>, JobError> {
        self.jobs.borrow().read(key)
    }

    fn job_cancel(&self, key: &str) -> Result<(), JobError> {
        self.jobs.borrow().wait(key).map(drop)
    }

    fn program_start(&self, name: &str, args: &[String]) -> Result<u32, ProgramError> {
        self.programs.borrow_mut().start(name, args)
    }

    fn program_write(&self, program: u32, bytes: &[u8]) -> Result<(), ProgramError> {
        self.programs.borrow_mut().write(program, bytes)
    }

    fn program_close(&self, program: u32) -> Result<(), ProgramError> {
        self.programs.borrow_mut().close(program)
    }

    fn program_read(&self, program: u32, _: u64) -> Result<ProgramSaid, ProgramError> {
        self.programs.borrow_mut().read(program)
    }

    fn program_kill(&self, program: u32) -> Result<(), ProgramError> {
        self.programs.borrow_mut().kill(program)
    }

    fn data_get(&self, space: Option<&str>, key: &str) -> Result<Option<Entry>, DataError> {
        Ok(self.data.borrow().get(space, key))
    }

    fn data_set(
        &self,
        space: Option<&str>,
        key: &str,
        value: Datum,
        expect: Expect,
    ) -> Result<u64, DataError> {
        self.data.borrow_mut().set(space, key, value, expect)
    }

    fn data_delete(&self, space: Option<&str>, key: &str, expect: Expect) -> Result<(), DataError> {
        self.data.borrow_mut().delete(space, key, expect)
    }

    fn data_add(&self, space: Option<&str>, key: &str, by: i64) -> Result<i64, DataError> {
        self.data.borrow_mut().add(space, key, by)
    }

    fn data_page(
        &self,
        space: Option<&str>,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Entry>, bool), DataError> {
        Ok(self.data.borrow().page(space, prefix, after, limit))
    }

    fn data_wait(
        &self,
        space: Option<&str>,
        key: &str,
        _: u64,
        _: u64,
    ) -> Result<Option<Entry>, DataError> {
        self.data_get(space, key)
    }
}
