//! The primary's process: wiring and waiting around [`wasmhost_core::primary`].
//!
//! The core has one [`driver`], and whoever brings it something takes a turn
//! ([`turns`]); workers' sessions, preparing and committing run beside it and come
//! back as events. Decides nothing.

mod asks;
mod calls;
mod driver;
mod gate;
mod gc;
mod handle;
mod open;
mod prepare;
mod requests;
mod sessions;
mod tally;
mod turns;
mod vault;

pub(crate) use handle::{ApiRefusal, Change, Handle, Stopped, batch_key};
pub(crate) use tally::Tally;
pub(crate) use vault::Vault;

use self::driver::{Clock, Driver};
use self::sessions::Sessions;
use self::turns::Turns;
use anyhow::Context as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmhost_core::primary::{Primary, PrimaryConfig};
use wasmhost_link::{Authority, Listener};
use wasmhost_proto::Timestamp;
use wasmhost_proto::limits::{CHANGES, MAX_CHILD_CALLS};
use wasmhost_store::{Blobs, Store, StoreError};

/// How a primary runs.
#[derive(Debug, Clone)]
pub(crate) struct PrimaryOptions {
    /// Everything it keeps; made when it is not there. One primary at a time.
    pub(crate) data_dir: PathBuf,
    /// Where workers connect, UDP. Port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// The address to tell workers when it is not the one of `listen`.
    pub(crate) advertise: Option<String>,
    /// How long a silent worker keeps its leases, milliseconds.
    pub(crate) lease_ms: u64,
    /// From a cancelled attempt's flag to its kill, milliseconds.
    pub(crate) cancel_grace_ms: u64,
    /// How often workers that run something are asked what they have published,
    /// milliseconds; 0: only when somebody wants to know.
    pub(crate) poll_ms: u64,
    /// The file of the key that seals secrets, when it is not in the data directory.
    pub(crate) secrets_key: Option<PathBuf>,
}

/// What the parts of one primary share.
struct Shared {
    store: Arc<dyn Store>,
    blobs: Arc<Blobs>,
    authority: Arc<Authority>,
    vault: Arc<Vault>,
    term: u64,
    started: Timestamp,
    worker_address: String,
    /// Everything ends once it is set.
    stop: CancellationToken,
    tally: Tally,
}

/// A primary that runs.
pub(crate) struct Running {
    task: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    _lock: open::Lock,
}

impl Running {
    /// Waits until the primary has ended by itself: always an error.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => anyhow::anyhow!("the primary has ended"),
            Ok(Err(error)) => error,
            Err(error) => anyhow::anyhow!("the primary's loop failed: {error}"),
        }
    }

    /// Ends in order: takes no new calls and connections, commits what is
    /// queued, answers, closes the sessions.
    pub(crate) async fn shutdown(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await.context("the primary's loop failed")?
    }
}

/// Opens the data directory, takes its jobs over under a new term, and serves
/// workers. Durable state is only touched once the directory's lock is held.
pub(crate) async fn start(options: PrimaryOptions) -> anyhow::Result<(Handle, Running)> {
    let dir = options.data_dir.clone();
    let key = options
        .secrets_key
        .unwrap_or_else(|| dir.join("secrets.key"));
    let open = move || anyhow::Ok((open::open(&dir)?, Vault::open(dir.join("secrets"), &key)?));
    let (opened, vault) = tokio::task::spawn_blocking(open).await??;
    let changes = broadcast::Sender::new(CHANGES);
    let stop = CancellationToken::new();
    let clock = Clock::start();
    let turns = Turns::new(clock, stop.clone());

    let gate = Arc::new(gate::Gate::new(
        Arc::downgrade(&turns),
        Arc::downgrade(&opened.store),
    ));
    let uploads = Arc::new(gate::Uploads(opened.blobs.clone()));
    let listener = Listener::bind(options.listen, opened.authority.clone(), gate, uploads)
        .context("cannot listen for workers")?;
    let address = listener.local_addr();
    let shared = Arc::new(Shared {
        store: opened.store,
        blobs: opened.blobs,
        authority: opened.authority,
        vault: Arc::new(vault),
        term: opened.term,
        started: clock.now().wall,
        worker_address: options.advertise.unwrap_or_else(|| address.to_string()),
        stop: stop.clone(),
        tally: Tally::new(),
    });

    let config = PrimaryConfig {
        lease_ms: options.lease_ms,
        cancel_grace_ms: options.cancel_grace_ms,
        recovery_grace_ms: options.lease_ms,
        poll_ms: options.poll_ms,
    };
    let seed = getrandom::u64().map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    let core = Primary::new(config, shared.term, seed, clock.now(), opened.recovered);
    let (job_calls, calls) = mpsc::channel(MAX_CHILD_CALLS);
    let driver = Driver::new(
        core,
        clock,
        shared.clone(),
        &turns,
        changes.clone(),
        job_calls,
    )?;
    turns.begin(driver);
    let collecting = tokio::spawn(gc::run(shared.clone()));
    let sessions = Sessions::default();
    let accepting = sessions::accept(listener, shared.clone(), turns.clone(), sessions.clone());
    let accepting = tokio::spawn(accepting);
    let driving = turns.clone();
    let task = tokio::spawn(async move {
        driving.clone().keep_time().await;
        let result = match driving.end() {
            Ok(driver) => driver.finish().await,
            Err(error) => Err(error),
        };
        sessions::end(accepting, sessions).await;
        collecting.await?;
        result
    });
    tracing::info!(
        term = shared.term, cluster = shared.authority.cluster(), address = %address,
        "the primary serves workers"
    );
    Ok((
        Handle::new(turns, shared, changes, calls),
        Running {
            task,
            stop,
            _lock: opened.lock,
        },
    ))
}

/// The store has failed: what is on disk is unknown until it is opened again,
/// so nothing more may be acknowledged.
fn fatal(error: &StoreError) -> ! {
    tracing::error!("the primary stops at once: {error}; start it again once the disk is well");
    std::process::exit(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
