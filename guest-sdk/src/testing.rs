//! A stand-in for the platform: runs a task in a plain `cargo test`, and keeps
//! what it published for the test to look at.
//!
//! ```
//! use wasmhost::{Context, TaskError, testing::Fake};
//!
//! fn run(ctx: &Context, input: u32) -> Result<u32, TaskError> {
//!     ctx.set("doubled", true);
//!     Ok(input * 2)
//! }
//!
//! let fake = Fake::new().index(3);
//! assert_eq!(run(&fake.context(), 21), Ok(42));
//! assert_eq!(fake.value("doubled"), Some(true.into()));
//! assert_eq!(fake.call(run, b"21"), Ok(b"42".to_vec()));
//! ```

mod host;

use crate::context::{Context, Level};
use crate::driver::{Ended, Request, SpawnError};
use crate::error::TaskError;
use crate::fake_data::FakeData;
use crate::fake_jobs::FakeJobs;
use crate::fake_keep::FakeKept;
use crate::fake_programs::FakePrograms;
use crate::http::{HttpError, HttpParts, HttpResponse};
use crate::io::Input;
use crate::program::ProgramOutput;
use crate::rt;
use crate::value::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// A report of progress: done, of a total if known, and a message.
pub type Progress = (u64, Option<u64>, Option<String>);

/// The platform's part in a test. Without further ado it is the first attempt
/// of a single task of job `fake`, without a deadline.
#[derive(Clone, Default)]
pub struct Fake(Rc<State>);

#[derive(Default)]
pub(crate) struct State {
    index: Cell<u32>,
    /// One less than the count, and than the attempt: both start at 1.
    others: Cell<u32>,
    retries: Cell<u32>,
    deadline: Cell<Option<Duration>>,
    /// How many more times `cancelled` says no; none: always.
    patience: Cell<Option<u64>>,
    progress: RefCell<Vec<Progress>>,
    values: RefCell<Vec<(String, Value)>>,
    events: RefCell<Vec<(String, Option<Value>)>>,
    logs: RefCell<Vec<(Level, String)>>,
    config: RefCell<BTreeMap<String, String>>,
    /// Runs what the task starts; none: it is no driver.
    spawned: RefCell<Option<Box<Spawned>>>,
    ends: RefCell<VecDeque<Ended>>,
    requests: RefCell<VecDeque<Request>>,
    /// What its tasks share.
    data: RefCell<FakeData>,
    /// What it keeps from one attempt to the next.
    pub(crate) kept: FakeKept,
    /// What stands for the machine's programs.
    programs: RefCell<FakePrograms>,
    /// What stands for the network; none: the task was granted nothing of it.
    network: RefCell<Option<Box<Network>>>,
    /// What stands for the jobs that it submits.
    jobs: RefCell<FakeJobs>,
}

/// Stands for the network: from a request to what comes of it.
type Network = dyn FnMut(&HttpParts) -> Result<HttpResponse, HttpError>;

/// Stands for the tasks that a driver starts: from a task's name and input to its result.
type Spawned = dyn FnMut(&str, &[u8]) -> Result<Vec<u8>, SpawnError>;

impl Fake {
    /// The first attempt of a single task.
    pub fn new() -> Fake {
        Fake::default()
    }

    /// Sets the index within the array; the count grows to hold it.
    pub fn index(self, index: u32) -> Fake {
        self.0.index.set(index);
        self.0.others.set(self.0.others.get().max(index));
        self
    }

    /// Sets how many indexes the array has.
    pub fn count(self, count: u32) -> Fake {
        self.0.others.set(count.saturating_sub(1));
        self
    }

    /// Sets which attempt this is, from 1.
    pub fn attempt(self, attempt: u32) -> Fake {
        self.0.retries.set(attempt.saturating_sub(1));
        self
    }

    /// Sets the time that is left.
    pub fn deadline(self, left: Duration) -> Fake {
        self.0.deadline.set(Some(left));
        self
    }

    /// Asks the attempt to stop once it has asked `checks` times whether it should.
    pub fn cancel_after(self, checks: u64) -> Fake {
        self.0.patience.set(Some(checks));
        self
    }

    /// Configures the task with the text of a key.
    pub fn config(self, key: &str, text: &str) -> Fake {
        self.0.config.borrow_mut().insert(key.into(), text.into());
        self
    }

    /// Makes the task a driver: what it starts is run by `spawned`, at once, and ends in
    /// that order.
    pub fn driver(
        self,
        spawned: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, SpawnError> + 'static,
    ) -> Fake {
        *self.0.spawned.borrow_mut() = Some(Box::new(spawned));
        self
    }

    /// Somebody asks the driver for a task, after those that asked before: its key is
    /// `request:` and `key`. After the last of them no more come.
    pub fn request(self, key: &str, task: &str, input: &[u8]) -> Fake {
        self.0.requests.borrow_mut().push_back(Request {
            key: format!("request:{key}"),
            task: task.to_owned(),
            input: input.to_vec(),
        });
        self
    }

    /// Lets the job publish in a public space, as `publishes` in a definition does.
    pub fn publishes(self, space: &str) -> Fake {
        self.0.data.borrow_mut().publishes.insert(space.to_owned());
        self
    }

    pub(crate) fn state(&self) -> &State {
        &self.0
    }

    /// Grants the task a program, for which `stand_in` stands: from arguments and standard
    /// input to all that it says.
    pub fn program(
        self,
        name: &str,
        stand_in: impl FnMut(&[String], &[u8]) -> ProgramOutput + 'static,
    ) -> Fake {
        self.0.programs.borrow_mut().grant(name, stand_in);
        self
    }

