//! The runs of an executor: those that wait their turn, and those that run.

use super::super::ipc::Sender;
use super::outbox::Outbox;
use futures_util::stream::FuturesUnordered;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use wasmhost_proto::executor::{Ended, FromExecutor, Run, RunId, RunScript, RunSpec, SpecId};
use wasmhost_proto::limits::{EXECUTOR_BURST, EXECUTOR_BURST_MS, MAX_BLOB, MAX_DRIVERS};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::FinalReport;
use wasmhost_proto::{Digest, Lease, TaskId};
use wasmhost_sandbox::{Attempt, Controls, Driver, Finished, Program, Reporter, Root, Sandbox};

pub(super) struct Executor {
    sandbox: Sandbox,
    slots: usize,
    /// What its runs see of files.
    root: Option<Root>,
    programs: RefCell<HashMap<Digest, Result<Program, String>>>,
    specs: RefCell<HashMap<SpecId, Rc<Spec>>>,
    /// Complete, in order of arrival.
    queue: RefCell<VecDeque<Waiting>>,
    /// Their input is still coming.
    incomplete: RefCell<HashMap<RunId, Waiting>>,
    /// Runs that had to wait for something after they began.
    running: RefCell<HashMap<RunId, Begun>>,
    /// How many of them are drivers.
    drivers: Cell<usize>,
    /// The beginnings of answers that are still coming.
    pub(super) bulk: RefCell<HashMap<RunId, Vec<u8>>>,
    last: Cell<RunId>,
    careful: Cell<bool>,
    /// The run whose beginning was said ahead.
    announced: Cell<Option<RunId>>,
    shutdown: Cell<bool>,
    outbox: RefCell<Outbox>,
    /// There is something to say.
    pub(super) news: Notify,
}

/// What runs have in common.
struct Spec {
    wire: RunSpec,
    name: Arc<str>,
    script: Option<Arc<RunScript>>,
}

/// A run that had to wait for something.
struct Begun {
    controls: Controls,
    /// The line of one that may start tasks.
    driver: Option<Driver>,
}

/// A run that has not begun.
struct Waiting {
    run: Run,
    spec: Rc<Spec>,
}

/// A run under way; it gives its number and its end.
type Running = Pin<Box<dyn Future<Output = (RunId, Finished)>>>;

impl Executor {
    pub(super) fn new(sandbox: Sandbox, slots: usize, root: Option<Root>) -> Executor {
        Executor {
            sandbox,
            slots,
            root,
            programs: RefCell::default(),
            specs: RefCell::default(),
            queue: RefCell::default(),
            incomplete: RefCell::default(),
            running: RefCell::default(),
            drivers: Cell::new(0),
            bulk: RefCell::default(),
            last: Cell::new(0),
            careful: Cell::new(false),
            announced: Cell::new(None),
            shutdown: Cell::new(false),
            outbox: RefCell::default(),
            news: Notify::new(),
        }
    }

    pub(super) fn say(&self, message: FromExecutor) {
        self.outbox.borrow_mut().say(message);
    }

    pub(super) fn collect<W: AsyncWrite + Unpin>(&self, sender: &mut Sender<W>) -> io::Result<()> {
        self.outbox.borrow_mut().collect(sender)
    }

    pub(super) fn load(&self, digest: Digest, kind: ModuleKind, path: &Path) -> Result<(), String> {
        let loaded = self.sandbox.load(path, kind).map_err(|e| e.to_string());
        let result = loaded.as_ref().map(|_| ()).map_err(String::clone);
        self.programs.borrow_mut().insert(digest, loaded);
        result
    }

    pub(super) fn unload(&self, digest: Digest) {
        self.programs.borrow_mut().remove(&digest);
    }

    pub(super) fn know(&self, id: SpecId, mut wire: RunSpec) {
        let name = wire.name.as_str().into();
        let script = wire.script.take().map(Arc::new);
        let spec = Rc::new(Spec { wire, name, script });
        self.specs.borrow_mut().insert(id, spec);
    }

