//! One look at a job for all who watch it: what the store and the core say is read and written
//! down once, and every watcher is given the same text at its own pace. One that is slow skips
//! what it missed and holds up nobody.

use super::state::{App, Shared};
use super::status;
use crate::primary::Change;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{Notify, watch};
use wasmhost_proto::JobId;
use wasmhost_proto::limits::WATCH_COALESCE_MS;

/// What a job's watchers are shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// A [`wasmhost_proto::api::JobStatus`] as JSON on one line.
    pub(super) json: String,
    /// Nothing will follow.
    pub(super) last: bool,
    at: Instant,
}

/// The shortest time between two looks.
const COALESCE: Duration = Duration::from_millis(WATCH_COALESCE_MS);

/// The latest of a job; none before the first look.
pub(super) type Latest = watch::Receiver<Option<Arc<Shown>>>;

/// The jobs that somebody watches.
#[derive(Default)]
pub(crate) struct Boards(Mutex<HashMap<JobId, Board>>);

struct Board {
    sender: watch::Sender<Option<Arc<Shown>>>,
    /// Somebody new wants to see it as it is now, and not as it was at the last change.
    look: Arc<Notify>,
}

impl Boards {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Board>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to see of a job from now on.
pub(super) fn join(app: &Shared, id: JobId) -> Latest {
    let mut boards = app.boards.lock();
    if let Some(board) = boards.get(&id) {
        let mut latest = board.sender.subscribe();
        let fresh = |shown: &Shown| shown.last || shown.at.elapsed() < 2 * COALESCE;
        let shown = board.sender.borrow().as_deref().is_some_and(fresh);
        match shown {
            true => latest.mark_changed(),
            false => board.look.notify_one(),
        }
        return latest;
    }
    let (sender, latest) = watch::channel(None);
    let look = Arc::new(Notify::new());
    let (out, poke) = (sender.clone(), look.clone());
    boards.insert(id, Board { sender, look });
    // Before the first look, so that no change falls between the two.
    let mut changes = app.handle.changes();
    let app = app.clone();
    tokio::spawn(async move {
        while publish(&app, id, &mut changes, &out, &poke).await.is_some() {
            // Nobody watches: nobody can join while the table is locked.
            let mut boards = app.boards.lock();
            if out.receiver_count() == 0 {
                boards.remove(&id);
                return;
            }
        }
        app.boards.lock().remove(&id);
    });
    latest
}

/// Looks at the job at once, when somebody joins, and when it has changed, until nobody watches
/// any more. None when there is nothing more to see: the job has ended, or the server does.
async fn publish(
    app: &App,
    id: JobId,
    changes: &mut Receiver<Change>,
    out: &watch::Sender<Option<Arc<Shown>>>,
    look: &Notify,
) -> Option<()> {
    loop {
        let status = status::load(app, id).await.ok()?;
        let last = status.job.state.is_final();
        let json = serde_json::to_string(&status).ok()?;
        let at = Instant::now();
        out.send_replace(Some(Arc::new(Shown { json, last, at })));
        if last {
            return None;
        }
        // Changes gather meanwhile.
        let gather = tokio::time::sleep(COALESCE);
        app.closing.run_until_cancelled(gather).await?;
        tokio::select! {
            () = app.closing.cancelled() => return None,
            () = look.notified() => {}
            changed = concerns(changes, id) => changed?,
            () = out.closed() => return Some(()),
        }
    }
}

/// Waits for a change of a job; none when the primary is gone.
pub(super) async fn concerns(changes: &mut Receiver<Change>, id: JobId) -> Option<()> {
    loop {
        match changes.recv().await {
            Ok(Change::Job(of) | Change::JobEnded(of)) if of == id => return Some(()),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Some(()),
            Err(RecvError::Closed) => return None,
        }
    }
}
