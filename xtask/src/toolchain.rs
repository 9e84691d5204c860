//! What the checks need beside Rust itself: adds the WebAssembly targets and the registry
//! of images that are missing, or says what to do.

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

/// Installs the registry that `tests/registry.rs` starts, where that is simple: on Debian and
/// its like, for root. Elsewhere that test says that it was left out.
pub(crate) fn registry() -> Result<()> {
    let there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    if there("docker-registry") {
        return Ok(());
    }
    let by_hand = "tests/registry.rs shows nothing without docker-registry: install it by hand";
    let root = Command::new("id").arg("-u").output();
    let root = root.is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !root || !there("apt-get") {
        eprintln!("{by_hand}");
        return Ok(());
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "docker-registry"]);
    match install.env("DEBIAN_FRONTEND", "noninteractive").status() {
        Ok(status) if status.success() => {}
        _ => eprintln!("{by_hand}"),
    }
    Ok(())
}
