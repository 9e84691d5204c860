//! The loop around [`Worker`]: waits for one cause, makes it an event, hands
//! out the effects. One task owns the core; nothing here waits for the network.

use super::connect::{Outbox, Session};
use super::gather::{Gathered, NotGathered};
use super::modules::{Modules, NotPrepared, Prepared};
use super::network::Network;
use super::programs::Programs;
use super::runs::{Key, Runs};
use super::setup::wall;
use crate::executor::PoolEvent;
use anyhow::Context as _;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::worker::{Effect, Ended, Event, Worker};
use wasmhost_link::Uplink;
use wasmhost_proto::data::DataReply;
use wasmhost_proto::executor::SpawnedEnd;
use wasmhost_proto::http::HttpReply;
use wasmhost_proto::program::ProgramReply;
use wasmhost_proto::wire::{CancelSpawned, PrimaryFrame, Spawn};
use wasmhost_sandbox::DriverCall;

/// The executors have nothing left to do when they are told to end.
const POOL_GRACE: Duration = Duration::from_secs(2);
/// After twice the grace of a shutdown, for which the core waits, and this, the worker ends whatever the core
/// still waits for.
const EXIT_MARGIN: Duration = Duration::from_secs(10);

/// Causes taken in before the effects are carried out.
const AT_ONCE: usize = 256;

/// What this worker's tasks tell the driver.
pub(super) enum Cause {
    /// A connection is ready.
    Up(Outbox),
    /// It is gone, and why.
    Down(String),
    /// The primary speaks.
    Frame(PrimaryFrame),
    /// A module is compiled, or not.
    Prepared(Prepared),
    /// What an attempt waited for is here, or not.
    Gathered(Key, Result<Box<Gathered>, NotGathered>),
    /// The result of an attempt is stored, or not.
    Stored(Key, Box<Ended>),
    /// The end of what a driver has started, by its key, with the result at hand.
    Child(Key, String, SpawnedEnd),
    /// What came of an attempt's call, with all that it names at hand.
    Answer(Key, u64, DataReply),
    /// What came of an attempt's call for a program, by the call's number.
    Programmed(Key, u64, ProgramReply),
    /// What came of an attempt's request over the network, likewise.
    Requested(Key, u64, HttpReply),
    /// Something only the core needs to know.
    Core(Event),
}

/// Both clocks; the monotonic one counts from the worker's start.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        Now {
            mono: Mono(self.0.elapsed().as_millis() as u64),
            wall: wall(),
        }
    }

    fn instant(self, at: Mono) -> Instant {
        self.0 + Duration::from_millis(at.0)
    }
}

/// What attempts may reach outside their sandboxes.
pub(super) struct Outside {
    pub(super) programs: Programs,
    pub(super) network: Network,
}

impl Outside {
    /// An attempt is over, and so is all that it has begun.
    fn ended(&mut self, key: Key) {
        self.programs.ended(key);
        self.network.ended(key);
    }
}

/// The core and all that its effects go to.
pub(super) struct Driver {
    core: Worker,
    clock: Clock,
    /// Of all that is at hand: reading clocks costs as much as handling an event.
    now: Now,
    outbox: Option<Outbox>,
    uplinks: watch::Sender<Option<Uplink>>,
    modules: Modules,
    runs: Runs,
    outside: Outside,
    grace_ms: u64,
    exit: bool,
}

impl Driver {
    pub(super) fn new(
        core: Worker,
        clock: Clock,
        uplinks: watch::Sender<Option<Uplink>>,
        modules: Modules,
        runs: Runs,
        outside: Outside,
        grace_ms: u64,
    ) -> Driver {
        Driver {
            core,
            now: clock.now(),
            clock,
            outbox: None,
            uplinks,
            modules,
            runs,
            outside,
            grace_ms,
            exit: false,
        }
    }

