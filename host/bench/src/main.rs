//! `wasmhost-bench`: how fast the product is, scenario by scenario, each against
//! what the machine itself allows in the same run. Owns the list of scenarios and
//! the order of runs; builds nothing (`cargo xtask bench` does) and gates nothing.

mod bare;
mod cluster;
mod cold;
mod compute;
mod core;
mod faults;
mod http;
mod idle;
mod latency;
mod memory;
mod modules;
mod peer;
mod place;
#[path = "../../../tests/src/ports.rs"]
#[expect(
    unreachable_pub,
    reason = "a file of the black-box tests too, which are a library"
)]
mod ports;
mod process;
mod queue;
mod raw;
mod report;
mod sandbox;
mod scenario;
mod scripts;
mod shipping;
mod status;
mod table;
mod throughput;
mod watching;

use crate::place::Place;
use crate::report::Measured;
use crate::scenario::{Group, Sample};
use anyhow::{Context, Result, bail};
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask bench [NAME…] [--runs N] [--list]

Measures the scenarios that are named (a prefix names all that begin so), or all.
The table goes to standard output, raw figures to target/bench/latest.json.
";

/// What to do.
struct Order {
    names: Vec<String>,
    runs: Option<usize>,
    list: bool,
}

impl Order {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Order> {
        let mut order = Order {
            names: Vec::new(),
            runs: None,
            list: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => order.list = true,
                "--runs" => {
                    let number = words.next().context("--runs needs a number")?;
                    let runs = number.parse().ok().filter(|runs| *runs > 0);
                    order.runs = Some(
                        runs.with_context(|| format!("--runs needs a number, not '{number}'"))?,
                    );
                }
                flag if flag.starts_with('-') => bail!("there is no option '{flag}'\n{HELP}"),
                _ => order.names.push(word),
            }
        }
        Ok(order)
    }

    /// Whether a figure is wanted.
    fn wants(&self, figure: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|name| figure.starts_with(name.as_str()))
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match bare::as_child(&words) {
        Some(done) => done.map(|()| true),
        None => Order::parse(words.into_iter()).and_then(|order| measure(&order)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what is ordered; whether all of it could be measured.
fn measure(order: &Order) -> Result<bool> {
    let groups = table::all();
    if order.list {
        print!("{}", report::list(&groups));
        return Ok(true);
    }
    let known = |name: &String| {
        let mut figures = groups.iter().flat_map(|group| group.figures);
        figures.any(|figure| figure.name.starts_with(name.as_str()))
    };
    if let Some(unknown) = order.names.iter().find(|name| !known(name)) {
        bail!("there is no scenario '{unknown}': `cargo xtask bench --list` has them all");
    }
    let place = Place::find()?;
    let mut measured = Vec::new();
    let mut failed = Vec::new();
    for group in groups {
        if !group.figures.iter().any(|figure| order.wants(figure.name)) {
            continue;
        }
        let runs = order.runs.unwrap_or(group.runs);
        match run(group, &place, runs) {
            Ok(samples) => {
                let all = group.figures.iter().zip(samples);
                let wanted = all.filter(|(figure, _)| order.wants(figure.name));
                measured.extend(wanted.map(|(figure, samples)| Measured { figure, samples }));
            }
            Err(error) => {
                eprintln!("error: {}: {error:#}", group.names());
                failed.push(group.names());
            }
        }
        // After each, so that what was measured survives what comes next.
        report::write(&place, &measured)?;
    }
    print!("{}", report::table(&measured));
    for names in &failed {
        println!("not measured: {names}");
    }
    Ok(failed.is_empty())
}

/// All runs of one group: for each of its figures, a sample of each run.
fn run(group: &Group, place: &Place, runs: usize) -> Result<Vec<Vec<Sample>>> {
    eprintln!("==> {}: set-up", group.names());
    let mut run = (group.set_up)(place).context("the set-up failed")?;
    let mut samples = vec![Vec::new(); group.figures.len()];
    for nth in 1..=runs {
        let got = run().with_context(|| format!("run {nth} failed"))?;
        anyhow::ensure!(
            got.len() == samples.len(),
            "a run gave {} samples for {} figures",
            got.len(),
            samples.len()
        );
        for ((sample, all), figure) in got.into_iter().zip(&mut samples).zip(group.figures) {
            let name = figure.name;
            eprintln!(
                "    {name}: run {nth} of {runs}: {}",
                report::sample(figure, sample)
            );
            all.push(sample);
        }
    }
    Ok(samples)
}
