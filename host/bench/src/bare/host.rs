//! The imports of a bare guest: WASI as wasmtime has it, and the world `task`
//! with functions that do nothing.

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p1, p2};

use self::wasmhost::task::{data_types as guest, http, jobs, programs};

wasmtime::component::bindgen!({
    world: "task",
    path: "../../proto/wit",
});

type Answer<T> = std::result::Result<T, guest::Error>;

/// Room for what a command writes.
const OUTPUT: usize = 1 << 20;

/// The store of a task.
#[derive(Default)]
pub(super) struct TaskState {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for TaskState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

pub(super) fn link_task(linker: &mut Linker<TaskState>) -> Result<()> {
    p2::add_to_linker_sync(linker)?;
    Task::add_to_linker::<TaskState, HasSelf<TaskState>>(linker, |state| state)?;
    Ok(())
}

/// The store of a command.
pub(super) type CommandState = WasiP1Ctx;

/// A command's context, and where its output gathers.
pub(super) fn command(input: &[u8]) -> (CommandState, MemoryOutputPipe) {
    let output = MemoryOutputPipe::new(OUTPUT);
    let mut builder = WasiCtxBuilder::new();
    builder
        .arg("bare")
        .stdin(MemoryInputPipe::new(input.to_vec()))
        .stdout(output.clone());
    (builder.build_p1(), output)
}

pub(super) fn link_command(linker: &mut wasmtime::Linker<CommandState>) -> Result<()> {
    p1::add_to_linker_sync(linker, |state| state)?;
    linker.allow_shadowing(true);
    let exit = |code: i32| -> wasmtime::Result<()> { Err(I32Exit(code).into()) };
    linker.func_wrap("wasi_snapshot_preview1", "proc_exit", exit)?;
    Ok(())
}

impl wasmhost::task::context::Host for TaskState {
    fn job(&mut self) -> String {
        String::new()
    }

    fn task(&mut self) -> String {
        String::new()
    }

    fn index(&mut self) -> u32 {
        0
    }

    fn count(&mut self) -> u32 {
        1
    }

    fn attempt(&mut self) -> u32 {
        1
    }

    fn idempotency_key(&mut self) -> String {
        String::new()
    }

    fn deadline(&mut self) -> Option<u64> {
        None
    }

    fn cancelled(&mut self) -> bool {
        false
    }
}

impl wasmhost::task::status::Host for TaskState {
    fn progress(&mut self, _: u64, _: Option<u64>, _: Option<String>) {}

    fn set(&mut self, _: String, _: wasmhost::task::status::Value) {}

    fn event(&mut self, _: String, _: Option<wasmhost::task::status::Value>) {}
}

impl wasmhost::task::log::Host for TaskState {
    fn write(&mut self, _: wasmhost::task::log::Level, _: String) {}
}

impl wasi::config::store::Host for TaskState {
    fn get(
        &mut self,
        _: String,
    ) -> std::result::Result<Option<String>, wasi::config::store::Error> {
        Ok(None)
    }

    fn get_all(
        &mut self,
    ) -> std::result::Result<Vec<(String, String)>, wasi::config::store::Error> {
        Ok(Vec::new())
    }
}

impl wasmhost::task::driver::Host for TaskState {
    fn spawn(&mut self, _: String, _: String, _: Vec<u8>) -> std::result::Result<(), String> {
        Ok(())
    }

    fn under_way(&mut self) -> u32 {
        0
    }

    fn wait(&mut self, _: Option<u64>) -> Option<wasmhost::task::driver::Ended> {
        None
    }

    fn cancel(&mut self, _: String) {}

    fn next(&mut self, _: Option<u64>) -> Option<wasmhost::task::driver::Event> {
        None
    }
}

impl wasmhost::task::data_types::Host for TaskState {}

impl wasmhost::task::private_data::Host for TaskState {
    fn get(&mut self, _: String) -> Answer<Option<guest::Entry>> {
        Ok(None)
    }

