//! How the rest of the process talks to the primary. Every call takes its turn at
//! the core; nothing here decides.

use super::driver::Input;
use super::turns::Turns;
use super::{Shared, Tally, prepare};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use wasmhost_core::clock::Now;
use wasmhost_core::primary::{Event, JobCall, Primary, Refusal, Reply, RequestId};
use wasmhost_core::record::Write;
use wasmhost_link::Authority;
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::{Digest, JobId, Timestamp, WorkerId};
use wasmhost_store::{Blobs, Store, StoreError, blobs_of_plan};

/// The primary is going down, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the primary is shutting down")]
pub(crate) struct Stopped;

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiRefusal {
    /// The primary's decision.
    Refused(Refusal),
    /// There is no primary to decide.
    Stopped,
}

impl From<Stopped> for ApiRefusal {
    fn from(_: Stopped) -> ApiRefusal {
        ApiRefusal::Stopped
    }
}

/// Something has changed: look again. A receiver that lags has to look at everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A live job.
    Job(JobId),
    /// A job has ended; its records are in the store.
    JobEnded(JobId),
    /// A worker.
    Worker(WorkerId),
}

/// The reply to a request.
pub(super) type Answer = oneshot::Sender<Result<Reply, Refusal>>;

/// A look at the core, which sends what it saw to whoever asked.
type Look = Box<dyn FnOnce(&Primary, Now) + Send>;

/// What a handle asks.
pub(super) enum Call {
    /// An event for the core, numbered when it is its turn, and who waits for its reply.
    Request(Box<dyn FnOnce(RequestId) -> Event + Send>, Answer),
    /// A look at the core.
    Ask(Look),
    /// Records that are no business of the core's.
    Write(Vec<Write>, oneshot::Sender<()>),
    /// Dropped once the job is not live, or not any more.
    Wait(JobId, oneshot::Sender<()>),
}

/// Blobs of a job that are touched on the spot.
const FEW_BLOBS: usize = 2;

/// Between a batch's key and the number of a job in it.
const BATCH_MARK: char = '\u{1}';

/// The key of the `n`th job of a batch.
pub(crate) fn batch_key(key: &str, n: usize) -> String {
    format!("{key}{BATCH_MARK}{n}")
}

/// Keyed submissions of one stripe go one after the other.
const KEY_STRIPES: usize = 64;

/// The primary, as the API and the command line see it.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) turns: Arc<Turns>,
    pub(super) shared: Arc<Shared>,
    changes: broadcast::Sender<Change>,
    pub(super) orders: Arc<Orders>,
    pub(super) job_calls: Arc<std::sync::Mutex<Option<mpsc::Receiver<JobCall>>>>,
}

/// Requests of which the store is read before the core decides: between the two
/// no other of the same kind may come.
pub(super) struct Orders {
    keys: [Mutex<()>; KEY_STRIPES],
    retries: Mutex<()>,
}

impl Orders {
    pub(super) fn of_key(&self, key: &str) -> &Mutex<()> {
        let mut hash = DefaultHasher::new();
        key.hash(&mut hash);
        &self.keys[hash.finish() as usize % KEY_STRIPES]
    }
}

impl Handle {
    pub(super) fn new(
        turns: Arc<Turns>,
        shared: Arc<Shared>,
        changes: broadcast::Sender<Change>,
        job_calls: mpsc::Receiver<JobCall>,
    ) -> Handle {
        let orders = Orders {
            keys: std::array::from_fn(|_| Mutex::default()),
            retries: Mutex::default(),
        };
        Handle {
            turns,
            shared,
            changes,
            orders: Arc::new(orders),
            job_calls: Arc::new(std::sync::Mutex::new(Some(job_calls))),
        }
    }

