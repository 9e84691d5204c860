//! The loop that owns the core: wait for one source, make one event, handle it,
//! drain the effects to their owners. Nothing here decides, and nothing here
//! waits for anything but the next source.

use super::handle::{Answer, Call, Change};
use super::sessions::Outbox;
use super::{Shared, gather};
use anyhow::Context as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::primary::{Effect, Event, Primary, RequestId, SessionId};
use wasmhost_core::record::Write;
use wasmhost_proto::limits::{COMMIT_QUEUE, MAX_GATHERS};
use wasmhost_proto::wire::ToPrimary;
use wasmhost_proto::{Timestamp, WorkerId};
use wasmhost_store::Committer;

/// What reaches the loop from outside.
pub(super) enum Input {
    /// A call of a handle.
    Call(Call),
    /// A worker has connected; its messages go into the outbox.
    Connected(SessionId, WorkerId, Outbox),
    /// Messages of a worker.
    Frame(SessionId, Vec<ToPrimary>),
    /// A worker's connection is gone.
    Disconnected(SessionId),
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

    fn instant(self, at: Mono) -> tokio::time::Instant {
        (self.0 + Duration::from_millis(at.0)).into()
    }
}

/// How far the committer is.
#[derive(Clone, Copy, Default)]
struct Durable {
    /// The core's latest durable batch.
    seq: u64,
    /// Batches made durable, those that are not the core's as well.
    batches: u64,
}

/// Between two batches nobody is let in that could fill the committer's queue,
/// so that the loop never waits for the disk.
const MAX_IN_FLIGHT: u64 = COMMIT_QUEUE as u64 / 2;

/// The core and the owners of its effects.
pub(super) struct Driver {
    core: Primary,
    clock: Clock,
    shared: Arc<Shared>,
    /// None once the primary ends.
    committer: Option<Committer>,
    durable: watch::Receiver<Durable>,
    report: Arc<watch::Sender<Durable>>,
    /// Batches given to the committer.
    queued: u64,
    /// The latest batch that the core knows to be durable.
    told: u64,
    sessions: HashMap<SessionId, Outbox>,
    requests: HashMap<RequestId, Answer>,
    last_request: RequestId,
    gathers: JoinSet<Event>,
    gathering: Arc<Semaphore>,
    changes: broadcast::Sender<Change>,
}

impl Driver {
    pub(super) fn new(
        core: Primary,
        clock: Clock,
        shared: Arc<Shared>,
        changes: broadcast::Sender<Change>,
    ) -> anyhow::Result<Driver> {
        let (report, durable) = watch::channel(Durable::default());
        let committer = Committer::start(shared.store.clone(), |error| super::fatal(&error))
            .context("cannot start the committer's thread")?;
        Ok(Driver {
            core,
            clock,
            shared,
            committer: Some(committer),
            durable,
            report: Arc::new(report),
            queued: 0,
            told: 0,
            sessions: HashMap::new(),
            requests: HashMap::new(),
            last_request: 0,
            gathers: JoinSet::new(),
            gathering: Arc::new(Semaphore::new(MAX_GATHERS)),
            changes,
        })
    }

    /// Runs until the primary stops, then commits what is queued and answers what it decided.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> anyhow::Result<()> {
        let stop = self.shared.stop.clone();
        self.drain()?;
        loop {
            let durable = *self.durable.borrow();
            let room = self.queued - durable.batches < MAX_IN_FLIGHT;
            let due = self.core.next_timeout().map(|at| self.clock.instant(at));
            tokio::select! {
                // What has become durable lets others go on; then the order of arrival.
                biased;
                () = stop.cancelled() => break,
                changed = self.durable.changed() => {
                    changed.context("the committer has ended")?;
                    self.persisted()?;
                }
                Some(event) = self.gathers.join_next(), if room => {
                    self.handle(event.context("gathering failed")?)?;
                }
                () = sleep_until(due), if room => self.handle(Event::Timeout)?,
                input = inputs.recv(), if room => match input {
                    Some(input) => self.input(input)?,
                    None => break,
                },
            }
        }
        inputs.close();
        self.finish().await
    }

    /// Nothing is decided any more; what was decided is committed and told.
    async fn finish(mut self) -> anyhow::Result<()> {
        while self.gathers.join_next().await.is_some() {}
        if let Some(committer) = self.committer.take() {
            tokio::task::spawn_blocking(move || committer.close()).await?;
        }
        self.persisted()
    }

    fn input(&mut self, input: Input) -> anyhow::Result<()> {
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
            Input::Connected(session, worker, outbox) => {
                self.sessions.insert(session, outbox);
                self.handle(Event::Connected { session, worker })
            }
            Input::Frame(session, messages) => self.handle(Event::Frame { session, messages }),
            Input::Disconnected(session) => {
                self.sessions.remove(&session);
                self.handle(Event::Disconnected { session })
            }
        }
    }

    fn persisted(&mut self) -> anyhow::Result<()> {
        let seq = self.durable.borrow_and_update().seq;
        if seq == self.told {
            return Ok(());
        }
        self.told = seq;
        self.handle(Event::Persisted { seq })
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
            Effect::Send { session, message } => {
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
            Effect::Gather { job, node, from } => {
                let (shared, turn) = (self.shared.clone(), self.gathering.clone());
                self.gathers.spawn(async move {
                    let result = gather::gather(shared, turn, job, node, from).await;
                    Event::Gathered { job, node, result }
                });
            }
            Effect::JobChanged(job) => self.tell(Change::Job(job)),
            Effect::JobEnded(job) => self.tell(Change::JobEnded(job)),
            Effect::WorkerChanged(worker) => self.tell(Change::Worker(worker)),
            Effect::LateOutcome(task) => {
                self.shared.tally.late.inc();
                tracing::info!(%task, "dropped an outcome of a superseded attempt");
            }
        }
        Ok(())
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
        let report = self.report.clone();
        self.queued += 1;
        let durable = move || {
            report.send_modify(|durable| {
                durable.batches += 1;
                durable.seq = seq.unwrap_or(durable.seq);
            });
            if let Some(done) = done {
                let _ = done.send(());
            }
        };
        Ok(committer.commit(writes, Box::new(durable))?)
    }
}

/// Sleeps until then, or for ever.
async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
