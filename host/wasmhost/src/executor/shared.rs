//! What the pool's handle and the keepers of its seats share: the state behind its
//! lock, the wake-ups, and the way out for events. Decides nothing about runs.

use super::places::{At, State};
use super::pool::PoolEvent;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};

pub(super) struct Shared {
    events: mpsc::Sender<PoolEvent>,
    /// One per seat, for its outbox.
    pub(super) wakes: Vec<Notify>,
    /// There are runs that no executor gets.
    pub(super) refused: Notify,
    /// A run waits for a room, or none is wanted any more.
    pub(super) vacancy: Notify,
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
        rooms: Option<PathBuf>,
        events: mpsc::Sender<PoolEvent>,
    ) -> Shared {
        let state = State::new(dir, seats, slots, rooms);
        Shared {
            events,
            wakes: state.seats.iter().map(|_| Notify::new()).collect(),
            refused: Notify::new(),
            vacancy: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// Wakes whoever sees to a run.
    pub(super) fn wake(&self, at: At) {
        match at {
            At::Seat(seat) => self.wakes[seat].notify_one(),
            At::Door => self.vacancy.notify_one(),
            At::Nowhere => self.refused.notify_one(),
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
