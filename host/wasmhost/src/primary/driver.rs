//! What owns the core: hands it one event at a time and its effects to their
//! owners. Nothing here decides, and nothing here waits.

use super::handle::{Answer, Call, Change};
use super::sessions::Outbox;
use super::turns::{Ticket, Turns};
use super::{Shared, gc, prepare};
use anyhow::Context as _;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio_util::task::TaskTracker;
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::prepared::Preparation;
use wasmhost_core::primary::{Effect, Event, JobCall, Primary, RequestId, SessionId, SpawnEnded};
use wasmhost_core::record::{StoredResult, Write};
use wasmhost_proto::data::{DataRefusal, DataReply};
use wasmhost_proto::limits::MAX_PREPARATIONS;
use wasmhost_proto::wire::{ChildEnd, ResultData, SpawnedEnd, ToWorker};
use wasmhost_proto::{JobId, Timestamp, WorkerId};
use wasmhost_store::Committer;

/// What reaches the core from outside.
pub(super) enum Input {
    /// A call of a handle.
    Call(Call),
    /// A worker has connected; its messages go into the outbox.
    Connected(SessionId, WorkerId, Outbox),
    /// A worker's connection is gone.
    Disconnected(SessionId),
    /// Anything else.
    Event(Event),
}

/// Both clocks.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            mono: Mono(self.0.elapsed().as_millis() as u64),
            wall: Timestamp(wall.as_millis() as u64),
        }
    }

    pub(super) fn instant(self, at: Mono) -> tokio::time::Instant {
        (self.0 + Duration::from_millis(at.0)).into()
    }
}

/// What the committer was given, and how far it is.
#[derive(Default)]
pub(super) struct Batches {
    given: AtomicU64,
    durable: AtomicU64,
    /// The core's latest durable batch.
    seq: AtomicU64,
}

impl Batches {
    /// Those that are not durable yet.
    pub(super) fn in_flight(&self) -> u64 {
        let durable = self.durable.load(Ordering::SeqCst);
        self.given.load(Ordering::SeqCst).saturating_sub(durable)
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq.load(Ordering::SeqCst)
    }

    pub(super) fn note_durable(&self, tickets: Vec<Ticket>) {
        let count = tickets.len() as u64;
        for ticket in tickets {
            if let Some(seq) = ticket.seq {
                self.seq.fetch_max(seq, Ordering::SeqCst);
            }
            if let Some(done) = ticket.done {
                // Who waited may have gone.
                let _ = done.send(());
            }
        }
        self.durable.fetch_add(count, Ordering::SeqCst);
    }
}

/// The core and the owners of its effects.
pub(super) struct Driver {
    core: Primary,
    clock: Clock,
    shared: Arc<Shared>,
    /// None once the primary ends.
    committer: Option<Committer<Ticket>>,
    batches: Arc<Batches>,
    sessions: HashMap<SessionId, Outbox>,
    requests: HashMap<RequestId, Answer>,
    last_request: RequestId,
    /// Who waits for the ends of live jobs.
    waits: HashMap<JobId, Vec<oneshot::Sender<()>>>,
    turns: Weak<Turns>,
    runtime: Handle,
    preparations: TaskTracker,
    preparing: Arc<Semaphore>,
    changes: broadcast::Sender<Change>,
    job_calls: mpsc::Sender<JobCall>,
}

impl Driver {
    /// Carries out what the core has to do by itself; needs a tokio runtime.
    pub(super) fn new(
        core: Primary,
        clock: Clock,
        shared: Arc<Shared>,
        turns: &Arc<Turns>,
        changes: broadcast::Sender<Change>,
        job_calls: mpsc::Sender<JobCall>,
    ) -> anyhow::Result<Driver> {
        let told = Arc::downgrade(turns);
        let durable = move |tickets| {
            if let Some(turns) = told.upgrade() {
                turns.durable(tickets);
            }
        };
        let committer =
            Committer::start(shared.store.clone(), durable, |error| super::fatal(&error))
                .context("cannot start the committer's thread")?;
        let mut driver = Driver {
            core,
            clock,
            shared,
            committer: Some(committer),
            batches: turns.batches(),
            sessions: HashMap::new(),
            requests: HashMap::new(),
            last_request: 0,
            waits: HashMap::new(),
            turns: Arc::downgrade(turns),
            runtime: Handle::current(),
            preparations: TaskTracker::new(),
            preparing: Arc::new(Semaphore::new(MAX_PREPARATIONS)),
            changes,
            job_calls,
        };
        driver.drain()?;
        Ok(driver)
    }

    /// When to call the core at the latest.
    pub(super) fn due(&self) -> Option<Mono> {
        self.core.next_timeout()
    }

    /// Nothing is decided any more; what was decided is committed and told.
    pub(super) async fn finish(mut self) -> anyhow::Result<()> {
        self.preparations.close();
        self.preparations.wait().await;
        if let Some(committer) = self.committer.take() {
            tokio::task::spawn_blocking(move || committer.close()).await?;
        }
        let seq = self.batches.seq();
        self.handle(Event::Persisted { seq })
    }

    pub(super) fn take(&mut self, input: Input) -> anyhow::Result<()> {
        match input {
            Input::Call(Call::Request(event, answer)) => {
                self.last_request += 1;
                self.requests.insert(self.last_request, answer);
                self.handle(event(self.last_request))
            }
            Input::Call(Call::Ask(look)) => {
                look(&self.core, self.clock.now());
                Ok(())
            }
            Input::Call(Call::Write(writes, done)) => self.commit(None, writes, Some(done)),
            Input::Call(Call::Wait(job, ended)) => {
                self.wait(job, ended);
                Ok(())
            }
            Input::Connected(session, worker, outbox) => {
                self.sessions.insert(session, outbox);
                self.handle(Event::Connected { session, worker })
            }
            Input::Disconnected(session) => {
                self.sessions.remove(&session);
                self.handle(Event::Disconnected { session })
            }
            Input::Event(event) => self.handle(event),
        }
    }

