//! Executor processes: the child side, and the pool that supervises them.
//!
//! Owns the processes in which guests run and modules are compiled. The
//! supervisor never runs guest code and believes of an executor only what
//! concerns the runs that it gave to it.

mod bulk;
mod cache;
mod calls;
mod child;
mod compile;
mod drives;
pub(crate) mod guard;
mod hear;
mod ipc;
mod launch;
mod modules;
mod output;
mod placed;
mod places;
mod pool;
pub(crate) mod process;
mod quiet;
mod room;
mod rooms;
mod seat;
mod shared;
mod tell;
#[cfg(test)]
mod tests;

pub(crate) use cache::{CompileCache, CompileFailure};
pub(crate) use output::OutputData;
pub(crate) use pool::{
    HttpCall, InputData, Order, Pool, PoolEnd, PoolEvent, PoolOptions, ProgramCall,
};
pub(crate) use room::{Room, check as check_rooms};

use std::process::ExitCode;

/// Runs a hidden subcommand if this process was started as a child of a worker:
/// `executor`, `room`, `compile`, or one of those that come before a program. To be called before anything else.
pub(crate) fn dispatch() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    match args.next()?.to_str()? {
        "executor" => Some(launch::child_main(args)),
        "compile" => Some(compile::compile_main(args)),
        "room" => Some(room::main(args)),
        "room-check" => Some(room::check_main(args)),
        "program-guard" => Some(guard::main(args)),
        "program-exec" => Some(guard::exec_main(args)),
        _ => None,
    }
}
