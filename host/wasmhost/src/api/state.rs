//! What all handlers share: the primary's handle, the module catalogue, the
//! counts of what may happen at once. Decides nothing.

use super::boards::Boards;
use super::called::Submitted;
use super::catalogue::Catalogue;
use super::definitions::Bounds;
use super::metrics::Metrics;
use super::problem::Problem;
use super::serving::Serving;
use crate::primary::{Handle, Vault};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio_util::sync::CancellationToken;
use wasmhost_core::clock::Now;
use wasmhost_core::primary::Primary;
use wasmhost_proto::api::StoredName;
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::limits;
use wasmhost_store::{Store, StoreError};

/// The state of the router.
pub(crate) type Shared = Arc<App>;

/// What the operator has said that definitions may ask for.
#[derive(Clone)]
pub(crate) struct Operator {
    pub(crate) ceiling: Arc<Ceiling>,
    pub(crate) vault: Arc<Vault>,
}

/// What all handlers share.
pub(crate) struct App {
    /// The primary.
    pub(crate) handle: Handle,
    /// The stored modules and libraries. Submissions hold it for reading until they are
    /// durable, so that no module goes away between check and commit.
    pub(crate) catalogue: RwLock<Arc<Catalogue>>,
    /// Stored definitions change one at a time.
    pub(crate) definitions: Mutex<()>,
    /// How many of them are kept.
    pub(crate) bounds: Bounds,
    /// What definitions may ask for.
    pub(crate) operator: Operator,
    /// How many jobs tasks have submitted.
    pub(crate) submitted: Submitted,
    /// The primary's own driver.
    pub(crate) serving: Serving,
    /// What happened over HTTP.
    pub(crate) metrics: Metrics,
    /// Event streams at once.
    pub(crate) watchers: Arc<Semaphore>,
    /// The jobs that they watch.
    pub(crate) boards: Boards,
    /// Submissions compiled at once.
    pub(crate) submissions: Arc<Semaphore>,
    /// Uploads at once.
    pub(crate) uploads: Arc<Semaphore>,
    /// Modules checked at once.
    pub(crate) admissions: Arc<Semaphore>,
    /// Set when the server shuts down: event streams end.
    pub(crate) closing: CancellationToken,
    /// Whether clients come over TLS.
    pub(crate) secure: bool,
}

impl App {
    /// Reads the modules and makes the state.
    pub(crate) async fn new(
        handle: Handle,
        closing: CancellationToken,
        secure: bool,
        driver: Option<StoredName>,
        ceiling: Ceiling,
    ) -> Result<Shared, StoreError> {
        let store = handle.store().clone();
        let read = blocking(move || Ok::<_, StoreError>((store.modules()?, store.libraries()?)));
        let (modules, libraries) = read.await?;
        let operator = Operator {
            ceiling: Arc::new(ceiling),
            vault: handle.vault().clone(),
        };
        Ok(Arc::new(App {
            handle,
            catalogue: RwLock::new(Arc::new(Catalogue::new(modules, libraries))),
            definitions: Mutex::default(),
            bounds: Bounds::default(),
            operator,
            submitted: Submitted::default(),
            serving: Serving::new(driver),
            metrics: Metrics::new(),
            watchers: Arc::new(Semaphore::new(limits::MAX_WATCHERS)),
            boards: Boards::default(),
            submissions: Arc::new(Semaphore::new(limits::MAX_SUBMISSIONS)),
            uploads: Arc::new(Semaphore::new(limits::MAX_UPLOADS)),
            admissions: Arc::new(Semaphore::new(limits::MAX_ADMISSIONS)),
            closing,
            secure,
        }))
    }

    /// Reads the store, away from the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.handle.store().clone();
        blocking(move || f(&*store))
            .await
            .map_err(|e| Problem::fault("the store could not be read", &e))
    }

    /// Reads a few rows of the store on the spot: they are in memory as a rule, and
    /// handing the work to another thread takes ten times as long.
    pub(crate) fn peek<T>(
        &self,
        f: impl FnOnce(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, Problem> {
        f(&**self.handle.store()).map_err(|e| Problem::fault("the store could not be read", &e))
    }

    /// Asks the primary's core.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Primary, Now) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.handle.ask(f).await.map_err(|_| Problem::stopping())
    }
}

/// Runs `f` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(f).await {
        Ok(value) => value,
        // The runtime is going down, or `f` panicked: nothing sensible follows.
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

/// Runs `f` to its end even when the client goes away meanwhile.
pub(crate) async fn to_the_end<T: Send + 'static>(
    f: impl Future<Output = T> + Send + 'static,
) -> T {
    match tokio::spawn(f).await {
        Ok(value) => value,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

/// Takes one of a bounded number of places, or says what there is too much of.
pub(crate) fn place(of: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Problem> {
    let permit = of.clone().try_acquire_owned();
    permit.map_err(|_| Problem::busy(format!("too many {what} at once")))
}

/// Waits for one of a bounded number of places.
pub(crate) async fn turn(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    let permit = of.clone().acquire_owned().await;
    permit.map_err(|_| Problem::stopping())
}