    /// Stores a job. It is durable when this returns. A key that was used before
    /// gives the job it was used for.
    pub(crate) async fn submit(
        &self,
        plan: JobPlan,
        key: Option<String>,
    ) -> Result<Reply, ApiRefusal> {
        let _order = match &key {
            Some(key) => Some(self.orders.of_key(key).lock().await),
            None => None,
        };
        if let Some(key) = key.clone() {
            // The core knows the keys of live jobs, the store those of all.
            let known = self.read(move |store| match store.job_by_key(&key)? {
                Some(id) => Ok(Some((id, store.plan(id)?))),
                None => Ok(None),
            });
            match known.await? {
                Some((id, Some(old))) if old == plan => {
                    return Ok(Reply::Job { id, created: false });
                }
                Some((id, _)) => return Err(ApiRefusal::Refused(Refusal::KeyReused(id))),
                None => {}
            }
        }
        self.keep_blobs(std::iter::once(&plan)).await?;
        let plan = Box::new(plan);
        self.request(move |request| Event::Submit {
            request,
            plan,
            idempotency_key: key,
        })
        .await
    }

    /// Stores several jobs, all or none. They are durable when this returns. A key
    /// that was used before for the same jobs gives those.
    pub(crate) async fn submit_all(
        &self,
        plans: Vec<JobPlan>,
        key: Option<String>,
    ) -> Result<Reply, ApiRefusal> {
        let _order = match &key {
            Some(key) => Some(self.orders.of_key(key).lock().await),
            None => None,
        };
        // Keys are those of jobs: each has one of its own, which no client can give.
        let of = |n: usize| key.as_ref().map(|key| batch_key(key, n));
        let numbered = plans.into_iter().enumerate();
        let mut jobs: Vec<_> = numbered.map(|(n, plan)| (Box::new(plan), of(n))).collect();
        if key.is_some() {
            let next = of(jobs.len());
            let known = self.read(move |store| Ok((made_before(store, &jobs, next)?, jobs)));
            let known = known.await?;
            jobs = known.1;
            match known.0 {
                Some(Ok(ids)) => {
                    let created = false;
                    return Ok(Reply::Jobs { ids, created });
                }
                Some(Err(other)) => return Err(ApiRefusal::Refused(Refusal::KeyReused(other))),
                None => {}
            }
        }
        self.keep_blobs(jobs.iter().map(|(plan, _)| &**plan))
            .await?;
        self.request(move |request| Event::SubmitAll { request, jobs })
            .await
    }

    /// What plans name is not to be collected before their commit names it.
    /// What is not there any more fails the tasks that need it, by name.
    pub(super) async fn keep_blobs(
        &self,
        plans: impl Iterator<Item = &JobPlan>,
    ) -> Result<(), Stopped> {
        let blobs = self.shared.blobs.clone();
        let named: HashSet<Digest> = plans.flat_map(blobs_of_plan).collect();
        let few = named.len() <= FEW_BLOBS;
        let keep = move || {
            for digest in named {
                if let Err(error) = blobs.keep(digest) {
                    tracing::warn!("cannot keep a blob that a job names: {error}");
                }
            }
        };
        match few {
            // Touching a file takes less time than handing it to another thread.
            true => keep(),
            false => tokio::task::spawn_blocking(keep)
                .await
                .map_err(|_| Stopped)?,
        }
        Ok(())
    }

    /// Cancels a live job. The wish is durable when this returns; the job may
    /// still be stopping.
    pub(crate) async fn cancel(
        &self,
        job: JobId,
        grace_ms: Option<u64>,
    ) -> Result<Reply, ApiRefusal> {
        self.request(move |request| Event::Cancel {
            request,
            job,
            grace_ms,
        })
        .await
    }

    /// Runs the failed and cancelled tasks of an ended job again.
    pub(crate) async fn retry(&self, job: JobId) -> Result<Reply, ApiRefusal> {
        let _order = self.orders.retries.lock().await;
        let blobs = self.blobs().clone();
        let read = move |store: &dyn Store| {
            let job = store.recover_job(job)?;
            Ok(job.map(|job| prepare::with_items(store, &blobs, job)))
        };
        match self.read(read).await? {
            Some(job) => {
                let job = Box::new(job);
                self.request(move |request| Event::Retry { request, job })
                    .await
            }
            None => Err(ApiRefusal::Refused(Refusal::NoSuchJob(job))),
        }
    }

