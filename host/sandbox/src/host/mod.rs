//! The host's side of `wasmhost:task`, `wasi:config` and `wasi:keyvalue`, one file per
//! interface or package.

mod checkpoint;
mod config;
mod context;
mod data;
mod driver;
mod http;
mod jobs;
mod keyvalue;
mod log;
mod outputs;
mod programs;
mod script;
mod status;

use crate::state::State;
use wasmtime::component::{HasSelf, Linker};

wasmtime::component::bindgen!({
    world: "wasmhost:platform/platform",
    path: ["../../proto/wit", "../../proto/platform"],
    imports: {
        "wasmhost:task/driver.wait": async,
        "wasmhost:task/driver.next": async,
        "wasmhost:task/private-data": async,
        "wasmhost:task/public-data": async,
        "wasmhost:task/programs": async,
        "wasmhost:task/http": async,
        "wasmhost:task/jobs": async,
        "wasi:keyvalue/store": async,
        "wasi:keyvalue/atomics": async,
        "wasi:keyvalue/batch": async,
        "wasmhost:task/checkpoint": async,
        "wasmhost:task/outputs": async,
        "wasmhost:task/status": trappable,
        "wasmhost:task/log": trappable,
    },
    exports: { default: async },
    with: {
        "wasi:keyvalue/store@0.2.0-draft.bucket": crate::keyvalue::Bucket,
        "wasi:keyvalue/store@0.2.0-draft2.bucket": crate::keyvalue::Bucket,
        "wasi:keyvalue/atomics@0.2.0-draft2.cas": crate::keyvalue::Cas,
    },
});

/// Adds every interface of the world to `linker`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    Platform::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}