    /// Drives until the orderly end that `shutdown` asks for.
    pub(super) async fn run(
        mut self,
        session: Session,
        mut causes: mpsc::Receiver<Cause>,
        mut pool: mpsc::Receiver<PoolEvent>,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let mut session = tokio::spawn(session.run());
        let mut shutdown = std::pin::pin!(shutdown);
        let mut last_moment: Option<Instant> = None;
        let mut result = Ok(());
        while !self.exit {
            let wake = self.core.next_timeout().map(|at| self.clock.instant(at));
            tokio::select! {
                Some(cause) = causes.recv() => {
                    self.now = self.clock.now();
                    self.apply(cause);
                }
                event = pool.recv() => match event {
                    Some(event) => {
                        self.now = self.clock.now();
                        self.pool(event);
                    }
                    None => {
                        result = Err(anyhow::anyhow!("the executor processes are gone"));
                        break;
                    }
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.now = self.clock.now();
                    self.handle(Event::Timeout);
                }
                () = &mut shutdown, if last_moment.is_none() => {
                    tracing::info!("leaving: no new work, {} ms for what runs", self.grace_ms);
                    self.now = self.clock.now();
                    last_moment = Some(Instant::now() + 2 * Duration::from_millis(self.grace_ms) + EXIT_MARGIN);
                    self.handle(Event::Shutdown { grace_ms: self.grace_ms });
                }
                () = sleep_until(last_moment.unwrap_or_else(Instant::now)), if last_moment.is_some() => {
                    tracing::warn!("leaving before everything was acknowledged");
                    break;
                }
                ended = &mut session => {
                    result = ended.context("the connection's task failed").and_then(|ended| ended);
                    break;
                }
            }
            // What else is at hand, so that its outcomes travel together.
            for _ in 0..AT_ONCE {
                match pool.try_recv() {
                    Ok(event) => self.pool(event),
                    Err(_) => match causes.try_recv() {
                        Ok(cause) => self.apply(cause),
                        Err(_) => break,
                    },
                }
            }
            self.carry_out_all();
        }
        // What the primary still says has no meaning here, nor has its absence.
        session.abort();
        if let Some(outbox) = self.outbox.take() {
            outbox.finish("the worker leaves").await;
        }
        self.runs.shutdown(POOL_GRACE).await;
        self.outside.programs.shutdown(POOL_GRACE).await;
        result
    }

    fn apply(&mut self, cause: Cause) {
        match cause {
            Cause::Up(outbox) => {
                self.uplinks.send_replace(Some(outbox.uplink().clone()));
                self.outbox = Some(outbox);
                self.handle(Event::Connected);
            }
            Cause::Down(why) => {
                tracing::debug!("the connection is gone: {why}");
                self.uplinks.send_replace(None);
                self.outbox = None;
                self.handle(Event::Disconnected);
            }
            Cause::Frame(frame) => self.handle(Event::Frame {
                term: frame.term,
                messages: frame.messages,
            }),
            Cause::Prepared(Prepared {
                digest,
                kind,
                result,
            }) => {
                self.modules.ended(digest);
                self.handle(match result {
                    Ok(path) => {
                        self.runs.load(digest, kind, path);
                        Event::ModuleReady(digest)
                    }
                    Err(NotPrepared::Rejected(why)) => Event::ModuleRejected(digest, why),
                    Err(NotPrepared::Unavailable(why)) => {
                        tracing::warn!(%digest, "a module cannot be had now: {why}");
                        Event::ModuleUnavailable(digest, why)
                    }
                });
            }
            Cause::Gathered(key, gathered) => {
                let ended = self.runs.gathered(key, gathered);
                self.ended(ended);
            }
            Cause::Stored(key, ended) => {
                let ended = self.runs.stored(key, ended);
                self.ended(ended);
            }
            Cause::Child(key, name, end) => self.runs.child(key, name, end),
            Cause::Answer(key, call, reply) => self.answer(key, call, reply),
            Cause::Programmed(key, call, reply) => self.programmed(key, call, reply),
            Cause::Requested(key, call, reply) => self.requested(key, call, reply),
            Cause::Core(event) => self.handle(event),
        }
    }

