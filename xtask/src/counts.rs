//! `bench --check`: instructions of the hot paths under callgrind, against the
//! checked-in file. They do not depend on how busy the machine is, so a path that
//! got dearer shows in spite of noise. Times are `bench`'s and criterion's.

use crate::repository::Repository;
use crate::steps;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Instructions per item, by path.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/paths/counts.json");
/// The crate and its program.
const PROGRAM: &str = "wasmhost-paths";
/// The function around what is counted, as callgrind sees its symbol.
const COUNTED: &str = "*counted_path*";
/// A path may grow by this many percent,
const TOLERANCE: f64 = 3.0;
/// or by this many instructions per item: of paths that take a dozen, what the compiler
/// puts in line is a few percent, and nobody's time.
const SLACK: f64 = 1.0;

type Counts = BTreeMap<String, f64>;

/// Counts every path, then compares, or writes what it found.
pub(crate) fn run(update: bool) -> Result<()> {
    valgrind_is_there()?;
    let build = ["build", "--release", "--package", PROGRAM];
    steps::run(steps::cargo().args(build))?;
    let program = Repository::open()?.target.join("release").join(PROGRAM);
    let paths = output(&mut Command::new(&program))?;
    let mut found = Counts::new();
    for line in String::from_utf8(paths.stdout)?.lines() {
        let name = line.split(' ').next().unwrap_or(line);
        eprintln!("counting {line}");
        found.insert(name.into(), count(&program, name)?);
    }
    if update {
        let text = serde_json::to_string_pretty(&found)? + "\n";
        fs::write(FILE, text).with_context(|| format!("cannot write {FILE}"))?;
        eprintln!(
            "{} counts are written to host/paths/counts.json",
            found.len()
        );
        return Ok(());
    }
    compare(&known()?, &found)
}

fn valgrind_is_there() -> Result<()> {
    let version = Command::new("valgrind").arg("--version").output();
    let there = version.is_ok_and(|output| output.status.success());
    ensure!(
        there,
        "instructions are counted by valgrind, which is not here: install it, \
         on Debian and Ubuntu with: apt-get install valgrind"
    );
    Ok(())
}

fn known() -> Result<Counts> {
    let text = fs::read_to_string(FILE).with_context(|| {
        format!("cannot read {FILE}: cargo xtask bench --check --update writes it")
    })?;
    let counts: Value = serde_json::from_str(&text)?;
    let counts = counts.as_object().context("the counts are no object")?;
    let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
    Ok(counts.iter().filter_map(number).collect())
}

/// Instructions per item of one path.
fn count(program: &Path, name: &str) -> Result<f64> {
    let output = output(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--toggle-collect={COUNTED}"))
            .arg(program)
            .arg(name),
    )?;
    let (said, heard) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let items = said.split(' ').next().and_then(number);
    let collected = heard
        .lines()
        .find_map(|line| line.split("Collected :").nth(1));
    match (items, collected.and_then(number)) {
        (Some(items), Some(instructions)) if items > 0 && instructions > 0 => {
            let each = instructions as f64 / items as f64;
            Ok((each * 10.0).round() / 10.0)
        }
        _ => bail!("callgrind counted nothing in the path {name}:\n{said}{heard}"),
    }
}

fn output(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let heard = String::from_utf8_lossy(&output.stderr);
        bail!("{program} ended with {}:\n{heard}", output.status);
    }
    Ok(output)
}

/// Prints both; refuses growth.
fn compare(known: &Counts, found: &Counts) -> Result<()> {
    let (mut grown, mut shrunk) = (Vec::new(), 0);
    println!("{:<20} {:>12} {:>12} {:>8}", "path", "was", "is", "change");
    for (name, is) in found {
        let Some(was) = known.get(name) else {
            println!("{name:<20} {:>12} {is:>12.1} {:>8}", "-", "new");
            grown.push(name.as_str());
            continue;
        };
        let change = (is / was - 1.0) * 100.0;
        let dearer = change > TOLERANCE && is - was > SLACK;
        let mark = if dearer { " !" } else { "" };
        println!("{name:<20} {was:>12.1} {is:>12.1} {change:>+7.1}%{mark}");
        match () {
            () if dearer => grown.push(name),
            () if change < -TOLERANCE => shrunk += 1,
            () => {}
        }
    }
    let gone = known.keys().filter(|name| !found.contains_key(*name));
    let gone: Vec<&str> = gone.map(String::as_str).collect();
    if !grown.is_empty() || !gone.is_empty() {
        let names = [grown, gone].concat().join(", ");
        bail!(
            "instructions per item grew by over {TOLERANCE} % and {SLACK}, or paths came or went: {names}; \
             if that is meant, cargo xtask bench --check --update writes the new counts"
        );
    }
    if shrunk > 0 {
        eprintln!("{shrunk} became cheaper: cargo xtask bench --check --update keeps that");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_refused_and_cheaper_is_not() {
        let counts = |list: &[(&str, f64)]| -> Counts {
            list.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect()
        };
        let known = counts(&[("a", 100.0), ("b", 50.0)]);
        for (found, good) in [
            (counts(&[("a", 102.9), ("b", 10.0)]), true),
            (counts(&[("a", 103.1), ("b", 50.0)]), false),
            (counts(&[("a", 100.0), ("b", 50.9)]), true),
            (counts(&[("a", 100.0), ("b", 51.6)]), false),
            (counts(&[("a", 100.0)]), false),
            (counts(&[("a", 100.0), ("b", 50.0), ("c", 1.0)]), false),
        ] {
            assert_eq!(compare(&known, &found).is_ok(), good, "{found:?}");
        }
    }
}
