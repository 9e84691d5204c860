//! A module of its own from an engine and a script: the engine reads the script and runs
//! its top level here, once, and what is in its memory then is what the module begins
//! with. The guest has the bounds of an attempt, and less than its world: see `still`.

use crate::attempt::{Attempt, Controls, Reporter};
use crate::board::Board;
use crate::engine::{self, SandboxError};
use crate::host::TaskError;
use crate::outcome::{self, End};
use crate::program::Linkers;
use crate::run::supervise;
use crate::snapshot::Snapshot;
use crate::state::{self, State};
use crate::still;
use crate::ticker::Ticker;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use thiserror::Error;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::limits::{STANDALONE_MEMORY, STANDALONE_MS};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::Failure;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{JobId, Lease, TaskId};
use wasmtime::component::{Component, Instance};
use wasmtime::{Engine, Store};
use wasmtime_wasi::WasiView;
use wasmtime_wizer::{ComponentContext, Wizer};

/// What an engine exports to read a script ahead of time.
const PREPARE: &str = "prepare";

/// What was made of an engine and a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standalone {
    /// The module, a component: the same engine and script give the same bytes.
    pub module: Vec<u8>,
    /// What the script has said meanwhile.
    pub log: String,
}

/// No module was made.
#[derive(Debug, Error)]
pub enum StandaloneError {
    /// The sandbox could not be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The engine is none, or of another version.
    #[error("this engine cannot read scripts ahead of time: {0}")]
    Engine(String),
    /// The script does not come to the end of its top level.
    #[error("{}", .0.message)]
    Script(Failure),
    /// All attempts would share what it drew.
    #[error("the script asks for random numbers before its function is called")]
    Random,
    /// Handles are of the sandbox that they were opened in.
    #[error("the script leaves something open before its function is called")]
    Open,
}

/// Makes modules of scripts with one engine, which it compiles once.
pub struct Standalones<'a> {
    wizer: Wizer,
    context: ComponentContext<'a>,
    engine: Engine,
    component: Component,
    linkers: Linkers,
    ticker: Ticker,
}

impl Standalones<'_> {
    /// Compiles `engine`, a component. That takes seconds: not for threads that others
    /// wait for.
    pub fn new(engine: &[u8]) -> Result<Standalones<'_>, StandaloneError> {
        let mut wizer = Wizer::new();
        // Its export stays, and finds no script any more: the library would take the
        // core module's export of that name along, which the component still names.
        wizer.init_func(PREPARE).keep_init_func(true);
        let (context, instrumented) = wizer.instrument_component(engine).map_err(broken)?;
        let engine = engine::engine(1)?;
        let component = Component::new(&engine, &instrumented).map_err(broken)?;
        if component.get_export_index(None, PREPARE).is_none() {
            let what = format!("it exports no `{PREPARE}`");
            return Err(StandaloneError::Engine(what));
        }
        let linkers = Linkers::new(&engine).map_err(broken)?;
        let ticker = Ticker::start(&engine).map_err(SandboxError::Ticker)?;
        Ok(Standalones {
            wizer,
            context,
            engine,
            component,
            linkers,
            ticker,
        })
    }

    /// Makes a module of a script. Blocks for as long as its top level runs, which is bounded.
    pub fn make(&self, script: RunScript) -> Result<Standalone, StandaloneError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.map_err(SandboxError::Ticker)?;
        runtime.block_on(self.read(script))
    }

    async fn read(&self, script: RunScript) -> Result<Standalone, StandaloneError> {
        let board = Board::new(0);
        let made = store(&self.engine, script, &board);
        let (mut store, limits) = made.map_err(StandaloneError::Script)?;
        let (wasi, drawn) = still::context(&board);
        store.data_mut().wasi = wasi;
        let mut instance = None;
        let end = {
            let _awake = self.ticker.running();
            let call = async {
                let made = self.linkers.instantiate(&mut store, &self.component);
                let made = instance.insert(made.await?);
                prepare(&mut store, made).await
            };
            let deadline = Instant::now() + Duration::from_millis(limits.wall_ms);
            supervise(call, &board, &Controls::default(), deadline, &Nobody).await
        };
        let meter = &store.data().meter;
        outcome::judge(end, &board, meter, &limits, ModuleKind::Task)
            .map_err(StandaloneError::Script)?;
        let Some(instance) = instance else {
            return Err(StandaloneError::Engine("it was never there".into()));
        };
        if drawn.load(Ordering::Relaxed) {
            return Err(StandaloneError::Random);
        }
        if !store.data_mut().wasi.ctx().table.is_empty() {
            return Err(StandaloneError::Open);
        }
        let snapshot = Snapshot::take(&mut store, &self.component, &instance).await;
        let mut snapshot = snapshot.map_err(broken)?;
        let module = self.wizer.snapshot_component(&self.context, &mut snapshot);
        let module = module.await.map_err(broken)?;
        let (_, log, _) = board.finish();
        Ok(Standalone { module, log })
    }
}

fn broken(error: wasmtime::Error) -> StandaloneError {
    StandaloneError::Engine(format!("{error:#}"))
}

async fn prepare(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<End> {
    let func = instance.get_typed_func::<(), (Result<(), String>,)>(&mut *store, PREPARE)?;
    let (read,) = func.call_async(store, ()).await?;
    let failed = |message| TaskError {
        message,
        retryable: false,
    };
    Ok(End::Task(read.map(|()| Vec::new()).map_err(failed)))
}

/// A store for somebody who is nobody's attempt, and its bounds.
fn store(
    engine: &Engine,
    script: RunScript,
    board: &Board,
) -> Result<(Store<State>, AttemptLimits), Failure> {
    let limits = AttemptLimits {
        memory: STANDALONE_MEMORY,
        wall_ms: STANDALONE_MS,
        // Its memory comes out through a call.
        output: STANDALONE_MEMORY,
    };
    let attempt = Attempt {
        task: TaskId {
            job: JobId(0),
            node: 0,
            index: 0,
        },
        lease: Lease {
            term: 0,
            attempt: 0,
        },
        name: script.name.as_str().into(),
        count: 1,
        args: Vec::new(),
        env: Vec::new(),
        config: Vec::new(),
        script: Some(Arc::new(script)),
        limits,
        input: Vec::new(),
        network: false,
        driver: None,
        root: None,
        collect: Vec::new(),
    };
    let store = state::store(
        engine,
        ModuleKind::Task,
        attempt,
        Controls::default(),
        board.clone(),
        Instant::now(),
    );
    Ok((store?, limits))
}

/// Listens to nothing: what there is to hear is told at the end.
struct Nobody;

impl Reporter for Nobody {
    fn ready(&self) -> bool {
        false
    }

    fn published(&self, _: Status, _: String) {}
}
