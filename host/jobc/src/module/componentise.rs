//! Core modules that carry a component type (what wit-bindgen makes for
//! `wasm32-unknown-unknown`) become the component that they describe.

use super::inspect::Facts;
use super::{Rejection, preview1, reject};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wit_component::ComponentEncoder;

/// The component of a valid core module.
pub(super) fn componentise(bytes: &[u8], facts: &Facts) -> Result<Vec<u8>, Rejection> {
    const WASIP2: &str = "build it for wasm32-wasip2";
    let wasi = facts.imports.iter().find(|import| {
        import
            .core
            .as_ref()
            .is_some_and(|(module, ..)| preview1::MODULES.contains(&module.as_str()))
    });
    if let Some(import) = wasi {
        let message = format!(
            "the module wants to be a component, but imports '{}' of WASI preview 1",
            import.name
        );
        return Err(reject("unknown-import", message, WASIP2));
    }
    // The encoder trusts the sections of toolchains, which here came from
    // outside: what it does not expect may end in one of its assertions.
    let encoded = catch_unwind(AssertUnwindSafe(|| {
        ComponentEncoder::default()
            .module(bytes)
            .and_then(|mut encoder| encoder.encode())
    }));
    let reason = match encoded {
        Ok(Ok(component)) => return Ok(component),
        Ok(Err(error)) => format!("{error:#}").chars().take(1_000).collect(),
        Err(_) => "its component type does not fit it".to_owned(),
    };
    Err(reject(
        "invalid-module",
        format!("the module cannot be made a component: {reason}"),
        WASIP2,
    ))
}
