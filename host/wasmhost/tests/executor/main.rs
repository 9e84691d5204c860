//! The pool and the compile cache with real processes of the real binary.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    dead_code,
    unused_imports,
    unreachable_pub
)]

// The binary has no library; its module is built a second time for these tests.
#[path = "../../src/executor/mod.rs"]
mod executor;

mod cache;
mod pool;

use executor::*;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use wasmhost_proto::Digest;
use wasmhost_proto::module::ModuleKind;

const KIND: ModuleKind = ModuleKind::CoreCommand;

/// Copies standard input to standard output; spins when it begins with `!`.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (loop $more
            (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 65536))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (if (i32.eq (i32.load8_u (i32.const 65536)) (i32.const 33))
                    (then (loop $spin (br $spin))))
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $more))))))"#;

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_wasmhost").into()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// A folder with a cache, and modules put into it.
struct Place {
    dir: tempfile::TempDir,
    compiles: AtomicU32,
}

impl Place {
    fn new() -> Place {
        let (dir, compiles) = (tempfile::tempdir().unwrap(), AtomicU32::new(0));
        Place { dir, compiles }
    }

    fn cache(&self, max_bytes: u64) -> CompileCache {
        CompileCache::open(&self.dir.path().join("cache"), max_bytes, program()).unwrap()
    }

    async fn get(&self, cache: &CompileCache, wasm: &[u8]) -> Result<PathBuf, CompileFailure> {
        let digest = digest(wasm);
        let path = self.dir.path().join(digest.hex());
        fs::write(&path, wasm).unwrap();
        let count = || {
            self.compiles.fetch_add(1, Ordering::SeqCst);
        };
        cache.get(&path, digest, KIND, count).await
    }

    /// The number of compiles since the last call.
    fn compiles(&self) -> u32 {
        self.compiles.swap(0, Ordering::SeqCst)
    }
}

fn guest() -> Vec<u8> {
    wat::parse_str(GUEST).unwrap()
}
