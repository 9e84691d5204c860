//! What a store holds besides the guest: all that host calls may touch.

use crate::attempt::{Attempt, Controls};
use crate::board::Board;
use crate::limits::Meter;
use crate::outputs::Outputs;
use crate::wasi;
use crate::web::Web;
use std::time::Instant;
use wasmhost_proto::limits::{MAX_HANDLES, MAX_HOST_CALL_BYTES};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::Failure;
use wasmtime::{Engine, Store};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

/// Bytes that a result's wrapping may count for beside its content.
const RESULT_MARGIN: usize = 4 << 10;

pub(crate) struct State {
    /// Serves both generations of WASI.
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) meter: Meter,
    pub(crate) board: Board,
    pub(crate) attempt: Attempt,
    pub(crate) controls: Controls,
    pub(crate) outputs: Outputs,
    pub(crate) deadline: Instant,
    /// What a component that uses `wasi:http` needs.
    pub(crate) web: Option<Box<Web>>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

/// A fresh store, every bound set.
pub(crate) fn store(
    engine: &Engine,
    kind: ModuleKind,
    mut attempt: Attempt,
    controls: Controls,
    board: Board,
    deadline: Instant,
) -> Result<Store<State>, Failure> {
    let limits = attempt.limits;
    let mut wasi = wasi::context(&mut attempt, kind, &board)?;
    wasi.ctx().table.set_max_capacity(MAX_HANDLES);
    let state = State {
        wasi,
        meter: Meter::new(limits.memory),
        board,
        attempt,
        controls,
        outputs: Outputs::default(),
        deadline,
        web: None,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    // At each tick the guest yields to its neighbours and to its time limit.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    // A task's result is lifted like the arguments of such a call, and may be larger.
    let result = usize::try_from(limits.output).unwrap_or(usize::MAX);
    store.set_hostcall_fuel(MAX_HOST_CALL_BYTES.max(result.saturating_add(RESULT_MARGIN)));
    Ok(store)
}