    pub(super) fn accept(&self, run: Run) -> io::Result<()> {
        let id = run.run;
        if self.last.replace(id) >= id && id > 0 {
            return Err(io::Error::other(format!("run {id} is out of order")));
        }
        let spec = self.specs.borrow().get(&run.spec).cloned();
        let Some(spec) = spec else {
            return Err(io::Error::other(format!("run {id} has no spec")));
        };
        let more = run.more_input;
        let waiting = Waiting { run, spec };
        match more {
            true => drop(self.incomplete.borrow_mut().insert(id, waiting)),
            false => self.queue.borrow_mut().push_back(waiting),
        }
        Ok(())
    }

    /// Input of a run that was stopped meanwhile is dropped.
    pub(super) fn input(&self, id: RunId, bytes: &[u8], last: bool) {
        let mut incomplete = self.incomplete.borrow_mut();
        let Some(waiting) = incomplete.get_mut(&id) else {
            return;
        };
        waiting.run.input.extend_from_slice(bytes);
        if (last || waiting.run.input.len() as u64 > MAX_BLOB)
            && let Some(waiting) = incomplete.remove(&id)
        {
            self.queue.borrow_mut().push_back(waiting);
        }
    }

    /// Acts on a run; one that has not begun is over.
    pub(super) fn stop(&self, id: RunId, act: impl FnOnce(&Controls)) {
        if let Some(begun) = self.running.borrow().get(&id) {
            return act(&begun.controls);
        }
        let incomplete = self.incomplete.borrow_mut().remove(&id).is_some();
        let mut queue = self.queue.borrow_mut();
        let at = queue.iter().position(|waiting| waiting.run.run == id);
        if at.and_then(|at| queue.remove(at)).is_some() || incomplete {
            let failure = Failure::new(FailureKind::Cancelled, "stopped before it began");
            self.end(id, failed(failure));
        }
    }

    /// The handle of a run that has begun.
    pub(super) fn controls(&self, id: RunId) -> Option<Controls> {
        Some(self.running.borrow().get(&id)?.controls.clone())
    }

    /// The line of a driver that runs.
    pub(super) fn driver(&self, id: RunId) -> Option<Driver> {
        self.running.borrow().get(&id)?.driver.clone()
    }

    /// Gives back what has not begun. The run whose beginning was said ahead stays: for
    /// the supervisor it has begun.
    pub(super) fn give_back(&self) {
        let mut queue = self.queue.borrow_mut();
        let front = queue.front().map(|first| first.run.run);
        let said = front.is_some() && front == self.announced.get();
        let queued = queue.split_off(usize::from(said));
        let mut runs: Vec<RunId> = queued.into_iter().map(|waiting| waiting.run.run).collect();
        runs.extend(self.incomplete.borrow_mut().drain().map(|(id, _)| id));
        self.say(FromExecutor::Returned(runs));
    }

    pub(super) fn be_careful(&self, on: bool) {
        self.careful.set(on);
    }

    pub(super) fn shut_down(&self) {
        self.shutdown.set(true);
    }

    pub(super) fn is_over(&self) -> bool {
        self.shutdown.get()
            && self.queue.borrow().is_empty()
            && self.incomplete.borrow().is_empty()
            && self.running.borrow().is_empty()
            && self.outbox.borrow().is_empty()
    }

    /// Whether a run is waiting for nothing but its turn.
    pub(super) fn can_begin(&self) -> bool {
        !self.queue.borrow().is_empty()
            && self.running.borrow().len() - self.drivers.get().min(MAX_DRIVERS as usize)
                < self.slots
            && self.outbox.borrow().has_room()
    }

    /// Begins what can begin, for a short while. `said`: the supervisor has been
    /// sent all there was.
    pub(super) fn begin_some(self: &Rc<Self>, running: &mut FuturesUnordered<Running>, said: bool) {
        let until = Instant::now() + Duration::from_millis(EXECUTOR_BURST_MS);
        for _ in 0..EXECUTOR_BURST {
            if !self.can_begin() || !self.may_begin(said) {
                return;
            }
            let next = self.queue.borrow_mut().pop_front();
            if let Some(next) = next.and_then(|next| self.begin(next)) {
                running.push(next);
            }
            if self.careful.get() || Instant::now() >= until {
                return;
            }
        }
    }

    /// A careful executor says of each run that it begins, and lets that arrive.
    fn may_begin(&self, said: bool) -> bool {
        let next = self.queue.borrow().front().map(|next| next.run.run);
        if !self.careful.get() {
            return true;
        }
        if self.announced.get() != next {
            self.announced.set(next);
            next.inspect(|run| self.outbox.borrow_mut().started(*run));
            return false;
        }
        said && self.outbox.borrow().is_empty()
    }