    /// Drains a worker, or takes it back.
    pub(crate) async fn drain(&self, worker: WorkerId, on: bool) -> Result<Reply, ApiRefusal> {
        self.request(move |request| Event::Drain {
            request,
            worker,
            on,
        })
        .await
    }

    /// Waits until a job is not live any more; its records are in the store then.
    pub(crate) async fn ended(&self, job: JobId) -> Result<(), Stopped> {
        let (ended, wait) = oneshot::channel();
        self.call(Call::Wait(job, ended)).await?;
        // It is dropped without a word, by the end of the job or of everything.
        let _ = wait.await;
        match self.shared.stop.is_cancelled() {
            true => Err(Stopped),
            false => Ok(()),
        }
    }

    /// Looks at the core: `look` must be short.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Primary, Now) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let look = move |primary: &Primary, now| {
            // Nobody waits any more when the asker was dropped.
            let _ = answer.send(look(primary, now));
        };
        self.call(Call::Ask(Box::new(look))).await?;
        answered.await.map_err(|_| Stopped)
    }

    /// Commits records that are no business of the core's: modules and tokens.
    /// They are durable when this returns.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), Stopped> {
        let (done, durable) = oneshot::channel();
        self.call(Call::Write(writes, done)).await?;
        durable.await.map_err(|_| Stopped)
    }

    /// The records, to read. Reads block: make them on a thread that may.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The large contents. Whoever is about to commit a record that names one
    /// that it has not just made calls [`Blobs::keep`] first; submitting does so.
    pub(crate) fn blobs(&self) -> &Arc<Blobs> {
        &self.shared.blobs
    }

    /// The cluster's authority.
    pub(crate) fn authority(&self) -> &Arc<Authority> {
        &self.shared.authority
    }

    /// Tells of changes from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// This primary's term.
    pub(crate) fn term(&self) -> u64 {
        self.shared.term
    }

    /// Since when it serves.
    pub(crate) fn started(&self) -> Timestamp {
        self.shared.started
    }

    /// Where workers connect, UDP.
    pub(crate) fn worker_address(&self) -> String {
        self.shared.worker_address.clone()
    }

    /// What was recorded since this primary began.
    pub(crate) fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// The cluster's short name.
    pub(crate) fn cluster(&self) -> String {
        self.shared.authority.cluster()
    }

    pub(super) async fn request(
        &self,
        event: impl FnOnce(RequestId) -> Event + Send + 'static,
    ) -> Result<Reply, ApiRefusal> {
        let (answer, answered) = oneshot::channel();
        self.call(Call::Request(Box::new(event), answer)).await?;
        answered
            .await
            .map_err(|_| ApiRefusal::Stopped)?
            .map_err(ApiRefusal::Refused)
    }

    async fn call(&self, call: Call) -> Result<(), Stopped> {
        self.turns.bring(Input::Call(call)).await
    }

    /// Reads the store where it may block; its failure ends the process.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Stopped> {
        let store = self.shared.store.clone();
        let read = move || f(&*store).unwrap_or_else(|error| super::fatal(&error));
        tokio::task::spawn_blocking(read).await.map_err(|_| Stopped)
    }
}

/// The jobs that these keys made, if all are of these plans and there are no more,
/// or one that is not. `next` is the key after the last.
fn made_before(
    store: &dyn Store,
    jobs: &[(Box<JobPlan>, Option<String>)],
    next: Option<String>,
) -> Result<Option<Result<Vec<JobId>, JobId>>, StoreError> {
    let of = |key: &Option<String>| match key {
        Some(key) => store.job_by_key(key),
        None => Ok(None),
    };
    let mut ids = Vec::new();
    for (plan, key) in jobs {
        let Some(id) = of(key)? else {
            continue;
        };
        if store.plan(id)?.as_ref() != Some(&**plan) {
            return Ok(Some(Err(id)));
        }
        ids.push(id);
    }
    let whole = ids.len() == jobs.len() && of(&next)?.is_none();
    Ok(match ids.first() {
        None => None,
        Some(_) if whole => Some(Ok(ids)),
        Some(first) => Some(Err(*first)),
    })
}
