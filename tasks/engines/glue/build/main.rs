//! Makes the table of host functions that scripts see from `proto/wit`: what is in
//! the world `engine` is in the table, with nothing written by hand. Leaves out, with
//! a warning, what scripts cannot be given: resources, streams, futures.

mod functions;
mod types;

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use wit_parser::{InterfaceId, Resolve, WorldItem};

const WIT: &str = "../../../proto/wit";
const WORLD: &str = "engine";
/// The package whose interfaces scripts see.
const PACKAGE: &str = "task";
/// The interface that is the engine's own.
const OWN: &str = "script";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed={WIT}");
    println!("cargo::rerun-if-changed=build");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(WIT)).context(WIT)?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    let mut code = String::new();
    let mut table = String::new();
    for item in resolve.worlds[world].imports.values() {
        if let WorldItem::Interface { id, .. } = item
            && let Some(name) = shown(&resolve, *id)
        {
            types::emit(&resolve, *id, &mut code);
            functions::emit(&resolve, *id, name, &mut table);
        }
    }
    code.push_str(&format!(
        "/// Every function of the platform that scripts see, in the order of the WIT.\n\
         pub static FUNCTIONS: &[Function] = &[{table}];\n"
    ));
    let out = std::env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?;
    std::fs::write(PathBuf::from(out).join("glue.rs"), code)?;
    Ok(())
}

/// The name of an interface that scripts see.
fn shown(resolve: &Resolve, id: InterfaceId) -> Option<&str> {
    let interface = &resolve.interfaces[id];
    let package = &resolve.packages[interface.package?].name;
    let name = interface.name.as_deref()?;
    (package.name == PACKAGE && name != OWN).then_some(name)
}
