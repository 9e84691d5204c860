//! `bench`: builds guests and the product for release, and measures them. What is
//! measured, and how, is in `host/bench`.

use crate::repository::Repository;
use crate::{build_tasks, steps};
use anyhow::Result;

/// Runs the scenarios that `words` name, all of them when they name none.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let repository = Repository::open()?;
    build_tasks::run(&[])?;
    steps::run(steps::cargo().args(["build", "--release", "--workspace"]))?;
    let bench = repository.target.join("release/wasmhost-bench");
    steps::run(std::process::Command::new(bench).args(words))
}
