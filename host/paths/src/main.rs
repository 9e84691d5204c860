//! Runs one hot path once, for an instrument to watch; `cargo xtask bench
//! --check` is its caller.

use anyhow::{Context, Result};
use std::process::ExitCode;
use wasmhost_paths::{Meter, PATHS};

fn main() -> ExitCode {
    match run(std::env::args().nth(1).as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Without a name, says which there are: one line each, `NAME ITEM WHAT`.
fn run(name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        for path in PATHS {
            println!("{} {} {}", path.name, path.item, path.what);
        }
        return Ok(());
    };
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.with_context(|| format!("there is no path '{name}'"))?;
    let mut meter = Meter::default();
    let items = (path.run)(&mut meter)?;
    let nanoseconds = meter.spent().as_nanos() / u128::from(items.max(1));
    println!("{items} items, {nanoseconds} ns each");
    Ok(())
}
