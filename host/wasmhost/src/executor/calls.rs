//! Calls of an executor's runs for data, programs and requests, believed only as far as they
//! are its own and keep within their bounds.

use super::bulk;
use super::hear::{Violation, stranger};
use super::pool::{HttpCall, PoolEvent, ProgramCall};
use super::shared::Shared;
use std::collections::HashMap;
use wasmhost_proto::data::{DataCall, DataOp, Space};
use wasmhost_proto::executor::RunId;
use wasmhost_proto::http::HttpRequest;
use wasmhost_proto::limits::{MAX_CHECKPOINT, MAX_DATA_SPACE, MAX_FETCH_BODY};
use wasmhost_proto::program::ProgramOp;

/// Bytes that a call brings at most, of whatever kind it is.
const MOST: usize = if MAX_CHECKPOINT > MAX_FETCH_BODY {
    MAX_CHECKPOINT
} else {
    MAX_FETCH_BODY
};

/// The beginnings of calls that are still coming, by run.
#[derive(Default)]
pub(super) struct Bulk(HashMap<RunId, Vec<u8>>);

impl Bulk {
    /// Bytes of a run's next call.
    pub(super) fn push(
        &mut self,
        shared: &Shared,
        seat: usize,
        run: RunId,
        mut bytes: Vec<u8>,
    ) -> Result<(), Violation> {
        // As many as there are runs that wait for their calls.
        let state = shared.lock();
        let runs = &state.seats[seat].runs;
        self.0.retain(|run, _| runs.contains_key(run));
        if !runs.contains_key(&run) {
            return Err(stranger(run));
        }
        let known = self.0.entry(run).or_default();
        if known.len() + bytes.len() > MOST {
            return Err(Violation(format!("run {run} has too much to say")));
        }
        known.append(&mut bytes);
        Ok(())
    }

    /// Puts what came before in front of the last bytes of a run's call.
    fn join(&mut self, run: RunId, last: Option<&mut Vec<u8>>) -> Result<(), Violation> {
        match (self.0.remove(&run), last) {
            (Some(mut before), Some(bytes)) => {
                before.append(bytes);
                *bytes = before;
                Ok(())
            }
            (Some(_), None) => Err(Violation(format!(
                "run {run} brings bytes that nothing takes"
            ))),
            (None, _) => Ok(()),
        }
    }
}

/// Passes a call on, whole.
pub(super) async fn pass_on(
    shared: &Shared,
    seat: usize,
    run: RunId,
    (call, space, mut op): (u64, Space, DataOp),
    bulk: &mut Bulk,
) -> Result<(), Violation> {
    bulk.join(run, bulk::of_op(&mut op))?;
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

/// Passes a call for a program on, with what its task was granted.
pub(super) async fn program(
    shared: &Shared,
    seat: usize,
    run: RunId,
    call: u64,
    op: ProgramOp,
) -> Result<(), Violation> {
    if let Some(why) = op.fault() {
        return Err(Violation(format!(
            "run {run} makes a call that is none: {why}"
        )));
    }
    let call = {
        let state = shared.lock();
        let placed = state.seats[seat].runs.get(&run);
        let placed = placed.ok_or_else(|| stranger(run))?;
        ProgramCall {
            task: placed.task,
            lease: placed.lease,
            spec: placed.spec.clone(),
            call,
            op,
        }
    };
    shared.send(PoolEvent::Program(Box::new(call))).await;
    Ok(())
}

/// Passes a request over the network on, with what its task was granted.
pub(super) async fn http(
    shared: &Shared,
    seat: usize,
    run: RunId,
    call: u64,
    mut request: HttpRequest,
    bulk: &mut Bulk,
) -> Result<(), Violation> {
    bulk.join(run, Some(&mut request.body))?;
    if let Some(why) = request.fault() {
        return Err(Violation(format!(
            "run {run} makes a call that is none: {why}"
        )));
    }
    let call = {
        let state = shared.lock();
        let placed = state.seats[seat].runs.get(&run);
        let placed = placed.ok_or_else(|| stranger(run))?;
        HttpCall {
            task: placed.task,
            lease: placed.lease,
            spec: placed.spec.clone(),
            call,
            request,
        }
    };
    shared.send(PoolEvent::Http(Box::new(call))).await;
    Ok(())
}
