//! The `wasmhost` binary: wiring and waiting. Decides nothing.

mod api;
mod cli;
mod client;
mod executor;
mod output;
mod primary;
mod settings;
mod worker;

fn main() -> std::process::ExitCode {
    match executor::dispatch() {
        Some(code) => code,
        None => cli::main(),
    }
}
