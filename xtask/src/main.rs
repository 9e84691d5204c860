//! Chores of the repository: `cargo xtask help`. A chore is a file. Owns
//! building task modules, the demonstration and the checks; the product itself
//! needs none of it.

mod bench;
mod build_tasks;
mod checks;
mod cluster;
mod counts;
mod demo;
mod examples;
mod fuzz;
mod peers;
#[path = "../../tests/src/ports.rs"]
#[expect(
    unreachable_pub,
    reason = "a file of the black-box tests too, which are a library"
)]
mod ports;
mod repository;
mod sim;
mod steps;
mod toolchain;
mod words;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask CHORE

  build-tasks [NAME…]  build the task modules (all, or those named) into target/tasks
  demo [FOLDER]        build everything, then run two real jobs on a real cluster: the
                       words of FOLDER (or of cargo's downloads), and a picture
  examples [NAME…]     run the examples in tasks/examples (all, or those named) on a real
                       cluster, and check what they give; see docs/examples.md
  test                 check and test everything
  bench [NAME…]        build everything and measure it: --list, --runs N; see docs/benchmarks.md
  bench --check        count the instructions of the hot paths under callgrind and compare them
                       with host/paths/counts.json; with --update, write them there
  peers [NAME…]        measure wasmhost and its peers (all, or those named): docs/peers.md
  sim [COUNT]          simulate COUNT clusters from new seeds; sim --seed N replays one
  fuzz [SECONDS [SEED]] feed damaged definitions and modules to the compiler
  ci                   the same, and that the lock file and the work tree stay as they are
  help                 print this
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["build-tasks", names @ ..] => build_tasks::run(names),
        ["bench", "--check"] => counts::run(false),
        ["bench", "--check", "--update"] => counts::run(true),
        ["demo"] => demo::run(None),
        ["demo", folder] => demo::run(Some(folder.as_ref())),
        ["examples", names @ ..] => examples::run(names),
        ["bench", words @ ..] => bench::run(words),
        ["peers", names @ ..] => peers::run(names),
        ["test"] => checks::test(),
        ["sim", words @ ..] => sim::Schedules::parse(words).and_then(sim::run),
        ["fuzz", words @ ..] => fuzz::run(words),
        ["ci"] => checks::ci(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
