//! Tools of the black-box tests: a cluster of real processes, and the command
//! line as a user types it. Owns starting, watching and killing; asserts nothing
//! about the product by itself, and never links the host.

mod cluster;
pub mod http;
mod ports;
mod process;
mod rng;

pub use cluster::{Cluster, Options, Run};
pub use ports::free_port;
pub use process::{Process, wait_until};
pub use rng::{Rng, seed};

use std::path::PathBuf;

/// The folder that holds this test's own executable's profile: `target/debug`.
fn target_profile() -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    exe.ancestors()
        .nth(2)
        .expect("tests live in target/PROFILE/deps")
        .to_path_buf()
}

/// The `wasmhost` binary of the same build.
///
/// # Panics
/// When it is not built; says what to type.
pub fn wasmhost() -> PathBuf {
    let path = target_profile().join("wasmhost");
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask test`, which builds it",
        path.display()
    );
    path
}

/// A built task module: `echo`, `fixtures/odd`, …
///
/// # Panics
/// When it is not built; says what to type.
pub fn task(name: &str) -> PathBuf {
    let path = target_profile()
        .join("../tasks")
        .join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask build-tasks`",
        path.display()
    );
    path.canonicalize().expect("an existing path")
}
