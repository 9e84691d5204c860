//! `test` and `ci`: all that must hold before a change lands, cheapest first.

use crate::repository::ENGINES;
use crate::steps::{self, Steps};
use crate::toolchain::{self, BARE, WASIP2};
use crate::{build_tasks, examples};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Checks and tests everything.
pub(crate) fn test() -> Result<()> {
    let mut steps = Steps::default();
    everything(&mut steps, "")?;
    eprintln!("\neverything holds:\n{}", steps.table());
    Ok(())
}

/// The same with the lock file as it is; nothing may change the work tree.
pub(crate) fn ci() -> Result<()> {
    let before = work_tree()?;
    let mut steps = Steps::default();
    everything(&mut steps, " --locked")?;
    steps.step("the work tree is as it was", || {
        let after = work_tree()?;
        if after != before {
            bail!("the checks changed files:\n{after}");
        }
        Ok(())
    })?;
    eprintln!("\neverything holds:\n{}", steps.table());
    Ok(())
}

fn everything(steps: &mut Steps, locked: &str) -> Result<()> {
    steps.cargo("fmt --all --check")?;
    steps.cargo(&format!("fmt --all --check --manifest-path {ENGINES}"))?;
    steps.step("the contracts and the core build without a system", || {
        toolchain::ensure(BARE)?;
        let args =
            format!("check --quiet --target {BARE} -p wasmhost-proto -p wasmhost-core{locked}");
        steps::run(steps::cargo().args(args.split(' ')))
    })?;
    steps.step("build-tasks", || build_tasks::run(&[]))?;
    steps.cargo(&format!(
        "clippy --workspace --all-targets{locked} -- --deny warnings"
    ))?;
    // Engines exist as modules alone; what they share is tested on the machine itself.
    let engines = format!("--manifest-path {ENGINES} --target-dir target/engines{locked}");
    steps.cargo(&format!(
        "clippy --workspace --profile guest --target {WASIP2} {engines} -- --deny warnings"
    ))?;
    steps.cargo(&format!("test --package wasmhost-engine {engines}"))?;
    steps.step("a registry of images to test with", toolchain::registry)?;
    // The black-box tests start the binary: they cannot ask cargo for it. The whole
    // workspace, so that the dependencies are built once, with one set of features.
    steps.cargo(&format!("build --workspace{locked}"))?;
    steps.cargo(&format!("test --workspace --no-fail-fast{locked}"))?;
    steps.step("examples", || examples::run(&[]))
}

/// What git says is changed, and how.
fn work_tree() -> Result<String> {
    let mut text = String::new();
    for args in [&["status", "--porcelain"][..], &["diff"]] {
        let output = Command::new("git")
            .args(args)
            .output()
            .context("cannot start git")?;
        text.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    Ok(text)
}
