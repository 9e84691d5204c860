//! What the machine allows one sandbox: wasmtime with the settings that suit it
//! best, WASI linked, synchronous calls, and nothing of ours. No limits, no time,
//! no status, no log: whatever the product adds is seen against this.

mod child;
mod host;

pub(crate) use child::{Loops, Slots, as_child, queued_bytes};

use anyhow::{Context, Result, bail};
use host::{CommandState, TaskPre, TaskState};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};
use wasmhost_paths::processor_time;
use wasmtime::component::{self, Component};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Module,
    PoolingAllocationConfig, Store,
};

/// Bytes of a used memory, and of tables, that stay mapped for the next guest.
const KEEP_MEMORY: usize = 1 << 20;
const KEEP_TABLE: usize = 64 << 10;

/// A guest, compiled and linked, ready to be run any number of times.
pub(crate) struct Bare {
    engine: Engine,
    guest: Guest,
}

enum Guest {
    Task(TaskPre<TaskState>),
    Command(InstancePre<CommandState>),
}

impl Bare {
    /// Compiles `wasm`, a component of the world `task` or a preview 1 command,
    /// for up to `slots` of it at once.
    pub(crate) fn new(wasm: &[u8], slots: u32) -> Result<Bare> {
        Bare::link(wasm, slots).map_err(plain)
    }

    fn link(wasm: &[u8], slots: u32) -> wasmtime::Result<Bare> {
        let engine = Engine::new(&config(slots))?;
        let guest = if is_component(wasm) {
            let mut linker = component::Linker::new(&engine);
            host::link_task(&mut linker)?;
            let component = Component::new(&engine, wasm)?;
            Guest::Task(TaskPre::new(linker.instantiate_pre(&component)?)?)
        } else {
            let mut linker = wasmtime::Linker::new(&engine);
            host::link_command(&mut linker)?;
            Guest::Command(linker.instantiate_pre(&Module::new(&engine, wasm)?)?)
        };
        Ok(Bare { engine, guest })
    }

    /// A fresh store and context, one instance, one call, and all of it dropped.
    /// Returns the task's result, or what the command wrote.
    pub(crate) fn once(&self, input: &[u8]) -> Result<Vec<u8>> {
        self.run(input).map_err(plain)
    }

    fn run(&self, input: &[u8]) -> wasmtime::Result<Vec<u8>> {
        match &self.guest {
            Guest::Task(pre) => {
                let mut store = Store::new(&self.engine, TaskState::default());
                let task = pre.instantiate(&mut store)?;
                let result = task.call_run(&mut store, input)?;
                result.map_err(|e| wasmtime::Error::msg(e.message))
            }
            Guest::Command(pre) => {
                let (state, output) = host::command(input);
                let mut store = Store::new(&self.engine, state);
                let instance = pre.instantiate(&mut store)?;
                let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
                start.call(&mut store, ())?;
                drop(store);
                Ok(output.contents().to_vec())
            }
        }
    }

    /// An instance that has run once and stays.
    fn live(&self) -> wasmtime::Result<Store<TaskState>> {
        let Guest::Task(pre) = &self.guest else {
            return Err(wasmtime::Error::msg("only a task stays after its call"));
        };
        let mut store = Store::new(&self.engine, TaskState::default());
        let task = pre.instantiate(&mut store)?;
        let result = task.call_run(&mut store, b"null")?;
        result.map_err(|e| wasmtime::Error::msg(e.message))?;
        Ok(store)
    }

    /// Nanoseconds of processor time of one run, over `runs` on this thread.
    pub(crate) fn nanoseconds(&self, input: &[u8], runs: u32) -> Result<f64> {
        let begin = processor_time();
        for _ in 0..runs {
            black_box(self.once(black_box(input))?);
        }
        let spent = processor_time() - begin;
        Ok(spent.as_nanos() as f64 / f64::from(runs.max(1)))
    }

    /// Runs for about `time` on this thread; returns runs per second.
    fn rate(&self, input: &[u8], time: Duration) -> Result<f64> {
        let (begin, mut runs) = (Instant::now(), 0u64);
        while begin.elapsed() < time {
            for _ in 0..256 {
                black_box(self.once(black_box(input))?);
            }
            runs += 256;
        }
        Ok(runs as f64 / begin.elapsed().as_secs_f64())
    }

    /// Runs per second on all cores at once, one thread each, in this process.
    pub(crate) fn rate_of_threads(&self, input: &[u8], time: Duration) -> Result<f64> {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..cores())
                .map(|_| scope.spawn(|| self.rate(input, time)))
                .collect();
            let rates = threads.into_iter().map(|thread| match thread.join() {
                Ok(rate) => rate,
                Err(_) => bail!("a thread of the bare loop panicked"),
            });
            rates.sum()
        })
    }
}

fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("bare wasmtime: {error:#}")
}

/// Processors of this machine.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The fourth byte after the magic number tells components from modules.
fn is_component(wasm: &[u8]) -> bool {
    wasm.get(4..8) == Some(&[0x0d, 0, 1, 0])
}

fn config(slots: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(8))
        .total_memories(slots.saturating_mul(2))
        .total_tables(slots.saturating_mul(4))
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes);
    }
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The bytes of this process that are its own and resident.
fn resident() -> Result<f64> {
    let path = "/proc/self/smaps_rollup";
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: f64 = number
        .with_context(|| format!("{path} does not say 'Anonymous'"))?
        .parse()?;
    Ok(kilobytes * 1024.0)
}
