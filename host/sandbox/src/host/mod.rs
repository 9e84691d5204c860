//! The host's side of `wasmhost:task` and `wasi:config`, one file per interface.

mod config;
mod context;
mod data;
mod driver;
mod log;
mod script;
mod status;

use crate::state::State;
use wasmtime::component::{HasSelf, Linker};

wasmtime::component::bindgen!({
    world: "platform",
    path: "../../proto/wit",
    imports: {
        "wasmhost:task/driver.wait": async,
        "wasmhost:task/driver.next": async,
        "wasmhost:task/private-data": async,
        "wasmhost:task/public-data": async,
        "wasmhost:task/status": trappable,
        "wasmhost:task/log": trappable,
    },
    exports: { default: async },
});

/// Adds every interface of the world to `linker`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    Platform::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}
