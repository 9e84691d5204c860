//! The `wasmhost` binary: wiring and waiting. Decides nothing.

mod api;
mod cli;
mod client;
mod executor;
mod output;
mod primary;
mod settings;
mod worker;

/// A tenth more tasks per second than with glibc's, whose threads share too much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    match executor::dispatch() {
        Some(code) => code,
        None => cli::main(),
    }
}
