//! Keeps one room of the pool: when a run with files waits, a process is started for it
//! alone, and is gone before the next one.

use super::launch::Launch;
use super::placed::Placed;
use super::pool::{PoolEnd, PoolEvent};
use super::room::Plan;
use super::seat::{session, verdict};
use super::shared::Shared;
use std::sync::Arc;

/// Runs until the pool closes.
pub(super) async fn keep(shared: Arc<Shared>, seat: usize, launch: Arc<dyn Launch>) {
    while let Some(plan) = next(&shared, seat).await {
        let reason = match launch.room(plan).await {
            Ok(launched) => session(&shared, seat, launched).await,
            Err(error) => format!("cannot start an executor process: {error}"),
        };
        clear(&shared, seat, &reason).await;
    }
}

/// Waits for a run, and takes it in. None when the pool is closing.
async fn next(shared: &Shared, seat: usize) -> Option<Plan> {
    loop {
        // From here on no call is missed.
        let called = shared.vacancy.notified();
        {
            let mut state = shared.lock();
            if state.closing {
                return None;
            }
            if let Some(plan) = state.move_in(seat) {
                if state.is_asked() {
                    shared.vacancy.notify_one();
                }
                return Some(plan);
            }
        }
        shared.refused.notify_one();
        called.await;
    }
}

/// Ends the run that the process has left behind, if it has: nobody else can have ended
/// the process.
async fn clear(shared: &Shared, seat: usize, reason: &str) {
    let (left, change) = {
        let mut state = shared.lock();
        let left: Vec<Placed> = state.seats[seat].clear().into_values().collect();
        state.lost += left.len() as u32;
        let (alive, lost) = (state.alive(), state.lost);
        (left, PoolEvent::Executors { alive, lost })
    };
    if !left.is_empty() {
        tracing::warn!("{reason}");
        let ends = left.iter().map(|run| {
            let failure = verdict(run, reason);
            PoolEnd::failed(run.task, run.lease, failure)
        });
        let ends = PoolEvent::Ended(ends.collect());
        shared.send(ends).await;
    }
    shared.send(change).await;
}
