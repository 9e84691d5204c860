//! The `wasmhost` binary: wiring and waiting. Decides nothing.

mod api;
mod cli;
mod client;
mod executor;
mod output;
mod primary;
mod settings;
mod worker;

/// Many small records are made on one thread and freed on another, which glibc's
/// allocator does slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    match executor::dispatch() {
        Some(code) => code,
        None => cli::main(),
    }
}
