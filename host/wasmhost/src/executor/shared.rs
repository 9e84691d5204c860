//! What the pool's handle and the keepers of its seats share: the state behind its
//! lock, the wake-ups, and the way out for events. Decides nothing about runs.

use super::places::State;
use super::pool::PoolEvent;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};

pub(super) struct Shared {
    events: mpsc::Sender<PoolEvent>,
    /// One per seat, for its outbox, and one for refused runs.
    pub(super) wakes: Vec<Notify>,
    state: Mutex<State>,
}

/// Room for one event. Whoever takes runs off a seat and can be dropped while it waits
/// has this first: between taking and telling there is then nothing to wait for.
pub(super) struct Room<'a>(Option<mpsc::Permit<'a, PoolEvent>>);

impl Room<'_> {
    pub(super) fn send(self, event: PoolEvent) {
        if let Some(permit) = self.0 {
            permit.send(event);
        }
    }
}

impl Shared {
    pub(super) fn new(
        dir: PathBuf,
        seats: usize,
        slots: usize,
        events: mpsc::Sender<PoolEvent>,
    ) -> Shared {
        Shared {
            events,
            wakes: (0..=seats).map(|_| Notify::new()).collect(),
            state: Mutex::new(State::new(dir, seats, slots)),
        }
    }

    /// Waits for whoever reads the events. Without a reader the worker is
    /// leaving, and nobody misses them.
    pub(super) async fn room(&self) -> Room<'_> {
        Room(self.events.reserve().await.ok())
    }

    /// Tells what is lost when this is dropped while it waits.
    pub(super) async fn send(&self, event: PoolEvent) {
        self.room().await.send(event);
    }

    /// Held only between two statements, never across a wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
