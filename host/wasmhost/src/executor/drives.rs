//! What an executor says for its drivers: believed of a run that is one, and within
//! bounds. What it comes to is the worker's core's, and then the primary's.

use super::hear::{Violation, stranger};
use super::pool::PoolEvent;
use super::shared::Shared;
use wasmhost_proto::executor::{FromExecutor, RunId};
use wasmhost_proto::limits::{MAX_NAME, MAX_SPAWN_INPUT, MAX_SPAWN_KEY};
use wasmhost_sandbox::DriverCall;

/// What a run asks for, if it is what a sandbox lets a driver ask for.
pub(super) fn asked(message: FromExecutor) -> Result<DriverCall, Violation> {
    let (fits, call) = match message {
        FromExecutor::Spawn {
            key, node, input, ..
        } => {
            let fits = is_key(&key) && node.len() <= MAX_NAME && input.len() <= MAX_SPAWN_INPUT;
            (fits, DriverCall::Spawn { key, node, input })
        }
        FromExecutor::CancelSpawned { key, .. } => (is_key(&key), DriverCall::Cancel { key }),
        FromExecutor::Await { .. } => (true, DriverCall::Await),
        FromExecutor::NextRequest { .. } => (true, DriverCall::NextRequest),
        _ => return Err(Violation("no driver says that".into())),
    };
    match fits {
        true => Ok(call),
        false => Err(Violation("a driver asks out of bounds".into())),
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= MAX_SPAWN_KEY && !key.contains(char::is_control)
}

/// Passes on what a driver asks for.
pub(super) async fn drives(
    shared: &Shared,
    seat: usize,
    run: RunId,
    call: DriverCall,
) -> Result<(), Violation> {
    let (task, lease) = {
        let state = shared.lock();
        let placed = state.seats[seat]
            .runs
            .get(&run)
            .ok_or_else(|| stranger(run))?;
        if !placed.spec.driver {
            return Err(Violation(format!("run {run} is no driver")));
        }
        (placed.task, placed.lease)
    };
    shared.send(PoolEvent::Drives { task, lease, call }).await;
    Ok(())
}
