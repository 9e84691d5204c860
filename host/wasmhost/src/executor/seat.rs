//! Keeps one seat of the pool occupied: starts an executor, talks to it, and
//! when it is gone ends its runs and starts the next one.

use super::hear::hear;
use super::ipc::Receiver;
use super::launch::{Launch, Launched};
use super::placed::Placed;
use super::pool::{PoolEnd, PoolEvent};
use super::shared::Shared;
use super::tell;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use wasmhost_proto::executor::FromExecutor;
use wasmhost_proto::limits::{EXECUTOR_RESTART_MS, EXECUTOR_START_MS};
use wasmhost_proto::outcome::{Failure, FailureKind};

/// How often overdue runs are looked for.
const OVERDUE_TICK: Duration = Duration::from_millis(250);
/// How long a dead executor's exit status is waited for.
const REAP: Duration = Duration::from_secs(5);
/// How long an executor that has closed its socket may take to exit.
const LEAVE: Duration = Duration::from_secs(1);

/// Runs until the pool closes.
pub(super) async fn keep(shared: Arc<Shared>, seat: usize, launch: Arc<dyn Launch>) {
    let mut pause = *EXECUTOR_RESTART_MS.start();
    loop {
        let begin = Instant::now();
        let reason = match launch.launch().await {
            Ok(launched) => session(&shared, seat, launched).await,
            Err(error) => format!("cannot start an executor process: {error}"),
        };
        if end(&shared, seat, &reason).await {
            return;
        }
        // One that lasted is replaced at once.
        if begin.elapsed() > Duration::from_millis(*EXECUTOR_RESTART_MS.end()) {
            pause = *EXECUTOR_RESTART_MS.start();
        }
        sleep(Duration::from_millis(pause)).await;
        if shared.lock().closing {
            return;
        }
        pause = (pause * 2).min(*EXECUTOR_RESTART_MS.end());
    }
}

/// Ends the runs of a dead executor that had begun, and returns the others. True
/// when the pool is closing. Dropped only with the whole pool: what it has taken off
/// the seat may wait to be told.
async fn end(shared: &Shared, seat: usize, reason: &str) -> bool {
    let (runs, closing, change) = {
        let mut state = shared.lock();
        let runs = state.seats[seat].clear();
        if !state.closing {
            state.lose();
        }
        let (alive, lost) = (state.alive(), state.lost);
        (runs, state.closing, PoolEvent::Executors { alive, lost })
    };
    let (mut ends, mut returned) = (Vec::new(), Vec::new());
    for run in runs.into_values() {
        // Nobody is charged for what it cannot have caused; what had begun without
        // a word is found out by the next executors, which are careful.
        if !run.begun && !run.killed && run.verdict.is_none() {
            returned.push((run.task, run.lease));
            continue;
        }
        let failure = verdict(&run, reason);
        ends.push(PoolEnd::failed(run.task, run.lease, failure));
    }
    if !closing {
        tracing::warn!(runs = ends.len(), returned = returned.len(), "{reason}");
    }
    for event in [
        PoolEvent::Ended(ends),
        PoolEvent::Returned(returned),
        change,
    ] {
        shared.send(event).await;
    }
    closing
}

/// What became of a run whose executor died.
pub(super) fn verdict(run: &Placed, reason: &str) -> Failure {
    if let Some(failure) = &run.verdict {
        Failure::clone(failure)
    } else if run.killed {
        Failure::new(
            FailureKind::Cancelled,
            format!("stopped on request: {reason}"),
        )
    } else {
        Failure::new(FailureKind::LostExecutor, reason)
    }
}

/// Talks to one executor until it is gone; the text says why. Hearing and writing are
/// dropped wherever they wait, and what is on the seat then ends with the executor:
/// they take nothing off it before there is room to tell of it.
pub(super) async fn session(shared: &Shared, seat: usize, launched: Launched) -> String {
    let Launched {
        id,
        stream,
        mut process,
    } = launched;
    let (from, to) = stream.into_split();
    let mut receiver = Receiver::new(from);
    let ready = timeout(Duration::from_millis(EXECUTOR_START_MS), receiver.next()).await;
    let broken = match ready {
        Ok(Ok(Some(FromExecutor::Ready))) => {
            let change = {
                let mut state = shared.lock();
                state.seats[seat].alive = true;
                state.set_care(seat, Instant::now());
                let (alive, lost) = (state.alive(), state.lost);
                PoolEvent::Executors { alive, lost }
            };
            shared.send(change).await;
            tokio::select! {
                broken = hear(shared, seat, receiver) => broken,
                () = tell::write(shared, seat, to) => None,
                broken = watch(shared, seat) => Some(broken),
            }
        }
        Ok(Ok(Some(_))) => Some("did not begin with 'ready'".into()),
        Ok(Ok(None)) => None,
        Ok(Err(error)) => Some(format!("broke the protocol: {error}")),
        Err(_) => Some(format!("was not ready within {EXECUTOR_START_MS} ms")),
    };
    // A peer that closed its end is given the time to leave by itself, so that
    // its own exit status is seen.
    let mut how = None;
    if broken.is_none() {
        how = timeout(LEAVE, process.ended()).await.ok();
    }
    if how.is_none() {
        process.kill();
        how = timeout(REAP, process.ended()).await.ok();
    }
    let how = how.unwrap_or_else(|| "does not end".into());
    match broken {
        Some(why) => format!("executor process {id} {why} and {how}"),
        None => format!("executor process {id} {how}"),
    }
}

/// Looks for runs that their executor should have ended. Says so when there is one.
async fn watch(shared: &Shared, seat: usize) -> String {
    loop {
        sleep(OVERDUE_TICK).await;
        let mut state = shared.lock();
        let now = Instant::now();
        if state.set_care(seat, now) {
            shared.wakes[seat].notify_one();
        }
        let share = state.share();
        state.seats[seat].set_due(share);
        let runs = state.seats[seat].runs.values_mut();
        let mut overdue = runs
            .filter(|run| run.due.is_some_and(|due| due <= now))
            .peekable();
        if overdue.peek().is_none() {
            continue;
        }
        for run in overdue.filter(|run| !run.killed && run.verdict.is_none()) {
            let message = format!(
                "ran longer than its time limit of {} ms; its executor had to be killed",
                run.spec.limits.wall_ms
            );
            run.verdict = Some(Box::new(Failure::new(FailureKind::TimeLimit, message)));
        }
        return "did not stop a run in time".into();
    }
}