    /// Grants the task the network, for which `stand_in` stands.
    pub fn network(
        self,
        stand_in: impl FnMut(&HttpParts) -> Result<HttpResponse, HttpError> + 'static,
    ) -> Fake {
        *self.0.network.borrow_mut() = Some(Box::new(stand_in));
        self
    }

    /// Grants the task to submit jobs, for which `stand_in` stands: from a definition and its
    /// parameters to a result, or why the job failed.
    pub fn submits(
        self,
        stand_in: impl FnMut(&str, &serde_json::Value) -> Result<Vec<u8>, String> + 'static,
    ) -> Fake {
        self.0.jobs.borrow_mut().grant(stand_in);
        self
    }

    /// A context for the task's function.
    pub fn context(&self) -> Context {
        Context::new(self.0.clone())
    }

    /// Runs a task from bytes to bytes, as the platform does.
    pub fn call<In: Input, Ret: rt::Returned>(
        &self,
        task: fn(&Context, In) -> Ret,
        input: &[u8],
    ) -> Result<Vec<u8>, TaskError> {
        rt::call(task, &self.context(), input.to_vec())
    }

    /// The progress that left the sandbox.
    pub fn progress(&self) -> Vec<Progress> {
        self.0.progress.borrow().clone()
    }

    /// The latest value of a name.
    pub fn value(&self, name: &str) -> Option<Value> {
        let values = self.0.values.borrow();
        values
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    }

    /// The events, oldest first.
    pub fn events(&self) -> Vec<(String, Option<Value>)> {
        self.0.events.borrow().clone()
    }

    /// The log lines, oldest first.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.0.logs.borrow().clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::DataError;
    use crate::driver::Event;

    #[test]
    fn the_last_progress_leaves_with_the_context() {
        let fake = Fake::new();
        let ctx = fake.context();
        (1..=1000).for_each(|done| ctx.progress(done, None));
        drop(ctx);
        let reports = fake.progress();
        assert_eq!(reports.first(), Some(&(1, None, None)));
        assert_eq!(reports.last(), Some(&(1000, None, None)));
    }

    #[test]
    fn data_keeps_the_rules() {
        let fake = Fake::new().publishes("prices");
        let (one, other) = (fake.context(), fake.context());
        assert_eq!(one.private().add("n", 2), Ok(2));
        assert_eq!(other.private().add("n", -5), Ok(-3));
        assert_eq!(other.private().get("n"), Ok(Some(-3)));
        assert_eq!(other.public("prices").get::<i64>("n"), Ok(None));
        let first = one.private().create("who", "one").unwrap();
        assert_eq!(
            other.private().create("who", "other"),
            Err(DataError::Conflict(first))
        );
        let second = other.private().replace("who", "other", first).unwrap();
        assert_eq!(
            one.private().delete_revision("who", first),
            Err(DataError::Conflict(second))
        );
        assert!(one.private().get::<i64>("who").is_err());
        assert!(one.private().add("who", 1).is_err());
        assert!(one.public("other").set("a", 1).is_err());
        for n in 0..1200 {
            let key = format!("p/{n:04}");
            one.public("prices").set_bytes(&key, [7]).unwrap();
        }
        let all = other.public("prices").list("p/").unwrap();
        assert_eq!((all.len(), &*all[1199].key), (1200, "p/1199"));
        assert_eq!(other.public("prices").bytes("p/0000"), Ok(Some(vec![7])));
        other.public("prices").delete("p/0000").unwrap();
        assert_eq!(other.public("prices").bytes("p/0000"), Ok(None));
    }

    #[test]
    fn a_driver_hears_of_what_it_starts() {
        let ctx = Fake::new()
            .driver(|task, input| Ok([task.as_bytes(), input].concat()))
            .context();
        ctx.spawn("a", "double", &21).unwrap();
        ctx.spawn("b", "double", &1).unwrap();
        assert!(ctx.spawn("a", "double", &1).is_err());
        ctx.cancel_task("b");
        assert_eq!(ctx.under_way(), 2);
        assert_eq!(ctx.wait().unwrap().result, Ok(b"double21".to_vec()));
        assert!(ctx.wait().unwrap().json::<u32>().is_err());
        assert_eq!(ctx.wait(), None);
        assert!(Fake::new().context().spawn("a", "x", &0).is_err());
    }

    #[test]
    fn requests_come_one_by_one_and_end() {
        let ctx = Fake::new()
            .request("a", "double", b"21")
            .request("b", "double", b"x")
            .driver(|_, input| Ok(input.to_vec()))
            .context();
        let first = ctx.next_request().unwrap();
        assert_eq!((&*first.key, first.json::<u8>()), ("request:a", Ok(21)));
        ctx.start(&first).unwrap();
        let Some(Event::Ended(ended)) = ctx.next_event() else {
            panic!("an end comes before the next request")
        };
        assert_eq!((&*ended.key, ended.json::<u8>()), ("request:a", Ok(21)));
        assert!(ctx.next_request().unwrap().json::<u8>().is_err());
        assert_eq!(ctx.next_request(), None);
    }

    #[test]
    fn cancelling_comes_after_so_many_checks() {
        let fake = Fake::new().cancel_after(2).index(4).attempt(2);
        let ctx = fake.context();
        assert_eq!((ctx.index(), ctx.count(), ctx.attempt()), (4, 5, 2));
        assert_eq!(ctx.check_cancelled(), Ok(()));
        assert!(!ctx.cancelled() && ctx.cancelled());
        assert!(ctx.check_cancelled().is_err());
    }
}
