//! Data calls of an executor's runs, believed only as far as they are its own and keep
//! within their bounds.

use super::hear::{Violation, stranger};
use super::pool::PoolEvent;
use super::shared::Shared;
use wasmhost_proto::data::{DataCall, DataOp, Space};
use wasmhost_proto::executor::RunId;
use wasmhost_proto::limits::MAX_DATA_SPACE;

/// Passes a call on.
pub(super) async fn pass_on(
    shared: &Shared,
    seat: usize,
    run: RunId,
    (call, space, op): (u64, Space, DataOp),
) -> Result<(), Violation> {
    // What a name may be, the primary tells the guest.
    let long = matches!(&space, Space::Public(name) if name.len() > 4 * MAX_DATA_SPACE);
    if let Some(why) = op.fault() {
        return Err(Violation(format!(
            "run {run} makes a call that is none: {why}"
        )));
    }
    if long {
        return Err(Violation(format!("run {run} names a space out of bounds")));
    }
    let (task, lease) = {
        let state = shared.lock();
        let placed = state.seats[seat].runs.get(&run);
        let placed = placed.ok_or_else(|| stranger(run))?;
        (placed.task, placed.lease)
    };
    let call = DataCall {
        task,
        lease,
        call,
        space,
        op,
    };
    shared.send(PoolEvent::Calls(Box::new(call))).await;
    Ok(())
}
