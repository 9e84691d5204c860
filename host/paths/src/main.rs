//! Runs one hot path once, for an instrument to watch; `cargo xtask bench
//! --check` is its caller.

use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use wasmhost_paths::{Meter, PATHS};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `NAME` runs a path, `NAME --time` with a clock. Without a name it says which
/// there are: one line each, `NAME ITEM WHAT`.
fn run(words: &[&str]) -> Result<()> {
    let (name, timed) = match words {
        [] => {
            for path in PATHS {
                println!("{} {} {}", path.name, path.item, path.what);
            }
            return Ok(());
        }
        [name] => (name, false),
        [name, "--time"] => (name, true),
        _ => bail!("usage: wasmhost-paths [NAME [--time]]"),
    };
    let path = PATHS.iter().find(|path| path.name == *name);
    let path = path.with_context(|| format!("there is no path '{name}'"))?;
    let mut meter = match timed {
        true => Meter::default(),
        false => Meter::counted(),
    };
    let items = (path.run)(&mut meter)?;
    print!("{items} items");
    if timed {
        let nanoseconds = meter.spent().as_nanos() / u128::from(items.max(1));
        print!(", {nanoseconds} ns each");
    }
    println!();
    Ok(())
}