    fn wait(&mut self, job: JobId, ended: oneshot::Sender<()>) {
        if !self.core.is_live(job) {
            // Dropped, it tells that there is nothing to wait for.
            return;
        }
        let waits = self.waits.entry(job).or_default();
        // Those that gave up would gather otherwise.
        if waits.len().is_power_of_two() {
            waits.retain(|wait| !wait.is_closed());
        }
        waits.push(ended);
    }

    fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        self.core.handle(self.clock.now(), event);
        self.drain()
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(effect) = self.core.poll_effect() {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Persist { seq, writes } => {
                self.shared.tally.note(&writes);
                self.commit(Some(seq), writes, None)?;
            }
            Effect::Send {
                session,
                mut message,
            } => {
                if let ToWorker::Prepare(spec) = &mut message {
                    self.shared.vault.tell(spec);
                }
                let sent = self
                    .sessions
                    .get(&session)
                    .map(|outbox| outbox.send(message));
                if sent == Some(false) {
                    // Its reader reports the end.
                    self.sessions.remove(&session);
                }
            }
            Effect::Close { session, reason } => {
                if let Some(outbox) = self.sessions.remove(&session) {
                    outbox.close(&reason);
                }
            }
            Effect::Reply { request, reply } => {
                if let Some(answer) = self.requests.remove(&request) {
                    // The client may have gone.
                    let _ = answer.send(reply);
                }
            }
            Effect::Prepare(what) => self.prepare(*what),
            Effect::SpawnEnded(end) => self.spawn_ended(*end)?,
            Effect::JobChanged(job) => self.tell(Change::Job(job)),
            Effect::JobEnded(job) => {
                // Dropped, they tell.
                self.waits.remove(&job);
                self.tell(Change::JobEnded(job));
            }
            Effect::WorkerChanged(worker) => self.tell(Change::Worker(worker)),
            Effect::JobCall(call) => self.job_call(*call),
            Effect::DropCheckpoint(task, blob) => {
                let shared = self.shared.clone();
                // It may go on after us; what it leaves is collected.
                drop(
                    self.runtime
                        .spawn_blocking(move || gc::drop_checkpoint(&shared, task, blob)),
                );
            }
            Effect::LateOutcome(task) => {
                self.shared.tally.late.inc();
                tracing::info!(%task, "dropped an outcome of a superseded attempt");
            }
        }
        Ok(())
    }

    fn prepare(&self, what: Preparation) {
        let (shared, turn) = (self.shared.clone(), self.preparing.clone());
        let turns = self.turns.clone();
        let what = Arc::new(what);
        let work = async move {
            let result = prepare::prepare(shared, turn, what.clone()).await;
            if let Some(turns) = turns.upgrade() {
                let event = Event::Prepared {
                    job: what.job,
                    node: what.node,
                    round: what.round,
                    result,
                };
                // Without a core nobody needs it.
                let _ = turns.bring(Input::Event(event)).await;
            }
        };
        self.preparations.spawn_on(work, &self.runtime);
    }

    /// Tells a driver of an end. One row, most likely in memory: read on the spot.
    fn spawn_ended(&mut self, end: SpawnEnded) -> anyhow::Result<()> {
        let Some(outcome) = self.shared.store.outcome(end.child)? else {
            tracing::error!(task = %end.child, "an end that is durable is not in the store");
            return Ok(());
        };
        let of = match (outcome.failure, outcome.result) {
            (Some(failure), _) => ChildEnd::Failure(failure),
            (None, Some(StoredResult::Blob(blob))) => ChildEnd::Success(ResultData::Blob(blob)),
            (None, Some(StoredResult::Inline(bytes))) => {
                ChildEnd::Success(ResultData::Inline(bytes))
            }
            (None, None) => ChildEnd::Success(ResultData::Inline(Vec::new())),
        };
        let message = ToWorker::Spawned(Box::new(SpawnedEnd {
            task: end.task,
            lease: end.lease,
            key: end.key,
            end: of,
        }));
        let session = end.session;
        self.carry_out(Effect::Send { session, message })
    }

    /// Hands a call to those that make jobs. Each is of an attempt that waits for it, and
    /// makes no other meanwhile.
    fn job_call(&mut self, call: JobCall) {
        let Err(refused) = self.job_calls.try_send(call) else {
            return;
        };
        let caller = refused.into_inner().caller;
        let why = "the primary has too many calls on jobs under way, or is stopping";
        let reply = DataReply::Refused(DataRefusal::Unreachable, why.into());
        // What follows from it is carried out by who carries out this.
        self.core
            .handle(self.clock.now(), Event::JobAnswered { caller, reply });
    }

    fn tell(&self, change: Change) {
        // No receiver, nobody to tell.
        let _ = self.changes.send(change);
    }

    fn commit(
        &mut self,
        seq: Option<u64>,
        writes: Vec<Write>,
        done: Option<oneshot::Sender<()>>,
    ) -> anyhow::Result<()> {
        // What is decided while the primary ends is promised to nobody.
        let Some(committer) = &self.committer else {
            return Ok(());
        };
        self.batches.given.fetch_add(1, Ordering::SeqCst);
        Ok(committer.commit(writes, Ticket { seq, done })?)
    }
}