    /// Begins a run; returns what is left of it if it has to wait for something.
    /// Most runs end before that.
    fn begin(self: &Rc<Self>, Waiting { run, spec }: Waiting) -> Option<Running> {
        let id = run.run;
        let program = self.programs.borrow().get(&spec.wire.module).cloned();
        let program = match program {
            Some(Ok(program)) => program,
            Some(Err(reason)) => {
                self.end(id, fault(reason));
                return None;
            }
            None => {
                let reason = format!("module {} is not loaded", spec.wire.module);
                self.end(id, fault(reason));
                return None;
            }
        };
        let controls = Controls::default();
        let driver = spec.wire.driver.then(Driver::default);
        let mut running: Running = Box::pin({
            let (executor, controls) = (self.clone(), controls.clone());
            let driver = driver.clone();
            async move {
                let outlet = Outlet {
                    run: id,
                    executor: &executor,
                };
                let attempt = Attempt {
                    root: executor.root.clone(),
                    ..attempt(run, &spec, driver.clone())
                };
                let limit = Duration::from_millis(attempt.limits.wall_ms);
                let run = executor
                    .sandbox
                    .run(&program, attempt, controls.clone(), outlet);
                let run = executor.pass_on(id, &controls, run);
                let finished = match driver {
                    None => run.await,
                    Some(driver) => executor.drive(id, driver, &controls, limit, run).await,
                };
                (id, finished)
            }
        });
        // It is polled again with a waker of its own if it has to wait.
        match running
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready((_, finished)) => {
                self.end(id, finished);
                None
            }
            Poll::Pending => {
                self.drivers
                    .set(self.drivers.get() + usize::from(driver.is_some()));
                self.running
                    .borrow_mut()
                    .insert(id, Begun { controls, driver });
                if !self.careful.get() {
                    self.outbox.borrow_mut().started(id);
                }
                Some(running)
            }
        }
    }

    /// A run is over that had to wait.
    pub(super) fn ended(&self, id: RunId, finished: Finished) {
        let begun = self.running.borrow_mut().remove(&id);
        self.bulk.borrow_mut().remove(&id);
        if begun.is_some_and(|begun| begun.driver.is_some()) {
            self.drivers.set(self.drivers.get() - 1);
        }
        self.end(id, finished);
    }

    fn end(&self, run: RunId, finished: Finished) {
        let silent = finished.status.is_empty() && finished.log.is_empty();
        let report = (!silent).then(|| {
            Box::new(FinalReport {
                status: finished.status,
                log: finished.log,
            })
        });
        self.outbox.borrow_mut().ended(Ended {
            run,
            usage: finished.usage,
            output: finished.output,
            failure: finished.failure.map(Box::new),
            report,
        });
    }
}

fn attempt(run: Run, spec: &Spec, driver: Option<Driver>) -> Attempt {
    Attempt {
        task: TaskId {
            job: spec.wire.job,
            node: spec.wire.node,
            index: run.index,
        },
        lease: Lease {
            term: run.term,
            attempt: run.attempt,
        },
        name: spec.name.clone(),
        count: spec.wire.count,
        args: run.args,
        env: run.env,
        config: run.config,
        script: spec.script.clone(),
        limits: spec.wire.limits,
        input: run.input,
        network: spec.wire.network,
        driver,
        root: None,
        collect: spec.wire.collect.clone(),
    }
}

fn fault(reason: String) -> Finished {
    failed(Failure::new(FailureKind::HostFault, reason))
}

fn failed(failure: Failure) -> Finished {
    Finished {
        failure: Some(failure),
        output: Vec::new(),
        usage: Default::default(),
        status: Status::default(),
        log: String::new(),
    }
}

/// Sends what a run publishes. Reports wait while the supervisor is behind.
struct Outlet<'a> {
    run: RunId,
    executor: &'a Executor,
}

impl Reporter for Outlet<'_> {
    fn ready(&self) -> bool {
        self.executor.outbox.borrow().has_room()
    }

    fn published(&self, status: Status, log: String) {
        let run = self.run;
        self.executor.say(FromExecutor::Status { run, status, log });
        self.executor.news.notify_one();
    }
}