    fn pool(&mut self, event: PoolEvent) {
        match event {
            PoolEvent::Started(runs) => {
                for (task, lease) in runs {
                    self.handle(Event::Started(task, lease));
                }
            }
            PoolEvent::Status {
                task,
                lease,
                status,
                log,
            } => self.handle(Event::Status {
                task,
                lease,
                status,
                log,
            }),
            PoolEvent::Drives { task, lease, call } => self.handle(match call {
                DriverCall::Spawn { key, node, input } => Event::Spawn(Box::new(Spawn {
                    task,
                    lease,
                    key,
                    node,
                    input,
                })),
                DriverCall::Cancel { key } => {
                    Event::CancelSpawned(Box::new(CancelSpawned { task, lease, key }))
                }
                DriverCall::Await => Event::Await(task, lease),
                DriverCall::NextRequest => Event::NextRequest(task, lease),
            }),
            PoolEvent::Calls(call) => {
                if let Some(event) = self.runs.carrier().call(call) {
                    self.handle(event);
                }
            }
            PoolEvent::Program(call) => {
                let (key, number) = ((call.task, call.lease), call.call);
                if let Some(reply) = self.outside.programs.call(*call) {
                    self.programmed(key, number, reply);
                }
            }
            PoolEvent::Http(call) => {
                let (key, number) = ((call.task, call.lease), call.call);
                if let Some(reply) = self.outside.network.call(*call) {
                    self.requested(key, number, reply);
                }
            }
            PoolEvent::Ended(ends) => {
                for end in ends {
                    self.outside.ended((end.task, end.lease));
                    let ended = self.runs.ended(end);
                    self.ended(ended);
                }
            }
            PoolEvent::Returned(mut keys) => {
                keys.retain(|key| self.runs.returned(*key));
                if !keys.is_empty() {
                    self.handle(Event::Returned(keys));
                }
            }
            PoolEvent::Unloaded(digest) => self.handle(Event::ModuleLost(digest)),
            PoolEvent::Executors { alive, lost } => self.handle(Event::Executors { alive, lost }),
        }
    }

    fn programmed(&self, key: Key, call: u64, reply: ProgramReply) {
        self.runs
            .tell(key, |pool, run| pool.programmed(run, call, reply));
    }

    fn requested(&self, key: Key, call: u64, reply: HttpReply) {
        self.runs
            .tell(key, |pool, run| pool.fetched(run, call, reply));
    }

    fn ended(&mut self, ended: Option<Ended>) {
        if let Some(ended) = ended {
            self.handle(Event::Ended(Box::new(ended)));
        }
    }

    fn handle(&mut self, event: Event) {
        self.core.handle(self.now, event);
    }

    fn answer(&self, key: Key, call: u64, reply: DataReply) {
        self.runs
            .tell(key, |pool, run| pool.answer(run, call, reply));
    }

    fn carry_out_all(&mut self) {
        while let Some(effect) = self.core.poll_effect() {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(message) => {
                if let Some(outbox) = &self.outbox {
                    outbox.send(message);
                }
            }
            Effect::Reconnect { reason } => {
                if let Some(outbox) = &self.outbox {
                    tracing::warn!("leaving this connection: {reason}");
                    outbox.cut(&reason);
                }
            }
            Effect::Prepare { spec } => self.modules.prepare(&spec),
            Effect::Start(start) => self.runs.start(start),
            Effect::TakeBack => self.runs.take_back(),
            Effect::Data(answer) => {
                if let Some((key, call, reply)) = self.runs.carrier().answer(*answer) {
                    self.answer(key, call, reply);
                }
            }
            Effect::Spawned(end) => self.runs.spawned(*end),
            Effect::Request(given) => {
                let request = given.request.map(Box::new);
                let driver = (given.task, given.lease);
                self.runs
                    .tell(driver, |pool, run| pool.requested(run, request));
            }
            Effect::Cancel(task, lease) => {
                let ended = self.runs.cancel((task, lease));
                self.ended(ended);
            }
            Effect::Kill(task, lease) => {
                let ended = self.runs.kill((task, lease));
                self.ended(ended);
            }
            Effect::Exit => self.exit = true,
        }
    }
}
