//! Core modules that carry a component type (what wit-bindgen makes for
//! `wasm32-unknown-unknown`) become the component that they describe.

use super::inspect::Facts;
use super::{Rejection, preview1, reject};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;
use wit_parser::Resolve;
use wit_parser::decoding::decode_world;

/// Packages of a component type; WASI has a dozen.
const MAX_PACKAGES: usize = 256;

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
        in_order(bytes)?;
        ComponentEncoder::default()
            .module(bytes)
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| format!("{error:#}"))
    }));
    let reason = match encoded {
        Ok(Ok(component)) => return Ok(component),
        Ok(Err(error)) => error.chars().take(1_000).collect(),
        Err(_) => "its component type does not fit it".to_owned(),
    };
    Err(reject(
        "invalid-module",
        format!("the module cannot be made a component: {reason}"),
        WASIP2,
    ))
}

/// Refuses component types whose packages depend on each other in a circle: the encoder
/// follows them without end, and what overflows the stack takes the process with it.
fn in_order(bytes: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CustomSection(section) = payload.map_err(|e| e.to_string())? else {
            continue;
        };
        if !section.name().starts_with("component-type") {
            continue;
        }
        // Of old the section began with this byte, and held a package.
        if section.data().first() == Some(&3) {
            return Err("its component type is of a format that is gone".into());
        }
        let (resolve, _) = decode_world(section.data()).map_err(|e| format!("{e:#}"))?;
        if resolve.packages.len() > MAX_PACKAGES {
            return Err(format!(
                "its component type has over {MAX_PACKAGES} packages"
            ));
        }
        if has_circle(&resolve) {
            return Err("its packages depend on each other in a circle".into());
        }
    }
    Ok(())
}

/// Takes away packages that depend on no other that is left, until there is none.
fn has_circle(resolve: &Resolve) -> bool {
    let mut left: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    loop {
        let before = left.len();
        let waits = |id: &_| {
            resolve
                .package_direct_deps(*id)
                .any(|dep| left.contains(&dep))
        };
        let waiting: Vec<_> = left.iter().copied().filter(waits).collect();
        if waiting.is_empty() {
            return false;
        }
        if waiting.len() == before {
            return true;
        }
        left = waiting;
    }
}
