//! The WebAssembly targets of the Rust toolchain: adds what is missing, or says
//! what to do.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// WASI 0.2: what the linker makes is a component.
pub(crate) const WASIP2: &str = "wasm32-wasip2";
/// WASI preview 1: a core module.
pub(crate) const WASIP1: &str = "wasm32-wasip1";
/// No system at all: what the contracts and the core must build for.
pub(crate) const BARE: &str = "wasm32-unknown-unknown";

/// Makes sure that rustc can build for `target`.
pub(crate) fn ensure(target: &str) -> Result<()> {
    if installed(target)? {
        return Ok(());
    }
    eprintln!("==> adding the target {target}");
    let by_hand = "add it with your distribution's package manager, or install rustup from \
                   https://rustup.rs and run";
    match Command::new("rustup")
        .args(["target", "add", target])
        .status()
    {
        Ok(status) if status.success() => {}
        Ok(_) => bail!(
            "rustup could not add the target {target}: see above; once the network is there, \
             run `rustup target add {target}`"
        ),
        Err(e) => bail!(
            "rustc has no target {target}, and rustup does not start ({e}): {by_hand} \
             `rustup target add {target}`"
        ),
    }
    if !installed(target)? {
        bail!(
            "rustup has added the target {target}, but the rustc in use does not have it: is there \
             a second one before rustup's in your PATH? (`which -a rustc`)"
        );
    }
    Ok(())
}

fn installed(target: &str) -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("cannot start rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(folder.trim()).is_dir())
}