    fn set(&mut self, _: String, _: guest::Value, _: guest::Expect) -> Answer<u64> {
        Ok(1)
    }

    fn delete(&mut self, _: String, _: guest::Expect) -> Answer<()> {
        Ok(())
    }

    fn add(&mut self, _: String, by: i64) -> Answer<i64> {
        Ok(by)
    }

    fn entries(&mut self, _: String, _: Option<String>, _: u32) -> Answer<guest::Page> {
        Ok(guest::Page {
            entries: Vec::new(),
            more: false,
        })
    }

    fn wait(&mut self, _: String, _: u64, _: u64) -> Answer<Option<guest::Entry>> {
        Ok(None)
    }
}

impl wasmhost::task::public_data::Host for TaskState {
    fn get(&mut self, _: String, _: String) -> Answer<Option<guest::Entry>> {
        Ok(None)
    }

    fn set(&mut self, _: String, _: String, _: guest::Value, _: guest::Expect) -> Answer<u64> {
        Ok(1)
    }

    fn delete(&mut self, _: String, _: String, _: guest::Expect) -> Answer<()> {
        Ok(())
    }

    fn add(&mut self, _: String, _: String, by: i64) -> Answer<i64> {
        Ok(by)
    }

    fn entries(&mut self, _: String, _: String, _: Option<String>, _: u32) -> Answer<guest::Page> {
        Ok(guest::Page {
            entries: Vec::new(),
            more: false,
        })
    }

    fn wait(&mut self, _: String, _: String, _: u64, _: u64) -> Answer<Option<guest::Entry>> {
        Ok(None)
    }
}

impl wasmhost::task::checkpoint::Host for TaskState {
    fn save(&mut self, _: Vec<u8>) -> std::result::Result<(), String> {
        Ok(())
    }

    fn load(&mut self) -> std::result::Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

impl wasmhost::task::outputs::Host for TaskState {
    fn create(&mut self, _: String, _: String) -> std::result::Result<u32, String> {
        Ok(0)
    }

    fn write(&mut self, _: u32, _: Vec<u8>) -> std::result::Result<(), String> {
        Ok(())
    }

    fn flush(&mut self, _: u32) -> std::result::Result<(), String> {
        Ok(())
    }

    fn close(&mut self, _: u32) -> std::result::Result<(), String> {
        Ok(())
    }
}

impl programs::Host for TaskState {
    fn start(&mut self, _: String, _: Vec<String>) -> std::result::Result<u32, programs::Error> {
        Ok(1)
    }

    fn write(&mut self, _: u32, _: Vec<u8>) -> std::result::Result<(), programs::Error> {
        Ok(())
    }

    fn close(&mut self, _: u32) -> std::result::Result<(), programs::Error> {
        Ok(())
    }

    fn read(&mut self, _: u32, _: u64) -> std::result::Result<programs::Said, programs::Error> {
        Ok(programs::Said {
            stdout: Vec::new(),
            stderr: Vec::new(),
            end: None,
        })
    }

    fn kill(&mut self, _: u32) -> std::result::Result<(), programs::Error> {
        Ok(())
    }
}

impl http::Host for TaskState {
    fn fetch(&mut self, _: http::Request) -> std::result::Result<http::Response, http::Error> {
        Ok(http::Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }
}

impl jobs::Host for TaskState {
    fn submit(
        &mut self,
        _: String,
        _: String,
        _: String,
    ) -> std::result::Result<String, jobs::Error> {
        Ok(String::new())
    }

    fn look(&mut self, _: String) -> std::result::Result<Option<jobs::Job>, jobs::Error> {
        Ok(None)
    }

    fn wait(&mut self, _: String, _: u64) -> std::result::Result<jobs::Job, jobs::Error> {
        Err(jobs::Error::Stopped)
    }

    fn read(&mut self, _: String, _: u32) -> std::result::Result<Vec<u8>, jobs::Error> {
        Ok(Vec::new())
    }

    fn cancel(&mut self, _: String) -> std::result::Result<(), jobs::Error> {
        Ok(())
    }
}
