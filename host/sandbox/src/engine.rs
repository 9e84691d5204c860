//! The engine's settings, each on purpose. The compile child and the executors
//! use the same ones: code compiled under others is refused at load.

use std::num::NonZeroUsize;
use thiserror::Error;
use wasmhost_proto::limits::MAX_MEMORY;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmFeatures,
};

/// The sandbox cannot be set up on this machine.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Wasmtime refused the settings or could not reserve the pool.
    #[error("cannot set up the sandbox engine for {slots} slots: {reason}")]
    Engine {
        /// Slots asked for.
        slots: u32,
        /// What wasmtime says.
        reason: String,
    },
    /// No ticker, no time limits: the sandbox does not run without it.
    #[error("cannot start the epoch ticker thread: {0}")]
    Ticker(std::io::Error),
}

/// What toolchains emit by default in 2026, and nothing whose implementation is
/// young: no tail calls, relaxed SIMD, threads, exceptions, GC, 64-bit or
/// multiple memories, stack switching, asynchronous components.
const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Stack of a guest. Interpreters compiled to WebAssembly recurse deeply.
const WASM_STACK: usize = 1 << 20;
/// The guest's stack and that of the host calls it makes.
const FIBER_STACK: usize = 2 << 20;
/// Elements of one table: esbuild's has about 40,000.
const TABLE_ELEMENTS: usize = 1 << 20;
/// Linear memories of one component.
const COMPONENT_MEMORIES: u32 = 8;
/// Tables of one component; an adapter brings two of its own.
const COMPONENT_TABLES: u32 = 64;
/// Memories in one pool: above, the address space runs out (4 GiB each).
const POOL_MEMORIES: u32 = 20_000;
/// Instance bookkeeping: esbuild with 38,000 functions needs about 1 MB.
const INSTANCE_SIZE: usize = 16 << 20;
/// Bytes of a used memory that stay mapped for the slot's next attempt.
const KEEP_MEMORY: usize = 1 << 20;
/// The same for tables, of which few elements are ever written.
const KEEP_TABLE: usize = 64 << 10;
/// The same for stacks: all of it is zeroed after each attempt, and most attempts
/// never go deeper.
const KEEP_STACK: usize = 16 << 10;
/// Frames kept of a guest's backtrace.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// An engine for up to `slots` attempts at once.
pub(crate) fn engine(slots: u32) -> Result<Engine, SandboxError> {
    Engine::new(&config(slots)).map_err(|e| SandboxError::Engine {
        slots,
        reason: format!("{e:#}"),
    })
}

fn config(slots: u32) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        // What passes texts and lists from one component to another within a composed one
        // reads one memory and writes another. Guests' own modules have one each: what is
        // admitted has no more.
        .wasm_multi_memory(true)
        .shared_memory(false)
        .concurrency_support(false)
        // Workers of one architecture give the same bits for the same input without
        // it, and kernels of floating point numbers pay for it several times over.
        .cranelift_nan_canonicalization(false)
        // Time limits and interleaving come from the ticker; fuel would cost
        // compile time and bound nothing more.
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .async_stack_zeroing(true)
        // The elision of bounds checks depends on these three.
        .memory_reservation(MAX_MEMORY)
        .memory_guard_size(32 << 20)
        .guard_before_linear_memory(true)
        .memory_may_move(false)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(4 << 20)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // Most guests have one memory, one to three tables and four core instances; a module
    // with its libraries has those of each, and what lies between them. A larger one may
    // take the share of an idle slot. What is not used is address space.
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(16).saturating_add(64))
        .total_memories(slots.saturating_mul(4).saturating_add(8).min(POOL_MEMORIES))
        .total_tables(slots.saturating_mul(8).saturating_add(COMPONENT_TABLES))
        .total_stacks(slots)
        .max_memory_size(MAX_MEMORY as usize)
        .max_memories_per_module(1)
        .max_memories_per_component(COMPONENT_MEMORIES)
        .table_elements(TABLE_ELEMENTS)
        .max_tables_per_module(16)
        .max_tables_per_component(COMPONENT_TABLES)
        .max_core_instances_per_component(64)
        .max_core_instance_size(INSTANCE_SIZE)
        .max_component_instance_size(INSTANCE_SIZE);
    // Keeping slots resident pays only with the scan of dirty pages, and that
    // misses a dirty page which was swapped out: the next attempt in the slot
    // would read it.
    if swap_is_off() && PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_MEMORY)
            .table_keep_resident(KEEP_TABLE)
            .async_stack_keep_resident(KEEP_STACK);
    } else {
        pool.pagemap_scan(Enabled::No);
    }
    pool
}

/// `/proc/swaps` holds a heading and a line for each swap area.
fn swap_is_off() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() <= 1)
}
